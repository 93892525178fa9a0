"""Sweeps: many configurations, run once each, whatever interrupts them.

Configurations that share work are one task (a family).  Results go to a folder as they come; running the
same plan again does what is missing.  The files of results depend on the plan alone (and, in the last
digits, on the machine), not on the executor, the order of the work, or how often it was interrupted.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from empirics.config import ExperimentConfig
from empirics.data import DataSource
from empirics.executors import Pool, run_tasks, serial
from empirics.outcome import RECORD_VERSION, Outcome
from empirics.plan import Plan, fields_of, identity
from empirics.store import DamagedError, ResultFolder, plain_numbers, shown


class RunFamily(Protocol):
    """What one task computes: an outcome for each configuration, the same whichever others it comes with."""

    def __call__(self, configs: Sequence[ExperimentConfig], *, device: str) -> Sequence[Outcome]:
        """Run the configurations of one family, or some of them."""


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


def run_sweep(
    wanted: Plan | None,
    folder: Path,
    *,
    run: RunFamily | None = None,
    key: Callable[[ExperimentConfig], str] | None = None,
    pool: Pool | None = None,
    device: str = "cpu",
    retry_failed: bool = False,
    merge: bool = False,
    progress: Callable[[int, int], None] | None = None,
    finish: Callable[[Path], object] | None = None,
) -> Summary:
    """Do what is missing of a plan, and write the tables of all of it.

    Parameters
    ----------
    wanted : Plan, optional
        The plan of the folder, if absent.  A plan that contains all configurations of the folder's (more
        seeds, more values) takes its place; any other needs `merge`.
    folder : Path
    run : callable, optional
        What a task computes; `empirics.families.run_family` if absent.  It and its configurations must
        be picklable unless the pool is serial.
    key : callable, optional
        Configurations with the same key are one task; `empirics.families.family_key` if absent.
    pool : Pool, optional
        `executors.serial()` if absent.
    device : str
        Where networks are trained; one for all results of a folder.
    retry_failed : bool
        Whether configurations that failed before are tried again.
    merge : bool
        Whether a plan that leaves out some of the folder's is added to it.
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
    KeyboardInterrupt
        If interrupted; the message says how much is done.

    Notes
    -----
    Families with much work start first: the last tasks to run are then short, so that no executor idles
    for long, and what does not fit into memory shows at once.
    """
    if run is None or key is None:
        families = import_module("empirics.families")  # not needed by those who bring both
        run, key = run or families.run_family, key or families.family_key
    if wanted is not None:
        wanted.configs()  # impossible plans leave no folder behind
    store = ResultFolder(folder)
    with store.locked():
        configs, damaged = _settle(store, wanted, merge=merge, device=device)
        contents: dict[DataSource, str] = {}
        identities = {name: identity(config, contents) for name, config in configs.items()}
        entries = _present(store, identities, damaged)
        kept = sum(entry["error"] is None for entry in entries.values())
        missing = {
            name: config
            for name, config in configs.items()
            if name not in entries or (retry_failed and entries[name]["error"] is not None)
        }
        groups = _families(missing, key)
        # Data may differ where a task runs: it compares them with what its results are filed under.
        tasks = [[(missing[name], identities[name]["content"]) for name in names] for names in groups]
        finished = len(configs) - len(missing)
        report = progress or (lambda _finished, _total: None)
        report(finished, len(configs))
        try:
            with closing(run_tasks(pool or serial(), partial(_run_family, run, device), tasks)) as results:
                for index, result in results:
                    for name, content, arrays in _contents(groups[index], identities, result):
                        entries[name] = store.write(name, content, arrays)
                        finished += 1
                    store.log_time(*_timing(groups[index], result))
                    report(finished, len(configs))
            _write_tables(store, configs, entries)
            if finish is not None:
                finish(folder)
        except KeyboardInterrupt:
            msg = f"{finished} of {len(configs)} results are in {folder}; the same command does the others"
            raise KeyboardInterrupt(msg) from None
        except OSError as error:
            msg = f"{error}; {finished} of {len(configs)} results are in {folder} and stay valid"
            raise OSError(msg) from error
        failed = sum(entry["error"] is not None for entry in entries.values())
        return Summary(
            folder=folder,
            total=len(configs),
            done=len(configs) - kept - failed,
            kept=kept,
            failed=failed,
            damaged=tuple(damaged),
            strangers=len(set(store.names()) - set(configs)),
        )


def count_tasks(configs: Mapping[str, ExperimentConfig], key: Callable[[ExperimentConfig], str]) -> int:
    """Return the number of families."""
    return len(_families(configs, key))


def _settle(
    store: ResultFolder, wanted: Plan | None, *, merge: bool, device: str
) -> tuple[dict[str, ExperimentConfig], list[str]]:
    """Make one plan of the wanted one and the folder's, and write it.

    Returns its configurations, and what is wrong with the folder's.
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
    kind = device.partition(":")[0]
    versions = [_versions()]
    if before is not None:
        if not {"blocks", "device", "versions"} <= before.keys():
            msg = f"result folder must be one of a sweep, got {shown(store.path)}, which holds something else"
            raise ValueError(msg)
        if before["device"] != kind:
            msg = f"device must be {before['device']}, as for the results in {store.path}, got {device}"
            raise ValueError(msg)
        versions = before["versions"] + [version for version in versions if version not in before["versions"]]
        wanted = _join(Plan.from_json(before["blocks"]), wanted, merge=merge, where=store.path)
    assert wanted is not None
    store.write_plan({"blocks": wanted.to_json(), "device": kind, "versions": versions})
    return wanted.configs(), damaged


def _join(old: Plan, wanted: Plan | None, *, merge: bool, where: Path) -> Plan:
    if wanted is None:
        return old
    if merge:
        new = Plan.from_json(wanted.to_json()).blocks
        return Plan(blocks=(*old.blocks, *(block for block in new if block not in old.blocks)))
    left_out = len(old.configs().keys() - wanted.configs().keys())
    if left_out:
        msg = (
            f"plan must contain the one in {where}, got one without {left_out} of its configurations; "
            "take another folder, or merge the two"
        )
        raise ValueError(msg)
    return wanted


def _versions() -> dict[str, Any]:
    packages = ("perturblearn", "numpy", "torch")
    return {"record": RECORD_VERSION, **{name: metadata.version(name) for name in packages}}


def _present(
    store: ResultFolder, identities: Mapping[str, Mapping[str, Any]], damaged: list[str]
) -> dict[str, dict[str, Any]]:
    """Return the sound results of a plan; add what is wrong with others to `damaged`."""
    entries: dict[str, dict[str, Any]] = {}
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
        entries[name] = entry
    return entries


def _families(
    configs: Mapping[str, ExperimentConfig], key: Callable[[ExperimentConfig], str]
) -> list[list[str]]:
    """Return the names of each family, families with most work first."""
    groups: dict[str, list[str]] = {}
    for name, config in configs.items():
        groups.setdefault(key(config), []).append(name)
    return sorted(groups.values(), key=lambda names: -sum(_work(configs[name]) for name in names))


def _work(config: ExperimentConfig) -> int:
    """Return about how much work a configuration is; it only decides the order of tasks."""
    rows, dim = (getattr(config.data, size, None) or 1 for size in ("num_train", "dim"))
    return config.width * config.num_steps * rows * dim


def _run_family(
    run: RunFamily, device: str, task: Sequence[tuple[ExperimentConfig, str | None]]
) -> tuple[list[Outcome], float]:
    """Run in a worker: an exception is the outcome of all configurations of the family."""
    start = time.perf_counter()
    configs = [config for config, _ in task]
    try:
        contents: dict[DataSource, str] = {}
        for config, content in task:
            if identity(config, contents)["content"] != content:
                msg = "data must be those the sweep began with, got others where this task runs"
                raise ValueError(msg)
        outcomes = list(run(configs, device=device))
        if len(outcomes) != len(configs):
            msg = f"run must return {len(configs)} outcomes, one a configuration, got {len(outcomes)}"
            raise ValueError(msg)
    except Exception as error:  # whatever a task raises is a result of it
        outcomes = [Outcome.failed(error)] * len(configs)
    return outcomes, time.perf_counter() - start


_Result = tuple[list[Outcome], float] | BaseException


def _contents(
    names: Sequence[str], identities: Mapping[str, Mapping[str, Any]], result: _Result
) -> Iterator[tuple[str, dict[str, Any], Mapping[str, NDArray[Any]]]]:
    """Yield name, content and arrays of each result of a family."""
    outcomes = [Outcome.failed(result)] * len(names) if isinstance(result, BaseException) else result[0]
    for name, outcome in zip(names, outcomes, strict=True):
        record = outcome.record
        if record is not None:
            record = {key: _finite(value) for key, value in record.items()}
        yield name, {**identities[name], "record": record, "error": outcome.error}, outcome.arrays


def _timing(names: Sequence[str], result: _Result) -> tuple[str, float]:
    seconds = math.nan if isinstance(result, BaseException) else result[1]
    return f"{len(names)} from {names[0]}", seconds


def _finite(value: Any) -> Any:  # noqa: ANN401
    """NaN is unknown, so null; JSON has no infinity, but text that every language reads as one."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _write_tables(
    store: ResultFolder, configs: Mapping[str, ExperimentConfig], entries: Mapping[str, Mapping[str, Any]]
) -> None:
    rows, failures = [], []
    for name, config in configs.items():
        entry = entries[name]
        failed = entry["error"] is not None
        row = {"hash": name, "status": "failed" if failed else "done", **plain_numbers(fields_of(config))}
        for key, value in (entry["record"] or {}).items():
            row[f"record.{key}" if key in row else key] = value
        rows.append(row)
        if failed:
            failures.append({"hash": name, "error": entry["error"], "config": entry["config"]})
    store.write_tables(rows, failures)
