"""Multipliers: exact fractions, an independent solver of the whole problem, verdicts that are never wrong."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import optimize

from tests.test_theory.test_orthogonal.cases import exact_kkt, exact_multipliers, near_orthogonal
from theory import Verdict
from theory.orthogonal import limit_network, multipliers, orthogonality
from theory.testing import data_sets, orthogonal_sets

SLOPES = st.floats(0.01, 0.99)
GEOMETRIES = ["generic", "duplicated", "collinear", "near-orthogonal", "clustered"]


def test_orthogonal_rows_have_multipliers_in_closed_form():
    """λ_n = 2/((1 + γ²)‖x_n‖²), for any labels."""
    X = np.diag([1.0, 2.0, 0.5, 3.0])
    for y in ([1, -1, 1, -1], [1, 1, 1, 1], [-1, -1, -1, -1]):
        found = multipliers(X, y, negative_slope=0.5)
        assert found.values == pytest.approx(2 / (1.25 * np.array([1, 4, 0.25, 9])), rel=1e-15)
        assert found.verdict is Verdict.HOLDS
        assert found.reasons == ()
        assert found.interval == pytest.approx((1 / 18, 1.5 / (0.25 * 0.25)))
        assert found.residual <= 4e-16


def test_equal_labels_and_different_ones_enter_by_their_own_factor():
    """Two unit rows with inner product 1/2, γ = 1/2: λ = 1/(5/8 + 5/16) and 1/(5/8 − 1/4)."""
    X = [[1.0, 0], [0.5, np.sqrt(0.75)]]
    assert multipliers(X, [1, 1], negative_slope=0.5).values == pytest.approx([16 / 15] * 2, rel=1e-14)
    assert multipliers(X, [1, -1], negative_slope=0.5).values == pytest.approx([8 / 3] * 2, rel=1e-14)


@given(data_sets(GEOMETRIES, max_samples=6), SLOPES, st.booleans())
def test_verdicts_and_enclosures_against_exact_arithmetic(data, slope, slack):
    """*holds* only for exact KKT points, *fails* never for one; exact λ inside the enclosure."""
    X, y = data
    found = multipliers(X, y, negative_slope=slope, slack=slack)
    support = found.support
    exact = exact_multipliers(X[support], y[support], slope) if support.any() else None
    if np.isfinite(found.radius).all():
        assert exact is not None  # proved invertible
        for value, low, high in zip(exact, found.lower[support], found.upper[support], strict=True):
            assert Fraction(float(low)) <= value <= Fraction(float(high))
    if exact is None:
        assert found.verdict is not Verdict.HOLDS
        return
    values = iter(exact)
    full = [next(values) if inside else Fraction(0) for inside in support]
    if found.verdict is Verdict.HOLDS:
        assert exact_kkt(X, y, slope, full)
    if found.verdict is Verdict.FAILS:
        assert not exact_kkt(X, y, slope, full)


def test_undecided_cases_are_rare():
    """1200 generic sets with N ≤ d, seed 1: the enclosures decide all of them (seen: 0 unknown)."""
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(1200):
        N = int(rng.integers(1, 7))
        X, y = near_orthogonal(rng, N, int(rng.integers(N, 12)))
        verdicts.append(multipliers(X, y, negative_slope=float(rng.uniform(0.1, 0.9))).verdict)
    assert verdicts.count(Verdict.UNKNOWN) == 0
    assert min(verdicts.count(Verdict.HOLDS), verdicts.count(Verdict.FAILS)) > 100


def general_solution(X, y, slope, rng, width=2):
    """Solve min ½‖W‖² subject to all margins ≥ 1 with a general solver, all neurons free."""
    half = width // 2
    dim = X.shape[1]

    def margins(flat):
        at = X @ flat.reshape(width, dim).T
        act = np.where(at > 0, at, slope * at)
        return y * (act[:, :half].sum(axis=1) - act[:, half:].sum(axis=1)) / np.sqrt(width) - 1

    def jacobian(flat):
        active = np.where(X @ flat.reshape(width, dim).T > 0, 1.0, slope)
        active[:, half:] *= -1
        return (y[:, None, None] * active[:, :, None] * X[:, None, :] / np.sqrt(width)).reshape(len(X), -1)

    start = rng.standard_normal(width * dim)
    return optimize.minimize(
        lambda flat: flat @ flat / 2,
        start,
        jac=lambda flat: flat,
        method="SLSQP",
        constraints={"type": "ineq", "fun": margins, "jac": jacobian},
        options={"maxiter": 500, "ftol": 1e-14},
    )


@pytest.mark.parametrize("width", [2, 6])
def test_limit_network_solves_the_full_max_margin_problem(width):
    """Row condition: the only KKT point.  A general solver from random starts ends there (1e-6)."""
    rng = np.random.default_rng(3)
    solved = 0
    for _ in range(12):
        N = int(rng.integers(1, 4))
        X = np.eye(N, 5) * rng.uniform(0.8, 1.2, (N, 1)) + 0.06 * rng.standard_normal((N, 5))
        y = rng.choice([-1.0, 1.0], N)
        slope = float(rng.uniform(0.5, 0.9))
        if orthogonality(X, negative_slope=slope).row_verdict is not Verdict.HOLDS:
            continue
        found = general_solution(X, y, slope, rng, width)
        v, u = limit_network(X, y, negative_slope=slope, width=width)
        if not found.success:  # the solver can stall on a kink
            continue
        W = found.x.reshape(width, -1)
        expected = np.vstack([np.tile(v, (width // 2, 1)), np.tile(u, (width // 2, 1))])
        assert pytest.approx(expected, abs=1e-6) == W
        solved += 1
    assert solved >= 5


@given(orthogonal_sets(max_share=20.0), st.integers(-60, 60), st.integers(0, 2**32 - 1))
def test_multipliers_under_scale_rotation_order_and_flip(case, exponent, seed):
    """λ scales with the inverse square and is unchanged by the rest (tolerance: both enclosures)."""
    X, y, slope = case
    rng = np.random.default_rng(seed)
    here = multipliers(X, y, negative_slope=slope)
    order = rng.permutation(len(X))
    turn = np.linalg.qr(rng.standard_normal((X.shape[1], X.shape[1])))[0]
    for values, other in (
        (np.ldexp(here.values, -2 * exponent), multipliers(np.ldexp(X, exponent), y, negative_slope=slope)),
        (here.values, multipliers(X @ turn, y, negative_slope=slope)),
        (here.values[order], multipliers(X[order], y[order], negative_slope=slope)),
        (here.values, multipliers(X, -y, negative_slope=slope)),
    ):
        assert other.values == pytest.approx(values, rel=1e-10)
        assert other.verdict is here.verdict
    flipped = multipliers(X, -y, negative_slope=slope)
    assert flipped.margins_v == pytest.approx(here.margins_u, rel=1e-10)


def test_negative_multiplier_is_named():
    """γ = .9, rows (1, 0) and (2, .5), one class: the margin of the outer row is above 1 anyway."""
    found = multipliers([[1.0, 0], [2.0, 0.5]], [1, 1], negative_slope=0.9)
    assert found.verdict is Verdict.FAILS
    assert "λ < 0 for samples 1" in found.reasons[0]
    assert found.values[1] < 0
    slack = multipliers([[1.0, 0], [2.0, 0.5]], [1, 1], negative_slope=0.9, slack=True)
    assert slack.verdict is Verdict.HOLDS
    assert slack.support.tolist() == [True, False]
    assert slack.values == pytest.approx([2 / 1.81, 0])


def test_violated_pattern_is_named():
    """A negative sample within 30 degrees of a positive one, small γ: u·x > 0 there."""
    found = multipliers([[1.0, 0], [np.cos(0.5), np.sin(0.5)]], [1, -1], negative_slope=0.05)
    assert found.verdict is Verdict.FAILS
    assert "wrong sign" in found.reasons[0]
    assert (np.minimum(found.margins_v, found.margins_u) < 0).any()


def test_slack_holds_on_more_sets_and_is_exact_on_them():
    """300 sets, N = 5 in d = 4 to 8, seed 5: with slack more sets hold, every one an exact KKT point."""
    rng = np.random.default_rng(5)
    tight, slack = 0, 0
    for _ in range(300):
        X = rng.standard_normal((5, int(rng.integers(4, 9)))) + 0.4
        y, slope = rng.choice([-1.0, 1.0], 5), 0.75
        strict = multipliers(X, y, negative_slope=slope)
        loose = multipliers(X, y, negative_slope=slope, slack=True)
        tight += strict.verdict is Verdict.HOLDS
        slack += loose.verdict is Verdict.HOLDS
        if strict.verdict is Verdict.HOLDS:
            assert loose.verdict is Verdict.HOLDS
            assert loose.values == pytest.approx(strict.values, rel=1e-9)
        if loose.verdict is Verdict.HOLDS:
            exact = iter(exact_multipliers(X[loose.support], y[loose.support], slope))
            assert exact_kkt(X, y, slope, [next(exact) if on else Fraction(0) for on in loose.support])
    assert slack > tight > 30


def test_matrix_is_invertible_with_more_samples_than_dimensions():
    """N = 2d with d independent rows in each class: M is proved invertible; with d + 1 in one it is not."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((7, 3))
    assert np.isfinite(multipliers(X[:6], [1, 1, 1, -1, -1, -1], negative_slope=0.3).radius).all()
    found = multipliers(X, [1, 1, 1, 1, -1, -1, -1], negative_slope=0.3)
    assert found.verdict is Verdict.UNKNOWN
    assert "singular" in found.reasons[0]
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize(
    ("X", "y", "reason"),
    [
        ([[1.0, 0], [0, 0]], [1, -1], "samples 1 are 0"),
        ([[1.0, 2], [3, 1], [1, 2]], [1, 1, -1], "samples 0, 2 are equal to others with the other label"),
        ([[0.0, 2], [3, 1], [-0.0, 2]], [1, 1, -1], "samples 0, 2 are equal to others with the other label"),
    ],
)
def test_what_no_weights_can_do_fails(X, y, reason):
    for slack in (False, True):
        found = multipliers(X, y, negative_slope=0.5, slack=slack)
        assert found.verdict is Verdict.FAILS
        assert reason in found.reasons[0]


def test_duplicates_with_one_label_are_unknown():
    found = multipliers([[1.0, 2], [1, 2]], [1, 1], negative_slope=0.5)
    assert found.verdict is Verdict.UNKNOWN
    assert np.isinf(found.radius).all()


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_extreme_scales_are_solved(scale):
    found = multipliers(scale * np.array([[1.0, 0.1], [0, 1]]), [1, -1], negative_slope=0.5)
    reference = multipliers([[1.0, 0.1], [0, 1]], [1, -1], negative_slope=0.5)
    assert found.verdict is Verdict.HOLDS
    assert found.values * scale * scale == pytest.approx(reference.values, rel=1e-13)


def test_multipliers_out_of_range_are_unknown():
    for scale in (1e-170, 1e170):
        found = multipliers(scale * np.eye(2), [1, -1], negative_slope=0.5)
        assert found.verdict is Verdict.UNKNOWN
        assert "beyond the range" in found.reasons[-1]
        assert np.isfinite(found.values).all() or np.isinf(found.radius).all()
    assert multipliers([[1e-200, 0], [0, 1e200]], [1, -1], negative_slope=0.5).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("slack", [False, True])
def test_norms_too_far_apart_are_unknown(slack):
    """A subnormal right side once gave an enclosure without the true 8/45."""
    found = multipliers([[2.22507386e-313], [3.0]], [-1, -1], negative_slope=0.5, slack=slack)
    assert found.verdict is Verdict.UNKNOWN
    assert np.isinf(found.radius).all()


def test_interval_is_checked_not_assumed():
    """(10, 300, γ = .5) satisfies neither condition and lies in the interval; nearly parallel rows do not."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10, 300))
    found = multipliers(X, rng.choice([-1.0, 1.0], 10), negative_slope=0.5)
    assert orthogonality(X, negative_slope=0.5).row_verdict is Verdict.FAILS
    assert found.verdict is found.interval_verdict is Verdict.HOLDS
    close = multipliers([[1.0, 0], [1.0, 0.05]], [1, -1], negative_slope=0.9)
    assert close.interval_verdict is Verdict.FAILS
    assert close.values.max() > close.interval[1]


def test_a_sign_within_the_error_of_a_multiplier_is_not_called():
    """λ_2 = 0 exactly: (1, 0) and (1, 1), one class; the enclosure contains 0."""
    found = multipliers([[1.0, 0], [1, 1]], [1, 1], negative_slope=0.5)
    assert found.lower[1] < 0 < found.upper[1]
    assert found.verdict is Verdict.UNKNOWN
    assert "the sign of λ is not proved for samples 1" in found.reasons[0]


def test_bad_labels_are_refused():
    with pytest.raises(ValueError, match="y must be -1 or \\+1, got 0"):
        multipliers(np.eye(2), [0, 1], negative_slope=0.5)
