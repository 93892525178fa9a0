"""What `perturblearn sweep` does: many experiments, in a folder that any interruption leaves whole."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from empirics.plan_text import axis_of_text, plan_of_toml, value_of_text
from empirics.published import plan_of
from empirics.sweep import executors
from empirics.sweep.plan import Block, Plan, seeds_axis
from empirics.sweep.runner import Summary, count_tasks, run_sweep
from empirics.sweep.store import DamagedError
from empirics.wide import WIDE
from reports import terminal
from reports.provenance import check_device
from reports.sweeps.page import PAGE, read_parts, write_page, write_parts
from reports.sweeps.parts import Part
from reports.text import many
from theory.validation import check_choice

if TYPE_CHECKING:
    from reports.commands.sweep import Sweep

_MOMENTUM = 0.9
# What --solver sets in a plan of fields.
_SOLVERS: dict[str, dict[str, Any]] = {
    "flow": {"solver": "flow"},
    "gd": {"solver": "gd"},
    "gd-momentum": {"solver": "gd", "momentum": _MOMENTUM},
}
_SEEDS = 10  # of published blocks and studies


def run(plan_file: Path | None, options: "Sweep", show: terminal.Show) -> str:
    """Run the command; return what to print.

    Raises
    ------
    AllFailedError
        If the sweep ran to its end, and no configuration has a result.
    ValueError, TypeError, OSError, RuntimeError
        On bad input or a disk that takes no more, as one line.
    KeyboardInterrupt
        If interrupted; the message says how much is done.
    """
    check_device(options.device)
    part = _part(plan_file, options)
    plan = _plan(plan_file, options) if part is None else plan_of(part.points())
    name = options.executor or ("processes" if options.device == "cpu" else "serial")
    pool = executors.parse(name, jobs=options.jobs)
    if options.dry_run:
        if plan is None:
            msg = "plan must be given for a dry run"
            raise ValueError(msg)
        configs = plan.configs(WIDE)
        tasks = count_tasks(WIDE, configs)
        return f"{many(len(configs), 'configuration')} in {many(tasks, 'task')}; nothing was run"
    note = _Note(options, plan, part, show)
    summary = run_sweep(
        WIDE,
        plan,
        options.out,
        pool=pool,
        device=options.device,
        retry_failed=options.retry_failed,
        merge=options.merge,
        progress=note.report,
        finish=write_page,
    )
    printed = table(summary, page=options.out / PAGE, damaged=note.damaged)
    if summary.failed == summary.total:
        raise terminal.AllFailedError(printed)
    return printed


class _Note:
    """Writes down what the folder holds as soon as its plan is settled, for who goes on after an interrupt.

    `run_sweep` reports for the first time then, while no one else may write there.
    """

    def __init__(
        self,
        options: "Sweep",
        plan: Plan | None,
        part: Part | None,
        show: terminal.Show,
    ) -> None:
        self._out: Path = options.out
        self._merge = options.merge
        self._plan, self._part = plan, part
        self._show = show
        self._written = plan is None  # the folder goes on with what it holds
        self.damaged: str | None = None  # what was wrong with the file before

    def report(self, finished: int, total: int) -> None:
        """Take the reports of `run_sweep`."""
        if not self._written:
            self._write()
            self._written = True
        self._show(finished / total, f"{finished} of {total}")

    def _write(self) -> None:
        try:
            kept = read_parts(self._out) if self._merge else ()
        except DamagedError as error:
            # Which others it held is known to nobody; the results of all are in the plan, and stay.
            self.damaged, kept = str(error), ()
        if self._part is not None:
            wider = self._part.configs()
            kept = (*(old for old in kept if not old.configs() <= wider), self._part)
        write_parts(self._out, kept)


def table(summary: Summary, *, page: Path | None = None, damaged: str | None = None) -> str:
    """Return a short table of what was done and where it is, and what else was damaged."""
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
    if damaged is not None:
        lines.append(f"damaged, written again: {damaged}")
    if page is not None:
        lines.append(f"page:    {page}")
    lines.append(f"results: {summary.folder / 'results.csv'} and .jsonl")
    if summary.failed:
        lines.append(f"errors:  {summary.folder / 'failures.json'}; --retry-failed tries again")
    return "\n".join(lines)


def _part(plan: Path | None, options: "Sweep") -> Part | None:
    """Return the published block or the study that was asked for, None if none was."""
    _refuse_solver(plan, options)
    if options.published is None and options.study is None:
        for flag in ("sweeps", "size", "balanced"):
            if getattr(options, flag):
                msg = f"--{flag} must come with --published{' or --study' if flag == 'sweeps' else ''}"
                raise ValueError(msg)
        return None
    if (
        plan is not None
        or options.data is not None
        or options.header is not None
        or options.set
        or options.axis
        or None not in (options.published, options.study)
    ):
        msg = "sweep must be one of --published, --study, a plan file, or --data with --set and --axis"
        raise ValueError(msg)
    common: dict[str, Any] = {"seeds": _SEEDS if options.seeds is None else options.seeds}
    if options.sweeps is not None:
        common["sweeps"] = tuple(name.strip() for name in options.sweeps.split(","))
    if options.study is not None:
        for flag in ("solver", "size", "balanced"):
            if getattr(options, flag):
                msg = f"--{flag} must be left out with --study, which fixes it"
                raise ValueError(msg)
        return Part(kind="study", name=options.study, **common)
    assert options.published is not None  # see above
    return Part(
        kind="published",
        name=options.published,
        solver="flow" if options.solver == "flow" else "gd",
        size=options.size or "full",
        balanced=bool(options.balanced),
        **common,
    )


def _refuse_solver(plan: Path | None, options: "Sweep") -> None:
    if options.solver is None:
        return
    check_choice("solver", options.solver, tuple(_SOLVERS))
    if plan is not None:
        msg = "plan must hold all fields: leave --solver out"
        raise ValueError(msg)
    if options.published is not None and options.solver == "gd-momentum":
        msg = "solver must be flow or gd with --published: its gd has momentum .9 already"
        raise ValueError(msg)


def _plan(plan: Path | None, options: "Sweep") -> Plan | None:
    """Return what was declared, None if nothing was."""
    named: dict[str, Any] = {} if options.data is None else {"data.source": options.data}
    named |= {} if options.header is None else {"data.header": options.header}
    named |= _SOLVERS[options.solver] if options.solver is not None else {}
    for text in options.set or ():
        name, equals, value = text.partition("=")
        if not equals or not name or name in named:
            msg = f"set must look like width=100, each field once, got {text!r}"
            raise ValueError(msg)
        named[name] = value_of_text(value, name)
    axes = [axis_of_text(text) for text in options.axis or ()]
    if options.seeds is not None:
        axes.append(seeds_axis(options.seeds))
    if plan is not None:
        if named or axes:
            msg = "plan must hold all fields and axes: leave --data, --header, --set, --axis and --seeds out"
            raise ValueError(msg)
        return _read(plan)
    if not named and not axes:
        return None
    return Plan(blocks=(Block(base=named, axes=tuple(axes)),))


def _read(path: Path) -> Plan:
    if not path.is_file():
        msg = f"plan must be a file that exists, got {str(path)!r}"
        raise FileNotFoundError(msg)
    try:
        return plan_of_toml(path.read_bytes().decode("utf-8-sig"))  # editors on Windows write the mark
    except (ValueError, TypeError) as error:
        msg = f"{error} (in {path})"
        raise ValueError(msg) from error
