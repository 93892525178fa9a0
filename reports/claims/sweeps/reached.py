"""From where on along a study agreement is reached."""

import math
from collections.abc import Sequence
from itertools import takewhile
from statistics import median

from reports.claims.sweeps.rows import Reach, Section, WidePoint, stated
from reports.runs import whole_seeds
from reports.text import many
from reports.verdicts import Claim

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


def reached(section: Section) -> list[Claim]:
    """Return a line a panel whose seeds are complete."""
    made = []
    for panel in section.panels:
        reach = panel.reach
        if reach is None or not reach.seeds or len(panel.points) < 2:
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
