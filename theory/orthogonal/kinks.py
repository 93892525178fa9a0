"""How far kinks turn the gradient of the limit network, or of one near it, from its boundary s.

Derivation 15, step 8.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from theory.orthogonal.boundary import data_and_multipliers
from theory.orthogonal.gram import EPS, check_open_slope, row_norms
from theory.orthogonal.multipliers import Multipliers
from theory.validation import Array, check_real, data_by_keyword

# Squares of norms within these neither underflow nor overflow, and rounding is relative.
_SAFE = (1e-140, 1e140)


@data_by_keyword
def kink_cosine(negative_slope: float) -> float:
    """Return 2√(ab)/(a + b), a = 1 + γ², b = 2γ: how far kinks turn gradients for orthogonal classes.

    **Statement.**  Every gradient of the limit network, and every sum of such gradients with positive
    weights, has at least this cosine with s = Σ λ_k y_k x_k.  It is attained.

    **Assumptions.**  P = Σ_+ λ_k x_k and Q = −Σ_− λ_k x_k are orthogonal and not both 0; `gradient_cosine`
    needs no such thing.

    **Derivation.**  15, step 8.

    **Checked by.**  tests/test_theory/test_orthogonal/test_kinks.py: never crossed and attained.

    Parameters
    ----------
    negative_slope : float in (0, 1)
        γ.

    Returns
    -------
    float
        In (0, 1]; 1 as γ → 1.

    Raises
    ------
    ValueError
        If the slope is out of range.

    Examples
    --------
    >>> from theory.orthogonal import kink_cosine
    >>> round(kink_cosine(1 / 3), 4)
    0.9682
    """
    slope = check_open_slope(negative_slope)
    a, b = 1 + slope * slope, 2 * slope
    return min(1.0, 2 * math.sqrt(a * b) / (a + b))


@data_by_keyword
def gradient_cosine(
    X: ArrayLike,
    y: ArrayLike,
    *,
    negative_slope: float,
    multipliers: Multipliers | None = None,
    deviation: float = 0.0,
) -> float:
    """Return a lower bound of the cosine of s with all gradients of a network near the limit network.

    **Statement.**  Let P = Σ_+ λ_k x_k, Q = −Σ_− λ_k x_k, a = 1 + γ², b = 2γ and θ the larger of the angles
    of s = P + Q with aP + bQ and with bP + aQ.  Let W̄ be the limit network of any even width, and W weights
    of that width with ‖W − cW̄‖ ≤ `deviation`·‖cW̄‖ for some c > 0.  Then every gradient of the network W,
    and every sum of them with positive weights, has an angle of at most θ + η with s, where::

        sin η = `deviation` √2 (‖P + γQ‖² + ‖Q + γP‖²)^{1/2} / min ‖α(P + γQ) + β(Q + γP)‖,

    the minimum over α, β in [γ, 1], if `deviation` = 0 or θ + η < π/2.  With `deviation` 0 it is attained.

    **Assumptions.**  None on the data or λ, and no orthogonality.

    **Derivation.**  15, step 8.

    **Checked by.**  tests/test_theory/test_orthogonal/test_kinks.py: limit networks and networks at the
    stated distance, sums with random positive weights.  Vacuous (−1) where θ + η ≥ π/2; at small γ the
    gradients where all neurons are inactive are short, and a small distance is enough for that.

    Parameters
    ----------
    X, y : arrays, shapes (N, d) and (N,)
    negative_slope : float in (0, 1)
        γ.
    multipliers : Multipliers, optional
        Of the same data.
    deviation : float
        ‖W − cW̄‖/‖cW̄‖ ≥ 0 in the Frobenius norm.

    Returns
    -------
    float
        cos(θ + η), lowered by what rounding can do, in [−1, 1]; −1 says nothing.  NaN if s is 0 or not
        finite, or beyond 1e±140.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or an argument is out of range.

    Examples
    --------
    >>> from theory.orthogonal import gradient_cosine
    >>> X, y = [[2.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> round(gradient_cosine(X, y, negative_slope=0.5), 4)
    0.9955
    """
    X, y, known = data_and_multipliers(X, y, negative_slope, multipliers)
    check_real("deviation", deviation, minimum=0)
    slope = known.negative_slope
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        P, Q = (known.values * (y > 0)) @ X, -(known.values * (y < 0)) @ X
        s = P + Q
        length, size = float(np.linalg.norm(s)), float(np.abs(known.values) @ row_norms(X))
    if not (_SAFE[0] < length and size < _SAFE[1]):
        return math.nan
    a, b = 1 + slope * slope, 2 * slope
    rounding = 8 * (sum(X.shape) + 8) * EPS * size
    sides = (a * P + b * Q, b * P + a * Q)
    angle = max(_angle(side, s) + 4 * rounding / max(float(np.linalg.norm(side)), rounding) for side in sides)
    angle += rounding / length
    if deviation:
        V, U = P + slope * Q, Q + slope * P
        shortest = _shortest(V, U, slope) - 2 * rounding
        distance = deviation * math.sqrt(2 * float(V @ V + U @ U)) * (1 + 1e-12)
        angle = angle + math.asin(distance / shortest) if distance < shortest else math.pi
        angle = math.pi if angle >= math.pi / 2 else angle
    return max(-1.0, math.cos(min(angle, math.pi)) - 8 * EPS)


def _angle(u: Array, v: Array) -> float:
    """Return the angle of two vectors, to rounding also where it is near 0 or π; π if one is 0."""
    lengths = float(np.linalg.norm(u)), float(np.linalg.norm(v))
    if not min(lengths):
        return math.pi
    u, v = u / lengths[0], v / lengths[1]
    return 2 * math.atan2(float(np.linalg.norm(u - v)), float(np.linalg.norm(u + v)))


def _shortest(V: Array, U: Array, slope: float) -> float:
    """Return min ‖αV + βU‖ over α, β in [γ, 1]: on a side α = γ or β = γ, as shrinking both shortens."""

    def side(fixed: Array, free: Array) -> float:
        square = float(free @ free)
        best = -slope * float(fixed @ free) / square if square else slope
        return float(np.linalg.norm(slope * fixed + min(max(best, slope), 1.0) * free))

    return min(side(V, U), side(U, V))
