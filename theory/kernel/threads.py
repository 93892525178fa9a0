"""Work on panels of arrays in threads, as many as the BLAS uses, each with a BLAS of one thread.

A matrix product followed by passes over its result is faster as one product a thread: each thread goes on
with its own panel while it is in cache, and no idle thread of the BLAS spins beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import lru_cache
from threading import Lock, local
from typing import Any, TypeVar
from weakref import WeakSet

from threadpoolctl import ThreadpoolController

_T = TypeVar("_T")
_S = TypeVar("_S")
_inside = local()


def run(work: Callable[[_S], _T], items: Iterable[_S], *, most: int | None = None) -> list[_T]:
    """Return [work(item) for item in items], in threads, `most` of them; nested calls stay in theirs."""
    items = list(items)
    threads = min(count(), len(items), most or len(items))
    if threads > 1:
        with _blas.single():
            try:
                # Each with the caller's context, which holds its numpy.errstate.
                results = _pool(threads).map(_in_context(work), items, [copy_context() for _ in items])
            except RuntimeError:  # the interpreter is shutting down: no new threads
                pass
            else:
                return list(results)
    return [work(item) for item in items]


def count() -> int:
    """Return the number of threads that `run` would use: that of the BLAS, 1 within `run`."""
    return 1 if getattr(_inside, "running", False) else _blas.threads()


def _in_context(work: Callable[[_S], _T]) -> Callable[[_S, Context], _T]:
    def inside(item: _S, context: Context) -> _T:
        _inside.running = True
        return context.run(work, item)

    return inside


class _User:
    """Somebody in `_Blas.single`; gone with its frame, also where an interrupt struck."""


class _Blas:
    """The number of threads of the BLAS, held at 1 while anyone is in `single`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users: WeakSet[_User] = WeakSet()
        self._saved: list[tuple[Any, int]] = []  # libraries and their own numbers of threads

    def threads(self) -> int:
        with self._lock:
            if self._users and self._saved:
                return max(threads for _, threads in self._saved)
            self.restore()
            return max((library.num_threads or 1 for library in _libraries()), default=1)

    @contextmanager
    def single(self) -> Iterator[None]:
        user = _User()
        try:
            with self._lock:
                if not self._users:
                    self.restore()  # what an interrupt may have left
                    self._saved = [(library, library.num_threads or 1) for library in _libraries()]
                self._users.add(user)
                for library, _ in self._saved:
                    library.set_num_threads(1)
            yield
        finally:
            with self._lock:
                self._users.discard(user)
                if not self._users:
                    self.restore()

    def restore(self) -> None:
        """Give the libraries their threads back, unless somebody else has set them since."""
        for library, threads in self._saved:
            if library.num_threads == 1:
                library.set_num_threads(threads)
        self._saved = []


_blas = _Blas()


@lru_cache(maxsize=1)
def _libraries() -> list[Any]:
    """Return controllers of the BLAS libraries that are loaded; finding them takes milliseconds."""
    libraries: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return libraries


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="phi")


def _forget() -> None:
    """In a forked child: the pool is there but not its threads, and the lock may be held by nobody."""
    _pool.cache_clear()
    _inside.running = False
    _blas.restore()
    _blas.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
