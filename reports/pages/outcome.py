"""Whether f and g agree, and why they differ where they do."""

from collections.abc import Iterator

from reports import figures
from reports.claim_text import spread
from reports.drawings import Map
from reports.inline import rich
from reports.numbers import Numbers, picked, records, together
from reports.page import Block, Prose, Table, figure, say, table
from reports.pages.regime import of_widths
from reports.results import Section
from reports.text import count, number

_UNMET = {
    "width": "width",
    "a": "(a)",
    "b": "(b), ν = d/√N",
    "b, scenario": "(b), ν of the scenario",
    "c": "(c)",
    "none": "all met, ν = d/√N",
    "none, scenario": "all met, ν of the scenario",
}
_MEANS = {
    "accuracy, train": "accuracy_train",
    "accuracy, test": "accuracy_test",
    "mean τ": "mean_tau",
    "free, law": "free_predicted",
    "free": "free_measured",
    "flipped": "flipped",
    "relative error": "relative_error",
    "sgn as predicted": "sign_match",
}


def agreement(section: Section, key: str) -> Iterator[Block]:
    """Yield how often f and g agree, and where on a plane through the data."""
    drawn = section.map
    yield Prose("Agreement of f and g", "heading", f"{key}-agreement")
    caption = rich("""Share of fresh points with equal signs; the prediction uses the data, the target labels
        and untrained networks. Bars are one standard deviation over seeds.""")
    numbers = of_widths(section, agreement=("measured", "predicted"), g=("accuracy_test",))
    yield from figure(figures.agreement_figure(section, key), caption, "agreement", numbers)
    if drawn is None:
        yield say("No decision map: the data do not span a plane.")
        return
    certified = drawn.certified_width
    proved = f", green where agreement is certified for a flow at m = {count(certified)}" if certified else ""
    caption = rich(f"""Zero lines of the trained networks (solid) and of their predictions (dotted), m =
        {count(drawn.width)}, seed {drawn.seed}; pink where f and g differ{proved}. Orthonormal axes
        through the training mean; training points (+, ×) are projected orthogonally, so a point need not lie
        on the side of the line that its label has.""")
    yield from figure(figures.map_figure(section, key), caption, "map", _grid(drawn))
    first, second = ([point[axis] for point in drawn.data] for axis in (0, 1))
    points = together({"label": drawn.labels, "first axis": first, "second axis": second})
    yield Table((), (), name="map-points", numbers=points, summary="Training points on the map")


def _grid(drawn: Map) -> Numbers:
    """Return the values on the grid, a row for each quantity and place on the second axis."""
    ticks, names = drawn.ticks, ["f", "g", "f_b", "g_b"]
    names += [] if drawn.certified is None else ["certified"]
    rows = [
        (name, y, *values[place * len(ticks) : (place + 1) * len(ticks)])
        for name, values in picked(drawn, *names).items()
        for place, y in enumerate(ticks)
    ]
    columns = ("quantity", "second axis", *(f"first axis {tick!r}" for tick in ticks))
    return Numbers(columns=columns, rows=tuple(rows))


def diagnosis(section: Section, key: str) -> Iterator[Block]:
    """Yield what is to blame at the points where f and g differ, and which runs failed."""
    found = section.diagnosis
    rows, below = found.by_width, number(found.failed_below)
    yield Prose("Why f and g differ where they do", "heading", f"{key}-diagnosis")
    if any(row.differ for row in rows):
        yield from _causes(section, key)
    else:
        points = count(sum(row.points for row in rows))
        yield say(f"They differ at none of the {points} test points of these runs.")
    if not found.failed:
        yield say(f"No run had an agreement below {below}.")
        return
    columns = {
        "m": lambda run: count(run.width),
        "seed": lambda run: str(run.seed),
        "agreement": lambda run: number(run.agreement),
        "cause of most points": lambda run: run.cause,
        "its share": lambda run: f"{number(None if run.share is None else 100 * run.share)} %",
        "not met at most of them": lambda run: "; ".join(run.unmet) or "none",
    }
    yield Prose("Runs that failed", "subheading")
    yield say(f"Agreement below {below}:")
    yield table(found.failed, columns, name="failed")


def _causes(section: Section, key: str) -> Iterator[Block]:
    found, loss = section.diagnosis, section.setting.loss
    rows = found.by_width
    at = tuple(f"m = {count(row.width)}" for row in rows)

    def part(*names: str) -> Numbers:
        return records(picked(row, "width", "points", "differ", *names) for row in rows)

    def shares(group: str, name: str, label: str) -> tuple[str, ...]:
        known = (getattr(row, group).get(name) if row.differ else None for row in rows)
        pairs = zip(known, rows, strict=True)
        return label, *("" if n is None else f"{count(n)} ({number(100 * n / r.differ)} %)" for n, r in pairs)

    yield say(r"""At every point where the signs differ, both outputs are split into terms that add up to
        them: the signal that the theory reads the sign off ($\frac{T}{N} \sum_n \Phi \, y_n \langle x_n, z
        \rangle$ for f, $\frac{T}{N} \sum_n \Phi \, t_n \langle r_n, z \rangle$ for g), the initial network,
        the terms of the bias, in scenario (b) those of the samples with their random labels, the kernel of
        the untrained network minus Φ, and the rest, which comes from changed activations (flips). If the
        signals have one sign, the term that opposes it most in the network of the other sign is to blame.""")
    if loss != "identity":
        yield say("The account is that of the identity loss; with {} loss the cause is not known.", loss)
    causes = part("causes", "enough")
    caption = rich("""Share of the test points of all seeds where f and g differ, by what is to blame; the
        four most frequent causes and the others.""")
    yield from figure(figures.causes_figure(section, key), caption, "causes", causes)
    blamed = (
        *(shares("causes", cause, cause) for cause in found.causes),
        ("all points that differ", *(f"{count(row.differ)} of {count(row.points)}" for row in rows)),
        ("where the cause is enough alone", *(count(sum(row.enough.values())) for row in rows)),
    )
    yield Table(("points to blame on", *at), blamed, name="causes", numbers=causes)
    yield Prose("Conditions that were not met at these points", "subheading")
    unmet = tuple(shares("unmet", name, label) for name, label in _UNMET.items())
    first = "not met, constant 1, of the points that differ"
    yield Table((first, *at), unmet, name="unmet", numbers=part("unmet"))
    if found.terms:
        cells = tuple(
            (name, *(number(row.sizes[name]) if name in row.sizes else "" for row in rows))
            for name in found.terms
        )
        columns, summary = ("median of |term| / |signal|", *at), "Sizes of the terms at these points"
        yield Table(columns, cells, name="sizes", numbers=part("sizes"), summary=summary)


def means(section: Section, _key: str) -> Iterator[Block]:
    """Yield all means and spreads by width, and every run."""
    rows = [
        (
            *(count(row.width), network, *(spread(getattr(row[network], name)) for name in _MEANS.values())),
            *(
                spread(getattr(row.agreement, name)) if network == "g" else ""
                for name in ("measured", "predicted")
            ),
        )
        for row in section.by_width
        for network in ("f", "g")
    ]
    columns, summary = ("m", "network", *_MEANS, "agreement", "predicted"), "All means and spreads by width"
    numbers = records(section.by_width)
    yield Table(columns, tuple(rows), name="by-width", numbers=numbers, summary=summary)
    told = ("width", "seed", "f", "g", "cosines", "agreement")
    runs = records(picked(run, *told) for run in section.runs)
    yield Table((), (), name="runs", numbers=runs, summary="Numbers of every run")
