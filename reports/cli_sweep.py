"""The command `perturblearn sweep`: many experiments, in a folder that any interruption leaves whole."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from empirics.data.table import HEADERS
from empirics.plan_text import axis_of_text, plan_of_toml, value_of_text
from empirics.published import BLOCKS, SIZES, STAND_IN, plan_of
from empirics.studies import STUDIES
from empirics.sweep import executors
from empirics.sweep.plan import Block, Plan, seeds_axis
from empirics.sweep.runner import Summary, count_tasks, run_sweep
from empirics.sweep.store import DamagedError
from empirics.wide import WIDE
from reports import terminal
from reports.sweeps.page import PAGE, read_parts, write_page, write_parts
from reports.sweeps.parts import Part
from reports.text import many
from theory.validation import check_choice

EXAMPLE = (
    "perturblearn sweep --data shifted-gaussian --set data.dim=20 --set data.num_train=200 --axis "
    "width=10,100,1000 --seeds 5 --out my-sweep"
)
HEADER_HELP = "whether the first row of a .csv file is a header (default: if it has no number)"
_MOMENTUM = 0.9
# What --solver sets in a plan of fields.
_SOLVERS: dict[str, dict[str, Any]] = {
    "flow": {"solver": "flow"},
    "gd": {"solver": "gd"},
    "gd-momentum": {"solver": "gd", "momentum": _MOMENTUM},
}
_SEEDS = 10  # of published blocks and studies


class AllFailedError(RuntimeError):
    """Every configuration of a sweep failed; the text is the table that would have been printed."""


def add_parser(commands: Any, formatter_class: type[argparse.HelpFormatter]) -> None:  # noqa: ANN401
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "sweep",
        help="run an experiment for many values of its fields; interrupted, the same command goes on",
        description="Run an experiment for many values of its fields, and write one row for each. "
        "Interrupted, killed or out of disk, the same command does what is missing. Without a plan or "
        "fields: the plan of the folder. Ends with a page, report.html.",
        epilog=f"example: {EXAMPLE}",
        formatter_class=formatter_class,
    )
    parser.add_argument(
        "plan", type=Path, nargs="?", help=".toml file with base, seeds and [[sweep]] tables of axes"
    )
    parser.add_argument(
        "--published", metavar="BLOCK", help=f"a block of the published grid: {', '.join(BLOCKS)}"
    )
    parser.add_argument("--study", metavar="NAME", help=f"a study: {', '.join(STUDIES)}")
    parser.add_argument(
        "--sweeps", metavar="S,S,...", help="some sweeps of a block (d, N, eps, m, ...) or study"
    )
    parser.add_argument(
        "--solver",
        metavar="NAME",
        help="flow, gd or gd-momentum (.9); of a published block, whose optimiser has momentum: flow or gd",
    )
    parser.add_argument(
        "--size",
        metavar="SIZE",
        help=f"of a published block: {' or '.join(SIZES)} (smaller data, same ratios; of images "
        f"{STAND_IN.format('MNIST and Fashion-MNIST')}) (default: full)",
    )
    parser.add_argument(
        "--balanced",
        action="store_true",
        default=None,
        help="of a published block: as many target labels +1 as −1",
    )
    parser.add_argument("--data", metavar="NAME", help="a source, or a .npz or .csv file")
    parser.add_argument("--header", choices=HEADERS[1:], help=HEADER_HELP)
    parser.add_argument(
        "--set",
        action="append",
        metavar="FIELD=VALUE",
        help="a field of all experiments, such as width=100 or data.dim=20; two classes: data.classes=3:8",
    )
    parser.add_argument(
        "--axis",
        action="append",
        metavar="FIELD=V,V,...",
        help="values of a field, such as width or data.dim; several axes: their product; T_f,T_g=1:1,2:4 "
        "for fields that go together; pairs of classes: data.classes=1:2,3:8",
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N-1 (blocks and studies: 10)")
    parser.add_argument("--out", type=Path, default=Path("perturblearn-sweep"), help="folder of results")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; one for all results of a folder")
    parser.add_argument(
        "--executor",
        metavar="NAME",
        help="serial, processes or dask://host:port (default: processes; serial on a GPU)",
    )
    parser.add_argument("--jobs", type=int, help="number of processes (default: one a core)")
    parser.add_argument(
        "--retry-failed", action="store_true", default=None, help="try failed experiments again"
    )
    parser.add_argument(
        "--merge",
        action="store_true",
        default=None,
        help="add the plan to the folder's, where it does not contain it",
    )
    parser.add_argument(
        "--dry-run", action="store_true", default=None, help="check the plan and count, run nothing"
    )


def sweep(options: argparse.Namespace, *, command: str) -> str:
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
    part = _part(options)
    plan = _plan(options) if part is None else plan_of(part.points())
    name = options.executor or ("processes" if options.device == "cpu" else "serial")
    pool = executors.parse(name, jobs=options.jobs)
    if options.dry_run:
        if plan is None:
            msg = "plan must be given for a dry run"
            raise ValueError(msg)
        configs = plan.configs(WIDE)
        tasks = count_tasks(WIDE, configs)
        return f"{many(len(configs), 'configuration')} in {many(tasks, 'task')}; nothing was run"
    with _progress() as progress:
        note = _Note(options, plan, part, progress)
        summary = run_sweep(
            WIDE,
            plan,
            options.out,
            pool=pool,
            device=options.device,
            retry_failed=bool(options.retry_failed),
            merge=bool(options.merge),
            progress=note.report,
            finish=write_page,
        )
    printed = table(summary, page=options.out / PAGE, damaged=note.damaged)
    if summary.failed == summary.total:
        raise AllFailedError(printed)
    return printed


class _Note:
    """Writes down what the folder holds as soon as its plan is settled, for who goes on after an interrupt.

    `run_sweep` reports for the first time then, while no one else may write there.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        plan: Plan | None,
        part: Part | None,
        progress: Callable[[int, int], None],
    ) -> None:
        self._out: Path = options.out
        self._merge = bool(options.merge)
        self._plan, self._part = plan, part
        self._progress = progress
        self._written = plan is None  # the folder goes on with what it holds
        self.damaged: str | None = None  # what was wrong with the file before

    def report(self, finished: int, total: int) -> None:
        """Take the reports of `run_sweep`."""
        if not self._written:
            self._write()
            self._written = True
        self._progress(finished, total)

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


def _part(options: argparse.Namespace) -> Part | None:
    """Return the published block or the study that was asked for, None if none was."""
    _refuse_solver(options)
    if options.published is None and options.study is None:
        for flag in ("sweeps", "size", "balanced"):
            if getattr(options, flag) is not None:
                msg = f"--{flag} must come with --published{' or --study' if flag == 'sweeps' else ''}"
                raise ValueError(msg)
        return None
    if (
        options.plan is not None
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
            if getattr(options, flag) is not None:
                msg = f"--{flag} must be left out with --study, which fixes it"
                raise ValueError(msg)
        return Part(kind="study", name=options.study, **common)
    return Part(
        kind="published",
        name=options.published,
        solver="flow" if options.solver == "flow" else "gd",
        size=options.size or "full",
        balanced=bool(options.balanced),
        **common,
    )


def _refuse_solver(options: argparse.Namespace) -> None:
    if options.solver is None:
        return
    check_choice("solver", options.solver, tuple(_SOLVERS))
    if options.plan is not None:
        msg = "plan must hold all fields: leave --solver out"
        raise ValueError(msg)
    if options.published is not None and options.solver == "gd-momentum":
        msg = "solver must be flow or gd with --published: its gd has momentum .9 already"
        raise ValueError(msg)


def _plan(options: argparse.Namespace) -> Plan | None:
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
    if options.plan is not None:
        if named or axes:
            msg = "plan must hold all fields and axes: leave --data, --header, --set, --axis and --seeds out"
            raise ValueError(msg)
        return _read(options.plan)
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


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """One line with the time left; silent when nobody watches."""
    columns = (TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    watched = terminal.is_terminal(sys.stderr)
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not watched) as bar:
        task = bar.add_task("sweep", total=None)
        begun = False

        def show(finished: int, total: int) -> None:
            nonlocal begun
            if not begun:  # what was there before says nothing about the time left
                begun = True
                bar.reset(task, total=total, completed=finished)
            bar.update(task, completed=finished)

        yield show
