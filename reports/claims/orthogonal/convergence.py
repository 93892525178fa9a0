"""Training was long enough, which is no claim of a paper and refutes none."""

from empirics.orthogonal import OrthogonalConfig
from reports import text
from reports.claims.orthogonal.rows import Json, claim
from reports.judging import Judgement, unmeasured
from reports.text import many
from reports.verdicts import Claim

_MAX_STEPS = OrthogonalConfig.__dataclass_fields__["max_steps"].default


def converged(results: Json) -> list[Claim]:
    """Count the networks that converged."""
    row = results["convergence"]
    steps = results["part"]["options"].get("max_steps", _MAX_STEPS)
    whole = row["converged"] == row["trained"]
    more = "" if whole else f"; max_steps is {steps}, raise it by --set max_steps=..."
    if row["lost"]:
        more += f"; {many(row['lost'], 'run has', 'runs have')} no result"
    made = claim(
        "Training was long enough: the direction of every network converged, as limits ask for",
        "our training",
        "counted: the KKT residual of every network of these runs fell to the tolerance within max_steps; "
        "unknown while a run has no result",
        "all",
        f"{row['converged']} of {many(row['trained'], 'network')}; median residual "
        f"{text.number(row['median_residual'])}{more}",
        whole if row["trained"] else None,
        unmeasured("a run has no result")
        if row["lost"] or not row["trained"]
        else Judgement(True, "counted, nothing is drawn"),
    )
    return [made]
