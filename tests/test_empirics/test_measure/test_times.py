"""Agreement over the time of g: measured as shorter training gives it, predicted as the law does."""

import math

import numpy as np
import pytest

from empirics import ExperimentConfig, ShiftedGaussianData, run
from empirics.measure import times
from theory import prove_agreement
from theory.times import agreement_law, required

DATA = ShiftedGaussianData(dim=4, num_train=10, num_test=40)
CONFIG = {"data": DATA, "width": 200, "T_f": 2.0, "num_steps": 8}


@pytest.mark.parametrize("solver", ["gd", "flow"])
def test_measured_is_what_shorter_training_gives(solver):
    found = run(ExperimentConfig(**CONFIG, solver=solver), over_times=True).over_times
    looked = {one.T_g: one.measured for one in found if not math.isnan(one.measured)}
    steps = {time: round(8 * time) for time in looked} if solver == "gd" else dict.fromkeys(looked)
    assert len(looked) == (4 if solver == "gd" else 6)
    for time, number in steps.items():
        alone = run(ExperimentConfig(**CONFIG, solver=solver, T_g=time, num_steps_g=number))
        assert looked[time] == alone.agreement.measured


def test_predicted_is_the_law_of_the_data_and_targets():
    result = run(ExperimentConfig(**CONFIG), over_times=True)
    given = {"X": result.dataset.X, "y": result.dataset.y, "targets": result.y_adv}
    Z, grid = result.dataset.X_test, [one.T_g for one in result.over_times]
    assert grid == sorted(grid)
    assert math.isinf(grid[-1])
    law = agreement_law(Z, T_f=[0.0, 2.0], **given)
    for name, shares in zip(("untrained", "predicted"), law.share(grid).tolist(), strict=True):
        assert [getattr(one, name) for one in result.over_times] == shares
    for row in times.needed(result.config, result.dataset, result.y_adv):
        found = required(Z, share=row.share, T_f=2.0, **given)
        assert (row.T_g, row.said) == (found.value, str(found))


def test_signs_are_those_that_are_proved(monkeypatch):
    """At the points of minimal times; of many samples, whose proof takes long, there are none."""
    result = run(ExperimentConfig(**CONFIG, negative_slope=0.2))
    asked = result.config, result.dataset, result.X_adv
    given = {"X": result.dataset.X, "y": result.dataset.y, "X_adv": result.X_adv, "negative_slope": 0.2}
    monkeypatch.setattr(times, "_MOST_POINTS", 30)
    found, proved = times.signs(*asked), prove_agreement(result.dataset.X_test[:30], **given)
    verdicts = {name: one.verdicts.tolist() for name, one in proved.items()}
    assert (found.points, found.equal) == (30, verdicts["c"].count("holds"))
    assert found.opposite == verdicts["c"].count("fails")
    assert 0 < found.by_weights == verdicts["weights"].count("holds") < found.equal
    monkeypatch.setattr(times, "_MOST_SAMPLES", 9)
    assert times.signs(*asked) is None


@pytest.mark.parametrize("fields", [{"loss": "logistic"}, {"scenario": "b"}, {"momentum": 0.9}])
def test_without_a_law_there_is_nothing(fields, monkeypatch):
    result = run(ExperimentConfig(**CONFIG, **fields), over_times=True)
    assert result.over_times == ()
    assert list(times.needed(result.config, result.dataset, result.y_adv)) == []


def test_too_many_samples_and_too_large_features_have_no_law(monkeypatch):
    result = run(ExperimentConfig(**CONFIG))
    asked = (result.config, result.dataset, result.y_adv)
    monkeypatch.setattr(times, "agreement_law", _overflowing)
    monkeypatch.setattr(times, "search", _overflowing)
    assert list(times.over_times(*asked, {1.0: 0.5})) == list(times.needed(*asked)) == []
    monkeypatch.undo()
    monkeypatch.setattr(times, "_MOST_SAMPLES", 9)
    assert list(times.over_times(*asked, {1.0: 0.5})) == list(times.needed(*asked)) == []
    assert not np.isnan(result.agreement.measured)


def _overflowing(*_args, **_options):
    raise FloatingPointError
