"""Deep fully connected networks: kernels, gradients and the initial network at every depth."""

from theory.deep.architecture import Architecture, Rates
from theory.deep.enclosures import nngp_enclosure, ntk_enclosure
from theory.deep.initial import initial_covariances
from theory.deep.kernels import nngp, ntk, ntk_gradient, phi

__all__ = [
    "Architecture",
    "Rates",
    "initial_covariances",
    "nngp",
    "nngp_enclosure",
    "ntk",
    "ntk_enclosure",
    "ntk_gradient",
    "phi",
]


def __dir__() -> list[str]:
    return __all__
