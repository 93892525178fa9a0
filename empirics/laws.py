"""Laws of the agreement of f and g beside what they are about; no network is trained.

Three things are compared: the signs of f̂ and ĝ (condition (c)), those of f_b and g_b (long training at
infinite width), and those of an untrained f and of g_b from its perturbations (the floor).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from empirics.data import DataSource, GaussianData, ShiftedGaussianData
from empirics.deep.modules import input_gradients, outputs
from empirics.deep.network import DeepNetwork
from empirics.measure import agreement
from empirics.perturb import TARGETS, Targets, draw_targets, normalised
from empirics.seeds import seeds_of
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Cell, Outcome
from empirics.wide import config_to_json, config_with, data_content, sizes
from theory import f_hat, f_predict, g_hat, g_predict, perturbation_direction
from theory.agreement import condition_agreement, isotropic_agreement, random_label_agreement
from theory.deep import Architecture
from theory.setting import Loss
from theory.validation import Array, check_choice, check_integer, check_real

COMPARED = ("published", "predicted", "untrained")
CLASSES = ("data", *TARGETS)


@dataclass(frozen=True, kw_only=True)
class LawConfig:
    """What is compared, on which data; the first layer learns, as the paper has it.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    data: DataSource
    compare: Literal["published", "predicted", "untrained"]  # f̂ and ĝ; f_b and g_b; f(·; 0) and g_b
    depth: int = 1  # L
    negative_slope: float = 0.0  # γ
    epsilon: float | None = None  # L2 norm of perturbations; None: √d
    classes: Literal["data", "random", "balanced"] = "data"  # labels of f: those of the data, or others
    targets: Targets = "random"  # of perturbations
    width: int = 1000  # m of an untrained f
    draws: int = 20  # of data, networks and targets, over which a result is a mean
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("depth", "width", "draws"):
            check_integer(name, getattr(self, name), minimum=1)
        check_choice("compare", self.compare, COMPARED)
        check_choice("classes", self.classes, CLASSES)
        check_choice("targets", self.targets, TARGETS)
        if self.epsilon is not None:
            check_real("epsilon", self.epsilon, minimum=0, exclusive=True)
        check_integer("seed", self.seed, minimum=0)
        _ = self.architecture  # names its unknowns itself

    @property
    def architecture(self) -> Architecture:
        """That of f and g."""
        return Architecture(depth=self.depth, negative_slope=self.negative_slope)

    @property
    def loss(self) -> Loss:
        """The loss that f_b and g_b are about."""
        return "identity"

    @property
    def law(self) -> float | None:
        """Predicted agreement, from sizes alone; None where the law is not about such data."""
        data = self.data
        if not isinstance(data, (GaussianData, ShiftedGaussianData)):
            return None
        balanced = self.classes if self.classes != "data" else ("random", "balanced")[data.name != "gaussian"]
        moved = abs(data.shift) * math.sqrt(data.dim) if isinstance(data, ShiftedGaussianData) else 0.0
        even = data.num_train % 2 == 0
        sizes = {"architecture": self.architecture, "dim": data.dim, "N": data.num_train}
        given: dict[str, Any] = sizes | {"balanced_classes": balanced == "balanced" and even}
        if self.compare == "published" and (not moved or self.classes == "data"):
            return condition_agreement(**given, separation=moved)
        if moved or self.compare == "published":
            return None
        T_f = 0.0 if self.compare == "untrained" else math.inf
        given |= {"epsilon": self.epsilon or math.sqrt(data.dim)}
        given |= {"balanced_targets": self.targets == "balanced" and even}
        return isotropic_agreement(T_f=T_f, T_g=math.inf, **given)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; the data source under its name."""
        return asdict(self) | {"data": {"source": self.data.name, **asdict(self.data)}}


def run_laws(configs: Sequence[LawConfig], *, device: str = "cpu") -> Iterator[tuple[int, Outcome]]:
    """Measure each by itself; `device` is the CPU.

    Parameters
    ----------
    configs : sequence of LawConfig
    device : str

    Yields
    ------
    index : int
    outcome : Outcome
    """
    check_choice("device", device, ("cpu",))
    for index, config in enumerate(configs):
        try:
            yield index, Outcome(record=measure_law(config))
        except (ArithmeticError, ValueError, MemoryError, RuntimeError) as error:
            yield index, Outcome.failed(error)


def measure_law(config: LawConfig) -> dict[str, Cell]:
    """Return measured agreement beside its law, means over draws.

    Parameters
    ----------
    config : LawConfig

    Returns
    -------
    dict
        ``agreement_test``: the share of test points with equal signs.  ``law_agreement_test``: that of the
        law.  ``label_agreement_test``: `theory.agreement.random_label_agreement` of the inputs, of f̂ and ĝ.

    Examples
    --------
    >>> from empirics import GaussianData, LawConfig, measure_law
    >>> data = GaussianData(dim=20, num_train=30, num_test=50)
    >>> record = measure_law(LawConfig(data=data, compare="published", draws=2))
    >>> 0.9 < record["agreement_test"] <= 1, round(record["law_agreement_test"], 3)
    (True, 0.968)
    """
    drawn = [_draw(config, seed) for seed in np.random.SeedSequence(config.seed).generate_state(config.draws)]
    found: dict[str, Cell] = {
        name: float(np.mean([one[name] for one in drawn])) for name in drawn[0] if name != "num_test"
    }
    found["num_test"] = sum(int(one["num_test"]) for one in drawn)
    law = config.law
    return found if law is None else found | {"law_agreement_test": law}


def _draw(config: LawConfig, seed: int) -> dict[str, float]:
    """Return what one draw of everything gives."""
    data_seed, f_seed, _, target_seed, label_seed = seeds_of(int(seed))
    data, network = config.data.load(data_seed), config.architecture
    X, y, Z = data.X, data.y, data.X_test
    if config.classes != "data":
        y = draw_targets(len(X), kind=config.classes, rng=np.random.default_rng(label_seed))
    targets = draw_targets(len(X), kind=config.targets, rng=np.random.default_rng(target_seed))
    epsilon = math.sqrt(X.shape[1]) if config.epsilon is None else config.epsilon

    def adversarial(directions: Array) -> Array:
        return normalised(directions, targets, epsilon=epsilon)

    if config.compare == "untrained":
        module = DeepNetwork(network, dim=X.shape[1], width=config.width, seed=f_seed)
        f = np.asarray(outputs(module, Z).numpy())
        R = adversarial(np.asarray(input_gradients(module, X).numpy()))
    else:
        predictor = f_hat if config.compare == "published" else f_predict
        f = predictor(Z, X=X, y=y, architecture=network)
        R = adversarial(perturbation_direction(X=X, y=y, architecture=network))
    if config.compare == "published":
        g = g_hat(Z, X=X, y=y, X_adv=R, architecture=network)
    else:
        g = g_predict(Z, X_adv=R, y_adv=targets, architecture=network)
    found = {"agreement_test": agreement(f, g), "num_test": len(Z)}
    if config.compare == "published":
        chances = random_label_agreement(Z, X=X, X_adv=R, architecture=network)
        found["label_agreement_test"] = float(np.mean(chances))
    return found


# The experiment of a sweep ---------------------------------------------------------------------------------


def _work(config: LawConfig) -> int:
    rows, dim = sizes(config.data)
    return config.draws * rows * (rows + dim) * config.depth


LAWS = Experiment(
    name="laws",
    version=1,
    make=partial(config_with, LawConfig),
    to_json=config_to_json,
    run=run_laws,
    key=repr,  # none share work
    work=_work,
    content=data_content,
)
