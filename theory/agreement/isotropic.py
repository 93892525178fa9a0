"""Agreement of f and g over training times for isotropic inputs and random labels, without data.

All sizes are those of z and x_n of norm √d.  Derivation 19.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from theory.agreement.laws import kernel_slope
from theory.deep.architecture import Architecture, check_architecture
from theory.deep.kernels import nngp, phi
from theory.validation import check_integer, check_real

_LONG = 1e100  # in units of √d, beyond which Φ has its limit


def isotropic_agreement(
    *,
    T_f: float,
    T_g: float,
    architecture: Architecture,
    dim: int,
    N: int,
    epsilon: float,
    balanced_classes: bool = False,
    balanced_targets: bool = False,
) -> float:
    """Return P(sgn f(z; T_f) = sgn g(z; T_g)), x_n and z isotropic, labels and targets random.

    ½ + arcsin(ρ)/π, ρ the correlation of f(z; T_f) and g(z; T_g) over initialisations, data and labels.
    T_f = T_g = ∞ is the law of f_b and g_b; T_f = 0, T_g = ∞ is the *floor*, the agreement with a network
    that was never trained, against which every agreement is to be read.

    Parameters
    ----------
    T_f, T_g : float
        Flow times ≥ 0, also infinite.
    architecture : theory.deep.Architecture
        Its first layer alone learns: `rates` is "first".
    dim : int
        d ≥ 1.
    N : int
        Samples, ≥ 1.
    epsilon : float
        ε > 0.
    balanced_classes, balanced_targets : bool
        Whether labels of f, and targets of g, are exactly as often +1 as −1.

    Returns
    -------
    float in [1/2, 1)

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    Notes
    -----
    Source: `expressions.ISOTROPIC_CORRELATION`; Derivation 19, (19.9) to (19.11).  Scenario (a), identity
    loss, leading order in 1/d and 1/N, wide networks.

    Examples
    --------
    >>> from theory.agreement import isotropic_agreement
    >>> from theory.deep import Architecture
    >>> sizes = {"architecture": Architecture(), "dim": 100, "N": 1000, "epsilon": 10.0}
    >>> floor = isotropic_agreement(T_f=0, T_g=float("inf"), **sizes)
    >>> round(floor, 3), round(isotropic_agreement(T_f=10, T_g=10, **sizes), 3)
    (0.696, 0.808)
    """
    times = [_time("T_f", T_f), _time("T_g", T_g)]
    found = _Sizes.of(architecture, dim, N, epsilon, balanced_classes, balanced_targets).moments(times[0])
    if times[1] == 0:
        return 0.5
    start = 0.0 if times[1] == math.inf else math.sqrt(found.size) * found.start / times[1]
    # By its tangent: near 1 half of the digits of the angle are lost in its sine.
    return 0.5 + math.atan2(found.shared, math.hypot(found.rest, start)) / math.pi


def isotropic_time(
    share: float,
    *,
    T_f: float,
    architecture: Architecture,
    dim: int,
    N: int,
    epsilon: float,
    balanced_classes: bool = False,
    balanced_targets: bool = False,
) -> float:
    """Return the flow time of g from which on f and g agree on a share of points.

    Parameters
    ----------
    share : float in [1/2, 1)
    T_f, architecture, dim, N, epsilon, balanced_classes, balanced_targets
        As of `isotropic_agreement`.

    Returns
    -------
    float
        Infinite where no time of g is enough: then only T_f, N, ε or balance help.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    Notes
    -----
    Source: `expressions.ISOTROPIC_TIME`; Derivation 19, (19.9) to (19.11).

    Examples
    --------
    >>> from theory.agreement import isotropic_time
    >>> from theory.deep import Architecture
    >>> sizes = {"architecture": Architecture(), "dim": 100, "N": 1000, "epsilon": 10.0}
    >>> round(isotropic_time(0.75, T_f=10, **sizes), 3), isotropic_time(0.75, T_f=0, **sizes)
    (0.531, inf)
    """
    wanted = check_real("share", share)
    if not 0.5 <= wanted < 1:
        msg = f"share must lie in [1/2, 1), got {share}"
        raise ValueError(msg)
    at = _time("T_f", T_f)
    found = _Sizes.of(architecture, dim, N, epsilon, balanced_classes, balanced_targets).moments(at)
    # ρ² (start²/T_g² + g) size = shared², ρ = sin π(q − ½).
    square = math.sin(math.pi * (wanted - 0.5)) ** 2
    left = found.shared**2 - square * found.size * found.g
    if square == 0:
        return 0.0
    return math.sqrt(square * found.size / left) * found.start if left > 0 else math.inf


def _time(name: str, value: float) -> float:
    """Return a flow time, which may be infinite."""
    return math.inf if value == math.inf else check_real(name, value, minimum=0)


@dataclass(frozen=True)
class _Moments:
    """Of f(z; T_f) and of g(z; T_g)/(T_g A₀ ε), A₀ = Φ^(L) between r_n and z, f in units of 1/ω."""

    size: float  # variance of f
    shared: float  # covariance
    g: float  # variance of the trained part of g
    rest: float  # root of size · g − shared², without cancellation
    start: float  # σ/(A₀ ε), which T_g divides


@dataclass(frozen=True)
class _Sizes:
    """What the law is made of."""

    common: float  # Φ₀, of orthogonal points of norm √d: ‖common part of the initial gradients‖²
    own: float  # G₀² − Φ₀ over N, what is left of the others in the mean of the perturbations
    gradient: float  # G₀²
    variance: float  # σ² = K^L(z, z)
    trained: float  # ‖∇F‖² = Φ₀² d/N
    excess: float  # V_F/‖∇F‖² − 1, F's part that is not along ∇F
    kernel: float  # A₀
    epsilon: float
    noise: float  # deviation of targets, N^(−1/2)

    @classmethod
    def of(
        cls,
        architecture: Architecture,
        dim: int,
        N: int,
        epsilon: float,
        balanced_classes: bool,
        balanced_targets: bool,
    ) -> _Sizes:
        d, n = check_integer("dim", dim, minimum=1), check_integer("N", N, minimum=1)
        size = check_real("epsilon", epsilon, minimum=0, exclusive=True)
        if check_architecture(architecture).rates != "first":
            msg = f'architecture must have rates "first", got {architecture.rates}'
            raise ValueError(msg)
        x, z = np.sqrt(2) * np.eye(2)  # norm √d in two dimensions
        slope, common = kernel_slope(architecture), float(phi(x, z, architecture=architecture))
        gradient = architecture.initial_gradient_norm**2
        constant = 0.0 if balanced_classes else (1 + slope) ** 2
        return cls(
            common=common,
            own=(gradient - common) / n,
            gradient=gradient,
            variance=float(nngp(z, z, architecture=architecture)),
            trained=common**2 * d / n,
            excess=(constant + 2 * slope**2) / d,
            kernel=float(phi(min(size / math.sqrt(d), _LONG) * x, z, architecture=architecture)),
            epsilon=size,
            noise=0.0 if balanced_targets else 1 / math.sqrt(n),
        )

    def moments(self, T_f: float) -> _Moments:
        """Return the moments after f has trained for that time."""
        # In units of T_f² beyond T_f = 1, so that an infinite time is no special case, and of 1/ω².
        start, end = (1.0, T_f * T_f) if T_f <= 1 else (1 / T_f / T_f, 1.0)
        unit = start * self.gradient + end * self.trained
        start, end = start / unit, end / unit
        common = start * self.common + end * self.trained
        left = start * (self.variance - self.common) + end * self.trained * self.excess
        own, noise = start * self.own, self.noise / self.epsilon
        size = common + left
        return _Moments(
            size=size,
            shared=common,
            g=common + own + noise * noise,
            rest=math.hypot(math.sqrt(common * left + size * own), math.sqrt(size) * noise),
            start=math.sqrt(self.variance) / self.kernel / self.epsilon,
        )
