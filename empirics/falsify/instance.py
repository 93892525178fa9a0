"""An instance of the theory, data with a point and a schedule, and networks trained on it in float64.

With the identity loss neurons do not interact: n networks of width m are trained as one of n m neurons.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from empirics.descent import train
from empirics.model import TwoLayerNet
from theory import f_predict
from theory.setting import Setting
from theory.validation import Array, as_labels, as_points, as_real, check_integer, check_real, check_slope

# Descent steps that stand in for a flow.
FLOW_STEPS = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """Data, a point, and a training schedule (identity loss, full batch).

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    X: Array  # training points, shape (N, d)
    y: Array  # their labels, −1 or +1, shape (N,)
    z: Array  # the point at which the inequality is evaluated, shape (d,)
    T: float  # flow time, > 0
    width: int  # m ≥ 1
    negative_slope: float = 0.0  # γ in [0, 1)
    num_steps: int = FLOW_STEPS  # of gradient descent, ≥ 1
    momentum: float = 0.0  # μ in [0, 1)

    def __post_init__(self) -> None:
        X = as_points("X", self.X)
        z = as_real("z", self.z)
        if z.ndim != 1:
            msg = f"z must have shape (d,), got {z.shape}"
            raise ValueError(msg)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", as_labels("y", self.y, length=len(X)))
        object.__setattr__(self, "z", as_points("z", z[None], dim=X.shape[1])[0])
        check_real("T", self.T, minimum=0, exclusive=True)
        check_integer("width", self.width, minimum=1)
        check_slope("negative_slope", self.negative_slope)
        check_integer("num_steps", self.num_steps, minimum=1)
        check_slope("momentum", self.momentum)

    @property
    def N(self) -> int:  # noqa: N802
        """The number of training samples."""
        return len(self.X)

    @property
    def dim(self) -> int:
        """The input dimension d."""
        return int(self.X.shape[1])

    @property
    def Z(self) -> Array:  # noqa: N802
        """The point z as a row, shape (1, d), as functions of `theory` want it."""
        return self.z[None]

    @property
    def setting(self) -> Setting:
        """The numbers of f's training; those of g, which is not trained here, are T_g = 0 and ε = √d."""
        return Setting(
            dim=self.dim,
            N=self.N,
            width=self.width,
            negative_slope=self.negative_slope,
            epsilon=math.sqrt(self.dim),
            T_f=self.T,
            T_g=0.0,
        )

    @property
    def f_b(self) -> float:
        """The predicted velocity f_b(z), `theory.f_predict`."""
        return float(f_predict(self.Z, X=self.X, y=self.y, negative_slope=self.negative_slope)[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    """n networks of width m before and after training, as seen at z: arrays of shape (n, m).

    Attributes
    ----------
    start, end : array
        Pre-activations u_i(z; 0) and u_i(z; T).
    readout : array
        a_i.
    rounding : array
        Bound on the rounding of `end` − `start`.
    negative_slope : float
    """

    start: Array
    end: Array
    readout: Array
    rounding: Array
    negative_slope: float

    @property
    def outputs(self) -> tuple[Array, Array]:
        """f(z; 0) and f(z; T), each of shape (n,)."""
        slope = self.negative_slope
        before, after = (
            np.sum(self.readout * np.maximum(u, slope * u), axis=1) for u in (self.start, self.end)
        )
        return before, after


def train_ensemble(instance: Instance, rng: np.random.Generator, n: int) -> Ensemble:
    """Train n networks from independent initialisations w ~ N(0, I/d), b ~ N(0, 1), a ~ N(0, 1/m).

    One call of `empirics.train` on n m neurons: with the identity loss a neuron's training depends on
    no other neuron.

    Parameters
    ----------
    instance : Instance
    rng : numpy.random.Generator
    n : int

    Returns
    -------
    Ensemble

    Raises
    ------
    FloatingPointError
        If training diverged.
    """
    total = n * instance.width
    network = TwoLayerNet(
        torch.from_numpy(rng.standard_normal((total, instance.dim)) / math.sqrt(instance.dim)),
        torch.from_numpy(rng.standard_normal(total)),
        torch.from_numpy(rng.standard_normal(total) / math.sqrt(instance.width)),
        negative_slope=instance.negative_slope,
    )
    X, y, z = (torch.tensor(array) for array in (instance.X, instance.y, instance.z))
    trained = train(network, X, y, T=instance.T, num_steps=instance.num_steps, momentum=instance.momentum)
    with torch.no_grad():
        values, sizes = [], []
        for net in (trained.initial, trained.final):
            values.append((net.weight @ z + net.bias).numpy())
            sizes.append(torch.hypot(torch.linalg.vector_norm(net.weight, dim=1), net.bias).numpy())
    # A (d + 1)-term product, and two roundings of each weight a step (Higham, Accuracy and Stability, §3.1).
    roundings = (instance.dim + 2 + 2 * instance.num_steps) * np.finfo(np.float64).eps
    length = math.hypot(1.0, *instance.z)
    shape = (n, instance.width)
    return Ensemble(
        start=values[0].reshape(shape),
        end=values[1].reshape(shape),
        readout=network.readout.numpy().reshape(shape),
        rounding=2 * roundings * length * np.maximum(*sizes).reshape(shape),
        negative_slope=instance.negative_slope,
    )
