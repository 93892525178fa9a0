"""Values as JSON text that every reader takes, and equal values as one text."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def to_json(value: Any) -> str:  # noqa: ANN401
    """Return JSON text; NaN and infinity are refused, so that every reader can parse it.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return encodable(text)


def encodable(text: str) -> str:
    r"""Return text that UTF-8 can hold: other bytes of names of files as ``\udcff``, JSON's escape."""
    return text.encode(errors="backslashreplace").decode()


def canonical(value: Any) -> str:  # noqa: ANN401
    """Return JSON text that equal values share: sorted keys, no spaces, ASCII, 1.0 written as 1, -0.0 as 0.

    Raises
    ------
    ValueError
        If a number is not finite.
    TypeError
        If a value is none of JSON's.
    """
    return json.dumps(plain_numbers(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain_numbers(value: Any) -> Any:  # noqa: ANN401
    """Return JSON values with lists for tuples, Python's numbers for numpy's, whole floats as integers."""
    return mapped(value, _plain_number)


def _plain_number(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, np.generic):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def finite(value: Any, other: Callable[[float], Any] = lambda _: None) -> Any:  # noqa: ANN401
    """Return JSON values with others for the numbers that JSON does not know (NaN, infinity)."""
    return mapped(value, lambda x: other(x) if isinstance(x, float) and not math.isfinite(x) else x)


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """Return nested values of one form, lists for tuples, with a function of each that is not nested."""
    # What is most often met comes first: whether a number is a mapping takes long to ask.
    if isinstance(value, (float, int, str)):
        return function(str(value) if isinstance(value, str) else value)  # of a class of its own
    if isinstance(value, (list, tuple)):
        return [mapped(item, function) for item in value]
    if isinstance(value, Mapping):
        return {key: mapped(item, function) for key, item in value.items()}
    return function(value)


def digest(value: Any) -> str:  # noqa: ANN401
    """Return the SHA-256 of the canonical JSON of a value, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
