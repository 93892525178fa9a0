"""Records of pairs of networks, and the account of disagreement over all of them."""

import math

import numpy as np
import pytest
from msgspec import structs

from empirics import ExperimentConfig, ShiftedGaussianData, agreement, run
from empirics.measure import runs
from empirics.measure.diagnosis import CONDITIONS, NONE, Examined
from empirics.measure.result import Agreement, Measures

DATA = ShiftedGaussianData(dim=3, num_train=8, num_test=6)


@pytest.fixture(scope="module")
def record():
    return runs.measure(run(ExperimentConfig(data=DATA, width=16)), in_hand=False)[0]


def _run(record, width, seed, share, causes, sizes=()):
    differ = sum(causes.values())
    unmet = dict.fromkeys([*CONDITIONS, *NONE], 0) | {"a": differ}
    examined = Examined(points=10, differ=differ, causes=causes, enough={}, unmet=unmet)
    shares = Agreement(measured=share, predicted=0.5, predicted_given_f=0.5)
    made = structs.replace(record, width=width, seed=seed, agreement=shares, diagnosis=examined)
    return made, [{"f: flips": size} for size in sizes]


def test_totals_add_up_and_failed_runs_are_named(record):
    measured = [
        _run(record, 10, 0, 0.5, {"g: flips": 4, "f: flips": 1}, [1.0, math.inf]),
        _run(record, 10, 1, 0.59, {"g: flips": 2, "f: flips": 2}, [2.0]),
        _run(record, 30, 0, 0.6, {"f: initial network": 4}, [3.0, None]),  # None: a NaN that was stored
        _run(record, 90, 0, None, {}),
    ]
    found = runs.diagnose(measured, [10, 30, 90])
    assert found.causes == ["f: initial network", "f: flips", "g: flips"]
    assert found.terms == ["f: flips"]
    narrow, wide, widest = found.by_width
    assert (narrow.points, narrow.differ, wide.differ) == (20, 9, 4)
    assert narrow.causes == {"f: flips": 3, "g: flips": 6}
    assert narrow.sizes == {"f: flips": 2.0}
    assert math.isnan(wide.sizes["f: flips"])
    assert (widest.sizes, widest.differ) == ({}, 0)
    common = {"width": 10, "unmet": ["a"]}
    assert found.failed == [
        runs.FailedRun(**common, seed=0, agreement=0.5, cause="g: flips", share=0.8),
        # Two causes are equally frequent: none of them dominates.
        runs.FailedRun(**common, seed=1, agreement=0.59, cause="unknown", share=0.0),
    ]


@pytest.mark.parametrize("loss", ["identity", "logistic"])
def test_errors_are_those_of_the_lazy_limit_of_the_loss(loss):
    result = run(ExperimentConfig(data=DATA, width=16, loss=loss, T_f=0.5))
    found, _ = runs.measure(result, in_hand=True)
    for network in ("f", "g"):
        own, side = getattr(result, network), result.side(network)
        measured = (side.points.final - side.points.initial) / side.T
        velocity = result.velocity(network, result.dataset.X_test)
        assert np.array_equal(velocity, side.points.predicted) == (loss == "identity")
        expected = {
            "error": pytest.approx(np.sqrt(np.mean((measured - velocity) ** 2)), rel=1e-12),
            "scale": pytest.approx(np.sqrt(np.mean(velocity**2)), rel=1e-12),
            "sign_match": agreement(side.points.final, velocity),
        }
        assert structs.asdict(found[network]) == structs.asdict(own) | expected
        assert isinstance(found[network], Measures)
    assert set(found.certificates) == {"descent", "flow", "in hand"}
    assert (found.width, found.seed, found.conditions) == (16, 0, list(result.conditions))
