"""Real networks: data, training, perturbations, and measurements of what the theory predicts."""

from importlib.util import find_spec

import lazy_loader

_NEEDS = ("msgspec", "numba", "pandas", "pooch", "requests", "rich", "sklearn", "torch")
_missing = [name for name in _NEEDS if find_spec(name) is None]
if _missing:
    _msg = f"empirics needs {', '.join(_missing)}: pip install '.[empirics]' in the source folder"
    raise ImportError(_msg)

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
