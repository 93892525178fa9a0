"""Two theories on the data in hand: that of wide networks, and the prior one of nearly orthogonal samples."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

import theory
from empirics.experiment import ExperimentResult
from theory.orthogonal import Hypothesis, Orthogonality, hypotheses, orthogonality
from theory.validation import Array
from theory.verdicts import Verdict

# Gram matrices of at most so many samples are formed here; the limit network solves a system of that size.
MOST_SAMPLES = 2_000
# For data at slope 0, which the prior theory excludes: its condition is easiest to meet as the slope tends
# to 1, so that what fails there fails for every slope.
_STEEPEST = float(np.nextafter(1.0, 0.0))
_ORDER = ("time", "data", "margin", "width", "loss", "activation", "bias", "perturbation")
_LABELS = {
    "time": "training time",
    "data": "training set",
    "margin": "query points",
    "width": "width",
    "loss": "loss",
    "activation": "activation",
    "bias": "biases",
    "perturbation": "perturbation",
}

Json = dict[str, Any]


def compare(result: ExperimentResult) -> Json:
    """Return the hypotheses of both theories beside what holds for one experiment.

    Parameters
    ----------
    result : ExperimentResult
        Its width is the one that both are judged at.

    Returns
    -------
    dict
        ``rows``: aspect, what each theory asks for, and both verdicts; ``ratios``: m over the published
        width, and γ³R_min⁴/(3 N R_max²) over p_max, for the samples of f and the inputs of g (above 1 the
        condition is met); ``verdicts``: of each theory as a whole.  The margins of wide networks, of which
        the constants are 1 and ν = d/√N, "hold" or "fail" if they do at every test point, and else say at
        how many.

    Notes
    -----
    Source: the hypotheses of both publications; Derivations 7 and 15.
    """
    data, setting = result.dataset, result.setting
    small = setting.N <= MOST_SAMPLES
    # The theory of long training asks for the limit; these networks were stopped at a finite time.
    found = (
        hypotheses(data.X, data.y, setting, converged=False, biases=True) if small else _without_data(result)
    )
    margins = _margins(result)
    rows = [_plain(asdict(row)) | {"label": _LABELS[row.aspect]} for row in found]
    rows.sort(key=lambda row: _ORDER.index(row["aspect"]))
    for row in rows:
        if row["aspect"] == "margin":
            row["wide_verdict"] = margins
    # At a query point the theory applies if its margins are met there and all else is met.
    others = all_of(row.wide_verdict for row in found if row.aspect != "margin").value
    published = theory.published_width(setting)
    return {
        "width": setting.width,
        "rows": rows,
        "ratios": {
            "width": setting.width / published if published > 0 else None,
            "published_width": published,
            "negative_slope": setting.negative_slope,
            "samples": _sizes(data.X, setting.negative_slope) if small else None,
            "inputs_of_g": _sizes(result.X_adv, setting.negative_slope) if small else None,
            "most_samples": MOST_SAMPLES,
        },
        "verdicts": {
            "wide": margins if others == Verdict.HOLDS.value else others,
            "orthogonal": orthogonal_verdict(found).value,
        },
    }


def _plain(row: Json) -> Json:
    return {name: value.value if isinstance(value, Verdict) else value for name, value in row.items()}


def _margins(result: ExperimentResult) -> str:
    """Say at how many test points the published (a), (b) and (c) hold."""
    (counts,) = [row for row in result.conditions if row.label_noise == "published"]
    met = counts.met_agree + counts.met_differ
    points = met + counts.unmet_agree + counts.unmet_differ
    if points and met in (0, points):
        return (Verdict.HOLDS if met else Verdict.FAILS).value
    return f"at {met:,} of {points:,} points" if points else Verdict.UNKNOWN.value


def _without_data(result: ExperimentResult) -> tuple[Hypothesis, ...]:
    """Return the rows for more samples than are looked at pair by pair: what is about pairs is unknown."""
    two = slice(0, 2)
    data = result.dataset
    few = theory.Setting(**(asdict(result.setting) | {"N": len(data.X[two])}))
    found = hypotheses(data.X[two], data.y[two], few, converged=False, biases=True)
    text = f"not computed for more than {MOST_SAMPLES:,} samples"
    return tuple(
        Hypothesis(
            aspect=row.aspect,
            wide=row.wide,
            wide_verdict=row.wide_verdict,
            orthogonal=text if row.aspect == "data" else row.orthogonal,
            orthogonal_verdict=Verdict.UNKNOWN if row.aspect == "data" else row.orthogonal_verdict,
        )
        for row in found
    )


def _sizes(X: Array, slope: float) -> Json:
    """Return norms, inner products, and lhs/rhs of the published condition at this slope and at best."""
    best = orthogonality(X, negative_slope=_STEEPEST)
    here = orthogonality(X, negative_slope=slope) if slope > 0 else None
    return {
        "R_min": best.R_min,
        "R_max": best.R_max,
        "p_max": best.p_max,
        "ratio": 0.0 if here is None else _ratio(here),
        "best_ratio": _ratio(best),
        "best_verdict": best.verdict.value,
    }


def _ratio(condition: Orthogonality) -> float:
    """Return lhs/rhs; infinite for exactly orthogonal samples."""
    if condition.rhs == 0:
        return float("inf") if condition.lhs > 0 else float("nan")
    return condition.lhs / condition.rhs


def orthogonal_verdict(rows: Iterable[Hypothesis]) -> Verdict:
    """Return whether the prior theory applies, from all rows of `hypotheses`.

    Of the rows about the training set one condition of orthogonality is enough: either makes the limit
    network the only KKT point.  Where the λ system alone holds, that network is one KKT point of perhaps
    several, and trained networks can end in another (one does in
    tests/test_empirics/test_orthogonal/test_training.py): unknown.  Where the system fails there is no such
    point.
    """
    known = list(rows)
    *conditions, system = [row.orthogonal_verdict for row in known if row.aspect == "data"]
    others = [row.orthogonal_verdict for row in known if row.aspect != "data"]
    one = Verdict.FAILS if system is Verdict.FAILS else Verdict.UNKNOWN
    return all_of([*others, Verdict.HOLDS if Verdict.HOLDS in conditions else one])


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return *fails* if one does, else *unknown* if one is, else *holds*."""
    known = list(verdicts)
    if Verdict.FAILS in known:
        return Verdict.FAILS
    return Verdict.UNKNOWN if Verdict.UNKNOWN in known else Verdict.HOLDS
