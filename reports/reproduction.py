"""The results of a sweep as one JSON value: spreads over seeds beside published values and predictions.

Pure: what is computed here depends on the plan and the results alone.  `reports.sweep_page` shows it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from empirics import published
from empirics.config import ExperimentConfig
from empirics.data import DataSource
from empirics.plan import Plan, identity
from empirics.published import METRICS, Point, Reading
from empirics.store import digest
from reports.sweep_parts import Panel, Part, rest_panels
from reports.sweep_statistics import comparison, like_one_more_seed
from theory.setting import flow_time

SCHEMA_VERSION = 1
Row = Mapping[str, Any]
Json = dict[str, Any]

LEVEL = 0.9  # agreement from which on perturbation learning is said to succeed
_REGIME = ("free_f", "free_g", "flipped_f", "flipped_g", "tau_f", "tau_g")
# What is predicted for the same points, neither f nor its perturbations trained: the first column there is.
_PREDICTED = {
    "acc_f": ("predicted_accuracy_f_train",),
    "acc_g": ("two_point_accuracy_g_train", "lazy_accuracy_g_train", "predicted_accuracy_g_train"),
    "agreement": ("two_point_agreement_test", "lazy_agreement_test", "predicted_agreement_test"),
}
# Name, predicted column, measured column.
_PREDICTIONS = tuple(
    (f"{what}, {how}", f"{column}_{measured}", measured)
    for what, measured in (("accuracy of g", "accuracy_g_train"), ("agreement", "agreement_test"))
    for how, column in (
        ("two samples", "two_point"),
        ("initial weights", "lazy"),
        ("wide limit", "predicted"),
        ("wide limit given the perturbations of f", "given_f"),
        ("two-number rule", "rule"),
    )
    if (column, what) != ("rule", "agreement")
)
_MOMENTUM = 0.9  # of the published optimiser


@dataclass(frozen=True)
class _Runs:
    """The rows of a sweep by configuration; None where there is no record."""

    rows: Mapping[str, Row]  # by hash
    names: dict[ExperimentConfig, str] = field(default_factory=dict)
    contents: dict[DataSource, str] = field(default_factory=dict)

    def name(self, config: ExperimentConfig) -> str:
        """Return the hash of a configuration."""
        if config not in self.names:
            self.names[config] = digest(identity(config, self.contents))
        return self.names[config]

    def row(self, config: ExperimentConfig) -> Row | None:
        """Return what the tables say of a configuration, None if they lack it."""
        return self.rows.get(self.name(config))


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
    runs = _Runs({row["hash"]: row for row in rows})
    configs = plan.configs()
    runs.names.update({config: name for name, config in configs.items()})
    panels_of = [part.panels() for part in parts]
    sections = [_section(part, panels, runs) for part, panels in zip(parts, panels_of, strict=True)]
    shown = {
        runs.name(c) for panels in panels_of for panel in panels for p in panel.points for c in p.configs
    }
    if configs.keys() - shown:
        rest, left_out = rest_panels(plan, lambda config: runs.name(config) not in shown)
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


def _section(part: Part | None, panels: Sequence[Panel], runs: _Runs) -> Json:
    """Return one block, study or rest of a plan."""
    figure = "" if part is None else part.figure
    study = part is not None and part.kind == "study"
    drawn = [_panel(panel, runs, figure, study=study) for panel in panels]
    of_block = part is not None and part.kind == "published"
    explained = _explained(panels, runs, published_block=of_block)
    # The narrowest set of runs that is not empty.
    known = [
        index for index, chosen in enumerate(explained) if any(row["n"] for row in chosen["predictions"])
    ]
    section: Json = {
        "part": None if part is None else part.to_json(),
        "title": "Other configurations of the plan" if part is None else part.title,
        "question": "" if part is None else part.question,
        "panels": drawn,
        "panels_left_out": 0,
        "published": _published(drawn) if figure else None,
        "explained": explained,
        "explained_shown": known[-1] if known else 0,
    }
    return section


# Points ----------------------------------------------------------------------------------------------------


def _panel(panel: Panel, runs: _Runs, figure: str, *, study: bool) -> Json:
    values = [point.x for point in panel.points]
    # A log axis where values span more than a decade.
    log = panel.ticks is None and min(values) > 0 and max(values) / min(values) > 10
    drawn = [_point(point, runs, figure) for point in panel.points]
    return {
        "sweep": panel.sweep,
        "x_label": panel.x_label,
        "log": log,
        "ticks": None if panel.ticks is None else list(panel.ticks),
        "points": drawn,
        "reach": _reach(drawn) if study else None,
    }


def _point(point: Point, runs: _Runs, figure: str) -> Json:
    rows = [(config.seed, runs.row(config)) for config in point.configs]
    states = Counter(_state(row) for _, row in rows)
    regime = {name: _mean([_number(row, name) for _, row in rows]) for name in _REGIME}
    return {
        "x": point.x,
        "runs": len(rows),
        "failed": states["failed"],
        "missing": states["missing"],
        "metrics": {
            series: summary(per_seed(rows, column), _reading(figure, point, series))
            for series, column in METRICS.items()
        },
        "predicted": {
            series: summary(per_seed(rows, *columns), None)["mean"] for series, columns in _PREDICTED.items()
        },
        "regime": regime,
    }


def _reading(figure: str, point: Point, series: str) -> Reading | None:
    return published.readings().get((figure, point.sweep, float(point.x), series)) if figure else None


def per_seed(rows: Iterable[tuple[int, Row | None]], *columns: str) -> dict[int, float]:
    """Return the largest value of each seed over its runs, as published: over the pairs of learning rates.

    Parameters
    ----------
    rows : iterable of (int, row or None)
        Seed and result.
    *columns : str
        Of each run the first that it has.

    Returns
    -------
    dict from int to float
        Runs without a value do not count; a seed without any is absent.
    """
    found: dict[int, float] = {}
    for seed, row in rows:
        value = next((v for v in (_number(row, column) for column in columns) if v is not None), None)
        if value is not None:
            found[seed] = max(found.get(seed, -math.inf), value)
    return dict(sorted(found.items()))


def _number(row: Row | None, column: str) -> float | None:
    """Return a finite value of a row, None if there is none."""
    value = None if row is None else row.get(column)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def summary(values: Mapping[int, float], reading: Reading | None) -> Json:
    """Return mean, spread and range over seeds, beside a published value.

    Parameters
    ----------
    values : mapping from seed to float
    reading : Reading, optional

    Returns
    -------
    dict
        ``values`` by seed; ``mean``, ``sd`` (of a sample, None for one), ``min``, ``max``, ``n``;
        ``published``, ``error``; ``inside``: whether [published − error, published + error] meets [min, max],
        None where one of them is not known.
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
        if reading.value is not None and array.size:
            low, high = reading.value - reading.error, reading.value + reading.error
            made["inside"] = bool(low <= made["max"] and high >= made["min"])
    return made


# Published values ------------------------------------------------------------------------------------------


def _published(panels: Sequence[Json]) -> Json:
    """Return how many published values lie within the range of our seeds, by metric, by sweep and in all."""

    def cells(panel: Json, series: str) -> list[Json]:
        return [point["metrics"][series] for point in panel["points"]]

    return {
        "all": like_one_more_seed([c for p in panels for s in METRICS for c in cells(p, s)]),
        "by_metric": {s: like_one_more_seed([c for p in panels for c in cells(p, s)]) for s in METRICS},
        "by_sweep": {
            p["sweep"]: like_one_more_seed([c for s in METRICS for c in cells(p, s)]) for p in panels
        },
    }


# Predictions -----------------------------------------------------------------------------------------------


def _explained(panels: Sequence[Panel], runs: _Runs, *, published_block: bool) -> list[Json]:
    """Return predicted against measured, run by run, for several sets of runs."""
    every: dict[str, ExperimentConfig] = {}
    chosen: set[str] = set()
    trained_long: set[str] = set()
    for panel in panels:
        for point in panel.points:
            for config in point.configs:
                every[runs.name(config)] = config
                if published_block and _simple(config, point):
                    chosen.add(runs.name(config))
                    if point.sweep not in {"T_f", "T_g"}:
                        trained_long.add(runs.name(config))
    sets = {"all runs": list(every)}
    losses = {config.loss for config in every.values()}
    for loss in (
        sorted(losses, reverse=True) if len(losses) > 1 else ()
    ):  # identity, which theory is about, last
        sets[f"{loss} loss"] = [name for name, config in every.items() if config.loss == loss]
    if published_block:
        label = "identity loss, learning rates 1, m ≥ 30, N ≥ 100"
        sets[label] = [name for name in every if name in chosen]
        # What is predicted is the sign after long training.
        sets[f"{label}, all epochs of the base"] = [name for name in every if name in trained_long]
    return [
        {
            "runs": label,
            "predictions": [
                {"name": name, **_pairs([runs.rows.get(run) for run in names], predicted, measured)}
                for name, predicted, measured in _PREDICTIONS
            ],
        }
        for label, names in sets.items()
    ]


def _simple(config: ExperimentConfig, point: Point) -> bool:
    """Tell whether both learning rates are 1, m ≥ 30 and N ≥ 100, with identity loss."""
    N = getattr(config.data, "num_train", None)
    if config.loss != "identity" or config.width < 30 or (N is not None and N < 100):
        return False
    epochs_f, epochs_g = _epochs(point)
    times = (config.T_f, epochs_f), (config.T_g, epochs_g)
    return all(math.isclose(T, flow_time(1.0, count, momentum=_MOMENTUM)) for T, count in times)


def _epochs(point: Point) -> tuple[int, int]:
    """Return the epochs of f and g, which are the same in all sizes."""
    base = published.block(point.block, size="small").base
    return (
        int(point.x) if point.sweep == "T_f" else base.epochs_f,
        int(point.x) if point.sweep == "T_g" else base.epochs_g,
    )


def _pairs(rows: Iterable[Row | None], predicted: str, measured: str) -> Json:
    pairs = [(_number(row, predicted), _number(row, measured)) for row in rows]
    known = np.array([pair for pair in pairs if None not in pair], dtype=float).reshape(-1, 2)
    return comparison(known[:, 0], known[:, 1])


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
