"""How long g must train until it agrees with f: the law of agreement over times beside trained networks."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint
from reports.judging import CONFIDENCE, SEEDS, judge_mean, together
from reports.page import Block, Table, fold
from reports.shown import finish, line, means, of_metric
from reports.statistics import Spread, mean
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

# The law from the data alone, its limit as T_g → ∞, and that limit for an untrained f.
COLUMNS = ("law_agreement_test", "law_limit_test", "law_floor_test")
SHARES = (0.6, 0.7, 0.8, 0.9, 0.95)  # mean agreements whose times are compared
CLOSE = 0.03  # expected difference of agreement that is excluded where the claim holds
FLIPPED = 0.1  # share of neurons that may flip where training still counts as lazy
# A share near .9 of the largest number of test points for which there is a law, 500, has at least that one.
_LEAST_SD = math.sqrt(0.9 * 0.1 / 500)


def claims(section: Section) -> list[Claim]:
    """Return whether agreement is the law's at all times, and the times of given shares."""
    panels = _panels(section)
    if not panels:
        return []
    points = [point for panel in panels for point in panel.points if _known(point)]
    met = [point for point in points if _lazy(point)]
    judged = [
        judge_mean(
            _differences(point),
            low=-CLOSE,
            high=CLOSE,
            least_sd=_LEAST_SD,
            tests=len(met),
            what="predicted less measured agreement",
        )
        for point in met
    ]
    found = [value for point in met if (value := mean(_present(_differences(point)))) is not None]
    size = mean([abs(value) for value in found])
    claim = Claim(
        source="derived here",
        statement="f and g agree at every training time as the law over times says, from the data",
        rule=(
            f"hypothesis: at most {FLIPPED:g} of the neurons of f and of g flip. Holds if at every such "
            f"point the t interval of the difference over seeds at {CONFIDENCE} lies within ±{CLOSE:g}, "
            f"fails if one at {FALSE_ALARM:g}, shared by the points, lies outside; {SEEDS}"
        ),
        predicted=f"equal but for ±{text.number(CLOSE)}",
        measured=(
            f"{len(met)} of {many(len(points), 'point')} met the hypothesis"
            + (f"; mean absolute difference of means {text.number(size)}" if found else "")
        ),
        **together(*judged).given(bool(met)),
        numbers={"points": len(points), "met": len(met), "mean": size},
    )
    return [claim]


def _panels(section: Section) -> list[WidePanel]:
    return [panel for panel in section.panels if any(_known(point) for point in panel.points)]


def _known(point: WidePoint) -> bool:
    return COLUMNS[0] in point.law


def _lazy(point: WidePoint) -> bool:
    shares = [point.regime[f"flipped_{name}"] for name in "fg"]
    return all(share is not None and share <= FLIPPED for share in shares)


def _differences(point: WidePoint) -> list[float | None]:
    """Return predicted less measured agreement, a seed; None for runs that lack one of them."""
    predicted, measured = point.law[COLUMNS[0]].values, point.metrics["agreement"].values
    both = predicted.keys() & measured.keys()
    lost = len(predicted.keys() ^ measured.keys()) + point.totals.failed + point.totals.missing
    return [predicted[seed] - measured[seed] for seed in sorted(both)] + [None] * lost


def _present(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _crossing(cells: Sequence[tuple[float, float | None]], share: float) -> float | None:
    """Return the first x at which means reach a share, linear in log x between points; None if none does."""
    known = [(x, value) for x, value in cells if value is not None and x > 0]
    for index, (x, value) in enumerate(known):
        if value >= share:
            if index == 0:
                return x
            before, lower = known[index - 1]
            return float(before * (x / before) ** ((share - lower) / (value - lower)))
    return None


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the curves, and the times of given shares, predicted and measured."""
    panels = _panels(section)
    if not panels:
        return
    rows = []
    for panel in panels:
        predicted, measured = _curves(panel)
        for share in SHARES:
            times = [_crossing(means(curve), share) for curve in (predicted, measured)]
            if any(time is not None for time in times):
                cells = ("not reached" if time is None else text.number(time, 3) for time in times)
                rows.append((panel.sweep, text.number(share), *cells))
    label = panels[0].x_label
    head = ("sweep", "mean agreement", f"{label}, predicted", f"{label}, measured")
    for index, panel in enumerate(panels):
        yield _figure(panel, f"{key}-{index}")
    yield fold("Times of given shares, predicted and measured", Table(head, tuple(rows), wide=True))


def _curves(panel: WidePanel) -> tuple[list[tuple[float, Spread]], list[tuple[float, Spread]]]:
    """Return predicted and measured agreement at the points with a prediction."""
    points = [point for point in panel.points if _known(point)]
    return [(point.x, point.law[COLUMNS[0]]) for point in points], of_metric(points, "agreement")


def _figure(panel: WidePanel, key: str) -> Block:
    predicted, measured = _curves(panel)
    first = next(point for point in panel.points if _known(point))

    def draw(axes: Axes) -> None:
        line(axes, means(predicted), color=svg.THIRD, label="predicted", stroke="-")
        known = [(x, cell.mean, (cell.sd or 0.0) / math.sqrt(cell.n)) for x, cell in measured if cell.n]
        xs, values, errors = np.array(known, dtype=float).T
        style: dict[str, Any] = {"markersize": 4, "linewidth": 0.9, "capsize": 1.5}
        axes.errorbar(xs, values, yerr=errors, fmt="o", color=svg.INK, label="measured", **style)
        for column, label, stroke in zip(COLUMNS[1:], ("limit", "floor"), ("--", ":"), strict=True):
            level = first.law[column].mean if column in first.law else None
            if level is not None:
                axes.axhline(level, color=svg.SHADE, linestyle=stroke, label=label)
        axes.set(ylabel="agreement", ylim=(0.45, 1.02))
        finish(axes, panel)

    caption = (
        f"{panel.sweep}. Predicted from the data alone; measured: means over seeds with standard errors. "
        "Limit: T_g → ∞; floor: agreement with a network f that was never trained, in that limit."
    )
    alt = f"Predicted and measured agreement against {panel.x_label}"
    return svg.figure(draw, key, "times", alt, caption)
