"""Trends along sweeps: they hold, fail or stay unknown by the seeds, at the level that is stated."""

import pytest
from scipy import stats

from empirics import ExperimentConfig, ShiftedGaussianData
from empirics.campaigns import Reading
from empirics.campaigns.wide import Part
from reports.claims.sweeps.rows import Section
from reports.claims.sweeps.trends import claims, expected, trends_of
from reports.statistics import mean, rank_correlation
from tests.test_reports.made_up_sweeps import panel

MSG = Part(kind="published", name="msg-a", seeds=1, sweeps=("d",))


def rows(*panels, part=MSG):
    return trends_of(part, panels)


RISING = [[0.5, 0.6, 0.7, 0.8, 0.9]] * 10


def verdict(values, sweep="eps"):
    """Return the verdict on agreement, and what decided it."""
    row = rows(panel(values, sweep))[0]
    return row.verdict, row.decision


def test_rising_holds_and_falling_fails():
    assert verdict(RISING) == (
        "holds",
        "excluded at 95 %: a share of falling seeds of 0.5 or more; measured 0",
    )
    assert verdict(RISING[:5])[0] == "holds"  # 2⁻⁵ for as many rising as falling seeds
    falling = [row[::-1] for row in RISING]
    alarm = "excluded, false alarm 0.001: a share of falling seeds of 0.25 or less"
    assert verdict(falling) == ("fails", alarm)
    assert [mean(list(row.correlations.values())) for row in rows(panel(falling))] == [pytest.approx(-1)] * 2


def test_verdict_is_that_of_most_seeds_and_not_of_the_mean():
    """20 seeds, 17 rising a little and 3 falling by much: what is tested are signs."""
    little, much = [0.7, 0.6, 0.9, 0.5, 0.8], [0.9, 0.8, 0.7, 0.6, 0.5]
    assert 0 < rank_correlation(range(5), little) < 0.15
    made = rows(panel([little] * 17 + [much] * 3))[0]
    assert (sum(r > 0 for r in made.correlations.values()), made.verdict) == (17, "holds")
    assert mean(list(made.correlations.values())) < 0


def test_nothing_is_expected_of_the_accuracy_of_g():
    """The theorem is about agreement."""
    _, g = rows(panel(RISING))
    assert g.series == "acc_g"
    assert (g.basis, g.verdict, g.decision) == (None, "unknown", "not decided: nothing expected")
    assert mean(list(g.correlations.values())) == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (RISING[:4], "a share of falling seeds of 0 in 4 seeds; 5 would be enough"),
        ([[0.9] * 5] * 10, "a share of falling seeds of 0.5 in 10 seeds may be chance"),  # constant
        (
            RISING[:5] + [row[::-1] for row in RISING[5:]],
            "a share of falling seeds of 0.5 in 10 seeds may be chance",
        ),
        ([[0.5, None, 0.7, 0.8, 0.9]] * 10, "no complete seed"),
    ],
    ids=["few seeds", "constant", "both ways", "gaps"],
)
def test_unknown_says_why(values, why):
    assert verdict(values) == ("unknown", f"not decided: {why}")
    assert verdict(values, "slope") == ("unknown", "not decided: nothing expected")


def test_seeds_that_lack_a_point_are_counted():
    made = rows(panel([*RISING, [0.5, None, 0.7, 0.8, 0.9]]))[0]
    assert (len(made.correlations), made.incomplete, made.verdict) == (10, 1, "holds")
    planned = Part(kind="published", name="msg-a", seeds=14, sweeps=("d",))  # four seeds have no value at all
    made = rows(panel(RISING), part=planned)[0]
    assert (len(made.correlations), made.incomplete, made.verdict) == (10, 4, "unknown")


def test_false_alarm_is_shared_by_the_rows_with_an_expectation():
    """Five falling seeds have probability 4⁻⁵ or less where a quarter falls: below .001, above half of it."""
    falling = [row[::-1] for row in RISING[:5]]
    made = trends_of(MSG, [panel(falling), panel(RISING, "slope")])
    assert (sum(row.basis is not None for row in made), made[0].verdict) == (1, "fails")
    made = trends_of(MSG, [panel(falling), panel(RISING, "slope"), panel(RISING, "m")])
    assert (sum(row.basis is not None for row in made), made[0].verdict) == (2, "unknown")
    unstated = [row for row in made if row.sweep == "slope"]
    assert {row.verdict for row in unstated} == {"unknown"}
    assert all(mean(list(row.correlations.values())) == pytest.approx(1) for row in unstated)


def config(**fields):
    data = ShiftedGaussianData(dim=2, num_train=4, num_test=2)
    return ExperimentConfig(data=data, **{"width": 17, "T_f": 1.0, "T_g": 1.0} | fields)


def test_what_is_expected():
    g = Part(kind="published", name="g-a", seeds=1, sweeps=("d",))
    assert all(expected(MSG.name, sweep, [config()]) for sweep in ("N", "eps", "eps_logistic", "m"))
    assert expected(MSG.name, "slope", [config()]) is expected(g.name, "d", [config()]) is None
    assert {row.basis for row in trends_of(g, [panel(RISING, "d")])} == {None}
    assert trends_of(Part(kind="study", name="lazy"), []) == ()


@pytest.mark.parametrize("sweep", ["d", "d_logistic", "T_f", "T_g"])
def test_nothing_is_expected_where_the_width_condition_becomes_harder(sweep):
    """Unless all experiments meet m > d²(T_f + T_g)², here 16."""
    assert expected(MSG.name, sweep, [config()]).endswith("all points meet m > d²(T_f + T_g)²")
    for harder in (config(width=16), config(T_f=1.1), config(T_g=1.1)):
        assert expected(MSG.name, sweep, [config(), harder]) is None
    assert expected(MSG.name, sweep, []) is None
    part = Part(kind="published", name="msg-a", seeds=1, sweeps=(sweep,))
    made = rows(panel(RISING, sweep), part=part)[0]  # m = 100, d up to 100, T_f + T_g in thousands
    assert (made.basis, made.verdict) == (None, "unknown")


def test_seeds_of_fixed_data_vary_the_networks_only():
    images = Part(kind="published", name="mnist-a", seeds=1, sweeps=("eps",))
    assert rows(panel(RISING), part=images)[0].fixed_data
    digits = Part(kind="published", name="mnist-a", size="small", seeds=1, sweeps=("eps",))
    assert not rows(panel(RISING), part=digits)[0].fixed_data  # split with the seed
    msg = Part(kind="published", name="msg-a", seeds=1, sweeps=("eps",))
    assert not rows(panel(RISING), part=msg)[0].fixed_data
    found = trends_of(images, [panel(RISING)])
    (line,) = claims(Section(title="", panels=(), trends=found))
    assert line.rule.endswith("; seeds vary the networks and targets only, the data are fixed: eps")


def test_claim_counts_sweeps_by_verdict_and_says_why_they_are_unknown():
    gaps = [[0.5, None, 0.7, 0.8, 0.9]] * 10
    falling = [row[::-1] for row in RISING]
    tables = panel(RISING), panel(falling, "m"), panel(gaps, "N"), panel(RISING[:4], "eps_logistic")
    (line,) = claims(Section(title="", panels=(), trends=trends_of(MSG, tables)))
    assert line.statement == "Agreement rises where the published conditions become easier to meet"
    assert line.measured == (
        "holds in 1, fails in 1, unknown in 2 of 4 sweeps "
        "(1 not decided: no complete seed, "
        "1 not decided: a share of falling seeds of 0 in 4 seeds; 5 would be enough); fails: m"
    )


def test_published_trend_is_of_the_values_that_were_read():
    made = rows(panel(RISING, published=[Reading(v, 0.0) for v in (0.9, None, 0.8, 0.4, 0.5)]))[0]
    assert made.published_n == 4
    assert made.published_correlation == pytest.approx(
        stats.spearmanr([0, 2, 3, 4], [0.9, 0.8, 0.4, 0.5]).statistic
    )


def test_rank_correlation_of_a_constant_is_no_trend():
    assert rank_correlation([1, 2, 3], [0.5, 0.5, 0.5]) == 0
    assert rank_correlation([1, 2, 3], [0.1, 0.2, 0.9]) == pytest.approx(1)
