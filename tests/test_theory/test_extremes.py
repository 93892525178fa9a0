"""Extreme but valid arguments: what cannot be computed is infinite or unknown, never NaN, small or an error.

Warnings are errors.
"""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st

import theory
from theory import Setting, bounds, certificates, orthogonal
from theory.bounds import moments
from theory.bounds.gradients import Spread
from theory.lazy import LAZY_LOSSES

DELTAS = [5e-324, 1e-310, 1e-300, 1e-6, 0.5, 1 - 1e-16]
SIZES = [1e-300, 1e-160, 1.0, 1e77, 1e160, 1e300]
SMALLEST = math.ulp(0.0)


def points(kind, N, dim, size):
    """Return points of one geometry whose entries are about as large as `size`."""
    X = np.cos(1.0 + np.arange(N * dim)).reshape(N, dim)
    if kind == "zeros":
        X[:] = 0
    elif kind == "one zero":
        X[0] = 0
    elif kind == "equal":
        X[:] = X[0]
    elif kind == "antipodal":
        X[:] = X[0] * np.where(np.arange(N) % 2, 1, -1)[:, None]
    elif kind == "mixed":
        X *= np.geomspace(1e-300, 1.0, N)[:, None]
    return X * size


@st.composite
def cases(draw):
    """Return names of arguments and their values."""
    N, dim = draw(st.sampled_from([(1, 1), (1, 2), (2, 1), (3, 2), (4, 5), (2, 1000)]))
    kinds = st.sampled_from(["plain", "zeros", "one zero", "equal", "antipodal", "mixed"])
    times = st.sampled_from([0.0, SMALLEST, 1e-300, 1e-8, 1.0, 1e8, 1e160, 1e300])
    setting = Setting(
        dim=dim,
        N=N,
        width=draw(st.sampled_from([1, 2, 1000, 10**15, 2**53, 10**22])),
        negative_slope=draw(st.sampled_from([0.0, 1e-300, 0.3, 1 - 1e-16])),
        epsilon=draw(st.sampled_from([SMALLEST, 1e-8, 1.0, 1e300])),
        T_f=draw(times),
        T_g=draw(times),
        scenario=draw(st.sampled_from("ab")),
    )
    X, X_adv, Z = (points(draw(kinds), N, dim, draw(st.sampled_from(SIZES))) for _ in range(3))
    y = np.where(np.arange(N) % 2, -1.0, 1.0)
    labels = {"y": y, "y_adv": y[::-1]}
    return {"X": X, "X_adv": X_adv, "Z": Z, **labels, "s": setting, "delta": draw(st.sampled_from(DELTAS))}


def speeds(Z, X):
    return np.minimum(theory.kappa(Z, X=X), 1e300)


# What is ≥ 0 and never NaN: bounds, thresholds, widths, shares.
LIMITS = {
    "initial": lambda s, Z, delta, **_: bounds.initial_bound(Z, s, delta),
    "kernel": lambda s, Z, X, y, delta, **_: bounds.kernel_bound(Z, X=X, y=y, setting=s, delta=delta),
    "flips": lambda s, Z, X, y, delta, **_: bounds.flip_bound(
        Z, X=X, y=y, setting=s, delta=delta, network="g"
    ),
    "drift": lambda s, Z, X, y, delta, **_: bounds.drift_bound(Z, X=X, y=y, setting=s, delta=delta),
    "margin": lambda s, Z, X, y, delta, **_: bounds.margin_bound(Z, X=X, y=y, setting=s, delta=delta),
    "flow margin": lambda s, Z, X, y, delta, **_: bounds.margin_bound(
        Z, X=X, y=y, setting=s, delta=delta, dynamics="flow"
    ),
    "gradient": lambda s, X, y, delta, **_: bounds.gradient_bound(X=X, y=y, setting=s, delta=delta),
    "kappa": lambda Z, X, **_: theory.kappa(Z, X=X),
    "free": lambda s, Z, X, **_: bounds.free_fraction(
        T=s.T_f, kappa=speeds(Z, X), s=theory.preactivation_scale(Z), width=s.width
    ),
    "free width": lambda s, Z, X, delta, **_: bounds.width_bound(
        s, free_share=delta, kappa=speeds(Z, X), s=theory.preactivation_scale(Z)
    ),
    "free width from norms": lambda s, delta, **_: bounds.width_bound(s, free_share=delta),
    "published width": lambda s, **_: bounds.published_width(s, constant=1e-300, log_factor=1e300),
    "threshold a": lambda s, **_: bounds.margin_thresholds(s).a,
    "threshold b": lambda s, **_: bounds.margin_thresholds(s, label_noise="scenario", constant=1e300).b,
    "comparison": lambda s, Z, X, y, X_adv, y_adv, delta, **_: (
        theory.compare_published(
            Z, X=X, y=y, X_adv=X_adv, y_adv=y_adv, setting=s, delta=delta, shares=(), log_power=2
        ).published.b
    ),
    "certified share": lambda s, Z, X, y, delta, **_: theory.certified_share(
        Z, X=X, y=y, setting=s, delta=delta, widths=[1, 2**53]
    ),
    "weighted kappa": lambda Z, X, **_: theory.weighted_kappa(Z, X=X, weights=np.full(len(X), 1e300)),
    "label noise": lambda s, Z, X, delta, **_: orthogonal.label_noise_bound(
        Z,
        base=X,
        direction=np.ones(s.dim),
        negative_slope=s.negative_slope or 0.5,
        epsilon=s.epsilon,
        delta=delta,
    ),
    "multipliers": lambda s, X, y, **_: (
        orthogonal.multipliers(X, y, negative_slope=s.negative_slope or 0.5).radius
    ),
    **{
        f"displacement, {loss}": lambda s, Z, X, loss=loss, **_: theory.displacement_bound(
            Z, X=X, T=s.T_f, loss=loss, largest_loss=None if loss == "identity" else 1e300
        )
        for loss in LAZY_LOSSES
    },
}
CERTIFICATES = {
    "lazy": lambda s, Z, X, y, delta, **_: theory.certify(
        Z, X=X, y=y, setting=s, delta=delta, simultaneous=True
    ),
    "agreement": lambda s, Z, X, y, X_adv, y_adv, delta, **_: theory.certify_agreement(
        Z, X=X, y=y, X_adv=X_adv, y_adv=y_adv, setting=s, delta=delta, dynamics="flow"
    ),
    "a priori": lambda s, Z, X, y, y_adv, delta, **_: theory.certify_agreement_a_priori(
        Z, X=X, y=y, y_adv=y_adv, setting=s, delta=delta
    ),
    "network in hand": lambda s, Z, X, y, **_: theory.certify_network(
        Z, X=X, y=y, weights=X, biases=y, readout=y * 1e-8, T=s.T_f or 1.0, negative_slope=s.negative_slope
    ),
}
# What is finite where it is known, and NaN elsewhere.
ESTIMATES = {
    "f_hat": lambda s, Z, X, y, **_: theory.f_hat(Z, X=X, y=y, negative_slope=s.negative_slope),
    "f_b": lambda s, Z, X, y, **_: theory.f_predict(Z, X=X, y=y, negative_slope=s.negative_slope),
    "g_hat": lambda s, Z, X, y, X_adv, **_: theory.g_hat(
        Z, X=X, y=y, X_adv=X_adv, negative_slope=s.negative_slope
    ),
    "g_b": lambda s, Z, X_adv, y_adv, **_: theory.g_predict(
        Z, X_adv=X_adv, y_adv=y_adv, negative_slope=s.negative_slope
    ),
    "agreement": lambda s, Z, X, y, **_: theory.agreement_probability(
        y[:1], theory.f_predict(Z, X=X, y=y), theory.initial_deviation(Z), T_g=s.T_g
    ),
    "limit output": lambda s, Z, X, y, **_: orthogonal.limit_output(
        Z, X=X, y=y, negative_slope=s.negative_slope or 0.5
    ),
    "limit network": lambda s, X, y, **_: np.concatenate(
        orthogonal.limit_network(X, y, negative_slope=s.negative_slope or 0.5, width=2)
    ),
}


def check_limits(name, value):
    terms = value.terms.items() if isinstance(value, bounds.Bound) else [("value", value)]
    for term, values in terms:
        assert (np.asarray(values) >= 0).all(), (name, term)  # not NaN either


@pytest.mark.parametrize("name", LIMITS)
@given(case=cases())
def test_limits_are_never_negative_or_nan(name, case):
    value = LIMITS[name](**case)
    check_limits(name, value)
    if isinstance(value, bounds.Bound):
        check_limits(name, value.value)


@pytest.mark.parametrize("name", CERTIFICATES)
@given(case=cases())
def test_certificates_rest_on_finite_numbers(name, case):
    found = CERTIFICATES[name](**case)
    for each in (found.f, found.g) if isinstance(found, theory.AgreementCertificate) else (found,):
        check_limits(name, each.bound)
        known = np.isfinite(each.predictor) & np.isfinite(each.bound.value)
        assert not (each.certified & ~known).any()
        assert (np.abs(each.predictor) > each.bound.value)[each.certified].all()
    assert len(found.verdicts) == len(case["Z"])


@pytest.mark.parametrize("name", ESTIMATES)
@given(case=cases())
def test_estimates_are_finite_or_unknown(name, case):
    assert not np.isinf(ESTIMATES[name](**case)).any()


@given(case=cases())
def test_verdicts_are_unknown_rather_than_errors(case):
    s, X, y, Z = (case[name] for name in ("s", "X", "y", "Z"))
    options = {"negative_slope": s.negative_slope or 0.5}
    found = theory.conditions.evaluate(Z, X=X, y=y, X_adv=case["X_adv"], setting=s)
    for condition in found.values():
        finite = np.isfinite(condition.lhs) & np.isfinite(condition.rhs)
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.abs(condition.lhs - condition.rhs) > condition.error
        unknown = np.array([each == "unknown" for each in condition.verdicts])
        assert unknown[~finite].all()
        assert not unknown[finite & apart].any()
    known = orthogonal.multipliers(X, y, **options)
    assert not np.isnan([known.lower, known.upper]).any()
    assert (known.lower <= known.upper).all()
    moved = orthogonal.transfer(Z, X=X, y=y, X_adv=case["X_adv"], y_adv=case["y_adv"], **options)
    assert all(each == "unknown" for each, new in zip(moved.kept, moved.new, strict=True) if np.isnan(new))
    assert len(orthogonal.hypotheses(X, y, s)) == 10
    for norm, size in itertools.product(("L2", "Linf"), (0.0, s.epsilon)):
        more = options | {"norm": norm, "epsilon": size}
        orthogonal.perturbed_orthogonality(X, direction=np.ones(s.dim), **more)
        orthogonal.noise_orthogonality(distribution="gaussian", dim=s.dim, N=s.N, delta=case["delta"], **more)
        condition = orthogonal.sign_condition(
            Z, base=X, direction=np.ones(s.dim), delta=case["delta"], **more
        )
        assert len(condition.verdicts) == len(Z)


@given(case=cases(), exponent=st.sampled_from([0.0, 1e-300, 1e-3, 1.0, 1e300]))
def test_moments_of_one_neuron_are_infinite_where_unknown(case, exponent):
    s, Z = case["s"], case["Z"]
    sizes = {"width": s.width, "negative_slope": s.negative_slope, "T": s.T_f}
    envelope = bounds.neuron_envelope(
        Z, X=case["X"], y=case["y"], **sizes, num_steps=3, momentum=0.9, truncation=case["delta"]
    )
    rates, signs = np.full(len(Z), exponent), np.where(np.arange(len(Z)) % 2, 1, -1)
    for values in (
        envelope.moment(rates, signs),
        envelope.reference(rates, signs),
        envelope.excess(rates, signs, 3),
    ):
        assert (values >= 0).all()
    assert envelope.offset >= 0
    assert not np.isnan([envelope.direct, envelope.inner, envelope.outer]).any()


# Values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [1e-6, 1e-300])
@pytest.mark.parametrize("width", [1, 2, 100])
def test_gradient_bound_is_finite_at_small_widths(delta, width):
    """Its rates were a grid of which none was below 1/c at m = 1, d = 2, N = 1, T = 1: NaN."""
    here = Setting(dim=2, N=1, width=width, epsilon=1.0, T_f=1.0, T_g=1.0)
    value = bounds.gradient_bound(X=np.ones((1, 2)), y=np.ones(1), setting=here, delta=delta).value
    assert np.isfinite(value).all()
    assert value > bounds.gradient_bound(X=np.ones((1, 2)), y=np.ones(1), setting=here, delta=0.01).value


@pytest.mark.parametrize(("deviation", "scale"), [(1.0, 1e-3), (1.0, 0.5), (1.0, 20.0), (1e-3, 1e3)])
@pytest.mark.parametrize(("dim", "risk"), [(1, 0.01), (2, 1e-9), (50, 1e-300)])
def test_radius_is_near_the_best_of_all_rates(deviation, scale, dim, risk):
    """The minimum over rates up to 1/c, at 30 digits: never below it, at most 30 % above."""
    got = float(Spread(np.array([deviation]), np.array([scale])).radius(dim, risk)[0])

    def radius(share):
        with mpmath.workdps(30):
            rate, a, t = mpmath.mpf(share) / scale, mpmath.mpf(dim) / 2, -mpmath.log(risk)
            level = (t + (rate * deviation) ** 2 / (2 * (1 - mpmath.mpf(share)))) / a
            q = mpmath.findroot(lambda q: 2 * q - mpmath.log1p(q) - level, level)
            return float(2 * a * mpmath.sqrt(q * q + q) / rate)

    shares = np.concatenate([np.geomspace(1e-5, 0.1, 200), np.linspace(0.1, 0.999, 400)])
    best = min(map(radius, shares))
    assert best * (1 - 1e-3) < got < 1.3 * best


@pytest.mark.parametrize(
    ("speed", "T", "width", "scale"),
    [
        (3.0, 8.0, 2**53, 1.4),
        (3e5, 8.0, 2**53, 1.4),
        (1.0, 1e150, 2**53, 1.0),
        (1e153, 1.0, 10**22, 1e77),
        (1e153, 1.0, 1000, 1e76),
        (1e-150, 1e150, 10, 1.0),
    ],
)
def test_start_keeps_its_digits(speed, T, width, scale):
    """At 40 digits.  x² underflowed beyond speeds of 1e150, and at 10²² neurons the bound was −6e142."""
    slope, risk = 0.3, 0.01
    variance, mean = 0.5 * speed**2, -0.5 * speed
    values = {"mean": mean, "variance": variance, "largest": speed, "scale": scale}
    got = moments.start_tail(
        **{name: np.array([value]) for name, value in values.items()},
        slope=slope,
        width=width,
        T=T,
        risk=risk,
    )[0]
    with mpmath.workdps(40):
        best, t = mpmath.inf, -mpmath.log(risk)
        mean, variance, v, s, time, m = map(mpmath.mpf, (mean, variance, speed, scale, T, width))
        deviation = mpmath.sqrt(s**2 * (1 + slope**2) / 2 + 3 * time**2 * variance / m)
        for factor in moments.RATES.tolist():
            rate = factor * mpmath.sqrt(2 * t) / deviation
            x = 2 * rate * time / m
            c = rate**2 * s**2 / (m * (1 - x * v))
            if x * v < 1 and 0 <= c < 1:
                excess = (1 / mpmath.sqrt(1 - c) + 1 / mpmath.sqrt(1 - c * slope**2)) / 2 - 1
                rest = 0.375 * x**2 / (1 - x * v)
                more = excess * (1 + x * v / 2 + rest * v**2) + rest * variance
                inside = mpmath.log1p(x * mean / 2 + more) - x * mean / 2
                best = min(best, (t + m * inside) / rate)
        ratio = float(got / best)
    assert 1 - 1e-11 < ratio < 1 + 1e-9


def test_a_share_of_delta_that_is_rounded_proves_nothing():
    """δ/3 of 5e-324 is rounded to 0 or up: no division by 0, and no certificate."""
    X, y = np.array([[3.0, 0.0], [0.0, 3.0]]), np.ones(2)
    here = Setting(dim=2, N=2, width=10**15, epsilon=1.0, T_f=1e4, T_g=1e4)
    certified = theory.certify(X, X=X, y=y, setting=here, delta=1e-300)
    assert certified.certified.all()
    for delta in (SMALLEST, 1e-310):
        assert not theory.certify(X, X=X, y=y, setting=here, delta=delta, simultaneous=True).certified.any()
        assert not theory.certify_agreement(
            X, X=X, y=y, X_adv=X, y_adv=y, setting=here, delta=delta
        ).certified.any()
        assert np.isinf(bounds.initial_bound(X, here, delta).value).all()
        assert certificates.truncation_risk(delta, 3, simultaneous=True) > 0


@pytest.mark.parametrize("simultaneous", [False, True])
def test_a_simulation_proves_nothing_at_a_rounded_delta(simultaneous):
    rng = np.random.default_rng(0)
    X = np.ones((1, 1))
    sample = {"initial": rng.normal(size=(64, 1)), "readouts": rng.normal(size=64), "norms": np.ones(64)}
    for delta, proved in ((0.1, True), (SMALLEST, False)):
        truncation = certificates.truncation_risk(delta, 1, simultaneous=simultaneous)
        envelope = bounds.neuron_envelope(
            X, X=X, y=np.ones(1), width=4, T=1e-3, num_steps=1, truncation=truncation
        )
        found = certificates.certify_independent(
            np.full((64, 1), 9.0), **sample, envelope=envelope, delta=delta, simultaneous=simultaneous
        )
        assert found.certified.tolist() == [proved]


def test_published_width_is_exact():
    """C ℓ d² (T_f + T_g)², where parts of it are beyond every float and the whole is not."""
    here = Setting(dim=3, N=1, width=1, epsilon=1.0, T_f=1e-200, T_g=1e-200)
    assert bounds.published_width(here, constant=1e250, log_factor=1e250) == pytest.approx(36e100, rel=1e-14)
    assert bounds.published_width(here, constant=1e300, log_factor=1e-300) == 0.0
    late = Setting(dim=3, N=1, width=1, epsilon=1.0, T_f=1e200, T_g=1.0)
    assert bounds.published_width(late, constant=1e-250) == pytest.approx(9e150, rel=1e-14)
    assert bounds.published_width(late) == math.inf


def test_directions_of_any_size_are_directions():
    """Lengths of 1e200 overflowed, so that the perturbation was 0, and those of 1e-200 counted as zero."""
    X, y = np.array([[3.0, 0.0], [0.0, 3.0]]), np.ones(2)
    here = Setting(dim=2, N=2, width=10**12, epsilon=1.0, T_f=100.0, T_g=100.0)
    expected = theory.required_epsilon(
        X, X=X, y=y, directions=X, y_adv=y, setting=here, delta=0.1, between=(0.1, 10.0)
    )
    assert np.isfinite(expected).all()
    for size in (1e-200, 1e200):
        assert (
            theory.required_epsilon(
                X, X=X, y=y, directions=size * X, y_adv=y, setting=here, delta=0.1, between=(0.1, 10.0)
            )
            == expected
        )


def test_agreement_is_a_coin_where_f_is_0_and_saturates():
    chances = theory.agreement_probability([0.0, 1.0, -1.0], [1e10, 1e300, 1e300], np.ones(3), T_g=1e300)
    assert chances.tolist() == [0.5, 1.0, 0.0]
    with pytest.raises(ValueError, match="deviation must be > 0, got 0"):
        theory.agreement_probability([1.0], [1.0], [0.0], T_g=1.0)


def test_widths_are_whole_numbers():
    X, y = np.ones((1, 1)), np.ones(1)
    here = Setting(dim=1, N=1, width=1, epsilon=1.0, T_f=1.0, T_g=1.0)
    with pytest.raises(ValueError, match=r"widths must be whole numbers, got 1.5"):
        theory.certified_share(X, X=X, y=y, setting=here, delta=0.1, widths=[1, 1.5])


@pytest.mark.parametrize("dim", [10**5, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_million_dimensions(dim):
    X, y = np.ones((2, dim)), np.array([1.0, -1.0])
    here = Setting(dim=dim, N=2, width=2**53, epsilon=1.0, T_f=1.0, T_g=1.0)
    check_limits("margin", bounds.margin_bound(X[:1], X=X, y=y, setting=here, delta=1e-300))
    check_limits("gradient", bounds.gradient_bound(X=X, y=y, setting=here, delta=1e-300))


def test_terms_that_add_up_beyond_every_float_bound_nothing():
    largest = np.finfo(np.float64).max
    assert bounds.Bound({"one": largest, "other": largest}).value == math.inf
    found = bounds.Bound({"one": np.array([1.0, largest]), "other": np.array([2.0, largest])}).value
    assert np.asarray(found).tolist() == [3.0, math.inf]
