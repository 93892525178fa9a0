"""A page that lists reports, sweeps and studies of orthogonal samples, by the numbers in their folders."""

import json
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec

from empirics.sweep.disk import check_apart
from reports import schema, text
from reports.claim_text import spread
from reports.inline import Content, Part, lines, link
from reports.page import Page, Section, Table
from reports.results import OverSeeds, Results
from reports.runs import NUMBERS, Totals
from reports.text import count, legible, many, number

_PAGES = ("report.html", "report.pdf", "report.md")

_BADGES: tuple[Content, ...] = tuple(Part("badge", verdict) for verdict in schema.VERDICTS)
_REPORTS = ("Report", *_BADGES, "Data", "Preset", "Setting", "f and g agree", "Predicted")
_SWEEPS = ("Folder", "Kind", "Contents", "Runs done", "failed", "missing", "Statements")


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
    read = {place: schema.read(place) for place in places if (place / schema.RESULTS).is_file()}
    reports = [_report(place, results, out) for place, results in read.items()]
    sweeps = [_sweep(place, out) for place in places if place not in read]
    of_sweeps = f", and {many(len(sweeps), 'sweep or study', 'sweeps and studies')}" if sweeps else ""
    sections = []
    if reports:
        sections.append(Section("", (Table(_REPORTS, tuple(reports), name="reports"),)))
    if sweeps:
        sections.append(Section("Sweeps and studies", (Table(_SWEEPS, tuple(sweeps), name="sweeps"),)))
    lead = (
        f"{many(len(reports), 'report')} of theory against experiment, with the number of claims by verdict"
    )
    return Page("Reports", f"{lead}{of_sweeps}.", tuple(sections)).html()


@dataclass(frozen=True)
class Agreement:
    """How often f and g agree on a data set, at its largest width, and what was predicted."""

    classes: tuple[str, str]  # +1, −1
    width: int
    measured: OverSeeds
    predicted: OverSeeds
    verdict: str | None

    @property
    def said(self) -> tuple[str, str, str, str]:
        """Classes, width, measured and predicted as text."""
        classes, width = " vs ".join(legible(self.classes)), count(self.width)
        return classes, width, spread(self.measured), spread(self.predicted)


def agreements(results: Results) -> list[Agreement]:
    """Return the agreement on each data set of a report."""
    verdicts = {claim.section: claim.verdict for claim in results.claims if claim.key == "agreement"}
    return [
        Agreement(
            section.classes[::-1],
            section.widths[-1],
            section.by_width[-1].agreement.measured,
            section.by_width[-1].agreement.predicted,
            verdicts.get(section.name),
        )
        for section in results.sections
    ]


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


def _linked(folder: Path, out: Path, numbers: str) -> Content:
    check_apart(out, [folder / name for name in (*_PAGES, numbers)])
    page = next((folder / name for name in _PAGES if (folder / name).is_file()), folder / numbers)
    relative = Path(os.path.relpath(page.absolute(), out.absolute().parent)).as_posix()
    # A first part with a colon would be read as a protocol.
    target = quote(os.fsencode(f"./{relative}" if ":" in relative.partition("/")[0] else relative))
    return link(Part("bdi", legible(folder.absolute().name or str(folder))), target)


def _report(folder: Path, results: Results, out: Path) -> tuple[Content, ...]:
    verdicts = [claim.verdict for claim in results.claims]
    preset = _preset(results.provenance.command)
    data: list[Content] = []
    settings: list[Content] = []
    for section in results.sections:
        s = section.setting
        slope, T_f, T_g = map(number, (s.negative_slope, s.T_f, s.T_g))
        grid = f"m to {count(section.widths[-1])}, {len(section.seeds)} seeds"
        data.append((Part("bdi", legible(section.name)), f": {', '.join(legible(section.classes))}"))
        settings.append(legible(f"{s.loss}, γ {slope}, ({s.scenario}), T {T_f}, {T_g}, {grid}"))
    return (
        (_linked(folder, out, schema.RESULTS), " (partial)" if results.partial else ""),
        *(str(verdicts.count(verdict)) for verdict in schema.VERDICTS),
        lines(*data),
        text.DASH if preset is None else legible(preset),
        lines(*settings),
        *(lines(*(row.said[place] for row in agreements(results))) for place in (2, 3)),
    )


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


class _Judged(msgspec.Struct):
    verdict: str | None = None


class _Titled(msgspec.Struct):
    title: str


class _Listed(msgspec.Struct, kw_only=True):
    """What the list says of a sweep, which has sections, or of orthogonal samples, which have panels."""

    schema_version: int
    totals: Totals
    claims: list[_Judged]
    sections: list[_Titled] | None = None
    title: str = ""
    panels: list[object] | None = None

    def __post_init__(self) -> None:
        if self.sections is None and self.panels is None:
            msg = "must have sections or panels, got neither"
            raise ValueError(msg)


def _sweep(folder: Path, out: Path) -> tuple[Content, ...]:
    """Return the row of a folder whose numbers are those of a sweep or of orthogonal samples."""
    file = folder / NUMBERS
    try:
        found = msgspec.convert(json.loads(file.read_bytes()), _Listed)
    except (ValueError, RecursionError) as error:
        msg = f"{file} must hold the numbers of a sweep or of perturblearn orthogonal, whole: {error}"
        raise schema.SchemaError(msg) from error
    totals, claims = found.totals, found.claims
    titles = [found.title] if found.sections is None else [section.title for section in found.sections]
    verdicts = Counter(claim.verdict for claim in claims if claim.verdict is not None)
    counted = lines(*(f"{count(n)} {legible(verdict)}" for verdict, n in sorted(verdicts.items())))
    return (
        *(_linked(folder, out, NUMBERS), "orthogonal samples" if found.sections is None else "sweep"),
        lines(*(Part("bdi", legible(title)) for title in titles)),
        f"{count(totals.done)} of {count(totals.configurations)}",
        *(count(totals.failed), count(totals.missing), (count(len(claims)), counted)),
    )
