"""The orthogonality conditions: exact values, verdicts against fractions, invariance, what they imply."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given, strategies as st

from theory import Verdict
from theory.orthogonal import limit_network, multipliers, orthogonality
from theory.testing import data_sets, orthogonal_sets

SLOPES = st.floats(0.01, 0.99)


def exact_sides(X, slope):
    """Return lhs, p, row lhs and κ as fractions; X without zero rows."""
    rows = [[Fraction(float(entry)) for entry in row] for row in X]
    inner = [[sum(a * b for a, b in zip(left, right, strict=True)) for right in rows] for left in rows]
    N, g = len(rows), Fraction(float(slope))
    squares = [inner[n][n] for n in range(N)]
    low, high = min(squares), max(squares)
    others = [[abs(inner[n][k]) for k in range(N) if k != n] for n in range(N)]
    p = max((max(row) for row in others if row), default=Fraction(0))
    kappa = max(sum(abs(inner[n][k]) / squares[k] for k in range(N) if k != n) for n in range(N))
    return (
        g**3 * low**2 / (3 * N * high),
        p,
        g * (1 + g**2) / (1 + 2 * g + 3 * g**2),
        kappa,
    )


def test_condition_in_a_case_done_by_hand():
    """Rows (2, 0), (1, 3), γ = 1/2: R² = 4, 10, p = 2, κ = 2/4, left (1/8)·16/(6·10) and (5/8)/(11/4)."""
    found = orthogonality([[2, 0], [1, 3]], negative_slope=0.5)
    assert found.lhs == pytest.approx(2 / 60, rel=1e-14)
    assert found.row_lhs == pytest.approx(5 / 22, rel=1e-14)
    assert found.rhs == found.p_max == 2
    assert found.row_rhs == found.row_sum == pytest.approx(0.5, rel=1e-15)
    assert (found.R_min, found.R_max, found.N) == (2, pytest.approx(np.sqrt(10)), 2)
    assert found.verdict is found.row_verdict is Verdict.FAILS
    assert found.delta == 0


@given(data_sets(["generic", "near-orthogonal", "clustered", "duplicated"], max_samples=5), SLOPES)
def test_verdicts_are_those_of_exact_arithmetic(data, slope):
    X = data[0]
    found = orthogonality(X, negative_slope=slope)
    if (np.abs(X).max(axis=1) == 0).any():
        assert found.verdict is found.row_verdict is Verdict.FAILS
        return
    lhs, p, rows, q = exact_sides(X, slope)
    for verdict, left, right in ((found.verdict, lhs, p), (found.row_verdict, rows, q)):
        assert verdict is Verdict.UNKNOWN or verdict is (Verdict.HOLDS if left > right else Verdict.FAILS)


def test_a_tie_is_not_called():
    """γ = 1/2, (1, p), (0, 1) with p at the condition's limit, where float64 cannot tell."""
    low, high = 0.0, 0.1
    for _ in range(80):
        p = (low + high) / 2
        lhs, inner, *_ = exact_sides([[1, p], [0, 1]], 0.5)
        low, high = (p, high) if lhs > inner else (low, p)
    assert orthogonality([[1, low], [0, 1]], negative_slope=0.5).verdict is Verdict.UNKNOWN
    assert orthogonality([[1, low * (1 - 1e-12)], [0, 1]], negative_slope=0.5).verdict is Verdict.HOLDS
    assert orthogonality([[1, low * (1 + 1e-12)], [0, 1]], negative_slope=0.5).verdict is Verdict.FAILS


def test_one_sample_is_orthogonal_to_the_others():
    found = orthogonality([[3.0, 4.0]], negative_slope=0.5)
    assert found.p_max == found.row_sum == 0
    assert found.lhs == pytest.approx(0.125 * 25 / 3, rel=1e-14)
    assert found.verdict is found.row_verdict is Verdict.HOLDS


@pytest.mark.parametrize("X", [[[0.0, 0]], [[1.0, 0], [0, 0]], [[1.0, 2], [1, 2]], np.ones((9, 2))])
def test_zero_rows_and_duplicates_fail(X):
    found = orthogonality(X, negative_slope=0.5)
    assert found.verdict is found.row_verdict is Verdict.FAILS


@given(orthogonal_sets(), st.integers(-100, 100), st.integers(0, 2**32 - 1))
def test_condition_is_invariant_under_scale_rotation_order(case, exponent, seed):
    """Published sides scale with the square, the others not at all; a rotation loses at most 1e-12 of κ."""
    X, _, slope = case
    rng = np.random.default_rng(seed)
    here = orthogonality(X, negative_slope=slope)
    scaled = orthogonality(np.ldexp(X, exponent), negative_slope=slope)
    assert scaled.lhs == pytest.approx(np.ldexp(here.lhs, 2 * exponent), rel=1e-13)
    assert scaled.rhs == np.ldexp(here.rhs, 2 * exponent)
    assert scaled.row_rhs == here.row_rhs
    assert (scaled.verdict, scaled.row_verdict) == (here.verdict, here.row_verdict)
    turn = np.linalg.qr(rng.standard_normal((X.shape[1], X.shape[1])))[0]
    turned = orthogonality(X[rng.permutation(len(X))] @ turn, negative_slope=slope)
    assert turned.lhs == pytest.approx(here.lhs, rel=1e-12)
    assert abs(turned.row_rhs - here.row_rhs) <= 1e-12 * len(X)


@given(orthogonal_sets(max_share=1.0))
def test_strategy_gives_what_it_names(case):
    assert orthogonality(case[0], negative_slope=case[2]).verdict is Verdict.HOLDS


@given(orthogonal_sets(max_share=60.0))
def test_published_condition_implies_the_row_condition(case):
    found = orthogonality(case[0], negative_slope=case[2])
    if found.verdict is Verdict.HOLDS:
        assert found.row_verdict is Verdict.HOLDS
    if found.row_verdict is Verdict.FAILS:
        assert found.verdict is Verdict.FAILS


@given(orthogonal_sets(max_share=60.0))
def test_either_condition_implies_the_limit_network(case):
    """Steps 3 and 4: λ > 0, the pattern, and (published condition) the published interval."""
    X, y, slope = case
    condition, found = orthogonality(X, negative_slope=slope), multipliers(X, y, negative_slope=slope)
    if condition.row_verdict is Verdict.HOLDS:
        assert found.verdict is Verdict.HOLDS
    if condition.verdict is Verdict.HOLDS:
        assert found.interval_verdict is Verdict.HOLDS


@given(orthogonal_sets(max_share=60.0))
def test_multipliers_are_within_the_limits_of_the_row_condition(case):
    """(2 − (1 + γ)κK)/(1 + γ²) ≤ λ_n‖x_n‖² ≤ K = 2/(1 + γ² − (1 + γ)κ), up to 1e-11."""
    X, y, slope = case
    found = orthogonality(X, negative_slope=slope)
    if found.row_verdict is not Verdict.HOLDS:
        return
    high = 2 / (1 + slope**2 - (1 + slope) * found.row_sum)
    low = (2 - (1 + slope) * found.row_sum * high) / (1 + slope**2)
    scaled = multipliers(X, y, negative_slope=slope).values * np.square(X).sum(axis=1)
    assert (scaled <= high * (1 + 1e-11)).all()
    assert (scaled >= low * (1 - 1e-11)).all()


def test_upper_limit_is_attained():
    """Two unit rows of different classes, γ → 1: inner product x, λ = 1/((1 + γ²)/2 − γx) against K."""
    slope, inner = 0.999, 0.2
    X = [[1.0, 0], [inner, np.sqrt(1 - inner**2)]]
    found = orthogonality(X, negative_slope=slope)
    assert found.row_verdict is Verdict.HOLDS
    high = 2 / (1 + slope**2 - (1 + slope) * found.row_sum)
    assert multipliers(X, [1, -1], negative_slope=slope).values == pytest.approx([high] * 2, rel=1e-3)


@given(orthogonal_sets(min_samples=2, max_samples=3, max_dim=4))
def test_strategy_keeps_its_ranges(case):
    X, y, slope = case
    assert 2 <= len(X) == len(y) <= 3
    assert len(X) <= X.shape[1] <= 4
    assert 0.05 <= slope <= 0.99


def test_strategy_reaches_both_sides_of_the_condition():
    sets = orthogonal_sets(min_samples=2, max_share=20.0)
    for verdict in (Verdict.HOLDS, Verdict.FAILS):
        find(sets, lambda case, v=verdict: orthogonality(case[0], negative_slope=case[2]).verdict is v)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_samples": 0}, "min_samples must be >= 1"),
        ({"max_samples": 1, "min_samples": 2}, "max_samples must be >= 2"),
        ({"max_dim": 3}, "max_dim must be >= 6"),
        ({"max_share": 0.0}, "max_share must be > 0"),
    ],
)
def test_bad_ranges_of_the_strategy_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        orthogonal_sets(**changes)


def test_row_condition_is_far_weaker_at_small_slopes():
    """Orthonormal rows, where κ is a row sum: what is allowed is near 3/γ² times N times the published p."""
    ratios = []
    for slope in (0.1, 0.01):
        found = orthogonality(np.eye(4), negative_slope=slope)
        ratios.append(found.row_lhs / (found.lhs * 4) * slope**2)
    assert ratios == pytest.approx([3, 3], rel=0.3)


def test_unrepresentable_sides_are_unknown():
    assert orthogonality([[1e200, 0], [0, 1e200]], negative_slope=0.5).verdict is Verdict.UNKNOWN
    assert orthogonality([[1e-170, 0], [0, 1e-170]], negative_slope=0.5).verdict is Verdict.UNKNOWN
    assert orthogonality([[1e-170, 0], [1e-170, 0]], negative_slope=0.5).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("function", ["orthogonality", "multipliers", "network"])
@pytest.mark.parametrize(("slope", "error"), [(0.0, ValueError), (1.0, ValueError), ("0.5", TypeError)])
def test_slopes_outside_the_open_interval_are_refused(function, slope, error):
    call = {
        "orthogonality": lambda: orthogonality(np.eye(2), negative_slope=slope),
        "multipliers": lambda: multipliers(np.eye(2), [1, -1], negative_slope=slope),
        "network": lambda: limit_network(np.eye(2), [1, -1], negative_slope=slope, width=2),
    }[function]
    with pytest.raises(error, match="negative_slope must"):
        call()


def test_nan_is_refused():
    with pytest.raises(ValueError, match="X must be finite, got nan"):
        orthogonality([[1.0, np.nan]], negative_slope=0.5)
