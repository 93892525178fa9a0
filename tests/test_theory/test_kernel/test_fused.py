"""Compiled passes: the arcsine proved and measured, and results as those of numpy, also without numba."""

import math

import mpmath as mp
import numpy as np
import pytest
from flint import fmpq, fmpq_poly

from tests.test_packaging import _run
from tests.test_theory.test_deep.test_kernels import ODD, PLAIN, RESIDUAL, SHRINKING
from theory import deep, f_predict, g_hat, phi, phi_product
from theory.deep import Architecture
from theory.kernel import fused, gram
from theory.kernel.rows import angles

EPS = {np.dtype(dtype): float(np.finfo(dtype).eps) for dtype in (np.float32, np.float64)}
# Error of z P(z) and t Q(t), that is of the polynomials relative to s, as Derivations 1 and 17 have it.
REMAINDERS = {"float32": 3e-9, "float64": 6e-17, "angle": 9e-17}


def exactly(number):
    return fmpq(*float(number).as_integer_ratio())


@pytest.mark.parametrize("name", REMAINDERS)
def test_remainder_of_the_polynomial_is_bounded(name):
    """In rationals: Σ a_k z^k − z P(z) on pieces of [0, 1/4], or [0, 1/2], by its Taylor coefficients."""
    series, most = [fmpq(0)], 80
    for k in range(1, most):  # arcsin s = s Σ (2k)!/(4^k k!² (2k + 1)) z^k
        series.append(fmpq(math.factorial(2 * k), 4**k * math.factorial(k) ** 2 * (2 * k + 1)))
    if name == "angle":
        end, terms = fmpq(1, 2), [term for pair in zip(*fused.ANGLE, strict=True) for term in pair]
    else:
        end, terms = fmpq(1, 4), fused.numbers(name)[1]
    difference = fmpq_poly(series) - fmpq_poly([0, *(exactly(term) for term in terms[::-1])])
    pieces, worst = 256, 0.0
    radius = end / (2 * pieces)
    for piece in range(pieces):
        around = difference(fmpq_poly([radius * (2 * piece + 1), 1])).coeffs()
        worst = max(worst, float(sum(abs(float(c)) * float(radius) ** k for k, c in enumerate(around))))
    tail = float(end) ** most / (1 - float(end))
    assert 0.9 * REMAINDERS[name] < worst + tail < REMAINDERS[name]


def test_angle_of_a_deficit_is_accurate():
    """θ relative to itself, up to π − 0.02; sin θ − θ cos θ in roundings of its terms."""
    ends = [1e-300, 1e-30, 1e-9, np.nextafter(1, 0), 1.0, np.nextafter(1, 2), 2 - 2e-4]
    for delta in [*ends, *np.geomspace(1e-6, 1, 300), *np.linspace(0.001, 1.999, 300)]:
        theta, bracket = fused._angle(delta)
        with mp.workdps(40):
            exact = 2 * mp.asin(mp.sqrt(mp.mpf(float(delta)) / 2))
            assert abs(theta / exact - 1) < 2 * EPS[np.dtype("float64")]
            size = mp.sin(exact) + exact
            assert abs(bracket - mp.sin(exact) + exact * mp.cos(exact)) < 2 * EPS[np.dtype("float64")] * size
    assert fused._angle(0.0) == (0.0, 0.0)


def turned(x, *, limit=2.0, added=1.0):
    """Return arcsin of numbers as the pass computes it."""
    K, one, none = x[None].copy(), np.zeros(len(x), x.dtype), np.zeros((0, 1), x.dtype)
    numbers = fused.numbers(x.dtype, limit, 1.0, 0.0, added)
    found = fused.arcsine(K, 0, one, one, none[:, 0], none[:, 0], none, none[:, 0], *numbers)
    return K[0], found


@pytest.mark.parametrize("dtype", EPS)
def test_arcsine_is_within_its_error(dtype):
    rng = np.random.default_rng(0)
    ends = [0.0, 1e-30, 0.5, np.nextafter(0.5, 1), 1 - 1e-7, 1.0]
    x = np.array([*ends, *np.linspace(0, 1, 2000), *(0.5 + 1e-5 * rng.normal(size=200))]).astype(dtype)
    x = np.concatenate([x, -x])
    with mp.workdps(30):
        error = max(abs(mp.asin(float(a)) - mp.mpf(float(b))) for a, b in zip(x, turned(x)[0], strict=True))
    assert 0.5 * EPS[dtype] < error < fused.ARCSIN_ERROR * EPS[dtype]


@pytest.mark.parametrize("dtype", EPS)
def test_what_is_no_correlation_is_nan(dtype):
    values, (rows, *_) = turned(np.array([np.nan, np.inf, -np.inf, 1.5, 0.25], dtype=dtype))
    np.testing.assert_array_equal(np.isnan(values), [True] * 4 + [False])
    assert len(rows) == 2  # infinities lie beyond the limit, NaN does not


@pytest.mark.parametrize("length", [5, 3000])
@pytest.mark.parametrize("factor", [False, True])
@pytest.mark.parametrize("weighted", [0, 1, 3], ids=["matrix", "one row of weights", "as many as rows"])
def test_a_pass_is_its_definition_and_hands_near_pairs_over(length, factor, weighted):
    """More near pairs than rows, so that the lists grow, and rows longer than what is worked on together."""
    rng = np.random.default_rng(length)
    K = rng.uniform(-1, 0.99, size=(3, length))
    K[1] /= 2
    K[:, 0], K[2, -2:] = 0, (0.98, -0.995)
    b, c = rng.normal(size=3), rng.uniform(-0.005, 0.005, size=length)
    p, q = (rng.normal(size=3), rng.normal(size=length)) if factor else (np.zeros(0), np.zeros(0))
    weights, sums = rng.normal(size=(weighted, length)), np.full(3 if weighted else 0, np.nan)
    rho = (K + b[:, None] * c)[:, 1:]
    factors = K[:, 1:] * np.outer(p, q[1:]) + 7 if factor else np.ones_like(rho)
    with np.errstate(invalid="ignore"):
        expected = (3 + 2 * np.arcsin(rho)) * factors
    near = np.nonzero(np.abs(rho) > 0.98)
    expected[near] = 0
    left, whole = K[:, 0].copy(), K.copy()
    numbers = fused.numbers(K.dtype, 0.98, 2.0, 3.0, 7.0 if factor else 1.0)
    rows, columns, opposite, given = fused.arcsine(K, 1, b, c, p, q, weights, sums, *numbers)
    np.testing.assert_array_equal((rows, columns - 1), near)
    np.testing.assert_array_equal(opposite, rho[near] < 0)
    np.testing.assert_allclose(given, factors[near], rtol=1e-14)
    assert len(near[0]) > 3 if length > 5 else len(near[0]) > 0
    if weighted:
        np.testing.assert_allclose(sums, (expected * weights[:, 1:]).sum(axis=1), rtol=1e-13, atol=1e-11)
        np.testing.assert_array_equal(K, whole)
    else:
        np.testing.assert_array_equal(K[:, 0], left)  # left of the first column
        far = np.abs(rho) <= 0.98
        np.testing.assert_allclose(K[:, 1:][far], expected[far], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("variances", [(1.0, 1.0), (0.5, 2.0), (1.0, 0.0), (0.0, 1.0)])
@pytest.mark.parametrize("norm", [1e-30, 1.0, 1e18])
@pytest.mark.parametrize("dim", [1, 7, 128, 300])
def test_unit_rows_are_those_of_numpy(dtype, variances, norm, dim):
    X = (norm * np.random.default_rng(dim).normal(size=(20, dim))).astype(dtype)
    named = dict(zip(("weight_variance", "bias_variance"), variances, strict=True))
    expected = gram.unit_rows(X, **named)
    np.testing.assert_allclose(gram.unit_rows(X, **named, compiled=fused), expected, rtol=4 * EPS[dtype])


@pytest.mark.parametrize("spread", [1e-12, 1e-5, 1.0, 1e152])
@pytest.mark.parametrize("shapes", [(40, 600), (600, None)])
def test_predictors_and_angles_do_not_depend_on_the_passes(spread, shapes, monkeypatch):
    """Sets near one line through a centre, on both sides of it; and lengths whose squares overflow."""
    rng = np.random.default_rng(1)
    centre, dim = rng.normal(size=12), 12
    Z, X = (
        rng.choice([-1.0, 1.0], size=(rows or 600, 1)) * centre + spread * rng.normal(size=(rows or 600, dim))
        for rows in shapes
    )
    y = rng.choice([-1.0, 1.0], size=len(X))
    both = []
    for least in (math.inf, 1):
        monkeypatch.setattr(gram, "_COMPILED", least)
        with np.errstate(over="ignore"):
            sums = f_predict(Z, X=X, y=y), g_hat(Z, X=X, y=y, X_adv=X[::-1])
        own = phi(X)
        np.testing.assert_array_equal(own, own.T)
        both.append((own, angles(Z, X), phi_product(Z, X=X, v=X), *sums))
    lengths = [np.hypot.reduce(points, axis=1) for points in (Z, X)]
    sizes = lengths[0] * lengths[1].mean() + 1
    for values, expected, size in zip(*both, (1, 1, np.abs(X).sum(), sizes, sizes), strict=True):
        known = np.isfinite(expected)
        np.testing.assert_array_equal(np.isfinite(values), known)
        error = np.abs(np.where(known, values - expected, 0)) / size
        assert error.max() < 1e-14


def test_results_are_there_without_numba_and_small_ones_do_not_load_it():
    code = (
        "import sys, numpy as np\n"
        "from theory import phi\n"
        "from theory.kernel import gram\n"
        "X = np.ones((3, 2)) * np.arange(3.0)[:, None]\n"
        "first = phi(X, X)\n"
        "assert 'numba' not in sys.modules\n"
        "gram._COMPILED = 9\n"
        "print(abs(first - phi(X, X)).max() < 1e-15, 'numba' in sys.modules)"
    )
    for hidden, loaded in (([], "True"), (["numba"], "False")):
        done = _run(code, hidden=hidden)
        assert (done.stderr, done.stdout.split()) == ("", ["True", loaded])


@pytest.mark.parametrize("near", [0.05, 0.5], ids=["few near pairs", "many"])
@pytest.mark.parametrize("architecture", [*PLAIN, *RESIDUAL, ODD, *SHRINKING], ids=str)
def test_deep_kernels_do_not_depend_on_the_passes(architecture, near, monkeypatch):
    """Points at all angles, of lengths from .1 to 10, a share of them near others; errors as of `kernels`."""
    rng = np.random.default_rng(5)
    X, Z = (rng.choice([0.1, 1.0, 10.0], size=(40, 1)) * rng.normal(size=(40, 5)) for _ in range(2))
    num = round(near * 40)
    X[:num] = X[0] + 1e-3 * rng.normal(size=(num, 5))
    Z[:num] = rng.choice([-1.0, 1.0], size=(num, 1)) * X[:num] + 1e-6 * rng.normal(size=(num, 5))
    for function in (deep.ntk, deep.nngp, deep.phi):
        found = []
        for least in (math.inf, 1):
            monkeypatch.setattr(gram, "_COMPILED", least)
            found.append([function(*points, architecture=architecture) for points in ((Z, X), (X,), (Z,))])
        (both, of_x, of_z), (values, own, _) = found
        sizes = np.sqrt(np.outer(np.diag(of_z), np.diag(of_x)))
        assert np.abs((values - both) / sizes).max() < 1e-14
        assert np.abs((own - of_x) / np.sqrt(np.outer(np.diag(of_x), np.diag(of_x)))).max() < 1e-14
        np.testing.assert_array_equal(own, own.T)


@pytest.mark.parametrize(
    ("scale", "variance", "depth"), [(1e160, None, 2), (1.0, 1e-10, 40), (1.0, 1e-200, 3), (1e150, 1e10, 2)]
)
def test_without_biases_variances_that_overflow_or_vanish_are_not_needed(scale, variance, depth, monkeypatch):
    X = np.random.default_rng(6).normal(size=(20, 4)) * scale
    architecture = Architecture(depth=depth, rates="all", bias_variance=0.0, weight_variance=variance)
    found = []
    for least in (math.inf, 1):
        monkeypatch.setattr(gram, "_COMPILED", least)
        found.append(deep.phi(X, architecture=architecture))
    assert np.isfinite(found[0]).all()
    np.testing.assert_allclose(*found, rtol=1e-13)


def test_what_overflows_in_depth_is_not_known_by_either(monkeypatch):
    X = np.random.default_rng(6).normal(size=(20, 3)) * 10.0 ** np.arange(0, 300, 15)[:, None]
    architecture = Architecture(depth=3, rates="all", bias_variance=0.3)
    found = []
    for least in (math.inf, 1):
        monkeypatch.setattr(gram, "_COMPILED", least)
        found.append(deep.ntk(X, architecture=architecture))
    np.testing.assert_array_equal(*map(np.isnan, found))
    assert 0 < np.isnan(found[0]).sum() < X.shape[0] ** 2
    np.testing.assert_allclose(*found, rtol=1e-12)
