"""What claims about sweeps are made of: runs, points, and what is compared with them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from empirics.campaigns.wide import Part
from empirics.config import ExperimentConfig
from empirics.data import DataSource
from empirics.sweep import Experiment
from empirics.wide import WIDE
from reports import svg
from reports.runs import Panel, Point, Provenance, Row, Totals, whole_seeds
from reports.statistics import Comparison, Spread, Within
from reports.verdicts import Claim, Outcome, Source

# Key in the results, name on the page, colour, marker.
SERIES = (
    ("acc_f", "accuracy of f", svg.F, "o"),
    ("acc_g", "accuracy of g", svg.G, "s"),
    ("agreement", "agreement", svg.THIRD, "^"),
)


@dataclass(frozen=True)
class Runs:
    """The rows of a sweep by configuration."""

    rows: Mapping[str, Row]  # by hash
    experiment: Experiment[Any] = WIDE
    names: dict[ExperimentConfig, str] = field(default_factory=dict)
    contents: dict[DataSource, str] = field(default_factory=dict)

    def name(self, config: ExperimentConfig) -> str:
        """Return the hash of a configuration."""
        if config not in self.names:
            self.names[config] = self.experiment.hash(config, self.contents)
        return self.names[config]

    def row(self, config: ExperimentConfig) -> Row | None:
        """Return what the tables say of a configuration, None if they lack it."""
        return self.rows.get(self.name(config))


class WidePoint(Point, frozen=True, kw_only=True, omit_defaults=True):
    """One point of a sweep; its metrics are `empirics.campaigns.wide.METRICS`."""

    cosines: dict[str, Spread]  # those of `empirics.campaigns.wide.COSINES`
    predicted: dict[str, float | None]  # by metric: mean over seeds
    predicted_by: dict[str, str | None]  # the column
    regime: dict[str, float | None]  # by column: mean over runs
    deep: dict[str, Spread] = msgspec.field(default_factory=dict)  # by column, of any architecture
    law: dict[str, Spread] = msgspec.field(default_factory=dict)  # of a study: agreement over times


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """For each complete seed the first x from which on agreement stays at a level; None if there is none."""

    level: float
    seeds: dict[int, float | None]
    incomplete: int


class WidePanel(Panel[WidePoint], frozen=True, kw_only=True):
    """Points of a sweep, and in a study where agreement is reached."""

    reach: Reach | None = None


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """How many published values lie within the range of our seeds.

    Cosines are counted by themselves: those with u and, though that is not what was published, with ∇f_b;
    the difference is our mean less the published value, in the mean over points.
    """

    all: Within
    by_metric: dict[str, Within]
    by_sweep: dict[str, Within]
    cosines: dict[str, Within]
    cosine_difference: dict[str, float | None]


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """The trend of a metric along a sweep, see `reports.claims.sweeps.trends`."""

    sweep: str
    series: str
    basis: str | None  # why it is expected to rise; None for the accuracy of g
    published_correlation: float | None  # Spearman's, of the values read off
    published_n: int
    correlations: dict[int, float]  # of each seed that has a value everywhere
    incomplete: int
    fixed_data: bool  # seeds vary the networks and targets only
    verdict: Outcome = "unknown"
    decision: str = ""


class Prediction(Comparison, frozen=True, kw_only=True):
    """How well a quantity of some runs is predicted, of all and of each seed by itself."""

    name: str
    trained: bool = False  # whether a network is trained for the prediction
    seeds: dict[int, tuple[float | None, float | None]] = msgspec.field(
        default_factory=dict
    )  # correlation, error
    verdict: Outcome | None = None
    decision: str = ""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Predicted against measured, of some runs."""

    runs: str
    total: int
    predictions: tuple[Prediction, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A published block, a study, or the rest of a plan."""

    title: str
    part: Part | None = None
    question: str = ""
    stand_in: str = ""
    images: dict[str, bool] = msgspec.field(default_factory=dict)  # whether they are the published files
    panels: tuple[WidePanel, ...]
    panels_left_out: int = 0
    published: Published | None = None
    trends: tuple[Trend, ...] = ()
    explained: tuple[Explained, ...] = ()
    criterion: Explained | None = None  # judged predictors of the accuracy of g, those without training first

    @property
    def study(self) -> bool:
        """Whether it is a study."""
        return self.part is not None and self.part.kind == "study"

    @property
    def foreign(self) -> list[str]:
        """The sets of images that are not the published files, beside which nothing is compared."""
        return [name for name, same in self.images.items() if not same]

    @property
    def shown(self) -> Explained:
        """Which set is drawn and claimed: the first with a prediction, else the first."""
        found = (one for one in self.explained if any(row.n for row in one.predictions))
        return next(found, self.explained[0])


class SweepResults(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a sweep shows, which are its numbers."""

    schema_version: int
    provenance: Provenance
    totals: Totals
    sections: tuple[Section, ...]
    claims: tuple[Claim, ...] = ()


def in_pairs(point: WidePoint, column: str) -> list[tuple[float, float] | None]:
    """Return predicted and measured agreement of each seed at a point, None for a seed that lacks one."""
    cells = [point.deep[column], point.deep["agreement_test"]]
    whole, some = whole_seeds(cells)
    lost: list[None] = [None] * (len(some) - len(whole) + point.totals.failed + point.totals.missing)
    return [(cells[0].values[seed], cells[1].values[seed]) for seed in whole] + lost


def differences(point: WidePoint, column: str) -> list[float | None]:
    """Return predicted less measured agreement of each seed at a point, None for a seed that lacks one."""
    return [None if pair is None else pair[0] - pair[1] for pair in in_pairs(point, column)]


def flipped(point: WidePoint) -> float:
    """Return the larger share of flipped neurons, of f and g; ∞ where it is not known, or none is trained."""
    shares = [point.regime.get(f"flipped_{one}") for one in "fg"]
    return max(math.inf if share is None else share for share in shares)


def sampling_noise(point: WidePoint) -> float:
    """Return the deviation of the share of independent test points that agree: seeds can agree exactly."""
    share, count = (point.deep[name].mean or 0.0 for name in ("agreement_test", "num_test"))
    return math.sqrt(max(share * (1 - share), 1 / count) / count)


def stated(source: Source, statement: str, measured: str, rule: str, predicted: str = "") -> Claim:
    """Return a claim that states numbers and judges nothing."""
    return Claim(
        source=source, verdict=None, statement=statement, measured=measured, rule=rule, predicted=predicted
    )
