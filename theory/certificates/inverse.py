"""Inverse questions: the width, time or perturbation size that certifies a given share of given points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.margin import Dynamics
from theory.certificates.lazy import AgreementProof, Proof, agreement_prover, prover
from theory.setting import Setting
from theory.validation import Array, as_labels, as_points, as_real, check_real, data_by_keyword

WIDEST = 10**15
_PER_DECADE = 12  # values of T or ε that are tried in a decade


@data_by_keyword
def certified_share(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    widths: ArrayLike,
    X_adv: ArrayLike | None = None,
    y_adv: ArrayLike | None = None,
    dynamics: Dynamics = "descent",
) -> Array:
    """Return the share of points that are certified at each width, for f, or for agreement of f and g.

    Parameters
    ----------
    Z, X, y, setting, delta, dynamics
        As in `certify`; the setting's own width is not used.
    widths : array of integers, shape (M,)
        m ≥ 1.
    X_adv, y_adv : arrays, shapes (N, d) and (N,), optional
        What g is trained on; with them the share is that of `certify_agreement`.

    Returns
    -------
    array, shape (M,), in [0, 1]

    Raises
    ------
    ValueError
        As `certify`.

    Notes
    -----
    Source: Derivations 8, 9.

    Examples
    --------
    >>> from theory import Setting, certified_share
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> certified_share([[2.0, 1.0]], **data, setting=setting, delta=0.01, widths=[10**3, 10**7])
    array([0., 1.])
    """
    numbers = np.atleast_1d(as_real("widths", widths)).ravel().tolist()
    for width in numbers:
        if width != int(width):
            msg = f"widths must be whole numbers, got {width:g}"
            raise ValueError(msg)
    share = _shares(Z, X, y, setting, delta, X_adv, y_adv, dynamics)
    return np.array([share(replace(setting, width=int(width))) for width in numbers])


@data_by_keyword
def required_width(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    share: float = 0.9,
    X_adv: ArrayLike | None = None,
    y_adv: ArrayLike | None = None,
    dynamics: Dynamics = "descent",
) -> float:
    """Return a width at which at least `share` of the points are certified, to 1 %.

    The share is evaluated at the returned width, so that the answer is sound; it is the smallest such
    width up to 1 % if the share grows with width, as each term of the bound suggests.

    Parameters
    ----------
    Z, X, y, setting, delta, X_adv, y_adv, dynamics
        As in `certified_share`.
    share : float in (0, 1]

    Returns
    -------
    float
        A whole number; infinite if not even m = 10¹⁵ will do (the initial network alone may forbid it).

    Raises
    ------
    ValueError
        As `certify`, or if the share is out of range.

    Examples
    --------
    >>> from theory import Setting, required_width
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> round(required_width([[2.0, 1.0]], **data, setting=setting, delta=0.01), -2)
    25400.0
    """
    share, got = _check_share(share), _shares(Z, X, y, setting, delta, X_adv, y_adv, dynamics)

    def enough(width: int) -> bool:
        return got(replace(setting, width=width)) >= share

    if not enough(WIDEST):
        return float("inf")
    low, high = 1, WIDEST
    if enough(low):
        return float(low)
    while high > low * 1.01 and high > low + 1:
        middle = max(low + 1, round(float(np.sqrt(float(low) * float(high)))))
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)


@data_by_keyword
def required_time(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    share: float = 0.9,
    X_adv: ArrayLike | None = None,
    y_adv: ArrayLike | None = None,
    dynamics: Dynamics = "descent",
    between: tuple[float, float] = (1e-2, 1e6),
) -> tuple[float, float]:
    """Return the first and the last of the times tried at which at least `share` of the points are certified.

    Too short a time and the initial network decides, too long a one and too many neurons flip.  T_f and T_g
    are both set to the time; a dozen values a decade are tried.

    Parameters
    ----------
    Z, X, y, setting, delta, X_adv, y_adv, dynamics
        As in `certified_share`, with the setting's width; its times are not used.
    share : float in (0, 1]
    between : pair of floats, 0 < low ≤ high

    Returns
    -------
    pair of floats
        Both NaN if no time that was tried will do.

    Raises
    ------
    ValueError
        As `certify`, or if the share or the interval is out of range.

    Examples
    --------
    >>> from theory import Setting, required_time
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> required_time([[2.0, 1.0]], **data, setting=setting, delta=0.01, share=1.0, between=(0.1, 9.0))
    (1.8815076325173594, 9.0)
    """
    got = _shares(Z, X, y, setting, delta, X_adv, y_adv, dynamics)
    return _interval(lambda T: got(replace(setting, T_f=T, T_g=T)), _check_share(share), between)


@data_by_keyword
def required_epsilon(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    directions: ArrayLike,
    y_adv: ArrayLike,
    setting: Setting,
    delta: float,
    share: float = 0.9,
    dynamics: Dynamics = "descent",
    between: tuple[float, float] = (1e-3, 1e4),
) -> tuple[float, float]:
    """Return the first and the last of the ε tried at which agreement is certified on `share` of the points.

    g is trained on ε t_n û_n (scenario (a)) or x_n + ε t_n û_n (scenario (b)), t_n the labels `y_adv` and û_n
    the directions, normalised.

    Parameters
    ----------
    Z, X, y, setting, delta, dynamics
        As in `certify_agreement`; the setting's ε is not used.
    directions : array, shape (N, d)
        Of the perturbations of f, e.g. gradients of a trained f or `perturbation_direction`.
    y_adv : array, shape (N,)
    share : float in (0, 1]
    between : pair of floats, 0 < low ≤ high

    Returns
    -------
    pair of floats
        Both NaN if no ε that was tried will do.

    Raises
    ------
    ValueError
        As `certify_agreement`, or if a direction is zero.

    Examples
    --------
    >>> from theory import Setting, required_epsilon
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> more = {"directions": [[1.0, 0.0], [1.0, 0.0]], "y_adv": [1, 1], "setting": setting, "delta": 0.01}
    >>> required_epsilon([[9.0, 1.0]], **data, **more, share=1.0)
    (0.3831186849557285, 68.12920690579608)
    """
    X = as_points("X", X)
    U = as_points("directions", directions, dim=X.shape[1])
    labels = as_labels("y_adv", y_adv, length=len(X))
    largest = np.abs(U).max(axis=1, keepdims=True)
    if U.shape != X.shape or (largest == 0).any():
        msg = f"directions must be {len(X)} rows of X's length, none zero, got shape {U.shape}"
        raise ValueError(msg)
    U = U / largest  # first, as a square could over- or underflow
    step = labels[:, None] * U / np.linalg.norm(U, axis=1, keepdims=True)

    def got(epsilon: float) -> float:
        perturbed = epsilon * step + (X if setting.scenario == "b" else 0.0)
        changed = replace(setting, epsilon=epsilon)
        return _shares(Z, X, y, changed, delta, perturbed, labels, dynamics)(changed)

    return _interval(got, _check_share(share), between)


def _shares(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    setting: Setting,
    delta: float,
    X_adv: ArrayLike | None,
    y_adv: ArrayLike | None,
    dynamics: Dynamics,
) -> Callable[[Setting], float]:
    """Return the share that is certified, as a function of settings that differ in width and times."""
    if (X_adv is None) != (y_adv is None):
        msg = "X_adv and y_adv must be given together, got only one of them"
        raise ValueError(msg)
    prove: Callable[[Setting, Dynamics], Proof | AgreementProof] = (
        prover(Z, X, y, setting, delta=delta)
        if X_adv is None or y_adv is None
        else agreement_prover(Z, X, y, X_adv, y_adv, setting, delta=delta)
    )
    return lambda setting: prove(setting, dynamics).share


def _interval(
    got: Callable[[float], float], share: float, between: tuple[float, float]
) -> tuple[float, float]:
    low = check_real("between[0]", between[0], minimum=0, exclusive=True)
    high = check_real("between[1]", between[1], minimum=low)
    count = 1 + round(_PER_DECADE * np.log10(high / low))
    good = [float(value) for value in np.geomspace(low, high, max(1, count)) if got(float(value)) >= share]
    return (good[0], good[-1]) if good else (float("nan"), float("nan"))


def _check_share(share: float) -> float:
    number = check_real("share", share, minimum=0, exclusive=True)
    if number > 1:
        msg = f"share must lie in (0, 1], got {share}"
        raise ValueError(msg)
    return number
