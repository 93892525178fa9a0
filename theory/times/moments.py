"""Gaussian means over the perturbations of f of the kernel at a perturbed sample.

u(e) = Θ(r, z) at r = ε e (scenario (a)) or x_n + ε e (scenario (b)) has an odd part ψ and an even part χ.
e_n = ∇f(x_n; T_f)/‖·‖ has the mean √(1 − v_n) ∇F(x_n)/‖∇F(x_n)‖ and the covariance v_n I/d, where
v_n = 1/(1 + T_f²‖∇F(x_n)‖²/G₀²).  Derivation 18.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy import special

from theory.deep.architecture import Architecture
from theory.deep.layers import Covariance, kernels
from theory.kernel.rows import phi_of_angle
from theory.times.initial import InitialGradients
from theory.validation import Array

# On a sphere means are polynomials of the mean of ⟨e, z⟩ (_MEANS terms in its square) and of its variance,
# through values at Chebyshev points by Gauss–Hermite sums of _NODES terms.
_MEANS, _VARIANCES, _NODES = 8, 5, 48
_PLANE = 7  # terms of a Gauss–Hermite sum along each of two axes


class Means(NamedTuple):
    """E u(e_n), Var u(e_n), and the coefficients of first order of u in the fluctuation of e_n."""

    mean: Array  # shape (B, F, N), at B points and F times
    variance: Array
    # E u ξ, ξ = ⟨e − E e, ẑ⟩ √(d/v) (ẑ = z/‖z‖); in scenario (b) along ẑ and along x_n, on the first axis.
    first: Array

    def own(self) -> Array:
        """Return the mean over n of the variance that is not of first order, shape (B, F)."""
        linear = (self.first**2).reshape(-1, *self.mean.shape).sum(axis=0)
        return np.asarray((self.variance - linear).mean(axis=-1))


class Moments(Protocol):
    """Means of the two parts at some query points."""

    def odd(self) -> Means:
        """Return the means of ψ."""

    def even(self) -> Means:
        """Return the means of χ."""

    def even_square(self) -> Array:
        """Return E χ²."""

    def given(self, targets: Array) -> Means:
        """Return the means of ψ + t_n χ, t_n targets or their means."""

    def forms(self, means: Means) -> tuple[Array, Array]:
        """Return Σ_nk Cov(u_n, u_k) and Σ_n Cov(f(z; 0), u_n), to first order, each of shape (B, F)."""


class OnSphere:
    """Scenario (a), where u depends on s = ⟨e, z⟩ alone."""

    def __init__(
        self, Z: Array, directions: Array, variances: Array, epsilon: float, initial: InitialGradients
    ) -> None:
        norms, dim = np.linalg.norm(Z, axis=1), Z.shape[1]
        self._Z, self._initial = Z, initial
        self._deviations = np.sqrt(variances)
        self._means = (Z @ directions.T)[:, None, :] * np.sqrt(1 - variances)
        largest = np.abs(self._means).max(axis=(1, 2))
        largest[largest == 0] = 1
        self._means /= largest[:, None, None]
        self._nodes = np.cos(np.pi * (np.arange(_MEANS) + 0.5) / (2 * _MEANS))  # the positive half
        low, high = variances.min(), max(variances.max(), 1e-3)
        half, middle = max((high - low) / 2, 1e-4), (high + low) / 2
        nodes = np.cos(np.pi * (np.arange(_VARIANCES) + 0.5) / _VARIANCES)
        points, weights = special.roots_hermitenorm(_NODES)
        self._points, self._weights = points, weights / weights.sum()
        self._node_deviations = np.sqrt(np.maximum(middle + half * nodes, 0))
        limits = norms[:, None, None, None]
        s = (largest[:, None] * self._nodes)[:, :, None, None]
        s = s + limits * (self._node_deviations / np.sqrt(dim))[:, None] * points
        s = np.clip(s, -limits, limits)
        up, down = (
            _tangent(sign * epsilon * s, np.array(epsilon**2), limits**2, dim, initial.architecture)
            for sign in (1, -1)
        )
        self._odd, self._even = (up - down) / 2, (up + down) / 2
        # From values at the nodes to coefficients of squares of means and powers of variances.
        self._from_means = np.linalg.inv(np.vander(self._nodes**2, increasing=True))
        self._from_variances = np.linalg.inv(np.vander(nodes, increasing=True))
        self._powers = np.vander(((variances - middle) / half).ravel(), _VARIANCES, increasing=True).T

    def odd(self) -> Means:
        """Return the means of ψ."""
        u = self._odd
        mean = self._at(u, odd=True)
        return Means(mean, self._at(u**2) - mean**2, self._at(u, slope=True))

    def even(self) -> Means:
        """Return the means of χ; a constant, beside which its changes are small, is kept out of them."""
        constant = self._even.mean(axis=(1, 2, 3), keepdims=True)
        u = self._even - constant
        mean = self._at(u)
        variance = self._at(u**2) - mean**2
        return Means(mean + constant[..., 0], variance, self._at(u, odd=True, slope=True))

    def even_square(self) -> Array:
        """Return E χ²."""
        return self._at(self._even**2)

    def given(self, targets: Array) -> Means:
        """Return the means of ψ + t_n χ."""
        odd, even, constant = self.odd(), self.even(), self._even.mean(axis=(1, 2, 3), keepdims=True)
        together = self._at(self._odd * (self._even - constant), odd=True)
        together -= odd.mean * (even.mean - constant[..., 0])
        return Means(
            odd.mean + targets * even.mean,
            odd.variance + targets**2 * even.variance + 2 * targets * together,
            odd.first + targets * even.first,
        )

    def forms(self, means: Means) -> tuple[Array, Array]:
        """Return Σ_nk Cov(u_n, u_k) and Σ_n Cov(f(z; 0), u_n), to first order."""
        return self._initial.forms(self._Z, means.first)

    def _at(self, u: Array, *, odd: bool = False, slope: bool = False) -> Array:
        """Return E u(s_n), or with `slope` E u(s_n) ξ_n, at all times and samples, shape (B, F, N).

        `odd` says whether it is an odd function of the mean of s_n, which is taken in units of its largest.
        """
        values = (u * (self._points * self._weights if slope else self._weights)).sum(axis=-1)
        if slope:  # the deviation is a factor of E u ξ, and no polynomial of the variance
            values = values / self._node_deviations
        if odd:
            values = values / self._nodes[:, None]
        coefficients = self._from_means @ values @ self._from_variances.T  # (B, _MEANS, _VARIANCES)
        x, shape = self._means.reshape(len(values), -1), self._means.shape
        square, total = x**2, coefficients[:, -1] @ self._powers
        for k in range(_MEANS - 2, -1, -1):
            total *= square
            total += coefficients[:, k] @ self._powers
        if odd:
            total *= x
        total = np.asarray(total.reshape(shape))
        return np.asarray(total * self._deviations) if slope else total


class AroundSamples:
    """Scenario (b), where u depends on ⟨e, z⟩ and on ⟨e, x_n⟩, which changes the norm of x_n + ε e."""

    def __init__(
        self, Z: Array, directions: Array, variances: Array, epsilon: float, initial: InitialGradients
    ) -> None:
        X, dim = initial.X, Z.shape[1]
        self._Z, self._initial = Z, initial
        sizes, norms = np.linalg.norm(X, axis=1), np.linalg.norm(Z, axis=1)[:, None]
        self._units = np.divide(X, sizes[:, None], out=np.zeros_like(X), where=sizes[:, None] > 0)
        points, weights = special.roots_hermitenorm(_PLANE)
        self._points, self._weights = points, weights / weights.sum()
        inner = Z @ X.T
        cosines = np.clip(Z @ self._units.T / np.where(norms > 0, norms, 1), -1, 1)
        grown, deviations = np.sqrt(1 - variances), np.sqrt(variances / dim)
        # Axes of arrays: B, F, N, then ξ_x along x_n and ξ_z along the part of z across it.
        along_x = (grown * np.einsum("nd,nd->n", directions, X))[..., None]
        along_x = np.clip(along_x + (deviations * sizes)[..., None] * points, -sizes[:, None], sizes[:, None])
        fluctuation = cosines[..., None, None] * points[:, None]
        fluctuation = fluctuation + np.sqrt(1 - cosines**2)[..., None, None] * points
        along_z = ((Z @ directions.T)[:, None] * grown)[..., None, None]
        along_z = along_z + (norms[..., None] * deviations)[..., None, None] * fluctuation[:, None]
        limits = norms[..., None, None, None]
        along_z = epsilon * np.clip(along_z, -limits, limits)
        squares = (sizes**2 + epsilon**2)[:, None, None]
        up, down = (
            _tangent(
                inner[:, None, :, None, None] + sign * along_z,
                np.maximum(squares + 2 * sign * epsilon * along_x[..., None], 0),
                limits**2,
                dim,
                initial.architecture,
            )
            for sign in (1, -1)
        )
        self._odd, self._even, self._cosines = (up - down) / 2, (up + down) / 2, cosines

    def odd(self) -> Means:
        """Return the means of ψ."""
        return self._of(self._odd)

    def even(self) -> Means:
        """Return the means of χ."""
        return self._of(self._even)

    def even_square(self) -> Array:
        """Return E χ²."""
        return np.asarray(np.einsum("bfnij,i,j->bfn", self._even**2, self._weights, self._weights))

    def given(self, targets: Array) -> Means:
        """Return the means of ψ + t_n χ."""
        return self._of(self._odd + targets[:, None, None] * self._even)

    def _of(self, u: Array) -> Means:
        w, weighted = self._weights, self._weights * self._points
        across = np.einsum("bfnij,i,j->bfn", u, w, weighted)
        along = np.einsum("bfnij,i,j->bfn", u, weighted, w)
        mean = np.einsum("bfnij,i,j->bfn", u, w, w)
        variance = np.einsum("bfnij,i,j->bfn", (u - mean[..., None, None]) ** 2, w, w)
        return Means(mean, variance, np.stack([along, across]))

    def forms(self, means: Means) -> tuple[Array, Array]:
        """Return Σ_nk Cov(u_n, u_k) and Σ_n Cov(f(z; 0), u_n), to first order."""
        form, shared = np.empty((2, *means.mean.shape[:2]))
        for q, z in enumerate(self._Z):
            cosine = self._cosines[q][:, None]
            length = np.linalg.norm(z)
            beside = (z / length if length else z) - cosine * self._units
            sine = np.linalg.norm(beside, axis=1, keepdims=True)
            beside = np.divide(beside, sine, out=np.zeros_like(beside), where=sine > 0)
            for f in range(means.mean.shape[1]):
                along, across = means.first[:, q, f][:, :, None]
                form[q, f], shared[q, f] = self._initial.along(z, along * self._units + across * beside)
        return form, shared


def _tangent(inner: Array, squares_r: Array, squares_z: Array, dim: int, architecture: Architecture) -> Array:
    """Return Θ of pairs of points from ⟨r, z⟩, ‖r‖² and ‖z‖²."""
    v_r, v_z = squares_r / dim + 1, squares_z / dim + 1
    gap = np.maximum(squares_r + squares_z - 2 * inner, 0) / dim
    gap = gap + np.maximum(squares_r * squares_z - inner**2, 0) / dim**2  # v_r v_z − c²
    theta = np.arctan2(np.sqrt(gap), inner / dim + 1)
    rates = architecture.rates_for(dim)
    if architecture.depth == 1 and not rates.readout:  # Φ alone: the covariance is for later layers
        return np.asarray(rates.first * (inner + 1) * phi_of_angle(theta, architecture.negative_slope))
    u = Covariance(v_z, v_r, v_r - v_z, 2 * np.sin(theta / 2) ** 2, theta)
    return np.asarray(kernels(u, inner, architecture, rates).tangent)
