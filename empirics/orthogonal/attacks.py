"""Targeted perturbations of a trained network by projected gradient steps, within L2, L∞ and L0 balls.

The loss falls as y^adv f(x) rises, whatever the (strictly decreasing) loss is, so that the steps below need
no loss.  "gradient" makes the longest perturbations within a ball: L∞ steps follow the signs of ∇f, and L0
steps move one coordinate each.  "published" are the steps of the prior work, which keep the shape of ∇f.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from empirics.model import TwoLayerNet, as_array, as_inputs, as_tensor
from theory.orthogonal.perturbations import L0_STEP, NORMS, Norm, num_changed
from theory.validation import Array, as_labels, check_choice, check_integer, check_real

GradientSteps = Literal["gradient", "published"]
GRADIENT_STEPS = ("gradient", "published")

NUM_STEPS = 100  # of the published attack, each of ε/5
_STEPS_PER_RADIUS = 5
_BLOCK = 1 << 20  # pre-activations at a time, 8 MiB


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
    steps: GradientSteps = "gradient",
    box: float | None = None,
) -> Attack:
    """Perturb each point so that y^adv f rises, by projected steps; keep the best iterate of each point.

    With g = y^adv ∇f at the iterate.  "gradient": L2: ε/5 along g, projected on ‖r‖ ≤ ε.  L∞: ε/5 sgn g,
    clipped to |r_i| ≤ ε.  L0: at each step the untouched coordinate with the largest |g_i| moves by
    A sgn g_i, until k = ⌈εd⌉ coordinates are touched.  "published": L2: the same.  L∞: ε/5 g/‖g‖_∞, and r
    is rescaled to ‖r‖_∞ ≤ ε.  L0: k = ⌊εd⌋ steps, each of which touches one more coordinate, that with the
    largest |g_i|, and moves all touched ones by .3 A g_i/‖g‖_∞.  On a linear f both are
    `theory.orthogonal.limit_perturbations` with `steps` "steepest" and "published".

    Parameters
    ----------
    network : TwoLayerNet
        f, trained; the attack runs on its device.
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
    steps : {"gradient", "published"}
    box : float, optional
        b ≥ all |base_ni|: after each step x + r is clamped to [−b, b]^d, as published for uniform data with
        b = 1.

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
    published = check_choice("steps", steps, GRADIENT_STEPS) == "published"
    check_real("epsilon", epsilon, minimum=0, exclusive=True)
    check_real("amplitude", amplitude, minimum=0, exclusive=True)
    check_integer("num_steps", num_steps, minimum=1)
    if box is not None:
        largest = float(np.abs(base).max(initial=0.0))
        check_real("box", box, minimum=largest, exclusive=largest == 0)
    count = num_changed(epsilon, network.dim, whole=published) if norm == "L0" else num_steps
    X, t = (as_tensor(array, device=network.weight.device) for array in (base, targets))
    one = partial(_step, norm=norm, published=published, size=amplitude if norm == "L0" else epsilon)
    parts = torch.split(torch.arange(len(X), device=X.device), max(1, _BLOCK // network.width))
    found = [_climb(network, X[rows], t[rows], rows, one, count, box) for rows in parts]
    best, before, after = map(torch.cat, zip(*found, strict=True))
    num_zero = int((best == X).all(dim=1).sum())
    return Attack(X_adv=_array(best), before=_array(before), after=_array(after), num_zero=num_zero)


@torch.no_grad()
def _climb(
    network: TwoLayerNet,
    X: Tensor,
    t: Tensor,
    rows: Tensor,
    one: Callable[..., Tensor],
    count: int,
    box: float | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best points, and t f before and there.

    Most perturbations are too short for many neurons: where all keep their sides the gradient stays.
    """
    best, points, touched = X.clone(), X, torch.zeros_like(X, dtype=torch.bool)
    outputs, now = _outputs(network, X)
    G, above = torch.empty_like(X), ~now  # of no point is the gradient known
    before = after = t * outputs
    for _ in range(count):
        changed = (now != above).any(dim=1)
        G[changed], above = _gradients(network, now[changed], t[changed], rows[changed]), now
        points = X + one(points - X, G, touched)
        if box is not None:
            points = points.clamp(-box, box)
        outputs, now = _outputs(network, points)
        better = t * outputs > after
        best[better], after = points[better], torch.where(better, t * outputs, after)
    return best, before, after


def _step(R: Tensor, G: Tensor, touched: Tensor, *, norm: Norm, published: bool, size: float) -> Tensor:
    """Return the next perturbations; L0 marks what it touches."""
    if norm == "L0":
        chosen = G.abs().masked_fill(touched, -1.0).argmax(dim=1, keepdim=True)
        touched.scatter_(1, chosen, value=True)
        if published:
            return R + L0_STEP * size * torch.where(touched, _scaled(G), 0.0)
        return R.scatter_add(1, chosen, size * G.gather(1, chosen).sign())
    step = size / _STEPS_PER_RADIUS
    if norm == "L2":
        G = _scaled(G)  # before squaring: a tiny gradient is still a direction
        norms = torch.linalg.vector_norm(G, dim=1, keepdim=True)
        R = R + step * G / torch.where(norms > 0, norms, 1.0)
        lengths = torch.linalg.vector_norm(R, dim=1, keepdim=True)
    elif published:
        R = R + step * _scaled(G)
        lengths = R.abs().amax(dim=1, keepdim=True)
    else:
        return (R + step * G.sign()).clamp(-size, size)
    scale: Tensor = size / lengths.clamp(min=size)
    return R * scale


def _scaled(G: Tensor) -> Tensor:
    """Return rows over their largest |entry|; 0 where that is 0."""
    largest = G.abs().amax(dim=1, keepdim=True)
    return G / torch.where(largest > 0, largest, 1.0)


def _array(tensor: Tensor) -> Array:
    return np.asarray(tensor.cpu().numpy())


def _outputs(network: TwoLayerNet, X: Tensor) -> tuple[Tensor, Tensor]:
    """Return f(X), and which pre-activations are above 0."""
    hidden = torch.addmm(network.bias, X.to(network.weight.dtype), network.weight.T)
    above = hidden > 0
    hidden = torch.nn.functional.leaky_relu(hidden, network.negative_slope, inplace=True)
    return (hidden @ network.readout).double(), above


def _gradients(network: TwoLayerNet, above: Tensor, t: Tensor, rows: Tensor) -> Tensor:
    """Return t ∇f where these pre-activations are above 0."""
    slopes = torch.where(above, network.readout, network.negative_slope * network.readout)
    gradients = (slopes @ network.weight).double()
    bad = rows[~torch.isfinite(gradients).all(dim=1)]
    if len(bad):
        msg = (
            f"gradients of f must be finite, got {len(bad)} rows that are not, the first at row {int(bad[0])}"
        )
        raise FloatingPointError(msg)
    return t[:, None] * gradients
