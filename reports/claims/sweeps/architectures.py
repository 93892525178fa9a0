"""What is predicted of networks of any architecture before training: agreement, rates in width, balance."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint, in_pairs, sampling_noise
from reports.judging import (
    CONFIDENCE,
    RISING_RULE,
    SEEDS,
    Judgement,
    at_all_points,
    judge_mean,
    judge_rising,
    together,
)
from reports.page import Block, Table
from reports.runs import whole_seeds
from reports.shown import spread
from reports.statistics import Spread, mean
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

COLUMNS = (
    "agreement_test",
    "linear_agreement_test",
    "wide_agreement_test",
    "linear_error_f",
    "linear_error_g",
    "wide_error_f",
    "wide_error_g",
    "linear_cosine",
    "wide_cosine",
    "trained_cosine",
    "law_agreement_test",
    "label_agreement_test",
    "num_test",
)
LINEAR = 0.3  # relative error of (f(T) − f(0))/T up to which a prediction is about the training that was done
CLOSE = 0.03  # expected difference of agreement that is excluded where a claim holds
# Exponent of the width in relative errors, and how far off it may be.
RATES = {
    "wide_error_f": (-1 / 2, 0.15, "outputs of f"),
    "trained_cosine": (-1 / 4, 0.1, "directions of trained input gradients"),
}
_PREDICTED = {
    "linear": "that of both networks linearised at their initial weights",
    "wide": "the chance in the wide limit, from the initial weights of f alone",
}


def claims(section: Section) -> list[Claim]:
    """Return how agreement is predicted, and rates and balance where a sweep shows them."""
    points = [point for panel in section.panels for point in panel.points if point.deep]
    if not points:
        return []
    made = [_agreement(points, how) for how in _PREDICTED if _with(points, f"{how}_agreement_test")]
    made += [
        _rate(panel, column)
        for panel in section.panels
        if panel.x_label.startswith("width") and len(panel.points) > 2
        for column in RATES
        if all(column in point.deep for point in panel.points)
    ]
    balance = _balance(section)
    return made if balance is None else [*made, balance]


def _with(points: Sequence[WidePoint], column: str) -> list[WidePoint]:
    return [point for point in points if column in point.deep]


def _agreement(points: Sequence[WidePoint], how: str) -> Claim:
    """Judge the mean difference of predicted and measured agreement, point by point."""
    known = _with(points, f"{how}_agreement_test")
    met = [point for point in known if all(_small(point, f"{how}_error_{one}") for one in "fg")]
    differences = [_differences(point, how) for point in met]
    judged = [
        judge_mean(
            values,
            low=-CLOSE,
            high=CLOSE,
            least_sd=sampling_noise(point),
            tests=len(met),
            what="predicted less measured agreement",
        )
        for point, values in zip(met, differences, strict=True)
    ]
    means = [round(value, 4) for values in differences if (value := _mean(values)) is not None]
    return Claim(
        source="derived here",
        statement=f"The agreement of f and g is {_PREDICTED[how]}",
        rule=(
            f"hypothesis: mean relative errors of the velocities of f and g of {LINEAR:g} or less. Holds if "
            f"at every such point the t interval of the difference over seeds at {CONFIDENCE} lies within "
            f"±{CLOSE:g}, fails if one at {FALSE_ALARM:g}, shared by the points, lies outside; {SEEDS}"
        ),
        predicted=f"equal but for ±{text.number(CLOSE)}",
        measured=(
            f"{len(met)} of {many(len(known), 'point')} meet the hypothesis"
            + (f"; differences {text.number(min(means))} to {text.number(max(means))}" if means else "")
        ),
        **at_all_points(judged).given(bool(met)),
        numbers={"points": len(known), "met": len(met), "largest": max(map(abs, means), default=None)},
    )


def _small(point: WidePoint, column: str) -> bool:
    value = point.deep[column].mean if column in point.deep else None
    return value is not None and value <= LINEAR


def _differences(point: WidePoint, how: str) -> list[float | None]:
    pairs = in_pairs(point, f"{how}_agreement_test")
    return [None if pair is None else pair[0] - pair[1] for pair in pairs]


def _rate(panel: WidePanel, column: str) -> Claim:
    """Judge the exponent of the width, fitted for each seed by itself."""
    expected, reach, what = RATES[column]
    cells = [point.deep[column] for point in panel.points]
    whole, _ = whole_seeds(cells)
    logs = np.log([point.x for point in panel.points])
    slopes: list[float | None] = []
    for seed in whole:
        errors = [_error(column, cell.values[seed]) for cell in cells]
        slopes.append(float(np.polyfit(logs, np.log(errors), 1)[0]) if min(errors) > 0 else None)
    judged = judge_mean(
        slopes + [None] * _lost(panel.points[0], cells),
        low=expected - reach,
        high=expected + reach,
        what="exponent of the width",
    )
    return Claim(
        source="derived here",
        statement=f"{panel.sweep}: relative errors of the {what} fall as m^({text.number(expected)})",
        rule=(
            f"hypothesis: mean relative errors of the velocity of f, linearised, of {LINEAR:g} or less at "
            "every width. One least squares slope of log error against log m a seed; holds if the t interval "
            f"at {CONFIDENCE} lies within ±{reach:g} of {expected:g}, fails if that at {FALSE_ALARM:g} lies "
            f"outside; {SEEDS}"
        ),
        predicted=text.number(expected),
        measured=f"{text.number(_mean(slopes))} over {many(len(whole), 'seed')}",
        **judged.given(all(_small(point, "linear_error_f") for point in panel.points)),
        numbers={"exponent": _mean(slopes)},
    )


def _lost(first: WidePoint, cells: Sequence[Spread]) -> int:
    """Return how many seeds lack a value in some or all of the cells; `first` is the point of the first."""
    whole, some = whole_seeds(cells)
    everywhere = first.totals.failed + first.totals.missing - (len(some) - cells[0].n) if cells else 0
    return len(some) - len(whole) + max(everywhere, 0)


def _error(column: str, value: float) -> float:
    """Return a relative error; of a cosine the tangent of its angle, 0 of one that is not positive."""
    if "error" in column:
        return value
    return math.sqrt(max(1 - value**2, 1e-30)) / value if value > 0 else 0.0


def _balance(section: Section) -> Claim | None:
    """Judge that balanced targets raise agreement, seed by seed; None where a sweep is not there twice."""
    named = {panel.sweep: panel for panel in section.panels}
    if not {"random targets", "balanced targets"} <= named.keys():
        return None
    judged: list[Judgement] = []
    said = []
    balanced = {point.x: point for point in named["balanced targets"].points}
    pairs = [(old, balanced[old.x]) for old in named["random targets"].points if old.x in balanced]
    for old, new in pairs:
        cells = [point.deep["agreement_test"] for point in (old, new) if "agreement_test" in point.deep]
        whole, _ = whole_seeds(cells) if len(cells) == 2 else ([], [])
        gains = [cells[1].values[seed] - cells[0].values[seed] for seed in whole]
        judged.append(judge_rising(gains, incomplete=_lost(old, cells)))
        said.append(f"L = {old.x:g}: {' → '.join(text.number(cell.mean) for cell in cells)}")
    return Claim(
        source="derived here",
        statement="Where all layers learn, exactly balanced target labels raise agreement",
        rule=f"a seed rises if its agreement is larger with balanced targets; {RISING_RULE}",
        predicted="gains",
        measured="; ".join(said),
        **together(*judged).given(True),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    return mean([value for value in values if value is not None])


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield predicted beside measured, point by point, and for names of architectures a map."""
    panels = [panel for panel in section.panels if _with(panel.points, "linear_agreement_test")]
    if not panels:
        return
    if all(panel.ticks for panel in panels) and len(panels) > 1:
        yield _map(panels, key)
    columns = ["sweep", panels[0].x_label, "agreement", "linearised", "wide limit"]
    columns += ["error of f: linearised", "wide limit", "|cos| of perturbations: at θ₀ + T v", "wide limit"]
    shown = (*COLUMNS[:3], "linear_error_f", "wide_error_f", "linear_cosine", "wide_cosine")
    rows = []
    for panel in panels:
        places = panel.ticks or [f"{point.x:g}" for point in panel.points]
        for place, point in zip(places, panel.points, strict=True):
            cells = (spread(point.deep[name]) if name in point.deep else text.DASH for name in shown)
            rows.append((panel.sweep, place, *cells))
    yield Table(tuple(columns), tuple(rows), wide=True, summary="Predicted before training beside measured")


def _map(panels: Sequence[WidePanel], key: str) -> Block:
    """Draw measured agreement of every pair, with the linearised prediction below it."""
    ticks = panels[0].ticks or ()
    cells = [
        [[p.deep[name].mean if name in p.deep else None for name in COLUMNS[:2]] for p in panel.points]
        for panel in panels
    ]

    def draw(axes: Axes) -> None:
        values = np.array([[np.nan if v[0] is None else v[0] for v in row] for row in cells])
        axes.grid(visible=False)
        axes.imshow(values, vmin=0.5, vmax=1.0, cmap="Blues", aspect="auto")
        for i, row in enumerate(cells):
            for j, pair in enumerate(row):
                said = "\n".join("–" if v is None else f"{v:.2f}" for v in pair)
                color = "white" if (pair[0] or 0.0) > 0.8 else "black"
                axes.text(j, i, said, ha="center", va="center", fontsize=7, color=color)
        axes.set_xticks(range(len(ticks)), ticks, rotation=30, ha="right")
        axes.set_yticks(range(len(panels)), [panel.sweep for panel in panels])
        axes.set_xlabel(panels[0].x_label)

    caption = "Agreement of every pair: measured above, both networks linearised below; means over seeds."
    return svg.figure(draw, key, "transfer", "Agreement of pairs of architectures", caption, size=(7.2, 4.6))
