"""The boundary after learning from perturbations: two terms, and a sign condition that is never violated."""

from fractions import Fraction

import numpy as np
import pytest

from tests.test_theory.test_orthogonal.cases import exact_inner, exact_multipliers, near_orthogonal
from theory import Verdict
from theory.orthogonal import limit_direction, limit_output, limit_perturbations, multipliers, transfer


def perturbed_case(rng, *, norm=None, noise=False):
    """Return Z, X, y, base, X_adv, targets and γ, from orthogonal to far from it."""
    N, dim = int(rng.integers(1, 6)), int(rng.integers(3, 40))
    X, y = near_orthogonal(rng, N, dim)
    slope = float(rng.uniform(0.1, 0.9))
    norm = norm or str(rng.choice(["L2", "Linf", "L0"]))
    base = rng.uniform(-1, 1, (int(rng.integers(1, 6)), dim)) if noise else X
    t = rng.choice([-1.0, 1.0], len(base))
    s = limit_direction(X, y, negative_slope=slope)
    epsilon = float(rng.uniform(0, 1)) * (1.5 if norm == "L2" else 0.4)
    X_adv = limit_perturbations(base, s, t, norm=norm, epsilon=epsilon)
    return rng.standard_normal((6, dim)), X, y, base, X_adv, t, slope


@pytest.mark.parametrize("trials", [1000, pytest.param(2500, marks=pytest.mark.slow)])
def test_sign_condition_is_never_violated_by_the_limit_boundary(trials):
    """Random sets of 6 points, seed 11: where the condition holds the sign is kept, no exception."""
    rng = np.random.default_rng(11)
    met, met_not, unknown = 0, 0, 0
    for trial in range(trials):
        Z, X, y, base, X_adv, t, slope = perturbed_case(rng, noise=trial % 2 == 1)
        found = transfer(Z, X=X, y=y, X_adv=X_adv, y_adv=t, negative_slope=slope, base=base)
        for verdict, kept, old, new in zip(found.condition, found.kept, found.old, found.new, strict=True):
            if verdict is Verdict.HOLDS:
                assert kept is Verdict.HOLDS
                assert old * new > 0
            met += verdict is Verdict.HOLDS
            met_not += verdict is Verdict.FAILS
            unknown += verdict is Verdict.UNKNOWN
    assert min(met, met_not, unknown) > 0.4 * trials


def test_verdicts_against_exact_arithmetic():
    """150 random sets, seed 12: both verdicts are those of fractions wherever they are given."""
    rng = np.random.default_rng(12)
    seen = set()
    for trial in range(150):
        Z, X, y, base, X_adv, t, slope = perturbed_case(rng, noise=trial % 2 == 1)
        found = transfer(Z[:2], X=X, y=y, X_adv=X_adv, y_adv=t, negative_slope=slope, base=base)
        if Verdict.UNKNOWN in (found.clean.verdict, found.perturbed.verdict):
            continue
        clean, new = exact_multipliers(X, y, slope), exact_multipliers(X_adv, t, slope)
        for q, z in enumerate(Z[:2]):
            old = boundary(clean, y, X, z)
            noise, whole = boundary(new, t, base, z), boundary(new, t, X_adv, z)
            carried = whole - noise
            for got, exact, error in (
                (found.old[q], old, found.old_error[q]),
                (found.label_noise[q], noise, found.error[q]),
                (found.perturbation[q], carried, found.error[q]),
            ):
                assert abs(Fraction(float(got)) - exact) <= Fraction(float(error))
            condition = carried * old > 0 and abs(noise) < abs(carried)
            for verdict, exact in ((found.condition[q], condition), (found.kept[q], whole * old > 0)):
                assert verdict is Verdict.UNKNOWN or verdict is (Verdict.HOLDS if exact else Verdict.FAILS)
                seen.add(verdict)
    assert seen == set(Verdict)


def boundary(values, labels, X, z):
    point = [Fraction(float(entry)) for entry in z]
    return sum(
        value * int(label) * exact_inner(point, row)
        for value, label, row in zip(values, labels, X, strict=True)
    )


def test_l2_carries_a_positive_multiple_of_the_old_boundary():
    """B(z)/f(z) = ε Σ λ_n^adv/‖s‖ at every z, with labels that have nothing to do with the data."""
    rng = np.random.default_rng(3)
    X, y = near_orthogonal(rng, 5, 200)
    t, Z = rng.choice([-1.0, 1.0], 5), rng.standard_normal((20, 200))
    s = limit_direction(X, y, negative_slope=0.5)
    X_adv = limit_perturbations(X, s, t, epsilon=0.2)
    found = transfer(Z, X=X, y=y, X_adv=X_adv, y_adv=t, negative_slope=0.5)
    factor = 0.2 * found.perturbed.values.sum() / np.linalg.norm(s)
    assert found.multiple == pytest.approx(np.full(20, factor), rel=1e-10)
    assert factor > 0
    assert found.old == pytest.approx(limit_output(Z, X=X, y=y, negative_slope=0.5), rel=1e-12)
    assert found.new == pytest.approx(limit_output(Z, X=X_adv, y=t, negative_slope=0.5), rel=1e-9)


@pytest.mark.parametrize(("norm", "epsilon"), [("Linf", 0.02), ("L0", 0.1)])
def test_linf_and_l0_carry_signs_which_may_differ_from_the_boundary(norm, epsilon):
    """B(z) = ρ Σλ ⟨e, z⟩: positive along s, negative multiples of f(z) at some z."""
    rng = np.random.default_rng(3)
    X, y = near_orthogonal(rng, 5, 200)
    s = limit_direction(X, y, negative_slope=0.5)
    t, Z = rng.choice([-1.0, 1.0], 5), np.vstack([s, rng.standard_normal((60, 200))])
    X_adv = limit_perturbations(X, s, t, norm=norm, epsilon=epsilon, amplitude=0.1)
    found = transfer(Z, X=X, y=y, X_adv=X_adv, y_adv=t, negative_slope=0.5)
    step = limit_perturbations(np.zeros((1, 200)), s, [1], norm=norm, epsilon=epsilon, amplitude=0.1)[0]
    expected = found.perturbed.values.sum() * (Z @ step)
    assert found.perturbation == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert found.multiple[0] > 0
    assert (found.multiple < 0).any()


def test_without_limit_networks_everything_is_unknown():
    """Zero rows in either set; the terms are still given."""
    X, y = near_orthogonal(np.random.default_rng(0), 3, 50)
    broken = np.vstack([X[:2], np.zeros(50)])
    for clean, perturbed in ((broken, X), (X, broken)):
        found = transfer(X, X=clean, y=y, X_adv=perturbed, y_adv=y, negative_slope=0.5)
        assert set(found.condition) == set(found.kept) == {Verdict.UNKNOWN}
        assert len(found.new) == 3


def test_a_violated_pattern_in_the_perturbed_set_leaves_everything_unknown():
    X, y = np.eye(2, 50), [1, 1]
    close = np.vstack([X[0], np.cos(0.5) * X[0] + np.sin(0.5) * X[1]])
    found = transfer(X, X=X, y=y, X_adv=close, y_adv=[1, -1], negative_slope=0.05, base=X)
    assert found.perturbed.verdict is Verdict.FAILS
    assert np.isfinite(found.error).all()
    assert set(found.condition) == set(found.kept) == {Verdict.UNKNOWN}


def test_no_perturbation_carries_nothing():
    X, y = near_orthogonal(np.random.default_rng(0), 3, 50)
    found = transfer(X, X=X, y=y, X_adv=X, y_adv=-y, negative_slope=0.5)
    assert (found.perturbation == 0).all()
    assert set(found.condition) == {Verdict.FAILS}
    assert set(found.kept) == {Verdict.FAILS}  # the labels are those of the other class
    assert (found.multiple == 0).all()
    assert np.isnan(
        transfer(np.zeros((1, 50)), X=X, y=y, X_adv=X, y_adv=y, negative_slope=0.5).multiple
    ).all()


def test_slack_is_passed_on():
    X = np.array([[1.0, 0], [2.0, 0.5]])
    strict = transfer(X, X=X, y=[1, 1], X_adv=X, y_adv=[1, 1], negative_slope=0.9)
    loose = transfer(X, X=X, y=[1, 1], X_adv=X, y_adv=[1, 1], negative_slope=0.9, slack=True)
    assert set(strict.kept) == {Verdict.UNKNOWN}
    assert set(loose.kept) == {Verdict.HOLDS}
    assert loose.clean.values == pytest.approx(multipliers(X, [1, 1], negative_slope=0.9, slack=True).values)


def test_base_must_match():
    X, y = near_orthogonal(np.random.default_rng(0), 3, 50)
    with pytest.raises(ValueError, match="base must have the shape of X_adv"):
        transfer(X, X=X, y=y, X_adv=X[:2], y_adv=y[:2], negative_slope=0.5)


def test_a_known_clean_system_is_not_solved_again():
    X, y = near_orthogonal(np.random.default_rng(0), 3, 50)
    known = multipliers(X, y, negative_slope=0.5)
    found = transfer(X, X=X, y=y, X_adv=X, y_adv=-y, negative_slope=0.5, multipliers=known)
    assert found.clean is known
    assert (found.old == transfer(X, X=X, y=y, X_adv=X, y_adv=-y, negative_slope=0.5).old).all()
    with pytest.raises(ValueError, match="multipliers must be of this data and slope"):
        transfer(X, X=X, y=y, X_adv=X, y_adv=y, negative_slope=0.4, multipliers=known)
