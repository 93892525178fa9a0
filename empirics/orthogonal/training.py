"""Training without biases until the direction of the network converges, with the measures that say so.

f(x) = Σ_i a_i φ(⟨w_i, x⟩), φ(s) = max(s, γ s), half of the a_i = 1/√m and half −1/√m, frozen.  Only the part
of w_i in the span of the samples moves, so descent runs in as few coordinates as there are samples; all is
computed in float64, by compiled steps on the CPU (`empirics.orthogonal.steps`) and by torch elsewhere.  For
the exponential and the logistic loss the weights grow without end while their direction tends to a point that
meets the conditions of Karush, Kuhn and Tucker (KKT) for the problem

    minimise ‖W‖²/2  subject to  y_n f(x_n; W) ≥ 1 for all n.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from empirics.model import TwoLayerNet, activation_slopes, as_array, as_inputs, as_tensor
from empirics.orthogonal.steps import STEP, advance
from empirics.samples import compressed
from theory.orthogonal.gram import check_open_slope
from theory.validation import AnyArray, Array, as_labels, check_choice, check_integer, check_real

LimitLoss = Literal["exponential", "logistic"]
LIMIT_LOSSES = ("exponential", "logistic")

_EVERY = 20  # steps between two looks at the measures
_ALL_VALUES = 300  # rows or columns from which Lanczos steps find the largest singular value sooner


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """How far the direction of W is from a KKT point; nothing changes if W is scaled.

    G = Σ_n b_n y_n ∇f(x_n) is the sum of the steps since an earlier look, after at most half as many steps,
    and b_n the weight of sample n in it.  One gradient would not do: a neuron that stays at the kink of a
    sample in the limit crosses it for ever, and what is in the subdifferential there is the mean.

    Attributes
    ----------
    num_steps : int
    margin : float
        min_n y_n f(x_n)/‖W‖, units of the data; negative if a sample is misclassified.
    stationarity : float
        min over t ≥ 0 of ‖W − t G‖/‖W‖, in [0, 1]: the sine of the angle of W and G, 1 if that is obtuse.
    slackness : float
        Σ_n b_n (y_n f(x_n) − μ)/(μ Σ_n b_n), μ the smallest margin; infinity unless μ > 0.
    turn : float
        1 − cos(W, W at the earlier look).  The gradients in G are those of directions
        between the two.
    """

    num_steps: int
    margin: float
    stationarity: float
    slackness: float
    turn: float

    @property
    def residual(self) -> float:
        """The larger of stationarity and slackness."""
        return max(self.stationarity, self.slackness)


@dataclass(frozen=True, kw_only=True, repr=False)
class LimitTraining:
    """A network trained towards the limit of its direction, and how near it came.

    Attributes
    ----------
    network : TwoLayerNet
        float64, biases 0.
    converged : bool
        Whether the KKT residual fell to the tolerance within the steps allowed.
    history : tuple of Convergence
        Looks along the way, the last one at the end.
    multipliers : array, shape (N,)
        λ_n = t b_n/μ (see `Convergence`), of the W scaled to smallest margin 1; NaN unless μ > 0 and t > 0.
    """

    network: TwoLayerNet
    converged: bool
    history: tuple[Convergence, ...]
    multipliers: Array

    def __repr__(self) -> str:
        return f"LimitTraining({self.network!r}, converged={self.converged}, final={self.final!r})"

    @property
    def final(self) -> Convergence:
        """The measures at the end."""
        return self.history[-1]


def check_even(width: int) -> None:
    """Check that a width is an even integer, at least 2."""
    if check_integer("width", width, minimum=2) % 2:
        msg = f"width must be even, half of the readouts are negative, got {width}"
        raise ValueError(msg)


def initialise(dim: int, width: int, *, negative_slope: float, scale: float = 1.0, seed: int) -> TwoLayerNet:
    """Draw weights uniform on ± scale/√d; biases 0, readout 1/√m (first half) and −1/√m.

    Parameters
    ----------
    dim : int
        d ≥ 1.
    width : int
        m ≥ 2, even.
    negative_slope : float in (0, 1)
    scale : float
        > 0; 1 is the default initialisation of a linear layer.
    seed : int

    Returns
    -------
    TwoLayerNet
        float64.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_integer("dim", dim, minimum=1)
    check_even(width)
    check_real("scale", scale, minimum=0, exclusive=True)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    weight = rng.uniform(-1.0, 1.0, size=(width, dim)) * (scale / math.sqrt(dim))
    readout = np.where(np.arange(width) < width // 2, 1.0, -1.0) / math.sqrt(width)
    return _network(weight, readout, check_open_slope(negative_slope))


def train_to_limit(
    network: TwoLayerNet,
    X: Array,
    y: Array,
    *,
    loss: LimitLoss = "exponential",
    tolerance: float = 0.01,
    max_steps: int = 20_000,
    max_time: float | None = None,
) -> LimitTraining:
    """Train the weights by full-batch descent until their direction is nearly that of a KKT point.

    W ← W + η Σ_n q_n y_n ∇f(x_n), q_n = |ℓ'_n|/Σ_k |ℓ'_k|, ℓ'_n the slope of the loss at sample n.  This is
    gradient descent whose learning rate is η over the sum of slopes, taken in logarithms, so that no margin
    is too large; η = 1/(2 max_n q_n λ_max), λ_max the largest eigenvalue of (⟨x_i, x_k⟩), is half of the
    inverse of what the curvature of log Σ exp(−y_n f(x_n)) is at most while signs of pre-activations last.
    In the time of gradient flow of the mean loss such a step takes ηN/Σ_k |ℓ'_k|.

    Parameters
    ----------
    network : TwoLayerNet
        Biases 0, slope in (0, 1); left as it is.  Training runs on its device.
    X : array, shape (N, d)
    y : array, shape (N,)
        Labels, −1 or +1.
    loss : {"exponential", "logistic"}
    tolerance : float
        Of the KKT residual (`Convergence.residual`), > 0.
    max_steps : int
        At least 1.
    max_time : float, optional
        > 0: training also ends at this flow time of the mean loss (learning rate × steps, over 1 − momentum).

    Returns
    -------
    LimitTraining
        With `converged` False if the tolerance is not met after `max_steps` or `max_time`.

    Raises
    ------
    ValueError
        If a shape, label or argument breaks its rule.
    FloatingPointError
        If weights are no longer finite.

    Notes
    -----
    The weights parallel to no sample stay as they were drawn; they count in ‖W‖, so in every measure.
    """
    X = as_inputs("X", X, network).astype(np.float64, copy=False)
    y = as_labels("y", as_array("y", y), length=len(X))
    check_choice("loss", loss, LIMIT_LOSSES)
    check_real("tolerance", tolerance, minimum=0, exclusive=True)
    check_integer("max_steps", max_steps, minimum=1)
    time = math.inf if max_time is None else check_real("max_time", max_time, minimum=0, exclusive=True)
    check_open_slope(network.negative_slope)
    if bool(network.bias.any()):
        msg = f"network must have no biases, got {int((network.bias != 0).sum())} that are not 0"
        raise ValueError(msg)
    if not X.any():
        msg = f"X must have a row that is not 0, got {len(X)} zero rows"
        raise ValueError(msg)
    return _Descent(network, X, y, loss).run(tolerance, max_steps, time)


class _Descent:
    """Coefficients C of the samples in W = W_0 + C L, L the samples in coordinates of their span."""

    def __init__(self, network: TwoLayerNet, X: Array, y: Array, loss: LimitLoss) -> None:
        self.device = network.weight.device
        self.start = network.weight.detach().cpu().double().numpy()
        readout = network.readout.cpu().double().numpy()
        self.slope, self.logistic = network.negative_slope, loss == "logistic"
        self.basis, inputs = compressed(X)
        W = self.start.copy() if self.basis is None else self.start @ self.basis.T
        # What no sample sees; the difference of two squares may round below 0.
        seen = float((W**2).sum())
        self.outside = 0.0 if self.basis is None else max(float((self.start**2).sum()) - seen, 0.0)
        self.W_0, self.inputs, self.y, self.readout = map(self.held, (W, inputs, y, readout))
        self.top = self.largest_eigenvalue(inputs)  # first: an error where products would overflow
        self.starts = self.W_0 @ self.inputs.T
        self.coefficients, self.pushes = 0 * self.starts, 0 * self.starts
        # Products with L and Lᵀ take 2Nr multiplications a neuron, with L Lᵀ N².
        few = len(inputs) <= 2 * inputs.shape[1]
        self.factor = self.inputs @ self.inputs.T if few else self.inputs
        self.second = self.held(inputs[:0, :0] if few else inputs.T)
        self.way = 0 * (self.W_0[:0] if few else self.W_0)
        self.margins, self.weights, self.time = 0 * self.y, 0 * self.y, 0.0  # y_n f(x_n), and Σ η q_n

    def held(self, array: Array) -> AnyArray:
        if self.device.type != "cpu":
            return as_tensor(array, device=self.device)
        return np.require(array, requirements=["C", "W"])  # others would be compiled for once more

    def given(self, array: AnyArray) -> Array:
        return np.asarray(as_array("array", array))

    def largest_eigenvalue(self, inputs: Array) -> float:
        """Return that of (⟨x_i, x_k⟩); where all would take long, by Lanczos steps from a fixed start."""
        count = len(inputs)
        if min(inputs.shape) < _ALL_VALUES:
            return float(np.linalg.norm(inputs, ord=2)) ** 2
        times = LinearOperator(
            (count, count),
            dtype=np.float64,
            matvec=lambda v: self.given(self.inputs @ (self.inputs.T @ self.held(v))),
        )
        return float(eigsh(times, k=1, v0=np.ones(count), return_eigenvectors=False)[0])

    def run(self, tolerance: float, max_steps: int, max_time: float) -> LimitTraining:
        step, looks = 0, [(0, self.W_0, 0 * self.y)]
        history: list[Convergence] = []
        while True:
            step += self.advance(min(_EVERY, max_steps - step), max_time)
            W = self.W_0 + self.coefficients @ self.inputs
            if not math.isfinite(float(abs(W).max())):
                msg = f"training diverged: weights not finite after {step} steps"
                raise FloatingPointError(msg)
            while len(looks) > 1 and 2 * looks[1][0] <= step:
                looks.pop(0)
            measures, multipliers = self.measure(step, W, *looks[0][1:])
            history.append(measures)
            if measures.residual <= tolerance or step == max_steps or self.time >= max_time:
                break
            if 4 * step >= 5 * looks[-1][0]:
                looks.append((step, W, 1 * self.weights))
        return LimitTraining(
            network=_network(self.all_weights(W), self.given(self.readout), self.slope).to(self.device),
            converged=measures.residual <= tolerance,
            history=tuple(history),
            multipliers=multipliers,
        )

    def advance(self, count: int, max_time: float) -> int:
        """Take so many steps, fewer up to the time; return how many."""
        if isinstance(self.W_0, torch.Tensor):
            return self.advance_on_device(count, max_time)
        taken, self.time = advance(
            self.starts,
            self.pushes,
            self.coefficients,
            self.way,
            self.weights,
            self.margins,
            self.factor,
            self.second,
            self.y,
            self.readout,
            self.slope,
            self.logistic,
            self.top,
            count,
            self.time,
            max_time,
        )
        return taken

    def advance_on_device(self, count: int, max_time: float) -> int:
        """Do what `empirics.orthogonal.steps.advance` does, with tensors."""
        taken = 0
        while True:
            U = self.starts + self.pushes
            slopes = self.readout[:, None] * activation_slopes(U, self.slope)
            margins = self.y * (slopes * U).sum(dim=0)
            if taken == count or self.time >= max_time:
                return taken
            logs = torch.nn.functional.logsigmoid(-margins) if self.logistic else -margins
            q = torch.softmax(logs, dim=0)
            rate = STEP / (float(q.max()) * self.top)
            if math.isfinite(max_time):
                mean = math.exp(min(max(float(torch.logsumexp(logs, dim=0)), -700.0), 700.0)) / len(q)
                left = (max_time - self.time) * mean
                rate, self.time = (left, max_time) if left <= rate else (rate, self.time + rate / mean)
            self.weights = self.weights + rate * q
            self.coefficients = self.coefficients + slopes * (rate * q * self.y)
            self.pushes = self.coefficients @ self.factor
            if len(self.second):
                self.pushes = self.pushes @ self.second
            taken += 1

    def measure(
        self, step: int, W: AnyArray, before: AnyArray, earlier: AnyArray
    ) -> tuple[Convergence, Array]:
        """Return the measures at W, and the multipliers; the sums of weights were `earlier` at `before`."""
        # Of W, not of what it was made from: opposite samples cancel in W, and leave rounding there.
        U = W @ self.inputs.T
        margins = self.y * (self.readout @ (U - (1 - self.slope) * U * (U < 0)))
        used, lowest = self.weights - earlier, float(margins.min())
        w, v = W.ravel(), before.ravel()  # inner products of vectors are the fastest sums
        G = w - v
        size = math.sqrt(float(w @ w) + self.outside)
        square = float(G @ G)
        t = max(float(w @ G) / square, 0.0) if square else 0.0
        # ‖W − tG‖ directly: 1 − cos² would lose half of the digits.
        rest = w - t * G
        measures = Convergence(
            num_steps=step,
            margin=lowest / size,
            stationarity=math.sqrt(float(rest @ rest) + self.outside) / size,
            slackness=float(used @ (margins - lowest)) / (lowest * float(used.sum()))
            if lowest > 0
            else math.inf,
            turn=1 - (float(w @ v) + self.outside) / (size * math.sqrt(float(v @ v) + self.outside)),
        )
        known = lowest > 0 and t > 0
        multipliers = self.given(used) * (t / lowest if known else math.nan)
        return measures, multipliers

    def all_weights(self, W: AnyArray) -> Array:
        if self.basis is None:
            return self.given(W)
        return np.asarray(self.start + self.given(self.coefficients @ self.inputs) @ self.basis)


def boundary_direction(network: TwoLayerNet) -> Array:
    """Return Σ_i a_i w_i, shape (d,): proportional to v − u once positive and negative neurons are equal.

    In the limit all neurons with positive readout are v, the others u, and sgn f(z) = sgn⟨v − u, z⟩.

    Parameters
    ----------
    network : TwoLayerNet

    Returns
    -------
    array, shape (d,)
    """
    return np.asarray((network.readout @ network.weight.detach()).cpu().double().numpy())


def alignment(network: TwoLayerNet) -> float:
    """Return the share of ‖W‖² in the two means v, u of neurons with readout of one sign, in [0, 1].

    1 if and only if the network has at most two different neurons, as the limit has.

    Parameters
    ----------
    network : TwoLayerNet

    Returns
    -------
    float in [0, 1]
    """
    weight = network.weight.detach().double()
    signs = network.readout > 0
    parts = [part for part in (weight[signs], weight[~signs]) if len(part)]
    means = sum(len(part) * float((part.mean(dim=0) ** 2).sum()) for part in parts)
    total = float((weight**2).sum())
    return means / total if total > 0 else math.nan


def _network(weight: Array, readout: Array, gamma: float) -> TwoLayerNet:
    tensor = torch.as_tensor(np.array(weight), dtype=torch.float64)
    bias = torch.zeros(len(weight), dtype=torch.float64)
    return TwoLayerNet(tensor, bias, torch.as_tensor(np.array(readout)), negative_slope=gamma)
