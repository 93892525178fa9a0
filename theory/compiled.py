"""The one way functions are compiled: kept on disk, without the interpreter lock, division as in numpy.

Takes numba, so that nothing imports this file at the start; no fast arithmetic unless `allowing` it, so that
results are those of the formulas as they stand, NaN and ∞ included.
"""

import contextlib
import hashlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
from numba.core.caching import FunctionCache

_P = ParamSpec("_P")
_T = TypeVar("_T")


@lru_cache
def stamp(folder: Path) -> str:
    """Return a digest of the files with compiled functions, which may call each other.

    It is what compiled code on disk must have been made from.
    """
    contents = (path.read_bytes() for path in sorted(folder.glob("*.py")))
    return hashlib.sha256(b"\0".join(one for one in contents if b"@compiled\n" in one)).hexdigest()


class _Cache(FunctionCache):  # type: ignore[misc]
    """Compiled code on disk, which saves time where it can: what cannot be read or written is compiled."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        # numba compares the function's own file only, so that code on disk could be of an older version of a
        # function that it calls.
        self._cache_file._source_stamp  # noqa: B018  (AttributeError where it cannot be replaced)
        self._cache_file._source_stamp = stamp(Path(inspect.getfile(function)).parent)

    def load_overload(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a file that was cut short fails in any of the ways of pickle
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: object, data: object) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def allowing(*freedoms: str, inline: bool = False) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Return a decorator that compiles at the first call with each kind of arguments.

    `freedoms` are of LLVM: "contract" rounds once where a product meets a sum, "reassoc" sums in any order.
    Functions that use it call it `compiled` too, the word that `stamp` looks for.  With `inline`, it becomes
    part of its callers however long it is: a loop with a call in it takes its numbers one by one.
    """

    def compiled(function: Callable[_P, _T]) -> Callable[_P, _T]:
        ready: Any = numba.njit(nogil=True, error_model="numpy", fastmath=set(freedoms), forceinline=inline)(
            function
        )
        # Where there is no folder to write to, or the comparison cannot be replaced, nothing is kept.
        with contextlib.suppress(RuntimeError, AttributeError):
            ready._cache = _Cache(function)
        result: Callable[_P, _T] = ready
        return result

    return compiled


compiled = allowing()
