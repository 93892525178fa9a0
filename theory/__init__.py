"""The theory of learning from adversarial perturbations in wide two-layer networks: mathematics only.

Φ in closed form, the predictors built from it, the conditions of the published theorem, and bounds with
explicit constants.  Formulas live in `theory.expressions`, their derivations in `theory/DERIVATIONS.md`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
