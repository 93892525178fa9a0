"""Trained networks beside the lazy predictions for every loss: rates in the width, and what moves."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

import theory
from empirics import ShiftedGaussianData, TwoLayerNet, evaluate, train
from empirics.model import activation_slopes
from theory import lazy

SLOPES = {
    "identity": torch.ones_like,
    "logistic": torch.sigmoid,
    "squared": lambda s: 1 + s,
    "exponential": torch.exp,
}
DATA = ShiftedGaussianData(dim=5, num_train=10, num_test=40).load(0)


@torch.no_grad()
def descend(network, X, y, *, T, num_steps, loss, momentum=0.0, stable=False):
    """Full-batch descent on (1/N) Σ ℓ(−y f); return the network and the losses at the gradients.

    With `stable` steps are shortened, and more of them taken, to a tenth of 1/(the curvature of the loss)
    while no neuron flips: ℓ'' times the largest eigenvalue of the tangent kernel, both bounded.
    """
    inputs, labels = torch.as_tensor(X), torch.as_tensor(y)
    inputs = torch.cat([inputs, torch.ones(len(X), 1, dtype=inputs.dtype)], dim=1)
    parameters = torch.cat([network.weight, network.bias[:, None]], dim=1)
    velocity, losses = torch.zeros_like(parameters), []
    rate = theory.learning_rate_for(T, num_steps, momentum=momentum)
    largest = float((network.readout**2).sum() * (inputs**2).sum(dim=1).max())
    left = T
    while left > 1e-12 * T:
        hidden = inputs @ parameters.T
        outputs = torch.nn.functional.leaky_relu(hidden, network.negative_slope) @ network.readout
        losses.append(lazy.training_loss(outputs.numpy(), y, loss=loss))
        pull = SLOPES[loss](-labels * outputs)
        curvature = float(pull.max()) if loss == "exponential" else 1.0
        step = min(rate, 0.1 / (largest * curvature), left) if stable else rate
        left -= step if momentum == 0 else T / num_steps
        weights = labels * pull / len(y)
        slopes = activation_slopes(hidden, network.negative_slope)
        velocity = momentum * velocity + slopes.T @ (inputs * weights[:, None])
        parameters += step * network.readout[:, None] * velocity
    final = TwoLayerNet(
        parameters[:, :-1].contiguous(),
        parameters[:, -1].contiguous(),
        network.readout,
        negative_slope=network.negative_slope,
    )
    return final, losses


def errors_of_prediction(width, seeds, *, loss, slope, T, num_steps, flow, momentum=0.0):
    """Root mean square over test points of f(z; T) less its prediction, for each network."""
    errors = []
    for seed in seeds:
        network = TwoLayerNet.initialise(5, width, negative_slope=slope, seed=seed, dtype=torch.float64)
        options = {"T": T, "num_steps": num_steps, "loss": loss, "momentum": momentum}
        final, _ = descend(network, DATA.X, DATA.y, **options)
        predicted = lazy.lazy_predict(
            DATA.X_test,
            X=DATA.X,
            y=DATA.y,
            T=T,
            loss=loss,
            negative_slope=slope,
            initial_outputs=evaluate(network, DATA.X),
            initial_at_Z=evaluate(network, DATA.X_test),
            num_steps=None if flow else num_steps,
            momentum=0.0 if flow else momentum,
        )
        errors.append(np.sqrt(np.mean((evaluate(final, DATA.X_test) - predicted) ** 2)))
    return np.array(errors)


def test_local_descent_is_that_of_empirics():
    network = TwoLayerNet.initialise(5, 30, negative_slope=0.3, seed=2, dtype=torch.float64)
    X, y = torch.tensor(DATA.X), torch.tensor(DATA.y, dtype=torch.float64)
    for loss in SLOPES:
        options = {"T": 0.5, "num_steps": 5, "loss": loss, "momentum": 0.5}
        ours, _ = descend(network, DATA.X, DATA.y, **options)
        theirs = train(network, X, y, **options).final
        torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("loss", "slope", "momentum"),
    [("logistic", 0.0, 0.9), ("squared", 0.0, 0.0), ("squared", 0.3, 0.0), ("exponential", 0.3, 0.0)],
)
def test_error_of_a_network_falls_like_the_root_of_the_width(loss, slope, momentum):
    """Given f(·; 0) of each network, 8 steps of total time 2: slope −1/2 over 24 networks a width.

    One seed's slope deviates by 0.1 to 0.25 (d = 5: errors at all points vary together).
    """
    widths = [300, 1000, 10_000]
    schedule = {"T": 2.0, "num_steps": 8, "flow": False, "momentum": momentum}
    errors = [
        errors_of_prediction(width, range(100 * j, 100 * j + 24), loss=loss, slope=slope, **schedule)
        for j, width in enumerate(widths)
    ]
    slopes = np.array([stats.linregress(np.log(widths), np.log(row)).slope for row in np.transpose(errors)])
    margin = 0.15
    assert 3 * stats.sem(slopes) <= margin
    assert abs(slopes.mean() + 0.5) <= margin


@pytest.mark.parametrize("loss", ["logistic", "squared", "exponential"])
def test_wide_networks_follow_the_flow_and_not_the_identity_loss(loss):
    """100 steps of total time 4 at width 10⁴; the steps cost another 1/100 of what they make up."""
    errors = errors_of_prediction(10_000, range(4), loss=loss, slope=0.0, T=4.0, num_steps=100, flow=True)
    other = lazy.lazy_predict(DATA.X_test, X=DATA.X, y=DATA.y, T=4.0, loss="identity")
    this = lazy.lazy_predict(DATA.X_test, X=DATA.X, y=DATA.y, T=4.0, loss=loss)
    assert errors.max() < 0.05
    assert np.sqrt(np.mean((other - this) ** 2)) > 0.5


@pytest.mark.parametrize("loss", ["squared", "exponential"])
def test_few_large_steps_are_predicted_by_their_steps_and_not_by_the_flow(loss):
    schedule = {"loss": loss, "slope": 0.0, "T": 3.0, "num_steps": 2}
    steps = errors_of_prediction(10_000, range(4), flow=False, **schedule)
    flow = errors_of_prediction(10_000, range(4), flow=True, **schedule)
    assert (steps < flow / 4).all()


def test_mean_over_networks_is_the_mean_over_gaussian_initial_outputs():
    """Logistic loss, width 1000: E f(z; T) over 400 networks and over draws, within their standard errors
    and the finite-width error of a mean, which is of order 1/m."""
    T, Z = 2.0, DATA.X_test[:10]
    measured = []
    for seed in range(400):
        network = TwoLayerNet.initialise(5, 1000, seed=seed, dtype=torch.float64)
        final, _ = descend(network, DATA.X, DATA.y, T=T, num_steps=4, loss="logistic")
        measured.append(evaluate(final, Z))
    at_X, at_Z = lazy.draw_initial_outputs(Z, X=DATA.X, num_samples=4000, rng=np.random.default_rng(1))
    drawn = lazy.lazy_predict(
        Z,
        X=DATA.X,
        y=DATA.y,
        T=T,
        loss="logistic",
        initial_outputs=at_X,
        initial_at_Z=at_Z,
        num_steps=4,
    )
    error = np.hypot(stats.sem(measured), stats.sem(drawn))
    assert (np.abs(np.mean(measured, axis=0) - drawn.mean(axis=0)) < 5 * error + 0.01).all()
    deviations = np.std(measured, axis=0, ddof=1) / drawn.std(axis=0, ddof=1)
    assert np.abs(deviations - 1).max() < 5 / math.sqrt(2 * 400)


@pytest.mark.parametrize("loss", ["logistic", "squared", "exponential"])
@pytest.mark.parametrize("width", [3, 30, pytest.param(1000, marks=pytest.mark.slow)])
def test_small_steps_lower_the_loss_and_no_neuron_moves_beyond_its_initial_bound(loss, width):
    """The flow, in steps small enough: Λ is the initial loss.  Few neurons are far from lazy."""
    T = 3.0
    Z = np.concatenate([DATA.X_test, DATA.X])
    closest = 0.0
    for seed in range(8):
        network = TwoLayerNet.initialise(5, width, negative_slope=0.1, seed=seed, dtype=torch.float64)
        final, losses = descend(network, DATA.X, DATA.y, T=T, num_steps=400, loss=loss, stable=True)
        assert max(losses) <= losses[0] * (1 + 1e-9)
        bound = lazy.displacement_bound(Z, X=DATA.X, T=T, loss=loss, largest_loss=losses[0])
        start, end = (
            np.column_stack([Z, np.ones(len(Z))])
            @ torch.cat([n.weight, n.bias[:, None]], dim=1).detach().numpy().T
            for n in (network, final)
        )
        reach = network.readout.abs().numpy() * bound[:, None]
        assert (np.abs(end - start) <= reach).all()
        flipped = (start > 0) != (end > 0)
        assert (np.abs(start[flipped]) <= reach[flipped]).all()
        closest = max(closest, float((np.abs(end - start) / reach).max()))
    assert closest > 0.2
