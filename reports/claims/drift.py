"""No pre-activation moves further than its bound, of what `empirics.measure.drift` has counted."""

from reports import text
from reports.judging import Judgement, refuted, unmeasured
from reports.results import Section
from reports.verdicts import Claim, all_finite, verdict

# Share of pairs that may be blind: whose rounding could hide a displacement as large as the bound.
BLIND = 0.01
# The largest ratio that a network must reach: a bound of this part of ours would be refuted.
TIGHT = 0.5


def drift(section: Section) -> Claim:
    """Judge the bound of the displacement by the neurons that moved further."""
    found = [moved for row in section.drift for moved in (row.f, row.g) if moved is not None]
    outside = [moved.outside for moved in found]
    largest = [moved.largest for moved in found]
    total = sum(outside) if all_finite(largest) else None
    most = max(largest) if all_finite(largest) else None
    blind = [moved.blind for moved in found]
    most_blind = max(blind) if all_finite(blind) else None
    sees = most_blind is not None and most_blind < BLIND
    judged = _within_bound(total, sees=sees, least=min(largest) if all_finite(largest) else 0.0)
    identity = section.setting.loss == "identity"
    widths = " and ".join(f"{row.width:,}" for row in section.drift)
    points = max(row.points for row in section.drift)
    return Claim(
        key="drift",
        evidence="drift",
        section=section.name,
        statement="No pre-activation moves further than its bound",
        formula=r"\frac{|u_i(z, T) - u_i(z, 0)|}{|a_i| L T \kappa(z)} \le 1",
        source="derived here",
        hypothesis="full-batch training, frozen readout",
        met=True,
        predicted="ratio at most 1" + ("; its distribution from the initial weights" if identity else ""),
        measured=(
            f"largest ratio {text.number(most, 6)}; "
            f"{text.count(total)} beyond 1 by more than rounding"
            f"; rounding as large as the bound in at most {text.number(most_blind, 2)} of the pairs"
        ),
        samples=f"{len(found)} networks (m = {widths}, one seed) × {points} points, every neuron",
        rule="fails if a pair of neuron and point is beyond the bound by more than rounding of the weights; "
        f"holds if in every network a bound of {TIGHT:g} of this one would be refuted, and rounding is as "
        f"large as the bound in less than {BLIND:.0%} of the pairs; no statement about other seeds",
        verdict=verdict(True, judged.holds),
        decision=judged.decision,
        numbers={
            "outside": total,
            "largest": most,
            "blind": most_blind,
        },
    )


def _within_bound(total: int | None, *, sees: bool, least: float) -> Judgement:
    """Judge the bound; that nothing is beyond says something only where it would have been seen."""
    if total:
        return refuted("the bound, at every neuron")
    if total is None:
        return unmeasured()
    if not sees:
        return unmeasured("rounding hides too many displacements: take longer times or higher precision")
    if least < TIGHT:
        return unmeasured(f"no neuron of a network reaches {TIGHT:g} of the bound")
    # No probability: the networks in hand show it.
    return Judgement(True, f"excluded in these networks: a bound {text.number(least, 6)} times as large")
