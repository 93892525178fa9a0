"""Which neurons can change their activation during training, and the width that keeps them few.

Training moves a pre-activation by at most |a_i| L T κ(z).  A neuron is *free at z* if its initial
pre-activation is no larger than that; only free neurons can ever change their φ' at z.  Derivation 5.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from theory.setting import Setting
from theory.validation import Array, as_nonnegative, check_choice, check_real

Network = Literal["f", "g", "both"]


def free_fraction(
    *,
    T: ArrayLike,
    kappa: ArrayLike,
    s: ArrayLike,
    width: ArrayLike,
    lipschitz: float = 1.0,
) -> Array:
    """Return the probability that a neuron is free at z: (2/π) arctan τ, τ = L T κ(z)/(s(z) √m).

    **Statement.**  For each neuron P(|u_i(z, 0)| ≤ |a_i| L T κ(z)) equals the returned value exactly,
    over the initialisation w_i ~ N(0, I/d), b_i ~ N(0, 1), a_i ~ N(0, 1/m).  Neurons are independent, so
    the number of free neurons is binomial with this probability.  A neuron that is not free keeps φ' at z
    throughout training.

    **Assumptions.**  Full-batch training with non-negative step weights of total T (flow, descent,
    heavy-ball momentum), no weight decay; z fixed independently of the initialisation; ℓ' in [0, L].

    **Derivation.**  Derivation 5, (5.2).

    **Checked by.**  tests/test_theory/test_bounds/test_free.py (law, against simulation) and
    tests/test_empirics/test_measure/test_counts.py (trained networks: no neuron flips that was not free).
    Exact as the law of free neurons; loose for those that do flip, the report shows by how much.

    Parameters
    ----------
    T : array
        Flow time, ≥ 0.
    kappa : array
        κ(z) = (1/N) Σ_n |⟨x_n, z⟩ + 1|, ≥ 0; see `theory.kappa`.
    s : array
        s(z) = √(‖z‖²/d + 1), > 0; see `theory.preactivation_scale`.
    width : array
        m ≥ 1.
    lipschitz : float
        L = sup |ℓ'|; 1 for the identity and logistic losses.  With ∞ every neuron counts as free that can
        move; see `theory.weighted_kappa` and `theory.displacement_bound`.

    Returns
    -------
    array, float64
        Arguments broadcast; values in [0, 1].

    Raises
    ------
    ValueError
        If an argument is out of range or not finite.

    Notes
    -----
    Source: `expressions.FREE_FRACTION`, `expressions.TAU`.

    Examples
    --------
    >>> from theory import free_fraction
    >>> free_fraction(T=2.0, kappa=[1.5, 3.0], s=[1.0, 2.0], width=400).round(4)
    array([0.0948, 0.0948])
    """
    T = as_nonnegative("T", T)
    kappa = as_nonnegative("kappa", kappa)
    s = as_nonnegative("s", s, positive=True)
    width = _check_widths(width)
    L = np.inf if lipschitz == np.inf else check_real("lipschitz", lipschitz, minimum=0, exclusive=True)
    # arctan2 takes τ as a quotient of two numbers, so that a huge T saturates instead of failing.
    with np.errstate(over="ignore"):
        return np.asarray(2 / np.pi * np.arctan2(_scaled(L, T * kappa), s * np.sqrt(width)))


def width_bound(
    setting: Setting,
    *,
    free_share: float,
    network: Network = "both",
    kappa: ArrayLike | None = None,
    s: ArrayLike | None = None,
) -> Array:
    """Return the width from which the expected free share at z is at most `free_share`.

    **Statement.**  P(free at z) ≤ q if and only if m ≥ (L T κ(z)/(s(z) tan(πq/2)))², with T = T_f for f,
    T_g for g.  With T = T_f + T_g ("both", the published combination) and κ/s the larger of the two
    networks', m suffices for each of them.

    **Assumptions.**  Those of `free_fraction`.  Without `kappa` and `s`: ‖z‖ ≤ √d, and training inputs
    of norm at most √d for f, ε for g in scenario (a), √d + ε in scenario (b).

    **Derivation.**  Derivation 5, (5.5) and (5.6).  The norm bound replaces κ(z)/s(z) by its largest value;
    for inputs of norm √d this is (d + 1)/√2, which is where the published d² comes from.

    **Checked by.**  tests/test_theory/test_bounds/test_free.py; tight (an equality) given κ and s.

    Parameters
    ----------
    setting : Setting
        Its `width` is not used.
    free_share : float in (0, 1)
        q.
    network : {"f", "g", "both"}
        Which network(s); decides T.
    kappa, s : arrays, optional
        κ(z) and s(z) of the training inputs of that network, from the data; both or neither.  For
        "both" pass the larger κ of the two.

    Returns
    -------
    array, float64
        Not rounded to an integer.  One value per point, or a single one from norms.  ∞ for losses of
        unbounded slope, for which no width suffices by this argument.

    Raises
    ------
    ValueError
        If an argument is out of range, or only one of `kappa` and `s` is given.

    Notes
    -----
    Source: `expressions.WIDTH_BOUND`.

    Examples
    --------
    >>> from theory import Setting, width_bound
    >>> setting = Setting(dim=2, N=2, width=10**6, epsilon=1.0, T_f=4.0, T_g=4.0, negative_slope=0.3)
    >>> width_bound(setting, free_share=0.1).round()
    np.float64(11481.0)
    """
    check_choice("network", network, ("f", "g", "both"))
    q = check_real("free_share", free_share, minimum=0, exclusive=True)
    if q >= 1:
        msg = f"free_share must lie in (0, 1), got {free_share}"
        raise ValueError(msg)
    if (kappa is None) != (s is None):
        msg = "kappa and s must be given together, got only one of them"
        raise ValueError(msg)
    T = {"f": setting.T_f, "g": setting.T_g, "both": setting.T_f + setting.T_g}[network]
    with np.errstate(over="ignore"):  # ∞: no width suffices
        if kappa is None or s is None:
            ratio = np.asarray(_largest_ratio(setting, network))
        else:
            ratio = as_nonnegative("kappa", kappa) / as_nonnegative("s", s, positive=True)
        return np.asarray((_scaled(setting.lipschitz, T * ratio) / np.tan(np.pi * q / 2)) ** 2)


def _scaled(lipschitz: float, speed: Array) -> Array:
    """Return L times `speed`, with 0 where nothing moves, whatever L."""
    with np.errstate(invalid="ignore"):
        return np.where(speed > 0, lipschitz * speed, 0.0)


def _largest_ratio(setting: Setting, network: Network) -> float:
    """Return the largest κ(z)/s(z) over ‖z‖ ≤ √d for inputs of norm at most R.

    (R t + 1)/√(t²/d + 1) at ‖z‖ = t increases up to t = d R: the maximum is at the smaller of √d, d R.
    """
    root = np.sqrt(setting.dim)
    radius_g = setting.epsilon + (root if setting.scenario == "b" else 0.0)
    radii = {"f": (root,), "g": (radius_g,), "both": (root, radius_g)}[network]
    ratios = []
    for radius in radii:
        t = min(root, setting.dim * radius)
        ratios.append((radius * t + 1) / np.hypot(t / root, 1.0))
    return float(max(ratios))


def _check_widths(width: ArrayLike) -> Array:
    widths = as_nonnegative("width", width)
    if (widths < 1).any():
        msg = f"width must be >= 1, got {widths[widths < 1].flat[0]:g}"
        raise ValueError(msg)
    return widths
