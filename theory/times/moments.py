"""Gaussian means over the perturbations of f of the kernel at a perturbed sample.

u(e) = Θ(r, z) at r = ε e (scenario (a)) or x_n + ε e (scenario (b)) has an odd part ψ and an even part χ.
e_n = ∇f(x_n; T_f)/‖·‖ has the mean √(1 − v_n) ∇F(x_n)/‖∇F(x_n)‖ and the covariance v_n I/d, where
v_n = 1/(1 + T_f²‖∇F(x_n)‖²/G₀²).  Derivation 18.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.polynomial import chebyshev
from scipy import special, stats

from theory.deep.architecture import Architecture
from theory.deep.layers import Covariance, kernels
from theory.kernel.rows import phi_of_angle
from theory.times.initial import InitialGradients
from theory.validation import Array


def _chebyshev_points(count: int) -> Array:
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


# On a sphere means are sums of Chebyshev polynomials, of the angle of the mean of ⟨e, z⟩ (_MEANS terms, even
# or odd) and of its variance, over all that any time gives: what is asked for at one changes no other.
_MEANS, _VARIANCES = 10, 7
_REACHES = 8  # the largest mean is rounded up to one of so many parts of ‖z‖
_PLACES = np.sqrt((1 + _chebyshev_points(_MEANS)) / 2)[:, None]
_AT_VARIANCES = (1 + _chebyshev_points(_VARIANCES)) / 2
_FEWEST_NODES, _NODES = 64, 50  # of integrals: at least, and times √d, for the narrowest Gaussian
_ROUNDING = 16 * float(np.finfo(np.float64).eps)
_PLANE = 7  # terms of a Gauss–Hermite sum along each of two axes


class Means(NamedTuple):
    """E u(e_n), and its variance by orders of Hermite polynomials in the fluctuation of e_n."""

    mean: Array  # shape (B, F, N), at B points and F times
    rest: Array  # the part of the variance that is of no order below
    # E u ξ, ξ = ⟨e − E e, ẑ⟩ √(d/v) (ẑ = z/‖z‖); in scenario (b) along ẑ and along x_n, on the first axis.
    first: Array
    second: Array | None = None  # E u (ξ² − 1), if it counts

    @property
    def variance(self) -> Array:
        """Var u(e_n)."""
        second = 0.0 if self.second is None else self.second**2 / 2
        return np.asarray(self.rest + (self.first**2).reshape(-1, *self.mean.shape).sum(axis=0) + second)


class Moments(Protocol):
    """Means of the two parts at some query points."""

    @property
    def size(self) -> Array:
        """The largest of |Θ| at each ε, shape (B, F)."""

    def odd(self) -> Means:
        """Return the means of ψ."""

    def even(self) -> Means:
        """Return the means of χ."""

    def even_square(self) -> Array:
        """Return E χ²."""

    def given(self, targets: Array) -> Means:
        """Return the means of ψ + t_n χ, t_n targets or their means."""

    def forms(self, means: Means) -> tuple[Array, Array]:
        """Return Σ_nk Cov(u_n, u_k), to the orders there are, and Σ_n Cov(f(z; 0), u_n), of shape (B, F)."""


def number_of_nodes(dim: int) -> int:
    """Return how many values of a function of e its means are made of."""
    return _FEWEST_NODES + math.ceil(_NODES * math.sqrt(dim)) + 2


@functools.cache
def _sums(dim: int, reach: float) -> tuple[Array, Array]:
    """Return nodes ⟨e, ẑ⟩, from −1 to 1, and E u, E u ξ and E u (ξ² − 1) as sums of values there.

    At Chebyshev points of the mean of ⟨e, ẑ⟩, up to sin(π/2 · reach), and of v: shape (3, _MEANS ·
    _VARIANCES, M).  Gauss–Legendre sums over the angle φ, s = ‖z‖ sin φ, as Θ has a root of 1 − sin φ at the
    end, which is smooth in φ; what is cut off is at the ends.
    """
    angles, weights = special.roots_legendre(number_of_nodes(dim) - 2)
    angles, weights = angles * np.pi / 2, weights * np.pi / 2
    means = np.sin(np.pi / 2 * reach * _PLACES)[:, None]
    deviations = np.sqrt(_AT_VARIANCES / dim)[:, None]
    xi, low, high = ((end - means) / deviations for end in (np.sin(angles), np.full(1, -1.0), np.ones(1)))
    density = stats.norm.pdf(xi) * weights * np.cos(angles) / deviations
    below, above = stats.norm.pdf(low), stats.norm.pdf(high)
    orders = [
        np.concatenate(parts, axis=-1).reshape(_MEANS * _VARIANCES, -1)
        for parts in (
            (stats.norm.cdf(low), density, stats.norm.sf(high)),
            (-below, density * xi, above),
            (-low * below, density * (xi**2 - 1), high * above),
        )
    ]
    return np.concatenate([[-1.0], np.sin(angles), [1.0]]), np.stack(orders)


class OnSphere:
    """Scenario (a), where u depends on s = ⟨e, z⟩ alone."""

    def __init__(
        self, Z: Array, directions: Array, variances: Array, epsilon: Array, initial: InitialGradients
    ) -> None:
        norms, dim = np.linalg.norm(Z, axis=1)[:, None], Z.shape[1]
        self._Z, self._initial = Z, initial
        unit = np.divide(Z, norms, out=np.zeros_like(Z), where=norms > 0)
        sines = unit @ directions.T
        reaches = np.arcsin(np.minimum(np.abs(sines).max(axis=1), 1)) / (np.pi / 2)
        reaches = np.maximum(np.ceil(_REACHES * reaches), 1) / _REACHES
        self._sums = [(_sums(dim, reach)[1], reaches == reach) for reach in np.unique(reaches).tolist()]
        # With axes of times, points, samples.
        sines = sines * np.sqrt(1 - variances)[:, None, :]
        self._places = np.arcsin(np.clip(sines, -1, 1)) / (np.pi / 2 * reaches[:, None])
        self._variances = variances
        polynomials = chebyshev.chebvander(2 * variances - 1, _VARIANCES - 1)
        self._polynomials = np.ascontiguousarray(polynomials.transpose(0, 2, 1))
        lengths, self._lengths = np.unique(epsilon, return_inverse=True)
        up = _tangent(
            norms[..., None] * _sums(dim, reaches[0])[0] * lengths[:, None],
            lengths[:, None] ** 2,
            norms[..., None] ** 2,
            dim,
            initial.architecture,
        )
        self._odd, self._even = _parts(up, up[..., ::-1])  # at e and −e

    @property
    def size(self) -> Array:
        """The largest of |Θ| at each ε, shape (B, F)."""
        return np.asarray((np.abs(self._odd) + np.abs(self._even)).max(axis=2)[:, self._lengths])

    def odd(self) -> Means:
        """Return the means of ψ."""
        mean, first, _ = self._orders(self._odd)
        rest = self._orders(self._odd**2)[0] - mean**2 - first**2
        return Means(self._at(mean, 0, odd=True), self._at(rest, 2), self._at(first, 0.5))

    def even(self) -> Means:
        """Return the means of χ; a constant, beside which its changes are small, is kept out of them."""
        constant = self._even.mean(axis=-1, keepdims=True)
        mean, first, second = self._orders(self._even - constant)
        rest = self._orders((self._even - constant) ** 2)[0] - mean**2 - first**2 - second**2 / 2
        return Means(
            self._at(mean, 0) + constant[:, self._lengths],
            self._at(rest, 2),
            self._at(first, 0.5, odd=True),
            self._at(second, 1),
        )

    def even_square(self) -> Array:
        """Return E χ²."""
        return self._at(self._orders(self._even**2)[0], 0)

    def given(self, targets: Array) -> Means:
        """Return the means of ψ + t_n χ, to first order."""
        odd, even, changing = self.odd(), self.even(), self._even - self._even.mean(axis=-1, keepdims=True)
        (mean, first, _), (other, along, _) = self._orders(self._odd), self._orders(changing)
        together = self._orders(self._odd * changing)[0] - mean * other - first * along
        assert even.second is not None
        return Means(
            odd.mean + targets * even.mean,
            odd.rest
            + targets**2 * (even.rest + even.second**2 / 2)
            + 2 * targets * self._at(together, 2, odd=True),
            odd.first + targets * even.first,
        )

    def forms(self, means: Means) -> tuple[Array, Array]:
        """Return Σ_nk Cov(u_n, u_k), to the orders there are, and Σ_n Cov(f(z; 0), u_n)."""
        form, shared = self._initial.forms(self._Z, means.first)
        if means.second is not None:
            form = form + self._initial.forms(self._Z, means.second, squared=True)[0] / 2
        return form, shared

    def _orders(self, u: Array) -> Array:
        """Return E u, E u ξ and E u (ξ² − 1) at the Chebyshev points, shape (3, B, E, _MEANS, _VARIANCES)."""
        found = np.empty((3, *u.shape[:2], _MEANS * _VARIANCES))
        for sums, rows in self._sums:
            found[:, rows] = u[rows] @ sums.transpose(0, 2, 1)[:, None]
        return found.reshape(*found.shape[:-1], _MEANS, _VARIANCES)

    def _at(self, values: Array, power: float, *, odd: bool = False) -> Array:
        """Return at all times and samples, shape (B, F, N), what has values at the Chebyshev points.

        It is v to a power times a smooth function of v, even or odd in the mean of s_n.
        """
        values = values / _AT_VARIANCES**power / (_PLACES if odd else 1)
        coefficients = _cosines(_MEANS) @ values @ _cosines(_VARIANCES).T
        coefficients = coefficients[:, self._lengths].transpose(2, 1, 0, 3)
        double = (
            4 * self._places**2 - 2
        )  # twice the argument of polynomials that are summed by Clenshaw's rule
        one, two, new = np.zeros((3, *double.shape))
        for k in range(_MEANS - 1, -1, -1):
            np.multiply(double if k else double / 2, one, out=new)
            new -= two
            new += coefficients[k] @ self._polynomials
            one, two, new = new, one, two
        if odd:
            one *= self._places
        return np.asarray((one * self._variances[:, None] ** power).transpose(1, 0, 2))


def _cosines(count: int) -> Array:
    """Return what takes values at Chebyshev points to coefficients."""
    transform = np.cos(np.pi * np.outer(np.arange(count), np.arange(count) + 0.5) / count)
    return transform * np.where(np.arange(count) > 0, 2, 1)[:, None] / count


class AroundSamples:
    """Scenario (b), where u depends on ⟨e, z⟩ and on ⟨e, x_n⟩, which changes the norm of x_n + ε e."""

    def __init__(
        self, Z: Array, directions: Array, variances: Array, epsilon: Array, initial: InitialGradients
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
        limits, epsilon = norms[..., None, None, None], epsilon[:, None, None, None]
        along_z = epsilon * np.clip(along_z, -limits, limits)
        squares = sizes[:, None, None] ** 2 + epsilon**2
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
        self._odd, self._even = _parts(up, down)
        self._cosines = cosines

    @property
    def size(self) -> Array:
        """The largest of |Θ| at each ε, shape (B, F)."""
        return np.asarray((np.abs(self._odd) + np.abs(self._even)).max(axis=(2, 3, 4)))

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
        return Means(mean, variance - along**2 - across**2, np.stack([along, across]))

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


def _parts(up: Array, down: Array) -> tuple[Array, Array]:
    """Return the odd and the even part; of very short perturbations the odd one is rounding, and 0."""
    odd, even = (up - down) / 2, (up + down) / 2
    return np.where(np.abs(odd).max(axis=-1, keepdims=True) <= _ROUNDING * np.abs(even), 0.0, odd), even


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
