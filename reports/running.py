"""What `perturblearn sweep` and `perturblearn orthogonal` do: what is missing of a plan, and a page.

What a folder holds beside its plan, published blocks and studies, is written into plan.json with it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import Struct, ValidationError, convert

from empirics.campaigns import AnyPart
from empirics.sweep import executors
from empirics.sweep.experiment import Config, Experiment
from empirics.sweep.plan import Plan
from empirics.sweep.runner import Summary, count_tasks, run_sweep
from empirics.sweep.store import DamagedError, ResultFolder
from reports import terminal
from reports.options import Orthogonal, Sweep
from reports.runs import Provenance, R, read_rows
from reports.text import many
from reports.verdicts import Claim

_Part = TypeVar("_Part", bound=AnyPart)
_LITTLE = 1e9  # multiplications below which processes, seconds each to start, may not pay
_HERE = (
    4.0  # seconds of a core for which so little work is begun in this process: what two of them take to start
)
SEEDS = 10  # of published blocks and studies
_OLD = "parts.json"  # said what older folders hold


def carry_out(
    experiment: Experiment[Config],
    plan: Plan | None,
    parts: Sequence[AnyPart] | None,
    options: Sweep | Orthogonal,
    show: terminal.Show,
    *,
    pool: executors.Pool,
    finish: Callable[[Path], Path],
    said: Callable[[Path], str] | None = None,
    device: str = "cpu",
    retry_failed: bool = True,
    merge: bool = False,
    replace: bool = False,
) -> str:
    """Do what is missing of a plan, write its page, and return a short table of what was done.

    Parameters
    ----------
    experiment, plan, pool, device, retry_failed, merge, replace
        As in `run_sweep`; little work is begun in this process, if no pool was asked for.
    parts : sequence of AnyPart, optional
        What the folder then holds; what it held, if absent.
    options : Sweep or Orthogonal
        Of which `out`, `executor`, `jobs` and `dry_run` are read.
    show : callable
        Takes the share that is done and what is being done.
    finish : callable
        Writes the page of the folder, and returns its path.
    said : callable, optional
        Returns what else is to be printed of the folder.

    Raises
    ------
    AllFailedError
        If no configuration has a result; the page is there and says so.
    ValueError, TypeError, OSError, RuntimeError
        On bad input or a disk that takes no more, as one line.
    KeyboardInterrupt
        If interrupted; the message says how much is done.
    """
    if options.dry_run:
        if plan is None:
            msg = "plan must be given for a dry run"
            raise ValueError(msg)
        configs = plan.configs(experiment)
        tasks = count_tasks(experiment, configs)
        return f"{many(len(configs), 'configuration')} in {many(tasks, 'task')}; nothing was run"
    asked = options.executor is not None or options.jobs is not None
    if (
        plan is not None
        and not asked
        and sum(map(experiment.work, plan.configs(experiment).values())) < _LITTLE
    ):
        pool = with_fields(pool, here=max(pool.here, _HERE))
    pages: list[Path] = []
    summary = run_sweep(
        experiment,
        plan,
        options.out,
        pool=pool,
        device=device,
        retry_failed=retry_failed,
        merge=merge,
        replace=replace,
        about=None if parts is None else {"parts": [part.to_json() for part in parts]},
        progress=lambda count, total: show(count / total, f"{count} of {total}"),
        finish=lambda folder: pages.append(finish(folder)),
    )
    printed = f"{said(options.out)}\n" if said is not None else ""
    printed += table(summary, page=pages[0], retried=retry_failed)
    if summary.failed == summary.total:
        raise terminal.AllFailedError(printed)
    return printed


def claims_said(claims: Iterable[Claim]) -> Iterator[str]:
    """Yield claims with their verdicts, and what was measured."""
    for claim in claims:
        yield f"{claim.verdict or 'no verdict':<20}{claim.statement}"
        yield f"{'':20}{claim.measured}"


def table(summary: Summary, *, page: Path, retried: bool) -> str:
    """Return a short table of what was done and where it is."""
    rows: list[tuple[str, object]] = [
        ("done", summary.done),
        ("kept from before", summary.kept),
        ("failed", summary.failed),
        ("of", summary.total),
    ]
    if summary.strangers:
        rows.append(("not of this plan", summary.strangers))
    lines = [f"{label:<17} {count:>7}" for label, count in rows]
    lines += [f"damaged, redone: {what}" for what in summary.damaged]
    lines.append(f"page:    {page}")
    lines.append(f"results: {summary.folder / 'results.csv'} and .jsonl")
    if summary.failed:
        again = "" if retried else "; --retry-failed tries again"
        lines.append(f"errors:  {summary.folder / 'failures.json'}{again}")
    return "\n".join(lines)


class Held(Struct, Generic[_Part], frozen=True, kw_only=True):
    """What a folder holds, as its plan.json says."""

    kind: str  # name of the experiment
    plan: Plan
    parts: tuple[_Part, ...]
    provenance: Provenance


def read_folder(folder: Path, experiments: Collection[str], kind: type[_Part]) -> Held[_Part] | None:
    """Return what a folder holds, None if it has no plan.

    Parameters
    ----------
    folder : Path
    experiments : collection of str
        Names of the kinds of experiments that it may hold.
    kind : subclass of AnyPart

    Raises
    ------
    DamagedError
        If plan.json is damaged, or the folder is one of another command or of an older version.
    """
    plan = ResultFolder(folder).read_plan()
    if plan is None:
        return None
    if plan.get("kind") not in experiments:
        kinds = " or ".join(experiments)
        msg = f"out must be a folder of {kinds} experiments, got one of another command: {folder}"
        raise DamagedError(msg)
    about = plan.get("about") or ({} if (folder / _OLD).exists() else {"parts": []})
    if "blocks" not in plan or "parts" not in about:
        msg = f"out must be another folder, got one of an older version: {folder}"
        raise DamagedError(msg)
    try:
        said = {"kind": plan["kind"], "plan": plan, "parts": about["parts"], "provenance": plan}
        return convert(said, Held[kind])  # type: ignore[valid-type]
    except ValidationError as error:
        msg = f"plan.json is not what was written ({error})"
        raise DamagedError(msg) from error


def read_results(
    folder: Path, experiments: Collection[str], kind: type[_Part], row: type[R]
) -> tuple[Held[_Part], dict[str, R]]:
    """Return what the page of a folder is made of: what it holds, and its rows.

    Raises
    ------
    ValueError
        If it has no plan, or as `read_folder` and `read_rows`.
    OSError
        If there are no tables.
    """
    found = read_folder(folder, experiments, kind)
    if found is None:
        msg = f"folder must hold a plan of {' or '.join(experiments)} experiments, got none in {folder}"
        raise ValueError(msg)
    return found, read_rows(folder / "results.jsonl", row)


def check_together(options: object, asked: Sequence[str], needs: Mapping[str, Sequence[str]]) -> None:
    """Refuse options that come without any of those that they need."""
    for flag, kinds in needs.items():
        value = getattr(options, flag)
        given = value is not None and value is not False  # 0 is a value
        if given and not set(asked) & set(kinds):
            msg = f"--{flag.replace('_', '-')} must come with --{' or --'.join(kinds)}"
            raise ValueError(msg)


def set_fields(
    texts: Sequence[str] | None, value_of: Callable[[str, str], Any], named: dict[str, Any]
) -> None:
    """Add the fields of --set, each once: FIELD=VALUE."""
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name or name in named:
            msg = f"set must look like width=20, each field once, got {text!r}"
            raise ValueError(msg)
        named[name] = value_of(value, name)
