"""Full-batch gradient descent on the hidden layer, with or without heavy-ball momentum.

The gradients are written out, so that no graph is kept and neurons can be trained in blocks.  With the
identity loss neurons do not interact, and a block is trained to the end before the next one starts; with
other losses every step needs the outputs of the whole network first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from empirics.model import TwoLayerNet, activation_slopes, blocks, threads_for
from theory._validation import check_choice, check_integer, check_real, check_slope
from theory.setting import LOSSES, Loss, learning_rate_for


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network before and after training, and the schedule between.

    Attributes
    ----------
    initial, final : TwoLayerNet
        They share the readout.
    T : float
        Flow time, `theory.flow_time(learning_rate, num_steps, momentum=momentum)`.
    """

    initial: TwoLayerNet
    final: TwoLayerNet
    T: float
    num_steps: int
    learning_rate: float
    momentum: float
    loss: Loss
    num_samples: int


@torch.no_grad()
def train(
    network: TwoLayerNet,
    X: Tensor,
    y: Tensor,
    *,
    T: float,
    num_steps: int,
    momentum: float = 0.0,
    loss: Loss = "identity",
) -> Trained:
    """Train weights and biases by full-batch gradient descent of total flow time T.

    Minimises (1/N) Σ_n ℓ(−y_n f(x_n)) with ℓ(s) = s or log(1 + e^s).  Step: v ← μ v + gradient,
    parameters ← parameters − η v, as torch's ``SGD(momentum=μ)``.

    Parameters
    ----------
    network : TwoLayerNet
        Left as it is.
    X : tensor, shape (N, d)
        In the network's dtype and on its device.
    y : tensor, shape (N,)
        Labels, −1 or +1.
    T : float
        Flow time ≥ 0; the learning rate is `theory.learning_rate_for(T, num_steps, momentum=momentum)`.
    num_steps : int
        At least 1.
    momentum : float in [0, 1)
        μ.
    loss : {"identity", "logistic"}

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.
    FloatingPointError
        If a parameter is no longer finite after training.
    """
    if X.ndim != 2 or X.shape[1] != network.dim or y.shape != X.shape[:1] or len(X) == 0:
        msg = (
            f"X, y must have shapes (N, {network.dim}), (N,) with N >= 1, "
            f"got {tuple(X.shape)}, {tuple(y.shape)}"
        )
        raise ValueError(msg)
    if not bool((y.abs() == 1).all()):
        msg = f"y must be -1 or +1, got {float(y[y.abs() != 1][0]):g}"
        raise ValueError(msg)
    if not bool(torch.isfinite(X).all()):
        msg = f"X must be finite, got {int((~torch.isfinite(X)).sum())} entries that are not"
        raise ValueError(msg)
    check_real("T", T, minimum=0)
    check_integer("num_steps", num_steps, minimum=1)
    check_slope("momentum", momentum)
    check_choice("loss", loss, LOSSES)
    rate = learning_rate_for(T, num_steps, momentum=momentum)
    if X.dtype != network.weight.dtype or y.dtype != network.weight.dtype:
        msg = f"X, y must have the dtype of the network, {network.weight.dtype}, got {X.dtype}, {y.dtype}"
        raise ValueError(msg)
    if rate > torch.finfo(X.dtype).max:
        msg = f"training diverged: a step of {rate:g} is beyond {X.dtype}"
        raise FloatingPointError(msg)

    ones = torch.ones(len(X), 1, dtype=X.dtype, device=X.device)
    inputs = torch.cat([X, ones], dim=1)
    parameters = torch.cat([network.weight, network.bias[:, None]], dim=1)
    descend = _independent if loss == "identity" else _coupled
    with threads_for(work=inputs.numel() * network.width):
        descend(parameters, network, inputs, y, rate, num_steps, momentum)
    if not bool(torch.isfinite(parameters).all()):
        msg = f"training diverged: parameters not finite after {num_steps} steps of {rate:g}"
        raise FloatingPointError(msg)
    final = TwoLayerNet(
        parameters[:, :-1].contiguous(),
        parameters[:, -1].contiguous(),
        network.readout,
        negative_slope=network.negative_slope,
    )
    return Trained(
        initial=network,
        final=final,
        T=T,
        num_steps=num_steps,
        learning_rate=rate,
        momentum=momentum,
        loss=loss,
        num_samples=len(X),
    )


def _independent(
    parameters: Tensor,
    network: TwoLayerNet,
    inputs: Tensor,
    y: Tensor,
    rate: float,
    num_steps: int,
    momentum: float,
) -> None:
    """Identity loss, in place: −gradient of neuron i is (a_i/N) Σ_n y_n φ'(u_i(x_n)) (x_n, 1)."""
    weighted = inputs * (y / len(y))[:, None]
    for part in blocks(network.width, len(inputs)):
        block = parameters[part]
        readout = network.readout[part, None]
        velocity = torch.zeros_like(block)
        for _ in range(num_steps):
            slopes = activation_slopes(inputs @ block.T, network.negative_slope)
            velocity.mul_(momentum).add_(slopes.T @ weighted)
            block.addcmul_(readout, velocity, value=rate)


def _coupled(
    parameters: Tensor,
    network: TwoLayerNet,
    inputs: Tensor,
    y: Tensor,
    rate: float,
    num_steps: int,
    momentum: float,
) -> None:
    """Logistic loss, in place: sample n weighs ℓ'(−y_n f(x_n)) = sigmoid(−y_n f(x_n)), which is stable."""
    velocity = torch.zeros_like(parameters)
    slope = network.negative_slope
    for _ in range(num_steps):
        outputs = torch.zeros(len(y), dtype=torch.float64, device=y.device)
        for part in blocks(network.width, len(inputs)):
            hidden = torch.nn.functional.leaky_relu(inputs @ parameters[part].T, slope, inplace=True)
            outputs += (hidden @ network.readout[part]).double()
        weights = y * torch.sigmoid(-y * outputs).to(y.dtype)
        weighted = inputs * (weights / len(y))[:, None]
        for part in blocks(network.width, len(inputs)):
            slopes = activation_slopes(inputs @ parameters[part].T, slope)
            velocity[part] = momentum * velocity[part] + slopes.T @ weighted
            parameters[part].addcmul_(network.readout[part, None], velocity[part], value=rate)
