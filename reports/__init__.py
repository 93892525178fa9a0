"""Reports: every symbolic prediction beside its measurement, with a verdict."""

from importlib.util import find_spec

_missing = [
    name
    for name in ("jinja2", "latex2mathml", "matplotlib", "rich", "sklearn", "torch")
    if find_spec(name) is None
]
if _missing:
    _msg = f"reports needs {', '.join(_missing)}: pip install 'perturblearn[reports]'"
    raise ImportError(_msg)

from reports._matplotlib import load  # noqa: E402

load()  # before the first module that draws

from reports.build import SCHEMA_VERSION  # noqa: E402
from reports.choice import Choice, choose  # noqa: E402
from reports.claims import claims  # noqa: E402
from reports.presets import PRESETS, Series, series, source  # noqa: E402
from reports.provenance import provenance  # noqa: E402
from reports.render import render  # noqa: E402
from reports.report import Report, build  # noqa: E402
from reports.schema import SchemaError  # noqa: E402
from reports.verdicts import Claim  # noqa: E402

__all__ = [
    "PRESETS",
    "SCHEMA_VERSION",
    "Choice",
    "Claim",
    "Report",
    "SchemaError",
    "Series",
    "build",
    "choose",
    "claims",
    "provenance",
    "render",
    "series",
    "source",
]
