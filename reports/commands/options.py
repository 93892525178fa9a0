"""What options of several commands have in common."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from reports.terminal import Show

# What a command returns: it does the work, shows how much is done, and returns what to print.
Run = Callable[[Show], str]

Format = Literal["html", "json", "md", "pdf"]
Standardise = Literal["scalar-mean", "none", "center", "zscore", "ball"]
# An option with one or more values, which may be given again for more.
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=(1, None), allow_repeating=True)]
Folders = Annotated[tuple[Path, ...], Parameter(consume_multiple=(1, None))]
# A,B, where A may begin with a minus.
Classes = Annotated[str, Parameter(allow_leading_hyphen=True)]
# Of a table in a file.
Header = Annotated[
    Literal["yes", "no"] | None,
    Parameter(help="Whether the first row of a table is a header (default: if it has no number)."),
]
Label = Annotated[
    str | None, Parameter(help="Column of the label: its name, or its number from 1 (default: the last).")
]
Decimal = Annotated[
    Literal["point", "comma"] | None,
    Parameter(help="Decimal mark of numbers in text (default: what one of them shows)."),
]


@dataclass(frozen=True, kw_only=True)
class Files:
    """Options of data in a table."""

    header: Header = None
    label: Label = None
    index: Annotated[
        str | None, Parameter(help="Column of a table that numbers or names its rows, and is no feature.")
    ] = None
    drop_missing: Annotated[bool, Parameter(help="Leave out rows of a table that lack a value.")] = False
    decimal: Decimal = None

    @property
    def asked(self) -> dict[str, str | bool]:
        """The options that were given, as those of a source of data."""
        names = [field.name for field in fields(Files)]
        return {name: value for name in names if (value := getattr(self, name)) not in (None, False)}


# The command as it was typed, from `reports.cli`.
Typed = Annotated[str, Parameter(parse=False)]
