"""The claims of the theory, each judged against what was measured.

A claim has a statement, a source, a hypothesis, a prediction, a measurement and a verdict: *holds*,
*fails*, *hypothesis not met*, or *unknown*.  Every rule is written out in `rule`; what is missing or not
finite makes a claim unknown, never true.  Pure functions of results.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scipy import stats

from reports import certified, claims_agreement, claims_lazy, drift, simulated, text
from reports.claim_text import spread
from reports.verdicts import FALSE_ALARM, Claim, all_finite, verdict

# Anchor of the figure or table that shows each claim, after that of its section.
EVIDENCE = {
    "phi": "phi-evidence",
    "free-share": "free",
    "only-free-flip": "free",
    "drift": "drift",
    "rate-f": "outputs",
    "rate-g": "outputs",
    "direction-gradient": "directions",
    "direction-paper": "directions",
    "kink-term": "directions",
    "perturbation": "directions",
    "agreement": "agreement",
    "trend-width": "agreement",
    "certificates": "certificates",
    "certificates-simulated": "simulated",
    "theorem-published": "conditions",
    "theorem-scenario": "conditions",
}
# What the published conditions say about each quantity that a report holds fixed, and what varies it.
TRENDS = (
    ("d", "threshold (b) grows with d for ν = d/√N; |f̂(z)| is at most of order d", "--study dimension"),
    ("ε", "threshold (b) falls like √d/ε", "--study perturbation-size"),
    ("m", "the width condition m > C d² (T_f + T_g)² is met from some width on", "--study width"),
    ("T_f, T_g", "thresholds fall like 1/T_f and 1/T_g, the width condition grows with T²", "--study lazy"),
    ("T_g", "threshold (b) falls like (√d/ε)/T_g", "--study training-time"),
    ("N", "threshold (b) falls like (√d/ε) d/√N", "--published msg-a --sweeps N"),
    ("γ", "no condition contains it but through Φ in f̂ and ĝ", "--published msg-a --sweeps slope"),
)

Section = dict[str, Any]


def claims(results: dict[str, Any]) -> list[Claim]:
    """Judge every claim that the results can speak to.

    Parameters
    ----------
    results : dict
        From `reports.build`, before its claims are added.

    Returns
    -------
    list of Claim
        Φ first, then each section in the same order.
    """
    about_sections: tuple[Callable[[Section], Claim], ...] = (
        _free_share,
        _no_other_flips,
        drift.claim,
        lambda section: claims_lazy.rate(section, "f"),
        lambda section: claims_lazy.rate(section, "g"),
        claims_lazy.gradient_direction,
        claims_lazy.paper_direction,
        claims_lazy.kink_term,
        claims_lazy.perturbation,
        claims_agreement.agreement,
        claims_agreement.width_trend,
        certified.claim,
        simulated.claim,
        lambda section: claims_agreement.theorem(section, "published"),
        lambda section: claims_agreement.theorem(section, "scenario"),
    )
    judged = [_phi(results["phi"])]
    judged += [judge(section) for section in results["sections"] for judge in about_sections]
    command = str(results.get("provenance", {}).get("command", ""))
    return [replace(claim, evidence=EVIDENCE[claim.key], command=command) for claim in judged]


def trends() -> list[dict[str, str]]:
    """Return what the published conditions say about what is held fixed here, and the command to vary it."""
    return [
        {"over": over, "says": says, "command": f"perturblearn sweep {chosen} --out my-sweep"}
        for over, says, chosen in TRENDS
    ]


# Φ -------------------------------------------------------------------------------------------------


def _phi(phi: dict[str, Any]) -> Claim:
    sampled = phi["monte_carlo"]
    pairs = len(sampled["exact"])
    limit = float(stats.norm.isf(FALSE_ALARM / (2 * pairs)))
    tolerance = 4e-12  # of the quadrature: four intervals, each asked for 1e-12 of a value below 1
    difference, deviation = phi["largest_difference"], sampled["largest_deviation"]
    steps = [step["holds"] for route in phi["routes"].values() for step in route]
    holds = None
    if steps and all_finite((difference, deviation)):
        holds = all(steps) and difference <= tolerance and deviation <= limit
    return Claim(
        key="phi",
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
        samples=f"{len(phi['quadrature'])} quadratures; {pairs} pairs × {sampled['num_draws']:,} draws",
        rule=(
            f"all {len(steps)} derivation steps carried out, quadrature within {tolerance:g}, Monte Carlo "
            f"within {limit:.2f} standard errors (false alarm {FALSE_ALARM:g} over all pairs)"
        ),
        verdict=verdict(True, holds),
        numbers={"largest_difference": difference, "largest_deviation": deviation},
    )


# Free neurons --------------------------------------------------------------------------------------


def _free_share(section: Section) -> Claim:
    pvalues = [run[network]["free_pvalue"] for run in section["runs"] for network in ("f", "g")]
    smallest = min(pvalues) * len(pvalues) if all_finite(pvalues) else None
    widest = section["by_width"][-1]
    return Claim(
        key="free-share",
        section=section["name"],
        statement="The share of neurons that could change their activation follows the arctan law",
        formula=r"P(\mathrm{free}) = \frac{2}{\pi} \arctan \frac{L T \kappa(z)}{s(z) \sqrt{m}}",
        source="derived here",
        hypothesis="full-batch training, test points independent of the initialisation",
        met=True,
        predicted=_pair(widest, "free_predicted"),
        measured=_pair(widest, "free_measured"),
        samples=f"{len(pvalues)} networks × {section['num_test']} points",
        rule=(
            "exact binomial test at every point of every network, smallest p-value times their number "
            f"≥ {FALSE_ALARM:g}: {text.number(None if smallest is None else min(1.0, smallest))}"
        ),
        verdict=verdict(True, None if smallest is None else smallest >= FALSE_ALARM),
        numbers={"smallest_pvalue_times_tests": smallest},
    )


def _no_other_flips(section: Section) -> Claim:
    counts = [run[network]["flipped_not_free"] for run in section["runs"] for network in ("f", "g")]
    total = None if None in counts or not counts else sum(counts)
    widest = section["by_width"][-1]
    return Claim(
        key="only-free-flip",
        section=section["name"],
        statement="Only free neurons change their activation",
        formula=r"|u_i(z, t) - u_i(z, 0)| \le |a_i| L T \kappa(z)",
        source="derived here",
        hypothesis="full-batch training",
        met=True,
        predicted="0 others flip",
        measured=f"{text.count(total)} others flip; flipped share {_pair(widest, 'flipped')}",
        samples=f"{len(counts)} networks × {section['num_test']} points, every neuron",
        rule="no neuron flips that was not free, beyond rounding of its pre-activation",
        verdict=verdict(True, None if total is None else total == 0),
    )


def _pair(record: dict[str, Any], name: str) -> str:
    return f"f {spread(record['f'][name])}, g {spread(record['g'][name])}"
