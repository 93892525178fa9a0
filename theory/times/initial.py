"""What the initial gradients of f add to the outputs of g: quadratic forms of their covariance along z.

With R_nk(z) = H_nk(z)/√(H_nn H_kk), H and c of `theory.deep.initial_covariances`, and H_nn = G₀²‖z‖²/d at
every n: `forms` returns wᵀRw and Σ w_n c_n/√H_nn for rows w.  For one hidden layer

    H_nk = Φ_nk ‖z‖²/d + c₀ [2 α_n α_k/sin θ_nk − (α_n² + α_k²) cot θ_nk],   α_n = ⟨z, x_n⟩/(d s(x_n)),

so that three products with (N, N) matrices serve all z.  Derivation 18.
"""

from __future__ import annotations

import numpy as np

from theory.deep.architecture import Architecture
from theory.deep.initial import covariances_along, initial_covariances
from theory.kernel.rows import angles, phi_of_angle
from theory.libraries import scales
from theory.validation import Array

# Sine of the angle between x_n and x_k below which their terms with c₀, of that size at most, are left out:
# the two parts are larger by its inverse, and so is their rounding.
_PARALLEL = 1e-8
# Share of the squares of the weights at all times that may be left out where few combinations make them up.
_RANK = 1e-17


class InitialGradients:
    """The covariances of one set of samples, for any query points."""

    def __init__(self, X: Array, architecture: Architecture) -> None:
        self.X, self.architecture = X, architecture
        if architecture.depth > 1:
            return
        half, factor = architecture.half_square, architecture.kink_factor / architecture.half_square
        theta = angles(X)
        self._phi = phi_of_angle(theta, architecture.negative_slope) / half
        sine, cosine = np.sin(theta), np.cos(theta)
        apart = sine > _PARALLEL
        self._inverse_sine = np.divide(factor, sine, out=np.zeros_like(sine), where=apart)
        self._cotangent = cosine * self._inverse_sine

    def forms(self, Z: Array, weights: Array) -> tuple[Array, Array]:
        """Return wᵀRw and Σ w_n c_n/√H_nn of weights (B, F, N) at the B points Z, each of shape (B, F)."""
        squares = weights @ weights.transpose(0, 2, 1)
        if not np.isfinite(squares).all():  # of which no eigenvalues are found
            return np.full(weights.shape[:2], np.nan), np.full(weights.shape[:2], np.nan)
        combinations, values = np.linalg.eigh(squares)[::-1]
        rank = int((values > _RANK * values[:, -1:]).sum(axis=1).max(initial=1))
        combinations = combinations[:, :, -rank:]
        basis = combinations.transpose(0, 2, 1) @ weights
        R, c = (self._shallow if self.architecture.depth == 1 else self._deep)(Z, basis)
        return np.einsum("bfi,bij,bfj->bf", combinations, R, combinations), np.einsum(
            "bfi,bi->bf", combinations, c
        )

    def _shallow(self, Z: Array, basis: Array) -> tuple[Array, Array]:
        X, chosen, dim = self.X, self.architecture, Z.shape[1]
        norms = np.linalg.norm(Z, axis=1)[:, None]
        unit = np.divide(Z, norms, out=np.zeros_like(Z), where=norms > 0)
        s = scales(X)
        alpha = (unit @ X.T / (np.sqrt(dim) * s))[:, None, :]  # cosine with the pre-activation at x_n
        linear, squared = basis * alpha, basis * alpha**2
        flat = basis.reshape(-1, len(X))
        products = [flat @ self._phi, flat @ self._cotangent, linear.reshape(flat.shape) @ self._inverse_sine]
        a, b, c = (part.reshape(basis.shape).transpose(0, 2, 1) for part in products)
        crossed = squared @ b
        R = basis @ a + 2 * (linear @ c) - crossed - crossed.transpose(0, 2, 1)
        theta = angles(Z, X)
        correlated = phi_of_angle(theta, chosen.negative_slope) * norms / np.sqrt(dim)
        correlated += chosen.kink_factor * np.sin(theta) * scales(Z)[:, None] * alpha[:, 0]
        return R, np.einsum("bin,bn->bi", basis, correlated) / chosen.initial_gradient_norm

    def _deep(self, Z: Array, basis: Array) -> tuple[Array, Array]:
        R, c = np.empty((len(Z), basis.shape[1], basis.shape[1])), np.empty(basis.shape[:2])
        for q, z in enumerate(Z):
            H, correlated = initial_covariances(z, X=self.X, architecture=self.architecture)
            square = np.linalg.norm(z) ** 2 / len(z) * self.architecture.initial_gradient_norm**2 or 1.0
            R[q] = basis[q] @ H @ basis[q].T / square
            c[q] = basis[q] @ correlated / np.sqrt(square)
        return R, c

    def along(self, z: Array, directions: Array) -> tuple[float, float]:
        """Return Σ_nk E δ_n δ_k and Σ_n E f(z; 0) δ_n, δ_n = ⟨∇f(x_n; 0), d_n⟩ √d/G₀, of rows d_n."""
        H, c = covariances_along(directions, X=self.X, z=z, architecture=self.architecture)
        size = self.architecture.initial_gradient_norm / np.sqrt(len(z))
        return float(H.sum() / size**2), float(c.sum() / size)
