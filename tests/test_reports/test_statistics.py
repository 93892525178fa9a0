"""Summaries and slopes over seeds, against scipy and against exact power laws."""

import math

import numpy as np
import pytest
from scipy import stats

from reports.statistics import CONFIDENCE, Summary, rates, summarise

# A few roundings in sums of at most 16 numbers of size 1.
ROUNDING = 1e-12


@pytest.mark.parametrize("n", [2, 3, 16])
def test_interval_is_student_t_of_scipy(n):
    values = np.random.default_rng(n).normal(loc=0.3, size=n).tolist()
    summary = summarise(values)
    expected = stats.t.interval(CONFIDENCE, n - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (summary.low, summary.high) == pytest.approx(expected, rel=ROUNDING)
    assert summary.mean == pytest.approx(math.fsum(values) / n, rel=ROUNDING)
    assert summary.sd == pytest.approx(np.std(values, ddof=1), rel=ROUNDING)
    assert summary.n == n


def test_interval_covers_the_mean_as_often_as_it_claims():
    rng = np.random.default_rng(0)
    repeats = 4000
    summaries = [summarise(row) for row in rng.normal(size=(repeats, 4)).tolist()]
    covered = np.mean([summary.low <= 0 <= summary.high for summary in summaries])
    five_errors = 5 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / repeats)
    assert abs(covered - CONFIDENCE) < five_errors


def test_one_seed_has_an_infinite_interval():
    assert summarise([0.7]) == Summary(0.7, 0.0, -math.inf, math.inf, 1)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_nan_propagates_to_every_statistic(position):
    values = [1.0, 2.0, 3.0]
    values[position] = math.nan
    summary = summarise(values)
    assert all(math.isnan(value) for value in (summary.mean, summary.sd, summary.low, summary.high))
    assert summary.n == 3


@pytest.mark.parametrize("slope", [-0.5, -1.0, 0.0, 0.25])
def test_rates_recovers_an_exact_power_law(slope):
    widths = [10, 100, 250, 10_000]
    errors = [[constant * width**slope for width in widths] for constant in (0.01, 1.0, 30.0)]
    summary = rates(widths, errors)
    assert summary.mean == pytest.approx(slope, abs=ROUNDING)
    assert summary.low == pytest.approx(slope, abs=ROUNDING)
    assert summary.high == pytest.approx(slope, abs=ROUNDING)


def test_rates_fits_each_seed_and_summarises_the_slopes():
    widths = [16, 64, 256]
    rng = np.random.default_rng(1)
    errors = rng.lognormal(size=(5, 3)).tolist()
    slopes = [stats.linregress(np.log(widths), np.log(row)).slope for row in errors]
    expected, summary = summarise(slopes), rates(widths, errors)
    for name in ("mean", "sd", "low", "high"):
        assert getattr(summary, name) == pytest.approx(getattr(expected, name), rel=1e-10), name
    assert summary.n == 5


@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf, -1.0])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_error_without_a_logarithm_makes_the_rate_nan(bad, position):
    errors = [[1.0, 0.5, 0.25], [1.0, 0.6, 0.2]]
    errors[1][position] = bad
    summary = rates([16, 64, 256], errors)
    assert all(math.isnan(value) for value in (summary.mean, summary.low, summary.high))
