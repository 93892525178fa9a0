"""Training with other losses in the wide limit: weights of the samples, outputs, and bounds on what moves.

Losses (1/N) Σ_n ℓ(−y_n f(x_n)) with

    identity ℓ(s) = s,  logistic ℓ(s) = log(1 + e^s),  exponential ℓ(s) = e^s,  squared ℓ(s) = (1 + s)²/2,

the last one being (f(x_n) − y_n)²/2.  As m → ∞ with the flow time T fixed, training is linear in the kernel
Θ(x, z) = Φ(x, z)(⟨x, z⟩ + 1): each sample acts with one number β_n, and
f(z; T) = f(z; 0) + (1/N) Σ_n β_n y_n Θ(x_n, z).  Derivation 11.
"""

from theory.lazy.displacement import displacement_bound, training_loss, weighted_kappa
from theory.lazy.initial import draw_initial_outputs, initial_covariance
from theory.lazy.losses import LAZY_LOSSES, LazyLoss
from theory.lazy.weights import lazy_predict, lazy_range, lazy_sign, lazy_weights

__all__ = [
    "LAZY_LOSSES",
    "LazyLoss",
    "displacement_bound",
    "draw_initial_outputs",
    "initial_covariance",
    "lazy_predict",
    "lazy_range",
    "lazy_sign",
    "lazy_weights",
    "training_loss",
    "weighted_kappa",
]
