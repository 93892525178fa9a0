"""The commands of `perturblearn`, one file each: its options, and what it loads and runs.

Options are typed and documented here; those that an engine takes in `reports.options`, which it imports.
These files import nothing slow, so that help and errors come at once: a function loads what its command
needs, and returns what is then to be run.
"""

from reports.commands.compare import compare
from reports.commands.costs import costs
from reports.commands.explore import explore
from reports.commands.falsify import falsify
from reports.commands.index import index
from reports.commands.orthogonal import orthogonal
from reports.commands.phi import phi
from reports.commands.plan import plan
from reports.commands.render import render
from reports.commands.report import report
from reports.commands.sweep import sweep

__all__ = [
    "compare",
    "costs",
    "explore",
    "falsify",
    "index",
    "orthogonal",
    "phi",
    "plan",
    "render",
    "report",
    "sweep",
]
