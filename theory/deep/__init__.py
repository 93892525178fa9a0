"""Deep fully connected networks: kernels, gradients and the initial network at every depth."""

from theory.deep.architecture import Architecture, Rates
from theory.deep.kernels import nngp, ntk, ntk_gradient, phi

__all__ = ["Architecture", "Rates", "nngp", "ntk", "ntk_gradient", "phi"]
