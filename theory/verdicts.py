"""The three values of a verdict."""

from enum import StrEnum


class Verdict(StrEnum):
    """Three values; an evaluation that cannot be trusted is *unknown*, never *holds*."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"
