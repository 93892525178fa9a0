"""Measurements: counts of neurons against the law of free neurons, shares of signs, cosines."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import empirics.model
import theory
from empirics import (
    BreastCancerData,
    DigitsData,
    GaussianData,
    ShiftedGaussianData,
    TwoLayerNet,
    accuracy,
    agreement,
    cosines,
    count_neurons,
    evaluate,
    train,
)
from empirics.adaptive_flow import smooth_flow
from empirics.measure import agrees
from theory.setting import LOSSES

EPS = np.finfo(np.float64).eps
OUTPUTS = st.sampled_from([-2.5, -5e-324, -0.0, 0.0, 1e-300, 3.0, math.nan, math.inf])


def trained_on(data, *, width, slope=0.0, seed=0, dtype=torch.float32, **options):
    X, y = (torch.as_tensor(part, dtype=dtype) for part in (data.X, data.y))
    network = TwoLayerNet.initialise(X.shape[1], width, negative_slope=slope, seed=seed, dtype=dtype)
    return train(network, X, y, **options)


def preactivations(network, Z):
    return Z @ network.weight.detach().double().numpy().T + network.bias.detach().double().numpy()


# Neurons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 1 << 20], ids=["blocks", "whole"])
def test_counts_are_the_naive_ones(monkeypatch, block):
    monkeypatch.setattr(empirics.model, "_BLOCK", block)
    data = ShiftedGaussianData(dim=6, num_train=20, num_test=50).load(0)
    trained = trained_on(data, width=600, slope=0.2, dtype=torch.float64, T=3.0, num_steps=7)
    # A κ far below the true one, so that neurons do flip that were "not free".
    kappa = theory.kappa(data.X_test, X=data.X) / 50
    counts = count_neurons(trained, data.X_test, kappa)

    start, end = (preactivations(n, data.X_test) for n in (trained.initial, trained.final))
    free = np.abs(start) <= 3.0 * kappa[:, None] * np.abs(trained.initial.readout.numpy())
    flipped = (start > 0) != (end > 0)
    np.testing.assert_array_equal(counts.free, free.sum(axis=1))
    np.testing.assert_array_equal(counts.flipped, flipped.sum(axis=1))
    np.testing.assert_array_equal(counts.flipped_not_free, (flipped & ~free).sum(axis=1))
    assert counts.flipped_not_free.sum() > 0
    for name in ("initial", "final"):
        outputs = evaluate(getattr(trained, name), data.X_test)
        np.testing.assert_array_equal(getattr(counts, name), outputs)  # to the last bit


LAW_SETTINGS = {
    "gaussian": (GaussianData(dim=20, num_train=100, num_test=60), {"width": 40_000, "T": 2.0}),
    "shifted, momentum": (
        ShiftedGaussianData(dim=10, num_train=30, num_test=60),
        {"width": 20_000, "T": 4.0, "slope": 0.3, "momentum": 0.9},
    ),
    "digits, logistic": (DigitsData(), {"width": 10_000, "T": 3.0, "loss": "logistic"}),
    "breast cancer, steep, logistic, momentum": (
        BreastCancerData(),
        {"width": 30_000, "T": 1.0, "slope": 0.9, "loss": "logistic", "momentum": 0.5},
    ),
    "one sample, one dimension, double": (
        GaussianData(dim=1, num_train=1, num_test=60),
        {"width": 20_000, "T": 100.0, "dtype": torch.float64},
    ),
}


@pytest.mark.parametrize("name", LAW_SETTINGS)
def test_free_neurons_are_binomial_with_the_predicted_share(name):
    source, options = LAW_SETTINGS[name]
    data = source.load(3)
    trained = trained_on(data, num_steps=2, seed=11, **options)
    Z = data.X_test[:60]
    kappa = theory.kappa(Z, X=data.X)
    counts = count_neurons(trained, Z, kappa)
    assert counts.flipped_not_free.sum() == 0

    def smallest_pvalue(T):
        s = theory.preactivation_scale(Z)
        share = theory.free_fraction(T=T, kappa=kappa, s=s, width=options["width"])
        pairs = zip(counts.free.tolist(), share, strict=True)
        return min(stats.binomtest(count, options["width"], p).pvalue for count, p in pairs)

    # Exact two-sided tests at every point of every setting: the total probability to fail is 1e-6.
    threshold = 1e-6 / (len(LAW_SETTINGS) * len(Z))
    assert smallest_pvalue(trained.T) >= threshold
    # And the test can tell: a law with a fifth more or less time is refuted.
    assert smallest_pvalue(1.2 * trained.T) < threshold
    assert smallest_pvalue(0.8 * trained.T) < threshold


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", ["identity", "logistic"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("num_steps", [1, 30])
def test_no_neuron_flips_that_was_not_free(dtype, loss, momentum, num_steps):
    data = ShiftedGaussianData(dim=5, num_train=8, num_test=100).load(0)
    options = {"width": 3000, "T": 20.0, "momentum": momentum, "num_steps": num_steps}
    trained = trained_on(data, dtype=dtype, loss=loss, slope=0.1, **options)
    Z = np.concatenate([data.X_test, data.X])
    counts = count_neurons(trained, Z, theory.kappa(Z, X=data.X))
    assert counts.flipped_not_free.sum() == 0
    assert (counts.flipped <= counts.free).all()
    assert counts.flipped.sum() > 1000


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_no_neuron_flips_beyond_the_weights_of_the_samples(dtype, loss, momentum):
    """`reach` = κ_β of the network's own training limits every loss; half of it is found to be exceeded."""
    data = ShiftedGaussianData(dim=5, num_train=8, num_test=100).load(0)
    options = {"width": 3000, "T": 4.0, "momentum": momentum, "num_steps": 60, "loss": loss}
    trained = trained_on(data, dtype=dtype, slope=0.1, **options)
    Z = np.concatenate([data.X_test, data.X])
    reach = theory.weighted_kappa(Z, X=data.X, weights=trained.sample_weights)
    counts = count_neurons(trained, Z, reach=reach)
    assert counts.flipped_not_free.sum() == 0
    assert counts.flipped.sum() > 300
    assert count_neurons(trained, Z, reach=reach / 2).flipped_not_free.sum() > 0
    if loss in ("identity", "logistic"):
        # Never above L T κ, up to the rounding of T from its steps.
        assert (reach <= trained.T * theory.kappa(Z, X=data.X) * (1 + 1e-12)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_no_neuron_flips_beyond_its_limits_under_the_flow(loss):
    data = ShiftedGaussianData(dim=5, num_train=8, num_test=100).load(0)
    X, y = (torch.as_tensor(part, dtype=torch.float64) for part in (data.X, data.y))
    network = TwoLayerNet.initialise(5, 500, negative_slope=0.1, seed=0, dtype=torch.float64)
    (trained,) = smooth_flow(network, X, y, T=4.0, loss=loss, rtol=1e-3, atol=1e-5).trained
    Z = np.concatenate([data.X_test, data.X])
    reach = theory.weighted_kappa(Z, X=data.X, weights=trained.sample_weights)
    counts = count_neurons(trained, Z, reach=reach)
    assert counts.flipped_not_free.sum() == 0
    assert counts.flipped.sum() > 50
    assert count_neurons(trained, Z, reach=reach / 3).flipped_not_free.sum() > 0
    initial = (
        None if loss == "identity" else theory.training_loss(evaluate(network, data.X), data.y, loss=loss)
    )
    bound = theory.displacement_bound(Z, X=data.X, T=4.0, loss=loss, largest_loss=initial)
    assert count_neurons(trained, Z, reach=bound).flipped_not_free.sum() == 0


@pytest.mark.parametrize(("T", "free"), [(0.0, 0), (1e-30, 0), (1e-9, 0), (1e-3, 1)])
def test_no_neuron_is_free_where_nothing_moves_beyond_rounding(T, free):
    """Of random float32 starts one in 1e8 is 0, where the theory expects none that moves so little."""
    network = TwoLayerNet.initialise(dim=2, width=3, seed=0)
    with torch.no_grad():
        network.bias[0] = -network.weight[0, 0]  # rounds to a start of 0 at (1, 0)
    trained = train(network, np.eye(2), np.array([1, -1]), T=T, num_steps=1)
    assert count_neurons(trained, np.eye(2), kappa=np.ones(2)).free.tolist() == [free, 0]


def test_an_infinite_reach_leaves_every_neuron_with_a_readout_free():
    data = GaussianData(dim=2, num_train=3, num_test=4).load(0)
    weight, bias = torch.ones(5, 2).double(), torch.ones(5).double()
    network = TwoLayerNet(weight, bias, torch.tensor([1.0, -1.0, 0.0, 1e-300, 2.0], dtype=torch.float64))
    X, y = (torch.as_tensor(part, dtype=torch.float64) for part in (data.X, data.y))
    trained = train(network, X, y, T=0.1, num_steps=1, loss="squared")
    counts = count_neurons(trained, data.X_test, reach=np.full(4, np.inf))
    assert counts.free.tolist() == [4] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "takes kappa or reach, got neither"),
        ({"kappa": np.ones(4), "reach": np.ones(4)}, "takes kappa or reach, got both"),
        ({"kappa": np.ones(4)}, "kappa needs a loss of bounded slope, got squared; pass reach="),
        ({"reach": np.ones(3)}, r"reach must have shape \(4,\) and be >= 0, got shape \(3,\), least 1.0"),
        ({"reach": -np.ones(4)}, r"reach must have shape \(4,\) and be >= 0, got shape \(4,\), least -1.0"),
        ({"reach": np.full(4, np.nan)}, r"reach must have shape \(4,\) and be >= 0, .* least nan"),
    ],
)
def test_limits_that_do_not_apply_are_refused(arguments, message):
    data = GaussianData(dim=2, num_train=3, num_test=4).load(0)
    trained = trained_on(data, width=5, T=0.1, num_steps=1, loss="squared")
    with pytest.raises(ValueError, match=message):
        count_neurons(trained, data.X_test, **arguments)


def test_free_is_the_sharpest_criterion():
    # One sample, one step, and the sample itself as query: an active neuron with a y < 0 loses exactly
    # |a| T κ, so it flips if and only if it is free, while one with a y > 0 gains and an inactive one rests.
    data = GaussianData(dim=3, num_train=1).load(0)
    trained = trained_on(data, width=20_000, dtype=torch.float64, T=5.0, num_steps=1)
    u = preactivations(trained.initial, data.X)[0]
    a = trained.initial.readout.numpy()
    kappa = theory.kappa(data.X, X=data.X)
    counts = count_neurons(trained, data.X, kappa)
    pulled = (u > 0) & (a * data.y[0] < 0)
    free = np.abs(u) <= 5.0 * kappa[0] * np.abs(a)
    assert counts.flipped[0] == (pulled & free).sum() > 100
    assert counts.flipped_not_free[0] == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flips_beyond_the_limit_are_told_from_rounding(dtype):
    # As above, with neurons of equal readout that start a few roundings around the limit |a| T κ, and then
    # at least 100 below it, so that all of them flip.
    x = torch.randn(1, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    X, T, width = x.double().numpy(), 1.7, 2001
    kappa, eps = theory.kappa(X, X=X), torch.finfo(dtype).eps

    def counted(roundings, share_of_kappa=1.0):
        bias = torch.as_tensor(T * kappa[0] * (1 + eps * np.linspace(*roundings, width)), dtype=dtype)
        network = TwoLayerNet(torch.zeros(width, 3, dtype=dtype), bias, -torch.ones(width, dtype=dtype))
        trained = train(network, x, torch.ones(1, dtype=dtype), T=T, num_steps=20)
        return count_neurons(trained, X, share_of_kappa * kappa)

    counts = counted((-10, 10))
    assert counts.flipped[0] > counts.free[0]  # by rounding alone
    assert counts.flipped_not_free[0] == 0
    # The same limit taken 5000 roundings too low is found out: rounding excuses (d + 2 + 40) ‖(x, 1)‖ < 150.
    assert counted((-200, -100), 1 - 5000 * eps).flipped_not_free[0] == width


# Outputs --------------------------------------------------------------------------------------------


def test_evaluate_is_the_network_at_the_points():
    network = TwoLayerNet.initialise(3, 50, seed=0, dtype=torch.float64)
    Z = np.random.default_rng(0).normal(size=(7, 3))
    outputs = evaluate(network, Z)
    assert outputs.dtype == np.float64
    np.testing.assert_array_equal(outputs, network.outputs(torch.as_tensor(Z)).numpy())


@given(st.lists(st.tuples(OUTPUTS, OUTPUTS, st.sampled_from([-1.0, 1.0])), min_size=1))
def test_shares_count_equal_signs_and_nothing_at_zero_or_nan(rows):
    f, g, y = (np.array(column) for column in zip(*rows, strict=True))
    same = [(p > 0 and q > 0) or (p < 0 and q < 0) for p, q, _ in rows]
    right = [(p > 0 and label > 0) or (p < 0 and label < 0) for p, _, label in rows]
    assert agrees(f, g).tolist() == same
    assert agreement(f, g) == agreement(g, f) == pytest.approx(np.mean(same), abs=len(rows) * EPS)
    assert accuracy(f, y) == pytest.approx(np.mean(right), abs=len(rows) * EPS)


ROWS = hnp.arrays(np.float64, (4, 3), elements=st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6))


@given(A=ROWS, B=ROWS)
def test_cosines_are_those_of_the_rows(A, B):
    cosine = cosines(A, B)
    for value, a, b in zip(cosine, A, B, strict=True):
        length = math.hypot(*a) * math.hypot(*b)
        if length == 0:
            assert math.isnan(value)
        else:
            # Three products, two norms and a quotient: fewer than 20 roundings of numbers ≤ 1.
            assert value == pytest.approx(math.fsum(a * b) / length, rel=0, abs=20 * EPS)


def test_cosine_of_a_zero_row_is_nan():
    A = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]])
    B = np.array([[1.0, 0.0], [0.0, 0.0], [-6.0, -8.0]])
    np.testing.assert_array_equal(cosines(A, B), [np.nan, np.nan, -1.0])
