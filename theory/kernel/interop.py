"""Φ as a kernel object of scikit-learn and of gpytorch.

Not imported by `theory` itself: `from theory.kernel.interop import PhiKernel` needs scikit-learn,
`gpytorch_kernel` needs gpytorch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from theory.kernel.arrays import phi
from theory.validation import as_points, check_slope


class PhiKernel(Kernel):  # type: ignore[misc]
    """Φ as a scikit-learn kernel: for GaussianProcessRegressor, SVC and `pairwise_kernels`.

    Parameters
    ----------
    negative_slope : float in [0, 1)
        γ.  A hyperparameter where it is positive (scikit-learn optimises logarithms); 0, ReLU, is kept.
    negative_slope_bounds : pair of float or "fixed"
        Range of the optimisation.
    weight_variance, bias_variance : float
        σ_w² and σ_b², kept.

    Raises
    ------
    ValueError
        When called, if a parameter is out of range or X is not of shape (n, d), n, d ≥ 1, and finite.
    TypeError
        When called, if X is not a dense array of real numbers.

    Notes
    -----
    Not stationary; diagonal (1 + γ²)/2.  ∂Φ/∂γ = 1 − (1 − γ)(π − θ)/π.  Source: Derivation 1.
    """

    def __init__(
        self,
        negative_slope: float = 0.0,
        negative_slope_bounds: tuple[float, float] | str = (1e-3, 0.999),
        weight_variance: float = 1.0,
        bias_variance: float = 1.0,
    ) -> None:
        self.negative_slope = negative_slope
        self.negative_slope_bounds = negative_slope_bounds
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance

    @property
    def hyperparameter_negative_slope(self) -> Hyperparameter:
        """γ, on a logarithmic scale; fixed at 0."""
        bounds = self.negative_slope_bounds if self.negative_slope > 0 else "fixed"
        return Hyperparameter("negative_slope", "numeric", bounds)

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:  # noqa: ANN401
        """Return Φ(X, Y), and with `eval_gradient` its derivative in log γ, shape (n, n, 1 or 0)."""
        if eval_gradient and Y is not None:
            msg = "eval_gradient needs Y to be None, as everywhere in scikit-learn"
            raise ValueError(msg)
        # float64, as scikit-learn's own kernels: it may fit on one precision and predict on another.
        K = phi(
            as_points("X", X),
            None if Y is None else as_points("Y", Y),
            negative_slope=self.negative_slope,
            weight_variance=self.weight_variance,
            bias_variance=self.bias_variance,
        )
        if not eval_gradient:
            return K
        if self.hyperparameter_negative_slope.fixed:
            return K, np.empty((*K.shape, 0))
        slope = self.negative_slope
        derivative = 1 - 2 * (K - slope) / (1 - slope)
        return K, (slope * derivative)[:, :, None]

    def diag(self, X: Any) -> Any:  # noqa: ANN401
        """Return the diagonal of Φ(X, X): (1 + γ²)/2, shape (n,)."""
        return np.full(
            len(as_points("X", X)), (1 + check_slope("negative_slope", self.negative_slope) ** 2) / 2
        )

    def is_stationary(self) -> bool:
        """Return False: Φ depends on more than x − z."""
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(negative_slope={self.negative_slope:.3g})"


def gpytorch_kernel(
    *, negative_slope: float = 0.0, weight_variance: float = 1.0, bias_variance: float = 1.0
) -> Any:  # noqa: ANN401
    """Return Φ as a gpytorch kernel: differentiable in its inputs, can be pickled, loops over batches.

    Parameters
    ----------
    negative_slope, weight_variance, bias_variance : float
        As in `theory.phi`; not trained.

    Returns
    -------
    gpytorch.kernels.Kernel

    Raises
    ------
    ImportError
        If gpytorch is not installed, saying what to install.
    ValueError
        If a parameter is out of range.
    """
    check_slope("negative_slope", negative_slope)
    return as_gpytorch_kernel(
        phi,
        {
            "negative_slope": negative_slope,
            "weight_variance": weight_variance,
            "bias_variance": bias_variance,
        },
    )


def as_gpytorch_kernel(function: Callable[..., Any], options: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return a kernel function of two sets of points as a gpytorch kernel."""
    try:
        import gpytorch  # noqa: PLC0415
    except ImportError as error:
        msg = "gpytorch_kernel needs gpytorch: pip install gpytorch"
        raise ImportError(msg) from error
    torch = sys.modules["torch"]  # gpytorch has imported it

    class TorchKernel(gpytorch.kernels.Kernel):  # type: ignore[misc]
        has_lengthscale = False

        def forward(self, x1: Any, x2: Any, diag: bool = False, **_: Any) -> Any:  # noqa: ANN401
            batch = torch.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
            left = x1.expand(*batch, *x1.shape[-2:]).reshape(-1, *x1.shape[-2:])
            right = x2.expand(*batch, *x2.shape[-2:]).reshape(-1, *x2.shape[-2:])
            if diag and left.shape == right.shape:
                pairs = zip(left.flatten(0, 1), right.flatten(0, 1), strict=True)
                return torch.stack([function(a, b, **options) for a, b in pairs]).reshape(*batch, -1)
            K = torch.stack(
                [function(a, None if x1 is x2 else b, **options) for a, b in zip(left, right, strict=True)]
            )
            return K.reshape(*batch, x1.shape[-2], x2.shape[-2])

        def __reduce__(self) -> tuple[Any, ...]:  # the class is no attribute of the module
            return partial(as_gpytorch_kernel, function, options), (), self.__getstate__()

    return TorchKernel()
