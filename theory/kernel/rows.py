"""Φ between the rows of numpy arrays: angles, values and weighted gradients, each by one matrix product."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theory.geometry import scales
from theory.kernel import gram
from theory.validation import Array


def relative_variances(weight_variance: float, bias_variance: float) -> dict[str, float]:
    """Return variances with the same ratio, which is all that Φ knows of them, and largest value 1."""
    largest = max(weight_variance, bias_variance)
    return {"weight_variance": weight_variance / largest, "bias_variance": bias_variance / largest}


def check_directions(name: str, points: Array, bias_variance: float) -> None:
    """Refuse a zero row where there is no bias."""
    if bias_variance == 0 and not points.any(axis=1).all():
        msg = f"{name} must have no zero row when bias_variance is 0: it has no direction"
        raise ValueError(msg)


def phi_of_angle(theta: Any, negative_slope: float) -> Any:  # noqa: ANN401
    """Return Φ as a function of the angle θ in [0, π], an array of any library."""
    return negative_slope + (1 - negative_slope) ** 2 / (2 * math.pi) * (math.pi - theta)


def phi_of_points(X: Array, Z: Array | None, slope: float, variances: dict[str, float]) -> Array:
    """Return Φ between checked points for all pairs."""
    U = gram.unit_rows(X, **variances)
    return phi_of_units(U, None if Z is None else gram.unit_rows(Z, **variances), slope)


def angles(X: Array, Z: Array | None = None) -> Array:
    """Return the angle between (x/√d, 1) and (z/√d, 1) for all pairs, shape (N, Q), in [0, π].

    numpy, float64.  Small angles keep their relative accuracy, and 0 means equal directions.
    """
    return angles_of_units(gram.unit_rows(X), None if Z is None else gram.unit_rows(Z))


def angles_of_units(U: Array, V: Array | None) -> Array:
    """Return the angle between unit rows for all pairs."""
    return gram.gram(U, V, far=gram.arcsine(-1.0, math.pi / 2), near=lambda theta: theta)


def phi_of_units(U: Array, V: Array | None, negative_slope: float) -> Array:
    """Return Φ between unit rows for all pairs."""
    return gram.gram(
        U,
        V,
        far=gram.arcsine((1 - negative_slope) ** 2 / (2 * math.pi), (1 + negative_slope) ** 2 / 4),
        near=lambda theta: phi_of_angle(theta, negative_slope),
    )


# Sine of the angle up to which two points coincide for `weighted_gradient`.
NEAREST = 1e-10


def weighted_gradient(Z: Array, V: Array, weights: Array, *, negative_slope: float) -> Array:
    """Return Σ_n weights[q, n] ∇_z Φ(x_n, z_q), shape (Q, d), float64, without forming the (Q, N, d) array.

    V are the unit rows of the x_n, from `gram.unit_rows`.  All arrays are float64.

    At z = x_n, where Φ has a cone point, the gradient of that term is taken as 0, the symmetric choice.
    Pairs at an angle of sine up to 1e-10 (`NEAREST`) count as coinciding: their term, of full size, is left
    out, as `theory.gradient_bound` allows for.

    Notes
    -----
    With u, v the unit vectors along (z/√d, 1) and (x/√d, 1), ∇_u θ = −(v − ⟨u, v⟩ u)/sin θ: one product, then
    the part across u.  Beside the cone point and near antipodes the error of a term was below 16 ε/sin θ,
    ε = 2.2e-16, of |weight| (1 − γ)²/(2π √d s(z)), its largest size (d = 5: tests/test_theory/test_kernel/
    test_arrays.py).
    Source: `expressions.GRADIENT_X`, `expressions.GRADIENT_Z`; Derivation 2.
    """
    U = gram.unit_rows(Z)
    shares = gram.gram(U, V, far=_far_inverse_sine, near=_near_inverse_sine)
    shares *= weights
    pull = shares @ V
    pull -= np.einsum("qj,qj->q", pull, U)[:, None] * U
    pull *= (1 - negative_slope) ** 2 / (2 * np.pi * np.sqrt(Z.shape[1])) / scales(Z)[:, None]
    return np.asarray(pull[:, :-1])


def _far_inverse_sine(k: Array) -> None:
    """Turn ρ into (1 − ρ²)^(−1/2), in place."""
    np.multiply(k, k, out=k)
    np.subtract(1, k, out=k)
    np.sqrt(k, out=k)
    np.reciprocal(k, out=k)


def _near_inverse_sine(theta: Array) -> Array:
    """Return 1/sin θ, 0 where the points coincide."""
    sine = np.sin(theta)
    return np.divide(1.0, sine, out=np.zeros_like(sine), where=sine > NEAREST)
