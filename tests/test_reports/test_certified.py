"""Certificates in a report: what is simulated, what stands beside the published form, other losses."""

import math
from dataclasses import replace

import numpy as np
import pytest

import theory
from empirics import ExperimentConfig, ShiftedGaussianData, run
from empirics.measure import agreement
from empirics.neurons import Schedule, certify_agreement_by_simulation, simulate_neurons
from reports import Series, certified, render, simulated
from reports.build import build
from reports.presets import series, source
from theory.certificates.published import compare_published

DATA = ShiftedGaussianData(dim=5, num_train=30, num_test=25)
STEPS = {"num_steps": 12, "momentum": 0.3}
TIME = 20.0
PLAN = simulated.Plan(width=200, seeds=(3, 4), num_neurons=2_000, scan=False)


@pytest.fixture(scope="module")
def result():
    """Far from lazy: more than two thirds of the neurons could flip."""
    trained = run(ExperimentConfig(data=DATA, width=200, seed=3, T_f=TIME, T_g=TIME, **STEPS))
    assert min(trained.f.free_predicted, trained.g.free_predicted) > 2 / 3
    return trained


# The plan ---------------------------------------------------------------------------------------------


def test_plan_of_the_default_report_has_every_seed_and_other_widths():
    for name in ("digits", "shifted-gaussian"):
        plan = simulated.plan(series(source(name)))
        assert plan == simulated.Plan(width=1_000, seeds=tuple(range(16)), num_neurons=3_000, scan=True)


def test_plan_stays_within_its_work():
    published = simulated.plan(series(source("gaussian", preset="published"), preset="published"))
    assert published == simulated.Plan(width=300, seeds=(0,), num_neurons=1_000, scan=False)
    many = simulated.plan(series(source("digits"), num_seeds=200))
    assert len(many.seeds) * many.num_neurons * 2 * 10 <= 1_000_000
    assert len(many.seeds) >= 16


def test_plan_takes_the_narrowest_network_if_all_are_wide():
    plan = simulated.plan(
        Series(base=ExperimentConfig(data=DATA, width=1), widths=(2_000, 9_000), seeds=(0,))
    )
    assert plan.width == 2_000


def test_neurons_that_interact_are_not_simulated():
    base = ExperimentConfig(data=DATA, width=1, loss="logistic")
    assert simulated.plan(Series(base=base, widths=(10,), seeds=(0,))) is None


# What is simulated ------------------------------------------------------------------------------------


def test_counts_are_those_of_the_certificates(result):
    record, details = simulated.simulate(result, PLAN)
    data = result.dataset
    schedules = {name: Schedule(T=TIME, **STEPS) for name in ("schedule_f", "schedule_g")}
    proof = certify_agreement_by_simulation(
        data.X,
        data.y,
        result.X_adv,
        result.y_adv,
        data.X_test,
        width=200,
        **schedules,
        delta=certified.DELTA,
        num_neurons=2_000,
        seed=3,
    )
    f, g = np.sign(result.points_f.final), np.sign(result.points_g.final)
    counted = record["counts"]["simulation"]
    assert counted["points"] == details["num_points"] == 25
    assert (counted["f"], counted["g"]) == (proof.f.certified.sum(), proof.g.certified.sum())
    assert counted["both"] == proof.certified.sum()
    assert counted["g_wrong"] == ((proof.g.signs != g) & proof.g.certified).sum()
    assert counted["f_wrong"] == ((proof.f.signs != f) & proof.f.certified).sum()
    # Far from lazy the simulation proves what the lazy bounds do not.
    assert counted["f"] > 0
    assert record["counts"]["descent"]["f"] == record["counts"]["flow"]["f"] == 0
    lazy = theory.certify_agreement(
        data.X_test, data.X, data.y, result.X_adv, result.y_adv, result.setting, certified.DELTA
    )
    assert record["counts"]["descent"]["g"] == lazy.g.certified.sum()
    # Half of δ for each network, half of that for the simulation.
    assert record["misled"] == certified.DELTA / 4
    for name, one in (("f", proof.f), ("g", proof.g)):
        proved = one.failure_given_simulation[one.certified]
        assert record["failure"][name] == (
            proved.max() if proved.size else pytest.approx(np.nan, nan_ok=True)
        )
        assert not record["failure"][name] > certified.DELTA / 4


def test_a_wrong_certificate_is_counted(result):
    """With the signs of the trained networks turned round, all that is certified is wrong."""
    turned = replace(
        result,
        points_f=replace(result.points_f, final=-result.points_f.final),
        points_g=replace(result.points_g, final=-result.points_g.final),
    )
    right, wrong = (simulated.simulate(one, PLAN)[0]["counts"]["simulation"] for one in (result, turned))
    for name in ("f", "g"):
        assert wrong[f"{name}_wrong"] == right[name] - right[f"{name}_wrong"]
    assert wrong["both_wrong"] == right["both_wrong"]  # they agree as before
    f_alone = simulated.simulate(replace(turned, points_g=result.points_g), PLAN)[0]["counts"]["simulation"]
    assert f_alone["both_wrong"] == right["both"] - right["both_wrong"] > 0
    assert (f_alone["f_wrong"], f_alone["g_wrong"]) == (wrong["f_wrong"], right["g_wrong"])


@pytest.mark.parametrize("network", ["f", "g"])
def test_the_third_predictor_is_the_mean_over_networks(result, network):
    """Within six standard errors of m E X from 40,000 other neurons; 25 points, probability to fail 1e-7."""
    found = simulated._by_simulation(result, network, 200, 20_000)
    data, points = result.dataset, result.points_f if network == "f" else result.points_g
    X, y = (data.X, data.y) if network == "f" else (result.X_adv, result.y_adv)
    options = {"width": 200, "schedule": Schedule(T=TIME, **STEPS), "num_neurons": 40_000, "seed": 99}
    neurons = simulate_neurons(X, y, data.X_test, **options)
    outputs = neurons.outputs
    before = neurons.readouts[:, None] / math.sqrt(200) * np.maximum(neurons.initial, 0)
    noise = 200 * (outputs - before).std(axis=0) / math.sqrt(20_000)
    np.testing.assert_allclose(found.standard_error, noise, rtol=0.2)  # both from samples
    error, mean = np.hypot(200 * outputs.std(axis=0) / 200, noise), 200 * outputs.mean(axis=0)
    assert (np.abs(found.mean - mean) < 6 * error).all()
    # The lazy limit does not pass: far from lazy.
    assert not (np.abs(TIME * points.predicted - mean) < 6 * error).all()


def test_errors_and_sign_matches_are_relative_to_the_trained_networks(result):
    record, _ = simulated.simulate(result, PLAN)
    for network in ("f", "g"):
        points = result.points_f if network == "f" else result.points_g
        change = points.final - points.initial
        for name, values in (("derived", points.predicted), ("published", points.published)):
            errors = change - TIME * values
            assert record["error"][network][name] == pytest.approx(
                math.sqrt(np.mean(errors**2) / np.mean(change**2)), rel=1e-12
            )
        found = simulated._by_simulation(result, network, 200, PLAN.num_neurons)
        for name, errors in (("simulated", change - found.mean), ("sampling", found.standard_error)):
            assert record["error"][network][name] == pytest.approx(
                math.sqrt(np.mean(errors**2) / np.mean(change**2)), rel=1e-12
            )
        assert record["sign_match"][network]["published"] == agreement(points.final, points.published)
    assert record["error"]["g"]["simulated"] < record["error"]["g"]["derived"]


def test_only_the_first_seed_is_asked_about_other_widths(result):
    assert simulated.simulate(result, replace(PLAN, seeds=(4, 3)))[1] == {}
    _, details = simulated.simulate(result, replace(PLAN, scan=True))
    assert [row["width"] for row in details["scan"]] == [30, 100, 300, 1_000]
    for row in details["scan"]:
        assert 0 <= row["both"] <= min(row["f"], row["g"]) <= 1
    assert simulated.simulate(result, PLAN)[1]["scan"] == []


def test_totals_are_those_of_the_runs(tiny_results):
    for section in tiny_results["sections"]:
        found = section["simulated"]
        records = [run["simulated"] for run in section["runs"] if "simulated" in run]
        assert [run["seed"] for run in section["runs"] if "simulated" in run] == found["seeds"]
        assert {run["width"] for run in section["runs"] if "simulated" in run} == {found["width"]}
        for kind, totals in found["totals"].items():
            for name, total in totals.items():
                assert total == sum(record["counts"][kind][name] for record in records)
        for group in ("sign_match", "error"):
            for network in ("f", "g"):
                for name, summary in found[group][network].items():
                    values = [record[group][network][name] for record in records]
                    assert summary["n"] == len(values)
                    assert summary["mean"] == pytest.approx(np.mean(values), rel=1e-12)
        for name in ("f", "g"):
            known = [r["failure"][name] for r in records if r["failure"][name] is not None]
            assert found["failure"][name] == max(known, default=None)


# Beside the published form ----------------------------------------------------------------------------


def test_beside_the_published_form_stand_the_widths_found_and_our_thresholds(result):
    found = certified.curves(result)
    beside = certified.beside(result, found)
    data = result.dataset
    everything = (data.X_test, data.X, data.y, result.X_adv, result.y_adv)
    assert beside["widths"]["ours"] == {kind: found["required"]["both"][kind] for kind in ("descent", "flow")}
    published = theory.published_width(result.setting)
    assert beside["widths"]["published"] == found["published_width"] == published
    for kind in ("descent", "flow"):
        expected = [width / published for width in found["required"]["both"][kind]]
        assert beside["widths"]["factors"][kind] == expected
    wide = replace(result.setting, width=10**15)
    kinds = {"descent": result.setting, "flow": result.setting, "limit": wide}
    for kind, setting in kinds.items():
        dynamics = "descent" if kind == "descent" else "flow"
        proof = theory.certify_agreement(*everything, setting, certified.DELTA, dynamics=dynamics)
        one = compare_published(*everything, setting, certified.DELTA, dynamics=dynamics, shares=())
        for name, certificate, ours in (("f", proof.f, one.ours_f), ("g", proof.g, one.ours_g)):
            row = beside["networks"][name]
            assert row["proved"][kind] == certificate.share
            assert row["ours"][kind] == np.median(ours)
            assert row["factors"][kind] == pytest.approx(np.median(ours) / row["published"], rel=1e-12)
    thresholds = theory.margin_thresholds(result.setting)
    assert beside["networks"]["f"]["published"] == thresholds.a.value
    assert beside["networks"]["g"]["published"] == thresholds.b.value
    met = np.abs(result.points_f.published) > thresholds.a.value
    assert beside["networks"]["f"]["met"] == met.mean()
    assert beside["networks"]["g"]["size"] == np.median(np.abs(result.points_g.published))


# Other losses -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def logistic(tiny_results):
    base = ExperimentConfig(data=DATA, width=1, loss="logistic", T_f=3.0, T_g=3.0, **STEPS)
    before = build.__globals__["check_phi"]
    build.__globals__["check_phi"] = lambda: tiny_results["phi"]  # does not depend on the section
    try:
        plan = Series(base=base, widths=(100, 1_000, 10_000), seeds=(0, 1))
        return build([plan], provenance=tiny_results["provenance"])
    finally:
        build.__globals__["check_phi"] = before


def test_outputs_under_logistic_loss_are_predicted(logistic):
    """By the lazy limit of the loss; f_b, that of the identity loss, is far off."""
    (section,) = logistic["sections"]
    base = ExperimentConfig(data=DATA, width=10_000, loss="logistic", T_f=3.0, T_g=3.0, **STEPS)
    one = run(base)
    record = next(item for item in section["runs"] if (item["width"], item["seed"]) == (10_000, 0))
    for name, points, trained, X, y in (
        ("f", one.points_f, one.trained_f, one.dataset.X, one.dataset.y),
        ("g", one.points_g, one.trained_g, one.X_adv, one.y_adv),
    ):
        initial = [
            trained.initial.outputs(np_points(trained, Z)).double().numpy() for Z in (X, one.dataset.X_test)
        ]
        final = theory.lazy_predict(
            one.dataset.X_test,
            X,
            y,
            3.0,
            loss="logistic",
            initial_outputs=initial[0],
            initial_at_Z=initial[1],
            **STEPS,
        )
        error = math.sqrt(np.mean((points.final - final) ** 2)) / 3.0
        assert record[name]["error"] == pytest.approx(error, rel=1e-5)  # outputs in float32
        assert record[name]["error"] / record[name]["scale"] < 0.03
        plain = (points.final - points.initial) / 3.0 - points.predicted
        assert math.sqrt(np.mean(plain**2)) > 10 * record[name]["error"]
        relative = [row[name]["relative_error"]["mean"] for row in section["by_width"]]
        assert relative[2] < relative[0] / 3  # 1/√100 is what the lazy limit gives; chance apart


def np_points(trained, Z):
    weight = trained.initial.weight
    return weight.new_tensor(Z)


def test_page_of_logistic_loss_names_its_prediction(logistic):
    page = render(logistic)
    assert logistic["sections"][0]["simulated"] is None
    assert "Not simulated: with logistic loss neurons are not independent." in page
    assert "predicted f_lazy(z)" in page
    assert "predicted f_b(z)" not in page
    verdicts = {claim["key"]: claim["verdict"] for claim in logistic["claims"]}
    assert verdicts["certificates-simulated"] == "hypothesis not met"
    assert verdicts["certificates"] == "hypothesis not met"


def test_untrained_logistic_networks_have_no_velocity(tiny_results, monkeypatch):
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny_results["phi"])
    base = ExperimentConfig(data=DATA, width=1, loss="logistic", T_f=0.0)
    built = build([Series(base=base, widths=(8,), seeds=(0, 1))], provenance=tiny_results["provenance"])
    assert {run["f"]["error"] for run in built["sections"][0]["runs"]} == {None}
    assert all(run["g"]["error"] > 0 for run in built["sections"][0]["runs"])
    assert "NaN" not in render(built)
