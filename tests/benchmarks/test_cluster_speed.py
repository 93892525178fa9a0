"""What a Dask cluster adds to each task of a sweep, and what goes through its scheduler.

The tasks do nothing, on workers on this machine: all of the time is overhead.
"""

from dataclasses import replace

import pytest

from empirics import ExperimentConfig, ShiftedGaussianData
from empirics.sweep import Outcome, executors
from empirics.sweep.runner import outcomes
from empirics.wide import WIDE, plan

TASKS = 200
RECORD = {f"value {k}": k / 7 for k in range(40)}  # about as many numbers as a row has


def nothing(configs, *, device):
    for index, _ in enumerate(configs):
        yield index, Outcome(record=RECORD)


EXPERIMENT = replace(WIDE, run=nothing, key=repr)


@pytest.mark.filterwarnings("ignore")  # of what Dask opens and leaves
@pytest.mark.parametrize("name", ["1 worker", "2 workers", "4 workers"])
@pytest.mark.benchmark(group=f"{TASKS} empty tasks, Dask")
def test_tasks_of_a_sweep(benchmark, monkeypatch, record_property, name):
    distributed = pytest.importorskip("distributed")
    sent = []
    write = distributed.comm.tcp.TCP.write

    async def counted(comm, *args, **options):
        sent.append(await write(comm, *args, **options))
        return sent[-1]

    base = ExperimentConfig(data=ShiftedGaussianData(dim=3, num_train=8, num_test=6), width=10)
    configs = plan(base, {}, seeds=TASKS).configs(EXPERIMENT).values()
    small = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(n_workers=int(name[0]), **small) as local:
        pool = executors.dask(local.scheduler_address.replace("tcp", "dask"))

        def sweep():
            return outcomes(EXPERIMENT, configs, pool=pool)

        assert len(sweep()) == TASKS  # workers have imported what they need
        with monkeypatch.context() as patch:
            patch.setattr(distributed.comm.tcp.TCP, "write", counted)
            sweep()
        benchmark.pedantic(sweep, rounds=3)
    # Client and scheduler are this process: what they send to each other and to workers.
    record_property(f"{name}: bytes a task sent by client and scheduler", sum(sent) // TASKS)
