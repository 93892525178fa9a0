"""Where the tasks of a sweep run: this process, others on this machine, or a cluster.

A task that ends its process (out of memory, a fault in a library) is told apart from the tasks that ran
beside it: every task that was lost runs once more, alone in its pool, and only if that pool breaks too is
it given up.  Tasks run on one thread each, wherever they run, so that sums are taken in one order.

What a task yields is passed on at once, from this process and from others on this machine; from executors
that know only of results, when the task ends.
"""

import math
import os
import pickle
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from multiprocessing import forkserver, get_context, parent_process, resource_tracker, set_start_method
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Lock
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from empirics.sweep import cluster
from empirics.sweep.cluster import NoWorkersError
from empirics.sweep.interrupts import held_back, undisturbed
from empirics.threads import (
    cores,
    one_thread,
    one_thread_in_children,
    set_one_thread_of_child,
    set_threads,
)
from theory.validation import check_integer

_Task = TypeVar("_Task")
_Item = TypeVar("_Item")
# How many fresh pools in a row may refuse the first task that is handed over.
_OPENINGS = 5
# Elsewhere libraries of the system do not bear copies of a process that has loaded them.
_START = "forkserver" if sys.platform == "linux" else "spawn"


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A way to run tasks, opened when there are some and opened afresh when it broke."""

    name: str
    # With so many workers at most; None: tasks run here.
    open: Callable[[int | None], AbstractContextManager[Executor]] | None
    window: int | None  # tasks handed over at a time; None: all
    here: float = 0.0  # seconds of a core for which tasks run in this process, before it is opened
    reopens: bool = True  # whether `open` gives a fresh executor after a worker died


@dataclass(frozen=True)
class _End:
    """What comes after the last item of a task."""

    error: BaseException | None = None
    stops: bool = False  # whether nothing more can come of any task


class WorkerDiedError(RuntimeError):
    """A task ended the process it ran in, alone in a fresh pool as well."""


def serial() -> Pool:
    """Return a pool of this process: one task after the other, none survives what ends the process."""
    return Pool(name="serial", open=None, window=1, here=math.inf)


def processes(number: int | None = None, *, here: float = 0.0) -> Pool:
    """Return a pool of fresh processes on this machine, one thread each.

    Parameters
    ----------
    number : int, optional
        One for each core that this process may use, if absent.
    here : float, default 0
        Seconds of a core for which tasks are begun in this process, one after the other as by `serial`: if
        all are over by then, no process starts.

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
    The processes end with the one that started them, even if that one is killed.  Where they are copies of a
    process that the first pool started, they have its limits, priority and cores, and the environment of now.
    """
    workers = cores() if number is None else check_integer("jobs", number, minimum=1)

    def open_(limit: int | None) -> AbstractContextManager[Executor]:
        return _started(min(workers, limit or workers))

    # No more than can run: those that wait would be lost with a worker that dies, and run alone.
    return Pool(name="processes", open=open_, window=workers, here=here)


def prepare(*modules: str) -> str:
    """Import modules, meanwhile, in the process that workers are copies of; return how workers start.

    Without effect once it runs.  Where there is none, as its socket's path is too long or it is the child of
    another process, workers start anew.
    """
    if _START == "forkserver":
        # Starting the tracker lifts a block of Ctrl-C, so that it comes before the block.
        resource_tracker.ensure_running()
        with suppress(OSError), one_thread_in_children(), held_back():
            get_context(_START).set_forkserver_preload(list(modules))
            forkserver.ensure_running()
            return _START
    return "spawn"


@contextmanager
def _started(number: int) -> Iterator[Executor]:
    """Start so many processes with one thread each; they end with the block, or with this process.

    Raises
    ------
    RuntimeError
        If no process can start.
    """
    method = prepare()
    with one_thread_in_children():
        executor = _Processes(number, method)
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

    def __init__(self, number: int, method: str) -> None:
        context = get_context(method)
        self._inbox, self._outbox = context.Pipe(duplex=False)
        given = self._outbox, context.Lock(), dict(os.environ)
        super().__init__(number, mp_context=context, initializer=_start_worker, initargs=given)
        self.events: SimpleQueue[tuple[int, Any]] = SimpleQueue()
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
            self.events.put((-1, _End(error, stops=True)))

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
        how = "pip install '.[cluster]' in the source folder"
        msg = f"executor {address!r} must have distributed installed: {how}"
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
    waiting = deque(range(len(tasks)))
    if pool.here:
        yield from _here(function, tasks, waiting, pool.here)
    while waiting:
        lost = yield from _in_pool(pool, None, function, tasks, waiting)
        again = deque(sorted(lost))
        # Alone, in a pool that is fresh after each death: nothing else can be what ends a process.
        while again:
            for index in (yield from _in_pool(replace(pool, window=1), 1, function, tasks, again)):
                msg = "the process of this task ended twice, the second time alone"
                yield index, WorkerDiedError(msg)


def _here(
    function: Callable[[_Task], Iterable[_Item]],
    tasks: Sequence[_Task],
    waiting: deque[int],
    seconds: float,
) -> Generator[tuple[int, _Item | BaseException]]:
    with one_thread():
        until = time.process_time() + seconds
        while waiting and time.process_time() < until:
            index = waiting.popleft()
            set_threads(1)
            try:
                yield from ((index, item) for item in function(tasks[index]))
            except Exception as error:
                yield index, error


def _in_pool(
    pool: Pool,
    workers: int | None,
    function: Callable[[_Task], Iterable[_Item]],
    tasks: Sequence[_Task],
    waiting: deque[int],
) -> Generator[tuple[int, _Item | BaseException], None, list[int]]:
    """Run what is waiting in a fresh pool until that breaks; return the tasks that were lost with it.

    A pool that breaks before it takes a task is opened again, a few times in a row.
    """
    assert pool.open is not None
    for _ in range(_OPENINGS):
        before = len(waiting)
        with pool.open(workers) as executor:
            events = executor.events if isinstance(executor, _Processes) else SimpleQueue()
            lost, broken = yield from _together(pool, executor, events, function, tasks, waiting)
        with suppress(Empty):  # what was sent before a death
            while True:
                index, item = events.get_nowait()
                if not isinstance(item, _End):
                    yield index, item
        if (lost or broken) and not pool.reopens:
            msg = f"a worker of {pool.name} died, and only its owner can start a fresh one"
            raise RuntimeError(msg)
        if len(waiting) < before:
            return lost
    msg = f"{pool.name} must take tasks, got {_OPENINGS} fresh pools in a row that did not"
    raise RuntimeError(msg)


def _together(
    pool: Pool,
    executor: Executor,
    events: "SimpleQueue[tuple[int, Any]]",
    function: Callable[[_Task], Iterable[_Item]],
    tasks: Sequence[_Task],
    waiting: deque[int],
) -> Generator[tuple[int, _Item | BaseException], None, tuple[list[int], bool]]:
    running: dict[int, Future[Any]] = {}
    lost: list[int] = []
    end: BaseException | None = None

    def hand_over() -> bool:
        """Hand over what there is room for; return whether the executor takes no more."""
        while waiting and len(running) < (pool.window or len(tasks)):
            index = waiting[0]
            work = partial(_sent, index) if isinstance(executor, _Processes) else _collected
            try:
                running[index] = executor.submit(work, function, tasks[index])
            except BrokenExecutor:
                return True
            waiting.popleft()
            running[index].add_done_callback(partial(_tell, events, index))
        return False

    broken = hand_over()
    try:
        while running:
            try:  # once the sweep is to end nothing is waited for, but what has finished is not to be lost
                index, item = events.get(block=end is None)
            except Empty:
                break
            if not isinstance(item, _End):
                yield index, item
            elif item.stops:
                end = end or item.error
            elif running.pop(index, None) is not None and item.error is not None:
                if _died(item.error):
                    lost.append(index)
                    broken = broken or isinstance(item.error, BrokenExecutor)
                else:
                    yield index, item.error
            broken = broken or (end is None and hand_over())
        if end is not None:
            raise end
    finally:
        for future in running.values():
            future.cancel()
    return lost, broken


def _tell(events: "SimpleQueue[tuple[int, Any]]", index: int, future: Future[Any]) -> None:
    """Put what a task has come to among the events, unless its process has sent that."""
    try:
        error = _error(future)
    except RuntimeError as stop:
        events.put((index, _End(stop, stops=True)))
        return
    items = None if error is not None else future.result()
    for item in items or ():
        events.put((index, item))
    if error is not None or items is not None:
        events.put((index, _End(error)))


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
    set_one_thread_of_child()
    connection, lock = _outbox

    def send(item: _Item | _End) -> None:
        with lock:
            connection.send((index, item))

    end = _End()
    try:
        for item in function(task):
            send(item)
    except Exception as error:
        pickle.loads(pickle.dumps(error))
        end = _End(error)
    send(end)  # after the items, which what is raised here could overtake


def _collected(function: Callable[[_Task], Iterable[_Item]], task: _Task) -> list[_Item]:
    set_threads(1)
    return list(function(task))


def _ping() -> None:
    """Do nothing: an answer shows that a process has started."""


def _start_worker(connection: Connection, lock: Lock, environment: Mapping[str, str]) -> None:
    """Leave Ctrl-C to the parent, and end with it."""
    global _outbox  # noqa: PLW0603  (an initializer has no other way to give something to tasks)
    _outbox = connection, lock
    os.environ.clear()  # that of the process it is a copy of may be an older one
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_start_method("spawn", force=True)  # numba leaves a named lock behind where this has "fork" in it
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=partial(_end_with, parent), daemon=True).start()


def _end_with(parent: Any) -> None:  # noqa: ANN401  (of a class that multiprocessing hides)
    parent.join()
    os._exit(1)
