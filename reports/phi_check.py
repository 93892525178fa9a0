"""The check of Φ that every report begins with: three derivations, quadrature and Monte Carlo.

sympy is imported when it is needed: it takes long, and most commands need none.
"""

from typing import Any

import numpy as np

import theory
from reports import drawings


def check_phi(*, num_points: int = 8, num_draws: int = 200_000, seed: int = 0) -> dict[str, Any]:
    """Derive Φ by both routes and compare the closed form with quadrature and Monte Carlo."""
    from sympy import lambdify  # noqa: PLC0415

    rhos = [-0.999999, -0.9, -0.5, 0.0, 0.3, 0.9, 0.999999]
    slopes = [0.0, 0.3, 0.9]
    ex = theory.expressions
    closed = lambdify((ex.rho, ex.gamma), theory.phi_expr(), "numpy")
    quadrature = [
        {
            "rho": rho,
            "negative_slope": slope,
            "closed_form": float(closed(rho, slope)),
            "quadrature": theory.phi_quadrature(rho, negative_slope=slope),
        }
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
    return {
        "curves": [
            {
                "negative_slope": slope,
                "rho": drawings.rounded(axis),
                "closed_form": drawings.rounded(closed(axis, slope)),
            }
            for slope in slopes
        ],
        "routes": {route: _derivation(route) for route in ("plackett", "polar", "series")},
        "quadrature": quadrature,
        "largest_difference": float(
            np.max([abs(row["closed_form"] - row["quadrature"]) for row in quadrature])
        ),
        "monte_carlo": {
            "negative_slope": sampled_slope,
            "num_draws": num_draws,
            "exact": exact.flat[order].tolist(),
            "mean": sampled.mean.flat[order].tolist(),
            "standard_error": sampled.standard_error.flat[order].tolist(),
            "largest_deviation": float(np.abs(deviation).max()),
        },
    }


def _derivation(route: "theory.Route") -> list[dict[str, Any]]:
    from sympy import latex  # noqa: PLC0415

    return [
        {"statement": step.statement, "latex": latex(step.expression), "holds": step.holds()}
        for step in theory.derive_phi(route).steps
    ]
