"""Where the conditions end and where the prediction does, along the ratio N/d."""

from collections.abc import Sequence

from reports.claims.orthogonal.rows import ENOUGH_SEEDS, LEVEL, PERCENT, VIOLATION, Json, claim
from reports.claims.orthogonal.signs import CONDITIONS
from reports.judging import CONFIDENCE, judge_share, together
from reports.verdicts import FALSE_ALARM, Claim


def decay(results: Json) -> list[Claim]:
    """Say where the conditions end and where the prediction does, slope by slope, for that study."""
    if (results["part"]["kind"], results["part"]["name"]) != ("study", "orthogonality"):
        return []
    said, inside = [], []
    for series in results["panels"][0]["series"]:
        points = sorted(
            (p for p in results["panels"][0]["points"] if p["series"] == series), key=lambda p: float(p["x"])
        )
        held = [_last(points, f"{c}_f") for c in CONDITIONS]
        below = _first_below(points)
        places = ", ".join("none" if x is None else f"{x:g}" for x in held)
        said.append(f"{series}: {places}; {'not seen' if below is None else f'{below:g}'}")
        reach = held[2]
        inside += [point for point in points if reach is not None and float(point["x"]) <= reach]
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


def _wrong(point: Json) -> tuple[list[float], list[float]]:
    """Return the shares of wrong signs by seed, what is not known as none and as all."""
    known = [1 - share for share in point["metrics"]["signs_f"]["values"].values()]
    lacking = point["runs"] - len(known)
    return known + [0.0] * lacking, known + [1.0] * lacking


def _last(points: Sequence[Json], column: str) -> float | None:
    """Return the largest x up to which a verdict holds for all runs."""
    last = None
    for point in points:
        if not point["runs"] or point["verdicts"][column]["holds"] < point["runs"]:
            break
        last = float(point["x"])
    return last


def _first_below(points: Sequence[Json]) -> float | None:
    """Return the first x whose mean share of equal signs is below the level."""
    for point in points:
        metric = point["metrics"]["signs_f"]
        if metric["n"] == point["runs"] and metric["mean"] < LEVEL:
            return float(point["x"])
    return None
