"""The page of a sweep: ``report.html`` and ``report.json``, made from the files of its folder alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from empirics.sweep.disk import write_json, write_together
from empirics.sweep.plain import to_json
from empirics.sweep.plan import Plan
from empirics.sweep.store import DamagedError, ResultFolder
from reports import text
from reports.claims import claims_of_sweeps
from reports.page import Bad, Block, Figure, Page, Prose, Section, Table
from reports.sweeps import figures
from reports.sweeps.parts import Part
from reports.sweeps.reproduction import build
from reports.text import legible, many
from reports.verdicts import Claim

# Which published blocks and studies a folder holds.
PARTS = "parts.json"
PAGE, NUMBERS = "report.html", "report.json"
_LEAD = Markup(
    "A network <i>f</i> is trained on clean data; perturbations of <i>f</i> with random labels train a "
    "second network\n"
    "<i>g</i>. Accuracies are on the clean training set, agreement is the share of test points where the "
    "signs of <i>f</i> and\n"
    "<i>g</i> are equal."
)
_REGIME = (
    "Neurons that are free (could flip) and that flipped, and τ = LTκ/(s√m), whose (2/π) arctan is the "
    "predicted free share; means over runs and test points. Zeros have no place on the axis."
)
_COSINE = (
    "Mean |cos| of the perturbations with the published u; band: smallest to largest seed. Hollow: "
    "published, with reading errors. Dashed: with ∇f_b, which was not published."
)
_ON_SEEDS = (
    "If a published value were one more seed, it would lie within the range of n seeds with chance at "
    "least (n − 1)/(n + 1),\n"
    "and a reading error adds to that. The p-value is the probability of so few or fewer, were the "
    "points independent. They share\n"
    "seeds, so it is a guide, not a test of known size."
)
_ON_COSINES = (
    "Mean |cos| of the perturbations with u, counted by itself; a seed’s value is the largest over its "
    "learning rates. The published Φ\n"
    "is a Monte Carlo mean of 1,000 draws. Its noise lowers a cosine by the share E‖e‖²/(2‖u‖²), e its "
    "error in u across u: 1e-5 for the\n"
    "shifted Gaussian, up to 1e-3 for Gaussian data, less than any reading error; nothing is corrected."
)
_ON_TRENDS = (
    "Where the published conditions become easier to meet along a sweep, agreement is expected to rise. "
    "The conditions are\n"
    "sufficient only: a row can fail. A seed gives Spearman’s rank correlation of its values with x; "
    "judged are their signs, the false\n"
    "alarm shared by all rows. What the decision names was excluded; nothing is stated of the accuracy "
    "of g. “Published”: the rank\n"
    "correlation of the values read off, one seed."
)
_ON_PREDICTIONS = Markup(
    "f and its perturbations are not trained in any but the fourth. “Two samples” (scenario (a)): all "
    "perturbations taken as ± one\n"
    "vector, the mean of ∇f(x; 0) + T<sub>f</sub>∇f<sub>b</sub>(x); g sees two distinct samples and is "
    "trained on those by its own solver. “Initial weights”:\n"
    "f(z; 0) + T<sub>f</sub>f<sub>b</sub>, perturbations along ∇f(x; 0) + "
    "T<sub>f</sub>∇f<sub>b</sub>(x), g(z; 0) + T<sub>g</sub>g<sub>b</sub> of those (identity loss). "
    "“Wide limit”: the signs of f<sub>b</sub>, and\n"
    "of g<sub>b</sub> for perturbations along ∇f<sub>b</sub>; “given the perturbations of f”, "
    "g<sub>b</sub> for those. “Two-number rule”: sgn(ε⟨u, z⟩ + mean target), u the unit\n"
    "vector between the class means (scenario (a)). The last three are about long training with the "
    "identity loss, wherever they are set\n"
    "beside another. τ, the larger of f and g, tells how far from lazy a run is: a share (2/π) arctan τ "
    "of its neurons can flip."
)
_WITHIN = ("within", "of", "expected, at least", "p-value", "not compared")

Json = Mapping[str, Any]


def read_parts(folder: Path) -> tuple[Part, ...]:
    """Return the published blocks and studies that a folder holds; none if nothing says so.

    Raises
    ------
    DamagedError
        If what says so is not as written.
    """
    path = folder / PARTS
    if not path.exists():
        return ()
    try:
        return tuple(
            Part.from_json(fields) for fields in json.loads(path.read_text(encoding="utf-8"))["parts"]
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = (
            f"{PARTS} is not what was written ({error}): give --published or --study again, once for each "
            "that the folder holds, with --merge if those are several"
        )
        raise DamagedError(msg) from error


def write_parts(folder: Path, parts: Sequence[Part]) -> None:
    """Write which published blocks and studies a folder holds; nothing for none, where nothing is."""
    if parts or (folder / PARTS).exists():
        write_json(folder / PARTS, {"parts": [part.to_json() for part in parts]})


def write_page(folder: Path) -> Path:
    """Write the page of a folder whose sweep has ended, and its numbers; return the path of the page.

    The same files of results give the same bytes.

    Raises
    ------
    ValueError
        If the plan or the parts of the folder are missing or not as written.
    OSError
        If there are no tables, or nothing can be written.
    """
    plan = ResultFolder(folder).read_plan()
    if plan is None:
        msg = f"folder must hold a sweep, got none in {folder}"
        raise ValueError(msg)
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    results = build(
        Plan.from_json(plan["blocks"]),
        [json.loads(line) for line in lines],
        read_parts(folder),
        provenance={"device": plan["device"], "versions": plan["versions"]},
    )
    # As a reader gets it: what the page shows is in the file.
    numbers = to_json({**results, "claims": [asdict(claim) for claim in claims_of_sweeps(results)]})
    page = render(json.loads(numbers))
    write_together({folder / NUMBERS: numbers.encode(), folder / PAGE: page.encode()})
    return folder / PAGE


def render(results: Mapping[str, Any]) -> str:
    """Return the HTML page of a sweep.

    Parameters
    ----------
    results : mapping
        From `reports.sweeps.reproduction.build`, with ``claims``.

    Returns
    -------
    str
        Works offline: no script, font, image or style from elsewhere.  The same results give the same text.
    """
    results = legible(results)
    said: list[Block] = [Claim(**claim) for claim in results["claims"]] or [
        Prose("Nothing to compare: no result has the columns that this page is about.", "")
    ]
    sections = [
        Section(section["title"], tuple(_blocks(section, f"s{index}")), f"s{index}")
        for index, section in enumerate(results["sections"], start=1)
    ]
    return Page(
        "A sweep: measured beside published and predicted",
        _LEAD,
        (
            Section("In short", tuple(said), "claims"),
            *sections,
            Section("Provenance", (_provenance(results),), "provenance"),
        ),
    ).html()


def _place(panel: Mapping[str, Any], index: int) -> str:
    """Return the x of a point as text: its name where x only counts the points."""
    if panel["ticks"] is not None:
        return str(panel["ticks"][index])
    return f"{panel['points'][index]['x']:g}"


def _blocks(section: Json, key: str) -> Iterator[Block]:
    """Yield a block, study or rest of a plan: its figures, then what is published, trends, predictions."""
    if section["question"]:
        yield Prose(section["question"], "")
    if section["foreign"]:
        others = ", ".join(name for name, same in section["images"].items() if not same)
        shown = "Published values are beside another data set: they are shown and not compared."
        yield Prose(
            f"Images are not the published files ({others}; their SHA-256 differs).\n"
            + (shown if section["published"] is not None else ""),
            "warning",
        )
    if section["panels_left_out"]:
        more = many(section["panels_left_out"], "more combination")
        left = Markup("Not drawn: {} of the axes; <code>results.csv</code> has them.").format(more)
        yield Prose(left, "")
    if section["part"] is not None and section["part"]["kind"] == "study":
        caption = "Agreement of all sweeps, means over seeds; each with its spread below."
        yield from _figure(figures.overview_figure(section, f"{key}-overview"), caption)
    panels = [
        (panel, f"{key}-{index}", figures.panel_figure(panel, f"{key}-{index}"))
        for index, panel in enumerate(section["panels"])
    ]
    empty = [panel["sweep"] for panel, _, drawn in panels if drawn is None]
    if empty:
        yield Prose("Without accuracies or agreement so far, so not drawn:", "")
    yield from (Prose(name, "") for name in empty)
    for panel, name, drawn in panels:
        if drawn is not None:
            yield from _panel(section, panel, name, drawn)
    if section["published"] is not None and not section["foreign"]:
        yield from _among_seeds(section["published"])
    if section["trends"] is not None and section["trends"]["rows"]:
        yield Prose("Trends", "heading")
        yield Prose(_ON_TRENDS)
        yield _trends(section["trends"]["rows"])
    yield from _predicted(section, key)


def _panel(section: Json, panel: Json, key: str, drawn: str) -> Iterator[Block]:
    beside = section["published"] is not None
    caption = "Mean over seeds; bands: one standard deviation and, lighter, smallest to largest seed."
    if beside:
        others = ", of other images." if section["foreign"] else "."
        caption += f" Hollow: published, with reading errors{others}"
    else:
        caption += " Dotted: predicted without training f or its perturbations."
    yield Prose(panel["sweep"], "heading")
    yield from _figure(drawn, caption)
    yield from _figure(figures.regime_figure(panel, f"{key}-regime"), _REGIME)
    yield from _figure(figures.cosine_figure(panel, f"{key}-cosine"), _COSINE)
    columns, rows = [panel["x_label"]], []
    for _, label, *_ in figures.SERIES:
        columns += [f"{label}: mean ± sd [min, max]", *(["published"] if beside else [])]
    for index, point in enumerate(panel["points"]):
        row = [_place(panel, index)]
        for name, *_ in figures.SERIES:
            cell = point["metrics"][name]
            row += [_ranged(cell), *([_read(cell, "not read")] if beside else [])]
        missing = f", {point['missing']} missing" if point["missing"] else ""
        seeds = str(point["metrics"]["agreement"]["n"])
        rows.append((*row, seeds, f"{point['failed']} of {point['runs']}{missing}"))
    summary = f"Point by point: {panel['sweep']}"
    yield Table((*columns, "seeds", "failed"), tuple(rows), wide=True, summary=summary)
    if all(point["cosines"]["cosine_published"]["published"] is None for point in panel["points"]):
        return
    yield Table(
        (
            panel["x_label"],
            "|cos| with u: mean ± sd [min, max]",
            "published",
            Markup("|cos| with ∇f<sub>b</sub>: mean ± sd [min, max]"),
            "seeds",
        ),
        tuple(
            (
                _place(panel, index),
                _ranged(cell := point["cosines"]["cosine_published"]),
                _read(cell, text.DASH),
                _ranged(point["cosines"]["cosine_derived"]),
                str(cell["n"]),
            )
            for index, point in enumerate(panel["points"])
        ),
        wide=True,
        summary=f"Cosines point by point: {panel['sweep']}",
    )


def _ranged(cell: Json) -> str:
    mean = text.spread(cell["mean"], cell["sd"]) if cell["n"] > 1 else text.number(cell["mean"])
    return f"{mean} [{text.number(cell['min'])}, {text.number(cell['max'])}]"


def _read(cell: Json, unread: str) -> str:
    """Return a published value with its reading error, marked where it is outside of our range."""
    if cell["published"] is None:
        return unread if cell["error"] is not None else text.DASH
    shown = f"{text.number(cell['published'])} ± {text.number(cell['error'])}"
    return Bad(f"{shown} ✗ outside") if cell["inside"] is False else shown + " ✓" * bool(cell["inside"])


def _among_seeds(published: Json) -> Iterator[Block]:
    """Yield how many published values, and cosines, lie within the ranges of our seeds."""
    labels = {name: label for name, label, *_ in figures.SERIES}
    rows = [(labels[name], published["by_metric"][name]) for name in labels]
    rows += [(f"sweep {name}", row) for name, row in published["by_sweep"].items()]
    rows.append(("all", published["all"]))
    yield Prose("Published values among our seeds", "heading")
    yield Prose(_ON_SEEDS)
    yield Table(("values", *_WITHIN), tuple((label, *_within(row)) for label, row in rows))
    cosines, gaps = published["cosines"], published["cosine_difference"]
    if not cosines["cosine_published"]["count"]:
        return
    yield Prose("Published cosines among our seeds", "heading")
    yield Prose(_ON_COSINES)
    yield Table(
        ("cosines", *_WITHIN, "our mean − published"),
        tuple(
            (label, *_within(cosines[name]), text.number(gaps[name], 2))
            for name, label in (
                ("cosine_published", "with u, as published"),
                ("cosine_derived", "with ∇f_b, beside the same published values"),
            )
        ),
    )


def _within(row: Json) -> tuple[str, ...]:
    counts = str(row["inside"]), str(row["count"]), text.number(row["expected"])
    return (*counts, text.number(row["p_value"], 2), str(row["not_compared"]))


def _trends(rows: Sequence[Json]) -> Table:
    made = []
    for row in rows:
        incomplete = f", {row['incomplete']} without a value somewhere" if row["incomplete"] else ""
        read = f"{text.number(row['published_correlation'], 2)} (n = {row['published_n']})"
        made.append(
            (
                row["sweep"],
                {"agreement": "agreement", "acc_g": "accuracy of g"}[row["series"]],
                "nothing stated" if row["basis"] is None else row["basis"],
                text.number(row["mean"], 2),
                f"{row['n']}{incomplete}",
                f"{row['rising']}, {row['falling']}",
                Bad("fails") if row["verdict"] == "fails" else row["verdict"],
                text.DASH if row["published_correlation"] is None else read,
                row["decision"],
            )
        )
    columns = "sweep", "metric", "expected to rise, as", "mean rank correlation", "seeds"
    return Table((*columns, "rising, falling", "verdict", "published", "decision"), tuple(made))


def _predicted(section: Json, key: str) -> Iterator[Block]:
    rows = [(one["runs"], row) for one in section["explained"] for row in one["predictions"] if row["n"]]
    yield Prose("Predicted against measured", "heading")
    yield Prose(_ON_PREDICTIONS)
    yield Table(
        ("runs", "predicted", "n", "correlation", "mean absolute error"),
        tuple(
            (
                *(runs, row["name"], text.count(row["n"])),
                *(text.number(row["correlation"], 4), text.number(row["mean_error"])),
            )
            for runs, row in rows
        ),
    )
    found = section["criterion"]
    if found is not None and found["rows"]:
        judged = "; ".join(
            f"{row['name'].partition(', ')[2]}: {row['verdict']} ({text.number(row['correlation'], 4)}, "
            f"{text.number(row['mean_error'])}, n = {text.count(row['n'])}; {row['decision']})"
            for row in found["rows"]
        )
        yield Prose(
            f"Criterion for the accuracy of g: correlation at least {text.number(found['correlation'])} and "
            f"mean absolute error at most {text.number(found['mean_error'])},\nwhat the two-number rule "
            "reached, rounded, on 77 runs of MSG(a) at the published optimiser; here as means over seeds, "
            f"not rounded, of {many(found['total'], 'run')}: {found['runs']}.\n{judged}."
        )
    chosen = section["explained"][section["explained_shown"]]
    for index, row in enumerate(chosen["predictions"]):
        yield from _figure(
            figures.scatter_figure(row, f"{key}-scatter-{index}"),
            f"{row['name'].capitalize()}; {chosen['runs']}: n = {text.count(row['n'])}, correlation "
            f"{text.number(row['correlation'], 4)}, mean absolute error {text.number(row['mean_error'])}.",
        )


def _provenance(results: Json) -> Table:
    totals = results["totals"]
    rows = [
        (
            "configurations",
            f"{totals['configurations']}: {totals['done']} done, {totals['failed']} failed, "
            f"{totals['missing']} missing",
        )
    ]
    for section in results["sections"]:
        if section["part"] is not None:
            said = (
                f"{name} {'all' if value is None else ', '.join(value) if name == 'sweeps' else value}"
                for name, value in section["part"].items()
                if name not in {"kind", "name"}
            )
            rows.append((section["title"], "; ".join(said)))
    for section in results["sections"]:
        if section["stand_in"] or section["images"]:
            files = {
                True: "the published files (SHA-256)",
                False: "not the published files (SHA-256 differs)",
            }
            images = "; ".join(f"{name}: {files[same]}" for name, same in section["images"].items())
            rows.append((f"data of {section['title']}", section["stand_in"] + images))
    for versions in results["provenance"]["versions"]:
        rows.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    rows.append(("device", str(results["provenance"]["device"])))
    numbers = Markup(
        "<code>report.json</code> beside this page, schema version {}; every run in "
        "<code>results.csv</code>, its plan in <code>plan.json</code>"
    ).format(results["schema_version"])
    return Table((), (*rows, ("numbers", numbers)))


def _figure(drawn: str | None, caption: str) -> tuple[Figure, ...]:
    return () if drawn is None else (Figure(Markup(drawn), caption),)
