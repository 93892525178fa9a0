"""The derivation of Φ: every step is carried out and confirmed, and a false step is found out by both."""

import dataclasses

import pytest
import sympy as sp
from mpmath import mp

from theory import expressions as ex
from theory.kernel.arrays import phi
from theory.kernel.derivation import Derivation, derive_phi, derive_phi_properties, numeric, phi_expr

ROUTES = ["plackett", "polar", "series"]
DERIVATIONS = [*ROUTES, "properties"]


def derivation(name):
    return derive_phi_properties() if name == "properties" else derive_phi(name)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_step_holds_and_is_confirmed(name):
    derivation(name).verify()


@pytest.mark.parametrize("name", DERIVATIONS)
def test_confirmation_reaches_fifty_digits(name):
    for step in derivation(name).steps:
        assert 0 <= step.discrepancy() < mp.mpf(10) ** -50, step.name


@pytest.mark.parametrize("route", ROUTES)
def test_routes_reach_the_source_of_truth(route):
    derived = derive_phi(route)
    for name, expected in (
        ("correlation", ex.RHO_GENERAL),
        ("unit variances", ex.RHO),
        ("closed form", ex.PHI_GENERAL),
        ("angle", ex.PHI_GENERAL_ANGLE),
        ("ReLU", ex.PHI_RELU),
        ("leaky ReLU", ex.PHI),
    ):
        assert sp.simplify(derived.step(name).expression.rhs - expected) == 0, name
    assert derived.result == derived.step("leaky ReLU").expression.rhs
    assert phi_expr() == ex.PHI


def test_properties_agree_with_the_source_of_truth():
    properties = derive_phi_properties()
    in_gamma = {ex.alpha: ex.gamma, ex.beta: 1}
    bounds = properties.step("range").expression.subs(in_gamma)
    assert sp.simplify(bounds.start - ex.PHI_MIN) == 0
    assert sp.simplify(bounds.end - ex.PHI_MAX) == 0
    slope = properties.step("gamma").expression.rhs.subs(ex.theta, sp.acos(ex.rho)).rewrite(sp.asin)
    assert sp.simplify(slope - sp.diff(ex.PHI, ex.gamma)) == 0


def test_gradient_is_that_of_the_source_of_truth():
    s_x, s_z = sp.symbols("s_x s_z", positive=True)
    x, z = sp.symbols("x z", real=True)
    gradient = sp.expand(derive_phi_properties().step("gradient").expression.rhs)
    values = {ex.x_z: sp.Rational(1, 3), ex.x_x: 2, ex.z_z: 5, ex.d: 3, ex.gamma: sp.Rational(1, 7)}
    scales = {s_x: ex.SCALE.subs(ex.z_z, ex.x_x), s_z: ex.SCALE, ex.rho: ex.RHO}
    for vector, expected in ((x, ex.GRADIENT_X), (z, ex.GRADIENT_Z)):
        stated = gradient.coeff(vector).subs(ex.LEAKY_RELU).subs(ex.UNIT_VARIANCES).subs(scales)
        assert sp.N((stated - expected).subs(values), 40, chop=True) == 0


def test_steps_have_names_of_their_own():
    for name in DERIVATIONS:
        names = [step.name for step in derivation(name).steps]
        assert len(set(names)) == len(names)
        assert derivation(name).step(names[-1]).name == names[-1]
    with pytest.raises(ValueError, match=r"name must be one of correlation, .*, got 'lemma'"):
        derive_phi().step("lemma")


def test_unknown_route_is_named():
    with pytest.raises(ValueError, match="route must be one of plackett, polar, series, got 'guess'"):
        derive_phi("guess")


def test_a_step_that_only_quadrature_refutes_fails():
    step = derive_phi("plackett").steps[-1]
    blind = dataclasses.replace(
        step, expression=sp.Eq(step.expression.lhs, ex.PHI + sp.Rational(1, 10**49)), check=lambda _: True
    )
    with pytest.raises(ArithmeticError, match="step 1 of route 'guess' is not confirmed"):
        Derivation("guess", (blind,)).verify()


def test_a_formula_with_an_unknown_symbol_is_not_confirmed():
    step = derive_phi("plackett").steps[-1]
    unknown = sp.Eq(step.expression.lhs, ex.PHI + sp.Symbol("q"))
    assert not dataclasses.replace(step, expression=unknown).confirm()


# What steps are confirmed against ------------------------------------------------------------------


def test_quadrature_of_the_inputs_is_the_kernel_on_arrays():
    ray = numeric.Ray(3, sp.Integer(1), sp.Integer(1), sp.Rational(1, 4), sp.Integer(1))
    for xi, zeta in ((2.0, -0.75), (0.5, 3.0), (1.0, 1.0)):
        points = [[value, 0.0, 0.0] for value in (xi, zeta)]
        measured = float(ray.phi(sp.Rational(xi), sp.Rational(zeta)))
        assert measured == pytest.approx(phi(points, negative_slope=0.25)[0, 1], abs=1e-15)


def test_half_normal_rule_agrees_with_mpmath():
    rho, below, above = sp.Rational(-3, 10), sp.Rational(1, 5), sp.Integer(1)
    with mp.workdps(30):
        ratio = mp.mpf(-3) / 10 / mp.sqrt(1 - mp.mpf(9) / 100)
        low, high = mp.mpf(1) / 5, mp.one
        expected = mp.quad(
            lambda a: mp.npdf(a) * (high if a > 0 else low) * (low + (high - low) * mp.ncdf(ratio * a)),
            [-12, 0, 12],
        )
        assert abs(numeric.mean_product(rho, below, above) - expected) < mp.mpf(10) ** -28


def test_complex_step_agrees_with_a_difference():
    point = (sp.Rational(1, 4), sp.Rational(2, 3))
    up, down = (
        numeric.mean_product(sp.Rational(1, 3) + h, *point)
        for h in (sp.Rational(1, 10**6), -sp.Rational(1, 10**6))
    )
    difference = (up - down) / 2 * 10**6
    assert abs(numeric.mean_product_slope(sp.Rational(1, 3), *point) - difference) < 1e-11


def test_an_endless_series_is_no_number():
    assert mp.isnan(numeric.series_value(sp.Integer(1), sp.Symbol("j"), {}))
