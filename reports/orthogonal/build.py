"""The results of a folder as one JSON value: spreads over seeds, verdicts, predictions.  Pure."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from scipy import stats

from reports.orthogonal.parts import Part, Point, x_label
from reports.sweeps.reproduction import per_seed, summary
from reports.sweeps.statistics import comparison, like_one_more_seed

Row = Mapping[str, Any]
Json = dict[str, Any]

SCHEMA_VERSION = 1
LEVEL = 0.99  # share of test points from which on signs are called equal
ENOUGH = 100  # test points from which on a share below that is called one
_RARE = 1e-6  # chance at which exceptions are too many all the same
CONDITIONS = ("orthogonal", "orthogonal_rows", "multipliers")  # each implies the next
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
        panels.setdefault(point.panel, []).append(point)
    done = [row for row in found.values() if not row["error"]]
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
        "networks": networks(done),
        "convergence": convergence(done),
        "attack": _attack(done),
        "map": _map(done),
        "examination": examination,
    }


def _panel(name: str, points: Sequence[Point], part: Part, found: Mapping[str, Row]) -> Json:
    made = [_point(point, part, found) for point in points]
    xs = [point.x for point in points]
    panel: Json = {
        "name": name,
        "x_label": x_label(name),
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


def distinct(points: Iterable[Json]) -> list[Json]:
    """Return points with different experiments behind them: the base of several sweeps counts once."""
    return list({point["key"]: point for point in list(points)[::-1]}.values())[::-1]


def _point(point: Point, part: Part, found: Mapping[str, Row]) -> Json:
    rows = [(config.seed, found.get(part.hash_of(config))) for config in point.configs]
    known = [row for _, row in rows if row is not None]
    done = [row for row in known if not row["error"]]
    made: Json = {
        "series": point.series,
        "x": point.x,
        "key": hashlib.sha256(" ".join(map(part.hash_of, point.configs)).encode()).hexdigest(),
        "sizes": {key: getattr(point.configs[0], key) for key in ("dim", "num_train", "num_adv", "epsilon")},
        "runs": len(rows),
        "failed": len(known) - len(done),
        "missing": len(rows) - len(known),
        "metrics": {
            name: summary(per_seed(rows, name), point.reading if name == "accuracy_g" else None)
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
    below, above = stats.binom.cdf(right, total, 0.5), stats.binom.sf(right - 1, total, 0.5)
    return {
        "right": right,
        "total": total,
        "above": float(above),
        "two_sided": min(1.0, 2 * float(min(below, above))),
        "seeds": {
            seed: [round(row["accuracy_g"] * row["num_train"]), row["num_train"]]
            for seed, row in seeds.items()
        },
    }


def networks(rows: Iterable[Row]) -> list[Json]:
    """Return for each condition the trained networks where it holds, and how many have the limit's signs.

    Parameters
    ----------
    rows : iterable of mapping
        Results; a network that several of them share counts once.

    Returns
    -------
    list of dict
        ``condition``, a name of `CONDITIONS` or "multipliers fail"; ``trained`` networks, of these
        ``converged``, of these ``n`` with a known share, of these ``agree``, ``elsewhere`` and ``undecided``
        by `compared`; the least share and the mean.  The three verdicts of "multipliers" add up to all.
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
                "least": min(shares, default=None),
                "mean": sum(shares) / len(shares) if shares else None,
            }
        )
    return made


def compared(share: float, points: int, firm: int) -> str:
    """Return "agree", "elsewhere" or "undecided" for a share of equal signs of so many test points.

    `firm` exceptions are those that the tolerance of training does not explain; others count as equal.
    Of fewer than `ENOUGH` a share of at least `LEVEL` allows no exception.  There exceptions are "undecided"
    unless as many have a probability below 1e-6 in a network whose share is `LEVEL`.
    """
    if share >= LEVEL:
        return "agree"
    many = stats.binom.sf(firm - 1, points, 1 - LEVEL) < _RARE
    return "elsewhere" if firm > (1 - LEVEL) * points and (points >= ENOUGH or many) else "undecided"


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


def _attack(rows: Iterable[Row]) -> Json:
    """Return cosines of gradient perturbations with the closed form, where f converged or not."""
    attacked = [
        row for row in rows if row.get("attack") == "gradient" and row.get("attack_cosine") is not None
    ]
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
    made["kinks"] = _kinks(attacked)
    return made


def _kinks(attacked: Iterable[Row]) -> Json:
    """Compare the least cosine of L2 perturbations of each run with what kinks of its limit allow.

    Runs count where f converged, its λ system holds, and f is near that limit: the derived condition holds,
    or the signs are those of the limit.  A cosine below what its limit allows is "explained" by the measured
    distance of f from it, "unexplained" where that is too large for a bound, or "broken" below the bound.
    ``n`` leaves out runs whose cosine or limit is "unknown".
    """
    made: Json = dict.fromkeys(("n", "above", "explained", "unexplained", "broken", "unknown"), 0)
    over, bounds, leasts = [], [], []
    for row in attacked:
        share = _share(row, "f")
        near = row.get("orthogonal_rows_f") == "holds" or (share is not None and compared(*share) == "agree")
        least, kinks = finite(row.get("attack_least")), finite(row.get("kink_bound"))
        if row["norm"] != "L2" or row.get("converged_f") is not True or row["multipliers_f"] != "holds":
            continue
        if not near:
            continue
        if least is None or kinks is None:
            made["unknown"] += 1
            continue
        proved = finite(row.get("attack_bound"))
        made["n"] += 1
        below = "unexplained" if proved is None else "explained" if least >= proved else "broken"
        made["above" if least >= kinks else below] += 1
        over.append(least - kinks)
        bounds.append(kinks)
        leasts.append(least)
    return made | {
        "least": min(leasts, default=None),
        "least_over": min(over, default=None),
        "bounds": [min(bounds, default=None), max(bounds, default=None)],
    }


def _map(rows: Sequence[Row]) -> Json:
    """Return predicted beside measured accuracy of g, run by run: by the linear mean map, by the limit.

    ``seeds``: for each seed its mean absolute error, and the change of that by one sample of one run.
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
                seed: [math.fsum(e for e, _ in found) / len(found), max(s for _, s in found) / len(found)]
                for seed, found in errors.items()
            }
        }
    return made


def finite(value: Any) -> float | None:  # noqa: ANN401
    """Return a finite number as float; None for anything else, as the text of NaN in a table."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
