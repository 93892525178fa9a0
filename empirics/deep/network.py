"""The deep fully connected network of the theory, in torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from theory.deep import Architecture
from theory.validation import check_integer


class DeepNetwork(nn.Module):
    """A network of L hidden layers of width m, drawn as `theory.deep.Architecture` says.

    Parameters
    ----------
    architecture : theory.deep.Architecture
    dim, width : int
        d and m, at least 1.
    seed : int
        Of a generator of its own, on the CPU.
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    rates : dict of float
        Learning rate of each parameter by its name, as a multiple of η: λ₁, λ_w/m, λ_b, λ_v/m, λ_a/m.

    Notes
    -----
    Source: Derivation 17.  `empirics.train_module` and `empirics.linearise` take it with its `rates`.

    Examples
    --------
    >>> import torch
    >>> from empirics import DeepNetwork
    >>> from theory.deep import Architecture
    >>> network = DeepNetwork(Architecture(depth=3), dim=5, width=64, seed=0)
    >>> network(torch.zeros(2, 5)).shape
    torch.Size([2])
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        dim: int,
        width: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        check_integer("dim", dim, minimum=1)
        check_integer("width", width, minimum=1)
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int, variance: float) -> nn.Parameter:
            return nn.Parameter(math.sqrt(variance) * torch.randn(*shape, generator=generator, dtype=dtype))

        self.architecture = architecture
        upper = range(architecture.depth - 1)
        weight = architecture.resolved_weight_variance / width
        residual = architecture.residual is not None
        self.first = normal(width, dim, variance=1 / dim)
        self.first_bias = normal(width, variance=1.0)
        self.weights = nn.ParameterList([normal(width, width, variance=weight) for _ in upper])
        self.biases = nn.ParameterList([normal(width, variance=architecture.bias_variance) for _ in upper])
        self.branches = nn.ParameterList(
            [normal(width, width, variance=architecture.branch_variance / width) for _ in upper if residual]
        )
        self.readout = normal(width, variance=1 / width)
        rates = architecture.rates_for(dim)
        scaled = {
            "first": rates.first,
            "first_bias": rates.first,
            "weights": rates.weights / width,
            "biases": rates.biases,
            "branches": rates.branches / width,
            "readout": rates.readout / width,
        }
        self.rates = {name: scaled[name.split(".")[0]] for name, _ in self.named_parameters()}

    def forward(self, X: Tensor) -> Tensor:
        """Return f(X), shape (N,), differentiably."""
        return self._layers(X)[1]

    def active(self, X: Tensor) -> Tensor:
        """Return which neurons of all layers are active, booleans of shape (N, L m)."""
        with torch.no_grad():
            return torch.cat(self._layers(X)[0], dim=1) > 0

    def _layers(self, X: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the pre-activations of every layer, and the output."""
        slope, alpha = self.architecture.negative_slope, self.architecture.residual
        found = [torch.addmm(self.first_bias, X, self.first.T)]
        h = nn.functional.leaky_relu(found[0], slope)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found.append(torch.addmm(bias, h, weight.T))
            new = nn.functional.leaky_relu(found[-1], slope)
            h = new if alpha is None else h + alpha * new @ self.branches[layer].T
        return found, h @ self.readout
