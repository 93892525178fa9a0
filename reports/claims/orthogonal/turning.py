"""The boundary of g turns towards s of the natural samples as N_adv grows."""

from reports import text
from reports.claims.orthogonal.rows import Json, claim, over
from reports.judging import (
    CONFIDENCE,
    FEWEST_SEEDS,
    RISING_RULE,
    judge_mean,
    judge_rising,
    unmeasured,
)
from reports.statistics import rank_correlation
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

TURN_ERROR = 0.05  # mean absolute error of a predicted cosine that counts as predicted


def turning(results: Json) -> list[Claim]:
    """Return a claim a series, and that of the limit of each g, for the study of turning."""
    if (results["part"]["kind"], results["part"]["name"]) != ("study", "turning"):
        return []
    made = []
    for series in results["panels"][0]["series"]:
        points = sorted(
            (p for p in results["panels"][0]["points"] if p["series"] == series), key=lambda p: float(p["x"])
        )
        values = [p["metrics"]["turning"]["values"] for p in points]
        whole = sorted(set.intersection(*(set(value) for value in values)), key=int)
        ranks = [rank_correlation([p["x"] for p in points], [v[s] for v in values]) for s in whole]
        incomplete = results["part"]["seeds"] - len(whole)
        first, last = points[0]["metrics"]["turning"], points[-1]["metrics"]["turning"]
        made.append(
            claim(
                f"The boundary of g turns towards s of the natural samples as N_adv grows ({series})",
                "published",
                f"rank correlation of the cosine with N_adv, seed by seed: {RISING_RULE}",
                "cosine grows",
                f"{text.spread(first['mean'], first['sd'])} at N_adv = {points[0]['x']:g} to "
                f"{text.spread(last['mean'], last['sd'])} at {points[-1]['x']:g}; of "
                f"{many(len(ranks), 'complete seed')} {sum(rank > 0 for rank in ranks)} grow, "
                f"{sum(rank < 0 for rank in ranks)} fall",
                bool(ranks),
                judge_rising(ranks, incomplete=incomplete)
                if len(points) > 1
                else unmeasured("one value of N_adv"),
            )
        )
    return [*made, _follows(results)]


def _follows(results: Json) -> Claim:
    """Compare each trained g with the limit of its own perturbed set."""
    points = [point for point in results["panels"][0]["points"] if point["series"] == "trained"]
    errors: list[float | None] = []
    every = []
    for seed in map(str, range(results["part"]["seeds"])):
        both = [
            (p["metrics"]["turning"]["values"].get(seed), p["metrics"]["turning_limit"]["values"].get(seed))
            for p in points
        ]
        found = [abs(mine - limit) for mine, limit in both if mine is not None and limit is not None]
        lost = not found or any(mine is None for mine, _ in both)
        errors.append(None if lost else sum(found) / len(found))
        every += found
    return claim(
        "A trained g turns as the limit of its own perturbed set does",
        "derived here",
        "mean absolute difference of the cosines with s, one mean a seed over its runs with a limit: holds "
        f"if the {CONFIDENCE} t interval over seeds excludes {TURN_ERROR:g} or more, fails if that at "
        f"{FALSE_ALARM:g} excludes {TURN_ERROR:g} or less; at least {FEWEST_SEEDS} seeds, all complete",
        "difference 0",
        f"mean {over(errors)}, largest {text.number(max(every, default=None))}, {many(len(every), 'run')}",
        bool(every),
        judge_mean(errors, high=TURN_ERROR, what="mean difference of the cosines"),
    )
