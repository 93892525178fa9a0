"""Two reports side by side: settings that differ, verdicts that changed, and what changed beyond its spread.

Each quantity that a run measures is compared at each width that both reports have.  Where seeds are shared
they are paired (Student's t of the differences), where none is, the means are compared by Welch's t; the
error probability is shared equally by all tests.  Pure functions of results.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from msgspec import to_builtins
from scipy import stats

from empirics.measure.runs import Run
from empirics.record import Number, Record
from reports.claims import theorem
from reports.numbers import picked
from reports.results import Results, Section
from reports.statistics import summarise
from reports.verdicts import Claim
from theory.validation import Array, check_probability

COMPARE_VERSION = 2
# That any quantity is called changed where none is, over all tests of a comparison.
ERROR_PROBABILITY = 0.01
# Deviations below this share of the numbers are rounding, no spread.
_ROUNDING = 1e-12
# Not quantities: what a run is, and a p-value, which is judged by its claim.
_LEFT_OUT = frozenset({"width", "seed", "conditions", "free_pvalue"})
Outcome = Literal["equal", "within", "beyond", "unknown"]
_BESIDE: dict[Outcome, int] = {"beyond": 0, "within": 0, "equal": 0, "unknown": 0}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One quantity of two reports.

    Attributes
    ----------
    kind : {"paired", "independent"} or None
    n : pair of int or None
        Numbers of seeds compared.
    difference : float or None
        Mean of B minus mean of A over these.
    error, df : float
        Its standard error, and degrees of freedom.
    p : float or None
        Two-sided; None where nothing is tested.
    outcome : {"equal", "unknown"} or None
        None where p decides.
    reason : str or None
        Where it is unknown.
    """

    kind: Literal["paired", "independent"] | None = None
    n: tuple[int, int] | None = None
    difference: float | None = None
    error: float = math.nan
    df: float = math.nan
    p: float | None = None
    outcome: Outcome | None = "unknown"
    reason: str | None = None

    def interval(self, level: float) -> tuple[float | None, float | None]:
        """Return the interval of the difference that fails with probability `level`."""
        reach = float(stats.t.isf(level / 2, self.df)) * self.error
        if self.difference is None or not math.isfinite(reach):
            return None, None
        return self.difference - reach, self.difference + reach


class Known(Record, frozen=True):
    """Mean and spread over the seeds that have a value."""

    mean: Number
    sd: Number
    n: int


class Row(Record, frozen=True):
    """A quantity at a width: "equal" (every number is), "within" its spread, "beyond" it, or "unknown"."""

    quantity: str
    widths: tuple[int, int]
    a: Known
    b: Known
    low: float | None
    high: float | None
    kind: str | None
    n: tuple[int, int] | None
    difference: float | None
    p: float | None
    outcome: Outcome
    reason: str | None


class Fixed(Record, frozen=True):
    """A number without a spread that differs."""

    quantity: str
    a: float | None
    b: float | None


class Paired(Record, frozen=True):
    """Two data sets side by side."""

    names: tuple[str, str]
    same_data: bool  # source, options and sizes
    widths: list[tuple[int, int]]
    common: bool
    seeds: tuple[list[int], list[int]]
    rows: list[Row]
    fixed: list[Fixed]
    theorem: tuple[str, str]  # what the published theorem says there

    @property
    def label(self) -> str:
        """The names of both."""
        return _label(*self.names)


class Differing(Record, frozen=True):
    """A setting that differs, of a data set or of the whole report."""

    section: str | None
    name: str
    a: Any
    b: Any


class Judged(Record, frozen=True):
    """What a report says of a claim."""

    verdict: str | None
    predicted: str
    measured: str


class Changed(Record, frozen=True):
    """A claim whose verdict changed; None where a report does not make it."""

    section: str | None
    key: str
    statement: str
    a: Judged | None
    b: Judged | None


class Comparison(Record, frozen=True):
    """Two reports side by side.

    Attributes
    ----------
    rows, tested : int
        Over all sections.
    level : float or None
        Error probability of each row.
    sections : list of Paired
        Paired by name; two reports of one data set each are paired in any case.
    alone : pair of list of str
        Names of data sets that only one has.
    """

    compare_version: int
    names: tuple[str, str]
    partial: tuple[bool, bool]
    error_probability: float
    rows: int
    tested: int
    level: float | None
    counts: dict[Outcome, int]
    verdicts: list[Changed]
    settings: list[Differing]
    sections: list[Paired]
    alone: tuple[list[str], list[str]]

    @property
    def apart(self) -> list[str]:
        """What is compared though the data differ, and data that one report alone has, a line each."""
        lines = []
        for one, other in (section.names for section in self.sections if not section.same_data):
            where = f"A on {one}, B on {other}" if one != other else f"{one} of other sources or options"
            lines.append(f"Different data: {where}. Numbers may differ for that reason.")
        for side, names in zip("AB", self.alone, strict=True):
            lines += [f"Only in {side}: {name}." for name in names]
        return lines


Json = dict[str, Any]
_Draft = tuple[str, tuple[int, int], Known, Known, Difference]


def compare(
    a: Results,
    b: Results,
    *,
    names: tuple[str, str] = ("A", "B"),
    error_probability: float = ERROR_PROBABILITY,
) -> Comparison:
    """Return the comparison of two reports.

    Parameters
    ----------
    a, b : Results
    names : pair of str
        What they are called.
    error_probability : float in (0, 1)
        Bounds the chance that any row is "beyond" although all means are equal, as far as means over seeds
        are normal: Student's and Welch's t are exact and nearly exact there, approximate elsewhere.
        Shared equally by all rows (Bonferroni), which may depend on each other.

    Returns
    -------
    Comparison
        A row is "unknown" where a number is missing, there are fewer than two seeds, one seed alone is
        shared, or a difference has no spread.

    Raises
    ------
    ValueError, TypeError
        If `error_probability` is not one.
    """
    check_probability("error_probability", error_probability)
    pairs = _pairs(a, b)
    drafts = [list(_rows(one, other)) for one, other in pairs]
    number = sum(map(len, drafts))
    # Every row counts, tested or not: which can be tested is a matter of chance.
    level = error_probability / number if number else math.nan
    sections = [
        _section(one, other, [_row(*draft, level) for draft in own])
        for (one, other), own in zip(pairs, drafts, strict=True)
    ]
    rows = [row for section in sections for row in section.rows]
    taken = zip(*((one.name, other.name) for one, other in pairs), strict=True) if pairs else ((), ())
    first, second = (
        [section.name for section in results.sections if section.name not in names_taken]
        for results, names_taken in zip((a, b), taken, strict=True)
    )
    return Comparison(
        compare_version=COMPARE_VERSION,
        names=names,
        partial=(a.partial is not None, b.partial is not None),
        error_probability=error_probability,
        rows=number,
        tested=sum(row.p is not None for row in rows),
        level=level if number else None,
        counts=_BESIDE | Counter(row.outcome for row in rows),
        verdicts=_verdicts(a, b, pairs),
        settings=_settings(a, b, pairs),
        sections=sections,
        alone=(first, second),
    )


def difference(a: Mapping[int, float | None], b: Mapping[int, float | None]) -> Difference:
    """Compare one quantity of two reports, by its values by seed; None where a run has none."""
    shared = [seed for seed in a if seed in b]
    if len(shared) == 1 and not len(a) == len(b) == 1:
        return Difference(reason="one seed in common: neither paired nor independent")
    first, second = [a[seed] for seed in (shared or a)], [b[seed] for seed in (shared or b)]
    found = Difference(kind="paired" if shared else "independent", n=(len(first), len(second)))
    if any(value is None or not math.isfinite(value) for value in (*first, *second)):
        return replace(found, reason="a number is missing")
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        gap = float(y.mean() - x.mean())
        error, df = _paired(x, y) if shared else _welch(x, y)
    found = replace(found, difference=gap if math.isfinite(gap) else None)
    if np.array_equal(x, y) if shared else np.ptp([*x, *y]) == 0:
        return replace(found, outcome="equal")
    reason = None
    if min(len(x), len(y)) < 2:
        reason = "fewer than two seeds"
    elif not (math.isfinite(gap) and math.isfinite(error)):
        reason = "overflow"
    elif error <= _ROUNDING * max(np.abs(x).max(), np.abs(y).max()) or not df >= 1:
        reason = "the difference has no spread"
    if reason is not None:
        return replace(found, reason=reason)
    p = float(2 * stats.t.sf(abs(gap) / error, df))
    return replace(found, error=error, df=df, p=p, outcome=None)


def _paired(x: Array, y: Array) -> tuple[float, float]:
    """Return standard error and degrees of freedom of the mean difference of pairs."""
    if len(x) < 2:
        return math.nan, math.nan
    return float((y - x).std(ddof=1)) / math.sqrt(len(x)), float(len(x) - 1)


def _welch(x: Array, y: Array) -> tuple[float, float]:
    """Return standard error and Welch's degrees of freedom of the difference of two means."""
    if min(len(x), len(y)) < 2:
        return math.nan, math.nan
    parts = [float(values.var(ddof=1)) / len(values) for values in (x, y)]
    below = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (x, y), strict=True))
    return math.sqrt(sum(parts)), sum(parts) ** 2 / below if below > 0 else math.nan


# Which parts belong together ------------------------------------------------------------------------


def _pairs(a: Results, b: Results) -> list[tuple[Section, Section]]:
    if len(a.sections) == len(b.sections) == 1:
        return [(a.sections[0], b.sections[0])]
    others = {section.name: section for section in b.sections}
    return [(section, others[section.name]) for section in a.sections if section.name in others]


def _label(one: str, other: str) -> str:
    """Return the name of a pair of data sets, of other data both names."""
    return " and ".join(dict.fromkeys((one, other)))


def _section(one: Section, other: Section, rows: list[Row]) -> Paired:
    return Paired(
        names=(one.name, other.name),
        same_data=_about(one) == _about(other),
        widths=_widths(one, other),
        common=bool({*one.widths} & {*other.widths}),
        seeds=(one.seeds, other.seeds),
        rows=rows,
        fixed=_fixed(one, other),
        theorem=(theorem.in_words(one), theorem.in_words(other)),
    )


def _about(section: Section) -> tuple[Any, ...]:
    sizes = section.setting.N, section.setting.dim, section.num_test
    return section.config.data, section.classes, section.preparation, sizes


def _widths(one: Section, other: Section) -> list[tuple[int, int]]:
    """Return the widths that both have; those of the widest networks if there are none."""
    common = [(width, width) for width in one.widths if width in other.widths]
    return common or [(one.widths[-1], other.widths[-1])]


def _rows(one: Section, other: Section) -> Iterator[_Draft]:
    for widths in _widths(one, other):
        tables = [
            {run.seed: _quantities(run) for run in section.runs if run.width == width}
            for section, width in zip((one, other), widths, strict=True)
        ]
        for name in dict.fromkeys(name for table in tables for run in table.values() for name in run):
            a, b = ({seed: run.get(name) for seed, run in table.items()} for table in tables)
            # Else it was measured in one report alone, or in none.
            if all(any(value is not None for value in column.values()) for column in (a, b)):
                yield name, widths, _summary(a), _summary(b), difference(a, b)


def _row(name: str, widths: tuple[int, int], a: Known, b: Known, found: Difference, level: float) -> Row:
    low, high, outcome = None, None, found.outcome
    if found.p is not None:
        low, high = found.interval(level)
        outcome = "beyond" if found.p <= level else "within"
    return Row(
        quantity=name,
        widths=widths,
        a=a,
        b=b,
        low=low,
        high=high,
        outcome=outcome or "unknown",
        **picked(found, "kind", "n", "difference", "p", "reason"),
    )


def _summary(column: Mapping[int, float | None]) -> Known:
    known = [value for value in column.values() if value is not None]
    with np.errstate(over="ignore", invalid="ignore"):
        summary = summarise(known)
    mean, sd = (value if math.isfinite(value) else None for value in (summary.mean, summary.sd))
    return Known(mean=mean, sd=sd, n=summary.n)


def _quantities(run: Run) -> dict[str, float | None]:
    """Return every number of a run by its path, and the errors relative to the size of what is predicted."""
    numbers = dict(_numbers(to_builtins(run), ""))
    for network in ("f", "g"):
        numbers[f"{network}.relative_error"] = run.relative_error(network)
    return numbers


def _numbers(
    value: Mapping[str, Any], prefix: str, points: int | None = None
) -> Iterator[tuple[str, float | None]]:
    """Yield numbers by path; counts among `points` as shares, which another test set has too."""
    points = value.get("points", points)
    for name, item in value.items():
        if name in _LEFT_OUT:
            continue
        if isinstance(item, Mapping):
            yield from _numbers(item, f"{prefix}{name}.", points)
        elif item is None or (isinstance(item, (int, float)) and not isinstance(item, bool)):
            if item is None or points is None:
                yield f"{prefix}{name}", item
            elif name != "points":
                yield f"{prefix}{name}, share of points", item / points


# What has no spread ---------------------------------------------------------------------------------


def _fixed(one: Section, other: Section) -> list[Fixed]:
    """Return the numbers of a section that are computed once, from the data, and differ."""
    a, b = _computed(one), _computed(other)
    return [Fixed(name, a[name], b[name]) for name in a if name in b and a[name] != b[name]]


def _computed(section: Section) -> dict[str, float | None]:
    bounds, proof = section.width_bounds, section.certificates
    flat = {"largest norm/√d": section.largest_norm, "published width": bounds.published}
    for row in bounds.rows:
        for name in ("from_data_median", "from_data_largest", "from_norms"):
            flat[f"width bound, {row.network}, {name.replace('_', ' ')}"] = getattr(row, name)
    for network, kinds in proof.required.items():
        for kind, widths in kinds.items():
            for share, width in zip(proof.shares_wanted, widths, strict=False):
                flat[f"width that certifies {100 * share:g} %, {network}, {kind}"] = width
    return flat


def _settings(a: Results, b: Results, pairs: Sequence[tuple[Section, Section]]) -> list[Differing]:
    """Return what was asked for, and by which versions, where it differs."""
    places: list[tuple[str | None, Json, Json]] = [(None, _origin(a), _origin(b))]
    places += [(_label(one.name, other.name), _asked(one), _asked(other)) for one, other in pairs]
    return [row for place, one, other in places for row in _differing("", one, other, place)]


def _origin(results: Results) -> Json:
    origin = picked(results.provenance, "command", "revision", "versions")
    return origin | {"machine": to_builtins(results.provenance.machine)} | picked(results, "schema_version")


def _asked(section: Section) -> Json:
    told = picked(section, "name", "classes", "preparation", "num_test", "widths", "seeds")
    setting: Json = to_builtins(section.setting)
    # What is in both is resolved in the setting.
    config: Json = to_builtins(section.config)
    return told | setting | config | setting


def _differing(name: str, one: Any, other: Any, section: str | None) -> list[Differing]:  # noqa: ANN401
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = dict.fromkeys([*one, *other])
        return [
            row
            for key in keys
            for row in _differing(f"{name}.{key}".lstrip("."), one.get(key), other.get(key), section)
        ]
    return [] if one == other else [Differing(section, name, one, other)]


def _verdicts(a: Results, b: Results, pairs: Sequence[tuple[Section, Section]]) -> list[Changed]:
    """Return the claims whose verdict changed; one that a report does not make has none there."""
    rows = []
    for places in [(None, None), *((one.name, other.name) for one, other in pairs)]:
        one, other = (
            {claim.key: claim for claim in results.claims if claim.section == place}
            for results, place in zip((a, b), places, strict=True)
        )
        for key, known in (one | other | one).items():
            before, after = one.get(key), other.get(key)
            if before is None or after is None or before.verdict != after.verdict:
                label = known.section and _label(*filter(None, places))
                rows.append(Changed(label, key, known.statement, _judged(before), _judged(after)))
    return rows


def _judged(claim: Claim | None) -> Judged | None:
    return None if claim is None else Judged(claim.verdict, claim.predicted, claim.measured)
