"""Run the experiments of a report and collect every number that it shows.

The outcome is one plain JSON value, `SCHEMA_VERSION`ed: provenance, the check of Φ, one section a data
set, the claims.  Rendering reads that value and computes nothing.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from typing import Any

import numpy as np

import theory
from empirics.config import ExperimentConfig
from empirics.data import Dataset
from empirics.experiment import ExperimentResult, run
from empirics.measure import agreement, certified, diagnosis, drift, simulated
from reports import choice, drawings, prior_work
from reports.claims import claims
from reports.claims.simulated import total as total_of_simulated
from reports.claims.theorem import trends
from reports.phi_check import check_phi
from reports.presets import Series
from reports.results import SCHEMA_VERSION
from reports.schema import check
from reports.statistics import summarise

# Expected share of free neurons for which the section tabulates the width it takes.
FREE_SHARE = 0.1
_SEEDS_IN_HAND = 4  # seeds whose networks get a certificate of their own: seconds each

Progress = Callable[[float, str], None]


def build(
    all_series: Sequence[Series],
    *,
    provenance: dict[str, Any],
    device: str = "cpu",
    progress: Progress = lambda _share, _text: None,
    executor: Executor | None = None,
) -> dict[str, Any]:
    """Run all experiments and return the results of a report.

    Parameters
    ----------
    all_series : sequence of Series
        One section each.
    provenance : dict
        Stored as it is; see `reports.provenance`.
    device : str
        "cpu" or "cuda".
    progress : callable
        Told the share done, in [0, 1], and what comes next.
    executor : concurrent.futures.Executor, optional
        Where experiments run; in this process, one after the other, if absent.

    Returns
    -------
    dict
        JSON values only; a number that is not finite is None.

    Raises
    ------
    ValueError, FileNotFoundError, FloatingPointError
        From the experiments.
    """
    started = time.monotonic()
    # The widest networks of the first seeds get certificates of their own; the very first is also drawn.
    tasks = [
        (
            config,
            device,
            config.width == series.widths[-1] and config.seed in series.seeds[:_SEEDS_IN_HAND],
            config.width == series.widths[-1] and config.seed == series.seeds[0],
            (config.width, config.seed) in drift.drawn(series.widths, series.seeds),
            simulated.plan(series.base, series.widths, series.seeds),
        )
        for series in all_series
        for config in series.configs()
    ]
    if executor is None:
        outcomes: Iterator[_Outcome] = map(_measure, *zip(*tasks, strict=True))
    else:
        outcomes = executor.map(_measure, *zip(*tasks, strict=True))
    progress(0.0, "checking Φ")  # while an executor works
    phi = check_phi()
    total, done = sum(_cost(config) for config, *_ in tasks), 0.0
    sections = []
    for series in all_series:
        runs: list[dict[str, Any]] = []
        details: dict[str, Any] = {"simulated": None}
        for config in series.configs():
            progress(done / total, f"{config.data.name}: width {config.width:,}, seed {config.seed}")
            record, drawn = next(outcomes)
            runs.append(record)
            details |= drawn
            done += _cost(config)
        sections.append(_section(series, runs, details))
    _name_apart(sections)
    results = _plain(
        {
            "schema_version": SCHEMA_VERSION,
            "provenance": provenance | {"seconds": round(time.monotonic() - started, 1)},
            "phi": phi,
            "sections": sections,
            "trends": trends(),
        }
    )
    results["claims"] = _plain([asdict(claim) for claim in claims(check(results))])
    progress(1.0, "done")
    return dict(results)


def _name_apart(sections: list[dict[str, Any]]) -> None:
    """Add numbers to the sections whose data have one name, since claims refer to sections by name."""
    seen: dict[str, int] = {}
    for section in sections:
        name = section["name"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            section["name"] = f"{name} ({seen[name]})"


def _cost(config: ExperimentConfig) -> float:
    """Return relative work of one experiment: neuron updates, plus a fixed part."""
    return config.width * config.num_steps + 3e4


# One data set ---------------------------------------------------------------------------------------


_Outcome = tuple[dict[str, Any], dict[str, Any]]


def _measure(
    config: ExperimentConfig,
    device: str,
    in_hand: bool,
    detailed: bool,
    drifts: bool,
    plan: simulated.Plan | None,
) -> _Outcome:
    """Run one experiment; return its numbers, and what is drawn of it if `detailed`."""
    result = run(config, device=device)
    record, details = _run_record(result, in_hand=in_hand), _details(result) if detailed else {}
    if drifts:
        record["drift"] = drift.measure(result)
    if plan is not None and config.width == plan.width and config.seed in plan.seeds:
        record["simulated"], drawn = simulated.simulate(result, plan)
        details |= {"simulated": drawn} if drawn else {}
    return record, details


def _run_record(result: ExperimentResult, *, in_hand: bool) -> dict[str, Any]:
    return {
        "width": result.config.width,
        "seed": result.config.seed,
        "f": asdict(result.f) | _errors(result, "f"),
        "g": asdict(result.g) | _errors(result, "g"),
        "cosines": asdict(result.cosines),
        "agreement": asdict(result.agreement),
        "conditions": [asdict(counts) for counts in result.conditions],
        "zero_gradients": result.zero_gradients,
        "certificates": certified.counts(result, in_hand=in_hand),
        "diagnosis": diagnosis.examine(result),
    }


def _errors(result: ExperimentResult, network: str) -> dict[str, float]:
    """With another loss than identity, replace the errors of f_b by those of the lazy limit of that loss."""
    if result.setting.loss == "identity":
        return {}
    points, T = drawings.points_of(result, network)
    velocity = drawings.velocity(result, network, result.dataset.X_test)
    measured = (points.final - points.initial) / T if T > 0 else np.full(len(velocity), np.nan)
    return {
        "error": float(np.sqrt(np.mean((measured - velocity) ** 2))),
        "scale": float(np.sqrt(np.mean(velocity**2))),
        "sign_match": agreement(points.final, velocity),
    }


def _details(result: ExperimentResult) -> dict[str, Any]:
    dataset = result.dataset
    curves = certified.curves(result)
    return {
        "name": dataset.name,
        "classes": list(dataset.classes),
        "preparation": dataset.preparation,
        "num_test": len(dataset.X_test),
        "largest_norm": _largest_norm(dataset),
        "setting": asdict(result.setting) | {"width": None},
        "width_bounds": _width_bounds(result),
        "scatter": {
            "f": drawings.scatter(result, "f"),
            "g": drawings.scatter(result, "g"),
        },
        "certificates": curves,
        "beside": certified.beside(result, curves),
        "map": drawings.decision_map(result, curves),
        "images": drawings.images(result),
        "prior_work": prior_work.compare(result),
        "feasibility": choice.feasibility(result),
    }


def _section(series: Series, runs: list[dict[str, Any]], details: dict[str, Any]) -> dict[str, Any]:
    plan, drawn = simulated.plan(series.base, series.widths, series.seeds), details["simulated"]
    diagnosed = diagnosis.total(runs, series.widths)
    for record in runs:  # summed up by now
        del record["diagnosis"]["rows"]
    return details | {
        "diagnosis": diagnosed,
        "drift": [record.pop("drift") for record in runs if "drift" in record],
        "choice": _choice(series),
        "simulated": total_of_simulated(plan, runs, drawn) if plan and drawn else None,
        "config": series.base.to_json() | {"width": None, "seed": None},
        "widths": list(series.widths),
        "seeds": list(series.seeds),
        "runs": runs,
        "by_width": [_by_width([run for run in runs if run["width"] == w]) for w in series.widths],
        "condition_rows": _condition_rows(
            _condition_totals([run for run in runs if run["width"] == series.widths[-1]])
        ),
        "condition_totals": _condition_totals([run for run in runs if run["width"] == series.widths[-1]]),
    }


def _choice(series: Series) -> dict[str, Any] | None:
    """Return what was chosen from the data, and which of it these experiments have."""
    if series.choice is None:
        return None
    base, chosen = series.base, series.choice
    return chosen.to_json() | {
        "applied": {
            "T_f": base.T_f == chosen.T_f,
            "T_g": base.T_g == chosen.T_g,
            "epsilon": base.epsilon == chosen.epsilon,
            "widths": series.widths == chosen.widths,
        },
        "shares": {
            "initial": choice.INITIAL_SHARE,
            "largest_initial": choice.LARGEST_INITIAL_SHARE,
            "widest_free": choice.WIDEST_FREE_SHARE,
            "capped_free": choice.CAPPED_FREE_SHARE,
            "work": choice.MOST_WORK,
        },
    }


def _by_width(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Means and spreads over seeds of every scalar measured at one width."""
    record: dict[str, Any] = {"width": runs[0]["width"]}
    for group in ("f", "g", "cosines", "agreement"):
        record[group] = {
            name: asdict(summarise([run[group][name] for run in runs])) for name in runs[0][group]
        }
    for network in ("f", "g"):  # errors relative to the size of what is predicted
        values = [
            run[network]["error"] / run[network]["scale"] if run[network]["scale"] else math.nan
            for run in runs
        ]
        record[network]["relative_error"] = asdict(summarise(values))
    return record


def _largest_norm(dataset: Dataset) -> float:
    """Return the largest ‖x‖/√d over training and test points; the theory assumes at most 1."""
    norms = [np.linalg.norm(points, axis=1).max() for points in (dataset.X, dataset.X_test)]
    return float(max(norms) / math.sqrt(dataset.X.shape[1]))


def _condition_totals(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up counts over all seeds at the largest width; thresholds and width verdict are shared."""
    totals = []
    for index, first in enumerate(runs[0]["conditions"]):
        counts = {
            name: sum(run["conditions"][index][name] for run in runs)
            for name in (
                "a",
                "b",
                "c",
                "a_agree",
                "b_agree",
                "c_agree",
                "met_agree",
                "met_differ",
                "unmet_agree",
                "unmet_differ",
            )
        }
        totals.append(first | counts)
    return totals


def _condition_rows(totals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cross each condition, and all of them together, with agreement."""
    rows = []
    for label, total in zip(("ν = d/√N", "ν = 1/√N in (a)"), totals, strict=True):
        agree = total["met_agree"] + total["unmet_agree"]
        points = agree + total["met_differ"] + total["unmet_differ"]
        crossed = {
            f"(a), {label}": (total["a"], total["a_agree"], total["threshold_a"]),
            f"(b), {label}": (total["b"], total["b_agree"], total["threshold_b"]),
            f"(c), {label}": (total["c"], total["c_agree"], None),
            f"all three, {label}": (total["met_agree"] + total["met_differ"], total["met_agree"], None),
        }
        for name, (holds, both, threshold) in crossed.items():
            rows.append(
                {
                    "name": name,
                    "threshold": threshold,
                    "holds_agree": both,
                    "holds_differ": holds - both,
                    "fails_agree": agree - both,
                    "fails_differ": points - agree - (holds - both),
                }
            )
    return rows


def _width_bounds(result: ExperimentResult) -> dict[str, Any]:
    """Widths from which the expected free share is at most `FREE_SHARE`, and the published width."""
    Z, setting = result.dataset.X_test, result.setting
    s = theory.preactivation_scale(Z)
    kappa_f, kappa_g = theory.kappa(Z, X=result.dataset.X), theory.kappa(Z, X=result.X_adv)
    by_network = {"f": kappa_f, "g": kappa_g, "both": np.maximum(kappa_f, kappa_g)}
    rows = []
    networks: tuple[theory.Network, ...] = ("f", "g", "both")
    for network in networks:
        data = theory.width_bound(
            setting, free_share=FREE_SHARE, network=network, kappa=by_network[network], s=s
        )
        norms = theory.width_bound(setting, free_share=FREE_SHARE, network=network)
        rows.append(
            {
                "network": network,
                "from_data_median": float(np.median(data)),
                "from_data_largest": float(data.max()),
                "from_norms": float(norms),
            }
        )
    published = theory.published_width(setting)
    return {"free_share": FREE_SHARE, "rows": rows, "published": published}


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return `value` with numbers that JSON does not know (NaN, infinity) replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
