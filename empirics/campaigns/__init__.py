"""Campaigns: published blocks, published sweeps and studies as plans in files, and published readings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
