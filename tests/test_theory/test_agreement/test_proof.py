"""Condition (c) is proved never wrong: verdicts of floats and of balls against balls of many bits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import theory
from theory.agreement import enclose_signs
from theory.conditions import Condition, evaluate, prove_agreement
from theory.deep import Architecture, phi
from theory.kernel import f_hat_enclosure, g_hat_enclosure

RNG = np.random.default_rng(6)
X, Z, X_adv = RNG.normal(size=(6, 3)), RNG.normal(size=(40, 3)), RNG.normal(size=(6, 3))
y = np.array([1.0, 1, -1, 1, -1, -1])
DATA = {"X": X, "y": y, "X_adv": X_adv}


def written_out(Z, X, y, X_adv, **network):
    """Return f̂, ĝ, |Σ c|/Σ |c| and (max R − min R)/(max R + min R) by their definitions."""
    K, square, adv = (
        phi(*pair, architecture=Architecture(**network)) for pair in ((Z, X), (X, X), (Z, X_adv))
    )
    psi = adv @ square / len(X)
    c, R = y * (Z @ X.T) * K, psi / K
    top, low = R.max(axis=1), R.min(axis=1)
    margin = np.abs(c.sum(axis=1)) / np.abs(c).sum(axis=1)
    return c.mean(axis=1), (c * R).mean(axis=1), margin, (top - low) / (top + low)


@pytest.mark.parametrize("network", [{}, {"negative_slope": 0.3}, {"depth": 3}])
def test_intervals_hold_what_they_are_of(network):
    """And are narrow: the definitions in floats are within 1e-12 of both ends."""
    found = enclose_signs(Z, **DATA, architecture=Architecture(**network))
    for interval, expected in zip(vars(found).values(), written_out(Z, **DATA, **network), strict=True):
        np.testing.assert_allclose(interval.lower, expected, atol=1e-11)
        np.testing.assert_allclose(interval.upper, expected, atol=1e-11)
        assert np.all(interval.lower <= interval.upper)


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_intervals_of_balls_lie_in_those_of_floats(gamma):
    from theory.agreement.proof import _in_balls, _in_floats  # noqa: PLC0415

    network = Architecture(negative_slope=gamma)
    wide = _in_floats(Z, X, y, X_adv, network, 1 << 20)
    narrow = _in_balls(Z, X, y, X_adv, network, 64)
    assert np.all(wide[:, 0] <= narrow[:, 0])
    assert np.all(narrow[:, 1] <= wide[:, 1])
    assert np.max(narrow[:, 1] - narrow[:, 0]) < 1e-15


def test_weights_imply_equal_signs():
    """P/Q > max R/min R, in the ratio that is derived, where the product of the signs is known."""
    rng, fired = np.random.default_rng(1), 0
    for _ in range(200):
        N, d = rng.integers(1, 6), rng.integers(1, 4)
        data = {"X": rng.normal(size=(N, d)) + 0.5, "y": rng.choice([-1.0, 1.0], N)}
        Z = rng.normal(size=(50, d))
        data["X_adv"] = rng.normal(size=(N, d)) * 10 ** rng.uniform(-2, 2)
        found = prove_agreement(Z, **data, negative_slope=float(rng.choice([0, 0.2, 0.6])))
        fired += found["weights"].holds.sum()
        assert not np.any(found["weights"].holds & ~found["c"].holds)
        assert not np.any(found["weights"].holds & found["weights"].fails)
    assert fired > 2000


def test_ratio_of_weights_is_the_form_with_positive_and_negative_parts():
    c = y * (Z @ X.T) * theory.phi(Z, X)
    psi = theory.phi(Z, X_adv) @ theory.phi(X) / len(X)
    P, Q = np.maximum(c, 0).sum(axis=1), np.maximum(-c, 0).sum(axis=1)
    R = psi / theory.phi(Z, X)
    expected = np.maximum(P / Q, Q / P) > R.max(axis=1) / R.min(axis=1)
    np.testing.assert_array_equal(prove_agreement(Z, **DATA)["weights"].holds, expected)
    assert 0 < expected.sum() < len(Z)


# Adversarial inputs ------------------------------------------------------------------------------------


SIGNS = {"positive": 1, "negative": -1, "unknown": 0}


def exactly(Z, X, y, X_adv, gamma):
    """Return sgn f̂ sgn ĝ from 1024 bits of other functions: 0 where one is exactly 0, or too near to tell."""
    options = {"X": X, "y": y, "negative_slope": gamma, "precision": 1024}
    balls = f_hat_enclosure(Z, **options), g_hat_enclosure(Z, X_adv=X_adv, **options)
    f, g = (np.array([SIGNS[str(sign)] for sign in one.sign]) for one in balls)
    return f * g


def adversarial(rng):
    """Return data with ties, near ties, duplicates, huge, tiny and subnormal numbers among them."""
    N, d = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    X, y = rng.normal(size=(N, d)), rng.choice([-1.0, 1.0], N)
    kind = rng.integers(7)
    if kind in (1, 2):  # each point twice with opposite labels: f̂ is 0, or of the size of a perturbation
        near = X * (1 + (kind - 1) * 10.0 ** rng.uniform(-17, -6) * rng.normal(size=X.shape))
        X, y = np.concatenate([X, near]), np.concatenate([y, -y])
    scales = {3: (140, 153), 4: (-170, -150), 5: (-324, -300), 6: (-8, 8)}
    size = 10.0 ** rng.uniform(*scales[kind]) if kind in scales else 1.0
    X_adv = rng.normal(size=X.shape) * 10.0 ** rng.uniform(-5, 5)
    Z = rng.normal(size=(20, X.shape[1]))
    Z[0] = X[0] if rng.random() < 0.5 else -X[0]
    if len(X) > 1:  # z where the weighted sum of two samples is nearly 0
        t = (X[0] @ X[0] - X[0] @ X[1]) / (X[1] @ X[1] - X[0] @ X[1] or 1.0)
        Z[1] = X[0] + t * X[1]
    both = rng.random() < 0.5
    return size * X, y, X_adv, (size if both else 1.0) * Z, float(rng.choice([0.0, 0.25, 0.9]))


def wrong(rng, points):
    """Return how many verdicts of how many points are wrong, and how many are decided."""
    seen = mistakes = decided = 0
    while seen < points:
        X, y, X_adv, Z, gamma = adversarial(rng)
        data = {"X": X, "y": y, "X_adv": X_adv}
        few, many = (prove_agreement(Z, **data, negative_slope=gamma, precision=bits) for bits in (None, 256))
        truth = exactly(Z, X, y, X_adv, gamma)
        for found in (few["c"], many["c"]):
            mistakes += np.sum((found.holds & (truth <= 0)) | (found.fails & (truth >= 0)))
            decided += np.sum(found.holds | found.fails)
        mistakes += np.sum(many["weights"].holds & (truth <= 0))
        seen += len(Z)
    return mistakes, decided / (2 * seen)


@pytest.mark.parametrize("points", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_no_proof_is_wrong(points):
    mistakes, decided = wrong(np.random.default_rng(points), points)
    assert mistakes == 0
    assert decided > 0.6


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_no_proof_of_deep_networks_is_wrong(seed):
    """Against 512 bits of balls whose inputs are the same: sums and order of the definition."""
    rng = np.random.default_rng(seed)
    X, y, X_adv, Z, gamma = adversarial(rng)
    network = Architecture(depth=2, negative_slope=gamma, bias_variance=float(rng.choice([0.0, 0.5])))
    few, many = (
        prove_agreement(Z, X=X, y=y, X_adv=X_adv, architecture=network, precision=bits)["c"]
        for bits in (16, 512)
    )
    assert not np.any(few.holds & many.fails)
    assert not np.any(few.fails & many.holds)
    assert not np.any((few.holds | few.fails) & ~(many.holds | many.fails))


def test_exact_ties_and_what_overflows_are_unknown():
    tie = prove_agreement([[1.0, 2.0]], X=[[1, 1], [1, 1]], y=[1, -1], X_adv=[[1, 0], [0, 1]], precision=512)
    assert tie["c"].verdicts.tolist() == ["unknown"]
    for size in (1e160, 1e300, 5e-324):
        rows = [[size, 0.0], [0.0, size]]
        found = prove_agreement([[size, size]], X=rows, y=[1, 1], X_adv=rows)
        assert found["c"].verdicts.tolist() == ["unknown"]
        more = prove_agreement([[size, size]], X=rows, y=[1, 1], X_adv=rows, precision=2048)
        # Balls have no limits of size; a value below all positive floats has no interval without 0.
        assert more["c"].verdicts.tolist() == ["holds" if size > 1 else "unknown"]
    nothing = prove_agreement([[0.0, 0.0]], X=[[1.0, 1.0]], y=[1], X_adv=[[1.0, 1.0]])
    assert nothing["c"].verdicts.tolist() == nothing["weights"].verdicts.tolist() == ["unknown"]


def test_rounding_of_signs_is_no_verdict_of_the_published_condition():
    """f̂ of two samples that are one but for 1e-16 is rounding: (c) and the margins say nothing."""
    X, y = np.array([[1.0, 2.0], [1.0 + 2e-16, 2.0]]), np.array([1.0, -1.0])
    setting = theory.Setting(dim=2, N=2, width=100, epsilon=1.0, T_f=1.0, T_g=1.0)
    found = evaluate([[3.0, 1.0]], X=X, y=y, X_adv=X, setting=setting, constant=1e-300)
    for name in "abc":
        assert found[name].verdicts.tolist() == ["unknown"]


def test_error_widens_the_unknown():
    sides = np.array([1.0, 1.0, 1.0]), np.array([0.5, 1.2, 1.0])
    assert Condition("", "", *sides).verdicts.tolist() == ["holds", "fails", "fails"]
    assert Condition("", "", *sides, 0.3).verdicts.tolist() == ["holds", "unknown", "unknown"]
    assert Condition("", "", *sides, math.nan).verdicts.tolist() == ["unknown"] * 3


def test_bad_input():
    for changes, message in (
        ({"X_adv": X[:2]}, "X_adv must have one row for each of the 6 rows of X, got 2"),
        ({"y": y[:2]}, r"y must have shape \(6,\)"),
        ({"precision": 1}, "precision must be >= 2, got 1"),
        ({"memory_budget": 1}, "memory_budget must be >= 1048576"),
    ):
        with pytest.raises(ValueError, match=message):
            enclose_signs(Z, **DATA | changes)
