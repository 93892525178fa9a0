"""The numbers of a sweep's page: maxima, spreads, comparisons, and what is left unknown."""

import itertools
import math

import numpy as np
import pytest
from msgspec import ValidationError, to_builtins
from scipy import stats

from empirics import ShiftedGaussianData
from empirics.campaigns import Reading
from empirics.campaigns.wide import COSINES, METRICS, Part, cosine_reading
from empirics.config import ExperimentConfig
from empirics.sweep.plan import Axis, Block, Plan, plan_of_configs
from empirics.sweep.store import DamagedError, to_json
from empirics.wide import WIDE, config_hash, fields_of, plan
from reports.claims.orthogonal.rows import OrthogonalRow
from reports.claims.sweeps.rows import Runs
from reports.runs import Row, Totals, per_seed, read_rows
from reports.statistics import Spread, comparison, like_one_more_seed
from reports.sweeps.panels import MOST_PANELS, rest_panels
from reports.sweeps.reproduction import build
from tests.test_reports.made_up_sweeps import built, row_of

BASE = ExperimentConfig(data=ShiftedGaussianData(dim=2, num_train=4, num_test=3), width=5, solver="flow")
D_SWEEP = Part(kind="published", name="msg-a", seeds=2, sweeps=("d",), solver="flow")


def record(value, **more):
    return dict.fromkeys(METRICS.values(), value) | more


def lines_of(part, value=lambda point, config: 0.5):
    values = {config: value(point, config) for point in part.points() for config in point.configs}
    failed = {"status": "failed"}
    return [row_of(c) | (failed if known is None else record(known)) for c, known in values.items()]


# Seeds -------------------------------------------------------------------------------------------------


def row(**columns):
    return Row.read({"hash": "", "status": "done", **columns})


def test_value_of_a_seed_is_the_largest_over_its_runs():
    rows = [(0, row(a=0.2)), (1, row(a=0.9)), (0, row(a=0.7)), (1, None), (2, row(a=None)), (3, row(b=1.0))]
    assert per_seed(rows, "a") == {0: 0.7, 1: 0.9}


@pytest.mark.parametrize("value", [math.nan, math.inf, "inf", True, None])
def test_what_is_not_a_finite_number_is_unknown(value):
    assert per_seed([(0, row(a=value))], "a") == {}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        '"text"',
        '{"status": "done"}',
        '{"hash": "a", "status": "begun"}',
        '{"hash": 1, "status": "done"}',
    ],
)
@pytest.mark.parametrize("kind", [Row, OrthogonalRow])
def test_lines_that_are_no_rows_are_refused(tmp_path, kind, line):
    path = tmp_path / "results.jsonl"
    path.write_text(f'{{"hash": "b", "status": "done", "name": "\u2028"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(DamagedError, match=r"results\.jsonl must hold a result a line, got .*; remove it"):
        read_rows(path, kind)


@pytest.mark.parametrize("column", [{"multipliers_f": "perhaps"}, {"converged_g": "yes"}, {"points_f": 1.5}])
def test_columns_of_another_type_are_refused(column):
    with pytest.raises(ValidationError, match=r"Expected|Invalid"):
        OrthogonalRow.read({"hash": "a", "status": "done", **column})


def test_each_metric_has_its_own_maximum_over_learning_rates():
    """The best pair for f is the worst for g."""

    def columns(_, config):
        fast = config.T_f > 5000
        return {"accuracy_f_train": 0.9 if fast else 0.6, "accuracy_g_train": 0.5 if fast else 0.8}

    for point in built(D_SWEEP, columns).sections[0].panels[0].points:
        assert point.totals.configurations == 8
        assert point.metrics["acc_f"].values == {0: 0.9, 1: 0.9}
        assert point.metrics["acc_g"].values == {0: 0.8, 1: 0.8}
        assert point.metrics["agreement"].n == 0
        assert point.metrics["agreement"].inside is None


def test_summary_is_of_a_sample():
    values = {0: 0.2, 1: 0.5, 4: 0.8}
    made = Spread.of(values)
    assert (made.mean, made.sd) == pytest.approx((0.5, 0.3), rel=1e-15)
    assert (made.min, made.max, made.n) == (0.2, 0.8, 3)
    assert made.values == {0: 0.2, 1: 0.5, 4: 0.8}
    assert (made.published, made.inside) == (None, None)
    assert Spread.of({0: 0.2}).sd is None


@pytest.mark.parametrize(
    ("value", "error", "inside"),
    [
        (0.5, 0.01, True),
        (0.85, 0.0625, True),  # the error reaches 0.8
        (0.875, 0.0625, False),
        (0.15, 0.0625, True),
        (0.125, 0.0625, False),
        (None, 0.1, None),
    ],
)
def test_published_value_is_inside_if_its_interval_meets_the_range(value, error, inside):
    assert Spread.of({0: 0.2, 1: 0.8}, Reading(value, error)).inside is inside
    assert Spread.of({}, Reading(value, error)).inside is None


# One more seed -----------------------------------------------------------------------------------------


def cell(inside, n, error=0.01):
    return Spread(values={}, inside=inside, n=n, error=error)


def test_probability_of_so_few_is_the_sum_over_outcomes():
    seeds = [2, 3, 10, 5]
    chances = [(n - 1) / (n + 1) for n in seeds]
    for most in range(5):
        expected = sum(
            math.prod(p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True))
            for outcome in itertools.product((0, 1), repeat=4)
            if sum(outcome) <= most
        )
        cells = [cell(index < most, n) for index, n in enumerate(seeds)]
        assert like_one_more_seed(cells).p_value == pytest.approx(expected, rel=1e-14)


def test_one_more_seed_counts_expects_and_bounds():
    cells = [cell(True, 10)] * 7 + [cell(False, 10)] * 3 + [cell(None, 10), cell(None, 0, None)]
    made = like_one_more_seed(cells)
    assert (made.count, made.inside, made.not_compared) == (10, 7, 1)
    assert made.expected == pytest.approx(10 * 9 / 11, rel=1e-15)
    assert made.p_value == pytest.approx(stats.binom.cdf(7, 10, 9 / 11), rel=1e-12)


def test_nothing_to_compare_has_no_probability():
    assert like_one_more_seed([cell(None, 3)]).p_value is None


def test_one_more_seed_is_inside_as_often_as_claimed():
    """(n − 1)/(n + 1) for continuous values; above it with ties.

    40,000 draws of n + 1 = 6 normals, seed 1: standard error .0024; 5.5 of them fail with probability
    below 4e-8 each way.
    """
    rng = np.random.default_rng(1)
    for round_to, exact in ((None, True), (0, False)):
        draws = rng.normal(size=(40_000, 6))
        draws = draws if round_to is None else draws.round(round_to)
        inside = [
            Spread.of(dict(enumerate(values[:5])), Reading(float(values[5]), 0.0)).inside for values in draws
        ]
        share, chance = np.mean(inside), 4 / 6
        reach = 5.5 * math.sqrt(chance * (1 - chance) / len(draws))
        assert share > chance - reach
        assert not exact or share < chance + reach


def test_published_comparison_of_a_section():
    """Seeds at .5 and .6: inside where the reading meets [.5, .6]."""
    results = built(D_SWEEP, lines_of(D_SWEEP, lambda _, config: 0.5 + 0.1 * config.seed))
    (section,) = results.sections
    compared = section.published
    assert {name: row.count for name, row in compared.by_metric.items()} == dict.fromkeys(METRICS, 10)
    # Figure values at d = 10: acc g .510, agreement .511; at 20: .607 ± .011, .612 ± .011; others above.
    assert [compared.by_metric[name].inside for name in METRICS] == [0, 2, 1]
    assert compared.all.inside == compared.by_sweep["d"].inside == 3
    assert compared.all.expected == pytest.approx(30 / 3)
    assert compared.all.p_value == pytest.approx(stats.binom.cdf(3, 30, 1 / 3), rel=1e-12)


def test_axis_is_logarithmic_where_values_span_more_than_a_decade():
    part = Part(kind="published", name="msg-a", seeds=1, solver="flow")
    (section,) = built(part, []).sections
    logs = {panel.sweep: panel.log for panel in section.panels}
    assert {sweep for sweep, log in logs.items() if log} == {"N", "m", "T_g"}
    assert len(logs) == 8


def test_regime_is_the_mean_over_runs_and_predictions_stand_beside():
    def columns(_, config):
        free = {"free_f": 0.25 if config.T_f > 5000 else 0.75, "tau_g": None}
        return free | {"predicted_accuracy_g_train": 0.5 + 0.25 * config.seed, "accuracy_g_train": 0.7}

    for point in built(D_SWEEP, columns).sections[0].panels[0].points:
        assert (point.regime["free_f"], point.regime["tau_g"]) == (0.5, None)
        assert point.predicted == {"acc_f": None, "acc_g": 0.625, "agreement": None}


# Failures ----------------------------------------------------------------------------------------------


def test_failed_and_missing_runs_are_counted():
    rows = lines_of(D_SWEEP, lambda point, config: None if point.x == 10 and config.seed else 0.5)
    gone = config_hash(D_SWEEP.points()[1].configs[0])
    results = built(D_SWEEP, [row for row in rows if row["hash"] != gone])
    assert results.totals == Totals(configurations=80, done=75, failed=4, missing=1)
    first, second = results.sections[0].panels[0].points[:2]
    assert (first.totals.failed, first.totals.missing, first.metrics["acc_f"].n) == (4, 0, 1)
    assert (second.totals.failed, second.totals.missing, second.metrics["acc_f"].n) == (0, 1, 2)
    (line,) = [c for c in results.claims if c.statement == "Runs without a result"]
    assert line.measured == "4 failed, 1 missing, of 80"


def test_all_failed_is_a_result():
    results = built(D_SWEEP, lines_of(D_SWEEP, lambda *_: None))
    to_json(to_builtins(results, str_keys=True))
    assert results.sections[0].published.all.p_value is None
    assert [row.statement for row in results.claims] == ["Runs without a result"]


# Predictions -------------------------------------------------------------------------------------------


def test_comparison_is_pearson_and_mean_absolute_error():
    rng = np.random.default_rng(2)
    predicted, measured = rng.uniform(size=(2, 30))
    made = comparison(list(zip(predicted, measured, strict=True)))
    assert made.n == 30
    assert made.correlation == pytest.approx(stats.pearsonr(predicted, measured).statistic, rel=1e-12)
    assert made.mean_error == pytest.approx(np.abs(predicted - measured).mean(), rel=1e-15)
    assert sum(count for *_, count in made.scatter) == 30


@pytest.mark.parametrize(
    ("predicted", "measured", "mean_error"),
    [
        ([], [], None),
        ([0.5, 0.75], [0.5, 1.0], 0.125),
        ([0.5] * 3, [0.25, 0.5, 0.75], 1 / 6),
        ([0, 0.5, 1], [1, 1, 1], 0.5),
    ],
)
def test_correlation_of_too_little_is_unknown(predicted, measured, mean_error):
    made = comparison(list(zip(predicted, measured, strict=True)))
    assert made.correlation is None
    assert made.mean_error == (None if mean_error is None else pytest.approx(mean_error))


def test_scatter_puts_runs_together_that_fall_together():
    made = comparison([(0.501, 0.702), (0.5, 0.698), (0.8, 0.9)])
    assert made.scatter == ((0.5, 0.7, 2), (0.8, 0.9, 1))


def test_runs_without_a_prediction_do_not_count():
    part = Part(kind="study", name="lazy", seeds=1)
    configs = [config for point in part.points() for config in point.configs]
    columns = [
        {"predicted_agreement_test": 0.9, "agreement_test": 0.8},
        {"predicted_agreement_test": 0.5, "agreement_test": 0.5},
        {"predicted_agreement_test": 0.7, "agreement_test": 0.6},
        {"predicted_agreement_test": None, "agreement_test": 0.8},
        {"agreement_test": 0.1},
    ]
    results = built(part, [row_of(c, **values) for c, values in zip(configs, columns, strict=True)])
    (chosen,) = results.sections[0].explained
    found = {row.name: row for row in chosen.predictions}
    assert chosen.runs == "all runs"
    assert found["agreement, wide limit"].n == 3
    assert found["agreement, wide limit"].mean_error == pytest.approx(0.2 / 3)
    assert found["accuracy of g, two-number rule"].n == 0


def test_a_point_shows_the_first_prediction_there_is():
    part = Part(kind="study", name="lazy", seeds=1)
    configs = [config for point in part.points() for config in point.configs]
    columns = [
        {"two_point_agreement_test": 0.9, "lazy_agreement_test": 0.8, "predicted_agreement_test": 0.7},
        {"two_point_agreement_test": None, "lazy_agreement_test": 0.8, "predicted_agreement_test": 0.7},
        {"predicted_agreement_test": 0.7},
    ]
    rows = [row_of(c, agreement_test=0.5, **values) for c, values in zip(configs, columns, strict=False)]
    points = built(part, rows).sections[0].panels[0].points
    assert [point.predicted["agreement"] for point in points[:3]] == [0.9, 0.8, 0.7]
    assert [point.predicted_by["agreement"] for point in points[:3]] == [
        "two_point_agreement_test",
        "lazy_agreement_test",
        "predicted_agreement_test",
    ]


def predicted_of_first_point(columns):
    """Return prediction, its column and the measured value at d = 10, whose runs have `columns`."""
    point = D_SWEEP.points()[0]
    rows = []
    for index, config in enumerate(c for c in point.configs if c.seed == 0):
        made = row_of(config, **columns[index])
        rows.append(made if columns[index] else made | {"status": "failed"})
    shown = built(D_SWEEP, rows).sections[0].panels[0].points[0]
    return shown.predicted["acc_g"], shown.predicted_by["acc_g"], shown.metrics["acc_g"].mean


def predictions(measured, two_point, lazy):
    names = ("accuracy_g_train", "two_point_accuracy_g_train", "lazy_accuracy_g_train")
    return dict(zip(names, (measured, two_point, lazy), strict=True))


def test_a_prediction_is_the_maximum_over_the_runs_that_are_measured():
    """The run that did not end was predicted best; it counts for neither."""
    unmeasured = predictions(None, 0.99, 0.99)
    others = [predictions(0.6, 0.55, 0.8), predictions(0.7, 0.65, 0.8), predictions(0.5, 0.5, 0.8)]
    assert predicted_of_first_point([unmeasured, *others]) == (0.65, "two_point_accuracy_g_train", 0.7)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_predictors_are_not_mixed_within_a_point(missing):
    """One run lacks the first predictor: the second for all, not the larger of both."""
    gap = predictions(0.6, missing, 0.62)
    others = [predictions(0.7, 0.9, 0.64)] * 3
    assert predicted_of_first_point([gap, *others]) == (0.64, "lazy_accuracy_g_train", 0.7)
    neither = predictions(0.6, missing, missing)
    assert predicted_of_first_point([neither, *others]) == (None, None, 0.7)


def test_failed_runs_have_no_prediction():
    assert predicted_of_first_point([{}] * 4) == (None, None, None)
    one = [{}, {}, {}, predictions(0.6, 0.5, 0.4)]
    assert predicted_of_first_point(one) == (0.5, "two_point_accuracy_g_train", 0.6)


# Cosines -----------------------------------------------------------------------------------------------


def test_published_cosines_are_compared_and_counted_by_themselves():
    """Seeds at .996 and 1: published .996 or 1 at all d, errors of .006 and .011."""

    def columns(_, config):
        value = 0.996 + 0.004 * config.seed
        return {"cosine_published": value, "cosine_derived": value - 0.5}

    results = built(D_SWEEP, columns)
    (section,) = results.sections
    for point in section.panels[0].points:
        cell = point.cosines["cosine_published"]
        reading = cosine_reading("MSG_a", "d", point.x)
        assert (cell.published, cell.error, cell.n) == (reading.value, reading.error, 2)
        assert (cell.min, cell.max, cell.inside) == (0.996, 1.0, True)
    compared = section.published
    assert [compared.cosines[name].inside for name in COSINES] == [10, 0]
    assert [compared.cosines[name].count for name in COSINES] == [10, 10]
    read = [cosine_reading("MSG_a", "d", x).value for x in range(10, 101, 10)]
    assert compared.cosine_difference["cosine_published"] == pytest.approx(0.998 - np.mean(read))
    assert compared.all.count == 0
    (line,) = [c for c in results.claims if c.statement.startswith("Published cosines")]
    assert line.measured.startswith("10 of 10 (mean difference ")


def test_cosines_elsewhere_have_nothing_beside_them():
    part = Part(kind="published", name="msg-a", seeds=1, sweeps=("N",), solver="flow")
    (section,) = built(part, lambda *_: {"cosine_published": 0.5}).sections
    cells = [point.cosines["cosine_published"] for point in section.panels[0].points]
    assert {(cell.mean, cell.published) for cell in cells} == {(0.5, None)}
    assert section.published.cosines["cosine_published"].count == 0
    assert section.published.cosine_difference["cosine_published"] is None


def test_simple_runs_of_msg_a_are_77_a_seed_and_58_with_long_training():
    """Learning rates 1, m ≥ 30, N ≥ 100, identity loss: d 10, N 18, ε 10, m 16, γ 4; T_g 19 are shorter."""
    part = Part(kind="published", name="msg-a", seeds=1, solver="flow")
    record = {"two_point_accuracy_g_train": 0.5, "accuracy_g_train": 0.6, "agreement_test": 1.0}
    explained = built(part, lambda *_: record).sections[0].explained
    counts = {chosen.runs: chosen.predictions[0].n for chosen in explained}
    simple = "identity loss, learning rates 1, m ≥ 30, N ≥ 100"
    assert counts == {
        "all runs": 460,
        "logistic loss": 36,
        "identity loss": 424,
        simple: 77,
        f"{simple}, all epochs of the base": 10 + 18 + 10 + 16 + 4,
    }
    assert list(counts)[:3] == ["identity loss", "all runs", "logistic loss"]  # what theory is about first


# Studies -----------------------------------------------------------------------------------------------


def reach_of(agreements):
    """Return where agreement stays high, for rows of agreements at T = .5, 1, 2, 5, 10, one row a seed."""
    part = Part(kind="study", name="lazy", seeds=len(agreements))
    rows = [
        row_of(config, agreement_test=value)
        for index, point in enumerate(part.points())
        for config in point.configs
        for value in [agreements[config.seed][index]]
    ]
    results = built(part, rows)
    (line,) = [c for c in results.claims if "agreement is at least 0.9" in c.statement]
    return results.sections[0].panels[0].reach.seeds, line.measured, line.rule


def test_reach_is_where_agreement_stays_high():
    found = reach_of(
        [[0.5, 0.8, 0.9, 0.95, 1.0], [0.95, 0.5, 0.6, 0.9, 1.0], [0.9] * 5, [0.9, 0.9, 0.9, 0.9, 0.89]]
    )
    assert found[:2] == ({0: 2.0, 1: 5.0, 2: 0.5, 3: None}, "reached by 3 of 4 seeds; smallest 0.5")
    assert (
        reach_of([[0.5, 0.9, 0.9, 0.9, 1.0], [0.9] * 5])[1]
        == "median 0.75, 0.5 to 1; reached by 2 of 2 seeds"
    )


def test_reach_of_seeds_that_lack_a_run_is_unknown():
    seeds, _, rule = reach_of([[0.5, None, 0.9, 0.95, 1.0], [0.9] * 5])
    assert seeds == {1: 0.5}
    assert rule.endswith("; 1 seed without a run")


# Other plans -------------------------------------------------------------------------------------------


def test_plain_plan_has_a_panel_for_each_axis_and_combination_of_others():
    axes = {"width": [10, 5], "T_f,T_g": [[1.0, 2.0], [3.0, 3.0]], "epsilon": [None, 0.5, 1.0]}
    made = plan(BASE, axes, seeds=2)
    panels, left_out = rest_panels(made, WIDE.make, lambda _: True)
    assert left_out == 0
    assert len(panels) == 2 * 3 + 2 * 3 + 2 * 2
    first = panels[0]
    assert first.sweep == "width at T_f = 1.0, T_g = 2.0, epsilon = none"
    assert [point.x for point in first.points] == [5, 10]
    (times,) = {panel.ticks for panel in panels if panel.x_label == "T_f, T_g"}
    assert times == ("1.0:2.0", "3.0:3.0")
    (sizes,) = {panel.ticks for panel in panels if panel.x_label == "epsilon"}
    assert sizes == ("none", "0.5", "1.0")
    for panel in panels:
        for point in panel.points:
            assert [config.seed for config in point.configs] == [0, 1]
    shown = {config_hash(c) for panel in panels for point in panel.points for c in point.configs}
    assert shown == made.configs(WIDE).keys()


def test_panels_have_a_limit_that_is_told():
    made = plan(BASE, {"T_f": [float(T) for T in range(1, 21)], "T_g": [1.0, 2.0, 3.0, 4.0, 5.0]})
    results = build(made, Runs({}), [])
    (section,) = results.sections
    assert len(section.panels) == MOST_PANELS
    assert section.panels_left_out == 20 + 5 - MOST_PANELS


def test_single_configuration_is_a_panel_of_one_point():
    made = Plan(blocks=(Block(base=fields_of(BASE)),))
    (panel,), _ = rest_panels(made, WIDE.make, lambda _: True)
    ((point,), (config,)) = (panel.points, panel.points[0].configs)
    assert (point.x, config) == (5, BASE)


def test_what_a_part_shows_is_not_shown_again():
    mine = plan_of_configs(WIDE, D_SWEEP.configs())
    extra = Block(base=fields_of(BASE), axes=(Axis(fields=("width",), values=((7,), (8,))),))
    alone = build(mine, Runs({}), [D_SWEEP])
    both = build(Plan(blocks=(*mine.blocks, extra)), Runs({}), [D_SWEEP])
    assert len(alone.sections) == 1
    assert [section.title for section in both.sections][1:] == ["Other configurations of the plan"]
    assert [panel.sweep for panel in both.sections[1].panels] == ["block 2: width"]


def test_results_are_plain_json_and_a_function_of_rows_in_any_order():
    rows = lines_of(D_SWEEP, lambda _, config: 0.5 + 0.1 * config.seed)
    assert built(D_SWEEP, rows[::-1]) == built(D_SWEEP, rows)


def test_titles_tell_parts_apart():
    options = [{}, {"solver": "flow"}, {"size": "small"}, {"balanced": True}]
    titles = {
        Part(kind="published", name="msg-a", seeds=1, sweeps=("slope",), **more).title for more in options
    }
    assert len(titles) == 4
    assert "Published block msg-a, gradient flow" in titles
