"""The published conditions, point by point, and their three-valued verdicts."""

import dataclasses

import numpy as np
import pytest

import theory
from theory import Condition, Setting, Verdict
from theory.conditions import evaluate


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(2)
    X, Z = rng.normal(size=(6, 3)), 4 * rng.normal(size=(9, 3))
    y = np.array([1.0, -1, 1, -1, 1, -1])
    setting = Setting(dim=3, N=6, width=2000, epsilon=2.0, T_f=4.0, T_g=4.0)
    return {"Z": Z, "X": X, "y": y, "X_adv": 0.5 * X, "setting": setting}


def test_sides_are_predictors_and_thresholds(problem):
    Z, X, y, X_adv, setting = problem.values()
    found = evaluate(**problem, constant=0.1)
    thresholds = theory.margin_thresholds(setting, constant=0.1)
    np.testing.assert_array_equal(found["a"].lhs, np.abs(theory.f_hat(Z, X=X, y=y)))
    np.testing.assert_array_equal(found["b"].lhs, np.abs(theory.g_hat(Z, X=X, y=y, X_adv=X_adv)))
    assert set(found["a"].rhs) == {thresholds.a.value}
    assert set(found["b"].rhs) == {thresholds.b.value}
    same = np.sign(theory.f_hat(Z, X=X, y=y)) == np.sign(theory.g_hat(Z, X=X, y=y, X_adv=X_adv))
    np.testing.assert_array_equal(found["c"].holds, same)
    assert found["width"].rhs[0] == theory.published_width(setting, constant=0.1)


def test_verdicts_follow_the_constant(problem):
    generous, strict = evaluate(**problem, constant=1e-9), evaluate(**problem, constant=1e9)
    for name in ("width", "a", "b"):
        assert set(generous[name].verdicts) == {Verdict.HOLDS}
        assert set(strict[name].verdicts) == {Verdict.FAILS}


def test_whatever_is_not_finite_is_unknown():
    values = np.array([np.nan, np.inf, 1.0, 1.0, 1.0])
    limits = np.array([0.0, 0.0, np.nan, np.inf, 1.0])
    condition = Condition("a", "", values, limits)
    assert tuple(condition.verdicts) == (Verdict.UNKNOWN,) * 4 + (Verdict.FAILS,)


def test_untrained_f_leaves_the_margins_unknown(problem):
    found = evaluate(**problem | {"setting": dataclasses.replace(problem["setting"], T_f=0.0)})
    assert set(found["a"].verdicts) == set(found["b"].verdicts) == {Verdict.UNKNOWN}


def test_setting_must_be_that_of_the_data(problem):
    with pytest.raises(ValueError, match=r"X must have the 7 rows that setting\.N says, got 6"):
        evaluate(**problem | {"setting": dataclasses.replace(problem["setting"], N=7)})
