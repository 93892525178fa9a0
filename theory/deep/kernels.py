"""Kernels of deep wide networks: of the initial network, K^L, of training, Θ, and Φ^(L), the deep Φ."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Literal, get_args

import array_api_compat
import numpy as np

from theory import libraries
from theory.deep.architecture import Architecture, Rates, check_architecture
from theory.deep.layers import SERIES_TERMS, Covariance, Kernels, Slopes, is_one_direction, kernels
from theory.geometry import finite
from theory.kernel import gram, threads
from theory.kernel.arrays import phi as shallow_phi
from theory.kernel.products import MEMORY_BUDGET
from theory.kernel.rows import angles_of_units
from theory.validation import AnyArray, Array, check_integer, data_by_keyword

Kind = Literal["covariance", "tangent", "phi"]
_KINDS = get_args(Kind)
# Temporary arrays of the size of a block of pairs.
_COPIES, _COPIES_OF_SLOPES = 24, 40
_COPIES_OF_POINTS = 3  # and of its points
_THREAD = 1 << 22  # bytes below which a thread is not worth its share of the budget
_CACHED = 1 << 16  # pairs of a block on numpy, so that its temporary arrays stay in cache
_TALL = 512  # rows of a block that compiled passes take, for the product
_MANY = 1 / 8  # share of near pairs from which compiled passes are left
_NEAR = 0.05  # angle of the first layer below which a pair is computed from the difference of its points


def phi(X: AnyArray, Z: AnyArray = None, *, architecture: Architecture) -> AnyArray:
    """Return Φ^(L)(X, Z) = σ_w^{2(L−1)} Π_l Φ_l, which takes the place of Φ in networks of depth L.

    Where only the first layer learns, Θ = Φ^(L) ∘ (⟨x, z⟩ + 1), and every formula of two-layer networks that
    knows Φ only, f̂, ĝ and the direction u among them, holds with Φ^(L).  Depth 1 is `theory.phi`.

    Parameters
    ----------
    X : array, shape (N, d) or (d,)
        Points, of any library that `theory.phi` takes.
    Z : array, shape (Q, d) or (d,), optional
        Other points; `X` itself if absent.
    architecture : Architecture
        Depth, slope, variances; its rates do not matter.

    Returns
    -------
    array, shape (N, Q), (N,), (Q,) or a number, as `theory.phi`

    Raises
    ------
    ValueError, TypeError
        As `theory.phi`.

    Notes
    -----
    Source: Derivation 17.

    Examples
    --------
    >>> from theory.deep import Architecture, phi
    >>> phi([[1.0, 0.0], [0.0, 2.0]], architecture=Architecture(depth=2)).round(4)
    array([[0.5 , 0.23],
           [0.23, 0.5 ]])
    """
    return _matrix(X, Z, architecture, "phi")


def ntk(X: AnyArray, Z: AnyArray = None, *, architecture: Architecture) -> AnyArray:
    """Return the tangent kernel Θ(X, Z) of wide networks, at the rates of the architecture.

    (f(z; T) − f(z; 0))/T → (1/N) Σ_n y_n Θ(x_n, z) as the width grows, identity loss.

    Parameters
    ----------
    X : array, shape (N, d) or (d,)
        Points, of any library that `theory.phi` takes.
    Z : array, shape (Q, d) or (d,), optional
        Other points; `X` itself if absent.
    architecture : Architecture

    Returns
    -------
    array, shape (N, Q), (N,), (Q,) or a number, as `theory.phi`

    Raises
    ------
    ValueError, TypeError
        As `theory.phi`.

    Notes
    -----
    Source: Derivation 17, (17.7).  In the limit of infinite width W^l and a learn with rates of order 1/m;
    see `Rates`.  Error below 1e-14 √(Θ(x, x) Θ(z, z)) for L ≤ 50, and relative to Θ(x, z) for L ≤ 30 and
    points of like norm that are not opposite, those at 1e-10 of each other included.

    Examples
    --------
    >>> from theory.deep import Architecture, ntk
    >>> ntk([[1.0, 0.0], [0.0, 2.0]], architecture=Architecture(depth=2, rates="all")).round(4)
    array([[4.5   , 2.8803],
           [2.8803, 9.    ]])
    """
    return _matrix(X, Z, architecture, "tangent")


def nngp(X: AnyArray, Z: AnyArray = None, *, architecture: Architecture) -> AnyArray:
    """Return K^L(X, Z) = E f(x; 0) f(z; 0), the covariance of wide networks at initialisation.

    Parameters
    ----------
    X : array, shape (N, d) or (d,)
        Points, of any library that `theory.phi` takes.
    Z : array, shape (Q, d) or (d,), optional
        Other points; `X` itself if absent.
    architecture : Architecture
        Its rates do not matter.

    Returns
    -------
    array, shape (N, Q), (N,), (Q,) or a number, as `theory.phi`

    Raises
    ------
    ValueError, TypeError
        As `theory.phi`.

    Notes
    -----
    Source: Derivation 17.

    Examples
    --------
    >>> from theory.deep import Architecture, nngp
    >>> nngp([[1.0, 0.0], [0.0, 2.0]], architecture=Architecture(depth=2)).round(4)
    array([[0.75  , 0.7113],
           [0.7113, 1.5   ]])
    """
    return _matrix(X, Z, architecture, "covariance")


@data_by_keyword
def ntk_gradient(Z: AnyArray, *, X: AnyArray, architecture: Architecture) -> tuple[AnyArray, AnyArray]:
    """Return A and B of ∇_z Θ(x_n, z) = A_n x_n + B_n z: perturbations are weighted sums of samples.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        Training points.
    architecture : Architecture

    Returns
    -------
    A, B : arrays, shape (Q, N) or (N,)

    Raises
    ------
    ValueError, TypeError
        As `theory.phi`.

    Notes
    -----
    Source: Derivation 17, (17.10).  A_n(z) ≥ 0 wherever k(x_n, z) = ⟨x_n, z⟩ + 1 ≥ 0, at every depth and all
    rates. At a training point the derivative of that point's own Φ is 0 by symmetry.

    Examples
    --------
    >>> from theory.deep import Architecture, ntk_gradient
    >>> A, B = ntk_gradient([1.0, 1.0], X=[[1.0, 0.0], [0.0, 2.0]], architecture=Architecture(depth=2))
    >>> A.round(4), B.round(4)
    (array([0.641, 0.583]), array([-0.2173, -0.2543]))
    """
    check_architecture(architecture)
    Zs, Xs, result = libraries.query(Z=Z, X=X)

    def part(_: slice, k: Kernels) -> AnyArray:
        assert k.tangent_slopes is not None
        along, point = k.tangent_slopes
        return array_api_compat.array_namespace(along).stack([along, point - along], axis=1)

    both = over_blocks(part, Zs, Xs, architecture, gradient=True)
    return result(finite(both[:, 0, :])), result(finite(both[:, 1, :]))


def product(
    Z: AnyArray,
    X: AnyArray,
    v: AnyArray,
    architecture: Architecture,
    kind: Kind,
    added: float | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> AnyArray:
    """Return K v of checked points, K a kernel of that kind, times ⟨x, z⟩ + added where that is given."""

    def of(columns: slice) -> AnyArray:
        def part(rows: slice, k: Kernels) -> AnyArray:
            K = getattr(k, kind)
            return (K if added is None else K * (Z[rows, :] @ X[columns, :].T + added)) @ v[columns, ...]

        return over_blocks(part, Z, X[columns, :], architecture, memory_budget, kind=kind)

    return _over_columns(of, X, architecture, _COPIES, memory_budget)


def weighted_gradient(
    Z: AnyArray,
    X: AnyArray,
    weights: AnyArray,
    architecture: Architecture,
    memory_budget: int = MEMORY_BUDGET,
) -> AnyArray:
    """Return Σ_n weights[n] ∇_z Θ(x_n, z_q) of checked points, shape (Q, d)."""

    def of(columns: slice) -> AnyArray:
        def part(rows: slice, k: Kernels) -> AnyArray:
            assert k.tangent_slopes is not None
            along, point = k.tangent_slopes
            w = weights[columns]
            return (along * w) @ X[columns, :] + ((point - along) @ w)[:, None] * Z[rows, :]

        return over_blocks(part, Z, X[columns, :], architecture, memory_budget, gradient=True)

    return _over_columns(of, X, architecture, _COPIES_OF_SLOPES, memory_budget)


def _over_columns(
    of: Callable[[slice], AnyArray], X: AnyArray, architecture: Architecture, copies: int, memory_budget: int
) -> AnyArray:
    """Return the sum of what samples contribute, as many at a time as leave room for 16 rows of pairs."""
    check_integer("memory_budget", memory_budget, minimum=1 << 20)
    of_layers = 2 * (10 if architecture.branch_factor else 5) * architecture.depth  # of `_of_points`, twice
    each = 16 * copies + _COPIES_OF_POINTS * (X.shape[1] + 1) + of_layers
    most = max(16, _room(memory_budget) // 2 // each)
    first, *others = (slice(start, start + most) for start in range(0, len(X), most))
    total = of(first)
    for columns in others:
        total = total + of(columns)
    return total


def _threads(memory_budget: int) -> int:
    return max(1, min(threads.count(), memory_budget // _THREAD))


def _room(memory_budget: int) -> int:
    """Return how many numbers a thread may hold."""
    return memory_budget // (8 * _threads(memory_budget))


def over_blocks(
    work: Callable[[slice, Kernels], AnyArray],
    Z: AnyArray,
    X: AnyArray,
    architecture: Architecture,
    memory_budget: int = MEMORY_BUDGET,
    *,
    gradient: bool = False,
    half: bool = False,
    kind: Kind | None = None,
    into: Array | None = None,
) -> AnyArray:
    """Return `work` of blocks of rows of Z and the kernels there, joined; on numpy in threads.

    With `half`, for Z = X, a block has the columns from its first row on.  With `kind`, kernels of other
    kinds may be missing, and those of that kind may be put into the whole matrix `into` already.
    """
    check_integer("memory_budget", memory_budget, minimum=1 << 20)
    on_numpy = isinstance(Z, np.ndarray)
    copies = _COPIES_OF_SLOPES if gradient else _COPIES
    linear = _COPIES_OF_POINTS * (X.shape[1] + 1)
    step = max(1, (_room(memory_budget) - linear * len(X)) // (copies * len(X) + linear))
    rates = architecture.rates_for(X.shape[1])
    fast = None
    if on_numpy:
        step = min(step, max(1, _CACHED // len(X)))
        compiled = gram.passes(len(Z) * len(X))
        if compiled is not None and kind is not None:
            fast = _Compiled(compiled, Z, X, architecture, rates, kind)

    def part(start: int, stop: int) -> AnyArray:
        rows, columns = slice(start, stop), slice(start if half else 0, None)
        first, inner = first_layer(Z[rows, :], X[columns, :], gradient=gradient)
        return work(rows, kernels(first, inner, architecture, rates))

    def block(start: int) -> AnyArray:
        rows = slice(start, min(start + height, len(Z)))
        with np.errstate(all="ignore"):
            made = None if fast is None else fast.block(rows, start if half else 0, into)
            if made is not None:
                return work(rows, made)
            return joined([part(top, min(top + step, rows.stop)) for top in range(start, rows.stop, step)])

    def joined(parts: list[AnyArray]) -> AnyArray:
        return parts[0] if len(parts) == 1 else array_api_compat.array_namespace(Z).concat(parts, axis=0)

    height, most = step, _threads(memory_budget)
    if fast is not None:
        height = max(step, fast.height(_room(memory_budget), half=half))
        height = math.ceil(len(Z) / (most * math.ceil(len(Z) / (most * height))))  # as much for every thread
    starts = range(0, len(Z), height)
    return joined(threads.run(block, starts, most=most) if on_numpy else [block(start) for start in starts])


def first_layer(Z: AnyArray, X: AnyArray, *, gradient: bool) -> tuple[Covariance, AnyArray]:
    """Return the covariance of first pre-activations between checked points, and ⟨x, z⟩."""
    xp, dim = array_api_compat.array_namespace(Z), X.shape[1]
    s_z, s_x = libraries.scales(Z)[:, None], libraries.scales(X)[None, :]
    if isinstance(Z, np.ndarray):
        theta = angles_of_units(gram.unit_rows(Z), gram.unit_rows(X))
    else:
        half = shallow_phi(Z, X)  # (π − θ)/(2π), with derivatives
        theta = xp.where(half < 0.5, math.pi - 2 * math.pi * half, 0 * half)
    D = (s_x - s_z) * (s_x + s_z)
    if isinstance(Z, np.ndarray):
        i, j = np.nonzero(theta < _NEAR)
        theta[i, j], D[i, j] = _close(Z, X, i, j, s_z[:, 0], s_x[0])
    deficit = 2 * xp.sin(theta / 2) ** 2
    slopes = None
    if gradient:
        shorter = -D / (s_x * s_z * (s_x + s_z))  # 1/s_x − 1/s_z
        slopes = Slopes(-1 / (dim * s_z * s_x) + 0 * D, -(shorter + deficit / s_z) / (dim * s_z))
    change = 2 / dim if gradient else None
    same = is_one_direction(theta)
    return Covariance(s_z**2, s_x**2, D, deficit, theta, change, slopes, same), Z @ X.T


def diagonal(X: AnyArray, architecture: Architecture) -> Kernels:
    """Return the kernels of checked points with themselves, each of shape (1, N)."""
    with np.errstate(all="ignore"):
        v = libraries.scales(X)[None, :] ** 2
        zero = 0 * v
        first = Covariance(v, v, zero, zero, zero, same=v > 0)
        return kernels(first, (v - 1) * X.shape[1], architecture, architecture.rates_for(X.shape[1]))


def _close(
    Z: Array, X: Array, i: gram.Indices, j: gram.Indices, s_z: Array, s_x: Array
) -> tuple[Array, Array]:
    """Return θ and D of near pairs from the difference of the points, to relative accuracy.

    With e = (x − z, 0)/√d and b = (z/√d, 1): s_x sin θ = ‖e − ⟨e, b⟩ b/s_z²‖.
    """
    theta, D, root = np.empty(len(i)), np.empty(len(i)), np.sqrt(X.shape[1])
    step = max(1, _CACHED // X.shape[1])
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        x, z = X[j[part]], Z[i[part]]
        e, b = (x - z) / root, z / root
        share = np.einsum("nd,nd->n", e, b) / s_z[i[part]] ** 2
        across = np.hypot(np.linalg.norm(e - share[:, None] * b, axis=1), share)
        theta[part] = np.arcsin(np.minimum(across / s_x[j[part]], 1))
        D[part] = np.einsum("nd,nd->n", e, (x + z) / root)
    return theta, D


class _Compiled:
    """The recursion by compiled passes for far pairs, and by `kernels` for near ones."""

    def __init__(
        self, compiled: ModuleType, Z: Array, X: Array, architecture: Architecture, rates: Rates, kind: Kind
    ) -> None:
        self.compiled, self.Z, self.X, self.architecture, self.rates = compiled, Z, X, architecture, rates
        self.kind = kind
        self.V = gram.unit_rows(X, compiled=compiled)
        with np.errstate(over="ignore", invalid="ignore"):
            self.of_x = self._of_points(libraries.scales(X))
        residual = 0.0 if architecture.residual is None else architecture.residual**2
        self.numbers = tuple(
            map(
                float,
                (
                    architecture.negative_slope,
                    architecture.half_square,
                    architecture.kink_factor,
                    architecture.resolved_weight_variance,
                    architecture.branch_factor,
                    residual * rates.branches,
                    rates.first,
                    rates.weights,
                    rates.biases,
                    rates.readout,
                ),
            )
        )

    def _of_points(self, s: Array) -> Array:
        """Return what `fused.deep` needs of points of lengths s, each a row."""
        g0, beta = self.architecture.half_square, self.architecture.branch_factor
        weight, bias = self.architecture.resolved_weight_variance, self.architecture.bias_variance
        rows, C = [s], g0 * s**2
        for _ in range(self.architecture.depth - 1):
            rows += [np.sqrt(C), *_shares(weight * C, bias)]
            E = g0 * (weight * C + bias)
            if beta:
                rows += [np.sqrt(E), *_shares(C, beta * E)]
            C = C + beta * E if beta else E
        return np.array([*rows, np.sqrt(C)])

    def height(self, room: int, *, half: bool) -> int:
        """Return rows of a block for which so many numbers are enough, near pairs and unit rows included."""
        N, d = self.X.shape
        pairs = N * (1 + math.ceil(_MANY * _COPIES))
        points = _COPIES_OF_POINTS * (d + 1) + 2 * len(self.of_x)
        most = (room - N * (d + 1 + 2 * len(self.of_x))) // (pairs + points)
        return int(min(most, max(_TALL // 2 if half else _TALL, _CACHED // N)))

    def block(self, rows: slice, left: int, into: Array | None) -> Kernels | None:
        """Return the kernels of a block of pairs, from a column on; None where many of them are near."""
        Z, X, V, of_x = self.Z[rows], self.X, self.V, self.of_x
        U = gram.unit_rows(Z, compiled=self.compiled)
        # Whole rows: numbers that a pass cannot know to be beside each other are taken one by one.
        K = np.empty((len(Z), len(X))) if into is None else into[rows]
        np.matmul(U[:, :-1], V[left:, :-1].T, out=K[:, left:])
        of_z = self._of_points(libraries.scales(Z))
        ends = U[:, -1].copy(), V[:, -1].copy(), of_z, of_x
        series = tuple(reversed(SERIES_TERMS))
        kind, limit, dim = _KINDS.index(self.kind), 1 - gram.NEAR, X.shape[1]
        i, j, opposite, inner = self.compiled.deep(K, left, *ends, self.numbers, kind, limit, dim, series)
        if len(i) > _MANY * K[:, left:].size:
            return None
        if len(i):
            s_z, s_x = of_z[0], of_x[0]
            theta = gram.near_angles(U, V, i, j, opposite, self.compiled)
            D = (s_x[j] - s_z[i]) * (s_x[j] + s_z[i])
            close = theta < _NEAR
            theta[close], D[close] = _close(Z, X, i[close], j[close], s_z, s_x)
            first = Covariance(s_z[i] ** 2, s_x[j] ** 2, D, 2 * np.sin(theta / 2) ** 2, theta)
            K[i, j] = getattr(kernels(first, inner, self.architecture, self.rates), self.kind)
        made = dict.fromkeys(_KINDS) | {self.kind: K[:, left:]}
        return Kernels(**made, covariance_slopes=None, tangent_slopes=None)


def _shares(a: Array, b: Array | float) -> list[Array]:
    """Return the roots (cos α, sin α) of the shares of two variances in their sum, and sin α/2, cos α/2."""
    if np.ndim(b) == 0 and b == 0:  # whatever a is, 0 and ∞ included
        return [np.ones_like(a), np.zeros_like(a), np.zeros_like(a), np.ones_like(a)]
    half = np.arctan2(np.sqrt(b), np.sqrt(a)) / 2
    return [np.sqrt(a / (a + b)), np.sqrt(b / (a + b)), np.sin(half), np.cos(half)]


def _matrix(X: AnyArray, Z: AnyArray, architecture: Architecture, kind: Kind) -> AnyArray:
    """Return a kernel matrix with the shape, library and dtype of `theory.phi`."""
    if check_architecture(architecture).depth == 1 and kind == "phi":
        return shallow_phi(X, Z, negative_slope=architecture.negative_slope)
    X, Z = libraries.same_library(X=X, Z=Z)
    vectors = [points is not None and points.ndim == 1 for points in (X, Z)]
    rows = X[None, ...] if vectors[0] else X
    columns = rows if Z is None else (Z[None, ...] if vectors[1] else Z)
    rows, columns, result = libraries.query(X=rows, Z=columns)
    if isinstance(rows, np.ndarray):
        K = result(_filled(rows, columns, architecture, kind, half=Z is None))
    else:
        K = result(finite(over_blocks(lambda _, k: getattr(k, kind), rows, columns, architecture)))
    return libraries.of_points(K, (vectors[0], vectors[1] or (Z is None and vectors[0])))


def _filled(Z: Array, X: Array, architecture: Architecture, kind: Kind, *, half: bool) -> Array:
    """Return a kernel matrix; with `half`, of points with themselves, from one triangle of blocks."""
    K = np.empty((len(Z), len(X)))

    def fill(rows: slice, k: Kernels) -> Array:
        part, place = getattr(k, kind), K[rows, rows.start if half else 0 :]
        if not np.isfinite(part.sum()):
            part = finite(part)
        if not np.may_share_memory(part, place):
            place[:] = part
        if half:
            height = len(part)
            K[rows, rows] = np.triu(part[:, :height]) + np.triu(part[:, :height], 1).T
            K[rows.stop :, rows] = part[:, height:].T
        return K[:0]

    over_blocks(fill, Z, X, architecture, half=half, kind=kind, into=K)
    return K
