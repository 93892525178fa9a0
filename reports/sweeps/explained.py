"""Predicted against measured, run by run: for several sets of runs, the widest honest one first.

Pure: functions of the plan and the rows of its results.  `reports.sweeps.reproduction` puts them on the page.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from empirics.campaigns import Panel, Point, campaign
from empirics.campaigns.wide import Part
from empirics.config import ExperimentConfig
from empirics.data import DataSource
from empirics.wide import WIDE
from reports.claims.sweeps.criterion import RULE_CORRELATION, RULE_ERROR, RULE_RUNS, judge_criterion
from reports.judging import outcome
from reports.statistics import comparison
from theory.setting import flow_time

Row = Mapping[str, Any]
Json = dict[str, Any]

# Name, predicted column, measured column, and whether a network is trained for the prediction: the name says
# which.
PREDICTIONS = tuple(
    (f"{what}, {how}" + (f" ({trained})" if trained else ""), f"{column}_{measured}", measured, bool(trained))
    for what, measured in (("accuracy of g", "accuracy_g_train"), ("agreement", "agreement_test"))
    for how, column, trained in (
        ("two samples", "two_point", "g trained on two points"),
        ("initial weights", "lazy", ""),
        ("wide limit", "predicted", ""),
        ("wide limit given the perturbations of f", "given_f", "f trained"),
        ("two-number rule", "rule", ""),
    )
    if (column, what) != ("rule", "agreement")
)
# Upper ends of intervals of τ, the larger of f and g: how far from lazy, a free share of (2/π) arctan τ.
REGIMES = (0.1, 1.0, 10.0)
_MOMENTUM = 0.9  # of the published optimiser


@dataclass(frozen=True)
class Runs:
    """The rows of a sweep by configuration; None where there is no record."""

    rows: Mapping[str, Row]  # by hash
    names: dict[ExperimentConfig, str] = field(default_factory=dict)
    contents: dict[DataSource, str] = field(default_factory=dict)

    def name(self, config: ExperimentConfig) -> str:
        """Return the hash of a configuration."""
        if config not in self.names:
            self.names[config] = WIDE.hash(config, self.contents)
        return self.names[config]

    def row(self, config: ExperimentConfig) -> Row | None:
        """Return what the tables say of a configuration, None if they lack it."""
        return self.rows.get(self.name(config))


def number(row: Row | None, column: str) -> float | None:
    """Return a finite value of a row, None if there is none."""
    value = None if row is None else row.get(column)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def explained(panels: Sequence[Panel], runs: Runs, *, published_block: bool) -> list[Json]:
    """Return predicted against measured for several sets of runs.

    The first is the widest one that the theory is about: all runs with identity loss, where there are any.
    Those runs follow once more by how lazy they are (`REGIMES`).

    Parameters
    ----------
    panels : sequence of Panel
    runs : Runs
    published_block : bool
        With the subset that the two-number rule was measured on (`RULE_RUNS`), and that of long training.

    Returns
    -------
    list of dict
        ``runs``: which they are; ``total``: how many; ``predictions``: for each of `PREDICTIONS` ``name``
        ``trained`` (whether a network was trained for the prediction) and the fields of `comparison`, over
        the runs that have both values, and of each seed by itself (``seeds``: correlation and mean error).
    """
    points = [(point, config) for panel in panels for point in panel.points for config in point.configs]
    every = {runs.name(config): config for _, config in points}
    sets = dict(_sets_by_loss(every)) | dict(_sets_by_regime(every, runs))
    if published_block:
        simple = [(p, config) for p, config in points if _simple(config, p)]
        sets[RULE_RUNS] = list(dict.fromkeys(runs.name(config) for _, config in simple))
        # What is predicted is the sign after long training.
        long = [config for p, config in simple if p.sweep not in {"T_f", "T_g"}]
        label = f"{RULE_RUNS}, all epochs of the base"
        sets[label] = list(dict.fromkeys(runs.name(config) for config in long))
    return [
        {
            "runs": label,
            "total": len(names),
            "predictions": [
                {"name": name, "trained": trained}
                | _pairs([(every[run].seed, runs.rows.get(run)) for run in names], predicted, measured)
                for name, predicted, measured, trained in PREDICTIONS
            ],
        }
        for label, names in sets.items()
    ]


def _sets_by_loss(every: Mapping[str, ExperimentConfig]) -> Iterator[tuple[str, list[str]]]:
    losses = {config.loss for config in every.values()}
    if len(losses) < 2:
        yield "all runs", list(every)
        return
    ordered = sorted(losses, key=lambda loss: (loss != "identity", loss))
    for index, loss in enumerate(ordered):
        yield f"{loss} loss", [name for name, config in every.items() if config.loss == loss]
        if not index:
            yield "all runs", list(every)


def _sets_by_regime(every: Mapping[str, ExperimentConfig], runs: Runs) -> Iterator[tuple[str, list[str]]]:
    """Yield the runs with identity loss by the larger τ of f and g."""
    rates = {}
    for name, config in every.items():
        both = [number(runs.rows.get(name), column) for column in ("tau_f", "tau_g")]
        known = [tau for tau in both if tau is not None]
        if config.loss == "identity" and len(known) == len(both):
            rates[name] = max(known)
    for low, high in pairwise((-math.inf, *REGIMES, math.inf)):
        label = (
            f"τ ≤ {high:g}" if low < 0 else f"τ > {low:g}" if high == math.inf else f"{low:g} < τ ≤ {high:g}"
        )
        inside = [name for name, tau in rates.items() if low < tau <= high]
        if inside:
            yield f"identity loss, {label}", inside


def shown(sets: Sequence[Json]) -> int:
    """Return which set is drawn and claimed: the first with a prediction, 0 if there is none."""
    found = (index for index, chosen in enumerate(sets) if any(row["n"] for row in chosen["predictions"]))
    return next(found, 0)


def criterion(part: Part, sets: Sequence[Json]) -> Json | None:
    """Return which predictors of the accuracy of g do at least as well as the two-number rule did.

    On MSG(a) over `RULE_RUNS`, where the rule was measured; elsewhere over the same runs of the block or,
    where there are none (images), over its widest set.  Judged are the means over seeds of the correlation,
    at least .997, and of the mean absolute error, at most .010, of the runs of a seed: "holds" if the t
    intervals exclude less and more at `MISSED`, "fails" if one that shares `FALSE_ALARM` excludes the limit
    itself, not rounded; "unknown" if the folder lacks a sweep of the block, or a run a value, or if a
    correlation is not defined.

    The criterion is about predictions without training; the others come after them, for comparison.

    Returns
    -------
    dict or None
        ``runs``, ``total``, ``correlation``, ``mean_error``, ``whole`` (all sweeps), and ``rows`` of name,
        trained, n, correlation, mean_error, verdict, decision, those without training first, without
        predictors that no run has; None for a study.
    """
    if part.kind != "published":
        return None
    of_rule = next(one for one in sets if one["runs"] == RULE_RUNS)
    chosen = of_rule if of_rule["total"] or part.name == "msg-a" else sets[0]
    rows = [
        {key: row[key] for key in ("name", "trained", "n", "correlation", "mean_error")}
        | outcome(judge_criterion(row, chosen["total"], whole=part.whole))
        for row in sorted(chosen["predictions"], key=lambda row: bool(row["trained"]))
        if row["n"] and row["name"].startswith("accuracy of g")
    ]
    return {
        "runs": chosen["runs"],
        "total": chosen["total"],
        "correlation": RULE_CORRELATION,
        "mean_error": RULE_ERROR,
        "whole": part.whole,
        "rows": rows,
    }


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
    base = campaign(point.block).base
    return (
        int(point.x) if point.sweep == "T_f" else base["epochs_f"],
        int(point.x) if point.sweep == "T_g" else base["epochs_g"],
    )


def _pairs(rows: Iterable[tuple[int, Row | None]], predicted: str, measured: str) -> Json:
    pairs: dict[int, list[tuple[float, float]]] = {}
    for seed, row in rows:
        pair = number(row, predicted), number(row, measured)
        if pair[0] is not None and pair[1] is not None:
            pairs.setdefault(seed, []).append((pair[0], pair[1]))
    of_seeds = {seed: _compared(found) for seed, found in sorted(pairs.items())}
    return _compared([pair for found in pairs.values() for pair in found]) | {
        "seeds": {str(seed): [one["correlation"], one["mean_error"]] for seed, one in of_seeds.items()}
    }


def _compared(pairs: Sequence[tuple[float, float]]) -> Json:
    known = np.array(pairs, dtype=float).reshape(-1, 2)
    return comparison(known[:, 0], known[:, 1])
