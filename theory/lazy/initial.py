"""Outputs of untrained networks in the wide limit: their covariance, and draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from theory.deep.architecture import Architecture, one_of
from theory.deep.kernels import nngp
from theory.kernel.rows import angles, phi_of_angle
from theory.libraries import scales
from theory.validation import Array, as_points, check_integer, check_slope, data_by_keyword


@data_by_keyword
def initial_covariance(
    X: ArrayLike,
    Z: ArrayLike | None = None,
    *,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
) -> Array:
    """Return E f(x; 0) f(z; 0), the covariance of the outputs of an untrained network, at any width.

    E φ(u(x)) φ(u(z)) = s(x) s(z) [cos θ Φ(x, z) + (1 − γ)²/(2π) sin θ], θ the angle between (x/√d, 1) and
    (z/√d, 1).  Of deep networks K^L (`theory.deep.nngp`), in the limit of infinite width for x ≠ z.

    Parameters
    ----------
    X : array, shape (N, d)
    Z : array, shape (Q, d), optional
        `X` itself if absent.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.

    Returns
    -------
    array, shape (N, Q), float64
        On the diagonal (X with itself) the square of `theory.initial_deviation`.

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite, or the slope is out of range.
    FloatingPointError
        If the covariance overflows.

    Notes
    -----
    Source: Derivation 11, (11.3); for γ = 0 it is half the arc-cosine kernel of order 1 (Cho and Saul, 2009).

    Examples
    --------
    >>> from theory import initial_covariance
    >>> initial_covariance([[1.0, 0.0], [0.0, 2.0]]).round(4)
    array([[0.75  , 0.6259],
           [0.6259, 1.5   ]])
    """
    slope = check_slope("negative_slope", negative_slope)
    X = as_points("X", X)
    other = None if Z is None else as_points("Z", Z, dim=X.shape[1])
    s = scales(X)
    deep = one_of(slope, architecture)
    if deep:
        covariance = nngp(X, other, architecture=deep)
    else:
        theta = angles(X, other)
        bracket = np.cos(theta) * phi_of_angle(theta, slope) + (1 - slope) ** 2 / (2 * np.pi) * np.sin(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            covariance = s[:, None] * (s if other is None else scales(other)) * bracket
    if not np.isfinite(covariance).all():
        msg = f"the covariance overflows: s(x) up to {s.max():.1e}"
        raise FloatingPointError(msg)
    return np.asarray(covariance)


@data_by_keyword
def draw_initial_outputs(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    num_samples: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Draw outputs of infinitely wide untrained networks at training and query points, jointly.

    Averages of `lazy_predict` over these are averages over untrained networks, in the wide limit.

    Parameters
    ----------
    Z : array, shape (Q, d)
    X : array, shape (N, d)
    negative_slope, architecture
        As in `initial_covariance`.
    num_samples : int
        S ≥ 1.
    rng : numpy.random.Generator

    Returns
    -------
    initial_outputs, initial_at_Z : arrays, shapes (S, N) and (S, Q), float64

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.
    FloatingPointError
        As `initial_covariance`.

    Notes
    -----
    Source: Derivation 11.  Gaussian with the covariance of `initial_covariance`, through its eigenvectors:
    points may coincide.

    Examples
    --------
    >>> import numpy as np
    >>> from theory import draw_initial_outputs
    >>> rng = np.random.default_rng(0)
    >>> at_X, at_Z = draw_initial_outputs([[0.0, 2.0]], X=[[1.0, 0.0]], num_samples=3, rng=rng)
    >>> at_X.shape, at_Z.shape
    ((3, 1), (3, 1))
    """
    X = as_points("X", X)
    Z = as_points("Z", Z, dim=X.shape[1])
    check_integer("num_samples", num_samples, minimum=1)
    covariance = initial_covariance(
        np.concatenate([X, Z]), negative_slope=negative_slope, architecture=architecture
    )
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = rng.standard_normal((num_samples, len(root))) @ root.T
    return draws[:, : len(X)], draws[:, len(X) :]
