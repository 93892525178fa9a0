"""The theory of learning from adversarial perturbations in wide two-layer networks: mathematics only.

Φ in closed form, the predictors built from it, the conditions of the published theorem, and bounds with
explicit constants.  Formulas live in `theory.expressions`, their derivations in `theory/DERIVATIONS.md`.
"""

from typing import TYPE_CHECKING

from theory import conditions, orthogonal
from theory._on_demand import attributes
from theory.bounds import (
    Assumption,
    Bound,
    Dynamics,
    LabelNoise,
    MarginThresholds,
    Network,
    PublishedComparison,
    compare_published,
    drift_bound,
    flip_bound,
    free_fourth_moment,
    free_fraction,
    free_second_moment,
    gradient_bound,
    initial_bound,
    kernel_bound,
    margin_bound,
    margin_thresholds,
    published_width,
    width_bound,
)
from theory.bounds.apriori import AprioriCertificate, certify_agreement_a_priori
from theory.certificates import (
    Agreement,
    AgreementCertificate,
    Certificate,
    certify,
    certify_agreement,
    certify_network,
)
from theory.conditions import Condition, Verdict
from theory.geometry import augmented_inner, kappa, preactivation_scale
from theory.inverse import certified_share, required_epsilon, required_time, required_width
from theory.kernel import (
    Enclosure,
    Sign,
    f_hat_enclosure,
    f_predict_enclosure,
    g_hat_enclosure,
    g_predict_enclosure,
    ntk,
    ntk_product,
    phi,
    phi_enclosure,
    phi_interval_mpmath,
    phi_monte_carlo,
    phi_product,
    phi_quadrature,
    proved_sign,
)
from theory.lazy import (
    displacement_bound,
    draw_initial_outputs,
    initial_covariance,
    lazy_predict,
    lazy_range,
    lazy_sign,
    lazy_weights,
    training_loss,
    weighted_kappa,
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

if TYPE_CHECKING:
    from theory import expressions
    from theory.kernel import (
        Derivation,
        Language,
        Route,
        Step,
        derive_phi,
        derive_phi_properties,
        phi_code,
        phi_expr,
    )

__all__ = [
    "Agreement",
    "AgreementCertificate",
    "AprioriCertificate",
    "Assumption",
    "Bound",
    "Certificate",
    "Condition",
    "Derivation",
    "Dynamics",
    "Enclosure",
    "LabelNoise",
    "Language",
    "MarginThresholds",
    "Network",
    "PublishedComparison",
    "Route",
    "Setting",
    "Sign",
    "Step",
    "Verdict",
    "agreement_probability",
    "augmented_inner",
    "certified_share",
    "certify",
    "certify_agreement",
    "certify_agreement_a_priori",
    "certify_network",
    "compare_published",
    "conditions",
    "derive_phi",
    "derive_phi_properties",
    "displacement_bound",
    "draw_initial_outputs",
    "drift_bound",
    "expressions",
    "f_hat",
    "f_hat_enclosure",
    "f_predict",
    "f_predict_enclosure",
    "flip_bound",
    "flow_time",
    "free_fourth_moment",
    "free_fraction",
    "free_second_moment",
    "g_hat",
    "g_hat_enclosure",
    "g_predict",
    "g_predict_enclosure",
    "gradient_bound",
    "initial_bound",
    "initial_covariance",
    "initial_deviation",
    "kappa",
    "kernel_bound",
    "lazy_predict",
    "lazy_range",
    "lazy_sign",
    "lazy_weights",
    "learning_rate_for",
    "margin_bound",
    "margin_thresholds",
    "ntk",
    "ntk_product",
    "orthogonal",
    "perturbation_direction",
    "phi",
    "phi_code",
    "phi_enclosure",
    "phi_expr",
    "phi_interval_mpmath",
    "phi_monte_carlo",
    "phi_product",
    "phi_quadrature",
    "preactivation_scale",
    "proved_sign",
    "published_width",
    "required_epsilon",
    "required_time",
    "required_width",
    "training_loss",
    "weighted_kappa",
    "width_bound",
]

_OF_KERNEL = (
    "Derivation",
    "Language",
    "Route",
    "Step",
    "derive_phi",
    "derive_phi_properties",
    "phi_code",
    "phi_expr",
)
# All that needs sympy.
__getattr__ = attributes(
    __name__, dict.fromkeys(_OF_KERNEL, "theory.kernel") | {"expressions": "theory.expressions"}
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
