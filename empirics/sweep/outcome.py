"""What one configuration of a sweep came to: a record, or the reason why there is none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A record or an error.

    Raises
    ------
    ValueError, TypeError
        On construction, unless there is exactly one of them, and every value of the record is one of JSON's.
    """

    record: Mapping[str, Any] | None = None  # name to value, at any depth; NaN means unknown
    error: str | None = None  # one line, the same whenever the same thing goes wrong

    def __post_init__(self) -> None:
        if (self.record is None) == (self.error is None):
            msg = (
                f"outcome must have a record or an error, got {'neither' if self.record is None else 'both'}"
            )
            raise ValueError(msg)
        _plain(self.record, "record")

    @classmethod
    def failed(cls, error: BaseException) -> "Outcome":
        """Return the outcome of an exception: its type and the first line of its text."""
        first = next(iter(str(error).splitlines()), "")
        return cls(error=f"{type(error).__name__}: {first}" if first else type(error).__name__)

    def to_json(self) -> dict[str, Any]:
        """Return record and error as JSON can hold them.

        NaN is unknown, so null; JSON has no infinity, but text that every language reads as one.
        """
        return {"record": _plain(self.record, "record"), "error": self.error}

    @classmethod
    def from_json(cls, made: Mapping[str, Any]) -> "Outcome":
        """Return what `to_json` wrote, with null and text for what is not finite."""
        return cls(record=made["record"], error=made["error"])


def _plain(value: Any, name: str) -> Any:  # noqa: ANN401  (whatever a record holds)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, (list, tuple)):
        return [_plain(item, name) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                msg = f"record must have names that are text, got {key!r}"
                raise TypeError(msg)
        return {key: _plain(item, key) for key, item in value.items()}
    if value is not None and not isinstance(value, (str, int, float, bool)):
        msg = f"record must hold plain values, got {type(value).__name__} for {name!r}"
        raise TypeError(msg)
    return value
