"""Run the experiments of a report and collect every number that it shows.

Provenance, the check of Φ, one section a data set, the claims.  Rendering reads them and computes nothing.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from empirics.measure import diagnosis, simulated
from empirics.sweep.executors import Pool
from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import finite
from empirics.sweep.plan import plan_of_configs
from empirics.sweep.runner import outcomes, run_sweep, stored
from reports import choice, measured
from reports.claims import claims
from reports.claims.simulated import total as total_of_simulated
from reports.claims.theorem import trends
from reports.measured import Measured, Run
from reports.phi_check import check_phi
from reports.presets import Series
from reports.results import SCHEMA_VERSION, Origin, Results
from reports.schema import check
from reports.statistics import summarise
from reports.text import legible

Progress = Callable[[float, str], None]


def build(
    all_series: Sequence[Series],
    *,
    provenance: Origin,
    device: str = "cpu",
    progress: Progress = lambda _share, _text: None,
    pool: Pool | None = None,
    folder: Path | None = None,
    known: Mapping[Run, Outcome] | None = None,
) -> Results:
    """Run all experiments and return the results of a report.

    Parameters
    ----------
    all_series : sequence of Series
        One section each.
    provenance : Origin
        Of `reports.provenance`.
    device : str
        "cpu" or "cuda".
    progress : callable
        Told the share done, in [0, 1], and what comes next.
    pool : Pool, optional
        Where experiments run; in this process, one after the other, if absent.
    folder : Path, optional
        Where results are kept as they come, and taken from if they are there.
    known : mapping, optional
        Results that are there, if there is no folder.

    Returns
    -------
    Results

    Raises
    ------
    ValueError, OSError
        If data cannot be loaded, or the folder cannot be written to.
    FailedError
        If an experiment failed.
    """
    started = time.monotonic()
    progress(0.0, "checking Φ")
    phi = check_phi()
    experiment = measured.experiment(device)
    asked = [measured.runs_of(series) for series in all_series]
    flat = list(chain.from_iterable(asked))

    def report(finished: int, total: int) -> None:
        progress(finished / total, f"{finished} of {total} runs")

    if folder is None:
        found = outcomes(experiment, flat, known=known, pool=pool, device=device, progress=report)
    else:
        plan = plan_of_configs(experiment, flat)
        run_sweep(experiment, plan, folder, pool=pool, device=device, progress=report)
        found = stored(experiment, flat, folder)
    sections = [
        _section(series, [Measured.of(found[run]) for run in part])
        for series, part in zip(all_series, asked, strict=True)
    ]
    _name_apart(sections)
    results = finite(
        {
            "schema_version": SCHEMA_VERSION,
            "provenance": msgspec.to_builtins(provenance) | {"seconds": round(time.monotonic() - started, 1)},
            "phi": phi,
            "sections": sections,
            "trends": trends(),
        }
    )
    results["claims"] = finite([asdict(claim) for claim in claims(check(results))])
    progress(1.0, "done")
    return check(results)


def _name_apart(sections: list[dict[str, Any]]) -> None:
    """Add numbers to the sections whose data have one name, since claims refer to sections by name."""
    seen: dict[str, int] = {}
    for section in sections:
        name = legible(section["name"])
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            section["name"] += f" ({seen[name]})"


# One data set ---------------------------------------------------------------------------------------


def _section(series: Series, measured: Sequence[Measured]) -> dict[str, Any]:
    runs = [one.record for one in measured]
    details: dict[str, Any] = {"simulated": None}
    for one in measured:
        details |= one.details
    plan, drawn = simulated.plan(series.base, series.widths, series.seeds), details["simulated"]
    diagnosed = diagnosis.total(runs, series.widths)
    conditions = _condition_totals([run for run in runs if run["width"] == series.widths[-1]])
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
        "condition_rows": _condition_rows(conditions),
        "condition_totals": conditions,
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


def _condition_totals(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up counts over all seeds at the largest width; thresholds and width verdict are shared."""
    return [
        first
        | {
            name: sum(run["conditions"][index][name] for run in runs)
            for name, count in first.items()
            if isinstance(count, int)
        }
        for index, first in enumerate(runs[0]["conditions"])
    ]


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
