"""Adversarial perturbations of a trained network, their target labels, and the data g is trained on.

torch is imported by the one function that needs it: most that read a configuration need none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from theory.setting import SCENARIOS, Scenario
from theory.validation import Array, as_labels, as_points, check_choice, check_integer, check_real

if TYPE_CHECKING:
    from empirics.model import TwoLayerNet

_BLOCK = 1 << 16  # entries
Targets = Literal["random", "balanced"]
TARGETS = ("random", "balanced")


@dataclass(frozen=True)
class Perturbations:
    """Perturbations r_n = ε t_n ∇f(x_n)/‖∇f(x_n)‖ and what they were made from.

    Attributes
    ----------
    R : array, shape (N, d), float64
        Rows of norm ε, or 0 where the gradient is exactly 0.
    gradients : array, shape (N, d), float64
        ∇f(x_n).
    num_zero : int
        Number of zero gradients.
    """

    R: Array
    gradients: Array
    num_zero: int


def draw_targets(count: int, *, kind: Targets = "random", rng: np.random.Generator) -> Array:
    """Draw target labels, independent of the data.

    Parameters
    ----------
    count : int
        N ≥ 1.
    kind : {"random", "balanced"}
        Independent and uniform on {−1, +1}, or a random order of as many −1 as +1 (one more +1 if N is
        odd), which removes the label imbalance that acts through g's bias.
    rng : numpy.random.Generator

    Returns
    -------
    array, shape (N,), float64

    Raises
    ------
    ValueError
        If `count` or `kind` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from empirics import draw_targets
    >>> draw_targets(6, kind="balanced", rng=np.random.default_rng(0)).sum()
    np.float64(0.0)
    """
    check_integer("count", count, minimum=1)
    check_choice("targets", kind, TARGETS)
    if kind == "random":
        return rng.choice([-1.0, 1.0], size=count)
    return rng.permutation(np.where(np.arange(count) < (count + 1) // 2, 1.0, -1.0))


def perturb(network: TwoLayerNet, X: Array, targets: Array, *, epsilon: float) -> Perturbations:
    """Return perturbations of norm ε towards the target labels, r_n = ε t_n ∇f(x_n)/‖∇f(x_n)‖.

    For every strictly increasing loss the direction is the same, so the loss does not enter.

    Parameters
    ----------
    network : TwoLayerNet
        f, trained.
    X : array, shape (N, d)
        Samples.
    targets : array, shape (N,)
        Target labels, −1 or +1.
    epsilon : float
        ε > 0.

    Returns
    -------
    Perturbations
        A zero gradient gives a zero perturbation and is counted, never normalised.

    Raises
    ------
    ValueError
        If ε is not positive, shapes disagree, or targets are not ±1.
    FloatingPointError
        If a gradient is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from empirics import TwoLayerNet, perturb
    >>> X, y = np.array([[3.0, 0.0], [-3.0, 1.0]]), np.array([1, -1])
    >>> network = TwoLayerNet.initialise(dim=2, width=100, seed=0)
    >>> R = perturb(network, X, [1, -1], epsilon=0.5).R
    >>> np.linalg.norm(R, axis=1).round(9)
    array([0.5, 0.5])
    """
    from empirics.model import as_array, input_tensor  # noqa: PLC0415

    epsilon = check_real("epsilon", epsilon, minimum=0, exclusive=True)
    points = input_tensor("X", X, network)
    targets = as_labels("targets", as_array("targets", targets), length=len(points))
    gradients = network.input_gradients(points).cpu().numpy()
    bad = np.flatnonzero(~np.isfinite(gradients).all(axis=1))
    if bad.size:
        msg = f"gradients of f must be finite, got {bad.size} that are not, the first at row {bad[0]}"
        raise FloatingPointError(msg)
    R = normalised(gradients, targets, epsilon=epsilon)
    return Perturbations(R, gradients, int((~gradients.any(axis=1)).sum()))


def normalised(directions: Array, targets: Array, *, epsilon: float) -> Array:
    """Return rows of norm ε along ± the directions, the sign that of the target; 0 where there is none."""
    made = np.empty(directions.shape)
    for rows in row_blocks(directions):
        # Scaled before squaring: a tiny gradient is still a direction.
        largest = np.abs(directions[rows]).max(axis=1, keepdims=True)
        scaled = directions[rows] / np.where(largest > 0, largest, 1.0)
        norms = np.linalg.norm(scaled, axis=1, keepdims=True)
        made[rows] = epsilon * targets[rows, None] * scaled / np.where(norms > 0, norms, 1.0)
    return made


def row_blocks(values: Array) -> Iterator[slice]:
    """Yield slices of rows that a cache holds with some temporary arrays."""
    step = max(1, _BLOCK // values.shape[1])
    return (slice(start, start + step) for start in range(0, len(values), step))


def adversarial_inputs(X: Array, R: Array, *, scenario: Scenario) -> Array:
    """Return the inputs of g: r_n in scenario "a", x_n + r_n in scenario "b".

    Parameters
    ----------
    X : array, shape (N, d)
        Clean samples x_n.
    R : array, shape (N, d)
        Perturbations r_n.
    scenario : {"a", "b"}

    Returns
    -------
    array, shape (N, d)

    Examples
    --------
    >>> from empirics import adversarial_inputs
    >>> adversarial_inputs([[1.0, 2.0]], [[0.5, 0.0]], scenario="b")
    array([[1.5, 2. ]])
    """
    check_choice("scenario", scenario, SCENARIOS)
    X, R = as_points("X", X, keep_float32=True), as_points("R", R, keep_float32=True)
    if X.shape != R.shape:
        msg = f"X and R must have one shape, got {X.shape} and {R.shape}"
        raise ValueError(msg)
    return R if scenario == "a" else X + R
