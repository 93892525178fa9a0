"""Orthogonality of perturbed sets: no choice of targets or perturbations is beyond the limits stated."""

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import special

from theory import Verdict
from theory.orthogonal import limit_perturbations, noise_orthogonality, orthogonality, perturbed_orthogonality
from theory.testing import data_sets, orthogonal_sets

NORMS = st.sampled_from(["L2", "Linf", "L0"])
ROUNDING = 1 + 1e-13


def within(found, limits):
    """Return whether the sizes of `found` are within the worst ones of `limits`."""
    return (
        found.R_min >= limits.R_min / ROUNDING
        and found.R_max <= limits.R_max * ROUNDING + 1e-300
        and found.p_max <= limits.p_max * ROUNDING
        and found.row_sum <= limits.row_sum * ROUNDING
    )


def agrees(found, limits):
    pairs = ((limits.verdict, found.verdict), (limits.row_verdict, found.row_verdict))
    return all({said, seen} != {Verdict.HOLDS, Verdict.FAILS} for said, seen in pairs)


@given(
    orthogonal_sets(max_share=10.0, max_samples=4)
    | data_sets(["generic"], max_samples=4).map(lambda s: (*s, 0.5)),
    NORMS,
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_all_targets_are_within_the_limits(case, norm, epsilon, seed):
    X, _, slope = case
    s = np.random.default_rng(seed).standard_normal(X.shape[1])
    options = {"norm": norm, "epsilon": epsilon, "amplitude": 0.1}
    limits = perturbed_orthogonality(X, negative_slope=slope, direction=s, **options)
    general = perturbed_orthogonality(X, negative_slope=slope, **options)
    for targets in itertools.product([-1.0, 1.0], repeat=len(X)):
        X_adv = limit_perturbations(X, s, targets, **options)
        found = orthogonality(X_adv, negative_slope=slope)
        for limit in (limits, general):
            assert within(found, limit)
            assert agrees(found, limit)


@given(data_sets(["generic", "near-orthogonal"], max_samples=5), st.floats(0, 2), st.integers(0, 2**32 - 1))
def test_any_perturbations_of_bounded_length_are_within_the_limits(data, rho, seed):
    """Also those along a sample or away from it, where the limits of the norms are reached."""
    X, rng = data[0], np.random.default_rng(seed)
    limits = perturbed_orthogonality(X, negative_slope=0.5, epsilon=rho)
    for rows in (rng.standard_normal(X.shape), X + 1e-9, -X - 1e-9):
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        found = orthogonality(X + rho * rows / lengths, negative_slope=0.5)
        assert found.R_min >= limits.R_min - 1e-12
        assert found.R_max <= limits.R_max * ROUNDING + 1e-300
        assert found.p_max <= limits.p_max * ROUNDING
        assert found.row_sum <= limits.row_sum * ROUNDING
        assert agrees(found, limits)


def test_limits_are_attained():
    """Orthogonal rows, equal inner products with e: p' = 2ρh + ρ², R'² = R² ± 2ρh + ρ² by some targets."""
    X, s, epsilon = 2 * np.eye(3), np.ones(3), 0.3
    limits = perturbed_orthogonality(X, negative_slope=0.5, epsilon=epsilon, direction=s)
    sets = [limit_perturbations(X, s, t, epsilon=epsilon) for t in itertools.product([-1, 1], repeat=3)]
    found = [orthogonality(X_adv, negative_slope=0.5) for X_adv in sets]
    assert max(one.p_max for one in found) == pytest.approx(limits.p_max, rel=1e-12)
    assert limits.row_sum == pytest.approx(2 * limits.p_max / limits.R_min**2, rel=1e-12)
    assert max(one.R_max for one in found) == pytest.approx(limits.R_max, rel=1e-12)
    assert min(one.R_min for one in found) == pytest.approx(limits.R_min, rel=1e-12)
    assert limits.p_max == pytest.approx(2 * 0.3 * 2 / np.sqrt(3) + 0.09, rel=1e-12)
    plain = perturbed_orthogonality(X, negative_slope=0.5, epsilon=epsilon)
    assert (plain.R_min, plain.R_max) == (pytest.approx(1.7), pytest.approx(2.3))
    assert plain.p_max == pytest.approx(2 * 0.3 * 2 + 0.09, rel=1e-12)


def test_small_perturbations_keep_and_large_ones_lose_orthogonality():
    """N = 4, γ = .8: *holds* at ε = .01, *fails* for all targets at ε = 50, *unknown* in between."""
    X = np.eye(4, 40)
    verdicts = [
        perturbed_orthogonality(X, negative_slope=0.8, epsilon=size, direction=np.ones(40)).verdict
        for size in (0.0, 0.01, 0.2, 50.0)
    ]
    assert verdicts == [Verdict.HOLDS, Verdict.HOLDS, Verdict.UNKNOWN, Verdict.FAILS]
    one = perturbed_orthogonality(X[:1], negative_slope=0.8, epsilon=0.2, direction=np.ones(40))
    assert one.p_max == 0
    assert one.verdict is Verdict.HOLDS


@pytest.mark.parametrize("distribution", ["uniform", "gaussian"])
@pytest.mark.parametrize("norm", ["L2", "Linf"])
def test_noise_is_within_its_limits_with_the_probability_stated(distribution, norm):
    """δ = .5, 300 sets of N = 5, d = 60, seed 4: violations are compatible with δ (failure below 1e-6)."""
    rng, delta, count = np.random.default_rng(4), 0.5, 300
    options = {"epsilon": 0.2, "norm": norm}
    limits = noise_orthogonality(
        distribution=distribution, dim=60, N=5, negative_slope=0.5, delta=delta, **options
    )
    s, largest, beyond = rng.standard_normal(60), 0.0, 0
    for _ in range(count):
        base = rng.uniform(-1, 1, (5, 60)) if distribution == "uniform" else rng.standard_normal((5, 60))
        X_adv = limit_perturbations(base, s, rng.choice([-1.0, 1.0], 5), **options)
        found = orthogonality(X_adv, negative_slope=0.5)
        beyond += not within(found, limits)
        largest = max(largest, found.p_max)
    assert special.bdtrc(beyond - 1, count, delta) > 1e-6 if beyond else True
    assert limits.delta == delta
    assert limits.p_max < 4 * largest  # not vacuous


def test_noise_formulas_by_hand():
    """Uniform, N = 2, δ = .1: t = log 100; d = 1200."""
    t, d = np.log(100), 1200
    found = noise_orthogonality(distribution="uniform", dim=d, N=2, negative_slope=0.5, delta=0.1)
    high, low = d / 3 + np.sqrt(d * t / 2), d / 3 - np.sqrt(d * t / 2)
    assert (found.R_min**2, found.R_max**2) == (pytest.approx(low), pytest.approx(high))
    assert found.p_max == pytest.approx(np.sqrt(high) * np.sqrt(2 * t / 3))
    found = noise_orthogonality(distribution="gaussian", dim=d, N=2, negative_slope=0.5, delta=0.1)
    high, low = d + 2 * np.sqrt(d * t) + 2 * t, d - 2 * np.sqrt(d * t)
    assert (found.R_min**2, found.R_max**2) == (pytest.approx(low), pytest.approx(high))
    assert found.p_max == pytest.approx(np.sqrt(high) * np.sqrt(2 * t))


def test_noise_of_large_dimension_holds():
    found = noise_orthogonality(
        distribution="gaussian", dim=10**7, N=5, negative_slope=0.9, epsilon=0.8, delta=0.01
    )
    assert found.verdict is found.row_verdict is Verdict.HOLDS
    tight = noise_orthogonality(distribution="uniform", dim=20, N=50, negative_slope=0.1, delta=0.01)
    assert tight.verdict is Verdict.UNKNOWN  # the lower limit of the norm is 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distribution": "cauchy"}, "distribution must be"),
        ({"dim": 0}, "dim must be"),
        ({"N": 0}, "N must be"),
        ({"delta": 0.0}, "delta must lie"),
        ({"negative_slope": 0.0}, "negative_slope must lie"),
    ],
)
def test_bad_noise_is_refused(changes, message):
    arguments = {"distribution": "uniform", "dim": 9, "N": 2, "negative_slope": 0.5, "delta": 0.1} | changes
    with pytest.raises(ValueError, match=message):
        noise_orthogonality(**arguments)


def test_targets_that_undo_a_correlation_are_not_overlooked():
    """2e_1, 2e_2, ρe = (2, 2): t = (−1, −1) gives −2e_2, −2e_1, orthogonal again: not to be called lost."""
    X, s, epsilon = 2 * np.eye(2), np.ones(2), 2 * np.sqrt(2)
    X_adv = limit_perturbations(X, s, [-1, -1], epsilon=epsilon)
    assert orthogonality(X_adv, negative_slope=0.5).verdict is Verdict.HOLDS
    limits = perturbed_orthogonality(X, negative_slope=0.5, epsilon=epsilon, direction=s)
    assert limits.verdict is limits.row_verdict is Verdict.UNKNOWN
