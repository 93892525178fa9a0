"""What options of several commands have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from reports.terminal import Show

# What a command returns: it does the work, shows how much is done, and returns what to print.
Run = Callable[[Show], str]

Format = Literal["html", "json", "md", "pdf"]
Header = Literal["yes", "no"]
Standardise = Literal["scalar-mean", "none", "center", "zscore"]
# An option with one or more values, which may be given again for more.
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=(1, None), allow_repeating=True)]
Folders = Annotated[tuple[Path, ...], Parameter(consume_multiple=(1, None))]
# A,B, where A may begin with a minus.
Classes = Annotated[str, Parameter(allow_leading_hyphen=True)]
# The command as it was typed, from `reports.cli`.
Typed = Annotated[str, Parameter(parse=False)]
