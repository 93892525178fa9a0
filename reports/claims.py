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
from reports.claim_text import by_seed, spread
from reports.judging import (
    CONFIDENCE,
    Judgement,
    excluded,
    judge_mean,
    judge_share,
    refuted,
    unmeasured,
)
from reports.verdicts import FALSE_ALARM, MISSED, Claim, all_finite, verdict

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

# Violations that *holds* has excluded.
PHI_ERROR = 0.01  # of the closed form, by Monte Carlo
FREE_ERROR = 0.1  # of the arctan law, relative
VIOLATING_SEEDS = 0.2  # share of seeds whose networks break an inequality
_QUADRATURE_ROUNDING = 4e-12  # four intervals, each asked for 1e-12 of a value below 1

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
    return [
        replace(
            claim,
            evidence=EVIDENCE[claim.key],
            command=command,
            decision=claim.decision if claim.met else "",  # what is not tested is not decided
        )
        for claim in judged
    ]


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
    limit = float(stats.norm.isf(FALSE_ALARM / (2 * max(pairs, 1))))
    difference, deviation = phi["largest_difference"], sampled["largest_deviation"]
    steps = [step["holds"] for route in phi["routes"].values() for step in route]
    # An error of so much moves the deviation beyond the limit with probability 1 − MISSED at any one pair.
    errors = sampled["standard_error"]
    seen = (limit + float(stats.norm.isf(MISSED))) * max(errors) if pairs and all_finite(errors) else None
    judged = unmeasured()
    if steps and phi["quadrature"] and all_finite((difference, deviation)):
        if not all(steps) or difference > _QUADRATURE_ROUNDING or deviation > limit:
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
            f"all {len(steps)} derivation steps carried out, quadrature within {_QUADRATURE_ROUNDING:g}, "
            f"Monte Carlo within {limit:.2f} standard errors (false alarm {FALSE_ALARM:g} over all pairs); "
            f"holds only if an error of {PHI_ERROR:g} would have been seen at any pair ({CONFIDENCE})"
        ),
        verdict=verdict(True, judged.holds),
        decision=judged.decision,
        numbers={"largest_difference": difference, "largest_deviation": deviation},
    )


# Free neurons --------------------------------------------------------------------------------------


def _free_share(section: Section) -> Claim:
    pvalues = [run[network]["free_pvalue"] for run in section["runs"] for network in ("f", "g")]
    smallest = min(pvalues) * len(pvalues) if all_finite(pvalues) else None
    widest = section["by_width"][-1]
    judged = _law_of_free(section, smallest)
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
            "fails if the smallest p-value of exact binomial tests at every point of every network, times "
            f"their number ({text.number(None if smallest is None else min(1.0, smallest))}), is below "
            f"{FALSE_ALARM:g}; holds if the {CONFIDENCE} interval over seeds of the mean relative error of "
            f"the law lies within ±{FREE_ERROR:g}"
        ),
        verdict=verdict(True, judged.holds),
        decision=judged.decision,
        numbers={"smallest_pvalue_times_tests": smallest},
    )


def _law_of_free(section: Section, smallest: float | None) -> Judgement:
    """Refute the law by p-values; what is not refuted holds only if an error of `FREE_ERROR` was excluded."""
    if smallest is None:
        return unmeasured()
    if smallest < FALSE_ALARM:
        return refuted("the arctan law")
    means: list[float | None] = []
    for runs in by_seed(section):
        pairs = [
            (run[network]["free_measured"], run[network]["free_predicted"])
            for run in runs
            for network in ("f", "g")
        ]
        known = all_finite(value for pair in pairs for value in pair) and all(law for _, law in pairs)
        means.append(sum(share / law - 1 for share, law in pairs) / len(pairs) if known else None)
    judged = judge_mean(means, low=-FREE_ERROR, high=FREE_ERROR, what="mean relative error")
    return judged if judged.holds else unmeasured(judged.decision.removeprefix("not decided: "))


def _no_other_flips(section: Section) -> Claim:
    counts = [run[network]["flipped_not_free"] for run in section["runs"] for network in ("f", "g")]
    total = None if None in counts or not counts else sum(counts)
    widest = section["by_width"][-1]
    # A seed without a flip shows nothing.
    able = [runs for runs in by_seed(section) if any(run[n]["flipped"] for run in runs for n in ("f", "g"))]
    judged = unmeasured()
    if total:
        judged = refuted("that no other neuron flips")
    elif total is not None:
        judged = judge_share(
            [0.0] * len(able),
            allowed=0,
            violation=VIOLATING_SEEDS,
            what="share of seeds with such a neuron",
            unit="seed with a flip",
            units="seeds with a flip",
        )
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
        rule="fails if one neuron flips that was not free, beyond rounding of its pre-activation; holds if "
        f"that was excluded for a share of {VIOLATING_SEEDS:g} of the seeds ({CONFIDENCE}), by those in "
        "which neurons flip",
        verdict=verdict(True, judged.holds),
        decision=judged.decision,
    )


def _pair(record: dict[str, Any], name: str) -> str:
    return f"f {spread(record['f'][name])}, g {spread(record['g'][name])}"
