"""The algebra behind the constants of the margin bounds, by sympy and quadrature; tails by simulation."""

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from scipy import special, stats

from theory import expressions as ex, free_fourth_moment, free_second_moment
from theory.bounds import moments


@pytest.mark.parametrize("tau", [0.0, 1e-300, 1e-9, 0.3, 1.0, 7.0, 1e8, 1e200])
def test_moments_of_free_neurons_are_the_expressions(tau):
    for function, expression in (
        (free_second_moment, ex.FREE_SECOND_MOMENT),
        (free_fourth_moment, ex.FREE_FOURTH_MOMENT),
    ):
        with mp.workdps(30):
            exact = sp.lambdify(ex.tau, expression, "mpmath")(mp.mpf(tau))
        assert float(function(tau)) == pytest.approx(float(exact), rel=1e-14, abs=0)


def test_even_moments_are_at_most_those_of_bernstein():
    """(2j − 1)!! ≤ (j!/2)·3·2^{j−2} for j ≥ 2: equality at 2, and the left grows by 2j + 1 < 2(j + 1)."""
    j = sp.Symbol("j", integer=True, positive=True)
    left, right = sp.factorial2(2 * j - 1), sp.factorial(j) / 2 * 3 * 2 ** (j - 2)
    assert left.subs(j, 2) == right.subs(j, 2) == 3
    growth = sp.simplify(sp.combsimp(right.subs(j, j + 1) / right))
    assert growth == 2 * (j + 1)
    assert sp.simplify(growth - (2 * j + 1)) == 1  # (2j + 1)!!/(2j − 1)!! = 2j + 1


def test_odd_absolute_moments_grow_no_faster():
    """E|α|^{2j+1} = √(2/π) 2^j j! = (j!/2) 2^{j−2} E|α|⁵."""
    j, a = sp.Symbol("j", integer=True, positive=True), sp.Symbol("a", positive=True)
    moment = sp.integrate(2 * a ** (2 * j + 1) * sp.exp(-(a**2) / 2) / sp.sqrt(2 * sp.pi), (a, 0, sp.oo))
    assert sp.simplify(moment - sp.sqrt(2 / sp.pi) * 2**j * sp.gamma(j + 1)) == 0
    fifth = sp.sqrt(2 / sp.pi) * 8
    assert sp.simplify(moment - sp.gamma(j + 1) / 2 * 2 ** (j - 2) * fifth) == 0


def test_generating_function_of_a_neuron():
    """E_α e^{bα + cα²} = (1 − 2c)^{−1/2} e^{b²/(2(1 − 2c))} for c < 1/2."""
    alpha, b = sp.symbols("alpha b", real=True)
    c = sp.Symbol("c", negative=True)  # sympy integrates where the form is surely negative
    density = sp.exp(-(alpha**2) / 2) / sp.sqrt(2 * sp.pi)
    value = sp.integrate(density * sp.exp(b * alpha + c * alpha**2), (alpha, -sp.oo, sp.oo))
    assert sp.simplify(value - sp.exp(b**2 / (2 * (1 - 2 * c))) / sp.sqrt(1 - 2 * c)) == 0


@pytest.mark.parametrize("largest", [0.01, 0.3, 0.9])
def test_inverse_root_is_below_its_parabola(largest):
    """(1 − y)^{−1/2} ≤ 1 + y/2 + (3/8) y²/(1 − Y) for |y| ≤ Y: coefficients decrease from 3/8."""
    coefficients = [sp.binomial(2 * k, k) / sp.Integer(4) ** k for k in range(2, 40)]
    assert coefficients[0] == sp.Rational(3, 8)
    assert all(a > b > 0 for a, b in itertools.pairwise(coefficients))
    for y in np.linspace(-largest, largest, 41):
        assert (1 - y) ** -0.5 <= 1 + y / 2 + 0.375 * y**2 / (1 - largest) + 1e-15


@pytest.mark.parametrize("b", [0.1, 1.0, pytest.param(5.0, marks=pytest.mark.slow)])
def test_average_of_bad_events_over_time_and_readout(b):
    """E[α² (1/r̄)∫₀^{r̄} (2r/√(2π)) erf(br/√2) dr] = (2R/π) β/√(1 + β²), r̄ = |α|R, β = bR; here R = 1."""
    with mp.workdps(20):

        def inner(a):
            value = mp.quad(lambda r: 2 * r / mp.sqrt(2 * mp.pi) * mp.erf(b * r / mp.sqrt(2)), [0, a])
            return 2 * a * value * mp.npdf(a)

        assert abs(mp.quad(inner, [0, 1, 4, 12]) - 2 / mp.pi * b / mp.sqrt(1 + b**2)) < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_three_signs_of_a_gaussian(seed):
    """P(A, B, C > 0) = 1/2 − (θ_AB + θ_BC + θ_AC)/(4π), against scipy's multivariate normal distribution."""
    U = np.random.default_rng(seed).normal(size=(3, 4))
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    C = U @ U.T
    theta = np.arccos(np.clip(C, -1, 1))
    closed = 0.5 - (theta[0, 1] + theta[1, 2] + theta[0, 2]) / (4 * np.pi)
    draws = np.random.default_rng(seed).normal(size=(400_000, 4)) @ U.T
    share = (draws > 0).all(axis=1).mean()
    assert abs(share - closed) < 6 * math.sqrt(closed / 400_000)  # 6 standard errors: below 1e-8
    numeric = stats.multivariate_normal.cdf(np.zeros(3), np.zeros(3), C, abseps=1e-8)
    assert closed == pytest.approx(float(numeric), abs=1e-6)


@pytest.mark.parametrize("slope", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("width", [1, 30])
def test_initial_tail_against_simulation(slope, width):
    """200,000 networks: as many beyond the bound as its risk makes likely (failure probability 1e-6)."""
    rng, n, risk = np.random.default_rng(width), 200_000, 0.02
    total = np.zeros(n)
    for _ in range(width):
        u = 1.5 * rng.normal(size=n)
        total += rng.normal(size=n) / math.sqrt(width) * np.where(u > 0, u, slope * u)
    bound = float(moments.initial_tail(np.array([1.5]), slope, width, risk)[0])
    beyond = int((total >= bound).sum())
    assert special.bdtrc(beyond - 1, n, risk) > 1e-6  # a rate above `risk` would be seen here
    assert beyond / n >= risk / 60  # not vacuous: Chernoff loses a factor, not orders


def test_bounds_that_cannot_be_are_infinite():
    """Where no λ of the grid has room, nothing is claimed."""
    one = np.ones(1)
    for largest in (1e300, math.inf):
        tail = moments.start_tail(
            mean=-one, variance=one, largest=largest * one, scale=one, slope=0.0, width=1, T=1e10, risk=0.01
        )
        assert not np.isfinite(tail).any() or (tail > 0).all()
