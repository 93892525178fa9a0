"""The command `perturblearn`: how it parses, its exit codes (`_EXIT_CODES`), and how it ends.

Interrupted, `report` leaves a partial report of what is done, `sweep` and `orthogonal` their results, and the
others nothing.
"""

import io
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import metadata
from types import NoneType
from typing import Any, get_args

import cyclopts
from cyclopts import App, CycloptsError, Parameter, Token
from cyclopts.exceptions import CoercionError, MissingArgumentError, UnknownOptionError, UnusedCliTokensError
from cyclopts.help import DefaultFormatter, PanelSpec
from rich.box import SIMPLE_HEAD
from rich.console import Console

from empirics.sweep.interrupts import interruptible
from reports import commands, terminal
from reports.text import legible

_LARGEST = 2**63 - 1  # what arrays can count
_EXAMPLES = {
    "report": "perturblearn report --data breast-cancer --preset quick --seeds 5 --out my-report",
    "plan": "perturblearn plan --data breast-cancer --share 0.9 --out my-plan",
    "render": "perturblearn render my-report --format md",
    "compare": "perturblearn compare my-report other-report --out comparison",
    "index": "perturblearn index my-report other-report --out index.html",
    "sweep": "perturblearn sweep --data shifted-gaussian --set data.dim=20 data.num_train=200 "
    "--axis width=10,100,1000 --seeds 5 --out my-sweep",
    "orthogonal": "perturblearn orthogonal --published L2 --sweeps N_adv,eps --scale 50 --out my-orthogonal",
    "falsify": "perturblearn falsify published --constant 1 --margin 1 --out counter_example.py",
    "phi": "perturblearn phi points.csv --negative-slope 0.1 --out kernel.npy",
    "explore": "perturblearn explore --out explore.html",
    "costs": "perturblearn costs --repeats 5 --out costs",
}
_EXIT_CODES = (
    "exit codes: 0 done, whatever the verdicts; 1 every run of a sweep failed, or standard output takes "
    "nothing; 2 bad input, a damaged file or no room, with one line saying what; 130 interrupted (Ctrl-C), "
    "143 ended (SIGTERM), 129 hung up (SIGHUP)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    line = shlex.join(["perturblearn", *typed])
    said = io.StringIO()
    console = Console(file=said, width=shutil.get_terminal_size().columns)
    received: list[int] = []
    try:
        command, bound, given_here = APP.parse_args(
            list(typed), console=console, print_error=False, exit_on_error=False
        )
        with redirect_stdout(said):  # help, version and completion print; our commands load what they need
            run = command(*bound.args, **bound.kwargs, **dict.fromkeys(given_here, line))
        if run is None:
            printed = "\n".join(map(str.rstrip, said.getvalue().rstrip().split("\n")))  # filled to the width
        else:
            with interruptible() as received, terminal.progress(command.__name__) as show:
                printed = run(show)
    except CycloptsError as error:
        terminal.complain(f"error: {legible(_refusal(error))}")
        return 2
    except terminal.AllFailedError as error:
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


def _refusal(error: CycloptsError) -> str:
    """Return what is wrong with what was typed, and where to read on."""
    words = ["perturblearn", *(error.command_chain or ())]
    said = str(error).strip()
    if isinstance(error, UnusedCliTokensError):
        said = f"Unknown argument: {error.unused_tokens[0]!r}." if error.unused_tokens else said
    elif isinstance(error, UnknownOptionError) and said.endswith("."):  # and no hint
        name = (error.token.keyword or error.token.value).partition("=")[0]
        if takers := [other for other in commands.__all__ if name in _options(other)]:
            said = f"Unknown option: {name}, but of {' and '.join(takers)}"
    elif isinstance(error, CoercionError) and error.token and not error.token.keyword and error.argument:
        said = f"{error.argument.name}: {said}"
    elif isinstance(error, MissingArgumentError) and error.keyword:
        said += f" A value that begins with - is written {error.keyword}=-VALUE."
    return f"{said}{' See' if said[-1] in '.?' else '; see'} {' '.join(words)} --help"


def _options(command: str) -> list[str]:
    found = APP[command].assemble_argument_collection(default_parameter=APP.default_parameter)
    return [name for argument in found for name in argument.names]


def _converted(type_: Any, tokens: Sequence[Token]) -> Any:  # noqa: ANN401  (of any option)
    """Return a value: numbers as Python reads them, neither rounded nor too large; never nothing."""
    for token in tokens:
        if not token.value.strip():
            msg = f"must not be empty, got {token.value!r}"
            raise ValueError(msg)
    if NoneType in get_args(type_):  # that of an option left out: the word none is another value
        (type_,) = (kind for kind in get_args(type_) if kind is not NoneType)
    if type_ not in {int, float}:
        return cyclopts.convert(type_, tokens)
    (token,) = tokens
    try:
        if "_" in token.value:  # 1_0 is no number here, as in a cell of a file
            raise ValueError
        value = type_(token.value)
    except ValueError:
        msg = f"must be {'an integer' if type_ is int else 'a number'}, got {token.value!r}"
        raise ValueError(msg) from None
    if type_ is int and abs(value) > _LARGEST:
        msg = f"must lie within ±{_LARGEST}, got {token.value}"
        raise ValueError(msg)
    return value


def _app() -> App:
    app = App(
        name="perturblearn",
        help="Theory against experiment: learning from adversarial perturbations.",
        version=lambda: metadata.version("perturblearn"),
        help_formatter=DefaultFormatter(panel_spec=PanelSpec(box=SIMPLE_HEAD)),
        help_epilogue="\n\n".join([*_EXAMPLES.values(), _EXIT_CODES]),
        default_parameter=Parameter(
            allow_repeating=False,
            negative=(),
            name_transform=lambda name: name.replace("_", "-"),
            converter=_converted,
        ),
    )
    for place, (name, example) in enumerate(_EXAMPLES.items()):
        app.command(
            getattr(commands, name),
            name=name,
            sort_key=place,
            help_epilogue=f"example: {example}\n\n{_EXIT_CODES}",
        )
    app.register_install_completion_command(help="Install shell completion: bash, zsh, fish or powershell.")
    return app


APP = _app()
