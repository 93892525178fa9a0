"""Published blocks and studies of wide networks.

Paper A (arXiv:2410.23677) trains by heavy-ball descent (momentum 0.9) for so many epochs, at two learning
rates for f and two for g.  It plots one seed and, for each metric by itself, the maximum over the four pairs.
Here each pair and seed is a result of its own.  As gradient flow, rate η and E epochs become the flow time of
that descent at constant gradient, `theory.flow_time(η, E, momentum=0.9)`.

Published values are read off its figures, each with a reading error (``published_curves.csv``).  Cosines were
published for the sweeps over d and over T_f of three blocks (`COSINE_FIGURES`).  Not reproduced: half
precision; the reduce-on-plateau schedule, which does not act while the loss falls.

Studies ask questions of our own: what makes perturbations teach, one thing varied at a time.  The identity
loss is trained by its exact gradient flow.  The logistic loss has no such formula: it is trained by the
adaptive integration of its gradient flow (`empirics.smooth_flow`), as flow has no step size that the result
depends on, flow times of both losses mean the same, and one trajectory of g serves all its times.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from empirics.campaigns.files import (
    SIZES,
    AnyPart,
    Campaign,
    Panel,
    Point,
    Reading,
    Size,
    campaign,
    readings,
)
from empirics.config import SOLVERS, ExperimentConfig, Solver
from empirics.deep.experiment import DEEP
from empirics.laws import LAWS
from empirics.sweep import Experiment
from empirics.wide import WIDE, config_of
from theory.setting import flow_time
from theory.validation import check_choice

KINDS = ("published", "study")
BLOCKS = ("msg-a", "msg-b", "g-a", "g-b", "mnist-a", "mnist-b", "fmnist-a", "fmnist-b")
DEEP_STUDIES = (
    "depth",
    "balance",
    "transfer",
    "modules",
    "pairs",
    "training-time",
)  # of pairs of networks of any architecture
LAW_STUDIES = ("agreement", "floor")  # in which nothing is trained
STUDIES = (
    *("dimension", "perturbation-size", "width", "lazy"),
    *DEEP_STUDIES,
    *LAW_STUDIES,
)
METRICS = {"acc_f": "accuracy_f_train", "acc_g": "accuracy_g_train", "agreement": "agreement_test"}
# Mean |cos| of the perturbations with u and with ∇f_b: name to column.
COSINES = {"cosine_published": "cosine_published", "cosine_derived": "cosine_derived"}
# Figure of a block, and what the sweeps in the figure of cosines begin with.
COSINE_FIGURES = {"MSG_a": "MSG", "G_a": "G", "MNIST_a": "MNIST"}


class Part(AnyPart, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published block or a study.

    With logistic loss a block is always trained by the published optimiser: its flow has no exact solution,
    and the adaptive integration to T ≈ 10⁴ took minutes a network.  Its small size keeps what decides the
    outcome and needs no GPU.
    """

    kind: Literal["published", "study"]
    solver: Solver = "gd"  # of a block: the published optimiser, or gradient flow for the same flow times
    size: Size = "full"  # of a block
    balanced: bool = False  # of a block: as many target labels +1 as −1, in place of independent ones

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("kind", self.kind, KINDS)
        check_choice(self.kind, self.name, BLOCKS if self.kind == "published" else STUDIES)
        check_choice("solver", self.solver, SOLVERS)
        check_choice("size", self.size, SIZES)
        self.panels()  # names its unknowns itself

    @property
    def campaign(self) -> Campaign:
        """What the file of the block or study says."""
        return campaign(self.name)

    @property
    def experiment(self) -> Experiment[Any]:
        """How its configurations are run."""
        return DEEP if self.name in DEEP_STUDIES else LAWS if self.name in LAW_STUDIES else WIDE

    @property
    def whole(self) -> bool:
        """Whether no sweep is left out."""
        return set(self.sweeps or ()) in (set(), self.campaign.sweeps().keys())

    def panels(self) -> list[Panel]:
        """Return the points by sweep."""
        make = partial(_config, solver=self.solver) if self.experiment is WIDE else self.experiment.make
        more = {"targets": "balanced"} if self.balanced else {}
        return [
            Panel(
                sweep=sweep.name,
                x_label=sweep.x_label,
                points=sweep.points(self.name, make),
                ticks=sweep.ticks or None,
            )
            for sweep in self._chosen(self.campaign.sweeps(self.size, seeds=self.seeds, **more))
        ]

    def points(self) -> list[Point]:
        """Return the points with all experiments behind them."""
        return [point for panel in self.panels() for point in panel.points]

    @property
    def stand_in(self) -> str:
        """Which data a block has in place of the published ones, in words; else empty."""
        return self.campaign.stand_in if self.size == "small" else ""

    @property
    def figure(self) -> str:
        """Name of the published figure in `readings`, empty if no values were read off.

        Values of a small size that is another experiment are not compared.
        """
        return "" if self.size == "small" and self.campaign.has_small else self.campaign.figure

    @property
    def title(self) -> str:
        """Heading on the page."""
        if self.kind == "study":
            return f"Study {self.name}"
        options = [
            "gradient flow" if self.solver == "flow" else "",
            "small" if self.size == "small" else "",
            self.stand_in,
            "balanced targets" if self.balanced else "",
        ]
        return ", ".join([f"Published block {self.name}", *(option for option in options if option)])

    @property
    def question(self) -> str:
        """What the part is about, in a sentence or two."""
        if self.kind == "study":
            return self.campaign.question
        trained = {
            "flow": "gradient flow of the published flow times (logistic loss by the published optimiser)",
            "gd": "the published optimiser (descent with momentum .9)",
        }[self.solver]
        size = ", at sizes that need no GPU" if self.size == "small" else ""
        size += f", on the {self.stand_in}" if self.stand_in else ""
        labels = "; as many target labels +1 as −1" if self.balanced else ""
        return (
            f"The published experiments by {trained}{size}{labels}. "
            "Each value: the maximum of a seed over its pairs of learning rates, as published."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values, without those that a study does not have."""
        made = super().to_json()
        return made if self.kind == "published" else {name: made[name] for name in AnyPart.__struct_fields__}


def _config(named: Mapping[str, Any], *, solver: Solver) -> ExperimentConfig:
    """Return the configuration of fields as published: ε per √d, learning rates and epochs.

    ε of a block is cut, not rounded, to two digits, as published: .0031 at d = 10.
    """
    fields = dict(named)
    share = fields.pop("epsilon_per_root", None)
    if share is not None:
        length = share * math.sqrt(fields["data.dim"])
        digits = f"{length:.12e}"  # .1 is not cut to .099
        cut = digits[:3] + digits[-4:] if "epochs_f" in fields else f"{length:.6g}"
        fields.setdefault("epsilon", float(cut))
    if "epochs_f" in fields:
        momentum, epochs = fields.pop("momentum"), {net: fields.pop(f"epochs_{net}") for net in "fg"}
        for net, count in epochs.items():
            fields[f"T_{net}"] = flow_time(fields.pop(f"rate_{net}"), count, momentum=momentum)
        fields["solver"] = solver if fields["loss"] == "identity" else "gd"
        if fields["solver"] == "gd":
            fields |= {"momentum": momentum, "num_steps": epochs["f"], "num_steps_g": epochs["g"]}
    return config_of(fields)


def cosine_reading(figure: str, sweep: str, x: float) -> Reading | None:
    """Return a published mean |cos(r_n, û_n)|, None where none was read off.

    û is u of `theory.perturbation_direction` with Φ by Monte Carlo, 1000 draws.  To second order in the error
    this lowers a cosine by the share E‖e‖²/(2‖u‖²), e the part of û − u across u: 1e-5 for MSG, 4e-4 (draws
    shared by all pairs of samples) to 1e-3 (draws of each pair) for G, measured at N = d = 400 in
    ``tests/test_empirics/test_campaigns``.  All readings have errors of .006 and more, so that nothing is
    corrected.

    Parameters
    ----------
    figure : str
        Of the block, `Part.figure`; may be empty.
    sweep : str
    x : float
    """
    name = f"{COSINE_FIGURES.get(figure, '')} {sweep}"
    return readings().get(("cossim", name, float(x), "cosine_similarity"))
