"""The page of a sweep: ``report.html`` and ``report.json``, made from the files of its folder alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from empirics.campaigns.wide import Part
from empirics.deep import DEEP
from empirics.laws import LAWS
from empirics.sweep.disk import write_bytes
from empirics.wide import WIDE
from reports import glossary, text
from reports.claims import OF_SWEEPS
from reports.claims.sweeps.rows import SERIES, Runs, Section as Measured, SweepResults, WidePanel
from reports.formats import Format, of_page
from reports.inline import Content, rich
from reports.page import Bad, Block, Figure, Group, Page, Prose, Section, Table, fold, say, table
from reports.running import read_folder, read_results
from reports.runs import NUMBERS, PAGE, Row, Totals, shown, write
from reports.shown import SAID, provenance, spread
from reports.statistics import Spread
from reports.sweeps import figures
from reports.sweeps.opening import kind_of, openings, verdicts
from reports.sweeps.reproduction import build
from reports.text import many

__all__ = ["NUMBERS", "PAGE", "page_of", "read_parts", "write_page"]

EXPERIMENTS = {experiment.name: experiment for experiment in (WIDE, DEEP, LAWS)}
_SAID = SAID["sweep"]


def read_parts(folder: Path) -> tuple[Part, ...]:
    """Return the published blocks and studies that a folder holds; it raises as `read_folder`."""
    found = read_folder(folder, EXPERIMENTS, Part)
    return () if found is None else found.parts


def write_page(folder: Path, *, format: Format = "html") -> Path:
    """Write the page of a folder whose sweep has ended, and its numbers; it raises as `read_results`.

    The same files of results give the same bytes.
    """
    held, rows = read_results(folder, EXPERIMENTS, Part, Row)
    runs = Runs(rows, EXPERIMENTS[held.kind])
    return write_results(folder, build(held.plan, runs, held.parts, provenance=held.provenance), format)


def write_results(folder: Path, results: SweepResults, format: Format = "html") -> Path:
    """Write numbers and the page made of them, once more in another format; return what is to be read."""
    path = write(folder, results, page_of)
    if format in {"md", "pdf"}:
        for name, content in of_page(shown(results, page_of), format).items():
            write_bytes(folder / name, content)
        path = folder / f"report.{format}"
    return folder / NUMBERS if format == "json" else path


def page_of(results: SweepResults) -> Page:
    """Return the page of a sweep.

    Works offline: no script, font, image or style from elsewhere.  The same results give the same text.
    """
    nothing = Prose("Nothing to compare: no result has the columns that this page is about.", "")
    sections: list[Section] = []
    first: list[Block] = [*openings(results)]
    for index, section in enumerate(results.sections, start=1):
        blocks = [*_blocks(section, f"s{index}")]
        if len(results.sections) == 1 and not any(isinstance(block, Figure) for block in first):
            drawn, blocks = _without_figure(blocks)  # the answer is drawn on the first screen
            first += drawn
        sections.append(Section(section.title, tuple(blocks), f"s{index}"))
    said = (*first, verdicts(results)) if first or results.claims else (nothing,)
    made = Page(
        _title(results),
        Markup(_SAID["lead_of_laws" if kind_of(results.sections) == LAWS.name else "lead"]),
        (
            Section("", said),
            *sections,
            *([Section("Claims", results.claims, "claims")] if results.claims else ()),
            provenance(results.totals, results.provenance, results.schema_version, _provenance(results)),
        ),
        note=_partial(results.totals),
    )
    return glossary.with_symbols(made)


def _without_figure(blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    """Return the first figure in blocks or in a group among them, if there is one, and the others."""
    for place, block in enumerate(blocks):
        drawn: list[Block] = [block] if isinstance(block, Figure) else []
        left: list[Block] = []
        if isinstance(block, Group) and not block.folded:
            drawn, inner = _without_figure(block.blocks)
            left = [replace(block, blocks=tuple(inner))]
        if drawn:
            return drawn, [*blocks[:place], *left, *blocks[place + 1 :]]
    return [], [*blocks]


def _title(results: SweepResults) -> str:
    if len(results.sections) != 1:
        return "A sweep: measured beside published and predicted"
    (one,) = results.sections
    if one.study:
        return f"{one.question.partition('?')[0]}?"
    return f"{one.title}: measured beside {'published' if one.published else 'predicted before training'}"


def _partial(totals: Totals) -> str:
    """Return what the page of a sweep that was interrupted says of itself; empty for a whole one."""
    ended = totals.configurations - totals.missing
    return f"Partial: interrupted after {ended} of {totals.configurations} runs." if totals.missing else ""


def _blocks(section: Measured, key: str) -> Iterator[Block]:
    """Yield a block, study or rest of a plan: its figures, then what is published, trends, predictions."""
    if section.question:
        yield Prose(section.question, "")
    if section.foreign:
        said = f"Images are not the published files ({', '.join(section.foreign)}; their SHA-256 differs).\n"
        if section.published is not None:
            said += "Published values are beside another data set: they are shown and not compared."
        yield Prose(said, "warning")
    if section.panels_left_out:
        more = many(section.panels_left_out, "more combination")
        yield say(f"Not drawn: {more} of the axes; `results.csv` has them.")
    details = [block for family in OF_SWEEPS for block in family.shown(section, key)]
    answer = next((block for block in details if section.study and isinstance(block, Figure)), None)
    if answer is not None:
        details.remove(answer)
        yield answer
    drawn = [
        (panel, figures.of_panel(section, panel, f"{key}-{n}")) for n, panel in enumerate(section.panels)
    ]
    empty = [panel.sweep for panel, blocks in drawn if not blocks]
    if empty:
        yield Prose("Without accuracies or agreement so far, so not drawn:", "")
    yield from (Prose(name, "") for name in empty)
    groups = [Group(panel.sweep, (*some, *_tables(section, panel))) for panel, some in drawn if some]
    if len(groups) == 1:
        yield Prose(groups[0].title, "heading")
        yield from groups[0].blocks
    else:
        yield from groups
    if details:
        yield fold("Figures and tables", *details)


def _tables(section: Measured, panel: WidePanel) -> Iterator[Block]:
    """Yield what is drawn, point by point."""
    beside = section.published is not None
    # The x of a point, or its name where x only counts the points.
    names = panel.ticks or tuple(f"{point.x:g}" for point in panel.points)
    columns = [panel.x_label]
    for _, label, *_ in SERIES:
        columns += [f"{label}: mean ± sd [min, max]", *(["published"] if beside else [])]
    rows = []
    for place, point in zip(names, panel.points, strict=True):
        row, totals = [place], point.totals
        for cell in point.metrics.values():
            row += [_ranged(cell), *([_read(cell, "not read")] if beside else [])]
        missing = f", {totals.missing} missing" if totals.missing else ""
        seeds = str(point.metrics["agreement"].n)
        rows.append((*row, seeds, f"{totals.failed} of {totals.configurations}{missing}"))
    points = Table((*columns, "seeds", "failed"), tuple(rows), wide=True).filled
    yield fold(f"Point by point: {panel.sweep}", points)
    cosines = [(place, point.cosines) for place, point in zip(names, panel.points, strict=True)]
    if any(cells["cosine_published"].published is not None for _, cells in cosines):
        shown = table(
            cosines,
            {
                panel.x_label: lambda row: row[0],
                "|cos| with u: mean ± sd [min, max]": lambda row: _ranged(row[1]["cosine_published"]),
                "published": lambda row: _read(row[1]["cosine_published"], text.DASH),
                rich("|cos| with ∇f~b~: mean ± sd [min, max]"): lambda row: _ranged(row[1]["cosine_derived"]),
                "seeds": lambda row: str(row[1]["cosine_published"].n),
            },
            wide=True,
        )
        yield fold(f"Cosines point by point: {panel.sweep}", shown)


def _ranged(cell: Spread) -> str:
    return f"{spread(cell)} [{text.number(cell.min)}, {text.number(cell.max)}]"


def _read(cell: Spread, unread: str) -> str:
    """Return a published value with its reading error, marked where it is outside of our range."""
    if cell.published is None:
        return unread if cell.error is not None else text.DASH
    shown = f"{text.number(cell.published)} ± {text.number(cell.error)}"
    return Bad(f"{shown} ✗ outside") if cell.inside is False else shown + " ✓" * bool(cell.inside)


def _provenance(results: SweepResults) -> Iterator[tuple[Content, ...]]:
    for section in results.sections:
        if section.part is not None:
            said = (
                f"{key} {'all' if value is None else ', '.join(value) if isinstance(value, tuple) else value}"
                for key, value in section.part.to_json().items()
                if key not in {"kind", "name"}
            )
            yield section.title, "; ".join(said)
    files = {True: "the published files (SHA-256)", False: "not the published files (SHA-256 differs)"}
    for section in results.sections:
        if section.stand_in or section.images:
            images = "; ".join(f"{name}: {files[same]}" for name, same in section.images.items())
            yield f"data of {section.title}", section.stand_in + images
