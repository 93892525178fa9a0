"""The page of a folder of `perturblearn orthogonal`, and its numbers, from its files alone."""

from pathlib import Path

import msgspec
from markupsafe import Markup

from empirics.campaigns.orthogonal import Part
from empirics.orthogonal.examination import Examination, Known
from empirics.sweep.store import DamagedError, ResultFolder
from reports.claims.orthogonal.rows import OrthogonalPanel, OrthogonalRow, Results
from reports.orthogonal import figures, tables
from reports.orthogonal.build import build
from reports.page import Page, Prose, Section, Table
from reports.running import read_folder, read_results
from reports.runs import NUMBERS, PAGE, write
from reports.shown import SAID, figure
from reports.text import many

__all__ = ["EXAMINATION", "NUMBERS", "PAGE", "page_of", "read_part", "write_page"]

PLAN_KIND = "orthogonal"
_SAID = SAID["orthogonal"]
EXAMINATION = "examination"  # name of the result that holds what is said of data in hand


def read_part(folder: Path) -> Part | None:
    """Return what a folder holds, None if it has no plan.

    Raises
    ------
    DamagedError
        As `read_folder`, or if its plan does not say what it holds.
    """
    found = read_folder(folder, PLAN_KIND, Part)
    return None if found is None else _only(found.parts, folder)


def _only(parts: tuple[Part, ...], folder: Path) -> Part:
    if len(parts) != 1:
        msg = f"out must be a folder whose plan.json says what it holds, got {folder}"
        raise DamagedError(msg)
    return parts[0]


def write_page(folder: Path) -> Path:
    """Write the page of a folder and its numbers; return the path of the page.

    The same files of results give the same bytes.  It raises as `read_part` and `read_results`.
    """
    held, rows = read_results(folder, PLAN_KIND, Part, OrthogonalRow)
    part, examination, provenance = _only(held.parts, folder), None, held.provenance
    examined = ResultFolder(folder).read(EXAMINATION) if part.kind == "data" else None
    if examined is not None:
        examination = msgspec.convert(examined["found"], Examination)
        if examined["made_by"] not in provenance.versions:
            versions = (*provenance.versions, examined["made_by"])
            provenance = msgspec.structs.replace(provenance, versions=versions)
    return write(folder, build(part, rows, examination=examination, provenance=provenance), page_of)


def page_of(results: Results) -> Page:
    """Return the page of results.

    Works offline: no script, font, image or style from elsewhere.  The same results give the same text.
    """
    totals = results.totals
    warning: tuple[Prose, ...] = ()
    if totals.failed or totals.missing:
        said = Markup("{} of {} runs failed and {} are missing; <code>failures.json</code> says why.").format(
            totals.failed, totals.configurations, totals.missing
        )
        warning = (Prose(said, "warning"),)
    return Page(
        f"Nearly orthogonal samples: {results.title}",
        Markup(_SAID["lead"]),
        (
            Section("Claims", (*warning, *results.claims), "claims"),
            *_sections(results),
            Section("Provenance", (_provenance(results),), "provenance"),
        ),
    )


def _provenance(results: Results) -> Table:
    part, totals = results.part, results.totals
    rows = [
        (
            "runs",
            f"{totals.configurations}: {totals.done} done, {totals.failed} failed, "
            f"{totals.missing} missing; {many(part.seeds, 'seed')} a point",
        )
    ]
    if part.kind == "published":
        sweeps = ", ".join(part.sweeps)
        said = f"1/{part.scale} of the published ones, rule “{part.rule}”; sweeps {sweeps}"
        rows.append(("sizes", said))
    options = ", ".join(f"{name} = {value}" for name, value in part.options.items())
    rows.append(("options", options or "defaults"))
    if part.content:
        source = "".join(f"{name} {value}, " for name, value in part.source.items() if value is not None)
        hashed = Markup("{}SHA-256 of the samples <code>{}</code>").format(source, part.content)
        rows.append(("data", hashed))
    made = (", ".join(f"{n} {v}" for n, v in versions.items()) for versions in results.provenance.versions)
    rows.append(("versions", "; ".join(made)))
    numbers = Markup(
        "<code>report.json</code> beside this page, schema version {}; every run in <code>results.csv</code>"
    ).format(results.schema_version)
    return Table((), (*rows, ("numbers", numbers)))


def _sections(results: Results) -> list[Section]:
    made = [_panel(panel, results, f"p{index}") for index, panel in enumerate(results.panels, start=1)]
    found = results.examination
    if found is not None:
        made = [*_examined(found, results), *made]
    ends = (Prose(_SAID["networks"]), tables.networks(results.networks))
    return [*made, Section("Where trained networks end", ends, "networks")]


def _panel(panel: OrthogonalPanel, results: Results, key: str) -> Section:
    if results.part.kind == "published":
        drawn = figure(figures.accuracy_figure(panel, key), _SAID["accuracy"])
        shown = tables.published_points(panel), tables.one_more_seed(panel)
        return Section(f"Sweep over {panel.sweep}", (Prose(_SAID["one_more_seed"]), *drawn, *shown), key)
    if results.part.kind == "data":
        said = "Seeds are those of initialisations and of the random targets; the data stay."
        said += " " + _SAID["amplitude"] if results.part.options.get("norm") == "L0" else ""
        return Section("Networks trained on it", (Prose(said), tables.trained(panel.points[0])), key)
    if results.part.name == "turning":
        drawn = figure(figures.turning_figure(panel, key), _SAID["turning"])
        return Section("Point by point", (*drawn, tables.turning_points(panel)), key)
    drawn = figure(figures.orthogonality_figure(panel, key), _SAID["decay"])
    return Section("Point by point", (*drawn, tables.orthogonality_points(panel)), key)


def _examined(found: Examination, results: Results) -> list[Section]:
    done, asked = results.panels[0].points[0].converged["f"]
    converged = _converged(done, asked, results.part.seeds)
    table, wide, orthogonal = tables.hypotheses(found.hypotheses, converged=converged)
    conditions = Prose("Nothing is trained here; rounding errors are part of the verdicts.")
    theories = Prose(
        "For the networks of this page, without biases, all but the margins: wide networks "
        f"{wide.value}, orthogonal samples {orthogonal.value}. Where λ > 0 and the pattern hold "
        "without a condition of orthogonality the latter is unknown: there may be other KKT points. The "
        "row of time is from the networks trained below; wide networks are asked at flow time 1, and "
        "perturblearn report trains those, with biases and the identity loss."
    )
    return [
        Section("Conditions", (conditions, tables.examined(found)), "examined"),
        Section("Which theory applies", (theories, table), "theories"),
    ]


def _converged(done: int, asked: int, seeds: int) -> Known:
    """Return whether every f converged; unknown while one has no result."""
    return "fails" if done < asked else "holds" if asked == seeds else "unknown"
