"""Φ: derived (`derivation`), computed (`arrays`), and estimated by other means (`estimates`)."""

from theory.kernel.arrays import phi
from theory.kernel.derivation import Derivation, Route, Step, derive_phi, phi_expr
from theory.kernel.estimates import Estimate, phi_monte_carlo, phi_quadrature
from theory.kernel.products import ntk, ntk_product, phi_product

__all__ = [
    "Derivation",
    "Estimate",
    "Route",
    "Step",
    "derive_phi",
    "ntk",
    "ntk_product",
    "phi",
    "phi_expr",
    "phi_monte_carlo",
    "phi_product",
    "phi_quadrature",
]
