"""The architecture of a deep network: what decides its kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from theory.validation import Slope, check_choice, check_integer, check_real, check_slope


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Learning rates in the units in which the limit of infinite width exists, as multiples of η.

    Raises
    ------
    ValueError, TypeError
        On construction, if a rate is negative, not finite or not a number, or if all are 0.
    """

    first: float = 1.0  # λ₁, of W¹ and b¹
    weights: float = 0.0  # λ_w: W^l, l ≥ 2, learns with λ_w/m
    biases: float = 0.0  # λ_b, of b^l, l ≥ 2
    branches: float = 0.0  # λ_v: the output weights V^l of residual blocks learn with λ_v/m
    readout: float = 0.0  # λ_a: a learns with λ_a/m

    def __post_init__(self) -> None:
        names = ("first", "weights", "biases", "branches", "readout")
        if not any(check_real(name, getattr(self, name), minimum=0) for name in names):
            msg = "rates must not all be 0: nothing would learn"
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A fully connected network of L hidden layers, at any width.

    u¹ = W¹x + b¹, h¹ = φ(u¹), u^{l+1} = W^{l+1}h^l + b^{l+1}; a plain layer has h^{l+1} = φ(u^{l+1}), a
    residual block h^{l+1} = h^l + αV^{l+1}φ(u^{l+1}); f(x) = Σ a_i h^L_i.  W¹ ~ N(0, 1/d), b¹ ~ N(0, 1) and
    a ~ N(0, 1/m) as in the two-layer network, which is L = 1; W^l ~ N(0, σ_w²/m), b^l ~ N(0, σ_b²) and
    V^l ~ N(0, σ_v²/m) for l ≥ 2.

    Parameters
    ----------
    depth : int
        L ≥ 1, the number of hidden layers.
    negative_slope : float in [0, 1)
        The paper's γ.
    weight_variance : float, optional
        σ_w² > 0; by default 1/g₀ = 2/(1 + γ²), which keeps the variance of pre-activations (He).
    bias_variance : float
        σ_b² ≥ 0.
    rates : Rates, or "first" or "all"
        Which layers learn, and how fast.  "first": W¹ and b¹ alone, the paper's convention.  "all": every
        weight at the same ratio d of rate to variance, every bias at rate 1: λ₁ = 1, λ_w = dσ_w²,
        λ_v = dσ_v², λ_b = 1, λ_a = d.
    residual : float, optional
        α > 0 makes layers 2 to L residual blocks; by default they are plain.
    branch_variance : float
        σ_v² > 0.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.

    Notes
    -----
    Source: Derivation 17.  In the notation of neural-tangents: Dense(W_std=1, b_std=1), LeakyRelu(γ), then
    L − 1 times Dense(W_std=σ_w, b_std=σ_b), LeakyRelu(γ), and Dense(W_std=1).  Its NNGP is `nngp`.  Its NTK
    with ``parameterization="standard"`` and nominal width n is `ntk` at λ₁ = λ_b = 1, λ_w = λ_a = n; with
    "ntk" it is `ntk` at λ₁ = 0, λ_w = σ_w², λ_b = σ_b², λ_a = 1, plus (⟨x, z⟩/d + 1) `phi`.

    Examples
    --------
    >>> from theory.deep import Architecture
    >>> Architecture(depth=3, negative_slope=0.1, rates="all").resolved_weight_variance.__round__(4)
    1.9802
    """

    depth: int = 1
    negative_slope: float = 0.0
    weight_variance: float | None = None
    bias_variance: float = 0.0
    rates: Rates | Literal["first", "all"] = "first"
    residual: float | None = None
    branch_variance: float = 1.0

    def __post_init__(self) -> None:
        check_integer("depth", self.depth, minimum=1)
        check_slope("negative_slope", self.negative_slope)
        if self.weight_variance is not None:
            check_real("weight_variance", self.weight_variance, minimum=0, exclusive=True)
        check_real("bias_variance", self.bias_variance, minimum=0)
        check_real("branch_variance", self.branch_variance, minimum=0, exclusive=True)
        if self.residual is not None:
            check_real("residual", self.residual, minimum=0, exclusive=True)
        if not isinstance(self.rates, Rates):
            check_choice("rates", self.rates, ("first", "all"))
        elif self.rates.branches and self.residual is None:
            msg = f"rates.branches must be 0 in a network without residual blocks, got {self.rates.branches}"
            raise ValueError(msg)

    @property
    def half_square(self) -> float:
        """g₀ = (1 + γ²)/2 = E φ'(A)²."""
        return (1 + self.negative_slope**2) / 2

    @property
    def kink_factor(self) -> float:
        """c₀ = (1 − γ)²/(2π) = −dΦ/dθ."""
        return (1 - self.negative_slope) ** 2 / (2 * math.pi)

    @property
    def exact_weight_variance(self) -> Fraction:
        """σ_w² as the exact number that it stands for: 1/g₀ where it is not given."""
        if self.weight_variance is None:
            return 2 / (1 + Fraction(self.negative_slope) ** 2)
        return Fraction(self.weight_variance)

    @property
    def resolved_weight_variance(self) -> float:
        """σ_w², 1/g₀ where it is not given."""
        return float(self.exact_weight_variance)

    @property
    def branch_factor(self) -> float:
        """α²σ_v², 0 for plain layers."""
        return 0.0 if self.residual is None else self.residual**2 * self.branch_variance

    def exact_rates(self, dim: int) -> dict[str, Fraction]:
        """Return the rates by name, exactly, for inputs of `dim` coordinates, on which "all" depends."""
        rates = {name: Fraction(value) for name, value in vars(Rates()).items()}
        if isinstance(self.rates, Rates):
            return {name: Fraction(value) for name, value in vars(self.rates).items()}
        if self.rates == "all":
            branches = Fraction(0 if self.residual is None else self.branch_variance)
            rates |= {"weights": dim * self.exact_weight_variance, "biases": Fraction(1)}
            rates |= {"branches": dim * branches, "readout": Fraction(dim)}
        return rates

    def rates_for(self, dim: int) -> Rates:
        """Return the rates as floats, for inputs of `dim` coordinates."""
        return Rates(**{name: float(rate) for name, rate in self.exact_rates(dim).items()})

    @property
    def initial_gradient_norm(self) -> float:
        """G₀ = √(E ‖∇f(x; 0)‖²), exact at every width and every x.

        G₀² = g₀ (σ_w² g₀)^{L−1} for plain layers, g₀ (1 + α²σ_v²σ_w² g₀)^{L−1} for residual ones.
        """
        growth = self.resolved_weight_variance * self.half_square
        if self.residual is not None:
            growth = 1 + self.branch_factor * growth
        try:
            return math.sqrt(self.half_square) * math.pow(growth, (self.depth - 1) / 2)
        except OverflowError:
            return math.inf


def check_architecture(value: object) -> Architecture:
    """Return an architecture; `TypeError` if it is none."""
    if not isinstance(value, Architecture):
        msg = f"architecture must be a theory.deep.Architecture, got {type(value).__name__}"
        raise TypeError(msg)
    return value


def one_of(negative_slope: Slope, architecture: Architecture | None) -> Architecture | None:
    """Return the architecture, if given, which has a slope of its own: no other one may be given."""
    if architecture is None:
        return None
    check_architecture(architecture)
    if not isinstance(negative_slope, (int, float)) or negative_slope:
        msg = (
            "negative_slope must be left out where architecture is given, which has one, "
            f"got {negative_slope}"
        )
        raise ValueError(msg)
    return architecture
