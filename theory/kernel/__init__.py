"""Φ: derived (`derivation`), computed (`arrays`), enclosed (`enclosure`), estimated (`estimates`)."""

from typing import TYPE_CHECKING

from theory._on_demand import attributes
from theory.kernel.arrays import phi
from theory.kernel.enclosure import Enclosure, Sign, phi_enclosure, phi_interval_mpmath
from theory.kernel.estimates import Estimate, phi_monte_carlo, phi_quadrature
from theory.kernel.predictor_enclosures import (
    f_hat_enclosure,
    f_predict_enclosure,
    g_hat_enclosure,
    g_predict_enclosure,
    proved_sign,
)
from theory.kernel.products import ntk, ntk_product, phi_product

if TYPE_CHECKING:
    from theory.kernel.derivation import (
        Derivation,
        Route,
        Step,
        derive_phi,
        derive_phi_properties,
        phi_expr,
    )
    from theory.kernel.printing import Language, phi_code

__all__ = [
    "Derivation",
    "Enclosure",
    "Estimate",
    "Language",
    "Route",
    "Sign",
    "Step",
    "derive_phi",
    "derive_phi_properties",
    "f_hat_enclosure",
    "f_predict_enclosure",
    "g_hat_enclosure",
    "g_predict_enclosure",
    "ntk",
    "ntk_product",
    "phi",
    "phi_code",
    "phi_enclosure",
    "phi_expr",
    "phi_interval_mpmath",
    "phi_monte_carlo",
    "phi_product",
    "phi_quadrature",
    "proved_sign",
]

_OF_DERIVATION = ("Derivation", "Route", "Step", "derive_phi", "derive_phi_properties", "phi_expr")
# All that needs sympy.
__getattr__ = attributes(
    __name__,
    dict.fromkeys(_OF_DERIVATION, "theory.kernel.derivation")
    | dict.fromkeys(("Language", "phi_code"), "theory.kernel.printing")
    | {name: f"theory.kernel.{name}" for name in ("derivation", "printing")},
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
