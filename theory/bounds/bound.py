"""The result type of every bound: named terms that add up to it, what they assume and what they risk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from theory.tables import Tabular

Value = float | NDArray[np.float64]


@dataclass(frozen=True)
class Assumption:
    """A hypothesis of a theorem, and whether it holds here.

    Attributes
    ----------
    statement : str
        What is assumed.
    holds : bool or None
        None where it cannot be seen from the arguments and is the caller's to know.
    """

    statement: str
    holds: bool | None


@dataclass(frozen=True, eq=False)
class Bound(Tabular):
    """A sum of named terms.

    Attributes
    ----------
    terms : mapping of str to float or array, shape (Q,)
        What adds up to the bound, so that a reader sees which term dominates.  NaN bounds nothing and
        becomes ∞.
    delta : float
        The probability that the bound is exceeded, at one point, is at most this; 0: never.
    assumptions : tuple of Assumption
    """

    terms: Mapping[str, Value] = field(default_factory=dict)
    delta: float = 0.0
    assumptions: tuple[Assumption, ...] = ()

    def __post_init__(self) -> None:
        known = {name: _known(value) for name, value in self.terms.items()}
        object.__setattr__(self, "terms", MappingProxyType(known))

    @property
    def value(self) -> Value:
        """The sum of the terms; infinite where an assumption is known to fail."""
        with np.errstate(over="ignore"):  # a sum beyond every float is ∞
            total = sum(self.terms.values(), start=np.zeros(()))
        if any(assumption.holds is False for assumption in self.assumptions):
            total = np.full_like(total, np.inf)
        return float(total) if np.ndim(total) == 0 else np.asarray(total)

    def _columns(self) -> Mapping[str, Value]:
        return {**self.terms, "bound": self.value}


def _known(value: Value) -> Value:
    bounded = np.where(np.isnan(value), np.inf, value)
    return float(bounded) if bounded.ndim == 0 else bounded
