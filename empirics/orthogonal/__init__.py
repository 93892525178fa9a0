"""Networks without biases, trained to the limit of their direction on nearly orthogonal samples.

The prior work's regime: any width, infinite time.  `theory.orthogonal` has its conditions and limits.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
