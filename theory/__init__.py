"""The theory of learning from adversarial perturbations in wide two-layer networks: mathematics only.

Φ in closed form, the predictors built from it, the conditions of the published theorem, and bounds with
explicit constants.  Formulas live in `theory.expressions`, their derivations in `theory/DERIVATIONS.md`.
"""

from theory import conditions, expressions
from theory.bounds import (
    Bound,
    LabelNoise,
    MarginThresholds,
    Network,
    free_fraction,
    margin_thresholds,
    published_width,
    width_bound,
)
from theory.conditions import Condition, Verdict
from theory.geometry import augmented_inner, kappa, preactivation_scale
from theory.kernel import (
    Derivation,
    Route,
    Step,
    derive_phi,
    ntk,
    ntk_product,
    phi,
    phi_expr,
    phi_monte_carlo,
    phi_product,
    phi_quadrature,
)
from theory.predictors import (
    agreement_probability,
    f_hat,
    f_predict,
    g_hat,
    g_predict,
    initial_deviation,
    perturbation_direction,
)
from theory.setting import Setting, flow_time, learning_rate_for

__all__ = [
    "Bound",
    "Condition",
    "Derivation",
    "LabelNoise",
    "MarginThresholds",
    "Network",
    "Route",
    "Setting",
    "Step",
    "Verdict",
    "agreement_probability",
    "augmented_inner",
    "conditions",
    "derive_phi",
    "expressions",
    "f_hat",
    "f_predict",
    "flow_time",
    "free_fraction",
    "g_hat",
    "g_predict",
    "initial_deviation",
    "kappa",
    "learning_rate_for",
    "margin_thresholds",
    "ntk",
    "ntk_product",
    "perturbation_direction",
    "phi",
    "phi_expr",
    "phi_monte_carlo",
    "phi_product",
    "phi_quadrature",
    "preactivation_scale",
    "published_width",
    "width_bound",
]
