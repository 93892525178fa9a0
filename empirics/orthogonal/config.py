"""The frozen description of one experiment with nearly orthogonal samples."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict

import numpy as np

from empirics.orthogonal.training import LIMIT_LOSSES, LimitLoss, check_even
from theory.orthogonal.gram import check_open_slope
from theory.orthogonal.perturbations import NORMS, Norm, num_changed
from theory.validation import Array, check_choice, check_integer, check_real

Distribution = Literal["uniform", "gaussian"]  # uniform on [−1, 1]^d, N(0, I)
Base = Literal["natural", "uniform", "gaussian"]
AttackKind = Literal["limit", "gradient", "published", "none"]
Learner = Literal["trained", "limit", "none"]

DISTRIBUTIONS = ("uniform", "gaussian")
BASES = ("natural", "uniform", "gaussian")
ATTACKS = ("limit", "gradient", "published", "none")
LEARNERS = ("trained", "limit", "none")


class Perturbation(TypedDict):
    """Norm, radius and amplitude."""

    norm: Norm
    epsilon: float
    amplitude: float


@dataclass(frozen=True, kw_only=True)
class OrthogonalConfig:
    """One pair of networks without biases, trained until their directions converge.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    dim: int  # d
    num_train: int  # N natural samples, with random labels
    num_adv: int  # N_adv perturbed samples; as many as natural ones if those are perturbed
    epsilon: float  # radius in the units of the data; L0: share of the coordinates
    norm: Norm = "L2"
    amplitude: float = 1.0  # how far L0 moves a coordinate, units of the data
    attack: AttackKind = "gradient"  # "limit": along s = Σ λ_k y_k x_k; "none": control, ε does not act;
    # "published": the steps of the prior work; what is perturbed, if uniform, stays within ± `amplitude`
    base: Base = "uniform"  # what is perturbed: the natural samples, or fresh noise
    distribution: Distribution = "uniform"  # of the natural samples and of the test points
    f: Learner = "trained"  # "limit": the linear map ⟨s, ·⟩ in its place
    g: Learner = "trained"  # "limit": the λ system of the perturbed set alone; "none": f alone
    width: int = 20  # m, even
    negative_slope: float = 0.5  # γ in (0, 1)
    loss: LimitLoss = "exponential"
    init_scale: float = 0.01  # weights uniform on ± init_scale/√d; 1 is the usual initialisation
    tolerance: float = 0.01  # of the KKT residual
    max_steps: int = 5000  # of each network
    max_time: float | None = None  # flow time of the mean loss at which training ends, not at its limit
    num_test: int = 1000  # fresh points on which signs are compared
    seed: int = 0  # of data, noise, targets and both initialisations

    def __post_init__(self) -> None:
        for name in ("dim", "num_train", "num_adv", "max_steps", "num_test"):
            check_integer(name, getattr(self, name), minimum=1)
        check_even(self.width)
        for name in ("epsilon", "amplitude", "init_scale", "tolerance"):
            check_real(name, getattr(self, name), minimum=0, exclusive=True)
        if self.max_time is not None:
            check_real("max_time", self.max_time, minimum=0, exclusive=True)
        check_choice("norm", self.norm, NORMS)
        if self.norm == "L0":
            num_changed(self.epsilon, self.dim)  # refuses a share above 1
        check_choice("attack", self.attack, ATTACKS)
        check_choice("base", self.base, BASES)
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("f", self.f, LEARNERS[:2])
        check_choice("g", self.g, LEARNERS)
        check_choice("loss", self.loss, LIMIT_LOSSES)
        check_open_slope(self.negative_slope)
        check_integer("seed", self.seed, minimum=0)
        if self.base == "natural" and self.num_adv != self.num_train:
            msg = f"num_adv must be num_train = {self.num_train} with base 'natural', got {self.num_adv}"
            raise ValueError(msg)
        if self.f == "limit" and self.attack in {"gradient", "published"}:
            msg = (
                f"attack must be 'limit' or 'none' with f 'limit', which has no network, got {self.attack!r}"
            )
            raise ValueError(msg)

        if self.box is not None and self.amplitude < 1:
            msg = (
                f"amplitude must be >= 1, as points on [−1, 1]^d are clamped to ± it, got {self.amplitude:g}"
            )
            raise ValueError(msg)

    @property
    def perturbation(self) -> Perturbation:
        """What functions of perturbations take."""
        return {"norm": self.norm, "epsilon": self.epsilon, "amplitude": self.amplitude}

    @property
    def box(self) -> float | None:
        """The b of [−b, b]^d that perturbed points are clamped to, if they are."""
        what = self.distribution if self.base == "natural" else self.base
        return self.amplitude if self.attack == "published" and what == "uniform" else None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; without `max_time` where there is none."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def draw(count: int, dim: int, *, distribution: Distribution, rng: np.random.Generator) -> Array:
    """Draw independent points, shape (count, dim): uniform on [−1, 1]^d, or N(0, I).

    Parameters
    ----------
    count, dim : int
    distribution : {"uniform", "gaussian"}
    rng : numpy.random.Generator

    Returns
    -------
    array, shape (count, dim)
    """
    check_choice("distribution", distribution, DISTRIBUTIONS)
    if distribution == "gaussian":
        return rng.standard_normal((count, dim))
    return rng.uniform(-1.0, 1.0, size=(count, dim))
