"""The losses ℓ(s), s = −y f(x), with their first two derivatives."""

from collections.abc import Callable

import numpy as np
from scipy import special

from theory.setting import LOSSES, Loss
from theory.validation import Array

LazyLoss = Loss
LAZY_LOSSES = LOSSES

VALUE: dict[str, Callable[[Array], Array]] = {
    "identity": lambda s: s,
    "logistic": lambda s: np.logaddexp(0, s),
    "squared": lambda s: (1 + s) ** 2 / 2,
    "exponential": np.exp,
}
SLOPE: dict[str, Callable[[Array], Array]] = {
    "identity": np.ones_like,
    "logistic": special.expit,
    "squared": lambda s: 1 + s,
    "exponential": np.exp,
}
# ℓ'' of the two losses that are integrated numerically.
CURVATURE: dict[str, Callable[[Array], Array]] = {
    "logistic": lambda s: special.expit(s) * special.expit(-s),
    "exponential": np.exp,
}
