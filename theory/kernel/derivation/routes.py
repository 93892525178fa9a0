"""The derivations that exist, by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import sympy as sp

from theory import expressions as ex
from theory.kernel.derivation import plackett, polar, properties, series
from theory.kernel.derivation.steps import Derivation
from theory.validation import check_choice

Route = Literal["plackett", "polar", "series"]


def derive_phi(route: Route = "plackett") -> Derivation:
    """Derive Φ in closed form by one of three independent routes.

    Parameters
    ----------
    route : {"plackett", "polar", "series"}
        Derivative in the correlation, polar coordinates, or Hermite series.

    Returns
    -------
    Derivation
        Its `steps` each hold a statement, a sympy expression, a check and a numeric confirmation; `result` is
        Φ(ρ), equal to `expressions.PHI`, and the step "closed form" has it for any two slopes, equal to
        `expressions.PHI_GENERAL`; `verify()` carries out all checks and confirmations.

    Raises
    ------
    ValueError
        If `route` is unknown.

    Notes
    -----
    Source: Derivation 1.

    Examples
    --------
    >>> from theory import derive_phi
    >>> derivation = derive_phi("polar")
    >>> len(derivation.steps), all(step.holds() for step in derivation.steps)
    (10, True)
    """
    check_choice("route", route, ("plackett", "polar", "series"))
    return _derive(route)


def derive_phi_properties() -> Derivation:
    """Derive from the closed form of Φ its derivatives, range, monotonicity, gradient and positivity.

    Returns
    -------
    Derivation
        With one step for each property, by name: "slope", "range", "small norms", "below", "above", "gamma",
        "gamma range", "gradient", "gradient norm", "positivity".

    Notes
    -----
    Source: `expressions.PHI_GENERAL`, `expressions.RHO_GENERAL`; Derivations 1 and 2.

    Examples
    --------
    >>> from theory import derive_phi_properties
    >>> derive_phi_properties().steps[0].statement[:40]
    'The derivative in the correlation, posit'
    """
    return _derive("properties")


@lru_cache
def _derive(name: str) -> Derivation:
    derive = {
        "plackett": plackett.derive,
        "polar": polar.derive,
        "series": series.derive,
        "properties": properties.derive,
    }[name]
    return derive()


def phi_expr() -> sp.Expr:
    """Return Φ(ρ) as a sympy expression in `expressions.gamma` and `expressions.rho`.

    Returns
    -------
    sympy.Expr
        (1 + γ)²/4 + (1 − γ)²/(2π) · asin ρ, range [γ, (1 + γ²)/2].

    Notes
    -----
    Source: `expressions.PHI`; Derivation 1.

    Examples
    --------
    >>> from theory import phi_expr
    >>> phi_expr()
    (1 - gamma)**2*asin(rho)/(2*pi) + (gamma + 1)**2/4
    """
    return ex.PHI
