"""Φ on arrays: exact values, 50 digits, properties, gradient."""

import itertools

import hypothesis.extra.numpy as hnp
import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from theory import Setting, gradient_bound, perturbation_direction, phi
from theory.kernel import arrays
from theory.kernel.gram import unit_rows
from theory.kernel.rows import weighted_gradient

SLOPES = st.floats(0, 0.999)
# Coordinates of ordinary size, or spread over 300 orders of magnitude, or equal to each other.
COORDINATES = st.one_of(
    st.floats(-5, 5, allow_subnormal=False),
    st.floats(-1e150, 1e150, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, -1.0, 1e-150]),
)


def reference(x, z, slope):
    """Φ with 50 digits, from arccos of the correlation."""
    with mp.workdps(max(50, mp.mp.dps)):
        x, z, slope = [mp.mpf(v) for v in x], [mp.mpf(v) for v in z], mp.mpf(slope)
        d = len(x)

        def inner(a, b):
            return mp.fsum(p * q for p, q in zip(a, b, strict=True)) / d + 1

        # Angles near 0 need more than 50 digits of ρ.
        with mp.workdps(450):
            rho = inner(x, z) / mp.sqrt(inner(x, x) * inner(z, z))
            theta = mp.acos(max(mp.mpf(-1), min(mp.mpf(1), rho)))
        return slope + (1 - slope) ** 2 * (mp.pi - theta) / (2 * mp.pi)


def points(rows=4, columns=3):
    return hnp.arrays(np.float64, (rows, columns), elements=COORDINATES)


@given(points(), SLOPES)
def test_phi_matches_mpmath(X, slope):
    # 1e-15: two roundings of a value below 1 and the roundings of θ/(2π), as promised in the docstring.
    K = phi(X[:2], X[2:], negative_slope=slope)
    for i in range(2):
        for j in range(2):
            assert abs(reference(X[i], X[2 + j], slope) - K[i, j]) < 1e-15


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-6, 1e-9, 1e-12, 0.0])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("norm", [1.0, 1e3, 1e8])
def test_phi_keeps_digits_for_nearly_parallel_points(gap, sign, norm):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(1, 50))
    x *= norm / np.linalg.norm(x)
    z = sign * x * (1 + gap) + gap * norm * rng.normal(size=x.shape)
    assert abs(reference(x[0], z[0], 0.1) - phi(x, z, negative_slope=0.1)[0, 0]) < 1e-15


def test_phi_on_many_dimensions_matches_mpmath():
    rng = np.random.default_rng(3)
    X, Z = rng.normal(size=(5, 1000)), rng.normal(size=(5, 1000))
    K = phi(X, Z)
    assert max(abs(reference(x, z, 0) - K[i, j]) for i, x in enumerate(X) for j, z in enumerate(Z)) < 1e-15


@given(points(), SLOPES)
def test_phi_is_symmetric_with_exact_diagonal(X, slope):
    K = phi(X, negative_slope=slope)
    assert (K == K.T).all()
    np.testing.assert_allclose(np.diag(K), (1 + slope**2) / 2, rtol=0, atol=2.3e-16)  # one rounding


@given(points(), SLOPES)
def test_phi_stays_in_range(X, slope):
    K = phi(X, -X, negative_slope=slope)
    assert (slope <= K).all()
    assert ((1 + slope**2) / 2 + 2.3e-16 >= K).all()  # one rounding


@given(points(rows=6), SLOPES)
def test_phi_is_positive_semidefinite(X, slope):
    K = phi(X, negative_slope=slope)
    # Weyl: an eigenvalue moves by at most the norm of the error, ≤ 6 · 1e-15.
    assert np.linalg.eigvalsh(K).min() > -6e-15 - 6 * np.finfo(float).eps * np.linalg.norm(K)


@given(hnp.arrays(np.float64, (4, 3), elements=st.floats(-5, 5)), st.integers(0, 2**32 - 1))
def test_phi_is_rotation_invariant(X, seed):
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    # Rotating rounds the points by a few ε, and Φ moves by that over the smallest scale, 1: 2·3·ε·5/(2π).
    np.testing.assert_allclose(phi(X @ Q), phi(X), rtol=0, atol=3e-15)


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=8, unique=True), SLOPES)
def test_phi_grows_with_the_correlation(thetas, slope):
    # In d = 1, (1, tan θ) has angle θ with the bias axis (0 in input space).
    angles = np.sort(np.arctan(np.array(thetas)))
    K = phi(np.array([[-4.0]]), np.tan(angles)[:, None], negative_slope=slope)[0]
    assert (np.diff(K) <= 1e-16).all()


def test_bias_axis_against_itself_and_known_angles():
    # d = 1: (x, 1) for x = 0, 1, −1 has mutual angles 45° and 90°.
    K = phi(np.array([[0.0], [1.0], [-1.0]]))
    np.testing.assert_allclose(K[0], [1 / 2, 3 / 8, 3 / 8], rtol=0, atol=1e-16)
    assert K[1, 2] == pytest.approx(1 / 4, abs=1e-16)


def test_phi_accepts_integers_and_leaves_its_arguments_alone():
    X = np.array([[1, 2], [3, 4]])
    assert (phi(X) == phi(X.astype(float))).all()
    Z = np.array([[1.0, 2.0]])
    phi(Z, Z)
    assert (Z == [[1.0, 2.0]]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "form",
    [
        lambda X: X[::-1, ::-1],
        lambda X: X.astype(X.dtype.newbyteorder()),
        np.asfortranarray,
        lambda X: np.broadcast_to(X[:1], X.shape),
    ],
    ids=["negative strides", "swapped bytes", "Fortran", "stride 0, read-only"],
)
def test_phi_reads_every_layout(form, dtype):
    X = np.random.default_rng(4).normal(size=(4, 3)).astype(dtype)
    plain = np.ascontiguousarray(form(X)).astype(dtype)
    K = phi(form(X), form(-X))
    assert K.dtype == dtype
    np.testing.assert_array_equal(K, phi(plain, -plain))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        (([[[1.0, 2.0]]],), {}, ValueError, r"X must have shape \(n, d\).*got \(1, 1, 2\)"),
        (([[1.0]], [[1.0, 2.0]]), {}, ValueError, "Z must have 1 columns.*got 2"),
        (([[np.nan]],), {}, ValueError, "X must be finite, got nan"),
        (([[1.0]], [[np.inf]]), {}, ValueError, "Z must be finite, got inf"),
        (([[1j]],), {}, TypeError, "X must be an array of real numbers, got dtype complex"),
        (([["a"]],), {}, TypeError, "X must be an array of real numbers"),
        (([[1.0], [1.0, 2.0]],), {}, ValueError, "X must be an array of numbers, got ragged rows"),
        ((np.empty((0, 3)),), {}, ValueError, r"got \(0, 3\)"),
        (([[1.0]],), {"negative_slope": 1.0}, ValueError, r"negative_slope must lie in \[0, 1\), got 1.0"),
        (([[1.0]],), {"negative_slope": -0.1}, ValueError, "negative_slope must lie in"),
        (([[1.0]],), {"negative_slope": np.nan}, ValueError, "negative_slope must be finite"),
        (([[1.0]],), {"negative_slope": "0"}, TypeError, "negative_slope must be a real number"),
    ],
)
def test_phi_rejects_bad_input(arguments, options, error, match):
    with pytest.raises(error, match=match):
        phi(*arguments, **options)


def test_weighted_gradient_matches_differences_at_high_precision():
    rng = np.random.default_rng(0)
    X, Z, weights = rng.normal(size=(3, 2)), rng.normal(size=(2, 2)), rng.normal(size=(2, 3))
    gradient = weighted_gradient(Z, X, unit_rows(X), weights, negative_slope=0.2)
    for q in range(2):
        for j in range(2):
            with mp.workdps(50):

                def total(value, q=q, j=j):
                    z = [mp.mpf(float(v)) for v in Z[q]]
                    z[j] = value
                    return mp.fsum(float(weights[q, n]) * reference(X[n], z, 0.2) for n in range(3))

                exact = mp.diff(total, mp.mpf(float(Z[q, j])))
            assert abs(exact - gradient[q, j]) < 1e-14  # tens of roundings of terms below 1


NEAR_PAIRS = pytest.mark.parametrize("kind", ["any", "radial", "longer"])


def _near_pairs(kind, norm, distance):
    """Yield x and z, of directions as near as the distance and the bias make them, also opposite ones."""
    rng = np.random.default_rng(3)
    for dim, sign in itertools.product((1, 5), (1.0, -1.0)):
        x, across = rng.normal(size=(2, dim))
        x, across = (vector / np.linalg.norm(vector) for vector in (x, across))
        x *= norm
        yield (
            x,
            sign
            * {
                "any": x + distance * max(1, norm) * across,
                "radial": x * (1 + distance),
                "longer": x * 10 ** rng.uniform(-6, 6) * (1 + distance * across),
            }[kind],
        )


@pytest.mark.parametrize("norm", [1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6])
@pytest.mark.parametrize("distance", [1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13, 1e-15])
@NEAR_PAIRS
def test_gradients_of_phi_near_the_cone_point_and_near_antipodes(kind, norm, distance):
    """Error of a term below 16 ε/sin θ of (1 − γ)²/(2π √d s(z)), the largest size, and below 4e-9 of it.

    Of the unit vector v the part across u is left, of length sin θ: roundings of u, v and their product over
    that.  Not relative to the gradient itself: far from 0 and near antipodes nearly all of that part is along
    the bias, and the rest, which is the gradient, has fewer digits.  Measured: 3.8 ε/sin θ, and 2e-10.
    """
    eps = np.finfo(float).eps
    for x, z in _near_pairs(kind, norm, distance):
        one = np.ones((1, 1))
        found = weighted_gradient(z[None], x[None], unit_rows(x[None]), one, negative_slope=0.2)[0]
        of_torch = arrays.weighted_gradient(
            torch.tensor(z[None]), torch.tensor(x[None]), torch.tensor(one), 0.2
        )[0]
        exact, sine = _gradient_mp(x, z)
        s = np.sqrt(z @ z / len(z) + 1)
        largest = (1 - 0.2) ** 2 / (2 * np.pi * np.sqrt(len(z)) * s)
        assert np.linalg.norm(exact) <= largest * (1 + 4 * eps)
        if sine <= 4 * eps:  # surely below the threshold of 8 ε
            assert not found.any()
            assert not of_torch.any()
        elif sine > 12 * eps:
            assert np.linalg.norm(found - exact) <= min(4e-9, 16 * eps / sine) * largest
            assert np.linalg.norm(of_torch.numpy() - exact) <= 16 * eps / sine * largest


@pytest.mark.parametrize("norm", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("distance", [1e-5, 1e-11, 3e-16])
@NEAR_PAIRS
def test_rounding_of_the_gradient_bound_covers_near_pairs(kind, norm, distance):
    """Also where unit vectors are equal and points are not: there the term of full size is left out."""
    for x, z in _near_pairs(kind, norm, distance):
        X, y = np.stack([x, z]), np.array([1.0, -1.0])
        here = Setting(dim=len(x), N=2, width=9, negative_slope=0.2, epsilon=1.0, T_f=1.0, T_g=1.0)
        allowed = gradient_bound(X=X, y=y, setting=here, delta=0.5).terms["rounding"]
        found = perturbation_direction(X=X, y=y, negative_slope=0.2)
        for n, point in enumerate(X):
            with mp.workdps(60):
                exact = np.zeros(len(x))
                for other, label in zip(X, y, strict=True):
                    inner = mp.fsum(mp.mpf(a) * mp.mpf(b) for a, b in zip(other, point, strict=True))
                    weight = label * (inner + 1) / 2
                    share = reference(other, point, 0.2) * label / 2
                    exact = exact + share * other + weight * _gradient_mp(other, point)[0]
                exact = exact.astype(float)
            assert np.linalg.norm(found[n] - exact) <= allowed[n] * (1 + 1e-12)


def _gradient_mp(x, z):
    """Return ∇_z Φ(x, z) with 60 digits, rounded, and sin θ: −(1 − γ)²/(2π) ∇θ, by the derivative of ρ."""
    with mp.workdps(60):
        x, z, slope = [mp.mpf(float(v)) for v in x], [mp.mpf(float(v)) for v in z], mp.mpf(0.2)
        d = len(x)
        sx, sz = (mp.sqrt(mp.fsum(v * v for v in p) / d + 1) for p in (x, z))
        inner = mp.fsum(p * q for p, q in zip(x, z, strict=True)) / d + 1
        rho = inner / (sx * sz)
        if 1 - rho**2 < mp.mpf(10) ** -55:  # rounding: the same point
            return np.zeros(d), 0.0
        sine = mp.sqrt(1 - rho**2)
        slopes = [p / (d * sx * sz) - inner * q / (d * sx * sz**3) for p, q in zip(x, z, strict=True)]
        factor = (1 - slope) ** 2 / (2 * mp.pi * sine)
        return np.array([float(factor * s) for s in slopes]), float(sine)
