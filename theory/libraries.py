"""Arrays of any library: what comes in goes out, with its dtype and device, and with its derivatives.

numpy arrays, torch tensors, jax and cupy arrays, and what else follows the array API standard.  Nothing here
imports those libraries: who passes an array has.  Values are checked where there are any: under `jax.jit` and
`torch.func.vmap` there are none yet.

One rule of overflow everywhere: a value beyond its dtype is NaN, not known (of a sum of such terms not even
the sign is known); a bound is ∞; a verdict is *unknown*.  Where equations would have to be solved with such
numbers, in `theory.lazy`, FloatingPointError is raised.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence

import array_api_compat
import numpy as np

from theory.validation import AnyArray, Array, as_labels, as_points, as_real, check_slope


def same_library(**named: AnyArray) -> list[AnyArray]:
    """Return the arguments as arrays of the library of the first array; lists follow it, else numpy."""
    given = {name: value for name, value in named.items() if array_api_compat.is_array_api_obj(value)}
    like = next(iter(given.values()), np.zeros(0))
    arrays = {
        name: value if value is None or name in given else _of_library(as_real(name, value), like)
        for name, value in named.items()
    }
    libraries = {
        name: array_api_compat.array_namespace(array).__name__.removeprefix("array_api_compat.")
        for name, array in arrays.items()
        if array is not None
    }
    first = next(iter({**given, **named}))
    for name, library in libraries.items():
        if library != libraries[first]:
            msg = f"{name} must be an array of the library of {first}, {libraries[first]}, got {library}"
            raise TypeError(msg)
    if array_api_compat.is_torch_array(like) and not sys.modules["torch"].is_inference_mode_enabled():
        # A tensor of that mode cannot be kept for derivatives.
        return [one.clone() if one is not None and one.is_inference() else one for one in arrays.values()]
    return list(arrays.values())


def _of_library(array: Array, like: AnyArray) -> AnyArray:
    """Return an array in the library, device and floating dtype of another one; numpy as it is."""
    if isinstance(like, (np.ndarray, np.generic)):
        return array
    xp, dtype = array_api_compat.array_namespace(like), real_floating(like).dtype
    array = np.array(array)  # torch warns of arrays that it could not write
    if array_api_compat.is_jax_array(like):  # a traced array is on no device
        return xp.asarray(array, dtype=dtype)
    return xp.asarray(array, dtype=dtype, device=array_api_compat.device(like))


def as_scalar(
    name: str, value: AnyArray, check: Callable[[str, AnyArray], float], *, below: float, **like: AnyArray
) -> AnyArray:
    """Return a number in [0, `below`) as a float, or a scalar of the library of the array `like`, if one.

    `check` refuses others; where there is no value yet, they are NaN.
    """
    if not array_api_compat.is_array_api_obj(value) or isinstance(value, (np.ndarray, np.generic)):
        one = isinstance(value, np.ndarray) and value.size == 1
        return check(name, as_real(name, value).item() if one else value)
    first, scalar = same_library(**like, **{name: value})
    if scalar.ndim:
        msg = f"{name} must be a number, got shape {tuple(scalar.shape)}"
        raise ValueError(msg)
    xp = array_api_compat.array_namespace(first)
    _check_real(name, scalar, xp)
    known = values_of(scalar)
    if known is not None:
        check(name, float(known))
    else:
        scalar = xp.where((scalar >= 0) & (scalar < below), scalar, xp.nan)
    return xp.astype(scalar, first.dtype) if xp.isdtype(first.dtype, "real floating") else scalar


def as_slope(value: AnyArray, like: AnyArray) -> AnyArray:
    """Return γ as `as_scalar` does."""
    return as_scalar("negative_slope", value, check_slope, below=1, X=like)


def values_of(array: AnyArray) -> Array | None:
    """Return values as a numpy array; None where there are none yet, under `jax.jit` or `torch.func.vmap`."""
    with contextlib.suppress(RuntimeError, TypeError):
        return np.asarray(array.detach().cpu() if array_api_compat.is_torch_array(array) else array)
    return None


def _check_real(name: str, array: AnyArray, xp: AnyArray) -> None:
    if not xp.isdtype(array.dtype, ("integral", "real floating")):
        msg = f"{name} must be real numbers, got dtype {array.dtype}"
        raise TypeError(msg)


def _check_device(name: str, array: AnyArray, first: AnyArray) -> None:
    if array_api_compat.is_jax_array(array):  # a traced array is on no device
        return
    device, other = array_api_compat.device(first), array_api_compat.device(array)
    if device != other:
        msg = f"{name} must be on the device of X, {device}, got {other}"
        raise ValueError(msg)


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
        if points.device.type == first.device.type == "meta":
            msg = f"{name} must have values, got a tensor on the device meta"
            raise ValueError(msg)
    _check_device(name, points, first)
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


def of_points(K: AnyArray, one: Sequence[bool]) -> AnyArray:
    """Return a kernel matrix without the axes of single points."""
    K = K[0, ...] if one[0] else K
    return number(K[..., 0] if one[1] else K)


def number(values: AnyArray) -> AnyArray:
    """Return a number in place of an array of numpy without axes, all else as it is."""
    return values[()] if isinstance(values, np.ndarray) else values


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
        _check_finite(first, Z)
        if X is not None:
            _check_finite(others[0], X)
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


def _check_finite(name: str, points: AnyArray) -> None:
    """Refuse tensors of torch that are not finite, where they have values; jax gives NaN for them."""
    if not array_api_compat.is_torch_array(points):
        return
    with contextlib.suppress(RuntimeError):  # under `vmap` there are no values
        lost = int((~sys.modules["torch"].isfinite(points)).sum())
        if lost:
            msg = f"{name} must be finite, got {lost} of {points.numel()} entries that are not"
            raise ValueError(msg)


def labels(name: str, y: AnyArray, X: AnyArray) -> AnyArray:
    """Return labels ±1, one a row of X, in its dtype; NaN for others where there are no values yet."""
    xp = array_api_compat.array_namespace(X)
    if tuple(y.shape) != (X.shape[0],):
        msg = f"{name} must have shape ({X.shape[0]},), one label a point, got {tuple(y.shape)}"
        raise ValueError(msg)
    _check_real(name, y, xp)
    _check_device(name, y, X)
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
    return (largest * xp.sqrt(squares + (1 / largest) ** 2))[:, 0]


def constant(array: AnyArray) -> AnyArray:
    """Return the array with derivative 0, if its library has derivatives."""
    if array_api_compat.is_jax_array(array):
        return sys.modules["jax"].lax.stop_gradient(array)
    return array.detach() if array_api_compat.is_torch_array(array) else array
