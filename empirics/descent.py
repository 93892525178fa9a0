"""Full-batch gradient descent on the hidden layer, with or without heavy-ball momentum.

The gradients are written out, so that no graph is kept and neurons can be trained in blocks.  With the
identity loss neurons do not interact, and a block is trained to the end before the next one starts; with
other losses every step needs the outputs of the whole network first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from empirics.config import Solver
from empirics.model import (
    TwoLayerNet,
    activation_slopes,
    as_array,
    as_tensor,
    blocks,
    input_tensor,
    largest_of,
    threads_for,
)
from empirics.samples import compressed, distinct, merged, neurons_in_blocks
from empirics.steps import descend_all
from theory.kernel import threads
from theory.setting import LOSSES, Loss, flow_time, learning_rate_for
from theory.validation import Array, as_labels, check_choice, check_integer, check_real, check_slope

# Samples at most, and columns of (x, 1) at least, for which descent follows the pre-activations at the
# samples in place of products with the data.
_FEW_SAMPLES = 10_000
_MANY_FEATURES = 16
# Samples from which the Gram matrix of a network in float32 is in float32 too: it waits for memory there.
_MANY_SAMPLES = 4096
_MODERATE = 1e15  # inner products of such entries stay far from overflow in float32
_LARGE = 1e300  # sums of products of samples and weights stay below, far from overflow

# ℓ'(s) of s = −y f(x), in torch: `theory.lazy.losses.SLOPE` is the same in numpy.
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": torch.ones_like,
    "logistic": torch.sigmoid,
    "squared": lambda s: 1 + s,
    "exponential": torch.exp,
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Trained:
    """A network before and after training, and the schedule between.

    Attributes
    ----------
    initial, final : TwoLayerNet
        They share the readout.
    T : float
        Flow time.  For descent `theory.flow_time(learning_rate, num_steps, momentum=momentum)`.
    num_steps : int
        How often the parameters were updated: steps of descent; for a flow those of its integrator, or 0.
    learning_rate, momentum : float
        Of descent; 0 for a flow.
    loss : {"identity", "logistic", "squared", "exponential"}
    num_samples : int
        N.
    solver : {"gd", "flow"}
        Gradient descent or gradient flow.
    sample_weights : array, shape (N,), or None
        β_n, the total weight with which sample n acted, Σ η |ℓ'(−y_n f(x_n))| with momentum included, or
        ∫ |ℓ'| dt for a flow; None if not recorded.  `theory.weighted_kappa(Z, X, β)` limits every neuron:
        Derivation 11.
    """

    initial: TwoLayerNet
    final: TwoLayerNet
    T: float
    num_steps: int
    learning_rate: float
    momentum: float
    loss: Loss
    num_samples: int
    solver: Solver = "gd"
    sample_weights: Array | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        network, momentum = self.initial, f", momentum={self.momentum:g}" if self.momentum else ""
        what = f"dim={network.dim}, width={network.width}, negative_slope={network.negative_slope:g}"
        how = f"T={self.T:g}, num_steps={self.num_steps}{momentum}"
        return f"Trained({what}, {how}, loss={self.loss!r}, solver={self.solver!r})"


def train(
    network: TwoLayerNet,
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    T: float,
    num_steps: int,
    momentum: float = 0.0,
    loss: Loss = "identity",
) -> Trained:
    """Train weights and biases by full-batch gradient descent of total flow time T.

    Minimises (1/N) Σ_n ℓ(−y_n f(x_n)) with ℓ(s) = s, log(1 + e^s), (1 + s)²/2 or e^s.  Step:
    v ← μ v + gradient, parameters ← parameters − η v, as torch's ``SGD(momentum=μ)``.

    Parameters
    ----------
    network : TwoLayerNet
        Left as it is.
    X : array, shape (N, d)
        Of numpy, torch or what else numpy reads; rounded to the network's dtype, and on its device.
    y : array, shape (N,)
        Labels, −1 or +1.
    T : float
        Flow time ≥ 0; the learning rate is `theory.learning_rate_for(T, num_steps, momentum=momentum)`.
    num_steps : int
        At least 1.
    momentum : float in [0, 1)
        μ.
    loss : {"identity", "logistic", "squared", "exponential"}

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.
    FloatingPointError
        If a slope of the loss overflows, or a parameter is no longer finite after training.

    Examples
    --------
    >>> import numpy as np
    >>> from empirics import TwoLayerNet, train
    >>> X, y = np.array([[3.0, 0.0], [-3.0, 1.0]]), np.array([1, -1])
    >>> network = TwoLayerNet.initialise(dim=2, width=1000, seed=0)
    >>> train(network, X, y, T=2.0, num_steps=10)
    Trained(dim=2, width=1000, negative_slope=0, T=2, num_steps=10, loss='identity', solver='gd')
    """
    rate = learning_rate_for(T, num_steps, momentum=momentum)
    path = train_path(network, X, y, learning_rate=rate, steps=(num_steps,), momentum=momentum, loss=loss)
    return replace(path[0], T=T)


@torch.no_grad()
def train_path(
    network: TwoLayerNet,
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    learning_rate: float,
    steps: Sequence[int],
    momentum: float = 0.0,
    loss: Loss = "identity",
) -> tuple[Trained, ...]:
    """Train by full-batch gradient descent at one learning rate; return the network after several steps.

    One trajectory: the result for k steps is that of k steps alone, and the cost that of the last one.

    Parameters
    ----------
    network, X, y, momentum, loss
        As for `train`.
    learning_rate : float
        η ≥ 0.
    steps : sequence of int
        Increasing, each ≥ 0.

    Returns
    -------
    tuple of Trained
        One for each entry of `steps`, with T = `theory.flow_time(learning_rate, k, momentum=momentum)`.

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.
    FloatingPointError
        If a slope of the loss overflows, or a parameter is not finite at one of `steps`.

    Notes
    -----
    With the identity loss, up to 10,000 samples in at least 15 dimensions and on the CPU, the same steps are
    taken in float64 by the Gram matrix of the samples (`empirics.steps`) and rounded to the network's dtype
    at the end; otherwise all is computed in that dtype.  Above 4096 samples the matrix itself is in the
    network's dtype: at 10,000 it takes 400 MB in float32.

    Examples
    --------
    >>> import numpy as np
    >>> from empirics import TwoLayerNet, train_path
    >>> X, y = np.array([[3.0, 0.0], [-3.0, 1.0]]), np.array([1, -1])
    >>> network = TwoLayerNet.initialise(dim=2, width=1000, seed=0)
    >>> path = train_path(network, X, y, learning_rate=0.1, steps=[5, 20])
    >>> [trained.T for trained in path]
    [0.5, 2.0]
    """
    points, labels = as_problem(X, y, network)
    check_choice("loss", loss, LOSSES)
    rate = check_real("learning_rate", learning_rate, minimum=0)
    check_slope("momentum", momentum)
    counts = [check_integer("steps", count, minimum=0) for count in steps]
    if not counts or any(after <= before for before, after in pairwise(counts)):
        msg = f"steps must be increasing and not empty, got {list(steps)}"
        raise ValueError(msg)
    if rate > torch.finfo(network.weight.dtype).max:
        msg = f"training diverged: a step of {rate:g} is beyond {network.weight.dtype}"
        raise FloatingPointError(msg)

    schedule = _Schedule(rate, counts, momentum)
    times = [flow_time(rate, count, momentum=momentum) for count in counts]
    inputs, parameters = augmented(points), parameters_of(network)
    with threads_for(work=inputs.numel() * network.width):
        if loss == "identity" and _at_samples_pays(inputs, parameters):
            snapshots = _at_samples(parameters, network, points, labels, schedule)
            weights = [np.full(len(labels), time) for time in times]
        elif loss == "identity":
            snapshots = _independent(parameters, network, inputs, labels, schedule)
            weights = [np.full(len(labels), time) for time in times]
        else:
            snapshots, weights = _coupled(parameters, network, inputs, labels, schedule, loss)
    results = []
    for count, time, snapshot, weight in zip(counts, times, snapshots, weights, strict=True):
        if not math.isfinite(largest_of(snapshot)):
            msg = f"training diverged: parameters not finite after {count} steps of {rate:g}"
            raise FloatingPointError(msg)
        trained = Trained(
            initial=network,
            final=with_parameters(network, snapshot),
            T=time,
            num_steps=count,
            learning_rate=rate,
            momentum=momentum,
            loss=loss,
            num_samples=len(points),
            sample_weights=weight,
        )
        results.append(trained)
    return tuple(results)


def as_problem(X: ArrayLike | Tensor, y: ArrayLike | Tensor, network: TwoLayerNet) -> tuple[Tensor, Tensor]:
    """Return samples and labels, of any library, in the dtype of a network and on its device."""
    points = input_tensor("X", X, network)
    labels = as_labels("y", as_array("y", y), length=len(points))
    return points, as_tensor(labels, dtype=points.dtype, device=points.device)


def augmented(X: Tensor) -> Tensor:
    """Return the x̃ = (x, 1), shape (N, d + 1)."""
    return torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype, device=X.device)], dim=1)


def parameters_of(network: TwoLayerNet) -> Tensor:
    """Return a copy of the (w_i, b_i), shape (m, d + 1)."""
    return torch.cat([network.weight.detach(), network.bias.detach()[:, None]], dim=1)


def with_parameters(network: TwoLayerNet, parameters: Tensor) -> TwoLayerNet:
    """Return a network with these (w_i, b_i) and the readout and slope of `network`."""
    return TwoLayerNet(
        parameters[:, :-1].contiguous(),
        parameters[:, -1].contiguous(),
        network.readout,
        negative_slope=network.negative_slope,
    )


@dataclass(frozen=True)
class _Schedule:
    rate: float
    counts: list[int]  # steps at which to take snapshots, increasing
    momentum: float


def _at_samples_pays(inputs: Tensor, parameters: Tensor) -> bool:
    """Whether to follow the pre-activations at all samples: it costs less than products, and none overflows.

    Independent of the number of steps, so that a network after k steps is the same whatever comes after, and
    of the machine: two ways differ in rounding.
    """
    n, dim = inputs.shape
    if inputs.device.type != "cpu" or n > _FEW_SAMPLES or dim < _MANY_FEATURES:
        return False
    # Squares of what is large overflow where the numbers themselves do not.
    largest, start = (largest_of(values) for values in (inputs, parameters))
    return dim * largest * max(n * largest, start) < _LARGE


def _at_samples(
    parameters: Tensor, network: TwoLayerNet, X: Tensor, y: Tensor, schedule: _Schedule
) -> list[Tensor]:
    """Identity loss, in float64, by the Gram matrix of the samples; rounded to the dtype at the end."""
    inputs, labels = distinct(X.double().numpy(), y.double().numpy())
    if not len(labels):  # all labels cancel
        return [parameters.clone() for _ in schedule.counts]
    basis, coordinates = compressed(inputs)
    rows = coordinates
    if len(labels) > _MANY_SAMPLES and parameters.dtype == torch.float32 and np.abs(inputs).max() < _MODERATE:
        rows = coordinates.astype(np.float32)
    gram = rows @ rows.T
    labelled = labels[:, None] * coordinates
    whole = labelled.sum(axis=0)
    readout = network.readout.double().numpy()
    stops = np.asarray(schedule.counts)
    ends = [torch.empty_like(parameters) for _ in stops]

    def descend(part: slice) -> None:
        start = parameters[part].double().numpy()
        before = start @ inputs.T
        # Of all neurons together: the products of one are slower, and with few steps most of the work.
        active = (before > 0).astype(np.float64)
        forces = (1 - network.negative_slope) * (active @ labelled) + network.negative_slope * whole
        ways = descend_all(
            rows,
            gram,
            labels,
            network.negative_slope,
            before,
            forces,
            forces @ coordinates.T,
            readout[part],
            schedule.rate,
            schedule.momentum,
            stops,
        )
        moves = ways if basis is None else ways @ basis
        moves *= readout[part, None]
        moves += start
        for end, moved in zip(ends, moves, strict=True):
            end[part] = torch.as_tensor(moved)

    threads.run(descend, neurons_in_blocks(network.width, len(inputs)))
    return ends


def _independent(
    parameters: Tensor, network: TwoLayerNet, inputs: Tensor, y: Tensor, schedule: _Schedule
) -> list[Tensor]:
    """Identity loss: −gradient of neuron i is (a_i/N) Σ_n y_n φ'(u_i(x_n)) (x_n, 1)."""
    weighted = inputs * (y / len(y))[:, None]
    snapshots = [*(torch.empty_like(parameters) for _ in schedule.counts[1:]), parameters]
    for part in blocks(network.width, len(inputs)):
        block = parameters[part]
        readout = network.readout[part, None]
        velocity = torch.zeros_like(block)
        done = 0
        for snapshot, count in zip(snapshots, schedule.counts, strict=True):
            for _ in range(count - done):
                slopes = activation_slopes(inputs @ block.T, network.negative_slope, inplace=True)
                velocity.mul_(schedule.momentum).add_(slopes.T @ weighted)
                block.addcmul_(readout, velocity, value=schedule.rate)
            done = count
            snapshot[part] = block
    return snapshots


def _coupled(
    parameters: Tensor, network: TwoLayerNet, inputs: Tensor, y: Tensor, schedule: _Schedule, loss: Loss
) -> tuple[list[Tensor], list[Array]]:
    """Other losses: sample n weighs ℓ'(−y_n f(x_n)), in float64; return snapshots and sample weights.

    Equal samples with equal labels have equal weights: each is followed once.
    """
    N = len(y)
    first, where = merged(torch.cat([inputs, y[:, None]], dim=1).cpu().numpy())
    inputs, y = inputs[first], y[first]
    shares = torch.as_tensor(np.bincount(where) / N).to(y)
    velocity = torch.zeros_like(parameters)
    slope = network.negative_slope
    snapshots: list[Tensor] = []
    totals: list[Array] = []
    # How much of |ℓ'| a step adds, and what was added: the recursion of the parameters, sample by sample.
    pull = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    total = torch.zeros_like(pull)
    parts = list(blocks(network.width, len(inputs)))
    for step in range(schedule.counts[-1] + 1):
        if step == schedule.counts[len(snapshots)]:
            snapshots.append(parameters.clone())
            totals.append(total.cpu().numpy()[where])
        if step == schedule.counts[-1]:
            break
        outputs = torch.zeros_like(pull)
        for part in parts:
            hidden = torch.nn.functional.leaky_relu(inputs @ parameters[part].T, slope, inplace=True)
            outputs += (hidden @ network.readout[part]).double()
        slopes_of_loss = SLOPES[loss](-y * outputs)
        if not bool(torch.isfinite(slopes_of_loss).all()):
            msg = (
                f"training diverged: slope of the {loss} loss not finite after {step} steps of "
                f"{schedule.rate:g} (margins from {float((y * outputs).min()):g})"
            )
            raise FloatingPointError(msg)
        pull.mul_(schedule.momentum).add_(slopes_of_loss.abs())
        total.add_(pull, alpha=schedule.rate)
        weights = y * slopes_of_loss.to(y.dtype)
        weighted = inputs * (weights * shares)[:, None]
        for part in parts:
            if len(parts) > 1:  # else it is at hand, with the signs of the pre-activations
                hidden = inputs @ parameters[part].T
            slopes = activation_slopes(hidden, slope, inplace=True)
            velocity[part] = schedule.momentum * velocity[part] + slopes.T @ weighted
            parameters[part].addcmul_(network.readout[part, None], velocity[part], value=schedule.rate)
    return snapshots, totals
