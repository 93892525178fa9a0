"""A Dask cluster as an executor: its workers may go, its results and its end are never waited for in vain."""

import os
import subprocess
import sys
from concurrent.futures import wait
from pathlib import Path

import pytest

from empirics.sweep import cluster, executors

# A cluster without workers, then with two, each started again after its death.  The third task ends whatever
# runs it.  Dask logs to stderr as it likes.
CLUSTER = """
import os
import subprocess
import sys

import dask
from distributed import LocalCluster
from empirics.sweep import cluster, executors


def run(task):
    if task == 2:
        os._exit(1)
    yield task


def results(local):
    pool = executors.dask(local.scheduler_address.replace("tcp", "dask"))
    return list(executors.run_tasks(pool, run, range(4)))


if __name__ == "__main__":
    # Only the task that ends a worker is to be blamed for it: one task a worker, none queued there.
    dask.config.set({"distributed.scheduler.allowed-failures": 0})
    dask.config.set({"distributed.scheduler.worker-saturation": 1.0})
    small = dict(threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    if sys.argv[1] == "none":
        cluster._ALONE_SECONDS = 1.0
        with LocalCluster(n_workers=0, **small) as local:
            try:
                results(local)
            except cluster.NoWorkersError as error:
                print(error)
    else:
        with LocalCluster(n_workers=2, **small) as local:
            found = dict(results(local))
            print(found.pop(2))
            print(sorted(found.items()))
"""


def on_cluster(workers, tmp_path):
    """Return what a process of its own prints, which must end by itself."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), workers],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
def test_cluster_without_workers_is_an_error_and_not_a_wait_for_ever(tmp_path):
    said = (
        "cluster must have workers, got none for 1 s; if tasks end them, --executor processes tells which\n"
    )
    assert on_cluster("none", tmp_path) == said


@pytest.mark.slow
def test_task_that_ends_every_worker_of_a_cluster_is_given_up(tmp_path):
    lines = on_cluster("two", tmp_path).splitlines()
    assert lines == [
        "the process of this task ended twice, the second time alone",
        "[(0, 0), (1, 1), (3, 3)]",
    ]


class FakeTask:
    """A task of Dask that ends when it is told to."""

    def __init__(self):
        self.callbacks = []

    def add_done_callback(self, callback):
        self.callbacks.append(callback)

    def result(self):
        return 7

    def end(self):
        for callback in self.callbacks:
            callback(self)


class FakeClient:
    """A client whose tasks end when told to; `answers`: what it says of workers, the last for ever."""

    def __init__(self, *answers):
        self.answers, self.cancelled, self.tasks, self.status = list(answers), [], [], "running"

    def submit(self, *_arguments, **_options):
        self.tasks.append(FakeTask())
        return self.tasks[-1]

    def scheduler_info(self):
        return {"workers": {}}  # before the first news of the scheduler

    def nthreads(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, tasks):
        self.cancelled += tasks


@pytest.fixture
def _quick_watch(monkeypatch):
    monkeypatch.setattr(cluster, "_ALONE_SECONDS", 0.05)
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0.01)


@pytest.mark.usefixtures("_quick_watch")
@pytest.mark.parametrize("answers", [[OSError(), {}], [OSError(), OSError(), {"one": 1}, {}]])
def test_watch_goes_on_after_a_failed_look(answers):
    with cluster.Cluster(FakeClient(*answers)) as executor:
        future = executor.submit(abs, 1)
        assert wait([future], timeout=10).done
        with pytest.raises(cluster.NoWorkersError):
            executors._error(future)


@pytest.mark.usefixtures("_quick_watch")
def test_no_answer_is_not_no_workers_until_the_client_is_closed():
    client = FakeClient(OSError())
    with cluster.Cluster(client) as executor:
        future = executor.submit(abs, 1)
        assert not wait([future], timeout=0.3).done
        client.status = "closed"
        assert wait([future], timeout=10).done
        assert future.cancelled()


def test_finished_tasks_of_a_cluster_are_let_go():
    """Else the scheduler keeps every result to the end; only what has not finished is cancelled."""
    client = FakeClient({"one": 1})
    executor = cluster.Cluster(client)
    first, second = executor.submit(abs, 1), executor.submit(abs, 2)
    client.tasks[0].end()
    assert first.result(timeout=10) == 7
    executor.shutdown(wait=False)
    assert client.cancelled == [client.tasks[1]]
    assert not second.done()
    client.tasks[1].end()  # the fetchers are closed
    assert second.cancelled()


def test_task_that_ends_while_the_cluster_closes_is_cancelled():
    client = FakeClient({"one": 1})
    executor = cluster.Cluster(client)
    future = executor.submit(abs, 1)
    executor._fetchers.shutdown()  # and not yet `_closed`
    client.tasks[0].end()
    assert wait([future], timeout=10).done
    assert future.cancelled()
    executor.shutdown()


@pytest.mark.usefixtures("_quick_watch")
@pytest.mark.parametrize("workers", [{}, {"one": 1}])
def test_wait_for_workers_ends(workers):
    client = FakeClient(workers)
    with cluster.Cluster(client) as executor:
        future = executor.submit(abs, 1)
        if workers:  # they may be at work for as long as they like
            assert not wait([future], timeout=0.3).done
            executor.shutdown(wait=False)
        else:
            assert wait([future], timeout=10).done
            with pytest.raises(cluster.NoWorkersError, match="cluster must have workers, got none for"):
                executors._error(future)
