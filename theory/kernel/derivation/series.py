"""Route to Φ by Hermite series: Φ = Σ h_k² ρ^k/k! with h_k = E[φ'(A) He_k(A)], summed to the arcsine.

Generating functions carry the statements about every order k at once, so that no series is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from mpmath import mp

from theory import expressions as ex
from theory.kernel.derivation import common, numeric
from theory.kernel.derivation.common import POINTS, RHOS, a, is_zero
from theory.kernel.derivation.numeric import Pair, value
from theory.kernel.derivation.steps import Derivation, Step

j = sp.Symbol("j", integer=True, nonnegative=True)
_k = sp.Symbol("k", integer=True, nonnegative=True)
_s, _t, _u = sp.symbols("s t u", real=True)
_h = sp.IndexedBase("h")
_normal = sp.exp(-(a**2) / 2) / sp.sqrt(2 * sp.pi)
_tilt = sp.exp(_t * a - _t**2 / 2)  # Σ_k He_k(a) t^k/k!
_slope = sp.Function("S")(ex.rho)  # dΦ/dρ
EQUATION = sp.Eq((1 - ex.rho**2) * sp.Derivative(_slope, ex.rho), ex.rho * _slope, evaluate=False)
_mean_squared = (ex.alpha + ex.beta) ** 2 / 4  # h_0², the square of E φ'


def derive() -> Derivation:
    """Carry the route out."""
    generating = _generating_function()
    odd = _odd_coefficient()
    term = coefficient()
    mean = (ex.alpha + ex.beta) / 2

    def is_generating(stated: sp.Expr) -> bool:
        # ∂t(tilt · normal) = −∂a(tilt · normal), so only the step of φ' at a = 0 contributes to C'.
        moves = is_zero(sp.diff(_tilt * _normal, _t) + sp.diff(_tilt * _normal, a))
        slope = (ex.beta - ex.alpha) * (_tilt * _normal).subs(a, 0)
        return moves and is_zero(sp.diff(stated, _t) - slope) and is_zero(stated.subs(_t, 0) - mean)

    def is_odd_coefficient(stated: sp.Expr) -> bool:
        # Σ h_{2j+1} t^{2j}/(2j)! must be C'(t).  As a series in u = −t²/2 it is c Σ u^j/j! with c free of j.
        scaled = sp.combsimp(stated / sp.factorial(2 * j) * (-2) ** j * sp.factorial(j))
        exponential = sp.summation(_u**j / sp.factorial(j), (j, 0, sp.oo)).subs(_u, -(_t**2) / 2)
        slope = sp.diff(generating, _t)
        even = sp.simplify(generating - mean + (generating - mean).subs(_t, -_t))
        return even == 0 and j not in scaled.free_symbols and is_zero(scaled * exponential - slope)

    def is_series(stated: sp.Expr) -> bool:
        found = _constant_and_term(stated)
        if found is None:
            return False
        constant, summand = found
        expected = odd**2 / sp.factorial(2 * j + 1) * ex.rho ** (2 * j + 1)
        return is_zero(constant - _mean_squared) and _vanishes(summand - expected)

    steps = (
        *common.correlation(),
        *_moments(),
        common.equation(
            "generating function",
            "The coefficients `h_k = E[φ'(A) He_k(A)]`, with slopes `φ' = α` below 0 and `φ' = β` above, "
            "have the generating function `C(t) = Σ h_k t^k/k! = E[φ'(A) exp(tA − t²/2)]`, which is",
            sp.Function("C")(_t),
            generating,
            follows=is_generating,
            samples=_generating_samples,
        ),
        common.equation(
            "coefficients",
            "Its derivative is an exponential of `t²`, hence `h_0 = C(0) = (α + β)/2`, the other even "
            "coefficients vanish, and",
            _h[2 * j + 1],
            odd,
            follows=is_odd_coefficient,
            samples=_coefficient_samples,
        ),
        _parseval(term),
        common.equation(
            "series",
            "So the Hermite series at `A` and at `B` converge to `φ'(A)` and `φ'(B)` in mean square, and "
            "`Φ = Σ h_k² ρ^k/k!`",
            common.PHI,
            _mean_squared + sp.Sum(term * ex.rho ** (2 * j + 1), (j, 0, sp.oo)),
            follows=is_series,
            samples=_series_samples,
        ),
        _differential_equation(term),
        *common.closed_forms(
            _summed(term),
            how="Its solution with `S(0) = h_1²`, integrated from `h_0²` at `ρ = 0`, is the closed form",
            follows=lambda stated: solves(stated, _mean_squared, odd.subs(j, 0) ** 2),
        ),
    )
    return Derivation("series", steps)


def _odd_coefficient() -> sp.Expr:
    """Return h_{2j+1}."""
    scale = (ex.beta - ex.alpha) / sp.sqrt(2 * sp.pi)
    return scale * (-1) ** j * sp.factorial(2 * j) / (2**j * sp.factorial(j))


def coefficient() -> sp.Expr:
    """Return the coefficient of ρ^(2j+1) in Φ, h²/(2j + 1)!."""
    return sp.combsimp(sp.powsimp(_odd_coefficient() ** 2 / sp.factorial(2 * j + 1)))


def solves(phi: sp.Expr, at_zero: sp.Expr, slope: sp.Expr) -> bool:
    """Return whether dΦ/dρ solves `EQUATION`, and Φ and dΦ/dρ have the given values at ρ = 0.

    The equation is regular for |ρ| < 1, so these determine Φ; at ρ = ±1 both forms are continuous.
    """
    start = is_zero(phi.subs(ex.rho, 0) - at_zero) and is_zero(sp.diff(phi, ex.rho).subs(ex.rho, 0) - slope)
    return start and is_zero(_residual(EQUATION, phi))


def satisfies_recurrence(term: sp.Expr, equation: sp.Equality) -> bool:
    """Return whether Φ = Σ_j term ρ^(2j+1) + constant solves a linear `equation` for its slope, for all j."""
    power = sp.Symbol("n", integer=True, nonnegative=True)
    image = sp.expand(sp.simplify(_residual(equation, ex.rho**power) / ex.rho**power))
    lowered, kept = image.coeff(ex.rho, -2), image.coeff(ex.rho, 0)
    if not is_zero(image - lowered / ex.rho**2 - kept):
        return False
    # The lowest power has nothing to cancel against; above it, j + 1 lowered meets j kept.
    meeting = term.subs(j, j + 1) * lowered.subs(power, 2 * j + 3) + term * kept.subs(power, 2 * j + 1)
    return is_zero(lowered.subs(power, 1)) and _vanishes(meeting)


def _residual(equation: sp.Equality, phi: sp.Expr) -> sp.Expr:
    return (equation.lhs - equation.rhs).subs(_slope, sp.diff(phi, ex.rho)).doit()


def _vanishes(summand: sp.Expr) -> bool:
    """Return whether an expression with factorials is 0 for every j."""
    return is_zero(sp.combsimp(sp.powsimp(sp.expand(summand))))


def _generating_function() -> sp.Expr:
    below, above = (sp.integrate(_tilt * _normal, (a, low, high)) for low, high in ((-sp.oo, 0), (0, sp.oo)))
    expanded = sp.expand((ex.alpha * below + ex.beta * above).rewrite(sp.erf))
    return sp.collect(expanded, sp.erf(_t / sp.sqrt(2)), sp.factor)


def _summed(term: sp.Expr) -> sp.Expr:
    """Return the sum that sympy finds for the series."""
    factor = term.subs(j, 0)
    powers = sp.summation(sp.simplify(term / factor) * ex.rho ** (2 * j + 1), (j, 0, sp.oo))
    inside = powers.replace(lambda part: isinstance(part, sp.Piecewise), lambda part: part.args[0].expr)
    return _mean_squared + factor * inside


# The steps -----------------------------------------------------------------------------------------


def _moments() -> tuple[Step, Step]:
    """E[He_j(A) He_k(B)] from E[exp(sA − s²/2) exp(tB − t²/2)]."""
    # E exp(uW) of a standard normal W; then B = ρA + √(1 − ρ²) W, first over W and then over A.
    moment = sp.simplify(
        sp.expand(sp.integrate(sp.exp(_u * a) * _normal, (a, -sp.oo, sp.oo)).rewrite(sp.erf))
    )
    over_w = moment.subs(_u, _t * sp.sqrt(1 - ex.rho**2))
    over_a = moment.subs(_u, _s + ex.rho * _t)
    product = sp.powsimp(sp.expand(over_w * over_a * sp.exp(-(_s**2) / 2 - _t**2 / 2)))

    def is_product(stated: sp.Expr) -> bool:
        # Completing squares: density and exponentials are a density moved to (s + ρt, t + ρs), times this.
        b = common.b
        tilted = common.density() * _tilt.subs(_t, _s) * _tilt.subs(a, b)
        moved = common.density().subs({a: a - _s - ex.rho * _t, b: b - _t - ex.rho * _s}, simultaneous=True)
        return is_zero(sp.simplify(tilted / moved) - stated)

    def is_moment(stated: sp.Expr) -> bool:
        # M is a function of u = s t alone, and Σ m_k u^k/k!² is its power series.
        in_u = sp.simplify(product.subs(_s, _u / _t))
        total = sp.summation(stated / sp.factorial(_k) ** 2 * _u**_k, (_k, 0, sp.oo))
        return _t not in in_u.free_symbols and is_zero(total - in_u)

    return (
        common.equation(
            "two generating functions",
            "Scale `A` and `B` to variance 1. With `exp(tB − t²/2) = Σ t^k He_k(B)/k!`, the generating "
            "function of Hermite polynomials, `M(s, t) = E[exp(sA − s²/2) exp(tB − t²/2)]` is",
            sp.Function("M")(_s, _t),
            product,
            follows=is_product,
            samples=_product_samples,
        ),
        common.equation(
            "Hermite moments",
            "It depends on `s t` only, so `E[He_j(A) He_k(B)] = 0` for `j ≠ k`, and "
            "`m_k = E[He_k(A) He_k(B)]` is",
            sp.IndexedBase("m")[_k],
            sp.factorial(_k) * ex.rho**_k,
            follows=is_moment,
            samples=_moment_samples,
        ),
    )


def _parseval(term: sp.Expr) -> Step:
    total = _mean_squared + sp.Sum(term, (j, 0, sp.oo))
    half = sp.integrate(_normal, (a, 0, sp.oo))
    second_moment = sp.factor(half * (ex.alpha**2 + ex.beta**2))

    def follows(stated: sp.Expr) -> bool:
        # The sum by Gauss's theorem, as sympy knows it, and E φ'² from P(A > 0) = 1 − P(A < 0).
        factor = term.subs(j, 0)
        summed = _mean_squared + factor * sp.summation(sp.simplify(term / factor), (j, 0, sp.oo))
        defined = ex.beta**2 * half + ex.alpha**2 * (1 - half)
        return is_zero(stated - defined) and is_zero(stated - summed)

    def samples(stated: sp.Expr) -> Iterator[Pair]:
        for _, below, above in POINTS[:2]:
            point = {ex.alpha: below, ex.beta: above}
            summand = sp.lambdify(j, term.subs(point), "mpmath")
            # Levin's transformation: the terms fall off like j^(−3/2) only.
            summed = value(_mean_squared, point) + mp.nsum(summand, [0, mp.inf], method="levin")
            yield value(stated, point), summed
            yield value(stated, point), numeric.mean_product(sp.Integer(1), below, above)

    return common.equation(
        "Parseval",
        "They exhaust `E[φ'(A)²]`, so that the Hermite series of `φ'` converges to it in mean square: "
        "`Σ h_k²/k!` is",
        total,
        second_moment,
        follows=follows,
        samples=samples,
    )


def _differential_equation(term: sp.Expr) -> Step:
    def check(stated: sp.Basic) -> bool:
        return isinstance(stated, sp.Equality) and satisfies_recurrence(term, stated)

    return Step(
        "differential equation",
        "Successive coefficients have the ratio `(2j + 1)²/((2j + 2)(2j + 3))`, so the derivative `S(ρ)` of "
        "the series solves",
        EQUATION,
        check,
        _equation_samples,
    )


def _constant_and_term(stated: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """Split c + q Σ_j f into c and q f; None if it is no such sum over all j ≥ 0."""
    sums = stated.atoms(sp.Sum)
    if len(sums) != 1:
        return None
    (total,) = sums
    mark = sp.Dummy()
    linear = sp.expand(stated.subs(total, mark))
    constant, factor = linear.coeff(mark, 0), linear.coeff(mark, 1)
    if total.limits != ((j, 0, sp.oo),) or linear != sp.expand(constant + factor * mark):
        return None
    return constant, factor * total.function


# Their confirmation --------------------------------------------------------------------------------


def _product_samples(product: sp.Expr) -> Iterator[Pair]:
    s, t, rho = sp.Rational(1, 2), sp.Rational(-3, 4), RHOS[1]
    yield value(product, {_s: s, _t: t, ex.rho: rho}), numeric.tilted_mean(s, t, rho)


def _moment_samples(moment: sp.Expr) -> Iterator[Pair]:
    order, rho = 3, RHOS[1]
    yield value(moment, {_k: order, ex.rho: rho}), numeric.hermite_moment(order, rho)


def _generating_samples(generating: sp.Expr) -> Iterator[Pair]:
    for at, (_, below, above) in zip((sp.Rational(3, 4), sp.Rational(-1, 3)), POINTS, strict=False):
        stated = value(generating, {_t: at, ex.alpha: below, ex.beta: above})
        yield stated, numeric.tilted_step_mean(at, below, above)


def _coefficient_samples(odd: sp.Expr) -> Iterator[Pair]:
    _, below, above = POINTS[0]
    for order in range(4):
        stated = value(odd, {j: order, ex.alpha: below, ex.beta: above})
        yield stated, numeric.hermite_coefficient(2 * order + 1, below, above)


def _series_samples(series: sp.Expr) -> Iterator[Pair]:
    found = _constant_and_term(series)
    if found is None:
        yield mp.nan, mp.nan
        return
    constant, term = found
    for rho, below, above in POINTS:
        point = {ex.rho: rho, ex.alpha: below, ex.beta: above}
        total = value(constant, point) + numeric.series_value(term, j, point)
        yield total, numeric.mean_product(rho, below, above)


def _equation_samples(equation: sp.Equality) -> Iterator[Pair]:
    """Compare both sides, power by power, for the series with its coefficients taken by quadrature."""
    _, below, above = POINTS[0]
    orders = range(8)
    with_digits = [
        sp.Float(numeric.hermite_coefficient(order, below, above) ** 2, numeric.WORKING_DIGITS)
        / sp.factorial(order)
        for order in orders
    ]
    partial = sum(c * ex.rho**order for order, c in zip(orders, with_digits, strict=True))
    sides = [side.subs(_slope, sp.diff(partial, ex.rho)).doit() for side in (equation.lhs, equation.rhs)]
    for order in orders[:-2]:  # the last two powers lack their partners beyond the partial sum
        left, right = (value(sp.diff(side, ex.rho, order).subs(ex.rho, 0), {}) for side in sides)
        yield left, right
