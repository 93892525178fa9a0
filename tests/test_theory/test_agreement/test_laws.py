"""Laws of condition (c) against their expressions, the recursion by hand, and simulated labels."""

import itertools
import math

import numpy as np
import pytest
import sympy as sp

from tests.test_theory.test_agreement.simulated import disagreements
from theory import expressions as ex
from theory.agreement import (
    condition_agreement,
    effective_dimension,
    kernel_slope,
    limiting_kernel_slope,
    mixture_accuracy,
    mixture_separation,
    random_label_agreement,
)
from theory.deep import Architecture

ReLU = Architecture()


def slope_by_layers(network):
    """κ_Φ = Σ_l c₀/(sin θ_l Φ_l v_l) Π_{j<l} σ_w² Φ_j, of plain layers, from K alone."""
    g0, c0, weight = network.half_square, network.kink_factor, network.resolved_weight_variance
    v, c, factor, total = 2.0, 1.0, 1.0, 0.0
    for _ in range(network.depth):
        theta = math.acos(c / v)
        phi = g0 - c0 * theta
        total += c0 / (math.sin(theta) * phi * v) * factor
        factor *= weight * phi
        K = v * (c / v * phi + c0 * math.sin(theta))
        c, v = weight * K + network.bias_variance, weight * g0 * v + network.bias_variance
    return total


@pytest.mark.parametrize(
    "network",
    [
        ReLU,
        Architecture(depth=2, negative_slope=0.35),
        Architecture(depth=7, negative_slope=0.1),
        Architecture(depth=3, negative_slope=0.2, weight_variance=1.3, bias_variance=0.4),
        Architecture(depth=5, rates="all"),
    ],
)
def test_slope_is_the_sum_over_layers(network):
    assert kernel_slope(network) == pytest.approx(slope_by_layers(network), rel=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_slope_of_one_layer_is_the_expression(gamma):
    found = kernel_slope(Architecture(negative_slope=gamma))
    assert found == pytest.approx(float(ex.KERNEL_SLOPE.subs(ex.gamma, gamma)), rel=1e-13)


def test_slope_of_residual_blocks_is_a_difference_quotient():
    from theory.deep import phi  # noqa: PLC0415

    network, h = Architecture(depth=4, residual=0.5, branch_variance=1.5, negative_slope=0.1), 1e-5
    x = [math.sqrt(2), 0.0]
    logs = [
        math.log(phi(x, [math.sqrt(2) * s, math.sqrt(2 - 2 * s**2)], architecture=network)) for s in (h, -h)
    ]
    assert kernel_slope(network) == pytest.approx((logs[0] - logs[1]) / (2 * h), rel=1e-8)


@pytest.mark.parametrize("gamma", [0.0, 0.4, 0.8])
def test_slope_is_bounded_in_depth(gamma):
    """Against 2¹⁷ layers by hand and the rest in closed form."""
    network, limit = Architecture(negative_slope=gamma), limiting_kernel_slope(gamma)
    share, deficit, factor, total = network.kink_factor / network.half_square, 0.5, 1.0, 0.0
    for _ in range(1 << 17):
        theta = 2 * math.asin(math.sqrt(deficit / 2))
        total += share / (math.sin(theta) * (1 - share * theta)) * factor / 2
        factor *= 1 - share * theta
        bracket = theta**3 / 3 - theta**5 / 30 if theta < 1e-2 else math.sin(theta) - theta * math.cos(theta)
        deficit -= share * bracket
    theta = sp.Float(math.sqrt(2 * deficit), 40)
    rest = float(ex.KERNEL_SLOPE_REST.subs({ex.theta: theta, ex.kink_share: share}))
    assert limit == pytest.approx(total + factor / 2 * rest, rel=1e-5)
    assert kernel_slope(Architecture(depth=100, negative_slope=gamma)) < total < limit


def test_limit_of_linear_networks():
    at_one = math.pi / 6 / (math.sin(math.pi / 3) - math.pi / 3 * math.cos(math.pi / 3))
    assert limiting_kernel_slope(1 - 1e-4) == pytest.approx(at_one, rel=1e-5)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("N", [4, 10, 60])
def test_spread_is_the_mean_of_what_moves_the_sign(N, balanced):
    """Of 100,000 draws, within 5 standard errors (failure probability 6e-7) and, random labels, 1.2 %."""
    rng = np.random.default_rng(N)
    w = rng.normal(size=(100_000, N))
    w -= w.mean(axis=1, keepdims=True)
    y = np.where(np.arange(N) % 2, 1.0, -1.0) if balanced else rng.choice([-1.0, 1.0], w.shape)
    X = np.sum(y * w**2, axis=1)
    found = np.abs(X) * math.sqrt(math.pi / (2 * N))
    expected = math.sqrt((ex.BALANCED_SPREAD if balanced else ex.LABEL_SPREAD).subs(ex.N, N).evalf())
    error = found.std(ddof=1) / math.sqrt(len(found))
    assert found.mean() == pytest.approx(expected, abs=5 * error + (0 if balanced else 0.012 * expected))
    if not balanced:
        for power, moment in ((2, ex.LABEL_SQUARE), (4, ex.LABEL_FOURTH)):
            error = np.std(X**power) / math.sqrt(len(X))
            assert np.mean(X**power) == pytest.approx(float(moment.subs(ex.N, N)), abs=5 * error)


@pytest.mark.parametrize("balanced", [False, True])
def test_spread_of_many_and_of_one_or_two_samples(balanced):
    """Φ is linear in ⟨x, z⟩ to leading order: without slope there is nothing to disagree about."""
    sizes = {"architecture": ReLU, "dim": 100, "balanced_classes": balanced}
    limit = math.atan(kernel_slope(ReLU) * math.sqrt((3, 2)[balanced] / 100)) / math.pi
    assert 1 - condition_agreement(**sizes, N=10**7) == pytest.approx(limit, rel=1e-6)
    assert condition_agreement(**sizes, N=1 + balanced) == 1


@pytest.mark.parametrize(("N", "balanced"), [(3, False), (10, False), (4, True), (10, True)])
def test_few_samples_disagree_as_often_as_the_law_says(N, balanced):
    """Signs of Σ y_k p_k (1 + κ p_k/d) and Σ y_k p_k, of 400,000 draws: within 5 standard errors and 3 %."""
    rng, d, kappa = np.random.default_rng(N), 400, kernel_slope(ReLU)
    p = math.sqrt(d) * rng.normal(size=(400_000, N))
    y = np.where(np.arange(N) % 2, 1.0, -1.0) if balanced else rng.choice([-1.0, 1.0], p.shape)
    found = np.mean(np.sum(y * p, axis=1) * np.sum(y * p * (1 + kappa * p / d), axis=1) < 0)
    law = 1 - condition_agreement(architecture=ReLU, dim=d, N=N, balanced_classes=balanced)
    assert found == pytest.approx(law, abs=5 * math.sqrt(law / len(p)) + 0.03 * law)


@pytest.mark.parametrize("separation", [0.0, 1.3])
@pytest.mark.parametrize("balanced", [False, True])
def test_law_is_the_expression(balanced, separation):
    network = Architecture(depth=2, negative_slope=0.2)
    spread = ex.BALANCED_SPREAD if balanced else ex.LABEL_SPREAD
    values = {ex.separation: separation**2, ex.kernel_slope: kernel_slope(network), ex.d: 50, ex.N: 70}
    expected = ex.CONDITION_DISAGREEMENT.subs(ex.spread, spread).subs(values)
    sizes = {"architecture": network, "dim": 50, "N": 70, "balanced_classes": balanced}
    assert 1 - condition_agreement(**sizes, separation=separation) == pytest.approx(
        float(expected), rel=1e-12
    )


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_law_of_correlated_inputs_has_their_effective_dimension(power):
    """Within 10 %, as the law, of exact correlations; and d_eff itself is that of the spectrum."""
    rng, d = np.random.default_rng(8), 200
    spectrum = np.arange(1, d + 1.0) ** -power
    spectrum *= d / spectrum.sum()
    X, Z = (rng.normal(size=(300, d)) * np.sqrt(spectrum) for _ in range(2))
    effective = effective_dimension(X)
    assert effective == pytest.approx(d**2 / np.sum(spectrum**2), rel=0.05)
    exact = np.mean(1 - random_label_agreement(Z, X=X))
    assert exact == pytest.approx(1 - condition_agreement(architecture=ReLU, dim=effective, N=300), rel=0.1)


def test_effective_dimension_of_special_inputs():
    assert effective_dimension([[1.0, 0.0], [-1.0, 0.0]]) == 1
    assert effective_dimension([[1.0, 0.0], [0.0, 1.0]]) == math.inf
    X = np.random.default_rng(0).normal(size=(5, 3))
    for scale in (1e-200, 1e200):
        assert effective_dimension(scale * X) == pytest.approx(effective_dimension(X), rel=1e-12)
    assert math.isnan(effective_dimension([[0.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="X must have at least two rows, got 1"):
        effective_dimension([[1.0, 2.0]])


def test_few_samples_are_exact():
    """One sample, or two of different classes, fix both signs up to a common one."""
    assert condition_agreement(architecture=ReLU, dim=5, N=1) == 1
    assert condition_agreement(architecture=ReLU, dim=5, N=2, balanced_classes=True) == 1


@pytest.mark.parametrize("dim", [1, 30, 1000])
@pytest.mark.parametrize("accuracy", [0.5, 0.7, 0.99])
def test_separation_is_the_inverse_of_accuracy(accuracy, dim):
    mu = mixture_separation(accuracy, dim=dim, N=40)
    assert mixture_accuracy(mu, dim=dim, N=40) == pytest.approx(accuracy, rel=1e-12)


# Settings that the derivation does not quote.
SMALL = [
    {"architecture": Architecture(negative_slope=0.05), "dim": 40, "N": 60},
    {"architecture": Architecture(depth=3, negative_slope=0.15), "dim": 90, "N": 150, "balanced": True},
]
RANDOM = [
    {"architecture": Architecture(depth=L, negative_slope=gamma), "dim": d, "N": N, "balanced": balanced}
    for gamma, L, d, N, balanced in itertools.product(
        (0.05, 0.4), (1, 2, 4), (40, 150, 400), (60, 250), (False, True)
    )
]
MIXTURES = [
    {"architecture": Architecture(depth=L, negative_slope=0.15), "dim": d, "N": N, "separation": mu}
    for L, d, N, mu in itertools.product((1, 2), (40, 150), (60, 250), (0.8, 1.2, 1.7))
]


def check(setting, **many):
    """Assert |measured/law − 1| ≤ .1 + 2 relative standard errors, over data sets."""
    rng = np.random.default_rng(setting["dim"] * setting["N"])
    measured = disagreements(rng, **setting, **many)
    given = dict(setting)
    law = 1 - condition_agreement(balanced_classes=given.pop("balanced", False), **given)
    error = measured.std(ddof=1) / math.sqrt(len(measured)) / law
    return abs(measured.mean() / law - 1) <= 0.1 + 2 * error


@pytest.mark.parametrize("setting", SMALL)
def test_law_is_measured(setting):
    assert check(setting, sets=6, draws=100, points=150)


@pytest.mark.slow
def test_law_is_measured_on_a_grid():
    """96 settings; a law within 10 % misses the band with probability .023 at most, 9 of 96 with 2e-4."""
    assert len(RANDOM) + len(MIXTURES) == 96
    kept = [check(setting) for setting in RANDOM]
    kept += [check(setting, sets=150, points=300) for setting in MIXTURES]
    assert kept.count(False) < 9


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_sizes_beyond_the_squares_of_floats_have_the_limits(size):
    """‖μ‖ → 0 is no μ; ‖μ‖ → ∞ classes that are told apart; so is d → ∞, of which (c) has none to fail."""
    network = Architecture(negative_slope=0.2)
    free = condition_agreement(architecture=network, dim=30, N=40)
    agreement = condition_agreement(architecture=network, dim=30, N=40, separation=size)
    assert agreement == (free if size < 1 else 1)
    assert mixture_accuracy(size, dim=30, N=40) == (0.5 if size < 1 else 1)
    if size > 1:
        assert condition_agreement(architecture=network, dim=size, N=40) == 1
        mu = mixture_separation(0.8, dim=int(size), N=1)
        assert mixture_accuracy(mu, dim=int(size), N=1) == pytest.approx(0.8, rel=1e-12)


def test_bad_input():
    for changes, message in (
        ({"dim": 0}, "dim must be >= 1, got 0"),
        ({"N": 0}, "N must be >= 1, got 0"),
        ({"separation": -1.0}, "separation must be >= 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            condition_agreement(**{"architecture": ReLU, "dim": 3, "N": 3} | changes)
    for accuracy in (0.49, 1.0):
        with pytest.raises(ValueError, match=r"accuracy must lie in \[1/2, 1\), got"):
            mixture_separation(accuracy, dim=3, N=3)
    with pytest.raises(TypeError, match=r"architecture must be a theory.deep.Architecture, got float"):
        kernel_slope(0.1)
    with pytest.raises(ValueError, match=r"negative_slope must lie in \[0, 1\)"):
        limiting_kernel_slope(1.0)


def test_rest_of_the_limit_solves_its_equation():
    """S(δ) = c/((1 − cθ) sin θ) + (1 − cθ) S(δ − c (sin θ − θ cos θ)), S a sum over all layers, up to c³."""
    theta, c = sp.symbols("t c", positive=True)
    rest = ex.KERNEL_SLOPE_REST.subs({ex.theta: theta, ex.kink_share: c})

    def along(expression):
        return sp.diff(expression, theta) / sp.sin(theta)  # d/dδ

    step = c * (sp.sin(theta) - theta * sp.cos(theta))
    moved = rest - step * along(rest) + step**2 / 2 * along(along(rest))
    left = c / ((1 - c * theta) * sp.sin(theta)) + (1 - c * theta) * moved - rest
    for angle in (sp.Rational(1, 3), sp.Rational(9, 10)):
        at = left.subs(theta, angle)
        for order in range(3):
            assert sp.N(sp.diff(at, c, order).subs(c, 0), 30, chop=True) == 0
