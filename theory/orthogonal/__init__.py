"""The prior work: mutually orthogonal samples, infinite time, any width.

Bias-free leaky-ReLU networks with frozen readouts ±1/√m, exponential or logistic loss.  Conditions under
which the network that training ends in is known in closed form, that network, perturbations made from it,
and where learning from them keeps the sign.  Derivation 15.
"""

from theory.orthogonal.boundary import limit_direction, limit_network, limit_output, network_output
from theory.orthogonal.condition import Orthogonality, orthogonality
from theory.orthogonal.hypotheses import Hypothesis, hypotheses
from theory.orthogonal.kinks import gradient_cosine, kink_cosine
from theory.orthogonal.multipliers import Multipliers, multipliers
from theory.orthogonal.noise import MultiplierRange, label_noise_bound, multiplier_range, sign_condition
from theory.orthogonal.perturbations import Norm, limit_perturbations
from theory.orthogonal.perturbed import Distribution, noise_orthogonality, perturbed_orthogonality
from theory.orthogonal.transfer import Transfer, transfer

__all__ = [
    "Distribution",
    "Hypothesis",
    "MultiplierRange",
    "Multipliers",
    "Norm",
    "Orthogonality",
    "Transfer",
    "gradient_cosine",
    "hypotheses",
    "kink_cosine",
    "label_noise_bound",
    "limit_direction",
    "limit_network",
    "limit_output",
    "limit_perturbations",
    "multiplier_range",
    "multipliers",
    "network_output",
    "noise_orthogonality",
    "orthogonality",
    "perturbed_orthogonality",
    "sign_condition",
    "transfer",
]


def __dir__() -> list[str]:
    return __all__
