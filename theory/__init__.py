"""The theory of learning from adversarial perturbations in wide two-layer networks: mathematics only.

Φ in closed form, the predictors built from it, the conditions of the published theorem, and bounds with
explicit constants.  Formulas live in `theory.expressions`, their derivations in `theory/derivations`.
"""

import lazy_loader

_of_stub, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Load a name when it is first asked for, the version among them."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("perturblearn")
    return _of_stub(name)
