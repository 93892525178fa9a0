"""How far f(z; T)/T can be from f_b(z), with every constant: the margin theorem.

    |f(z; T)/T − f_b(z)| ≤ start + flips       with probability at least 1 − δ over the initialisation.

*start* is the initial network and the fluctuation of its kernel, *flips* the neurons that change their
activation.  Flips are bounded in two ways: every neuron that could flip (gradient descent and flow), or, for
flow, by what is left after a neuron and the one with the opposite readout have cancelled.  Derivations 8, 9.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.bound import Assumption, Bound
from theory.bounds.moments import (
    QUIET,
    bernstein,
    fourth_moment,
    initial_tail,
    second_moment,
    start_tail,
)
from theory.bounds.speeds import EPS, Speeds
from theory.setting import Setting, training_set
from theory.validation import Array, as_points, check_choice, check_probability, data_by_keyword

Dynamics = Literal["descent", "flow"]
DYNAMICS = ("descent", "flow")
# The part of δ for the flips; the start is the larger error and gets the rest.
FLIPS_RISK = 0.2
# Elementary functions of positive numbers: a few dozen roundings, far below this.
SLACK = 1e-9


class Problem(NamedTuple):
    """Checked arguments, as the bounds of one network at time T use them."""

    at: Speeds  # at the query points
    samples: Speeds  # at the training points
    width: int
    T: float

    @classmethod
    def of(cls, at: Speeds, setting: Setting, network: Literal["f", "g"]) -> Problem:
        """Return the problem of a network of this width and time."""
        return cls(at, at.samples, setting.width, setting.T_f if network == "f" else setting.T_g)

    @property
    def reach(self) -> float:
        """R = T/√m: how far a neuron of readout 1/√m moves at speed 1."""
        return self.T / math.sqrt(self.width)


@QUIET
def initial_bound(Z: ArrayLike, setting: Setting, delta: float) -> Bound:
    """Return A₀(z), which |f(z; 0)| exceeds with probability at most δ.

    **Statement.**  A₀ = min over λ of (1/λ){log(2/δ) + m log(½[(1−λ²s²/m)^{−1/2} + (1−λ²s²γ²/m)^{−1/2}])}.

    **Assumptions.**  Gaussian initialisation of the paper; z fixed independently of it.

    **Derivation.**  Derivation 8, step 1: given the pre-activations f(z; 0) is Gaussian, so that its moment
    generating function is that of φ(u)², exactly; Chernoff's bound on both sides.

    **Checked by.**  tests/test_theory/test_bounds/test_margin.py.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    setting : Setting
        Width and slope.
    delta : float in (0, 1)

    Returns
    -------
    Bound
        One value a point.

    Raises
    ------
    ValueError
        If an entry is not finite or δ is out of range.

    Examples
    --------
    >>> from theory import Setting, initial_bound
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> initial_bound([[2.0, 1.0]], setting, 0.01).value.round(3)
    array([4.496])
    """
    Z = as_points("Z", Z, dim=setting.dim, or_one=True)
    risk = check_probability("delta", delta)
    scale = Speeds(Z, Z[:1], np.ones(1), setting.negative_slope).scale
    tail = initial_tail(scale, setting.negative_slope, setting.width, risk / 2)
    return Bound({"initial network": tail * (1 + SLACK)}, risk, _GAUSSIAN)


@QUIET
@data_by_keyword
def kernel_bound(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    network: Literal["f", "g"] = "f",
) -> Bound:
    """Return A₁(z), the fluctuation of the kernel at initialisation around its mean f_b(z).

    **Statement.**  With q_i = φ'(u_i(z)) (1/N) Σ_n y_n k(x_n, z) φ'(u_i(x_n)) at initialisation,
    |Σ_i a_i² q_i − f_b(z)| ≤ A₁ = √(6Vt/m) + 2v(z)t/m with probability ≥ 1 − δ, t = log(2/δ), V = E q².

    **Assumptions.**  Gaussian initialisation; z fixed independently of it.

    **Derivation.**  Derivation 8, step 1: (2j − 1)!! ≤ (j!/2)·3·2^{j−2}, and Bernstein's inequality.

    **Checked by.**  tests/test_theory/test_bounds/test_margin.py, test_moments.py.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
        Training points and labels of the network.
    setting : Setting
    delta : float in (0, 1)
    network : {"f", "g"}
        Whose time to use (this bound does not depend on it).

    Returns
    -------
    Bound

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or δ is out of range.

    Examples
    --------
    >>> from theory import Setting, kernel_bound
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> kernel_bound([[2.0, 1.0]], **data, setting=setting, delta=0.01).value.round(4)
    array([0.006])
    """
    problem = problem_of(Z, X, y, setting, network)
    risk = check_probability("delta", delta)
    value = bernstein(3 * problem.at.second_moment, 2 * problem.at.largest, problem.width, risk / 2)
    return Bound({"kernel fluctuation": value * (1 + SLACK)}, risk, _GAUSSIAN)


@QUIET
@data_by_keyword
def flip_bound(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    network: Literal["f", "g"] = "f",
) -> Bound:
    """Return A₂(z): the most that neurons which change their activation can add to f(z; T)/T.

    **Statement.**  With probability ≥ 1 − δ, |f(z; T) − f(z; 0) − T Σ_i a_i² q_i| ≤ T A₂,
    A₂ = (1−γ)(v S(τ) + (1/N) Σ_n |k_n| S(τ_n) + √(2νt/m) + 2Wt/m), t = log(1/δ), W = v + κ,
    ν = (v √S₂(τ) + (1/N) Σ_n |k_n| √S₂(τ_n))², τ = T v(z)/(s(z)√m), τ_n = T v(x_n)/(s(x_n)√m).

    **Assumptions.**  Identity loss; full batch, any non-negative step weights of total T (descent with
    momentum, flow); Gaussian initialisation; z fixed independently of it.

    **Derivation.**  Derivation 8, step 3.

    **Checked by.**  tests/test_theory/test_bounds/test_margin.py, against trained networks.

    Parameters
    ----------
    Z, X, y, setting, delta, network
        As in `kernel_bound`; T is that of the network.

    Returns
    -------
    Bound

    Raises
    ------
    ValueError
        As `kernel_bound`.

    Examples
    --------
    >>> from theory import Setting, flip_bound
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> flip_bound([[2.0, 1.0]], **data, setting=setting, delta=0.01).value.round(4)
    array([0.109])
    """
    problem = problem_of(Z, X, y, setting, network)
    risk = check_probability("delta", delta)
    return Bound(_inflate(flip_terms(problem, risk)), risk, _assumptions(setting, "descent"))


@QUIET
@data_by_keyword
def drift_bound(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    network: Literal["f", "g"] = "f",
) -> Bound:
    """Return M(z) + F(z), which replaces A₂ for gradient flow: bias and fluctuation of flips.

    **Statement.**  For gradient flow, |f(z; T) − f(z; 0) − T Σ_i a_i² q_i| ≤ T(M + F) with probability
    ≥ 1 − δ; M and F as in Derivation 9.  M = O(κ³T²/m + κ k_max T/(N√m)), without the T/√m of A₂.

    **Assumptions.**  Identity loss; gradient flow (any solution with φ' ∈ [γ, 1] on a kink); Gaussian
    initialisation; z fixed independently of it.  Not descent with finite steps.

    **Derivation.**  Derivation 9: neurons with readouts a and −a move oppositely, and cancel to first order.

    **Checked by.**  tests/test_theory/test_bounds/test_margin.py, against descent with small steps.

    Parameters
    ----------
    Z, X, y, setting, delta, network
        As in `flip_bound`.

    Returns
    -------
    Bound

    Raises
    ------
    ValueError
        As `kernel_bound`.

    Examples
    --------
    >>> from theory import Setting, drift_bound
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> drift_bound([[2.0, 1.0]], **data, setting=setting, delta=0.01).value.round(4)
    array([0.0034])
    """
    problem = problem_of(Z, X, y, setting, network)
    risk = check_probability("delta", delta)
    return Bound(_inflate(drift_terms(problem, risk / 2)), risk, _assumptions(setting, "flow"))


@QUIET
@data_by_keyword
def margin_bound(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    network: Literal["f", "g"] = "f",
    dynamics: Dynamics = "descent",
    sides: Literal[1, 2] = 2,
) -> Bound:
    """Return a bound of |f(z; T)/T − f_b(z)| that fails with probability at most δ.

    **Statement.**  With probability ≥ 1 − δ over the initialisation, for each point z by itself,
    |f(z; T)/T − f_b(z)| ≤ start + flips.  So |f_b(z)| > start + flips implies sgn f(z; T) = sgn f_b(z).
    One-sided: the same for (f_b(z) − f(z; T)/T) sgn f_b(z) alone, which is what a sign needs.

    **Assumptions.**  Identity loss, full batch, no weight decay, frozen readout, Gaussian initialisation, z
    fixed independently of it.  ``"descent"``: any non-negative step weights of total T, momentum and flow
    included.  ``"flow"``: gradient flow only.  Exact arithmetic of the training; not minibatches.

    **Derivation.**  Derivation 8 (start, flips) and 9 (flips of a flow).

    **Checked by.**  tests/test_theory/test_bounds/test_margin.py: no violation beyond δ in trained networks.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
        Query points.
    X, y : arrays, shapes (N, d) and (N,)
        Training points of the network and their labels; for g the points it is trained on.
    setting : Setting
        Width, slope, times and loss; ``setting.N`` and ``setting.dim`` must be those of `X`.
    delta : float in (0, 1)
        Failure probability at each point.
    network : {"f", "g"}
        Whether T is T_f or T_g.
    dynamics : {"descent", "flow"}
    sides : {1, 2}

    Returns
    -------
    Bound
        Terms of shape (Q,): "initial network and kernel", "flips" or "drift" and "flip fluctuation", and
        "rounding" of f_b and of the terms.  Infinite where an assumption is known to fail.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or an argument is out of range.

    Examples
    --------
    >>> from theory import Setting, margin_bound
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> margin_bound([[2.0, 1.0]], **data, setting=setting, delta=0.01).value.round(3)
    array([0.619])
    """
    check_choice("dynamics", dynamics, DYNAMICS)
    if sides not in (1, 2):
        msg = f"sides must be 1 or 2, got {sides!r}"
        raise ValueError(msg)
    problem = problem_of(Z, X, y, setting, network)
    return bound_of(problem, setting, check_probability("delta", delta), dynamics, sides)


@QUIET
def bound_of(problem: Problem, setting: Setting, risk: float, dynamics: Dynamics, sides: int) -> Bound:
    """Return `margin_bound` of checked arguments."""
    terms: dict[str, Array] = {
        "initial network and kernel": _start(problem, problem.at.mean, (1 - FLIPS_RISK) * risk, sides)
    }
    terms |= moving_terms(problem, risk, dynamics, sides)
    terms["rounding"] = 2 * problem.at.rounding + 8 * EPS * problem.at.kappa
    return Bound(_inflate(terms), risk, _assumptions(setting, dynamics))


def moving_terms(problem: Problem, risk: float, dynamics: Dynamics, sides: int = 1) -> dict[str, Array]:
    """Return what moving neurons change at most, by the better one of two bounds at each point."""
    flips = flip_terms(problem, FLIPS_RISK * risk)
    if dynamics != "flow":
        return flips
    # A₂ bounds the sum of sizes, and so both sides at once; M + F bounds one side.
    drift = drift_terms(problem, FLIPS_RISK * risk / sides)
    better = sum(drift.values()) < flips["flips"]
    terms = {name: np.where(better, value, 0.0) for name, value in drift.items()}
    return terms | {"flips": np.where(better, 0.0, flips["flips"])}


# Terms ---------------------------------------------------------------------------------------------


def _start(problem: Problem, mean: Array, risk: float, sides: int) -> Array:
    """Return the initial network and the kernel fluctuation, over T: Derivation 8, step 2."""
    if problem.T == 0:
        return np.full(len(problem.at.Z), np.inf)
    tails = [
        start_tail(
            mean=sign * np.abs(mean),
            variance=problem.at.second_moment,
            largest=problem.at.largest,
            scale=problem.at.scale,
            slope=problem.at.slope,
            width=problem.width,
            T=problem.T,
            risk=risk / sides,
        )
        for sign in ((-1,) if sides == 1 else (-1, 1))
    ]
    return np.asarray(np.max(tails, axis=0) / problem.T)


def flip_terms(problem: Problem, risk: float) -> dict[str, Array]:
    """Every neuron that could flip does: Derivation 8, step 3."""
    at, samples, R = problem.at, problem.samples, problem.reach
    tau, tau_n = R * at.largest / at.scale, R * samples.largest / samples.scale
    mean = at.largest * second_moment(tau) + at.shares @ second_moment(tau_n)
    root = at.largest * np.sqrt(fourth_moment(tau)) + at.shares @ np.sqrt(fourth_moment(tau_n))
    scale = 2 * (at.largest + at.kappa)
    return {"flips": (1 - at.slope) * (mean + bernstein(root**2, scale, problem.width, risk))}


def drift_terms(problem: Problem, risk: float) -> dict[str, Array]:
    """Bias and fluctuation of the flips of a flow: Derivation 9."""
    at, samples, R = problem.at, problem.samples, problem.reach
    slope, c = at.slope, 2 * R / np.pi
    in_strip_of_z = bad_shares(
        R, samples, at, *map(np.transpose, at.turns)
    ).T  # x_n bad in the strip of z, shape (Q, N)
    in_strip_of_x = bad_shares(R, at, samples, *at.turns)  # z bad in the strip of x_n, shape (Q, N)
    among = bad_shares(R, samples, samples, *samples.turns).T  # x_j bad in the strip of x_n, shape (N, N)
    unsure_z = (1 - slope) / 2 * np.einsum("qn,qn->q", at.shares, in_strip_of_z)
    unsure_n = (1 - slope) / 2 * np.einsum("nj,nj->n", samples.shares, among)
    crossing_z = c / (2 * at.scale) * (at.typical + at.unsure)
    crossing_n = c / (2 * samples.scale) * (samples.typical + samples.unsure)
    own = (1 - slope) * c / (2 * at.scale) * (2 * at.typical + at.unsure) * unsure_z
    each = c / (2 * samples.scale) * (1 + slope) / 2 * unsure_n + (1 - slope) / 2 * crossing_n * in_strip_of_x
    both = np.minimum(crossing_z[:, None] * in_strip_of_z, crossing_n * in_strip_of_x)
    bias = own + np.einsum("qn,qn->q", at.shares, (1 - slope) * each + (1 - slope) ** 2 * both)

    def moment(speeds: Speeds) -> Array:
        early = 8 / np.pi * R / speeds.scale * (speeds.typical + speeds.unsure) / 3
        return np.minimum(fourth_moment(R * speeds.largest / speeds.scale), early)

    root = at.largest * np.sqrt(moment(at)) + at.shares @ np.sqrt(moment(samples))
    spread = bernstein(root**2, 2 * (at.largest + at.kappa), problem.width, risk)
    return {"drift": bias, "flip fluctuation": (1 - slope) * spread}


def bad_shares(R: float, moving: Speeds, strip: Speeds, cosine: Array, sine: Array) -> Array:
    """Return p, shape (moving, strip): that a point may flip while u is in the strip of another one.

    p = x/√(x² + s_j² sin²θ), x = R(v_j + |cos θ| v s_j/s); 1 for parallel points.
    """
    s_j, v_j = moving.scale[:, None], moving.largest[:, None]
    x = R * (v_j + cosine * strip.largest * s_j / strip.scale)
    length = np.hypot(x, s_j * sine)
    return np.divide(x, length, out=np.ones_like(x), where=length > 0)


# Arguments -----------------------------------------------------------------------------------------

_GAUSSIAN = (
    Assumption("w ~ N(0, I/d), b ~ N(0, 1), a ~ N(0, 1/m), independent; a frozen", None),
    Assumption("z fixed independently of the initialisation", None),
)


def _assumptions(setting: Setting, dynamics: Dynamics) -> tuple[Assumption, ...]:
    training = {
        "descent": "full batch, non-negative step weights of total T, no weight decay",
        "flow": "gradient flow for time T, no weight decay",
    }[dynamics]
    return (
        Assumption("identity loss", setting.loss == "identity"),
        Assumption(training, None),
        *_GAUSSIAN,
    )


def problem_of(
    Z: ArrayLike, X: ArrayLike, y: ArrayLike, setting: Setting, network: Literal["f", "g"]
) -> Problem:
    """Return checked arguments."""
    check_choice("network", network, ("f", "g"))
    X, y = training_set(X, y, setting)
    Z = as_points("Z", Z, dim=setting.dim, or_one=True)
    return Problem.of(Speeds(Z, X, y, setting.negative_slope), setting, network)


def _inflate(terms: dict[str, Array]) -> dict[str, Array]:
    return {name: value * (1 + SLACK) for name, value in terms.items()}
