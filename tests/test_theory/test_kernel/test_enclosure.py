"""Enclosures: they contain 200 digits, are narrow, agree with intervals, and prove signs or say unknown."""

import inspect
import math
import threading
from decimal import Decimal
from fractions import Fraction

import flint
import hypothesis.extra.numpy as hnp
import mpmath as mp
import numpy as np
import pandas as pd
import pytest
import sympy as sp
import torch
from flint import arb
from hypothesis import assume, given, strategies as st
from mpmath.ctx_iv import MPIntervalContext

import theory
from theory import expressions as ex
from theory.kernel import balls, enclosure
from theory.kernel.enclosure import (
    Enclosure,
    Sign,
    ntk_enclosure,
    phi_enclosure,
    phi_interval_mpmath,
)
from theory.kernel.predictor_enclosures import (
    f_hat_enclosure,
    f_predict_enclosure,
    g_hat_enclosure,
    g_predict_enclosure,
    proved_sign,
)

SLOPES = st.floats(0, 0.999)
VARIANCES = st.sampled_from([0.0, 1e-20, 0.5, 1.0, 1e20])
# As in test_arrays: ordinary size, spread over 300 orders of magnitude, or equal to each other.
COORDINATES = st.one_of(
    st.floats(-5, 5, allow_subnormal=False),
    st.floats(-1e150, 1e150, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, -1.0, 1e-150]),
)
POINTS = hnp.arrays(np.float64, (2, 3), elements=COORDINATES)
PRECISIONS = st.sampled_from([2, 53, 128, 300])


def reference(x, z, slope, weight=1.0, bias=1.0):
    """Φ with 200 digits, from arccos of the correlation (1 − |ρ| may be as small as 1e-700)."""
    with mp.workdps(1800):
        x, z = [mp.mpf(float(v)) for v in x], [mp.mpf(float(v)) for v in z]
        slope, weight, bias = mp.mpf(float(slope)), mp.mpf(weight), mp.mpf(bias)

        def inner(a, b):
            return weight * mp.fsum(p * q for p, q in zip(a, b, strict=True)) / len(a) + bias

        rho = inner(x, z) / mp.sqrt(inner(x, x) * inner(z, z))
        theta = mp.acos(max(mp.mpf(-1), min(mp.mpf(1), rho)))
        value = slope + (1 - slope) ** 2 * (mp.pi - theta) / (2 * mp.pi)
    with mp.workdps(200):
        return +value


def degenerate(X, weight, bias):
    return bias == 0 and (weight == 0 or not X.any(axis=1).all())


@pytest.fixture(autouse=True)
def _precision_is_put_back():
    before, flint.ctx.prec = flint.ctx.prec, 77
    mp_before, iv_before = mp.mp.prec, mp.iv.prec
    yield
    assert (flint.ctx.prec, mp.mp.prec, mp.iv.prec) == (77, mp_before, iv_before)
    flint.ctx.prec = before


# Φ --------------------------------------------------------------------------------------------------


@given(POINTS, SLOPES, VARIANCES, VARIANCES, PRECISIONS)
def test_ball_contains_phi_is_narrow_and_overlaps_the_interval(X, slope, weight, bias, precision):
    assume(not degenerate(X, weight, bias))
    options = {"negative_slope": slope, "weight_variance": weight, "bias_variance": bias}
    exact = reference(*X, slope, weight, bias)
    ball = phi_enclosure(*X, **options, precision=precision)
    interval = phi_interval_mpmath(*X, **options, precision=precision)
    for enclosed in (ball, interval):
        assert enclosed.contains(exact)
        assert enclosed.lower <= exact <= enclosed.upper
        assert enclosed.radius < 2.0**-precision
    assert ball.overlaps(interval)


@pytest.mark.parametrize("bias", [0, 1])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [None, 1e-3, 1e-9, 1e-16, 0])
@pytest.mark.parametrize(("dim", "norm"), [(1, 1.0), (50, 1e-150), (50, 1.0), (50, 1e150), (1000, 1.0)])
def test_ball_is_narrow(dim, norm, gap, sign, bias):
    """Ordinary, nearly parallel, nearly opposite, identical and opposite points: all as narrow."""
    rng = np.random.default_rng(dim)
    x, other = norm * rng.normal(size=(2, dim))
    z = other if gap is None else sign * x + gap * other
    exact = reference(x, z, 0.1, bias=bias)
    for precision in (53, 128, 400):
        ball = phi_enclosure(x, z, negative_slope=0.1, bias_variance=bias, precision=precision)
        assert ball.contains(exact)
        # Promised is 2^-precision; of the 64 guard bits, a few and log2(d) at most are used.
        assert ball.radius < 2.0 ** (-precision - 45)


@given(POINTS, SLOPES)
def test_float_phi_is_within_its_promised_error(X, slope):
    got = theory.phi(X[:1], X[1:], negative_slope=slope)[0, 0]
    ball = phi_enclosure(*X, negative_slope=slope)
    assert -1e-15 < got - ball.midpoint < 1e-15


@given(
    st.fractions(0, Fraction(9, 10), max_denominator=50),
    st.lists(st.fractions(-5, 5, max_denominator=9), min_size=4, max_size=4),
)
def test_ball_contains_the_expression(slope, numbers):
    x, z = numbers[:2], numbers[2:]
    u, v = sp.Matrix(x), sp.Matrix(z)
    values = {ex.d: 2, ex.x_z: u.dot(v), ex.x_x: u.dot(u), ex.z_z: v.dot(v)}
    exact = ex.PHI.subs({ex.gamma: sp.Rational(slope), ex.rho: ex.RHO.subs(values)})
    assert phi_enclosure(x, z, negative_slope=slope).contains(str(sp.N(exact, 200)))


@pytest.mark.parametrize("slope", ["0", "1/3", "0.9"])
def test_range_is_attained_and_kept(slope):
    gamma = Fraction(slope)
    options = {"negative_slope": slope, "bias_variance": 0}
    same, opposite = (phi_enclosure([3, "0.1"], z, **options) for z in ([3, "0.1"], [-3, "-0.1"]))
    assert same.contains((1 + gamma**2) / 2)
    assert opposite.contains(gamma)
    # The known range cuts off half of the ball: outside are rounding of the centre, here to 192 bits, and of
    # the radius, to 30.
    beyond = _upper(same) - (1 + gamma**2) / 2, gamma - _lower(opposite)
    assert max(beyond) < 2.0**-188
    assert same.radius < 2.0**-188


def _lower(enclosed):
    return Fraction(*_ratio(enclosed.ball.mid())) - Fraction(*_ratio(enclosed.ball.rad()))


def _upper(enclosed):
    return Fraction(*_ratio(enclosed.ball.mid())) + Fraction(*_ratio(enclosed.ball.rad()))


def _ratio(number):
    mantissa, exponent = (int(part) for part in number.man_exp())
    return mantissa * 2 ** max(exponent, 0), 2 ** max(-exponent, 0)


def test_zero_weight_variance_leaves_the_bias_alone():
    assert phi_enclosure([1, 2], [-5, 7], weight_variance=0).contains(Fraction(1, 2))


# Balls as input -------------------------------------------------------------------------------------


@given(
    hnp.arrays(np.float64, (2, 3), elements=st.floats(-5, 5)),
    hnp.arrays(np.float64, (2, 3), elements=st.floats(-1, 1)),
    st.sampled_from([2.0**-40, 2.0**-10, 1.0, 64.0]),
    st.booleans(),
    SLOPES,
    st.sampled_from([0, 1]),
)
def test_ball_of_points_contains_phi_of_each(X, offsets, radius, near, slope, bias):
    if near:
        X = np.stack([X[0], X[0]])
    balls = [[arb(v, radius) for v in row] for row in X]
    points = [
        [Fraction(v) + Fraction(radius) * Fraction(o) for v, o in zip(row, shifts, strict=True)]
        for row, shifts in zip(X, offsets, strict=True)
    ]
    assume(bias or all(any(point) for point in points))
    whole = phi_enclosure(*balls, negative_slope=slope, bias_variance=bias)
    inside = phi_enclosure(*points, negative_slope=slope, bias_variance=bias, precision=400)
    # `inside` is 2^-400 wide: a true value outside `whole` could not hide in it.
    assert whole.overlaps(inside)
    assert slope - 2.0**-28 < whole.lower  # a radius below 1, rounded to 30 bits


@pytest.mark.parametrize("radius", [1e-30, 1e-10, 1e-4])
@pytest.mark.parametrize("dim", [2, 50])
@pytest.mark.parametrize("sign", [None, 1, -1])
def test_small_balls_give_small_balls(dim, radius, sign):
    """√d r/norm in each direction, twice for the norm, over 2π: the promise of the docstring."""
    rng = np.random.default_rng(dim)
    x, other = rng.normal(size=(2, dim))
    z = other if sign is None else sign * x
    ball = phi_enclosure(*([arb(v, radius) for v in row] for row in (x, z)), bias_variance=0)
    assert ball.radius < 2 * math.sqrt(dim) * radius / min(np.linalg.norm(x), np.linalg.norm(z))


def test_ball_around_zero_without_bias_allows_the_whole_range():
    ball = phi_enclosure([arb(0, 1)], [1], bias_variance=0, negative_slope="0.5")
    assert ball.contains(Fraction(1, 2))
    assert ball.contains(Fraction(5, 8))
    assert ball.radius == pytest.approx(1 / 16)


# Signs and predictors -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    X, Z, X_adv = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    return X, np.array([1.0, -1, 1, 1, -1]), Z, X_adv, np.array([-1.0, -1, 1, -1, 1])


def evaluated(expression, tables):
    """The sympy sum with its indexed symbols replaced by 100-digit numbers (indices from 1)."""
    values = {}
    for base, table in tables.items():
        for index in np.ndindex(np.shape(table)):
            entry = table[index[0]] if len(index) == 1 else table[index[0]][index[1]]
            values[base[tuple(i + 1 for i in index)]] = sp.Float(entry, 100)
    return str(sp.N(expression.subs(ex.N, 5).doit().subs(values), 100))


def inner_products(X, z):
    exact = [sum((Fraction(p) * Fraction(q) for p, q in zip(x, z, strict=True)), Fraction()) for x in X]
    return [sp.Rational(value) for value in exact]


def test_predictors_contain_their_expressions(data):
    X, y, Z, X_adv, y_adv = data
    slope = 0.3
    K = [[reference(a, b, slope) for b in X] for a in X]
    for z in Z[:2]:
        tables = {
            ex.Phi_z: [reference(x, z, slope) for x in X],
            ex.Phi_adv: [reference(x, z, slope) for x in X_adv],
            ex.Phi_x: K,
            ex.y: list(y),
            ex.y_adv: list(y_adv),
            ex.G: inner_products(X, z),
            ex.G_adv: inner_products(X_adv, z),
        }
        options = {"negative_slope": slope}
        cases = (
            (ex.F_HAT, f_hat_enclosure(z, X=X, y=y, **options), theory.f_hat, {"X": X, "y": y}),
            (ex.F_B, f_predict_enclosure(z, X=X, y=y, **options), theory.f_predict, {"X": X, "y": y}),
            (
                ex.G_B,
                g_predict_enclosure(z, X_adv=X_adv, y_adv=y_adv, **options),
                theory.g_predict,
                {"X_adv": X_adv, "y_adv": y_adv},
            ),
            (
                ex.G_HAT,
                g_hat_enclosure(z, X=X, y=y, X_adv=X_adv, **options),
                theory.g_hat,
                {"X": X, "y": y, "X_adv": X_adv},
            ),
        )
        for expression, ball, float_version, arguments in cases:
            assert ball.contains(evaluated(expression, tables))
            assert ball.radius < 2.0**-128  # promised: times a mean above 1
            assert ball.midpoint == pytest.approx(
                float_version(z, **arguments, negative_slope=slope), abs=1e-14
            )
            assert ball.sign is (Sign.POSITIVE if ball.midpoint > 0 else Sign.NEGATIVE)


@given(
    hnp.arrays(np.float64, (5, 2), elements=st.floats(-5, 5)),
    st.lists(st.sampled_from([-1, 1]), min_size=4, max_size=4),
    SLOPES,
)
def test_proved_sign_is_the_float_sign_where_the_margin_is_clear(points, y, slope):
    z, X = points[0], points[1:]
    value = theory.f_hat(z[None], X=X, y=y, negative_slope=slope)[0]
    sign = proved_sign(f_hat_enclosure, z, X=X, y=y, negative_slope=slope, max_precision=128)
    if abs(value) > 1e-12:  # terms are below 50 and have relative errors of a few ε
        assert sign is (Sign.POSITIVE if value > 0 else Sign.NEGATIVE)


@pytest.mark.parametrize(
    ("z", "X", "y"),
    [
        ([1, 0], [[2, 3], [2, -3]], [1, -1]),  # mirror images seen from the axis
        ([0.5, -7], [["0.1", 2], ["0.1", 2]], [1, -1]),  # one point with both labels
        ([0, 0], [[1, 2]], [1]),
        ([1, 1], [[1, -1]], [1]),
    ],
)
def test_exact_cancellation_is_unknown_at_every_precision(z, X, y):
    assert f_hat_enclosure(z, X=X, y=y, precision=500).contains(0)
    assert proved_sign(f_hat_enclosure, z, X=X, y=y, max_precision=1000) is Sign.UNKNOWN
    assert proved_sign(g_hat_enclosure, z, X=X, y=y, X_adv=X, max_precision=1000) is Sign.UNKNOWN


def test_precision_is_raised_until_a_tiny_margin_is_decided():
    """x = 1 and x = 1 + 1e-60 with opposite labels, seen from z = 1: xΦ(x, 1) grows, so f̂ < 0."""
    near = [[1], [1 + Fraction(1, 10**60)]]
    assert theory.f_hat([[1.0]], X=[[1.0], [1.0 + 1e-60]], y=[1, -1])[0] == 0
    assert f_hat_enclosure([1], X=near, y=[1, -1], precision=64).sign is Sign.UNKNOWN
    assert proved_sign(f_hat_enclosure, [1], X=near, y=[1, -1], max_precision=64) is Sign.UNKNOWN
    assert proved_sign(f_hat_enclosure, [1], X=near, y=[1, -1]) is Sign.NEGATIVE
    assert proved_sign(f_hat_enclosure, [1], X=near, y=[-1, 1]) is Sign.POSITIVE


def test_proved_sign_ends_at_max_precision_exactly():
    tried = []

    def undecided(*, precision):
        tried.append(precision)
        return Enclosure(arb(0, 1), precision)

    assert proved_sign(undecided, start_precision=60, max_precision=300) is Sign.UNKNOWN
    assert tried == [60, 120, 240, 300]


def test_predictor_of_balls_contains_the_predictor_of_points(data):
    X, y, Z, X_adv, _ = data
    z, radius = Z[0], 2.0**-12
    rng = np.random.default_rng(1)
    balls = [[[arb(v, radius) for v in row] for row in rows] for rows in (X, X_adv, z[None])]
    f_ball = f_hat_enclosure(balls[2][0], X=balls[0], y=y)
    g_ball = g_hat_enclosure(balls[2][0], X=balls[0], y=y, X_adv=balls[1])
    assert f_ball.radius < 0.01
    for _ in range(20):
        moved = [rows + radius * rng.choice([-1.0, 0.5, 1.0], rows.shape) for rows in (X, X_adv, z[None])]
        assert f_ball.overlaps(f_hat_enclosure(moved[2][0], X=moved[0], y=y))
        assert g_ball.overlaps(g_hat_enclosure(moved[2][0], X=moved[0], y=y, X_adv=moved[1]))


@pytest.mark.parametrize(
    ("ball", "sign"),
    [
        (arb(1, 0.5), Sign.POSITIVE),
        (arb(-1, 0.5), Sign.NEGATIVE),
        (arb(1, 1), Sign.UNKNOWN),
        (arb(0), Sign.UNKNOWN),
        (arb.nan(), Sign.UNKNOWN),
        (arb(0, math.inf), Sign.UNKNOWN),
        (arb.pos_inf(), Sign.POSITIVE),
    ],
)
def test_sign_is_unknown_unless_proved(ball, sign):
    assert Enclosure(ball, 53).sign is sign


# Enclosure ------------------------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e300), st.integers(2, 200))
def test_floats_are_rounded_outward_and_no_further(middle, radius, bits):
    flint.ctx.prec = bits
    try:
        enclosed = Enclosure(arb(middle, radius), 53)
        lower, upper = _lower(enclosed), _upper(enclosed)
        ends = enclosed.lower, enclosed.upper
    finally:
        flint.ctx.prec = 77
    for below, end, above in (
        (ends[0], lower, math.nextafter(ends[0], math.inf)),
        (-ends[1], -upper, math.nextafter(-ends[1], math.inf)),
    ):
        assert below == -math.inf or Fraction(below) <= end
        assert above == math.inf or end < Fraction(above)
    assert enclosed.contains(middle)
    assert Fraction(enclosed.radius) >= Fraction(radius)


TINY = 5e-324


@pytest.mark.parametrize(
    ("ball", "lower", "upper"),
    [
        (arb((1, -1080)), 0.0, TINY),
        (arb((-1, -1080)), -TINY, 0.0),
        (arb((3, -1075)), TINY, 2 * TINY),
        (arb((1, -(10**30))), 0.0, TINY),
        (arb((1, 5000)), 1.7976931348623157e308, math.inf),
        (arb((-1, 10**30)), -math.inf, -1.7976931348623157e308),
        (arb(0, math.inf), -math.inf, math.inf),
        (arb.nan(), -math.inf, math.inf),
        (arb(2**200 + 1), 2.0**200, math.nextafter(2.0**200, math.inf)),
    ],
)
def test_floats_at_the_ends_of_their_range(ball, lower, upper):
    enclosed = Enclosure(ball, 53)
    assert (enclosed.lower, enclosed.upper) == (lower, upper)


def test_float_bound_survives_another_thread_setting_the_precision(monkeypatch):
    monkeypatch.setattr(enclosure, "working_precision", lambda bits: flint.ctx.workprec(300))
    assert Enclosure(arb(2**200 - 1), 53).lower == math.nextafter(2.0**200, 0)


def test_contains_rounds_nothing():
    one_third = Enclosure(arb(1) / 3, 77)
    assert one_third.contains(Fraction(1, 3))
    assert one_third.contains("1/3")
    assert not one_third.contains(1 / 3)
    assert Enclosure(arb(1), 53).contains(mp.mpf(1))
    assert not Enclosure(arb(1), 53).contains(1 + Fraction(1, 10**100))
    assert one_third.contains(arb(1) / 3)
    assert not one_third.contains(arb(0, 1))
    assert Enclosure(arb(0, math.inf), 53).contains(10**400)
    with pytest.raises(ValueError, match="value must be finite, got nan"):
        one_third.contains(math.nan)


def test_enclosures_are_not_equal_by_value():
    assert Enclosure(arb(1), 53) != Enclosure(arb(1), 53)
    assert Enclosure(arb(1), 53).overlaps(Enclosure(arb(1), 53))
    assert not Enclosure(arb(1), 53).overlaps(Enclosure(arb(2), 53))


def test_inputs_are_taken_exactly():
    """0.1 is the float, "0.1" the decimal; every other number is itself."""
    exact = phi_enclosure(["0.1"], [2])
    assert exact.overlaps(phi_enclosure([Fraction(1, 10)], [2]))
    assert exact.overlaps(phi_enclosure([Decimal("0.1")], np.array([2])))
    assert not exact.overlaps(phi_enclosure([0.1], [2]))
    stored = phi_enclosure([0.1], [2])
    with mp.workdps(30):
        assert stored.overlaps(phi_enclosure([mp.mpf(0.1)], [mp.mpf(2)]))
    assert stored.overlaps(phi_enclosure(np.array([0.1]), np.array([2], dtype=object)))
    assert stored.overlaps(phi_enclosure([np.float64(0.1)], [np.int64(2)]))
    assert not stored.overlaps(phi_enclosure([np.float32(0.1)], [2]))
    big = 2**60 + 1
    assert phi_enclosure(np.array([big]), [0]).overlaps(phi_enclosure([big], [0]))
    assert not phi_enclosure(np.array([big]), [0]).overlaps(phi_enclosure([float(big)], [0]))


# The checks can fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        lambda theta, slope: slope + (1 - slope) * (1 - theta / arb.pi()) / 2,  # no square
        lambda theta, slope: slope + (1 - slope) ** 2 * (1 - theta / 3.141592653589793) / 2,  # π as a float
        lambda theta, slope: slope + (1 - slope) ** 2 * (1 - 2 * theta / arb.pi()) / 2,  # twice the angle
    ],
)
def test_a_wrong_formula_is_detected(monkeypatch, wrong):
    options = {"negative_slope": 0.25}
    right = phi_interval_mpmath([1, 2], [2, 1], **options)
    assert phi_enclosure([1, 2], [2, 1], **options).overlaps(right)
    monkeypatch.setattr(balls, "phi_of_angle", wrong)
    assert not phi_enclosure([1, 2], [2, 1], **options).overlaps(right)


@given(st.floats(0, 1), st.integers(2, 400))
def test_interval_arctan_contains_200_digits(tangent, bits):
    interval = MPIntervalContext()
    interval.prec = bits + 64
    value = enclosure._arctan(interval, interval.mpf(tangent))
    with mp.workdps(200):
        exact = mp.atan(mp.mpf(tangent))
        assert mp.mpf(value.a) <= exact <= mp.mpf(value.b)
        assert mp.mpf(value.b) - mp.mpf(value.a) <= mp.mpf(2) ** -bits


def test_interval_arctan_encloses_what_its_series_leaves_out(monkeypatch):
    monkeypatch.setattr(enclosure, "_BITS_A_TERM", 10**6)
    interval = MPIntervalContext()
    interval.prec = 200
    value = enclosure._arctan(interval, interval.mpf(1))  # one term, 2^-8 of an angle: 2^-18 off
    with mp.workdps(200):
        assert mp.mpf(value.a) <= mp.pi / 4 <= mp.mpf(value.b)
        assert 1e-8 < mp.mpf(value.b) - mp.mpf(value.a) < 1e-5


# Precision and threads ------------------------------------------------------------------------------


def test_threads_with_different_precisions_leave_the_global_one_alone():
    results = {}

    def work(bits):
        results[bits] = [phi_enclosure([1, 2], [2, 1], precision=bits) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(bits,)) for bits in (20, 60, 200, 600)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    exact = reference([1, 2], [2, 1], 0)
    assert all(
        ball.contains(exact) and ball.radius < 2.0**-bits for bits in results for ball in results[bits]
    )
    assert flint.ctx.prec == 77


def test_precision_is_put_back_after_an_error(monkeypatch):
    def fail(*_):
        assert flint.ctx.prec == 128 + 64
        raise ZeroDivisionError

    monkeypatch.setattr(enclosure, "phi_ball", fail)
    with pytest.raises(ZeroDivisionError):
        phi_enclosure([1], [1])
    assert flint.ctx.prec == 77


# Arrays ---------------------------------------------------------------------------------------------


SETS = st.integers(1, 3).flatmap(
    lambda dim: st.tuples(*(hnp.arrays(np.float64, (rows, dim), elements=COORDINATES) for rows in (2, 3)))
)


@given(SETS, SLOPES)
def test_enclosures_of_arrays_contain_the_values_at_each_pair(sets, slope):
    X, Z = sets
    y = np.array([1, -1])
    phis, tangents = (made(X, Z, negative_slope=slope) for made in (phi_enclosure, ntk_enclosure))
    predicted = f_predict_enclosure(Z, X=X, y=y, negative_slope=slope)
    outputs = f_hat_enclosure(Z, X=X, y=y, negative_slope=slope)
    assert phis.shape == tangents.shape == (2, 3)
    assert predicted.shape == outputs.shape == (3,)
    for q, z in enumerate(Z):
        with mp.workdps(400):
            inner = [mp.fsum(mp.mpf(a) * mp.mpf(b) for a, b in zip(x, z, strict=True)) for x in X]
            values = [reference(x, z, slope) for x in X]
            theta = [value * (k + 1) for value, k in zip(values, inner, strict=True)]
            for n in range(2):
                assert _contains(phis[n, q], values[n], 1)
                assert _contains(tangents[n, q], theta[n], inner[n] + 1)
            size = max(map(abs, inner)) + 1
            assert _contains(predicted[q], (theta[0] - theta[1]) / 2, size)
            assert _contains(outputs[q], (values[0] * inner[0] - values[1] * inner[1]) / 2, size)
    assert (tangents.lower <= tangents.upper).all()
    assert predicted.sign.tolist() == [each.sign for each in predicted]


def _contains(found, value, size):
    """The reference has 200 digits."""
    return abs(mp.mpf(str(found.ball.mid().str(230, radius=False))) - value) <= (
        mp.mpf(str(found.ball.rad().str(30, radius=False))) * (1 + mp.mpf(10) ** -25)
        + abs(mp.mpf(size)) * mp.mpf(10) ** -190
    )


def test_one_point_is_no_axis_and_many_are_each_for_itself():
    X, Z, y = [[1, 0], [0, 2]], [[1, 1], [2, "0.5"], [0, 0]], [1, -1]
    assert phi_enclosure(X[0], Z).shape == (3,)
    assert phi_enclosure(X, Z[0]).shape == (2,)
    frame = pd.DataFrame([[1.0, 0.0], [0.0, 2.0]])
    for each in (np.array(X), frame, torch.tensor(X)):
        assert str(phi_enclosure(each, Z)[1, 1]) == str(phi_enclosure(X[1], Z[1]))
    options = {"X": X, "y": y, "X_adv": [[1, 0], [1, 1]], "negative_slope": "0.1"}
    together = g_hat_enclosure(Z, **options)
    assert list(map(str, together)) == [str(g_hat_enclosure(z, **options)) for z in Z]
    # The origin has f_hat = 0 exactly.
    assert proved_sign(g_hat_enclosure, Z, **options).tolist() == ["negative", "positive", "unknown"]
    with pytest.raises(ValueError, match=r"z\[1\] must have 2 entries, as x does, got 1"):
        phi_enclosure(X, [[1, 2], [1]])


# Bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [phi_enclosure, phi_interval_mpmath])
@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        (([1, 2], [1]), {}, ValueError, "z must have 2 entries, as x does, got 1"),
        (([], [1]), {}, ValueError, "x must have at least one entry, got none"),
        ((1.0, [1]), {}, TypeError, "x must be a sequence, got 1.0"),
        (("12", [1]), {}, TypeError, "x must be a sequence, got '12'"),
        ((iter([1]), [1]), {}, TypeError, "x must be a sequence, got <list_iterator"),
        ((np.float64(1), [1]), {}, TypeError, "x must be a sequence, got np.float64"),
        ((np.array(1.0), [1]), {}, TypeError, r"x must be a sequence, got an array of shape \(\)"),
        (([None], [1]), {}, TypeError, r"x\[0\] must be an exact real number, got None"),
        (([1], [0, math.nan]), {}, ValueError, r"z\[1\] must be finite, got nan"),
        (([-math.inf], [1]), {}, ValueError, r"x\[0\] must be finite, got -inf"),
        (([mp.mpf("nan")], [1]), {}, ValueError, r"x\[0\] must be finite, got nan"),
        (([Decimal("inf")], [1]), {}, ValueError, r"x\[0\] must be finite, got Infinity"),
        (([True], [1]), {}, TypeError, r"x\[0\] must be an exact real number, got True"),
        (([1j], [1]), {}, TypeError, r"x\[0\] must be an exact real number, got 1j"),
        (([mp.pi], [1]), {}, TypeError, r"x\[0\] must be an exact real number, got <pi"),
        ((["1/0"], [1]), {}, ValueError, r"x\[0\] must be a decimal or a fraction, .* got '1/0'"),
        ((["nan"], [1]), {}, ValueError, r"x\[0\] must be a decimal or a fraction, .* got 'nan'"),
        (
            ([0, 0.0], [1, 1]),
            {"bias_variance": 0},
            ValueError,
            "x must not be the zero vector where bias_var",
        ),
        (([1], ["0"]), {"bias_variance": 0}, ValueError, "z must not be the zero vector where bias_variance"),
        (([1], [1]), {"negative_slope": 1}, ValueError, r"negative_slope must lie in \[0, 1\), got 1"),
        (([1], [1]), {"negative_slope": "-1/9"}, ValueError, r"negative_slope must lie in .* got -1/9"),
        (([1], [1]), {"negative_slope": math.nan}, ValueError, "negative_slope must be finite, got nan"),
        (([1], [1]), {"negative_slope": arb(0)}, TypeError, "negative_slope must be an exact real number"),
        (([1], [1]), {"weight_variance": -1}, ValueError, "weight_variance must be >= 0, got -1"),
        (([1], [1]), {"bias_variance": -0.5}, ValueError, "bias_variance must be >= 0, got -1/2"),
        (
            ([1], [1]),
            {"weight_variance": 0, "bias_variance": 0},
            ValueError,
            "bias_variance must be > 0 where",
        ),
        (([1], [1]), {"precision": 1}, ValueError, "precision must be >= 2, got 1"),
        (([1], [1]), {"precision": 53.0}, TypeError, "precision must be an integer, got 53.0"),
        (([1], [1]), {"precision": 1 << 21}, ValueError, "precision must be <= 1048576 bits, got 2097152"),
    ],
)
def test_phi_rejects_bad_input(function, arguments, options, error, match):
    with pytest.raises(error, match=match):
        function(*arguments, **options)


def test_only_balls_know_balls():
    with pytest.raises(ValueError, match=r"x\[0\] must be finite, got nan"):
        phi_enclosure([arb.nan()], [1])
    with pytest.raises(TypeError, match=r"x\[0\] must be an exact real number"):
        phi_interval_mpmath([arb(1)], [1])


@pytest.mark.parametrize(
    ("function", "arguments", "options", "error", "match"),
    [
        (
            f_hat_enclosure,
            ([1, 2], [[1, 2], [1]], [1, 1]),
            {},
            ValueError,
            r"X\[1\] must have 2 entries, as z",
        ),
        (f_hat_enclosure, ([1], [1.0], [1]), {}, TypeError, r"X\[0\] must be a sequence, got 1.0"),
        (f_hat_enclosure, ([1], [[1]], [0]), {}, ValueError, "y must be -1 or .1, got 0"),
        (f_predict_enclosure, ([1], [[1]], [1, 1]), {}, ValueError, r"y must have shape \(1,\)"),
        (
            f_predict_enclosure,
            ([1], [[math.inf]], [1]),
            {},
            ValueError,
            r"X\[0\]\[0\] must be finite, got inf",
        ),
        (g_predict_enclosure, ([1], [[1, 2]], [1]), {}, ValueError, r"X_adv\[0\] must have 1 entries, as z"),
        (g_predict_enclosure, ([1], [[1]], [2]), {}, ValueError, "y_adv must be -1 or .1, got 2"),
        (g_hat_enclosure, ([1], [[1]], [1], [[1], [2]]), {}, ValueError, "X_adv must have one row .* got 2"),
        (g_hat_enclosure, ([1], [[1]], [1], [[1]]), {"negative_slope": 2}, ValueError, "negative_slope must"),
    ],
)
def test_predictors_reject_bad_input(function, arguments, options, error, match):
    named = dict(zip(inspect.signature(function).parameters, arguments, strict=False))
    with pytest.raises(error, match=match):
        function(**named, **options)


def test_proved_sign_rejects_bad_precisions():
    with pytest.raises(ValueError, match="start_precision must be >= 2, got 1"):
        proved_sign(f_hat_enclosure, [1], X=[[1]], y=[1], start_precision=1)
    with pytest.raises(ValueError, match="max_precision must be >= start_precision = 64, got 32"):
        proved_sign(f_hat_enclosure, [1], X=[[1]], y=[1], max_precision=32)
