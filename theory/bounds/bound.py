"""The result type of every bound: a value and the named terms that add up to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Bound:
    """A sum of named terms.

    Attributes
    ----------
    terms : mapping of str to float
        What adds up to the bound, so that a reader sees which term dominates.
    """

    terms: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", MappingProxyType(dict(self.terms)))

    @property
    def value(self) -> float:
        """The sum of the terms."""
        return float(sum(self.terms.values()))
