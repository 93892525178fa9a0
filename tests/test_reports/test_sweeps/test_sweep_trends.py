"""Trends along sweeps: they hold, fail or stay unknown by the seeds, at the level that is stated."""

import itertools

import numpy as np
import pytest
from scipy import stats

from reports.sweeps.parts import Part
from reports.sweeps.statistics import rank_correlation, sign_flip
from reports.sweeps.trends import FALSE_ALARM, SERIES, expected, trends

MSG = Part(kind="published", name="msg-a", seeds=1, sweeps=("d",))


def panel(values, sweep="eps", published=None):
    """Return a panel with values[seed][point] for both metrics."""
    count = len(values[0])
    points = []
    for index in range(count):
        held = {str(seed): row[index] for seed, row in enumerate(values) if row[index] is not None}
        cell = {"values": held, "published": None if published is None else published[index]}
        points.append({"x": index, "metrics": dict.fromkeys(SERIES, cell)})
    return {"sweep": sweep, "points": points}


def rows(*panels, part=MSG):
    return trends(part, panels)["rows"]


RISING = [[0.5, 0.6, 0.7, 0.8, 0.9]] * 10


def test_rising_holds_and_falling_fails():
    assert [row["verdict"] for row in rows(panel(RISING))] == ["holds"] * 2
    falling = [row[::-1] for row in RISING]
    assert [row["verdict"] for row in rows(panel(falling))] == ["fails"] * 2
    assert [row["mean"] for row in rows(panel(falling))] == [pytest.approx(-1)] * 2


@pytest.mark.parametrize(
    "values",
    [
        RISING[:5],  # 2⁻⁴ is above the level
        [[0.9] * 5] * 10,  # constant
        RISING[:5] + [row[::-1] for row in RISING[5:]],
        [[0.5, None, 0.7, 0.8, 0.9]] * 10,  # nobody has all points
    ],
    ids=["few seeds", "constant", "both ways", "gaps"],
)
def test_unknown(values):
    assert {row["verdict"] for row in rows(panel(values))} == {"unknown"}


def test_seeds_that_lack_a_point_are_counted():
    made = rows(panel([*RISING, [0.5, None, 0.7, 0.8, 0.9]]))[0]
    assert (made["n"], made["incomplete"], made["verdict"]) == (10, 1, "holds")


def test_level_is_shared_by_the_rows_with_an_expectation():
    made = trends(MSG, [panel(RISING), panel(RISING, "slope"), panel(RISING, "m")])
    assert made["level"] == FALSE_ALARM / 4
    unstated = [row for row in made["rows"] if row["sweep"] == "slope"]
    assert {row["verdict"] for row in unstated} == {"unknown"}
    assert all(row["mean"] == pytest.approx(1) for row in unstated)


def test_nothing_is_expected_of_slopes_and_of_dimension_with_random_labels():
    g = Part(kind="published", name="g-a", seeds=1, sweeps=("d",))
    assert expected(MSG, "slope") is expected(g, "d") is None
    assert all(expected(MSG, sweep) for sweep in ("d", "d_logistic", "N", "eps", "m", "T_f", "T_g"))
    assert trends(g, [panel(RISING, "d")])["level"] is None
    assert trends(Part(kind="study", name="lazy"), []) is None


def test_published_trend_is_of_the_values_that_were_read():
    made = rows(panel(RISING, published=[0.9, None, 0.8, 0.4, 0.5]))[0]
    assert made["published_n"] == 4
    assert made["published_correlation"] == pytest.approx(
        stats.spearmanr([0, 2, 3, 4], [0.9, 0.8, 0.4, 0.5]).statistic
    )


def test_rank_correlation_of_a_constant_is_no_trend():
    assert rank_correlation([1, 2, 3], [0.5, 0.5, 0.5]) == 0
    assert rank_correlation([1, 2, 3], [0.1, 0.2, 0.9]) == pytest.approx(1)


def test_sign_flip_is_the_count_over_all_signs():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 9):
        values = rng.uniform(-1, 1, size=n).round(3)
        sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=n)]
        # Sums of thousandths: ties are met to within rounding.
        exact = np.mean([total >= abs(values.sum()) - 1e-9 for total in sums])
        assert sign_flip(values) == pytest.approx(exact, rel=1e-12)
    assert sign_flip([0.9] * 10) == pytest.approx(2 / 2**10, rel=1e-12)
    assert sign_flip([0.0, 0.0]) == 1.0


def test_verdicts_without_a_trend_are_as_rare_as_stated():
    """Symmetric rank correlations of 10 seeds, 4 rows: a verdict in at most .05 of tables.

    500 tables, seed 1; more than `most` have probability below 1e-6 at .05 (binomial).
    """
    rng = np.random.default_rng(1)
    tables, level = 500, FALSE_ALARM / 4
    most = int(stats.binom.isf(1e-6, tables, FALSE_ALARM))
    given = 0
    for _ in range(tables):
        shared = rng.choice([-1, 1], size=(4, 10)) * rng.uniform(0.2, 1, size=(4, 1))
        given += any(sign_flip(row) <= level for row in shared)
    assert 0 < given <= most
