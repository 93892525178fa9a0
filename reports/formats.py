"""A report as files: HTML, JSON, Markdown and PDF, and the page of a comparison."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar, Literal

from markupsafe import Markup

from empirics.sweep import disk
from empirics.sweep.interrupts import undisturbed
from reports import schema, text
from reports.render import environment, filled, render
from reports.text import legible
from theory.validation import check_choice

Format = Literal["html", "json", "md", "pdf"]
FORMATS: tuple[Format, ...] = ("html", "json", "md", "pdf")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PRINT_SECONDS = 120
_ROOM = 1 << 20  # bytes that a file takes for each data set, about
# The dates that the browser writes into a PDF; the same results shall give the same bytes.
_PDF_DATE = re.compile(rb"\(D:\d{14}(?:[+-]\d\d'\d\d'|Z)?\)")


def files(results: Mapping[str, Any], format: Format = "html") -> dict[str, bytes]:
    """Return the files of a report by name: its results and, except for "json", one to read.

    Parameters
    ----------
    results : mapping
        From `reports.build`.
    format : {"html", "json", "md", "pdf"}
        "pdf" takes a Chromium; see `find_browser`.

    Returns
    -------
    dict
        Names and contents; the same results give the same bytes (PDF: with one browser).

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
    elif format == "md":
        contents["report.md"] = markdown(ready).encode()
    elif format == "pdf":
        contents["report.pdf"] = pdf(render(ready))
    return contents


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return results with lone surrogates, as names of files can have, as ⟨U+DC80⟩: UTF-8 has none."""
    if isinstance(value, str):
        return "".join(f"⟨U+{ord(c):04X}⟩" if "\ud800" <= c <= "\udfff" else c for c in value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


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


def pdf(page: str) -> bytes:
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
        source.write_text(page, encoding="utf-8")
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


# Markdown -------------------------------------------------------------------------------------------


def markdown(results: Mapping[str, Any]) -> str:
    """Return the text and all tables of the page as Markdown; formulas as TeX, figures by what they show."""
    parser = _Markdown()
    parser.feed(filled(results, environment(_tex, lambda *_: ""), lambda _svg: Markup(" ")))
    parser.close()
    return parser.text()


def _tex(tex: str, *, display: bool = False) -> Markup:
    return Markup('<math data-tex="{}" display="{}"></math>').format(tex, "block" if display else "inline")


class _Markdown(HTMLParser):
    """Turns the elements that the page has into Markdown, and no others."""

    _PREFIXES: ClassVar = {f"h{level}": "#" * level + " " for level in range(1, 7)} | {
        "li": "- ",
        "figcaption": "Figure (in the HTML page): ",
    }
    _BREAKS: ClassVar = {*_PREFIXES, "p", "div", "section", "header", "footer", "aside"} | {
        "figure",
        "details",
        "summary",
        "main",
        "ol",
        "ul",
    }
    _MARKS: ClassVar = {"sub": "_", "sup": "^"}
    _SILENT: ClassVar = frozenset({"style", "nav", "title", "svg", "script"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._blocks: list[str] = []
        self._line = ""
        self._silent = 0
        self._rows: list[list[str]] | None = None
        self._cell, self._span = False, 1
        self._prefix = ""

    def text(self) -> str:
        """Return what was read."""
        self._flush()
        return "\n\n".join(self._blocks) + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        given = {name: value or "" for name, value in attrs}
        if tag in self._SILENT:
            self._silent += 1
        elif tag in {"table", "tr", "td", "th"}:
            self._start_of_table(tag, given)
        elif tag == "math":
            tex = given.get("data-tex", "")
            if self._cell:  # a bar would end the cell
                tex = tex.replace("\\|", "\\Vert ").replace("|", "\\vert ")
            self._line += f" `{tex.strip()}` "
        elif tag in self._MARKS:
            self._line += self._MARKS[tag]
        elif tag == "span" and given.get("class") == "source":
            self._line += " · "
        elif tag == "br" or given.get("class") == "cell" or (tag in self._BREAKS and self._cell):
            self._line += "; " if self._line.strip() else ""
        elif tag in self._BREAKS:
            self._flush()
            self._prefix = self._PREFIXES.get(tag, "")

    def _start_of_table(self, tag: str, given: Mapping[str, str]) -> None:
        if tag == "table":
            self._flush()
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in {"td", "th"}:
            spans = given.get("colspan", "")
            self._line, self._cell, self._span = "", True, int(spans) if spans.isdigit() else 1

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        if tag in self._SILENT:
            self._silent -= 1
        elif tag in {"td", "th"} and self._rows:
            self._rows[-1] += [_tidy(self._line).strip("; ")] + [""] * (self._span - 1)
            self._line, self._cell = "", False
        elif tag == "table" and self._rows is not None:
            rows, self._rows = [row for row in self._rows if row], None
            if rows:
                self._blocks.append(_table(rows))
        elif tag in self._BREAKS and not self._cell:
            self._flush()

    def handle_data(self, data: str) -> None:
        """Take text."""
        if not self._silent:
            self._line += _escaped(data)

    def _flush(self) -> None:
        line = _tidy(self._line)
        if line:
            self._blocks.append(self._prefix + line)
            self._prefix = ""
        self._line = ""


def _table(rows: Sequence[Sequence[str]]) -> str:
    columns = max(map(len, rows))
    padded = [[*row, *[""] * (columns - len(row))] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in padded]
    return "\n".join([lines[0], "|" + " --- |" * columns, *lines[1:]])


def _tidy(line: str) -> str:
    return re.sub(r" ([,.;:])(?= |$)", r"\1", " ".join(line.split()))


def _escaped(data: str) -> str:
    """Return text that Markdown shows as it is."""
    data = re.sub(r"([\\`*\[\]<>|$~])", r"\\\1", data)
    data = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", data)
    return re.sub(r"^(\s*)([#+-]|\d+[.)])(?=\s)", r"\1\\\2", data)


# Comparisons -------------------------------------------------------------------------------------


def compare_page(comparison: Mapping[str, Any]) -> str:
    """Return the page of a comparison from `reports.compare.compare`."""
    made = environment()
    made.filters |= {"setting": setting_text, "interval": _interval}
    return made.get_template("compare.html").render(c=legible(comparison))


def setting_text(value: Any) -> str:  # noqa: ANN401
    """Return a setting as text."""
    if value is None:
        return text.DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return text.number(value, 6)
    if isinstance(value, int):
        return text.count(value)
    if isinstance(value, list):
        return ", ".join(map(setting_text, value))
    return str(value)


def _interval(row: Mapping[str, Any]) -> str:
    return text.interval(row["difference"], row["low"], row["high"])


def check_output(folder: Path, format: Format, *, sections: int = 1) -> None:
    """Check that a report can be written to a folder, before it is made.

    Raises
    ------
    OSError
        As `disk.check_output`, or if the folder is one of a sweep, whose page it would replace.
    """
    names = {schema.RESULTS, f"report.{format}" if format != "json" else schema.RESULTS}
    disk.check_output(*(folder / name for name in sorted(names)), room=sections * _ROOM)
    if (folder / "plan.json").exists():
        msg = f"output folder must not be one of a sweep or study, got {disk.shown(folder)}"
        raise FileExistsError(msg)


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files that belong together into a folder: all, or none; Ctrl-C does not come between them."""
    with undisturbed():
        disk.write_together({folder / name: content for name, content in contents.items()})
