"""Sweeps: many configurations, run once each, whatever interrupts them.

Configurations that share work are one task (a family).  Results go to a folder as they are computed; running
the same plan again does what is missing.  The files of results depend on the plan alone (and, in the last
digits, on the machine), not on the executor, the order of the work, or how often it was interrupted.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from empirics.sweep.disk import shown, write_bytes
from empirics.sweep.executors import Pool, run_tasks, serial
from empirics.sweep.experiment import Config, ContentOf, Experiment, RunFamily
from empirics.sweep.outcome import Cell, Outcome
from empirics.sweep.plain import plain_numbers
from empirics.sweep.plan import Plan
from empirics.sweep.store import DamagedError, ResultFolder

Row = dict[str, Cell]
_Identities = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a call of `run_sweep` did; counts are of configurations."""

    folder: Path
    total: int
    done: int  # now, with a record
    kept: int  # records that were there
    failed: int  # without a record, now or before
    damaged: tuple[str, ...]  # what was wrong with results that were there; they were done again
    strangers: int  # files of results that belong to no configuration of the plan
    command: str = ""  # that does what is missing and makes the page, where there is one


class FailedError(RuntimeError):
    """A configuration failed whose result is a part of one with all others."""


def run_sweep(
    experiment: Experiment[Config],
    wanted: Plan | None,
    folder: Path,
    *,
    pool: Pool | None = None,
    device: str = "cpu",
    retry_failed: bool = False,
    merge: bool = False,
    replace: bool = False,
    about: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
    finish: Callable[[Path], object] | None = None,
) -> Summary:
    """Do what is missing of a plan, and write the tables of all of it.

    Parameters
    ----------
    experiment : Experiment
    wanted : Plan, optional
        The plan of the folder, if absent.  A plan that contains all configurations of the folder's (more
        seeds, more values) takes its place; any other needs `merge`, or results that are parts of one.
    folder : Path
    pool : Pool, optional
        `executors.serial()` if absent.
    device : str
        Where networks are trained; one for all results of a folder.
    retry_failed : bool
        Whether configurations that failed before are tried again.
    merge : bool
        Whether a plan that leaves out some of the folder's is added to it.
    replace : bool
        Whether a plan that leaves out some of the folder's takes its place; results that are of both stay.
    about : mapping, optional
        What the caller writes down with the plan, plain JSON values; what is there stays if absent.
    progress : callable, optional
        Told how many configurations are finished, and of how many, whenever that changes.
    finish : callable, optional
        Told the folder when its tables are written, while nobody else may write there.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        If there is no plan, it is another than the folder's, or is impossible.
    OSError
        If the folder cannot be written to, or another process writes there.  What is there stays valid.
    FailedError
        If results are parts of one, and a configuration failed.
    KeyboardInterrupt
        If interrupted; the message says how much is done.

    Notes
    -----
    Families with much work start first: the last tasks to run are then short, so that no executor idles
    for long, and what does not fit into memory shows at once.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from empirics import WIDE, ExperimentConfig, ShiftedGaussianData, run_sweep
    >>> from empirics.wide import plan
    >>> base = ExperimentConfig(data=ShiftedGaussianData(dim=3, num_train=10, num_test=5), width=1)
    >>> run_sweep(WIDE, plan(base, {"width": [10, 20]}, seeds=2), Path(tempfile.mkdtemp()) / "sweep").done
    4
    """
    store = ResultFolder(folder)
    store.check()
    _held = experiment.restore(folder)
    if wanted is not None:
        wanted.configs(experiment)  # impossible plans leave no folder behind
    elif not store.path.exists():
        msg = f"plan must be given, as there is none in {store.path}"
        raise ValueError(msg)
    with store.locked():
        wanted, before, damaged = _settle(
            experiment, store, wanted, merge=merge, replace=replace, device=device
        )
        configs = wanted.configs(experiment)
        identities = _identities(experiment, configs)
        found = _present(store, identities, damaged)
        kept = sum(outcome.error is None for outcome in found.values())
        missing = {
            name: config
            for name, config in configs.items()
            if name not in found or (retry_failed and found[name].error is not None)
        }
        store.write_plan(
            {
                "kind": experiment.name,
                "about": before.get("about") if about is None else about,
                "blocks": wanted.to_json(),
                "device": device.partition(":")[0],
                "versions": _versions(experiment, before.get("versions", []), missing=bool(missing)),
            }
        )
        for path, kept_content in {
            folder / name: content
            for config in configs.values()
            for name, content in experiment.keep(config).items()
        }.items():
            if not path.exists():
                write_bytes(path, kept_content)
        done = len(configs) - len(missing)
        report = progress or (lambda _finished, _total: None)
        report(done, len(configs))
        try:
            with closing(_computed(experiment, missing, identities, pool, device)) as results:
                for name, outcome, seconds in results:
                    content = store.write(name, {**identities[name], **outcome.to_json()})
                    found[name] = Outcome.from_json(content)
                    store.log_time(name, seconds)
                    done += 1
                    report(done, len(configs))
            if experiment.joint:
                store.keep(configs)
            else:
                store.write_tables(*_tables(experiment, configs, identities, found))
            if finish is not None:
                finish(folder)
        except KeyboardInterrupt:
            msg = f"{done} of {len(configs)} results are in {folder}; the same command does the others"
            raise KeyboardInterrupt(msg) from None
        except (OSError, FailedError) as error:
            msg = f"{error}; {done} of {len(configs)} results are in {folder} and stay valid"
            raise (FailedError if isinstance(error, FailedError) else OSError)(msg) from error
        failed = sum(outcome.error is not None for outcome in found.values())
        return Summary(
            folder=folder,
            total=len(configs),
            done=len(configs) - kept - failed,
            kept=kept,
            failed=failed,
            damaged=tuple(damaged),
            strangers=len(set(store.names()) - set(configs)),
            command=experiment.command and f"{experiment.command} --out {shlex.quote(str(folder))}",
        )


def records(
    experiment: Experiment[Config],
    configs: Iterable[Config],
    *,
    pool: Pool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Run configurations without a folder.

    Parameters
    ----------
    experiment : Experiment
    configs : iterable of Config
        Equal ones are run once.
    pool : Pool, optional
        `executors.serial()` if absent.
    progress : callable, optional
        Told how many configurations are finished, and of how many.

    Returns
    -------
    list of dict
        The rows that the table of a folder would have, in the order of `configs`.
    """
    configs = list(configs)
    found = outcomes(experiment, configs, pool=pool, progress=progress)
    names = _named(experiment, configs)
    by_name = {name: found[config] for name, config in names.items()}
    rows = _tables(experiment, names, _identities(experiment, names), by_name)[0]
    by_config = dict(zip(names.values(), rows, strict=True))
    return [by_config[config] for config in configs]


def outcomes(
    experiment: Experiment[Config],
    configs: Iterable[Config],
    *,
    known: Mapping[Config, Outcome] | None = None,
    pool: Pool | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[Config, Outcome]:
    """Return what configurations come to, as it would be read from a folder; see `records`.

    Parameters
    ----------
    experiment, configs, pool, device, progress
        As in `run_sweep`.
    known : mapping, optional
        Outcomes that are there: these configurations are not run.

    Raises
    ------
    FailedError
        As `run_sweep`.
    """
    wanted = dict.fromkeys(configs)
    found = {config: known[config] for config in wanted if known and config in known}
    missing = _named(experiment, (config for config in wanted if config not in found))
    report = progress or (lambda _finished, _total: None)
    report(len(found), len(wanted))
    with closing(_computed(experiment, missing, _identities(experiment, missing), pool, device)) as results:
        for name, outcome, _ in results:
            found[missing[name]] = Outcome.from_json(outcome.to_json())
            report(len(found), len(wanted))
    return found


def stored(experiment: Experiment[Config], configs: Iterable[Config], folder: Path) -> dict[Config, Outcome]:
    """Return the sound records that a folder holds of these; what failed is none."""
    names = _named(experiment, configs)
    found = _present(ResultFolder(folder), _identities(experiment, names), [])
    return {names[name]: outcome for name, outcome in found.items() if outcome.error is None}


def finished(experiment: Experiment[Config], configs: Iterable[Config], folder: Path) -> bool:
    """Return whether a folder holds sound records of all these.

    Parameters
    ----------
    experiment : Experiment
    configs : iterable of Config
    folder : Path

    Returns
    -------
    bool
    """
    configs = set(configs)
    return configs <= stored(experiment, configs, folder).keys()


def _named(experiment: Experiment[Config], configs: Iterable[Config]) -> dict[str, Config]:
    known: dict[Any, str] = {}
    return {experiment.hash(config, known): config for config in configs}


def made_by(experiment: Experiment[Config]) -> dict[str, Any]:
    """Return the versions of what makes a result here and now."""
    packages = ("perturblearn", "numpy", "torch")
    return {"record": experiment.version, **{name: metadata.version(name) for name in packages}}


def count_tasks(experiment: Experiment[Config], configs: Mapping[str, Config]) -> int:
    """Return the number of families."""
    return len(_families(experiment, configs))


def _settle(
    experiment: Experiment[Config],
    store: ResultFolder,
    wanted: Plan | None,
    *,
    merge: bool,
    replace: bool,
    device: str,
) -> tuple[Plan, dict[str, Any], list[str]]:
    """Make one plan of the wanted one and the folder's.

    Returns it, what the folder's plan.json says, and what is wrong with that.
    """
    damaged, before = [], None
    try:
        before = store.read_plan()
    except DamagedError as error:
        if wanted is None or merge:
            msg = f"plan must be given, without merging: {error}"
            raise DamagedError(msg) from error
        damaged.append(str(error))
    if before is None and wanted is None:
        msg = f"plan must be given, as there is none in {store.path}"
        raise ValueError(msg)
    if before is not None:
        if before.get("kind") != experiment.name or "blocks" not in before:
            msg = (
                f"result folder must be one of a sweep of {experiment.name} experiments, got "
                f"{shown(store.path)}, which holds something else or an older format"
            )
            raise ValueError(msg)
        if (experiment.joint or replace) and wanted is not None:
            return wanted, before, damaged
        if before["device"] != device.partition(":")[0]:
            msg = f"device must be {before['device']}, as for the results in {store.path}, got {device}"
            raise ValueError(msg)
        old = Plan.from_json(before["blocks"])
        wanted = _join(experiment, old, wanted, merge=merge, where=store.path)
    assert wanted is not None
    return wanted, before or {}, damaged


def _join(
    experiment: Experiment[Config], old: Plan, wanted: Plan | None, *, merge: bool, where: Path
) -> Plan:
    if wanted is None:
        return old
    if merge:
        new = Plan.from_json(wanted.to_json()).blocks
        return Plan(blocks=(*old.blocks, *(block for block in new if block not in old.blocks)))
    left_out = len(old.configs(experiment).keys() - wanted.configs(experiment).keys())
    if left_out:
        msg = (
            f"plan must contain the one in {where}, got one without {left_out} of its configurations; "
            "take another folder, or merge the two"
        )
        raise ValueError(msg)
    return wanted


def _versions(
    experiment: Experiment[Config], before: Sequence[Mapping[str, Any]], *, missing: bool
) -> list[Mapping[str, Any]]:
    """Return what results of a folder were made by: the versions now only if something is to be run."""
    now = made_by(experiment)
    kept = [made for made in before if made["record"] == now["record"]]  # others are done again
    return kept if now in kept or (kept and not missing) else [*kept, now]


def _identities(experiment: Experiment[Config], configs: Mapping[str, Config]) -> dict[str, dict[str, Any]]:
    known: dict[Any, str] = {}
    return {name: experiment.identity(config, known) for name, config in configs.items()}


def _present(store: ResultFolder, identities: _Identities, damaged: list[str]) -> dict[str, Outcome]:
    """Return the sound results of a plan; add what is wrong with others to `damaged`."""
    found: dict[str, Outcome] = {}
    for name, expected in identities.items():
        try:
            entry = store.read(name)
        except DamagedError as error:
            damaged.append(str(error))
            continue
        if entry is None:
            continue
        if {part: entry.get(part) for part in expected} != expected:
            damaged.append(f"{name}.json is about another configuration or version")
            continue
        found[name] = Outcome.from_json(entry)
    return found


def _families(experiment: Experiment[Config], configs: Mapping[str, Config]) -> list[list[str]]:
    """Return the names of each family, families with most work first."""
    groups: dict[str, list[str]] = {}
    for name, config in configs.items():
        groups.setdefault(experiment.key(config), []).append(name)
    return sorted(groups.values(), key=lambda names: -sum(experiment.work(configs[name]) for name in names))


_Task = list[tuple[str, Config, str | None]]  # name, configuration, digest of its data
_Computed = tuple[str, Outcome, float]  # name, outcome, seconds


def _computed(
    experiment: Experiment[Config],
    missing: Mapping[str, Config],
    identities: _Identities,
    pool: Pool | None,
    device: str,
) -> Generator[_Computed]:
    """Run what is missing; yield what each comes to as soon as that is known here."""
    groups = _families(experiment, missing)
    # Data may differ where a task runs: it compares them with what its results are filed under.
    tasks = [[(name, missing[name], identities[name]["content"]) for name in names] for names in groups]
    with closing(
        run_tasks(pool or serial(), partial(_run_family, experiment.run, experiment.content, device), tasks)
    ) as results:
        for index, result in results:
            # A task that is repeated, as its process died, goes on after what it has sent.
            if isinstance(result, BaseException):
                made = [(name, Outcome.failed(result), 0.0) for name, *_ in tasks[index]]
            else:
                made = [result]
            for name, outcome, seconds in made:
                if experiment.joint and outcome.error is not None:
                    raise FailedError(outcome.error)
                tasks[index] = [entry for entry in tasks[index] if entry[0] != name]
                yield name, outcome, seconds


def _run_family(
    run: RunFamily[Config], content_of: ContentOf[Config], device: str, task: _Task[Config]
) -> Iterator[_Computed]:
    """Run in a worker: an exception is the outcome of all configurations that have none yet."""
    start = time.perf_counter()
    left = {index: name for index, (name, *_) in enumerate(task)}
    try:
        known: dict[Any, str] = {}
        for _, config, content in task:
            if content_of(config, known) != content:
                msg = "data must be those the sweep began with, got others where this task runs"
                raise ValueError(msg)
        for index, outcome in run([config for _, config, _ in task], device=device):
            if index not in left:
                msg = f"run must yield one outcome a configuration, got another one for {index}"
                raise ValueError(msg)
            now = time.perf_counter()
            yield left.pop(index), outcome, now - start
            start = now
        if left:
            msg = f"run must yield {len(task)} outcomes, one a configuration, got {len(task) - len(left)}"
            raise ValueError(msg)
    except Exception as error:  # whatever a task raises is a result of it
        yield from ((name, Outcome.failed(error), time.perf_counter() - start) for name in left.values())


def _tables(
    experiment: Experiment[Config],
    configs: Mapping[str, Config],
    identities: _Identities,
    found: Mapping[str, Outcome],
) -> tuple[list[Row], list[dict[str, Any]]]:
    """Return the rows of all configurations, and those that failed."""
    rows: list[Row] = []
    failures = []
    for name, config in configs.items():
        outcome = found[name]
        status = "done" if outcome.error is None else "failed"
        row: Row = {"hash": name, "status": status, **plain_numbers(experiment.fields(config))}
        for key, value in (outcome.record or {}).items():
            row[f"record.{key}" if key in row else key] = value
        rows.append(row)
        if outcome.error is not None:
            failures.append({"hash": name, "error": outcome.error, "config": identities[name]["config"]})
    return rows, failures
