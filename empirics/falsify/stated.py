"""The inequalities that are put to the test: the published form, and those derived here.

Each is a function of its constants, so that a wrong constant is one argument away.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from empirics.falsify.inequality import Inequality, as_is
from empirics.falsify.instance import FLOW_STEPS, Instance, train_ensemble
from theory import free_fraction, kappa, margin_bound, preactivation_scale, published_width
from theory.validation import Array, check_probability, check_real


def published_form(*, constant: float = 1.0, margin: float = 1.0) -> Inequality:
    """Return the published width with an O(1) margin: |E[f(z; T) − f(z; 0)]/T − f_b(z)| ≤ c at m > C d² T².

    The published width is m > Õ(d² (T_f + T_g)²), here with C for what Õ hides and T_g = 0, its smallest
    value (T_g = T_f is 4 C); the margin is what condition (a) leaves for the error of f/T once f(z; 0) is
    taken off.  T ≥ 1, ‖x_n‖, ‖z‖ ≤ √d, and at least 32 steps of descent in place of the flow.  About the mean
    over initialisations, which the fluctuations of narrow networks do not enter.

    Fails for every C and c at large d.  With one sample, z = x, ReLU and y = 1 a neuron stays where it is
    once its pre-activation is at most 0, and its φ is 0 there whatever the steps.  So the mean is exactly
    −(k/(2π)) arctan τ, τ = k T/(s √m), k = ‖x‖² + 1.  At ‖x‖ = √d and m = d² T² this is −0.107 d at d = 20
    and tends to −0.098 d, whatever T.

    Parameters
    ----------
    constant : float
        C > 0.
    margin : float
        c > 0.

    Returns
    -------
    Inequality

    Raises
    ------
    ValueError
        If a constant is not positive.

    Notes
    -----
    Source: `theory.published_width`; Derivation 7.  f_b and the order of its error: Derivation 3.
    """
    constant = check_real("constant", constant, minimum=0, exclusive=True)
    margin = check_real("margin", margin, minimum=0, exclusive=True)

    def error(instance: Instance, rng: np.random.Generator, n: int) -> tuple[ArrayLike, ArrayLike]:
        before, after = train_ensemble(instance, rng, n).outputs
        return (after - before) / instance.T - instance.f_b, margin

    def repair(instance: Instance) -> Instance:
        radius = math.sqrt(instance.dim)
        inside = replace(
            instance,
            X=_clip(instance.X, radius),
            z=_clip(instance.Z, radius)[0],
            T=max(1.0, instance.T),
            num_steps=max(FLOW_STEPS, instance.num_steps),
            momentum=0.0,
        )
        return replace(inside, width=math.floor(published_width(inside.setting, constant=constant)) + 1)

    return Inequality(
        name="published form",
        statement=(
            f"|E[f(z; T) − f(z; 0)]/T − f_b(z)| ≤ {margin:g} if m > {constant:g} d² T², T ≥ 1, "
            "all norms at most √d"
        ),
        measure=error,
        repair=repair,
        recipe=f"published_form(constant={constant!r}, margin={margin!r})",
    )


def free_share_law(*, factor: float = 1.0) -> Inequality:
    """Return the free-share law: E[share of neurons free at z] ≤ C (2/π) arctan τ, an equality for C = 1.

    Free at z: |u_i(z; 0)| ≤ |a_i| T κ(z); τ = T κ(z)/(s(z) √m).

    Parameters
    ----------
    factor : float
        C > 0; below 1 the inequality is false.

    Returns
    -------
    Inequality

    Raises
    ------
    ValueError
        If the factor is not positive.

    Notes
    -----
    Source: `theory.free_fraction`; Derivation 5.
    """
    factor = check_real("factor", factor, minimum=0, exclusive=True)

    def share(instance: Instance, rng: np.random.Generator, n: int) -> tuple[ArrayLike, ArrayLike]:
        speed = kappa(instance.Z, X=instance.X)
        # Training moves nothing that the law is about.
        before = train_ensemble(replace(instance, num_steps=1), rng, n)
        free = np.abs(before.start) <= np.abs(before.readout) * instance.T * speed
        s = preactivation_scale(instance.Z)
        law = free_fraction(T=instance.T, kappa=speed, s=s, width=instance.width)
        return free.mean(axis=1), factor * law[0]

    return Inequality(
        name="free-share law",
        statement=f"E[share of neurons with |u_i(z; 0)| ≤ |a_i| T κ(z)] ≤ {factor:g} (2/π) arctan τ",
        measure=share,
        # Counts of rare events are far from normal.
        support=(0.0, 1.0),
        recipe=f"free_share_law(factor={factor!r})",
    )


def displacement_bound(*, factor: float = 1.0) -> Inequality:
    """Return the displacement bound: always |u_i(z; T) − u_i(z; 0)| ≤ C |a_i| T κ(z), for every neuron.

    Measured is the largest quotient of both sides over the neurons of a network, rounding allowed for.  Holds
    for C = 1, any steps and momentum.

    Parameters
    ----------
    factor : float
        C > 0; below 1 the inequality is false.

    Returns
    -------
    Inequality

    Raises
    ------
    ValueError
        If the factor is not positive.

    Notes
    -----
    Source: Derivation 5 (identity loss, L = 1).
    """
    factor = check_real("factor", factor, minimum=0, exclusive=True)

    def quotient(instance: Instance, rng: np.random.Generator, n: int) -> tuple[ArrayLike, ArrayLike]:
        networks = train_ensemble(instance, rng, n)
        # Sums over N samples, which stretch how far a neuron can move by so many roundings.
        stretch = 1 + (instance.N + instance.dim + 8) * np.finfo(np.float64).eps
        reach = stretch * np.abs(networks.readout) * instance.T * kappa(instance.Z, X=instance.X)
        moved = np.abs(networks.end - networks.start)
        return np.max(moved / (factor * reach + networks.rounding), axis=1), 1.0

    return Inequality(
        name="displacement bound",
        statement=f"|u_i(z; T) − u_i(z; 0)| ≤ {factor:g} |a_i| T κ(z) for every neuron",
        measure=quotient,
        delta=0.0,
        recipe=f"displacement_bound(factor={factor!r})",
    )


def velocity_bound(
    bound: Callable[[Instance], float],
    *,
    delta: float,
    name: str,
    statement: str,
    recipe: str | None = None,
    repair: Callable[[Instance], Instance] = as_is,
) -> Inequality:
    """Return the inequality |f(z; T)/T − f_b(z)| ≤ bound with probability at least 1 − δ.

    For any bound on the error of the predicted velocity, the initial network included.

    Parameters
    ----------
    bound : callable
        Instance to the bound.
    delta : float in [0, 1)
    name, statement, recipe, repair
        As in `Inequality`.

    Returns
    -------
    Inequality

    Notes
    -----
    Source: f_b, Derivation 3.
    """

    def error(instance: Instance, rng: np.random.Generator, n: int) -> tuple[ArrayLike, ArrayLike]:
        _, after = train_ensemble(instance, rng, n).outputs
        return after / instance.T - instance.f_b, bound(instance)

    return Inequality(
        name=name, statement=statement, measure=error, delta=delta, recipe=recipe, repair=repair
    )


def margin_theorem(*, factor: float = 1.0, delta: float = 0.1) -> Inequality:
    """Return the margin theorem: P(|f(z; T)/T − f_b(z)| > C (start + flips)) ≤ δ, for descent of any steps.

    Holds for C = 1, the initial network included.  A candidate is measured on a few hundred networks: with
    a δ far below one in hundred nothing could be seen to break it.

    Parameters
    ----------
    factor : float
        C > 0; below 1 the inequality is not proved, and false for a small one.
    delta : float in (0, 1)

    Returns
    -------
    Inequality

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Source: `theory.margin_bound`; Derivation 8.
    """
    factor = check_real("factor", factor, minimum=0, exclusive=True)
    delta = check_probability("delta", delta)

    def bound(instance: Instance) -> float:
        limit = margin_bound(
            instance.Z,
            X=instance.X,
            y=instance.y,
            setting=instance.setting,
            delta=delta,
            dynamics="descent",
            sides=2,
        )
        return factor * float(np.asarray(limit.value)[0])

    return velocity_bound(
        bound,
        delta=delta,
        name="margin theorem",
        statement=f"P(|f(z; T)/T − f_b(z)| > {factor:g} (start + flips)) ≤ {delta:g}",
        recipe=f"margin_theorem(factor={factor!r}, delta={delta!r})",
    )


def _clip(rows: Array, radius: float) -> Array:
    """Scale rows longer than `radius` to that length or a rounding less."""
    squares = np.sum(rows**2, axis=1, keepdims=True)
    # Of the squares themselves: a row of ones is √d long and stays as it is.
    long = squares > radius * radius * (1 + 1e-15)
    with np.errstate(divide="ignore"):
        return np.where(long, rows * ((1 - 1e-15) * radius / np.sqrt(squares)), rows)
