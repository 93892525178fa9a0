"""The quantities that the theory predicts, measured on networks."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from empirics.descent import Trained
from empirics.model import TwoLayerNet, activation_slopes, as_tensor, blocks, input_tensor, threads_for
from empirics.perturb import row_blocks
from theory.setting import LIPSCHITZ
from theory.validation import Array, as_real

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class NeuronCounts:
    """Numbers of neurons at each query point, arrays of shape (Q,).

    Attributes
    ----------
    free : array
        |u_i(z, 0)| < |a_i| L T κ(z), or < |a_i| B(z) for a given `reach` B: those that could flip, by the
        theory.  0 where all of these are below the rounding of u_i(z, 0).
    flipped : array
        The sign of u_i(z, ·) after training differs from the initial one.
    flipped_not_free : array
        Flipped although not free, beyond rounding: the theory says 0.
    initial, final : array, float64
        f(z; 0) and f(z; T), as `evaluate` returns them: the pre-activations are at hand.
    """

    free: Counts
    flipped: Counts
    flipped_not_free: Counts
    initial: Array
    final: Array


def evaluate(network: TwoLayerNet, Z: Array) -> Array:
    """Return f(Z), shape (Q,), float64.

    Parameters
    ----------
    network : TwoLayerNet
    Z : array, shape (Q, d)

    Returns
    -------
    array, shape (Q,), float64

    Examples
    --------
    >>> from empirics import TwoLayerNet, evaluate
    >>> network = TwoLayerNet.initialise(dim=2, width=100, seed=0)
    >>> evaluate(network, [[3.0, 0.0], [0.0, 1.0]]).shape
    (2,)
    """
    return np.asarray(network.outputs(input_tensor("Z", Z, network)).cpu().numpy())


def accuracy(outputs: Array, y: Array) -> float:
    """Return the share of points with sgn f(z) = y; an output of 0 or NaN is wrong.

    Parameters
    ----------
    outputs : array, shape (Q,)
        f(z).
    y : array, shape (Q,)
        Labels −1 or +1.

    Returns
    -------
    float in [0, 1]

    Examples
    --------
    >>> from empirics import accuracy
    >>> accuracy([0.3, -2.0, 0.0, 1.0], [1, -1, 1, -1])
    0.5
    """
    outputs, y = _of_one_shape("outputs", outputs, "y", y)
    return float(np.mean(np.sign(outputs) == y))


def agreement(f: Array, g: Array) -> float:
    """Return the share of points with sgn f(z) = sgn g(z) ≠ 0.

    Parameters
    ----------
    f, g : arrays, shape (Q,)
        Outputs at the same points.

    Returns
    -------
    float in [0, 1]

    Examples
    --------
    >>> from empirics import agreement
    >>> agreement([0.3, -2.0, 0.0, 1.0], [5.0, -1.0, 1.0, -1.0])
    0.5
    """
    return float(np.mean(agrees(f, g)))


def agrees(f: Array, g: Array) -> NDArray[np.bool_]:
    """Return where sgn f(z) = sgn g(z) ≠ 0; False where either is 0 or NaN.

    Parameters
    ----------
    f, g : arrays, shape (Q,)
        Outputs at the same points.

    Returns
    -------
    array of bool, shape (Q,)
    """
    f, g = _of_one_shape("f", f, "g", g)
    return np.asarray((np.sign(f) * np.sign(g)) == 1)


def cosines(A: Array, B: Array) -> Array:
    """Return the cosine of each row of A with the same row of B, shape (N,); NaN where a row is 0.

    Parameters
    ----------
    A, B : arrays, shape (N, d)

    Returns
    -------
    array, shape (N,)

    Examples
    --------
    >>> from empirics import cosines
    >>> cosines([[1.0, 0.0], [0.0, 0.0]], [[2.0, 0.0], [1.0, 1.0]])
    array([ 1., nan])
    """
    A, B = _of_one_shape("A", A, "B", B)
    found = np.empty(len(A))
    for part in row_blocks(A):
        units = []
        for rows in (A[part], B[part]):
            largest = np.abs(rows).max(axis=1, keepdims=True)  # scaled before squaring
            scaled = np.divide(rows, largest, out=np.full(rows.shape, np.nan), where=largest > 0)
            units.append(scaled / np.linalg.norm(scaled, axis=1, keepdims=True))
        found[part] = np.sum(units[0] * units[1], axis=1)
    return found


@torch.no_grad()
def count_neurons(
    trained: Trained, Z: Array, kappa: Array | None = None, *, reach: Array | None = None
) -> NeuronCounts:
    """Count free and flipped neurons at each query point.

    Parameters
    ----------
    trained : Trained
    Z : array, shape (Q, d)
        Fixed independently of the initialisation, for the law of `theory.free_fraction`.
    kappa : array, shape (Q,), optional
        κ(z) of the inputs the network was trained on; only for losses of bounded slope.
    reach : array, shape (Q,), optional
        In its place any B(z) ≥ 0 with |u_i(z, t) − u_i(z, 0)| ≤ |a_i| B(z), ∞ included: for every loss
        ``theory.weighted_kappa(Z, X, trained.sample_weights)``, or `theory.displacement_bound`.  The
        former depends on the network, so that its counts obey no binomial law.

    Returns
    -------
    NeuronCounts

    Raises
    ------
    ValueError
        Unless one of `kappa` and `reach` is given, with the right shape; or if it is `kappa`, and the slope
        of the loss is not bounded.

    Notes
    -----
    Source: Derivations 5 and 11.

    Examples
    --------
    >>> import numpy as np
    >>> from empirics import TwoLayerNet, count_neurons, train
    >>> X, y = np.array([[3.0, 0.0], [-3.0, 1.0]]), np.array([1, -1])
    >>> trained = train(TwoLayerNet.initialise(dim=2, width=1000, seed=0), X, y, T=1.0, num_steps=10)
    >>> counts = count_neurons(trained, X, kappa=np.array([10.0, 10.0]))
    >>> counts.flipped_not_free
    array([0, 0])
    """
    before, after = trained.initial, trained.final
    points = input_tensor("Z", Z, before)
    limits = _reach(trained, len(Z), kappa, reach)
    # Beyond the largest number of the dtype a limit is infinite.
    reach_of_points = as_tensor(limits, device=points.device).to(points.dtype)
    # Rounding of a pre-activation: a (d + 1)-term product, and two roundings of each weight a step
    # (Higham, Accuracy and Stability, §3.1), relative to ‖(w, b)‖ ‖(z, 1)‖; the gradients themselves are sums
    # over N samples, which stretches how far a neuron can move.
    unit = torch.finfo(points.dtype).eps
    roundings = (before.dim + 2 + 2 * trained.num_steps) * unit
    stretch = 1 + (trained.num_samples + 4) * unit
    lengths = torch.sqrt((points**2).sum(dim=1) + 1)
    # Below the spacing of floats at a start a count would be one of starts that round to 0.
    seen = reach_of_points * before.readout.abs().max() > unit * lengths
    totals = torch.zeros(3, len(Z), dtype=torch.int64, device=points.device)
    outputs = torch.zeros(2, len(Z), dtype=torch.float64, device=points.device)
    with threads_for(work=points.numel() * before.width):
        for part in blocks(before.width, len(Z)):
            start, end = before.preactivations(points, part), after.preactivations(points, part)
            readout = before.readout[part].abs()
            limit = reach_of_points[:, None] * readout
            if (readout == 0).any():  # such a neuron never moves, whatever the limit
                limit = torch.where(readout > 0, limit, 0.0)
            # 1 and 0 in place of truth values, which torch is slow to make of floats.
            free = start.abs().lt_(limit)
            flipped = activation_slopes(start, 0.0).ne_(activation_slopes(end, 0.0))
            totals[0] += free.sum(dim=1).long() * seen
            totals[1] += flipped.sum(dim=1).long()
            outside = flipped.gt_(free)  # none beyond its limit is free
            if outside.amax() > 0:
                size = torch.sqrt((after.weight[part] ** 2).sum(dim=1) + after.bias[part] ** 2)
                size = torch.maximum(
                    size, torch.sqrt((before.weight[part] ** 2).sum(dim=1) + before.bias[part] ** 2)
                )
                point, neuron = outside.nonzero(as_tuple=True)
                allowed = stretch * limit[point, neuron] + roundings * lengths[point] * size[neuron]
                beyond = start[point, neuron].abs() > allowed
                totals[2] += torch.bincount(point[beyond], minlength=len(Z))
            outputs[0] += before.output_of(start, part)
            outputs[1] += after.output_of(end, part)
    return NeuronCounts(*totals.cpu().numpy(), *outputs.cpu().numpy())


def _reach(trained: Trained, num_points: int, kappa: Array | None, reach: Array | None) -> Array:
    """Return B(z) from whichever of the two was given, checked."""
    if (kappa is None) == (reach is None):
        msg = f"count_neurons takes kappa or reach, got {'neither' if kappa is None else 'both'}"
        raise ValueError(msg)
    if kappa is not None:
        L = LIPSCHITZ[trained.loss]
        if not math.isfinite(L):
            msg = (
                f"kappa needs a loss of bounded slope, got {trained.loss}; pass "
                "reach=theory.weighted_kappa(Z, X, trained.sample_weights)"
            )
            raise ValueError(msg)
        name, limits = "kappa", L * trained.T * as_real("kappa", kappa, finite=False)
    else:
        name, limits = "reach", as_real("reach", reach, finite=False)  # type: ignore[arg-type]  # given
    if limits.shape != (num_points,) or not (limits >= 0).all():
        least = limits.min() if limits.size else "nothing"
        msg = f"{name} must have shape ({num_points},) and be >= 0, got shape {limits.shape}, least {least}"
        raise ValueError(msg)
    return limits


def _of_one_shape(first: str, one: Array, second: str, other: Array) -> tuple[Array, Array]:
    one, other = as_real(first, one, finite=False), as_real(second, other, finite=False)
    if one.shape != other.shape:
        msg = f"{first} and {second} must have one shape, got {one.shape} and {other.shape}"
        raise ValueError(msg)
    return one, other
