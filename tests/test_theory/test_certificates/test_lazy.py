"""Certificates: not wrong beyond δ on trained networks, not vacuous, unknown where something is amiss."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import special

from tests.test_theory.test_bounds.margin_cases import data, draw, train
from theory import (
    Agreement,
    Bound,
    Certificate,
    Setting,
    Sign,
    certify,
    certify_agreement,
    certify_network,
    f_predict,
    perturbation_direction,
)
from theory.bounds import margin_bound


def setting(X, width, T, slope, **changes):
    return Setting(
        dim=X.shape[1], N=len(X), width=width, negative_slope=slope, epsilon=1.0, T_f=T, T_g=T, **changes
    )


def networks(rng, X, y, at, slope, T, *, width, count, steps=20):
    """Return f(z; T) of `count` networks, shape (Q, count), and their initial weights."""
    neurons = draw(rng, count * width, X.shape[1], width)
    end, _ = train(X, y, at, slope, T, steps, **neurons)
    return (neurons["a"] * end).reshape(len(at), count, width).sum(axis=2), neurons


@pytest.mark.parametrize("dynamics", ["descent", "flow"])
@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_certified_signs_are_right(dynamics, slope):
    """δ = .2; 20 points by 40 networks: certified and wrong at most δ a point (failure 1e-7 a point)."""
    rng, delta, count = np.random.default_rng(4), 0.2, 40
    said = 0
    # Descent in two large steps needs a larger width than flow, for which 10 steps stand in.
    steps, cases = (
        (10, ((4000, 1.5), (8000, 2.0))) if dynamics == "flow" else (2, ((40_000, 2.0), (40_000, 3.0)))
    )
    for width, T in cases:
        X, y = data(rng, 10, 2, "clustered")
        at = np.concatenate([X[:2], data(rng, 8, 2, "clustered")[0]])
        outputs, _ = networks(rng, X, y, at, slope, T, width=width, count=count, steps=steps)
        certificate = certify(
            at, X=X, y=y, setting=setting(X, width, T, slope), delta=delta, dynamics=dynamics
        )
        wrong = (np.sign(outputs) != certificate.signs[:, None]) & certificate.certified[:, None]
        assert special.bdtrc(int(wrong.sum(axis=1).max()) - 1, count, delta) > 1e-7
        said += int(certificate.certified.sum())
    assert said >= 8  # of 20: not vacuous


def test_agreement_is_right_and_needs_both_halves():
    """δ = .2; scenario (a), perturbations along ∇f_b; agreement of 100 pairs of networks at 10 points."""
    rng, delta, count, slope, T, width = np.random.default_rng(8), 0.2, 100, 0.3, 3.0, 4000
    X, y = data(rng, 10, 2, "clustered")
    at = data(rng, 10, 2, "clustered")[0]
    U = perturbation_direction(X=X, y=y, negative_slope=slope)
    t = np.where(np.arange(10) < 5, 1.0, -1.0)
    X_adv = 2 * t[:, None] * U / np.linalg.norm(U, axis=1, keepdims=True)
    here = setting(X, width, T, slope)
    both = certify_agreement(at, X=X, y=y, X_adv=X_adv, y_adv=t, setting=here, delta=delta, dynamics="flow")
    f, _ = networks(rng, X, y, at, slope, T, width=width, count=count, steps=10)
    g, _ = networks(rng, X_adv, t, at, slope, T, width=width, count=count, steps=10)
    claimed = {Agreement.AGREE: 1, Agreement.DISAGREE: -1, Agreement.UNKNOWN: 0}
    claim = np.array([claimed[verdict] for verdict in both.verdicts])[:, None]
    wrong = (claim != 0) & (np.sign(f * g) != claim)
    assert special.bdtrc(int(wrong.sum(axis=1).max()) - 1, count, delta) > 1e-7
    assert both.share >= 0.3
    assert both.share == np.mean(both.f.certified & both.g.certified)
    assert both.f.bound.delta == both.g.bound.delta == delta / 2
    assert (
        both.f.certified == certify(at, X=X, y=y, setting=here, delta=delta / 2, dynamics="flow").certified
    ).all()


@pytest.mark.parametrize("slope", [0.0, 0.4])
def test_certificate_of_a_network_in_hand_is_never_wrong(slope):
    """No probability: 30 networks, 12 points, widths 1 to 5000, one step and many."""
    rng = np.random.default_rng(2)
    said = 0
    for width in (1, 50, 5000):
        for steps in (1, 7):
            X, y = data(rng, 30, 4)
            at = np.concatenate([X[:2], data(rng, 10, 4)[0]])
            for _ in range(5):
                neurons = draw(rng, width, 4, width)
                T = float(rng.uniform(0.2, 4))
                end, _ = train(X, y, at, slope, T, steps, **neurons)
                certificate = certify_network(
                    at,
                    X=X,
                    y=y,
                    weights=neurons["W"],
                    biases=neurons["b"],
                    readout=neurons["a"],
                    T=T,
                    negative_slope=slope,
                )
                output = end @ neurons["a"]
                assert (np.abs(output / T - certificate.predictor) <= certificate.bound.value).all()
                assert (np.sign(output) == certificate.signs)[certificate.certified].all()
                said += int(certificate.certified.sum())
    assert said > 60  # of 360


def test_knowing_the_weights_proves_more_than_a_probability():
    rng, width, T = np.random.default_rng(6), 20_000, 4.0
    X, y = data(rng, 60, 6)
    at = data(rng, 40, 6)[0]
    neurons = draw(rng, width, 6, width)
    known = certify_network(
        at, X=X, y=y, weights=neurons["W"], biases=neurons["b"], readout=neurons["a"], T=T
    )
    drawn = certify(at, X=X, y=y, setting=setting(X, width, T, 0.0), delta=0.01)
    assert known.share > drawn.share
    assert np.median(known.bound.value) < np.median(drawn.bound.value)


def test_simultaneous_is_a_union_over_points():
    rng = np.random.default_rng(0)
    X, y = data(rng, 20, 3)
    here = setting(X, 10**6, 4.0, 0.0)
    together = certify(X[:8], X=X, y=y, setting=here, delta=0.08, simultaneous=True)
    each = certify(X[:8], X=X, y=y, setting=here, delta=0.01)
    assert together.bound.delta == pytest.approx(0.01)
    np.testing.assert_array_equal(together.bound.value, each.bound.value)


def test_margin_that_proves_is_that_of_the_bound():
    rng = np.random.default_rng(0)
    X, y = data(rng, 20, 3)
    here = setting(X, 10**6, 4.0, 0.0)
    certificate = certify(X, X=X, y=y, setting=here, delta=0.01)
    bound = margin_bound(X, X=X, y=y, setting=here, delta=0.01, sides=1)
    np.testing.assert_array_equal(certificate.predictor, f_predict(X, X=X, y=y))
    np.testing.assert_array_equal(certificate.certified, np.abs(f_predict(X, X=X, y=y)) > bound.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_unknown(bad):
    certificate = Certificate(np.array([bad, 1.0, 1.0]), Bound({"a": np.array([0.1, bad, 0.1])}))
    assert set(certificate.verdicts[:2]) == {Sign.UNKNOWN}
    assert certificate.verdicts[2] is Sign.POSITIVE


@pytest.mark.parametrize(
    "changes",
    [{"loss": "logistic"}, {"T_f": 0.0}, {"T_f": 1e300}, {"width": 1}],
)
def test_unmet_hypotheses_and_hopeless_settings_are_unknown(changes):
    X, y = data(np.random.default_rng(0), 20, 3)
    here = dataclasses.replace(setting(X, 10**9, 4.0, 0.0), **changes)
    assert set(certify(X, X=X, y=y, setting=here, delta=0.01).verdicts) == {Sign.UNKNOWN}


@pytest.mark.parametrize("factor", [1e-160, 1e160, 1e300])
def test_overflowing_data_are_unknown(factor):
    X, y = data(np.random.default_rng(0), 6, 3)
    here = setting(X, 10**9, 4.0, 0.0)
    certificate = certify(factor * X, X=factor * X, y=y, setting=here, delta=0.01)
    if factor > 1:
        assert set(certificate.verdicts) == {Sign.UNKNOWN}
    else:  # all points are 0 up to rounding: the labels cancel and f_b is about 0
        assert not certificate.certified.any()


def test_sample_of_one_and_zero_vectors():
    X, y = np.zeros((1, 3)), np.ones(1)
    certificate = certify(X, X=X, y=y, setting=setting(X, 10**9, 40.0, 0.0), delta=0.01)
    assert tuple(certificate.verdicts) == (Sign.POSITIVE,)  # f_b = Φ k = 1/2


def exact_output(z, x, y, w, b, a, T, slope):
    """f(z; T)/T of one neuron after one step on one sample, in fractions."""
    z, x, w, b, a, T, slope = map(Fraction, (z, x, w, b, a, T, slope))
    active = 1 if w * x + b > 0 else slope
    w, b = w + a * T * y * active * x, b + a * T * y * active
    u = w * z + b
    return a * (u if u > 0 else slope * u) / T


def test_cancelling_weights_and_tiny_readouts_in_exact_arithmetic():
    """b = −fl(w z): the pre-activation is a rounding, and f(z; 0)/T no smaller than the velocity."""
    rng, said = np.random.default_rng(0), 0
    for _ in range(2000):
        z, x, w = rng.normal(size=3)
        b, y = -(w * z), float(rng.choice([-1, 1]))
        a, T, slope = 10.0 ** rng.uniform(-10, 0), 10.0 ** rng.uniform(-10, 0), float(rng.uniform(0, 0.99))
        one = {"weights": [[w]], "biases": [b], "readout": [a], "T": T, "negative_slope": slope}
        (sign,) = certify_network([[z]], X=[[x]], y=[y], **one).signs
        exact = exact_output(z, x, int(y), w, b, a, T, slope)
        assert sign == 0 or sign == (exact > 0) - (exact < 0)
        said += int(sign != 0)
    assert said > 100


def test_readouts_whose_square_underflows_are_unknown():
    one = {"weights": [[0.0]], "biases": [5e-154], "readout": [1e-163], "T": 1.0, "negative_slope": 0.5}
    assert tuple(certify_network([[1e5]], X=[[1e5]], y=[-1.0], **one).verdicts) == (Sign.UNKNOWN,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": np.ones((3, 9))}, "weights must have 3 columns"),
        ({"biases": np.ones(4)}, "biases must have 3 entries, one a neuron, got 4"),
        ({"readout": np.array([1.0, np.nan, 1.0])}, "readout must be finite"),
        ({"T": 0.0}, "T must be > 0"),
    ],
)
def test_bad_weights(changes, message):
    X, y = data(np.random.default_rng(0), 6, 3)
    arguments = {"weights": np.ones((3, 3)), "biases": np.ones(3), "readout": np.ones(3), "T": 1.0} | changes
    with pytest.raises(ValueError, match=message):
        certify_network(X, X=X, y=y, **arguments)
