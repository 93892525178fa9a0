"""Φ derived by computer algebra: steps that sympy carries out and checks.

Φ(x, z) = E[φ'(A) φ'(B)] with A = ⟨v, x⟩ + a, B = ⟨v, z⟩ + a, v ~ N(0, I/d), a ~ N(0, 1), and φ' = 1
above 0 and γ below.  Only the signs of A and B matter, hence only their correlation ρ = cos θ.  Two
routes lead to P(A > 0, B > 0):

- ``"plackett"``: its derivative in ρ is the bivariate density at 0, integrated from ρ = 0;
- ``"polar"``: in polar coordinates of the whitened pair the quadrant is a sector of angle π − θ.

Each step builds its expression from the ones before; `Step.holds` carries out its check on the
expression that the step states, so a step with a wrong expression fails.  Derivation 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import sympy as sp

from theory import expressions as ex
from theory._validation import check_choice

Route = Literal["plackett", "polar"]

_r = sp.Symbol("rho", real=True)
_a, _b = sp.symbols("a b", real=True)
_t = sp.Symbol("t", real=True)


@dataclass(frozen=True)
class Step:
    """One step of a derivation.

    Attributes
    ----------
    statement : str
        What is established, in words.
    expression : sympy.Basic
        What is established, as an equation or a value.
    check : callable
        Carries the step out with sympy; True if `expression` follows.
    """

    statement: str
    expression: sp.Basic
    check: Callable[[sp.Basic], bool]

    def holds(self) -> bool:
        """Carry out the check on the stated expression."""
        return bool(self.check(self.expression))


@dataclass(frozen=True)
class Derivation:
    """The steps of one route and the closed form that the last one reaches."""

    route: str
    steps: tuple[Step, ...]

    @property
    def result(self) -> sp.Expr:
        """Φ as a function of `expressions.rho`: the right-hand side of the last step."""
        return self.steps[-1].expression.rhs

    def verify(self) -> None:
        """Carry out every step.

        Raises
        ------
        ArithmeticError
            If a step does not hold, naming it.
        """
        for number, step in enumerate(self.steps, start=1):
            if not step.holds():
                msg = f"step {number} of route {self.route!r} does not hold: {step.statement}"
                raise ArithmeticError(msg)


def derive_phi(route: Route = "plackett") -> Derivation:
    """Derive Φ in closed form by one of two independent routes.

    Parameters
    ----------
    route : {"plackett", "polar"}
        Derivative in the correlation, or polar coordinates.

    Returns
    -------
    Derivation
        Its `steps` each hold a statement, a sympy expression and a check; `result` is Φ(ρ), equal to
        `expressions.PHI`; `verify()` carries out all checks.

    Raises
    ------
    ValueError
        If `route` is unknown.

    Notes
    -----
    Source: Derivation 1.
    """
    check_choice("route", route, ("plackett", "polar"))
    return _plackett() if route == "plackett" else _polar()


@lru_cache
def phi_expr() -> sp.Expr:
    """Return Φ(ρ) as a sympy expression in `expressions.gamma` and `expressions.rho`.

    Returns
    -------
    sympy.Expr
        (1 + γ)²/4 + (1 − γ)²/(2π) · asin ρ, range [γ, (1 + γ²)/2].

    Notes
    -----
    Source: `expressions.PHI`; Derivation 1.
    """
    return ex.PHI


def _zero(expression: sp.Expr) -> bool:
    return bool(sp.simplify(expression) == 0)


# What both routes share ------------------------------------------------------------------------------


def _correlation() -> Step:
    """Check ρ by expanding Gaussian moments coordinate by coordinate, in one to three dimensions."""

    def check(equation: sp.Basic) -> bool:
        return all(_zero(_correlation_in(dim) - _in_coordinates(equation.rhs, dim)) for dim in (1, 2, 3))

    return Step(
        "The pair (A, B) is centred Gaussian, and its correlation is",
        sp.Eq(ex.rho, ex.RHO, evaluate=False),
        check,
    )


def _coordinates(dim: int) -> tuple[tuple[sp.Symbol, ...], tuple[sp.Symbol, ...]]:
    return sp.symbols(f"x1:{dim + 1}", real=True), sp.symbols(f"z1:{dim + 1}", real=True)


def _correlation_in(dim: int) -> sp.Expr:
    """Corr(A, B) from E[v_i v_j] = δ_ij/d, E[a²] = 1, E[a v_i] = 0."""
    x, z = _coordinates(dim)
    v, a = sp.symbols(f"v1:{dim + 1}"), sp.Symbol("a")
    weights = (*v, a)

    def moment(product: sp.Expr) -> sp.Expr:
        terms = sp.Poly(sp.expand(product), *weights).terms()
        second = {weight: sp.Rational(1, dim) for weight in v} | {a: sp.Integer(1)}
        total = sp.Integer(0)
        for powers, coefficient in terms:
            if max(powers) == 2:
                total += coefficient * second[weights[powers.index(2)]]
        return total

    A = sum((vi * xi for vi, xi in zip(v, x, strict=True)), a)
    B = sum((vi * zi for vi, zi in zip(v, z, strict=True)), a)
    return moment(A * B) / sp.sqrt(moment(A**2) * moment(B**2))


def _in_coordinates(expression: sp.Expr, dim: int) -> sp.Expr:
    x, z = _coordinates(dim)
    inner = {
        ex.x_z: sum(xi * zi for xi, zi in zip(x, z, strict=True)),
        ex.x_x: sum(xi**2 for xi in x),
        ex.z_z: sum(zi**2 for zi in z),
        ex.d: dim,
    }
    return expression.subs(inner)


def _assembled(both_positive: sp.Expr, *, angle: bool) -> tuple[Step, Step]:
    """Φ = P(+,+) + γ² P(−,−) + γ P(opposite), and its closed form in ρ."""
    opposite = 1 - 2 * both_positive
    average = both_positive + ex.gamma**2 * both_positive + ex.gamma * opposite
    in_rho = average.subs(ex.theta, sp.acos(ex.rho)) if angle else average
    phi = sp.Symbol("Phi")
    # (−A, −B) has the law of (A, B): the density depends on a², ab and b² only.
    symmetric = _zero(_density() - _density().subs({_a: -_a, _b: -_b}, simultaneous=True))

    def is_average(equation: sp.Basic) -> bool:
        slopes = {(1, 1): 1, (-1, -1): ex.gamma**2, (1, -1): ex.gamma, (-1, 1): ex.gamma}
        chance = {(1, 1): both_positive, (-1, -1): both_positive}
        chance |= {(1, -1): opposite / 2, (-1, 1): opposite / 2}
        total = sum(slopes[signs] * chance[signs] for signs in slopes)
        return symmetric and _zero(sum(chance.values()) - 1) and _zero(equation.rhs - total)

    def is_closed_form(equation: sp.Basic) -> bool:
        difference = (equation.rhs - in_rho).rewrite(sp.asin)
        return _zero(difference)

    return (
        Step(
            "By the symmetry (A, B) → (−A, −B) both signs are negative as often as both are positive; "
            "averaging φ'(A) φ'(B) over the four sign pairs",
            sp.Eq(phi, average, evaluate=False),
            is_average,
        ),
        Step(
            "Collecting powers of γ, the closed form",
            sp.Eq(phi, _collected(in_rho), evaluate=False),
            is_closed_form,
        ),
    )


def _collected(average: sp.Expr) -> sp.Expr:
    """Constant part and asin part of a combination 1, asin ρ, each factored in γ."""
    expanded = sp.expand(average.rewrite(sp.asin))
    slope = sp.factor(expanded.coeff(sp.asin(ex.rho), 1))
    return sp.factor(expanded.coeff(sp.asin(ex.rho), 0)) + slope * sp.asin(ex.rho)


# Route by the derivative in ρ ----------------------------------------------------------------------


def _density() -> sp.Expr:
    """Density of the standardised pair."""
    form = (_a**2 - 2 * _r * _a * _b + _b**2) / (2 * (1 - _r**2))
    return sp.exp(-form) / (2 * sp.pi * sp.sqrt(1 - _r**2))


def _plackett() -> Derivation:
    p = _density()
    P = sp.Function("P")
    chance_density = sp.Function("p")(_a, _b, _r)

    # ∫∫ over the quadrant of ∂²p/∂a∂b: the value of p at the corner, as p vanishes at infinity.
    at_corner = sp.simplify(p.subs({_a: 0, _b: 0}))
    start = sp.integrate(sp.integrate(p.subs(_r, 0), (_a, 0, sp.oo)), (_b, 0, sp.oo))
    both_positive = start + sp.integrate(at_corner.subs(_r, _t), (_t, 0, ex.rho))

    def solves_plackett(equation: sp.Basic) -> bool:
        density = equation.rhs
        normal = density.subs(_r, 0) - sp.exp(-(_a**2 + _b**2) / 2) / (2 * sp.pi)
        return _zero(sp.diff(density, _r) - sp.diff(density, _a, _b)) and _zero(normal)

    def is_corner_value(equation: sp.Basic) -> bool:
        return _vanishes_at_infinity() and _zero(equation.rhs - p.subs({_a: 0, _b: 0}))

    def is_start(equation: sp.Basic) -> bool:
        half = sp.integrate(sp.exp(-(_a**2) / 2) / sp.sqrt(2 * sp.pi), (_a, 0, sp.oo))
        return _zero(equation.rhs - half**2)

    def is_integral(equation: sp.Basic) -> bool:
        slope = sp.diff(equation.rhs, ex.rho) - at_corner.subs(_r, ex.rho)
        return _zero(slope) and _zero(equation.rhs.subs(ex.rho, 0) - start)

    steps = (
        _correlation(),
        Step(
            "The density of the standardised pair satisfies ∂p/∂ρ = ∂²p/∂a∂b (Plackett) and is that of "
            "two independent normals at ρ = 0",
            sp.Eq(chance_density, p, evaluate=False),
            solves_plackett,
        ),
        Step(
            "Integrating over the quadrant leaves the density at the corner",
            sp.Eq(sp.Derivative(P(_r), _r), at_corner, evaluate=False),
            is_corner_value,
        ),
        Step("Independent signs at ρ = 0", sp.Eq(P(0), start, evaluate=False), is_start),
        Step(
            "Integrating from 0 to ρ gives P(A > 0, B > 0)",
            sp.Eq(P(ex.rho), both_positive, evaluate=False),
            is_integral,
        ),
        *_assembled(both_positive, angle=False),
    )
    return Derivation("plackett", steps)


def _vanishes_at_infinity() -> bool:
    """Completing the square: p ∝ exp(−(a − ρb)²/(2(1 − ρ²)) − b²/2), which → 0 in each variable."""
    square = (_a - _r * _b) ** 2 / (2 * (1 - _r**2)) + _b**2 / 2
    exponent = sp.log(_density() * 2 * sp.pi * sp.sqrt(1 - _r**2))
    exponent = sp.expand_log(exponent, force=True)
    gap = sp.Symbol("g", positive=True)  # 1 − ρ² > 0
    decay = sp.limit(sp.exp(-(_a**2) / (2 * gap)), _a, sp.oo)
    return _zero(exponent + square) and decay == 0


# Route by polar coordinates ------------------------------------------------------------------------


def _polar() -> Derivation:
    radius = sp.Symbol("r", positive=True)
    angle = sp.Symbol("varphi", real=True)
    theta = ex.theta
    p, q = radius * sp.cos(angle), radius * sp.sin(angle)
    B = sp.Function("B")(radius, angle)
    P = sp.Symbol("P")

    whitened = sp.cos(theta) * p + sp.sin(theta) * q
    low, high = theta - sp.pi / 2, sp.pi / 2
    mass = sp.integrate(radius * sp.exp(-(radius**2) / 2), (radius, 0, sp.oo))
    both_positive = sp.integrate(mass / (2 * sp.pi), (angle, low, high))

    def is_rotation(equation: sp.Basic) -> bool:
        # Unit variance, covariance cos θ with A = p, and the same function of (r, φ).
        unit = sp.cos(theta) ** 2 + sp.sin(theta) ** 2 - 1
        return _zero(unit) and _zero(sp.expand_trig(equation.rhs) - whitened)

    def is_sector(interval: sp.Basic) -> bool:
        start, end = interval.start, interval.end
        # A ∝ cos φ and B ∝ cos(φ − θ) each vanish at one end and are positive half-way for θ < π.
        ends = sp.cos(end) == 0 and sp.cos(sp.expand(start - theta)) == 0
        half = sp.simplify((start + end) / 2)
        inside = half == theta / 2 and sp.simplify(half - theta) == -theta / 2
        return bool(ends and inside)

    def is_sector_mass(equation: sp.Basic) -> bool:
        jacobian = sp.Matrix([p, q]).jacobian([radius, angle]).det()
        planar = sp.exp(-(p**2 + q**2) / 2) / (2 * sp.pi)
        inner = sp.integrate(sp.simplify(planar * sp.simplify(jacobian)), (radius, 0, sp.oo))
        return _zero(equation.rhs - sp.integrate(inner, (angle, low, high)))

    steps = (
        _correlation(),
        Step(
            "With ρ = cos θ and independent normals (r cos φ, r sin φ), write A ∝ r cos φ; then B is "
            "proportional to",
            sp.Eq(B, radius * sp.cos(angle - theta), evaluate=False),
            is_rotation,
        ),
        Step(
            "Both are positive for φ in the sector",
            sp.Interval.open(low, high),
            is_sector,
        ),
        Step(
            "whose mass under the planar normal law is P(A > 0, B > 0)",
            sp.Eq(P, both_positive, evaluate=False),
            is_sector_mass,
        ),
        *_assembled(both_positive, angle=True),
    )
    return Derivation("polar", steps)
