"""The command `perturblearn`: its options, its exit codes (`_EXIT_CODES`), and which function does what.

Interrupted, `report` leaves a partial report of what is done, `sweep` and `orthogonal` their results, and the
others nothing.
"""

import argparse
import difflib
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from empirics.config import PRECISIONS
from empirics.data.file import read_points
from empirics.data.images import IMAGE_PREPARATIONS
from empirics.data.table import HEADERS
from empirics.falsify import (
    Budget,
    Inequality,
    displacement_bound,
    falsify,
    free_share_law,
    published_form,
    write_counter_example,
)
from empirics.falsify.stated import margin_theorem
from empirics.perturb import TARGETS
from empirics.sweep import store
from empirics.sweep.interrupts import interruptible
from reports import cli_report, terminal
from reports.cli_orthogonal import (
    EXAMPLE as ORTHOGONAL_EXAMPLE,
    add_parser as add_orthogonal_parser,
    orthogonal,
)
from reports.cli_sweep import (
    EXAMPLE as SWEEP_EXAMPLE,
    HEADER_HELP,
    AllFailedError,
    add_parser as add_sweep_parser,
    sweep,
)
from reports.compare import ERROR_PROBABILITY
from reports.formats import FORMATS
from reports.presets import DEFAULT_DATA, PRESETS
from reports.render import legible
from theory import phi
from theory.setting import LOSSES, SCENARIOS
from theory.validation import Array

# From a constant and a margin.
_INEQUALITIES: dict[str, Callable[[float, float], Inequality]] = {
    "published": lambda constant, margin: published_form(constant=constant, margin=margin),
    "displacement": lambda constant, _: displacement_bound(factor=constant),
    "free-share": lambda constant, _: free_share_law(factor=constant),
    "margin": lambda constant, _: margin_theorem(factor=constant),
}
_EXAMPLES = {
    "report": "perturblearn report --data breast-cancer --preset quick --seeds 5 --out my-report",
    "render": "perturblearn render my-report --format md",
    "compare": "perturblearn compare my-report other-report --out comparison",
    "index": "perturblearn index my-report other-report --out index.html",
    "sweep": SWEEP_EXAMPLE,
    "orthogonal": ORTHOGONAL_EXAMPLE,
    "falsify": "perturblearn falsify published --constant 1 --margin 1 --out counter_example.py",
    "phi": "perturblearn phi points.csv --negative-slope 0.1 --out kernel.npy",
}
_FORMAT_HELP = "of the report; results.json is written beside it; pdf: printed by Chromium"
_EXIT_CODES = (
    "exit codes: 0 done, whatever the verdicts; 1 every run of a sweep failed, or standard output takes "
    "nothing; 2 bad input, a damaged file or no room, with one line saying what; 130 interrupted (Ctrl-C), "
    "143 ended (SIGTERM), 129 hung up (SIGHUP)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    options, unknown = parser.parse_known_args(typed)
    if unknown:
        _refuse(unknown, options.command, parser)
    if options.command is None:
        return 0 if terminal.show(_overview(parser)) else 1
    run = {
        "report": _report,
        "render": cli_report.run_render,
        "compare": cli_report.run_compare,
        "index": cli_report.run_index,
        "phi": _phi,
        "falsify": _falsify,
        "sweep": _sweep,
        "orthogonal": orthogonal,
    }[options.command]
    received: list[int] = []
    try:
        with interruptible() as received:
            printed = run(options, command=shlex.join(["perturblearn", *typed]))
    except AllFailedError as error:
        terminal.show(str(error))
        return 1
    except (ValueError, TypeError, OSError, ArithmeticError, MemoryError, RuntimeError) as error:
        # A large request fails in numpy (MemoryError) or torch (RuntimeError, over several lines).  A file
        # that is missing comes with the commands that fetch it: all of their lines are shown.
        missing = isinstance(error, (ConnectionError, FileNotFoundError))
        lines = str(error).splitlines()[: None if missing else 1] or [type(error).__name__]
        terminal.complain(f"error: {chr(10).join(map(legible, lines))}")
        return 2
    except KeyboardInterrupt as error:
        terminal.complain(f"interrupted, {legible(str(error)) or 'nothing written'}")
        return 128 + (received or [signal.SIGINT])[0]
    return 0 if terminal.show(printed) else 1


def _overview(parser: argparse.ArgumentParser) -> str:
    """Return what each command does, with one example."""
    commands = _commands(parser)
    lines = [str(parser.description), ""]
    for name, example in _EXAMPLES.items():
        lines += [f"{name:<10} {commands[name].description}", f"{'':10} {example}", ""]
    return "\n".join([*lines, "perturblearn COMMAND --help shows the options.", _EXIT_CODES])


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def _refuse(unknown: Sequence[str], command: str | None, parser: argparse.ArgumentParser) -> NoReturn:
    """Name the first word that nothing takes, and what it may have meant."""
    name = unknown[0].partition("=")[0]
    commands = _commands(parser)
    takers = [other for other, its in commands.items() if name in its._option_string_actions]
    hint = "" if command is None else _near(name, commands[command]._option_string_actions)
    if takers and not hint:
        hint = f", but of {' and '.join(takers)}"
    kind = "option" if name.startswith("-") else "argument"
    parser.error(f"{name!r} is no {kind} of {parser.prog} {command or ''}".rstrip() + hint)


def _near(word: str, words: Iterable[str]) -> str:
    """Return the question whether a word nearly like this one was meant."""
    near = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {near[0]}?" if near else ""


class _Parser(argparse.ArgumentParser):
    """Takes nothing for what it only resembles, and says in one line what it does not take."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  (those of argparse)
        super().__init__(allow_abbrev=False, **settings)
        self.register("action", None, _Once)
        self._negative_number_matcher = re.compile(r"-([\d.]|inf$|nan$)")  # values: -1,1 and -1e-3

    def _check_value(self, action: argparse.Action, value: str) -> None:
        if action.choices is not None and value not in action.choices:
            msg = f"must be {' or '.join(action.choices)}, got {value!r}{_near(value, action.choices)}"
            raise argparse.ArgumentError(action, msg)

    def _get_value(self, action: argparse.Action, arg_string: str) -> object:
        if action.nargs == argparse.PARSER:  # the command and all that follows it
            return arg_string
        if not arg_string.strip():
            raise argparse.ArgumentError(action, f"must not be empty, got {arg_string!r}")
        try:
            value: object = super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            kind = "an integer" if action.type is int else "a number"
            raise argparse.ArgumentError(action, f"must be {kind}, got {arg_string!r}") from None
        if isinstance(value, int) and abs(value) > cli_report.LARGEST:
            raise argparse.ArgumentError(action, f"must lie within ±{cli_report.LARGEST}, got {arg_string}")
        return value

    def error(self, message: str) -> NoReturn:
        """Exit with one line."""
        if re.search(r"expected (at least )?one argument$", message):
            message += "; a value that begins with - is written --option=-value"
        terminal.complain(f"error: {message.removeprefix('argument ')}")
        raise SystemExit(2)

    def print_help(self, _file: object = None) -> None:
        """Print the options."""
        if not terminal.show(self.format_help().rstrip("\n")):
            raise SystemExit(1)


class _Once(argparse.Action):
    """Refuses an option that is given again: one of its values would be dropped."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401
        option_string: str | None = None,
    ) -> None:
        """Keep a value."""
        given = vars(namespace).setdefault("given", set())
        if option_string is not None and option_string in given:
            together = " (several names follow one)" if self.nargs == "+" else ""
            raise argparse.ArgumentError(self, f"must be given once{together}, got it again")
        given.add(option_string)
        setattr(namespace, self.dest, values)


class _HelpFormatter(argparse.HelpFormatter):
    """Shows a default where there is one, and keeps the lines of what comes last."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            super(_HelpFormatter, self)._fill_text(line, width, indent) for line in text.splitlines()
        )

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.help is None or action.default in (None, argparse.SUPPRESS):
            return action.help
        return f"{action.help} (default: %(default)s)"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="perturblearn",
        description="Theory against experiment: learning from adversarial perturbations.",
        epilog=_EXIT_CODES,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_report(commands)
    _add_others(commands)
    _add_phi(commands)
    _add_falsify(commands)
    add_sweep_parser(commands, _HelpFormatter)
    add_orthogonal_parser(commands, _HelpFormatter)
    for name, command in commands.choices.items():
        command.epilog = f"example: {_EXAMPLES[name]}\n{_EXIT_CODES}"
    return parser


def _add_report(commands: "argparse._SubParsersAction[_Parser]") -> None:
    report = commands.add_parser(
        "report",
        help="train networks, compare them with the theory, write an HTML page and results.json",
        description="Train networks, compare them with the theory, write an HTML page and results.json.",
        formatter_class=_HelpFormatter,
    )
    report.add_argument(
        "--data",
        nargs="+",
        default=list(DEFAULT_DATA),
        metavar="NAME",
        help="digits, shifted-gaussian, gaussian, breast-cancer, mnist, fashion-mnist, a .npz (arrays X, y) "
        "or .csv file (label in the last column), or a folder of IDX files; one section each",
    )
    report.add_argument(
        "--preset", choices=PRESETS, default="quick", help="quick and lazy: wide; published: far from lazy"
    )
    report.add_argument("--seeds", type=int, help="number of seeds, at least 2 (default: the preset's)")
    report.add_argument("--out", type=Path, default=Path("perturblearn-report"), help="output folder")
    report.add_argument("--format", choices=FORMATS, default="html", help=_FORMAT_HELP)
    report.add_argument("--device", default="cpu", help="cpu or cuda")
    report.add_argument("--jobs", type=int, help="processes (default: one a core for much work on the CPU)")

    data = report.add_argument_group("data")
    data.add_argument("--classes", metavar="A,B", help="two classes: A becomes +1, B becomes -1")
    data.add_argument(
        "--standardise",
        choices=IMAGE_PREPARATIONS,
        help="how features are prepared (scalar-mean: images only)",
    )
    data.add_argument("--header", choices=HEADERS[1:], help=HEADER_HELP)
    data.add_argument("--test-fraction", type=float, help="share of real data held out")
    data.add_argument("--dim", type=int, help="d of Gaussian data")
    data.add_argument("--num-train", type=int, help="N of Gaussian data and of images")
    data.add_argument("--num-test", type=int, help="test points of Gaussian data and of images")
    data.add_argument("--shift", type=float, help="class means ±shift·1 of shifted Gaussian data")

    setting = report.add_argument_group("setting (default: the preset's)")
    setting.add_argument("--widths", metavar="M,M,...", help="increasing widths, separated by commas")
    setting.add_argument("--negative-slope", type=float, metavar="γ", help="of the leaky ReLU, in [0, 1)")
    setting.add_argument("--loss", choices=LOSSES, help="that both networks are trained with")
    setting.add_argument("--scenario", choices=SCENARIOS, help="a: perturbations alone; b: added to samples")
    setting.add_argument("--epsilon", type=float, metavar="ε", help="L2 norm of perturbations (√d if absent)")
    setting.add_argument("--T-f", type=float, help="flow time of f; without momentum learning rate × steps")
    setting.add_argument("--T-g", type=float, help="flow time of g, in the same unit")
    setting.add_argument("--num-steps", type=int, help="of gradient descent")
    setting.add_argument("--momentum", type=float, help="heavy-ball momentum, in [0, 1)")
    setting.add_argument("--targets", choices=TARGETS, help="target labels of perturbations")
    setting.add_argument("--precision", choices=PRECISIONS, help="of the networks")


def _add_others(commands: "argparse._SubParsersAction[_Parser]") -> None:
    again = commands.add_parser(
        "render",
        help="make a report again from its results.json, in any format",
        description="Make a report again from its results.json, in any format; nothing is computed.",
        formatter_class=_HelpFormatter,
    )
    again.add_argument("results", type=Path, help="a results.json, or the folder of a report")
    again.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: that of the results)")
    again.add_argument("--format", choices=FORMATS, default="html", help=_FORMAT_HELP)
    beside = commands.add_parser(
        "compare",
        help="put two reports side by side: verdicts, settings and numbers that changed",
        description="Put two reports side by side: verdicts, settings and numbers that changed.",
        formatter_class=_HelpFormatter,
    )
    for name in ("a", "b"):
        beside.add_argument(
            name, type=Path, metavar=name.upper(), help="a results.json, or the folder of a report"
        )
    beside.add_argument("--out", type=Path, default=Path("perturblearn-compare"), help="output folder")
    beside.add_argument(
        "--error-probability",
        type=float,
        default=ERROR_PROBABILITY,
        metavar="P",
        help="that any number is called changed where none is, over all rows, in (0, 1)",
    )
    listing = commands.add_parser(
        "index",
        help="write a page that lists reports and sweeps",
        description="Write a page that lists reports, sweeps and studies of orthogonal samples, with links.",
        formatter_class=_HelpFormatter,
    )
    listing.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folder of a report, sweep or orthogonal study, or a folder of such folders",
    )
    listing.add_argument("--out", type=Path, default=Path("index.html"), help=".html file")


def _add_phi(commands: "argparse._SubParsersAction[_Parser]") -> None:
    kernel = commands.add_parser(
        "phi",
        help="print the kernel matrix Φ of points in a file",
        description="Print the kernel matrix Φ of points in .npy or .csv files, or write it.",
        formatter_class=_HelpFormatter,
    )
    kernel.add_argument("points", type=Path, help="rows of Φ: .npy, or .csv of numbers")
    kernel.add_argument("others", type=Path, nargs="?", help="columns of Φ (the same points if absent)")
    kernel.add_argument("--header", choices=HEADERS[1:], help=HEADER_HELP)
    kernel.add_argument(
        "--label",
        metavar="COLUMN",
        help="column of .csv files to leave out, by its name, or by its number from 1 if there is no header; "
        "none: all are coordinates (needed if one looks like a label)",
    )
    kernel.add_argument("--negative-slope", type=float, default=0.0, metavar="γ", help="in [0, 1)")
    kernel.add_argument(
        "--weight-variance", type=float, default=1.0, metavar="σ_w²", help="of the weights, > 0"
    )
    kernel.add_argument(
        "--bias-variance", type=float, default=1.0, metavar="σ_b²", help="of the biases, >= 0"
    )
    kernel.add_argument("--out", type=Path, help=".npy or .csv file (printed if absent)")


def _add_falsify(commands: "argparse._SubParsersAction[_Parser]") -> None:
    search = commands.add_parser(
        "falsify",
        help="search for data at which an inequality fails, and write them as a Python file",
        description="Search for data, times and widths at which an inequality about trained networks fails; "
        "make what is found small, measure it again, and write it as a Python file that reproduces it.",
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


def _report(options: argparse.Namespace, *, command: str) -> str:
    _check_device(options.device)
    return cli_report.run_report(options, command=command)


def _sweep(options: argparse.Namespace, *, command: str) -> str:
    _check_device(options.device)
    return sweep(options, command=command)


def _phi(options: argparse.Namespace, *, command: str) -> str:
    if options.out is not None and options.out.suffix not in {".npy", ".csv"}:
        msg = f"out must end in .npy or .csv, got {str(options.out)!r}"
        raise ValueError(msg)
    files = [path for path in (options.points, options.others) if path is not None]
    if options.out is not None:
        store.check_output(options.out)
        store.check_apart(options.out, files)
    asked = {name: value for name in ("header", "label") if (value := getattr(options, name)) is not None}
    if asked and not any(path.suffix == ".csv" for path in files):
        msg = f"--{' and --'.join(asked)} must come with a .csv file"
        raise ValueError(msg)
    points = [read_points(path, **(asked if path.suffix == ".csv" else {})) for path in files]
    K = phi(
        *points,
        negative_slope=options.negative_slope,
        weight_variance=options.weight_variance,
        bias_variance=options.bias_variance,
    )
    if options.out is None:
        return _table(K)
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
    store.check_output(options.out)
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
