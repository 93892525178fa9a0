"""The network at initialisation: moments of its outputs and of its input gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from theory.deep.architecture import Architecture, check_architecture
from theory.deep.kernels import first_layer
from theory.deep.layers import Covariance, activated
from theory.validation import Array, as_points, data_by_keyword


@data_by_keyword
def initial_covariances(Z: ArrayLike, *, X: ArrayLike, architecture: Architecture) -> tuple[Array, Array]:
    """Return H and c, the covariances of the input gradients of wide untrained networks along z.

    H_nk(z) = E ⟨∇f(x_n; 0), z⟩⟨∇f(x_k; 0), z⟩ and c_n(z) = E f(z; 0) ⟨∇f(x_n; 0), z⟩.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        The points at which gradients are taken.
    architecture : Architecture
        Its rates do not matter.

    Returns
    -------
    H : array, shape (Q, N, N) or (N, N), float64
    c : array, shape (Q, N) or (N,), float64

    Raises
    ------
    ValueError, TypeError
        If shapes disagree or an entry is not finite.

    Notes
    -----
    Source: Derivation 17, (17.15) to (17.17).  Time is of order Q N² L.

    Examples
    --------
    >>> from theory.deep import Architecture, initial_covariances
    >>> H, c = initial_covariances([1.0, 1.0], X=[[1.0, 0.0], [0.0, 2.0]], architecture=Architecture(depth=2))
    >>> H.round(4), c.round(4)
    (array([[0.5   , 0.2945],
           [0.2945, 0.5   ]]), array([0.4335, 0.4605]))
    """
    check_architecture(architecture)
    X = as_points("X", X)
    one = np.ndim(Z) == 1
    Z = as_points("Z", np.asarray(Z)[None, :] if one else Z, dim=X.shape[1])
    both = [covariances_along(np.tile(z, (len(X), 1)), X=X, z=z, architecture=architecture) for z in Z]
    H, c = (np.stack(part) for part in zip(*both, strict=True))
    return (H[0], c[0]) if one else (H, c)


def covariances_along(
    directions: Array, *, X: Array, z: Array, architecture: Architecture
) -> tuple[Array, Array]:
    """Return E ⟨∇f(x_n; 0), d_n⟩⟨∇f(x_k; 0), d_k⟩ and E f(z; 0) ⟨∇f(x_n; 0), d_n⟩ of checked points.

    Carries the covariances of values and of derivatives, at all x_n and at z, through the layers.
    """
    dim, points, D = X.shape[1], np.vstack([X, z]), np.vstack([directions, 0 * z])
    weight, beta = architecture.resolved_weight_variance, architecture.branch_factor
    u, _ = first_layer(points, points, gradient=False)
    mixed = D @ points.T / dim  # Cov(Du at the row's point, u at the column's)
    changes = D @ D.T / dim  # Cov(Du, Du)
    h, mixed, changes = _activated(u, mixed, changes, architecture)
    for _ in range(architecture.depth - 1):
        u = h.scaled(weight).shifted(architecture.bias_variance)
        E, mixed_E, changes_E = _activated(u, weight * mixed, weight * changes, architecture)
        if architecture.residual is None:
            h, mixed, changes = E, mixed_E, changes_E
        else:
            h, mixed, changes = h.plus(E.scaled(beta)), mixed + beta * mixed_E, changes + beta * changes_E
    return changes[:-1, :-1], mixed[:-1, -1]


def _activated(
    u: Covariance, mixed: Array, changes: Array, architecture: Architecture
) -> tuple[Covariance, Array, Array]:
    """Return the covariances of φ(u) and φ'(u) Du from those of u and Du.

    With unit vectors û, û' of the pre-activations, b and c the directions of û + û' and û − û':
    E φ'φ'Du Du' = Φ ⟨e, e'⟩ + c₀ sin θ (⟨e, b⟩⟨e', b⟩ − ⟨e, c⟩⟨e', c⟩), and
    E φ'(u) Du φ(u') = Φ Cov(Du, u') + c₀ sin θ √(v'/v) Cov(Du, u).
    """
    h, phi, _ = activated(u, architecture)
    c0 = architecture.kink_factor
    sine, deviations = np.sin(u.theta), np.sqrt(u.v_x)  # of the columns; rows are the same points
    onto_other = mixed / deviations  # ⟨e, û'⟩
    onto_own = np.diagonal(onto_other)[:, None]  # ⟨e, û⟩
    size = np.sqrt(np.diagonal(changes))[:, None]  # ‖e‖

    def along(part: Array, length: Array) -> Array:
        """Return the component of e along a direction, ‖e‖ at most also where rounding is all there is."""
        found = np.divide(part, length, out=np.zeros_like(part), where=length > 0)
        return np.clip(found, -size, size)

    b = along(onto_own + onto_other, 2 * np.cos(u.theta / 2))
    c = along(onto_own - onto_other, 2 * np.sin(u.theta / 2))
    changes = phi * changes + c0 * sine * (b * b.T + c * c.T)  # c of the row is −c of the column
    return h, phi * mixed + c0 * sine * deviations * onto_own, changes
