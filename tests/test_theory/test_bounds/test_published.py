"""The published thresholds are the expressions, with every hidden factor visible, and ours beside them."""

import dataclasses
import math

import numpy as np
import pytest

import theory
from theory import Bound, Setting, expressions as ex, margin_thresholds, published_width
from theory.certificates.published import compare_published

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


# Beside ours ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    """Shifted Gaussian data in d = 8, perturbations along u with random labels, ε = √d."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(60) % 2, 1.0, -1.0)
    X = 0.6 * y[:, None] + rng.normal(size=(60, 8))
    Z = 0.6 + rng.normal(size=(25, 8))
    u = theory.perturbation_direction(X=X, y=y)
    y_adv = rng.choice([-1.0, 1.0], size=60)
    X_adv = math.sqrt(8) * y_adv[:, None] * u / np.linalg.norm(u, axis=1, keepdims=True)
    return {"Z": Z, "X": X, "y": y, "X_adv": X_adv, "y_adv": y_adv}


def setting(**changes):
    fields = {"dim": 8, "N": 60, "width": 20_000, "epsilon": math.sqrt(8), "T_f": 4.0, "T_g": 6.0}
    return Setting(**(fields | changes))


@pytest.mark.parametrize(("dynamics", "width"), [("descent", 500_000), ("flow", 20_000)])
def test_our_thresholds_on_the_published_scale_certify_the_same_points(data, dynamics, width):
    beside = compare_published(**data, setting=setting(width=width), delta=0.01, dynamics=dynamics, shares=())
    proof = theory.certify_agreement(**data, setting=setting(width=width), delta=0.01, dynamics=dynamics)
    f, g = np.abs(beside.f_hat) > beside.ours_f, np.abs(beside.g_hat) > beside.ours_g
    assert np.array_equal(f, proof.f.certified)
    assert np.array_equal(g, proof.g.certified)
    assert 0 < np.mean(f & g) < 1  # so that a wrong δ, T or predictor is seen
    for ratio, ours, published in (
        (beside.ratio_f, beside.ours_f, margin_thresholds(setting()).a.value),
        (beside.ratio_g, beside.ours_g, margin_thresholds(setting()).b.value),
    ):
        np.testing.assert_allclose(ratio * published, ours, rtol=1e-14)
    assert beside.asymptotic
    assert beside.log_factor == 1.0


def test_the_wide_limit_of_our_threshold_is_the_initial_network(data):
    """At m = 10¹⁵ nothing is left but f(·; 0)/T, whose Chernoff bound is σ √(2 log(1/(.8 δ/2)))/T."""
    Z, X, y, *_ = data.values()
    beside = compare_published(**data, setting=setting(width=10**15), delta=0.01, shares=())
    tail = theory.initial_deviation(Z) * math.sqrt(2 * math.log(1 / (0.8 * 0.01 / 2))) / 4.0
    expected = tail * np.abs(beside.f_hat / theory.f_predict(Z, X=X, y=y))
    # Flips and kernel: of order κ (T κ + 1)/√m, 3e-8 here times a few hundred.
    np.testing.assert_allclose(beside.ours_f, expected, rtol=1e-4)


def test_widths_are_those_that_certify_and_may_be_given(data):
    beside = compare_published(**data, setting=setting(), delta=0.01, dynamics="flow", shares=(0.3,))
    (share,) = beside.certifying_widths
    width = beside.certifying_widths[share]
    at, below = (
        theory.certify_agreement(**data, setting=setting(width=int(value)), delta=0.01, dynamics="flow").share
        for value in (width, width / 1.02)
    )
    assert below < 0.3 <= at
    assert beside.published_width == 8**2 * 10.0**2
    assert beside.ratio_widths[share] == width / beside.published_width
    given = compare_published(
        **data, setting=setting(), delta=0.01, certifying_widths={0.5: 7.0, 0.9: math.inf}
    )
    assert given.ratio_widths == {0.5: 7.0 / given.published_width, 0.9: math.inf}


def test_hidden_factors_move_the_published_side_alone(data):
    plain = compare_published(**data, setting=setting(), delta=0.01, shares=())
    other = compare_published(**data, setting=setting(), delta=0.01, shares=(), constant=3.0, log_power=2.0)
    factor = 3.0 * math.log(math.e * 8 * 60 * 20_000 / 0.01) ** 2
    assert other.published_width == pytest.approx(factor * plain.published_width, rel=1e-14)
    np.testing.assert_allclose(other.ratio_f * factor, plain.ratio_f, rtol=1e-13)
    np.testing.assert_allclose(other.ratio_g * factor, plain.ratio_g, rtol=1e-13)
    assert np.array_equal(other.ours_f, plain.ours_f)
    alone = compare_published(**data, setting=setting(), delta=0.01, shares=(), label_noise="scenario")
    assert (alone.ratio_g > plain.ratio_g).all()  # 1/√N in place of d/√N asks for less


def test_what_is_not_known_is_nan_and_what_is_not_proved_infinite(data):
    untrained = compare_published(**data, setting=setting(T_f=0.0), delta=0.01, shares=())
    assert np.isnan(untrained.ratio_f).all()  # ∞/∞
    assert np.isinf(untrained.ours_f).all()
    logistic = compare_published(**data, setting=setting(loss="logistic"), delta=0.01, shares=(0.5,))
    assert np.isinf(logistic.ratio_f).all()
    assert logistic.ratio_widths == {0.5: math.inf}
    Z, X, y, X_adv, y_adv = data.values()
    at_zero = compare_published(
        np.zeros((1, 8)), X=X, y=y, X_adv=X_adv, y_adv=y_adv, setting=setting(), delta=0.01, shares=()
    )
    assert np.isnan([*at_zero.ratio_f, *at_zero.ratio_g]).all()  # f̂(0) = 0 whatever f_b is
    far = compare_published(
        1e200 * Z, X=X, y=y, X_adv=X_adv, y_adv=y_adv, setting=setting(), delta=0.01, shares=()
    )
    assert not (np.abs(far.f_hat) > far.ours_f).any()


def test_comparison_refuses_bad_arguments(data):
    with pytest.raises(ValueError, match=r"delta must lie in \(0, 1\), got 1"):
        compare_published(**data, setting=setting(), delta=1.0)
    with pytest.raises(ValueError, match="log_power must be >= 0, got -1"):
        compare_published(**data, setting=setting(), delta=0.1, log_power=-1.0)
    with pytest.raises(ValueError, match="constant must be > 0, got 0"):
        compare_published(**data, setting=setting(), delta=0.1, constant=0.0)
