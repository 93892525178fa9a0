"""The results of a folder as one JSON value: spreads over seeds, verdicts, predictions.  Pure."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from scipy import stats

from empirics.campaigns import Point
from empirics.campaigns.orthogonal import Part
from empirics.orthogonal import OrthogonalConfig
from reports.claims.orthogonal.published import distinct
from reports.claims.orthogonal.rows import ENOUGH, LEVEL
from reports.claims.orthogonal.signs import CONDITIONS
from reports.statistics import comparison, like_one_more_seed
from reports.sweeps.reproduction import per_seed, summary

Row = Mapping[str, Any]
Json = dict[str, Any]

SCHEMA_VERSION = 2
_RARE = 1e-6  # chance at which exceptions are too many all the same
_METRICS = (
    "accuracy_f",
    "accuracy_g",
    "accuracy_limit_g",
    "accuracy_mean_g",
    "agreement",
    "signs_f",
    "signs_g",
    "cosine_f",
    "turning",
    "turning_limit",
    "attack_cosine",
    "stationarity_f",
    "slackness_f",
    "stationarity_g",
    "slackness_g",
)
_RESIDUAL = ("stationarity", "slackness")
# What the network of one name is made of: two runs with all of these equal have the same f.
_OF_F = (
    "dim",
    "num_train",
    "distribution",
    "width",
    "negative_slope",
    "loss",
    "init_scale",
    "tolerance",
    "max_steps",
    "num_test",
    "seed",
)


def build(
    part: Part, rows: Iterable[Row], *, examination: Json | None = None, provenance: Mapping[str, Any]
) -> Json:
    """Return all that the page shows.

    Parameters
    ----------
    part : Part
    rows : iterable of mapping
        Lines of ``results.jsonl``.
    examination : dict, optional
        From `empirics.orthogonal.examine`, for data in hand.
    provenance : mapping
        Versions, plain JSON values.

    Returns
    -------
    dict
        Plain JSON values without NaN; what is not known is None.
    """
    wanted = set(part.hashes())
    found = {row["hash"]: row for row in rows if row["hash"] in wanted}
    panels: dict[str, list[Point]] = {}
    for point in part.points():
        panels.setdefault(point.sweep, []).append(point)
    done = [row for row in found.values() if row["status"] == "done"]
    lost = _lost(panels, part, {row["hash"] for row in done})
    training = Counter(config.seed for config in lost if "trained" in (config.f, config.g))
    attacking = Counter(config.seed for config in lost if config.attack == "gradient")
    return {
        "schema_version": SCHEMA_VERSION,
        "part": part.to_json(),
        "title": part.title,
        "provenance": dict(provenance),
        "totals": {
            "configurations": len(wanted),
            "done": len(done),
            "failed": len(found) - len(done),
            "missing": len(wanted) - len(found),
        },
        "panels": [_panel(name, points, part, found) for name, points in panels.items()],
        "networks": networks(done, training),
        "convergence": convergence(done) | {"lost": training.total()},
        "attack": _attack(done, attacking),
        "map": _map(done, set(attacking)),
        "examination": examination,
    }


def _lost(panels: Mapping[str, Sequence[Point]], part: Part, done: set[str]) -> list[OrthogonalConfig]:
    """Return the experiments without a result: what holds of all has to bear them."""
    every = {part.hash_of(c): c for points in panels.values() for point in points for c in point.configs}
    return [config for name, config in every.items() if name not in done]


def _panel(name: str, points: Sequence[Point], part: Part, found: Mapping[str, Row]) -> Json:
    made = [_point(point, part, found) for point in points]
    xs = [point.x for point in points]
    panel: Json = {
        "name": name,
        "x_label": part.x_label(name),
        "log": min(xs) > 0 and max(xs) / min(xs) > 10,
        "series": list(dict.fromkeys(point.series for point in points)),
        "points": made,
        "published": None,
    }
    if part.kind == "published":
        panel["published"] = {
            series: like_one_more_seed(
                p["metrics"]["accuracy_g"] for p in distinct(made) if p["series"] == series
            )
            for series in panel["series"]
        }
    return panel


def _point(point: Point, part: Part, found: Mapping[str, Row]) -> Json:
    rows = [(config.seed, found.get(part.hash_of(config))) for config in point.configs]
    known = [row for _, row in rows if row is not None]
    done = [row for row in known if row["status"] == "done"]
    made: Json = {
        "series": point.series,
        "x": point.x,
        "key": hashlib.sha256(" ".join(map(part.hash_of, point.configs)).encode()).hexdigest(),
        "sizes": {key: getattr(point.configs[0], key) for key in ("dim", "num_train", "num_adv", "epsilon")},
        "runs": len(rows),
        "failed": len(known) - len(done),
        "missing": len(rows) - len(known),
        "metrics": {
            name: summary(per_seed(rows, name), part.reading(point) if name == "accuracy_g" else None)
            for name in _METRICS
        },
        "verdicts": {},
        "chance": _chance(done),
    }
    for network in ("f", "g"):
        for condition in CONDITIONS:
            column = f"{condition}_{network}"
            verdicts = [row.get(column) for row in done]
            made["verdicts"][column] = {
                word: sum(v == word for v in verdicts) for word in ("holds", "fails", "unknown")
            }
        asked = [row for row in done if row.get(f"converged_{network}") is not None]
        made[f"converged_{network}"] = [
            sum(bool(row[f"converged_{network}"]) for row in asked),
            len(asked),
        ]
    return made


def _chance(rows: Sequence[Row]) -> Json | None:
    """Return right signs of g on natural samples, of all seeds, and their probability by chance.

    Without an attack the labels of the natural samples, fair and independent of g, make the number right
    binomial with probability 1/2, exactly, for each seed and their sum.
    """
    pairs = [(row["accuracy_g"], row["num_train"]) for row in rows if row.get("accuracy_g") is not None]
    if not pairs:
        return None
    total = sum(count for _, count in pairs)
    right = sum(round(share * count) for share, count in pairs)
    seeds = {str(row["seed"]): row for row in rows if row.get("accuracy_g") is not None}
    return {
        "right": right,
        "total": total,
        "above": float(stats.binomtest(right, total, alternative="greater").pvalue),
        "two_sided": float(stats.binomtest(right, total).pvalue),
        "seeds": {
            seed: [round(row["accuracy_g"] * row["num_train"]), row["num_train"]]
            for seed, row in seeds.items()
        },
    }


def networks(rows: Iterable[Row], lost: Mapping[int, int] | None = None) -> list[Json]:
    """Return for each condition the trained networks where it holds, and how many have the limit's signs.

    Parameters
    ----------
    rows : iterable of mapping
        Results; a network that several of them share counts once.
    lost : mapping, optional
        How many runs with training have no result, by seed: each is a network that is not known.

    Returns
    -------
    list of dict
        ``condition``, a name of `CONDITIONS` or "multipliers fail"; ``trained`` networks, of these
        ``converged``, of these ``n`` with a known share, of these ``agree``, ``elsewhere`` and ``undecided``
        by `compared`, and ``few`` with fewer than `ENOUGH` points; the least share and the mean; ``seeds``:
        for each the networks, lost ones included, those elsewhere, and those that are not known to agree.
        The three verdicts of "multipliers" add up to all.
    """
    every = _trained(rows)
    made = []
    for condition, word in (
        *((c, "holds") for c in CONDITIONS),
        ("multipliers", "fails"),
        ("multipliers", "unknown"),
    ):
        chosen = [(row, name) for row, name in every if row[f"{condition}_{name}"] == word]
        converged = [(row, name) for row, name in chosen if row[f"converged_{name}"]]
        known = [pair for row, name in converged if (pair := _share(row, name)) is not None]
        shares = [share for share, _, _ in known]
        words = [compared(*pair) for pair in known]
        seeds = {str(seed): [count, 0, count] for seed, count in (lost or {}).items()}
        for row, name in chosen:
            pair = _share(row, name) if row[f"converged_{name}"] else None
            said = None if pair is None else compared(*pair)
            sure = pair is not None and said == "agree" and pair[1] >= ENOUGH
            _count(seeds, row["seed"], bad=said == "elsewhere", doubtful=not sure)
        made.append(
            {
                "condition": condition,
                "verdict": word,
                "trained": len(chosen),
                "converged": len(converged),
                "n": len(shares),
                "agree": words.count("agree"),
                "elsewhere": words.count("elsewhere"),
                "undecided": words.count("undecided"),
                "few": sum(points < ENOUGH for _, points, _ in known),
                "least": min(shares, default=None),
                "mean": sum(shares) / len(shares) if shares else None,
                "seeds": seeds,
            }
        )
    return made


def _count(seeds: dict[str, list[int]], seed: int, *, bad: bool, doubtful: bool) -> None:
    """Add one to the members of a seed: all, violations, and what *holds* has to bear as a violation."""
    tally = seeds.setdefault(str(seed), [0, 0, 0])
    tally[:] = [tally[0] + 1, tally[1] + bad, tally[2] + (bad or doubtful)]


def compared(share: float, points: int, firm: int) -> str:
    """Return "agree", "elsewhere" or "undecided" for a share of equal signs of so many test points.

    `firm` exceptions are those that the tolerance of training does not explain; others count as equal.
    Of fewer than `ENOUGH` a share of at least `LEVEL` allows no exception.  There exceptions are "undecided"
    unless as many have a probability below 1e-6 in a network whose share is `LEVEL`.
    """
    if share >= LEVEL:
        return "agree"
    if firm <= (1 - LEVEL) * points:
        return "undecided"
    many = points >= ENOUGH or stats.binom.sf(firm - 1, points, 1 - LEVEL) < _RARE
    return "elsewhere" if many else "undecided"


def _share(row: Row, name: str) -> tuple[float, int, int] | None:
    """Return the share of equal signs, of how many points, and firm exceptions, None where not known."""
    share = finite(row.get(f"signs_{name}"))
    return None if share is None else (share, int(row[f"points_{name}"]), int(row[f"firm_{name}"]))


def convergence(rows: Iterable[Row]) -> Json:
    """Return how many trained networks there are, how many converged, and the median of their residuals.

    The residual is the larger of stationarity and slackness; the median is None where it is infinite.
    """
    every = _trained(rows)
    residuals = [
        max(math.inf if (value := finite(row.get(f"{m}_{name}"))) is None else value for m in _RESIDUAL)
        for row, name in every
    ]
    return {
        "trained": len(every),
        "converged": sum(bool(row[f"converged_{name}"]) for row, name in every),
        "median_residual": finite(median(residuals)) if residuals else None,
    }


def _trained(rows: Iterable[Row]) -> list[tuple[Row, str]]:
    """Return each trained network once: a row that has it, and its name there."""
    every: dict[tuple[Any, ...], tuple[Row, str]] = {}
    for row in rows:
        if row.get("converged_f") is not None:
            key = tuple(row[name] for name in _OF_F)
            every[("f", *key)] = (row, "f")
        if row.get("converged_g") is not None:
            every[("g", row["hash"])] = (row, "g")
    return list(every.values())


def _attack(rows: Iterable[Row], lost: Mapping[int, int]) -> Json:
    """Return cosines of gradient perturbations with the closed form, where f converged or not.

    ``seeds``: for each the runs whose λ system holds or that are lost, of these those with a cosine below
    `LEVEL`, and those that are not known to have a larger one, f that did not converge included.
    """
    attacked = [row for row in rows if row.get("attack") == "gradient" and row["g"] != "none"]
    made: Json = {
        "slopes": sorted({row["negative_slope"] for row in attacked}),
        "norms": sorted({row["norm"] for row in attacked}),
    }
    for label, converged in (("converged", True), ("not converged", False)):
        chosen = [
            finite(row["attack_cosine"])
            for row in attacked
            if row.get("converged_f") is converged and (not converged or row["multipliers_f"] == "holds")
        ]
        values = [value for value in chosen if value is not None]
        made[label] = {
            "n": len(values),
            "unknown": len(chosen) - len(values),
            "mean": sum(values) / len(values) if values else None,
            "least": min(values, default=None),
            "at_least_level": sum(value >= LEVEL for value in values),
        }
    seeds = {str(seed): [count, 0, count] for seed, count in lost.items()}
    for row in attacked:
        if row["multipliers_f"] == "holds":
            value = finite(row["attack_cosine"]) if row.get("converged_f") is True else None
            below = value is not None and value < LEVEL
            _count(seeds, row["seed"], bad=below, doubtful=value is None)
    made["converged"]["seeds"] = seeds
    made["kinks"] = _kinks(attacked, lost)
    return made


def _kinks(attacked: Iterable[Row], lost: Mapping[int, int]) -> Json:
    """Compare the least cosine of L2 perturbations of each run with what kinks of its limit allow.

    Runs count where f converged, its λ system holds, and f is near that limit: the derived condition holds,
    or the signs are those of the limit.  A cosine below what its limit allows is "explained" by the measured
    distance of f from it, "unexplained" where that is too large for a bound, or "broken" below the bound.
    ``n`` leaves out runs whose cosine or limit is "unknown".  ``seeds``: for each the runs, those broken, and
    those that are not known to be above or explained, lost ones and f that did not converge included.
    """
    made: Json = dict.fromkeys(("n", "above", "explained", "unexplained", "broken", "unknown"), 0)
    seeds = {str(seed): [count, 0, count] for seed, count in lost.items()}
    over, bounds, leasts = [], [], []
    for row in attacked:
        share = _share(row, "f")
        near = row.get("orthogonal_rows_f") == "holds" or (share is not None and compared(*share) == "agree")
        least, kinks = finite(row.get("attack_least")), finite(row.get("kink_bound"))
        if row["norm"] != "L2" or row["multipliers_f"] != "holds" or not near:
            continue
        if row.get("converged_f") is not True:
            _count(seeds, row["seed"], bad=False, doubtful=True)
            continue
        if least is None or kinks is None:
            made["unknown"] += 1
            _count(seeds, row["seed"], bad=False, doubtful=True)
            continue
        proved = finite(row.get("attack_bound"))
        made["n"] += 1
        below = "unexplained" if proved is None else "explained" if least >= proved else "broken"
        word = "above" if least >= kinks else below
        made[word] += 1
        _count(seeds, row["seed"], bad=word == "broken", doubtful=word == "unexplained")
        over.append(least - kinks)
        bounds.append(kinks)
        leasts.append(least)
    return made | {
        "least": min(leasts, default=None),
        "least_over": min(over, default=None),
        "bounds": [min(bounds, default=None), max(bounds, default=None)],
        "seeds": seeds,
    }


def _map(rows: Sequence[Row], lost: set[int]) -> Json:
    """Return predicted beside measured accuracy of g, run by run: by the linear mean map, by the limit.

    ``seeds``: for each seed its mean absolute error, None where a run has no result, and the change of the
    error by one sample of one run.
    """
    made: Json = {}
    attacked = [row for row in rows if row.get("attack") == "gradient"]
    for column in ("accuracy_mean_g", "accuracy_limit_g"):
        known: list[tuple[float, float]] = []
        errors: dict[str, list[tuple[float, float]]] = {}
        for row in attacked:
            predicted, measured = finite(row.get(column)), finite(row.get("accuracy_g"))
            if predicted is not None and measured is not None:
                known.append((predicted, measured))
                found = errors.setdefault(str(row["seed"]), [])
                found.append((abs(predicted - measured), 1 / row["num_train"]))
        pairs = np.array(known, dtype=np.float64).reshape(-1, 2)
        made[column] = comparison(pairs[:, 0], pairs[:, 1]) | {
            "seeds": {
                seed: [
                    None if int(seed) in lost else math.fsum(e for e, _ in found) / len(found),
                    max(s for _, s in found) / len(found),
                ]
                for seed, found in errors.items()
            }
        }
    return made


def finite(value: Any) -> float | None:  # noqa: ANN401
    """Return a finite number as float; None for anything else, as the text of NaN in a table."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
