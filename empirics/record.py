"""What measurements are: frozen structures, which JSON holds with null for a number that is not known."""

from collections.abc import Sequence, Sized
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import structs

Name = Literal["f", "g"]  # of a network
NAMES: tuple[Name, ...] = ("f", "g")
Number = int | float | None  # None once it was written: a NaN, an infinity, what does not apply
Count = Annotated[int, msgspec.Meta(ge=0)]
Counts = dict[str, Count]
T_co = TypeVar("T_co", covariant=True)


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured, or follows from it."""


R = TypeVar("R", bound=Record)


class ByNetwork(Record, Generic[T_co], frozen=True):
    """What has a part of f and one of g."""

    def __getitem__(self, network: str) -> T_co:
        """Return that of one network: "f" or "g"."""
        part: T_co = getattr(self, network)
        return part


class OfBoth(ByNetwork[T_co], Generic[T_co], frozen=True):
    """What there is of f and of g."""

    f: T_co
    g: T_co


def added(records: Sequence[R]) -> R:
    """Add up all that are counts; what is none, the records have in common."""
    first = structs.asdict(records[0])
    counts = {name for name, value in first.items() if isinstance(value, int)}
    return structs.replace(
        records[0], **{name: sum(getattr(one, name) for one in records) for name in counts}
    )


def same_length(**lists: Sized | None) -> None:
    """Refuse lists that differ in length; None is none."""
    lengths = {name: len(items) for name, items in lists.items() if items is not None}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        msg = f"must have lists of one length, got {shown}"
        raise ValueError(msg)
