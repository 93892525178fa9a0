"""Claims about sweeps: each a function of a section of a page."""

from reports.claims.sweeps.explained import criterion, explained
from reports.claims.sweeps.failures import failures
from reports.claims.sweeps.published import published_values
from reports.claims.sweeps.reached import reached
from reports.claims.sweeps.trends import trends

__all__ = ["criterion", "explained", "failures", "published_values", "reached", "trends"]
