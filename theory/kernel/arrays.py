"""The Gaussian kernel Φ of a leaky-ReLU layer, in closed form, for numpy, torch, jax and other arrays.

Φ(x, z) = γ + (1 − γ)² (π − θ)/(2π), θ the angle between (σ_w x/√d, σ_b) and (σ_w z/√d, σ_b).

What comes in goes out: the array library, the dtype (float32 or float64) and the device.  numpy arrays and
torch tensors on the CPU take the path of `gram`, one matrix product; torch adds derivatives and the
transformations of `torch.func` (`autograd`).  Everything else, jax under `jit`, `grad` and `vmap` included,
goes through `reference`, which is the definition of all of them.
"""

from __future__ import annotations

import math
import sys
from functools import lru_cache

import array_api_compat
import numpy as np
from numpy.typing import ArrayLike

from theory import libraries
from theory.kernel.rows import (
    COINCIDING,
    angles_by_product,
    between,
    check_directions,
    phi_of_angle,
    phi_of_points,
    relative_variances,
)
from theory.validation import AnyArray, Array, as_points, check_real, data_by_keyword

_COPIES = 4  # of a block of pairs, in `product`


@data_by_keyword
def phi(
    X: AnyArray,
    Z: AnyArray = None,
    *,
    negative_slope: float = 0.0,
    weight_variance: float = 1.0,
    bias_variance: float = 1.0,
) -> AnyArray:
    """Return the kernel matrix Φ(X, Z).

    Φ(x, z) = γ + (1 − γ)² (π − θ)/(2π), θ the angle between (σ_w x/√d, σ_b) and (σ_w z/√d, σ_b).

    Parameters
    ----------
    X : array, shape (N, d)
        Points: numpy, torch, jax or cupy array, or nested lists.  float32 and float64 are kept; integers
        and lists become float64 (in jax: float32 unless x64 is enabled); complex numbers are refused, and
        so are half precision and sparse arrays.
    Z : array, shape (Q, d), optional
        Other points, of the same library, dtype and device; `X` itself if absent, and then the result
        is symmetric (under `jax.jit`: to a rounding) with an exact diagonal.
    negative_slope : float in [0, 1)
        The paper's γ; 0 is ReLU.
    weight_variance, bias_variance : float
        σ_w² ≥ 0 (of √d times a weight) and σ_b² ≥ 0, not both 0.  1 and 1 are the paper's.  Without
        bias (σ_b = 0) a zero row has no direction and is refused.

    Returns
    -------
    array, shape (N, Q)
        Entries in [γ, (1 + γ²)/2] up to a rounding; library, dtype and device of `X`.

    Raises
    ------
    ValueError
        If shapes, dtypes or devices disagree, an entry is not finite, or a parameter is out of range.
    TypeError
        If an array is not real, or the libraries of `X` and `Z` differ.

    Notes
    -----
    Source: `expressions.PHI`; Derivation 1, (1.3).  Absolute error below 1e-15 (float64) and 3e-7 (float32)
    for d ≤ 1000, near-parallel pairs and sets included: tests/test_theory/test_kernel/test_reference.py.

    Derivatives (torch, jax): at θ = 0 and θ = π, where Φ has a cone point, they are 0, the symmetric choice,
    and so they are up to a sine of 8 machine epsilons, where the direction between the points is rounding.
    Under autocast values keep their precision; derivatives do if the backward pass is outside of it, as torch
    recommends.  Values of jax arrays are not checked, since under `jit` there are none yet: NaN gives NaN,
    and so does a zero row without bias.

    Examples
    --------
    >>> from theory import phi
    >>> phi([[1.0, 0.0], [0.0, 2.0]]).round(4)
    array([[0.5   , 0.3281],
           [0.3281, 0.5   ]])
    >>> phi([1.0, 0.0], [0.0, 2.0], negative_slope=0.1).round(4)  # two points: a number
    np.float64(0.3658)
    """
    check_real("weight_variance", weight_variance, minimum=0)
    check_real("bias_variance", bias_variance, minimum=0)
    if weight_variance == 0 and bias_variance == 0:
        msg = "weight_variance and bias_variance must not both be 0"
        raise ValueError(msg)
    variances = relative_variances(weight_variance, bias_variance)
    X, Z = libraries.same_library(X=X, Z=Z)
    vectors = [points is not None and points.ndim == 1 for points in (X, Z)]
    if any(vectors):
        K = phi(
            X[None, ...] if vectors[0] else X,
            Z[None, ...] if vectors[1] else Z,
            negative_slope=negative_slope,
            weight_variance=weight_variance,
            bias_variance=bias_variance,
        )
        return libraries.of_points(K, (vectors[0], vectors[1] or Z is None))
    slope = libraries.as_slope(negative_slope, X)
    if not isinstance(slope, float):  # Φ is (π − θ)/(2π) for ReLU, and of second degree in γ
        K = phi(X, Z, weight_variance=weight_variance, bias_variance=bias_variance)
        return slope + (1 - slope) ** 2 * K
    if isinstance(X, np.ndarray):
        return _phi_numpy(X, Z, slope, variances)
    X = libraries.floating("X", X, X)
    Z = None if Z is None else libraries.floating("Z", Z, X)
    _check_dtypes(X, Z)
    if array_api_compat.is_torch_array(X):
        from theory.kernel import autograd  # noqa: PLC0415

        return autograd.phi(X, Z, slope, **variances)
    return reference(X, Z, negative_slope=slope, **variances)


def reference(
    X: AnyArray,
    Z: AnyArray = None,
    *,
    negative_slope: float = 0.0,
    weight_variance: float = 1.0,
    bias_variance: float = 1.0,
) -> AnyArray:
    """Return Φ(X, Z) by the definition of `phi`, in operations of the array API standard and of jax alone.

    Parameters as in `phi`, unchecked.
    """
    xp = array_api_compat.array_namespace(X)
    U = _unit_rows(xp, X, weight_variance, bias_variance)
    V = U if Z is None else _unit_rows(xp, Z, weight_variance, bias_variance)
    return phi_of_angle(_angles(xp, U, V), negative_slope)


# Libraries -----------------------------------------------------------------------------------------


def _phi_numpy(X: ArrayLike, Z: ArrayLike | None, slope: float, variances: dict[str, float]) -> Array:
    X = as_points("X", X, keep_float32=True)
    Z = None if Z is None else as_points("Z", Z, dim=X.shape[1], keep_float32=True)
    _check_dtypes(X, Z)
    for name, points in (("X", X), ("Z", Z)):
        if points is not None:
            check_directions(name, points, variances["bias_variance"])
    return phi_of_points(X, Z, slope, variances)


def _check_dtypes(X: AnyArray, Z: AnyArray) -> None:
    """Refuse two precisions."""
    if Z is not None and Z.dtype != X.dtype:
        msg = f"Z must have the dtype of X, {X.dtype}, got {Z.dtype}"
        raise ValueError(msg)


def _unit_rows(xp: AnyArray, X: AnyArray, weight_variance: float, bias_variance: float) -> AnyArray:
    """Return unit vectors along (σ_w x/√d, σ_b), scaled before squaring."""
    if bias_variance == 0 and array_api_compat.is_jax_array(X):
        X = _lifted(X)
    column = xp.full_like(X[:, :1], math.sqrt(bias_variance))
    U = xp.concat([X * math.sqrt(weight_variance / X.shape[1]), column], axis=1)  # variances are at most 1
    # Constant, since the length cancels: its derivative would divide by a square, which can be 0.
    U = U / libraries.constant(xp.max(xp.abs(U), axis=1, keepdims=True))
    return U / xp.sqrt(xp.sum(U * U, axis=1, keepdims=True))


def _lifted(X: AnyArray) -> AnyArray:
    """Return jax rows below 1 times a power of two that leaves no subnormal number, which XLA takes for 0.

    Read from its bits, a subnormal number is an integer times the smallest one.
    """
    jax = sys.modules["jax"]
    xp, info = jax.numpy, jax.numpy.finfo(X.dtype)
    power = 2.0 ** (info.nmant + 1)
    bits = jax.lax.bitcast_convert_type(X, f"int{info.bits}")
    size = bits & xp.iinfo(bits.dtype).max  # without the sign
    lost = xp.where(bits < 0, -1.0, 1.0) * size.astype(X.dtype) * (float(info.smallest_subnormal) * power)
    scaled = X * power
    scaled = xp.where(size < 2**info.nmant, lost + (scaled - libraries.constant(scaled)), scaled)
    return xp.where(xp.max(xp.abs(X), axis=1, keepdims=True) < 1, scaled, X)


def _angles(xp: AnyArray, U: AnyArray, V: AnyArray) -> AnyArray:
    """Return the angles between unit rows, of jax with derivatives."""
    return _of_jax()(U, V) if array_api_compat.is_jax_array(U) else angles_by_product(xp, U, V)


@lru_cache(maxsize=1)
def _of_jax() -> AnyArray:
    """Return the angles between unit rows as a function of jax with derivatives of every order.

    dθ = −w dρ, w = 1/sin θ, and w = 0 at the cone points, as in `autograd`.
    """
    jax = sys.modules["jax"]
    xp, lax = jax.numpy, jax.lax

    def correct(_: AnyArray, U: AnyArray, V: AnyArray, theta: AnyArray, near: AnyArray) -> AnyArray:
        """Correct one near pair of each row, and all pairs of the rows that have more of them."""
        rows, one = xp.arange(U.shape[0]), xp.argmax(near, axis=1)
        pairs = xp.where(near[rows, one], between(xp, U, V[one]), theta[rows, one])
        theta, near = theta.at[rows, one].set(pairs), near.at[rows, one].set(False)

        def row(given: tuple[AnyArray, ...]) -> AnyArray:
            u, angles, left = given
            return lax.cond(left.any(), lambda: xp.where(left, between(xp, u, V), angles), lambda: angles)

        return lax.map(row, (U, theta, near))

    def change(primals: AnyArray, tangents: AnyArray) -> tuple[AnyArray, AnyArray]:
        (U, V), (dU, dV) = primals, tangents
        theta = angles(U, V)
        return theta, -_inverse(xp, theta) * (dU @ V.T + U @ dV.T)

    # One after the other under `vmap`, where both branches would be taken of every row at once.
    values = jax.custom_batching.sequential_vmap(jax.jit(lambda U, V: angles_by_product(xp, U, V, correct)))
    angles = jax.custom_jvp(values)
    angles.defjvp(change)
    return angles


def _inverse(xp: AnyArray, theta: AnyArray) -> AnyArray:
    """Return 1/sin θ, 0 up to `COINCIDING` machine epsilons."""
    sine = xp.sin(theta)
    flat = sine <= COINCIDING * xp.finfo(sine.dtype).eps
    return xp.where(flat, 0 * sine, 1 / xp.where(flat, xp.ones_like(sine), sine))


# Sums over samples, for all libraries but numpy ------------------------------------------------------------


def product(
    Z: AnyArray, X: AnyArray, v: AnyArray, slope: AnyArray, added: float | None, memory_budget: int
) -> AnyArray:
    """Return [Φ(Z, X) ∘ (⟨x, z⟩ + added)] v for checked points; Φ(Z, X) v if `added` is None."""
    xp = array_api_compat.array_namespace(Z)
    step = max(1, memory_budget // (_COPIES * 8 * X.shape[0]))
    parts = []
    for start in range(0, Z.shape[0], step):
        z = Z[start : min(start + step, Z.shape[0]), :]
        K = phi(z, X, negative_slope=slope)
        parts.append((K if added is None else K * (z @ X.T + added)) @ v)
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)


def weighted_gradient(Z: AnyArray, X: AnyArray, weights: AnyArray, slope: AnyArray) -> AnyArray:
    """Return Σ_n weights[q, n] ∇_z Φ(x_n, z_q), shape (Q, d), as `rows.weighted_gradient`."""
    xp = array_api_compat.array_namespace(Z)
    U, V = (_unit_rows(xp, points, 1.0, 1.0) for points in (Z, X))
    pull = (_inverse_sine(xp, U, V) * weights) @ V
    pull = pull - xp.sum(pull * U, axis=1, keepdims=True) * U
    factor = (1 - slope) ** 2 / (2 * math.pi * math.sqrt(Z.shape[1]))
    return (pull * (factor / libraries.scales(Z)[:, None]))[:, :-1]


def _inverse_sine(xp: AnyArray, U: AnyArray, V: AnyArray) -> AnyArray:
    """Return 1/sin θ between unit rows, 0 up to `COINCIDING` machine epsilons from 0 and π."""
    if array_api_compat.is_torch_array(U):
        from theory.kernel import autograd  # noqa: PLC0415

        return autograd.inverse_sine(U, V)
    return _inverse(xp, _angles(xp, U, V))
