"""Gradient flow of the whole network for losses whose neurons interact, integrated adaptively.

With v_i = (w_i(t) − w_i(0), b_i(t) − b_i(0))/a_i the flow of the hidden layer is

    dv_i/dt = (1/N) Σ_n y_n ℓ'(−y_n f(x_n)) φ'(u_i(x_n)) x̃_n,   v(0) = 0,   x̃ = (x, 1),

of one scale for all neurons, whatever their readouts.  The integrator is scipy's Bogacki–Shampine pair of
order 3(2): the right-hand side jumps where a pre-activation changes sign, so that a higher order gains
nothing, and its weights are all positive, so that the limit |u_i(z; t) − u_i(z; 0)| ≤ |a_i| κ_β(z) of
Derivation 11 holds for the numbers computed, with β integrated beside v.

A neuron can slide on a kink that attracts it from both sides (possible where a_i y_n ℓ' < 0).  Steps across
would have to be as short as the tolerance.  In a layer around the kink, as thin as the tolerance, the
velocity is therefore that of Filippov's solution: φ'_n is replaced by the number in (γ, 1) that keeps
u_i(x_n) where it is, as long as there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import integrate
from torch import Tensor, as_tensor

from empirics.descent import Trained, parameters_of, with_parameters
from empirics.model import TwoLayerNet, as_array, as_inputs, blocks
from theory.lazy.arguments import check_margins
from theory.lazy.losses import SLOPE
from theory.setting import LOSSES, Loss
from theory.validation import (
    Array,
    as_labels,
    check_choice,
    check_increasing,
    check_integer,
    check_real,
)

Integers = NDArray[np.int64]

_COARSER = 10.0  # how much larger the tolerances of the second solution are
_SAFETY = 2.0  # of the distance to it: without, the true error was up to 1.4 times the stated one
# Half-width of the layer around a kink, in errors that a step may make about one entry.  With 1 a neuron of a
# small network was seen to step across the kink for ever without ending in the layer; with 16 errors grow.
_LAYER = 4.0
_FINEST = 1e-12  # smallest rtol: rounding of the sums is not far below
_FIRST_MOVE = 0.01  # no margin moves further in the first step that is tried
_SWEEPS = 200  # of coordinate descent, for a neuron on several kinks at once
_SETTLED = 1e-10  # change of φ' in a sweep that ends it
_MOST_KEPT = 1 << 24  # pre-activations kept between the two passes of an evaluation: 128 MiB


@dataclass(frozen=True, kw_only=True)
class SmoothFlow:
    """Networks along one trajectory of gradient flow, and how far they may be off.

    Attributes
    ----------
    trained : tuple of Trained
        One a time.
    error : tuple of float
        Estimate, one a time, of Σ_i |a_i| ‖(w_i, b_i) − exact‖, which bounds |f(z) − exact|/‖(z, 1)‖ for
        every z.
    evaluations : int
        Of the right-hand side, both solutions together.
    """

    trained: tuple[Trained, ...]
    error: tuple[float, ...]
    evaluations: int


def smooth_flow(
    network: TwoLayerNet,
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    T: float | Sequence[float],
    loss: Loss,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    max_evaluations: int = 100_000,
) -> SmoothFlow:
    """Train weights and biases by gradient flow; return the network at several times of one trajectory.

    Follows dw_i/dt = a_i (1/N) Σ_n y_n ℓ'(−y_n f(x_n)) φ'(u_i(x_n)) x_n, and for b_i with 1 for x_n.

    Parameters
    ----------
    network : TwoLayerNet
        Left as it is.
    X : array, shape (N, d)
        Of numpy, torch or what else numpy reads; all is computed in float64 on the CPU.
    y : array, shape (N,)
        Labels, −1 or +1.
    T : float or sequence of float
        One or more flow times ≥ 0, increasing.
    loss : {"identity", "logistic", "squared", "exponential"}
    rtol, atol : float
        A step is accepted if the root mean square over all entries of its estimated error in v, divided by
        atol + rtol |v|, is below 1.  v_i is the displacement of neuron i over its readout, in units of the
        data times flow time.  rtol in [1e-12, 0.1], atol > 0.
    max_evaluations : int
        Of the right-hand side in one of the two solutions, at least 1.

    Returns
    -------
    SmoothFlow
        `num_steps` of a `Trained` counts the steps of the integrator, `sample_weights` are ∫ |ℓ'| dt.  What
        is returned for one time does not depend on which other times there are.

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.
    FloatingPointError
        If the squared norm of a sample or an initial slope of the loss overflows (exponential: from e^300),
        or a time is not reached within `max_evaluations` or with steps that float64 can tell.

    Notes
    -----
    Source: Derivation 11 (the equation).  `error` is an estimate, not a bound: twice the distance to a second
    solution with tolerances ten times as large, plus what the tolerances allow a single step, plus rounding
    to the dtype of the network.  It contained the distance to a solution with tolerances 100 times smaller
    in every case of tests/test_empirics/test_adaptive_flow.py, sliding neurons included.

    Examples
    --------
    >>> import numpy as np
    >>> from empirics import TwoLayerNet, smooth_flow
    >>> X, y = np.array([[3.0, 0.0], [-3.0, 1.0]]), np.array([1, -1])
    >>> network = TwoLayerNet.initialise(dim=2, width=100, seed=0)
    >>> found = smooth_flow(network, X, y, T=[1.0, 2.0], loss="logistic")
    >>> max(found.error) < 0.1
    True
    """
    points = as_inputs("X", X, network)
    labels = as_labels("y", as_array("y", y), length=len(points))
    check_choice("loss", loss, LOSSES)
    ends = check_increasing("T", T)
    rtol = check_real("rtol", rtol, minimum=_FINEST)
    if rtol > 0.1:
        msg = f"rtol must be <= 0.1, got {rtol}"
        raise ValueError(msg)
    atol = check_real("atol", atol, minimum=0, exclusive=True)
    check_integer("max_evaluations", max_evaluations, minimum=1)
    problem = _Problem(network, points, labels, loss)
    coarse = _solve(problem, ends, _COARSER * rtol, _COARSER * atol, max_evaluations)
    fine = _solve(problem, ends, rtol, atol, max_evaluations)
    pairs = list(zip(ends, fine.states, coarse.states, fine.steps, strict=True))
    trained, errors = [], []
    for end, state, other, steps in pairs:
        result, error = _finished(problem, network, end, state, steps)
        trained.append(result)
        if end > 0:
            error += _SAFETY * problem.distance(problem.split(state)[0] - problem.split(other)[0])
            error += problem.distance(atol + rtol * np.abs(problem.split(state)[0]))
        errors.append(error)
    return SmoothFlow(
        trained=tuple(trained), error=tuple(errors), evaluations=coarse.evaluations + fine.evaluations
    )


class _Problem:
    """The right-hand side.  A state is v, shape (m, d + 1), then β, shape (N,), in one vector."""

    def __init__(self, network: TwoLayerNet, X: Array, y: Array, loss: Loss) -> None:
        self.start: Array = parameters_of(network).cpu().double().numpy()
        self.readout: Array = network.readout.cpu().double().numpy()
        # Equal samples have one kink, whose pull is that of all of them.
        inputs = np.column_stack([X, np.ones(len(X))])
        self.inputs, self.merged = np.unique(inputs, axis=0, return_inverse=True)
        self.labels = y
        self.gamma, self.loss = network.negative_slope, loss
        with np.errstate(over="ignore"):
            self.squares: Array = (self.inputs**2).sum(axis=1)  # k(x_n, x_n) ≥ 1
        if not np.isfinite(self.squares).all():
            msg = f"the {loss} flow overflows: samples with entries up to {np.abs(self.inputs).max():g}"
            raise FloatingPointError(msg)
        self.layer = 0.0, 0.0  # rtol, atol of the layer around a kink
        self._one_pass = self.inputs.shape[0] * len(self.readout) <= _MOST_KEPT

    def split(self, state: Array) -> tuple[Array, Array]:
        """Return v and β, views of the state."""
        return state[: self.start.size].reshape(self.start.shape), state[self.start.size :]

    def parameters(self, state: Array) -> Array:
        """Return the (w_i, b_i)."""
        return np.asarray(self.start + self.readout[:, None] * self.split(state)[0])

    def distance(self, change: Array) -> float:
        """Return Σ_i a_i² ‖change_i‖ of a change of v."""
        return float(self.readout**2 @ np.linalg.norm(change, axis=1))

    def margins(self, state: Array) -> Array:
        """Return the y_n f(x_n)."""
        return self._forward(self.split(state)[0])[0]

    def velocity(self, _: float, state: Array) -> Array:
        """Return d(state)/dt."""
        v, _beta = self.split(state)
        margins, kept = self._forward(v)
        slopes = SLOPE[self.loss](-margins)
        pulls = np.bincount(self.merged, self.labels * slopes) / len(margins)
        result = np.empty_like(state)
        velocity, rates = self.split(result)
        rates[:] = np.abs(slopes)
        weighted = self.inputs * pulls[:, None]
        for index, part in enumerate(self._blocks()):
            u = kept[index] if self._one_pass else self._preactivations(v, part)
            phi = np.where(u > 0, 1.0, self.gamma)
            velocity[part] = phi.T @ weighted
            self._slide(velocity[part], u, phi, pulls, v, part)
        return result

    def _blocks(self) -> list[slice]:
        return list(blocks(len(self.readout), len(self.inputs)))

    def _preactivations(self, v: Array, part: slice) -> Array:
        return self.inputs @ (self.start[part] + self.readout[part, None] * v[part]).T

    def _forward(self, v: Array) -> tuple[Array, list[Array]]:
        """Return the margins, and the pre-activations if they are few enough to keep."""
        outputs, kept = np.zeros(len(self.inputs)), []
        for part in self._blocks():
            u = self._preactivations(v, part)
            outputs += np.maximum(u, self.gamma * u) @ self.readout[part]
            if self._one_pass:
                kept.append(u)
        return self.labels * outputs[self.merged], kept

    def _slide(self, velocity: Array, u: Array, phi: Array, pulls: Array, v: Array, part: slice) -> None:
        """Correct, in place, the velocities of neurons in the layer of a kink that attracts them."""
        rtol, atol = self.layer
        readout = self.readout[part]
        per_entry = atol + rtol * np.sqrt(np.mean(v[part] ** 2, axis=1))
        per_neuron = _LAYER * np.abs(readout) * per_entry
        near = np.abs(u) <= np.sqrt(self.squares)[:, None] * per_neuron
        near &= readout * pulls[:, None] < 0
        if near.any():
            _least_norm(velocity, near, phi, pulls, self.inputs, self.squares, self.gamma)


def _least_norm(
    velocity: Array,
    near: NDArray[np.bool_],
    phi: Array,
    pulls: Array,
    inputs: Array,
    squares: Array,
    gamma: float,
) -> None:
    """Make neurons slide, in place, on those of the marked kinks that hold them.

    φ' at a kink becomes the number in [γ, 1] that minimises ‖velocity‖.  Where that is γ or 1 the kink does
    not hold: the neuron crosses or stops beyond it, φ' is that of its side, and the others are solved again.
    """
    neurons, samples = np.nonzero(near.T)
    sides = phi[samples, neurons]
    slopes = sides.copy()
    while len(neurons):
        _descend(velocity, slopes, neurons, samples, pulls, inputs, squares, gamma)
        held = (slopes > gamma) & (slopes < 1)
        if held.all():
            break
        i, n = neurons[~held], samples[~held]
        back = (sides[~held] - slopes[~held]) * pulls[n]
        np.add.at(velocity, i, back[:, None] * inputs[n])
        neurons, samples, sides, slopes = neurons[held], samples[held], sides[held], slopes[held]


def _descend(
    velocity: Array,
    slopes: Array,
    neurons: Integers,
    samples: Integers,
    pulls: Array,
    inputs: Array,
    squares: Array,
    gamma: float,
) -> None:
    """Minimise each neuron's ‖velocity‖ over the slopes in [γ, 1] of these pairs, in place.

    Coordinate descent: the k-th kinks of all neurons at a time, which for one kink each is exact.  After
    `_SWEEPS` sweeps the last slopes are taken: slopes that the inclusion allows, not quite of least norm.
    """
    _, counts = np.unique(neurons, return_counts=True)
    order = np.arange(len(neurons)) - np.repeat(np.cumsum(counts) - counts, counts)
    groups = [np.flatnonzero(order == k) for k in range(counts.max())]
    for _ in range(_SWEEPS):
        largest = 0.0
        for chosen in groups:
            i, n = neurons[chosen], samples[chosen]
            toward = np.einsum("ij,ij->i", velocity[i], inputs[n])
            best = np.clip(slopes[chosen] - toward / (pulls[n] * squares[n]), gamma, 1.0)
            change = best - slopes[chosen]
            velocity[i] += (change * pulls[n])[:, None] * inputs[n]
            slopes[chosen] = best
            largest = max(largest, float(np.abs(change).max()))
        if len(groups) == 1 or largest <= _SETTLED:
            break


@dataclass(frozen=True)
class _Solution:
    states: list[Array]
    steps: list[int]
    evaluations: int


def _solve(problem: _Problem, ends: list[float], rtol: float, atol: float, max_evaluations: int) -> _Solution:
    """Integrate past all times, and from the start of the step that passes one once more, up to it.

    So the state at one time does not depend on which other times are asked for.
    """
    problem.layer = rtol, atol
    start = np.zeros(problem.start.size + len(problem.labels))
    first, left = _first_step(problem, start), max_evaluations
    states, counts, steps = [], [], 0
    # A trial step may go too far and overflow; its error is then not a number, and it is shortened.
    with np.errstate(all="ignore"):
        path = integrate.RK23(problem.velocity, 0.0, start, np.inf, first_step=first, rtol=rtol, atol=atol)
        before = 0.0, start
        for end in ends:
            while path.t < end:
                before = path.t, path.y
                steps += _step(path, problem.loss, end, left)
            state, further = path.y if path.t == end else start, 0
            if 0 < end < path.t:
                time, state = before
                branch = integrate.RK23(
                    problem.velocity, time, state, end, first_step=end - time, rtol=rtol, atol=atol
                )
                while branch.status == "running":
                    further += _step(branch, problem.loss, end, left - path.nfev)
                state, left = branch.y, left - branch.nfev
            states.append(np.array(state))
            counts.append(steps + further - (0 < end < path.t))
    return _Solution(states, counts, max_evaluations - left + path.nfev)


def _step(solver: integrate.RK23[np.float64], loss: str, end: float, most: int) -> int:
    """Make a step, unless the work is too much; return 1."""
    if solver.nfev > most:
        msg = f"the {loss} flow was not solved to T = {end:g} in max_evaluations: t = {solver.t:g} reached"
        raise FloatingPointError(msg)
    solver.step()
    if solver.status == "failed" or not np.isfinite(solver.y).all():
        msg = f"the {loss} flow was not solved to T = {end:g}: no step is short enough at t = {solver.t:g}"
        raise FloatingPointError(msg)
    return 1


def _first_step(problem: _Problem, state: Array) -> float:
    """Return a time in which no margin moves by more than `_FIRST_MOVE`; refuse slopes that overflow."""
    with np.errstate(all="ignore"):
        margins = problem.margins(state)
        slopes = np.abs(SLOPE[problem.loss](-margins))
        speed = float(problem.squares.max() * (problem.readout @ problem.readout) * slopes.mean())
    if not np.isfinite(speed):
        msg = f"the {problem.loss} flow overflows: initial margins from {margins.min():g}"
        raise FloatingPointError(msg)
    check_margins(margins, problem.loss)
    return _FIRST_MOVE / max(speed, _FIRST_MOVE)


def _finished(
    problem: _Problem, network: TwoLayerNet, T: float, state: Array, steps: int
) -> tuple[Trained, float]:
    """Return the network of a state in its own dtype, and what rounding to it costs."""
    parameters = problem.parameters(state)
    rounded = as_tensor(parameters).to(network.weight.dtype)
    lost = np.linalg.norm(rounded.double().numpy() - parameters, axis=1)
    trained = Trained(
        initial=network,
        final=with_parameters(network, rounded.to(network.weight.device)),
        T=T,
        num_steps=steps,
        learning_rate=0.0,
        momentum=0.0,
        loss=problem.loss,
        num_samples=len(problem.labels),
        solver="flow",
        sample_weights=problem.split(state)[1].copy(),
    )
    return trained, float(np.abs(problem.readout) @ lost)
