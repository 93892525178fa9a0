"""Predictors against their expressions, written-out sums, and derivatives."""

import numpy as np
import pytest
import sympy as sp
from scipy import stats

import theory
from theory import expressions as ex

SLOPE = 0.3
N, DIM, Q = 5, 3, 4


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    X, Z, X_adv = rng.normal(size=(N, DIM)), rng.normal(size=(Q, DIM)), rng.normal(size=(N, DIM))
    return X, np.array([1.0, -1, 1, 1, -1]), Z, X_adv, np.array([-1.0, -1, 1, -1, 1])


def evaluated(expression, tables):
    """The sympy sum with its indexed symbols replaced by numbers (indices from 1)."""
    expanded = expression.subs(ex.N, N).doit()
    values = {}
    for base, table in tables.items():
        for index in np.ndindex(table.shape):
            values[base[tuple(i + 1 for i in index)]] = table[index]
    return float(expanded.subs(values))


def test_f_hat_and_f_predict_are_their_expressions(data):
    X, y, Z, _, _ = data
    K = theory.phi(X, Z, negative_slope=SLOPE)
    published = theory.f_hat(Z, X=X, y=y, negative_slope=SLOPE)
    with_bias = theory.f_predict(Z, X=X, y=y, negative_slope=SLOPE)
    for q in range(Q):
        tables = {ex.Phi_z: K[:, q], ex.y: y, ex.G: X @ Z[q]}
        assert published[q] == pytest.approx(evaluated(ex.F_HAT, tables), rel=1e-13, abs=1e-15)
        assert with_bias[q] == pytest.approx(evaluated(ex.F_B, tables), rel=1e-13, abs=1e-15)


def test_g_hat_and_g_predict_are_their_expressions(data):
    X, y, Z, X_adv, y_adv = data
    K_adv = theory.phi(X_adv, Z, negative_slope=SLOPE)
    K = theory.phi(X, negative_slope=SLOPE)
    published = theory.g_hat(Z, X=X, y=y, X_adv=X_adv, negative_slope=SLOPE)
    with_bias = theory.g_predict(Z, X_adv=X_adv, y_adv=y_adv, negative_slope=SLOPE)
    for q in range(Q):
        tables = {ex.Phi_adv: K_adv[:, q], ex.Phi_x: K, ex.y: y, ex.G: X @ Z[q]}
        assert published[q] == pytest.approx(evaluated(ex.G_HAT, tables), rel=1e-13, abs=1e-15)
        tables = {ex.Phi_adv: K_adv[:, q], ex.y_adv: y_adv, ex.G_adv: X_adv @ Z[q]}
        assert with_bias[q] == pytest.approx(evaluated(ex.G_B, tables), rel=1e-13, abs=1e-15)


def test_paper_direction_is_the_weighted_sum(data):
    X, y, Z, _, _ = data
    K = theory.phi(Z, X, negative_slope=SLOPE)
    written_out = sum(K[:, [k]] * y[k] * X[k] for k in range(N)) / N
    got = theory.perturbation_direction(Z, X=X, y=y, kind="paper", negative_slope=SLOPE)
    np.testing.assert_allclose(got, written_out, rtol=1e-13, atol=1e-16)


def test_gradient_direction_is_the_gradient_of_f_predict(data):
    """Central differences in d = 3; error h²/6 · f''' + ε/h ≈ 1e-10 at h = 1e-5."""
    X, y, Z, _, _ = data
    gradient = theory.perturbation_direction(Z, X=X, y=y, negative_slope=SLOPE)
    h = 1e-5
    for j in range(DIM):
        step = h * np.eye(DIM)[j]
        up, down = (theory.f_predict(Z + s, X=X, y=y, negative_slope=SLOPE) for s in (step, -step))
        np.testing.assert_allclose(gradient[:, j], (up - down) / (2 * h), rtol=0, atol=1e-9)


def test_gradient_coefficients_are_the_expressions(data):
    """One training point: ∇f_b = y(Φ x + k ∇Φ), ∇Φ from `GRADIENT_X` and `GRADIENT_Z`."""
    X, _, Z, _, _ = data
    x, z = X[0], Z[0]
    values = {ex.d: DIM, ex.x_z: x @ z, ex.x_x: x @ x, ex.z_z: z @ z, ex.gamma: SLOPE}
    values[ex.rho] = ex.RHO.subs(values)
    along_x, along_z = (float(e.subs(values)) for e in (ex.GRADIENT_X, ex.GRADIENT_Z))
    expected = float(ex.PHI.subs(values)) * x + (x @ z + 1) * (along_x * x + along_z * z)
    got = theory.perturbation_direction(z[None], X=x[None], y=[1], negative_slope=SLOPE)[0]
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_published_kink_free_form_misses_the_second_term():
    """Gradient minus paper direction at a training point: only the *other* samples contribute."""
    x = np.array([[1.0, 2.0]])
    both = [theory.perturbation_direction(X=x, y=[1], kind=kind) for kind in ("paper", "gradient")]
    np.testing.assert_array_equal(both[0], both[1])


def test_gradient_direction_is_the_sum_of_its_two_terms(data):
    X, y, Z, _, _ = data
    paper, kink, both = (
        theory.perturbation_direction(Z, X=X, y=y, kind=kind, negative_slope=SLOPE)
        for kind in ("paper", "kink", "gradient")
    )
    assert np.linalg.norm(kink) > 0.01 * np.linalg.norm(paper)
    np.testing.assert_array_equal(both, paper + kink)


def test_blocks_do_not_change_the_result(data, monkeypatch):
    X, y, Z, X_adv, _ = data
    calls = [
        lambda: theory.f_hat(Z, X=X, y=y),
        lambda: theory.g_hat(Z, X=X, y=y, X_adv=X_adv),
        lambda: theory.perturbation_direction(Z, X=X, y=y),
    ]
    whole = [call() for call in calls]
    monkeypatch.setattr("theory.predictors._BLOCK", 2 * N)
    for call, expected in zip(calls, whole, strict=True):
        np.testing.assert_allclose(call(), expected, rtol=1e-13, atol=1e-16)


def test_labels_flip_every_prediction(data):
    X, y, Z, X_adv, _ = data
    np.testing.assert_array_equal(theory.f_predict(Z, X=X, y=-y), -theory.f_predict(Z, X=X, y=y))
    np.testing.assert_array_equal(
        theory.g_hat(Z, X=X, y=-y, X_adv=X_adv), -theory.g_hat(Z, X=X, y=y, X_adv=X_adv)
    )


def test_initial_deviation_is_that_of_random_networks():
    """Variance of f(z; 0) over 20,000 networks of width 3: within five standard errors of the sample."""
    rng = np.random.default_rng(8)
    z = np.array([[1.5, -2.0]])
    draws, width = 20_000, 3
    u = (rng.normal(size=(draws, width, 2)) / np.sqrt(2)) @ z[0] + rng.normal(size=(draws, width))
    a = rng.normal(size=(draws, width)) / np.sqrt(width)
    squares = np.sum(a * np.maximum(u, SLOPE * u), axis=1) ** 2
    error = squares.std(ddof=1) / np.sqrt(draws)
    claimed = theory.initial_deviation(z, negative_slope=SLOPE)[0] ** 2
    assert abs(squares.mean() - claimed) < 5 * error
    exact = ex.INITIAL_VARIANCE.subs({ex.gamma: SLOPE, ex.z_z: float(z[0] @ z[0]), ex.d: 2})
    assert claimed == pytest.approx(float(exact), rel=1e-14)


def test_initial_variance_by_quadrature():
    s = sp.Symbol("s", positive=True)
    u = sp.Symbol("u", real=True)
    density = sp.exp(-(u**2) / (2 * s**2)) / (s * sp.sqrt(2 * sp.pi))
    second = sp.integrate(u**2 * density, (u, 0, sp.oo)) * (1 + ex.gamma**2)
    assert sp.simplify(second - ex.INITIAL_VARIANCE.subs(ex.z_z, (s**2 - 1) * ex.d)) == 0


def test_agreement_probability_by_simulation():
    rng = np.random.default_rng(9)
    f, g_b, sigma = np.array([0.5, -0.2]), np.array([0.3, 0.4]), np.array([1.0, 2.0])
    draws = 200_000
    g = 3.0 * g_b + sigma * rng.normal(size=(draws, 2))
    counts = np.sum(np.sign(f) == np.sign(g), axis=0)
    claimed = theory.agreement_probability(f, g_b, sigma, T_g=3.0)
    for count, probability in zip(counts, claimed, strict=True):
        assert stats.binomtest(int(count), draws, probability).pvalue > 1e-9
    exact = ex.AGREEMENT.subs({ex.sign_f: 1, ex.T_g: 3, ex.velocity: 0.3, ex.sigma: 1})
    assert claimed[0] == pytest.approx(float(exact), rel=1e-14)
    assert theory.agreement_probability(np.zeros(2), g_b, sigma, T_g=3.0).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda X, y, Z: theory.f_hat(Z, X=X, y=y[:-1]), r"y must have shape \(5,\).*got \(4,\)"),
        (lambda X, y, Z: theory.f_hat(Z, X=X, y=y * 2), "y must be -1 or \\+1, got 2"),
        (lambda X, y, Z: theory.f_hat(Z, X=X, y=y * 0), "y must be -1 or \\+1, got 0"),
        (lambda X, y, Z: theory.f_predict(Z[:, :2], X=X, y=y), "Z must have 3 columns.*got 2"),
        (
            lambda X, y, Z: theory.g_hat(Z, X=X, y=y, X_adv=X[:-1]),
            "X_adv must have one row for each of the 5",
        ),
        (lambda X, y, Z: theory.g_predict(Z, X_adv=X, y_adv=y[None]), r"y_adv must have shape \(5,\)"),
        (lambda X, y, Z: theory.perturbation_direction(X=X, y=y, kind="ours"), "kind must be one of paper"),
        (lambda X, y, Z: theory.perturbation_direction(Z[None], X=X, y=y), r"Z must have shape \(n, d\)"),
        (lambda X, y, Z: theory.f_hat(Z, X=X, y=y, negative_slope=1), r"negative_slope must lie in \[0, 1\)"),
    ],
)
def test_bad_input_is_named(data, call, match):
    with pytest.raises(ValueError, match=match):
        call(*data[:3])


@pytest.mark.parametrize("kind", ["gradient", "kink"])
def test_direction_that_overflows_is_not_known(data, kind):
    """At entries of 1e160 inner products overflow; at 1e150 they do not."""
    X, y, Z, _, _ = data
    for points, at in ((X * 1e160, None), (X * 1e160, Z * 1e160)):
        assert np.isnan(theory.perturbation_direction(at, X=points, y=y, kind=kind)).any(axis=1).all()
    assert np.isfinite(theory.perturbation_direction(X=X * 1e150, y=y, kind=kind)).all()
    assert np.isfinite(theory.perturbation_direction(X=X * 1e160, y=y, kind="paper")).all()
