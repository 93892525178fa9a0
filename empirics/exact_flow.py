"""Gradient flow of the identity loss, exactly: no step size, one event after the other.

With the identity loss neurons do not interact, dw̃_i/dt = a_i (1/N) Σ_n y_n φ'(u_i(x_n)) x̃_n, x̃ = (x, 1), and
between sign changes of its pre-activations a neuron moves on a straight line.  Derivation 14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from empirics.descent import Trained, parameters_of, with_parameters
from empirics.events import COUNTS, STUCK, UNSOLVED, follow_all
from empirics.model import TwoLayerNet, as_array, as_inputs
from empirics.samples import compressed, distinct, neurons_in_blocks
from theory.kernel import threads
from theory.validation import Array, as_labels, check_increasing


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Networks along one trajectory of gradient flow, and what it cost.

    Attributes
    ----------
    trained : tuple of Trained
        One a time.
    crossings, stops, departures : int
        Events over all neurons: kinks crossed; kinks at which one began to slide; kinks left after sliding.
    looks : int
        How often a neuron looked at all its samples.
    distinct : int
        Number of distinct samples.
    """

    trained: tuple[Trained, ...]
    crossings: int
    stops: int
    departures: int
    looks: int
    distinct: int


def flow(
    network: TwoLayerNet, X: ArrayLike | Tensor, y: ArrayLike | Tensor, *, T: float | Sequence[float]
) -> Flow:
    """Follow gradient flow of the identity loss to one or more times of one trajectory.

    Loss (1/N) Σ_n −y_n f(x_n), weights and biases trained, readout frozen.  A solution in the sense of
    Filippov: where both sides of a kink push towards it, the neuron slides, and φ'(0) takes the value in
    [γ, 1] that keeps it there.  Where several kinks are met at one moment solutions need not be
    unique, and rounding decides between them: with ties between samples, and wherever the samples on which a
    neuron slides have another one in their span, so that its kink is met at the same moment.  Three samples
    on a line are enough for that, as are d + 1 samples to slide on (Derivation 14).

    Parameters
    ----------
    network : TwoLayerNet
        Left as it is; the flow starts from its weights in float64 and ends in its dtype.
    X : array, shape (N, d)
        Of numpy, torch or what else numpy reads.
    y : array, shape (N,)
        Labels, −1 or +1.
    T : float or sequence of float
        One or more flow times ≥ 0, increasing.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        If shapes disagree or the times do not increase.
    FloatingPointError
        If a pre-activation or an inner product can leave float64, events pile up without time between them,
        which only ties between samples can cause, the velocity on the kinks where a neuron is was not found,
        or rounding hides whether a kink is met until the last time, for which forces or times must be large.

    Examples
    --------
    >>> import numpy as np
    >>> from empirics import TwoLayerNet, flow
    >>> X, y = np.array([[3.0, 0.0], [-3.0, 1.0]]), np.array([1, -1])
    >>> network = TwoLayerNet.initialise(dim=2, width=1000, seed=0)
    >>> flow(network, X, y, T=2.0).trained[0]
    Trained(dim=2, width=1000, negative_slope=0, T=2, num_steps=0, loss='identity', solver='flow')
    """
    points = as_inputs("X", X, network).astype(np.float64, copy=False)
    times = check_increasing("T", T)
    inputs, labels = distinct(points, as_labels("y", as_array("y", y), length=len(points)))
    parameters, readout = (
        values.detach().cpu().double().numpy() for values in (parameters_of(network), network.readout)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        longest = np.sqrt((inputs**2).sum(axis=1)).max(initial=0.0)
        reach = (
            longest**2 * np.abs(readout).max() * times[-1] + longest * np.abs(parameters).sum(axis=1).max()
        )
        if not np.isfinite(reach):
            msg = f"flow must stay within float64, got samples of norm {longest:g} and T = {times[-1]:g}"
            raise FloatingPointError(msg)
    basis, coordinates = compressed(inputs)
    ends = np.empty((len(times), *parameters.shape))
    clock = np.asarray(times)

    def follow_block(part: slice) -> np.ndarray:
        starts = _preactivations(parameters[part], inputs)
        ways, events, undecided, why = follow_all(
            coordinates, labels, network.negative_slope, starts, readout[part], clock
        )
        if undecided >= 0:
            neuron = part.start + undecided
            what = {
                STUCK: f"events of neuron {neuron} with no time between them (ties)",
                UNSOLVED: f"neuron {neuron} on kinks where no shortest velocity was found",
            }.get(why, f"neuron {neuron} whose path to T = {times[-1]:g} rounding hides")
            msg = f"flow must be decided, got {what}"
            raise FloatingPointError(msg)
        ends[:, part] = parameters[part] + readout[part, None] * (ways if basis is None else ways @ basis)
        return np.asarray(events)

    blocks = neurons_in_blocks(network.width, len(labels))
    counts = np.sum(threads.run(follow_block, blocks), axis=0) if len(labels) else np.zeros(len(COUNTS))
    if not len(labels):
        ends[:] = parameters
    trained = tuple(
        Trained(
            initial=network,
            final=with_parameters(network, torch.as_tensor(end).to(network.weight)),
            T=time,
            num_steps=0,
            learning_rate=0.0,
            momentum=0.0,
            loss="identity",
            num_samples=len(points),
            solver="flow",
            sample_weights=np.full(len(points), time),
        )
        for time, end in zip(times, ends, strict=True)
    )
    return Flow(trained=trained, **dict(zip(COUNTS, map(int, counts), strict=True)), distinct=len(labels))


def _preactivations(parameters: Array, inputs: Array) -> Array:
    """Return ⟨w̃_i, x̃_k⟩, exact sums where rounding could have changed the side of a kink."""
    products: Array = parameters @ inputs.T
    sizes, lengths = np.abs(parameters).max(axis=1), np.abs(inputs).sum(axis=1)
    rounding = inputs.shape[1] * np.finfo(np.float64).eps
    for i, k in np.argwhere(np.abs(products) < rounding * sizes[:, None] * lengths):
        pairs = zip(parameters[i].tolist(), inputs[k].tolist(), strict=True)
        products[i, k] = float(sum(Fraction(w) * Fraction(x) for w, x in pairs))
    return products
