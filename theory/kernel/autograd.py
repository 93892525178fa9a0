"""Φ on torch tensors with derivatives of every order, and on accelerators.

With unit rows u_i, v_j and ρ = ⟨u_i, v_j⟩ the two functions of ρ that derivatives lead to are arcsin ρ and
w = (1 − ρ²)^(−1/2): d arcsin ρ = w dρ and dw = ρ w³ dρ.  Each is a function of (U, V) whose values are
accurate near |ρ| = 1; at |ρ| = 1 itself, the cone points, w := 0: derivatives are finite and symmetric.

torch is not imported here: who passes a tensor has imported it.
"""

import math
import sys
from functools import lru_cache
from typing import Any

from theory.kernel import gram


def phi(
    X: Any,  # noqa: ANN401
    Z: Any,  # noqa: ANN401
    negative_slope: float,
    *,
    weight_variance: float,
    bias_variance: float,
) -> Any:  # noqa: ANN401
    """Return Φ(X, Z), differentiable in `X` and `Z`; arguments checked by `theory.phi`."""
    arcsine = _functions()[0]
    U = _unit_rows(X, weight_variance, bias_variance)
    V = U if Z is None else _unit_rows(Z, weight_variance, bias_variance)
    slope = (1 - negative_slope) ** 2 / (2 * math.pi)
    return (1 + negative_slope) ** 2 / 4 + slope * arcsine.apply(U, V)


def _unit_rows(X: Any, weight_variance: float, bias_variance: float) -> Any:  # noqa: ANN401
    torch = sys.modules["torch"]
    column = torch.full((len(X), 1), math.sqrt(bias_variance), dtype=X.dtype, device=X.device)
    U = torch.cat([X * math.sqrt(weight_variance / X.shape[1]), column], dim=1)
    U = U / U.abs().amax(dim=1, keepdim=True).detach()
    return U / torch.sqrt((U * U).sum(dim=1, keepdim=True))


@lru_cache(maxsize=1)
def _functions() -> tuple[Any, Any]:
    """Return the autograd functions arcsin ρ and (1 − ρ²)^(−1/2) of two sets of unit rows."""
    torch = sys.modules["torch"]

    class InverseCosine(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(context: Any, U: Any, V: Any) -> Any:  # noqa: ANN401
            sine = torch.sin(_angles(U, V))
            # Below a few roundings of unit vectors the direction between them is noise: the cone point.
            flat = sine <= 8 * torch.finfo(sine.dtype).eps
            weight = torch.where(flat, 0.0, 1 / torch.where(flat, 1.0, sine))
            context.save_for_backward(U, V)
            return weight

        @staticmethod
        def backward(context: Any, upstream: Any) -> Any:  # noqa: ANN401
            U, V = context.saved_tensors
            change = upstream * (U @ V.T) * InverseCosine.apply(U, V) ** 3
            return change @ V, change.T @ U

    class Arcsine(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(context: Any, U: Any, V: Any) -> Any:  # noqa: ANN401
            context.save_for_backward(U, V)
            return math.pi / 2 - _angles(U, V)

        @staticmethod
        def backward(context: Any, upstream: Any) -> Any:  # noqa: ANN401
            U, V = context.saved_tensors
            change = upstream * InverseCosine.apply(U, V)
            return change @ V, change.T @ U

    return Arcsine, InverseCosine


def _angles(U: Any, V: Any) -> Any:  # noqa: ANN401
    torch = sys.modules["torch"]
    if U.device.type == "cpu":
        same = U is V or U.data_ptr() == V.data_ptr()
        K = gram.gram(
            U.detach().numpy(),
            None if same else V.detach().numpy(),
            far=gram.arcsine(-1.0, math.pi / 2),
            near=lambda theta: theta,
        )
        return torch.from_numpy(K)
    # Differences of every pair: no product, so no reduced precision (TF32) and no loss near |ρ| = 1.
    step = max(1, (1 << 26) // (V.shape[0] * V.shape[1]))
    parts = []
    for start in range(0, len(U), step):
        u = U[start : start + step, None, :]
        difference = torch.linalg.vector_norm(u - V[None], dim=-1)
        total = torch.linalg.vector_norm(u + V[None], dim=-1)
        parts.append(2 * torch.atan2(difference, total))
    return torch.cat(parts)
