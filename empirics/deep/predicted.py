"""A network on its training data, with two predictions of it: its wide limit, and the module linearised."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from empirics.deep.builtin import make_module
from empirics.deep.config import DeepConfig
from empirics.deep.modules import (
    Linearised,
    checked_problem,
    input_gradients,
    linearise,
    outputs,
    train_module,
)
from empirics.deep.network import DeepNetwork
from empirics.model import as_tensor
from empirics.perturb import adversarial_inputs, normalised
from theory import agreement_probability
from theory.deep import Architecture, nngp, ntk
from theory.deep.kernels import diagonal, product, weighted_gradient
from theory.lazy.losses import SLOPE
from theory.lazy.solvers import descent
from theory.setting import learning_rate_for
from theory.times.velocity import velocity
from theory.validation import Array

_DRAWS = 1000  # untrained networks, whose shares of agreement vary by .1 or so: their mean by .003


class Network:
    """A network of one architecture on its training data, with what is predicted of it."""

    def __init__(
        self,
        architecture: Architecture | str,
        X: Array,
        y: Array,
        Z: Array,
        config: DeepConfig,
        seed: int,
        T: float | None = None,
    ) -> None:
        self.architecture, self.X, self.y, self.Z, self.config = architecture, X, y, Z, config
        dim, width = X.shape[1], config.width
        self.module: nn.Module
        if isinstance(architecture, Architecture):
            self.module = DeepNetwork(architecture, dim=dim, width=width, seed=seed)
            self.rates: dict[str, float] | None = self.module.rates
        else:
            self.module, self.rates = make_module(architecture, dim=dim, width=width, seed=seed), None
            checked_problem(self.module, X, y)
        self.start = self.at(self.module, Z)
        self.T = self._time_of(config.times) if T is None else T

    def perturbed(self, directions: Array, targets: Array, seed: int, T: float | None) -> Network:
        """Return g on perturbations of the samples along directions, such as the input gradients of f."""
        config = self.config
        R = normalised(directions, targets, epsilon=config.length(self.X.shape[1]))
        inputs = adversarial_inputs(self.X, R, scenario=config.scenario)
        return Network(config.g, inputs, targets, self.Z, config, seed, T)

    @cached_property
    def _scales(self) -> tuple[float, float]:
        """The median initial size of outputs (of modules: root mean square) and their median velocity."""
        if isinstance(self.architecture, Architecture):
            size, speed = np.median(self.deviation), velocity(self.Z, self.X, self.y, self.architecture)
        else:
            size = np.sqrt(np.mean(self.start**2))
            lazy = linearise(self.module, self.X, self.y, rates=self.rates)
            speed = np.asarray(lazy.velocity(self.Z).numpy())
        return float(size), float(np.median(np.abs(speed)))

    def _time_of(self, times: float) -> float:
        """Return the flow time in which outputs grow by so many times the initial size."""
        size, speed = self._scales
        T = times * (size / speed) if speed else math.inf
        if not 0 < T < math.inf:
            msg = (
                f"the flow time must be positive and finite, got {T:g}: at the test points the network "
                f"starts at {size:.3g} and moves by a median of {speed:.3g} a time; give T_f and T_g"
            )
            raise ValueError(msg)
        return T

    @property
    def times(self) -> float:
        """How many times the initial size outputs grow by, in the median."""
        size, speed = self._scales
        return self.T * (speed / size) if size else math.inf

    @property
    def _training(self) -> dict[str, Any]:
        """How it is trained, as `train_module` and `linearise` take it."""
        config = self.config
        schedule = {"T": self.T, "num_steps": config.num_steps, "momentum": config.momentum}
        # What is not trained is the same with any loss.
        return {**schedule, "loss": config.loss if self.T else "identity", "rates": self.rates}

    @cached_property
    def trained(self) -> nn.Module:
        """The network after training."""
        return train_module(self.module, self.X, self.y, **self._training)

    @cached_property
    def end(self) -> Array:
        """f(z; T)."""
        return self.at(self.trained, self.Z)

    @property
    def change(self) -> Array:
        """f(z; T) − f(z; 0)."""
        return self.end - self.start

    def at(self, module: nn.Module, Z: Array) -> Array:
        """Return outputs of a module."""
        values = np.asarray(outputs(module, Z).numpy())
        if not np.isfinite(values).all():
            msg = "training diverged: outputs are not finite"
            raise FloatingPointError(msg)
        return values

    def active(self, module: nn.Module) -> NDArray[np.bool_]:
        """Return which neurons of fully connected networks are active at the test points."""
        assert isinstance(module, DeepNetwork)
        return np.asarray(module.active(as_tensor(self.Z, dtype=torch.float32)).numpy())

    def gradients(self, module: nn.Module) -> Array:
        """Return ∇f at the samples."""
        return np.asarray(input_gradients(module, self.X).numpy())

    # The module linearised
    @cached_property
    def lazy(self) -> Linearised:
        """The module linearised, in the direction of its training."""
        return linearise(self.module, self.X, self.y, **self._training)

    @cached_property
    def lazy_change(self) -> Array:
        """T J(z) v."""
        return np.asarray(self.T * self.lazy.velocity(self.Z).numpy())

    def lazy_at(self, points: Array) -> Array:
        """Return what the module linearised gives at points."""
        return self.at(self.module, points) + self.T * np.asarray(self.lazy.velocity(points).numpy())

    # The wide limit, of fully connected networks
    @property
    def wide(self) -> Architecture:
        """The architecture, which has a wide limit."""
        assert isinstance(self.architecture, Architecture)
        return self.architecture

    @cached_property
    def deviation(self) -> Array:
        """The standard deviation of f(z; 0)."""
        return np.asarray(np.sqrt(diagonal(self.Z, self.wide).covariance[0]))

    def wide_product(self, weights: Array) -> Array:
        """Return Θ(z, X) times weights."""
        return np.asarray(product(self.Z, self.X, weights, self.wide, "tangent"))

    @cached_property
    def _signed_kernel(self) -> Array:
        return np.asarray(ntk(self.X, architecture=self.wide) * np.outer(self.y, self.y) / len(self.y))

    def wide_weights(self, initial: Array) -> Array:
        """Return β_n y_n/N of networks of infinite width with the given f(X; 0), one a row."""
        config, margins = self.config, self.y * initial
        if config.loss == "identity" or self.T == 0:
            beta = np.full_like(margins, self.T)
        else:
            step = learning_rate_for(self.T, config.num_steps, momentum=config.momentum)
            slope = SLOPE[config.loss]
            beta = descent(self._signed_kernel, margins, step, config.num_steps, config.momentum, slope)
        return np.asarray(beta * self.y / len(self.y))

    @cached_property
    def own_weights(self) -> Array:
        """`wide_weights` of this network."""
        return np.asarray(self.wide_weights(self.at(self.module, self.X)[None])[0])

    @cached_property
    def wide_change(self) -> Array:
        """The limit of f(z; T) − f(z; 0) given f(X; 0)."""
        return self.wide_product(self.own_weights)

    @cached_property
    def wide_pull(self) -> Array:
        """The limit of ∇f(x; T) − ∇f(x; 0) at the samples, given f(X; 0)."""
        return np.asarray(weighted_gradient(self.X, self.X, self.own_weights, self.wide))

    def wide_agreement(self, f: Array, seed: int) -> float:
        """Return the mean chance that the signs of f are those of a network of infinite width, any of them.

        f(·; 0) is Gaussian.  With the identity and the squared loss f(z; T) is affine in it, hence Gaussian;
        with the others the mean is one over draws.
        """
        config, N = self.config, len(self.X)
        if config.loss == "identity":
            chance = agreement_probability(f, self.wide_change, self.deviation, T_g=1.0)
            return float(np.mean(chance))
        K = nngp(np.concatenate([self.X, self.Z]), architecture=self.wide)
        to_Z = ntk(self.Z, self.X, architecture=self.wide)
        if config.loss == "squared":
            from_zero = self.wide_weights(np.zeros((1, N)))
            affine = np.hstack([to_Z @ (self.wide_weights(np.eye(N)) - from_zero).T, np.eye(len(self.Z))])
            variance = np.einsum("qn,nq->q", affine @ K, affine.T)
            deviation = np.sqrt(np.maximum(variance, np.finfo(np.float64).tiny))
            return float(np.mean(agreement_probability(f, to_Z @ from_zero[0], deviation, T_g=1.0)))
        values, vectors = np.linalg.eigh(K)
        root = vectors * np.sqrt(np.maximum(values, 0))
        drawn = np.random.default_rng(seed).standard_normal((_DRAWS, len(K))) @ root.T
        ends = drawn[:, N:] + self.wide_weights(drawn[:, :N]) @ to_Z.T
        return float(np.mean(np.sign(ends) == np.sign(f)))
