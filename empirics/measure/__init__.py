"""Everything that is measured on networks.

Counts of signs and neurons are here; accounts of whole experiments are in modules of their own: `certified`,
`simulated`, `drift` and `diagnosis`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
