"""What figures draw of trained networks: velocities, a decision map, perturbations as images."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch

import theory
from empirics.data import Dataset, DigitsData, FashionMnistData, IdxData, MnistData
from empirics.experiment import ExperimentResult, Points
from empirics.measure import certified, cosines, evaluate
from empirics.model import TwoLayerNet
from theory.validation import Array

_MAP_POINTS = 61  # per axis of the decision map
_MAP_DATA = 150  # training points drawn on it
_IMAGES = (DigitsData, FashionMnistData, IdxData, MnistData)  # sources whose features are pixels, row by row
_IMAGES_A_CLASS = 2


def velocity(result: ExperimentResult, network: str, Z: Array) -> Array:
    """Return the predicted (f(z; T) − f(z; 0))/T: f_b, or that of `theory.lazy_predict`.

    The latter is for the outputs of the untrained network in hand; NaN where it overflows or T = 0.
    """
    data, config, setting = result.dataset, result.config, result.setting
    trained = result.trained_f if network == "f" else result.trained_g
    X, y = (data.X, data.y) if network == "f" else (result.X_adv, result.y_adv)
    slope = setting.negative_slope
    if setting.loss == "identity":
        return np.asarray(theory.f_predict(Z, X=X, y=y, negative_slope=slope))
    _, T = points_of(result, network)
    if T == 0:
        return np.full(len(Z), np.nan)
    steps = config.num_steps if network == "f" else config.num_steps_g or config.num_steps
    initial = evaluate(trained.initial, Z)
    try:
        final = theory.lazy_predict(
            Z,
            X=X,
            y=y,
            T=T,
            loss=setting.loss,
            negative_slope=slope,
            initial_outputs=evaluate(trained.initial, X),
            initial_at_Z=initial,
            num_steps=None if config.solver == "flow" else steps,
            momentum=config.momentum,
        )
    except FloatingPointError:
        return np.full(len(Z), np.nan)
    return np.asarray((final - initial) / T)


def points_of(result: ExperimentResult, network: str) -> tuple[Points, float]:
    """Return the values of f or g at the test points, and its flow time."""
    if network == "f":
        return result.points_f, result.setting.T_f
    return result.points_g, result.setting.T_g


def scatter(result: ExperimentResult, network: str) -> dict[str, Any]:
    """Return predicted and measured velocities at every test point."""
    points, T = points_of(result, network)
    measured = (points.final - points.initial) / T if T > 0 else np.full(len(points.final), np.nan)
    return {
        "width": result.config.width,
        "seed": result.config.seed,
        "predicted": rounded(velocity(result, network, result.dataset.X_test)),
        "measured": rounded(measured),
    }


def decision_map(result: ExperimentResult, curves: Mapping[str, Any]) -> dict[str, Any] | None:
    """Signs of f and g on a plane: the class-mean difference, and the main direction orthogonal to it.

    The axes are orthonormal and pass through the training mean, so the data are drawn by orthogonal
    projection.  None where there is no plane (d = 1, or equal class means).  `curves`: from
    `certified.curves`.
    """
    dataset = result.dataset
    X, y = dataset.X, dataset.y
    centre = X.mean(axis=0)
    if X.shape[1] < 2 or len(set(y.tolist())) < 2:
        return None
    first = X[y > 0].mean(axis=0) - X[y < 0].mean(axis=0)
    if not np.linalg.norm(first) > 0:
        return None
    first /= np.linalg.norm(first)
    rest = X - centre
    rest = rest - np.outer(rest @ first, first)
    if not np.linalg.norm(rest) > 1e-9 * np.linalg.norm(X - centre):  # all on one line
        return None
    second = np.linalg.svd(rest, full_matrices=False)[2][0]
    second -= (second @ first) * first
    second /= np.linalg.norm(second)
    axes = np.stack([first, second])
    data = (X - centre) @ axes.T
    reach = 1.15 * float(np.abs(data).max())
    ticks = np.linspace(-reach, reach, _MAP_POINTS)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    points = centre + grid @ axes
    slope = result.setting.negative_slope
    f, g = (
        evaluate(_on_plane(trained.final, centre, axes), grid)
        for trained in (result.trained_f, result.trained_g)
    )
    chosen = slice(0, _MAP_DATA) if len(X) <= _MAP_DATA else np.linspace(0, len(X) - 1, _MAP_DATA).astype(int)
    return {
        "width": result.config.width,
        "seed": result.config.seed,
        "ticks": rounded(ticks),
        "f": rounded(f),
        "g": rounded(g),
        "f_hat": rounded(theory.f_hat(points, X=X, y=y, negative_slope=slope)),
        "g_hat": rounded(theory.g_hat(points, X=X, y=y, X_adv=result.X_adv, negative_slope=slope)),
        "f_b": rounded(velocity(result, "f", points)),
        "g_b": rounded(velocity(result, "g", points)),
        "data": [rounded(row) for row in data[chosen]],
        "labels": y[chosen].astype(int).tolist(),
        **certified.region(result, points, curves),
    }


def _on_plane(network: TwoLayerNet, centre: Array, axes: Array) -> TwoLayerNet:
    """Return the network of two inputs that f(centre + t axes) is as a function of t, shape (2,)."""
    like: dict[str, Any] = {"dtype": network.weight.dtype, "device": network.weight.device}
    weight = network.weight.detach().double().cpu().numpy()
    bias = network.bias.detach().double().cpu().numpy()
    return TwoLayerNet(
        torch.as_tensor(weight @ axes.T, **like),
        torch.as_tensor(bias + weight @ centre, **like),
        network.readout,
        negative_slope=network.negative_slope,
    )


def rounded(values: Array) -> list[float | None]:
    """Return five significant digits: enough for a figure, and a smaller file."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]


def images(result: ExperimentResult) -> dict[str, Any] | None:
    """Return some training images, their perturbations and both predicted directions; None for other data.

    The perturbation is t_n r_n/ε, along ∇f(x_n; T), so that its sign does not depend on the target.  Each
    picture is divided by its largest entry in absolute value.
    """
    data, setting = result.dataset, result.setting
    side = math.isqrt(setting.dim)
    if not isinstance(result.config.data, _IMAGES) or side * side != setting.dim or setting.epsilon == 0:
        return None
    chosen = np.concatenate([np.flatnonzero(data.y == label)[:_IMAGES_A_CLASS] for label in (-1, 1)])
    R = result.X_adv if setting.scenario == "a" else result.X_adv - data.X
    pictures = {
        "sample": data.X[chosen],
        "perturbation": result.y_adv[chosen, None] * R[chosen],
        "gradient": _direction(data, chosen, "gradient", setting.negative_slope),
        "paper": _direction(data, chosen, "paper", setting.negative_slope),
    }
    return {
        "width": result.config.width,
        "seed": result.config.seed,
        "side": side,
        "classes": [data.classes[int(label > 0)] for label in data.y[chosen]],
        "pictures": {name: [_picture(row) for row in rows] for name, rows in pictures.items()},
        "cosines": {
            name: cosines(pictures["perturbation"], pictures[name]).tolist() for name in ("gradient", "paper")
        },
    }


def _direction(data: Dataset, chosen: Array, kind: Literal["paper", "gradient"], slope: float) -> Array:
    directions = theory.perturbation_direction(X=data.X, y=data.y, kind=kind, negative_slope=slope)
    return np.asarray(directions[chosen])


def _picture(row: Array) -> list[float]:
    largest = float(np.abs(row).max())
    return [round(float(value) / largest, 3) if largest > 0 else 0.0 for value in row]
