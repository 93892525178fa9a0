"""Which of the two theories applies: their hypotheses side by side, with a verdict for the data in hand.

"Wide": one finite flow time, large width, identity loss (Derivations 1 to 13).  "Orthogonal": infinite time,
any width, nearly orthogonal samples (Derivation 15).
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from theory.bounds.published import published_width
from theory.orthogonal.condition import orthogonality
from theory.orthogonal.multipliers import multipliers
from theory.orthogonal.perturbations import NORMS, Norm
from theory.setting import Setting, training_set
from theory.validation import Array, check_choice
from theory.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One row of the comparison.

    Attributes
    ----------
    aspect : str
        "time", "data", "margin", "width", "loss", "activation", "bias" or "perturbation".
    wide, orthogonal : str
        What each theory asks for, with the numbers of this data.
    wide_verdict, orthogonal_verdict : Verdict
        Whether it is met here; *unknown* where the arguments do not say.
    """

    aspect: str
    wide: str
    wide_verdict: Verdict
    orthogonal: str
    orthogonal_verdict: Verdict


def hypotheses(
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    *,
    norm: Norm = "L2",
    converged: bool | None = None,
    biases: bool | None = None,
    constant: float = 1.0,
) -> tuple[Hypothesis, ...]:
    """Compare what the two theories ask for with this data and setting.

    Parameters
    ----------
    X, y : arrays, shapes (N, d) and (N,)
    setting : Setting
        Must have the d and N of the data.
    norm : {"L2", "Linf", "L0"}
        Of the perturbations.
    converged : bool, optional
        Whether the direction of the trained weights has converged; None if not known.
    biases : bool, optional
        Whether the network has biases; None if not known.
    constant : float
        C of the published width m > C d² (T_f + T_g)²; its true value is not known, so that "holds" is no
        guarantee.

    Returns
    -------
    tuple of Hypothesis
        Ten rows; "data" has three, each implying the next: the published condition, the derived one, and
        the check of the limit network in hand.  "margin" is about query points, which are no argument: it
        is *unknown* here (`theory.conditions.evaluate` and `sign_condition` judge points).

    Raises
    ------
    ValueError
        If shapes disagree with each other or with `setting`, or an argument is out of range.

    Notes
    -----
    Source: the hypotheses of both publications; Derivations 7 and 15.

    Examples
    --------
    >>> from theory.orthogonal import hypotheses
    >>> from theory import Setting
    >>> X, y = [[2.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> setting = Setting(dim=2, N=2, width=10, negative_slope=0.5, epsilon=0.1, T_f=1.0, T_g=1.0)
    >>> hypotheses(X, y, setting)[0].orthogonal_verdict.value  # infinite time
    'unknown'
    """
    X, y = training_set(X, y, setting)
    check_choice("norm", norm, NORMS)
    slope, needed = setting.negative_slope, published_width(setting, constant=constant)
    times = f"T_f = {setting.T_f:g}, T_g = {setting.T_g:g}"
    return (
        Hypothesis(
            aspect="time",
            wide=f"finite and positive: {times}",
            wide_verdict=_said(setting.T_f > 0 and setting.T_g > 0),
            orthogonal="infinite: the direction of the weights has converged",
            orthogonal_verdict=_said(converged),
        ),
        *_data(X, y, slope),
        Hypothesis(
            aspect="margin",
            wide="at each query point: (a) |f̂| and (b) |ĝ| above their thresholds, (c) equal signs",
            wide_verdict=Verdict.UNKNOWN,
            orthogonal="at each query point, for g: the sign condition (Derivation 15)",
            orthogonal_verdict=Verdict.UNKNOWN,
        ),
        Hypothesis(
            aspect="width",
            wide=f"m > C d² (T_f + T_g)² = {needed:,.6g} with C = {constant:g}; m = {setting.width:,}",
            wide_verdict=_said(setting.width > needed),
            orthogonal=f"any even width; m = {setting.width:,}",
            orthogonal_verdict=_said(setting.width % 2 == 0),
        ),
        Hypothesis(
            aspect="loss",
            wide=f"identity; here {setting.loss}",
            wide_verdict=_said(setting.loss == "identity"),
            orthogonal=f"exponential or logistic; here {setting.loss}",
            orthogonal_verdict=_said(setting.loss in {"exponential", "logistic"}),
        ),
        Hypothesis(
            aspect="activation",
            wide=f"slope in [0, 1); here {slope:g}",
            wide_verdict=Verdict.HOLDS,
            orthogonal=f"slope in (0, 1); here {slope:g}",
            orthogonal_verdict=_said(slope > 0),
        ),
        Hypothesis(
            aspect="bias",
            wide="with biases",
            wide_verdict=_said(biases),
            orthogonal="without",
            orthogonal_verdict=_said(None if biases is None else not biases),
        ),
        Hypothesis(
            aspect="perturbation",
            wide=f"L2, along the gradient; here {norm}",
            wide_verdict=_said(norm == "L2"),
            orthogonal=f"L2, Linf or L0, along the limit boundary; here {norm}",
            orthogonal_verdict=Verdict.HOLDS,
        ),
    )


def _data(X: Array, y: Array, slope: float) -> tuple[Hypothesis, ...]:
    """Return the rows of the published condition, of the derived one and of the limit network."""
    rows = [
        ("γ³R_min⁴/(3N R_max²) > p_max, for γ > 0", Verdict.FAILS),
        ("γ(1 + γ²)/(1 + 2γ + 3γ²) > largest row sum, for γ > 0", Verdict.FAILS),
        ("λ > 0 and the sign pattern, for γ > 0", Verdict.FAILS),
    ]
    if slope > 0:
        found, known = orthogonality(X, negative_slope=slope), multipliers(X, y, negative_slope=slope)
        rows = [
            (f"γ³R_min⁴/(3N R_max²) = {found.lhs:.4g} > p_max = {found.rhs:.4g}", found.verdict),
            (
                f"γ(1 + γ²)/(1 + 2γ + 3γ²) = {found.row_lhs:.4g} > largest row sum = {found.row_rhs:.4g}",
                found.row_verdict,
            ),
            ("λ > 0 and the sign pattern" + "".join(f"; {why}" for why in known.reasons), known.verdict),
        ]
    return tuple(
        Hypothesis(
            aspect="data",
            wide="any samples",
            wide_verdict=Verdict.HOLDS,
            orthogonal=text,
            orthogonal_verdict=verdict,
        )
        for text, verdict in rows
    )


def _said(value: bool | None) -> Verdict:
    return Verdict.UNKNOWN if value is None else Verdict.HOLDS if value else Verdict.FAILS
