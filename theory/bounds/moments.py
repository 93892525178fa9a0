"""Moments and tails behind the margin bounds: free neurons, Bernstein, and the exact Chernoff bounds."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from theory.validation import Array, as_nonnegative

# Chernoff bounds hold for every λ: the best of a grid is one of them.
RATES = np.exp(np.linspace(-3.0, 3.0, 121))
_BLOCK = 1 << 14  # numbers looked at together: 128 KiB
# What overflows becomes infinite or NaN, and then nothing is claimed.
QUIET = np.errstate(over="ignore", invalid="ignore", divide="ignore")


def free_second_moment(tau: ArrayLike) -> Array:
    """Return S(τ) = E[α² 1{free}] = (2/π)(arctan τ + τ/(1 + τ²)), α = √m a ~ N(0, 1).

    **Statement.**  The expected Σ_i a_i² over the neurons that are free at z is S(τ), and S(τ) ≤ 4τ/π.

    **Assumptions.**  Those of `theory.free_fraction`; τ = L T v/(s(z) √m), v any bound of the speed.

    **Derivation.**  Derivation 5; E[α^{2j} 1{free}] = ∫₀^τ (2/π) 2^j j! (1 + s²)^{−(j+1)} ds.

    **Checked by.**  tests/test_theory/test_bounds/test_moments.py, by sympy and by simulation.

    Parameters
    ----------
    tau : array
        ≥ 0.

    Returns
    -------
    array, float64, same shape, in [0, 1)

    Raises
    ------
    ValueError
        If an entry is negative or not finite.

    Notes
    -----
    Source: `expressions.FREE_SECOND_MOMENT`.

    Examples
    --------
    >>> from theory import free_second_moment
    >>> free_second_moment([0.1, 1.0]).round(4)
    array([0.1265, 0.8183])
    """
    return second_moment(as_nonnegative("tau", tau))


def free_fourth_moment(tau: ArrayLike) -> Array:
    """Return S₂(τ) = E[α⁴ 1{free}] = (2/π)(2τ/(1 + τ²)² + 3τ/(1 + τ²) + 3 arctan τ).

    **Statement.**  As for `free_second_moment`, with α⁴ = (√m a)⁴; at most 16τ/π and 3.

    **Assumptions, Derivation, Checked by.**  As for `free_second_moment`.

    Parameters
    ----------
    tau : array
        ≥ 0.

    Returns
    -------
    array, float64, same shape, in [0, 3)

    Raises
    ------
    ValueError
        If an entry is negative or not finite.

    Notes
    -----
    Source: `expressions.FREE_FOURTH_MOMENT`.

    Examples
    --------
    >>> from theory import free_fourth_moment
    >>> free_fourth_moment([0.1, 1.0]).round(4)
    array([0.5043, 2.7732])
    """
    return fourth_moment(as_nonnegative("tau", tau))


def second_moment(tau: Array) -> Array:
    """Return S(τ), τ ≥ 0; infinity is allowed, NaN gives NaN."""
    return np.asarray(2 / np.pi * (np.arctan(tau) + _cauchy(tau)))


def fourth_moment(tau: Array) -> Array:
    """Return S₂(τ), τ ≥ 0; infinity is allowed, NaN gives NaN."""
    with np.errstate(over="ignore"):
        twice = 2 * _cauchy(tau) / (1 + tau * tau)
    return np.asarray(2 / np.pi * (twice + 3 * _cauchy(tau) + 3 * np.arctan(tau)))


def log_inverse(risk: float) -> float:
    """Return log(1/risk); ∞, which bounds nothing, for a share of δ so small that it was rounded."""
    return -math.log(risk) if risk >= sys.float_info.min else math.inf


def bernstein(variance: Array, scale: Array, width: int, risk: float) -> Array:
    """Return √(2νt/m) + ct/m, t = log(1/risk).

    The sum of m independent terms exceeds its mean by more with probability at most `risk`, if
    Σ E X² ≤ ν/m and Σ E|X|^j ≤ (j!/2) (ν/m) (c/m)^{j−2} for j > 2 (Boucheron, Lugosi, Massart, 2.10).
    """
    t = log_inverse(risk)
    return np.asarray(np.sqrt(2 * variance * t / width) + scale * t / width)


@QUIET
def initial_tail(scale: Array, slope: float, width: int, risk: float) -> Array:
    """Return b with P(f(z; 0) ≥ b) ≤ `risk`: Chernoff with the exact moment generating function.

    E e^{λ f(z;0)} = (½[(1 − λ²s²/m)^{−1/2} + (1 − λ²s²γ²/m)^{−1/2}])^m.
    """
    t = log_inverse(risk)
    deviation = scale * math.sqrt((1 + slope**2) / 2)
    best = np.full(len(scale), np.inf)
    for factors in _grid(len(scale)):
        rate = factors * math.sqrt(2 * t) / deviation
        excess = _squared_exponential((rate * scale) ** 2 / width, slope)
        best = np.fmin(best, np.fmin.reduce((t + width * np.log1p(excess)) / rate, axis=0))
    return best


@QUIET
def start_tail(
    *,
    mean: Array,
    variance: Array,
    largest: Array,
    scale: Array,
    slope: float,
    width: int,
    T: float,
    risk: float,
) -> Array:
    """Return b with P(Σ_i (a_i φ(u_i) + T a_i² q_i) − T E q ≥ b) ≤ `risk`; Derivation 8, step 2.

    `mean` = E q of the sign for which the tail is wanted, `variance` ≥ E q², `largest` ≥ |q|.
    """
    t = log_inverse(risk)
    deviation = np.sqrt(scale**2 * (1 + slope**2) / 2 + 3 * (T * T) * variance / width)
    best = np.full(len(scale), np.inf)
    for factors in _grid(len(scale)):
        rate = factors * math.sqrt(2 * t) / deviation
        x = 2 * rate * T / width
        room = 1 - x * largest
        excess = _squared_exponential((rate * scale) ** 2 / (width * room), slope)
        # Not x², which would underflow where the speeds are beyond 1e150.
        rest, fast = ((0.375 / room) * (x * size) ** 2 for size in (np.sqrt(variance), largest))
        more = excess * (1 + x * largest / 2 + fast) + rest
        inside = x * mean / 2 + more  # log(1 + inside) − x mean/2, without its cancellation:
        bound = (t + width * (_curvature(inside) + more)) / rate
        best = np.fmin(best, np.fmin.reduce(np.where(room > 0, bound, np.inf), axis=0))
    return best


def _grid(count: int) -> Iterator[Array]:
    """Yield the grid in columns, so many at once that they are few numbers at `count` points."""
    size = max(1, _BLOCK // count)
    return (RATES[start : start + size, None] for start in range(0, len(RATES), size))


def _curvature(a: Array) -> Array:
    """Return log(1 + a) − a, rounded up: −a²/2 + a³/3 is no less, and closer than the difference near 0."""
    return np.where(np.abs(a) < 1e-3, a * a * (a / 3 - 0.5), np.log1p(a) - a)


def _squared_exponential(c: Array, slope: float) -> Array:
    """Return E e^{c φ(u)²/2} − 1 = ½[(1 − c)^{−1/2} + (1 − cγ²)^{−1/2}] − 1, u ~ N(0, 1); ∞ from c = 1 on."""
    inside = np.where((c >= 0) & (c < 1), c, np.nan)
    value = np.expm1(-0.5 * np.log1p(-inside)) / 2 + np.expm1(-0.5 * np.log1p(-inside * slope**2)) / 2
    return np.where(np.isnan(value), np.inf, value)


def _cauchy(tau: Array) -> Array:
    """Return τ/(1 + τ²) without the square, which could overflow."""
    inverse = np.divide(1.0, tau, out=np.full_like(tau, np.inf), where=tau != 0)
    return np.asarray(1 / (tau + inverse))
