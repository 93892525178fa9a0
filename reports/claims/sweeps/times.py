"""How long g must train until it agrees with f: the law of agreement over times beside trained networks.

Two predictions: the law from the data alone, and the wide limit from the initial weights of the very f and g
that are trained.  Most of the noise of measured agreement is that of initial networks.  Against the law it is
taken out where other pairs were drawn for the same data and not trained: the prediction from the initial
weights has the same expectation for these and for the pair that is trained, so that measured agreement less
its own prediction plus theirs has the expectation of measured agreement, whatever the prediction is worth.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from empirics.measure.times import LAW_COLUMNS
from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint, flipped
from reports.judging import (
    CONFIDENCE,
    SEEDS,
    SQUARE_RULE,
    Judgement,
    judge_mean,
    judge_root_mean_square,
    together,
)
from reports.page import Block, Table, fold
from reports.runs import whole_seeds
from reports.shown import finish, line, of_metric
from reports.statistics import Spread, jackknife, mean, summarise
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim
from theory.validation import Array

How = Literal["law", "given"]
# What the wide limit says of the pair that is trained, and of others that are not, in the mean.
GIVEN, OTHERS = "given_agreement_test", "others_agreement_test"
COLUMNS = (*LAW_COLUMNS, GIVEN, OTHERS)
_PREDICTED: dict[How, str] = {
    "law": "the law over times, from the data alone",
    "given": "the wide limit, from the initial weights of both networks",
}
_FROM: dict[How, str] = {"law": "data", "given": "initial weights"}
CLOSE: dict[How, float] = {"law": 0.02, "given": 0.01}  # root mean square difference of agreement
NEAR: dict[How, float] = {"law": 0.1, "given": 0.05}  # relative difference of a time
FLAT = 2  # times that is the width of its interval, each way, up to which a time is determined
SHARES = (0.6, 0.7, 0.8, 0.9, 0.95)  # mean agreements whose times are compared
FLIPPED = 0.1  # share of neurons that may flip where training still counts as lazy
BELOW, BEYOND = 0.0, math.inf  # times of what is reached before the first point, and of what never is
# A share near .9 of the largest number of test points for which there is a law, 500, has at least that one.
_LEAST_SD = math.sqrt(0.9 * 0.1 / 500)
_HYPOTHESIS = f"hypothesis: at most {FLIPPED:g} of the neurons of f and of g flip"


def claims(section: Section) -> list[Claim]:
    """Return for each prediction whether agreement, and the times of given shares, are those predicted."""
    made = []
    for how in _PREDICTED:
        panels = _panels(section, how)
        made += [_of_agreement(panels, how)] if panels else []
        made += [_of_times(panels, how)] if any("time of g" in panel.x_label for panel in panels) else []
    return made


def _panels(section: Section, how: How = "law") -> list[WidePanel]:
    return [panel for panel in section.panels if _points(panel, how)]


def _points(panel: WidePanel, how: How = "law") -> list[WidePoint]:
    """Return the points of trained networks with a prediction."""
    column = LAW_COLUMNS[0] if how == "law" else GIVEN
    return [point for point in panel.points if column in point.law and flipped(point) < math.inf]


def _lazy(panel: WidePanel, how: How = "law") -> list[WidePoint]:
    """Return those of them that meet the hypothesis."""
    return [point for point in _points(panel, how) if flipped(point) <= FLIPPED]


def _seen(point: WidePoint, how: How) -> list[tuple[float, float] | None]:
    """Return predicted and measured agreement, one a seed; None for runs that lack one of them."""
    columns = [GIVEN] if how == "given" else [LAW_COLUMNS[0], *(c for c in (GIVEN, OTHERS) if c in point.law)]
    cells = [point.metrics["agreement"], *(point.law[column] for column in columns)]
    whole, some = whole_seeds(cells)
    lost: list[None] = [None] * (len(some) - len(whole) + point.totals.failed + point.totals.missing)
    found: list[tuple[float, float] | None] = []
    for seed in whole:
        measured, predicted, *own = (cell.values[seed] for cell in cells)
        found.append((predicted, measured - own[0] + own[1] if len(own) == 2 else measured))
    return found + lost


def _differences(point: WidePoint, how: How) -> list[float | None]:
    return [None if pair is None else pair[0] - pair[1] for pair in _seen(point, how)]


def _of_agreement(panels: Sequence[WidePanel], how: How) -> Claim:
    """Judge the mean agreement of all curves."""
    met = [(panel, point) for panel in panels for point in _lazy(panel, how)]
    rows, close = [_differences(point, how) for _, point in met], CLOSE[how]
    judged, size = judge_root_mean_square(rows, limit=close, what="mean square difference")
    sizes = [value for row in rows if (value := mean([one for one in row if one is not None])) is not None]
    off = [
        f"{panel.sweep} at {point.x:g} ({text.number(value)})"
        for (panel, point), row, value in zip(met, rows, sizes, strict=False)
        if judge_mean(
            row, low=-close, high=close, least_sd=_LEAST_SD, tests=len(met), what="difference"
        ).holds
        is False
    ]
    known = sum(len(_points(panel, how)) for panel in panels)
    return Claim(
        source="derived here",
        statement=f"f and g agree at every training time as predicted by {_PREDICTED[how]}",
        rule=(
            f"{_HYPOTHESIS}. {SQUARE_RULE.format('such points', close)}; {SEEDS}. A point is missed if its t "
            f"interval at {FALSE_ALARM:g}, shared by the points, lies outside ±{close:g}"
        ),
        predicted=f"equal but for a root mean square of {close:g}",
        measured=(
            f"{len(met)} of {many(known, 'point')} of {many(len(panels), 'curve')} met the hypothesis"
            + (
                f"; root mean square {text.number(size)}, mean absolute difference of means "
                f"{text.number(mean([abs(one) for one in sizes]))}; points missed: {', '.join(off) or 'none'}"
                if sizes
                else ""
            )
        ),
        **judged.given(bool(met)),
        numbers={
            "points": known,
            "met": len(met),
            "rms": size,
            "mean": mean([abs(one) for one in sizes]),
            "missed": len(off),
        },
    )


class Time(NamedTuple):
    """When a share is reached on a curve, and how far that is known."""

    sweep: str
    share: float
    predicted: float  # `BELOW` the first point, or `BEYOND` the last
    measured: float
    logs: list[float]  # one a seed, whose mean is the logarithm of measured over predicted; or none
    late: list[float]  # one a seed: `_late`; or none

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Measured over predicted, and its t interval; NaN where there is none."""
        found = summarise(self.logs or [math.nan])
        return math.exp(found.mean), math.exp(found.low), math.exp(found.high)

    def determined(self, how: How) -> bool:
        """Tell whether the curve is steep enough for its noise."""
        _, low, high = self.ratio
        return high / low < (1 + FLAT * NEAR[how]) ** 2


def times_of(panel: WidePanel, how: How) -> list[Time]:
    """Return the times of the shares that are reached between the first and the last point of a curve."""
    points = [point for point in _lazy(panel, how) if point.x > 0]
    seen = [_seen(point, how) for point in points]
    if len(points) < 2 or any(len(row) != len(seen[0]) or None in row for row in seen) or len(seen[0]) < 2:
        return []
    xs, curves = [point.x for point in points], np.array(seen, dtype=float)  # (points, seeds, 2)
    found = []
    for share in SHARES:
        ends = _crossings(xs, curves.mean(axis=1), share)
        between = min(ends) > BELOW and max(ends) < BEYOND
        logs = jackknife(curves, partial(_log_ratio, xs, share)) if between else []
        found.append(Time(panel.sweep, share, *ends, logs, _late(xs, curves, ends, share, NEAR[how])))
    return [one for one in found if {one.predicted, one.measured} not in ({BELOW}, {BEYOND})]


def _late(
    xs: Sequence[float], curves: Array, ends: tuple[float, float], share: float, near: float
) -> list[float]:
    """Return how far above a share the later curve is, one a seed, when it should have reached it.

    That is at the time of the earlier one and what may be between them.  Nothing where it has by then, or no
    point is so late.
    """
    first = int(np.argmin(ends))
    start = max(ends[first], xs[0])
    due = start * (1 + near)
    if not due <= min(xs[-1], ends[1 - first]):
        return []

    def at(x: float, column: int) -> Array:
        return np.array([np.interp(math.log(x), np.log(xs), seed) for seed in curves[..., column].T])

    return list(at(due, 1 - first) - (share if ends[first] == BELOW else at(start, first)))


def _off(time: Time, how: How, tests: int) -> Judgement:
    """Judge one time, or where it is not determined whether the later curve is late."""
    name, near = _name(time), math.log1p(NEAR[how])
    if time.determined(how):
        return judge_mean(time.logs, low=-near, high=near, tests=tests, what=name)
    return judge_mean(time.late, low=0.0, least_sd=_LEAST_SD, tests=tests, what=f"{name}, the later curve")


def _of_times(panels: Sequence[WidePanel], how: How) -> Claim:
    """Judge the times of all shares on all curves."""
    found, near = [time for panel in panels for time in times_of(panel, how)], math.log1p(NEAR[how])
    known = [time for time in found if time.determined(how)]
    judged, size = judge_root_mean_square(
        [time.logs for time in known], limit=near, what="mean square log of measured over predicted"
    )
    missed = [(time, one) for time in found if (one := _off(time, how, len(found))).holds is False]
    ratios = [time.ratio[0] for time in known]
    return Claim(
        source="derived here",
        statement=(
            f"Mean agreements of {', '.join(f'{share:g}' for share in SHARES)} are reached at the times of g "
            f"predicted by {_PREDICTED[how]}"
        ),
        rule=(
            f"{_HYPOTHESIS}. A time is where the mean over seeds crosses a share, linear in the logarithm of "
            "time between points, as for the prediction. It is determined where the t interval at "
            f"{CONFIDENCE} of measured over predicted, of its jackknife over seeds, is narrower than "
            f"±{text.percent(FLAT * NEAR[how])}. Of its logarithm: {SQUARE_RULE.format('such times', near)}; "
            f"{SEEDS}. "
            f"Fails, too, if the interval of one at {FALSE_ALARM:g}, shared by the times, lies outside "
            f"±{text.percent(NEAR[how])}, or if of a time that is not determined the later curve is below "
            f"the share, so surely, {text.percent(NEAR[how])} after the earlier one reached it"
        ),
        predicted=f"equal but for a root mean square of {text.percent(NEAR[how])}",
        measured=(
            f"{len(known)} of {many(len(found), 'time')} determined"
            + (
                f"; measured over predicted {text.number(min(ratios))} to {text.number(max(ratios))}, root "
                f"mean square of its logarithm {text.number(size)}"
                if known
                else ""
            )
            + (
                f"; times missed: {', '.join(_name(time) for time, _ in missed) or 'none'}"
                if known or missed
                else ""
            )
        ),
        **together(judged, *(one for _, one in missed)).given(True if found else None),
        numbers={
            "times": len(found),
            "determined": len(known),
            "least": min(ratios, default=None),
            "largest": max(ratios, default=None),
            "rms": size,
            "missed": len(missed),
        },
    )


def _name(time: Time) -> str:
    return f"{time.sweep} at {time.share:g}"


def _log_ratio(xs: Sequence[float], share: float, means: Array) -> float:
    """Return the logarithm of measured over predicted time, NaN where one is not between the points."""
    predicted, measured = _crossings(xs, means, share)
    between = min(predicted, measured) > 0 and max(predicted, measured) < math.inf
    return math.log(measured / predicted) if between else math.nan


def _crossings(xs: Sequence[float], means: Array, share: float) -> tuple[float, float]:
    """Return where both columns of means reach a share."""
    first, second = (crossing(list(zip(xs, column, strict=True)), share) for column in means.T)
    return first, second


def crossing(cells: Sequence[tuple[float, float | None]], share: float) -> float:
    """Return the first x at which means reach a share, linear in log x between points.

    `BELOW` where the first point is above it already, and `BEYOND` where none reaches it.
    """
    known = [(x, value) for x, value in cells if value is not None and x > 0]
    for index, (x, value) in enumerate(known):
        if value >= share:
            if index == 0:
                return x if value == share else BELOW
            before, lower = known[index - 1]
            return float(before * (x / before) ** ((share - lower) / (value - lower)))
    return BEYOND


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the curves, and the times of given shares, predicted and measured."""
    panels = _panels(section)
    if not panels:
        return
    for index, panel in enumerate(panels):
        yield _figure(panel, f"{key}-{index}")
    label, rows = panels[0].x_label, []
    for panel in panels:
        xs = [point.x for point in _lazy(panel)]
        rows += [
            (
                panel.sweep,
                text.number(one.share),
                said,
                *(_said(time, xs) for time in one[2:4]),
                _ratio(one, how),
            )
            for how, said in _FROM.items()
            for one in times_of(panel, how)
        ]
    head = ("sweep", "mean agreement", "predicted from", f"{label}, predicted", f"{label}, measured")
    yield fold(
        "Times of given shares, predicted and measured",
        Table((*head, f"measured over predicted, at {CONFIDENCE}"), tuple(rows), wide=True),
    )


def _ratio(time: Time, how: How) -> str:
    """Return measured over predicted with its interval, or that the time is not determined."""
    if not time.determined(how):
        return "not determined"
    middle, low, high = map(text.number, time.ratio)
    return f"{middle} [{low}, {high}]"


def _said(time: float, xs: Sequence[float]) -> str:
    """Return a time, or beyond which point it is."""
    if time == BELOW:
        return f"below {xs[0]:g}"
    return f"not up to {xs[-1]:g}" if time == BEYOND else text.number(time, 3)


def _figure(panel: WidePanel, key: str) -> Block:
    points = _points(panel)
    predicted = [(point.x, point.law[LAW_COLUMNS[0]].mean) for point in points]
    measured = [("measured", "o", svg.SHADE, of_metric(points, "agreement"))]
    if all(OTHERS in point.law for point in points):
        pairs = [(point.x, [pair for pair in _seen(point, "law") if pair]) for point in points]
        less = [(x, Spread.of({seed: one for seed, (_, one) in enumerate(found)})) for x, found in pairs]
        measured.append(("measured, less noise", "s", svg.INK, less))

    def draw(axes: Axes) -> None:
        line(axes, predicted, color=svg.THIRD, label="predicted", stroke="-")
        for label, marker, color, cells in measured:
            known = [(x, cell.mean, (cell.sd or 0.0) / math.sqrt(cell.n)) for x, cell in cells if cell.n]
            xs, values, errors = np.array(known, dtype=float).T
            style: dict[str, Any] = {"markersize": 4, "linewidth": 0.9, "capsize": 1.5}
            axes.errorbar(xs, values, yerr=errors, fmt=marker, color=color, label=label, **style)
        for column, name, stroke in zip(LAW_COLUMNS[1:], ("limit", "floor"), ("--", ":"), strict=True):
            level = points[0].law[column].mean if column in points[0].law else None
            if level is not None:
                axes.axhline(level, color=svg.SHADE, linestyle=stroke, label=name)
        axes.set(ylabel="agreement", ylim=(0.45, 1.02))
        finish(axes, panel)

    caption = (
        f"{panel.sweep}. Predicted from the data alone; measured: means over seeds with standard errors. "
        "Less noise: less the prediction from the initial weights, plus its mean over pairs not trained. "
        "Limit: T_g → ∞; floor: agreement with a network f that was never trained, in that limit."
    )
    alt = f"Predicted and measured agreement against {panel.x_label}"
    return svg.figure(draw, key, "times", alt, caption)
