"""How far pre-activations move, in units of what the bound allows: measured and predicted.

|u_i(z; T) − u_i(z; 0)| ≤ |a_i| L T κ(z) for every neuron i and point z, so that the ratio of both sides lies
in [−1, 1].  In the lazy limit of the identity loss it is

    sgn(a_i) (1/N) Σ y_n φ'(u_i(x_n; 0)) (⟨x_n, z⟩ + 1) / κ(z),

a function of the initial weights.  Where the slope of the loss is not bounded, B(z) of
`theory.weighted_kappa` is in the place of L T κ(z).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import theory
from empirics.descent import Trained
from empirics.measure.result import ExperimentResult
from empirics.model import TwoLayerNet, activation_slopes, as_tensor, blocks
from empirics.record import NAMES, Count, Number, OfBoth, Record
from theory.validation import Array

EDGES = tuple(float(edge) for edge in np.linspace(-1, 1, 41))  # of the bins of the ratio
_POINTS = 60  # test points, evenly spread, at most
# Up to so many samples and from so many dimensions on `empirics.train` descends in float64, for the identity
# loss on the CPU, and rounds once.
FEW_SAMPLES, MANY_DIMENSIONS = 10_000, 15


class Displacements(Record, frozen=True, kw_only=True):
    """Pairs of neuron and point by the ratio of how far it moved there and its bound, bin by bin.

    Attributes
    ----------
    measured : list of int
    crossed : list of int
        Of these, those that changed sign.
    predicted : list of int or None
        None for another loss than identity.
    outside : int
        Pairs beyond the bound by more than rounding.
    blind : float or None
        Share of pairs whose rounding is as large as their bound, so that they say nothing.
    largest : float or None
        The largest |ratio|, less its rounding.
    difference : float or None
        Root mean square of measured − predicted, relative to predicted.
    """

    measured: list[Count]
    crossed: list[Count]
    predicted: list[Count] | None
    outside: Count
    blind: Number
    largest: Number
    difference: Number


class Drift(OfBoth[Displacements | None], frozen=True, kw_only=True):
    """Displacements in one pair of networks, None where nothing was trained."""

    width: Count
    seed: Count
    points: Count
    edges: list[float]

    def __post_init__(self) -> None:
        for network, counted in (("f", self.f), ("g", self.g)):
            for name in ("measured", "crossed", "predicted") if counted is not None else ():
                counts = getattr(counted, name)
                if counts is not None and len(counts) != len(self.edges) - 1:
                    msg = (
                        f"{network} must have one count a bin, got {len(counts)} for {len(self.edges)} edges"
                    )
                    raise ValueError(msg)


def drawn(widths: Sequence[int], seeds: Sequence[int]) -> set[tuple[int, int]]:
    """Return the widths and seeds whose networks are measured: the narrowest and the widest, first seed."""
    return {(widths[0], seeds[0]), (widths[-1], seeds[0])}


def measure(result: ExperimentResult) -> Drift:
    """Count the neurons of both networks by how far their pre-activations moved.

    Notes
    -----
    Source: Derivations 5 and 11.
    """
    setting, Z = result.setting, result.dataset.X_test
    Z = Z[np.linspace(0, len(Z) - 1, min(len(Z), _POINTS)).astype(int)]
    found: dict[str, Displacements | None] = {}
    for network in NAMES:
        side = result.side(network)
        inputs, trained = side.X, side.trained
        if np.isfinite(setting.lipschitz):
            reach = setting.lipschitz * trained.T * theory.kappa(Z, X=inputs)
        else:
            reach = theory.weighted_kappa(Z, X=inputs, weights=np.asarray(trained.sample_weights))
        pull = None
        if setting.loss == "identity":
            pull = (Z @ inputs.T + 1) * side.y / len(inputs)  # of sample n at z, per unit of readout and time
        found[network] = count(trained, Z, inputs, reach=reach, pull=pull) if (reach > 0).all() else None
    return Drift(
        **found, width=result.config.width, seed=result.config.seed, points=len(Z), edges=list(EDGES)
    )


@dataclass
class _Tally:
    """Counts over blocks of neurons."""

    measured: NDArray[np.int64]
    crossed: NDArray[np.int64]
    predicted: NDArray[np.int64]
    outside: int = 0
    blind: int = 0
    pairs: int = 0
    largest: float = 0.0
    missed: float = 0.0  # sum of squares of measured − predicted
    size: float = 0.0  # of predicted


@torch.no_grad()
def count(trained: Trained, Z: Array, inputs: Array, *, reach: Array, pull: Array | None) -> Displacements:
    """Count pairs of neuron and point by the ratio of what moved and what the bound allows.

    Parameters
    ----------
    trained : Trained
    Z : array, shape (Q, d)
    inputs : array, shape (N, d)
        What the network was trained on.
    reach : array, shape (Q,)
        B(z) > 0: the bound is |a_i| B(z).
    pull : array, shape (Q, N), optional
        (1/N) y_n (⟨x_n, z⟩ + 1), for the prediction; its flow time is `trained.T`.

    Returns
    -------
    Displacements
        A neuron without readout never moves and is not counted.
    """
    tally = _Tally(_nothing(), _nothing(), _nothing())
    device, dtype = trained.initial.weight.device, trained.initial.weight.dtype
    points = torch.as_tensor(np.column_stack([Z, np.ones(len(Z))]), device=device)
    samples = torch.as_tensor(np.column_stack([inputs, np.ones(len(inputs))]), dtype=dtype, device=device)
    lengths = torch.linalg.vector_norm(points, dim=1)
    limits = as_tensor(reach, device=device)
    pulls = None if pull is None else as_tensor(pull, device=device).to(dtype)
    unit = torch.finfo(dtype).eps
    # Each gradient is a sum over N samples.  The products here are in float64.
    roundings, stretch = relative_rounding(trained), 1 + (trained.num_samples + 4) * unit
    for part in blocks(trained.initial.width, len(points) + len(samples)):
        readout = trained.initial.readout[part].double()
        kept = readout != 0
        before, after = (_augmented(network, part)[kept] for network in (trained.initial, trained.final))
        readout = readout[kept]
        start, moved = points @ before.double().T, points @ (after.double() - before.double()).T
        allowed = limits[:, None] * readout.abs()
        sizes = torch.maximum(
            torch.linalg.vector_norm(before, dim=1), torch.linalg.vector_norm(after, dim=1)
        ).double()
        allowance = roundings * lengths[:, None] * sizes
        beyond = (moved.abs() - allowance).clamp(min=0)
        tally.blind += int((allowance >= allowed).sum())
        tally.pairs += allowed.numel()
        tally.outside += int((beyond > stretch * allowed).sum())
        tally.largest = max(tally.largest, float((beyond / allowed).max()) if kept.any() else 0.0)
        ratio = moved / allowed
        tally.measured += _histogram(ratio)
        tally.crossed += _histogram(ratio[(start > 0) != (start + moved > 0)])
        if pulls is not None:
            slopes = activation_slopes(samples @ before.T, trained.initial.negative_slope)
            law = trained.T * (pulls @ slopes).double() * torch.sign(readout) / limits[:, None]
            tally.predicted += _histogram(law)
            tally.missed += float(((ratio - law) ** 2).sum())
            tally.size += float((law**2).sum())
    return Displacements(
        measured=tally.measured.tolist(),
        crossed=tally.crossed.tolist(),
        predicted=None if pulls is None else tally.predicted.tolist(),
        outside=tally.outside,
        blind=tally.blind / tally.pairs if tally.pairs else None,
        largest=tally.largest,
        difference=(tally.missed / tally.size) ** 0.5 if tally.size else None,
    )


def relative_rounding(trained: Trained) -> float:
    """Return by how much of its size rounding may have moved a vector of weights (w, b).

    One rounding to the dtype of the network where training is in float64, which adds two a step of its own:
    flows, and descent at few samples (`FEW_SAMPLES`, `MANY_DIMENSIONS`).  Else one when a weight is drawn,
    one at the end, and two a step.
    """
    weight = trained.initial.weight
    unit, double = torch.finfo(weight.dtype).eps, torch.finfo(torch.float64).eps
    at_samples = (
        trained.loss == "identity"
        and weight.device.type == "cpu"
        and trained.num_samples <= FEW_SAMPLES
        and weight.shape[1] >= MANY_DIMENSIONS
    )
    if trained.solver == "flow" or at_samples:
        return unit + (2 + 2 * trained.num_steps) * double
    return (2 + 2 * trained.num_steps) * unit


def _nothing() -> NDArray[np.int64]:
    return np.zeros(len(EDGES) - 1, dtype=np.int64)


def _augmented(network: TwoLayerNet, part: slice) -> torch.Tensor:
    return torch.cat([network.weight[part], network.bias[part, None]], dim=1)


def _histogram(ratio: torch.Tensor) -> NDArray[np.int64]:
    """Count ratios bin by bin; what rounding moved beyond an end counts there."""
    bins = len(EDGES) - 1
    places = ((ratio.flatten() + 1) * (bins / 2)).floor().clamp(0, bins - 1).long()
    return np.asarray(torch.bincount(places, minlength=bins).cpu().numpy())
