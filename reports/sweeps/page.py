"""The page of a sweep: ``report.html`` and ``report.json``, made from the files of its folder alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

from markupsafe import Markup

from empirics.campaigns.wide import Part
from empirics.wide import WIDE
from reports import text
from reports.claims.sweeps.explained import RULE_CORRELATION, RULE_ERROR
from reports.claims.sweeps.rows import Published, Section as Measured, SweepResults, Trend, WidePanel
from reports.page import Bad, Block, Page, Prose, Section, Table
from reports.running import read_folder, read_results
from reports.runs import NUMBERS, PAGE, Row, write
from reports.shown import SAID, figure, spread, table
from reports.statistics import Spread, Within, mean
from reports.sweeps import figures
from reports.sweeps.reproduction import build
from reports.text import many

__all__ = ["NUMBERS", "PAGE", "page_of", "read_parts", "write_page"]

_SAID = SAID["sweep"]
_WITHIN: dict[str, Callable[[tuple[str, Within]], str]] = {
    "within": lambda row: str(row[1].inside),
    "of": lambda row: str(row[1].count),
    "expected, at least": lambda row: text.number(row[1].expected),
    "p-value": lambda row: text.number(row[1].p_value, 2),
    "not compared": lambda row: str(row[1].not_compared),
}
_TREND: dict[str, Callable[[Trend], str]] = {
    "sweep": lambda row: row.sweep,
    "metric": lambda row: {"agreement": "agreement", "acc_g": "accuracy of g"}[row.series],
    "expected to rise, as": lambda row: row.basis or "nothing stated",
    "mean rank correlation": lambda row: text.number(mean(list(row.correlations.values())), 2),
    "seeds": lambda row: (
        f"{len(row.correlations)}"
        + (f", {row.incomplete} without a value somewhere" if row.incomplete else "")
    ),
    "rising, falling": lambda row: ", ".join(
        str(sum(s * c > 0 for c in row.correlations.values())) for s in (1, -1)
    ),
    "verdict": lambda row: Bad("fails") if row.verdict == "fails" else row.verdict,
    "published": lambda row: (
        text.DASH
        if row.published_correlation is None
        else f"{text.number(row.published_correlation, 2)} (n = {row.published_n})"
    ),
    "decision": lambda row: row.decision,
}


def read_parts(folder: Path) -> tuple[Part, ...]:
    """Return the published blocks and studies that a folder holds; it raises as `read_folder`."""
    found = read_folder(folder, WIDE.name, Part)
    return () if found is None else found.parts


def write_page(folder: Path) -> Path:
    """Write the page of a folder whose sweep has ended, and its numbers; it raises as `read_results`.

    The same files of results give the same bytes.
    """
    held, rows = read_results(folder, WIDE.name, Part, Row)
    return write(folder, build(held.plan, rows, held.parts, provenance=held.provenance), page_of)


def page_of(results: SweepResults) -> Page:
    """Return the page of a sweep.

    Works offline: no script, font, image or style from elsewhere.  The same results give the same text.
    """
    said: tuple[Block, ...] = results.claims or (
        Prose("Nothing to compare: no result has the columns that this page is about.", ""),
    )
    sections = [
        Section(section.title, tuple(_blocks(section, f"s{index}")), f"s{index}")
        for index, section in enumerate(results.sections, start=1)
    ]
    return Page(
        "A sweep: measured beside published and predicted",
        Markup(_SAID["lead"]),
        (
            Section("In short", said, "claims"),
            *sections,
            Section("Provenance", (_provenance(results),), "provenance"),
        ),
    )


def _blocks(section: Measured, key: str) -> Iterator[Block]:
    """Yield a block, study or rest of a plan: its figures, then what is published, trends, predictions."""
    if section.question:
        yield Prose(section.question, "")
    if section.foreign:
        shown = "Published values are beside another data set: they are shown and not compared."
        yield Prose(
            f"Images are not the published files ({', '.join(section.foreign)}; their SHA-256 differs).\n"
            + (shown if section.published is not None else ""),
            "warning",
        )
    if section.panels_left_out:
        more = many(section.panels_left_out, "more combination")
        left = Markup("Not drawn: {} of the axes; <code>results.csv</code> has them.").format(more)
        yield Prose(left, "")
    if section.study:
        caption = "Agreement of all sweeps, means over seeds; each with its spread below."
        yield from figure(figures.overview_figure(section, f"{key}-overview"), caption)
    panels = [
        (panel, f"{key}-{index}", figures.panel_figure(panel, f"{key}-{index}"))
        for index, panel in enumerate(section.panels)
    ]
    empty = [panel.sweep for panel, _, drawn in panels if drawn is None]
    if empty:
        yield Prose("Without accuracies or agreement so far, so not drawn:", "")
    yield from (Prose(name, "") for name in empty)
    for panel, name, drawn in panels:
        if drawn is not None:
            yield from _panel(section, panel, name, drawn)
    if section.published is not None and not section.foreign:
        yield from _among_seeds(section.published)
    if section.trends:
        yield Prose("Trends", "heading")
        yield Prose(_SAID["trends"])
        yield table(section.trends, _TREND)
    yield from _predicted(section, key)


def _panel(section: Measured, panel: WidePanel, key: str, drawn: str) -> Iterator[Block]:
    beside = section.published is not None
    caption = "Mean over seeds; bands: one standard deviation and, lighter, smallest to largest seed."
    if beside:
        others = ", of other images." if section.foreign else "."
        caption += f" Hollow: published, with reading errors{others}"
    else:
        caption += " Dotted: predicted without training f or its perturbations."
    yield Prose(panel.sweep, "heading")
    yield from figure(drawn, caption)
    yield from figure(figures.regime_figure(panel, f"{key}-regime"), _SAID["regime"])
    yield from figure(figures.cosine_figure(panel, f"{key}-cosine"), _SAID["cosine"])
    # The x of a point, or its name where x only counts the points.
    names = panel.ticks or tuple(f"{point.x:g}" for point in panel.points)
    columns = [panel.x_label]
    for _, label, *_ in figures.SERIES:
        columns += [f"{label}: mean ± sd [min, max]", *(["published"] if beside else [])]
    rows = []
    for place, point in zip(names, panel.points, strict=True):
        row, totals = [place], point.totals
        for cell in point.metrics.values():
            row += [_ranged(cell), *([_read(cell, "not read")] if beside else [])]
        missing = f", {totals.missing} missing" if totals.missing else ""
        seeds = str(point.metrics["agreement"].n)
        rows.append((*row, seeds, f"{totals.failed} of {totals.configurations}{missing}"))
    summary = f"Point by point: {panel.sweep}"
    yield Table((*columns, "seeds", "failed"), tuple(rows), wide=True, summary=summary)
    cosines = [(place, point.cosines) for place, point in zip(names, panel.points, strict=True)]
    if any(cells["cosine_published"].published is not None for _, cells in cosines):
        yield table(
            cosines,
            {
                panel.x_label: lambda row: row[0],
                "|cos| with u: mean ± sd [min, max]": lambda row: _ranged(row[1]["cosine_published"]),
                "published": lambda row: _read(row[1]["cosine_published"], text.DASH),
                Markup("|cos| with ∇f<sub>b</sub>: mean ± sd [min, max]"): lambda row: _ranged(
                    row[1]["cosine_derived"]
                ),
                "seeds": lambda row: str(row[1]["cosine_published"].n),
            },
            wide=True,
            summary=f"Cosines point by point: {panel.sweep}",
        )


def _ranged(cell: Spread) -> str:
    return f"{spread(cell)} [{text.number(cell.min)}, {text.number(cell.max)}]"


def _read(cell: Spread, unread: str) -> str:
    """Return a published value with its reading error, marked where it is outside of our range."""
    if cell.published is None:
        return unread if cell.error is not None else text.DASH
    shown = f"{text.number(cell.published)} ± {text.number(cell.error)}"
    return Bad(f"{shown} ✗ outside") if cell.inside is False else shown + " ✓" * bool(cell.inside)


def _among_seeds(published: Published) -> Iterator[Block]:
    """Yield how many published values, and cosines, lie within the ranges of our seeds."""
    yield Prose("Published values among our seeds", "heading")
    yield Prose(_SAID["seeds"])
    rows = [(label, published.by_metric[name]) for name, label, *_ in figures.SERIES]
    rows += [(f"sweep {name}", row) for name, row in published.by_sweep.items()]
    yield table([*rows, ("all", published.all)], {"values": lambda row: row[0], **_WITHIN})
    cosines, gaps = published.cosines, published.cosine_difference
    if not cosines["cosine_published"].count:
        return
    names = {
        "with u, as published": "cosine_published",
        "with ∇f_b, beside the same published values": "cosine_derived",
    }
    yield Prose("Published cosines among our seeds", "heading")
    yield Prose(_SAID["cosines"])
    yield table(
        [(label, cosines[name]) for label, name in names.items()],
        {
            "cosines": lambda row: row[0],
            **_WITHIN,
            "our mean − published": lambda row: text.number(gaps[names[row[0]]], 2),
        },
    )


def _predicted(section: Measured, key: str) -> Iterator[Block]:
    yield Prose("Predicted against measured", "heading")
    yield Prose(Markup(_SAID["predictions"]))
    yield table(
        [(one.runs, row) for one in section.explained for row in one.predictions if row.n],
        {
            "runs": lambda pair: pair[0],
            "predicted": lambda pair: pair[1].name,
            "n": lambda pair: text.count(pair[1].n),
            "correlation": lambda pair: text.number(pair[1].correlation, 4),
            "mean absolute error": lambda pair: text.number(pair[1].mean_error),
        },
    )
    found = section.criterion
    if found is not None and found.predictions:
        judged = "; ".join(
            f"{row.name.partition(', ')[2]}: {row.verdict} ({text.number(row.correlation, 4)}, "
            f"{text.number(row.mean_error)}, n = {text.count(row.n)}; {row.decision})"
            for row in found.predictions
        )
        yield Prose(
            f"Criterion for the accuracy of g: correlation at least {text.number(RULE_CORRELATION)} and "
            f"mean absolute error at most {text.number(RULE_ERROR)},\nwhat the two-number rule "
            "reached, rounded, on 77 runs of MSG(a) at the published optimiser; here as means over seeds, "
            f"not rounded, of {many(found.total, 'run')}: {found.runs}.\n{judged}."
        )
    chosen = section.shown
    for index, row in enumerate(chosen.predictions):
        yield from figure(
            figures.scatter_figure(row, f"{key}-scatter-{index}"),
            f"{row.name.capitalize()}; {chosen.runs}: n = {text.count(row.n)}, correlation "
            f"{text.number(row.correlation, 4)}, mean absolute error {text.number(row.mean_error)}.",
        )


def _provenance(results: SweepResults) -> Table:
    totals, made = results.totals, results.provenance
    counts = f"{totals.done} done, {totals.failed} failed, {totals.missing} missing"
    rows = [("configurations", f"{totals.configurations}: {counts}")]
    for section in results.sections:
        if section.part is not None:
            said = (
                f"{key} {'all' if value is None else ', '.join(value) if isinstance(value, tuple) else value}"
                for key, value in section.part.to_json().items()
                if key not in {"kind", "name"}
            )
            rows.append((section.title, "; ".join(said)))
    files = {True: "the published files (SHA-256)", False: "not the published files (SHA-256 differs)"}
    for section in results.sections:
        if section.stand_in or section.images:
            images = "; ".join(f"{name}: {files[same]}" for name, same in section.images.items())
            rows.append((f"data of {section.title}", section.stand_in + images))
    rows += [("versions", ", ".join(f"{n} {v}" for n, v in versions.items())) for versions in made.versions]
    numbers = Markup(
        "<code>report.json</code> beside this page, schema version {}; every run in "
        "<code>results.csv</code>, its plan in <code>plan.json</code>"
    ).format(results.schema_version)
    return Table((), (*rows, ("device", made.device), ("numbers", numbers)))
