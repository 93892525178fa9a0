"""The published thresholds are the expressions, with every hidden factor visible."""

import dataclasses

import numpy as np
import pytest

from theory import Bound, Setting, margin_thresholds, published_width
from theory import expressions as ex

SETTING = Setting(dim=20, N=200, width=1000, epsilon=3.0, T_f=2.0, T_g=5.0)
VALUES = {ex.d: 20, ex.N: 200, ex.epsilon: 3.0, ex.T_f: 2.0, ex.T_g: 5.0, ex.C: 1.7, ex.ell: 4.0}
FACTORS = {"constant": 1.7, "log_factor": 4.0}


def value(expression, noise=ex.LABEL_NOISE_PUBLISHED):
    return float(expression.subs(ex.nu, noise).subs(VALUES))


@pytest.mark.parametrize(
    ("scenario", "label_noise", "noise"),
    [
        ("a", "published", ex.LABEL_NOISE_PUBLISHED),
        ("b", "published", ex.LABEL_NOISE_PUBLISHED),
        ("a", "scenario", ex.LABEL_NOISE_ALONE),
        ("b", "scenario", ex.LABEL_NOISE_PUBLISHED),
    ],
)
def test_thresholds_are_the_expressions(scenario, label_noise, noise):
    setting = dataclasses.replace(SETTING, scenario=scenario)
    thresholds = margin_thresholds(setting, label_noise=label_noise, **FACTORS)
    assert thresholds.a.value == pytest.approx(value(ex.THRESHOLD_A), rel=1e-15)
    assert thresholds.b.value == pytest.approx(value(ex.THRESHOLD_B, noise), rel=1e-14)
    assert set(thresholds.b.terms) == {"initial f", "initial g", "random target labels"}


def test_width_is_the_expression():
    assert published_width(SETTING, **FACTORS) == pytest.approx(value(ex.PUBLISHED_WIDTH), rel=1e-15)


def test_untrained_networks_have_infinite_thresholds():
    thresholds = margin_thresholds(dataclasses.replace(SETTING, T_f=0.0))
    assert thresholds.a.value == np.inf
    assert thresholds.b.value == np.inf


def test_hidden_factors_must_be_positive():
    with pytest.raises(ValueError, match="constant must be > 0, got 0"):
        margin_thresholds(SETTING, constant=0)
    with pytest.raises(ValueError, match="log_factor must be finite, got nan"):
        published_width(SETTING, log_factor=np.nan)
    with pytest.raises(ValueError, match="label_noise must be one of"):
        margin_thresholds(SETTING, label_noise="none")


def test_a_bound_cannot_be_changed_afterwards():
    terms = {"one": 1.0, "two": 2.0}
    bound = Bound(terms)
    terms["one"] = 5.0
    assert bound.value == 3.0
    with pytest.raises(TypeError):
        bound.terms["one"] = 5.0
