"""The results of a sweep as one JSON value: spreads over seeds beside published values and predictions.

Pure: what is computed here depends on the plan and the results alone.  `reports.sweeps.page` shows it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from empirics.campaigns import Panel, Point, Reading, readings
from empirics.campaigns.wide import COSINES, METRICS, Part, cosine_reading
from empirics.data.images import published_content
from empirics.sweep.plan import Plan
from empirics.wide import WIDE
from reports.statistics import like_one_more_seed
from reports.sweeps.explained import Runs, criterion, explained, number, shown
from reports.sweeps.panels import rest_panels
from reports.sweeps.trends import trends

SCHEMA_VERSION = 4
Row = Mapping[str, Any]
Json = dict[str, Any]

LEVEL = 0.9  # agreement from which on perturbation learning is said to succeed
_REGIME = ("free_f", "free_g", "flipped_f", "flipped_g", "tau_f", "tau_g")
# What is predicted for the same points, neither f nor its perturbations trained: the first column that all
# runs with a measurement have.
_PREDICTED = {
    "acc_f": ("predicted_accuracy_f_train",),
    "acc_g": ("two_point_accuracy_g_train", "lazy_accuracy_g_train", "predicted_accuracy_g_train"),
    "agreement": ("two_point_agreement_test", "lazy_agreement_test", "predicted_agreement_test"),
}


def build(plan: Plan, rows: Iterable[Row], parts: Sequence[Part], *, provenance: Mapping[str, Any]) -> Json:
    """Return all that the page of a sweep shows.

    Parameters
    ----------
    plan : Plan
        Of the folder.
    rows : iterable of mapping
        Lines of ``results.jsonl``: hash, status, fields, record.
    parts : sequence of Part
        Published blocks and studies that the folder holds; for what belongs to none of them there is a panel
        an axis of the plan.
    provenance : mapping
        Versions and device, plain JSON values.

    Returns
    -------
    dict
        Plain JSON values without NaN; what is not known is None.
    """
    runs = Runs({row["hash"]: row for row in rows})
    configs = plan.configs(WIDE)
    runs.names.update({config: name for name, config in configs.items()})
    panels_of = [part.panels() for part in parts]
    sections = [_section(part, panels, runs) for part, panels in zip(parts, panels_of, strict=True)]
    placed = {
        runs.name(c) for panels in panels_of for panel in panels for p in panel.points for c in p.configs
    }
    if configs.keys() - placed:
        rest, left_out = rest_panels(plan, lambda config: runs.name(config) not in placed)
        sections.append(_section(None, rest, runs) | {"panels_left_out": left_out})
    states = Counter(_state(runs.rows.get(name)) for name in configs)
    return {
        "schema_version": SCHEMA_VERSION,
        "provenance": dict(provenance),
        "totals": {"configurations": len(configs)} | {s: states[s] for s in ("done", "failed", "missing")},
        "sections": sections,
    }


def _state(row: Row | None) -> str:
    if row is None:
        return "missing"
    return "failed" if row["status"] == "failed" else "done"


def _section(part: Part | None, panels: Sequence[Panel], runs: Runs) -> Json:
    """Return one block, study or rest of a plan."""
    figure = "" if part is None else part.figure
    study = part is not None and part.kind == "study"
    found = images(panels, runs)
    foreign = not all(found.values())
    drawn = [_panel(panel, runs, figure, study=study, foreign=foreign) for panel in panels]
    of_block = part is not None and part.kind == "published"
    sets = explained(panels, runs, published_block=of_block)
    section: Json = {
        "part": None if part is None else part.to_json(),
        "title": "Other configurations of the plan" if part is None else part.title,
        "question": "" if part is None else part.question,
        "stand_in": "" if part is None else part.stand_in,
        "images": found,
        "foreign": foreign,
        "panels": drawn,
        "panels_left_out": 0,
        "published": _published(drawn) if figure else None,
        "trends": None if part is None else trends(part, drawn),
        "explained": sets,
        "explained_shown": shown(sets),
        "criterion": None if part is None else criterion(part, sets),
    }
    return section


def images(panels: Sequence[Panel], runs: Runs) -> dict[str, bool]:
    """Tell for each public set of images whether the results are of the files that were published.

    The hash of a result covers the bytes of its files: it is compared with the hash that the same fields have
    with the published files.  No file is read.

    Parameters
    ----------
    panels : sequence of Panel
    runs : Runs

    Returns
    -------
    dict from str to bool
        By the name of the set; False if any result of it is of other files.
    """
    one_each = {config.data: config for panel in panels for p in panel.points for config in p.configs}
    found: dict[str, bool] = {}
    for data, config in one_each.items():
        content = published_content(data)
        if content is not None:
            same = runs.name(config) == WIDE.hash(config, {data: content})
            found[data.name] = found.get(data.name, True) and same
    return dict(sorted(found.items()))


# Points ----------------------------------------------------------------------------------------------------


def _panel(panel: Panel, runs: Runs, figure: str, *, study: bool, foreign: bool) -> Json:
    values = [point.x for point in panel.points]
    # A log axis where values span more than a decade.
    log = panel.ticks is None and min(values) > 0 and max(values) / min(values) > 10
    drawn = [_point(point, runs, figure, foreign=foreign) for point in panel.points]
    return {
        "sweep": panel.sweep,
        "x_label": panel.x_label,
        "log": log,
        "ticks": None if panel.ticks is None else list(panel.ticks),
        "points": drawn,
        "reach": _reach(drawn) if study else None,
    }


def _point(point: Point, runs: Runs, figure: str, *, foreign: bool) -> Json:
    rows = [(config.seed, runs.row(config)) for config in point.configs]
    states = Counter(_state(row) for _, row in rows)
    regime = {name: _mean([number(row, name) for _, row in rows]) for name in _REGIME}
    foreseen = {series: _foreseen(rows, series) for series in METRICS}
    return {
        "x": point.x,
        "runs": len(rows),
        "failed": states["failed"],
        "missing": states["missing"],
        "metrics": {
            series: summary(per_seed(rows, column), _reading(figure, point, series), foreign=foreign)
            for series, column in METRICS.items()
        },
        "cosines": {
            name: summary(
                per_seed(rows, column),
                cosine_reading(figure, point.sweep, point.x),
                foreign=foreign,
            )
            for name, column in COSINES.items()
        },
        "predicted": {series: mean for series, (_, mean) in foreseen.items()},
        "predicted_by": {series: column for series, (column, _) in foreseen.items()},
        "regime": regime,
    }


def _reading(figure: str, point: Point, series: str) -> Reading | None:
    return readings().get((figure, point.sweep, float(point.x), series)) if figure else None


def per_seed(rows: Iterable[tuple[int, Row | None]], column: str) -> dict[int, float]:
    """Return the largest value of each seed over its runs, as published: over the pairs of learning rates.

    Parameters
    ----------
    rows : iterable of (int, row or None)
        Seed and result.
    column : str

    Returns
    -------
    dict from int to float
        Runs without a value do not count; a seed without any is absent.
    """
    found: dict[int, float] = {}
    for seed, row in rows:
        value = number(row, column)
        if value is not None:
            found[seed] = max(found.get(seed, -math.inf), value)
    return dict(sorted(found.items()))


def _foreseen(rows: Iterable[tuple[int, Row | None]], series: str) -> tuple[str | None, float | None]:
    """Return the column that predicts a metric at a point, and its mean over seeds, as that of the metric.

    One column for the whole point, and the runs that the measured value is taken from: a prediction that
    some of them lack would be the maximum of fewer runs, or of several predictors.
    """
    measured = [(seed, row) for seed, row in rows if number(row, METRICS[series]) is not None]
    for column in _PREDICTED[series]:
        if measured and all(number(row, column) is not None for _, row in measured):
            return column, summary(per_seed(measured, column), None)["mean"]
    return None, None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def summary(values: Mapping[int, float], reading: Reading | None, *, foreign: bool = False) -> Json:
    """Return mean, spread and range over seeds, beside a published value.

    Parameters
    ----------
    values : mapping from seed to float
    reading : Reading, optional
    foreign : bool
        The values are of other data than those that the published value is about: not to be compared.

    Returns
    -------
    dict
        ``values`` by seed; ``mean``, ``sd`` (of a sample, None for one), ``min``, ``max``, ``n``;
        ``published``, ``error``; ``inside``: whether [published − error, published + error] meets [min, max],
        None where one of them is not known, or the data are others.
    """
    array = np.array(list(values.values()))
    made: Json = {"values": {str(seed): value for seed, value in values.items()}, "n": len(array)}
    made |= dict.fromkeys(("mean", "sd", "min", "max", "published", "error", "inside"))
    if array.size:
        made |= {"mean": float(array.mean()), "min": float(array.min()), "max": float(array.max())}
    if array.size > 1:
        made["sd"] = float(array.std(ddof=1))
    if reading is not None:
        made |= {"published": reading.value, "error": reading.error}
        if reading.value is not None and array.size and not foreign:
            low, high = reading.value - reading.error, reading.value + reading.error
            made["inside"] = bool(low <= made["max"] and high >= made["min"])
    return made


# Published values ------------------------------------------------------------------------------------------


def _published(panels: Sequence[Json]) -> Json:
    """Return how many published values lie within the range of our seeds, by metric, by sweep and in all.

    Cosines are counted by themselves: ``cosines``, those with u and, though that is not what was published,
    with ∇f_b, and ``cosine_difference``, our mean less the published value, in the mean over points.
    """

    def cells(panel: Json, series: str) -> list[Json]:
        return [point["metrics"][series] for point in panel["points"]]

    cosines = {name: [p["cosines"][name] for panel in panels for p in panel["points"]] for name in COSINES}

    return {
        "all": like_one_more_seed([c for p in panels for s in METRICS for c in cells(p, s)]),
        "by_metric": {s: like_one_more_seed([c for p in panels for c in cells(p, s)]) for s in METRICS},
        "by_sweep": {
            p["sweep"]: like_one_more_seed([c for s in METRICS for c in cells(p, s)]) for p in panels
        },
        "cosines": {name: like_one_more_seed(found) for name, found in cosines.items()},
        "cosine_difference": {
            name: _mean([c["mean"] - c["published"] for c in found if c["inside"] is not None])
            for name, found in cosines.items()
        },
    }


# Studies ---------------------------------------------------------------------------------------------------


def _reach(points: Sequence[Json]) -> Json:
    """Return, for each seed, the first x from which on its agreement stays at `LEVEL` or above.

    None for a seed that ends below; seeds that lack a value somewhere are left out and counted.
    """
    ordered = sorted(points, key=lambda point: float(point["x"]))
    agreements = [point["metrics"]["agreement"]["values"] for point in ordered]
    every = sorted({int(seed) for values in agreements for seed in values})
    whole = [seed for seed in every if all(str(seed) in values for values in agreements)]
    found: dict[str, float | None] = {}
    for seed in whole:
        first = None
        for point, values in zip(ordered[::-1], agreements[::-1], strict=True):
            if values[str(seed)] < LEVEL:
                break
            first = float(point["x"])
        found[str(seed)] = first
    places = sorted(math.inf if x is None else x for x in found.values())
    middle = places[(len(places) - 1) // 2 : len(places) // 2 + 1]
    median = (middle[0] + middle[-1]) / 2 if middle else math.inf
    return {
        "level": LEVEL,
        "seeds": found,
        "reached": sum(math.isfinite(x) for x in places),
        "n": len(places),
        "incomplete": len(every) - len(whole),
        "min": _finite(places[0]) if places else None,
        "median": _finite(median),
        "max": _finite(places[-1]) if places else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
