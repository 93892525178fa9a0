"""Reports: every symbolic prediction beside its measurement, with a verdict.

Names are imported when they are first asked for, so that the command can be interrupted from its start on
and says in one line what is not installed.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

import lazy_loader

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


_of_stub, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Load a name when it is first asked for, if all that it needs is installed."""
    if name in __all__ and (said := missing()):
        raise ImportError(said)
    return _of_stub(name)


class _Package(ModuleType):
    """A package in which some functions have the names of modules: `reports.render` is the function."""

    def __setattr__(self, name: str, value: object) -> None:
        # An import binds a submodule to its package.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
