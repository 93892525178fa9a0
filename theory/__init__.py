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
    Enclosure,
    Route,
    Sign,
    Step,
    derive_phi,
    f_hat_enclosure,
    f_predict_enclosure,
    g_hat_enclosure,
    g_predict_enclosure,
    ntk,
    ntk_product,
    phi,
    phi_enclosure,
    phi_expr,
    phi_interval_mpmath,
    phi_monte_carlo,
    phi_product,
    phi_quadrature,
    proved_sign,
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
    "Enclosure",
    "LabelNoise",
    "MarginThresholds",
    "Network",
    "Route",
    "Setting",
    "Sign",
    "Step",
    "Verdict",
    "agreement_probability",
    "augmented_inner",
    "conditions",
    "derive_phi",
    "expressions",
    "f_hat",
    "f_hat_enclosure",
    "f_predict",
    "f_predict_enclosure",
    "flow_time",
    "free_fraction",
    "g_hat",
    "g_hat_enclosure",
    "g_predict",
    "g_predict_enclosure",
    "initial_deviation",
    "kappa",
    "learning_rate_for",
    "margin_thresholds",
    "ntk",
    "ntk_product",
    "perturbation_direction",
    "phi",
    "phi_enclosure",
    "phi_expr",
    "phi_interval_mpmath",
    "phi_monte_carlo",
    "phi_product",
    "phi_quadrature",
    "preactivation_scale",
    "proved_sign",
    "published_width",
    "width_bound",
]
