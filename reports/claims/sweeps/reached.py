"""From where on along a study agreement is reached, and the agreement of all its sweeps in one figure."""

import math
from collections.abc import Iterator, Sequence
from itertools import takewhile
from statistics import median

from reports import svg
from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Reach, Section, WidePoint, stated
from reports.page import Block
from reports.runs import whole_seeds
from reports.shown import finish, line, means, of_metric
from reports.text import many
from reports.verdicts import Claim

_COLORS = (svg.F, svg.G, svg.THIRD, svg.SHADE)  # of the first sweeps
_LONG = 24  # letters of names that stand side by side
LEVEL = 0.9  # agreement from which on perturbation learning is said to succeed


def reach_of(points: Sequence[WidePoint]) -> Reach:
    """Return, for each seed, the first x from which on its agreement stays at `LEVEL` or above."""
    ordered = sorted(points, key=lambda point: point.x, reverse=True)
    cells = [point.metrics["agreement"] for point in ordered]
    whole, some = whole_seeds(cells)
    found: dict[int, float | None] = {}
    for seed in whole:
        pairs = zip(ordered, cells, strict=True)
        high = takewhile(lambda pair: pair[1].values[seed] >= LEVEL, pairs)  # noqa: B023 (taken at once)
        found[seed] = min((point.x for point, _ in high), default=None)
    return Reach(level=LEVEL, seeds=found, incomplete=len(some) - len(whole))


def claims(section: Section) -> list[Claim]:
    """Return a line a panel whose seeds are complete."""
    made = []
    for panel in section.panels:
        reach = panel.reach
        if any(point.deep for point in panel.points):  # studies of architectures and laws ask something else
            continue
        if reach is None or not reach.seeds or len(panel.points) < 2 or panel.ticks:  # names have no order
            continue
        places = [math.inf if x is None else x for x in reach.seeds.values()]
        low, high, middle = min(places), max(places), median(places)
        share = f"reached by {sum(map(math.isfinite, places))} of {many(len(places), 'seed')}"
        if math.isfinite(high):
            share = f"median {middle:g}, {low:g} to {high:g}; {share}"
        elif math.isfinite(low):
            share = f"{share}; smallest {low:g}"
        lost = f"; {many(reach.incomplete, 'seed')} without a run" if reach.incomplete else ""
        statement = f"{panel.sweep}: {panel.x_label} from which on agreement is at least {reach.level:g}"
        rule = f"first of the values tried, for each seed by itself{lost}"
        made.append(stated("measured", statement, share, rule))
    return made


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the agreement of all sweeps along the first axis of a study, predicted and measured."""
    trained = [
        panel
        for panel in (section.panels if section.study else ())
        if not panel.ticks and any(point.metrics["acc_f"].mean is not None for point in panel.points)
    ]
    panels = [panel for panel in trained if panel.x_label == trained[0].x_label]
    if not panels:
        return
    drawn = panels[: len(_COLORS)]
    long = max(len(panel.sweep) for panel in drawn) > _LONG

    def draw(axes: Axes) -> None:
        for panel, color in zip(drawn, _COLORS, strict=False):
            known = means(of_metric(panel.points, "agreement"))
            line(axes, known, color=color, stroke="o-", label=panel.sweep)
            predicted = [(point.x, point.predicted["agreement"]) for point in panel.points]
            line(axes, predicted, color=color, stroke=":", single="_")
        axes.plot([], [], ":", color=svg.INK, label="predicted")
        axes.set(ylabel="agreement")
        finish(axes, drawn[0], columns=1 if long else 2)

    alt = f"Agreement against {panels[0].x_label} in all sweeps, measured and predicted"
    caption = (
        "Share of test points where f and g agree, means over seeds; dotted: predicted without training."
    )
    yield svg.figure(draw, key, "overview", alt, caption, size=(5.6, 3.8))
