"""Arrays of any library: what comes in goes out, with its dtype and device, and with its derivatives.

numpy arrays, torch tensors, jax and cupy arrays, and what else follows the array API standard.  Nothing here
imports those libraries: who passes an array has.  Values are checked where there are any: under `jax.jit` and
`torch.func.vmap` there are none yet.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

import array_api_compat
import numpy as np

from theory.validation import AnyArray, Array, as_labels, as_points, as_real, check_slope


def same_library(**named: AnyArray) -> list[AnyArray]:
    """Return the arguments as arrays of the library of the first; lists become numpy arrays."""
    arrays = [
        value if value is None or array_api_compat.is_array_api_obj(value) else as_real(name, value)
        for name, value in named.items()
    ]
    first, *_ = named
    libraries = {
        name: array_api_compat.array_namespace(array).__name__.removeprefix("array_api_compat.")
        for name, array in zip(named, arrays, strict=True)
        if array is not None
    }
    for name, library in libraries.items():
        if library != libraries[first]:
            msg = f"{name} must be an array of the library of {first}, {libraries[first]}, got {library}"
            raise TypeError(msg)
    return arrays


def as_slope(value: AnyArray, like: AnyArray) -> AnyArray:
    """Return γ in [0, 1) as a float, or as a scalar of the library and dtype of `like` if it is of that."""
    if not array_api_compat.is_array_api_obj(value) or isinstance(value, (np.ndarray, np.generic)):
        return check_slope("negative_slope", value.item() if isinstance(value, np.ndarray) else value)
    _, slope = same_library(X=like, negative_slope=value)
    if slope.ndim:
        msg = f"negative_slope must be a number, got shape {tuple(slope.shape)}"
        raise ValueError(msg)
    xp = array_api_compat.array_namespace(like)
    _check_real("negative_slope", slope, xp)
    value = values_of(slope)
    if value is not None:
        check_slope("negative_slope", float(value))
    else:
        slope = xp.where((slope >= 0) & (slope < 1), slope, xp.nan)
    return xp.astype(slope, like.dtype) if xp.isdtype(like.dtype, "real floating") else slope


def values_of(array: AnyArray) -> Array | None:
    """Return values as a numpy array; None where there are none yet, under `jax.jit` or `torch.func.vmap`."""
    with contextlib.suppress(RuntimeError, TypeError):
        return np.asarray(array.detach().cpu() if array_api_compat.is_torch_array(array) else array)
    return None


def _check_real(name: str, array: AnyArray, xp: AnyArray) -> None:
    if not xp.isdtype(array.dtype, ("integral", "real floating")):
        msg = f"{name} must be real numbers, got dtype {array.dtype}"
        raise TypeError(msg)


def floating(name: str, points: AnyArray, first: AnyArray) -> AnyArray:
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
    return real_floating(points)


def real_floating(points: AnyArray) -> AnyArray:
    """Return integers as the widest floats that their library has enabled, floats as they are."""
    xp = array_api_compat.array_namespace(points)
    if not xp.isdtype(points.dtype, "integral"):
        return points
    # jax has no float64 unless x64 is enabled, and warns where it is asked for.
    wide = xp.asarray(0.0).dtype if array_api_compat.is_jax_array(points) else xp.float64
    return xp.astype(points, wide)


def query(**named: AnyArray) -> tuple[AnyArray, AnyArray, Callable[[AnyArray], AnyArray]]:
    """Return query points and, if given, others of their library, checked, and what turns results back.

    Results are computed in float64 for numpy; they get the dtype that came in, and one point its number.
    """
    first, *others = named
    for name, value in named.items():
        if value is None:
            msg = f"{name} must be an array, got None"
            raise TypeError(msg)
    Z, *rest = same_library(**named)
    X = rest[0] if rest else None
    one = Z.ndim == 1
    Z = Z[None, ...] if one else Z
    if not isinstance(Z, np.ndarray):
        X = None if X is None else floating(others[0], X, X)
        Z = floating(first, Z, Z if X is None else X)
        if X is not None and Z.dtype != X.dtype:
            msg = f"{others[0]} must have the dtype of {first}, {Z.dtype}, got {X.dtype}"
            raise ValueError(msg)
        return Z, X, lambda values: values[0, ...] if one else values
    kept = all(points.dtype == np.float32 for points in (Z, X) if points is not None)
    X = None if X is None else as_points(others[0], X)
    Z = as_points(first, Z, dim=None if X is None else X.shape[1])

    def result(values: AnyArray) -> AnyArray:
        values = values[0] if one else values
        if not kept:
            return values
        with np.errstate(over="ignore"):
            return np.where(np.abs(values) <= np.finfo(np.float32).max, values, np.nan).astype(np.float32)[()]

    return Z, X, result


def labels(name: str, y: AnyArray, X: AnyArray) -> AnyArray:
    """Return labels ±1, one a row of X, in its dtype; NaN for others where there are no values yet."""
    xp = array_api_compat.array_namespace(X)
    if tuple(y.shape) != (X.shape[0],):
        msg = f"{name} must have shape ({X.shape[0]},), one label a point, got {tuple(y.shape)}"
        raise ValueError(msg)
    _check_real(name, y, xp)
    values = values_of(y)
    if values is not None:
        as_labels(name, values, length=X.shape[0])
        return xp.astype(y, X.dtype)
    return xp.where(xp.abs(y) == 1, xp.astype(y, X.dtype), xp.nan)


def row_sums(values: AnyArray) -> AnyArray:
    """Return the sum of each row."""
    return array_api_compat.array_namespace(values).sum(values, axis=1)


def normal_cdf(values: AnyArray) -> AnyArray:
    """Return the normal distribution function, by the library where it has one, else by scipy."""
    if array_api_compat.is_torch_array(values):
        return sys.modules["torch"].special.ndtr(values)
    if array_api_compat.is_jax_array(values):
        return sys.modules["jax"].scipy.special.ndtr(values)
    xp = array_api_compat.array_namespace(values)
    from scipy import special  # noqa: PLC0415  (a third of the time of `import theory`)

    chance = special.ndtr(np.asarray(values))
    return xp.asarray(chance, dtype=values.dtype, device=array_api_compat.device(values))


def scales(Z: AnyArray) -> AnyArray:
    """Return s(z) = √(‖z‖²/d + 1), scaled before squaring."""
    xp = array_api_compat.array_namespace(Z)
    largest = xp.max(xp.abs(Z), axis=1, keepdims=True)
    largest = constant(xp.where(largest < 1, xp.ones_like(largest), largest))
    squares = xp.sum((Z / largest) ** 2, axis=1, keepdims=True) / Z.shape[1]
    return (largest * xp.sqrt(squares + 1 / largest**2))[:, 0]


def constant(array: AnyArray) -> AnyArray:
    """Return the array with derivative 0, if its library has derivatives."""
    if array_api_compat.is_jax_array(array):
        return sys.modules["jax"].lax.stop_gradient(array)
    return array.detach() if array_api_compat.is_torch_array(array) else array
