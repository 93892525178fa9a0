"""Φ between the rows of arrays: angles, values and weighted gradients, each by one matrix product."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from theory.kernel import gram
from theory.libraries import scales
from theory.validation import AnyArray, Array

# Entries of the temporary arrays for near pairs (32 MiB in float64).
_BLOCK = 1 << 22


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
    compiled = gram.passes(len(X) * len(X if Z is None else Z))
    U = gram.unit_rows(X, **variances, compiled=compiled)
    return phi_of_units(U, None if Z is None else gram.unit_rows(Z, **variances, compiled=compiled), slope)


def angles(X: Array, Z: Array | None = None) -> Array:
    """Return the angle between (x/√d, 1) and (z/√d, 1) for all pairs, shape (N, Q), in [0, π].

    numpy, float64.  Small angles keep their relative accuracy, and 0 means equal directions.
    """
    return angles_of_units(gram.unit_rows(X), None if Z is None else gram.unit_rows(Z))


def angles_of_units(U: Array, V: Array | None) -> Array:
    """Return the angle between unit rows for all pairs."""
    return gram.gram(U, V, far=gram.Arcsine(-1.0, math.pi / 2), near=lambda theta: theta)


def near_one_by_one(xp: AnyArray, U: AnyArray, V: AnyArray, theta: AnyArray, near: AnyArray) -> AnyArray:
    """Correct near pairs where their number may be looked at."""
    i, j = xp.nonzero(near)
    step, parts = max(1, _BLOCK // V.shape[1]), [theta[:0, 0]]
    for start in range(0, i.shape[0], step):
        part = slice(start, min(start + step, i.shape[0]))
        parts.append(between(xp, xp.take(U, i[part], axis=0), xp.take(V, j[part], axis=0)))
    theta[near] = xp.concat(parts)
    return theta


def angles_by_product(
    xp: AnyArray, U: AnyArray, V: AnyArray, correct: Callable[..., AnyArray] = near_one_by_one
) -> AnyArray:
    """Return the angles between unit rows of any library by one product, near pairs corrected, as `gram`."""
    rho, limit = U @ V.T, 1 - gram.NEAR
    theta = xp.acos(xp.clip(rho, -limit, limit))
    return correct(xp, U, V, theta, xp.abs(rho) > limit)


def between(xp: AnyArray, u: AnyArray, v: AnyArray) -> AnyArray:
    """Return 2·atan2(‖u − v‖, ‖u + v‖) along the last axis."""
    difference, total = (xp.sqrt(xp.sum(w * w, axis=-1)) for w in (u - v, u + v))
    return 2 * xp.atan2(difference, total)


def phi_of_units(U: Array, V: Array | None, negative_slope: float, **how: Any) -> Array:  # noqa: ANN401
    """Return Φ between unit rows for all pairs; `how` as of `gram.gram`."""
    return gram.gram(
        U,
        V,
        far=gram.Arcsine((1 - negative_slope) ** 2 / (2 * math.pi), (1 + negative_slope) ** 2 / 4),
        near=lambda theta: phi_of_angle(theta, negative_slope),
        **how,
    )


# Machine epsilons of sine up to which two directions are one, or opposite, for derivatives of Φ in every
# library: below a few roundings of unit vectors the direction between them is noise.
COINCIDING = 8
# Sine up to which `weighted_gradient` takes pairs one by one: times the length of the part of (z/√d, 1)/s(z)
# that is not along the bias, whose rounding is what matters, and in any case the smaller number.
_CLOSE = 1e-6
ONE_BY_ONE = 1e-10
_BLOCK = 1 << 18  # entries of the temporary arrays for them


def weighted_gradient(Z: Array, X: Array, V: Array, weights: Array, *, negative_slope: float) -> Array:
    """Return Σ_n weights[q, n] ∇_z Φ(x_n, z_q), shape (Q, d), float64, without forming the (Q, N, d) array.

    V are the unit rows of the x_n, from `gram.unit_rows`.  All arrays are float64.

    At z = x_n, where Φ has a cone point, the gradient of that term is taken as 0, the symmetric choice, and
    so it is up to a sine of 8 machine epsilons (`COINCIDING`), as `theory.gradient_bound` allows for.

    Notes
    -----
    With u, v the unit vectors along (z/√d, 1) and (x/√d, 1), ∇_u θ = −(v − ⟨u, v⟩ u)/sin θ: one product, then
    the part across u.  That part has the roundings of u and v over the sine, so that close pairs are added
    one by one, from differences of coordinates (`_toward`).  Relative to |weight| (1 − γ)²/(2π √d s(z)), the
    largest size of a term, the error of a term was below 16 ε/sin θ, ε = 2.2e-16, and below 4e-9, up to norms
    of 1e6 (tests/test_theory/test_kernel/test_arrays.py).
    Source: `expressions.GRADIENT_X`, `expressions.GRADIENT_Z`; Derivation 2, (2.1).
    """
    U = gram.unit_rows(Z)
    shares = gram.gram(U, V, far=_far_inverse_sine, near=_near_inverse_sine)
    tilts = np.linalg.norm(U[:, :-1], axis=1)[:, None]
    rows, columns = np.nonzero(shares > 1 / np.maximum(_CLOSE * tilts, ONE_BY_ONE))
    shares[rows, columns] = 0
    shares *= weights
    pull = shares @ V
    pull -= np.einsum("qj,qj->q", pull, U)[:, None] * U
    pull = pull[:, :-1]
    s, lengths = scales(Z), scales(X) * math.sqrt(Z.shape[1])
    step = max(1, _BLOCK // Z.shape[1])
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step], columns[start : start + step]
        np.add.at(pull, i, weights[i, j, None] * _toward(Z[i], X[j], s[i], lengths[j]))
    pull *= (1 - negative_slope) ** 2 / (2 * np.pi * np.sqrt(Z.shape[1])) / s[:, None]
    return np.asarray(pull)


def _toward(Z: Array, X: Array, s: Array, lengths: Array) -> Array:
    """Return −∇_u θ without its last entry for each pair of rows; 0 where they coincide.

    Let ẑ = z/‖z‖ and x = z + t + r ẑ with t across ẑ.  The part of (x, √d) across (z, √d) is t, and r/s(z)
    along (ẑ/s(z), −‖z‖/(√d s(z))).  t and r come from x − z or x + z, exact where these are small.
    """
    norms, others = np.linalg.norm(Z, axis=1), np.linalg.norm(X, axis=1)
    axes = Z / np.where(norms > 0, norms, 1)[:, None]
    signs = np.sign(np.einsum("pj,pj->p", axes, X)) * ((others <= 2 * norms) & (norms <= 2 * others))
    across = X - signs[:, None] * Z
    along = np.einsum("pj,pj->p", axes, across)
    across -= along[:, None] * axes
    along = (along + (signs - 1) * norms) / s
    sizes = np.hypot(np.linalg.norm(across, axis=1), along)
    across += (along / s)[:, None] * axes
    apart = sizes > COINCIDING * np.finfo(np.float64).eps * lengths
    return np.asarray(np.divide(across, sizes[:, None], out=np.zeros_like(across), where=apart[:, None]))


def _far_inverse_sine(k: Array) -> None:
    """Turn ρ into (1 − ρ²)^(−1/2), in place."""
    np.multiply(k, k, out=k)
    np.subtract(1, k, out=k)
    np.sqrt(k, out=k)
    np.reciprocal(k, out=k)


def _near_inverse_sine(theta: Array) -> Array:
    """Return 1/sin θ, ∞ where it is 0."""
    sine = np.sin(theta)
    return np.asarray(np.divide(1.0, sine, out=np.full_like(sine, np.inf), where=sine > 0))
