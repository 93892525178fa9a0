"""A page that lists reports, sweeps and studies of orthogonal samples, by the numbers in their folders."""

import base64
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from empirics.sweep.disk import check_apart
from reports import folders, plans, schema
from reports.claim_text import spread
from reports.claims.orthogonal.rows import Results as OrthogonalResults
from reports.folders import first_screen
from reports.inline import Content, Part, lines, link
from reports.page import Page, Prose, Section, Table, tally
from reports.pages.opening import happened
from reports.results import OverSeeds, Results, Section as ReportSection
from reports.runs import NUMBERS, readable
from reports.shown import opening, steps_of
from reports.svg import standalone
from reports.text import count, legible, many, number
from reports.verdicts import PUBLISHED, Claim

_PAGES = ("report.html", schema.PLAN_PAGE, "report.pdf", "report.md")
_COLUMNS = ("Page", "Figure", "What was found", "Published", "Derived here", "Setting, runs")
# What a page draws first, in its file.
_DRAWING = re.compile(r'<div class="drawing">(<svg .*?</svg>)', re.DOTALL)
_ALT = re.compile(r'aria-label="([^"]*)"')
_FOUND = 3  # sentences of a page
_FONT = 'font-family="sans-serif" '


def index_page(folders: Sequence[Path], out: Path) -> str:
    """Return a page that lists reports, sweeps and plans in the order given, links relative to its place.

    Parameters
    ----------
    folders : sequence of Path
        Folders of reports, sweeps, plans or of `perturblearn orthogonal`, or folders of such folders.
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
    rows = [_row(place, out) for place in places]
    lead = f"""{many(len(places), "page")}: what was found, and claims by verdict. Published statements and
        those that this project derives are counted apart."""
    table = Table(_COLUMNS, tuple(rows), name="index")
    named = [f"./{place}" if str(place).startswith("-") else str(place) for place in places]
    reports = [
        shlex.quote(name)
        for name, place in zip(named, places, strict=True)
        if _numbers_of(place) == schema.RESULTS
    ]
    command = f"perturblearn compare {' '.join(reports[:2])} --out my-comparison"
    changed = [("What changed between two of these reports?", command)] if len(reports) > 1 else []
    next_ = opening([*changed, *steps_of("index")])
    return Page("Reports, sweeps and plans", " ".join(lead.split()), (Section("", (table, next_)),)).html()


def _row(place: Path, out: Path) -> tuple[Content, ...]:
    numbers = _numbers_of(place)
    told = {schema.RESULTS: _of_report, NUMBERS: _of_runs, plans.NUMBERS: _of_plan}[numbers]
    claims, said, setting, partial = told(place)
    linked = _linked(place, out, numbers), partial
    published = [claim for claim in claims if claim.source in PUBLISHED]
    derived = [claim for claim in claims if claim.source not in PUBLISHED]
    return linked, _thumbnail(place), lines(*said), tally(published), tally(derived), lines(*setting)


# Claims, what was found, the setting, and what is said beside the name.
_Told = tuple[Sequence[Claim], list[Content], list[Content], str]


def _of_report(place: Path) -> _Told:
    results = legible(schema.read(place))
    preset = _preset(results.provenance.command)
    predicted = {claim.section: claim for claim in results.claims if claim.key == "agreement"}
    said = [happened(one, predicted[one.name]) for one in results.sections]
    setting = [_setting(section) for section in results.sections]
    if preset is not None:
        setting.append(f"preset {preset}")
    return results.claims, said, setting, " (partial)" if results.partial else ""


def _of_runs(place: Path) -> _Told:
    numbers = readable(folders.read(place))
    said = [b.text for b in first_screen(numbers) if isinstance(b, Prose) and b.style == "short"][:_FOUND]
    if isinstance(numbers, OrthogonalResults):
        titles = [numbers.title]
    else:
        titles = [section.title for section in numbers.sections]
    totals = numbers.totals
    runs = f"{count(totals.done)} of {many(totals.configurations, 'run')}"
    for n, what in ((totals.failed, "failed"), (totals.missing, "missing")):
        runs += f", {count(n)} {what}" if n else ""
    return numbers.claims, said, [*(Part("bdi", title) for title in titles), runs], ""


def _of_plan(place: Path) -> _Told:
    setting, found, *_ = legible(plans.read_lines(place))
    return [], [found], [setting], " (plan)"


def _thumbnail(place: Path) -> Markup:
    """Return the first drawing of a page as an image, in which nothing can act; empty where there is none."""
    page = next((place / name for name in _PAGES[:2] if (place / name).is_file()), None)
    found = None if page is None else _DRAWING.search(page.read_text("utf-8", errors="replace"))
    if found is None:
        return Markup("")
    drawn = standalone(found[1].replace("<svg ", f"<svg {_FONT}", 1))
    source = f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"
    alt = _ALT.search(found[1])
    return Markup('<img alt="{}" src="{}">').format(Markup(alt[1]) if alt else "", source)


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
    if _numbers_of(folder):
        return [folder]

    def shown(place: Path) -> bool:
        numbers = _numbers_of(place)
        return bool(numbers) and (numbers != plans.NUMBERS or plans.has_lines(place))

    below = sorted(filter(shown, folder.iterdir())) if folder.is_dir() else []
    if not below:
        msg = (
            f"folder must have a report ({schema.RESULTS}), a sweep with its page ({NUMBERS}) or a plan "
            f"({schema.PLAN_PAGE}), or folders with one, got '{folder}'"
        )
        raise FileNotFoundError(msg)
    return below


def _numbers_of(place: Path) -> str:
    """Return the name of the file of numbers of a report, a sweep or a plan; empty where there is none."""
    pages = {schema.RESULTS: schema.RESULTS, NUMBERS: NUMBERS, schema.PLAN_PAGE: plans.NUMBERS}
    return next((numbers for file, numbers in pages.items() if (place / file).is_file()), "")


def _linked(folder: Path, out: Path, numbers: str) -> Content:
    check_apart(out, [folder / name for name in (*_PAGES, numbers)])
    page = next((folder / name for name in _PAGES if (folder / name).is_file()), folder / numbers)
    relative = Path(os.path.relpath(page.absolute(), out.absolute().parent)).as_posix()
    # A first part with a colon would be read as a protocol.
    target = quote(os.fsencode(f"./{relative}" if ":" in relative.partition("/")[0] else relative))
    return link(Part("bdi", legible(folder.absolute().name or str(folder))), target)


def _setting(section: ReportSection) -> Content:
    s = section.setting
    slope, T_f, T_g = map(number, (s.negative_slope, s.T_f, s.T_g))
    grid = f"m to {count(section.widths[-1])}, {many(len(section.seeds), 'seed')}"
    return f"{s.loss}, γ {slope}, ({s.scenario}), T {T_f}, {T_g}, {grid}"


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
