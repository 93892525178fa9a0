"""A plan beside the training of one pair of networks, in one run: `make bench`."""

import pytest

import reports
from empirics import ExperimentConfig, ShiftedGaussianData, run

DATA = ShiftedGaussianData(dim=100, num_train=1000, num_test=200, shift=0.3)


@pytest.mark.benchmark(group="N = 1000, d = 100")
@pytest.mark.parametrize("name", ["one pair, m = 3000", "plan"])
def test_plan(benchmark, name):
    """20 × 20 times, 200 points; a report trains such pairs at five widths and 16 seeds."""
    if name == "plan":
        made = benchmark.pedantic(reports.plan, (DATA,), rounds=3, warmup_rounds=1)
        assert (len(made.times_f), made.points) == (18, 200)
    else:
        config = ExperimentConfig(data=DATA, width=3000, T_f=1.0, T_g=1.0)
        assert benchmark.pedantic(run, (config,), rounds=3, warmup_rounds=1).config == config
