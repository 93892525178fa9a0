"""How long f must train, against the formulas, and against draws of f in the wide limit."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, strategies as st
from scipy import stats

import theory
from theory import deep, expressions as ex
from theory.times import gradient_time, success_probability, success_time

RNG = np.random.default_rng(0)
X, Z = RNG.standard_normal((12, 5)) + 0.3, RNG.standard_normal((6, 5))
y = np.where(np.arange(12) % 3, 1.0, -1.0)
DEEP = deep.Architecture(depth=3, negative_slope=0.2, bias_variance=0.1, rates="all")
BOTH = pytest.mark.parametrize("architecture", [None, DEEP], ids=["two layers", "deep"])
DATA = {"X": X, "y": y}


@BOTH
def test_the_probability_is_the_expression(architecture):
    F = np.abs(theory.f_predict(Z, **DATA, architecture=architecture))
    deviation = theory.initial_deviation(Z, architecture=architecture)
    formula = sp.lambdify([ex.T, ex.rate, ex.sigma], ex.SUCCESS, "scipy")
    got = success_probability(Z, **DATA, T=[0.0, 0.7, 3.0], architecture=architecture)
    np.testing.assert_allclose(got, [formula(T, F, deviation) for T in (0.0, 0.7, 3.0)], rtol=1e-14)
    time = sp.lambdify([ex.q, ex.rate, ex.sigma], ex.SUCCESS_TIME, "scipy")
    times = success_time(Z, **DATA, share=0.9, mean=False, architecture=architecture)
    np.testing.assert_allclose(times, time(0.9, F, deviation), rtol=1e-12)


def test_draws_of_f_have_that_sign_as_often():
    """72 shares of 4,000 draws; the test fails by chance with probability 1e-5."""
    T, count = 1.5, 4000
    _, initial = theory.draw_initial_outputs(Z, X=X, num_samples=count, rng=np.random.default_rng(1))
    F = theory.f_predict(Z, **DATA)
    right = (np.sign(initial + T * F) == np.sign(F)).sum(axis=0)
    chances = success_probability(Z, **DATA, T=T)
    low, high = stats.binom.interval(1 - 1e-5 / len(Z), count, chances)
    assert ((low <= right) & (right <= high)).all()


@BOTH
@given(share=st.floats(0.51, 0.999))
def test_the_time_of_a_mean_share_has_that_share(architecture, share):
    T = success_time(Z, **DATA, share=share, architecture=architecture)
    assert success_probability(Z, **DATA, T=T, architecture=architecture).mean() == pytest.approx(share)
    alone = success_time(Z[0], **DATA, share=share, architecture=architecture)
    assert alone == pytest.approx(
        success_time(Z[0], **DATA, share=share, mean=False, architecture=architecture)
    )


def test_points_without_a_sign_are_never_right_more_than_half_of_the_time():
    opposite = {"X": [[1.0, 0.0], [1.0, 0.0]], "y": [1, -1]}  # F = 0
    assert success_probability([1.0, 1.0], **opposite, T=1e9) == 0.5
    assert success_time([1.0, 1.0], **opposite, share=0.6) == np.inf
    assert success_time([[1.0, 1.0]], **opposite, share=0.6, mean=False).tolist() == [np.inf]
    assert gradient_time(**opposite).tolist() == [np.inf, np.inf]
    half, odd = [[0.0], [1.0]], {"X": [[1.0], [-1.0]], "y": [1, -1]}  # F(0) = 0
    assert theory.f_predict(half, **odd).tolist()[0] == 0
    T = success_time(half, **odd, share=0.7)
    assert success_probability(half, **odd, T=T).mean() == pytest.approx(0.7)
    assert success_time(half, **odd, share=0.76) == np.inf


@BOTH
def test_the_gradient_time_balances_the_two_parts(architecture):
    chosen = architecture or deep.Architecture()
    norms = np.linalg.norm(theory.perturbation_direction(Z, **DATA, architecture=chosen), axis=1)
    times = gradient_time(Z, **DATA, architecture=architecture)
    np.testing.assert_allclose(times * norms, chosen.initial_gradient_norm, rtol=1e-13)
    H, _ = deep.initial_covariances(np.eye(5), X=X, architecture=chosen)
    np.testing.assert_allclose(np.einsum("znn->n", H), chosen.initial_gradient_norm**2, rtol=1e-12)


@pytest.mark.parametrize("share", [0.5, 1.0, 0.3])
def test_a_share_that_means_nothing_is_refused(share):
    with pytest.raises(ValueError, match=rf"share must lie in \(0.5, 1\).*got {share}"):
        success_time(Z, **DATA, share=share)


def test_bad_times_are_refused():
    with pytest.raises(ValueError, match="T must be >= 0, got -1"):
        success_probability(Z, **DATA, T=-1.0)
    with pytest.raises(ValueError, match=r"T must be a number or have shape \(F,\), got \(1, 1\)"):
        success_probability(Z, **DATA, T=[[1.0]])
    with pytest.raises(ValueError, match="negative_slope must be left out"):
        success_probability(Z, **DATA, T=1.0, negative_slope=0.1, architecture=DEEP)


def test_an_error_that_overflows_makes_no_velocity_zero():
    """F(z) grows with samples; ‖x‖² overflows before it does, and later still ‖x‖²/d."""
    unit = X / np.sqrt(np.mean(X**2, axis=1, keepdims=True))
    smaller, *larger = (
        success_time(1e-6 * Z, X=size * unit, y=y, share=0.9, mean=False) * size
        for size in (1e150, 1.2e154, 1e155)
    )
    np.testing.assert_allclose(larger, [smaller, smaller], rtol=1e-12)
    assert np.isfinite(larger).all()
