"""Many experiments of one kind: each run once, kept as it comes, whatever interrupts them.

Nothing here knows what an experiment is about: `Experiment` says how its frozen configs are written, which of
them share work, and how they are run.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
