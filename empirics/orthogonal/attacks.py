"""Targeted perturbations of a trained network by projected gradient steps, within L2, L∞ and L0 balls.

The loss falls as y^adv f(x) rises, whatever the (strictly decreasing) loss is, so that the steps below need
no loss: L2 steps follow the normalised gradient, L∞ steps its signs, L0 steps add the untouched coordinate
with the largest gradient.  How far an L0 step moves its coordinate was not published; here it is an argument.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from empirics.model import TwoLayerNet, as_array, as_inputs, as_tensor
from theory.orthogonal.perturbations import NORMS, Norm, num_changed
from theory.validation import Array, as_labels, check_choice, check_integer, check_real

NUM_STEPS = 100  # of the published attack, each of ε/5
_STEPS_PER_RADIUS = 5


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Perturbed points, and what the attack did to the outputs.

    Attributes
    ----------
    X_adv : array, shape (N, d)
        x_n + r_n with the best r_n that was met.
    before, after : array, shape (N,)
        y^adv_n f at x_n and at the perturbed point; never smaller after.
    num_zero : int
        Points where the attack met no gradient and left r_n = 0.
    """

    X_adv: Array
    before: Array
    after: Array
    num_zero: int


def attack(
    network: TwoLayerNet,
    base: Array,
    targets: Array,
    *,
    norm: Norm,
    epsilon: float,
    amplitude: float = 1.0,
    num_steps: int = NUM_STEPS,
) -> Attack:
    """Perturb each point so that y^adv f rises, by projected steps; keep the best iterate of each point.

    L2: ε/5 along ∇f, projected on ‖r‖ ≤ ε.  L∞: ε/5 sgn ∇f, clipped to |r_i| ≤ ε.  L0: at each step the
    untouched coordinate with the largest |∂f/∂x_i| moves by y^adv A sgn ∂f/∂x_i, until k = ⌈εd⌉ coordinates
    are touched.  On a linear f this is `theory.orthogonal.limit_perturbations`.

    Parameters
    ----------
    network : TwoLayerNet
        f, trained.
    base : array, shape (N, d)
    targets : array, shape (N,)
        y^adv, −1 or +1.
    norm : {"L2", "Linf", "L0"}
    epsilon : float
        Radius > 0, units of the data; for L0 the share of coordinates, in (0, 1].
    amplitude : float
        A > 0, for L0 only: how far a step moves its coordinate, units of the data.
    num_steps : int
        Of L2 and L∞, at least 1; L0 makes k steps.

    Returns
    -------
    Attack

    Raises
    ------
    ValueError
        If a shape, a target or an argument breaks its rule.
    FloatingPointError
        If a gradient is not finite.

    Notes
    -----
    The radius is kept up to the rounding of r = x_adv − x; L0 changes at most k coordinates, exactly.
    """
    base = as_inputs("base", base, network).astype(np.float64, copy=False)
    targets = as_labels("targets", as_array("targets", targets), length=len(base))
    check_choice("norm", norm, NORMS)
    check_real("epsilon", epsilon, minimum=0, exclusive=True)
    check_real("amplitude", amplitude, minimum=0, exclusive=True)
    check_integer("num_steps", num_steps, minimum=1)
    if norm == "L0":
        path = _coordinates(network, base, targets, num_changed(epsilon, network.dim), amplitude)
    else:
        path = _projected(network, base, targets, norm, epsilon, num_steps)
    before = targets * _outputs(network, base)
    best, after = base.copy(), before.copy()
    for points in path:
        reached = targets * _outputs(network, points)
        better = reached > after
        best[better], after[better] = points[better], reached[better]
    return Attack(X_adv=best, before=before, after=after, num_zero=int((best == base).all(axis=1).sum()))


def _projected(
    network: TwoLayerNet, base: Array, targets: Array, norm: Norm, epsilon: float, num_steps: int
) -> Iterator[Array]:
    R = np.zeros_like(base)
    for _ in range(num_steps):
        G = targets[:, None] * _gradients(network, base + R)
        if norm == "Linf":
            R = np.clip(R + epsilon / _STEPS_PER_RADIUS * np.sign(G), -epsilon, epsilon)
        else:
            R = R + epsilon / _STEPS_PER_RADIUS * _unit(G)
            R *= np.minimum(1.0, epsilon / np.maximum(np.linalg.norm(R, axis=1, keepdims=True), epsilon))
        yield base + R


def _coordinates(
    network: TwoLayerNet, base: Array, targets: Array, count: int, size: float
) -> Iterator[Array]:
    points, untouched = base.copy(), np.ones(base.shape, dtype=bool)
    rows = np.arange(len(base))
    for _ in range(count):
        G = targets[:, None] * _gradients(network, points)
        chosen = np.where(untouched, np.abs(G), -1.0).argmax(axis=1)
        points[rows, chosen] += size * np.sign(G[rows, chosen])
        untouched[rows, chosen] = False
        yield points.copy()


def _unit(G: Array) -> Array:
    largest = np.abs(G).max(axis=1, keepdims=True)
    scaled = G / np.where(largest > 0, largest, 1.0)  # before squaring: a tiny gradient is still a direction
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1.0))


def _tensor(network: TwoLayerNet, X: Array) -> torch.Tensor:
    return as_tensor(X, dtype=network.weight.dtype, device=network.weight.device)


def _outputs(network: TwoLayerNet, X: Array) -> Array:
    return np.asarray(network.outputs(_tensor(network, X)).cpu().numpy())


def _gradients(network: TwoLayerNet, X: Array) -> Array:
    gradients = np.asarray(network.input_gradients(_tensor(network, X)).cpu().numpy())
    bad = np.flatnonzero(~np.isfinite(gradients).all(axis=1))
    if bad.size:
        msg = f"gradients of f must be finite, got {bad.size} rows that are not, the first at row {bad[0]}"
        raise FloatingPointError(msg)
    return gradients
