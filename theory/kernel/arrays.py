"""The Gaussian kernel Φ of a leaky-ReLU layer, in closed form, on numpy arrays.

Φ(x, z) = γ + (1 − γ)² (π − θ)/(2π), θ the angle between (x/√d, 1) and (z/√d, 1).

The angle of most pairs comes from one matrix product, θ = arccos ρ, whose error is that of ρ divided by
sin θ.  Nearly parallel and nearly opposite pairs would lose half their digits that way, so they are
computed again from differences, θ = 2·atan2(‖û − v̂‖, ‖û + v̂‖), which loses none (W. Kahan).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory._validation import Array, as_points, check_slope
from theory.geometry import scales

# Pairs with 1 − |ρ| below this are computed again: above it sin θ > 0.3, so that a few roundings in ρ
# stay a few roundings in θ.
_NEAR = 0.05
# Entries of the temporary arrays in which near pairs are computed again (8 MiB each).
_BLOCK = 1 << 20


def phi(X: ArrayLike, Z: ArrayLike | None = None, *, negative_slope: float = 0.0) -> Array:
    """Return the kernel matrix Φ(X, Z).

    Φ(x, z) = γ + (1 − γ)² (π − θ)/(2π), θ the angle between (x/√d, 1) and (z/√d, 1).

    Parameters
    ----------
    X : array, shape (N, d)
        Points.
    Z : array, shape (Q, d), optional
        Other points; `X` itself if absent, and then the result is symmetric with an exact diagonal.
    negative_slope : float in [0, 1)
        The paper's γ; 0 is ReLU.

    Returns
    -------
    array, shape (N, Q), float64
        Entries in [γ, (1 + γ²)/2].

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite, or `negative_slope` is out of range.
    TypeError
        If an array is not real.

    Notes
    -----
    Source: `expressions.PHI`; Derivation 1.  Absolute error below 1e-15 against 50 digits, near-parallel
    pairs included (tests/test_theory/test_kernel/test_arrays.py::test_phi_matches_mpmath).
    """
    slope = check_slope("negative_slope", negative_slope)
    X = as_points("X", X)
    Z = None if Z is None else as_points("Z", Z, dim=X.shape[1])
    return phi_of_angle(angles(X, Z), slope)


def phi_of_angle(theta: Array, negative_slope: float) -> Array:
    """Return Φ as a function of the angle θ in [0, π]."""
    return negative_slope + (1 - negative_slope) ** 2 / (2 * np.pi) * (np.pi - theta)


def angles(X: Array, Z: Array | None = None) -> Array:
    """Return the angle between (x/√d, 1) and (z/√d, 1) for all pairs, shape (N, Q), in [0, π]."""
    U = _directions(X)
    V = U if Z is None else _directions(Z)
    rho = np.clip(U @ V.T, -1.0, 1.0)
    near = np.nonzero(np.abs(rho) > 1 - _NEAR)
    theta = np.arccos(rho, out=rho)
    _refine(theta, near, U, V)
    if Z is None:  # both triangles already agree up to rounding
        theta = (theta + theta.T) / 2
    return theta


def weighted_gradient(Z: Array, X: Array, weights: Array, *, negative_slope: float) -> Array:
    """Return Σ_n weights[q, n] ∇_z Φ(x_n, z_q), shape (Q, d), without forming the (Q, N, d) array.

    At z = x_n, where Φ has a cone point, the gradient of that term is taken as 0, the symmetric choice.

    Notes
    -----
    Source: `expressions.GRADIENT_X`, `expressions.GRADIENT_Z`; Derivation 2.
    """
    dim = X.shape[1]
    theta = angles(Z, X)
    sine = np.sin(theta)
    # Coinciding points have θ = 0 exactly: `angles` takes it from their difference.
    smooth = sine > 0
    over_sine = np.divide(weights, sine, out=np.zeros_like(sine), where=smooth)
    scale_x, scale_z = scales(X), scales(Z)[:, None]
    towards_x = (over_sine / (dim * scale_x * scale_z)) @ X
    towards_z = np.sum(over_sine * np.cos(theta), axis=1, keepdims=True) / (dim * scale_z**2) * Z
    return np.asarray((1 - negative_slope) ** 2 / (2 * np.pi) * (towards_x - towards_z))


def _directions(X: Array) -> Array:
    """Return unit vectors along (x/√d, 1), scaled before squaring so that no norm over- or underflows."""
    U = np.concatenate([X / np.sqrt(X.shape[1]), np.ones((len(X), 1))], axis=1)
    U /= np.abs(U).max(axis=1, keepdims=True)
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    return U


def _refine(theta: Array, near: tuple[NDArray[np.intp], ...], U: Array, V: Array) -> None:
    """Replace theta[near] by 2·atan2(‖u − v‖, ‖u + v‖), block by block."""
    rows, columns = near
    step = max(1, _BLOCK // U.shape[1])
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step], columns[start : start + step]
        u, v = U[i], V[j]
        difference, total = np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1)
        theta[i, j] = 2 * np.arctan2(difference, total)
