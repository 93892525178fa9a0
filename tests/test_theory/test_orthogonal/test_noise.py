"""The label-noise term over all 2^N targets: intervals, concentration, sign condition, counted exactly."""

import itertools

import numpy as np
import pytest

from tests.test_theory.test_orthogonal.cases import exact_multipliers
from theory import Verdict
from theory.orthogonal import (
    label_noise_bound,
    limit_output,
    limit_perturbations,
    multiplier_range,
    multipliers,
    sign_condition,
)

SLOPE = 0.5


def case(seed, *, N=5, dim=400, coherence=0.0):
    """Return base, s; rows are orthonormal up to 0.02, `coherence` adds a common direction to them."""
    rng = np.random.default_rng(seed)
    base = np.linalg.qr(rng.standard_normal((dim, N)))[0].T
    base = base + (0.02 * rng.standard_normal((N, dim)) + coherence) / np.sqrt(dim)
    return base, rng.standard_normal(dim)


@pytest.mark.parametrize("norm", ["L2", "Linf", "L0"])
@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.1])
def test_range_contains_the_multipliers_of_all_targets(norm, epsilon):
    """N = 5, all 32 targets, exact solutions, five data sets; *holds* only if all have a limit network."""
    held = 0
    for seed in range(5):
        base, s = case(seed, dim=60, coherence=0.1 * (seed % 2))
        options = {"norm": norm, "epsilon": epsilon, "amplitude": 0.1}
        found = multiplier_range(base, s, negative_slope=SLOPE, **options)
        if not found.dominant:
            assert found.verdict is Verdict.UNKNOWN
            continue
        for targets in itertools.product([-1.0, 1.0], repeat=5):
            X_adv = limit_perturbations(base, s, targets, **options)
            exact = exact_multipliers(X_adv, targets, SLOPE)
            assert all(
                low <= value <= high for low, value, high in zip(found.lower, exact, found.upper, strict=True)
            )
            if found.verdict is Verdict.HOLDS:
                assert multipliers(X_adv, targets, negative_slope=SLOPE).verdict is Verdict.HOLDS
        held += found.verdict is Verdict.HOLDS
    assert held >= 3 or epsilon > 0.01


def test_range_is_attained_by_one_sample():
    """N = 1: λ = 2/((1 + γ²)‖x‖²), with both signs of the perturbation."""
    base, s = np.array([[3.0, 1.0]]), np.array([1.0, 0.0])
    found = multiplier_range(base, s, negative_slope=SLOPE, epsilon=0.5)
    assert found.lower == pytest.approx([1.6 / (3.5**2 + 1)], rel=1e-12)
    assert found.upper == pytest.approx([1.6 / (2.5**2 + 1)], rel=1e-12)
    assert found.verdict is Verdict.HOLDS


def test_dominance_alone_does_not_make_a_limit_network():
    """γ = .05, two unit rows with inner product .3: invertible for all targets, wrong pattern for (1, −1)."""
    base = np.array([[1.0, 0], [0.3, np.sqrt(0.91)]])
    found = multiplier_range(base, [1.0, 1], negative_slope=0.05, epsilon=0.0)
    assert found.dominant
    assert (found.lower > 0).all()
    assert found.verdict is Verdict.UNKNOWN
    assert multipliers(base, [1, -1], negative_slope=0.05).verdict is Verdict.FAILS


def all_targets(Z, base, s, **options):
    """Return the label-noise term and f_adv at every z for all targets, shapes (2^N, Q)."""
    noise, whole = [], []
    for targets in itertools.product([-1.0, 1.0], repeat=len(base)):
        X_adv = limit_perturbations(base, s, targets, **options)
        known = multipliers(X_adv, targets, negative_slope=SLOPE)
        noise.append(Z @ (base.T @ (known.values * targets)))
        whole.append(limit_output(Z, X=X_adv, y=targets, negative_slope=SLOPE, multipliers=known))
    return np.array(noise), np.array(whole)


@pytest.mark.parametrize("delta", [0.02, 0.1, 0.5])
def test_label_noise_is_within_its_bound_for_all_but_a_share_of_targets(delta):
    """N = 8, all 256 targets at 12 points: the share beyond the bound is at most δ, counted."""
    base, s = case(1, N=8)
    Z = np.vstack([np.random.default_rng(2).standard_normal((11, 400)), base.sum(axis=0)])
    options = {"norm": "L2", "epsilon": 0.05}
    noise, _ = all_targets(Z, base, s, **options)
    bound = label_noise_bound(Z, base=base, direction=s, negative_slope=SLOPE, delta=delta, **options)
    assert ((np.abs(noise) > bound.value).mean(axis=0) <= delta).all()
    assert np.quantile(np.abs(noise), 1 - delta, axis=0).max() > 0.2 * bound.value.min()
    assert bound.delta == delta
    assert set(bound.terms) == {"random targets", "multipliers that depend on the targets"}


def test_concentration_is_that_of_hoeffding():
    """Orthonormal base, ε = 0, z their sum, δ = .05: A = 1.6 Σ t, bound 1.6 √(16 log 40), 2 of 256 cross."""
    base = np.eye(8, 9)
    Z = base.sum(axis=0, keepdims=True)
    options = {"norm": "L2", "epsilon": 0.0}
    bound = label_noise_bound(Z, base=base, direction=np.ones(9), negative_slope=SLOPE, delta=0.05, **options)
    assert bound.value == pytest.approx([1.6 * np.sqrt(16 * np.log(40))], rel=1e-10)
    noise, _ = all_targets(Z, base, np.ones(9), **options)
    assert (np.abs(noise) > bound.value).sum() == 2
    assert bound.terms["multipliers that depend on the targets"] == pytest.approx([0], abs=1e-10)


def test_rest_covers_the_dependence_on_the_targets():
    """All 64 targets: what is left without the multipliers at their centre is within the second term."""
    base, s = case(4, N=6, dim=200, coherence=0.05)
    Z = np.random.default_rng(5).standard_normal((5, 200))
    options = {"norm": "L2", "epsilon": 0.1}
    found = multiplier_range(base, s, negative_slope=SLOPE, **options)
    bound = label_noise_bound(Z, base=base, direction=s, negative_slope=SLOPE, delta=0.1, **options)
    rest = bound.terms["multipliers that depend on the targets"]
    noise, _ = all_targets(Z, base, s, **options)
    targets = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
    centre = (found.lower + found.upper) / 2
    assert (np.abs(noise - (targets * centre) @ (base @ Z.T)) <= rest).all()
    assert (rest > 0).all()


@pytest.mark.parametrize(("norm", "epsilon"), [("L2", 0.08), ("Linf", 0.00146), ("L0", 0.05)])
def test_sign_condition_holds_for_all_but_a_share_of_targets(norm, epsilon):
    """N = 7, all 128 targets: sgn f_adv = sgn ⟨s, z⟩ for at least 1 − δ of them wherever it is promised."""
    base, s = case(8, N=7, dim=3000)
    rng, delta = np.random.default_rng(9), 0.1
    Z = np.vstack([s + spread * rng.standard_normal(3000) for spread in (0.0, 0.3, 1.0, 3.0, 10.0)] * 2)
    Z[5:] *= -1
    options = {"norm": norm, "epsilon": epsilon, "amplitude": 0.0065}
    condition = sign_condition(Z, base=base, direction=s, negative_slope=SLOPE, delta=delta, **options)
    _, whole = all_targets(Z, base, s, **options)
    kept = (np.sign(whole) == np.sign(Z @ s)).mean(axis=0)
    assert (kept[condition.holds] >= 1 - delta).all()
    if norm == "L2":
        assert condition.holds.sum() >= 4
        assert not condition.holds.all()


def test_without_dominance_nothing_is_promised():
    base, s = case(0, N=6, dim=6)
    bound = label_noise_bound(base, base=base, direction=s, negative_slope=SLOPE, epsilon=1.0, delta=0.1)
    assert np.isinf(bound.value).all()
    assert bound.assumptions[1].holds is False
    assert set(
        sign_condition(base, base=base, direction=s, negative_slope=SLOPE, epsilon=1.0, delta=0.1).verdicts
    ) == {Verdict.UNKNOWN}


def test_sign_is_not_promised_where_the_old_boundary_is_zero():
    base, s = np.eye(3, 5), np.array([1.0, 0, 0, 0, 0])
    found = sign_condition(
        np.eye(5)[3:], base=base, direction=s, negative_slope=SLOPE, epsilon=0.1, delta=0.1
    )
    assert not found.holds.any()
