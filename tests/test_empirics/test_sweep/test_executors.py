"""Executors: one thread a task, an answer for every task, whatever its process does."""

import os
import struct
import subprocess
import sys
import threading
import types
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from empirics.sweep import executors
from empirics.sweep.executors import Pool, WorkerDiedError, run_tasks
from tests.test_empirics.test_sweep.late import folder, late

ROOT = Path(__file__).parents[3]


def square(number):
    if number == 13:
        msg = "thirteen"
        raise ArithmeticError(msg)
    yield number * number


def threads(_task):
    libraries = [library["num_threads"] for library in threadpool_info()]
    yield {torch.get_num_threads(), numba.get_num_threads(), *libraries}


def environment(name):
    return os.environ.get(name)


# Pools that break, without the seconds that processes take ------------------------------------------------


class Fragile(Executor):
    """Breaks as a pool of processes does: with everything that was handed over and is not done."""

    def __init__(self, deadly):
        self.deadly, self.handed_over, self.broken = deadly, [], False
        self.lock = threading.Lock()

    def submit(self, fn, /, *args):
        if self.broken:
            raise BrokenExecutor
        future = Future()
        self.handed_over.append(future)
        threading.Timer(0.01, self.finish, (future, fn, args)).start()
        return future

    def finish(self, future, fn, args):
        with self.lock:
            if args[-1] in self.deadly:
                self.broken = True
                for other in self.handed_over:
                    if not other.done():
                        other.set_exception(BrokenExecutor())
            elif not future.done():
                try:
                    future.set_result(fn(*args))
                except ArithmeticError as error:
                    future.set_exception(error)


def fragile(deadly, *, window, log=None, deadly_alone=None, reopens=True):
    @contextmanager
    def open_(workers):
        if log is not None:
            log.append(workers)
        yield Fragile(deadly if workers is None or deadly_alone is None else deadly_alone)

    return Pool(name="fragile", open=open_, window=window, reopens=reopens)


@pytest.mark.parametrize("window", [1, 2, 3, None])
@pytest.mark.parametrize("deadly", [{0}, {3}, {6}, {0, 1, 2}, {1, 5}, {2, 3, 6}, set(range(7))])
def test_only_tasks_that_die_alone_are_given_up(window, deadly):
    found = dict(run_tasks(fragile(deadly, window=window), square, range(7)))
    assert {index for index, result in found.items() if isinstance(result, WorkerDiedError)} == deadly
    for index in set(range(7)) - deadly:
        assert found[index] == index * index


def test_task_that_dies_once_is_repeated_with_all_that_were_lost():
    log = []
    pool = fragile({2}, window=3, log=log, deadly_alone=set())
    assert dict(run_tasks(pool, square, range(5))) == {k: k * k for k in range(5)}
    assert log[:2] == [None, 1]


def test_pool_is_fresh_after_each_death():
    log = []
    dict(run_tasks(fragile({0, 1}, window=2, log=log), square, range(2)))
    assert log[0] is None
    assert log.count(1) == 2  # a death may come before the second task is handed over


def test_exception_of_a_task_is_its_result():
    found = dict(run_tasks(fragile(set(), window=2), square, [12, 13]))
    assert found[0] == 144
    assert isinstance(found[1], ArithmeticError)


def test_exception_of_a_task_that_ran_alone_is_its_result():
    found = dict(run_tasks(fragile({13, 1}, window=2, deadly_alone={1}), square, [13, 1, 2]))
    assert isinstance(found[0], ArithmeticError)
    assert isinstance(found[1], WorkerDiedError)
    assert found[2] == 4


def test_broken_pool_of_the_caller_stops_with_an_error():
    with pytest.raises(RuntimeError, match="a worker of fragile died, and only its owner can start a fresh"):
        dict(run_tasks(fragile({1}, window=2, reopens=False), square, range(3)))


def test_tasks_cancelled_from_outside_stop_with_an_error():
    class Cancelling(Executor):
        def submit(self, fn, /, *args):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(RuntimeError, match="tasks were cancelled from outside") as caught:
        dict(run_tasks(executors.given(Cancelling()), square, [1]))
    assert isinstance(caught.value.__cause__, CancelledError)


@pytest.mark.parametrize("cancelled", [True, False])
def test_results_that_are_there_come_before_the_end(cancelled):
    """Of one wait, and of what finishes while its results are handled."""

    class Ending(Executor):
        def __init__(self):
            self.late = Future()

        def submit(self, fn, /, *args):
            future = Future()
            if args[-1] == 4:
                return self.late
            if args[-1] != 2:
                future.set_result(fn(*args))
            elif cancelled:
                future.cancel()
                future.set_running_or_notify_cancel()
            else:
                future.set_exception(executors.NoWorkersError("none"))
            return future

    executor, found = Ending(), {}

    def collect():
        for index, result in run_tasks(executors.given(executor), square, range(5)):
            found[index] = result
            if not executor.late.done():
                executor.late.set_result([16])

    match = "tasks were cancelled from outside" if cancelled else "none"
    with pytest.raises(RuntimeError, match=match):
        collect()
    assert found == {0: 0, 1: 1, 3: 9, 4: 16}


class Refusing(Fragile):
    """A pool that broke between its start and the first task."""

    def submit(self, fn, /, *args):
        raise BrokenExecutor


def refusing(log, *, alone, first=0):
    """Return a pool that breaks at task 1; of those for one task `alone` refuse it, of the others `first`."""
    left = {1: alone, None: first}

    @contextmanager
    def open_(workers):
        log.append(workers)
        left[workers] -= 1
        yield (Refusing if left[workers] >= 0 else Fragile)({1} if workers is None else set())

    return Pool(name="refusing", open=open_, window=2)


def test_task_that_a_broken_pool_did_not_take_is_not_lost():
    log = []
    found = dict(run_tasks(refusing(log, alone=2, first=2), square, range(3)))
    assert found == {0: 0, 1: 1, 2: 4}
    assert log[:6] == [None, None, None, 1, 1, 1]


@pytest.mark.parametrize("sizes", [{"alone": 99}, {"alone": 0, "first": 99}])
def test_pools_that_take_no_task_are_opened_a_few_times(sizes):
    log = []
    with pytest.raises(RuntimeError, match="refusing must take tasks, got 5 fresh pools in a row that did n"):
        dict(run_tasks(refusing(log, **sizes), square, range(3)))
    assert len(log) <= 6


def test_killed_worker_of_a_cluster_is_a_death(monkeypatch):
    killed = type("KilledWorker", (Exception,), {})
    monkeypatch.setitem(sys.modules, "distributed.scheduler", types.SimpleNamespace(KilledWorker=killed))

    class Scheduler(Executor):
        def submit(self, fn, /, *args):
            future = Future()
            if args[-1] == 1:
                future.set_exception(killed())
            else:
                future.set_result(fn(*args))
            return future

    @contextmanager
    def open_(workers):
        yield Scheduler()

    found = dict(run_tasks(Pool(name="cluster", open=open_, window=None), square, range(3)))
    assert isinstance(found[1], WorkerDiedError)
    assert (found[0], found[2]) == (0, 4)


def test_closing_cancels_what_has_not_begun():
    with ThreadPoolExecutor(1) as executor:
        begun = []
        release = threading.Event()

        def task(number):
            begun.append(number)
            if number:
                release.wait(5)
            yield number

        results = run_tasks(executors.given(executor), task, range(10))
        with closing(results):
            assert next(results) == (0, 0)
        release.set()
    assert len(begun) <= 2


def test_nothing_to_do_opens_nothing():
    log = []
    assert list(run_tasks(fragile(set(), window=1, log=log), square, [])) == []
    assert log == []


@pytest.mark.parametrize(("seconds", "here"), [(0, 0), (2, 2), (99, 5)])
def test_tasks_begin_here_for_so_long(monkeypatch, seconds, here):
    clock = chain([0], count())  # a task takes a second
    monkeypatch.setattr(executors.time, "process_time", lambda: next(clock))
    log, process = [], threading.get_ident()
    pool = replace(fragile({12}, window=2, log=log), here=seconds)
    found = dict(run_tasks(pool, lambda task: [(task, threading.get_ident() == process)], range(5)))
    assert found == {k: (k, k < here) for k in range(5)}
    assert log == ([] if here == 5 else [None])


# Real pools -----------------------------------------------------------------------------------------------


def test_serial_runs_in_order_and_lets_an_interrupt_through():
    assert list(run_tasks(executors.serial(), square, [3, 13, 5]))[::2] == [(0, 9), (2, 25)]

    def interrupt(_task):
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        list(run_tasks(executors.serial(), interrupt, [1]))


@pytest.mark.parametrize("kind", ["serial", "given"])
def test_tasks_here_have_one_thread_and_others_have_as_many_as_before(kind):
    with threadpool_limits(2), ThreadPoolExecutor(2) as own:
        before = list(threads(None)), torch.get_num_threads()
        pool = executors.serial() if kind == "serial" else executors.given(own)
        assert dict(run_tasks(pool, threads, range(3))) == {0: {1}, 1: {1}, 2: {1}}
        assert (list(threads(None)), torch.get_num_threads()) == before


def test_processes_have_one_thread_each_and_the_environment_is_as_before(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    found = dict(run_tasks(executors.processes(1), _report, range(1)))
    assert found == {0: ({1}, "1", "1")}
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "MKL_NUM_THREADS" not in os.environ


def _report(_task):
    yield *threads(None), environment("OMP_NUM_THREADS"), environment("MKL_NUM_THREADS")


def test_processes_see_the_environment_of_now_however_old_what_they_are_copies_of(monkeypatch):
    for value in ("before", "after"):
        monkeypatch.setenv("FAKE_FOLDER", value)
        assert dict(run_tasks(executors.processes(1), folder, range(1))) == {0: value}
    monkeypatch.delenv("FAKE_FOLDER")
    assert dict(run_tasks(executors.processes(1), folder, range(1))) == {0: None}


@pytest.mark.skipif(sys.platform != "linux", reason="processes start afresh elsewhere")
def test_what_commands_prepare_is_there_when_a_process_starts_and_has_no_threads():
    code = """
import sys
from empirics.sweep import executors
from tests.test_empirics.test_sweep.test_executors import loaded
if __name__ == "__main__":
    modules = "empirics.families", "empirics.orthogonal.experiment", "reports.measured", "sklearn.datasets"
    executors.prepare(*modules)
    executors.prepare("wave")  # too late
    print(*executors.run_tasks(executors.processes(1), loaded, ["sklearn.datasets", "wave"]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", "(0, (True, 1)) (1, (False, 1))\n")


@pytest.mark.parametrize("error", [OSError("AF_UNIX path too long"), ChildProcessError("of another")])
def test_where_nothing_can_be_copied_processes_start_anew(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(executors.forkserver, "ensure_running", fail)
    assert executors.prepare() == "spawn"
    assert dict(run_tasks(executors.processes(1), folder, range(1))) == {0: environment("FAKE_FOLDER")}


def loaded(name):
    """Whether a module is there, and the threads of what this is a copy of: a lock of one would stay held."""
    yield name in sys.modules, len(list(Path(f"/proc/{os.getppid()}/task").iterdir()))


def test_processes_start_without_torch_and_what_they_load_later_has_one_thread(monkeypatch):
    monkeypatch.setattr(executors, "_START", "spawn")  # a copy may be of one that has it already
    assert dict(run_tasks(executors.processes(1), late, range(1))) == {0: (set(), 1, 1)}


def _in_pieces(task):
    yield task
    if task == 1:  # dies in the middle of a message
        os.write(executors._outbox[0].fileno(), struct.pack("!i", 1000) + b"part")
        os._exit(1)
    yield np.full(10**6, float(task)) if task == 0 else threading.Lock()  # more than a pipe holds; no message


def test_what_processes_send_is_whole_and_nothing_waits_for_the_rest():
    found = {0: [], 1: [], 2: []}
    for index, item in run_tasks(executors.processes(1), _in_pieces, range(3)):
        found[index].append(item)
    assert found[0][0] == 0
    assert np.array_equal(found[0][1], np.zeros(10**6))
    assert found[1][:2] == [1, 1]  # once more, alone
    assert isinstance(found[1][2], WorkerDiedError)
    assert found[2][0] == 2
    assert isinstance(found[2][1], TypeError)
    assert [len(items) for items in found.values()] == [2, 3, 2]


# Names --------------------------------------------------------------------------------------------------


def test_names_of_the_command_line():
    assert executors.parse("serial").name == "serial"
    assert executors.parse("processes", jobs=3).window == 3
    assert executors.parse("processes").window >= 1
    assert executors.parse("dask://127.0.0.1:8786").name == "dask://127.0.0.1:8786"


@pytest.mark.parametrize(
    ("text", "jobs", "message"),
    [
        ("threads", None, "executor must be serial, processes or dask://host:port, got 'threads'"),
        ("dask://host", None, "executor must be serial, processes or dask://host:port, got 'dask://host'"),
        ("processes", 0, "jobs must be >= 1, got 0"),
        ("serial", 2, "jobs must be left out with executor 'serial', got 2"),
        ("dask://host:1", 2, "jobs must be left out with executor 'dask://host:1', got 2"),
    ],
)
def test_other_names_are_refused(text, jobs, message):
    with pytest.raises(ValueError, match=message):
        executors.parse(text, jobs=jobs)


def test_cluster_without_its_extra_is_one_error(monkeypatch):
    monkeypatch.setitem(executors.dask.__globals__, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"must have distributed installed: pip install '.\[cluster\]'"):
        executors.parse("dask://127.0.0.1:8786")
