"""What is claimed of a published sweep: accuracies of g beside published, chance and predicted ones."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from scipy import stats

from reports import text
from reports.orthogonal.build import distinct
from reports.orthogonal.intervals import apart, over_seeds, room, wilson
from reports.orthogonal.rows import CERTAIN, Claim, claim, interval_of
from reports.sweeps.statistics import at_most, like_one_more_seed
from reports.text import many
from reports.verdicts import FALSE_ALARM, verdict, within

Json = Mapping[str, Any]

PUBLISHED_N = 1000  # natural samples of the published experiments, except in the sweep over N
NOT_RARE = 0.05  # P(so few within) from which on published values are like one more seed
MEANS_ROOM = 0.25  # difference of accuracies that comparing means must be able to see at every point
CHANCE_WIDTH = 0.05  # distance from 1/2 up to which an accuracy is that of chance
MAP_ERROR = 0.05  # mean absolute error of a predicted accuracy that counts as predicted


def published_claims(results: Json) -> list[Claim]:
    """Return the claims of the page of a published sweep.

    Parameters
    ----------
    results : mapping
        From `reports.orthogonal.build`.
    """
    return [
        _published(results),
        _means(results),
        _chance(results),
        *_learned(results),
        *_predicted(results),
    ]


def _series(results: Json, series: str) -> list[tuple[str, Json]]:
    """Return the points of a series with the names of their panels; equal experiments once."""
    points: Iterable[dict[str, Any]] = (
        {**point, "panel": panel["name"]} for panel in results["panels"] for point in panel["points"]
    )
    return [(p["panel"], p) for p in distinct(p for p in points if p["series"] == series)]


def _published(results: Json) -> Claim:
    cells = [point["metrics"]["accuracy_g"] for _, point in _series(results, "adversarial")]
    found = like_one_more_seed(cells)
    # Of so few values and seeds none within would not be surprising: then the rule cannot fail.
    least = at_most(0, [(c["n"] - 1) / (c["n"] + 1) for c in cells if c["inside"] is not None])
    able = found["count"] and least < FALSE_ALARM
    below = sum(c["inside"] is False and c["published"] > c["max"] for c in cells)
    return claim(
        "Published accuracies of g are like one more of our seeds",
        "published",
        f"holds if P(so few within the range of the seeds) ≥ {NOT_RARE:g}, fails below {FALSE_ALARM:g}, were "
        "points independent (they share seeds); unknown between, and where none within would not be so rare; "
        "with fewer natural samples than published our ranges are wider, and the test is weak",
        f"{text.number(found['expected'])} or more of {found['count']} within the range",
        f"{found['inside']} of {found['count']} within; "
        f"{many(below, 'published value is', 'published values are')} above our range; "
        f"P(so few) = {text.number(found['p_value'], 2)}; {found['not_compared']} not compared",
        verdict(bool(found["count"]), _rare(found["p_value"]) if able else None),
    )


def _rare(p_value: float) -> bool | None:
    """Return False for a probability too small, None for one that neither holds nor fails."""
    return False if p_value < FALSE_ALARM else True if p_value >= NOT_RARE else None


def _means(results: Json) -> Claim:
    """Compare published values with means over seeds, each with the error of both."""
    rows = [(name, point, point["metrics"]["accuracy_g"]) for name, point in _series(results, "adversarial")]
    rows = [row for row in rows if row[2]["published"] is not None and row[2]["n"] > 1]
    outside, differences, rooms = 0, [], []
    for name, point, cell in rows:
        tail = FALSE_ALARM / (4 * len(rows))
        z = float(stats.norm.isf(tail))
        # A published value is one seed of N natural samples.
        read = wilson(cell["published"], int(point["x"]) if name == "N" else PUBLISHED_N, z)
        half = stats.t.isf(tail, cell["n"] - 1) * cell["sd"] / math.sqrt(cell["n"])
        # Seeds that all agree, as at 1, have no deviation: their samples still are so many.
        below, above = wilson(cell["mean"], cell["n"] * point["sizes"]["num_train"], z)
        ours = min(below, cell["mean"] - half), max(above, cell["mean"] + half)
        differences.append(cell["mean"] - cell["published"])
        outside += apart(ours, read, cell["error"])
        rooms.append(room(ours, read, cell["error"]))
    n = len(differences)
    mean = sum(differences) / n if n else None
    largest = max(rooms, default=math.inf)
    return claim(
        "Means over our seeds are the published accuracies of g",
        "published",
        "fails if the t or Wilson interval of our mean, the wider at each end, and the Wilson interval of "
        f"one published seed are apart by more than the reading error, at {FALSE_ALARM:g} over all points; "
        f"holds only if they leave room for no difference above {MEANS_ROOM:g} at any point",
        "difference 0",
        f"{outside} of {n} beyond; ours minus published: mean {text.number(mean)}, largest size "
        f"{text.number(max(map(abs, differences), default=None))}; room for differences up to "
        f"{text.number(largest)}",
        verdict(n > 0, False if outside else True if largest <= MEANS_ROOM else None),
    )


def _chance(results: Json) -> Claim:
    found = [p["chance"] for _, p in _series(results, "control") if p["chance"] is not None]
    least = min((row["two_sided"] for row in found), default=None)
    right, total = sum(r["right"] for r in found), sum(r["total"] for r in found)
    seeds: dict[str, list[int]] = {}
    for row in found:
        for seed, (good, count) in row["seeds"].items():
            before = seeds.get(seed, [0, 0])
            seeds[seed] = [before[0] + good, before[1] + count]
    # Of so many draws, were they independent; the points of a seed may share samples, which adds to that.
    least_sd = max((0.5 / math.sqrt(count) for _, count in seeds.values()), default=0.0)
    interval = over_seeds([good / count for good, count in seeds.values()], least_sd=least_sd)
    refuted = least is not None and least * len(found) < FALSE_ALARM
    near = within(0.5 - CHANCE_WIDTH, 0.5 + CHANCE_WIDTH, interval) is True
    return claim(
        "Without an attack g knows nothing of the natural labels",
        "derived here",
        "exact binomial test at each point over all seeds; fails if the smallest two-sided p-value × "
        f"{many(len(found), 'point')} < {FALSE_ALARM:g}; holds only if the {CERTAIN} t interval over "
        f"seeds, all points of a seed together, lies within 1/2 ± {CHANCE_WIDTH:g}",
        "half of the natural samples right",
        f"{text.number(right / total if total else None)} of {text.count(total)} right over all points"
        f"{interval_of(interval)}; smallest p-value {text.number(least, 2)}",
        verdict(bool(found), False if refuted else True if near else None),
    )


def _learned(results: Json) -> list[Claim]:
    made, seen = [], set()
    for panel in results["panels"]:
        point = [p for p in panel["points"] if p["series"] == "adversarial"][-1]
        if point["key"] in seen:  # the base of another sweep
            continue
        seen.add(point["key"])
        chance = point["chance"]
        measured = point["metrics"]["accuracy_g"]
        holds = None
        if chance is not None and chance["above"] < FALSE_ALARM:
            holds = True
        elif chance is not None and chance["two_sided"] < FALSE_ALARM:
            holds = False
        made.append(
            claim(
                f"g learns natural labels from perturbed noise, at {panel['x_label']} = {point['x']:g}",
                "published",
                f"exact binomial test against chance over all seeds: holds at p < {FALSE_ALARM:g} above 1/2, "
                "fails below",
                f"above 1/2; published {text.number(measured['published'])}",
                f"{text.spread(measured['mean'], measured['sd'])}, {many(measured['n'], 'seed')}; p = "
                f"{_probability(None if chance is None else chance['above'])}",
                verdict(chance is not None, holds),
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
        errors = [error for error, _ in row["seeds"].values()]
        # Seeds that happen to agree are still no finer than a sample.
        least_sd = max((step for _, step in row["seeds"].values()), default=0.0)
        interval = over_seeds(errors, least_sd=least_sd)
        made.append(
            claim(
                f"The accuracy of g is that of {what}",
                "derived here",
                "mean absolute error over the runs with an attack, one mean a seed: holds if the "
                f"{CERTAIN} t interval over seeds ends below {MAP_ERROR:g}, fails if it begins above",
                "error 0",
                f"error {text.number(row['mean_error'])}{interval_of(interval)}, correlation "
                f"{text.number(row['correlation'])}, {many(row['n'], 'run')}, "
                f"{many(len(errors), 'seed')}",
                verdict(bool(row["n"]), within(None, MAP_ERROR, interval)),
            )
        )
    return made


def _probability(value: float | None) -> str:
    return "below 1e-12" if value is not None and value < 1e-12 else text.number(value, 2)
