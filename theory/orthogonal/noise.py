"""The label-noise term with random targets: multipliers for all targets at once, and a concentration.

The multipliers of the perturbed set depend on the targets.  An interval for each of them that holds for all
2^N targets makes Hoeffding's inequality applicable to the rest.  Derivation 15, step 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.bound import Assumption, Bound
from theory.conditions import Condition
from theory.orthogonal.gram import EPS, TINY, check_open_slope, row_norms
from theory.orthogonal.perturbations import Norm, unit_step
from theory.validation import Array, as_points, check_probability, data_by_keyword
from theory.verdicts import Verdict

_ROUNDS = 30  # each round of the recursion only tightens


@dataclass(frozen=True, kw_only=True, eq=False)
class MultiplierRange:
    """What holds of λ^adv for all targets at once.

    Attributes
    ----------
    lower, upper : arrays, shape (N,)
        −∞ and ∞ if diagonal dominance is not proved.
    verdict : Verdict
        *holds*: for all targets λ > 0 and the sign pattern holds, so that the limit network is a KKT point.
        Otherwise *unknown*.
    """

    lower: Array
    upper: Array
    verdict: Verdict

    @property
    def dominant(self) -> bool:
        """Whether diagonal dominance is proved for all targets."""
        return bool(np.isfinite(self.upper).all())


@data_by_keyword
def multiplier_range(
    base: ArrayLike,
    direction: ArrayLike,
    *,
    negative_slope: float,
    epsilon: float,
    norm: Norm = "L2",
    amplitude: float = 1.0,
) -> MultiplierRange:
    """Bound the multipliers of x_n = base_n + t_n ρ e for all targets t in {−1, 1}^N at once.

    With c = (1 + γ²)/2, h_n = ⟨base_n, e⟩, D_n = ‖x_n‖² within ‖base_n‖² + ρ² ± 2ρ|h_n| and
    |⟨x_n, x_k⟩| ≤ P_nk = |⟨base_n, base_k⟩| + ρ(|h_n| + |h_k|) + ρ²::

        |λ_n| ≤ Λ_n,  Λ ← (1/c + PΛ)/D_low, from any valid Λ;  λ_n D_n within 1/c ± (PΛ)_n.

    The sign pattern holds for all targets if γ(1/c − (PΛ)_n) > (PΛ)_n for every n.

    **Assumptions.**  D_low_n > Σ_{k≠n} P_nk for every n, which makes M invertible for all targets.

    Parameters
    ----------
    base : array, shape (N, d)
    direction : array, shape (d,)
        s.
    negative_slope : float in (0, 1)
    epsilon, norm, amplitude
        As in `limit_perturbations`.

    Returns
    -------
    MultiplierRange

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite or an argument is out of range.

    Notes
    -----
    Source: Derivation 15, step 7.

    Examples
    --------
    >>> from theory.orthogonal import multiplier_range
    >>> X = [[2.0, 0.0], [0.0, 1.0]]
    >>> found = multiplier_range(X, [1.0, 0.0], negative_slope=0.5, epsilon=0.01)
    >>> found.lower.round(4), found.upper.round(4)
    (array([0.388 , 1.5916]), array([0.4122, 1.6081]))
    """
    base = as_points("base", base)
    slope = check_open_slope(negative_slope)
    unit, rho = unit_step(direction, base.shape[1], norm=norm, epsilon=epsilon, amplitude=amplitude)
    N, dim = base.shape
    c, blur = (1 + slope**2) / 2, (dim + N + 64) * EPS
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        norms = row_norms(base) * (1 + blur)
        along = np.abs(base @ unit) + blur * norms
        P = np.abs(base @ base.T) + blur * np.outer(norms, norms)
        P += rho * (along[:, None] + along) + rho * rho
        np.fill_diagonal(P, 0.0)
        P *= 1 + blur
        middle, swing = norms**2 + rho * rho, 2 * rho * along
        low = (middle * (1 - 4 * blur) - swing) * (1 - blur)
        high = (middle + swing) * (1 + 4 * blur)
        gap = low - P.sum(axis=1) * (1 + blur)
        if not (np.isfinite(high).all() and np.isfinite(P).all() and (gap > TINY).all()):
            return MultiplierRange(
                lower=np.full(N, -np.inf), upper=np.full(N, np.inf), verdict=Verdict.UNKNOWN
            )
        limit = np.full(N, float((1 / (c * gap)).max()) * (1 + blur))
        for _ in range(_ROUNDS):
            limit = np.minimum(limit, (1 / c + P @ limit) / low * (1 + 2 * blur))
        coupling = P @ limit * (1 + blur)
        least = (1 / c) * (1 - 4 * EPS) - coupling
        lower = np.where(least > 0, least / high, least / low)
    proved = (slope * least * (1 - 8 * EPS) > coupling).all() and (least > 0).all()
    return MultiplierRange(
        lower=lower - 4 * EPS * np.abs(lower),
        upper=limit * (1 + 4 * EPS),
        verdict=Verdict.HOLDS if proved else Verdict.UNKNOWN,
    )


@data_by_keyword
def label_noise_bound(
    Z: ArrayLike,
    *,
    base: ArrayLike,
    direction: ArrayLike,
    negative_slope: float,
    epsilon: float,
    norm: Norm = "L2",
    delta: float,
    amplitude: float = 1.0,
) -> Bound:
    """Bound the label-noise term |Σ λ_n^adv t_n ⟨base_n, z⟩| over random targets t.

    **Statement.**  With probability at least 1 − δ over t, at each z::

        |Σ_n λ_n^adv t_n ⟨base_n, z⟩| ≤ √(2 log(2/δ)) (Σ_n c_n² ⟨base_n, z⟩²)^{1/2} + Σ_n w_n |⟨base_n, z⟩|,

    c_n the middle and w_n half the length of the interval of λ_n^adv that holds for all targets.

    **Assumptions.**  t_n independent and uniform on {−1, 1}, independent of base, s and z; diagonal dominance
    for all targets (`multiplier_range`), without which the bound is infinite.

    **Derivation.**  15, step 7: Hoeffding's inequality for Σ c_n t_n⟨base_n, z⟩; the rest is bounded for
    every t, since λ^adv depends on the targets.

    **Checked by.**  tests/test_theory/test_orthogonal/test_noise.py.  Loose by its second term when
    Σ_k |⟨x_n, x_k⟩| is not small against ‖x_n‖²/√N.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    base : array, shape (N, d)
    direction : array, shape (d,)
        s, that of the perturbations.
    negative_slope : float in (0, 1)
    epsilon, norm, amplitude
        As in `limit_perturbations`.
    delta : float in (0, 1)

    Returns
    -------
    Bound
        Terms "random targets" and "multipliers that depend on the targets", shape (Q,).

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite or an argument is out of range.

    Examples
    --------
    >>> from theory.orthogonal import label_noise_bound
    >>> X = [[2.0, 0.0], [0.0, 1.0]]
    >>> options = {"negative_slope": 0.5, "epsilon": 0.1, "delta": 0.1}
    >>> label_noise_bound([[3.0, 0.0]], base=X, direction=[1.0, 0.0], **options).value.round(4)
    array([6.8301])
    """
    base = as_points("base", base)
    Z = as_points("Z", Z, dim=base.shape[1], or_one=True)
    risk = check_probability("delta", delta)
    known = multiplier_range(
        base, direction, negative_slope=negative_slope, epsilon=epsilon, norm=norm, amplitude=amplitude
    )
    return _label_noise(Z, base, known, risk)


@data_by_keyword
def sign_condition(
    Z: ArrayLike,
    *,
    base: ArrayLike,
    direction: ArrayLike,
    negative_slope: float,
    epsilon: float,
    norm: Norm = "L2",
    delta: float,
    amplitude: float = 1.0,
) -> Condition:
    """Say where learning from perturbations keeps the sign of ⟨s, z⟩, before the targets are drawn.

    **Statement.**  At each z where the condition holds, sgn f_adv(z) = sgn⟨s, z⟩ with probability at least
    1 − δ over the targets::

        ρ ⟨e, z⟩ sgn⟨s, z⟩ Σ_n (lower limit of λ_n^adv) > bound of the label-noise term.

    ρ e is the perturbation for the target 1; f_adv the limit boundary of the perturbed set.

    **Assumptions.**  Those of `label_noise_bound`; λ > 0 and the sign pattern proved for all targets
    (`multiplier_range`), otherwise the left side is NaN and the verdict *unknown*.

    **Derivation.**  15, step 7.

    **Checked by.**  tests/test_theory/test_orthogonal/test_noise.py.

    Parameters
    ----------
    Z, base, direction, negative_slope, epsilon, norm, delta, amplitude
        As in `label_noise_bound`.

    Returns
    -------
    Condition
        One verdict a point.  *fails* means that nothing follows, not that the sign is lost.

    Raises
    ------
    ValueError
        As `label_noise_bound`.

    Examples
    --------
    >>> from theory.orthogonal import sign_condition
    >>> X = [[2.0, 0.0], [0.0, 1.0]]
    >>> options = {"negative_slope": 0.5, "epsilon": 0.1, "delta": 0.1}
    >>> kept = sign_condition([[3.0, 0.0]], base=X, direction=[1.0, 0.0], **options)
    >>> kept.lhs.round(4), kept.rhs.round(4)
    (array([0.526]), array([6.8301]))
    """
    base = as_points("base", base)
    Z = as_points("Z", Z, dim=base.shape[1], or_one=True)
    risk = check_probability("delta", delta)
    known = multiplier_range(
        base, direction, negative_slope=negative_slope, epsilon=epsilon, norm=norm, amplitude=amplitude
    )
    unit, rho = unit_step(direction, base.shape[1], norm=norm, epsilon=epsilon, amplitude=amplitude)
    axis, _ = unit_step(direction, base.shape[1], norm="L2", epsilon=1.0)
    bound = _label_noise(Z, base, known, risk)
    blur = (base.shape[1] + 32) * EPS
    with np.errstate(over="ignore", invalid="ignore"):
        norms = row_norms(Z)
        along, old = Z @ unit, Z @ axis
        carried = np.where(np.abs(old) > blur * norms, along * np.sign(old) - blur * norms, -np.inf)
        if known.verdict is Verdict.HOLDS:
            total = rho * float(known.lower.sum()) * (1 - (len(base) + 16) * EPS)
            lhs = np.where(np.isfinite(carried), total * carried, -np.finfo(np.float64).max)
        else:
            lhs = np.full(len(Z), np.nan)
    return Condition(
        "kept sign",
        "ρ ⟨e, z⟩ sgn⟨s, z⟩ Σ λ_low > label-noise bound",
        lhs,
        np.broadcast_to(bound.value, lhs.shape).astype(np.float64),
    )


def _label_noise(Z: Array, base: Array, known: MultiplierRange, risk: float) -> Bound:
    dominant = known.dominant
    random = rest = np.full(len(Z), np.inf)
    if dominant:
        rounding = (sum(base.shape) + 32) * EPS
        centre, half = (known.lower + known.upper) / 2, (known.upper - known.lower) / 2
        with np.errstate(over="ignore", invalid="ignore"):
            inner = np.abs(Z @ base.T)
            inner += rounding * row_norms(Z)[:, None] * row_norms(base)
            random = np.sqrt(2 * np.log(2 / risk)) * np.linalg.norm(inner * centre, axis=1) * (1 + rounding)
            rest = inner @ (half + 4 * EPS * np.abs(centre)) * (1 + rounding)
    return Bound(
        {"random targets": random, "multipliers that depend on the targets": rest},
        delta=risk,
        assumptions=(
            Assumption("t_n independent and uniform on ±1, independent of base, s and z", None),
            Assumption("‖x_n^adv‖² > Σ_k |⟨x_n^adv, x_k^adv⟩| for all targets", dominant),
        ),
    )
