"""Claims about nearly orthogonal samples: each a function of the JSON value of a page."""

from reports.claims.orthogonal.attack import attack
from reports.claims.orthogonal.decay import decay
from reports.claims.orthogonal.examined import examined
from reports.claims.orthogonal.published import published_sweep
from reports.claims.orthogonal.signs import converged, signs
from reports.claims.orthogonal.turning import turning

__all__ = ["attack", "converged", "decay", "examined", "published_sweep", "signs", "turning"]
