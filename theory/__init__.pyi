from . import (
    conditions as conditions,
    expressions as expressions,
    orthogonal as orthogonal,
)
from .bounds import (
    Assumption as Assumption,
    Bound as Bound,
    Dynamics as Dynamics,
    LabelNoise as LabelNoise,
    MarginThresholds as MarginThresholds,
    Network as Network,
    drift_bound as drift_bound,
    flip_bound as flip_bound,
    free_fourth_moment as free_fourth_moment,
    free_fraction as free_fraction,
    free_second_moment as free_second_moment,
    gradient_bound as gradient_bound,
    initial_bound as initial_bound,
    kernel_bound as kernel_bound,
    margin_bound as margin_bound,
    margin_thresholds as margin_thresholds,
    published_width as published_width,
    width_bound as width_bound,
)
from .certificates import (
    Agreement as Agreement,
    AgreementCertificate as AgreementCertificate,
    AprioriCertificate as AprioriCertificate,
    Certificate as Certificate,
    PublishedComparison as PublishedComparison,
    certified_share as certified_share,
    certify as certify,
    certify_agreement as certify_agreement,
    certify_agreement_a_priori as certify_agreement_a_priori,
    certify_network as certify_network,
    compare_published as compare_published,
    required_epsilon as required_epsilon,
    required_time as required_time,
    required_width as required_width,
)
from .conditions import (
    Condition as Condition,
)
from .geometry import (
    augmented_inner as augmented_inner,
    kappa as kappa,
    preactivation_scale as preactivation_scale,
)
from .kernel import (
    Derivation as Derivation,
    Enclosure as Enclosure,
    Enclosures as Enclosures,
    Language as Language,
    Route as Route,
    Sign as Sign,
    Step as Step,
    derive_phi as derive_phi,
    derive_phi_properties as derive_phi_properties,
    f_hat_enclosure as f_hat_enclosure,
    f_predict_enclosure as f_predict_enclosure,
    g_hat_enclosure as g_hat_enclosure,
    g_predict_enclosure as g_predict_enclosure,
    ntk as ntk,
    ntk_enclosure as ntk_enclosure,
    ntk_product as ntk_product,
    phi as phi,
    phi_code as phi_code,
    phi_enclosure as phi_enclosure,
    phi_expr as phi_expr,
    phi_interval_mpmath as phi_interval_mpmath,
    phi_monte_carlo as phi_monte_carlo,
    phi_product as phi_product,
    phi_quadrature as phi_quadrature,
    proved_sign as proved_sign,
)
from .lazy import (
    displacement_bound as displacement_bound,
    draw_initial_outputs as draw_initial_outputs,
    initial_covariance as initial_covariance,
    lazy_predict as lazy_predict,
    lazy_range as lazy_range,
    lazy_sign as lazy_sign,
    lazy_weights as lazy_weights,
    training_loss as training_loss,
    weighted_kappa as weighted_kappa,
)
from .predictors import (
    agreement_probability as agreement_probability,
    f_hat as f_hat,
    f_predict as f_predict,
    g_hat as g_hat,
    g_predict as g_predict,
    initial_deviation as initial_deviation,
    perturbation_direction as perturbation_direction,
)
from .setting import (
    Setting as Setting,
    flow_time as flow_time,
    learning_rate_for as learning_rate_for,
)
from .verdicts import (
    Verdict as Verdict,
)
