"""Where the conditions end and where the prediction does, along the ratio N/d."""

from collections.abc import Sequence
from itertools import takewhile

from reports.claims.orthogonal.rows import (
    ENOUGH_SEEDS,
    LEVEL,
    PERCENT,
    VIOLATION,
    OrthogonalPoint,
    Results,
    Run,
    claim,
)
from reports.claims.orthogonal.signs import CONDITIONS
from reports.judging import CONFIDENCE, judge_share, together
from reports.verdicts import FALSE_ALARM, Claim


def decay(results: Results, _runs: Sequence[Run]) -> list[Claim]:
    """Say where the conditions end and where the prediction does, slope by slope, for that study."""
    if results.part.name != "orthogonality" or results.part.kind != "study":
        return []
    said, inside = [], []
    for series in results.panels[0].series:
        points = results.panels[0].of(series)
        held = [_last(points, f"{c}_f") for c in CONDITIONS]
        below = _first_below(points)
        places = ", ".join("none" if x is None else f"{x:g}" for x in held)
        said.append(f"{series}: {places}; {'not seen' if below is None else f'{below:g}'}")
        reach = held[2]
        inside += [point for point in points if reach is not None and point.x <= reach]
    wrong = [_wrong(point) for point in inside]
    made = claim(
        f"The prediction fails only beyond where the λ system holds: the mean share of equal signs is at "
        f"least {PERCENT} up to there",
        "derived here",
        "for each slope and each N/d up to the largest where λ > 0 and the pattern hold for all seeds, "
        "converged or not: fails if a mean share of wrong signs of "
        f"{1 - LEVEL:.2g} or less is excluded at one (false alarm {FALSE_ALARM:g} over all), holds if one of "
        f"{VIOLATION:g} or more is excluded at each at {CONFIDENCE}; {ENOUGH_SEEDS} seeds without a wrong "
        "sign are enough",
        "prediction outlasts the condition at every slope where it holds somewhere",
        "largest N/d up to which all seeds meet the published, the derived condition, the λ system; "
        "first N/d "
        f"below {PERCENT}: " + ". ".join(said),
        bool(inside),
        together(
            *(
                judge_share(
                    known,
                    allowed=1 - LEVEL,
                    violation=VIOLATION,
                    what="mean share of wrong signs at an N/d",
                    doubtful=doubtful,
                    tests=len(wrong),
                )
                for known, doubtful in wrong
            )
        ),
    )
    return [made]


def _wrong(point: OrthogonalPoint) -> tuple[list[float], list[float]]:
    """Return the shares of wrong signs by seed, what is not known as none and as all."""
    known = [1 - share for share in point.metrics["signs_f"].values.values()]
    lacking = point.totals.configurations - len(known)
    return known + [0.0] * lacking, known + [1.0] * lacking


def _last(points: Sequence[OrthogonalPoint], column: str) -> float | None:
    """Return the largest x up to which a verdict holds for all runs."""
    held = takewhile(lambda point: point.verdicts[column]["holds"] == point.totals.configurations, points)
    return max((point.x for point in held), default=None)


def _first_below(points: Sequence[OrthogonalPoint]) -> float | None:
    """Return the first x whose mean share of equal signs is below the level."""
    cells = [(point, point.metrics["signs_f"]) for point in points]
    below = (
        point.x
        for point, cell in cells
        if cell.n == point.totals.configurations and cell.mean is not None and cell.mean < LEVEL
    )
    return next(below, None)
