"""Lazy training with other losses: exact solutions, mpmath, simulation, and networks within their bounds."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, strategies as st
from scipy import special, stats

import theory
from theory import expressions as ex, lazy
from theory.kernel.enclosure import Sign
from theory.lazy import losses, solvers

SLOPE = 0.3
EPS = np.finfo(np.float64).eps
NUMERICAL = ("logistic", "exponential")
SLOPES = {
    "identity": np.ones_like,
    "logistic": lambda s: 1 / (1 + np.exp(-s)),
    "squared": lambda s: 1 + s,
    "exponential": np.exp,
}


def problem(N=6, dim=3, seed=0, queries=4):
    rng = np.random.default_rng(seed)
    X, Z = rng.normal(size=(N, dim)), rng.normal(size=(queries, dim))
    return X, rng.choice([-1.0, 1.0], size=N), Z, rng.normal(size=N)


def signed_kernel(X, y):
    return theory.ntk(X, negative_slope=SLOPE) * np.outer(y, y) / len(X)


@st.composite
def problems(draw, max_samples=5):
    N, dim = draw(st.integers(1, max_samples)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.1, 1.0, 3.0]))
    X = scale * rng.normal(size=(N, dim))
    if draw(st.booleans()):
        X[-1] = X[0]  # a singular kernel, and with unequal labels one that cannot be fitted
    y = rng.choice([-1.0, 1.0], size=N)
    return (
        X,
        y,
        scale * rng.normal(size=(3, dim)),
        draw(st.sampled_from([0.0, 1.0, 3.0])) * rng.normal(size=N),
    )


# Exact solutions ------------------------------------------------------------------------------------


def one_sample(q, c, T, loss):
    """Return β for N = 1 with initial margin q and M = c.

    Exponential: e^(q + cβ) = e^q + cT.  Logistic: p + e^p = q + e^q + cT for the final margin p = q + cβ.
    """
    with mpmath.workdps(40):
        q, c, T = mpmath.mpf(q), mpmath.mpf(c), mpmath.mpf(T)
        if loss == "exponential":
            return float(mpmath.log1p(c * T * mpmath.exp(-q)) / c)
        total = q + mpmath.exp(q) + c * T
        return float((total - mpmath.lambertw(mpmath.exp(total)) - q) / c)


@pytest.mark.parametrize("loss", NUMERICAL)
@pytest.mark.parametrize("margin", [-40.0, -3.0, 0.0, 3.0, 30.0])
@pytest.mark.parametrize("T", [1e-8, 1.0, 100.0])
def test_one_sample_is_solved_exactly(loss, margin, T):
    x = np.array([[1.0, 2.0]])
    c = theory.ntk(x, negative_slope=SLOPE)[0, 0]
    beta = theory_weights(x, [-1], T, loss, initial=[-margin])
    assert beta[0] == pytest.approx(one_sample(margin, c, T, loss), rel=1e-8)


def theory_weights(X, y, T, loss, **options):
    return lazy.lazy_weights(X=X, y=y, T=T, loss=loss, negative_slope=SLOPE, **options)


def test_exponential_loss_at_the_largest_initial_loss_and_time():
    x = np.array([[1.0, 2.0]])
    c = theory.ntk(x, negative_slope=SLOPE)[0, 0]
    beta = theory_weights(x, [1], 1e6, "exponential", initial=[-80.0], tolerance=1e-4)
    assert beta[0] == pytest.approx(one_sample(-80.0, c, 1e6, "exponential"), rel=1e-4)


@pytest.mark.parametrize("T", [1.0, 1e3, 1e7])
def test_opposite_labels_on_one_point_stiff(T):
    """o' = −(c/2) tanh(o/2) at both copies, so sinh(o/2) decays like e^(−cT/4); the weights sum to T."""
    x = np.array([[1.0, 2.0]])
    c = theory.ntk(x, negative_slope=SLOPE)[0, 0]
    start = 3.0
    end = 2 * math.asinh(math.sinh(start / 2) * math.exp(-min(c * T / 4, 700)))
    beta = theory_weights(np.repeat(x, 2, axis=0), [1, -1], T, "logistic", initial=[start, start])
    difference = 2 * (end - start) / c
    np.testing.assert_allclose(beta, [(T + difference) / 2, (T - difference) / 2], rtol=1e-8)


def test_identity_loss_weighs_every_sample_by_the_time():
    X, y, Z, o = problem()
    assert (theory_weights(X, y, 0.7, "identity", initial=o) == 0.7).all()
    at_Z = np.arange(4.0)
    got = lazy.lazy_predict(
        Z, X=X, y=y, T=0.7, loss="identity", negative_slope=SLOPE, initial_outputs=o, initial_at_Z=at_Z
    )
    expected = at_Z + 0.7 * theory.f_predict(Z, X=X, y=y, negative_slope=SLOPE)
    np.testing.assert_allclose(got, expected, rtol=1e-13)


@pytest.mark.parametrize("loss", lazy.LAZY_LOSSES)
def test_no_time_no_weight(loss):
    X, y, Z, o = problem()
    assert not theory_weights(X, y, 0.0, loss, initial=o).any()
    assert not theory_weights(X, y, 0.0, loss, initial=o, num_steps=3).any()
    got = lazy.lazy_predict(Z, X=X, y=y, T=0.0, loss=loss, initial_outputs=o, initial_at_Z=np.arange(4.0))
    assert got.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("loss", lazy.LAZY_LOSSES)
def test_short_times_act_with_the_initial_slope(loss):
    """β = T ℓ'(−y∘o) − T²/2 ℓ''(−y∘o) ∘ M ℓ' + …: the first term, and the second by its order."""
    X, y, _, o = problem()
    initial = SLOPES[loss](-y * o)
    errors = [
        np.abs(theory_weights(X, y, T, loss, initial=o, tolerance=1e-11) / T - initial).max()
        for T in (1e-3, 1e-4)
    ]
    if loss == "identity":
        assert errors == [0, 0]
    else:
        assert errors[1] < 1e-3
        assert errors[0] / errors[1] == pytest.approx(10, rel=0.05)


# mpmath ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", NUMERICAL)
@pytest.mark.parametrize("tolerance", [1e-5, 1e-8, 1e-11])
def test_flow_matches_mpmath_within_the_tolerance(loss, tolerance):
    X, y, _, o = problem(N=3)
    M, q, T = signed_kernel(X, y), y * o, 2
    with mpmath.workdps(20):
        kernel = mpmath.matrix(M.tolist())

        def velocity(_, beta):
            margins = [q[n] + mpmath.fdot(kernel[n, :], beta) for n in range(3)]
            return [mpmath.exp(-p) if loss == "exponential" else 1 / (1 + mpmath.exp(p)) for p in margins]

        exact = np.array([float(b) for b in mpmath.odefun(velocity, 0, [0, 0, 0])(T)])
    beta = theory_weights(X, y, T, loss, initial=o, tolerance=tolerance)
    assert np.abs(beta - exact).max() <= tolerance * exact.max()


def test_squared_loss_matches_mpmath():
    X, y, _, o = problem(N=4)
    M, T = signed_kernel(X, y), 3.0
    with mpmath.workdps(30):
        kernel = mpmath.matrix(M.tolist())
        exact = mpmath.lu_solve(
            kernel, (mpmath.eye(4) - mpmath.expm(-T * kernel)) * mpmath.matrix((1 - y * o).tolist())
        )
        exact = np.array([float(b) for b in exact])
    np.testing.assert_allclose(theory_weights(X, y, T, "squared", initial=o), exact, rtol=1e-12)


# Squared loss ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [1e6, 1e300, 1e308])
def test_squared_loss_interpolates_in_the_end(T):
    X, y, _, o = problem()
    X = 3 * X  # eigenvalues above 1.8, so that λT overflows
    M = signed_kernel(X, y)
    assert np.linalg.eigvalsh(M)[0] > 1e-3
    got = lazy.lazy_predict(
        X, X=X, y=y, T=T, loss="squared", negative_slope=SLOPE, initial_outputs=o, initial_at_Z=o
    )
    np.testing.assert_allclose(got, y, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        theory_weights(X, y, T, "squared", initial=o), np.linalg.solve(M, 1 - y * o), rtol=1e-10
    )


def test_squared_loss_on_a_singular_kernel():
    """Opposite labels on one point: the mean of outputs decays, the sum of weights grows without end."""
    x = np.repeat(np.array([[1.0, 2.0]]), 2, axis=0)
    beta = theory_weights(x, [1, -1], 50.0, "squared", initial=[0.5, 0.5])
    c = theory.ntk(x[:1], negative_slope=SLOPE)[0, 0]
    assert beta.sum() == pytest.approx(2 * 50.0, rel=1e-12)
    assert beta[0] - beta[1] == pytest.approx(-2 * 0.5 / c, rel=1e-10)


def test_squared_loss_refuses_what_a_singular_kernel_does_not_resolve():
    """A mode of eigenvalue 0 grows by T, one of 1e-16 to at most 1e16: rounding cannot tell them apart."""
    x, labels = np.repeat(np.array([[1.0, 2.0]]), 2, axis=0), [1, -1]
    assert theory_weights(x, labels, 1e6, "squared").tolist() == pytest.approx([1e6, 1e6], rel=1e-8)
    with pytest.raises(FloatingPointError, match="tolerance 1e-08 not reached: the kernel is singular up to"):
        theory_weights(x, labels, 1e9, "squared")


def test_prediction_from_zero_is_the_mean_over_networks_for_squared_loss_alone():
    X, y, Z, _ = problem()
    rng = np.random.default_rng(3)
    at_X, at_Z = lazy.draw_initial_outputs(Z, X=X, negative_slope=SLOPE, num_samples=20_000, rng=rng)
    options = {"loss": "squared", "negative_slope": SLOPE}
    drawn = lazy.lazy_predict(Z, X=X, y=y, T=1.5, initial_outputs=at_X, initial_at_Z=at_Z, **options)
    assert drawn.shape == (20_000, 4)
    errors = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - lazy.lazy_predict(Z, X=X, y=y, T=1.5, **options)) < 5 * errors).all()
    # ℓ' is not affine in the others, which makes them differ: one sample, margins ±3 and 0.
    for loss, share in (("logistic", 0.05), ("exponential", 0.5)):
        pair = theory_weights(X[:1], y[:1], 1.0, loss, initial=[[3.0], [-3.0]])
        middle = theory_weights(X[:1], y[:1], 1.0, loss)
        assert abs(pair.mean() / middle[0] - 1) > share


# Descent --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", lazy.LAZY_LOSSES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_descent_is_the_iteration_of_the_outputs(loss, momentum):
    """o ← o + η v, v ← μ v + (1/N) Θ (y ∘ ℓ'(−y∘o)), at training and query points together."""
    X, y, Z, o = problem()
    points = np.concatenate([X, Z])
    K = theory.ntk(points, X, negative_slope=SLOPE) / len(X)
    steps, T = 7, 1.3
    rate = theory.learning_rate_for(T, steps, momentum=momentum)
    outputs, velocity = np.concatenate([o, np.arange(4.0)]), np.zeros(10)
    for _ in range(steps):
        velocity = momentum * velocity + K @ (y * SLOPES[loss](-y * outputs[:6]))
        outputs = outputs + rate * velocity
    got = lazy.lazy_predict(
        points,
        X=X,
        y=y,
        T=T,
        loss=loss,
        negative_slope=SLOPE,
        initial_outputs=o,
        initial_at_Z=np.concatenate([o, np.arange(4.0)]),
        num_steps=steps,
        momentum=momentum,
    )
    np.testing.assert_allclose(got, outputs, rtol=1e-12)


@pytest.mark.parametrize("loss", ["logistic", "squared", "exponential"])
def test_descent_tends_to_the_flow_at_first_order(loss):
    X, y, _, o = problem()
    flow = theory_weights(X, y, 2.0, loss, initial=o, tolerance=1e-11)
    steps = np.array([100, 200, 400, 800])
    errors = [np.abs(theory_weights(X, y, 2.0, loss, initial=o, num_steps=k) - flow).max() for k in steps]
    assert stats.linregress(np.log(steps), np.log(errors)).slope == pytest.approx(-1, abs=0.05)


# Properties -----------------------------------------------------------------------------------------


@given(problems(), st.sampled_from(NUMERICAL), st.sampled_from([0.1, 2.0, 30.0]))
def test_weights_grow_slow_down_and_lower_the_loss(case, loss, T):
    X, y, _, o = case
    half, whole = (theory_weights(X, y, t, loss, initial=o) for t in (T / 2, T))
    slack = 2e-8 * whole.max()
    assert (half > 0).all()
    assert (whole >= half - slack).all()
    if loss == "logistic":
        assert (whole <= T).all()
    M = signed_kernel(X, y)
    losses = [lazy.training_loss(o + y * (M @ beta), y, loss=loss) for beta in (0 * half, half, whole)]
    assert losses[0] * (1 + 1e-7) >= losses[1]
    assert losses[1] * (1 + 1e-7) >= losses[2]


@given(problems(), st.sampled_from(["logistic", "squared", "exponential"]), st.floats(0.1, 10))
def test_flow_does_not_take_two_networks_apart(case, loss, T):
    """With margins q = q₀ + M β: (q − q')ᵀ M⁻¹ (q − q') never increases; start both within the range of M."""
    X, y, _, o = case
    M = signed_kernel(X, y)
    gap = np.linspace(-1, 1, len(y))
    beta = theory_weights(X, y, T, loss, initial=[o, o + y * (M @ gap)])
    after = gap + beta[1] - beta[0]
    allowed = 1e-6 * (1 + np.abs(beta).max()) * np.abs(M).sum() * (1 + np.abs(after).max())
    assert after @ M @ after <= gap @ M @ gap + allowed


@given(problems(), st.sampled_from(lazy.LAZY_LOSSES))
def test_labels_and_outputs_change_sign_together(case, loss):
    X, y, Z, o = case
    options = {"loss": loss, "negative_slope": SLOPE}
    at_Z = np.arange(3.0)
    one = lazy.lazy_predict(Z, X=X, y=y, T=1.0, initial_outputs=o, initial_at_Z=at_Z, **options)
    other = lazy.lazy_predict(Z, X=X, y=-y, T=1.0, initial_outputs=-o, initial_at_Z=-at_Z, **options)
    np.testing.assert_array_equal(one, -other)


@pytest.mark.parametrize("loss", lazy.LAZY_LOSSES)
def test_networks_in_a_batch_do_not_meet(loss):
    """Rows together, stiff and not, are the rows alone."""
    X, y, _, o = problem()
    rows = np.stack([o, -2 * o, 0 * o, 3 * o - 8 * y])
    together = theory_weights(X, y, 3.0, loss, initial=rows)
    for row, beta in zip(rows, together, strict=True):
        np.testing.assert_allclose(beta, theory_weights(X, y, 3.0, loss, initial=row), rtol=5e-8)


def test_both_solvers_agree(monkeypatch):
    X, y, _, o = problem()
    for loss in NUMERICAL:
        explicit = theory_weights(X, y, 3.0, loss, initial=o)
        with monkeypatch.context() as patch:
            patch.setattr("theory.lazy.solvers._STIFF", 0.0)
            implicit = theory_weights(X, y, 3.0, loss, initial=o)
        assert (explicit != implicit).any()
        np.testing.assert_allclose(implicit, explicit, rtol=2e-8)


# Untrained networks ---------------------------------------------------------------------------------


def test_initial_covariance_is_the_integral_of_phi():
    """d/dρ E φ(A) φ(B) = s s' Φ (Price), from (1 − γ)²/(2π) s s' = E φ(A) E φ(B) at ρ = 0."""
    from_zero = sp.integrate(ex.PHI, (ex.rho, 0, ex.rho)) + (1 - ex.gamma) ** 2 / (2 * sp.pi)
    at_one = ex.INITIAL_VARIANCE / ex.SCALE_SQUARED
    assert sp.simplify(from_zero.subs(ex.rho, 1) - at_one) == 0
    X, _, Z, _ = problem()
    got = lazy.initial_covariance(X, Z, negative_slope=SLOPE)
    for i, x in enumerate(X):
        for j, z in enumerate(Z):
            values = {ex.x_z: x @ z, ex.x_x: x @ x, ex.z_z: z @ z, ex.d: 3}
            scale = ex.SCALE.subs(values) * ex.SCALE.subs(ex.z_z, ex.x_x).subs(values)
            exact = scale * from_zero.subs({ex.rho: ex.RHO.subs(values), ex.gamma: SLOPE})
            assert got[i, j] == pytest.approx(float(exact), rel=1e-13, abs=1e-15)


def test_initial_covariance_is_that_of_random_networks():
    """Width 3, 40,000 networks, every pair of 5 points within five standard errors of the sample."""
    rng = np.random.default_rng(4)
    points = rng.normal(size=(5, 2))
    draws, width = 40_000, 3
    u = (rng.normal(size=(draws, width, 2)) / np.sqrt(2)) @ points.T + rng.normal(size=(draws, width, 1))
    a = rng.normal(size=(draws, width, 1)) / np.sqrt(width)
    f = np.sum(a * np.maximum(u, SLOPE * u), axis=1)
    products = f[:, :, None] * f[:, None, :]
    errors = products.std(axis=0, ddof=1) / np.sqrt(draws)
    claimed = lazy.initial_covariance(points, negative_slope=SLOPE)
    assert (np.abs(products.mean(axis=0) - claimed) < 5 * errors).all()


@given(problems(), st.sampled_from([0.0, 0.3, 0.9]))
def test_initial_covariance_is_a_covariance(case, slope):
    X = np.concatenate([case[0], case[2]])
    C = lazy.initial_covariance(X, negative_slope=slope)
    np.testing.assert_array_equal(C, C.T)
    np.testing.assert_allclose(
        np.diag(C), theory.initial_deviation(X, negative_slope=slope) ** 2, rtol=8 * EPS
    )
    np.testing.assert_allclose(lazy.initial_covariance(X, X, negative_slope=slope), C, rtol=1e-14)
    assert np.linalg.eigvalsh(C)[0] >= -1e-14 * np.trace(C)


def test_drawn_outputs_have_the_covariance_and_repeat_at_repeated_points():
    X, _, Z, _ = problem(N=3, queries=2)
    Z[1] = X[0]
    rng = np.random.default_rng(6)
    at_X, at_Z = lazy.draw_initial_outputs(Z, X=X, negative_slope=SLOPE, num_samples=50_000, rng=rng)
    assert (at_X.shape, at_Z.shape) == ((50_000, 3), (50_000, 2))
    np.testing.assert_allclose(at_Z[:, 1], at_X[:, 0], atol=1e-6)
    f = np.concatenate([at_X, at_Z], axis=1)
    products = f[:, :, None] * f[:, None, :]
    errors = products.std(axis=0, ddof=1) / np.sqrt(len(f))
    claimed = lazy.initial_covariance(np.concatenate([X, Z]), negative_slope=SLOPE)
    assert (np.abs(products.mean(axis=0) - claimed) < 5 * errors).all()


# Range and sign -------------------------------------------------------------------------------------


@given(problems(), st.sampled_from(NUMERICAL), st.sampled_from([0.01, 0.1, 1.0, 10.0]), st.integers(1, 40))
def test_range_contains_the_prediction(case, loss, T, num_intervals):
    X, y, Z, o = case
    start = {"initial_outputs": o, "initial_at_Z": np.arange(3.0)}
    options = {"loss": loss, "negative_slope": SLOPE, **start}
    lower, upper = lazy.lazy_range(Z, X=X, y=y, T=T, num_intervals=num_intervals, **options)
    predicted = lazy.lazy_predict(Z, X=X, y=y, T=T, tolerance=1e-10, **options)
    slack = 1e-9 * (1 + np.abs(predicted))
    assert (lower <= predicted + slack).all()
    assert (predicted <= upper + slack).all()


@given(problems(), st.sampled_from([0.1, 1.0, 10.0]), st.integers(1, 9), st.sampled_from([0.0, 0.5, 0.95]))
def test_range_of_one_interval_contains_descent_for_logistic_loss(case, T, num_steps, momentum):
    X, y, Z, o = case
    options = {"loss": "logistic", "initial_outputs": o, "initial_at_Z": np.arange(3.0)}
    lower, upper = lazy.lazy_range(Z, X=X, y=y, T=T, num_intervals=1, **options)
    predicted = lazy.lazy_predict(Z, X=X, y=y, T=T, num_steps=num_steps, momentum=momentum, **options)
    assert (lower <= predicted).all()
    assert (predicted <= upper).all()


@pytest.mark.parametrize("loss", NUMERICAL)
def test_range_narrows_to_first_order_in_the_interval(loss):
    X, y, Z, _ = problem()
    widths = [
        np.subtract(*lazy.lazy_range(Z, X=X, y=y, T=0.5, loss=loss, num_intervals=n)[::-1]).max()
        for n in (50, 100, 200, 400)
    ]
    assert stats.linregress(np.log([50, 100, 200, 400]), np.log(widths)).slope == pytest.approx(-1, abs=0.1)


def test_proved_signs_are_right_and_some_are_proved():
    found = []
    for seed in range(10):
        X, y, Z, _ = problem(seed=seed, queries=20)
        for loss in NUMERICAL:
            signs = lazy.lazy_sign(Z, X=X, y=y, T=1.0, loss=loss)
            values = lazy.lazy_predict(Z, X=X, y=y, T=1.0, loss=loss)
            for sign, value in zip(signs, values, strict=True):
                assert sign in (Sign.UNKNOWN, Sign.POSITIVE if value > 0 else Sign.NEGATIVE)
            found += signs
    shares = {sign: found.count(sign) / len(found) for sign in Sign}
    assert shares[Sign.POSITIVE] > 0.2
    assert shares[Sign.NEGATIVE] > 0.2


def test_range_proves_nothing_at_long_times_and_says_so():
    X, y, Z, _ = problem()
    lower, upper = lazy.lazy_range(Z, X=X, y=y, T=1e308, loss="exponential", num_intervals=3)
    assert (lower == -np.inf).all()
    assert (upper == np.inf).all()
    assert lazy.lazy_sign(Z, X=X, y=y, T=1e308, loss="exponential", num_intervals=3) == (Sign.UNKNOWN,) * 4
    lower, upper = lazy.lazy_range(Z, X=X, y=y, T=0.0, loss="logistic")
    np.testing.assert_array_equal(lower, upper)


# What can move --------------------------------------------------------------------------------------


def train(W, a, X, y, Z, *, loss, weights, slope=SLOPE, momentum=0.0):
    """Descend with these step weights; return losses at each gradient, pre-activations at Z, and Σ η |ℓ'|."""
    A, B = (np.column_stack([part, np.ones(len(part))]) for part in (X, Z))
    moved, losses, velocity = [B @ W.T], [], np.zeros_like(W)
    total, total_velocity = np.zeros(len(y)), np.zeros(len(y))
    for weight in weights:
        u = A @ W.T
        outputs = np.maximum(u, slope * u) @ a
        if not np.isfinite(outputs).all():
            return losses, np.full_like(moved, np.nan), total
        losses.append(lazy.training_loss(outputs, y, loss=loss))
        pull = SLOPES[loss](-y * outputs)
        gradient = a[:, None] * (np.where(u > 0, 1, slope).T @ (A * (y * pull / len(y))[:, None]))
        velocity = momentum * velocity + gradient
        total_velocity = momentum * total_velocity + np.abs(pull)
        W = W + weight * velocity
        total = total + weight * total_velocity
        moved.append(B @ W.T)
    return losses, np.array(moved), total


@given(
    problems(),
    st.sampled_from(lazy.LAZY_LOSSES),
    st.integers(1, 6),
    st.floats(0.01, 3),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.9]),
)
def test_no_trained_neuron_moves_beyond_its_bound(case, loss, width, T, num_steps, momentum):
    X, y, Z, o = case
    rng = np.random.default_rng(abs(int(1e6 * o.sum())))
    Z = np.concatenate([Z, X])
    W = rng.normal(size=(width, X.shape[1] + 1)) / [*[np.sqrt(X.shape[1])] * X.shape[1], 1]
    a = rng.normal(size=width) / np.sqrt(width)
    rate = theory.learning_rate_for(T, num_steps, momentum=momentum)
    with np.errstate(over="ignore", invalid="ignore"):
        losses, moved, total = train(W, a, X, y, Z, loss=loss, weights=[rate] * num_steps, momentum=momentum)
    if not np.isfinite(moved).all():
        return  # descent with a large step on an unbounded slope: Λ is not known
    largest = None if loss == "identity" else max(losses)
    bound = lazy.displacement_bound(Z, X=X, T=T, loss=loss, largest_loss=largest)
    distance = np.abs(moved - moved[0]).max(axis=0)
    rounding = 1e-12 * (1 + np.abs(moved).max())
    assert (distance <= np.abs(a) * bound[:, None] + rounding).all()
    measured = lazy.weighted_kappa(Z, X=X, weights=total)
    assert (distance <= np.abs(a) * measured[:, None] + rounding).all()
    assert (measured <= bound * (1 + 1e-12)).all()
    if loss == "logistic":  # without a loss, Λ is not needed
        assert (bound <= lazy.displacement_bound(Z, X=X, T=T, loss=loss)).all()


@pytest.mark.parametrize("loss", lazy.LAZY_LOSSES)
def test_displacement_bound_is_attained_by_one_sample_at_short_times(loss):
    x, W, a = np.array([[1.0, 2.0]]), np.array([[1.0, 1.0, 1.0]]), np.array([0.5])
    losses, moved, total = train(W, a, x, -np.ones(1), x, loss=loss, weights=[1e-4])
    largest = None if loss == "identity" else losses[0]
    bound = lazy.displacement_bound(x, X=x, T=1e-4, loss=loss, largest_loss=largest)
    distance = abs(moved[-1] - moved[0])[0, 0]
    assert distance == pytest.approx(0.5 * bound[0], rel=1e-9)
    assert distance == pytest.approx(0.5 * lazy.weighted_kappa(x, X=x, weights=total)[0], rel=1e-9)


def test_displacement_bound_by_its_terms():
    X, _, Z, _ = problem()
    k = np.abs(Z @ X.T + 1)
    mean, root, most = k.mean(axis=1), np.sqrt((k**2).mean(axis=1)), k.max(axis=1)
    bound = {
        (loss, value): lazy.displacement_bound(Z, X=X, T=2.0, loss=loss, largest_loss=value)
        for loss, value in [
            ("identity", None),
            ("logistic", None),
            ("logistic", 0.01),
            ("logistic", 0.5),
            ("squared", 0.5),
            ("exponential", 0.5),
        ]
    }
    np.testing.assert_allclose(bound["identity", None], 2 * mean, rtol=1e-14)
    np.testing.assert_allclose(bound["logistic", None], 2 * mean, rtol=1e-14)
    np.testing.assert_allclose(bound["logistic", 0.01], 2 * (1 - math.exp(-0.01)) * most, rtol=1e-13)
    share = 1 - math.exp(-0.5)
    expected = 2 * np.minimum((1 - math.exp(-3.0)) * mean, np.minimum(math.sqrt(share) * root, share * most))
    np.testing.assert_allclose(bound["logistic", 0.5], expected, rtol=1e-13)
    single = lazy.displacement_bound(
        [[1.0, 0]], X=[[1.0, 0], [-1.0, 0]], T=1, loss="logistic", largest_loss=1.0
    )
    assert single[0] == pytest.approx(1 - math.exp(-2), rel=1e-14)  # one k is 0: ℓ ≤ NΛ is all that counts
    np.testing.assert_allclose(bound["squared", 0.5], 2 * root, rtol=1e-13)
    np.testing.assert_allclose(bound["exponential", 0.5], most, rtol=1e-13)


def test_displacement_bound_overflows_to_infinity_never_to_a_number():
    x = np.array([[1.0, -1.0], [1e200, 1e200]])
    for loss in ("squared", "exponential"):
        for value in (math.inf, 1e308):
            bound = lazy.displacement_bound(x, X=x, T=1e200, loss=loss, largest_loss=value)
            assert (bound == np.inf).all()
        assert (lazy.displacement_bound(x, X=x, T=0.0, loss=loss, largest_loss=math.inf) == 0).all()
    bound = lazy.displacement_bound(x[:1], X=x[:1], T=1.0, loss="logistic", largest_loss=math.inf)
    assert bound[0] == 3
    orthogonal = lazy.displacement_bound([[1.0]], X=[[-1.0]], T=1.0, loss="squared", largest_loss=math.inf)
    assert orthogonal[0] == np.inf


def test_initial_squared_loss_has_the_claimed_mean():
    """½ + (1 + γ²)/4 · mean s(x_n)², at any width: 20,000 networks of width 2."""
    X, y, _, _ = problem(N=3, dim=2)
    rng = np.random.default_rng(1)
    losses = []
    for _ in range(20_000):
        u = X @ (rng.normal(size=(2, 2)) / np.sqrt(2)) + rng.normal(size=2)
        outputs = np.maximum(u, SLOPE * u) @ (rng.normal(size=2) / np.sqrt(2))
        losses.append(lazy.training_loss(outputs, y, loss="squared"))
    claimed = 0.5 + np.mean(theory.initial_deviation(X, negative_slope=SLOPE) ** 2) / 2
    assert abs(np.mean(losses) - claimed) < 5 * stats.sem(losses)


def test_training_loss_by_hand():
    outputs, y = np.array([2.0, 1.0]), np.array([1.0, -1.0])
    assert lazy.training_loss(outputs, y, loss="identity") == -0.5
    assert lazy.training_loss(outputs, y, loss="squared") == (0.5 + 2.0) / 2
    assert lazy.training_loss(outputs, y, loss="exponential") == pytest.approx((math.exp(-2) + math.e) / 2)
    assert lazy.training_loss(outputs, y, loss="logistic") == pytest.approx(
        (math.log1p(math.exp(-2)) + math.log1p(math.e)) / 2
    )
    assert lazy.training_loss([-1e4], [1], loss="exponential") == math.inf
    assert lazy.training_loss([-1e4], [1], loss="logistic") == 1e4


@pytest.mark.parametrize("loss", lazy.LAZY_LOSSES)
def test_slopes_are_derivatives_of_the_values(loss):
    s = sp.Symbol("s", real=True)
    value = {"identity": s, "logistic": sp.log(1 + sp.exp(s)), "squared": (1 + s) ** 2 / 2}.get(
        loss, sp.exp(s)
    )
    points = np.linspace(-3, 3, 7)
    for table, expression in (
        (losses.VALUE, value),
        (losses.SLOPE, sp.diff(value, s)),
        (losses.CURVATURE, sp.diff(value, s, 2)),
    ):
        if loss in table:
            expected = [float(expression.subs(s, p)) for p in points]
            np.testing.assert_allclose(table[loss](points), expected, rtol=1e-13)
    assert (set(NUMERICAL), special.expit(0.0)) == (set(losses.CURVATURE), 0.5)


# Bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda X, y, Z: theory_weights(X, y, 1, "hinge"), ValueError, "loss must be one of identity, log"),
        (lambda X, y, Z: theory_weights(X, y * 2, 1, "logistic"), ValueError, r"y must be -1 or \+1, got"),
        (lambda X, y, Z: theory_weights(X, y, -1, "logistic"), ValueError, "T must be >= 0, got -1"),
        (lambda X, y, Z: theory_weights(X, y, math.inf, "squared"), ValueError, "T must be finite, got inf"),
        (
            lambda X, y, Z: theory_weights(X, y, 1, "logistic", initial=np.zeros(5)),
            ValueError,
            r"initial must have shape \(6,\) or \(S, 6\), got \(5,\)",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1, "logistic", initial=np.full(6, np.nan)),
            ValueError,
            "initial must be finite, got nan",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1, "logistic", tolerance=1e-13),
            ValueError,
            "tolerance must be >= 1e-11, got 1e-13",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1, "logistic", tolerance=1.0),
            ValueError,
            "tolerance must be <= 0.1, got 1.0",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1, "logistic", momentum=0.5),
            ValueError,
            "momentum needs num_steps: the flow has none, got 0.5",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1, "logistic", num_steps=0),
            ValueError,
            "num_steps must be >= 1, got 0",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1, "exponential", initial=-301 * y),
            FloatingPointError,
            r"exponential loss overflows: an initial margin y f\(x; 0\) is -301, below -300",
        ),
        (
            lambda X, y, Z: theory_weights(X * 1e200, y, 1, "logistic"),
            FloatingPointError,
            "the kernel overflows: entries of X up to",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1e3, "exponential", num_steps=4),
            FloatingPointError,
            "descent diverged: weights not finite after 3 steps of 250",
        ),
        (
            lambda X, y, Z: theory_weights(X, y, 1e308, "squared", initial=-1.7e308 * y),
            FloatingPointError,
            "the weights overflow: margins up to",
        ),
        (
            lambda X, y, Z: lazy.lazy_predict(Z * 1e200, X=X * 1e100, y=y, T=1e100, loss="identity"),
            FloatingPointError,
            "the output overflows: weights up to",
        ),
        (
            lambda X, y, Z: lazy.lazy_predict(Z, X=X, y=y, T=1, loss="squared", initial_outputs=y),
            ValueError,
            "initial_outputs and initial_at_Z must be given together",
        ),
        (
            lambda X, y, Z: lazy.lazy_predict(
                Z, X=X, y=y, T=1, loss="squared", initial_outputs=[y, y], initial_at_Z=np.zeros(4)
            ),
            ValueError,
            r"must be of the same networks, got shapes \(2, 6\), \(4,\)",
        ),
        (
            lambda X, y, Z: lazy.lazy_range(
                Z, X=X, y=y, T=1, loss="logistic", initial_outputs=[y], initial_at_Z=np.zeros((1, 4))
            ),
            ValueError,
            r"must be of one network, got shapes \(1, 6\), \(1, 4\)",
        ),
        (
            lambda X, y, Z: lazy.lazy_range(Z, X=X, y=y, T=1, loss="squared"),
            ValueError,
            "loss must be one of logi",
        ),
        (
            lambda X, y, Z: lazy.displacement_bound(Z, X=X, T=1, loss="squared"),
            ValueError,
            "largest_loss must be given for the squared loss",
        ),
        (
            lambda X, y, Z: lazy.displacement_bound(Z, X=X, T=1, loss="identity", largest_loss=1.0),
            ValueError,
            "largest_loss must be absent for the identity loss",
        ),
        (
            lambda X, y, Z: lazy.displacement_bound(Z, X=X, T=1, loss="squared", largest_loss=math.nan),
            ValueError,
            "largest_loss must be finite, got nan",
        ),
        (
            lambda X, y, Z: lazy.displacement_bound(Z, X=X, T=1, loss="squared", largest_loss=-1.0),
            ValueError,
            "largest_loss must be >= 0, got -1",
        ),
        (
            lambda X, y, Z: lazy.weighted_kappa(Z, X=X, weights=y[:2] ** 2),
            ValueError,
            r"weights must have shape \(6,\), one a training point, got \(2,\)",
        ),
        (
            lambda X, y, Z: lazy.weighted_kappa(Z, X=X, weights=-(y**2)),
            ValueError,
            "weights must be >= 0, got -1",
        ),
        (
            lambda X, y, Z: lazy.training_loss([y], y, loss="squared"),
            ValueError,
            r"outputs must have shape \(6,\), got \(1, 6\)",
        ),
    ],
)
def test_bad_input_is_named(call, error, match):
    X, y, Z, _ = problem()
    with pytest.raises(error, match=match):
        call(X, y, Z)


def test_a_tolerance_that_is_not_reached_is_an_error(monkeypatch):
    X, y, _, o = problem()
    rng = np.random.default_rng(0)
    exact = solvers._solution

    def noisy(*arguments):
        return exact(*arguments) * (1 + 1e-6 * rng.normal(size=len(y)))

    monkeypatch.setattr(solvers, "_solution", noisy)
    with pytest.raises(FloatingPointError, match="tolerance 1e-08 not reached: two solutions differ by"):
        theory_weights(X, y, 1.0, "logistic", initial=o)


def test_a_flow_that_is_not_solved_is_an_error(monkeypatch):
    X, y, _, o = problem()
    monkeypatch.setitem(losses.SLOPE, "logistic", lambda s: np.full_like(s, np.nan))
    with pytest.raises(FloatingPointError, match="the logistic flow overflows: margins from"):
        theory_weights(X, y, 1.0, "logistic", initial=o)


def test_a_flow_that_takes_too_long_is_an_error(monkeypatch):
    X, y, _, o = problem()
    monkeypatch.setattr(solvers, "_MOST_EVALUATIONS", 20)
    with pytest.raises(FloatingPointError, match="logistic flow was not solved to T = 1 in 20 evaluations"):
        theory_weights(X, y, 1.0, "logistic", initial=o)


def test_a_solver_that_gives_up_is_an_error(monkeypatch):
    X, y, _, o = problem()
    exact = solvers.integrate.solve_ivp

    def failing(*arguments, **options):
        found = exact(*arguments, **options)
        found.success, found.message = False, "step size too small"
        return found

    monkeypatch.setattr(solvers.integrate, "solve_ivp", failing)
    with pytest.raises(FloatingPointError, match="flow was not solved to T = 1: step size too small"):
        theory_weights(X, y, 1.0, "logistic", initial=o)
