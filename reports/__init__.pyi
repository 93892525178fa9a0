from .ask import plan as plan, report as report
from .choice import Choice as Choice, choose as choose
from .claims import claims as claims
from .document import Report as Report, build as build
from .plans import Plan as Plan
from .presets import PRESETS as PRESETS, Series as Series, series as series, source as source
from .provenance import provenance as provenance
from .render import render as render
from .results import SCHEMA_VERSION as SCHEMA_VERSION
from .schema import SchemaError as SchemaError
from .verdicts import Claim as Claim

def missing() -> str: ...
