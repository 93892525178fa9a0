"""The Gaussian kernel Φ of a leaky-ReLU layer, in closed form, for numpy, torch, jax and other arrays.

Φ(x, z) = γ + (1 − γ)² (π − θ)/(2π), θ the angle between (σ_w x/√d, σ_b) and (σ_w z/√d, σ_b).

What comes in goes out: the array library, the dtype (float32 or float64) and the device.  numpy arrays and
torch tensors on the CPU take the path of `gram`, one matrix product; torch adds derivatives and the
transformations of `torch.func` (`autograd`).  Everything else, jax under `jit`, `grad` and `vmap` included,
goes through `reference`, which is the definition of all of them.
"""

import math
import sys
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import ArrayLike

from theory.kernel.rows import check_directions, phi_of_angle, phi_of_points, relative_variances
from theory.validation import Array, as_points, check_real, check_slope

# Entries of the temporary arrays of `reference` (32 MiB in float64).
_BLOCK = 1 << 22


def phi(
    X: Any,  # noqa: ANN401
    Z: Any = None,  # noqa: ANN401
    *,
    negative_slope: float = 0.0,
    weight_variance: float = 1.0,
    bias_variance: float = 1.0,
) -> Any:  # noqa: ANN401
    """Return the kernel matrix Φ(X, Z).

    Φ(x, z) = γ + (1 − γ)² (π − θ)/(2π), θ the angle between (σ_w x/√d, σ_b) and (σ_w z/√d, σ_b).

    Parameters
    ----------
    X : array, shape (N, d)
        Points: numpy, torch, jax or cupy array, or nested lists.  float32 and float64 are kept; integers
        and lists become float64 (in jax: float32 unless x64 is enabled); complex numbers are refused, and
        so are half precision and sparse arrays (numpy's float16 becomes float64).
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
    Source: `expressions.PHI`; Derivation 1.  Absolute error below 1e-15 (float64) and 3e-7 (float32) for
    d ≤ 1000, near-parallel pairs and sets included: tests/test_theory/test_kernel/test_reference.py.

    Derivatives (torch, jax): at θ = 0 and θ = π, where Φ has a cone point, they are 0, the symmetric choice,
    and so they are up to a sine of 8 machine epsilons, where the direction between the points is rounding.
    Values of jax arrays are not checked, since under `jit` there are none yet: NaN gives NaN, and so does a
    zero row without bias.
    """
    slope = check_slope("negative_slope", negative_slope)
    check_real("weight_variance", weight_variance, minimum=0)
    check_real("bias_variance", bias_variance, minimum=0)
    if weight_variance == 0 and bias_variance == 0:
        msg = "weight_variance and bias_variance must not both be 0"
        raise ValueError(msg)
    variances = relative_variances(weight_variance, bias_variance)
    X, Z = _same_library(X, Z)
    if isinstance(X, np.ndarray):
        return _phi_numpy(X, Z, slope, variances)
    X = _floating("X", X, X)
    Z = None if Z is None else _floating("Z", Z, X)
    _check_dtypes(X, Z)
    if array_api_compat.is_torch_array(X):
        from theory.kernel import autograd  # noqa: PLC0415

        return autograd.phi(X, Z, slope, **variances)
    return reference(X, Z, negative_slope=slope, **variances)


def reference(
    X: Any,  # noqa: ANN401
    Z: Any = None,  # noqa: ANN401
    *,
    negative_slope: float = 0.0,
    weight_variance: float = 1.0,
    bias_variance: float = 1.0,
) -> Any:  # noqa: ANN401
    """Return Φ(X, Z) by the definition of `phi`, in operations of the array API standard alone.

    θ = 2·atan2(‖u − v‖, ‖u + v‖) of the unit vectors u, v for every pair, block by block of rows.  Parameters
    as in `phi`, unchecked.
    """
    xp = array_api_compat.array_namespace(X)
    U = _unit_rows(xp, X, weight_variance, bias_variance)
    V = U if Z is None else _unit_rows(xp, Z, weight_variance, bias_variance)
    step = max(1, _BLOCK // (V.shape[0] * V.shape[1]))
    blocks = []
    for start in range(0, U.shape[0], step):
        u = U[start : start + step, None, :]
        blocks.append(phi_of_angle(_angle(xp, u - V[None, :, :], u + V[None, :, :]), negative_slope))
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


# Libraries -----------------------------------------------------------------------------------------


def _phi_numpy(X: ArrayLike, Z: ArrayLike | None, slope: float, variances: dict[str, float]) -> Array:
    X = as_points("X", X, keep_float32=True)
    Z = None if Z is None else as_points("Z", Z, dim=X.shape[1], keep_float32=True)
    _check_dtypes(X, Z)
    for name, points in (("X", X), ("Z", Z)):
        if points is not None:
            check_directions(name, points, variances["bias_variance"])
    return phi_of_points(X, Z, slope, variances)


def _check_dtypes(X: Any, Z: Any) -> None:  # noqa: ANN401
    """Refuse two precisions."""
    if Z is not None and Z.dtype != X.dtype:
        msg = f"Z must have the dtype of X, {X.dtype}, got {Z.dtype}"
        raise ValueError(msg)


def _same_library(X: Any, Z: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return both arguments as arrays of one library; lists become numpy arrays."""
    arrays = []
    for name, value in (("X", X), ("Z", Z)):
        known = value is None or array_api_compat.is_array_api_obj(value)
        arrays.append(value if known else as_points(name, value))
    if arrays[1] is not None:
        libraries = [array_api_compat.array_namespace(array).__name__ for array in arrays]
        if libraries[0] != libraries[1]:
            names = [name.removeprefix("array_api_compat.") for name in libraries]
            msg = f"Z must be an array of the library of X, {names[0]}, got {names[1]}"
            raise TypeError(msg)
    return arrays[0], arrays[1]


def _floating(name: str, points: Any, first: Any) -> Any:  # noqa: ANN401
    """Return points in floating point, checked but for values: under `jit` and `vmap` there are none."""
    xp = array_api_compat.array_namespace(points)
    if array_api_compat.is_torch_array(points):
        torch = sys.modules["torch"]  # there is a tensor, so it is imported; this package never does
        if points.layout != torch.strided or points.is_nested:
            msg = (
                f"{name} must be a dense tensor, got layout {'nested' if points.is_nested else points.layout}"
            )
            raise TypeError(msg)
        if points.device != first.device:
            msg = f"{name} must be on the device of X, {first.device}, got {points.device}"
            raise ValueError(msg)
        if points.device.type == "meta":
            msg = f"{name} must have values, got a tensor on the device meta"
            raise ValueError(msg)
    if not xp.isdtype(points.dtype, ("integral", xp.float32, xp.float64)):
        msg = f"{name} must be float32, float64 or integers, got dtype {points.dtype}"
        raise TypeError(msg)
    if points.ndim != 2 or 0 in points.shape:
        msg = f"{name} must have shape (n, d) with n, d >= 1, got {tuple(points.shape)}"
        raise ValueError(msg)
    if points.shape[1] != first.shape[-1]:
        msg = f"{name} must have the columns of X, {first.shape[-1]}, got {points.shape[1]}"
        raise ValueError(msg)
    if not xp.isdtype(points.dtype, "integral"):
        return points
    # jax has no float64 unless x64 is enabled, and warns where it is asked for.
    wide = xp.asarray(0.0).dtype if array_api_compat.is_jax_array(points) else xp.float64
    return xp.astype(points, wide)


def _unit_rows(xp: Any, X: Any, weight_variance: float, bias_variance: float) -> Any:  # noqa: ANN401
    """Return unit vectors along (σ_w x/√d, σ_b), scaled before squaring."""
    if bias_variance == 0 and array_api_compat.is_jax_array(X):
        X = _lifted(X)
    column = xp.full((X.shape[0], 1), math.sqrt(bias_variance), dtype=X.dtype)
    U = xp.concat([X * math.sqrt(weight_variance / X.shape[1]), column], axis=1)  # variances are at most 1
    # Constant, since the length cancels: its derivative would divide by a square, which can be 0.
    U = U / _constant(xp.max(xp.abs(U), axis=1, keepdims=True))
    return U / xp.sqrt(xp.sum(U * U, axis=1, keepdims=True))


def _lifted(X: Any) -> Any:  # noqa: ANN401
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
    scaled = xp.where(size < 2**info.nmant, lost + (scaled - _constant(scaled)), scaled)
    return xp.where(xp.max(xp.abs(X), axis=1, keepdims=True) < 1, scaled, X)


def _angle(xp: Any, difference: Any, total: Any) -> Any:  # noqa: ANN401
    """Return 2·atan2(‖u − v‖, ‖u + v‖), of derivative 0 up to 8 machine epsilons from 0 and π.

    As in `autograd`: there the direction between u and v is rounding, done by `jit` in another order.
    """
    a, b = (xp.sum(vectors * vectors, axis=-1) for vectors in (difference, total))
    flat = xp.minimum(a, b) <= (8 * xp.finfo(a.dtype).eps) ** 2
    curved = [xp.sqrt(xp.where(flat, xp.ones_like(a), squares)) for squares in (a, b)]
    straight = [xp.sqrt(_constant(squares)) for squares in (a, b)]
    return xp.where(flat, 2 * xp.atan2(*straight), 2 * xp.atan2(*curved))


def _constant(array: Any) -> Any:  # noqa: ANN401
    """Return the array with derivative 0, if its library has derivatives."""
    return sys.modules["jax"].lax.stop_gradient(array) if array_api_compat.is_jax_array(array) else array
