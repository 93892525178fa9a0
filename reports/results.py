"""What a report has found: every number that it shows, in one frozen structure that is its results.json.

What was measured is of the types of those who measure it; here is what a report makes of them.  What is not
known (a NaN, an infinity, a quantity that does not apply) is None, null in JSON.
"""

from collections.abc import Sequence
from typing import Any, Literal

from empirics.measure.certified import Beside, Certificates, Certified, WidthBounds
from empirics.measure.conditions import ConditionCounts, ConditionRow
from empirics.measure.drift import Displacements, Drift
from empirics.measure.result import Agreement, Cosines, Measures
from empirics.measure.runs import Diagnosis, Run
from empirics.measure.simulated import Scan
from empirics.measure.times import Needed, Signs
from empirics.record import ByNetwork, Count, Number, OfBoth, Record
from reports.choice import Choice, Feasible
from reports.drawings import Images, Map, Scatter
from reports.phi_check import PhiCheck
from reports.prior_work import PriorWork
from reports.provenance import Origin
from reports.statistics import Summary, summarise
from reports.text import legible
from reports.verdicts import Claim

SCHEMA_VERSION: Literal[7] = 7

OverSeeds = Summary[Number]


class Means(Measures[OverSeeds], frozen=True, kw_only=True):
    """Means over seeds, and that of the error relative to the size of what is predicted."""

    relative_error: OverSeeds


class AtWidth(ByNetwork[Means], frozen=True, kw_only=True):
    """Means over the seeds of one width."""

    width: Count
    f: Means
    g: Means
    cosines: Cosines[OverSeeds]
    agreement: Agreement[OverSeeds]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "AtWidth":
        """Return means and spreads over seeds of every number measured at one width."""
        f, g = (summarise([run.relative_error(network) for run in runs]) for network in ("f", "g"))
        return cls(
            width=runs[0].width,
            f=Means(**_over_seeds([run.f for run in runs]), relative_error=f),
            g=Means(**_over_seeds([run.g for run in runs]), relative_error=g),
            cosines=Cosines(**_over_seeds([run.cosines for run in runs])),
            agreement=Agreement(**_over_seeds([run.agreement for run in runs])),
        )


def _over_seeds(records: Sequence[Record]) -> dict[str, OverSeeds]:
    names = records[0].__struct_fields__
    return {name: summarise([getattr(record, name) for record in records]) for name in names}


class Setting(Record, frozen=True):
    """As `theory.Setting`, without the width."""

    dim: Count
    N: Count
    negative_slope: float
    epsilon: float
    T_f: float
    T_g: float
    scenario: str
    loss: str


class Config(Record, frozen=True):
    """As `empirics.ExperimentConfig`, without width and seed."""

    data: dict[str, Any]
    negative_slope: float
    loss: str
    scenario: str
    epsilon: float | None
    T_f: float
    T_g: float
    solver: str
    num_steps: Count
    num_steps_g: Count | None
    momentum: float
    targets: str
    precision: str

    def __post_init__(self) -> None:
        if not isinstance(self.data.get("source"), str):
            msg = f"data must have a source that is a text, got {self.data.get('source')!r}"
            raise ValueError(msg)


class Applied(Record, frozen=True):
    """Which of what was chosen these experiments have."""

    T_f: bool
    T_g: bool
    epsilon: bool
    widths: bool


class ChoiceUsed(Choice, frozen=True, kw_only=True):
    """What was chosen, which of it these experiments have, and the shares that `reports.choice` asks for."""

    applied: Applied
    shares: dict[str, float]


class Simulated(Scan, frozen=True, kw_only=True):
    """Certificates by simulation, over the seeds; `scan` of the first."""

    width: Count
    num_neurons: Count
    seeds: list[Count]
    delta: float
    totals: dict[str, Certified]
    failure: OfBoth[Number]
    misled: Number
    sign_match: OfBoth[dict[str, OverSeeds]]
    error: OfBoth[dict[str, OverSeeds]]


class Drawn(Record, frozen=True, kw_only=True):
    """What a section shows of its widest networks of the first seed."""

    name: str
    classes: tuple[str, str]
    preparation: str
    num_test: Count
    largest_norm: Number
    setting: Setting
    width_bounds: WidthBounds
    scatter: OfBoth[Scatter]
    certificates: Certificates
    beside: Beside
    map: Map | None
    images: Images | None
    prior_work: PriorWork
    feasibility: list[Feasible]
    needed: tuple[Needed, ...] = ()
    signs: Signs | None = None


class Section(Drawn, frozen=True, kw_only=True):
    """All that was found on one data set."""

    config: Config
    widths: list[Count]
    seeds: list[Count]
    runs: list[Run]
    by_width: list[AtWidth]
    condition_rows: list[ConditionRow]
    condition_totals: list[ConditionCounts]
    diagnosis: Diagnosis
    drift: list[Drift]
    choice: ChoiceUsed | None
    simulated: Simulated | None

    def __post_init__(self) -> None:
        grid = [(width, seed) for width in self.widths for seed in self.seeds]
        if not grid:
            msg = "must have widths and seeds, got none"
            raise ValueError(msg)
        runs = [(run.width, run.seed) for run in self.runs]
        if runs != grid:
            missing = [pair for pair in grid if pair not in runs]
            got = f"{len(runs)}, without {missing[0]}" if missing else f"{len(runs)} in another order"
            msg = f"runs must be one for each width and seed ({len(grid)}), got {got}"
            raise ValueError(msg)
        if [row.width for row in self.by_width] != self.widths:
            msg = f"by_width must be one row for each width, got {[row.width for row in self.by_width]}"
            raise ValueError(msg)

    def moved(self, network: str) -> list[tuple[Drift, Displacements]]:
        """Return the displacements of one network, at the widths where it was trained."""
        return [(row, found) for row in self.drift if (found := row[network]) is not None]


class Trend(Record, frozen=True):
    """What the published conditions say of what is held fixed, and the command that varies it."""

    over: str
    says: str
    command: str


class PartialSection(Record, frozen=True):
    """How much of a data set is in a partial report."""

    name: str
    widths: list[Count]
    planned_widths: list[Count]
    seeds: list[Count]
    planned_seeds: list[Count]


class Partial(Record, frozen=True):
    """What a report that was interrupted says of itself."""

    done: Count
    planned: Count
    sections: list[PartialSection]
    missing: list[str]


class Provenance(Origin, frozen=True):
    """How the report was made."""

    seconds: float


class Results(Record, frozen=True):
    """The results of a report."""

    schema_version: Literal[7]
    provenance: Provenance
    phi: PhiCheck
    sections: list[Section]
    trends: list[Trend]
    claims: tuple[Claim, ...] = ()
    partial: Partial | None = None

    def __post_init__(self) -> None:
        names = [section.name for section in self.sections]
        if not names or len(set(map(legible, names))) < len(names):
            msg = f"sections must have names that differ, at least one, got {names}"
            raise ValueError(msg)
        for claim in self.claims:
            if claim.section is not None and claim.section not in names:
                msg = f"claims must have the name of a section or null, got {claim.section!r}"
                raise ValueError(msg)
