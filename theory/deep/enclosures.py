"""Kernels of deep networks as proved enclosures, in ball arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from flint import arb, arb_mat

from theory.deep.architecture import Architecture, check_architecture
from theory.deep.kernels import Kind
from theory.kernel.balls import (
    GUARD_BITS,
    Point,
    ball_row,
    check_precision,
    direction,
    dot,
    exact_ball,
    length_of,
    phi_ball,
    phi_of_angle,
    working_precision,
)
from theory.kernel.enclosure import Enclosure

_BITS_A_LAYER = 8
_UNIT = (Fraction(1), Fraction(1))  # variances of the first layer


@dataclass(frozen=True)
class _Covariance:
    """As `layers.Covariance`, in balls: two variances, their difference, and the deficit 1 − ρ."""

    v_x: arb
    v_z: arb
    D: arb
    deficit: arb
    theta: arb


def nngp_enclosure(x: Point, z: Point, *, architecture: Architecture, precision: int = 128) -> Enclosure:
    """Return a ball that certainly contains K^L(x, z) = E f(x; 0) f(z; 0) of infinitely wide networks.

    Parameters
    ----------
    x, z : sequences of d numbers
        As in `theory.phi_enclosure`; with balls all their points are covered.
    architecture : Architecture
        Its floats stand for the binary fractions that they store; the default σ_w² is exactly 1/g₀.
    precision : int in [2, 2^20]
        Bits.

    Returns
    -------
    Enclosure

    Raises
    ------
    ValueError, TypeError
        As `theory.phi_enclosure`.

    Notes
    -----
    Source: Derivation 17.

    Examples
    --------
    >>> from theory.deep import Architecture, nngp_enclosure
    >>> nngp_enclosure([1, 0], [1, 0], architecture=Architecture(depth=5)).contains("0.75")
    True
    """
    return _enclosure(x, z, architecture, precision, "covariance")


def ntk_enclosure(x: Point, z: Point, *, architecture: Architecture, precision: int = 128) -> Enclosure:
    """Return a ball that certainly contains Θ(x, z) of infinitely wide networks.

    Parameters
    ----------
    x, z : sequences of d numbers
        As in `theory.phi_enclosure`; with balls all their points are covered.
    architecture : Architecture
        Its floats stand for the binary fractions that they store; the default σ_w² is exactly 1/g₀.
    precision : int in [2, 2^20]
        Bits.

    Returns
    -------
    Enclosure

    Raises
    ------
    ValueError, TypeError
        As `theory.phi_enclosure`.

    Notes
    -----
    Source: Derivation 17.

    Examples
    --------
    >>> from theory.deep import Architecture, ntk_enclosure
    >>> ntk_enclosure([1, 0], [1, 0], architecture=Architecture(depth=5)).contains(1)
    True
    """
    return _enclosure(x, z, architecture, precision, "tangent")


def _enclosure(x: Point, z: Point, architecture: Architecture, precision: int, kind: Kind) -> Enclosure:
    bits = check_precision("precision", precision)
    with working_precision(bits + GUARD_BITS + _BITS_A_LAYER * check_architecture(architecture).depth):
        x_row = ball_row("x", x)
        z_row = ball_row("z", z, like=("x", x_row))
        return Enclosure(_recursion(x_row, z_row, architecture, kind), bits)


def phi_balls(X: list[arb_mat], Z: list[arb_mat], architecture: Architecture) -> arb_mat:
    """Enclose Φ^(L) of all pairs of rows, at the precision of the moment; half of them where X is Z."""
    if architecture.depth == 1:
        slope = exact_ball(Fraction(architecture.negative_slope))
        to_x, to_z = ([direction(row, _UNIT) for row in rows] for rows in (X, Z))
        made = [
            [phi_ball(u, v, slope) for v in (to_z[: i + 1] if X is Z else to_z)] for i, u in enumerate(to_x)
        ]
    else:
        made = [
            [_recursion(x, z, architecture, "phi") for z in (Z[: i + 1] if X is Z else Z)]
            for i, x in enumerate(X)
        ]
    if X is Z:
        made = [[made[max(i, j)][min(i, j)] for j in range(len(X))] for i in range(len(X))]
    return arb_mat(made)


def _recursion(x: arb_mat, z: arb_mat, architecture: Architecture, kind: Kind) -> arb:
    """Run the recursion of `layers.kernels` on balls."""
    dim, gamma = x.ncols(), Fraction(architecture.negative_slope)
    g0, c0 = exact_ball((1 + gamma**2) / 2), exact_ball((1 - gamma) ** 2) / (2 * arb.pi())
    slope, weight = exact_ball(gamma), exact_ball(architecture.exact_weight_variance)
    bias = exact_ball(Fraction(architecture.bias_variance))
    alpha = exact_ball(Fraction(architecture.residual or 0)) ** 2  # α²
    beta = alpha * exact_ball(Fraction(architecture.branch_variance))
    # Φ^(L) is Θ where the first layer alone learns, without ⟨x, z⟩ + 1.
    known = replace(architecture, rates="first") if kind == "phi" else architecture
    rates = {name: exact_ball(rate) for name, rate in known.exact_rates(dim).items()}
    to_x, to_z = direction(x, _UNIT), direction(z, _UNIT)
    theta = 2 * arb.atan2(length_of(to_x - to_z), length_of(to_x + to_z))
    v_x, v_z, D = (dot(*pair) / dim for pair in ((x, x), (z, z), (x - z, x + z)))
    first = _Covariance(v_x + 1, v_z + 1, D, 2 * (theta / 2).sin() ** 2, theta)
    shared = _Covariance(bias, bias, arb(0), arb(0), arb(0))
    C, phi = _activated(first, g0, c0), phi_of_angle(first.theta, slope)
    total = phi if kind == "phi" else rates["first"] * (dot(x, z) + 1) * phi
    for _ in range(architecture.depth - 1):
        u = _scaled(C, weight)
        u = _sum(u, shared) if architecture.bias_variance else u
        E, phi = _activated(u, g0, c0), phi_of_angle(u.theta, slope)
        step = phi * (weight * total + rates["weights"] * _value(C) + rates["biases"])
        if architecture.residual is None:
            total, C = step, E
        else:
            total, C = total + beta * step + alpha * rates["branches"] * _value(E), _sum(C, _scaled(E, beta))
    return _value(C) if kind == "covariance" else total + rates["readout"] * _value(C)


def _value(C: _Covariance) -> arb:
    return (C.v_x * C.v_z).sqrt() * (1 - C.deficit)


def _sum(a: _Covariance, b: _Covariance) -> _Covariance:
    v_x, v_z = a.v_x + b.v_x, a.v_z + b.v_z
    size, of_a, of_b = ((p * q).sqrt() for p, q in ((v_x, v_z), (a.v_x, a.v_z), (b.v_x, b.v_z)))
    crossed = (a.D * b.v_z - a.v_z * b.D) / ((a.v_x * b.v_z).sqrt() + (a.v_z * b.v_x).sqrt())
    deficit = (of_a * a.deficit + of_b * b.deficit + crossed * crossed / (size + of_a + of_b)) / size
    return _Covariance(v_x, v_z, a.D + b.D, deficit, _angle(deficit))


def _scaled(C: _Covariance, factor: arb) -> _Covariance:
    return _Covariance(factor * C.v_x, factor * C.v_z, factor * C.D, C.deficit, C.theta)


def _activated(u: _Covariance, g0: arb, c0: arb) -> _Covariance:
    """Enclose the covariance after an activation.

    Δ = δ − (c₀/g₀)(sin θ − θ cos θ) increases with θ on [0, π]: its ends are taken, where nothing is lost.
    """

    def deficit_at(theta: arb) -> arb:
        return 2 * (theta / 2).sin() ** 2 - c0 / g0 * (theta.sin() - theta * theta.cos())

    lower, upper = u.theta.lower(), u.theta.upper()
    deficit = (deficit_at(lower) if lower > 0 else arb(0)).union(deficit_at(upper))
    if not upper < arb.pi():  # beyond π, where a rounding may lead, it would decrease
        deficit = deficit.union(deficit_at(arb.pi()))
    return _Covariance(g0 * u.v_x, g0 * u.v_z, g0 * u.D, deficit, _angle(deficit))


def _angle(deficit: arb) -> arb:
    """Enclose arccos(1 − δ); δ in [0, 2] is known."""
    return 2 * arb.atan2(_root(deficit), _root(2 - deficit))


def _root(square: arb) -> arb:
    """Enclose √ of a number that is known to be ≥ 0; NaN of NaN, of which no comparison is true."""
    if square.is_nan():
        return square
    lower, upper = square.lower(), square.upper()
    return (lower.sqrt() if lower > 0 else arb(0)).union(upper.sqrt() if upper > 0 else arb(0))
