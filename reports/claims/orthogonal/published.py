"""What is claimed of a published sweep: accuracies of g beside published, chance and predicted ones."""

import math
from collections.abc import Iterable
from typing import Any

from reports import text
from reports.claims.orthogonal.rows import Json, claim, over
from reports.claims.sweeps.published import within_ranges
from reports.judging import CONFIDENCE, FEWEST_SEEDS, Judgement, excluded, judge_mean, refuted, unmeasured
from reports.statistics import difference, like_one_more_seed
from reports.text import many
from reports.verdicts import FALSE_ALARM, MISSED, Claim

PUBLISHED_N = 1000  # natural samples of the published experiments, except in the sweep over N
MEANS_ROOM = 0.25  # difference of accuracies that is excluded at every point
CHANCE_WIDTH = 0.05  # distance from 1/2 up to which an accuracy is that of chance
MAP_ERROR = 0.05  # mean absolute error of a predicted accuracy that counts as predicted
CHANCE = 0.5


def published_sweep(results: Json) -> list[Claim]:
    """Return the claims of the page of a published sweep; none of others."""
    if results["part"]["kind"] != "published":
        return []
    return [
        *_published(results),
        _means(results),
        _chance(results),
        *_learned(results),
        *_predicted(results),
    ]


def distinct(points: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return points with different experiments behind them: the base of several sweeps counts once."""
    return list({point["key"]: point for point in list(points)[::-1]}.values())[::-1]


def _series(results: Json, series: str) -> list[tuple[str, Json]]:
    """Return the points of a series with the names of their panels; equal experiments once."""
    points: Iterable[dict[str, Any]] = (
        {**point, "panel": panel["name"]} for panel in results["panels"] for point in panel["points"]
    )
    return [(p["panel"], p) for p in distinct(p for p in points if p["series"] == series)]


def _published(results: Json) -> list[Claim]:
    cells = [point["metrics"]["accuracy_g"] for _, point in _series(results, "adversarial")]
    found = like_one_more_seed(cells)
    above = sum(c["inside"] is False and c["published"] > c["max"] for c in cells)
    said = f"{many(above, 'published value is', 'published values are')} above our range"
    return [within_ranges("Published accuracies of g", found, said)] if found["count"] else []


def _means(results: Json) -> Claim:
    """Compare published values with means over seeds, each with the error of both."""
    rows = [(name, point, point["metrics"]["accuracy_g"]) for name, point in _series(results, "adversarial")]
    rows = [row for row in rows if row[2]["published"] is not None and row[2]["n"]]
    complete = all(cell["n"] == point["runs"] for _, point, cell in rows)
    seeds = min((cell["n"] for *_, cell in rows), default=0)
    beyond, differences, rooms = 0, [], []
    for name, point, cell in rows:
        ours = list(cell["values"].values())
        published_n = int(point["x"]) if name == "N" else PUBLISHED_N
        counts = cell["n"] * point["sizes"]["num_train"], published_n
        gap = cell["mean"] - cell["published"]
        differences.append(gap)
        # False alarm over all points, both ways; a difference that is missed has one sign and one point.
        sure, usual = (
            difference(ours, counts, cell["published"], tail) + cell["error"] if seeds > 1 else math.inf
            for tail in (FALSE_ALARM / (2 * len(rows)), MISSED)
        )
        beyond += abs(gap) > sure
        rooms.append(abs(gap) + usual)
    n = len(differences)
    mean = sum(differences) / n if n else None
    return claim(
        "Means over our seeds are the published accuracies of g",
        "published",
        "the published value is one more seed with the deviation of ours (t), or both are shares of "
        "independent samples (Wilson), the wider: fails if a difference is beyond that and the reading "
        f"error, false alarm {FALSE_ALARM:g} over all points; holds if at each point a difference of "
        f"{MEANS_ROOM:g} or more is excluded at {CONFIDENCE}; at least {FEWEST_SEEDS} seeds",
        "difference 0",
        f"{beyond} of {n} beyond; ours minus published: mean {text.number(mean)}, largest size "
        f"{text.number(max(map(abs, differences), default=None))}; differences above "
        f"{text.number(max(rooms, default=None))} are excluded",
        n > 0,
        _judge_means(beyond, rooms, seeds) if complete else unmeasured("a run has no result"),
    )


def _judge_means(beyond: int, rooms: list[float], seeds: int) -> Judgement:
    if seeds < FEWEST_SEEDS:
        return unmeasured(f"{many(seeds, 'seed')}; {FEWEST_SEEDS} are asked for")
    if beyond:
        return refuted("the published accuracy as one more seed at every point")
    if max(rooms) < MEANS_ROOM:
        return excluded(f"a difference of {MEANS_ROOM:g} or more at a point")
    return unmeasured(f"a difference of {text.number(max(rooms))} is not excluded at {CONFIDENCE}")


def _chance(results: Json) -> Claim:
    points = [p for _, p in _series(results, "control")]
    found = [p["chance"] for p in points if p["chance"] is not None]
    least = min((row["two_sided"] for row in found), default=None)
    right, total = sum(r["right"] for r in found), sum(r["total"] for r in found)
    shares: list[float | None] = []
    draws = []
    for seed in map(str, range(results["part"]["seeds"])):
        pairs = [row["seeds"][seed] for row in found if seed in row["seeds"]]
        if pairs:
            draws.append(sum(count for _, count in pairs))
        shares.append(sum(good for good, _ in pairs) / draws[-1] if len(pairs) == len(points) else None)
    # Of so many draws, were they independent; the points of a seed may share samples, which adds to that.
    least_sd = max((CHANCE / math.sqrt(count) for count in draws), default=0.0)
    # Both tests can refute the claim.
    if least is not None and 2 * least * len(found) < FALSE_ALARM:
        judged = refuted("half of the labels right in the mean")
    else:
        limits = CHANCE - CHANCE_WIDTH, CHANCE + CHANCE_WIDTH
        judged = judge_mean(
            shares, low=limits[0], high=limits[1], what="accuracy", least_sd=least_sd, tests=2
        )
    return claim(
        "Without an attack g knows nothing of the natural labels",
        "derived here",
        "fails if the smallest two-sided p-value of exact binomial tests at each point over all seeds × "
        f"{many(len(found), 'point')} × 2 < {FALSE_ALARM:g}, or the t interval over seeds, all points of "
        f"a seed together, is beyond 1/2 ± {CHANCE_WIDTH:g} at {FALSE_ALARM / 2:g}; holds if that at "
        f"{CONFIDENCE} excludes accuracies beyond 1/2 ± {CHANCE_WIDTH:g}; at least {FEWEST_SEEDS} "
        "seeds, all complete",
        "half of the natural samples right",
        f"{text.number(right / total if total else None)} of {text.count(total)} right over all points; "
        f"{over(shares)}; smallest p-value {text.number(least, 2)}",
        bool(found),
        judged,
    )


def _learned(results: Json) -> list[Claim]:
    made, seen = [], set()
    for panel in results["panels"]:
        point = [p for p in panel["points"] if p["series"] == "adversarial"][-1]
        if point["key"] in seen:  # the base of another sweep
            continue
        seen.add(point["key"])
        measured = point["metrics"]["accuracy_g"]
        shares = [measured["values"].get(str(seed)) for seed in range(results["part"]["seeds"])]
        made.append(
            claim(
                f"g learns natural labels from perturbed noise, at {panel['x_label']} = {point['x']:g}",
                "published",
                f"holds if the {CONFIDENCE} t interval of the accuracy over seeds excludes chance, 1/2 or "
                f"less, fails if that at {FALSE_ALARM:g} lies below 1/2; the deviation of a seed is taken "
                f"as that of its samples at least; at least {FEWEST_SEEDS} seeds, all complete",
                f"above 1/2; published {text.number(measured['published'])}",
                f"{over(shares)}; range {text.number(measured['min'])} to {text.number(measured['max'])}",
                measured["n"] > 0,
                judge_mean(
                    shares,
                    low=CHANCE,
                    what="accuracy",
                    least_sd=CHANCE / math.sqrt(point["sizes"]["num_train"]),
                ),
            )
        )
    return made


def _predicted(results: Json) -> list[Claim]:
    made = []
    for column, what in (
        ("accuracy_mean_g", "the linear mean map Σ y^adv x^adv"),
        ("accuracy_limit_g", "the limit Σ λ y^adv x^adv of g"),
    ):
        row = results["map"][column]
        errors = [row["seeds"].get(str(seed), (None,))[0] for seed in range(results["part"]["seeds"])]
        # Seeds that happen to agree are still no finer than a sample.
        least_sd = max((step for _, step in row["seeds"].values()), default=0.0)
        made.append(
            claim(
                f"The accuracy of g is that of {what}",
                "derived here",
                "mean absolute error over the runs with an attack and a prediction, one mean a seed: "
                f"holds if the {CONFIDENCE} t interval over seeds excludes {MAP_ERROR:g} or more, fails "
                f"if that at {FALSE_ALARM:g} excludes {MAP_ERROR:g} or less; at least {FEWEST_SEEDS} "
                "seeds, all complete",
                "error 0",
                f"error {over(errors)}, correlation "
                f"{text.number(row['correlation'])}, {many(row['n'], 'run')}",
                bool(row["n"]),
                judge_mean(errors, high=MAP_ERROR, what="mean absolute error", least_sd=least_sd),
            )
        )
    return made
