"""Numbers of claims as text: what several claims say in one way."""

from msgspec.structs import asdict

from empirics.measure.runs import Run
from empirics.record import Number
from reports import text
from reports.results import Section
from reports.statistics import Summary

# Seeds that agree to this much differ by rounding alone.
_ROUNDING = 1e-11


def spread(summary: Summary[Number]) -> str:
    """Return mean ± standard deviation over seeds; a deviation that is rounding alone is 0."""
    return text.spread(summary.mean, summary.sd)


def interval(summary: Summary[float] | None) -> str:
    """Return a mean with its interval over seeds; a dash where there is none."""
    if summary is None:
        return text.DASH
    mean, low, high = summary.mean, summary.low, summary.high
    if high - low < _ROUNDING:  # of shares, cosines and slopes
        mean, low, high = (round(value, 9) for value in (mean, low, high))
    return text.interval(mean, low, high)


def numbers_of(summary: Summary[float] | None) -> dict[str, float | None]:
    """Return what `interval` rounds, for `Claim.numbers`."""
    return {} if summary is None else asdict(summary)


def listed(widths: list[int] | None) -> str:
    """Return widths one after the other."""
    if widths is None:
        return "not known"
    return "none" if not widths else ", ".join(f"{width:,}" for width in widths)


def by_seed(section: Section, widths: list[int] | None = None) -> list[list[Run]]:
    """Return the runs of each seed, small widths first; only those of some widths if given."""
    return [
        [run for run in section.runs if run.seed == seed and (widths is None or run.width in widths)]
        for seed in section.seeds
    ]
