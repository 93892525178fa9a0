"""Route to Φ by polar coordinates: for the whitened pair the quadrant is a sector of angle π − θ."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp
from mpmath import mp

from theory import expressions as ex
from theory.kernel.derivation import common
from theory.kernel.derivation.common import is_zero
from theory.kernel.derivation.numeric import Number, Pair, value
from theory.kernel.derivation.steps import Derivation, Step

_radius = sp.Symbol("r", positive=True)
_angle = sp.Symbol("varphi", real=True)


def derive() -> Derivation:
    """Carry the route out."""
    theta = ex.theta
    p, q = _radius * sp.cos(_angle), _radius * sp.sin(_angle)

    whitened = sp.cos(theta) * p + sp.sin(theta) * q
    low, high = theta - sp.pi / 2, sp.pi / 2
    mass = sp.integrate(_radius * sp.exp(-(_radius**2) / 2), (_radius, 0, sp.oo))
    both_positive = sp.integrate(mass / (2 * sp.pi), (_angle, low, high))

    def is_rotation(stated: sp.Expr) -> bool:
        # Unit variance, covariance cos θ with A = p, and the same function of (r, φ).
        unit = sp.cos(theta) ** 2 + sp.sin(theta) ** 2 - 1
        return is_zero(unit) and is_zero(sp.expand_trig(stated) - whitened)

    def is_sector(stated: sp.Basic) -> bool:
        if not (isinstance(stated, sp.Interval) and stated.left_open and stated.right_open):
            return False
        start, end = stated.start, stated.end
        # A ∝ cos φ and B ∝ cos(φ − θ) each vanish at one end and are positive half-way for θ < π.
        ends = sp.cos(end) == 0 and sp.cos(sp.expand(start - theta)) == 0
        half = sp.simplify((start + end) / 2)
        return bool(ends and half == theta / 2 and sp.simplify(half - theta) == -theta / 2)

    def is_sector_mass(stated: sp.Expr) -> bool:
        jacobian = sp.Matrix([p, q]).jacobian([_radius, _angle]).det()
        planar = sp.exp(-(p**2 + q**2) / 2) / (2 * sp.pi)
        inner = sp.integrate(sp.simplify(planar * sp.simplify(jacobian)), (_radius, 0, sp.oo))
        return is_zero(stated - sp.integrate(inner, (_angle, low, high)))

    sign_pairs = common.sign_pairs(both_positive)
    phi = sign_pairs.expression.rhs
    steps = (
        *common.correlation(),
        common.equation(
            "rotation",
            "With `ρ = cos θ` and independent normals `(r cos φ, r sin φ)`, write `A ∝ r cos φ`; then `B` is "
            "proportional to",
            sp.Function("B")(_radius, _angle),
            _radius * sp.cos(_angle - theta),
            follows=is_rotation,
            samples=_rotation_samples,
        ),
        Step(
            "sector",
            "Both are positive for `φ` in the sector",
            sp.Interval.open(low, high),
            is_sector,
            _sector_samples,
        ),
        common.equation(
            "quadrant",
            "whose mass under the planar normal law is `P(A > 0, B > 0)`",
            sp.Symbol("P"),
            both_positive,
            follows=is_sector_mass,
            samples=common.quadrant_samples,
        ),
        sign_pairs,
        *common.closed_forms(
            phi,
            how="Collecting powers of the slopes, with `θ = arccos ρ`, the closed form",
            follows=common.substituted(phi),
        ),
    )
    return Derivation("polar", steps)


def _rotation_samples(second: sp.Expr) -> Iterator[Pair]:
    """Compare B at a point of the plane with ρ p + √(1 − ρ²) q, (p, q) its Cartesian coordinates."""
    for rho, at in zip(common.RHOS, (sp.Rational(7, 5), sp.Rational(-5, 2)), strict=True):
        r, length, angle = value(rho, {}), mp.mpf(3), value(at, {})
        p, q = mp.re(mp.rect(length, angle)), mp.im(mp.rect(length, angle))
        stated = value(second, {_radius: 3, _angle: at, ex.theta: sp.acos(rho)})
        yield stated, r * p + mp.sqrt(1 - r**2) * q


def _sector_samples(sector: sp.Interval) -> Iterator[Pair]:
    """Compare the ends with the zeros of A and B: B changes sign where A > 0, and A where B > 0."""
    for rho in common.RHOS:
        r = value(rho, {})
        rest = mp.sqrt(1 - r**2)
        start, end = (value(side, {ex.theta: sp.acos(rho)}) for side in (sector.start, sector.end))
        yield start, _zero_between(_second(r, rest), -mp.pi / 2, mp.pi / 2)
        yield end, _zero_between(mp.cos, mp.zero, mp.pi)


def _second(r: Number, rest: Number) -> Callable[[Number], Number]:
    return lambda angle: r * mp.cos(angle) + rest * mp.sin(angle)


def _zero_between(function: Callable[[Number], Number], low: Number, high: Number) -> Number:
    # findroot squares the residual before it compares it with its tolerance.
    return mp.findroot(function, (low, high), solver="anderson", tol=mp.eps**2)
