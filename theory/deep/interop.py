"""Deep kernels as objects of scikit-learn and of gpytorch.

Not imported by `theory` itself: `DeepKernel` needs scikit-learn, `gpytorch_kernel` needs gpytorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from theory.deep.architecture import Architecture
from theory.deep.kernels import Kind, diagonal, nngp, ntk, phi
from theory.kernel.interop import as_gpytorch_kernel
from theory.validation import as_points, check_choice

_KERNELS = {"covariance": nngp, "tangent": ntk, "phi": phi}


class DeepKernel(Kernel):  # type: ignore[misc]
    """K^L, Θ or Φ^(L) as a scikit-learn kernel: for GaussianProcessRegressor, SVC and `pairwise_kernels`.

    Parameters
    ----------
    architecture : Architecture
        Kept: it has no hyperparameters.
    kind : {"tangent", "covariance", "phi"}
        Θ of training, K^L of the initial network, or Φ^(L).

    Raises
    ------
    ValueError
        When called, if the kind is none of them or X is not of shape (n, d), n, d ≥ 1, and finite.

    Notes
    -----
    Source: Derivation 17.
    """

    def __init__(self, architecture: Architecture, kind: Kind = "tangent") -> None:
        self.architecture = architecture
        self.kind = kind

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:  # noqa: ANN401
        """Return the kernel of X and Y, and with `eval_gradient` an empty derivative, shape (n, n, 0)."""
        if eval_gradient and Y is not None:
            msg = "eval_gradient needs Y to be None, as everywhere in scikit-learn"
            raise ValueError(msg)
        check_choice("kind", self.kind, tuple(_KERNELS))
        points = as_points("X", X)
        others = None if Y is None else as_points("Y", Y)
        K = _KERNELS[self.kind](points, others, architecture=self.architecture)
        return (K, np.empty((*K.shape, 0))) if eval_gradient else K

    def diag(self, X: Any) -> Any:  # noqa: ANN401
        """Return the kernel of each row with itself, shape (n,)."""
        return getattr(diagonal(as_points("X", X), self.architecture), self.kind)[0]

    def is_stationary(self) -> bool:
        """Return False: the kernel depends on more than x − z."""
        return False


def gpytorch_kernel(architecture: Architecture, kind: Kind = "tangent") -> Any:  # noqa: ANN401
    """Return K^L, Θ or Φ^(L) as a gpytorch kernel: differentiable in its inputs, can be pickled.

    Parameters
    ----------
    architecture : Architecture
    kind : {"tangent", "covariance", "phi"}

    Returns
    -------
    gpytorch.kernels.Kernel

    Raises
    ------
    ImportError
        If gpytorch is not installed, saying what to install.
    ValueError
        If the kind is none of them.
    """
    check_choice("kind", kind, tuple(_KERNELS))
    return as_gpytorch_kernel(_KERNELS[kind], {"architecture": architecture})
