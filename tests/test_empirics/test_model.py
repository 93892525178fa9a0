"""The network: its initialisation, and its block-wise sums against autograd and plain numpy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy import stats

import empirics.model
import theory
from empirics import TwoLayerNet
from empirics.model import activation_slopes, blocks, largest_of

EPS = np.finfo(np.float64).eps
# Probability that a test of randomness fails although the claim is true (the seeds are fixed).
FAILURE = 1e-6


def draw(num_points, dim, *, seed=0):
    return torch.randn(num_points, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def arrays(network):
    parts = network.weight, network.bias, network.readout
    return tuple(part.detach().numpy().astype(np.float64) for part in parts)


def rounding_of_outputs(network, X):
    """Bound the difference of two float64 evaluations of f (Higham, Accuracy and Stability, §3.1).

    Every term passes through at most d + 1 additions in its pre-activation, m in the sum, and 3
    multiplications, each of relative error EPS/2; two evaluations.
    """
    w, b, a = arrays(network)
    terms = (np.abs(X.numpy()) @ np.abs(w).T + np.abs(b)) @ np.abs(a)
    return (network.width + network.dim + 4) * EPS * terms


@pytest.mark.parametrize(("dim", "width"), [(50, 4_000), (1, 30_000)])
def test_initialisation_follows_its_law(dim, width):
    w, b, a = arrays(TwoLayerNet.initialise(dim, width, seed=1, dtype=torch.float64))
    pvalues = []
    for normal in (w.ravel() * np.sqrt(dim), b, a * np.sqrt(width)):
        count = normal.size
        mean = stats.norm.sf(abs(normal.sum()) / np.sqrt(count))
        square = stats.chi2(count)
        spread = min(square.cdf(normal @ normal), square.sf(normal @ normal))
        pvalues += [2 * mean, 2 * spread, stats.kstest(normal, "norm").pvalue]
    # Independence of the first column of w, b and a: sample correlations of normals.
    for one, other in ((w[:, 0], b), (w[:, 0], a), (b, a)):
        pvalues.append(stats.pearsonr(one, other).pvalue)
    assert min(pvalues) >= FAILURE / len(pvalues)


def test_network_depends_on_its_own_seed_alone():
    state = torch.get_rng_state()
    networks = [TwoLayerNet.initialise(3, 5, seed=seed) for seed in (4, 4, 5)]
    assert torch.equal(torch.get_rng_state(), state)
    for first, same, other in zip(*(arrays(network) for network in networks), strict=True):
        np.testing.assert_array_equal(first, same)
        assert (first != other).all()


def test_readout_is_not_trained():
    network = TwoLayerNet.initialise(3, 5, seed=0)
    assert {name for name, _ in network.named_parameters()} == {"weight", "bias"}
    network(torch.ones(2, 3)).sum().backward()
    assert network.readout.grad is None


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_initial_outputs_have_the_predicted_deviation(slope):
    # One wide network is cut into independent ones of 5 neurons: the claim is for any width.
    count, width, dim = 40_000, 5, 3
    network = TwoLayerNet.initialise(dim, count * width, seed=2, dtype=torch.float64)
    w, b, a = arrays(network)
    z = np.array([[1.0, -2.0, 0.5]])
    u = w @ z[0] + b
    outputs = (a * np.sqrt(count) * np.maximum(u, slope * u)).reshape(count, width).sum(axis=1)
    squares = outputs**2
    standard_error = squares.std(ddof=1) / np.sqrt(count)
    predicted = theory.initial_deviation(z, negative_slope=slope)[0] ** 2
    assert abs(squares.mean() - predicted) <= 5 * standard_error


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_forward_is_the_formula(slope):
    network = TwoLayerNet.initialise(4, 300, negative_slope=slope, seed=0, dtype=torch.float64)
    X = draw(20, 4)
    w, b, a = arrays(network)
    u = X.numpy() @ w.T + b
    expected = np.sum(a * np.maximum(u, slope * u), axis=1)
    difference = np.abs(network(X).detach().numpy() - expected)
    assert (difference <= rounding_of_outputs(network, X)).all()


@pytest.mark.parametrize("block", [1, 1 << 20], ids=["3 blocks", "1 block"])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_outputs_match_forward(monkeypatch, slope, block):
    monkeypatch.setattr(empirics.model, "_BLOCK", block)
    network = TwoLayerNet.initialise(6, 700, negative_slope=slope, seed=3, dtype=torch.float64)
    X = draw(30, 6)
    outputs = network.outputs(X)
    assert outputs.dtype == torch.float64
    assert not outputs.requires_grad
    difference = (outputs - network(X)).detach().abs().numpy()
    assert (difference <= rounding_of_outputs(network, X)).all()


@pytest.mark.parametrize("block", [1, 1 << 20], ids=["3 blocks", "1 block"])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_input_gradients_match_autograd(monkeypatch, slope, block):
    monkeypatch.setattr(empirics.model, "_BLOCK", block)
    network = TwoLayerNet.initialise(6, 700, negative_slope=slope, seed=3, dtype=torch.float64)
    X = draw(30, 6).requires_grad_()
    (expected,) = torch.autograd.grad(network(X).sum(), X)
    gradients = network.input_gradients(X.detach())
    w, _, a = arrays(network)
    # A sum of m products of three factors, evaluated twice (see `rounding_of_outputs`).
    tolerance = (network.width + 4) * EPS * (np.abs(a) @ np.abs(w))
    assert gradients.dtype == torch.float64
    assert ((gradients - expected).abs().numpy() <= tolerance).all()


def test_blocks_are_added_in_double_precision(monkeypatch):
    # Neurons in three blocks: 2^30 + 2^-20 − 2^30, of which a float32 sum would keep nothing.
    monkeypatch.setattr(empirics.model, "_BLOCK", 1)
    readout = torch.zeros(3 * 256)
    readout[[0, 256, 512]] = torch.tensor([2.0**30, 2.0**-20, -(2.0**30)])
    network = TwoLayerNet(torch.ones(3 * 256, 1), torch.zeros(3 * 256), readout)
    assert network.outputs(torch.ones(1, 1)).tolist() == [2.0**-20]
    assert network.input_gradients(torch.ones(1, 1)).tolist() == [[2.0**-20]]


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_slope_at_the_kink_is_that_of_autograd(slope):
    u = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(torch.nn.functional.leaky_relu(u, slope).sum(), u)
    assert activation_slopes(u.detach(), slope).tolist() == expected.tolist() == [slope, slope, 1.0]


@given(width=st.integers(1, 5_000_000), num_points=st.integers(0, 10_000_000))
def test_blocks_cover_every_neuron_once(width, num_points):
    parts = list(blocks(width, num_points))
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == width
    assert all(part.stop > part.start for part in parts)
    largest = max(part.stop - part.start for part in parts)
    assert largest <= 256 or largest * num_points <= empirics.model._BLOCK


@pytest.mark.parametrize(
    "shapes",
    [((4,), (4,), (4,)), ((4, 2), (3,), (4,)), ((4, 2), (4,), (4, 1)), ((4, 2), (2,), (2,))],
)
def test_network_rejects_shapes_that_disagree(shapes):
    with pytest.raises(ValueError, match=r"must have shapes \(m, d\), \(m,\), \(m,\), got") as caught:
        TwoLayerNet(*(torch.ones(shape) for shape in shapes))
    assert str(shapes) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dim": 0}, ValueError, "dim must be >= 1, got 0"),
        ({"width": 0}, ValueError, "width must be >= 1, got 0"),
        ({"width": 2.0}, TypeError, "width must be an integer, got 2.0"),
        ({"negative_slope": 1.0}, ValueError, r"negative_slope must lie in \[0, 1\), got 1.0"),
        ({"negative_slope": -0.1}, ValueError, r"negative_slope must lie in \[0, 1\), got -0.1"),
    ],
)
def test_initialise_rejects_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        TwoLayerNet.initialise(**{"dim": 2, "width": 3, "seed": 0, **options})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1.0, -3.0], [2.0, 0.0]], 3.0),
        ([[-0.0]], 0.0),
        ([[1.0, -math.inf]], math.inf),
        ([[math.nan, 5.0]], math.nan),
        ([[math.inf, math.nan]], math.nan),
    ],
)
def test_largest_value_tells_what_is_not_finite(values, expected, dtype):
    np.testing.assert_equal(largest_of(torch.tensor(values, dtype=dtype)), expected)
