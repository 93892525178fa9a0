"""Deep kernels in balls: they contain the exact value, are narrow, and cover whole balls."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from flint import arb
from hypothesis import given, strategies as st

from tests.test_theory.test_deep.reference import exact
from theory import deep
from theory.deep import Architecture

ARCHITECTURES = [
    Architecture(depth=L, negative_slope=gamma, bias_variance=bias, rates=rates, residual=residual)
    for L, gamma, bias, rates, residual in itertools.product(
        (1, 2, 12), (0.0, 0.3, 0.999), (0.0, 0.1), ("first", "all"), (None, 0.5)
    )
]


def contains(enclosure, value):
    """Whether the ball contains a number of 100 digits, which is known to 90 of them."""
    slack = arb(mp.nstr(abs(value) * mp.mpf(10) ** -90, 5))
    return bool((enclosure.ball + arb(0, slack.abs_upper())).overlaps(arb(mp.nstr(value, 99))))


@pytest.mark.parametrize("gap", [1.0, 1e-6, 1e-12, 0.0, None])
def test_balls_contain_the_exact_value_and_are_narrow(gap):
    rng = np.random.default_rng(8)
    for architecture in ARCHITECTURES:
        x = rng.standard_normal(3)
        z = -1e6 * x if gap is None else x + gap * rng.standard_normal(3)
        tangent, covariance, *_ = exact(x, z, architecture)
        for enclose, value in ((deep.ntk_enclosure, tangent), (deep.nngp_enclosure, covariance)):
            with mp.workdps(120):
                ball = enclose(x, z, architecture=architecture)
                assert contains(ball, value), architecture
                assert ball.radius <= 2.0**-120 * float(abs(value)), architecture


@given(
    seed=st.integers(0, 2**32 - 1), architecture=st.sampled_from(ARCHITECTURES), exponent=st.integers(-9, 0)
)
def test_balls_of_points_are_covered(seed, architecture, exponent):
    rng, r = np.random.default_rng(seed), 10.0**exponent
    x = rng.standard_normal(3)
    z = x + rng.choice([0.0, 1e-3, 1.0]) * rng.standard_normal(3)
    ball = deep.ntk_enclosure([arb(v, r) for v in x], [arb(v, r) for v in z], architecture=architecture)
    moved = [point + r * rng.uniform(-1, 1, 3) * 0.999 for point in (x, z)]
    inside = deep.ntk_enclosure(*moved, architecture=architecture)
    assert ball.overlaps(inside)
    assert not ball.ball.is_finite() or ball.lower <= inside.upper
    assert not ball.ball.is_finite() or ball.contains(inside.ball)


@pytest.mark.parametrize("bias", [0.1, 1e6])
@pytest.mark.parametrize("rates", ["first", "all"])
def test_wide_balls_whose_variances_reach_below_zero_are_covered(bias, rates):
    """There √ of a variance is NaN, of which nothing may be concluded."""
    architecture = Architecture(depth=2, bias_variance=bias, rates=rates)
    x = np.array([-12.25, -2.5])
    for r, z in itertools.product((5.0, 10.0, 100.0), (x, -x, -10 * x)):
        for enclose in (deep.ntk_enclosure, deep.nngp_enclosure):
            ball = enclose([arb(v, r) for v in x], [arb(v, r) for v in z], architecture=architecture)
            inside = enclose(x, z, architecture=architecture)
            assert not ball.ball.is_finite() or ball.ball.contains(inside.ball), (r, z)


def test_floats_stand_for_what_they_store():
    """σ_w² = 1/g₀ is exact where it is the default, a binary fraction where it is typed."""
    exactly = Architecture(depth=9, negative_slope=0.1)
    typed = Architecture(depth=9, negative_slope=0.1, weight_variance=exactly.resolved_weight_variance)
    assert not deep.ntk_enclosure([1], [1], architecture=exactly).overlaps(
        deep.ntk_enclosure([1], [1], architecture=typed)
    )
