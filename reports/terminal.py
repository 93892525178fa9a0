"""What the command shows on a terminal: results, errors, and how much is done."""

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from reports.text import legible

if TYPE_CHECKING:
    from empirics.data import Dataset

# Seconds without a word after which a line says what is done, where nobody watches a bar.
SILENCE = 20.0

# Takes the share that is done, in [0, 1], and what is being done.
Show = Callable[[float, str], None]


class AllFailedError(RuntimeError):
    """Every run of a sweep failed; the text is what would have been printed."""


@contextmanager
def progress(name: str) -> Iterator[Show]:
    """Show how much is done on stderr: a bar with the time left; unwatched, a line now and then."""
    from rich.console import Console  # noqa: PLC0415  (help shows none)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    watched = is_terminal(sys.stderr) and not console.is_dumb_terminal  # which cannot rewrite a line
    columns = (
        TextColumn(name),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=is_terminal(sys.stdout),
        disable=not watched,
    ) as bar:
        task = bar.add_task("", total=None)

        def show(share: float, what: str) -> None:
            bar.update(task, total=1.0, completed=share, description=legible(what))

        def line() -> str:
            now = bar.tasks[0]
            known = "" if now.total is None else f": {now.percentage:.0f} % {now.description}"
            return f"{name}, {now.elapsed or 0:.0f} s{known}"

        with nullcontext() if watched else _reminded(line):
            yield show


@contextmanager
def _reminded(line: Callable[[], str]) -> Iterator[None]:
    """Print a line on stderr every `SILENCE` seconds: a log that stays empty reads as a hang."""
    done = threading.Event()

    def remind() -> None:
        while not done.wait(SILENCE):
            complain(line())

    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def show(text: str) -> bool:
    """Print what was done; return whether it could be.

    A reader that has gone or a terminal without Greek does not undo it; a stream that takes nothing is told.
    """
    error = _write(f"{text}\n", sys.stdout)
    if error is not None:
        complain(f"error: standard output must be writable, got {error}")
    return error is None


def complain(text: str) -> None:
    """Print a line on stderr, if it takes one."""
    _write(f"perturblearn: {text}\n", sys.stderr)


def notify(data: "Dataset") -> None:
    """Print on stderr what data were understood to be, and what of them limits the verdicts."""
    for line in data.notices:
        complain(legible(f"{data.name}: {line}"))


def _write(text: str, stream: TextIO | None) -> Exception | None:
    """Write to a stream, and return why it cannot be written to, if so."""
    if stream is None:
        return OSError("none")
    if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
        stream.reconfigure(errors="replace")
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: closed
        # Python would try again to write what is left.
        with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), stream.fileno())
        return None if isinstance(error, BrokenPipeError) else error
    return None


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody watches a stream."""
    return stream is not None and not stream.closed and stream.isatty()
