"""The numbers a statement of the theory is about, and the conversion of training schedules to flow time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from theory.validation import (
    Array,
    as_labels,
    as_points,
    check_choice,
    check_integer,
    check_real,
    check_slope,
    data_by_keyword,
)

Scenario = Literal["a", "b"]
Loss = Literal["identity", "logistic", "squared", "exponential"]

SCENARIOS = ("a", "b")
LOSSES = ("identity", "logistic", "squared", "exponential")
# L = sup |ℓ'|, which scales how far a neuron can move.  Infinite: nothing follows from T alone, see
# `theory.displacement_bound` and `theory.weighted_kappa`.
LIPSCHITZ = {"identity": 1.0, "logistic": 1.0, "squared": math.inf, "exponential": math.inf}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One instance of the theory: sizes, slope, perturbation, times.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    dim: int  # d ≥ 1
    N: int  # number of training samples, ≥ 1
    width: int  # m ≥ 1
    negative_slope: float = 0.0  # γ in [0, 1)
    epsilon: float  # L2 norm of a perturbation, > 0, in the units of the data
    T_f: float  # flow time of f, ≥ 0; see `flow_time`
    T_g: float  # flow time of g, ≥ 0
    scenario: Scenario = "a"  # "a": perturbations alone; "b": samples plus perturbations
    loss: Loss = "identity"  # ℓ(s) = s, log(1 + e^s), (1 + s)²/2 or e^s, of s = −y f(x)

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, minimum=1)
        check_integer("N", self.N, minimum=1)
        check_integer("width", self.width, minimum=1)
        check_slope("negative_slope", self.negative_slope)
        check_real("epsilon", self.epsilon, minimum=0, exclusive=True)
        check_real("T_f", self.T_f, minimum=0)
        check_real("T_g", self.T_g, minimum=0)
        check_choice("scenario", self.scenario, SCENARIOS)
        check_choice("loss", self.loss, LOSSES)

    @property
    def lipschitz(self) -> float:
        """L = sup |ℓ'| of the loss; ∞ for the squared and the exponential loss."""
        return LIPSCHITZ[self.loss]


Setting.__init__ = data_by_keyword(Setting.__init__)  # type: ignore[method-assign]


def training_set(X: ArrayLike, y: ArrayLike, setting: Setting) -> tuple[Array, Array]:
    """Return points and labels as float64 arrays of the sizes that a setting says."""
    X = as_points("X", X, dim=setting.dim)
    if len(X) != setting.N:
        msg = f"X must have the {setting.N} rows that setting.N says, got {len(X)}"
        raise ValueError(msg)
    return X, as_labels("y", y, length=len(X))


def flow_time(learning_rate: float, num_steps: int, *, momentum: float = 0.0) -> float:
    """Return the flow time of gradient descent: the total weight with which a constant gradient acts.

    T = η Σ_{k=1}^{K} (1 − μ^k)/(1 − μ); without momentum T = η K.

    Parameters
    ----------
    learning_rate : float
        η ≥ 0.
    num_steps : int
        K ≥ 0.
    momentum : float in [0, 1)
        μ of heavy-ball momentum, as torch's ``SGD(momentum=μ)``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Source: `expressions.FLOW_TIME`; Derivation 6, (6.1).  For the identity loss the gradient's dependence on
    the outputs is nil, so this T is the one in every bound; with |ℓ'| ≤ 1 it is an upper one.  With an
    unbounded slope it bounds nothing by itself.

    Examples
    --------
    >>> from theory import flow_time
    >>> flow_time(0.1, 100), round(flow_time(0.1, 100, momentum=0.9), 4)
    (10.0, 91.0002)
    """
    rate = check_real("learning_rate", learning_rate, minimum=0)
    return rate * _steps_of_weight(num_steps, momentum)


def learning_rate_for(T: float, num_steps: int, *, momentum: float = 0.0) -> float:
    """Return the learning rate with which `num_steps` steps make up flow time T; inverse of `flow_time`.

    Parameters
    ----------
    T : float
        Flow time ≥ 0.
    num_steps : int
        K ≥ 1.
    momentum : float in [0, 1)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Source: `expressions.FLOW_TIME`; Derivation 6.

    Examples
    --------
    >>> from theory import learning_rate_for
    >>> learning_rate_for(10.0, 100)
    0.1
    """
    T = check_real("T", T, minimum=0)
    check_integer("num_steps", num_steps, minimum=1)
    return T / _steps_of_weight(num_steps, momentum)


def _steps_of_weight(num_steps: int, momentum: float) -> float:
    """Σ_{k=1}^{K} (1 − μ^k)/(1 − μ), summed as written: the closed form cancels for μ near 1."""
    check_integer("num_steps", num_steps, minimum=0)
    mu = check_slope("momentum", momentum)
    if mu == 0:
        return float(num_steps)
    total, weight = 0.0, 0.0
    for _ in range(num_steps):
        weight = 1 + mu * weight
        total += weight
    return total
