"""The page of a folder of `perturblearn orthogonal`, and its numbers, from its files alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
from markupsafe import Markup

from empirics.campaigns.orthogonal import Part
from empirics.orthogonal.examination import Examination
from empirics.sweep.store import DamagedError, ResultFolder
from reports import glossary, inline
from reports.claims import OF_ORTHOGONAL, with_details
from reports.claims.orthogonal.rows import OrthogonalRow, Results
from reports.inline import Content, rich
from reports.orthogonal.build import build
from reports.page import Block, Figure, Page, Prose, Section
from reports.running import read_folder, read_results
from reports.runs import NUMBERS, PAGE, write
from reports.shown import SAID, opening, provenance, steps_of
from reports.text import many
from reports.verdicts import Claim

__all__ = ["EXAMINATION", "NUMBERS", "PAGE", "page_of", "read_part", "write_page"]

PLAN_KIND = "orthogonal"
_SAID = SAID["orthogonal"]
_THEOREM = (
    "Says nothing here: it is about wide networks at a finite time. This page is about its predecessor, ",
    glossary.ORTHOGONAL,
    ", whose statements are counted next.",
)
_OPENING = 2  # claims that the first screen says in words
EXAMINATION = "examination"  # name of the result that holds what is said of data in hand


def read_part(folder: Path) -> Part | None:
    """Return what a folder holds, None if it has no plan.

    Raises
    ------
    DamagedError
        As `read_folder`, or if its plan does not say what it holds.
    """
    found = read_folder(folder, (PLAN_KIND,), Part)
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
    held, rows = read_results(folder, (PLAN_KIND,), Part, OrthogonalRow)
    part, examination, made = _only(held.parts, folder), None, held.provenance
    examined = ResultFolder(folder).read(EXAMINATION) if part.kind == "data" else None
    if examined is not None:
        examination = msgspec.convert(examined["found"], Examination)
        if examined["made_by"] not in made.versions:
            versions = (*made.versions, examined["made_by"])
            made = msgspec.structs.replace(made, versions=versions)
    return write(folder, build(part, rows, examination=examination, provenance=made), page_of)


def page_of(results: Results) -> Page:
    """Return the page of results.

    Works offline: no script, font, image or style from elsewhere.  The same results give the same text.
    """
    totals = results.totals
    warning: tuple[Prose, ...] = ()
    if totals.failed or totals.missing:
        said = f"{totals.failed} of {totals.configurations} runs failed and {totals.missing} are missing; "
        warning = (Prose(rich(said + "`failures.json` says why."), "warning"),)
    families = (section for family in OF_ORTHOGONAL for section in family.sections(results))
    sections = [replace(section, blocks=tuple(with_details(section.blocks))) for section in families]
    first: list[Block] = [*warning, *found(results.claims)]
    drawn = next((s for s in sections if any(isinstance(block, Figure) for block in s.blocks)), None)
    if drawn is not None:  # the first figure is the answer
        figure, *rest = drawn.blocks
        first.append(figure)
        sections[sections.index(drawn)] = replace(drawn, blocks=tuple(rest))
    next_ = steps_of(f"orthogonal-{results.part.kind}")
    first.append(opening(next_, theorem=_THEOREM, claims=results.claims))
    made = Page(
        f"Nearly orthogonal samples: {results.title.removeprefix('Study: ')}",
        Markup(_SAID["lead"]),
        (
            Section("", tuple(first)),
            *(section for section in sections if section.blocks),
            Section("Claims", results.claims, "claims"),
            provenance(totals, results.provenance, results.schema_version, _provenance(results)),
        ),
    )
    return glossary.with_symbols(made, orthogonal=True)


def found(claims: Sequence[Claim]) -> Iterator[Prose]:
    """Say what the first claims found, those that are decided first."""
    order = {None: 0, "holds": 0, "fails": 1, "unknown": 2}
    chosen = sorted((c for c in claims if c.verdict in order), key=lambda c: order[c.verdict])
    for claim in chosen[:_OPENING]:
        undecided = " (not decided)" if claim.verdict == "unknown" else ""
        said = rich("**{}**{}: {}.", claim.statement, undecided, claim.measured.partition("; ")[0])
        yield Prose(said, "short")


def _provenance(results: Results) -> Iterator[tuple[Content, ...]]:
    part = results.part
    yield "seeds", f"{many(part.seeds, 'seed')} a point"
    if part.kind == "published":
        sweeps = ", ".join(part.sweeps)
        yield "sizes", f"1/{part.scale} of the published ones, rule “{part.rule}”; sweeps {sweeps}"
    yield "options", ", ".join(f"{name} = {value}" for name, value in part.options.items()) or "defaults"
    if part.content:
        source = "".join(f"{name} {value}, " for name, value in part.source.items() if value is not None)
        yield "data", rich("{}SHA-256 of the samples {}", source, inline.Part("code", part.content))
