"""A report as files: HTML, JSON, Markdown and PDF."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from empirics.sweep import disk
from empirics.sweep.interrupts import undisturbed
from reports import schema
from reports.page import Page
from reports.render import page, render
from reports.results import Config, Results
from reports.svg import standalone
from reports.text import of_texts
from theory.validation import check_choice, check_kind

_T = TypeVar("_T")
Format = Literal["html", "json", "md", "pdf"]
FORMATS: tuple[Format, ...] = ("html", "json", "md", "pdf")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PRINT_SECONDS = 120
_ROOM = 1 << 20  # bytes that a file takes for each data set, about
# The dates that the browser writes into a PDF; the same results shall give the same bytes.
_PDF_DATE = re.compile(rb"\(D:\d{14}(?:[+-]\d\d'\d\d'|Z)?\)")


def files(results: Results, format: Format = "html") -> dict[str, bytes]:
    """Return the files of a report by name: its results and, except for "json", one to read.

    Parameters
    ----------
    results : Results
    format : {"html", "json", "md", "pdf"}
        "pdf" takes a Chromium; see `find_browser`.

    Returns
    -------
    dict
        Names and contents, of Markdown its figures, too; the same results give the same bytes (PDF: with
        one browser).

    Raises
    ------
    ValueError
        If the format is unknown, or results cannot be shown.
    FileNotFoundError
        If there is no browser to print with.
    """
    check_choice("format", format, FORMATS)
    ready = plain(results)
    contents = {schema.RESULTS: schema.written(ready).encode()}
    if format == "html":
        contents["report.html"] = render(ready).encode()
    elif format == "pdf":
        contents["report.pdf"] = pdf(render(ready))
    elif format == "md":
        contents |= of_page(page(ready), format)
    return contents


def of_page(made: Page, format: Format) -> dict[str, bytes]:
    """Return the files of a page in a format by name, none for "json"; raises as `pdf`."""
    if format == "html":
        return {"report.html": made.html().encode()}
    if format == "pdf":
        return {"report.pdf": pdf(made.html())}
    drawings = {name: standalone(drawn).encode() for name, drawn in made.drawings.items()}
    return {} if format == "json" else {"report.md": made.markdown().encode(), **drawings}


def plain(value: _T) -> _T:
    """Return results with lone surrogates, as names of files can have, as ⟨U+DC80⟩: UTF-8 has none."""
    return of_texts(_encodable, value)


def _encodable(text: str) -> str:
    return "".join(f"⟨U+{ord(c):04X}⟩" if "\ud800" <= c <= "\udfff" else c for c in text)


# PDF ------------------------------------------------------------------------------------------------


def find_browser() -> str:
    """Return the path of a Chromium.

    Raises
    ------
    FileNotFoundError
        Naming what is missing.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    msg = f"format pdf is printed by a browser: one of {', '.join(BROWSERS)} must be on the PATH, got none"
    raise FileNotFoundError(msg)


def pdf(html: str) -> bytes:
    """Return a page as printed by a browser, which has no network meanwhile.

    Raises
    ------
    FileNotFoundError
        If there is no browser.
    RuntimeError
        If it prints nothing.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="perturblearn-", ignore_cleanup_errors=True) as name:
        source, target = Path(name) / "report.html", Path(name) / "report.pdf"
        source.write_text(html, encoding="utf-8")
        options = [
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={Path(name) / 'profile'}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={target}",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # the sandbox of Chromium does not run as root
            options.append("--no-sandbox")
        try:
            subprocess.run(
                [browser, *options, source.as_uri()], capture_output=True, timeout=_PRINT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            msg = f"{browser} must print within {_PRINT_SECONDS} s, got nothing"
            raise RuntimeError(msg) from error
        printed = target.read_bytes() if target.is_file() else b""
    if not printed.startswith(b"%PDF-"):
        msg = f"{browser} must print the page as PDF, got {len(printed)} bytes that are none"
        raise RuntimeError(msg)
    return _PDF_DATE.sub(lambda match: b"(D:20000101000000Z)".ljust(len(match[0])), printed)


def as_path(name: str, value: Path | str) -> Path:
    """Return a path, checked at public functions."""
    check_kind(name, value, (str, Path), "a path")
    return Path(value)


# Folders ------------------------------------------------------------------------------------------

# What a section is about: its configuration, widths and seeds.
About = tuple[Config, Collection[int], Collection[int]]


def another(folder: Path) -> str:
    """Return what is wrong with an output folder that holds a report of other experiments."""
    return (
        f"output folder must be new or of the same experiments, got {disk.shown(folder)}, which holds "
        "others; take another folder, or say overwrite (--overwrite)"
    )


def check_replaced(folder: Path, sections: Iterable[About]) -> None:
    """Check that no report would be replaced but one of some of the same experiments.

    Raises
    ------
    FileExistsError
        If one would, or what is there cannot be read.
    """
    if not (folder / schema.RESULTS).exists():
        return
    asked = list(sections)
    try:
        there = schema.read(folder).sections
    except ValueError as error:
        msg = f"{error}; say overwrite (--overwrite) to replace it"
        raise FileExistsError(msg) from error
    for one in there:
        if not any(
            one.config == config and {*one.widths} <= {*widths} and {*one.seeds} <= {*seeds}
            for config, widths, seeds in asked
        ):
            raise FileExistsError(another(folder))


def check_output(folder: Path, format: Format, *, sections: int = 1) -> None:
    """Check that a report can be written to a folder, before it is made.

    Raises
    ------
    ValueError
        If the format is unknown.
    OSError
        As `disk.check_output`, or if the folder is one of a sweep, whose page it would replace.
    """
    check_choice("format", format, FORMATS)
    names = {schema.RESULTS, f"report.{format}" if format != "json" else schema.RESULTS}
    disk.check_output(*(folder / name for name in sorted(names)), room=sections * _ROOM)
    if (folder / "plan.json").exists() and not (folder / schema.PLAN_PAGE).exists():
        msg = f"output folder must not be one of a sweep or study, got {disk.shown(folder)}"
        raise FileExistsError(msg)


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files that belong together into a folder: all, or none; Ctrl-C does not come between them."""
    with undisturbed():
        disk.write_together({folder / name: content for name, content in contents.items()})
