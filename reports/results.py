"""What a report has found: every number that it shows, in one frozen structure that is its results.json.

What is not known (a NaN, an infinity, a quantity that does not apply) is None, null in JSON.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from reports.text import legible
from reports.verdicts import Claim

SCHEMA_VERSION: Literal[7] = 7

Number = int | float | None
Count = Annotated[int, msgspec.Meta(ge=0)]
Counts = dict[str, Count]
_T = TypeVar("_T")


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of the results."""


def _same_length(**lists: list[Any] | None) -> None:
    lengths = {name: len(items) for name, items in lists.items() if items is not None}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        msg = f"must have lists of one length, got {shown}"
        raise ValueError(msg)


class ByNetwork(Record, Generic[_T], frozen=True):
    """What has a part of f and one of g."""

    def __getitem__(self, network: str) -> _T:
        """Return that of one network: "f" or "g"."""
        part: _T = getattr(self, network)
        return part


class OfBoth(ByNetwork[_T], Generic[_T], frozen=True):
    """What there is of f and of g."""

    f: _T
    g: _T


# Φ, and where the report comes from ------------------------------------------------------------------


class Machine(Record, frozen=True):
    """What ran it."""

    system: str
    threads: Count
    device: str


class Origin(Record, frozen=True):
    """What something was made by."""

    command: str
    versions: dict[str, str | None]
    revision: str | None
    machine: Machine


class Provenance(Origin, frozen=True):
    """How the report was made."""

    seconds: float


class Curve(Record, frozen=True):
    """Φ over ρ at one slope."""

    negative_slope: float
    rho: list[float]
    closed_form: list[float]

    def __post_init__(self) -> None:
        _same_length(rho=self.rho, closed_form=self.closed_form)


class Step(Record, frozen=True):
    """A step of a derivation, and whether computer algebra carried it out."""

    statement: str
    latex: str
    holds: bool


class Quadrature(Record, frozen=True):
    """Φ at one ρ and slope."""

    rho: float
    negative_slope: float
    closed_form: float
    quadrature: float


class MonteCarlo(Record, frozen=True):
    """Φ of pairs of points, exact and sampled."""

    negative_slope: float
    num_draws: Count
    exact: list[float]
    mean: list[float]
    standard_error: list[float]
    largest_deviation: float | None

    def __post_init__(self) -> None:
        _same_length(exact=self.exact, mean=self.mean, standard_error=self.standard_error)


class PhiCheck(Record, frozen=True):
    """What `reports.phi_check` found."""

    curves: list[Curve]
    routes: dict[str, list[Step]]
    quadrature: list[Quadrature]
    largest_difference: float | None
    monte_carlo: MonteCarlo


# What was measured on networks --------------------------------------------------------------------------


class Measures(Record, Generic[_T], frozen=True):
    """As `empirics.experiment.NetworkMeasurement`: of one network, or over seeds."""

    accuracy_train: _T
    accuracy_test: _T
    error: _T
    scale: _T
    sign_match: _T
    published_sign_match: _T
    mean_tau: _T
    free_predicted: _T
    free_measured: _T
    free_pvalue: _T
    flipped: _T
    flipped_not_free: _T


class Cosines(Record, Generic[_T], frozen=True):
    """As `empirics.experiment.Cosines`."""

    perturbation_paper: _T
    perturbation_gradient: _T
    perturbation_given_initial: _T
    trained_paper: _T
    trained_gradient: _T
    between: _T


class Agreement(Record, Generic[_T], frozen=True):
    """As `empirics.experiment.Agreement`."""

    measured: _T
    predicted: _T
    predicted_given_f: _T


class Spread(Record, frozen=True):
    """Mean and standard deviation over seeds; None for what is not known."""

    mean: Number
    sd: Number


class Summary(Spread, frozen=True):
    """As `reports.statistics.Summary`."""

    low: Number
    high: Number
    n: Count


class Means(Measures[Summary], frozen=True):
    """Means over seeds, and that of the error relative to the size of what is predicted."""

    relative_error: Summary


class Conditions(Record, frozen=True):
    """As `empirics.experiment.ConditionCounts`."""

    label_noise: str
    width: str
    threshold_a: Number
    threshold_b: Number
    a: Count
    b: Count
    c: Count
    a_agree: Count
    b_agree: Count
    c_agree: Count
    met_agree: Count
    met_differ: Count
    unmet_agree: Count
    unmet_differ: Count


class Certified(Record, frozen=True):
    """Points whose sign, or agreement, is certified, and those where that is wrong."""

    points: Count
    f: Count
    f_wrong: Count
    g: Count
    g_wrong: Count
    both: Count
    both_wrong: Count


class Examined(Record, frozen=True):
    """Why signs differ where they do, counted by cause and by condition."""

    points: Count
    differ: Count
    causes: Counts
    enough: Counts
    unmet: Counts


class SimulatedRun(Record, frozen=True):
    """Networks of one seed beside simulations of their neurons."""

    counts: dict[str, Certified]
    sign_match: OfBoth[dict[str, Number]]
    error: OfBoth[dict[str, Number]]
    failure: OfBoth[Number]
    misled: Number


class Run(ByNetwork[Measures[Number]], frozen=True):
    """One pair of networks."""

    width: Count
    seed: Count
    f: Measures[Number]
    g: Measures[Number]
    cosines: Cosines[Number]
    agreement: Agreement[Number]
    conditions: list[Conditions]
    zero_gradients: Count
    certificates: dict[str, Certified]
    diagnosis: Examined
    simulated: SimulatedRun | None = None


class AtWidth(ByNetwork[Means], frozen=True):
    """Means over the seeds of one width."""

    width: Count
    f: Means
    g: Means
    cosines: Cosines[Summary]
    agreement: Agreement[Summary]


# What is summed up, or drawn of single networks -----------------------------------------------------------


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


class NetworkWidths(Record, frozen=True):
    """Widths from which the expected free share of a network is small enough."""

    network: str
    from_data_median: Number
    from_data_largest: Number
    from_norms: Number


class WidthBounds(Record, frozen=True):
    """For a free share, beside the published width."""

    free_share: float
    rows: list[NetworkWidths]
    published: Number


class Scatter(Record, frozen=True):
    """Velocities at the test points."""

    width: Count
    seed: Count
    predicted: list[Number]
    measured: list[Number]

    def __post_init__(self) -> None:
        _same_length(predicted=self.predicted, measured=self.measured)


class Certificates(Record, frozen=True):
    """Certified shares over width, and the widths that certify a share."""

    delta: float
    shares_wanted: list[float]
    widths: list[Count]
    shares: dict[str, dict[str, list[Number]]]
    required: dict[str, dict[str, list[Number]]]
    terms: dict[str, list[Number]]
    median_prediction: Number
    published_width: Number


class Thresholds(Record, frozen=True):
    """Published and our thresholds of one network."""

    published: Number
    met: Number
    size: Number
    ours: dict[str, Number]
    factors: dict[str, Number]
    proved: dict[str, Number]


class Widths(Record, frozen=True):
    """The published width and ours."""

    published: Number
    ours: dict[str, list[Number]]
    factors: dict[str, list[Number]]


class Beside(Record, frozen=True):
    """The published form beside ours."""

    width: Count
    wide: Count
    networks: OfBoth[Thresholds]
    widths: Widths


class Map(Record, frozen=True):
    """Signs of both networks, and of what is predicted, on a plane."""

    width: Count
    seed: Count
    ticks: list[float]
    f: list[Number]
    g: list[Number]
    f_hat: list[Number]
    g_hat: list[Number]
    f_b: list[Number]
    g_b: list[Number]
    data: list[tuple[Number, Number]]
    labels: list[int]
    certified: list[Count] | None
    certified_width: Number

    def __post_init__(self) -> None:
        _same_length(f=self.f, g=self.g, f_hat=self.f_hat, g_hat=self.g_hat, f_b=self.f_b, g_b=self.g_b)
        _same_length(f=self.f, certified=self.certified)
        _same_length(data=self.data, labels=self.labels)
        if len(self.f) != len(self.ticks) ** 2:
            msg = f"f must have {len(self.ticks) ** 2} entries, got {len(self.f)}"
            raise ValueError(msg)


class Images(Record, frozen=True):
    """Training images, their perturbations and both predicted directions."""

    width: Count
    seed: Count
    side: Count
    classes: list[str]
    pictures: dict[str, list[list[float]]]
    cosines: dict[str, list[Number]]


class PriorRow(Record, frozen=True):
    """One hypothesis of both theories."""

    aspect: str
    wide: str
    wide_verdict: str
    orthogonal: str
    orthogonal_verdict: str
    label: str


class Orthogonality(Record, frozen=True):
    """Norms and inner products beside the published condition."""

    R_min: Number
    R_max: Number
    p_max: Number
    ratio: Number
    best_ratio: Number
    best_verdict: str


class PriorRatios(Record, frozen=True):
    """How far the hypotheses of both theories are from being met."""

    width: Number
    published_width: Number
    negative_slope: float
    samples: Orthogonality | None
    inputs_of_g: Orthogonality | None
    most_samples: Count


class PriorVerdicts(Record, frozen=True):
    """Of each theory as a whole."""

    wide: str
    orthogonal: str


class PriorWork(Record, frozen=True):
    """Which of both theories applies."""

    width: Count
    rows: list[PriorRow]
    ratios: PriorRatios
    verdicts: PriorVerdicts


class Feasible(Record, frozen=True):
    """A hypothesis, and whether these data meet it."""

    hypothesis: str
    asked: str
    here: str
    met: bool | None
    remedy: str
    reachable: bool


class DiagnosisAtWidth(Record, frozen=True):
    """The counts of all seeds of one width, and medians of |term| / |signal|."""

    width: Count
    points: Count
    differ: Count
    causes: Counts
    enough: Counts
    unmet: Counts
    sizes: dict[str, Number]


class FailedRun(Record, frozen=True):
    """A run whose networks hardly agree."""

    width: Count
    seed: Count
    agreement: Number
    cause: str
    share: Number
    unmet: list[str]


class Diagnosis(Record, frozen=True):
    """Why f and g differ where they do."""

    failed_below: float
    causes: list[str]
    terms: list[str]
    by_width: list[DiagnosisAtWidth]
    failed: list[FailedRun]


class Displacements(Record, frozen=True):
    """Counts of neurons by how far they moved, in units of the bound."""

    measured: list[Count]
    crossed: list[Count]
    predicted: list[Count] | None
    outside: Count
    blind: Number
    largest: Number
    difference: Number


class Drift(ByNetwork[Displacements | None], frozen=True):
    """Displacements in one pair of networks."""

    width: Count
    seed: Count
    points: Count
    edges: list[float]
    f: Displacements | None
    g: Displacements | None

    def __post_init__(self) -> None:
        for network, counted in (("f", self.f), ("g", self.g)):
            for name in ("measured", "crossed", "predicted") if counted is not None else ():
                counts = getattr(counted, name)
                if counts is not None and len(counts) != len(self.edges) - 1:
                    msg = (
                        f"{network} must have one count a bin, got {len(counts)} for {len(self.edges)} edges"
                    )
                    raise ValueError(msg)


class Applied(Record, frozen=True):
    """Which of what was chosen these experiments have."""

    T_f: bool
    T_g: bool
    epsilon: bool
    widths: bool


class Choice(Record, frozen=True):
    """As `reports.choice.Choice`, with what was made of it."""

    T_f: float
    T_g: float
    epsilon: float | None
    widths: list[Count]
    width_wanted: Number
    width_cap: Count
    times_lowered: bool
    initial_share_f: Number
    initial_share_g: Number
    free_share: Number
    applied: Applied
    shares: dict[str, float]


class Scanned(Record, frozen=True):
    """Shares that are certified by simulation at one width."""

    width: Count
    f: Number
    g: Number
    both: Number


class Simulated(Record, frozen=True):
    """Certificates by simulation, over the seeds."""

    num_points: Count
    scan: list[Scanned]
    width: Count
    num_neurons: Count
    seeds: list[Count]
    delta: float
    totals: dict[str, Certified]
    failure: OfBoth[Number]
    misled: Number
    sign_match: OfBoth[dict[str, Summary]]
    error: OfBoth[dict[str, Summary]]


class ConditionRow(Record, frozen=True):
    """One condition crossed with agreement."""

    name: str
    threshold: Number
    holds_agree: Count
    holds_differ: Count
    fails_agree: Count
    fails_differ: Count


class Section(Record, frozen=True):
    """All that was found on one data set."""

    name: str
    classes: tuple[str, str]
    preparation: str
    num_test: Count
    largest_norm: Number
    setting: Setting
    config: Config
    widths: list[Count]
    seeds: list[Count]
    runs: list[Run]
    by_width: list[AtWidth]
    condition_rows: list[ConditionRow]
    condition_totals: list[Conditions]
    width_bounds: WidthBounds
    scatter: OfBoth[Scatter]
    certificates: Certificates
    beside: Beside
    map: Map | None
    images: Images | None
    prior_work: PriorWork
    feasibility: list[Feasible]
    diagnosis: Diagnosis
    drift: list[Drift]
    choice: Choice | None
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


class Results(Record, frozen=True):
    """The results of a report."""

    schema_version: Literal[7]
    provenance: Provenance
    phi: PhiCheck
    sections: list[Section]
    trends: list[Trend]
    claims: list[Claim] = []
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
