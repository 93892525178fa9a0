"""Which networks are simulated neuron by neuron, and what that counts and predicts."""

import math
from dataclasses import replace

import numpy as np
import pytest

import theory
from empirics import ExperimentConfig, ShiftedGaussianData, run
from empirics.measure import agreement, certified, simulated
from empirics.neurons import Schedule, certify_agreement_by_simulation, simulate_neurons
from reports.presets import series, source

DATA = ShiftedGaussianData(dim=5, num_train=30, num_test=25)
STEPS = {"num_steps": 12, "momentum": 0.3}
TIME = 20.0
PLAN = simulated.Plan(width=200, seeds=(3, 4), num_neurons=2_000)


@pytest.fixture(scope="module")
def result():
    """Far from lazy: more than two thirds of the neurons could flip."""
    trained = run(ExperimentConfig(data=DATA, width=200, seed=3, T_f=TIME, T_g=TIME, **STEPS))
    assert min(trained.f.free_predicted, trained.g.free_predicted) > 2 / 3
    return trained


# The plan ---------------------------------------------------------------------------------------------


def plan_of(planned):
    return simulated.plan(planned.base, planned.widths, planned.seeds)


def test_plan_of_the_default_report_has_every_seed_and_other_widths():
    for name in ("digits", "shifted-gaussian"):
        plan = plan_of(series(source(name)))
        assert plan == simulated.Plan(
            width=1_000, seeds=tuple(range(16)), num_neurons=3_000, scanned=simulated.SCANNED_WIDTHS
        )


def test_plan_stays_within_its_work():
    published = plan_of(series(source("gaussian", preset="published"), preset="published"))
    assert published == simulated.Plan(width=300, seeds=(0,), num_neurons=1_000)
    many = plan_of(series(source("digits"), num_seeds=200))
    assert len(many.seeds) * many.num_neurons * 2 * 10 <= 1_000_000
    assert len(many.seeds) >= 16


def test_plan_takes_the_narrowest_network_if_all_are_wide():
    plan = simulated.plan(ExperimentConfig(data=DATA, width=1), (2_000, 9_000), (0,))
    assert plan.width == 2_000


def test_neurons_that_interact_are_not_simulated():
    base = ExperimentConfig(data=DATA, width=1, loss="logistic")
    assert simulated.plan(base, (10,), (0,)) is None


# What is simulated ------------------------------------------------------------------------------------


def test_counts_are_those_of_the_certificates(result):
    record, details = simulated.simulate(result, PLAN.num_neurons)
    data = result.dataset
    schedules = {name: Schedule(T=TIME, **STEPS) for name in ("schedule_f", "schedule_g")}
    proof = certify_agreement_by_simulation(
        data.X_test,
        X=data.X,
        y=data.y,
        X_adv=result.X_adv,
        y_adv=result.y_adv,
        width=200,
        **schedules,
        delta=certified.DELTA,
        num_neurons=2_000,
        seed=3,
    )
    f, g = np.sign(result.points_f.final), np.sign(result.points_g.final)
    counted = record.counts["simulation"]
    assert counted.points == details.num_points == 25
    assert (counted.f, counted.g) == (proof.f.certified.sum(), proof.g.certified.sum())
    assert counted.both == proof.certified.sum()
    assert counted.g_wrong == ((proof.g.signs != g) & proof.g.certified).sum()
    assert counted.f_wrong == ((proof.f.signs != f) & proof.f.certified).sum()
    # Far from lazy the simulation proves what the lazy bounds do not.
    assert counted.f > 0
    assert record.counts["descent"].f == record.counts["flow"].f == 0
    lazy = theory.certify_agreement(
        data.X_test,
        X=data.X,
        y=data.y,
        X_adv=result.X_adv,
        y_adv=result.y_adv,
        setting=result.setting,
        delta=certified.DELTA,
    )
    assert record.counts["descent"].g == lazy.g.certified.sum()
    # Half of δ for each network, half of that for the simulation.
    assert record.misled == certified.DELTA / 4
    for name, one in (("f", proof.f), ("g", proof.g)):
        proved = one.failure_given_simulation[one.certified]
        assert record.failure[name] == (proved.max() if proved.size else pytest.approx(np.nan, nan_ok=True))
        assert not record.failure[name] > certified.DELTA / 4


def test_a_wrong_certificate_is_counted(result):
    """With the signs of the trained networks turned round, all that is certified is wrong."""
    turned = replace(
        result,
        points_f=replace(result.points_f, final=-result.points_f.final),
        points_g=replace(result.points_g, final=-result.points_g.final),
    )
    right, wrong = (
        simulated.simulate(one, PLAN.num_neurons)[0].counts["simulation"] for one in (result, turned)
    )
    for name in ("f", "g"):
        assert getattr(wrong, f"{name}_wrong") == getattr(right, name) - getattr(right, f"{name}_wrong")
    assert wrong.both_wrong == right.both_wrong  # they agree as before
    f_alone = simulated.simulate(replace(turned, points_g=result.points_g), PLAN.num_neurons)[0].counts[
        "simulation"
    ]
    assert f_alone.both_wrong == right.both - right.both_wrong > 0
    assert (f_alone.f_wrong, f_alone.g_wrong) == (wrong.f_wrong, right.g_wrong)


@pytest.mark.parametrize("network", ["f", "g"])
def test_the_third_predictor_is_the_mean_over_networks(result, network):
    """Within six standard errors of m E X from 40,000 other neurons; 25 points, probability to fail 1e-7."""
    found = simulated._by_simulation(result, network, 200, 20_000)
    data, points = result.dataset, result.points_f if network == "f" else result.points_g
    X, y = (data.X, data.y) if network == "f" else (result.X_adv, result.y_adv)
    options = {"width": 200, "schedule": Schedule(T=TIME, **STEPS), "num_neurons": 40_000, "seed": 99}
    neurons = simulate_neurons(data.X_test, X=X, y=y, **options)
    outputs = neurons.outputs
    before = neurons.readouts[:, None] / math.sqrt(200) * np.maximum(neurons.initial, 0)
    noise = 200 * (outputs - before).std(axis=0) / math.sqrt(20_000)
    np.testing.assert_allclose(found.standard_error, noise, rtol=0.2)  # both from samples
    error, mean = np.hypot(200 * outputs.std(axis=0) / 200, noise), 200 * outputs.mean(axis=0)
    assert (np.abs(found.mean - mean) < 6 * error).all()
    # The lazy limit does not pass: far from lazy.
    assert not (np.abs(TIME * points.predicted - mean) < 6 * error).all()


def test_errors_and_sign_matches_are_relative_to_the_trained_networks(result):
    record, _ = simulated.simulate(result, PLAN.num_neurons)
    for network in ("f", "g"):
        points = result.points_f if network == "f" else result.points_g
        change = points.final - points.initial
        for name, values in (("derived", points.predicted), ("published", points.published)):
            errors = change - TIME * values
            assert record.error[network][name] == pytest.approx(
                math.sqrt(np.mean(errors**2) / np.mean(change**2)), rel=1e-12
            )
        found = simulated._by_simulation(result, network, 200, PLAN.num_neurons)
        for name, errors in (("simulated", change - found.mean), ("sampling", found.standard_error)):
            assert record.error[network][name] == pytest.approx(
                math.sqrt(np.mean(errors**2) / np.mean(change**2)), rel=1e-12
            )
        assert record.sign_match[network]["published"] == agreement(points.final, points.published)
    assert record.error["g"]["simulated"] < record.error["g"]["derived"]


def test_only_the_first_seed_is_asked_about_other_widths(result):
    _, details = simulated.simulate(result, PLAN.num_neurons, simulated.SCANNED_WIDTHS)
    assert [row.width for row in details.scan] == [30, 100, 300, 1_000]
    for row in details.scan:
        assert 0 <= row.both <= min(row.f, row.g) <= 1
    assert simulated.simulate(result, PLAN.num_neurons)[1].scan == []
