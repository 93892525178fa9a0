"""Reports: every symbolic prediction beside its measurement, with a verdict.

Names are imported when they are first asked for, so that the command can be interrupted from its start on.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

import lazy_loader

_missing = [
    name
    for name in ("cyclopts", "jinja2", "latex2mathml", "matplotlib", "msgspec", "rich", "sklearn", "torch")
    if find_spec(name) is None
]
if _missing:
    _msg = f"reports needs {', '.join(_missing)}: pip install 'perturblearn[reports]'"
    raise ImportError(_msg)

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class _Package(ModuleType):
    """A package in which some functions have the names of modules: `reports.render` is the function."""

    def __setattr__(self, name: str, value: object) -> None:
        # An import binds a submodule to its package.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
