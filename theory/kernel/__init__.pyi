from .arrays import (
    phi as phi,
)
from .derivation import (
    Derivation as Derivation,
    Route as Route,
    Step as Step,
    derive_phi as derive_phi,
    derive_phi_properties as derive_phi_properties,
    phi_expr as phi_expr,
)
from .enclosure import (
    Enclosure as Enclosure,
    Enclosures as Enclosures,
    Sign as Sign,
    ntk_enclosure as ntk_enclosure,
    phi_enclosure as phi_enclosure,
    phi_interval_mpmath as phi_interval_mpmath,
)
from .estimates import (
    Estimate as Estimate,
    phi_monte_carlo as phi_monte_carlo,
    phi_quadrature as phi_quadrature,
)
from .predictor_enclosures import (
    f_hat_enclosure as f_hat_enclosure,
    f_predict_enclosure as f_predict_enclosure,
    g_hat_enclosure as g_hat_enclosure,
    g_predict_enclosure as g_predict_enclosure,
    proved_sign as proved_sign,
)
from .printing import (
    Language as Language,
    phi_code as phi_code,
)
from .products import (
    ntk as ntk,
    ntk_product as ntk_product,
    phi_product as phi_product,
)
