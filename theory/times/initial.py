"""What the initial gradients of f add to the outputs of g: quadratic forms of their covariance along z.

With R_nk(z) = H_nk(z)/√(H_nn H_kk), H and c of `theory.deep.initial_covariances`, and H_nn = G₀²‖z‖²/d at
every n: `forms` returns wᵀRw, or wᵀ(R∘R)w, and Σ w_n c_n/√H_nn for rows w.  For one hidden layer

    H_nk = Φ_nk ‖z‖²/d + c₀ [2 α_n α_k/sin θ_nk − (α_n² + α_k²) cot θ_nk],   α_n = ⟨z, x_n⟩/(d s(x_n)),

so that three products with (N, N) matrices serve all z, and six those of R∘R.  Derivation 18.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from theory.deep.architecture import Architecture
from theory.deep.initial import covariances_along, initial_covariances
from theory.kernel.rows import angles, phi_of_angle
from theory.libraries import scales
from theory.validation import Array

# Sine of the angle between x_n and x_k below which their terms with c₀, of that size at most, are left out:
# the two parts are larger by its inverse, and so is their rounding.
_PARALLEL = 1e-8
_PARALLEL_SQUARED = 1e-4  # of R∘R, whose parts are larger by the inverse of its square
# Shares of the squares of unit rows down to which their combinations are found, in two steps.
_RANKS = 1e-15, 1e-26

_Term = tuple[int, int, Array]


class InitialGradients:
    """The covariances of one set of samples, for any query points."""

    def __init__(self, X: Array, architecture: Architecture) -> None:
        self.X, self.architecture = X, architecture

    @cached_property
    def _terms(self) -> tuple[_Term, ...]:
        """R_nk as a sum of α_n^i M_nk α_k^j, those with i ≠ j also with n and k exchanged."""
        half, theta = self.architecture.half_square, angles(self.X)
        sine = np.sin(theta)
        S = np.divide(self._factor, sine, out=np.zeros_like(sine), where=sine > _PARALLEL)
        phi = phi_of_angle(theta, self.architecture.negative_slope) / half
        return (0, 0, phi), (1, 1, 2 * S), (2, 0, -np.cos(theta) * S)

    @property
    def _factor(self) -> float:
        return self.architecture.kink_factor / self.architecture.half_square

    @cached_property
    def _squared_terms(self) -> tuple[_Term, ...]:
        """The same of R_nk²."""
        (_, _, P), (_, _, S), (_, _, C) = self._terms
        apart = 2 * self._factor > S * _PARALLEL_SQUARED
        S, C = S / 2 * apart, -C * apart
        return (
            (0, 0, P**2),
            (1, 1, 4 * P * S),
            (2, 0, -2 * P * C),
            (2, 2, 4 * S**2 + 2 * C**2),
            (3, 1, -4 * S * C),
            (4, 0, C**2),
        )

    def prepare(self, *, squared: bool) -> None:
        """Make what all points need, before threads ask for it."""
        _ = self.architecture.depth > 1 or (self._squared_terms if squared else self._terms)

    def forms(self, Z: Array, weights: Array, *, squared: bool = False) -> tuple[Array, Array]:
        """Return wᵀRw or wᵀ(R∘R)w, and Σ w_n c_n/√H_nn of weights (B, F, N) at B points Z, each (B, F)."""
        if not (
            np.isfinite(weights).all() and weights.any()
        ):  # no eigenvalues are found of what is not finite
            nothing = weights.sum(axis=-1) * 0
            return nothing, nothing
        sizes = np.linalg.norm(weights, axis=-1, keepdims=True)
        combinations, basis = _combinations(np.divide(weights, sizes, out=0 * weights, where=sizes > 0))
        R, c = (self._shallow if self.architecture.depth == 1 else self._deep)(Z, basis, squared)
        form = np.einsum("bfi,bij,bfj->bf", combinations, R, combinations)
        sizes = sizes[..., 0]
        return form * sizes**2, np.einsum("bfi,bi->bf", combinations, c) * sizes

    def _shallow(self, Z: Array, basis: Array, squared: bool) -> tuple[Array, Array]:
        X, chosen, dim = self.X, self.architecture, Z.shape[1]
        norms = np.linalg.norm(Z, axis=1)[:, None]
        unit = np.divide(Z, norms, out=np.zeros_like(Z), where=norms > 0)
        alpha = (unit @ X.T / (np.sqrt(dim) * scales(X)))[:, None, :]  # cosine with the pre-activation at x_n
        R = np.zeros((*basis.shape[:2], basis.shape[1]))
        for i, j, matrix in self._squared_terms if squared else self._terms:
            right = (basis * alpha**j).reshape(-1, len(X)) @ matrix
            part = (basis * alpha**i) @ right.reshape(basis.shape).transpose(0, 2, 1)
            R += part if i == j else part + part.transpose(0, 2, 1)
        if squared:
            return R, np.zeros(basis.shape[:2])
        theta = angles(Z, X)
        correlated = phi_of_angle(theta, chosen.negative_slope) * norms / np.sqrt(dim)
        correlated += chosen.kink_factor * np.sin(theta) * scales(Z)[:, None] * alpha[:, 0]
        return R, np.einsum("bin,bn->bi", basis, correlated) / chosen.initial_gradient_norm

    def _deep(self, Z: Array, basis: Array, squared: bool) -> tuple[Array, Array]:
        R, c = np.empty((len(Z), basis.shape[1], basis.shape[1])), np.empty(basis.shape[:2])
        for q, z in enumerate(Z):
            H, correlated = initial_covariances(z, X=self.X, architecture=self.architecture)
            square = np.linalg.norm(z) ** 2 / len(z) * self.architecture.initial_gradient_norm**2 or 1.0
            R[q] = basis[q] @ (H / square) ** (2 if squared else 1) @ basis[q].T
            c[q] = basis[q] @ correlated / np.sqrt(square)
        return R, c

    def along(self, z: Array, directions: Array) -> tuple[float, float]:
        """Return Σ_nk E δ_n δ_k and Σ_n E f(z; 0) δ_n, δ_n = ⟨∇f(x_n; 0), d_n⟩ √d/G₀, of rows d_n."""
        H, c = covariances_along(directions, X=self.X, z=z, architecture=self.architecture)
        size = self.architecture.initial_gradient_norm / np.sqrt(len(z))
        return float(H.sum() / size**2), float(c.sum() / size)


def _combinations(rows: Array) -> tuple[Array, Array]:
    """Return (B, F, r) combinations of r rows (B, r, N) that make up unit rows (B, F, N) to 1e-13.

    A Gram matrix shows squares down to rounding; the rest has one of its own.
    """
    turned = np.broadcast_to(np.eye(rows.shape[1]), (*rows.shape[:2], rows.shape[1]))
    combinations, basis = [], []
    for share in _RANKS:
        values, vectors = np.linalg.eigh(rows @ rows.transpose(0, 2, 1))
        turned, rows = turned @ vectors, vectors.transpose(0, 2, 1) @ rows
        left = int((values <= share).sum(axis=1).min(initial=rows.shape[1]))
        combinations.append(turned[:, :, left:])
        basis.append(rows[:, left:])
        turned, rows = turned[:, :, :left], rows[:, :left]
        if not left:
            break
    return np.concatenate(combinations, axis=2), np.concatenate(basis, axis=1)
