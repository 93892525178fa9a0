"""The three values of a verdict, and many verdicts as one array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class Verdict(StrEnum):
    """Three values; an evaluation that cannot be trusted is *unknown*, never *holds*."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


class Verdicts(np.ndarray[Any, np.dtype[np.object_]]):
    """Verdicts of one enum, one a point: an array that shows how many there are of each.

    Examples
    --------
    >>> Verdicts.of([Verdict.HOLDS, Verdict.UNKNOWN, Verdict.HOLDS])
    <3 verdicts: 2 holds, 1 unknown>
    """

    @classmethod
    def of(cls, values: Iterable[StrEnum]) -> Verdicts:
        """Return the array of these verdicts, shape (Q,)."""
        members = list(values)
        array = np.empty(len(members), dtype=object)
        array[:] = members
        return array.view(cls)

    @classmethod
    def decided(cls, holds: ArrayLike, fails: ArrayLike) -> Verdicts:
        """Return *holds* where it does, *fails* where it does that, and *unknown* elsewhere."""
        places = np.where(holds, 0, np.where(fails, 1, 2))
        made = np.empty(places.shape, dtype=object)
        for place, value in np.ndenumerate(places):
            made[place] = tuple(Verdict)[value]
        return made.view(cls)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:  # noqa: ANN401
        """Return what operations give, such as a comparison, as a plain array."""
        return np.asarray(array)[()] if return_scalar else np.asarray(array)

    def __repr__(self) -> str:
        counts = Counter(str(verdict) for verdict in self.flat)
        many = "verdict" if self.size == 1 else "verdicts"
        return f"<{self.size} {many}: {', '.join(f'{n} {name}' for name, n in counts.most_common())}>"

    __str__ = __repr__
