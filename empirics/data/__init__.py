"""Data sources, seeded: synthetic, bundled with scikit-learn, public images, or the user's own files.

Each source is a frozen configuration with `load(seed) -> Dataset`.  Those that read files have
`content_hash()`, the identity of what they read: it belongs into the hash of a configuration.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
