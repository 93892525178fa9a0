"""Φ has a closed form: three derivations, quadrature and Monte Carlo."""

from scipy import stats

from reports import text
from reports.judging import CONFIDENCE, excluded, refuted, unmeasured
from reports.phi_check import PhiCheck
from reports.verdicts import FALSE_ALARM, MISSED, Claim, all_finite, verdict

PHI_ERROR = 0.01  # of the closed form, by Monte Carlo: excluded where the claim holds
_QUADRATURE_ROUNDING = 4e-12  # four intervals, each asked for 1e-12 of a value below 1


def closed_form(phi: PhiCheck) -> Claim:
    """Judge the closed form by what `reports.phi_check` found."""
    sampled = phi.monte_carlo
    pairs = len(sampled.exact)
    limit = float(stats.norm.isf(FALSE_ALARM / (2 * max(pairs, 1))))
    found = (phi.largest_difference, sampled.largest_deviation)
    difference, deviation = found
    steps = [step.holds for route in phi.routes.values() for step in route]
    # An error of so much moves the deviation beyond the limit with probability 1 − MISSED at any one pair.
    errors = sampled.standard_error
    seen = (limit + float(stats.norm.isf(MISSED))) * max(errors) if pairs and all_finite(errors) else None
    judged = unmeasured()
    if steps and phi.quadrature and all_finite(found):
        if not all(steps) or found[0] > _QUADRATURE_ROUNDING or found[1] > limit:
            judged = refuted("the closed form")
        elif seen is None or seen > PHI_ERROR:
            judged = unmeasured(f"Monte Carlo sees errors from {text.number(seen)} on")
        else:
            judged = excluded(
                f"an error above {_QUADRATURE_ROUNDING:g} where quadrature was taken, one of "
                f"{text.number(seen)} at a pair of Monte Carlo"
            )
    return Claim(
        key="phi",
        evidence="phi-evidence",
        section=None,
        statement="Φ has a closed form",
        formula=r"\Phi = \frac{(1+\gamma)^2}{4} + \frac{(1-\gamma)^2}{2\pi} \arcsin\rho",
        source="derived here",
        hypothesis="none",
        met=True,
        predicted="closed form = quadrature = Monte Carlo",
        measured=(
            f"differs by at most {text.number(difference)} from quadrature, "
            f"{text.number(deviation)} standard errors from Monte Carlo"
        ),
        samples=f"{len(phi.quadrature)} quadratures; {pairs} pairs × {sampled.num_draws:,} draws",
        rule=(
            f"all {len(steps)} derivation steps carried out, quadrature within {_QUADRATURE_ROUNDING:g}, "
            f"Monte Carlo within {limit:.2f} standard errors (false alarm {FALSE_ALARM:g} over all pairs); "
            f"holds only if an error of {PHI_ERROR:g} would have been seen at any pair ({CONFIDENCE})"
        ),
        verdict=verdict(True, judged.holds),
        decision=judged.decision,
        numbers={"largest_difference": difference, "largest_deviation": deviation},
    )
