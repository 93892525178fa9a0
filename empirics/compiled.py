"""The one way functions are compiled: kept on disk, without the interpreter lock, division as in numpy."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Files with compiled functions, which call each other.
SOURCES = ("events.py", "quadratic.py", "steps.py")


def stamp(folder: Path) -> str:
    """Return a digest of all sources: what compiled code on disk must have been made from."""
    contents = [(folder / name).read_bytes() for name in SOURCES]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


_STAMP = stamp(Path(__file__).parent)


def compiled(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Compile at the first call with each kind of arguments."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    ready: Any = numba.njit(cache=True, **options)(function)
    # numba compares the function's own file only, so that code on disk could be of an older version of a
    # function that it calls.  Where the comparison cannot be replaced nothing is kept.
    try:
        ready._cache._cache_file._source_stamp = _STAMP
    except AttributeError:
        ready = numba.njit(**options)(function)
    result: Callable[_P, _T] = ready
    return result
