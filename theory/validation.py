"""Checks of arguments, shared by the public functions of the package.

Each check returns the value in the form the caller computes with, or raises one error that names the
argument, the rule and the value.  Private functions trust what they are given.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import wraps
from itertools import pairwise, zip_longest
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
AnyArray = Any  # of any library, or nested lists of numbers
Slope = Any  # a number in [0, 1), or a scalar of the library of the points, which may be differentiated
# Arguments that are points, and those that have a row for each row of others.
_POINTS = ("X", "X_test", "Z", "z", "x", "X_adv", "base", "directions")
_SAME_ROWS = {"y": "X", "X_adv": "X", "y_adv": "X_adv", "directions": "X", "y_test": "X_test"}
_P = ParamSpec("_P")
_R = TypeVar("_R")


# Names that the paper has for what is called otherwise here.
_PAPER = {
    "gamma": "negative_slope, the paper's γ",
    "T": "no time: it is a rate, to be multiplied by the flow time",
}


def data_by_keyword(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Call a function of arrays only with what it will not take for something else.

    Refused are data by position, whose order could be mistaken; γ by another name; frames whose columns or
    rows are in another order, which is all that an array keeps of them.  Autocast does not reach inside.
    """
    parameters = inspect.signature(function).parameters
    first = [name for name, each in parameters.items() if each.kind is each.POSITIONAL_OR_KEYWORD]
    needed = [name for name, each in parameters.items() if each.default is each.empty and name not in first]
    name = function.__qualname__.removesuffix(".__init__")
    letters = {
        letter: said
        for letter, said in _PAPER.items()
        if "negative_slope" in parameters and not any(other.startswith(letter) for other in parameters)
    }
    call = f"{name}({', '.join([*first, *(f'{name}={name}' for name in needed)])})"

    @wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if len(args) > len(first):
            but = (
                f"all but {', '.join(first[:-1])}{' and ' if first[1:] else ''}{first[-1]}"
                if first
                else "all arguments"
            )
            msg = f"{but} must be given by keyword, {call}, got {len(args)} by position"
            raise TypeError(msg)
        for letter, said in letters.items():
            if letter in kwargs:
                msg = f"{name} must be given {said}, got {letter}"
                raise TypeError(msg)
        given = dict(zip(first, args, strict=False)) | kwargs
        check_frames(given)
        with _full_precision(given.values()):
            return function(*args, **kwargs)

    return checked


def check_frames(given: dict[str, Any]) -> None:
    """Refuse frames and series whose names contradict each other."""
    columns = {name: frame_names(given[name], "columns") for name in _POINTS if name in given}
    known = {name: names for name, names in columns.items() if names is not None}
    rules: list[tuple[str, str, list[Any] | None, str, list[Any] | None]]
    rows = {name: frame_names(value, "index") for name, value in given.items()}
    rules = [(name, "columns", names, *next(iter(known.items()))) for name, names in known.items()]
    rules += [(y, "index", rows.get(y), x, rows.get(x)) for y, x in _SAME_ROWS.items()]
    for name, kind, names, other, others in rules:
        if names is not None and others is not None and names != others:
            at = next(k for k, (a, b) in enumerate(zip_longest(names, others)) if a != b)
            got = f"{names[at : at + 1]} at place {at}"
            msg = f"{name} must have the {kind} of {other}, in their order, got {got}"
            raise ValueError(msg)


def frame_names(value: Any, kind: str) -> list[Any] | None:  # noqa: ANN401
    """Return the names of columns or rows of a frame, None for what is no frame."""
    index: Any = getattr(value, "index", None)
    if not hasattr(index, "equals"):  # lists have an index as well
        return None
    return list(getattr(value, "columns", index) if kind == "columns" else index)


def _full_precision(values: Iterable[Any]) -> ExitStack:
    """Return a context in which products keep their precision: no autocast of torch, no TF32 of jax."""
    torch, jax, stack = sys.modules.get("torch"), sys.modules.get("jax"), ExitStack()
    values = list(values)
    if jax and any(isinstance(value, jax.Array) for value in values):
        stack.enter_context(jax.default_matmul_precision("highest"))
    for kind in {value.device.type for value in values if torch and isinstance(value, torch.Tensor)}:
        if torch and torch.amp.is_autocast_available(kind):
            stack.enter_context(torch.autocast(kind, enabled=False))
    return stack


def as_points(
    name: str, value: ArrayLike, *, dim: int | None = None, keep_float32: bool = False, or_one: bool = False
) -> Array:
    """Return `value` as finite points of shape (n, d), n ≥ 1 and d ≥ 1, float64 (or float32, if kept).

    With `or_one` a single point, of shape (d,), is one row.
    """
    array = as_real(name, value, keep_float32=keep_float32)
    array = array[None] if or_one and array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape:
        msg = f"{name} must have shape (n, d) with n, d >= 1, got {array.shape}"
        raise ValueError(msg)
    if dim is not None and array.shape[1] != dim:
        msg = f"{name} must have {dim} columns, as the other points do, got {array.shape[1]}"
        raise ValueError(msg)
    return array


def of_one(values: Array, Z: ArrayLike) -> Array:
    """Return the values at query points; that of a single point, of shape (d,), without its axis."""
    return np.asarray(values[0])[()] if np.ndim(Z) == 1 else values


def as_labels(name: str, value: ArrayLike, *, length: int) -> Array:
    """Return `value` as float64 labels of shape (length,) in {−1, +1}."""
    array = as_real(name, value)
    if array.shape != (length,):
        msg = f"{name} must have shape ({length},), one label a point, got {array.shape}"
        raise ValueError(msg)
    wrong = array[np.abs(array) != 1]
    if wrong.size:
        msg = f"{name} must be -1 or +1, got {wrong[0]:g}; map your two classes explicitly"
        raise ValueError(msg)
    return array


def as_nonnegative(name: str, value: ArrayLike, *, positive: bool = False) -> Array:
    """Return `value` as a float64 array (any shape) of finite numbers ≥ 0, or > 0 if `positive`."""
    array = as_real(name, value)
    wrong = array[array <= 0] if positive else array[array < 0]
    if wrong.size:
        msg = f"{name} must be {'> 0' if positive else '>= 0'}, got {wrong.flat[0]:g}"
        raise ValueError(msg)
    return array


def check_slope(name: str, value: float) -> float:
    """Return a leaky-ReLU slope in [0, 1)."""
    slope = check_real(name, value)
    if not 0 <= slope < 1:
        msg = f"{name} must lie in [0, 1), got {value}"
        raise ValueError(msg)
    return slope


def check_real(name: str, value: float, *, minimum: float = -math.inf, exclusive: bool = False) -> float:
    """Return a finite float, at least (or, if `exclusive`, above) `minimum`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        msg = f"{name} must be a real number, got {value!r}"
        raise TypeError(msg)
    try:
        number = float(value)
    except OverflowError:  # an int beyond every float
        number = math.inf
    if not math.isfinite(number):
        msg = f"{name} must be finite, got {number}"
        raise ValueError(msg)
    if number < minimum or (exclusive and number == minimum):
        msg = f"{name} must be {'>' if exclusive else '>='} {minimum:g}, got {value}"
        raise ValueError(msg)
    return number


def check_probability(name: str, value: float, *, parts: int = 1) -> float:
    """Return a float in (0, 1), divided by `parts`; never 0, to which the quotient could be rounded."""
    number = check_real(name, value)
    if not 0 < number < 1:
        msg = f"{name} must lie in (0, 1), got {value}"
        raise ValueError(msg)
    return max(number / parts, math.ulp(0.0))


def check_integer(name: str, value: int, *, minimum: int) -> int:
    """Return an int of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        msg = f"{name} must be an integer, got {value!r}"
        raise TypeError(msg)
    if value < minimum:
        msg = f"{name} must be >= {minimum}, got {value}"
        raise ValueError(msg)
    if value > sys.float_info.max:
        msg = f"{name} must be <= {sys.float_info.max:.1e}, the largest float, got a larger integer"
        raise ValueError(msg)
    return int(value)


def check_increasing(name: str, values: float | Sequence[float]) -> list[float]:
    """Return one or more floats, each >= 0 and finite, and above the one before; a number is one of them."""
    listed: Any = values if isinstance(values, Sequence) or np.ndim(values) > 0 else [values]
    numbers = [check_real(name, value, minimum=0) for value in listed]
    if not numbers or any(later <= earlier for earlier, later in pairwise(numbers)):
        given = ", ".join(f"{number:g}" for number in numbers) or "none"
        msg = f"{name} must be at least one and increase, got {given}"
        raise ValueError(msg)
    return numbers


def check_kind(name: str, value: object, kinds: type | tuple[type, ...], said: str) -> None:
    """Refuse a value of another type than what is said, such as "a path"."""
    if not isinstance(value, kinds):
        msg = f"{name} must be {said}, got {value!r}"
        raise TypeError(msg)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        msg = f"{name} must be one of {', '.join(choices)}, got {value!r}"
        raise ValueError(msg)
    return value


def as_real(name: str, value: ArrayLike, *, keep_float32: bool = False, finite: bool = True) -> Array:
    """Return `value` as a finite (unless allowed not to be) float64 (or float32, if kept) array."""
    if hasattr(value, "detach"):  # a torch tensor, perhaps elsewhere or part of a graph
        value = value.detach().cpu().numpy()
    hidden = _not_a_number(value)
    if hidden:
        msg = f"{name} must be an array of real numbers, got {hidden}"
        raise TypeError(msg)
    try:
        # numpy has no integer type for an int beyond 64 bits.
        array = np.asarray(check_real(name, value) if isinstance(value, int) else value)
    except ValueError as error:  # ragged nested lists
        msg = f"{name} must be an array of numbers, got ragged rows"
        raise ValueError(msg) from error
    if array.dtype == object and hasattr(value, "dtypes"):
        msg = f"{name} must be a data frame of numbers, got columns of {_kinds(value)}: convert them"
        raise TypeError(msg)
    if hasattr(value, "tocsr"):
        msg = f"{name} must be a dense array, got a sparse one"
        raise TypeError(msg)
    if array.dtype.kind not in "iuf":
        msg = f"{name} must be an array of real numbers, got dtype {array.dtype}"
        raise TypeError(msg)
    if array.dtype == np.float16:
        msg = f"{name} must be of float32, float64 or integers, got float16"
        raise TypeError(msg)
    kept = keep_float32 and array.dtype.newbyteorder("=") == np.float32
    with np.errstate(over="ignore"):  # of extended precision
        array = array.astype(np.float32 if kept else np.float64, copy=False)
    if finite and not np.isfinite(array).all():
        bad = array[~np.isfinite(array)]
        msg = f"{name} must be finite, got {bad.flat[0]} ({bad.size} of {array.size} entries)"
        raise ValueError(msg)
    return array


def _kinds(frame: Any) -> str:  # noqa: ANN401
    """Return the types of columns of a data frame or series."""
    return ", ".join(sorted({str(kind) for kind in np.ravel(np.array(frame.dtypes, dtype=object))}))


def _not_a_number(value: object) -> str:
    """Name what numpy would silently take for numbers: what a mask hides, and booleans among numbers."""
    if isinstance(value, np.ma.MaskedArray):
        return "a masked array: fill or drop what its mask hides"
    if isinstance(value, bool) or (isinstance(value, (np.generic, np.ndarray)) and value.dtype == np.bool_):
        return "dtype bool"
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes, range)):
        return ""
    if {float, int}.issuperset(map(type, value)):  # the usual row, without a call for each entry
        return ""
    return next(filter(None, map(_not_a_number, value)), "")
