"""What figures draw of trained networks: velocities, a decision map, perturbations as images."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

import theory
from empirics.data import Dataset, DigitsData, FashionMnistData, IdxData, MnistData
from empirics.measure import certified, cosines, evaluate
from empirics.measure.result import ExperimentResult
from empirics.model import TwoLayerNet
from empirics.record import NAMES, Count, Number, OfBoth, Record, same_length
from reports.numbers import rounded
from theory.validation import Array

_MAP_POINTS = 61  # per axis of the decision map
_MAP_DATA = 150  # training points drawn on it
_IMAGES = (DigitsData, FashionMnistData, IdxData, MnistData)  # sources whose features are pixels, row by row
_IMAGES_A_CLASS = 2


class Scatter(Record, frozen=True, kw_only=True):
    """Velocities at the test points."""

    width: Count
    seed: Count
    predicted: Sequence[Number]
    measured: Sequence[Number]

    def __post_init__(self) -> None:
        same_length(predicted=self.predicted, measured=self.measured)


class Map(Record, frozen=True, kw_only=True):
    """Signs of both networks, and of what is predicted, on a plane."""

    width: Count
    seed: Count
    ticks: list[float]
    f: Sequence[Number]
    g: Sequence[Number]
    f_hat: Sequence[Number]
    g_hat: Sequence[Number]
    f_b: Sequence[Number]
    g_b: Sequence[Number]
    data: list[tuple[Number, Number]]
    labels: list[int]
    certified: list[Count] | None
    certified_width: Number

    def __post_init__(self) -> None:
        same_length(f=self.f, g=self.g, f_hat=self.f_hat, g_hat=self.g_hat, f_b=self.f_b, g_b=self.g_b)
        same_length(f=self.f, certified=self.certified)
        same_length(data=self.data, labels=self.labels)
        if len(self.f) != len(self.ticks) ** 2:
            msg = f"f must have {len(self.ticks) ** 2} entries, got {len(self.f)}"
            raise ValueError(msg)


class Images(Record, frozen=True, kw_only=True):
    """Training images, their perturbations and both predicted directions."""

    width: Count
    seed: Count
    side: Count
    classes: list[str]
    pictures: dict[str, list[list[float]]]
    cosines: dict[str, list[Number]]


def scatter(result: ExperimentResult) -> OfBoth[Scatter]:
    """Return predicted and measured velocities at every test point."""
    f, g = (
        Scatter(
            width=result.config.width,
            seed=result.config.seed,
            predicted=rounded(result.velocity(network, result.dataset.X_test)),
            measured=rounded(result.measured_velocity(network)),
        )
        for network in NAMES
    )
    return OfBoth(f=f, g=g)


def decision_map(result: ExperimentResult, curves: certified.Certificates) -> Map | None:
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
    known, width = certified.region(result, points, curves)
    return Map(
        width=result.config.width,
        seed=result.config.seed,
        ticks=rounded(ticks),
        f=rounded(f),
        g=rounded(g),
        f_hat=rounded(theory.f_hat(points, X=X, y=y, negative_slope=slope)),
        g_hat=rounded(theory.g_hat(points, X=X, y=y, X_adv=result.X_adv, negative_slope=slope)),
        f_b=rounded(result.velocity("f", points)),
        g_b=rounded(result.velocity("g", points)),
        data=list(zip(*(rounded(column) for column in data[chosen].T), strict=True)),
        labels=y[chosen].astype(int).tolist(),
        certified=known,
        certified_width=width,
    )


def _on_plane(network: TwoLayerNet, centre: Array, axes: Array) -> TwoLayerNet:
    """Return the network of two inputs that f(centre + t axes) is as a function of t, shape (2,)."""
    weight = network.weight.detach().double().cpu().numpy()
    bias = network.bias.detach().double().cpu().numpy()
    return TwoLayerNet(
        torch.as_tensor(weight @ axes.T).to(network.weight),
        torch.as_tensor(bias + weight @ centre).to(network.bias),
        network.readout,
        negative_slope=network.negative_slope,
    )


def images(result: ExperimentResult) -> Images | None:
    """Return some training images, their perturbations and both predicted directions; None for other data.

    The perturbation is t_n r_n/ε, along ∇f(x_n; T), so that its sign does not depend on the target.  Each
    picture is divided by its largest entry in absolute value.
    """
    data, setting = result.dataset, result.setting
    side = math.isqrt(setting.dim)
    if not isinstance(result.config.data, _IMAGES) or side * side != setting.dim or setting.epsilon == 0:
        return None
    chosen = np.concatenate([np.flatnonzero(data.y == label)[:_IMAGES_A_CLASS] for label in (-1, 1)])
    pictures = {
        "sample": data.X[chosen],
        "perturbation": result.y_adv[chosen, None] * result.perturbations[chosen],
        "gradient": _direction(data, chosen, "gradient", setting.negative_slope),
        "paper": _direction(data, chosen, "paper", setting.negative_slope),
    }
    return Images(
        width=result.config.width,
        seed=result.config.seed,
        side=side,
        classes=[data.classes[int(label > 0)] for label in data.y[chosen]],
        pictures={name: [_picture(row) for row in rows] for name, rows in pictures.items()},
        cosines={
            name: cosines(pictures["perturbation"], pictures[name]).tolist() for name in ("gradient", "paper")
        },
    )


def _direction(data: Dataset, chosen: Array, kind: Literal["paper", "gradient"], slope: float) -> Array:
    directions = theory.perturbation_direction(X=data.X, y=data.y, kind=kind, negative_slope=slope)
    return np.asarray(directions[chosen])


def _picture(row: Array) -> list[float]:
    largest = float(np.abs(row).max())
    return [round(float(value) / largest, 3) if largest > 0 else 0.0 for value in row]
