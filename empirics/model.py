"""The two-layer network of the theory, f(x) = Σ_i a_i φ(⟨w_i, x⟩ + b_i), in torch."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from theory.validation import Array, as_points, check_integer, check_slope

# Activations in one block of samples × neurons: 1 MiB in float32, which stays in a core's cache.
_BLOCK = 1 << 18
# Multiplications in one pass over a network (points · (d + 1) · m) from which a second thread pays.
_WORK_OF_A_THREAD = 1 << 26


class TwoLayerNet(nn.Module):
    """A wide two-layer leaky-ReLU network with a frozen Gaussian readout.

    f(x) = Σ_{i≤m} a_i φ(⟨w_i, x⟩ + b_i), φ(s) = max(s, γ s).

    Parameters
    ----------
    weight : tensor, shape (m, d)
        w, trained.
    bias : tensor, shape (m,)
        b, trained.
    readout : tensor, shape (m,)
        a, frozen (a buffer).
    negative_slope : float in [0, 1)
        The paper's γ.

    Raises
    ------
    ValueError
        If shapes disagree or the slope is out of range.

    Notes
    -----
    `forward` is differentiable; `outputs` and `input_gradients` compute the same without a graph, neuron
    block by neuron block, so that m = 10⁶ needs no more memory than its parameters, and add up the
    blocks in float64.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    readout: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, readout: Tensor, *, negative_slope: float = 0.0) -> None:
        super().__init__()
        if weight.ndim != 2 or bias.shape != weight.shape[:1] or readout.shape != weight.shape[:1]:
            shapes = tuple(weight.shape), tuple(bias.shape), tuple(readout.shape)
            msg = f"weight, bias, readout must have shapes (m, d), (m,), (m,), got {shapes}"
            raise ValueError(msg)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)
        self.register_buffer("readout", readout)
        self.negative_slope = check_slope("negative_slope", negative_slope)

    @classmethod
    def initialise(
        cls,
        dim: int,
        width: int,
        *,
        negative_slope: float = 0.0,
        seed: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "TwoLayerNet":
        """Draw w_i ~ N(0, I/d), b_i ~ N(0, 1), a_i ~ N(0, 1/m), all independent.

        Parameters
        ----------
        dim, width : int
            d and m, at least 1.
        negative_slope : float in [0, 1)
        seed : int
            Of a generator of its own, on the CPU: the same network on every device.
        dtype : torch.float32 or torch.float64
        device : torch.device or str

        Returns
        -------
        TwoLayerNet
        """
        check_integer("dim", dim, minimum=1)
        check_integer("width", width, minimum=1)
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(width, dim, generator=generator, dtype=dtype) / math.sqrt(dim)
        bias = torch.randn(width, generator=generator, dtype=dtype)
        readout = torch.randn(width, generator=generator, dtype=dtype) / math.sqrt(width)
        return cls(weight.to(device), bias.to(device), readout.to(device), negative_slope=negative_slope)

    def __repr__(self) -> str:
        kind, slope = str(self.weight.dtype).removeprefix("torch."), self.negative_slope
        return f"TwoLayerNet(dim={self.dim}, width={self.width}, negative_slope={slope:g}, {kind})"

    @property
    def dim(self) -> int:
        """The input dimension d."""
        return int(self.weight.shape[1])

    @property
    def width(self) -> int:
        """The number of neurons m."""
        return int(self.weight.shape[0])

    def forward(self, X: Tensor) -> Tensor:
        """Return f(X), shape (N,), differentiably."""
        hidden = torch.addmm(self.bias, X, self.weight.T)
        return nn.functional.leaky_relu(hidden, self.negative_slope) @ self.readout

    @torch.no_grad()
    def outputs(self, X: Tensor) -> Tensor:
        """Return f(X), shape (N,), float64, block by block."""
        total = torch.zeros(len(X), dtype=torch.float64, device=X.device)
        with threads_for(work=X.numel() * self.width):
            for part in blocks(self.width, len(X)):
                total += self.output_of(self.preactivations(X, part), part)
        return total

    @torch.no_grad()
    def input_gradients(self, X: Tensor) -> Tensor:
        """Return ∇f(x) = Σ_i a_i φ'(u_i(x)) w_i for each row, shape (N, d), float64, block by block."""
        total = torch.zeros(X.shape, dtype=torch.float64, device=X.device)
        with threads_for(work=X.numel() * self.width):
            for part in blocks(self.width, len(X)):
                slopes = activation_slopes(self.preactivations(X, part), self.negative_slope, inplace=True)
                total += (slopes.mul_(self.readout[part]) @ self.weight[part]).double()
        return total

    def preactivations(self, X: Tensor, part: slice) -> Tensor:
        """Return the u_i(x) of a block of neurons, shape (N, neurons)."""
        return torch.addmm(self.bias[part], X, self.weight[part].T)

    def output_of(self, preactivations: Tensor, part: slice) -> Tensor:
        """Return Σ a_i φ(u_i(x)) over a block of neurons, shape (N,), float64; takes the memory of the u."""
        active = nn.functional.leaky_relu(preactivations, self.negative_slope, inplace=True)
        return (active @ self.readout[part]).double()


def activation_slopes(preactivations: Tensor, negative_slope: float, *, inplace: bool = False) -> Tensor:
    """Return φ'(u): 1 above 0, γ elsewhere (φ'(0) = γ, as in torch); `inplace` takes the memory of u."""
    slopes = (preactivations if inplace else preactivations.clone()).gt_(0)
    return slopes if negative_slope == 0 else slopes.mul_(1 - negative_slope).add_(negative_slope)


def blocks(width: int, num_points: int) -> Iterator[slice]:
    """Yield slices of neurons such that activations at `num_points` points stay small."""
    size = max(256, _BLOCK // max(1, num_points))
    return (slice(start, min(start + size, width)) for start in range(0, width, size))


def as_array(name: str, given: ArrayLike | Tensor) -> ArrayLike:
    """Return a tensor as a numpy array, off its device and its graph; what else there is as it is."""
    if not isinstance(given, Tensor):
        return given
    try:
        return np.asarray(given.numpy(force=True))
    except (TypeError, RuntimeError) as error:  # bfloat16; sparse, nested, or without values
        msg = (
            f"{name} must be a dense tensor of float32, float64 or integers, "
            f"got {given.dtype}, {given.layout} on {given.device}"
        )
        raise TypeError(msg) from error


def as_inputs(name: str, given: ArrayLike | Tensor, network: TwoLayerNet) -> Array:
    """Return points, of any library, as a finite array of float32 or float64 with as many columns as d."""
    points = as_points(name, as_array(name, given), keep_float32=True)
    if points.shape[1] != network.dim:
        rule = f"{network.dim} columns, the input dimension of the network"
        msg = f"{name} must have {rule}, got {points.shape[1]}"
        raise ValueError(msg)
    return points


def as_tensor(
    values: ArrayLike, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> Tensor:
    """Return an array as a tensor: a copy where torch refuses its strides or byte order, or may not write."""
    native = np.asarray(values).dtype.newbyteorder("=")
    return torch.as_tensor(np.require(values, native, ["C", "W"]), dtype=dtype, device=device)


def input_tensor(name: str, given: ArrayLike | Tensor, network: TwoLayerNet) -> Tensor:
    """Return points, of any library, in the dtype of a network and on its device."""
    points, like = as_inputs(name, given, network), network.weight
    tensor = as_tensor(points, dtype=like.dtype, device=like.device)
    if not math.isfinite(largest_of(tensor)):
        largest = np.abs(points).max()
        msg = f"{name} must be finite in the dtype of the network, {like.dtype}, got up to {largest:g}"
        raise ValueError(msg)
    return tensor


def largest_of(values: Tensor) -> float:
    """Return the largest absolute value in one pass; NaN if one is NaN, so that it tells what is finite."""
    least, most = values.aminmax()
    return max(-float(least), float(most))  # both are NaN, or none


@contextmanager
def threads_for(*, work: int) -> Iterator[None]:
    """Keep a small product on one thread: threads that wait for each other cost more than they save."""
    threads = torch.get_num_threads()
    if work < _WORK_OF_A_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
