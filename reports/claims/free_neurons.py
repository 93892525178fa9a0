"""Neurons whose activation pattern can change: how many there are, and that no others change."""

from reports import text
from reports.claim_text import by_seed, spread
from reports.judging import CONFIDENCE, Judgement, judge_mean, judge_share, refuted, together, unmeasured
from reports.results import AtWidth, Section
from reports.verdicts import FALSE_ALARM, Claim, all_finite, verdict

# Violations that *holds* has excluded.
FREE_ERROR = 0.1  # of the arctan law, relative
VIOLATING_SEEDS = 0.2  # share of seeds whose networks break an inequality


def free_share(section: Section) -> Claim:
    """Judge the law of the share of free neurons."""
    pvalues = [run[network].free_pvalue for run in section.runs for network in ("f", "g")]
    smallest = min(pvalues) * len(pvalues) if all_finite(pvalues) else None
    widest = section.by_width[-1]
    judged = _law_of_free(section, smallest)
    return Claim(
        key="free-share",
        evidence="free",
        section=section.name,
        statement="The share of neurons that could change their activation follows the arctan law",
        formula=r"P(\mathrm{free}) = \frac{2}{\pi} \arctan \frac{L T \kappa(z)}{s(z) \sqrt{m}}",
        source="derived here",
        hypothesis="full-batch training, test points independent of the initialisation",
        met=True,
        predicted=_pair(widest, "free_predicted"),
        measured=_pair(widest, "free_measured"),
        samples=f"{len(pvalues)} networks × {section.num_test} points",
        rule=(
            "fails if the smallest p-value of exact binomial tests at every point of every network, times "
            f"their number ({text.number(None if smallest is None else min(1.0, smallest))}), is below "
            f"{FALSE_ALARM:g}; holds if at every width, for f and for g, the {CONFIDENCE} interval of the "
            f"mean relative error of the law over seeds lies within ±{FREE_ERROR:g}"
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
    judged = []
    for width in section.widths:
        for network in ("f", "g"):
            pairs = [
                (run[network].free_measured, run[network].free_predicted)
                for run in section.runs
                if run.width == width
            ]
            errors = [share / law - 1 if share is not None and law else None for share, law in pairs]
            judged.append(judge_mean(errors, low=-FREE_ERROR, high=FREE_ERROR, what="a mean relative error"))
    if any(one.holds is False for one in judged):
        return unmeasured(f"a mean relative error is beyond ±{FREE_ERROR:g}, which no p-value confirms")
    return together(*judged)


def only_free_flip(section: Section) -> Claim:
    """Judge that a neuron that changes its activation was free."""
    counts = [run[network].flipped_not_free for run in section.runs for network in ("f", "g")]
    total = sum(counts) if all_finite(counts) else None
    widest = section.by_width[-1]
    # A seed without a flip shows nothing.
    able = [runs for runs in by_seed(section) if any(run[n].flipped for run in runs for n in ("f", "g"))]
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
        evidence="free",
        section=section.name,
        statement="Only free neurons change their activation",
        formula=r"|u_i(z, t) - u_i(z, 0)| \le |a_i| L T \kappa(z)",
        source="derived here",
        hypothesis="full-batch training",
        met=True,
        predicted="0 others flip",
        measured=f"{text.count(total)} others flip; flipped share {_pair(widest, 'flipped')}",
        samples=f"{len(counts)} networks × {section.num_test} points, every neuron",
        rule="fails if one neuron flips that was not free, beyond rounding of its pre-activation; holds if "
        f"that was excluded for a share of {VIOLATING_SEEDS:g} of the seeds ({CONFIDENCE}), by those in "
        "which neurons flip",
        verdict=verdict(True, judged.holds),
        decision=judged.decision,
    )


def _pair(row: AtWidth, name: str) -> str:
    return f"f {spread(getattr(row.f, name))}, g {spread(getattr(row.g, name))}"
