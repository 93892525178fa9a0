"""Certificates from independent neurons: the mathematics, on laws that are known."""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

from theory import preactivation_scale
from theory.bounds import neuron_envelope
from theory.certificates.independent import (
    SIMULATION_SHARE,
    TRUNCATION_SHARE,
    NeuronEnvelope,
    _choose,
    _Sample,
    certify_independent,
    truncation_risk,
    upper_mean,
)
from theory.kernel.enclosure import Sign

# A count that is too large by this much chance is a failure of the theorem, not of luck.
UNLIKELY = 1e-9


def envelope_of(
    *,
    width=100,
    slope=0.0,
    scale=1.3,
    direct=0.0,
    inner=0.0,
    outer=0.0,
    offset=0.0,
    chance=0.0,
    truncation=1e-4,
    points=1,
    A=8.0,
):
    rows = np.ones((2, points))
    return NeuronEnvelope(
        width=width,
        slope=slope,
        scale=np.full(points, scale),
        direct=direct * rows,
        inner=inner * rows,
        outer=outer * rows,
        offset=offset,
        chance=np.full(points, chance),
        readout_limit=A,
        norm_limit=10.0,
        truncation=truncation,
    )


def leaky(u, slope):
    return np.maximum(u, slope * u)


def draw(rng, n, *, scale=1.3):
    return rng.normal(size=n), scale * rng.normal(size=n)


# Moments of the envelope -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slope", "drift", "kappa"), [(0.0, 0.0, 3.0), (0.0, 4.0, 0.9), (0.3, 2.5, 1.1), (0.7, -6.0, 2.0)]
)
def test_moment_matches_quadrature(slope, drift, kappa):
    """E e^(κ q), q = (β/√m) φ(u + βc) homogeneous: (1/2π) ∫ dθ/(1 − 2κ q(cos θ, sin θ)), with 20 digits."""
    m, s = 100, 1.3
    envelope = envelope_of(width=m, slope=slope, scale=s, direct=drift, inner=drift)
    with mp.workdps(20):

        def integrand(angle):
            u = s * mp.sin(angle) + drift * mp.cos(angle)
            return 1 / (1 - 2 * kappa * mp.cos(angle) * (u if u > 0 else slope * u) / mp.sqrt(m))

        kink = mp.atan2(-drift, s)
        corners = [kink + k * mp.pi / 4 for k in range(9)]
        exact = mp.quad(integrand, corners) / (2 * mp.pi)
    for sign in (-1, 1):
        got = envelope.moment(np.array([kappa]), np.array([sign]))[0]
        assert 0 <= got / float(exact) - 1 < 1e-8
        assert envelope.reference(np.array([kappa]), np.array([sign]))[0] == got


def test_moment_is_infinite_where_the_integral_diverges():
    envelope = envelope_of(direct=5.0, inner=5.0)
    assert np.isfinite(envelope.moment(np.array([0.9]), np.array([1]))[0])
    assert envelope.moment(np.array([1.0]), np.array([1]))[0] == np.inf


def test_reference_is_the_mean_of_its_values():
    rng = np.random.default_rng(0)
    envelope = envelope_of(slope=0.2, inner=1.5, direct=1.5)
    alpha, u = draw(rng, 400_000)
    exponent, sign = np.array([1.2]), np.array([-1])
    V = envelope.reference_values(exponent, sign, alpha, u[:, None])[:, 0]
    assert abs(V.mean() - envelope.reference(exponent, sign)[0]) < 5 * V.std() / np.sqrt(len(V))


@pytest.mark.parametrize("power", [2, 3, 5])
def test_excess_matches_simulation(power):
    """A neuron that is outer with exactly the given chance and moves as far as it may (offset 0)."""
    rng = np.random.default_rng(power)
    envelope = envelope_of(slope=0.2, inner=0.5, outer=2.0, chance=0.3)
    alpha, u = draw(rng, 400_000)
    exponent = 0.3
    bet = -alpha / 10
    G = bet * leaky(u - alpha * 0.5, 0.2)
    worst = G + bet * -alpha * 1.5  # u + βc inside of φ, all of it with slope 1
    values = 0.3 * (np.exp(exponent * worst) - np.exp(exponent * G)) ** power
    got = envelope.excess(np.array([exponent]), np.array([1]), power)[0]
    assert abs(values.mean() - got) < 5 * values.std() / np.sqrt(len(values))
    actual = bet * leaky(u - alpha * 2.0, 0.2)
    assert (actual <= worst + 1e-12).all()


def test_excess_with_an_offset_covers_the_worst_neuron():
    rng = np.random.default_rng(9)
    envelope = envelope_of(slope=0.2, inner=0.5, outer=2.0, offset=0.4, chance=1.0)
    alpha, u = draw(rng, 200_000)
    beta = -alpha
    actual = 0.5 * beta / 10 * leaky(u + beta * 2.0 + np.sign(beta) * 0.4, 0.2)
    V = np.exp(0.5 * beta / 10 * leaky(u + beta * 0.5, 0.2))
    excess = np.maximum(np.exp(actual) - V, 0) ** 2
    bound = envelope.excess(np.array([0.5]), np.array([1]), 2)[0]
    assert excess.mean() + 5 * excess.std() / np.sqrt(len(excess)) < bound < 4 * excess.mean()


# The upper bound of a mean ---------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "n", "risk"), [(0.01, 200, 0.1), (0.3, 200, 0.05), (0.002, 1000, 0.1)])
def test_upper_mean_covers_rare_events(p, n, risk):
    """Bernoulli: exact probability of missing the mean, summed over the binomial law; near the risk."""
    counts = np.arange(n + 1)
    columns = (np.arange(n)[:, None] < counts).astype(float)
    bet = np.full(n + 1, min(np.sqrt(2 * np.log(1 / risk) / (n * p * (1 - p))), 0.9 / (1 - p)))
    upper = upper_mean(columns, ceiling=np.ones(n + 1), bet=bet, risk=risk)
    missed = float(stats.binom.pmf(counts, n, p)[upper < p].sum())
    assert missed <= risk
    # The sample mean itself, or half of the distance to the bound, would miss more often than allowed.
    halfway = (upper + columns.mean(axis=0)) / 2
    assert stats.binom.pmf(counts, n, p)[halfway < p].sum() > risk


def test_upper_mean_solves_its_equation_and_asks_nothing_from_below():
    rng = np.random.default_rng(1)
    D = np.column_stack([0.2 - rng.standard_cauchy(500) ** 2, rng.uniform(-1, 0.2, 500)])
    ceiling, bet, risk = np.full(2, 0.2), np.array([0.5, 0.7]), 0.01
    upper = upper_mean(D, ceiling=ceiling, bet=bet, risk=risk)
    capital = np.log1p(bet * (upper - D)).sum(axis=0)
    assert (capital >= np.log(1 / risk)).all()
    # The bound is rounded outward by 1e-9 of its distance to the mean, which capital of at most n ν feels.
    assert (capital - np.log(1 / risk) < 1e-5 * np.abs(D.mean(axis=0) * 500 * bet)).all()


def test_upper_mean_is_at_most_the_ceiling_and_nan_is_nan():
    D = np.column_stack([np.ones(8), np.full(8, np.nan), np.zeros(8)])
    upper = upper_mean(D, ceiling=np.ones(3), bet=np.full(3, 0.9), risk=1e-3)
    assert upper[0] == 1
    assert np.isnan(upper[1])
    assert 0 < upper[2] <= 1


# Certificates ----------------------------------------------------------------------------------------


def strong_sample(rng, n, *, points=1, gain=0.5):
    """Neurons that never hurt: X ≥ −G holds, and s = +1 is obvious."""
    alpha, u = draw(rng, n)
    X = (alpha / 10 * leaky(u, 0.0) + gain * alpha**2 / 10)[:, None]
    return np.repeat(X, points, axis=1), np.repeat(u[:, None], points, axis=1), alpha, np.ones(n)


def test_parts_of_delta_add_up_and_are_named():
    rng = np.random.default_rng(2)
    delta, points = 0.02, 4
    risk = truncation_risk(delta, points, simultaneous=True)
    assert risk == pytest.approx(TRUNCATION_SHARE * delta / points)
    envelope = envelope_of(points=points, truncation=risk)
    result = certify_independent(
        *strong_sample(rng, 4000, points=points), envelope, delta=delta, simultaneous=True
    )
    assert result.certified.all()
    assert tuple(result.verdicts) == (Sign.POSITIVE,) * points
    terms = result.failure.terms
    assert set(terms) == {"neurons out of limits", "Chernoff", "simulation"}
    assert result.delta == pytest.approx(delta / points)
    assert terms["simulation"] == pytest.approx(SIMULATION_SHARE * delta / points)
    assert (terms["neurons out of limits"] == risk).all()
    assert (result.failure.value * points <= delta).all()
    np.testing.assert_allclose(
        result.failure_given_simulation, terms["Chernoff"] + terms["neurons out of limits"]
    )


def test_certificate_pays_for_the_number_of_points():
    """A union over Q points: the simulation's part is δ/(2Q), and the bound grows with Q."""
    one = certify_independent(
        *strong_sample(np.random.default_rng(3), 2000), envelope_of(truncation=1e-9), delta=0.01
    )
    many = certify_independent(
        *strong_sample(np.random.default_rng(3), 2000, points=50),
        envelope_of(truncation=1e-9, points=50),
        delta=0.01,
        simultaneous=True,
    )
    assert (many.failure.terms["Chernoff"] > one.failure.terms["Chernoff"]).all()


def test_chernoff_term_is_never_below_the_truth():
    """Gaussian-like sums of m neurons: the exact (simulated) moment to the power m is below the term."""
    rng = np.random.default_rng(4)
    result = certify_independent(*strong_sample(rng, 4000, gain=0.05), envelope_of(), delta=0.05)
    X = strong_sample(rng, 400_000, gain=0.05)[0][:, 0]
    moment = np.exp(-result.exponent * X).mean()
    assert result.failure.terms["Chernoff"][0] > moment**100
    assert result.failure.terms["Chernoff"][0] < (moment + 0.02) ** 100


@pytest.mark.parametrize("split", [False, True])
def test_chernoff_term_is_the_one_of_the_derivation(split):
    """Written out again: what the first quarter chooses, the other three decide, tail and m included."""
    shape = {"direct": 1e9, "inner": 0.0} if split else {"direct": 1.0, "inner": 1e9}
    envelope = envelope_of(outer=3.0, offset=0.2, chance=0.05, **shape)
    delta, n, m = 0.02, 4000, 100
    X, u, alpha, norms = strong_sample(np.random.default_rng(10), n, gain=0.2 if split else 0.5)
    result = certify_independent(X, u, alpha, norms, envelope, delta=delta)
    first = _Sample(X[:1000], u[:1000], alpha[:1000], np.ones(1000, dtype=bool))
    with np.errstate(over="ignore", invalid="ignore"):
        chosen = _choose(first, envelope, 3000, np.log(2 / delta))
    assert chosen.split[0] == split
    (exponent,), (h,), (nu,), (r,) = chosen.exponent, chosen.ceiling, chosen.bet, chosen.power
    X, u, alpha = X[1000:, 0], u[1000:, 0], alpha[1000:]
    factor = ((r - 1) / r) ** r / (r - 1)
    if split:
        V, mean = np.exp(-exponent * alpha / 10 * np.maximum(u, 0)), envelope.reference(chosen.exponent, [1])
        tail = factor * h ** (1 - r) * envelope.excess(chosen.exponent, [1], int(r))
    else:
        V, mean = 1.0, 1.0
        tail = factor * (1 + h) ** (1 - r) * envelope.moment(r * chosen.exponent, [1])
    D = np.minimum(np.exp(-exponent * X) - V, h)[:, None]
    upper = upper_mean(D, ceiling=[h], bet=[nu], risk=delta / 2)
    assert tail[0] > 1e-6
    moment = float(np.squeeze(mean + upper + tail))
    assert result.failure.terms["Chernoff"][0] == pytest.approx(moment**m, rel=1e-7)
    assert 0 < result.failure.terms["Chernoff"][0] < 1


@pytest.mark.parametrize(("width", "n"), [pytest.param(20_000, 400, marks=pytest.mark.slow), (300, 300)])
def test_untrained_networks_are_not_certified(width, n):
    """E X = 0: a proved sign is wrong half of the time, so it may be given with probability 2δ at most.

    Of 60 samples; with s, λ and the moment from one and the same half nearly all would be certified at
    the larger width: the sample mean is never 0, and m is large against n.
    """
    rng = np.random.default_rng(width)
    delta, repeats = 0.2, 60
    envelope = envelope_of(width=width, truncation=1e-3)
    given, naive = 0, 0
    for _ in range(repeats):
        alpha, u = draw(rng, n)
        X = (alpha / np.sqrt(width) * leaky(u, 0.0))[:, None]
        given += certify_independent(X, u[:, None], alpha, np.ones(n), envelope, delta=delta).share
        unit = X.mean() / X.var()
        naive += np.exp(-unit * X).mean() ** width < delta / 2
    assert given <= stats.binom.isf(UNLIKELY, repeats, 2 * delta)
    assert given <= 3  # in fact hardly ever
    if width > 100 * n / 4:
        assert naive > stats.binom.isf(1e-4, repeats, 2 * delta)


def hidden_tail(rng, n, *, width, drift, rare):
    """X is small and positive, except that neurons in the tail of the envelope are as bad as it allows."""
    alpha, u = draw(rng, n)
    bad = -alpha > stats.norm.isf(rare)
    worst = -alpha / np.sqrt(width) * leaky(u - alpha * drift, 0.0)
    X = np.where(bad, -worst, np.maximum(-worst, 0) + 0.02)
    return X[:, None], u[:, None], alpha, np.ones(n)


@pytest.mark.slow
def test_a_tail_that_the_sample_does_not_show_is_paid_for():
    """Neurons of probability 1e-3 decide the sign; half of the samples of 600 hold none."""
    width, drift, rare = 4000, 400.0, 1e-3
    rng = np.random.default_rng(5)
    X = hidden_tail(rng, 400_000, width=width, drift=drift, rare=rare)[0]
    assert X.mean() < -3 * X.std() / np.sqrt(len(X)) < 0  # s = −1 in truth
    envelope = envelope_of(width=width, direct=drift, inner=drift, truncation=1e-4)
    wrong, tempted = 0, 0
    for _ in range(40):
        sample = hidden_tail(rng, 600, width=width, drift=drift, rare=rare)
        wrong += (certify_independent(*sample, envelope, delta=0.01).signs > 0).any()
        # What a maximum of the sample in place of the envelope makes of it.
        tame = envelope_of(width=width, truncation=1e-4)
        tempted += (certify_independent(*sample, tame, delta=0.01).signs > 0).any()
    assert wrong == 0  # allowed: 1 % of 40
    assert tempted > 8


def test_neurons_outside_of_the_event_count_as_zero_and_are_paid_for():
    rng = np.random.default_rng(6)
    X, u, alpha, norms = strong_sample(rng, 2000)
    whole = certify_independent(X, u, alpha, norms, envelope_of(), delta=0.1)
    # A tenth of the neurons is absurd, but out of limits: they are no part of the moment.
    norms = np.where(np.arange(2000) % 10 == 9, 99.0, norms)
    absurd = np.where(norms[:, None] > 10, -50.0, X)
    cut = certify_independent(absurd, u, alpha, norms, envelope_of(), delta=0.1)
    assert cut.certified.all()
    assert cut.failure.value[0] >= 1e-4
    assert certify_independent(absurd, u, alpha, 0 * norms, envelope_of(), delta=0.1).signs[0] < 1
    assert whole.failure.terms["neurons out of limits"][0] == 1e-4


def test_limits_have_the_probability_that_is_paid():
    """m P(|α| > A) + m P(‖w‖ > ω) is the truncation, exactly."""
    X, y, Z = np.ones((3, 4)), np.array([1.0, -1, 1]), np.zeros((1, 4))
    for width, risk in ((1, 0.3), (1000, 1e-4), (10**6, 1e-12)):
        envelope = neuron_envelope(Z, X=X, y=y, width=width, T=1.0, num_steps=1, truncation=risk)
        outside = 2 * stats.norm.sf(envelope.readout_limit) + stats.chi2.sf(4 * envelope.norm_limit**2, 4)
        assert width * outside == pytest.approx(risk, rel=1e-9)
        assert envelope.truncation == risk
        assert envelope.chance == 1  # at z = 0 the bias is u(z; 0) itself


def test_envelope_matches_its_statement():
    rng = np.random.default_rng(7)
    X, Z = rng.normal(size=(6, 3)), rng.normal(size=(2, 3))
    y = np.array([1.0, 1, -1, 1, -1, 1])
    slope, T, width = 0.3, 2.0, 50
    envelope = neuron_envelope(
        Z,
        X=X,
        y=y,
        width=width,
        negative_slope=slope,
        T=T,
        num_steps=400,
        momentum=0.5,
        truncation=0.1,
    )
    rate = T / sum((1 - 0.5**k) / 0.5 for k in range(1, 401))
    k = Z @ X.T * y / 6
    for row, sign in ((0, 1), (1, -1)):
        K, labels = sign * (k + y / 6), sign * y
        p, q = np.maximum(K, 0).sum(axis=1), np.maximum(-K, 0).sum(axis=1)
        p_w, q_w = np.maximum(sign * k, 0).sum(axis=1), np.maximum(-sign * k, 0).sum(axis=1)
        np.testing.assert_allclose(envelope.direct[row] * np.sqrt(width), T * (q - slope * p), rtol=1e-9)
        np.testing.assert_allclose(
            envelope.inner[row] * np.sqrt(width), T * np.maximum(q - p, slope * (q - p)), rtol=1e-9
        )
        bias = max(-labels.mean(), 0) * T + rate / 0.25 * (1 - slope) * (4 / 6)
        np.testing.assert_allclose(
            envelope.outer[row] * np.sqrt(width), T * (q_w - slope * p_w) + bias, rtol=1e-9
        )
    norms = np.linalg.norm(X, axis=1)
    B = norms.max() * (envelope.norm_limit + envelope.readout_limit * T * norms.mean() / np.sqrt(width))
    assert envelope.offset == pytest.approx(2 * B)
    assert (envelope.chance == 1).all()
    np.testing.assert_allclose(envelope.scale, preactivation_scale(Z))


# Refusals and the unknown ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_unknown(bad):
    X, u, alpha, norms = strong_sample(np.random.default_rng(8), 1000, points=2)
    X[3, 1] = bad
    result = certify_independent(X, u, alpha, norms, envelope_of(points=2), delta=0.1)
    assert tuple(result.verdicts) == (Sign.POSITIVE, Sign.UNKNOWN)
    assert np.isnan(result.mean[1])
    alpha[0] = bad
    assert not certify_independent(X, u, alpha, norms, envelope_of(points=2), delta=0.1).certified.any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_envelope_that_overflowed_proves_nothing(value):
    sample = strong_sample(np.random.default_rng(8), 1000)
    envelope = envelope_of(direct=value, inner=value, outer=value, offset=value, chance=1.0)
    assert not certify_independent(*sample, envelope, delta=0.1).certified.any()


def test_neurons_without_variance():
    n = 100
    for constant in (0.0, 1.0, -1.0):
        sample = (np.full((n, 1), constant), np.ones((n, 1)), np.ones(n), np.ones(n))
        assert certify_independent(*sample, envelope_of(), delta=0.1).signs[0] == constant


def test_bad_arguments_are_refused():
    X, u, alpha, norms = strong_sample(np.random.default_rng(8), 20)
    envelope = envelope_of()
    with pytest.raises(ValueError, match="outputs must have shape"):
        certify_independent(X[:4], u[:4], alpha[:4], norms[:4], envelope, delta=0.1)
    with pytest.raises(ValueError, match="initial must have the shape"):
        certify_independent(X, u[:4], alpha, norms, envelope, delta=0.1)
    with pytest.raises(ValueError, match="readouts must have shape"):
        certify_independent(X, u, alpha[:3], norms, envelope, delta=0.1)
    with pytest.raises(ValueError, match="delta must lie in"):
        certify_independent(X, u, alpha, norms, envelope, delta=1.0)
    with pytest.raises(ValueError, match="truncation must be below"):
        certify_independent(X, u, alpha, norms, envelope, delta=1e-4)
    with pytest.raises(ValueError, match="risk must lie in"):
        upper_mean(X, ceiling=np.ones(1), bet=np.ones(1), risk=0.0)
    with pytest.raises(ValueError, match="truncation must lie in"):
        neuron_envelope(u[:1], X=u[:2], y=np.array([1.0, -1]), width=3, T=1.0, num_steps=1, truncation=2.0)
