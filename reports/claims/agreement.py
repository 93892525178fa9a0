"""How often f and g agree: as predicted, and more often at larger widths."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from reports import svg
from reports._matplotlib import Axes
from reports.claim_text import by_seed, interval, listed, numbers_of, spread
from reports.claims.laziness import lazy
from reports.claims.rates import limit_of
from reports.claims.widths import draw_spread, of_widths, over_seeds
from reports.drawings import Map
from reports.inline import rich
from reports.judging import CONFIDENCE, SEEDS, judge_mean, unmeasured
from reports.numbers import Numbers, of_columns, picked, records
from reports.page import Block, Figure, Prose, Table, fold, say, table
from reports.results import Section
from reports.statistics import summarise
from reports.text import count, number
from reports.verdicts import FALSE_ALARM, Claim, all_rows_finite

EVIDENCE, TITLE = "agreement", "Agreement of f and g"
AGREEMENT_MARGIN = 0.03
# Widths of the published experiments, whose agreement rises with the width.
_PUBLISHED_WIDTHS = (1, 1_000)
_UNMET = {
    "width": "width",
    "a": "(a)",
    "b": "(b), ν = d/√N",
    "b, scenario": "(b), ν of the scenario",
    "c": "(c)",
    "none": "all met, ν = d/√N",
    "none, scenario": "all met, ν of the scenario",
}


def claims(section: Section) -> list[Claim]:
    """Judge the predicted share of points where f and g agree, and whether it rises with the width."""
    return [_predicted(section), _trend(section)]


def _predicted(section: Section) -> Claim:
    met, hypothesis = lazy(section, "f", "g")
    widest = section.widths[-1]
    runs = [run.agreement for run in section.runs if run.width == widest]
    record = section.by_width[-1].agreement
    pairs = [(run.measured, run.predicted) for run in runs]
    gap, judged = None, unmeasured()
    if all_rows_finite(pairs):
        gaps = [measured - predicted for measured, predicted in pairs]
        # No smaller than the deviation of independent points, √(p(1 − p)/Q), at the p that is nearest to 1/2
        # of all that the claim allows: points of a seed agree or differ together, and a few that all agree
        # where this is predicted to be certain do not exclude that some would not.
        allowed = [min(max(0.5, p - AGREEMENT_MARGIN), p + AGREEMENT_MARGIN) for _, p in pairs]
        chance = sum(p * (1 - p) for p in allowed) / len(pairs)
        gap, judged = (
            summarise(gaps),
            judge_mean(
                gaps,
                low=-AGREEMENT_MARGIN,
                high=AGREEMENT_MARGIN,
                least_sd=math.sqrt(chance / section.num_test),
                what="a mean of measured − predicted",
            ),
        )
    return Claim(
        key="agreement",
        statement=(
            "How often f and g agree is predicted without training anything, from the chance that T g_b "
            "outweighs the initial g"
        ),
        formula=r"P(\operatorname{sgn} g = \operatorname{sgn} f) = F(T_g g_b \operatorname{sgn} f / \sigma)",
        source="derived here",
        hypothesis=hypothesis,
        predicted=spread(record.predicted),
        measured=f"{spread(record.measured)}; difference {interval(gap)}",
        samples=f"{len(runs)} seeds × {section.num_test} fresh points at m = {widest:,}",
        rule=(
            f"t interval of measured − predicted over {SEEDS}; holds inside "
            f"±{AGREEMENT_MARGIN} ({CONFIDENCE}), fails outside (false alarm {FALSE_ALARM:g})"
        ),
        numbers=numbers_of(gap),
        **judged.given(met),
    )


def _trend(section: Section) -> Claim:
    """Judge the slope of agreement against log₁₀ m, seed by seed, over the widths of the published range."""
    low, high = _PUBLISHED_WIDTHS
    widths = [width for width in section.widths if low <= width <= high]
    met = len(widths) >= 3
    chosen = widths if met else section.widths
    slope, judged = None, unmeasured()
    if len(chosen) >= 2:
        rows = [[run.agreement.measured for run in runs] for runs in by_seed(section, chosen)]
        if all_rows_finite(rows):
            decades = [math.log10(width) for width in chosen]
            slopes = np.polyfit(decades, np.transpose(rows), 1)[0].tolist()
            slope, judged = summarise(slopes), judge_mean(slopes, low=0.0, what="a mean slope")
    first, last = (_mean_agreement(section, width) for width in (chosen[0], chosen[-1]))
    return Claim(
        key="trend-width",
        statement="Agreement rises with the width",
        formula=r"\frac{d}{d \log_{10} m} P(\operatorname{sgn} f = \operatorname{sgn} g) > 0",
        source="published",
        hypothesis=f"three widths in the published range, {low} to {high:,}: {listed(widths)}",
        predicted="slope above 0",
        measured=(
            f"slope {interval(slope)} a decade: {first} at m = {chosen[0]:,}, {last} at m = {chosen[-1]:,}"
        ),
        samples=f"{len(section.seeds)} seeds × {section.num_test} points at {len(chosen)} widths",
        rule=f"t interval of the slope over {SEEDS}; holds above 0 ({CONFIDENCE}), "
        f"fails below (false alarm {FALSE_ALARM:g})",
        numbers=numbers_of(slope),
        **judged.given(met),
    )


def _mean_agreement(section: Section, width: int) -> str:
    (row,) = [row for row in section.by_width if row.width == width]
    return spread(row.agreement.measured)


def figure(section: Section, key: str) -> Figure:
    """Draw how often f and g agree, measured and predicted, which a report begins with."""

    def draw(axes: Axes) -> None:
        predicted = over_seeds(section, "agreement", "predicted")
        axes.plot(section.widths, predicted, "--", color=svg.INK, label="predicted, nothing trained")
        draw_spread(axes, section, "agreement", "measured", "measured")
        draw_spread(axes, section, "g", "accuracy_test", "test accuracy of g")
        svg.log_x(axes)
        drawn = [row.agreement.measured for row in section.by_width]
        drawn += [row.g.accuracy_test for row in section.by_width]
        ends = [one.mean - (one.sd or 0.0) for one in drawn if one.mean is not None]
        predicted_ends = over_seeds(section, "agreement", "predicted")
        lowest = np.nanmin([0.98, *ends, *predicted_ends])
        room = 0.6 * (1 - lowest)  # for the legend
        axes.set(xlabel="width m", ylabel="share of fresh points", ylim=(lowest - room, 1 + room / 3))
        axes.legend(loc="lower right", ncols=2, fontsize=9)

    alt = "Share of test points where f and g agree, measured and predicted, against width"
    caption = rich(
        """**{}**: predicted from data, target labels and untrained networks; bars are one standard deviation
        over seeds.""",
        section.name,
    )
    numbers = of_widths(section, agreement=("measured", "predicted"), g=("accuracy_test",))
    return svg.figure(draw, key, "agreement", alt, caption, numbers, size=(5.4, 2.6))


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield where f and g agree on a plane through the data, and why not elsewhere."""
    drawn = section.map
    if drawn is None:
        yield say("No decision map: the data do not span a plane.")
    else:
        yield _map(section, drawn, key)
        first, second = ([point[axis] for point in drawn.data] for axis in (0, 1))
        points = of_columns({"label": drawn.labels, "first axis": first, "second axis": second})
        yield fold("Training points on the map", Table((), (), name="map-points", numbers=points))
    yield from _diagnosis(section, key)


def _map(section: Section, drawn: Map, key: str) -> Figure:
    """Draw the signs of f and g on a plane through the data."""
    ticks, side = drawn.ticks, len(drawn.ticks)
    names = ["f", "g", "f_b", "g_b", *([] if drawn.certified is None else ["certified"])]
    lists = picked(drawn, *names)
    grids = {name: np.array(values, float).reshape(side, side) for name, values in lists.items()}

    def draw(axes: Axes) -> None:
        differ = np.where(np.sign(grids["f"]) != np.sign(grids["g"]), 1.0, 0.0)
        if differ.any():
            axes.contourf(ticks, ticks, differ, levels=[0.5, 1.5], colors=[svg.SHADE], alpha=0.35)
        for name, network, style in (("f", "f", "-"), ("g", "g", "-"), ("f_b", "f", ":"), ("g_b", "g", ":")):
            values, color = grids[name], svg.COLORS[network]
            if values.min() < 0 < values.max():
                axes.contour(ticks, ticks, values, levels=[0.0], colors=[color], linestyles=[style])
            label = f"{name if style == '-' else limit_of(section, network)} = 0"
            axes.plot([], [], style, color=color, label=label)
        if "certified" in grids and grids["certified"].any():
            axes.contourf(ticks, ticks, grids["certified"], levels=[0.5, 1.5], colors=[svg.THIRD], alpha=0.18)
        points, labels = np.array(drawn.data), np.array(drawn.labels)
        marks: Any = {"color": svg.INK, "markersize": 3.5, "alpha": 0.55, "linestyle": "none"}
        for sign, marker in ((1, "+"), (-1, "x")):
            axes.plot(*points[labels == sign].T, marker, **marks)
        axes.set(xlabel="along the class-mean difference", ylabel="main orthogonal direction", aspect="equal")
        axes.grid(visible=False)
        axes.legend(ncols=4, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=1.4)

    alt = (
        "Plane through the data with the zero lines of f, g and their predictions; shaded where signs differ"
    )
    certified = drawn.certified_width
    proved = f", green where agreement is certified for a flow at m = {count(certified)}" if certified else ""
    caption = rich(f"""Zero lines of the trained networks (solid) and of their predictions (dotted), m =
        {count(drawn.width)}, seed {drawn.seed}; pink where f and g differ{proved}. Orthonormal axes
        through the training mean; training points (+, ×) are projected orthogonally, so a point need not lie
        on the side of the line that its label has.""")
    rows = tuple(
        (name, y, *values[place * side : (place + 1) * side])
        for name, values in lists.items()
        for place, y in enumerate(ticks)
    )
    columns = ("quantity", "second axis", *(f"first axis {tick!r}" for tick in ticks))
    numbers = Numbers(columns=columns, rows=rows)
    return svg.figure(draw, key, "map", alt, caption, numbers, size=(4.8, 4.9))


# Why f and g differ -----------------------------------------------------------------------------------


def _diagnosis(section: Section, key: str) -> Iterator[Block]:
    """Yield what is to blame at the points where f and g differ, and which runs failed."""
    found = section.diagnosis
    rows, below = found.by_width, number(found.failed_below)
    yield Prose("Why f and g differ where they do", "subheading", f"{key}-diagnosis")
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
    yield say(f"Runs that failed, with an agreement below {below}:")
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
    totals = sum((Counter(row.causes) for row in rows), Counter())
    ranked = sorted(totals, key=lambda cause: (-totals[cause], cause))

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))
        base = np.zeros(len(rows))
        fills = ((svg.F, ""), (svg.G, "//"), (svg.THIRD, ".."), (svg.SHADE, "xx"))
        layers = [([cause], cause, fill) for cause, fill in zip(ranked, fills, strict=False)]
        layers += [(ranked[4:], "other causes", (svg.GRID, ""))] if ranked[4:] else []
        for some, label, (color, hatch) in layers:
            heights = np.array([sum(row.causes.get(c, 0) for c in some) / row.points for row in rows])
            bars: Any = {"color": color, "edgecolor": svg.INK, "hatch": hatch}
            axes.bar(places, heights, 0.6, bottom=base, label=label, **bars)
            base += heights
        axes.set_xticks(places, [f"{row.width:,}" for row in rows])
        axes.set(xlabel="width m", ylabel="share of points that differ", ylim=(0, 1.7 * base.max()))
        axes.legend(fontsize=9, loc="upper right")

    if ranked:
        alt = "Share of test points where the signs of f and g differ, against width, stacked by cause"
        caption = rich("""Share of the test points of all seeds where f and g differ, by what is to blame; the
            four most frequent causes and the others.""")
        yield svg.figure(draw, key, "causes", alt, caption, causes)
    blamed = (
        *(shares("causes", cause, cause) for cause in found.causes),
        ("all points that differ", *(f"{count(row.differ)} of {count(row.points)}" for row in rows)),
        ("where the cause is enough alone", *(count(sum(row.enough.values())) for row in rows)),
    )
    yield Table(("points to blame on", *at), blamed, name="causes", numbers=causes)
    yield say("Published conditions that were not met at these points:")
    unmet = tuple(shares("unmet", name, label) for name, label in _UNMET.items())
    first = "not met, constant 1, of the points that differ"
    yield Table((first, *at), unmet, name="unmet", numbers=part("unmet"))
    if found.terms:
        cells = tuple(
            (name, *(number(row.sizes[name]) if name in row.sizes else "" for row in rows))
            for name in found.terms
        )
        columns = ("median of |term| / |signal|", *at)
        sizes = Table(columns, cells, name="sizes", numbers=part("sizes"))
        yield fold("Sizes of the terms at these points", sizes)
