"""Exact flow beside 1000 steps of descent, in one run, and the memory of a wide network: `make bench`.

Read the table at the end: medians as multiples of 1000 plain steps in the same precision, two products with
the data each, as anyone would write them.  `train` follows the pre-activations at the samples.  A line below
says how many steps descent would need for a relative error of 1e-6, extrapolated from the gap that was
measured at 500 and 2000 steps with a fitted power of the number of steps; nobody has run as many.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from empirics import ShiftedGaussianData, TwoLayerNet, train
from empirics.exact_flow import flow

N, DIM, WIDTH, T, STEPS = 1000, 100, 100, 100.0, 1000


def problem(dtype):
    data = ShiftedGaussianData(dim=DIM, num_train=N, num_test=1).load(seed=0)
    return data.X, data.y, TwoLayerNet.initialise(DIM, WIDTH, seed=0, dtype=getattr(torch, dtype))


def parameters_of(network):
    return torch.cat([network.weight, network.bias[:, None]], dim=1).detach().double().numpy()


def plain_descent(network, X, y):
    """Return (w, b) of all neurons after 1000 steps of gradient descent, written out."""
    W = torch.cat([network.weight, network.bias[:, None]], dim=1).detach().clone()
    inputs = torch.cat([X, torch.ones_like(X[:, :1])], dim=1)
    weighted = inputs * (y / len(y))[:, None]
    a = network.readout[:, None]
    for _ in range(STEPS):
        slopes = torch.where(inputs @ W.T > 0, 1.0, network.negative_slope).to(W)
        W += T / STEPS * a * (slopes.T @ weighted)
    return W


@pytest.mark.parametrize("how", ["1000 plain steps", "1000 steps of train", "flow"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_flow(benchmark, dtype, how):
    X, y, network = problem(dtype)
    points, labels = (torch.as_tensor(array).to(network.weight) for array in (X, y))
    benchmark.group = f"N = {N}, d = {DIM}, m = {WIDTH} {dtype}"
    exact = parameters_of(flow(network, X, y, T=T).trained[0].final)
    if how == "flow":
        function, arguments, options = flow, (network, X, y), {"T": T}
    elif how == "1000 plain steps":
        function, arguments, options = plain_descent, (network, points, labels), {}
    else:
        function, arguments, options = train, (network, points, labels), {"T": T, "num_steps": STEPS}
    made = benchmark.pedantic(function, arguments, options, rounds=5, warmup_rounds=1)
    if how == "1000 plain steps":
        final = made.double().numpy()
    else:
        final = parameters_of((made.trained[0] if how == "flow" else made).final)
    gap = np.linalg.norm(final - exact) / np.linalg.norm(exact)
    if how != "flow":
        benchmark.extra_info["worst_error"] = gap
    assert gap < 0.1


def test_steps_for_the_same_accuracy(record_property):
    X, y, network = problem("float64")
    exact = parameters_of(flow(network, X, y, T=T).trained[0].final)
    gaps = []
    for num_steps in (500, 2000):
        final = train(network, torch.as_tensor(X), torch.as_tensor(y), T=T, num_steps=num_steps).final
        gaps.append(np.linalg.norm(parameters_of(final) - exact) / np.linalg.norm(exact))
    rate = np.log(gaps[0] / gaps[1]) / np.log(4)
    steps = 2000 * (gaps[1] / 1e-6) ** (1 / rate)
    record_property(
        "descent",
        f"gap {gaps[0]:.1e} and {gaps[1]:.1e} after 500 and 2000 steps, like steps^-{rate:.2f}; 1e-6 needs "
        f"{steps:.0e} steps by extrapolation: {steps / STEPS:.0f} times the first row of float64",
    )
    assert 0.5 < rate < 1.5


WIDE = """
import resource
from empirics import ShiftedGaussianData, TwoLayerNet
from empirics.exact_flow import flow
data = ShiftedGaussianData(dim=20, num_train=200, num_test=1).load(seed=0)
network = TwoLayerNet.initialise(20, 1_000_000, seed=0)
flow(network, data.X, data.y, T=8.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def test_a_million_neurons_fit_in_four_gibibytes(record_property):
    """m = 10⁶, d = 20, N = 200: peak of the whole process, in a process of its own."""
    if sys.platform != "linux":
        pytest.skip("ru_maxrss is in KiB on Linux only")
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", WIDE], check=True, capture_output=True, text=True, cwd=root)
    peak = float(done.stdout)
    record_property("flow of 10⁶ neurons", f"peak {peak:.2f} GiB")
    assert peak <= 4
