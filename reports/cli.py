"""The command `perturblearn`.

Exit codes: 0 done (whatever the verdicts of a report); 2 bad input or no room, with one line saying what;
130 interrupted.  In the last two cases nothing was written.
"""

import argparse
import io
import os
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from empirics import store
from empirics.config import PRECISIONS
from empirics.data.dataset import STANDARDISATIONS
from empirics.data.file import read_points
from empirics.experiment import load_data
from empirics.falsify import (
    Budget,
    Inequality,
    displacement_bound,
    falsify,
    free_share_law,
    published_form,
    write_counter_example,
)
from empirics.perturb import TARGETS
from reports.build import build
from reports.presets import DEFAULT_DATA, PRESETS, Series, series, source
from reports.provenance import provenance
from reports.render import render
from theory import phi
from theory._validation import Array
from theory.setting import LOSSES, SCENARIOS

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Neuron updates from which starting processes (seconds each) pays.
_WORK_OF_A_PROCESS = 1 << 22
# From a constant and a margin.
_INEQUALITIES: dict[str, Callable[[float, float], Inequality]] = {
    "published": lambda constant, margin: published_form(constant=constant, margin=margin),
    "displacement": lambda constant, _: displacement_bound(factor=constant),
    "free-share": lambda constant, _: free_share_law(factor=constant),
}
_EXAMPLE = "perturblearn report --data breast-cancer --preset quick --seeds 5 --out my-report"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(typed)
    run = {"report": _report, "phi": _phi, "falsify": _falsify}[options.command]
    try:
        printed = run(options, command=shlex.join(["perturblearn", *typed]))
    except (ValueError, TypeError, OSError, ArithmeticError, MemoryError, RuntimeError) as error:
        # A large request fails in numpy (MemoryError) or torch (RuntimeError, over several lines).
        first = next(iter(str(error).splitlines()), type(error).__name__)
        print(f"perturblearn: error: {first}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("perturblearn: interrupted, nothing written", file=sys.stderr)
        return 130
    _print(printed)
    return 0


class _HelpFormatter(argparse.HelpFormatter):
    """Shows a default where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.help is None or action.default in (None, argparse.SUPPRESS):
            return action.help
        return f"{action.help} (default: %(default)s)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perturblearn",
        description="Theory against experiment: learning from adversarial perturbations.",
        epilog=f"example: {_EXAMPLE}",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="train networks, compare them with the theory, write an HTML page and results.json",
        description="Train networks, compare them with the theory, write an HTML page and results.json.",
        epilog=f"example: {_EXAMPLE}",
        formatter_class=_HelpFormatter,
    )
    report.add_argument(
        "--data",
        nargs="+",
        default=list(DEFAULT_DATA),
        metavar="NAME",
        help="digits, shifted-gaussian, gaussian, breast-cancer, or a .npz (arrays X, y) or .csv file "
        "(label in the last column); one section each",
    )
    report.add_argument(
        "--preset", choices=PRESETS, default="quick", help="quick and lazy: wide; published: far from lazy"
    )
    report.add_argument("--seeds", type=int, help="number of seeds, at least 2 (default: the preset's)")
    report.add_argument("--out", type=Path, default=Path("perturblearn-report"), help="output folder")
    report.add_argument("--device", default="cpu", help="cpu or cuda")
    report.add_argument("--jobs", type=int, help="processes (default: one a core for much work on the CPU)")

    data = report.add_argument_group("data")
    data.add_argument("--classes", metavar="A,B", help="two classes: A becomes +1, B becomes -1")
    data.add_argument("--standardise", choices=STANDARDISATIONS, help="how features are prepared")
    data.add_argument("--test-fraction", type=float, help="share of real data held out")
    data.add_argument("--dim", type=int, help="d of Gaussian data")
    data.add_argument("--num-train", type=int, help="N of Gaussian data")
    data.add_argument("--num-test", type=int, help="fresh points of Gaussian data")
    data.add_argument("--shift", type=float, help="class means ±shift·1 of shifted Gaussian data")

    setting = report.add_argument_group("setting (default: the preset's)")
    setting.add_argument("--widths", metavar="M,M,...", help="increasing widths, separated by commas")
    setting.add_argument("--negative-slope", type=float, metavar="γ", help="of the leaky ReLU, in [0, 1)")
    setting.add_argument("--loss", choices=LOSSES)
    setting.add_argument("--scenario", choices=SCENARIOS, help="a: perturbations alone; b: added to samples")
    setting.add_argument("--epsilon", type=float, metavar="ε", help="L2 norm of perturbations (√d if absent)")
    setting.add_argument("--T-f", type=float, help="flow time of f; without momentum learning rate × steps")
    setting.add_argument("--T-g", type=float, help="flow time of g")
    setting.add_argument("--num-steps", type=int, help="of gradient descent")
    setting.add_argument("--momentum", type=float, help="heavy-ball momentum, in [0, 1)")
    setting.add_argument("--targets", choices=TARGETS, help="target labels of perturbations")
    setting.add_argument("--precision", choices=PRECISIONS, help="of the networks")

    kernel = commands.add_parser(
        "phi",
        help="print the kernel matrix Φ of points in a file",
        description="Print the kernel matrix Φ of points in .npy or .csv files, or write it.",
        epilog="example: perturblearn phi points.csv --negative-slope 0.1 --out kernel.npy",
        formatter_class=_HelpFormatter,
    )
    kernel.add_argument("points", type=Path, help="rows of Φ: .npy, or .csv of numbers")
    kernel.add_argument("others", type=Path, nargs="?", help="columns of Φ (the same points if absent)")
    kernel.add_argument("--negative-slope", type=float, default=0.0, metavar="γ", help="in [0, 1)")
    kernel.add_argument("--weight-variance", type=float, default=1.0, metavar="σ_w²")
    kernel.add_argument("--bias-variance", type=float, default=1.0, metavar="σ_b²")
    kernel.add_argument("--out", type=Path, help=".npy or .csv file (printed if absent)")

    search = commands.add_parser(
        "falsify",
        help="search for data at which an inequality fails, and write them as a Python file",
        description="Search for data, times and widths at which an inequality about trained networks fails; "
        "make what is found small, measure it again, and write it as a Python file that reproduces it.",
        epilog="example: perturblearn falsify published --constant 1 --margin 1 --out counter_example.py",
        formatter_class=_HelpFormatter,
    )
    search.add_argument(
        "inequality",
        choices=_INEQUALITIES,
        help="published: an O(1) error at the published width; the others are derived here",
    )
    search.add_argument(
        "--constant",
        type=float,
        default=1.0,
        metavar="C",
        help="of the published width; a factor of the others",
    )
    search.add_argument(
        "--margin", type=float, default=1.0, metavar="c", help="largest mean error allowed; published only"
    )
    search.add_argument("--seed", type=int, default=0, help="of the search")
    search.add_argument("--error-probability", type=float, default=1e-3, help="of a false claim, in (0, 1)")
    search.add_argument("--evaluations", type=int, default=Budget.evaluations, help="candidates tried")
    search.add_argument("--max-dim", type=int, default=Budget.max_dim, metavar="D", help="largest d tried")
    search.add_argument(
        "--max-samples", type=int, default=Budget.max_samples, metavar="N", help="largest N tried"
    )
    search.add_argument(
        "--max-width", type=int, default=Budget.max_width, metavar="M", help="largest m tried"
    )
    search.add_argument(
        "--out", type=Path, default=Path("counter_example.py"), help=".py file, written if there is one"
    )
    return parser


def _phi(options: argparse.Namespace, *, command: str) -> str:
    if options.out is not None and options.out.suffix not in {".npy", ".csv"}:
        msg = f"out must end in .npy or .csv, got {str(options.out)!r}"
        raise ValueError(msg)
    K = phi(
        read_points(options.points),
        None if options.others is None else read_points(options.others),
        negative_slope=options.negative_slope,
        weight_variance=options.weight_variance,
        bias_variance=options.bias_variance,
    )
    if options.out is None:
        return _table(K)
    store.check_directory(options.out.parent)
    if options.out.suffix == ".npy":
        store.write_array(options.out, K)
    else:
        store.write_text(options.out, _table(K) + "\n")
    return f"Φ, {K.shape[0]} × {K.shape[1]}: {options.out}"


def _table(K: Array) -> str:
    """Return rows of numbers, each the shortest text that reads back as the same number."""
    return "\n".join(",".join(map(repr, row)) for row in K.tolist())


def _falsify(options: argparse.Namespace, *, command: str) -> str:
    if options.out.suffix != ".py":
        msg = f"out must end in .py, got {str(options.out)!r}"
        raise ValueError(msg)
    store.check_directory(options.out.parent)
    found = falsify(
        _INEQUALITIES[options.inequality](options.constant, options.margin),
        seed=options.seed,
        budget=Budget(
            evaluations=options.evaluations,
            max_dim=options.max_dim,
            max_samples=options.max_samples,
            max_width=options.max_width,
        ),
        error_probability=options.error_probability,
    )
    if found.verdict != "violated":
        return str(found)
    write_counter_example(found, options.out)
    return f"{found}\ncounter-example: {options.out}"


def _report(options: argparse.Namespace, *, command: str) -> str:
    _check_device(options.device)
    all_series = [_series(name, options) for name in options.data]
    if len(set(options.data)) < len(options.data):
        msg = f"data must name each set once, got {' '.join(options.data)}"
        raise ValueError(msg)
    # Bad data must be known before anything is trained.
    for item in all_series:
        for seed in item.seeds:
            try:
                item.base.setting(load_data(replace(item.base, seed=seed)))
            except ValueError as error:
                msg = f"{error} (data of seed {seed})" if seed != item.seeds[0] else str(error)
                raise ValueError(msg) from error
    store.check_directory(options.out)
    with _workers(options, all_series) as executor:
        results = build(
            all_series,
            provenance=provenance(command=command, device=options.device),
            device=options.device,
            progress=_progress,
            executor=executor,
        )
    page = render(results)
    folder = options.out
    numbers = store.to_json(results)
    store.write_together({folder / "results.json": numbers.encode(), folder / "report.html": page.encode()})
    return _verdicts(results) + f"\npage:    {folder / 'report.html'}\nnumbers: {folder / 'results.json'}"


def _series(name: str, options: argparse.Namespace) -> Series:
    classes = None
    if options.classes is not None:
        parts = [part.strip() for part in options.classes.split(",")]
        if len(parts) != 2 or not all(parts):
            msg = f"classes must be two names separated by a comma, got {options.classes!r}"
            raise ValueError(msg)
        classes = (parts[0], parts[1])
    data = source(
        name,
        preset=options.preset,
        classes=classes,
        dim=options.dim,
        num_train=options.num_train,
        num_test=options.num_test,
        shift=options.shift,
        standardise=options.standardise,
        test_fraction=options.test_fraction,
    )
    chosen = series(data, preset=options.preset, num_seeds=options.seeds)
    fields = (
        "negative_slope",
        "loss",
        "scenario",
        "epsilon",
        "T_f",
        "T_g",
        "num_steps",
        "momentum",
        "targets",
        "precision",
    )
    changes: dict[str, Any] = {
        field: getattr(options, field) for field in fields if getattr(options, field) is not None
    }
    chosen = replace(chosen, base=replace(chosen.base, **changes))
    if options.widths is not None:
        chosen = replace(chosen, widths=_widths(options.widths))
    return chosen


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        msg = f"widths must be integers separated by commas, got {text!r}"
        raise ValueError(msg) from error


@contextmanager
def _workers(options: argparse.Namespace, all_series: list[Series]) -> Iterator[Executor | None]:
    """One process a core, each on one thread: threads that wait for each other are slow on busy machines."""
    if options.jobs is not None and options.jobs < 1:
        msg = f"jobs must be >= 1, got {options.jobs}"
        raise ValueError(msg)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jobs = options.jobs or (cores if options.device == "cpu" else 1)
    work = sum(config.width * config.num_steps for series in all_series for config in series.configs())
    if jobs == 1 or (options.jobs is None and work < _WORK_OF_A_PROCESS):
        yield None
        return
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(max(1, cores // jobs))))
    executor = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_quiet)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in list(executor._processes.values()):
            process.terminate()
        raise
    finally:
        executor.shutdown()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _quiet() -> None:
    """Leave Ctrl-C to the parent, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _check_device(device: str) -> None:
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", device)
    if match is None:
        msg = f"device must be cpu, cuda or cuda:N, got {device!r}"
        raise ValueError(msg)
    if device != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        msg = (
            f"device must be present, got {device!r} but torch sees {torch.cuda.device_count()} such devices"
        )
        raise ValueError(msg)


# Terminal ------------------------------------------------------------------------------------------

_started = time.monotonic()


def _progress(share: float, text: str) -> None:
    """One line that is rewritten; silent when nobody watches."""
    if not sys.stderr.isatty():
        return
    elapsed = time.monotonic() - _started
    left = f", about {elapsed * (1 - share) / share:.0f} s left" if share > 0.05 else ""
    line = f"{share:4.0%} {text}{left}"[: shutil.get_terminal_size().columns - 1]
    print(f"\r\x1b[K{line}" if share < 1 else "\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print(text: str) -> None:
    """Print what was done; a reader that has gone or a terminal without Greek does not undo it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _verdicts(results: dict[str, Any]) -> str:
    lines = []
    width = max(60, min(shutil.get_terminal_size().columns, 110))
    current = object()
    for claim in results["claims"]:
        if claim["section"] != current:
            current = claim["section"]
            lines.append(f"\n{current or 'Φ'}\n{'─' * width}")
        lines.append(f"{_mark(claim['verdict'])}  {claim['statement']}  ({claim['source']})")
        lines.append(f"{'':22}predicted {claim['predicted']}")
        lines.append(f"{'':22}measured  {claim['measured']}")
    return "\n".join([*lines, ""])


def _mark(verdict: str) -> str:
    text = f"{verdict:<20}"
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    color = {"holds": "32", "fails": "31", "unknown": "33"}.get(verdict, "2")
    return f"\x1b[{color}m{text}\x1b[0m"
