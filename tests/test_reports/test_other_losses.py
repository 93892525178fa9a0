"""Reports of other losses than the identity: their lazy limit, and what is not claimed of them."""

import math

import numpy as np
import pytest

import theory
from empirics import ExperimentConfig, ShiftedGaussianData, run
from reports import Series, render
from reports.build import build
from tests.test_reports import made_up

DATA = ShiftedGaussianData(dim=5, num_train=30, num_test=25)
STEPS = {"num_steps": 12, "momentum": 0.3}


@pytest.fixture(scope="module")
def logistic(tiny):
    base = ExperimentConfig(data=DATA, width=1, loss="logistic", T_f=3.0, T_g=3.0, **STEPS)
    before = build.__globals__["check_phi"]
    build.__globals__["check_phi"] = lambda: tiny.phi  # does not depend on the section
    try:
        plan = Series(base=base, widths=(100, 1_000, 10_000), seeds=(0, 1))
        return build([plan], provenance=tiny.provenance)
    finally:
        build.__globals__["check_phi"] = before


def test_outputs_under_logistic_loss_are_predicted(logistic):
    """By the lazy limit of the loss; f_b, that of the identity loss, is far off."""
    (section,) = made_up.plain(logistic.sections)
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
            X=X,
            y=y,
            T=3.0,
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
    assert logistic.sections[0].simulated is None
    assert "Not simulated: with logistic loss neurons are not independent." in page
    assert "predicted f_lazy(z)" in page
    assert "predicted f_b(z)" not in page
    verdicts = {claim.key: claim.verdict for claim in logistic.claims}
    assert verdicts["certificates-simulated"] == "hypothesis not met"
    assert verdicts["certificates"] == "hypothesis not met"


def test_untrained_logistic_networks_have_no_velocity(tiny, monkeypatch):
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)
    base = ExperimentConfig(data=DATA, width=1, loss="logistic", T_f=0.0)
    built = build([Series(base=base, widths=(8,), seeds=(0, 1))], provenance=tiny.provenance)
    assert {run.f.error for run in built.sections[0].runs} == {None}
    assert all(run.g.error > 0 for run in built.sections[0].runs)
    assert "NaN" not in render(built)
