"""Φ: derived (`derivation`), computed (`arrays`), and estimated by other means (`estimates`)."""

from theory.kernel.arrays import phi
from theory.kernel.derivation import Derivation, Route, Step, derive_phi, phi_expr
from theory.kernel.estimates import Estimate, phi_monte_carlo, phi_quadrature

__all__ = [
    "Derivation",
    "Estimate",
    "Route",
    "Step",
    "derive_phi",
    "phi",
    "phi_expr",
    "phi_monte_carlo",
    "phi_quadrature",
]
