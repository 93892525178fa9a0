"""How often f and g agree: as predicted, and more often at larger widths."""

import math

import numpy as np

from reports.claim_text import by_seed, interval, listed, numbers_of, spread
from reports.claims.laziness import lazy
from reports.judging import CONFIDENCE, SEEDS, judge_mean, unmeasured
from reports.results import Section
from reports.statistics import summarise
from reports.verdicts import FALSE_ALARM, Claim, all_rows_finite, verdict

AGREEMENT_MARGIN = 0.03
# Widths of the published experiments, whose agreement rises with the width.
_PUBLISHED_WIDTHS = (1, 1_000)


def agreement(section: Section) -> Claim:
    """Judge the predicted share of points where f and g agree by the measured one."""
    met, hypothesis = lazy(section, "f", "g")
    widest = section.widths[-1]
    runs = [run.agreement for run in section.runs if run.width == widest]
    record = section.by_width[-1].agreement
    pairs = [(run.measured, run.predicted) for run in runs]
    gap, judged = None, unmeasured()
    if all_rows_finite(pairs):
        gaps = [measured - predicted for measured, predicted in pairs]
        # No smaller than the deviation of independent points, √(p(1 − p)/Q), at the p that is nearest to 1/2
        # of all that the claim allows: points of a seed agree or differ together, and a few that all agree
        # where this is predicted to be certain do not exclude that some would not.
        allowed = [min(max(0.5, p - AGREEMENT_MARGIN), p + AGREEMENT_MARGIN) for _, p in pairs]
        chance = sum(p * (1 - p) for p in allowed) / len(pairs)
        gap, judged = (
            summarise(gaps),
            judge_mean(
                gaps,
                low=-AGREEMENT_MARGIN,
                high=AGREEMENT_MARGIN,
                least_sd=math.sqrt(chance / section.num_test),
                what="a mean of measured − predicted",
            ),
        )
    return Claim(
        key="agreement",
        evidence="agreement",
        section=section.name,
        statement=(
            "How often f and g agree is predicted without training anything, from the chance that T g_b "
            "outweighs the initial g"
        ),
        formula=r"P(\operatorname{sgn} g = \operatorname{sgn} f) = F(T_g g_b \operatorname{sgn} f / \sigma)",
        source="derived here",
        hypothesis=hypothesis,
        met=met,
        predicted=spread(record.predicted),
        measured=f"{spread(record.measured)}; difference {interval(gap)}",
        samples=f"{len(runs)} seeds × {section.num_test} fresh points at m = {widest:,}",
        rule=(
            f"t interval of measured − predicted over {SEEDS}; holds inside "
            f"±{AGREEMENT_MARGIN} ({CONFIDENCE}), fails outside (false alarm {FALSE_ALARM:g})"
        ),
        verdict=verdict(met, judged.holds),
        decision=judged.decision,
        numbers=numbers_of(gap),
    )


def width_trend(section: Section) -> Claim:
    """Judge the slope of agreement against log₁₀ m, seed by seed, over the widths of the published range."""
    low, high = _PUBLISHED_WIDTHS
    widths = [width for width in section.widths if low <= width <= high]
    met = len(widths) >= 3
    chosen = widths if met else section.widths
    slope, judged = None, unmeasured()
    if len(chosen) >= 2:
        rows = [[run.agreement.measured for run in runs] for runs in by_seed(section, chosen)]
        if all_rows_finite(rows):
            decades = [math.log10(width) for width in chosen]
            slopes = np.polyfit(decades, np.transpose(rows), 1)[0].tolist()
            slope, judged = summarise(slopes), judge_mean(slopes, low=0.0, what="a mean slope")
    first, last = (_mean_agreement(section, width) for width in (chosen[0], chosen[-1]))
    return Claim(
        key="trend-width",
        evidence="agreement",
        section=section.name,
        statement="Agreement rises with the width",
        formula=r"\frac{d}{d \log_{10} m} P(\operatorname{sgn} f = \operatorname{sgn} g) > 0",
        source="published",
        hypothesis=f"three widths in the published range, {low} to {high:,}: {listed(widths)}",
        met=met,
        predicted="slope above 0",
        measured=(
            f"slope {interval(slope)} a decade: {first} at m = {chosen[0]:,}, {last} at m = {chosen[-1]:,}"
        ),
        samples=f"{len(section.seeds)} seeds × {section.num_test} points at {len(chosen)} widths",
        rule=f"t interval of the slope over {SEEDS}; holds above 0 ({CONFIDENCE}), "
        f"fails below (false alarm {FALSE_ALARM:g})",
        verdict=verdict(met, judged.holds),
        decision=judged.decision,
        numbers=numbers_of(slope),
    )


def _mean_agreement(section: Section, width: int) -> str:
    (row,) = [row for row in section.by_width if row.width == width]
    return spread(row.agreement.measured)
