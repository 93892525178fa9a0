"""The page of a folder of `perturblearn orthogonal`, and its numbers, from its files alone."""

from pathlib import Path

import msgspec
from markupsafe import Markup

from empirics.campaigns.orthogonal import Part
from empirics.orthogonal.examination import Examination
from empirics.sweep.store import DamagedError, ResultFolder
from reports.claims import OF_ORTHOGONAL
from reports.claims.orthogonal.rows import OrthogonalRow, Results
from reports.orthogonal.build import build
from reports.page import Page, Prose, Section, Table
from reports.running import read_folder, read_results
from reports.runs import NUMBERS, PAGE, write
from reports.shown import SAID
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
    return None if found is None else _only(found[1], folder)


def _only(parts: tuple[Part, ...], folder: Path) -> Part:
    if len(parts) != 1:
        msg = f"out must be a folder whose plan.json says what it holds, got {folder}"
        raise DamagedError(msg)
    return parts[0]


def write_page(folder: Path) -> Path:
    """Write the page of a folder and its numbers; return the path of the page.

    The same files of results give the same bytes.  It raises as `read_part` and `read_results`.
    """
    _, parts, rows, provenance = read_results(folder, PLAN_KIND, Part, OrthogonalRow)
    part, examination = _only(parts, folder), None
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
            *(section for family in OF_ORTHOGONAL for section in family.sections(results)),
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
