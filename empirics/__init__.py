"""Real networks: data, training, perturbations, and measurements of what the theory predicts."""

from importlib.util import find_spec

import lazy_loader

_missing = [name for name in ("numba", "torch", "sklearn") if find_spec(name) is None]
if _missing:
    _msg = f"empirics needs {' and '.join(_missing)}: pip install 'perturblearn[empirics]'"
    raise ImportError(_msg)

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
