"""How long g must be trained: agreement over its time, predicted without training and measured along it."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from empirics.measure.times import NO_LAW, AtTime
from empirics.record import Number
from reports import svg
from reports._matplotlib import Axes
from reports.claim_text import numbers_of
from reports.claims.laziness import lazy
from reports.inline import rich
from reports.judging import CONFIDENCE, SEEDS, judge_mean, together
from reports.numbers import records
from reports.page import Block, say, table
from reports.results import Section
from reports.statistics import summarise
from reports.text import count, many, number, percent
from reports.verdicts import FALSE_ALARM, Claim

EVIDENCE, TITLE = "times", "How long, how much"
MARGIN = 0.05  # expected difference that is excluded where the claim holds


def claims(section: Section) -> Iterator[Claim]:
    """Judge the predicted agreement at every time of g that was looked at."""
    columns = _over_seeds(section)
    looked = _looked(columns)
    if not looked:
        return
    met, hypothesis = lazy(section, "f", "g")
    gaps = [[_gap(one) for one in column] for column in looked]
    judged = [
        judge_mean(
            gap,
            low=-MARGIN,
            high=MARGIN,
            tests=len(gaps),
            least_sd=math.sqrt(_chance(column) / section.num_test),
            what=f"a mean of measured − predicted at T_g = {number(column[0].T_g)}",
        )
        for gap, column in zip(gaps, looked, strict=True)
    ]
    means = [summarise(gap).mean for gap in gaps]
    known = [mean for mean in means if mean is not None]
    first, last = looked[0], looked[-1]
    yield Claim(
        key="agreement-over-time",
        statement="How agreement grows with the training time of g is predicted without training",
        formula=r"P(\operatorname{sgn} f = \operatorname{sgn} g)(T_f, T_g)",
        source="derived here",
        hypothesis=hypothesis,
        predicted=_from_to(first, last, "predicted"),
        measured=f"{_from_to(first, last, 'measured')}; mean differences "
        + (f"{number(min(known))} to {number(max(known))}" if known else "not known"),
        samples=f"{len(first)} seeds × {section.num_test} fresh points at {len(looked)} times, m = "
        f"{count(section.widths[-1])}",
        rule=f"t intervals of measured − predicted over {SEEDS}; holds if all lie inside ±{MARGIN:g} "
        f"({CONFIDENCE}), fails if one lies outside (false alarm {FALSE_ALARM:g}, shared by the times)",
        numbers=numbers_of(summarise(gaps[-1])),
        **together(*judged).given(met),
    )


def _over_seeds(section: Section) -> list[tuple[AtTime, ...]]:
    """Return what there is of each time, over the seeds of the largest width."""
    runs = [run.over_times for run in section.runs if run.width == section.widths[-1]]
    return list(zip(*runs, strict=True)) if len({len(run) for run in runs}) == 1 else []


def _looked(columns: Sequence[tuple[AtTime, ...]]) -> list[tuple[AtTime, ...]]:
    """Return the times at which some seed was measured."""
    return [column for column in columns if any(one.measured is not None for one in column)]


def untrained(section: Section) -> Number:
    """Return the agreement that g would have in the end with an f never trained; None if it is not known."""
    looked = _looked(_over_seeds(section))
    return summarise([one.untrained for one in looked[-1]]).mean if looked else None


def _gap(one: AtTime) -> Number:
    return None if one.measured is None or one.predicted is None else one.measured - one.predicted


def _chance(column: Sequence[AtTime]) -> float:
    """Return the mean of p(1 − p), at the p that is nearest to 1/2 of all that the claim allows."""
    known = [one.predicted or 0.0 for one in column]
    allowed = [min(max(0.5, p - MARGIN), p + MARGIN) for p in known]
    return sum(p * (1 - p) for p in allowed) / len(allowed)


def _from_to(first: Sequence[AtTime], last: Sequence[AtTime], name: str) -> str:
    ends = (summarise([getattr(one, name) for one in column]).mean for column in (first, last))
    return " to ".join(map(number, ends)) + f" at T_g = {number(first[0].T_g)} to {number(last[0].T_g)}"


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield what is proved of (c), agreement over the time of g, and the times that mean agreements need."""
    columns = _over_seeds(section)
    yield from _signs(section)
    if not columns:
        yield say(NO_LAW)
        return

    def draw(axes: Axes) -> None:
        timed = [column for column in columns if column[0].T_g is not None]
        times = np.array([column[0].T_g for column in timed], float)
        for name, color, label in (
            ("predicted", svg.F, "predicted, nothing trained"),
            ("untrained", svg.THIRD, "with an f that was never trained"),
        ):
            values = np.array([[getattr(one, name) for one in column] for column in timed], float)
            middle, deviation = values.mean(axis=1), values.std(axis=1)
            axes.fill_between(
                times, middle - deviation, middle + deviation, color=color, alpha=0.2, linewidth=0
            )
            axes.plot(times, middle, color=color, label=label)
        axes.axhline(_limit(columns), color=svg.F, linestyle=":", label="limit, T_g → ∞")
        looked = _looked(timed)
        found = np.array([[one.measured for one in column] for column in looked], float)
        axes.errorbar(
            np.array([column[0].T_g for column in looked], float),
            found.mean(axis=1),
            yerr=found.std(axis=1, ddof=1) if found.shape[1] > 1 else None,
            fmt="o",
            color=svg.G,
            label="measured",
        )
        svg.log_x(axes)
        axes.set(xlabel="training time of g, T_g", ylabel="share of fresh points", ylim=(0.45, 1.02))
        axes.legend(fontsize=9, loc="lower right")

    alt = "Agreement of f and g against the training time of g, predicted and measured, with its limit"
    caption = rich(
        """Share of fresh points where *f* and *g* agree, *f* trained for T~f~ = {}. Bands and bars: one
        standard deviation over seeds. Agreement has to be read against that with an *f* that was never
        trained, since its perturbations carry its own initial gradient.""",
        number(section.setting.T_f),
    )
    rows = [
        {"seed": seed, "T_g": one.T_g, "measured": one.measured, "predicted": one.predicted}
        | {"untrained": one.untrained}
        for column in columns
        for seed, one in zip(section.seeds, column, strict=True)
    ]
    yield svg.figure(draw, key, "over-time", alt, caption, records(rows))
    if section.needed:
        columns_ = {
            "mean agreement": lambda row: f"{number(100 * row.share)} %",
            rich("T~g~ at T~f~ = {}", number(section.setting.T_f)): lambda row: _time(row.T_g),
            rich("T~f~ = T~g~"): lambda row: _time(row.both),
            "in words": lambda row: row.said,
        }
        yield say("Smallest times by the law, for the data and targets of seed {}:", str(section.seeds[0]))
        yield table(section.needed, columns_, name="needed")


def _signs(section: Section) -> Iterator[Block]:
    """Yield the share of points where condition (c) is proved."""
    if (found := section.signs) is not None and found.points:
        yield say(
            """Condition (c), sgn f̂ = sgn ĝ, is proved at {} of {}, refuted at {}, and proved by the weights
            of the samples alone at {}, for the perturbations of seed {}.""",
            percent(found.equal / found.points),
            many(found.points, "fresh point"),
            percent(found.opposite / found.points),
            percent(found.by_weights / found.points),
            str(section.seeds[0]),
        )


def _limit(columns: Sequence[Sequence[AtTime]]) -> float:
    """Return the mean over seeds of the last column, which has no time: that of T_g → ∞."""
    return float(np.mean(np.array([one.predicted for one in columns[-1]], float)))


def _time(T: Number) -> str:
    return "none" if T is None else number(T)
