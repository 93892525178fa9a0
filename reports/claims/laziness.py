"""The hypothesis of claims about wide networks: training is lazy, which few free neurons show."""

import math

from empirics.record import Number
from reports import text
from reports.judging import Judgement, judge_mean, unmeasured
from reports.results import Section
from reports.statistics import Summary, floors, rates
from reports.verdicts import all_finite, all_rows_finite

# A width counts as lazy while the expected free share, averaged over test points, is at most this.
LAZY_FREE_SHARE = 0.3
# Part of the error at the largest width that need not fall like m^(−1/2): coarse, as the error of f scatters
# by about a half from seed to seed.  The claim says which slope that is over its widths.
FLOOR = 0.5


def lazy_widths(section: Section, network: str) -> list[int] | None:
    """Return the lazy widths, or None if a share is not known."""
    shares = [row[network].free_predicted.mean for row in section.by_width]
    if not all_finite(shares):
        return None
    return [width for width, share in zip(section.widths, shares, strict=True) if share <= LAZY_FREE_SHARE]


def lazy(section: Section, *networks: str) -> tuple[bool | None, str]:
    """Identity loss, and few free neurons at the largest width."""
    widest = section.by_width[-1]
    identity = section.setting.loss == "identity"
    shares = [widest[network].free_predicted.mean for network in networks]
    listed = ", ".join(f"{name} {text.number(share)}" for name, share in zip(networks, shares, strict=True))
    met = identity and max(shares) <= LAZY_FREE_SHARE if all_finite(shares) else None
    return met, (
        f"identity loss ({'yes' if identity else 'no'}); lazy at m = {widest.width:,}: expected free "
        f"share ≤ {LAZY_FREE_SHARE} ({listed})"
    )


def over_a_decade(widths: list[int]) -> bool:
    """Return whether there are three widths over a decade or more."""
    return len(widths) >= 3 and widths[-1] / widths[0] >= 10


def falls(widths: list[int], errors: list[list[Number]]) -> tuple[Summary[float] | None, Judgement]:
    """Return the slope of an error, and whether it falls like m^(−1/2) with no part that stays."""
    if not all_rows_finite(errors):
        return None, unmeasured()
    ratio = widths[-1] / widths[0]
    slope = -math.log(FLOOR + (1 - FLOOR) * math.sqrt(ratio)) / math.log(ratio)
    judged = judge_mean(
        floors(widths, errors),
        high=FLOOR,
        what=f"a part of the error at m = {widths[-1]:,} that does not fall like 1/√m (a slope of "
        f"{text.number(slope)})",
    )
    return rates(widths, errors), judged
