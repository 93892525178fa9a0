"""The law of agreement: its parts against direct integrals, and against networks drawn at random."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, strategies as st
from scipy import integrate, special, stats

import theory
from theory import deep, expressions as ex
from theory.times import agreement_given_f, agreement_law, curve, moments
from theory.times.curve import equal_signs
from theory.times.initial import InitialGradients
from theory.times.moments import AroundSamples

RNG = np.random.default_rng(0)
DEEP = deep.Architecture(depth=2, negative_slope=0.1, bias_variance=0.2, rates="all")
SHALLOW = deep.Architecture(negative_slope=0.2)
TIMES = [0.0, 0.1, 1.0, 10.0, np.inf]
POLYNOMIALS = 1e-5  # the error of a probability for d ≥ 10 that is stated
LABEL_NOISE = {10: 2e-2, 60: 1e-6}  # and that of label noise, relative


def problem(N, d, Q, seed=0, shift=0.3):
    rng = np.random.default_rng(seed)
    y = np.where(rng.permutation(N) % 2, 1.0, -1.0)
    X = rng.standard_normal((N, d)) + shift * y[:, None]
    return {"Z": rng.standard_normal((Q, d)) + shift * rng.choice([-1, 1], (Q, 1)), "X": X, "y": y}


def drawn(points, architecture, rng, width=800):
    """f and ∇f of one random network without biases beyond the first layer's, all layers by hand."""
    d, h, layers = points.shape[1], points, []
    for layer in range(architecture.depth):
        scale = np.sqrt(architecture.resolved_weight_variance / width) if layer else 1 / np.sqrt(d)
        W = scale * rng.standard_normal((width, h.shape[1]))
        bias = np.sqrt(architecture.bias_variance) if layer else 1.0
        u = h @ W.T + bias * rng.standard_normal(width)
        layers.append((W, np.where(u > 0, 1.0, architecture.negative_slope)))
        h = u * layers[-1][1]
    a = rng.standard_normal(width) / np.sqrt(width)
    back = np.tile(a, (len(points), 1))
    for W, active in reversed(layers):
        back = (back * active) @ W
    return h @ a, back


def simulated(Z, X, y, T_f, T_g, epsilon, targets, architecture, scenario, count, seed):
    """Mean agreement and its standard error over random f and targets, in the wide limit of training."""
    rng, N = np.random.default_rng(seed), len(X)
    F = theory.f_predict(Z, X=X, y=y, architecture=architecture)
    gradients = theory.perturbation_direction(X=X, y=y, architecture=architecture)
    deviation = theory.initial_deviation(Z, architecture=architecture)
    shares = []
    for _ in range(count):
        f, slopes = drawn(np.vstack([X, Z]), architecture, rng)
        D = slopes[:N] + T_f * gradients
        balanced = rng.permutation(np.repeat([-1.0, 1.0], N // 2))
        choice = {"random": rng.choice([-1.0, 1.0], N), "balanced": balanced}
        t = choice[targets] if isinstance(targets, str) else targets
        R = epsilon * t[:, None] * D / np.linalg.norm(D, axis=1, keepdims=True) + X * (scenario == "b")
        G = deep.ntk(Z, R, architecture=architecture) @ t / N
        shares.append(special.ndtr(np.sign(f[N:] + T_f * F) * np.outer(T_g, G / deviation)).mean(axis=1))
    return np.mean(shares, axis=0), np.std(shares, axis=0) / math.sqrt(count)


@pytest.mark.parametrize(
    ("scenario", "architecture", "targets", "T_f", "epsilon", "N", "count"),
    [
        ("a", SHALLOW, "random", 0.0, 3.0, 60, 150),
        ("a", SHALLOW, "random", 2.0, 6.0, 60, 150),
        ("a", SHALLOW, "balanced", 4.0, 1.0, 20, 150),
        ("a", SHALLOW, np.where(np.arange(20) % 4, 1.0, -1.0), 1.0, 2.0, 20, 150),
        ("a", DEEP, "balanced", 1.0, 6.0, 40, 80),
        ("b", SHALLOW, "random", 2.0, 6.0, 40, 150),
        ("b", SHALLOW, np.where(np.arange(40) % 4, 1.0, -1.0), 2.0, 6.0, 40, 150),
        ("b", DEEP, "balanced", 2.0, 6.0, 40, 60),
    ],
)  # fmt: skip
def test_agreement_is_that_of_random_networks(scenario, architecture, targets, T_f, epsilon, N, count):
    """Five times within their standard errors, d = 40: the test fails by chance with probability 1e-4.

    At d = 40 norms of gradients deviate by √(2/d) = .22 from their means, which the law leaves out.
    """
    data, T_g = problem(N, 40, 25, seed=N), np.array([0.03, 0.3, 1.0, 3.0, 30.0])
    settings = {"epsilon": epsilon, "targets": targets, "architecture": architecture, "scenario": scenario}
    law = agreement_law(**data, T_f=T_f, **settings)
    shares, errors = simulated(**data, T_f=T_f, T_g=T_g, **settings, count=count, seed=1)
    limit = stats.norm.isf(1e-4 / (2 * len(T_g)))
    np.testing.assert_array_less(np.abs(law.share(T_g) - shares), limit * errors)


def test_steps_of_the_derivation():
    """The plane's term in the form of three products, and the variance over balanced targets."""
    assert sp.simplify((ex.PLANE_TERM - ex.PLANE_TERM_SPLIT).rewrite(sp.exp)) == 0
    among = ex.squares / ex.N - ex.total**2 / ex.N**2
    for tau, factor in ((0, 1 / (ex.N - 1)), (1, (ex.N + 1) / ex.N**2)):
        assert sp.simplify(ex.BALANCED_VARIANCE.subs(ex.excess, tau) - factor * among) == 0


# Its parts ------------------------------------------------------------------------------------------


def by_integration(z, X, y, T_f, epsilon, targets, architecture):
    """The parts of the law at one point, from the whole matrix H and integrals over s by the trapezoid."""
    N = len(X)
    gradients = theory.perturbation_direction(X=X, y=y, architecture=architecture)
    lengths = np.sqrt(architecture.initial_gradient_norm**2 + T_f**2 * (gradients**2).sum(axis=1))
    H, c = deep.initial_covariances(z, X=X, architecture=architecture)
    deviations = np.sqrt(np.diag(H))
    xi = np.linspace(-9, 9, 2001)
    weights = stats.norm.pdf(xi) / stats.norm.pdf(xi).sum()
    s = (T_f * (gradients @ z) + np.outer(xi, deviations)) / lengths
    s = np.clip(s, -np.linalg.norm(z), np.linalg.norm(z))
    # A point of norm ε with that inner product with z.
    across = np.linalg.svd(z[None])[2][1]
    unit = z / np.linalg.norm(z)
    cosine = s.ravel() / np.linalg.norm(z)
    e = cosine[:, None] * unit + np.sqrt(1 - cosine**2)[:, None] * across
    up, down = (
        deep.ntk(sign * epsilon * e, z, architecture=architecture).reshape(s.shape) for sign in (1, -1)
    )
    odd, even = (up - down) / 2, (up + down) / 2
    R = H / np.outer(deviations, deviations)
    fixed = not isinstance(targets, str)

    def spread(u, order):
        first, second = (weights * xi) @ u, (weights * (xi**2 - 1)) @ u * (order > 1)
        own = weights @ u**2 - (weights @ u) ** 2 - first**2 - second**2 / 2
        return first, first @ R @ first + second @ R**2 @ second / 2 + own.sum()

    u = odd + targets * even if fixed else odd
    first, variance = spread(u, 1)
    squares, total = (weights @ even**2).sum(), (weights @ even).sum() ** 2 + spread(even, 2)[1]
    noise = {"random": squares / N**2, "balanced": (squares - total / N) / (N * (N - 1))}
    return (
        (weights @ u).mean(),
        variance / N**2,
        0.0 if fixed else noise[targets],
        first @ (c / deviations) / N,
        (weights @ (odd**2 + even**2)).sum() / N**2,  # what a sample contributes, as a scale of errors
    )


@pytest.mark.parametrize(
    "targets", ["random", "balanced", np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])], ids=str
)
@pytest.mark.parametrize("architecture", [deep.Architecture(), SHALLOW, DEEP], ids=["ReLU", "leaky", "deep"])
@pytest.mark.parametrize(("d", "scale", "error"), [(10, 1, 1e-4), (10, 30, 1e-4), (60, 1, 1e-9)])
def test_parts_are_those_of_direct_integrals(d, scale, error, architecture, targets):
    """Polynomials stand for the means, whatever the norms; their error is stated for d ≥ 10."""
    data = problem(6, d, 3, seed=d)
    data, epsilon = data | {name: scale * data[name] for name in "XZ"}, 2.0 * scale
    times = np.array([0.0, 0.5, 5.0, 500.0]) / scale**2
    law = agreement_law(**data, T_f=times, epsilon=epsilon, targets=targets, architecture=architecture)
    for f, q in itertools.product(range(4), range(3)):
        *parts, square = by_integration(
            data["Z"][q], data["X"], data["y"], law.T_f[f], epsilon, targets, architecture
        )
        mean, signal, label, initial = parts
        size = np.sqrt(mean**2 + signal + square)
        assert law.label_noise[f, q] == pytest.approx(label, rel=LABEL_NOISE[d])
        assert law.signal[f, q] == pytest.approx(mean, abs=error * size)
        assert law.signal_noise[f, q] == pytest.approx(signal, abs=error * size**2)
        assert law.label_noise[f, q] == pytest.approx(label, abs=error * size**2)
        assert law.initial[f, q] == pytest.approx(initial, abs=error * size * law.deviation_f[f, q])
        names = ("signal", "signal_noise", "label_noise", "initial")
        exact = {name: np.array(value) for name, value in zip(names, parts, strict=True)}
        others = {name: getattr(law, name)[..., f, q] for name in ("mean_f", "deviation_f", "deviation_g")}
        chances = replace(law, T_f=law.T_f[f], **exact, **others).probability(TIMES)
        np.testing.assert_allclose(law.probability(TIMES)[f, :, q], chances, atol=min(error, POLYNOMIALS))


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize("targets", ["random", "balanced", np.array([1.0, 1.0, -1.0] * 3)], ids=str)
@pytest.mark.parametrize("d", [1, 5, 40])
def test_a_time_is_not_changed_by_others(d, targets, scenario):
    """Nor is a point by others; to 1e-12 of a part, the combinations of weights being those of 1e-13.

    At T_f = ∞ fluctuations are 0, but for rounding.
    """
    data = problem(9, d, 4, seed=d)
    times, settings = [0.0, 0.01, 3.0, 1e3, np.inf], {"targets": targets, "scenario": scenario}
    whole = agreement_law(**data, T_f=times, **settings)
    for f, q in itertools.product(range(5), range(4)):
        one = agreement_law(**data | {"Z": data["Z"][q]}, T_f=times[f], **settings)
        for name in ("signal", "signal_noise", "label_noise", "initial"):
            got, alone = getattr(whole, name)[f, q], getattr(one, name)
            rounding = 1e-28 if "noise" in name else 1e-14
            assert got == pytest.approx(alone, rel=1e-12, abs=rounding)
        np.testing.assert_allclose(whole.probability(TIMES)[f, :, q], one.probability(TIMES), atol=1e-14)


def test_times_that_belong_together():
    law = agreement_law(**problem(6, 4, 5), T_f=TIMES)
    np.testing.assert_array_equal(law.paired(TIMES), law.probability(TIMES)[range(5), range(5)])
    with pytest.raises(ValueError, match=r"T_g must have the shape of T_f, \(5,\), got \(2,\)"):
        law.paired([1.0, 2.0])


def test_variance_of_balanced_noise_is_that_of_pairs_of_gaussians():
    """Without any order of polynomials: Cov χ(s_n) χ(s_k) by integrals in two dimensions."""
    N, d, T_f, epsilon = 6, 40, 0.5, 6.0
    data, (xi, w) = problem(N, d, 1), special.roots_hermitenorm(40)
    z, X, w = data["Z"][0], data["X"], w / w.sum()
    gradients = theory.perturbation_direction(X=X, y=data["y"])
    H, _ = deep.initial_covariances(z, X=X, architecture=deep.Architecture())
    lengths, size = np.sqrt(0.5 + T_f**2 * (gradients**2).sum(axis=1)), np.linalg.norm(z)
    means, deviations = T_f * (gradients @ z) / lengths, np.sqrt(np.diag(H)) / lengths
    R = H / np.sqrt(np.outer(np.diag(H), np.diag(H)))

    def chi(s):
        up, down = (moments._tangent(sign * epsilon * s, epsilon**2, size**2, d, deep.Architecture())
                    for sign in (1, -1))  # fmt: skip
        return (up + down) / 2

    values = [chi(m + t * xi) for m, t in zip(means, deviations, strict=True)]
    centre = [w @ value for value in values]
    covariance = np.empty((N, N))
    for n, k in itertools.product(range(N), range(N)):
        pair = R[n, k] * xi[:, None] + np.sqrt(max(1 - R[n, k] ** 2, 0)) * xi
        other = chi(means[k] + deviations[k] * pair) - centre[k]
        covariance[n, k] = (w * (values[n] - centre[n])) @ other @ w
    among = np.var(centre) + np.trace(covariance) / N - covariance.sum() / N**2
    law = agreement_law(z, X=X, y=data["y"], T_f=T_f, epsilon=epsilon, targets="balanced")
    assert law.label_noise == pytest.approx(among / (N - 1), rel=2e-3)  # what is left is of third order


@pytest.mark.parametrize("scenario", ["a", "b"])
def test_opposite_labels_of_the_same_points_are_never_learnt(scenario):
    """F and ∇F are sums of rounding errors, whose signs mean nothing: agreement is that at T_f = 0."""
    data, rng = problem(20, 6, 5), np.random.default_rng(3)
    order = rng.permutation(40)
    data |= {"X": np.vstack([data["X"]] * 2)[order], "y": np.repeat([1.0, -1.0], 20)[order]}
    assert np.abs(theory.f_predict(**data)).max() > 0
    for architecture in (SHALLOW, DEEP):
        law = agreement_law(**data, T_f=TIMES, architecture=architecture, scenario=scenario)
        assert not law.mean_f.any()
        np.testing.assert_allclose(law.limit, np.broadcast_to(law.limit[0], (5, 5)), atol=1e-12)


@pytest.mark.parametrize("scenario", ["a", "b"])
def test_a_length_is_not_changed_by_others(scenario):
    """Nor is rounding measured in units of the longest: signals of the shortest are 1e-7 of those."""
    data, lengths = problem(9, 20, 4), np.array([1e-6, 1.0, 1e12])
    pair = curve.Pair.checked(*data.values(), "random", 0.0, None, scenario)
    whole = pair.law(np.ones(3), lengths)
    for f, epsilon in enumerate(lengths):
        alone = agreement_law(**data, T_f=1.0, epsilon=epsilon, scenario=scenario)
        np.testing.assert_allclose(whole.signal[f], alone.signal, rtol=1e-12)
        assert alone.signal.all()


def test_perturbations_of_no_length_to_speak_of_teach_nothing():
    """Half of Θ(r, z) − Θ(−r, z) is then rounding."""
    law = agreement_law(**problem(6, 10, 4), T_f=[1.0, np.inf], epsilon=1e-16, targets="balanced")
    for part in (law.signal, law.signal_noise, law.initial):
        np.testing.assert_array_equal(part, 0)
    np.testing.assert_allclose(law.limit, 0.5)


def test_means_around_samples_are_those_of_draws():
    """z at angles with x_n that are not small.

    48 means of 100,000 draws: the test fails by chance with probability 1e-4.
    """
    rng, epsilon, v = np.random.default_rng(7), 0.3, np.array([[0.05, 0.1, 0.02]])
    X, U = rng.standard_normal((2, 3, 20))
    U /= np.linalg.norm(U, axis=1, keepdims=True)  # no ⟨e, z⟩ or ⟨e, x⟩ comes near where it is cut off
    Z = np.array([X[0] - 1.5 * X[1] + X[2], X[1] - X[2]])
    made = AroundSamples(Z, U, v, np.array([epsilon]), InitialGradients(X, SHALLOW))
    xi = rng.standard_normal((100_000, 20))
    errors = []
    for q, n in itertools.product(range(2), range(3)):
        e = np.sqrt(1 - v[0, n]) * U[n] + np.sqrt(v[0, n] / 20) * xi
        up, down = (  # ‖e‖ = 1 in what g is trained on, though not of Gaussian draws
            moments._tangent(
                (X[n] + sign * epsilon * e) @ Z[q],
                X[n] @ X[n] + 2 * sign * epsilon * (e @ X[n]) + epsilon**2,
                Z[q] @ Z[q],
                20,
                SHALLOW,
            )
            for sign in (1, -1)
        )
        x, z = X[n] / np.linalg.norm(X[n]), Z[q] / np.linalg.norm(Z[q])
        across = (z - (z @ x) * x) / np.linalg.norm(z - (z @ x) * x)
        for u, means in (((up - down) / 2, made.odd()), ((up + down) / 2, made.even())):
            centred = u - u.mean()
            pairs = [(u, means.mean[q, 0, n]), (centred**2, means.variance[q, 0, n])]
            pairs += [(centred * (xi @ axis), means.first[i, q, 0, n]) for i, axis in enumerate((x, across))]
            errors += [(values.mean() - found) / (values.std() / 100_000**0.5) for values, found in pairs]
    assert np.abs(errors).max() < stats.norm.isf(1e-4 / (2 * len(errors)))


@pytest.mark.parametrize("gap", [0.0, 1e-13, 1e-9, 2e-8, 1e-7, 1e-3, -2.0])
@pytest.mark.parametrize("depth", [1, 2])
def test_forms_are_those_of_the_whole_matrix(depth, gap):
    """Near and opposite samples too: both halves of a term grow as the inverse sine, their sum does not."""
    data, architecture = problem(8, 6, 4), deep.Architecture(depth=depth, negative_slope=0.1)
    X = np.vstack([data["X"], data["X"] * (1 + gap) + gap * np.eye(8, 6) * (gap > 0)])
    Z = np.vstack([data["Z"], np.zeros(6)])
    weights = RNG.standard_normal((5, 3, 16)) * [[[1.0], [1.0], [1e-12]]]
    form, shared = InitialGradients(X, architecture).forms(Z, weights)
    for q in range(4):
        H, c = deep.initial_covariances(Z[q], X=X, architecture=architecture)
        size = H[0, 0]
        expected = np.einsum("fn,nk,fk->f", weights[q], H / size, weights[q])
        np.testing.assert_allclose(form[q], expected, rtol=1e-6, atol=1e-6 * form[q].max())
        np.testing.assert_allclose(shared[q], weights[q] @ c / np.sqrt(size), rtol=1e-9, atol=1e-9)
        squared, _ = InitialGradients(X, architecture).forms(Z, weights, squared=True)
        expected = np.einsum("fn,nk,fk->f", weights[q], (H / size) ** 2, weights[q])
        # Pairs at an angle below 1e-4 have no terms of that size.
        np.testing.assert_allclose(squared[q], expected, rtol=1e-3, atol=1e-6 * squared[q].max())
    assert np.isfinite(form[4]).all()


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize("targets", ["random", "balanced", "odd", np.array([1.0, -1.0] * 4)], ids=str)
def test_after_infinite_training_f_is_given(targets, scenario):
    odd = isinstance(targets, str) and targets == "odd"
    data, targets = problem(7 if odd else 8, 12, 5), "balanced" if odd else targets
    law = agreement_law(**data, T_f=np.inf, targets=targets, scenario=scenario)
    F = theory.f_predict(data["Z"], X=data["X"], y=data["y"])
    D = theory.perturbation_direction(X=data["X"], y=data["y"])
    given_f = agreement_given_f(
        data["Z"], X=data["X"], outputs=F, directions=D, targets=targets, scenario=scenario
    )
    np.testing.assert_allclose(law.probability(TIMES), given_f.probability(TIMES), atol=POLYNOMIALS)


@pytest.mark.parametrize("scenario", ["a", "b"])
def test_given_f_it_is_the_probability_of_the_product_for_given_targets(scenario):
    data, t = problem(8, 12, 5), np.array([1.0, 1.0, -1.0, 1.0] * 2)
    D, f = RNG.standard_normal((8, 12)), RNG.standard_normal(5)
    law = agreement_given_f(
        data["Z"], X=data["X"], outputs=f, directions=D, epsilon=2.0, targets=t, scenario=scenario
    )
    R = 2 * t[:, None] * D / np.linalg.norm(D, axis=1, keepdims=True) + data["X"] * (scenario == "b")
    G = theory.g_predict(data["Z"], X_adv=R, y_adv=t)
    deviation = theory.initial_deviation(data["Z"])
    expected = [theory.agreement_probability(f, G, deviation, T_g=T) for T in TIMES[:4]]
    np.testing.assert_allclose(law.probability(TIMES[:4]), expected, atol=1e-14)
    np.testing.assert_array_equal(law.limit, np.sign(f) == np.sign(G))


@pytest.mark.parametrize("N", [1, 5, 6])
@pytest.mark.parametrize("targets", ["random", "balanced"])
def test_label_noise_is_the_variance_over_all_targets(targets, N):
    data = problem(N, 4, 3)
    D, f = RNG.standard_normal((N, 4)), np.ones(3)
    law = agreement_given_f(data["Z"], X=data["X"], outputs=f, directions=D, targets=targets)
    every = np.array(list(itertools.product([-1.0, 1.0], repeat=N)))
    if targets == "balanced":
        every = every[every.sum(axis=1) == N % 2]
    unit = 2 * D / np.linalg.norm(D, axis=1, keepdims=True)
    G = np.array([theory.g_predict(data["Z"], X_adv=t[:, None] * unit, y_adv=t) for t in every])
    np.testing.assert_allclose(G.mean(axis=0), law.signal, rtol=1e-12)
    np.testing.assert_allclose(G.var(axis=0), law.label_noise, rtol=1e-12, atol=1e-30)


def test_an_untrained_relu_network_is_agreed_with_on_seventy_percent_of_points():
    """1 − arccos(√Φ₀/σ)/π for isotropic data, d and N large; Φ₀ = 1/3 and σ = 1 at points of norm √d."""
    floor = 1 - math.acos(1 / math.sqrt(3)) / math.pi
    data = problem(600, 600, 20, shift=0.0)
    data = data | {
        name: data[name] / np.linalg.norm(data[name], axis=1, keepdims=True) * 600**0.5 for name in "XZ"
    }
    law = agreement_law(**data, T_f=0.0)
    np.testing.assert_allclose(law.limit, floor, atol=2e-3)  # leading order in 1/d and 1/N: 1/600


# Two Gaussian signs ---------------------------------------------------------------------------------

MEAN = st.floats(-6, 6)


@given(MEAN, MEAN, st.floats(-0.999, 0.999))
@example(1.0, 4.75, -0.998046875)
def test_equal_signs_against_the_integral(a, b, rho):
    def part(x):
        reach = (b + rho * x) / math.sqrt(1 - rho**2)
        return stats.norm.pdf(x) * special.ndtr(reach if a + x > 0 else -reach)

    # The step of `part`, to which quadrature is blind where it is steep.
    step = [(-b + k * math.sqrt(1 - rho**2)) / rho for k in (-8, 0, 8)] if abs(rho) > 0.05 else []
    points = sorted({-a, *np.clip(step, -9, 9)})
    expected = integrate.quad(part, -9, 9, points=points, limit=200, epsabs=1e-11)[0]
    assert equal_signs(a, b, rho) == pytest.approx(expected, abs=1e-9)


@given(MEAN, MEAN, st.floats(-1, 1))
def test_equal_signs_has_its_symmetries(a, b, rho):
    chance = equal_signs(a, b, rho)
    assert chance == pytest.approx(equal_signs(b, a, rho), abs=1e-13)
    assert chance == pytest.approx(equal_signs(-a, -b, rho), abs=1e-13)
    assert chance == pytest.approx(1 - equal_signs(-a, b, -rho), abs=1e-13)


@given(st.floats(-1, 1))
def test_equal_signs_of_centred_variables(rho):
    assert equal_signs(0, 0, rho) == pytest.approx(1 - math.acos(rho) / math.pi, abs=1e-12)
    assert equal_signs(0, 100, rho) == pytest.approx(0.5, abs=1e-12)


def test_equal_signs_of_one_variable():
    assert equal_signs(1, 2, 1) == pytest.approx(1 - stats.norm.cdf(-1) + stats.norm.cdf(-2), abs=1e-14)
    assert equal_signs(1.5, 1.5, 1) == 1


# Shapes, bad and extreme input -----------------------------------------------------------------------


@pytest.mark.parametrize("T_f", [1.0, [1.0, 2.0]])
@pytest.mark.parametrize("T_g", [1.0, [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("one", [True, False])
def test_scalars_drop_their_axes(T_f, T_g, one):
    data = problem(6, 40, 5)  # where the polynomials for means are exact to many digits
    whole = agreement_law(**data, T_f=[1.0, 2.0]).probability([1.0, 2.0, 3.0])
    law = agreement_law(**data | ({"Z": data["Z"][0]} if one else {}), T_f=T_f)
    got, points = law.probability(T_g), () if one else (5,)
    assert got.shape == np.shape(T_f) + np.shape(T_g) + points
    expected = whole[: np.size(T_f), : np.size(T_g), : 1 if one else 5]
    np.testing.assert_allclose(got.ravel(), expected.ravel(), atol=1e-7)
    np.testing.assert_allclose(law.share(T_g), got if one else got.mean(axis=-1))
    assert law.limit.shape == np.shape(T_f) + points


def test_a_table_has_a_row_for_each_time_and_point():
    pandas = pytest.importorskip("pandas")
    law = agreement_law(**problem(6, 4, 5), T_f=[1.0, 2.0])
    frame = law.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert (frame.T_f.to_numpy().reshape(2, 5) == [[1.0], [2.0]]).all()
    assert (frame.point.to_numpy().reshape(2, 5) == np.arange(5)).all()
    assert (frame.signal.to_numpy().reshape(2, 5) == law.signal).all()
    assert (frame.limit.to_numpy().reshape(2, 5) == law.limit).all()


@given(st.floats(0, 50), st.floats(0, 5), st.integers(0, 5))
def test_probabilities_are_probabilities(T_f, epsilon, seed):
    law = agreement_law(**problem(4, 3, 3, seed=seed), T_f=T_f, epsilon=epsilon)
    chances = law.probability(TIMES)
    assert ((chances >= 0) & (chances <= 1)).all()
    np.testing.assert_allclose(chances[0], 0.5, atol=1e-12)  # at T_g = 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epsilon": 0.0}, 0.5),  # g is trained on N zeros with random labels
        ({"Z": np.zeros((1, 3))}, 0.5),  # ψ = 0 there
        ({"y": np.ones(4)}, None),  # one class
        ({"X": np.ones((4, 3))}, None),  # duplicates
        ({"X": np.vstack([np.zeros((1, 3)), np.eye(3)])}, None),  # a zero row
        ({"X": np.ones((1, 3)), "y": np.ones(1)}, None),  # N = 1
        ({"X": np.ones((4, 3)), "y": np.array([1.0, -1.0, 1.0, -1.0])}, None),  # F = 0
        ({"T_f": np.inf}, None),
    ],
    ids=["no perturbation", "zero query", "one class", "duplicates", "zero row", "N = 1", "F = 0", "T_f = ∞"],
)
@pytest.mark.parametrize("scenario", ["a", "b"])
def test_extreme_input_has_a_value(changes, expected, scenario):
    arguments = problem(4, 3, 2) | {"T_f": 1.0, "scenario": scenario} | changes
    chances = agreement_law(**arguments).probability(TIMES)
    assert ((chances >= 0) & (chances <= 1)).all()
    if expected is not None and scenario == "a":
        np.testing.assert_allclose(chances, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": "balance"}, "targets must be one of random, balanced, got 'balance'"),
        ({"targets": [1, -1]}, r"targets must have shape \(3,\), one label a point, got \(2,\)"),
        ({"epsilon": -1.0}, "epsilon must be >= 0, got -1"),
        ({"T_f": -1.0}, "T_f must be >= 0, got -1"),
        ({"T_f": np.nan}, "T_f must be >= 0, got nan"),
        ({"T_f": []}, r"T_f must be a number or have shape \(n,\)"),
        ({"scenario": "c"}, "scenario must be one of a, b, got 'c'"),
    ],
)
def test_bad_input_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        agreement_law(**problem(3, 4, 2) | {"T_f": 1.0} | changes)


def test_bad_times_of_g_and_a_bad_f_are_refused():
    data = problem(4, 3, 2)
    with pytest.raises(ValueError, match="T_g must be >= 0, got -1"):
        agreement_law(**data, T_f=1.0).probability(-1.0)
    given_f = {"Z": data["Z"], "X": data["X"], "outputs": np.ones(2), "directions": data["X"]}
    plain, *scaled = (
        agreement_given_f(**given_f | {"directions": size * data["X"]}).signal
        for size in (1.0, 1e-300, 1e200)
    )
    np.testing.assert_allclose(scaled, [plain, plain], rtol=1e-12)  # their lengths do not count
    with pytest.raises(ValueError, match=r"directions must be 4 rows as those of X, none zero"):
        agreement_given_f(**given_f | {"directions": np.zeros((4, 3))})
    with pytest.raises(ValueError, match=r"outputs must have shape \(2,\), got \(3,\)"):
        agreement_given_f(**given_f | {"outputs": np.ones(3)})


def test_label_noise_of_long_samples_is_no_less_than_nothing():
    """Norms of 100 √d."""
    rng = np.random.default_rng(2)
    X, Z = 100 * rng.normal(size=(30, 6)), 100 * rng.normal(size=(20, 6))
    law = agreement_law(Z, X=X, y=np.sign(X[:, 0]), T_f=[0.0, 1.0, np.inf], epsilon=100 * np.sqrt(6))
    assert (law.label_noise >= 0).all()
    assert np.isfinite(law.limit).all()
