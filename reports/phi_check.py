"""The check of Φ that every report begins with: three derivations, quadrature and Monte Carlo.

sympy is imported when it is needed: it takes long, and most commands need none.
"""

from functools import cache

import numpy as np

import theory
from empirics.record import Count, Record, same_length
from reports.numbers import rounded


class Curve(Record, frozen=True):
    """Φ over ρ at one slope."""

    negative_slope: float
    rho: list[float]
    closed_form: list[float]

    def __post_init__(self) -> None:
        same_length(rho=self.rho, closed_form=self.closed_form)


class Step(Record, frozen=True):
    """A step of a derivation, and whether computer algebra carried it out."""

    statement: str
    latex: str
    holds: bool


class Quadrature(Record, frozen=True):
    """Φ at one ρ and slope."""

    rho: float
    negative_slope: float
    closed_form: float
    quadrature: float


class MonteCarlo(Record, frozen=True):
    """Φ of pairs of points, exact and sampled."""

    negative_slope: float
    num_draws: Count
    exact: list[float]
    mean: list[float]
    standard_error: list[float]
    largest_deviation: float | None

    def __post_init__(self) -> None:
        same_length(exact=self.exact, mean=self.mean, standard_error=self.standard_error)


class PhiCheck(Record, frozen=True):
    """What `check_phi` found."""

    curves: list[Curve]
    routes: dict[str, list[Step]]
    quadrature: list[Quadrature]
    largest_difference: float | None
    monte_carlo: MonteCarlo


@cache
def check_phi(*, num_points: int = 8, num_draws: int = 200_000, seed: int = 0) -> PhiCheck:
    """Derive Φ by both routes and compare the closed form with quadrature and Monte Carlo."""
    from sympy import lambdify  # noqa: PLC0415

    rhos = [-0.999999, -0.9, -0.5, 0.0, 0.3, 0.9, 0.999999]
    slopes = [0.0, 0.3, 0.9]
    ex = theory.expressions
    closed = lambdify((ex.rho, ex.gamma), theory.phi_expr(), "numpy")
    quadrature = [
        Quadrature(rho, slope, float(closed(rho, slope)), theory.phi_quadrature(rho, negative_slope=slope))
        for slope in slopes
        for rho in rhos
    ]
    rng = np.random.default_rng(seed)
    X, Z = rng.normal(size=(num_points, 5)), rng.normal(size=(num_points, 5))
    sampled_slope = 0.3
    exact = theory.phi(X, Z, negative_slope=sampled_slope)
    sampled = theory.phi_monte_carlo(X, Z, negative_slope=sampled_slope, num_draws=num_draws, rng=rng)
    deviation = (sampled.mean - exact) / sampled.standard_error
    order = np.argsort(exact, axis=None)
    axis = np.linspace(-1.0, 1.0, 81)
    return PhiCheck(
        curves=[Curve(slope, *map(rounded, (axis, closed(axis, slope)))) for slope in slopes],
        routes={route: _derivation(route) for route in ("plackett", "polar", "series")},
        quadrature=quadrature,
        largest_difference=max(abs(row.closed_form - row.quadrature) for row in quadrature),
        monte_carlo=MonteCarlo(
            negative_slope=sampled_slope,
            num_draws=num_draws,
            exact=exact.flat[order].tolist(),
            mean=sampled.mean.flat[order].tolist(),
            standard_error=sampled.standard_error.flat[order].tolist(),
            largest_deviation=float(np.abs(deviation).max()),
        ),
    )


def _derivation(route: "theory.Route") -> list[Step]:
    from sympy import latex  # noqa: PLC0415

    steps = theory.derive_phi(route).steps
    return [Step(step.statement, latex(step.expression), step.holds()) for step in steps]
