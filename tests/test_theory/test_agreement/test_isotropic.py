"""Agreement over times without data: the expression, its limits and inverse, and simulated wide networks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from theory import deep, expressions as ex
from theory.agreement import isotropic_agreement, isotropic_time, kernel_slope
from theory.deep import Architecture, Rates
from theory.predictors import f_predict, g_predict, perturbation_direction

ReLU = Architecture()
INF = math.inf
SIZES = {"architecture": Architecture(depth=2, negative_slope=0.2), "dim": 25, "N": 40, "epsilon": 0.7}


def values(network, dim, N, epsilon):
    """Return the symbols of the expression, by kernels of points in d dimensions."""
    x, z = math.sqrt(dim) * np.eye(dim)[:2]
    near = deep.phi(epsilon * np.eye(dim)[0], z, architecture=network)
    return {
        **{ex.d: dim, ex.N: N, ex.epsilon: epsilon, ex.kernel_slope: kernel_slope(network), ex.A_0: near},
        ex.Phi_0: deep.phi(x, z, architecture=network),
        ex.sigma: math.sqrt(deep.nngp(z, architecture=network)),
        ex.G_0: network.initial_gradient_norm,
    }


@pytest.mark.parametrize(("T_f", "T_g"), [(0, 2), (0.3, 0.5), (1, 1), (7, 3)])
def test_law_and_time_are_the_expressions(T_f, T_g):
    known = values(*SIZES.values()) | {ex.T_f: T_f, ex.T_g: T_g}
    correlation = float(ex.ISOTROPIC_CORRELATION.subs(known))
    found = isotropic_agreement(T_f=T_f, T_g=T_g, **SIZES)
    assert found == pytest.approx(0.5 + math.asin(correlation) / math.pi, rel=1e-12)
    solved = float(ex.ISOTROPIC_TIME.subs(known | {ex.sine: sp.Float(correlation, 30)}))
    assert solved == pytest.approx(T_g, rel=1e-9)
    assert isotropic_time(found, T_f=T_f, **SIZES) == pytest.approx(T_g, rel=1e-9)


def test_floor_of_relu_is_that_of_a_network_that_is_not_trained():
    floor = isotropic_agreement(T_f=0, T_g=INF, architecture=ReLU, dim=40, N=10**9, epsilon=6.0)
    assert floor == pytest.approx(1 - math.acos(1 / math.sqrt(3)) / math.pi, rel=1e-8)
    # In general, ω = 1/G₀: (√Φ₀/σ)/√(1 + 1/(Nε²ω²Φ₀)), with (G₀² − Φ₀)/(NΦ₀) of the perturbations themselves.
    found, at = isotropic_agreement(T_f=0, T_g=INF, **SIZES), values(*SIZES.values())
    own = 1 + (at[ex.G_0] ** 2 - at[ex.Phi_0]) / (40 * at[ex.Phi_0])
    noise = at[ex.G_0] ** 2 / (40 * 0.7**2 * at[ex.Phi_0])
    correlation = math.sqrt(at[ex.Phi_0] / (own + noise)) / at[ex.sigma]
    assert found == pytest.approx(1 - math.acos(correlation) / math.pi, rel=1e-12)


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("targets", [False, True])
def test_long_training_is_bias_of_f_and_noise_of_targets(classes, targets):
    slope = kernel_slope(SIZES["architecture"])
    excess = ((0 if classes else (1 + slope) ** 2) + 2 * slope**2) / 25
    noise = 0 if targets else 1 / (40 * 0.7**2)
    correlation = 1 / math.sqrt((1 + excess) * (1 + noise))
    found = isotropic_agreement(T_f=INF, T_g=INF, **SIZES, balanced_classes=classes, balanced_targets=targets)
    assert found == pytest.approx(1 - math.acos(correlation) / math.pi, rel=1e-12)
    late = isotropic_agreement(T_f=1e8, T_g=1e8, **SIZES, balanced_classes=classes, balanced_targets=targets)
    assert late == pytest.approx(found, rel=1e-7)


def test_agreement_near_1_keeps_its_digits():
    """Disagreement √excess/π is 1e-8 of 1: all of its digits are there."""
    network, dim = Architecture(), 10**16
    found = isotropic_agreement(
        T_f=INF,
        T_g=INF,
        **{"architecture": network, "dim": dim, "N": 9, "epsilon": 1.0},
        balanced_classes=True,
        balanced_targets=True,
    )
    expected = math.sqrt(2) * kernel_slope(network) / math.sqrt(dim) / math.pi
    assert 1 - found == pytest.approx(expected, abs=2e-16)


def test_times_that_no_g_needs_or_reaches():
    assert isotropic_time(0.5, T_f=1, **SIZES) == 0
    assert isotropic_agreement(T_f=1, T_g=0, **SIZES) == 0.5
    limit = isotropic_agreement(T_f=1, T_g=INF, **SIZES)
    assert isotropic_time(limit + 1e-9, T_f=1, **SIZES) == INF
    assert math.isfinite(isotropic_time(limit - 1e-9, T_f=1, **SIZES))


@pytest.mark.parametrize(
    ("tiny", "huge"), [({"T_f": 1e-200}, {"T_f": 1e200}), ({"T_g": 1e-200}, {"T_g": 1e200}),
                       ({"epsilon": 1e-200}, {"epsilon": 1e200}), ({}, {"N": 10**200})],
)  # fmt: skip
def test_sizes_beyond_the_squares_of_floats_have_the_limits(tiny, huge):
    """Those of 1e-12 and 1e12 to many digits, as does the time of g, in units of 1/ε where that is tiny."""
    given = {"T_f": 1.5, "T_g": 0.7} | SIZES
    for extreme in (tiny, huge):
        near = {name: 10**12 if value > 1 else 1e-12 for name, value in extreme.items()}
        limit = isotropic_agreement(**given | near)
        assert isotropic_agreement(**given | extreme) == pytest.approx(limit, abs=1e-11)
        if not {"T_g", "epsilon"} & {*extreme}:
            found, limit = (
                isotropic_time(0.6, **{name: value for name, value in (given | one).items() if name != "T_g"})
                for one in (extreme, near)
            )
            assert found == pytest.approx(limit, rel=1e-6)


def test_the_shortest_perturbations_and_times_teach_nothing():
    given = {"T_f": 1.5, "T_g": 0.7} | SIZES
    assert isotropic_agreement(**given | {"epsilon": 5e-324}) == 0.5
    assert isotropic_agreement(**given | {"T_g": 5e-324}) == 0.5
    assert isotropic_time(0.6, T_f=1.5, **SIZES | {"epsilon": 1e-200}) == INF


def simulated(network, rng, *, dim, N, epsilon, T_f, T_g, classes, targets, points=60):
    """Return the agreement of one pair of lazy networks of width 1,000 on isotropic data, nothing trained.

    Initial networks are real ones; training adds T times the velocities of infinite width.
    """
    X, Z = rng.normal(size=(N, dim)), rng.normal(size=(points, dim))
    y, t = (
        rng.permutation(np.arange(N) % 2 * 2.0 - 1) if balanced else rng.choice([-1.0, 1.0], N)
        for balanced in (classes, targets)
    )
    (f, gradients), (g, _) = (initial(network, rng, X, Z) for _ in "fg")
    pull = gradients + T_f * perturbation_direction(X=X, y=y, architecture=network)
    R = epsilon * t[:, None] * pull / np.linalg.norm(pull, axis=1, keepdims=True)
    f = f + T_f * f_predict(Z, X=X, y=y, architecture=network)
    g = g + T_g * g_predict(Z, X_adv=R, y_adv=t, architecture=network)
    return np.mean(np.sign(f) == np.sign(g))


def initial(network, rng, X, Z, width=1000):
    """Return outputs at Z and input gradients at X of an untrained network, written out."""
    dim, gamma = X.shape[1], network.negative_slope
    W, b = [rng.normal(size=(width, dim)) / math.sqrt(dim)], [rng.normal(size=width)]
    for _ in range(network.depth - 1):
        W.append(rng.normal(size=(width, width)) * math.sqrt(network.resolved_weight_variance / width))
        b.append(np.zeros(width))
    a = rng.normal(size=width) / math.sqrt(width)

    def forward(points):
        kinks, h = [], points
        for matrix, bias in zip(W, b, strict=True):
            u = h @ matrix.T + bias
            kinks.append(np.where(u > 0, 1.0, gamma))
            h = u * kinks[-1]
        return h @ a, kinks

    back = np.broadcast_to(a, (len(X), width))
    for matrix, kinks in zip(reversed(W), reversed(forward(X)[1]), strict=True):
        back = (back * kinks) @ matrix
    return forward(Z)[0], back


CASES = {  # none of them is quoted in the derivation
    "floor": (ReLU, {"dim": 60, "N": 300, "epsilon": 5.0, "T_f": 0, "T_g": 1e6}, False, True),
    "floor of few samples": (ReLU, {"dim": 60, "N": 6, "epsilon": 3.0, "T_f": 0, "T_g": 1e6}, False, True),
    "small ε": (ReLU, {"dim": 40, "N": 150, "epsilon": 0.15, "T_f": 0.5, "T_g": 1e3}, True, False),
    "times": (
        Architecture(negative_slope=0.3),
        {"dim": 50, "N": 100, "epsilon": 4.0, "T_f": 2, "T_g": 1},
        True,
        True,
    ),
    "two layers": (
        Architecture(depth=2),
        {"dim": 50, "N": 80, "epsilon": 3.0, "T_f": 6, "T_g": 40},
        False,
        True,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_law_is_that_of_simulated_networks(name):
    """Mean over 400 pairs, within .02 (leading order) and 4 standard errors (failure probability 6e-5)."""
    network, sizes, classes, targets = CASES[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    pairs = 400 if network.depth == 1 else 120
    found = [simulated(network, rng, **sizes, classes=classes, targets=targets) for _ in range(pairs)]
    error = np.std(found, ddof=1) / math.sqrt(pairs)
    law = isotropic_agreement(
        architecture=network, **sizes, balanced_classes=classes, balanced_targets=targets
    )
    assert np.mean(found) == pytest.approx(law, abs=0.02 + 4 * error)


def test_bad_input():
    given = {"T_f": 1, "T_g": 1} | SIZES
    for changes, message in (
        ({"T_f": -1}, "T_f must be >= 0, got -1"),
        ({"T_g": math.nan}, "T_g must be finite, got nan"),
        ({"epsilon": 0}, "epsilon must be > 0, got 0"),
        ({"architecture": replace(ReLU, rates="all")}, 'architecture must have rates "first", got all'),
        (
            {"architecture": replace(ReLU, rates=Rates(first=2.0))},
            'architecture must have rates "first", got',
        ),
    ):
        with pytest.raises(ValueError, match=message):
            isotropic_agreement(**given | changes)
    for share in (0.4, 1.0):
        with pytest.raises(ValueError, match=r"share must lie in \[1/2, 1\), got"):
            isotropic_time(share, T_f=1, **SIZES)
