"""Route to Φ by the derivative of P(A > 0, B > 0) in ρ (R. L. Plackett, Biometrika 41, 1954)."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from mpmath import mp

from theory import expressions as ex
from theory.kernel.derivation import common, numeric
from theory.kernel.derivation.common import a, b, is_zero
from theory.kernel.derivation.numeric import Pair, value
from theory.kernel.derivation.steps import Derivation

_t = sp.Symbol("t", real=True)


def derive() -> Derivation:
    """Carry the route out."""
    p = common.density()
    P = sp.Function("P")

    # ∫∫ over the quadrant of ∂²p/∂a∂b: the value of p at the corner, as p vanishes at infinity.
    at_corner = sp.simplify(p.subs({a: 0, b: 0}))
    independent = p.subs(ex.rho, 0)
    start = sp.integrate(sp.integrate(independent, (a, 0, sp.oo)), (b, 0, sp.oo))
    both_positive = start + sp.integrate(at_corner.subs(ex.rho, _t), (_t, 0, ex.rho))

    def is_density(stated: sp.Expr) -> bool:
        # Parts of p, so that what is simplified is rational: ∂ρ p/p = ∂a∂b p/p.
        normal = stated.subs(ex.rho, 0) - sp.exp(-(a**2 + b**2) / 2) / (2 * sp.pi)
        heat = sp.diff(stated, ex.rho) - sp.diff(stated, a, b)
        return is_zero(normal) and is_zero(heat / stated)

    def is_corner_value(stated: sp.Expr) -> bool:
        return _vanishes_at_infinity(p) and is_zero(stated - p.subs({a: 0, b: 0}))

    def is_start(stated: sp.Expr) -> bool:
        half = sp.integrate(sp.exp(-(a**2) / 2) / sp.sqrt(2 * sp.pi), (a, 0, sp.oo))
        return is_zero(stated - half**2)

    def is_integral(stated: sp.Expr) -> bool:
        return is_zero(sp.diff(stated, ex.rho) - at_corner) and is_zero(stated.subs(ex.rho, 0) - start)

    sign_pairs = common.sign_pairs(both_positive)
    phi = sign_pairs.expression.rhs
    steps = (
        *common.correlation(),
        common.equation(
            "density",
            "The density of the standardised pair satisfies `∂p/∂ρ = ∂²p/∂a∂b` (Plackett) and is that of two "
            "independent normals at `ρ = 0`",
            sp.Function("p")(a, b, ex.rho),
            p,
            follows=is_density,
            samples=_density_samples,
        ),
        common.equation(
            "corner",
            "Integrating over the quadrant leaves the density at the corner",
            sp.Derivative(P(ex.rho), ex.rho),
            at_corner,
            follows=is_corner_value,
            samples=_slope_samples,
        ),
        common.equation(
            "start",
            "Independent signs at `ρ = 0`",
            P(0),
            start,
            follows=is_start,
            samples=lambda chance: [(value(chance, {}), numeric.quadrant(sp.Integer(0)))],
        ),
        common.equation(
            "quadrant",
            "Integrating from 0 to `ρ` gives `P(A > 0, B > 0)`",
            P(ex.rho),
            both_positive,
            follows=is_integral,
            samples=common.quadrant_samples,
        ),
        sign_pairs,
        *common.closed_forms(
            phi, how="Collecting powers of the slopes, the closed form", follows=common.substituted(phi)
        ),
    )
    return Derivation("plackett", steps)


def _vanishes_at_infinity(p: sp.Expr) -> bool:
    """Completing the square: p ∝ exp(−(a − ρb)²/(2(1 − ρ²)) − b²/2), which → 0 in each variable."""
    square = (a - ex.rho * b) ** 2 / (2 * (1 - ex.rho**2)) + b**2 / 2
    exponent = sp.expand_log(sp.log(p * 2 * sp.pi * sp.sqrt(1 - ex.rho**2)), force=True)
    gap = sp.Symbol("g", positive=True)  # 1 − ρ² > 0
    decay = sp.limit(sp.exp(-(a**2) / (2 * gap)), a, sp.oo)
    return is_zero(exponent + square) and decay == 0


def _density_samples(p: sp.Expr) -> Iterator[Pair]:
    """Compare p(a, b) with the marginal density of A times that of B given A = a."""
    for rho, at_a, at_b in ((common.RHOS[0], 1, sp.Rational(-1, 2)), (common.RHOS[1], sp.Rational(3, 4), 2)):
        r, first, second = (value(number, {}) for number in (rho, at_a, at_b))
        given = mp.npdf(second, r * first, mp.sqrt(1 - r**2))
        yield value(p, {a: at_a, b: at_b, ex.rho: rho}), mp.npdf(first) * given


def _slope_samples(slope: sp.Expr) -> Iterator[Pair]:
    """Compare ∂P/∂ρ with the derivative of the quadrature."""
    rho = common.RHOS[1]
    measured = numeric.mean_product_slope(rho, sp.Integer(0), sp.Integer(1))
    yield value(slope, {ex.rho: rho}), measured
