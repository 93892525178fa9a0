"""Every way to train: points and labels of any library, one set of names, errors that name them."""

import math

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import torch

from empirics import (
    ExperimentConfig,
    GaussianData,
    TwoLayerNet,
    evaluate,
    flow,
    perturb,
    run,
    smooth_flow,
    train,
    train_path,
)
from empirics.orthogonal import initialise, train_to_limit

# Quarters: exact in float32, as in float64.
X = np.array([[0.25, -1.5, 2.0], [1.0, 0.5, -0.25], [-2.0, 0.75, 1.25], [0.5, 0.5, -1.0]])
y = np.array([1.0, -1.0, 1.0, -1.0])
KINDS = {
    "float32": lambda values: values.astype(np.float32),
    "lists": np.ndarray.tolist,
    "big-endian": lambda values: values.astype(">f8"),
    "read-only": lambda values: np.frombuffer(values.tobytes()).reshape(values.shape),
    "reversed": lambda values: values[::-1].copy()[::-1],
    "torch": torch.tensor,
    "torch float32": lambda values: torch.tensor(values, dtype=torch.float32),
    "torch with a graph": lambda values: torch.tensor(values, requires_grad=True) * 1,
    "jax": jnp.asarray,
    "pandas": lambda values: pd.DataFrame(values).squeeze(axis=1),
}


def one_network(dtype=torch.float32):
    return TwoLayerNet.initialise(3, 20, negative_slope=0.1, seed=1, dtype=dtype)


def to_limit(network, X, y, **options):
    """In place of the network one without biases, which that training asks for."""
    return train_to_limit(initialise(3, 20, negative_slope=0.1, seed=1), X, y, **options)


WAYS = {
    "train": (train, {"T": 1.0, "num_steps": 3}),
    "train, other loss": (train, {"T": 1.0, "num_steps": 3, "loss": "logistic"}),
    "train_path": (train_path, {"learning_rate": 0.1, "steps": (1, 3)}),
    "flow": (flow, {"T": 2.0}),
    "smooth_flow": (smooth_flow, {"T": 1.0, "loss": "squared"}),
    "train_to_limit": (to_limit, {"max_steps": 20}),
}


def final(result):
    """The weights and biases at the end of whatever was returned."""
    if isinstance(result, tuple):
        result = result[-1]
    result = result.trained[-1] if hasattr(result, "trained") else result
    network = result.network if hasattr(result, "network") else result.final
    return torch.cat([network.weight, network.bias[:, None]], dim=1).detach().numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("way", WAYS)
def test_points_and_labels_of_every_library_train_the_same_network(way, dtype):
    function, options = WAYS[way]
    expected = final(function(one_network(dtype), X, y, **options))
    for kind, made in KINDS.items():
        found = function(one_network(dtype), X=made(X), y=made(y), **options)
        np.testing.assert_array_equal(final(found), expected, err_msg=kind)


def test_float64_points_are_rounded_to_the_network_by_descent_alone():
    fine = X / 3
    rounded = fine.astype(np.float32)
    options = {"T": 1.0, "num_steps": 3}
    assert np.array_equal(
        final(train(one_network(), fine, y, **options)), final(train(one_network(), rounded, y, **options))
    )
    exact, coarse = (flow(one_network(torch.float64), points, y, T=1.0) for points in (fine, rounded))
    assert 0 < np.abs(final(exact) - final(coarse)).max() < 1e-6


@pytest.mark.parametrize("function", [evaluate, lambda f, Z: perturb(f, Z, torch.tensor(y), epsilon=1.0).R])
def test_networks_are_asked_at_points_of_every_library(function):
    expected = function(one_network(), X)
    for kind, made in KINDS.items():
        np.testing.assert_array_equal(function(one_network(), made(X)), expected, err_msg=kind)


BAD = {
    "X a point": ({"X": X[0]}, ValueError, r"X must have shape \(n, d\) with n, d >= 1, got \(3,\)"),
    "X empty": ({"X": X[:0], "y": y[:0]}, ValueError, r"X must have shape .* got \(0, 3\)"),
    "X narrow": (
        {"X": X[:, :2]},
        ValueError,
        "X must have 3 columns, the input dimension of the network, got 2",
    ),
    "X infinite": ({"X": X * math.inf}, ValueError, r"X must be finite, got inf \(12 of 12 entries\)"),
    "X of text": ({"X": X.astype(str)}, TypeError, "X must be an array of real numbers, got dtype <U32"),
    "X half": (
        {"X": torch.tensor(X).half()},
        TypeError,
        "X must be of float32, float64 or integers, got float16",
    ),
    "X bfloat16": (
        {"X": torch.tensor(X).bfloat16()},
        TypeError,
        "X must be a dense tensor .* got torch.bfloat16",
    ),
    "X sparse": (
        {"X": torch.tensor(X).to_sparse()},
        TypeError,
        "X must be a dense tensor .* torch.sparse_coo",
    ),
    "X without values": (
        {"X": torch.empty(4, 3, device="meta")},
        TypeError,
        "X must be a dense tensor .* on meta",
    ),
    "y short": ({"y": y[:2]}, ValueError, r"y must have shape \(4,\), one label a point, got \(2,\)"),
    "y a column": ({"y": y[:, None]}, ValueError, r"y must have shape \(4,\), .* got \(4, 1\)"),
    "y from 0": ({"y": torch.tensor(y > 0).double()}, ValueError, r"y must be -1 or \+1, got 0"),
    "y unknown": ({"y": y * math.nan}, ValueError, "y must be finite, got nan"),
    "y bfloat16": (
        {"y": torch.tensor(y).bfloat16()},
        TypeError,
        "y must be a dense tensor .* got torch.bfloat16",
    ),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("way", WAYS)
def test_bad_points_and_labels_are_refused_by_name(way, bad):
    (function, options), (given, error, message) = WAYS[way], BAD[bad]
    with pytest.raises(error, match=message):
        function(one_network(), **({"X": X, "y": y} | given), **options)


@pytest.mark.parametrize("way", ["train", "train_path"])
def test_points_beyond_the_dtype_of_the_network_are_refused(way):
    function, options = WAYS[way]
    with pytest.raises(ValueError, match=r"X must be finite in the dtype .* torch.float32, got up to 2e\+60"):
        function(one_network(), 1e60 * X, y, **options)
    with pytest.raises(ValueError, match=r"Z must be finite in the dtype .* torch.float32, got up to 2e\+60"):
        evaluate(one_network(), 1e60 * X)


@pytest.mark.parametrize("way", ["flow", "smooth_flow"])
def test_one_time_is_a_list_of_one(way):
    function, options = WAYS[way]
    one, many = (function(one_network(), X, y, **(options | {"T": T})) for T in (2.0, np.array([1.0, 2.0])))
    assert [trained.T for trained in many.trained] == [1.0, 2.0]
    assert np.array_equal(final(one), final(many))
    with pytest.raises(TypeError, match="T must be a real number, got '1'"):
        function(one_network(), X, y, **(options | {"T": "12"}))


@pytest.mark.parametrize("way", WAYS)
def test_networks_and_runs_say_in_one_line_what_they_are(way):
    function, options = WAYS[way]
    line = repr(function(one_network(), X, y, **options))
    assert "(dim=3, width=20, negative_slope=0.1, " in line
    assert "\n" not in line
    assert f"T={options.get('T', 0.3):g}, num_steps=" in line or way == "train_to_limit"


def test_an_experiment_says_in_one_line_what_it_is():
    config = ExperimentConfig(data=GaussianData(dim=3, num_train=8, num_test=5), width=20, T_f=2.0, seed=7)
    line = repr(run(config))
    assert "'gaussian'" in line
    assert "Setting(dim=3, N=8, width=20, negative_slope=0.0" in line
    assert "T_f=2.0, T_g=1.0" in line
    assert "seed=7, agreement=" in line
    assert "\n" not in line
