"""What holds of data in hand: conditions, the limit network, signs that are kept.  Nothing is trained."""

from collections.abc import Sequence

from empirics.orthogonal.examination import Examination, Multipliers
from reports import text
from reports.claims.orthogonal.rows import Results, Run, claim, proved
from reports.claims.orthogonal.signs import NAMES
from reports.text import many
from reports.verdicts import Claim


def examined(results: Results, _runs: Sequence[Run]) -> list[Claim]:
    """Return the claims about data in hand; none without them."""
    found = results.examination
    if found is None:
        return []
    names = {
        "published": "The samples meet the published condition of orthogonality",
        "derived": "The samples meet the derived condition of orthogonality",
        "published, perturbed": "So do the perturbed ones, whatever the targets (published condition)",
        "derived, perturbed": "So do the perturbed ones, whatever the targets (derived condition)",
    }
    formulas = {"published": NAMES["orthogonal"], "derived": NAMES["orthogonal_rows"]}
    made = []
    for key, statement in names.items():
        if key in found.conditions:
            lhs, rhs, outcome = found.conditions[key]
            source = key.split(",")[0]
            made.append(
                claim(
                    statement,
                    "published" if source == "published" else "derived here",
                    f"{formulas[source]}, rounding taken into account",
                    f"right side below {text.number(lhs, 4)}",
                    f"right side {text.number(rhs, 4)}",
                    True,
                    proved(outcome),
                )
            )
    known = found.multipliers
    made.append(
        claim(
            "The limit network is a KKT point of the max-margin problem",
            "derived here",
            "λ > 0 and the sign pattern, proved with rounding errors",
            "every λ > 0",
            _solved(known),
            True,
            proved(known.verdict),
        )
    )
    return [*made, *_kept(found)]


def _solved(known: Multipliers) -> str:
    """Return what is known of λ; nothing but the reason where its error is not bounded."""
    why = "; ".join(known.reasons)
    if known.least is None:
        return why or "no error of λ is proved"
    return (
        f"least λ {text.number(known.least)}, {text.number(known.least_over_low)} of the published "
        f"lower limit 1/(2R_max²); {text.count(known.num_not_positive)} proved not positive, the sign "
        f"of {text.count(known.num_unproved)} not proved" + (f"; {why}" if why else "")
    )


def _kept(found: Examination) -> list[Claim]:
    signs = found.signs
    if signs is None:
        return []
    n = signs.n * len(signs.seeds)
    alone = sum(draw.condition["holds"] for draw in signs.seeds)
    kept = sum(draw.kept["holds"] for draw in signs.seeds)
    lost = sum(draw.kept["fails"] for draw in signs.seeds)
    # Then both sets have one KKT point, which is the limit network.
    only = all(found.conditions[key][2] == "holds" for key in ("derived", "derived, perturbed"))
    return [
        claim(
            "The limit boundary of the set perturbed along s has the sign of the old one at every test point"
            + (", and so has every KKT point" if only else ""),
            "derived here",
            "λ systems of both sets; holds if it is proved for every test point and draw of targets, fails "
            "if one sign is proved lost",
            "all kept",
            f"{text.number(kept / n)} kept, {text.number(lost / n)} lost, "
            f"{text.number(1 - (kept + lost) / n)} unknown, of "
            f"{many(n, 'point and draw', 'points and draws')}; the sign condition "
            f"alone gives {text.number(alone / n)}; before targets are drawn (δ = {signs.delta:g}) "
            f"{text.number(signs.before['holds'] / signs.n)}",
            n > 0,
            proved("fails" if lost else "holds" if kept + lost == n else "unknown"),
        )
    ]
