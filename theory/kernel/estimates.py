"""Φ by other means than its closed form: quadrature and Monte Carlo.

They share no formula with `arrays.phi` beyond the definition Φ = E[φ'(A) φ'(B)], and exist to check it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import integrate, special

from theory.validation import Array, as_points, check_integer, check_real, check_slope, data_by_keyword


@data_by_keyword
def phi_quadrature(rho: float, *, negative_slope: float = 0.0) -> float:
    """Return Φ at correlation ρ by adaptive quadrature.

    Given A = a, B/s(z) is N(ρ a/s(x), 1 − ρ²), so that
    Φ = ∫ φ'(a) [γ + (1 − γ) F(ρ a/√(1 − ρ²))] p(a) da, with p and F the normal density and distribution.

    Parameters
    ----------
    rho : float in (-1, 1)
    negative_slope : float in [0, 1)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from theory import phi_quadrature
    >>> round(phi_quadrature(0.5), 12)
    0.333333333333
    """
    slope = check_slope("negative_slope", negative_slope)
    rho = check_real("rho", rho)
    if not -1 < rho < 1:
        msg = f"rho must lie in (-1, 1), got {rho}"
        raise ValueError(msg)
    ratio = rho / np.sqrt((1 - rho) * (1 + rho))

    def integrand(a: float) -> float:
        density = np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi)
        outer = 1.0 if a > 0 else slope
        return float(outer * (slope + (1 - slope) * special.ndtr(ratio * a)) * density)

    # Ends of intervals: the kink at 0, and where the step of F has ended (8/ratio; F(−8) < 1e-15) for |ρ|
    # near 1.  Beyond 12 the density is below 1e-31.
    step = min(6.0, 8.0 / abs(ratio)) if ratio else 6.0
    ends = [-12.0, -step, 0.0, step, 12.0]
    pieces = [
        integrate.quad(integrand, low, high, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
        for low, high in itertools.pairwise(ends)
    ]
    return float(sum(pieces))


@dataclass(frozen=True)
class Estimate:
    """A sample mean and its standard error, both of the shape of what is estimated."""

    mean: Array
    standard_error: Array
    num_draws: int


@data_by_keyword
def phi_monte_carlo(
    X: Array,
    Z: Array,
    *,
    negative_slope: float = 0.0,
    num_draws: int,
    rng: np.random.Generator,
) -> Estimate:
    """Return Φ(X, Z) estimated from its definition with random neurons.

    Parameters
    ----------
    X : array, shape (N, d)
    Z : array, shape (Q, d)
    negative_slope : float in [0, 1)
    num_draws : int
        Number of neurons (v, a) drawn, at least 2.
    rng : numpy.random.Generator

    Returns
    -------
    Estimate
        Mean and standard error of shape (N, Q).

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from theory import phi_monte_carlo
    >>> x, z = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    >>> found = phi_monte_carlo(x, z, num_draws=10_000, rng=np.random.default_rng(0))
    >>> found.mean.round(2), found.standard_error.round(3)
    (array([[0.33]]), array([[0.005]]))
    """
    slope = check_slope("negative_slope", negative_slope)
    num_draws = check_integer("num_draws", num_draws, minimum=2)
    X = as_points("X", X)
    Z = as_points("Z", Z, dim=X.shape[1])
    dim = X.shape[1]
    total = np.zeros((len(X), len(Z)))
    total_of_squares = np.zeros_like(total)
    block = max(1, (1 << 22) // (len(X) + len(Z) + dim))
    for start in range(0, num_draws, block):
        count = min(block, num_draws - start)
        v, a = rng.normal(size=(dim, count)) / np.sqrt(dim), rng.normal(size=count)
        at_x = np.where(X @ v + a > 0, 1.0, slope)
        at_z = np.where(Z @ v + a > 0, 1.0, slope)
        total += at_x @ at_z.T
        total_of_squares += at_x**2 @ (at_z**2).T
    mean = total / num_draws
    variance = np.maximum(total_of_squares / num_draws - mean**2, 0.0) / (num_draws - 1)
    return Estimate(mean, np.sqrt(variance), num_draws)
