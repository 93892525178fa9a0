"""Two theories on the data in hand: that of wide networks, and the prior one of nearly orthogonal samples."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

import theory
from empirics.measure.result import ExperimentResult
from empirics.record import Count, Number, Record
from theory.orthogonal import Hypothesis, Orthogonality, hypotheses, orthogonality
from theory.validation import Array
from theory.verdicts import Verdict

# Gram matrices of at most so many samples are formed here; the limit network solves a system of that size.
MOST_SAMPLES = 2_000
# For data at slope 0, which the prior theory excludes: its condition is easiest to meet as the slope tends
# to 1, so that what fails there fails for every slope.
_STEEPEST = float(np.nextafter(1.0, 0.0))
_LABELS = {  # in order
    "time": "training time",
    "data": "training set",
    "margin": "query points",
    "width": "width",
    "loss": "loss",
    "activation": "activation",
    "bias": "biases",
    "perturbation": "perturbation",
}


class PriorRow(Record, frozen=True, kw_only=True):
    """One hypothesis of both theories: what each asks for, and its verdict."""

    aspect: str
    wide: str
    wide_verdict: str  # of the margins also at how many points
    orthogonal: str
    orthogonal_verdict: str
    label: str


class PriorSizes(Record, frozen=True, kw_only=True):
    """Norms and inner products beside the published condition."""

    R_min: Number
    R_max: Number
    p_max: Number
    ratio: Number  # γ³R_min⁴/(3 N R_max²) over p_max: above 1 the condition is met
    best_ratio: Number  # at γ → 1
    best_verdict: str


class PriorRatios(Record, frozen=True, kw_only=True):
    """How far the hypotheses of both theories are from being met."""

    width: Number  # m over the published width
    published_width: Number
    negative_slope: float
    samples: PriorSizes | None  # of f
    inputs_of_g: PriorSizes | None
    most_samples: Count


class PriorVerdicts(Record, frozen=True, kw_only=True):
    """Of each theory as a whole."""

    wide: str
    orthogonal: str


class PriorWork(Record, frozen=True, kw_only=True):
    """Which of both theories applies."""

    width: Count
    rows: list[PriorRow]
    ratios: PriorRatios
    verdicts: PriorVerdicts


def compare(result: ExperimentResult) -> PriorWork:
    """Return the hypotheses of both theories beside what holds for one experiment.

    Parameters
    ----------
    result : ExperimentResult
        Its width is the one that both are judged at.

    Returns
    -------
    PriorWork
        The margins of wide networks, of which the constants are 1 and ν = d/√N, "hold" or "fail" if they do
        at every test point, and else say at how many.

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
    rows = [
        PriorRow(
            aspect=row.aspect,
            wide=row.wide,
            wide_verdict=margins if row.aspect == "margin" else row.wide_verdict.value,
            orthogonal=row.orthogonal,
            orthogonal_verdict=row.orthogonal_verdict.value,
            label=_LABELS[row.aspect],
        )
        for row in sorted(found, key=lambda row: list(_LABELS).index(row.aspect))
    ]
    # At a query point the theory applies if its margins are met there and all else is met.
    others = all_of(row.wide_verdict for row in found if row.aspect != "margin").value
    published = theory.published_width(setting)
    return PriorWork(
        width=setting.width,
        rows=rows,
        ratios=PriorRatios(
            width=setting.width / published if published > 0 else None,
            published_width=published,
            negative_slope=setting.negative_slope,
            samples=_sizes(data.X, setting.negative_slope) if small else None,
            inputs_of_g=_sizes(result.X_adv, setting.negative_slope) if small else None,
            most_samples=MOST_SAMPLES,
        ),
        verdicts=PriorVerdicts(
            wide=margins if others == Verdict.HOLDS.value else others,
            orthogonal=orthogonal_verdict(found).value,
        ),
    )


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
    X, y = result.dataset.X[:2], result.dataset.y[:2]
    found = hypotheses(X, y, replace(result.setting, N=len(X)), converged=False, biases=True)
    text = f"not computed for more than {MOST_SAMPLES:,} samples"
    return tuple(
        replace(row, orthogonal=text, orthogonal_verdict=Verdict.UNKNOWN) if row.aspect == "data" else row
        for row in found
    )


def _sizes(X: Array, slope: float) -> PriorSizes:
    """Return norms, inner products, and lhs/rhs of the published condition at this slope and at best."""
    best = orthogonality(X, negative_slope=_STEEPEST)
    here = orthogonality(X, negative_slope=slope) if slope > 0 else None
    return PriorSizes(
        R_min=best.R_min,
        R_max=best.R_max,
        p_max=best.p_max,
        ratio=0.0 if here is None else _ratio(here),
        best_ratio=_ratio(best),
        best_verdict=best.verdict.value,
    )


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
