"""The recursion over layers for pairs of points, without cancellation, and its derivative in one of them.

A covariance is carried as its two variances, their difference D = v_x − v_z and the *deficit* δ = 1 − ρ,
never as ρ: through depth ρ → 1, and arccos ρ would lose every digit.  Written in operations of the array API
alone, so that arrays of every library pass, derivatives included; where two points coincide derivatives are
0, the symmetric choice.  Derivation 17.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import array_api_compat
import numpy as np

from theory import libraries
from theory.deep.architecture import Architecture, Rates
from theory.kernel.rows import phi_of_angle
from theory.validation import AnyArray

_SERIES = 0.2  # angle below which sin θ − θ cos θ is summed
# Σ_k (−1)^{k+1} 2k θ^{2k+1}/(2k+1)!; at θ = .2 the first term left out is 4e-19 of the first one.
SERIES_TERMS = [(-1) ** (k + 1) * 2 * k / math.factorial(2 * k + 1) for k in range(1, 8)]


class Slopes(NamedTuple):
    """A derivative in z of a number for each pair (z, x): along x − z and along z."""

    difference: AnyArray
    point: AnyArray


@dataclass(frozen=True)
class Covariance:
    """Covariance of one coordinate of a layer at points z (rows) and x (columns)."""

    # Arrays; numbers for a bias, which is the same for all pairs.
    v_z: AnyArray  # variance at z, shape (Q, 1)
    v_x: AnyArray  # variance at x, shape (1, N)
    D: AnyArray  # v_x − v_z, shape (Q, N)
    deficit: AnyArray  # δ = 1 − ρ, shape (Q, N)
    theta: AnyArray  # arccos ρ
    dv_z: AnyArray = None  # ∇_z v_z = dv_z · z, a number or shape (Q, 1); None: no derivatives are carried
    d_deficit: Slopes | None = None  # ∇_z δ
    # Whether the first layer sees one direction, up to 8 machine epsilons.  Else a smaller angle in a later
    # layer is none of rounding: with σ_w² g₀ < 1 and a bias angles shrink geometrically with depth.
    same: AnyArray = False

    def value(self) -> AnyArray:
        """Return the covariance itself."""
        return self.v_x**0.5 * self.v_z**0.5 * (1 - self.deficit)

    def slopes(self) -> Slopes:
        """Return the derivative of the covariance."""
        assert self.d_deficit is not None
        size = self.v_x**0.5 * self.v_z**0.5
        along, point = self.d_deficit
        return Slopes(
            -size * along, -size * point + (1 - self.deficit) * (self.v_x / self.v_z) ** 0.5 / 2 * self.dv_z
        )

    def scaled(self, factor: float) -> Covariance:
        """Return the covariance times a number."""
        change = None if self.dv_z is None else factor * self.dv_z
        return replace(self, v_z=factor * self.v_z, v_x=factor * self.v_x, D=factor * self.D, dv_z=change)

    def shifted(self, variance: float) -> Covariance:
        """Return the covariance plus that of a shared bias."""
        if variance == 0:
            return self
        change = None if self.dv_z is None else 0.0
        slopes = None if self.d_deficit is None else Slopes(0.0, 0.0)
        return self.plus(Covariance(variance, variance, 0.0, 0.0, 0.0, change, slopes))

    def plus(self, other: Covariance) -> Covariance:
        """Return the sum of two covariances.

        1 − ρ' = [√(a_x a_z) δ_a + √(b_x b_z) δ_b + q²/(S + √(a_x a_z) + √(b_x b_z))]/S with
        S = √((a_x + b_x)(a_z + b_z)), q = √(a_x b_z) − √(a_z b_x): all terms are ≥ 0.
        """
        a_z, a_x, b_z, b_x = self.v_z, self.v_x, other.v_z, other.v_x
        v_z, v_x = a_z + b_z, a_x + b_x
        size, of_a, of_b = v_x**0.5 * v_z**0.5, a_x**0.5 * a_z**0.5, b_x**0.5 * b_z**0.5
        # a_x b_z − a_z b_x; of the two forms that of the smaller variances, in which nothing cancels.
        xp = array_api_compat.array_namespace(self.D)
        crossed = xp.where(self.D < 0, self.D * b_x - a_x * other.D, self.D * b_z - a_z * other.D)
        q = crossed / (a_x**0.5 * b_z**0.5 + a_z**0.5 * b_x**0.5)
        deficit = (of_a * self.deficit + of_b * other.deficit + q * q / (size + of_a + of_b)) / size
        theta = _angle(deficit, self.same)
        summed = Covariance(v_z, v_x, self.D + other.D, deficit, theta, same=self.same)
        if self.d_deficit is None or other.d_deficit is None:
            return summed
        along = (of_a * self.d_deficit.difference + of_b * other.d_deficit.difference) / size
        point = (of_a * self.d_deficit.point + of_b * other.d_deficit.point) / size
        for part, sign in ((self, 1), (other, -1)):
            # ∂δ'/∂a_z at fixed δ_a: [1 − t − δ' + δ_a t]/(2 v_z'), t = √(a_x v_z'/(a_z v_x')).
            t = (part.v_x / part.v_z) ** 0.5 * (v_z / v_x) ** 0.5
            below = -sign * crossed / (part.v_z * v_x * (1 + t))  # 1 − t
            point = point + (below - deficit + part.deficit * t) / (2 * v_z) * part.dv_z
        return replace(summed, dv_z=self.dv_z + other.dv_z, d_deficit=Slopes(along, point))


def activated(u: Covariance, architecture: Architecture) -> tuple[Covariance, AnyArray, Slopes | None]:
    """Return the covariance E φ(u_x) φ(u_z) of a layer's output, Φ = E φ'(u_x) φ'(u_z), and ∇_z Φ.

    g₀ √(v_x v_z) (1 − Δ), Δ = δ − (c₀/g₀)(sin θ − θ cos θ), and Φ = g₀ − c₀ θ; ∇Δ = (Φ/g₀) ∇δ.
    """
    g0, c0 = architecture.half_square, architecture.kink_factor
    phi = phi_of_angle(u.theta, architecture.negative_slope)
    deficit = u.deficit - c0 / g0 * _bracket(u.theta, u.deficit)
    change = None if u.dv_z is None else g0 * u.dv_z
    theta = _angle(deficit, u.same)
    E = Covariance(g0 * u.v_z, g0 * u.v_x, g0 * u.D, deficit, theta, change, same=u.same)
    if u.d_deficit is None:
        return E, phi, None
    xp = array_api_compat.array_namespace(u.deficit)
    sine = xp.sin(u.theta)
    flat = (sine == 0) | (u.same & is_one_direction(u.theta))  # the cone points
    pull = xp.where(flat, 0 * sine, -c0 / xp.where(flat, 1 + 0 * sine, sine))
    slopes = Slopes(*(phi / g0 * part for part in u.d_deficit))
    return replace(E, d_deficit=slopes), phi, Slopes(*(pull * part for part in u.d_deficit))


class Kernels(NamedTuple):
    """What the recursion ends with, for pairs (z, x)."""

    covariance: AnyArray  # K^L, that of f(·; 0)
    tangent: AnyArray  # Θ
    phi: AnyArray  # Φ^(L)
    covariance_slopes: Slopes | None
    tangent_slopes: Slopes | None


def kernels(u: Covariance, inner: AnyArray, architecture: Architecture, rates: Rates) -> Kernels:
    """Return K^L, Θ and Φ^(L) from the first layer's pre-activations and ⟨x, z⟩, and their derivatives.

    Plain layers:  C' = E, Θ' = Φ (σ_w² Θ + λ_w C + λ_b), E and Φ at σ_w² C + σ_b²; residual blocks, with
    β = α²σ_v²:  C' = C + β E, Θ' = Θ + β Φ (σ_w² Θ + λ_w C + λ_b) + α²λ_v E.
    """
    weight, beta = architecture.resolved_weight_variance, architecture.branch_factor
    residual = architecture.residual is not None
    C, phi, d_phi = activated(u, architecture)
    tangent = rates.first * (inner + 1) * phi
    slopes = None
    if d_phi is not None:
        slopes = Slopes(
            rates.first * (phi + (inner + 1) * d_phi.difference),
            rates.first * (phi + (inner + 1) * d_phi.point),
        )
    product = phi
    for _ in range(architecture.depth - 1):
        E, phi, d_phi = activated(C.scaled(weight).shifted(architecture.bias_variance), architecture)
        inside = weight * tangent + rates.weights * C.value() + rates.biases
        step = phi * inside
        if slopes is not None and d_phi is not None:
            d_inside = (weight * s + rates.weights * c for s, c in zip(slopes, C.slopes(), strict=True))
            d_step = [d * inside + phi * s for d, s in zip(d_phi, d_inside, strict=True)]
        if residual:
            branch = (architecture.residual or 0.0) ** 2 * rates.branches
            tangent = tangent + beta * step + branch * E.value()
            product = product * (1 + beta * weight * phi)
            if slopes is not None:
                parts = zip(slopes, d_step, E.slopes(), strict=True)
                slopes = Slopes(*(s + beta * d + branch * e for s, d, e in parts))
            C = C.plus(E.scaled(beta))
        else:
            tangent, product, C = step, weight * phi * product, E
            slopes = None if slopes is None else Slopes(*d_step)
    if rates.readout:
        tangent = tangent + rates.readout * C.value()
        if slopes is not None:
            slopes = Slopes(*(s + rates.readout * c for s, c in zip(slopes, C.slopes(), strict=True)))
    return Kernels(C.value(), tangent, product, C.slopes() if slopes is not None else None, slopes)


# Elementary functions ------------------------------------------------------------------------------


def is_one_direction(theta: AnyArray) -> AnyArray:
    """Whether the sine of an angle is up to 8 machine epsilons."""
    xp = array_api_compat.array_namespace(theta)
    return xp.sin(theta) <= 8 * xp.finfo(theta.dtype).eps


def _angle(deficit: AnyArray, same: AnyArray) -> AnyArray:
    """Return arccos(1 − δ), accurate near δ = 0, of derivative 0 there."""
    xp = array_api_compat.array_namespace(deficit)
    if isinstance(deficit, np.ndarray):
        return 2 * np.arcsin(np.minimum(np.sqrt(deficit / 2), 1))
    # Up to 8 machine epsilons of angle the direction from z to x is rounding: constant, as in `theory.phi`.
    seen = (deficit > 32 * xp.finfo(deficit.dtype).eps ** 2) | xp.logical_not(same)
    curved = seen & (deficit > 0) & (deficit < 2)
    straight = 2 * xp.asin(xp.sqrt(libraries.constant(xp.clip(deficit, 0, 2)) / 2))
    return xp.where(curved, 2 * xp.asin(xp.sqrt(xp.where(curved, deficit, 1 + 0 * deficit) / 2)), straight)


def _bracket(theta: AnyArray, deficit: AnyArray) -> AnyArray:
    """Return sin θ − θ cos θ, θ = arccos(1 − δ), without cancellation."""
    xp = array_api_compat.array_namespace(theta)
    # At π an error of θ does not matter in this form; √(δ(2 − δ)) would lose half of the digits there.
    return xp.where(theta < _SERIES, _series(theta), xp.sin(theta) - theta * (1 - deficit))


def _series(theta: AnyArray) -> AnyArray:
    square, total = theta * theta, 0 * theta
    for term in reversed(SERIES_TERMS):
        total = total * square + term
    return theta * square * total
