"""Φ on torch tensors: derivatives of every order, forward and backward, `torch.func`, and accelerators.

With unit rows u_i, v_j and ρ = ⟨u_i, v_j⟩ the two functions of ρ that derivatives lead to are arcsin ρ, of
which Φ is an affine function, and w = (1 − ρ²)^(−1/2): d arcsin ρ = w dρ and dw = ρ w³ dρ.  Each has values
that are accurate near |ρ| = 1; at |ρ| = 1 itself, the cone points, w := 0: derivatives are finite and
symmetric.  A unit row u = p/‖p‖ moves by P dp/‖p‖, P the projection across u, which is its own transpose.

torch is not imported here: who passes a tensor has imported it.
"""

from __future__ import annotations

import math
import sys
from functools import lru_cache

import array_api_compat

from theory.kernel import rows
from theory.validation import AnyArray


def phi(
    X: AnyArray,
    Z: AnyArray,
    negative_slope: float,
    *,
    weight_variance: float,
    bias_variance: float,
) -> AnyArray:
    """Return Φ(X, Z), differentiable in `X` and `Z`; arguments, but for values, checked by `theory.phi`."""
    return _functions()[0].apply(X, Z, negative_slope, weight_variance, bias_variance)


def inverse_sine(U: AnyArray, V: AnyArray) -> AnyArray:
    """Return 1/sin θ between unit rows, 0 at the cone points, differentiable in both."""
    return _functions()[1].apply(U, V)


def _unit_rows(X: AnyArray, weight_variance: float, bias_variance: float) -> tuple[AnyArray, AnyArray]:
    """Return unit vectors along p = (σ_w x/√d, σ_b), and ‖p‖ √d/σ_w, by which changes of x are divided."""
    torch = sys.modules["torch"]
    factor = math.sqrt(weight_variance / X.shape[1])
    column = torch.full((len(X), 1), math.sqrt(bias_variance), dtype=X.dtype, device=X.device)
    P = torch.cat([X * factor, column], dim=1)
    largest = P.abs().amax(dim=1, keepdim=True).detach()
    P = P / largest
    norms = torch.sqrt((P * P).sum(dim=1, keepdim=True))
    return P / norms, norms * (largest / factor) if factor else math.inf


def _across(U: AnyArray, changes: AnyArray, lengths: AnyArray) -> AnyArray:
    """Return the part of the changes across the unit rows, over the lengths."""
    return (changes - (changes * U).sum(dim=1, keepdim=True) * U) / lengths


@lru_cache(maxsize=1)
def _functions() -> tuple[AnyArray, AnyArray]:
    """Return the autograd functions Φ of two sets of points and (1 − ρ²)^(−1/2) of two sets of unit rows."""
    torch = sys.modules["torch"]

    class OfPairs(torch.autograd.Function):  # type: ignore[misc, name-defined]
        """A matrix of all pairs of rows of A and B (A itself, if None)."""

        @staticmethod
        def setup_context(context: AnyArray, inputs: AnyArray, output: AnyArray) -> None:
            A, B, *context.options = inputs
            context.save_for_backward(A, B)
            context.save_for_forward(A, B)

        @classmethod
        def vmap(
            cls, _: AnyArray, dims: AnyArray, A: AnyArray, B: AnyArray, *options: float
        ) -> tuple[AnyArray, int]:
            A, B = (M if dim is None else M.movedim(dim, 0) for M, dim in zip((A, B), dims, strict=False))
            if B is not None and dims[1] is None:
                return cls.apply(A.flatten(0, 1), B, *options).unflatten(0, A.shape[:2]), 0
            if dims[0] is None:
                return cls.apply(A, B.flatten(0, 1), *options).unflatten(1, B.shape[:2]), 1
            parts = [cls.apply(a, None if B is None else B[k], *options) for k, a in enumerate(A)]
            return torch.stack(parts), 0

        @classmethod
        def jvp(cls, context: AnyArray, *tangents: AnyArray) -> AnyArray:
            # torch switches tangents off here, and would return 0 for derivatives of derivatives.
            forward = torch.autograd.forward_ad
            with forward._set_fwd_grad_enabled(True):
                pair = (M if M is None else forward.unpack_dual(M).primal for M in context.saved_tensors)
                return cls.change(*pair, *context.options, *tangents[:2])

    class InverseCosine(OfPairs):
        @staticmethod
        def forward(U: AnyArray, V: AnyArray) -> AnyArray:
            sine = torch.sin(_angles(U, V))
            # Below a few roundings of unit vectors the direction between them is noise: the cone point.
            flat = sine <= rows.COINCIDING * torch.finfo(sine.dtype).eps
            return torch.where(flat, 0.0, 1 / torch.where(flat, 1.0, sine))

        @staticmethod
        def backward(context: AnyArray, upstream: AnyArray) -> AnyArray:
            U, V = context.saved_tensors
            change = upstream * (U @ V.T) * InverseCosine.apply(U, V) ** 3
            return change @ V, change.T @ U

        @staticmethod
        def change(U: AnyArray, V: AnyArray, dU: AnyArray, dV: AnyArray) -> AnyArray:
            return (U @ V.T) * InverseCosine.apply(U, V) ** 3 * (dU @ V.T + U @ dV.T)

    class Phi(OfPairs):
        @staticmethod
        def forward(X: AnyArray, Z: AnyArray, slope: float, *variances: float) -> AnyArray:
            _check_values("X", X, variances[1])
            if Z is not None:
                _check_values("Z", Z, variances[1])
            if X.device.type == "cpu":
                left, right = X.numpy(force=True), None if Z is None else Z.numpy(force=True)
                named = dict(zip(("weight_variance", "bias_variance"), variances, strict=True))
                return torch.from_numpy(rows.phi_of_points(left, right, slope, named))
            U = _unit_rows(X, *variances)[0]
            V = U if Z is None else _unit_rows(Z, *variances)[0]
            return rows.phi_of_angle(_angles(U, V), slope)

        @staticmethod
        def backward(context: AnyArray, upstream: AnyArray) -> AnyArray:
            U, lengths, V, others, weight = _weighted(*context.saved_tensors, *context.options)
            change = upstream * weight
            if V is None:
                return _across(U, (change + change.T) @ U, lengths)[:, :-1], *[None] * 4
            left, right = _across(U, change @ V, lengths), _across(V, change.T @ U, others)
            return left[:, :-1], right[:, :-1], *[None] * 3

        @staticmethod
        def change(X: AnyArray, Z: AnyArray, *others: AnyArray) -> AnyArray:
            *options, dX, dZ = others
            U, lengths, V, others, weight = _weighted(X, Z, *options)
            pad = torch.nn.functional.pad
            dU = _across(U, pad(dX, (0, 1)), lengths)
            if V is None:
                return weight * (dU @ U.T + U @ dU.T)
            return weight * (dU @ V.T + U @ _across(V, pad(dZ, (0, 1)), others).T)

    def _weighted(X: AnyArray, Z: AnyArray, slope: float, *variances: float) -> tuple[AnyArray, ...]:
        """Return unit rows with their lengths, twice (or None), and dΦ/dρ."""
        U, lengths = _unit_rows(X, *variances)
        V, others = (None, None) if Z is None else _unit_rows(Z, *variances)
        weight = InverseCosine.apply(U, U if V is None else V)
        return U, lengths, V, others, (1 - slope) ** 2 / (2 * math.pi) * weight

    return Phi, InverseCosine


def _check_values(name: str, points: AnyArray, bias_variance: float) -> None:
    """Refuse what is not finite, and a zero row where there is no bias."""
    torch = sys.modules["torch"]
    if not bool(torch.isfinite(points).all()):
        msg = f"{name} must be finite, got {int((~torch.isfinite(points)).sum())} entries that are not"
        raise ValueError(msg)
    rows.check_directions(name, points, bias_variance)


def _angles(U: AnyArray, V: AnyArray) -> AnyArray:
    torch = sys.modules["torch"]
    if U.device.type == "cpu":
        same = U is V or (U.data_ptr() == V.data_ptr() and U.shape == V.shape)
        u, v = U.numpy(force=True), None if same else V.numpy(force=True)
        return torch.from_numpy(rows.angles_of_units(u, v))
    if U.dtype == torch.float64:
        return rows.angles_by_product(array_api_compat.array_namespace(U), U, V)
    # Differences of every pair: no product, so no reduced precision (TF32) and no loss near |ρ| = 1.
    step = max(1, (1 << 26) // (V.shape[0] * V.shape[1]))
    parts = []
    for start in range(0, len(U), step):
        u = U[start : start + step, None, :]
        difference = torch.linalg.vector_norm(u - V[None], dim=-1)
        total = torch.linalg.vector_norm(u + V[None], dim=-1)
        parts.append(2 * torch.atan2(difference, total))
    return torch.cat(parts)
