"""The frozen description of one experiment: everything that its result depends on."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from empirics.data import Dataset, DataSource
from empirics.perturb import TARGETS, Targets
from theory.setting import LOSSES, SCENARIOS, Loss, Scenario, Setting
from theory.validation import check_choice, check_integer, check_real, check_slope

Precision = Literal["float32", "float64"]
PRECISIONS = ("float32", "float64")
# "gd": full-batch gradient descent, with heavy-ball momentum if `momentum` > 0; "flow": gradient flow.
Solver = Literal["gd", "flow"]
SOLVERS = ("gd", "flow")


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """One pair of networks: f trained on data, g trained on perturbations of f.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    data: DataSource
    width: int  # m of both networks
    negative_slope: float = 0.0  # γ
    loss: Loss = "identity"
    scenario: Scenario = "a"
    epsilon: float | None = None  # L2 norm of perturbations, units of the data; None: √d; 0: control
    T_f: float = 1.0  # flow times
    T_g: float = 1.0
    solver: Solver = "gd"
    num_steps: int = 10  # of gradient descent, for f and (unless the next field says otherwise) for g
    num_steps_g: int | None = None
    momentum: float = 0.0
    targets: Targets = "random"
    precision: Precision = "float32"  # of the networks; flows, and descent at few samples, compute in float64
    seed: int = 0  # of data, both initialisations and target labels

    def __post_init__(self) -> None:
        check_integer("width", self.width, minimum=1)
        check_slope("negative_slope", self.negative_slope)
        check_choice("loss", self.loss, LOSSES)
        check_choice("scenario", self.scenario, SCENARIOS)
        if self.epsilon is not None:
            check_real("epsilon", self.epsilon, minimum=0)
        check_real("T_f", self.T_f, minimum=0)
        check_real("T_g", self.T_g, minimum=0)
        check_choice("solver", self.solver, SOLVERS)
        check_integer("num_steps", self.num_steps, minimum=1)
        if self.num_steps_g is not None:
            check_integer("num_steps_g", self.num_steps_g, minimum=1)
        check_slope("momentum", self.momentum)
        if self.solver == "flow" and self.momentum:
            msg = f"momentum must be 0 with solver 'flow', which has no steps, got {self.momentum:g}"
            raise ValueError(msg)
        check_choice("targets", self.targets, TARGETS)
        check_choice("precision", self.precision, PRECISIONS)
        check_integer("seed", self.seed, minimum=0)

    def setting(self, dataset: Dataset) -> Setting:
        """Return the instance of the theory that this experiment is about."""
        N, dim = dataset.X.shape
        return Setting(
            dim=dim,
            N=N,
            width=self.width,
            negative_slope=self.negative_slope,
            epsilon=math.sqrt(dim) if self.epsilon is None else self.epsilon,
            T_f=self.T_f,
            T_g=self.T_g,
            scenario=self.scenario,
            loss=self.loss,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; the data source under its name."""
        fields = asdict(self)
        fields["data"] = {"source": self.data.name, **asdict(self.data)}
        return fields
