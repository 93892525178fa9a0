"""Reports: every symbolic prediction beside its measurement, with a verdict.

Names are imported when they are first asked for, so that the command can be interrupted from its start on
and says in one line what is not installed.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_NEEDS = (
    *(
        "cyclopts",
        "jinja2",
        "latex2mathml",
        "markupsafe",
        "matplotlib",
        "msgspec",
        "numba",
        "pandas",
        "pooch",
    ),
    *("requests", "rich", "sklearn", "torch"),
)


def missing() -> str:
    """Return what is missing of the extra and how it is installed; empty if nothing is."""
    names = ", ".join(name for name in _NEEDS if find_spec(name) is None)
    return names and f"reports needs {names}: pip install '.[reports]' in the source folder"


TYPE_CHECKING = False  # that of `typing`, which takes longer to import than all of this
if TYPE_CHECKING:
    from reports.ask import report
    from reports.choice import choose
    from reports.claims import claims
    from reports.document import Report, build
    from reports.presets import PRESETS, Series, series, source
    from reports.provenance import provenance
    from reports.render import render
    from reports.results import SCHEMA_VERSION, Choice
    from reports.schema import SchemaError
    from reports.verdicts import Claim

__all__ = [
    "PRESETS",
    "SCHEMA_VERSION",
    "Choice",
    "Claim",
    "Report",
    "SchemaError",
    "Series",
    "build",
    "choose",
    "claims",
    "provenance",
    "render",
    "report",
    "series",
    "source",
]

_PLACES = {
    name: module
    for module, names in {
        "results": ("SCHEMA_VERSION", "Choice"),
        "ask": ("report",),
        "choice": ("choose",),
        "claims": ("claims",),
        "presets": ("PRESETS", "Series", "series", "source"),
        "provenance": ("provenance",),
        "render": ("render",),
        "document": ("Report", "build"),
        "schema": ("SchemaError",),
        "verdicts": ("Claim",),
    }.items()
    for name in names
}


class _Package(ModuleType):
    """A package in which some functions have the names of modules: `reports.render` is the function."""

    def __getattr__(self, name: str) -> object:
        if name not in _PLACES:
            msg = f"module {self.__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        if said := missing():
            raise ImportError(said)
        return getattr(import_module(f"{self.__name__}.{_PLACES[name]}"), name)

    def __setattr__(self, name: str, value: object) -> None:
        # An import binds a submodule to its package.
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
