"""The a-priori certificate: gradients against trained networks, ranges against possible perturbed sets.

Verdicts against pairs of networks.
Networks are simulated as independent neurons, which for the identity loss they are.
"""

import dataclasses
import math

import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

from tests.test_theory.test_bounds.margin_cases import data, draw
from theory import (
    Agreement,
    Setting,
    certify,
    certify_agreement,
    drift_bound,
    flip_bound,
    g_predict,
    kernel_bound,
    perturbation_direction as direction,
)
from theory.bounds.gradients import Spread, _replaced, _second, _third, gradient_bound, gradients
from theory.bounds.moments import bernstein, free_fourth_moment, free_second_moment, start_tail
from theory.bounds.speeds import Speeds
from theory.certificates import apriori
from theory.certificates.apriori import Interval, certify_agreement_a_priori
from theory.kernel.rows import phi_of_angle
from theory.testing import check_bound


def setting(X, width, T, slope, **changes):
    fields = {"epsilon": 2.0, "T_f": T, "T_g": T} | changes
    return Setting(dim=X.shape[1], N=len(X), width=width, negative_slope=slope, **fields)


def trained(X, y, slope, T, steps, *, W, b, a):
    """Return w and b of independent neurons after training."""
    W, b = W.copy(), b.copy()
    for _ in range(steps):
        active = np.where(X @ W.T + b > 0, 1.0, slope)
        force = (y[:, None] * active) * (a * T / steps / len(X))
        W += force.T @ X
        b += force.sum(axis=0)
    return W, b


def slopes_at(X, W, b, slope):
    return np.where(X @ W.T + b > 0, 1.0, slope)


def input_gradients(X, y, slope, T, *, width, count, seed, steps=10):
    """Return ∇f(x_n; T) and ∇f(x_n; 0) of many networks, shape (count, N, d)."""
    neurons = draw(np.random.default_rng(seed), count * width, X.shape[1], width)
    W, b = trained(X, y, slope, T, steps, **neurons)

    def total(W, b):
        each = (neurons["a"] * slopes_at(X, W, b, slope))[:, :, None] * W
        return each.reshape(len(X), count, width, -1).sum(axis=2).swapaxes(0, 1)

    return total(W, b), total(neurons["W"], neurons["b"])


# The gradient ----------------------------------------------------------------------------------------


NEARLY_EQUAL = np.array([[1.86, 2.84, 1e-22], [1.86, 2.84, 3e-22]])


@pytest.mark.parametrize(
    "X", [NEARLY_EQUAL, np.array([[15.0], [np.nextafter(15.0, 16.0)]])], ids=["tiny", "ulp"]
)
def test_nearly_equal_samples_have_the_gradient_of_equal_ones(X):
    """At angles below 1e-10 the rounding of ∇Φ was 1e5 times its size, and every certificate wrong."""
    y, slope, T, width = np.ones(2), 0.3, 8.0, 10_000
    bound = gradient_bound(X=X, y=y, setting=setting(X, width, T, slope), delta=0.01)
    measured, _ = input_gradients(X, y, slope, T, width=width, count=20, seed=1)
    gaps = np.linalg.norm(measured - T * direction(X=X, y=y, negative_slope=slope), axis=2)
    assert (gaps <= bound.value).all()
    np.testing.assert_allclose(
        direction(X=X, y=y, negative_slope=slope),
        direction(X=np.repeat(X[:1], 2, axis=0), y=y, negative_slope=slope),
        rtol=1e-12,
        atol=1e-20,
    )


@pytest.mark.parametrize("kind", ["shifted", "duplicated", "random labels", "clustered"])
@pytest.mark.parametrize("slope", [0.0, 0.4])
@pytest.mark.parametrize(("width", "T", "steps"), [(5, 0.3, 1), (50, 1.0, 20), (400, 3.0, 2)])
def test_gradients_are_violated_at_most_with_delta(kind, slope, width, T, steps):
    """δ = .2 for all n together; 200 networks, "violated" or "holds" with error probability 1e-6 a case."""
    delta, count = 0.2, 200
    X, y = data(np.random.default_rng(width), 6, 3, kind)
    end, _ = input_gradients(X, y, slope, T, width=width, count=count, seed=width, steps=steps)
    here = setting(X, width, T, slope)
    bound = gradient_bound(X=X, y=y, setting=here, delta=delta)
    error = np.linalg.norm(end - T * direction(X=X, y=y, negative_slope=slope), axis=2)
    rows = iter(error)
    check = check_bound(
        bound.value, lambda _: next(rows), delta=delta, num_samples=count, seed=0, simultaneous=True
    )
    assert check.verdict == "holds"
    # Along a direction, two-sided: a sixth of δ for each n and half of that for each side.
    parts = gradients(X, y, here)
    unit = X[0] / np.linalg.norm(X[0])
    limit = sum(parts.along(parts.speeds(unit[None])[:, None], delta / 12).values())[0]
    crossed = np.abs((end - parts.predicted) @ unit) > limit
    assert special.bdtrc(int(crossed.any(axis=1).sum()) - 1, count, delta) > 1e-6


def test_initial_gradient_is_nearly_sharp_and_dominates_in_the_end():
    """δ = .1 at one point, d = 8; 2000 networks.  bound/quantile measured 1.33 (length), 1.57 (direction).

    4000 values have a standard error of .6 % in the quantile; the bound may not be below it by five of them.
    """
    rng, delta, width, dim, count = np.random.default_rng(5), 0.1, 1000, 8, 2000
    X, y = np.ones((1, dim)), np.ones(1)
    W, b = rng.normal(size=(count, width, dim)) / math.sqrt(dim), rng.normal(size=(count, width))
    a = rng.normal(size=(count, width)) / math.sqrt(width)
    G = np.einsum("cm,cmd->cd", a * (W.sum(axis=2) + b > 0), W)
    parts = gradients(X, y, setting(X, width, 0.0, 0.0))
    length = parts.length(delta)["initial gradient"][0] / np.quantile(np.linalg.norm(G, axis=1), 1 - delta)
    along = parts.along(np.zeros(1), delta / 2)["initial gradient"][0] / np.quantile(
        np.abs(G[:, 0]), 1 - delta
    )
    assert 0.97 < length < 1.5
    assert 0.97 < along < 1.7
    wide = gradients(*data(rng, 20, 5), setting(np.ones((20, 5)), 10**12, 4.0, 0.0)).length(0.01)
    first = wide.pop("initial gradient")
    assert (first > 4 * sum(wide.values())).all()


@pytest.mark.parametrize("slope", [pytest.param(0.0, marks=pytest.mark.slow), 0.4])
def test_fluctuation_after_training_keeps_its_size(slope):
    """δ = .1; 400 networks of 3000 neurons, N = 6, d = 3, T = 4: ∇f(T) about its mean, ratio 1.7 to 2.0.

    The flips add a few per cent to the initial gradient, not a term of their own of order m^(−1/4).
    """
    delta, width, T, count = 0.1, 3000, 4.0, 400
    X, y = data(np.random.default_rng(3), 6, 3)
    end, _ = input_gradients(X, y, slope, T, width=width, count=count, seed=9)
    terms = gradients(X, y, setting(X, width, T, slope)).length(delta)
    names = ("initial gradient", "flips at x_n", "kernel fluctuation")
    bound = sum(terms[name] for name in names)
    around = np.linalg.norm(end - end.mean(axis=0), axis=2)
    ratio = bound / np.quantile(around, 1 - delta, axis=0)
    assert ratio.min() > 1.0
    assert ratio.max() < 2.5
    assert (terms["flips at x_n"] < 0.25 * terms["initial gradient"]).all()


@pytest.mark.parametrize(
    ("N", "width", "T"), [(6, 10**5, 2.0), (6, 300, 4.0), (6, 10**6, 400.0), (1, 100, 60.0)]
)
def test_second_moment_of_a_neuron_is_below_its_bound(N, width, T):
    """m E⟨Y, e⟩² ≤ ν for 3·10⁵ neurons, up to 5 standard errors; bound/moment at most 1.0, 2.5, 4.4, 3.7."""
    rng, count, slope = np.random.default_rng(11), 300_000, 0.2
    X, y = data(rng, N, 3)
    neurons = draw(rng, count, 3, width)
    W, b = trained(X, y, slope, T, 5, **neurons)
    parts = gradients(X, y, setting(X, width, T, slope))
    for e in np.eye(3):
        square = width * (neurons["a"] * slopes_at(X, W, b, slope) * (W @ e)) ** 2
        bound = parts.trained(parts.speeds(e[None])[:, None]).deviation[0] ** 2
        noise = square.std(axis=1) / math.sqrt(count)
        assert (square.mean(axis=1) < bound + 5 * noise).all()
        assert (square.mean(axis=1) > bound / 5).all()


BIASES = [  # N, d, γ, width, T, steps, centre and spread: among the largest ratios of a random search
    (2, 1, 0.3, 113, 5.2, 7, 2.0, 0.1),
    (2, 2, 0.8, 134, 0.5, 2, 1.0, 0.1),
    (4, 2, 0.0, 125, 1.3, 2, 1.0, 0.1),
    (5, 3, 0.0, 3000, 2.0, 10, 0.0, 1.0),
    (1, 2, 0.8, 70_000, 4.5, 1, 1.0, 1.0),
]


@pytest.mark.parametrize("case", BIASES)
def test_bias_is_below_kinks_and_drift(case):
    """Means over 10⁵ pairs of neurons with readouts ±a; allowance five standard errors (failure 1e-6).

    A search over 556 random data sets, outside of the tests, found ratios up to .25 (kinks) and .39 (drift).
    """
    N, dim, slope, width, T, steps, centre, spread = case
    rng, count = np.random.default_rng(N), 100_000
    X = centre + spread * rng.normal(size=(N, dim))
    y = rng.choice([-1.0, 1.0], size=N)
    neurons = draw(rng, count, dim, width)
    kinks, drift = np.zeros((2, N, count, dim))
    for sign in (1, -1):
        now = neurons | {"a": sign * neurons["a"]}
        W, b = trained(X, y, slope, T, steps, **now)
        before, after = slopes_at(X, now["W"], now["b"], slope), slopes_at(X, W, b, slope)
        push = (y[:, None] * before / N).T @ X
        kinks += ((now["a"] * width / 2) * (after - before))[:, :, None] * now["W"]
        drift += (now["a"] * width / 2 * after)[:, :, None] * (W - now["W"])
        drift -= (now["a"] ** 2 * T * width / 2 * before)[:, :, None] * push
    both = direction(X=X, y=y, negative_slope=slope)
    moving = T * (both - direction(X=X, y=y, kind="paper", negative_slope=slope))
    bias = gradients(X, y, setting(X, width, T, slope)).bias
    for measured, expected, bound in (
        (kinks, moving, bias["kinks"] + bias["own kink"]),
        (drift, 0.0, bias["drift"]),
    ):
        error = np.linalg.norm(measured.mean(axis=1) - expected, axis=1)
        noise = np.sqrt(measured.var(axis=1).sum(axis=1) / count)
        assert (error < bound + 5 * noise).all()


def test_the_moving_kinks_belong_to_the_prediction():
    """Without them the mean gradient is off by more than the bound; with them it is inside."""
    rng, width, T, slope, count = np.random.default_rng(1), 10**7, 2.0, 0.0, 200_000
    X = np.concatenate([[2.0], np.full(20, 4.0), np.full(19, -3.0)])[:, None]
    y = np.concatenate([np.ones(21), -np.ones(19)])
    neurons = draw(rng, count, 1, width)
    neurons["a"] = np.concatenate([neurons["a"][: count // 2], -neurons["a"][: count // 2]])
    # Neurons at the kink of x_1 only, with the weight that they have in the whole: u is uniform on the strip.
    half = 0.03
    neurons["b"] = rng.uniform(-half, half, size=count) - 2 * neurons["W"][:, 0]
    density = np.exp(-(neurons["b"] ** 2) / 2) / math.sqrt(2 * math.pi)
    W, b = trained(X, y, slope, T, 1, **neurons)
    change = slopes_at(X, W, b, slope)[0] - slopes_at(X, neurons["W"], neurons["b"], slope)[0]
    each = width * neurons["a"] * change * neurons["W"][:, 0] * density * 2 * half
    reach = np.abs(neurons["a"]) * T * np.abs(X @ X[0] + 1).mean()
    assert (reach < half).all()  # the strip holds all that can flip
    measured, noise = each.mean(), each.std() / math.sqrt(count)
    parts = gradients(X, y, setting(X, width, T, slope))
    moving = (parts.predicted - T * direction(X=X, y=y, kind="paper"))[0, 0]
    bound = (parts.bias["kinks"] + parts.bias["own kink"])[0]
    assert abs(measured - moving) < bound + 5 * noise
    assert abs(measured) > bound + 5 * noise


def test_own_kink_is_the_stated_one_at_any_width():
    X, y = data(np.random.default_rng(1), 5, 3)
    for width in (10, 10**9):
        got = gradients(X, y, setting(X, width, 2.5, 0.2)).bias["own kink"]
        squares = np.sum(X**2, axis=1)
        stated = 2.5 * 0.8**2 * (squares + 1) / (2 * math.pi * 5 * np.sqrt(squares / 3 + 1) * math.sqrt(3))
        np.testing.assert_allclose(got, stated, rtol=1e-9)


def test_kinks_and_second_moment_are_the_stated_ones():
    """Derivation 13, steps 2 and 3, in plain loops; 1e-8 is the slack that the code adds."""
    X, y = data(np.random.default_rng(4), 4, 2)
    slope, T, width = 0.2, 2.0, 900
    parts, at, R = gradients(X, y, setting(X, width, T, slope)), Speeds(X, X, y, slope), T / math.sqrt(width)
    one = 1 - slope
    reach = [R * at.largest[j] / at.scale[j] for j in range(4)]
    thirds = [3 * math.sqrt(2 / math.pi) * (p - p**3 / 3) for p in (t / math.hypot(1, t) for t in reach)]
    e, spectral = np.array([0.6, 0.8]), np.linalg.norm(X, 2)
    v = parts.speeds(e[None])[0]
    for n in range(4):
        total = 0.0
        for j in set(range(4)) - {n}:
            moved = at.largest[j] + abs(math.cos(at.theta[n, j])) * at.largest[n] * at.scale[j] / at.scale[n]
            beta = R * moved / (at.scale[j] * math.sin(at.theta[n, j]))
            S = 2 / math.pi * (math.atan(beta) + beta / (1 + beta**2))
            total += abs(X[j] @ X[n] + 1) / 4 * (S + 1 - (1 + beta**2) ** -1.5)
        total = one / 2 * total + R**2 * at.largest[n] ** 3 / (2 * at.scale[n] ** 2)
        tilt = (
            np.linalg.norm(X[n])
            / (2 * at.scale[n] ** 2)
            * R
            * at.largest[n] ** 2
            * 2
            * math.sqrt(2 / math.pi)
        )
        stated = one * T / (math.sqrt(2 * math.pi) * at.scale[n]) * (math.sqrt(1 / math.pi) * total + tilt)
        assert parts.bias["kinks"][n] == pytest.approx(stated, rel=1e-8)
        S, S2 = (moment(reach[n]) for moment in (free_second_moment, free_fourth_moment))
        first = (1 + slope**2 + (1 - slope**2) * S) / 4
        second = T**2 * v**2 / width * (3 * (1 + slope**2) + (1 - slope**2) * S2) / 2
        others = spectral / 4 * math.sqrt(sum(third**2 for third in thirds))
        cross = R * math.sqrt(1 / math.pi) * ((1 - slope**2) * v * thirds[n] + one * others)
        got = parts.trained(np.array([[v]])).deviation[0, n] ** 2
        assert got == pytest.approx(first + second + 2 * cross, rel=1e-8)


# Closed forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.01, 0.5, 3.0, 50.0])
def test_moments_of_slabs_match_quadrature(beta):
    """E[|α|^j erf(β|α|/√2)], j = 2, 3, and E[α²(1 − e^(−β²α²/2))], to 1e-9."""
    p = np.array([beta / math.hypot(1, beta)])

    def mean(function):
        return 2 * integrate.quad(lambda t: function(t) * stats.norm.pdf(t), 0, 40, points=[0.1, 1, 5])[0]

    slab = lambda t: math.erf(beta * t / math.sqrt(2))  # noqa: E731
    assert _second(p)[0] == pytest.approx(mean(lambda t: t**2 * slab(t)), abs=1e-9)
    assert _third(p)[0] == pytest.approx(mean(lambda t: t**3 * slab(t)), abs=1e-9)
    exact = mean(lambda t: -(t**2) * math.expm1(-((beta * t) ** 2) / 2))
    assert _replaced(p)[0] == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("tau", [1e-3, 0.3, 5.0])
def test_bernstein_moments_of_a_product_of_gaussians(tau):
    """E|αω|^j ≤ j!/2 and E|αω|^j 1{free} ≤ (j!/2) S(τ), j ≤ 30; equal at j = 2."""
    for j in range(2, 31):
        absolute = mpmath.mpf(2) ** (mpmath.mpf(j) / 2) * mpmath.gamma((j + 1) / 2) / mpmath.sqrt(mpmath.pi)
        half = mpmath.factorial(j) / 2
        assert absolute**2 <= half * (1 + mpmath.mpf(10) ** -12)
        weight = mpmath.sqrt(2 / mpmath.pi) * mpmath.mpf(2) ** (mpmath.mpf(j + 1) / 2)
        weight *= mpmath.gamma((j + 2) / mpmath.mpf(2)) / mpmath.sqrt(mpmath.pi)
        free = weight * mpmath.quad(lambda s, j=j: (1 + s**2) ** (-mpmath.mpf(j + 2) / 2), [0, tau])
        second = float(_second(np.array([tau / math.hypot(1, tau)]))[0])
        assert float(absolute * free / half) <= second * (1 + 1e-9)
        if j == 2:
            assert float(free) == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize("dim", [1, 2, 20, 784])
@pytest.mark.parametrize("risk", [0.1, 1e-3, 1e-12])
def test_radius_is_above_the_chi_quantile_and_near_it(dim, risk):
    """A Gaussian vector has c = 0.  radius/quantile measured 1.01 to 1.68; never below 1."""
    radius = Spread(np.ones(1), np.zeros(1)).radius(dim, risk)[0]
    assert 1 <= radius / stats.chi(dim).isf(risk) < 1.8
    both = Spread(np.ones(1), np.full(1, 0.05)).radius(dim, risk)[0]
    assert both > radius


@pytest.mark.parametrize("risk", [0.1, 1e-3, 1e-12])
def test_tail_is_above_the_normal_quantile_and_near_it(risk):
    """c = 0 is a normal variable.  tail/quantile measured 1.06 to 1.67."""
    tail = Spread(np.full(1, 3.0), np.zeros(1)).tail(risk)[0]
    assert 1 <= tail / (3 * stats.norm.isf(risk)) < 1.7
    assert Spread(np.full(1, 3.0), np.ones(1)).tail(risk)[0] == pytest.approx(tail + math.log(1 / risk))


@pytest.mark.parametrize("dim", [1, 2, 3, 50])
def test_spherical_mean_is_above_its_bound(dim):
    """log ₀F₁(d/2; κ²/4) ≥ a(2q − log(1 + q)), κ = 2a√(q² + q), in 40 digits; equal to second order at 0."""
    a = mpmath.mpf(dim) / 2
    with mpmath.workdps(40):
        for q in ("1e-6", "0.01", "1", "30"):
            x = mpmath.mpf(q)
            kappa = 2 * a * mpmath.sqrt(x * x + x)
            exact = mpmath.log(mpmath.hyp0f1(a, kappa**2 / 4))
            below = a * (2 * x - mpmath.log(1 + x))
            assert exact >= below
            if q == "1e-6":
                assert below / exact > 1 - 1e-5


# Perturbed sets --------------------------------------------------------------------------------------


def possible_sets(rng, Z, X, y, t, here, delta, count):
    """Yield perturbed sets at the edge of what the bounds of ∇f allow at each z, and the index of that z."""
    parts = gradients(X, y, here)
    risk = delta / 3 / (5 * len(X))
    error = sum(parts.length(risk).values())
    sizes = np.linalg.norm(parts.predicted, axis=1)
    own = parts.predicted / sizes[:, None]
    along = sum(parts.along(parts.speeds(own), risk).values())
    for i in range(count):
        q = i % len(Z)
        unit = Z[q] / np.linalg.norm(Z[q])
        limit = sum(parts.along(parts.speeds(unit[None])[:, None], risk).values())[0]
        # Alternate between every gradient moved the same way along z and random directions.
        E = rng.normal(size=X.shape) if i % 3 == 0 else (unit if i % 3 == 1 else -unit) + 0 * X
        E = E - (i % 2) * own * np.sum(E * own, axis=1, keepdims=True)
        E *= (error / np.linalg.norm(E, axis=1))[:, None]
        E *= np.minimum(1, limit / np.maximum(np.abs(E @ unit), 1e-9))[:, None]
        E *= np.minimum(1, along / np.maximum(np.abs(np.sum(E * own, axis=1)), 1e-9))[:, None]
        G = parts.predicted + E
        r = here.epsilon * t[:, None] * G / np.linalg.norm(G, axis=1, keepdims=True)
        yield q, r + (X if here.scenario == "b" else 0)


RANGES = [("a", 0.0, 0.2, 10**6), ("a", 0.4, 2.0, 10**5), ("b", 0.0, 2.0, 10**6), ("b", 0.4, 0.5, 10**5)]


@pytest.mark.parametrize(("scenario", "slope", "epsilon", "width"), RANGES)
def test_every_possible_set_stays_in_the_ranges(scenario, slope, epsilon, width):
    """100 sets at the edges: g_b, flips and drift at z, and what is certified is certified given the set."""
    rng, delta = np.random.default_rng(7), 0.1
    X, y = data(rng, 12, 3, "clustered")
    Z = data(rng, 5, 3, "clustered")[0]
    ahead = direction(X=X, y=y, negative_slope=slope).mean(axis=0)
    Z[0] -= ahead * (Z[0] @ ahead) / (ahead @ ahead)  # there the error along z is all that counts
    Z[0] *= 2 / np.linalg.norm(Z[0])
    t = rng.choice([-1.0, 1.0], size=12)
    here = setting(X, width, 12.0, slope, scenario=scenario, epsilon=epsilon)
    proofs = {
        dyn: certify_agreement_a_priori(Z, X=X, y=y, y_adv=t, setting=here, delta=delta, dynamics=dyn)
        for dyn in ("descent", "flow")
    }
    assert (proofs["flow"].angles < 1.5).all()
    used = 0.0
    for q, X_adv in possible_sets(rng, Z, X, y, t, here, delta, 100):
        point = Z[q : q + 1]
        value = g_predict(point, X_adv=X_adv, y_adv=t, negative_slope=slope)[0]
        for dynamics, proof in proofs.items():
            half, middle = proof.g.bound.terms["perturbed set"][q], proof.g.predictor[q]
            used = max(used, abs(value - middle) / half)
            given = certify(
                point, X=X_adv, y=t, setting=here, delta=delta / 3, network="g", dynamics=dynamics
            )
            if value * middle > 0:  # the signed margin given the set is never smaller
                assert proof.g.margin[q] <= given.margin[0] + 1e-9
            if proof.g.certified[q]:
                assert given.certified[0]
                assert given.signs[0] == proof.g.signs[q]
    assert used <= 1
    assert used > 0.5  # measured .98, .99, .68, .83: the range is not much too wide


@pytest.mark.parametrize(("scenario", "slope", "epsilon", "width"), RANGES)
def test_worst_speeds_bound_the_terms_of_every_set(scenario, slope, epsilon, width):
    """60 sets: flips and drift of g given the set never exceed those of the certificate."""
    rng, delta = np.random.default_rng(17), 0.1
    X, y = data(rng, 12, 3, "clustered")
    Z = data(rng, 4, 3, "clustered")[0]
    t = rng.choice([-1.0, 1.0], size=12)
    here = setting(X, width, 12.0, slope, scenario=scenario, epsilon=epsilon)
    descent, flow = (
        certify_agreement_a_priori(
            Z, X=X, y=y, y_adv=t, setting=here, delta=delta, dynamics=dyn
        ).g.bound.terms
        for dyn in ("descent", "flow")
    )
    risk = delta / 3 * 0.2
    closest = 0.0
    for q, X_adv in possible_sets(rng, Z, X, y, t, here, delta, 60):
        given = flip_bound(Z[q : q + 1], X=X_adv, y=t, setting=here, delta=risk, network="g").terms["flips"][
            0
        ]
        assert given <= descent["flips"][q]
        closest = max(closest, given / descent["flips"][q])
        if flow["flips"][q] == 0:  # M + F was the better one; `drift_bound` shares its risk between two sides
            terms = drift_bound(Z[q : q + 1], X=X_adv, y=t, setting=here, delta=2 * risk, network="g").terms
            assert terms["drift"][0] <= flow["drift"][q]
            assert terms["flip fluctuation"][0] <= flow["flip fluctuation"][q]
    assert closest > 0.5


@pytest.mark.parametrize("spread", [1.0, 1.5])
def test_velocity_range_holds_where_its_terms_fall(spread):
    """Lengths known (spread 1) or not; for nearly opposite points Φ·k falls with the inner product."""
    rng, dim, falling = np.random.default_rng(3), 2, 0
    for _ in range(300):
        slope, far = float(rng.choice([0.0, 0.3])), math.hypot(rng.uniform(0, 8), 1)
        scale_z, scale_n = (
            Interval(*[np.array([far])] * 2),
            Interval(np.array([far]), np.array([far * spread])),
        )
        top = dim * (far**2 - 1)
        ends = np.clip(np.sort((top + 1) * rng.random(2) ** 3 * rng.choice([0.1, 1, 2]) - top), -top, top)
        inner = Interval(*(np.array([[end]]) for end in ends))

        def angle(p, scale, far=far):
            return np.arccos(np.clip((p / dim + 1) / (far * scale), -1, 1))

        at_ends = [angle(end, scale[0]) for end in inner for scale in scale_n]
        theta = Interval(np.min(at_ends, axis=0), np.max(at_ends, axis=0))
        here = Setting(dim=dim, N=1, width=1, negative_slope=slope, epsilon=1.0, T_f=1.0, T_g=1.0)
        for label in (1.0, -1.0):
            with np.errstate(divide="ignore", invalid="ignore"):  # as its caller does
                span = apriori._velocity(np.array([label]), inner, theta, scale_z, scale_n, here)
            p = np.linspace(ends[0], ends[1], 50)
            for scale in np.linspace(far, far * spread, 5):
                values = label * phi_of_angle(angle(p, scale), slope) * (p + 1)
                assert span.low[0] <= values.min()
                assert values.max() <= span.high[0]
                falling += int(label * (values[-1] - values[0]) < 0)
    assert falling > 20


def test_rows_of_which_nothing_is_known_may_be_anywhere():
    """Where e_n ≥ T‖∇f_b‖ the angle is π, and the range holds every r_n of length ≤ ε, 0 included."""
    rng, epsilon = np.random.default_rng(2), 1.5
    X, y = data(rng, 8, 3, "random labels")
    Z = rng.normal(size=(4, 3))
    t = rng.choice([-1.0, 1.0], size=8)
    here = setting(X, 100, 0.5, 0.2, epsilon=epsilon)
    proof = certify_agreement_a_priori(Z, X=X, y=y, y_adv=t, setting=here, delta=0.1)
    assert (proof.angles == np.pi).all()
    parts = gradients(X, y, here)
    inputs, _ = apriori._inputs(X, t, parts, sum(parts.length(0.01).values()), here, 0.01)
    assert (inputs.length.low == 0).all()
    half = proof.g.bound.terms["perturbed set"]
    for i in range(200):
        r = rng.normal(size=X.shape)
        r *= epsilon * (i % 3 > 0) / np.linalg.norm(r, axis=1, keepdims=True)
        if i % 3 == 2:
            r = epsilon * t[:, None] * Z[i % 4] / np.linalg.norm(Z[i % 4]) + 0 * r
        assert (np.abs(g_predict(Z, X_adv=r, y_adv=t, negative_slope=0.2) - proof.g.predictor) <= half).all()
    assert not proof.g.certified.any()


def test_interval_arithmetic_holds_ends_and_insides():
    rng = np.random.default_rng(0)
    for _ in range(50):
        ends = np.sort(rng.normal(size=(2, 2, 5)), axis=1)
        one, two = (Interval(*pair) for pair in ends)
        inside = [pair.low + rng.random(5) * (pair.high - pair.low) for pair in (one, two)]
        factor = rng.normal(size=5)
        divisor = Interval(np.exp(two.low), np.exp(two.high))
        for interval, value in (
            (one + two, inside[0] + inside[1]),
            (one.times(factor), inside[0] * factor),
            (one.over(divisor), inside[0] / np.exp(inside[1])),
            (one.hull(two), inside[0]),
        ):
            assert (interval.low <= value + 1e-15).all()
            assert (value <= interval.high + 1e-15).all()


# Verdicts --------------------------------------------------------------------------------------------

# Scenario, γ, dynamics, T, width, and the data: 10 steps stand in for the flow, descent takes 2.
CLUSTERS, SHIFTED = ("clustered", 4, 8), ("shifted", 3, 0)
PAIRS = [
    ("a", 0.3, "flow", 6.0, 20_000, CLUSTERS),
    ("b", 0.3, "flow", 6.0, 40_000, CLUSTERS),
    ("a", 0.3, "descent", 6.0, 30_000, CLUSTERS),
    ("a", 0.0, "flow", 14.0, 100_000, SHIFTED),
    ("a", 0.3, "flow", 6.0, 500, CLUSTERS),
]


@pytest.mark.parametrize(("scenario", "slope", "dynamics", "T", "width", "points"), PAIRS)
def test_certified_agreement_is_right_on_pairs_of_networks(scenario, slope, dynamics, T, width, points):
    """δ = .2; 20 pairs by 10 points; f's own perturbations.  No wrong verdict, no gradient beyond e_n.

    At most δ a point is claimed: with 20 pairs a count would have to reach 17 to refute it at 1e-7.
    """
    kind, N, seed = points
    rng, delta, count, steps = np.random.default_rng(seed), 0.2, 20, 10 if dynamics == "flow" else 2
    X, y = data(rng, N, 2, kind)
    Z = data(rng, 10, 2, kind)[0]
    t = np.where(np.arange(N) < N // 2, 1.0, -1.0)
    here = setting(X, width, T, slope, scenario=scenario)
    proof = certify_agreement_a_priori(Z, X=X, y=y, y_adv=t, setting=here, delta=delta, dynamics=dynamics)
    claim = np.array([{"agree": 1, "disagree": -1, "unknown": 0}[verdict] for verdict in proof.verdicts])
    assert proof.share >= (0.5 if width > 1000 else 0)  # measured 1, 1, .8, .5; none at the last
    wrong, outside = np.zeros(len(Z), dtype=int), 0
    for _ in range(count):
        nets = []
        inputs, labels = X, y
        for _ in "fg":
            neurons = draw(rng, width, 2, width)
            W, b = trained(inputs, labels, slope, T, steps, **neurons)
            u = Z @ W.T + b
            nets.append(np.where(u > 0, u, slope * u) @ neurons["a"])
            if inputs is X:
                G = (neurons["a"] * slopes_at(X, W, b, slope)) @ W
                error = np.linalg.norm(G - T * direction(X=X, y=y, negative_slope=slope), axis=1)
                outside += int((error > proof.perturbation.value).any())
                r = here.epsilon * t[:, None] * G / np.linalg.norm(G, axis=1, keepdims=True)
                inputs, labels = r + (X if scenario == "b" else 0), t
        wrong += (claim != 0) & (np.sign(nets[0] * nets[1]) != claim)
    assert wrong.max() == 0
    assert outside == 0


REFERENCE = [  # γ, dynamics, width for half of the points a priori, and with D^adv along ∇f_b given
    (0.0, "flow", 400_000, 27_300),
    (0.3, "flow", 81_300, 6_700),
    (0.0, "descent", 6_700_000, 583_000),
    (0.3, "descent", 862_000, 132_000),
]


def width_for_half(certified):
    low, high = 1, 10**12
    while high > 1.02 * low:
        middle = round(math.sqrt(low * high))
        low, high = (low, middle) if certified(middle) >= 0.5 else (middle, high)
    return high


@pytest.mark.parametrize(("slope", "dynamics", "before", "given"), REFERENCE)
def test_width_that_certifies_half_of_the_reference_case(slope, dynamics, before, given):
    """Mean ±½, d = 20, N = 200, T = 8, scenario (a), ε = √d, δ = .01; widths to 3 %."""
    rng = np.random.default_rng(0)
    X, y = data(rng, 200, 20)
    Z = data(rng, 300, 20)[0]
    t = np.where(rng.random(200) < 0.5, 1.0, -1.0)
    U = direction(X=X, y=y, negative_slope=slope)
    X_adv = math.sqrt(20) * t[:, None] * U / np.linalg.norm(U, axis=1, keepdims=True)
    here = setting(X, 1, 8.0, slope, epsilon=math.sqrt(20))

    def a_priori(width):
        return certify_agreement_a_priori(
            Z,
            X=X,
            y=y,
            y_adv=t,
            setting=dataclasses.replace(here, width=width),
            delta=0.01,
            dynamics=dynamics,
        ).share

    def with_set(width):
        wide = dataclasses.replace(here, width=width)
        return certify_agreement(
            Z, X=X, y=y, X_adv=X_adv, y_adv=t, setting=wide, delta=0.01, dynamics=dynamics
        ).share

    assert width_for_half(a_priori) == pytest.approx(before, rel=0.03)
    assert width_for_half(with_set) == pytest.approx(given, rel=0.03)
    assert a_priori(10**14) > 0.85  # what no width can mend: the initial gradient


# Bounds that say nothing, and bad input -----------------------------------------------------------------


def case():
    X, y = data(np.random.default_rng(0), 6, 3, "clustered")
    return X[:3], X, y, np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0]), setting(X, 10**9, 8.0, 0.3)


def test_the_case_that_the_others_change_is_certified():
    Z, X, y, t, here = case()
    proof = certify_agreement_a_priori(Z, X=X, y=y, y_adv=t, setting=here, delta=0.01)
    assert set(proof.verdicts) == {Agreement.AGREE}
    assert proof.f.bound.delta == proof.g.bound.delta == proof.perturbation.delta == 0.01 / 3


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "logistic"},
        {"T_f": 0.0},
        {"T_g": 0.0},
        {"T_f": 1e300},
        {"T_g": 1e300},
        {"width": 1},
        {"epsilon": 1e300},
        {"epsilon": 1e-300},
    ],
)
def test_unmet_hypotheses_and_hopeless_settings_are_unknown(changes):
    Z, X, y, t, here = case()
    if "epsilon" in changes:  # equal labels would be certified by the bias alone where ε is tiny
        t = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    for dynamics in ("descent", "flow"):
        proof = certify_agreement_a_priori(
            Z, X=X, y=y, y_adv=t, setting=dataclasses.replace(here, **changes), delta=0.01, dynamics=dynamics
        )
        assert set(proof.verdicts) == {Agreement.UNKNOWN}


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize("factor", [1e160, 1e300])
def test_overflowing_data_are_unknown(factor, scenario):
    Z, X, y, t, here = case()
    wide = dataclasses.replace(here, scenario=scenario)
    for points, samples in ((factor * Z, factor * X), (factor * Z, X), (Z, factor * X)):
        proof = certify_agreement_a_priori(points, X=samples, y=y, y_adv=t, setting=wide, delta=0.01)
        assert set(proof.verdicts) == {Agreement.UNKNOWN}


def test_zero_gradients_zero_points_and_one_sample():
    """∇f_b = 0 for a sample at 0: its perturbation is anywhere, or 0; z = 0 sees the labels alone."""
    X, y, t = np.zeros((1, 3)), np.ones(1), np.ones(1)
    here = setting(X, 10**10, 40.0, 0.0, epsilon=0.5)
    proof = certify_agreement_a_priori(np.zeros((2, 3)), X=X, y=y, y_adv=t, setting=here, delta=0.01)
    assert proof.angles[0] == np.pi
    assert tuple(proof.verdicts) == (Agreement.AGREE, Agreement.AGREE)  # both are Φ(x, 0) > 0, whatever r is
    (minus,) = certify_agreement_a_priori(
        np.zeros((1, 3)), X=X, y=y, y_adv=-t, setting=here, delta=0.01
    ).verdicts
    assert minus is Agreement.DISAGREE


def test_certificate_is_the_one_of_f_and_shares_of_delta():
    Z, X, y, t, here = case()
    proof = certify_agreement_a_priori(Z, X=X, y=y, y_adv=t, setting=here, delta=0.3, dynamics="flow")
    alone = certify(Z, X=X, y=y, setting=here, delta=0.3 / 3, dynamics="flow")
    np.testing.assert_array_equal(proof.f.bound.value, alone.bound.value)
    each = sum(gradients(X, y, here).length(0.3 / 3 / 30).values())
    np.testing.assert_array_equal(proof.perturbation.value, each)
    together = sum(gradients(X, y, here).length(0.3 / 6).values())
    np.testing.assert_array_equal(gradient_bound(X=X, y=y, setting=here, delta=0.3).value, together)


def test_other_losses_leave_each_part_unknown():
    Z, X, y, t, here = case()
    other = dataclasses.replace(here, loss="logistic")
    assert np.isinf(gradient_bound(X=X, y=y, setting=other, delta=0.1).value).all()
    proof = certify_agreement_a_priori(Z, X=X, y=y, y_adv=t, setting=other, delta=0.1)
    assert np.isinf(proof.perturbation.value).all()
    assert not proof.g.certified.any()


def test_start_of_g_is_taken_at_the_worst_numbers(monkeypatch):
    """−mean is the lower end of |g_b|; the variance is not below that of any possible set."""
    Z, X, y, t, here = case()
    seen = []

    def spy(**arguments):
        seen.append(arguments)
        return start_tail(**arguments)

    monkeypatch.setattr(apriori, "start_tail", spy)
    g = certify_agreement_a_priori(Z, X=X, y=y, y_adv=t, setting=here, delta=0.1).g
    lower = np.abs(g.predictor) - g.bound.terms["perturbed set"]
    assert (lower > 0).all()
    np.testing.assert_allclose(seen[0]["mean"], -lower, rtol=1e-6)
    for q, X_adv in possible_sets(np.random.default_rng(5), Z, X, y, t, here, 0.1, 30):
        # The same Bernstein bound from the variance and speed that were handed over.
        given = kernel_bound(Z[q : q + 1], X=X_adv, y=t, setting=here, delta=0.02, network="g").value[0]
        handed = bernstein(3 * seen[0]["variance"], 2 * seen[0]["largest"], here.width, 0.01)[q]
        assert given <= handed < 4 * given


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_adv": np.ones(5)}, "y_adv must have shape"),
        ({"y_adv": np.array([1.0, 2, 1, 1, 1, 1])}, "y_adv must be -1 or \\+1, got 2"),
        ({"X": np.ones((5, 3))}, "X must have the 6 rows that setting.N says, got 5"),
        ({"Z": np.ones((5, 2))}, "Z must have 3 columns"),
        ({"delta": 1.0}, "delta must lie in \\(0, 1\\), got 1"),
        ({"Z": np.full((1, 3), np.nan)}, "Z must be finite"),
        ({"dynamics": "steps"}, "dynamics must be one of descent, flow, got 'steps'"),
    ],
)
def test_bad_input(changes, message):
    arguments = dict(zip(("Z", "X", "y", "y_adv", "setting", "delta"), (*case(), 0.1), strict=True)) | changes
    with pytest.raises(ValueError, match=message):
        certify_agreement_a_priori(**arguments)


def test_module_says_what_it_widens():
    assert apriori._WIDER < apriori._BLUR < apriori._TURN
