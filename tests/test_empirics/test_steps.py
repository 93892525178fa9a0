"""Descent at the samples is the same descent."""

import numpy as np
import pytest
import torch

from empirics import TwoLayerNet
from empirics.samples import distinct
from empirics.steps import descend_all, momentum_sums


def _plain(parameters, readout, inputs, y, slope, rate, momentum, num_steps):
    """Heavy-ball descent written out, in float64."""
    W, velocity = parameters.copy(), np.zeros_like(parameters)
    for _ in range(num_steps):
        slopes = np.where(W @ inputs.T > 0, 1.0, slope)
        velocity = momentum * velocity + readout[:, None] * ((slopes * y) @ inputs) / len(y)
        W += rate * velocity
    return W


def _descend(inputs, labels, slope, starts, readouts, rate, momentum, stops):
    gram = inputs @ inputs.T
    forces = (np.where(starts > 0, 1.0, slope) * labels) @ inputs
    pushes = forces @ inputs.T
    starts = starts.copy()  # its memory is used
    return descend_all(inputs, gram, labels, slope, starts, forces, pushes, readouts, rate, momentum, stops)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("slope", [0.0, 0.3, 0.99])
@pytest.mark.parametrize(
    ("N", "dim", "copies"), [(1, 1, 1), (7, 2, 1), (30, 20, 1), (40, 3, 4), (200, 30, 1)]
)
def test_it_matches_plain_descent(N, dim, copies, slope, momentum):
    rng = np.random.default_rng(N)
    X = np.repeat(rng.normal(size=(N // copies or 1, dim)), copies, axis=0)
    y = rng.choice([-1.0, 1.0], len(X))
    network = TwoLayerNet.initialise(dim, 12, negative_slope=slope, seed=1, dtype=torch.float64)
    parameters = torch.cat([network.weight, network.bias[:, None]], dim=1).detach().numpy()
    readout = network.readout.numpy()
    inputs, labels = distinct(X, y)
    stops = np.array([1, 5, 60])
    starts = parameters @ inputs.T
    ways = _descend(inputs, labels, slope, starts, readout, 0.3, momentum, stops)
    every = np.column_stack([X, np.ones(len(X))])
    for stop, way in zip(stops, ways, strict=True):
        expected = _plain(parameters, readout, every, y, slope, 0.3, momentum, stop)
        # Rounding: 60 steps, sums of 200 terms, numbers below 100; a sign decided otherwise would cost
        # rate·|a|‖x̃‖/N > 1e-4.
        np.testing.assert_allclose(parameters + readout[:, None] * way, expected, rtol=0, atol=1e-11)


def test_a_pre_activation_of_zero_has_the_slope_below():
    """φ'(0) = γ, as in torch."""
    one = np.ones((1, 1))
    way = _descend(one, np.ones(1), 0.25, 0 * one, np.ones(1), 1.0, 0.0, np.array([1]))
    assert way[0, 0, 0] == 0.25


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("rate", [1e-9, 1e-3])
def test_steps_taken_in_one_are_the_same_steps_wherever_one_stops(rate, momentum):
    """At small rates signs change rarely: most of 20,000 steps are in leaps, most stops within one."""
    rng = np.random.default_rng(5)
    inputs, labels = rng.normal(size=(40, 25)), rng.choice([-1.0, 1.0], 40) / 40
    starts, readouts = rng.normal(size=(6, 40)), rng.normal(size=6)
    stops = np.array([1, 2, 77, 5000, 20_000])
    together = _descend(inputs, labels, 0.3, starts, readouts, rate, momentum, stops)
    for stop, ways in zip(stops, together, strict=True):
        alone = _descend(inputs, labels, 0.3, starts, readouts, rate, momentum, np.array([stop]))[0]
        np.testing.assert_array_equal(ways, alone)
    # Written out: neuron i is where its start and its way bring it.
    way, velocity = np.zeros((6, 25)), np.zeros((6, 25))
    for step in range(1, stops[-1] + 1):
        side = np.where(starts + readouts[:, None] * (way @ inputs.T) > 0, 1.0, 0.3)
        velocity = momentum * velocity + (side * labels) @ inputs
        way += rate * velocity
        if step in stops:
            found = together[list(stops).index(step)]
            # 20,000 roundings of 1e-16, each of a sum of 40 terms; a step more or less is a part of 1e-4.
            np.testing.assert_allclose(found, way, rtol=1e-9, atol=1e-9 * rate)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999, 1 - 1e-6, 1 - 1e-10, 1 - 1e-15])
def test_sums_of_momentum_keep_their_digits(momentum):
    """Closed forms lose all of them where 1 − μ is small."""
    mu = np.longdouble(momentum)
    power, single, double = np.longdouble(1), np.longdouble(0), np.longdouble(0)
    for count in range(1, 3001):
        power, single = power * mu, 1 + mu * single
        double += single
        if count in {1, 2, 3, 17, 1000, 2999, 3000}:
            # Up to 5 log₂ k products and sums of positive numbers, 1 rounding each.
            found = np.array(momentum_sums(count, momentum))
            np.testing.assert_allclose(found, np.array([power, single, double], dtype=float), rtol=1e-14)


@pytest.mark.parametrize("momentum", [0.9, 0.999, 1 - 1e-8])
def test_steps_taken_in_one_are_as_exact_as_single_ones(momentum):
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, w, a = rng.normal(size=(1, 3)), rng.normal(size=(1, 3)), rng.normal(size=1)
        inputs, labels = distinct(x[:, :2], np.array([1.0]))
        inputs[:, -1] = x[:, -1] = 1.0
        (way,) = _descend(inputs, labels, 0.5, w @ inputs.T, a, 1e-5, momentum, np.array([2000]))
        plain = _plain(w.astype(np.longdouble), a, x, np.array([1.0]), 0.5, 1e-5, momentum, 2000)
        # Measured: 2e-15 of the weights and of the way, up to 20 long; closed forms lose 5e-13 at .999.
        size = max(1.0, np.abs(way).max())
        np.testing.assert_allclose(w + a[:, None] * way, plain.astype(float), rtol=0, atol=1e-14 * size)
