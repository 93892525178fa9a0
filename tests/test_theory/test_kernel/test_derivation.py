"""The derivation of Φ: every step is carried out, and a false step is found out."""

import dataclasses

import pytest
import sympy as sp

from theory import Derivation, derive_phi, phi_expr
from theory import expressions as ex

ROUTES = ["plackett", "polar"]


@pytest.mark.parametrize("route", ROUTES)
def test_every_step_holds(route):
    derive_phi(route).verify()


@pytest.mark.parametrize("route", ROUTES)
def test_routes_reach_the_source_of_truth(route):
    assert sp.simplify(derive_phi(route).result - ex.PHI) == 0
    assert phi_expr() == ex.PHI


@pytest.mark.parametrize("route", ROUTES)
def test_a_false_step_fails(route):
    steps = derive_phi(route).steps
    for index, step in enumerate(steps):
        wrong = _mutated(step.expression)
        broken = dataclasses.replace(step, expression=wrong)
        assert not broken.holds(), step.statement
        derivation = Derivation(route, (*steps[:index], broken, *steps[index + 1 :]))
        with pytest.raises(ArithmeticError, match=f"step {index + 1} of route '{route}'"):
            derivation.verify()


def _mutated(expression):
    """A sector moved by a little, or a right-hand side with a changed factor."""
    if isinstance(expression, sp.Interval):
        return sp.Interval.open(expression.start, expression.end + sp.Rational(1, 10))
    return sp.Eq(expression.lhs, expression.rhs * sp.Rational(101, 100), evaluate=False)


@pytest.mark.parametrize(
    "wrong",
    [
        (1 + ex.gamma) ** 2 / 4 + (1 + ex.gamma) ** 2 / (2 * sp.pi) * sp.asin(ex.rho),
        (1 + ex.gamma) ** 2 / 4 - (1 - ex.gamma) ** 2 / (2 * sp.pi) * sp.asin(ex.rho),
        (1 + ex.gamma) ** 2 / 2 + (1 - ex.gamma) ** 2 / (2 * sp.pi) * sp.asin(ex.rho),
        (1 + ex.gamma**2) / 4 + (1 - ex.gamma) ** 2 / (2 * sp.pi) * sp.asin(ex.rho),
        (1 + ex.gamma) ** 2 / 4 + (1 - ex.gamma) ** 2 / (2 * sp.pi) * sp.acos(ex.rho),
    ],
)
def test_the_last_step_rejects_near_misses(wrong):
    for route in ROUTES:
        step = derive_phi(route).steps[-1]
        assert not dataclasses.replace(step, expression=sp.Eq(sp.Symbol("Phi"), wrong)).holds()


def test_the_correlation_needs_the_bias_and_the_dimension():
    step = derive_phi().steps[0]
    for wrong in (ex.RHO.subs(ex.x_z, ex.x_z - ex.d), ex.RHO.subs(ex.d, ex.d + 1)):
        assert not dataclasses.replace(step, expression=sp.Eq(ex.rho, wrong, evaluate=False)).holds()


def test_unknown_route_is_named():
    with pytest.raises(ValueError, match="route must be one of plackett, polar, got 'series'"):
        derive_phi("series")
