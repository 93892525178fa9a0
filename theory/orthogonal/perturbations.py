"""Perturbations of samples along a direction s: of given Euclidean, maximal or sparse size.

x_n^adv = x_n + t_n ρ e with one unit vector e and one length ρ for all samples, t_n the target labels::

    L2    ρ e = ε s/‖s‖
    Linf  ρ e = ε sgn s                             (0 where s_i = 0)
    L0    ρ e = A sgn s on the k = ⌈εd⌉ coordinates with the largest |s_i|, 0 elsewhere

For L0 ε is the *share* of coordinates that may change, and A (1 by default) how much each of them changes.
Of equal |s_i| the earlier coordinate comes first.

These are the longest steps along s within the balls.  The published attack, followed on the linear map
⟨s, ·⟩, ends elsewhere (``steps="published"``)::

    Linf  ρ e = ε s/‖s‖_∞
    L0    ρ e = .3 A (k − j + 1) s_i/‖s‖_∞ where |s_i| is the j-th largest, j = 1 … k = ⌊εd⌋, 0 elsewhere
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from theory.validation import Array, as_labels, as_points, as_real, check_choice, check_real

Norm = Literal["L2", "Linf", "L0"]
NORMS = ("L2", "Linf", "L0")
Steps = Literal["steepest", "published"]
STEPS = ("steepest", "published")
L0_STEP = 0.3  # of the published L0 attack: how far the coordinate with the largest gradient moves, over A


def limit_perturbations(
    base: ArrayLike,
    direction: ArrayLike,
    targets: ArrayLike,
    *,
    norm: Norm = "L2",
    epsilon: float,
    amplitude: float = 1.0,
    steps: Steps = "steepest",
    box: float | None = None,
) -> Array:
    """Return perturbed samples base_n + r_n, r_n = t_n ρ e; the perturbations are the result minus `base`.

    Parameters
    ----------
    base : array, shape (N, d)
        What is perturbed: natural samples or noise.  Zeros give the perturbations alone.
    direction : array, shape (d,)
        s, for example `limit_direction(X, y, ...)`; not 0.
    targets : array, shape (N,)
        t_n, −1 or +1.
    norm : {"L2", "Linf", "L0"}
    epsilon : float
        L2, Linf: the norm of r_n, ≥ 0, in units of the data.  L0: the share of coordinates, in [0, 1].
    amplitude : float
        A ≥ 0, for L0 only: the change of each chosen coordinate, in units of the data.
    steps : {"steepest", "published"}
        Which ρ e.
    box : float, optional
        b ≥ all |base_ni|: base_n + r_n is clamped to [−b, b]^d.

    Returns
    -------
    array, shape (N, d), float64

    Raises
    ------
    ValueError
        If shapes disagree, the direction is 0, or an argument is out of range.

    Notes
    -----
    Source: published (prior work); the value of a changed coordinate for L0 by "steepest" is this package's
    convention.  Derivation 15, steps 6 and 9.  In a box the published L0 attack of base_n ∈ [−b, b]^d ends
    here, exactly; L2 and Linf give other coordinates back what a box takes (step 9).

    Examples
    --------
    >>> from theory.orthogonal import limit_perturbations
    >>> limit_perturbations([[5.0, 0.0]], [3.0, 4.0], [-1], epsilon=1.0).round(4)
    array([[ 4.4, -0.8]])
    >>> limit_perturbations([[0.5, 0.0]], [3.0, 4.0], [1], norm="L0", epsilon=1.0, steps="published", box=0.6)
    array([[0.6, 0.6]])
    """
    base = as_points("base", base)
    targets = as_labels("targets", targets, length=len(base))
    unit, length = unit_step(
        direction, base.shape[1], norm=norm, epsilon=epsilon, amplitude=amplitude, steps=steps
    )
    perturbed = np.asarray(base + targets[:, None] * (length * unit))
    if box is None:
        return perturbed
    largest = float(np.abs(base).max(initial=0.0))
    bound = check_real("box", box, minimum=largest, exclusive=largest == 0)
    return np.clip(perturbed, -bound, bound)


def unit_step(
    direction: ArrayLike,
    dim: int,
    *,
    norm: Norm,
    epsilon: float,
    amplitude: float = 1.0,
    steps: Steps = "steepest",
) -> tuple[Array, float]:
    """Return e, a unit vector of shape (dim,) (or 0 if nothing may change), and ρ ≥ 0."""
    s = as_real("direction", direction)
    if s.shape != (dim,):
        msg = f"direction must have shape ({dim},), one entry a coordinate, got {s.shape}"
        raise ValueError(msg)
    largest = float(np.abs(s).max())
    if largest == 0:
        msg = f"direction must not be 0, got {dim} zeros"
        raise ValueError(msg)
    check_choice("norm", norm, NORMS)
    published = check_choice("steps", steps, STEPS) == "published"
    size = check_real("epsilon", epsilon, minimum=0)
    s = np.ldexp(s, -int(np.frexp(largest)[1]))  # exact, and its norm cannot overflow
    step = s if norm == "L2" else s / np.abs(s).max() if published else np.sign(s)
    if norm == "L0":
        count = num_changed(size, dim, whole=published)
        size = check_real("amplitude", amplitude, minimum=0)
        ranked = np.argsort(-np.abs(s), kind="stable")
        step[ranked[count:]] = 0.0
        if published:
            step[ranked[:count]] *= L0_STEP * np.arange(count, 0, -1)
    length = float(np.linalg.norm(step))
    return (step / length if length else step), size if norm == "L2" else size * length


def num_changed(share: float, dim: int, *, whole: bool = False) -> int:
    """Return k = ⌈share · d⌉, forgiving the rounding of the product: 0.07 of 100 coordinates are 7.

    With `whole` it is ⌊share · d⌋, as published, which may be 0.

    Raises
    ------
    ValueError
        If the share, which is ε for L0, is above 1.
    """
    if share > 1:
        msg = f"epsilon must be <= 1 for L0, a share of coordinates, got {share}"
        raise ValueError(msg)
    if whole:
        return math.floor(share * dim * (1 + 1e-12))
    return min(dim, math.ceil(share * dim * (1 - 1e-12)))
