"""Where the tasks of a sweep run: this process, others on this machine, or a cluster.

A task that ends its process (out of memory, a fault in a library) is told apart from the tasks that ran
beside it: every task that was lost runs once more, alone in its pool, and only if that pool breaks too is
it given up.  Tasks run on one thread each, wherever they run, so that sums are taken in one order.
"""

import os
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from empirics import cluster
from empirics.cluster import NoWorkersError
from empirics.interrupts import held_back, undisturbed
from empirics.threads import cores, one_thread, set_threads, threads_in_children
from theory.validation import check_integer

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
# How many fresh pools in a row may refuse the first task that is handed over.
_OPENINGS = 5


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A way to run tasks, opened when there are some and opened afresh when it broke."""

    name: str
    open: Callable[[int | None], AbstractContextManager[Executor]]  # with so many workers at most
    window: int | None  # tasks handed over at a time; None: all
    reopens: bool = True  # whether `open` gives a fresh executor after a worker died


class WorkerDiedError(RuntimeError):
    """A task ended the process it ran in, alone in a fresh pool as well."""


def serial() -> Pool:
    """Return a pool of this process: one task after the other, none survives what ends the process."""

    @contextmanager
    def open_(_workers: int | None) -> Iterator[Executor]:
        with one_thread():
            yield _Serial()

    return Pool(name="serial", open=open_, window=1)


def processes(number: int | None = None) -> Pool:
    """Return a pool of fresh processes on this machine, one thread each.

    Parameters
    ----------
    number : int, optional
        One for each core that this process may use, if absent.

    Returns
    -------
    Pool

    Raises
    ------
    ValueError
        If the number is below 1.

    Notes
    -----
    Functions and tasks travel by pickle, and a script that calls this needs ``if __name__ == "__main__"``.
    The processes end with the one that started them, even if that one is killed.
    """
    workers = cores() if number is None else check_integer("jobs", number, minimum=1)

    def open_(limit: int | None) -> AbstractContextManager[Executor]:
        return started(min(workers, limit or workers), threads=1)

    # No more than can run: those that wait would be lost with a worker that dies, and run alone.
    return Pool(name="processes", open=open_, window=workers)


@contextmanager
def started(number: int, *, threads: int) -> Iterator[Executor]:
    """Start so many processes with so many threads each; they end with the block, or with this process.

    Raises
    ------
    RuntimeError
        If no process can start.
    """
    with threads_in_children(threads):
        executor = _Processes(number, mp_context=get_context("spawn"), initializer=_start_worker)
        try:
            try:
                executor.submit(_ping).result()
            except BrokenExecutor as error:
                msg = "processes must be able to start, got one that ended before its first task"
                raise RuntimeError(msg) from error
            yield executor
        except BaseException:
            with undisturbed():
                # A task may take minutes; the list of processes is gone after a shutdown.
                running = list((executor._processes or {}).values())
                executor.shutdown(wait=False, cancel_futures=True)
                for process in running:
                    process.terminate()
            raise
        finally:
            with undisturbed():
                executor.shutdown()


class _Processes(ProcessPoolExecutor):
    """A pool whose processes start, as `submit` needs them, where no signal comes between."""

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:  # noqa: ANN401
        with held_back():
            return super().submit(fn, *args, **kwargs)


def dask(address: str) -> Pool:
    """Return a pool of the workers of a running Dask cluster, which may come and go.

    Parameters
    ----------
    address : str
        "dask://host:port" of the scheduler.

    Returns
    -------
    Pool

    Raises
    ------
    ValueError
        If the address has another form or `distributed` is not installed.

    Notes
    -----
    The scheduler itself repeats the tasks of a worker that was lost; a task that it gives up
    (`distributed.scheduler.allowed-failures`, 3 by default) is handed to it once more, alone, and is then
    given up here.  So where workers are started again, as by a nanny, a task that ends every worker it meets
    costs 2 (allowed failures + 1) of them and fails.  Where they are not, no worker is left: after 60 s
    without one the sweep stops with a `NoWorkersError`, and with processes the same command tells which task
    it is.
    """
    if re.fullmatch(r"dask://[^\s/:]+:\d+|dask://\[[0-9a-fA-F:]+\]:\d+", address) is None:
        msg = f"executor must be serial, processes or dask://host:port, got {address!r}"
        raise ValueError(msg)
    if find_spec("distributed") is None:
        msg = f"executor {address!r} must have distributed installed: pip install 'perturblearn[cluster]'"
        raise ValueError(msg)

    return Pool(name=address, open=lambda _workers: cluster.connect(address), window=None)


def given(executor: Executor) -> Pool:
    """Return a pool around any executor of the caller's, which stays open.

    If one of its workers dies the sweep stops with an error, as nothing here can start it afresh.  Its
    processes keep to one thread from their first task on.
    """

    @contextmanager
    def open_(_workers: int | None) -> Iterator[Executor]:
        with one_thread():
            yield executor

    return Pool(name=type(executor).__name__, open=open_, window=None, reopens=False)


def parse(text: str, *, jobs: int | None = None) -> Pool:
    """Return the pool of a name on the command line: serial, processes or dask://host:port.

    Raises
    ------
    ValueError
        If there is no such pool, or `jobs` is given to one that has no number of processes.
    """
    if text == "processes":
        return processes(jobs)
    if jobs is not None:
        msg = f"jobs must be left out with executor {text!r}, got {jobs}"
        raise ValueError(msg)
    return serial() if text == "serial" else dask(text)


def run_tasks(
    pool: Pool, function: Callable[[_Task], _Result], tasks: Sequence[_Task]
) -> Generator[tuple[int, _Result | BaseException]]:
    """Run a function on tasks; yield the index of each with its result or exception, as they finish.

    Close the generator to cancel what has not begun.  A task whose worker died twice, the second time alone,
    comes with a `WorkerDiedError`.

    Raises
    ------
    RuntimeError
        If tasks are cancelled from outside, the pool broke and cannot be opened afresh, fresh pools break
        before they take a task, or a cluster has had no workers for a minute.  What has finished comes first.
    """
    waiting = deque(range(len(tasks)))
    refused = 0
    while waiting:
        lost: list[int] = []
        before = len(waiting)
        with pool.open(None) as executor:
            broken = yield from _together(pool, executor, function, tasks, waiting, lost)
        if (lost or broken) and not pool.reopens:
            msg = f"a worker of {pool.name} died, and only its owner can start a fresh one"
            raise RuntimeError(msg)
        refused = refused + 1 if len(waiting) == before else 0
        _check_openings(pool, refused)
        yield from _one_by_one(pool, function, tasks, deque(sorted(lost)))


def _together(
    pool: Pool,
    executor: Executor,
    function: Callable[[_Task], _Result],
    tasks: Sequence[_Task],
    waiting: deque[int],
    lost: list[int],
) -> Generator[tuple[int, _Result | BaseException], None, bool]:
    """Run what is waiting until the executor breaks; note what was lost; return whether it broke."""
    running: dict[Future[_Result], int] = {}
    broken, end = False, None
    try:
        while running or (waiting and not broken):
            while waiting and not broken and end is None and len(running) < (pool.window or len(tasks)):
                try:
                    running[executor.submit(_in_worker, function, tasks[waiting[0]])] = waiting[0]
                except BrokenExecutor:
                    broken = True
                else:
                    waiting.popleft()
            # Once the sweep is to end nothing is waited for, but what has finished is not to be lost.
            done = wait(running, None if end is None else 0, return_when=FIRST_COMPLETED).done
            if end is not None and not done:
                raise end
            for future in done:
                index = running.pop(future)
                try:
                    error = _error(future)
                except RuntimeError as stop:
                    end = end or stop
                    continue
                broken = broken or isinstance(error, BrokenExecutor)
                if error is not None and _died(error):
                    lost.append(index)
                else:
                    yield index, future.result() if error is None else error
        if end is not None:
            raise end
    finally:
        for future in running:
            future.cancel()
    return broken


def _check_openings(pool: Pool, refused: int) -> None:
    if refused == _OPENINGS:
        msg = f"{pool.name} must take tasks, got {refused} fresh pools in a row that did not"
        raise RuntimeError(msg)


def _one_by_one(
    pool: Pool, function: Callable[[_Task], _Result], tasks: Sequence[_Task], lost: deque[int]
) -> Generator[tuple[int, _Result | BaseException]]:
    """Run tasks alone, in a pool that is fresh after each death: nothing else can be what ends a process.

    A pool that breaks before it takes a task is opened again, a few times in a row.
    """
    refused = 0
    while lost:
        with pool.open(1) as executor:
            broken = False
            while lost and not broken:
                try:
                    future = executor.submit(_in_worker, function, tasks[lost[0]])
                except BrokenExecutor:
                    refused += 1
                    _check_openings(pool, refused)
                    break
                refused, index = 0, lost.popleft()
                wait([future])
                error = _error(future)
                broken = isinstance(error, BrokenExecutor)
                if error is None:
                    yield index, future.result()
                elif _died(error):
                    msg = "the process of this task ended twice, the second time alone"
                    yield index, WorkerDiedError(msg)
                else:
                    yield index, error


def _error(future: Future[Any]) -> BaseException | None:
    try:
        error = future.exception()
    except CancelledError as cancelled:
        msg = "tasks were cancelled from outside; is the executor still there?"
        raise RuntimeError(msg) from cancelled
    if isinstance(error, NoWorkersError):
        raise error
    return error


def _died(error: BaseException) -> bool:
    """Whether an exception says that the worker went away, and not what its task did."""
    scheduler = sys.modules.get("distributed.scheduler")
    return isinstance(error, BrokenExecutor) or (
        scheduler is not None and isinstance(error, scheduler.KilledWorker)
    )


class _Serial(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


# In workers -----------------------------------------------------------------------------------------------


def _in_worker(function: Callable[[_Task], _Result], task: _Task) -> _Result:
    set_threads(1)
    return function(task)


def _ping() -> None:
    """Do nothing: an answer shows that a process has started."""


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=partial(_end_with, parent), daemon=True).start()


def _end_with(parent: Any) -> None:  # noqa: ANN401  (of a class that multiprocessing hides)
    parent.join()
    os._exit(1)
