"""Expectations to 50 digits straight from the definition of Φ: what the derivations are confirmed against.

Nothing here knows a closed form.  φ' is a step with two slopes, the pre-activations are Gaussian, and an
expectation is a quadrature: the double-exponential rule on half-lines where there is a kink at 0, and where
there is none the trapezoidal rule, whose error for an entire function under a normal density is exp(−2π²/h²).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp
from mpmath import mp

Number = Any  # mpmath's mpf or mpc, which carry no types
Pair = tuple[Number, Number]

DIGITS = 50
WORKING_DIGITS = DIGITS + 12
# Of the trapezoidal rule: error 1e-60, and the density beyond the ends is 1e-70.
_SPACING, _REACH = sp.Rational(3, 8), 18


def value(expression: sp.Expr, values: Mapping[sp.Expr, sp.Expr]) -> Number:
    """Return `expression` at the sample point `values` in mpmath's precision; NaN if a symbol is left."""
    number = sp.sympify(expression).subs(values)
    if number.free_symbols:
        return mp.nan
    return mp.mpmathify(sp.lambdify((), number, "mpmath")())


def series_value(term: sp.Expr, index: sp.Symbol, values: Mapping[sp.Expr, sp.Expr]) -> Number:
    """Return Σ_{index ≥ 0} `term` at a sample point, by adding until a geometric tail no longer counts."""
    summand = sp.lambdify(index, term.subs(values), "mpmath")
    total, last = mp.zero, mp.inf
    for j in range(10_000):
        last = summand(mp.mpf(j))
        total += last
        if abs(last) < mp.mpf(10) ** -(WORKING_DIGITS + 5):
            return total
    return mp.nan


def _half_normal(function: Callable[[Number], Number]) -> Number:
    """Return ∫ f(a) p(a) da over a > 0, p the standard normal density."""
    return mp.fdot((weight, function(node)) for node, weight in _half_normal_rule(mp.dps))


@lru_cache
def _half_normal_rule(digits: int) -> tuple[Pair, ...]:
    """Nodes and weights of the double-exponential rule a = exp(u − exp(−u)) (H. Takahasi, M. Mori, 1974).

    The integrand decays for |Im u| < π/4, hence the error exp(−π²/(2h)) of steps h; it is chosen 12 digits
    below the working precision, to leave room for functions that grow off the real line.
    """
    exponent = (digits + 12) * mp.log(10)
    step = mp.pi**2 / 2 / exponent
    first, last = -mp.log(exponent) / step, mp.log(mp.sqrt(2 * exponent)) / step
    rule = []
    for k in range(int(first) - 1, int(last) + 3):
        inner = mp.exp(-k * step)
        node = mp.exp(k * step - inner)
        rule.append((node, step * node * (1 + inner) * _density(node)))
    return tuple(rule)


def _density(a: Number) -> Number:
    return mp.exp(-(a**2) / 2) / mp.sqrt(2 * mp.pi)


def _below(bound: Number) -> Number:
    """P(Z ≤ bound) for a standard normal Z; unlike `mp.ncdf` it takes complex bounds."""
    return (1 + mp.erf(bound / mp.sqrt(2))) / 2


def _complex_step(function: Callable[[Number], Number], at: sp.Rational) -> Number:
    """Return the derivative as Im f(t + ih)/h: no difference is taken, so no digit is lost."""
    digits = WORKING_DIGITS // 2 + 2
    with mp.workdps(WORKING_DIGITS + digits):
        step = mp.mpf(10) ** -digits
        return mp.im(function(value(at, {}) + step * mp.j)) / step


# In the correlation ------------------------------------------------------------------------------


def _mean_product(rho: Number, below: sp.Rational, above: sp.Rational) -> Number:
    """E[φ'(A) φ'(B)] for a standardised pair, given A = a: B is N(ρa, 1 − ρ²)."""
    low, high = value(below, {}), value(above, {})
    ratio = rho / mp.sqrt(1 - rho**2)

    def integrand(a: Number) -> Number:
        positive = _below(ratio * a)  # P(B > 0 | A = a) = P(B < 0 | A = −a)
        at_a = high * (high * positive + low * (1 - positive))
        at_minus_a = low * (high * (1 - positive) + low * positive)
        return at_a + at_minus_a

    return _half_normal(integrand)


@lru_cache
def mean_product(rho: sp.Rational, below: sp.Rational, above: sp.Rational) -> Number:
    """Return Φ = E[φ'(A) φ'(B)] at correlation `rho` for slopes `below` and `above` 0."""
    with mp.workdps(WORKING_DIGITS):
        if abs(rho) == 1:  # B = ±A
            both = value(below**2 + above**2 if rho > 0 else 2 * below * above, {})
            return both * _half_normal(lambda _: mp.one)
        return _mean_product(value(rho, {}), below, above)


def quadrant(rho: sp.Rational) -> Number:
    """Return P(A > 0, B > 0): the mean product of the step from 0 to 1."""
    return mean_product(rho, sp.Integer(0), sp.Integer(1))


@lru_cache
def mean_product_slope(rho: sp.Rational, below: sp.Rational, above: sp.Rational) -> Number:
    """Return the derivative of `mean_product` in `rho`."""
    return _complex_step(lambda r: _mean_product(r, below, above), rho)


@lru_cache
def hermite_coefficient(order: int, below: sp.Rational, above: sp.Rational) -> Number:
    """Return E[φ'(Z) He_order(Z)], Z standard normal."""
    with mp.workdps(WORKING_DIGITS):
        low, high = value(below, {}), value(above, {})
        return _half_normal(lambda a: high * _hermite(order, a) + low * _hermite(order, -a))


def _hermite(order: int, a: Number) -> Number:
    """Return the probabilists' Hermite polynomial He_order(a), by its recurrence."""
    previous, current = mp.zero, mp.one
    for j in range(order):
        previous, current = current, a * current - j * previous
    return current


@lru_cache
def tilted_step_mean(t: sp.Rational, below: sp.Rational, above: sp.Rational) -> Number:
    """Return E[φ'(Z) exp(tZ − t²/2)], Z standard normal."""
    with mp.workdps(WORKING_DIGITS):
        low, high, tilt = value(below, {}), value(above, {}), value(t, {})
        return _half_normal(lambda a: high * _tilted(tilt, a) + low * _tilted(tilt, -a))


@lru_cache
def tilted_mean(s: sp.Rational, t: sp.Rational, rho: sp.Rational) -> Number:
    """Return E[exp(sA − s²/2) exp(tB − t²/2)] for a standardised pair of correlation `rho`."""
    with mp.workdps(WORKING_DIGITS):
        p, q = value(s, {}), value(t, {})
        return _pair_mean(lambda a, b: _tilted(p, a) * _tilted(q, b), rho)


def _tilted(tilt: Number, a: Number) -> Number:
    return mp.exp(tilt * a - tilt**2 / 2)


@lru_cache
def hermite_moment(order: int, rho: sp.Rational) -> Number:
    """Return E[He_order(A) He_order(B)] for a standardised pair of correlation `rho`."""
    with mp.workdps(WORKING_DIGITS):
        return _pair_mean(lambda a, b: _hermite(order, a) * _hermite(order, b), rho)


def _pair_mean(function: Callable[[Number, Number], Number], rho: sp.Rational) -> Number:
    """E f(A, B) for an entire f, by the trapezoidal rule in independent coordinates."""
    r, h = value(rho, {}), value(_SPACING, {})
    rest = mp.sqrt(1 - r**2)
    count = int(_REACH / _SPACING)
    rule = [(h * k, h * _density(h * k)) for k in range(-count, count + 1)]
    return mp.fsum(
        weight * mp.fdot((other, function(a, r * a + rest * b)) for b, other in rule) for a, weight in rule
    )


# In the inputs ------------------------------------------------------------------------------------


def inputs_moment(
    x: tuple[sp.Rational, ...], z: tuple[sp.Rational, ...], sigma_w: sp.Rational, sigma_b: sp.Rational
) -> sp.Expr:
    """Return E[(⟨v, x⟩ + a)(⟨v, z⟩ + a)] for v ~ N(0, σ_w² I/d), a ~ N(0, σ_b²).

    The mean over all vectors of ±1 times the standard deviations, which has the normal law's second moments.
    """
    dim = len(x)
    scale = sigma_w / sp.sqrt(dim)
    total = sp.Integer(0)
    for signs in range(2 ** (dim + 1)):
        *v, a = (1 if signs >> i & 1 else -1 for i in range(dim + 1))
        at_x, at_z = (
            sum((vi * scale * pi for vi, pi in zip(v, point, strict=True)), a * sigma_b) for point in (x, z)
        )
        total += sp.expand(at_x * at_z)
    return total / 2 ** (dim + 1)


@dataclass(frozen=True)
class Ray:
    """Points ξe and ζe on a line through the origin of R^d, seen by units with given slopes and variances.

    A and B then depend on one Gaussian weight w ~ N(0, σ_w²/d) and on the bias, so that Φ(ξe, ζe) is one
    quadrature, with neither a correlation nor an angle in it.
    """

    dim: int
    sigma_w: sp.Rational
    sigma_b: sp.Rational
    below: sp.Rational
    above: sp.Rational

    def phi(self, xi: sp.Rational, zeta: sp.Rational) -> Number:
        """Return Φ(ξe, ζe)."""
        return self._phi(value(xi, {}), value(zeta, {}))

    def slope(self, xi: sp.Rational, zeta: sp.Rational) -> Number:
        """Return its derivative in ζ."""
        return _ray_slope(self, xi, zeta)

    def _phi(self, xi: Number, zeta: Number) -> Number:
        low, high = value(self.below, {}), value(self.above, {})
        scale = value(self.sigma_w / (self.sigma_b * sp.sqrt(self.dim)), {})
        larger, smaller = sorted((xi, zeta), key=mp.re, reverse=True)

        def over_bias(first: Number, second: Number) -> Number:
            """E over the bias, given the chances that it is below the first and the second threshold."""
            return low**2 * first + low * high * (second - first) + high**2 * (1 - second)

        def integrand(w: Number) -> Number:
            first, second = _below(-scale * w * larger), _below(-scale * w * smaller)
            return over_bias(first, second) + over_bias(1 - second, 1 - first)  # at w and at −w

        return _half_normal(integrand)


@lru_cache
def _ray_slope(ray: Ray, xi: sp.Rational, zeta: sp.Rational) -> Number:
    return _complex_step(lambda t: ray._phi(value(xi, {}), t), zeta)
