"""What several claims about nearly orthogonal samples need: runs, points, and judgements of runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Self

import msgspec
from scipy import stats

from empirics.campaigns.orthogonal import Part
from empirics.orthogonal import OrthogonalConfig
from empirics.orthogonal.examination import Counts, Examination, Known
from reports import text
from reports.judging import CONFIDENCE, Judgement, judge_share, seeds_without_violation
from reports.runs import Panel, Point, Provenance, Row, Totals
from reports.statistics import Spread, Within, mean, spread_of
from reports.text import many
from reports.verdicts import Claim, Source

LEVEL = 0.99  # share of test points from which on signs are called equal
ENOUGH = 100  # test points from which on a share below that is called one
PERCENT = f"{LEVEL:.0%}".replace("%", " %")
# Expected share of a seed's networks or runs that violate a claim, excluded where it holds: nine seeds can.
VIOLATION = 0.3
ENOUGH_SEEDS = seeds_without_violation(VIOLATION)
NOTHING = Judgement(None, "nothing to decide: the hypothesis is not met")
_RARE = 1e-6  # chance at which exceptions are too many all the same


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says of f or of g, a network or its limit, see `empirics.orthogonal.run_orthogonal`."""

    orthogonal: Known | None = None
    orthogonal_rows: Known | None = None
    multipliers: Known | None = None
    converged: bool | None = None  # None where it was not trained
    signs: float | None = None
    points: int = 0
    firm: int = 0
    stationarity: float | None = None
    slackness: float | None = None

    @property
    def ends(self) -> Literal["agree", "elsewhere", "undecided"] | None:
        """Whether its signs are those of the limit; None where no sign is predicted.

        Firm exceptions are those that the tolerance of training does not explain; others count as equal.  Of
        fewer than `ENOUGH` points a share of at least `LEVEL` allows no exception.  There exceptions are
        "undecided" unless as many have a probability below 1e-6 in a network whose share is `LEVEL`.
        """
        if self.signs is None:
            return None
        if self.signs >= LEVEL:
            return "agree"
        few = self.points < ENOUGH and stats.binom.sf(self.firm - 1, self.points, 1 - LEVEL) >= _RARE
        return "undecided" if self.firm <= (1 - LEVEL) * self.points or few else "elsewhere"


class OrthogonalRow(Row, frozen=True, kw_only=True):
    """A run; columns that end in _f and _g are those of its networks."""

    f: Network
    g: Network
    attack_cosine: float | None = None
    attack_least: float | None = None
    kink_bound: float | None = None
    attack_bound: float | None = None

    @classmethod
    def read(cls, line: Mapping[str, object]) -> Self:
        """Return the row of a line; `msgspec.ValidationError` if it is none."""
        known = {column: value for column, value in line.items() if value not in (None, "inf", "-inf")}
        networks = {
            name: {column[:-2]: value for column, value in known.items() if column[-2:] == f"_{name}"}
            for name in ("f", "g")
        }
        return super().read({**known, **networks})


class Run(NamedTuple):
    """A configuration and its row, None where it has no result: what holds of all has to bear that."""

    config: OrthogonalConfig
    row: OrthogonalRow | None


class OrthogonalPoint(Point, frozen=True, kw_only=True):
    """One point of a series."""

    sweep: str
    series: str
    config: OrthogonalConfig  # of the first seed; the others differ in the seed alone
    verdicts: dict[str, Counts]  # by condition and network
    converged: dict[str, tuple[int, int]]  # by network: how many, of how many that were trained


class OrthogonalPanel(Panel[OrthogonalPoint], frozen=True, kw_only=True):
    """Series of points, and how many published values lie in our ranges, by series."""

    series: tuple[str, ...]
    published: dict[str, Within]

    def of(self, series: str) -> list[OrthogonalPoint]:
        """Return the points of a series by x."""
        return sorted((p for p in self.points if p.series == series), key=lambda point: point.x)


class Networks(msgspec.Struct, frozen=True, kw_only=True):
    """The trained networks where a condition has a verdict, see `reports.claims.orthogonal.signs`."""

    condition: str
    verdict: Known
    trained: int
    converged: int
    agree: int
    elsewhere: int
    undecided: int
    few: int  # with fewer than `ENOUGH` points
    shares: tuple[float, ...]  # of equal signs, where known, of those that converged
    outcomes: tuple[tuple[int, bool | None], ...]  # seed, whether one agrees; None where that is not known


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of `perturblearn orthogonal` shows, which are its numbers."""

    schema_version: int
    title: str
    part: Part
    provenance: Provenance
    totals: Totals
    panels: tuple[OrthogonalPanel, ...]
    networks: tuple[Networks, ...]
    examination: Examination | None
    claims: tuple[Claim, ...] = ()

    def of(self, series: str) -> list[OrthogonalPoint]:
        """Return the points of a series, those of equal experiments once."""
        return distinct(point for panel in self.panels for point in panel.points if point.series == series)


def distinct(points: Iterable[OrthogonalPoint]) -> list[OrthogonalPoint]:
    """Return points with different experiments behind them: the base of several sweeps counts once."""
    return list({point.config: point for point in list(points)[::-1]}.values())[::-1]


def claim(
    statement: str,
    source: Source,
    rule: str,
    predicted: str,
    measured: str,
    met: bool | None,
    found: Judgement,
    **numbers: float | None,
) -> Claim:
    """Return a row of the table of claims."""
    return Claim(
        statement=statement,
        source=source,
        rule=rule,
        predicted=predicted,
        measured=measured,
        numbers=numbers,
        **(NOTHING if met is False else found).given(met),
    )


def proved(outcome: Known) -> Judgement:
    """Return what a computation with rounding errors has decided: nothing is drawn, so nothing is missed."""
    known = {"holds": (True, "proved"), "fails": (False, "its opposite is proved")}
    return Judgement(*known.get(outcome, (None, "not decided: neither it nor its opposite is proved")))


def judge_runs(outcomes: Iterable[tuple[int, bool | None]], what: str) -> Judgement:
    """Judge that no run violates a claim, by the share of each seed.

    Parameters
    ----------
    outcomes : iterable of (int, bool or None)
        Seed of a run, and whether it meets the claim; None where that is not known.
    what : str
        The share in words.
    """
    seeds: dict[int, list[bool | None]] = {}
    for seed, met in outcomes:
        seeds.setdefault(seed, []).append(met)
    return judge_share(
        [found.count(False) / len(found) for found in seeds.values()],
        allowed=0.0,
        violation=VIOLATION,
        what=what,
        doubtful=[(len(found) - found.count(True)) / len(found) for found in seeds.values()],
    )


def by_seed(cell: Spread, seeds: int) -> list[float | None]:
    """Return the value of each seed, None where it has none."""
    return [cell.values.get(seed) for seed in range(seeds)]


def over(values: Sequence[float | None]) -> str:
    """Return mean, deviation and number of one value a seed as words."""
    known = [value for value in values if value is not None]
    shown = text.number(mean(known)) if len(known) < 2 else text.spread(mean(known), spread_of(known))
    return f"{shown} over {many(len(known), 'seed')}"


def unknown(panel: OrthogonalPanel, name: str) -> bool:
    """Return whether no point has a value, and there is nothing to draw."""
    return all(point.metrics[name].mean is None for point in panel.points)


def of_converged(pair: tuple[int, int]) -> str:
    """Return how many of the trained networks converged."""
    return f"{pair[0]} of {pair[1]}" if pair[1] else text.DASH


def of_holding(point: OrthogonalPoint, column: str) -> str:
    """Return in how many runs of a point a verdict holds."""
    return f"{point.verdicts[column]['holds']} of {point.totals.done}"


def of_runs(point: OrthogonalPoint) -> str:
    """Return how many runs of a point are done, and what became of the others."""
    totals = point.totals
    made = f"{totals.done}, {totals.failed} failed" if totals.failed else f"{totals.done}"
    return f"{made}, {totals.missing} missing" if totals.missing else made


def runs_rule(what: str) -> str:
    """Return how `judge_runs` comes to *holds*."""
    return (
        f"holds if at {CONFIDENCE} an expected share of {VIOLATION:g} of {what} is excluded, runs without a "
        "result, an unknown value or a converged f counted as such; "
        f"{ENOUGH_SEEDS} seeds without one are enough"
    )
