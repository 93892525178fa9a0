"""A search for data, times and widths at which a stated inequality about trained networks fails.

Random restarts and local search over instances (X, y, z, T, m, γ, steps).  What fails is made smaller and
rounder while it still fails, measured again with fresh seeds, and written as a Python file that reproduces
it.  No counter-example found is not a proof.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
