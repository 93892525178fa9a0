"""What follows from the closed form of Φ: derivatives, range, monotonicity, gradient, positivity."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp

from theory import expressions as ex
from theory.kernel.derivation import common, numeric, series
from theory.kernel.derivation.common import POINTS, RHOS, is_zero
from theory.kernel.derivation.numeric import Number, Pair, value
from theory.kernel.derivation.steps import Derivation, Step

_Phi = sp.Function("Phi")
_s_x, _s_z = sp.symbols("s_x s_z", positive=True)
_x, _z = sp.symbols("x z", real=True)  # stand for vectors, in linear combinations only
_jump = ex.beta - ex.alpha
_largest = sp.factor((ex.alpha**2 + ex.beta**2) / 2)

# A sample point, and the values that were measured there at both ends of a range.
_Ends = tuple[dict[sp.Symbol, sp.Expr], Number, Number]


def derive() -> Derivation:
    """Carry the derivation out."""
    steps = (_slope(), _range(), _small_norms(), *_in_the_slopes(), *_gradient(), _positivity())
    return Derivation("properties", steps)


def _interval(
    name: str,
    prose: str,
    ends: tuple[sp.Expr, sp.Expr],
    *,
    increases: Callable[[], bool],
    found: tuple[sp.Expr, sp.Expr],
    measured: Callable[[], Iterator[_Ends]],
) -> Step:
    """Return the step that states the range of a function that `increases` between the values `found`."""

    def check(stated: sp.Basic) -> bool:
        if not isinstance(stated, sp.Interval) or stated.left_open or stated.right_open:
            return False
        return increases() and is_zero(stated.start - found[0]) and is_zero(stated.end - found[1])

    def samples(stated: sp.Interval) -> Iterator[Pair]:
        for point, low, high in measured():
            yield value(stated.start, point), low
            yield value(stated.end, point), high

    return Step(name, prose, sp.Interval(*ends), check, samples)


# In the correlation ------------------------------------------------------------------------------


def _slope() -> Step:
    def follows(stated: sp.Expr) -> bool:
        # The function with this derivative and the value of Φ at ρ = 0 is Φ.
        t = sp.Symbol("t", real=True)
        integral = sp.integrate(stated.subs(ex.rho, t), (t, 0, ex.rho))
        return is_zero(integral + ex.PHI_GENERAL.subs(ex.rho, 0) - ex.PHI_GENERAL)

    def samples(stated: sp.Expr) -> Iterator[Pair]:
        rho, below, above = POINTS[1]
        point = {ex.rho: rho, ex.alpha: below, ex.beta: above}
        yield value(stated, point), numeric.mean_product_slope(rho, below, above)

    return common.equation(
        "slope",
        "The derivative in the correlation, positive for `α ≠ β`, is",
        sp.Derivative(_Phi(ex.rho), ex.rho),
        sp.diff(ex.PHI_GENERAL, ex.rho),
        follows=follows,
        samples=samples,
    )


def _range() -> Step:
    def measured() -> Iterator[_Ends]:
        for _, below, above in POINTS[:2]:
            opposite, equal = (numeric.mean_product(sp.Integer(r), below, above) for r in (-1, 1))
            yield {ex.alpha: below, ex.beta: above}, opposite, equal

    return _interval(
        "range",
        "So `Φ` increases from its value at `ρ = −1` to its value at `ρ = 1`, and lies in",
        (ex.alpha * ex.beta, _largest),
        increases=_increases,
        found=(ex.PHI_GENERAL.subs(ex.rho, -1), ex.PHI_GENERAL.subs(ex.rho, 1)),
        measured=measured,
    )


def _increases() -> bool:
    """Return whether √(1 − ρ²) ∂Φ/∂ρ, which has the sign of ∂Φ/∂ρ, is a square."""
    scaled = sp.simplify(sp.diff(ex.PHI_GENERAL, ex.rho) * sp.sqrt(1 - ex.rho**2))
    return bool(scaled.is_nonnegative)


def _small_norms() -> Step:
    def increases_from_zero() -> bool:
        # ρ increases with ⟨x, z⟩ ≥ −‖x‖ ‖z‖ (Cauchy–Schwarz); norms √d/(1 + p) and √d/(1 + q), p, q ≥ 0.
        p, q = sp.symbols("p q", nonnegative=True)
        norms = {ex.x_x: ex.d / (1 + p) ** 2, ex.z_z: ex.d / (1 + q) ** 2}
        worst = (ex.RHO * sp.sqrt(ex.SCALE_SQUARED.subs(ex.z_z, ex.x_x)) * ex.SCALE).subs(
            ex.x_z, -sp.sqrt(ex.x_x * ex.z_z)
        )
        nonnegative = sp.factor(sp.simplify(worst.subs(norms))).is_nonnegative
        return bool(nonnegative and sp.diff(ex.RHO, ex.x_z).is_positive and _increases())

    def measured() -> Iterator[_Ends]:
        _, below, above = POINTS[0]
        ray = numeric.Ray(4, sp.Integer(1), sp.Integer(1), below, above)
        edge = sp.Integer(2)  # √d
        yield {ex.alpha: below, ex.beta: above}, ray.phi(edge, -edge), ray.phi(edge, edge)

    return _interval(
        "small norms",
        "If `σ_w = σ_b = 1` and the norms of `x` and `z` are at most the square root of `d`, then `ρ ≥ 0`, "
        "and `Φ` lies in",
        ((ex.alpha + ex.beta) ** 2 / 4, _largest),
        increases=increases_from_zero,
        found=(ex.PHI_GENERAL.subs(ex.rho, 0), ex.PHI_GENERAL.subs(ex.rho, 1)),
        measured=measured,
    )


# In the slopes -----------------------------------------------------------------------------------


def _in_the_slopes() -> tuple[Step, ...]:
    partials = (
        _partial(ex.alpha, "below", "The derivative in the slope below 0 is"),
        _partial(ex.beta, "above", "The derivative in the slope above 0 is"),
    )
    leaky = sp.expand(sp.diff(ex.PHI_ANGLE, ex.gamma)).coeff(ex.theta) * ex.theta
    leaky = sp.factor(leaky) + sp.expand(sp.diff(ex.PHI_ANGLE, ex.gamma).subs(ex.theta, 0))

    def in_gamma(rho: sp.Rational, slope: sp.Rational) -> Number:
        return _measured_derivative(rho, slope, sp.Integer(1), ex.alpha)

    def leaky_samples(stated: sp.Expr) -> Iterator[Pair]:
        rho, slope = RHOS[1], sp.Rational(3, 10)
        yield value(stated, {ex.theta: sp.acos(rho), ex.gamma: slope}), in_gamma(rho, slope)

    def increases_with_angle() -> bool:
        rest = sp.Symbol("c", positive=True)  # 1 − γ
        return bool(sp.diff(leaky, ex.theta).subs(ex.gamma, 1 - rest).is_positive)

    def measured() -> Iterator[_Ends]:
        slope = sp.Rational(3, 10)
        yield {ex.gamma: slope}, in_gamma(sp.Integer(1), slope), in_gamma(sp.Integer(-1), slope)

    return (
        *partials,
        common.equation(
            "gamma",
            "For leaky ReLU with `0 ≤ γ < 1` the derivative in `γ`, at a fixed angle `θ`, is",
            sp.Derivative(_Phi(ex.gamma), ex.gamma),
            leaky,
            follows=lambda stated: is_zero(stated - _quotient(ex.PHI_ANGLE, ex.gamma)),
            samples=leaky_samples,
        ),
        _interval(
            "gamma range",
            "It increases with `θ` and is nowhere negative, so that `Φ` increases with `γ`; it lies in",
            (ex.gamma, sp.Integer(1)),
            increases=increases_with_angle,
            found=(leaky.subs(ex.theta, 0), leaky.subs(ex.theta, sp.pi)),
            measured=measured,
        ),
    )


def _partial(slope: sp.Symbol, name: str, prose: str) -> Step:
    derivative = sp.expand(sp.diff(ex.PHI_GENERAL, slope))
    arcsine = sp.asin(ex.rho)
    collected = sp.factor(derivative.coeff(arcsine, 0)) + sp.factor(derivative.coeff(arcsine, 1)) * arcsine

    def samples(stated: sp.Expr) -> Iterator[Pair]:
        for rho, below, above in POINTS[:2]:
            point = {ex.rho: rho, ex.alpha: below, ex.beta: above}
            yield value(stated, point), _measured_derivative(rho, below, above, slope)

    return common.equation(
        name,
        prose,
        sp.Derivative(_Phi(ex.alpha, ex.beta), slope),
        collected,
        follows=lambda stated: is_zero(stated - _quotient(ex.PHI_GENERAL, slope)),
        samples=samples,
    )


def _quotient(function: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """Return the derivative of a polynomial in `variable` as its difference quotient at step 0."""
    step = sp.Symbol("h")
    difference = sp.expand(function.subs(variable, variable + step) - function)
    return sp.expand(difference / step).subs(step, 0)


def _measured_derivative(
    rho: sp.Rational, below: sp.Rational, above: sp.Rational, slope: sp.Symbol
) -> Number:
    """∂Φ/∂`slope` as a central difference, exact as Φ is quadratic in the slopes."""
    step = sp.Rational(1, 4)
    by_below, by_above = (step, 0) if slope == ex.alpha else (0, step)
    up = numeric.mean_product(rho, below + by_below, above + by_above)
    down = numeric.mean_product(rho, below - by_below, above - by_above)
    return (up - down) / (2 * value(step, {}))


# In the inputs -----------------------------------------------------------------------------------


def _gradient() -> tuple[Step, Step]:
    front = _jump**2 / (2 * sp.pi * sp.sqrt(1 - ex.rho**2)) * ex.sigma_w**2 / (ex.d * _s_z)
    gradient = front * (_x / _s_x - ex.rho * _z / _s_z)
    bias = ex.sigma_b * (_s_z - ex.rho * _s_x) / (_s_x * _s_z)
    steepest = (_jump**2 / (2 * sp.pi)) ** 2 * ex.sigma_w**2 / (ex.d * _s_z**2)
    squared = steepest * (1 - bias**2 / (1 - ex.rho**2))

    def is_gradient(stated: sp.Expr) -> bool:
        along_x, along_z = (sp.expand(stated).coeff(vector) for vector in (_x, _z))
        if not is_zero(stated - along_x * _x - along_z * _z):
            return False
        # The derivative along any unit vector e, at z + te: ⟨x, z⟩ and ‖z‖² as functions of t.
        t, x_e, z_e = sp.symbols("t x_e z_e", real=True)
        line = {ex.x_z: ex.x_z + t * x_e, ex.z_z: ex.z_z + 2 * t * z_e + t**2}
        rho = ex.RHO_GENERAL.subs(line, simultaneous=True)
        moved = sp.diff(rho, t).subs(t, 0)
        stated_change = (along_x * x_e + along_z * z_e) / sp.diff(ex.PHI_GENERAL, ex.rho)
        change = sp.simplify(stated_change).subs(ex.rho, ex.RHO_GENERAL)
        return is_zero((change - moved).subs(_norms()))

    def is_squared_norm(stated: sp.Expr) -> bool:
        along_x, along_z = (sp.expand(gradient).coeff(vector) for vector in (_x, _z))
        total = along_x**2 * ex.x_x + 2 * along_x * along_z * ex.x_z + along_z**2 * ex.z_z
        inner = (ex.rho * _s_x * _s_z - ex.sigma_b**2) * ex.d / ex.sigma_w**2
        return is_zero((total - stated).subs(_norms()).subs(ex.x_z, inner))

    def samples(stated: sp.Expr) -> Iterator[Pair]:
        _, below, above = POINTS[0]
        ray = numeric.Ray(2, sp.Rational(3, 2), sp.Rational(1, 2), below, above)
        for xi, zeta in ((sp.Rational(1, 3), sp.Rational(-3, 4)), (sp.Rational(3, 2), sp.Integer(1))):
            units = {ex.d: ray.dim, ex.sigma_w: ray.sigma_w, ex.sigma_b: ray.sigma_b}
            variance = ex.SCALE_SQUARED_GENERAL.subs(units)
            inner = {ex.x_x: xi**2, ex.x_z: xi * zeta, ex.z_z: zeta**2}
            derived = {
                ex.rho: ex.RHO_GENERAL.subs(units | inner),
                _s_x: sp.sqrt(variance.subs(ex.z_z, xi**2)),
                _s_z: sp.sqrt(variance.subs(ex.z_z, zeta**2)),
            }
            slopes = {ex.alpha: below, ex.beta: above}
            yield value(stated, units | slopes | derived | {_x: xi, _z: zeta}), ray.slope(xi, zeta)

    return (
        common.equation(
            "gradient",
            "With the standard deviations `s_x` and `s_z` of `A` and `B`, the gradient in the input `z` is",
            sp.Derivative(_Phi(_x, _z), _z),
            gradient,
            follows=is_gradient,
            samples=samples,
        ),
        common.equation(
            "gradient norm",
            "Its length is bounded although the slope is not: the squared norm `‖∇_z Φ‖²` is, with a first "
            "bracket of at most 1,",
            sp.Symbol("G"),
            squared,
            follows=is_squared_norm,
            samples=lambda stated: ((left, right**2) for left, right in samples(stated)),
        ),
    )


def _norms() -> dict[sp.Symbol, sp.Expr]:
    """‖x‖² and ‖z‖² from the standard deviations."""
    return {
        squared: (scale**2 - ex.sigma_b**2) * ex.d / ex.sigma_w**2
        for squared, scale in ((ex.x_x, _s_x), (ex.z_z, _s_z))
    }


# In the data --------------------------------------------------------------------------------------


def _positivity() -> Step:
    def follows(stated: sp.Expr) -> bool:
        # Closed form and power series solve one equation from the same start; the sign is then read off.
        at_zero, slope = ex.PHI_GENERAL.subs(ex.rho, 0), stated.subs(series.j, 0)
        same = series.solves(ex.PHI_GENERAL, at_zero, slope) and series.satisfies_recurrence(
            stated, series.EQUATION
        )
        return same and bool(sp.simplify(stated / _jump**2).rewrite(sp.factorial).is_positive)

    def samples(stated: sp.Expr) -> Iterator[Pair]:
        _, below, above = POINTS[0]
        for order in range(3):
            measured = numeric.hermite_coefficient(2 * order + 1, below, above) ** 2
            at = {series.j: order, ex.alpha: below, ex.beta: above}
            yield value(stated, at), measured / sp.factorial(2 * order + 1)

    return common.equation(
        "positivity",
        "As a power series in `ρ`, `Φ` has a square as its constant, no other even power, and for `α ≠ β` "
        "positive coefficients of odd powers. Entry-wise powers of a correlation matrix are positive "
        "semidefinite (Schur), hence so is `Φ(X, X)`. The odd coefficients are",
        sp.IndexedBase("c")[2 * series.j + 1],
        series.coefficient(),
        follows=follows,
        samples=samples,
    )
