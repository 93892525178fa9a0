"""Where the tasks of a sweep run: this process, others on this machine, or a cluster.

A task that ends its process (out of memory, a fault in a library) is told apart from the tasks that ran
beside it: every task that was lost runs once more, alone in its pool, and only if that pool breaks too is
it given up.  Tasks run on one thread each, wherever they run, so that sums are taken in one order.

What a task yields is passed on at once, from this process and from others on this machine; from executors
that know only of results, when the task ends.
"""

import os
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import chain
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Lock
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from empirics.sweep import cluster
from empirics.sweep.cluster import NoWorkersError
from empirics.sweep.interrupts import held_back, undisturbed
from empirics.threads import cores, one_thread, set_threads, threads_in_children
from theory.validation import check_integer

_Task = TypeVar("_Task")
_Item = TypeVar("_Item")
# How many fresh pools in a row may refuse the first task that is handed over.
_OPENINGS = 5
_END = None  # what a process sends after the last item of a task


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A way to run tasks, opened when there are some and opened afresh when it broke."""

    name: str
    # With so many workers at most; None: tasks run here.
    open: Callable[[int | None], AbstractContextManager[Executor]] | None
    window: int | None  # tasks handed over at a time; None: all
    reopens: bool = True  # whether `open` gives a fresh executor after a worker died


class WorkerDiedError(RuntimeError):
    """A task ended the process it ran in, alone in a fresh pool as well."""


def serial() -> Pool:
    """Return a pool of this process: one task after the other, none survives what ends the process."""
    return Pool(name="serial", open=None, window=1)


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
        executor = _Processes(number)
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
                executor.hang_up()


class _Processes(ProcessPoolExecutor):
    """A pool whose processes start, as `submit` needs them, where no signal comes between.

    What tasks yield comes through a pipe.  A process that dies in the middle of a message keeps its lock: all
    others then end with the pool, and nothing that was garbled is read.
    """

    def __init__(self, number: int) -> None:
        context = get_context("spawn")
        self._inbox, self._outbox = context.Pipe(duplex=False)
        given = self._outbox, context.Lock()
        super().__init__(number, mp_context=context, initializer=_start_worker, initargs=given)
        self.events: SimpleQueue[Any] = SimpleQueue()
        # Reads all the time, as a process waits while the pipe is full.
        self._reader = threading.Thread(target=self._read, name="inbox", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while True:
                self.events.put(self._inbox.recv())
        except (EOFError, OSError):
            self._inbox.close()
        except Exception as error:  # of what cannot be read here
            self.events.put(error)

    def hang_up(self) -> None:
        """Wait until all that was sent is among the events, once no process is left."""
        self._outbox.close()
        self._reader.join()

    def submit(self, fn: Callable[..., _Item], /, *args: Any, **kwargs: Any) -> Future[_Item]:  # noqa: ANN401
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
    pool: Pool, function: Callable[[_Task], Iterable[_Item]], tasks: Sequence[_Task]
) -> Generator[tuple[int, _Item | BaseException]]:
    """Run a function on tasks; yield what it yields, with the index of the task, as it comes.

    Close the generator to cancel what has not begun.  An exception of a task comes last.  A task whose worker
    died twice, the second time alone, comes with a `WorkerDiedError`; when it is repeated, so are its items,
    unless the caller has put another task in its place meanwhile.

    Raises
    ------
    RuntimeError
        If tasks are cancelled from outside, the pool broke and cannot be opened afresh, fresh pools break
        before they take a task, or a cluster has had no workers for a minute.  What has finished comes first.
    """
    if pool.open is None:
        yield from _here(function, tasks)
        return
    waiting, refused = deque(range(len(tasks))), 0
    while waiting:
        lost: deque[int] = deque()
        before = len(waiting)
        broken = yield from _in_pool(pool, None, function, tasks, waiting, lost)
        if (lost or broken) and not pool.reopens:
            msg = f"a worker of {pool.name} died, and only its owner can start a fresh one"
            raise RuntimeError(msg)
        refused = _refused(pool, refused, took=len(waiting) < before)
        lost = deque(sorted(lost))
        again = 0
        while (
            lost
        ):  # alone, in a pool that is fresh after each death: nothing else can be what ends a process
            died: deque[int] = deque()
            before = len(lost)
            yield from _in_pool(replace(pool, window=1), 1, function, tasks, lost, died)
            for index in died:
                msg = "the process of this task ended twice, the second time alone"
                yield index, WorkerDiedError(msg)
            again = _refused(pool, again, took=len(lost) < before)


def _refused(pool: Pool, before: int, *, took: bool) -> int:
    """Return how many fresh pools in a row did not take a task."""
    refused = 0 if took else before + 1
    if refused == _OPENINGS:
        msg = f"{pool.name} must take tasks, got {refused} fresh pools in a row that did not"
        raise RuntimeError(msg)
    return refused


def _here(
    function: Callable[[_Task], Iterable[_Item]], tasks: Sequence[_Task]
) -> Generator[tuple[int, _Item | BaseException]]:
    with one_thread():
        for index, task in enumerate(tasks):
            set_threads(1)
            try:
                yield from _with(index, function(task))
            except Exception as error:
                yield index, error


def _in_pool(
    pool: Pool,
    workers: int | None,
    function: Callable[[_Task], Iterable[_Item]],
    tasks: Sequence[_Task],
    waiting: deque[int],
    lost: deque[int],
) -> Generator[tuple[int, _Item | BaseException], None, bool]:
    """Run what is waiting until the executor breaks; note what was lost; return whether it broke."""
    assert pool.open is not None
    with pool.open(workers) as executor:
        events = executor.events if isinstance(executor, _Processes) else SimpleQueue()
        broken = yield from _together(pool, executor, events, function, tasks, waiting, lost)
    with suppress(Empty):  # what was sent before a death
        while True:
            event = events.get_nowait()
            if isinstance(event, tuple) and event[1] is not _END:
                yield event
    return broken


def _together(
    pool: Pool,
    executor: Executor,
    events: "SimpleQueue[Any]",
    function: Callable[[_Task], Iterable[_Item]],
    tasks: Sequence[_Task],
    waiting: deque[int],
    lost: deque[int],
) -> Generator[tuple[int, _Item | BaseException], None, bool]:
    running: dict[Future[Any], int] = {}
    broken, end = False, None
    try:
        while True:
            if not broken and end is None:
                broken = _hand_over(pool, executor, events, function, tasks, waiting, running)
            if not running:
                break
            try:
                # Once the sweep is to end nothing is waited for, but what has finished is not to be lost.
                event = _next(events, block=end is None)
                error = _error(event) if isinstance(event, Future) else None
            except Empty:
                break
            except RuntimeError as stop:
                end = end or stop
                continue
            broken = broken or isinstance(error, BrokenExecutor)
            yield from _told(event, error, running, lost, pieces=isinstance(executor, _Processes))
        if end is not None:
            raise end
    finally:
        for future in running:
            future.cancel()
    return broken


def _hand_over(
    pool: Pool,
    executor: Executor,
    events: "SimpleQueue[Any]",
    function: Callable[[_Task], Iterable[_Item]],
    tasks: Sequence[_Task],
    waiting: deque[int],
    running: dict[Future[Any], int],
) -> bool:
    """Hand over as many tasks as there is room for; return whether the executor turns out to be broken."""
    while waiting and len(running) < (pool.window or len(tasks)):
        work = partial(_sent, waiting[0]) if isinstance(executor, _Processes) else _collected
        try:
            future = executor.submit(work, function, tasks[waiting[0]])
        except BrokenExecutor:
            return True
        running[future] = waiting.popleft()
        future.add_done_callback(events.put)
    return False


def _next(events: "SimpleQueue[Any]", *, block: bool) -> Any:  # noqa: ANN401
    """Return a future that is done, or what a process has sent."""
    event = events.get(block=block)
    if isinstance(event, BaseException):
        raise event
    return event


def _told(
    event: Any,  # noqa: ANN401
    error: BaseException | None,
    running: dict[Future[Any], int],
    lost: deque[int],
    *,
    pieces: bool,
) -> Iterator[tuple[int, Any]]:
    """Yield what an event says; take what has ended from what is running, and note what was lost."""
    if isinstance(event, tuple):
        if event[1] is not _END:
            yield event
        else:
            for future in [future for future, index in running.items() if index == event[0]]:
                del running[future]
    elif event not in running or (error is None and pieces):
        pass  # what has ended there says so itself, after its last item
    elif error is None:
        yield from _with(running.pop(event), event.result())
    elif _died(error):
        lost.append(running.pop(event))
    else:
        yield running.pop(event), error


def _with(index: int, items: Iterable[_Item]) -> Iterator[tuple[int, _Item]]:
    return ((index, item) for item in items)


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


# In workers -----------------------------------------------------------------------------------------------


_outbox: tuple[Connection, Lock]  # of a process that `_Processes` started


def _sent(index: int, function: Callable[[_Task], Iterable[_Item]], task: _Task) -> None:
    set_threads(1)
    connection, lock = _outbox
    for item in chain(function(task), [_END]):
        with lock:
            connection.send((index, item))


def _collected(function: Callable[[_Task], Iterable[_Item]], task: _Task) -> list[_Item]:
    set_threads(1)
    return list(function(task))


def _ping() -> None:
    """Do nothing: an answer shows that a process has started."""


def _start_worker(connection: Connection, lock: Lock) -> None:
    """Leave Ctrl-C to the parent, and end with it."""
    global _outbox  # noqa: PLW0603  (an initializer has no other way to give something to tasks)
    _outbox = connection, lock
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=partial(_end_with, parent), daemon=True).start()


def _end_with(parent: Any) -> None:  # noqa: ANN401  (of a class that multiprocessing hides)
    parent.join()
    os._exit(1)
