"""What all routes to Φ share: the correlation of the pair, the sign pairs, and the special cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import sympy as sp
from mpmath import mp

from theory import expressions as ex
from theory.kernel.derivation import numeric
from theory.kernel.derivation.numeric import Pair, value
from theory.kernel.derivation.steps import Step

PHI = sp.Symbol("Phi")
_PLAINLY = sp.Float("1e-9")

# Where formulas are compared with quadrature: (ρ, α, β), leaky ReLU and ReLU among them.
_THIRD, _TENTHS = sp.Rational(1, 3), sp.Rational(3, 10)
RHOS = (sp.Rational(-4, 5), _THIRD)
POINTS = (
    (RHOS[0], sp.Rational(-1, 2), sp.Integer(2)),
    (RHOS[1], _TENTHS, sp.Integer(1)),
    (RHOS[0], sp.Integer(0), sp.Integer(1)),
)


def is_zero(expression: sp.Expr) -> bool:
    """Return whether sympy reduces `expression` to 0.

    A value that is plainly not 0 spares the attempt, which takes long where it fails.
    """
    symbols = sorted(expression.free_symbols, key=str)
    point = {symbol: 2 if symbol.is_integer else sp.Rational(1, 3 + i) for i, symbol in enumerate(symbols)}
    sample = expression.subs(point).evalf(20)
    if sample.is_number and bool(abs(sample) > _PLAINLY):
        return False
    return bool(sp.simplify(expression) == 0)


def equation(
    name: str,
    prose: str,
    lhs: sp.Expr,
    rhs: sp.Expr,
    *,
    follows: Callable[[sp.Expr], bool],
    samples: Callable[[sp.Expr], Iterable[Pair]],
) -> Step:
    """Return the step that states lhs = rhs: `follows` and `samples` act on the right-hand side it states.

    A step with another left-hand side does not hold.
    """

    def check(stated: sp.Basic) -> bool:
        return isinstance(stated, sp.Equality) and stated.lhs == lhs and follows(stated.rhs)

    return Step(name, prose, sp.Eq(lhs, rhs, evaluate=False), check, lambda stated: samples(stated.rhs))


def kernel_samples(phi: sp.Expr) -> Iterator[Pair]:
    """Compare Φ(ρ; α, β) with the quadrature of E[φ'(A) φ'(B)]."""
    for rho, below, above in POINTS:
        point = {ex.rho: rho, ex.theta: sp.acos(rho), ex.alpha: below, ex.beta: above}
        yield value(phi, point), numeric.mean_product(rho, below, above)


def slope_one_samples(phi: sp.Expr) -> Iterator[Pair]:
    """Compare Φ(ρ; γ) with the same quadrature, for slopes γ and 1."""
    for rho, slope in ((RHOS[0], sp.Integer(0)), (RHOS[1], _TENTHS)):
        yield value(phi, {ex.rho: rho, ex.gamma: slope}), numeric.mean_product(rho, slope, sp.Integer(1))


def quadrant_samples(chance: sp.Expr) -> Iterator[Pair]:
    """Compare P(A > 0, B > 0) with its quadrature."""
    for rho in RHOS:
        yield value(chance, {ex.rho: rho, ex.theta: sp.acos(rho)}), numeric.quadrant(rho)


# The correlation -----------------------------------------------------------------------------------

_i, _j = sp.symbols("i j", integer=True)
_x, _z = sp.IndexedBase("x"), sp.IndexedBase("z")


@lru_cache
def correlation() -> tuple[Step, Step]:
    """Find ρ from the second moments of the weights, in every dimension."""
    moments = {pair: _second_moment(*pair) for pair in ((_x, _z), (_x, _x), (_z, _z))}
    found = moments[_x, _z] / sp.sqrt(moments[_x, _x] * moments[_z, _z])

    def follows(rho: sp.Expr) -> bool:
        return is_zero(rho - found)

    def standard_follows(rho: sp.Expr) -> bool:
        return is_zero(rho - found.subs(ex.UNIT_VARIANCES))

    return (
        equation(
            "correlation",
            "The pair `A = ⟨v, x⟩ + a`, `B = ⟨v, z⟩ + a` with `v ~ N(0, σ_w² I/d)`, `a ~ N(0, σ_b²)` is "
            "centred Gaussian, and with `x_z = ⟨x, z⟩`, `x_x = ‖x‖²`, `z_z = ‖z‖²` its correlation is",
            ex.rho,
            ex.RHO_GENERAL,
            follows=follows,
            samples=lambda rho: _correlation_samples(rho, sp.Rational(3, 2), sp.Rational(1, 3)),
        ),
        equation(
            "unit variances",
            "For the initialisation of the theory, `σ_w = σ_b = 1`, this is",
            ex.rho,
            ex.RHO,
            follows=standard_follows,
            samples=lambda rho: _correlation_samples(rho, sp.Integer(1), sp.Integer(1)),
        ),
    )


def _second_moment(p: sp.IndexedBase, q: sp.IndexedBase) -> sp.Expr:
    """E[(⟨v, p⟩ + a)(⟨v, q⟩ + a)] from E[v_i v_j] = δ_ij σ_w²/d, E[a²] = σ_b², E[a v_i] = 0."""
    same = sp.KroneckerDelta(_i, _j, (1, ex.d))
    weights = sp.Sum(p[_i] * q[_j] * same, (_j, 1, ex.d), (_i, 1, ex.d)).doit()
    named = {
        sp.Sum(_x[_i] * _z[_i], (_i, 1, ex.d)): ex.x_z,
        sp.Sum(_x[_i] ** 2, (_i, 1, ex.d)): ex.x_x,
        sp.Sum(_z[_i] ** 2, (_i, 1, ex.d)): ex.z_z,
    }
    return ex.sigma_w**2 / ex.d * weights.subs(named) + ex.sigma_b**2


def _correlation_samples(rho: sp.Expr, sigma_w: sp.Rational, sigma_b: sp.Rational) -> Iterator[Pair]:
    points = (
        ((sp.Rational(1, 2), sp.Integer(-1)), (sp.Integer(3), sp.Rational(1, 4))),
        ((sp.Integer(1), sp.Integer(2), sp.Integer(-1)), (sp.Rational(2, 3), sp.Integer(1), sp.Integer(1))),
    )
    for x, z in points:
        inner = {
            ex.x_z: sum(xi * zi for xi, zi in zip(x, z, strict=True)),
            ex.x_x: sum(xi**2 for xi in x),
            ex.z_z: sum(zi**2 for zi in z),
        }
        point = inner | {ex.d: len(x), ex.sigma_w: sigma_w, ex.sigma_b: sigma_b}
        both, at_x, at_z = (
            value(numeric.inputs_moment(p, q, sigma_w, sigma_b), {}) for p, q in ((x, z), (x, x), (z, z))
        )
        yield value(rho, point), both / mp.sqrt(at_x * at_z)


# From the quadrant to Φ ----------------------------------------------------------------------------

a, b = sp.symbols("a b", real=True)


def density() -> sp.Expr:
    """Density of the standardised pair."""
    form = (a**2 - 2 * ex.rho * a * b + b**2) / (2 * (1 - ex.rho**2))
    return sp.exp(-form) / (2 * sp.pi * sp.sqrt(1 - ex.rho**2))


def sign_pairs(both_positive: sp.Expr) -> Step:
    """Φ = β² P(+,+) + α² P(−,−) + αβ P(opposite)."""
    opposite = 1 - 2 * both_positive
    average = (ex.beta**2 + ex.alpha**2) * both_positive + ex.alpha * ex.beta * opposite

    def follows(phi: sp.Expr) -> bool:
        # (−A, −B) has the law of (A, B): the density depends on a², ab and b² only.
        p = density()
        symmetric = is_zero(p - p.subs({a: -a, b: -b}, simultaneous=True))
        slope = {1: ex.beta, -1: ex.alpha}
        chance = {(1, 1): both_positive, (-1, -1): both_positive}
        chance |= {(1, -1): opposite / 2, (-1, 1): opposite / 2}
        total = sum(slope[i] * slope[j] * chance[i, j] for i, j in chance)
        return symmetric and is_zero(sum(chance.values()) - 1) and is_zero(phi - total)

    return equation(
        "sign pairs",
        "By the symmetry `(A, B) → (−A, −B)` both are negative as often as both are positive. With "
        "slopes `φ' = α` below 0 and `φ' = β` above, the mean of `φ'(A) φ'(B)` over the four sign pairs is",
        PHI,
        average,
        follows=follows,
        samples=kernel_samples,
    )


def closed_forms(phi: sp.Expr, *, how: str, follows: Callable[[sp.Expr], bool]) -> tuple[Step, ...]:
    """Return the closed form that `follows` and its special cases; `phi` combines 1 and asin ρ, or θ."""
    general = _collected(phi)
    angle = sp.Symbol("u", real=True)

    def angle_follows(stated: sp.Expr) -> bool:
        # asin ρ = π/2 − θ for θ = arccos ρ in [0, π]: sin(π/2 − θ) = cos θ, and it lies in [−π/2, π/2].
        same = is_zero(sp.sin(sp.pi / 2 - angle) - sp.cos(angle))
        return same and is_zero(stated - general.subs(sp.asin(ex.rho), sp.pi / 2 - ex.theta))

    def relu_follows(stated: sp.Expr) -> bool:
        return is_zero(stated - general.subs({ex.alpha: 0, ex.beta: 1}))

    def leaky_follows(stated: sp.Expr) -> bool:
        return is_zero(stated - general.subs(ex.LEAKY_RELU))

    at_pi = sp.factor(general.subs(sp.asin(ex.rho), -sp.pi / 2))
    factor = general.coeff(sp.asin(ex.rho))
    return (
        equation("closed form", how, PHI, general, follows=follows, samples=kernel_samples),
        equation(
            "angle",
            "In the angle `θ = arccos ρ` this is",
            PHI,
            at_pi + factor * (sp.pi - ex.theta),
            follows=angle_follows,
            samples=kernel_samples,
        ),
        equation(
            "ReLU",
            "For ReLU, `α = 0` and `β = 1`, it becomes",
            PHI,
            general.subs({ex.alpha: 0, ex.beta: 1}),
            follows=relu_follows,
            samples=relu_samples,
        ),
        equation(
            "leaky ReLU",
            "For leaky ReLU, `α = γ` and `β = 1`, it becomes",
            PHI,
            general.subs(ex.LEAKY_RELU),
            follows=leaky_follows,
            samples=slope_one_samples,
        ),
    )


def relu_samples(phi: sp.Expr) -> Iterator[Pair]:
    """Compare Φ(ρ) of ReLU with its quadrature."""
    for rho in RHOS:
        yield value(phi, {ex.rho: rho}), numeric.quadrant(rho)


def _collected(phi: sp.Expr) -> sp.Expr:
    """Constant part and asin part of a combination of 1 and asin ρ, each factored in the slopes."""
    expanded = sp.expand(phi.subs(ex.theta, sp.acos(ex.rho)).rewrite(sp.asin))
    slope = sp.factor(expanded.coeff(sp.asin(ex.rho), 1))
    return sp.factor(expanded.coeff(sp.asin(ex.rho), 0)) + slope * sp.asin(ex.rho)


def substituted(phi: sp.Expr) -> Callable[[sp.Expr], bool]:
    """Return the check that a stated closed form equals `phi`, written in θ or in ρ."""
    in_rho = phi.subs(ex.theta, sp.acos(ex.rho))

    def follows(stated: sp.Expr) -> bool:
        return is_zero((stated - in_rho).rewrite(sp.asin))

    return follows
