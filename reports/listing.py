"""A page that lists reports, sweeps and studies of orthogonal samples, by the numbers in their folders."""

import json
import os
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from empirics.sweep.disk import check_apart
from reports import schema
from reports.render import environment
from reports.text import legible

# The numbers of a sweep, or of `perturblearn orthogonal`; those of a report are `schema.RESULTS`.
NUMBERS = "report.json"
_PAGES = ("report.html", "report.pdf", "report.md")
_COUNTS = ("configurations", "done", "failed", "missing")

Json = dict[str, Any]


def index_page(folders: Sequence[Path], out: Path) -> str:
    """Return a page that lists reports and sweeps in the order given, with links relative to its place.

    Parameters
    ----------
    folders : sequence of Path
        Folders of reports, of sweeps or of `perturblearn orthogonal`, or folders of such folders.
    out : Path
        Where the page will be.

    Raises
    ------
    FileNotFoundError
        If a folder has none of these, nor a folder with one.
    reports.schema.SchemaError
        If one is not as written.
    FileExistsError
        If `out` is one of the pages listed.
    """
    places = list(dict.fromkeys(place for folder in folders for place in _places_in(folder)))
    reports = [_report(place, out) for place in places if (place / schema.RESULTS).is_file()]
    sweeps = [_sweep(place, out) for place in places if not (place / schema.RESULTS).is_file()]
    template: jinja2.Template = environment().get_template("index.html")
    return template.render(rows=legible(reports), sweeps=legible(sweeps), verdicts=schema.VERDICTS)


def _places_in(folder: Path) -> list[Path]:
    def has(place: Path) -> bool:
        return (place / schema.RESULTS).is_file() or (place / NUMBERS).is_file()

    if has(folder):
        return [folder]
    below = sorted(place for place in folder.iterdir() if has(place)) if folder.is_dir() else []
    if not below:
        msg = (
            f"folder must have a report ({schema.RESULTS}) or a sweep with its page ({NUMBERS}), or folders "
            f"with one, got '{folder}'"
        )
        raise FileNotFoundError(msg)
    return below


def _linked(folder: Path, out: Path, numbers: str) -> dict[str, str]:
    check_apart(out, [folder / name for name in (*_PAGES, numbers)])
    page = next((folder / name for name in _PAGES if (folder / name).is_file()), folder / numbers)
    relative = Path(os.path.relpath(page.absolute(), out.absolute().parent)).as_posix()
    return {
        "title": folder.absolute().name or str(folder),
        # A first part with a colon would be read as a protocol.
        "link": quote(os.fsencode(f"./{relative}" if ":" in relative.partition("/")[0] else relative)),
    }


def _report(folder: Path, out: Path) -> Json:
    results = schema.read(folder)
    verdicts = [claim["verdict"] for claim in results["claims"]]
    return _linked(folder, out, schema.RESULTS) | {
        "partial": "partial" in results,
        "preset": _preset(results["provenance"]["command"]),
        "sections": [
            {
                "name": section["name"],
                "classes": section["classes"],
                "width": section["widths"][-1],
                "seeds": len(section["seeds"]),
            }
            | {
                name: section["setting"][name]
                for name in ("loss", "negative_slope", "scenario", "T_f", "T_g")
            }
            for section in results["sections"]
        ],
        "counts": {verdict: verdicts.count(verdict) for verdict in schema.VERDICTS},
    }


def _preset(command: str) -> str | None:
    """Return the preset that a command asked for; None if it is not one of this program's."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words[:2] != ["perturblearn", "report"]:
        return None
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "--preset":
            return after
        if word.startswith("--preset="):
            return word.partition("=")[2]
    return "quick"


# Sweeps -----------------------------------------------------------------------------------------------


def _sweep(folder: Path, out: Path) -> Json:
    """Return the row of a folder whose numbers are those of a sweep or of orthogonal samples."""
    file = folder / NUMBERS
    try:
        results = json.loads(file.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        msg = f"{file} must hold JSON, but is damaged or truncated: {error}"
        raise schema.SchemaError(msg) from error
    if not isinstance(results, dict) or not isinstance(results.get("schema_version"), int):
        msg = f"{file} must hold the numbers of a page, with schema_version"
        raise schema.SchemaError(msg)
    kind = "sweep" if "sections" in results else "orthogonal samples" if "panels" in results else None
    try:
        titles = _TITLES[kind or ""](results)
        totals = {name: results["totals"][name] for name in _COUNTS}
        claims = list(results["claims"])
        found = Counter(claim["verdict"] for claim in claims if isinstance(claim.get("verdict"), str))
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        msg = f"{file} must hold the numbers of a sweep or of perturblearn orthogonal, but {what}"
        raise schema.SchemaError(msg) from error
    if not all(isinstance(value, int) for value in totals.values()):
        msg = f"{file} must count its runs in integers, got {totals}"
        raise schema.SchemaError(msg)
    return _linked(folder, out, NUMBERS) | {
        "kind": kind,
        "contents": titles,
        "totals": totals,
        "statements": len(claims),
        "verdicts": dict(sorted(found.items())),
    }


_TITLES: Mapping[str, Callable[[Json], list[str]]] = {
    "sweep": lambda results: [str(section["title"]) for section in results["sections"]],
    "orthogonal samples": lambda results: [str(results["title"])],
}
