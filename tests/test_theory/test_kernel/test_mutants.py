"""Mutants of the derivation: a step with a slip of the pen is refused by sympy and by quadrature alike."""

import dataclasses

import pytest
import sympy as sp

from theory import expressions as ex
from theory.kernel.derivation import Derivation, derive_phi, derive_phi_properties

DERIVATIONS = ["plackett", "polar", "series", "properties"]


def derivation(name):
    return derive_phi_properties() if name == "properties" else derive_phi(name)


def caught(step, wrong):
    """Neither sympy nor quadrature accepts the step."""
    assert wrong != step.expression
    broken = dataclasses.replace(step, expression=wrong)
    assert not broken.holds(), wrong
    assert not broken.confirm(), wrong


def right(change):
    return lambda stated: sp.Eq(stated.lhs, change(stated.rhs), evaluate=False)


def swap(old, new):
    return right(lambda side: side.subs(old, new, simultaneous=True))


GENERIC = {
    "factor": right(lambda side: side * sp.Rational(101, 100)),
    "sign": right(lambda side: -side),
    "offset": right(lambda side: side + sp.Rational(1, 1000)),
    "start": lambda stated: stated.func(stated.start - sp.Rational(1, 9), stated.end, *stated.args[2:]),
    "end": lambda stated: stated.func(stated.start, stated.end + sp.Rational(1, 9), *stated.args[2:]),
    "narrow": lambda stated: stated.func(stated.start / 3, stated.end, *stated.args[2:]),
}


@pytest.mark.parametrize("mutant", GENERIC)
@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_false_step_fails(name, mutant):
    on_interval = mutant in {"start", "end", "narrow"}
    for step in derivation(name).steps:
        if isinstance(step.expression, sp.Interval) is on_interval:
            caught(step, GENERIC[mutant](step.expression))


a, b, s, t, u, j, k, x, z = (
    *sp.symbols("a b s t u", real=True),
    sp.Symbol("j", integer=True, nonnegative=True),
    sp.Symbol("k", integer=True, nonnegative=True),
    *sp.symbols("x z", real=True),
)
s_x, s_z = sp.symbols("s_x s_z", positive=True)
r, phi_angle = sp.Symbol("r", positive=True), sp.Symbol("varphi", real=True)
rho, theta, gamma, d = ex.rho, ex.theta, ex.gamma, ex.d
alpha, beta, pi = ex.alpha, ex.beta, sp.pi
slope_of_rho = sp.Function("S")(rho)
arcsine = sp.asin(rho)
quarter_sum, jump = (alpha + beta) ** 2 / 4, (beta - alpha) ** 2
odd = jump / (2 * pi) * sp.factorial(2 * j) / (4**j * sp.factorial(j) ** 2 * (2 * j + 1))


def sides(*values):
    return [right(lambda _, value=value: value) for value in values]


def intervals(*ends):
    return [lambda stated, low=low, high=high: stated.func(low, high, *stated.args[2:]) for low, high in ends]


def power_series(term):
    return quarter_sum + sp.Sum(term, (j, 0, sp.oo))


# What a slip of the pen would write, by step.
NEAR_MISSES = {
    "correlation": [
        swap(d, d - 1),
        swap(ex.sigma_w, 1),
        swap(ex.sigma_b, 0),
        swap(ex.z_z, ex.x_x),
        swap(ex.x_z, -ex.x_z),
    ],
    "unit variances": [swap(d, d + 1), swap(ex.x_z, ex.x_z - d), right(lambda side: side**2)],
    "density": [
        swap(rho, -rho),
        swap(rho**2, -(rho**2)),
        right(lambda side: side * sp.sqrt(1 - rho**2)),
        swap(b, -b),
        swap(a, 2 * a),
    ],
    "corner": sides(
        1 / (2 * pi * (1 - rho**2)), 1 / (pi * sp.sqrt(1 - rho**2)), 1 / (2 * pi * sp.sqrt(1 + rho**2))
    ),
    "start": sides(sp.Rational(1, 2), sp.Rational(1, 8), 1 / (2 * pi)),
    "sign pairs": [
        swap(alpha, -alpha),
        swap(alpha, alpha**2),
        right(lambda side: side + alpha * beta / 4),
        right(lambda side: sp.expand(side) - alpha**2 / 4),
    ],
    "closed form": sides(
        quarter_sum + (alpha + beta) ** 2 / (2 * pi) * arcsine,
        quarter_sum - jump / (2 * pi) * arcsine,
        quarter_sum + jump / pi * arcsine,
        2 * quarter_sum + jump / (2 * pi) * arcsine,
        (alpha**2 + beta**2) / 4 + jump / (2 * pi) * arcsine,
        quarter_sum + (beta**2 - alpha**2) / (2 * pi) * arcsine,
        quarter_sum + jump / (2 * pi) * sp.acos(rho),
        quarter_sum + jump / (2 * pi) * rho,
        quarter_sum + jump / (2 * pi) * sp.atan(rho),
    ),
    "angle": sides(
        alpha * beta + jump * theta / (2 * pi),
        alpha * beta + jump * (pi - theta) / pi,
        alpha * beta + jump * (pi / 2 - theta) / (2 * pi),
        alpha + beta + jump * (pi - theta) / (2 * pi),
        alpha * beta + (alpha + beta) ** 2 * (pi - theta) / (2 * pi),
    ),
    "ReLU": sides(
        arcsine / pi + sp.Rational(1, 4), arcsine / (2 * pi) + sp.Rational(1, 2), sp.acos(rho) / (2 * pi)
    ),
    "leaky ReLU": sides(
        (1 + gamma) ** 2 / 4 + (1 + gamma) ** 2 / (2 * pi) * arcsine,
        (1 + gamma) ** 2 / 4 + (1 - gamma**2) / (2 * pi) * arcsine,
        (1 + gamma**2) / 4 + (1 - gamma) ** 2 / (2 * pi) * arcsine,
        (1 + gamma) ** 2 / 2 + (1 - gamma) ** 2 / (2 * pi) * arcsine,
        (1 + gamma) ** 2 / 4 + (1 - gamma) / (2 * pi) * arcsine,
        (1 + gamma) ** 2 / 4 + (1 - gamma) ** 2 / (2 * pi) * sp.acos(rho),
    ),
    ("plackett", "quadrant"): sides(
        sp.Rational(1, 4) + arcsine / pi,
        sp.Rational(1, 2) + arcsine / (2 * pi),
        sp.Rational(1, 4) + rho / (2 * pi),
    ),
    ("polar", "quadrant"): sides(theta / (2 * pi), (pi - theta) / pi, (pi / 2 - theta) / (2 * pi)),
    "rotation": sides(
        r * sp.cos(phi_angle + theta), r * sp.sin(phi_angle - theta), sp.cos(phi_angle - theta)
    ),
    "sector": intervals((-pi / 2, pi / 2 - theta), (theta, pi / 2), (-pi / 2, pi / 2), (theta - pi / 2, pi)),
    "two generating functions": sides(
        sp.exp(-rho * s * t), sp.exp(rho * s * t / 2), sp.exp(rho * (s + t)), 1 + rho * s * t, sp.exp(s * t)
    ),
    "Hermite moments": sides(
        rho**k, sp.factorial(k) * rho ** (k + 1), sp.factorial(k + 1) * rho**k, sp.factorial(k), k * rho**k
    ),
    "generating function": [
        swap(sp.sqrt(2) * t / 2, t),
        swap(t, -t),
        right(lambda side: 2 * side - (alpha + beta) / 2),
        swap(alpha, -alpha),
    ],
    "coefficients": [
        right(lambda side: side * (-1) ** j),
        right(lambda side: side / 2**j),
        right(lambda side: side * (2 * j + 1)),
        swap(j, j + 1),
        swap(alpha, -alpha),
    ],
    "Parseval": sides(
        (alpha + beta) ** 2 / 2, (alpha**2 + beta**2) / 4, (alpha**2 - beta**2) / 2, (alpha + beta) ** 2 / 4
    ),
    "series": sides(
        power_series(odd * rho ** (2 * j)),
        power_series(odd * (2 * j + 1) * rho ** (2 * j + 1)),
        power_series(odd * rho ** (2 * j + 1) * (-1) ** j),
        power_series(odd * rho ** (2 * j + 1) * 4**j / 2**j),
        power_series(odd.subs(alpha, -alpha) * rho ** (2 * j + 1)),
        quarter_sum + sp.Sum(odd * rho ** (2 * j + 1), (j, 1, sp.oo)),
        quarter_sum + sp.Sum(odd * rho ** (2 * j + 1), (j, 0, 30)),
        quarter_sum + jump / (2 * pi) * rho,
    ),
    "differential equation": [
        lambda stated: sp.Eq(stated.lhs.subs(rho**2, -(rho**2)), stated.rhs),
        lambda stated: sp.Eq(stated.lhs / (1 + rho), stated.rhs),
        lambda stated: sp.Eq(stated.lhs, 2 * stated.rhs),
        lambda stated: sp.Eq(stated.lhs, slope_of_rho),
        lambda stated: sp.Eq(stated.lhs, rho**2 * slope_of_rho),
    ],
    "slope": sides(
        jump / (pi * sp.sqrt(1 - rho**2)),
        jump / (2 * pi * (1 - rho**2)),
        (alpha + beta) ** 2 / (2 * pi * sp.sqrt(1 - rho**2)),
    ),
    "range": intervals((0, (alpha**2 + beta**2) / 2), (alpha * beta, (alpha + beta) ** 2 / 4), (alpha, beta)),
    "small norms": intervals(
        (alpha * beta, (alpha**2 + beta**2) / 2), ((alpha + beta) / 4, (alpha**2 + beta**2) / 2)
    ),
    "below": [right(lambda side: side.subs(arcsine, -arcsine)), swap(pi, 2 * pi), swap(alpha, 2 * alpha)],
    "above": [right(lambda side: side.subs(arcsine, -arcsine)), swap(pi, 2 * pi), swap(beta, 2 * beta)],
    "gamma": [
        swap(theta, pi - theta),
        swap(gamma, -gamma),
        right(lambda side: side + theta * (1 + gamma) / pi),
    ],
    "gamma range": intervals((0, 1), (gamma, 2), (gamma, 1 + gamma), (gamma**2, 1)),
    "gradient": [
        swap(d, d - 1),
        swap(rho, -rho),
        swap(ex.sigma_w, sp.sqrt(ex.sigma_w)),
        swap(x, -x),
        swap(alpha, -alpha),
        right(lambda side: side / sp.sqrt(1 - rho**2)),
        right(lambda side: side.subs({s_x: s_z, s_z: s_x}, simultaneous=True)),
        right(lambda side: side.subs({x: z, z: x}, simultaneous=True)),
    ],
    "gradient norm": [
        swap(d, d - 1),
        swap(ex.sigma_b, 0),
        swap(rho, -rho),
        swap(alpha, -alpha),
        right(lambda side: side / jump),
        right(lambda side: side.subs({s_x: s_z, s_z: s_x}, simultaneous=True)),
    ],
    "positivity": sides(odd / 2, odd * (2 * j + 1), odd * (-1) ** j, odd / 2**j, odd.subs(alpha, -alpha)),
}


def test_a_derivation_names_its_false_step():
    *before, last = derive_phi("polar").steps
    wrong = dataclasses.replace(last, expression=GENERIC["sign"](last.expression))
    with pytest.raises(ArithmeticError, match="step 10 of route 'polar' does not hold: For leaky ReLU"):
        Derivation("polar", (*before, wrong)).verify()


@pytest.mark.parametrize("name", DERIVATIONS)
def test_near_misses_fail(name):
    for step in derivation(name).steps:
        for change in NEAR_MISSES.get((name, step.name)) or NEAR_MISSES[step.name]:
            caught(step, change(step.expression))


@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_step_about_something_else_fails(name):
    for step in derivation(name).steps:
        others = [sp.Interval(0, 7), sp.Symbol("P")]
        if isinstance(step.expression, sp.Equality):
            others.append(sp.Eq(step.expression.lhs + 1, step.expression.rhs, evaluate=False))
        for other in others:
            assert not dataclasses.replace(step, expression=other).holds(), (step.name, other)
