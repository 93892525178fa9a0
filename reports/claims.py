"""The claims of the theory, each judged against what was measured.

A claim has a statement, a source, a hypothesis, a prediction, a measurement and a verdict: *holds*,
*fails*, *hypothesis not met*, or *unknown*.  Every rule is written out in `rule`; what is missing or not
finite makes a claim unknown, never true.  Pure functions of results.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from scipy import stats

from reports import certified, simulated, text
from reports.statistics import CONFIDENCE, Summary, rates, summarise
from reports.verdicts import FALSE_ALARM, Claim, all_finite, verdict, within

# A width counts as lazy while the expected free share, averaged over test points, is at most this.
LAZY_FREE_SHARE = 0.3
SLOPE, SLOPE_MARGIN = -0.5, 0.15
COSINE = 0.99
AGREEMENT_MARGIN = 0.03
_SEEDS_TO_JUDGE = 5
_NORM_ROUNDING = 1e-9  # rows scaled to norm √d have it up to rounding
# Widths of the published experiments, whose agreement rises with the width.
_PUBLISHED_WIDTHS = (1, 1_000)
# Anchor of the figure or table that shows each claim, after that of its section.
EVIDENCE = {
    "phi": "phi-evidence",
    "free-share": "free",
    "only-free-flip": "free",
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
        lambda section: _rate(section, "f"),
        lambda section: _rate(section, "g"),
        _gradient_direction,
        _paper_direction,
        _kink_term,
        _perturbation,
        _agreement,
        _width_trend,
        certified.claim,
        simulated.claim,
        lambda section: _theorem(section, "published"),
        lambda section: _theorem(section, "scenario"),
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
    return f"f {_spread(record['f'][name])}, g {_spread(record['g'][name])}"


# Predictions ---------------------------------------------------------------------------------------


def _lazy_widths(section: Section, network: str) -> list[int] | None:
    """Return the lazy widths, or None if a share is not known."""
    shares = {row["width"]: row[network]["free_predicted"]["mean"] for row in section["by_width"]}
    if not all_finite(shares.values()):
        return None
    return [width for width, share in shares.items() if share <= LAZY_FREE_SHARE]


def _lazy(section: Section, *networks: str) -> tuple[bool | None, str]:
    """Identity loss, and few free neurons at the largest width."""
    widest = section["by_width"][-1]
    identity = section["setting"]["loss"] == "identity"
    shares = {network: widest[network]["free_predicted"]["mean"] for network in networks}
    listed = ", ".join(f"{name} {text.number(share)}" for name, share in shares.items())
    met = (
        identity and all(s <= LAZY_FREE_SHARE for s in shares.values())
        if all_finite(shares.values())
        else None
    )
    return met, (
        f"identity loss ({'yes' if identity else 'no'}); lazy at m = {widest['width']:,}: expected free "
        f"share ≤ {LAZY_FREE_SHARE} ({listed})"
    )


def _rate(section: Section, network: str) -> Claim:
    widths = _lazy_widths(section, network)
    loss = section["setting"]["loss"]
    met = enough = None if widths is None else len(widths) >= 3 and widths[-1] / widths[0] >= 10
    slope = None
    if widths and enough:
        errors = [
            [
                run[network]["error"]
                for run in section["runs"]
                if run["seed"] == seed and run["width"] in widths
            ]
            for seed in section["seeds"]
        ]
        if all(all_finite(row) for row in errors):
            slope = rates(widths, errors)
    relative = section["by_width"][-1][network]["relative_error"]
    high = SLOPE + SLOPE_MARGIN  # an upper bound O(m^(−1/2)) is what is derived; steeper is within it
    symbol, predicted = (r"f(z; T_f)", r"f_b(z)") if network == "f" else (r"g(z; T_g)", r"g_b(z)")
    time = "T_f" if network == "f" else "T_g"
    limit = f"{network}_b"
    if loss != "identity":
        limit = f"that of the lazy limit of {loss} loss"
        predicted = rf"\frac{{1}}{{N {time}}} \sum_n \beta_n y_n \Theta(x_n, z)"
    return Claim(
        key=f"rate-{network}",
        section=section["name"],
        statement=(
            f"The velocity of {network} tends to {limit}, with an error that falls at least like 1/√m"
        ),
        formula=rf"\frac{{{symbol} - {network}(z; 0)}}{{{time}}} = {predicted} + O(m^{{-1/2}})",
        source="derived here",
        hypothesis=(
            f"{loss} loss; three lazy widths (expected free share ≤ {LAZY_FREE_SHARE}) over a decade: "
            f"{_widths(widths)}"
        ),
        met=met,
        predicted="slope −1/2 or steeper",
        measured=(
            f"slope {_interval(slope)}; relative error {_spread(relative)} at m = {section['widths'][-1]:,}"
        ),
        samples=f"{len(section['seeds'])} seeds",
        rule=f"{CONFIDENCE:.0%} interval of the slope over seeds below −1/2 + {SLOPE_MARGIN}; above: fails",
        verdict=verdict(met, None if slope is None else within(None, high, (slope.low, slope.high))),
        numbers=_numbers(slope),
    )


# Directions ----------------------------------------------------------------------------------------


def _cosine_claim(section: Section, name: str, **texts: Any) -> Claim:  # noqa: ANN401
    met, hypothesis = _lazy(section, "f")
    summary = section["by_width"][-1]["cosines"][name]
    return Claim(
        section=section["name"],
        hypothesis=hypothesis,
        met=met,
        measured=f"cosine {_spread(summary)}",
        samples=f"{summary['n']} seeds at m = {section['widths'][-1]:,}",
        rule=f"{CONFIDENCE:.0%} interval of the mean cosine above {COSINE}; below: fails",
        verdict=verdict(met, within(COSINE, None, (summary["low"], summary["high"]))),
        **texts,
    )


def _gradient_direction(section: Section) -> Claim:
    return _cosine_claim(
        section,
        "trained_gradient",
        key="direction-gradient",
        statement="The trained part of the input gradient points along ∇f_b",
        formula=r"\nabla f(x; T) - \nabla f(x; 0) \approx T \, \nabla f_b(x)",
        source="derived here",
        predicted="cosine → 1",
    )


def _paper_direction(section: Section) -> Claim:
    limit = section["by_width"][-1]["cosines"]["between"]
    return _cosine_claim(
        section,
        "trained_paper",
        key="direction-paper",
        statement=f"u alone gives the direction of the trained part, to a cosine of {COSINE}",
        formula=r"\nabla f(x; T) - \nabla f(x; 0) \approx \frac{T}{N} \sum_k \Phi(x_k, x) y_k x_k = T u(x)",
        source="published",
        predicted=f"cosine → {_spread(limit)} = cos(u, ∇f_b), derived here; 1 if u were exact",
    )


def _kink_term(section: Section) -> Claim:
    met, hypothesis = _lazy(section, "f")
    widest = section["widths"][-1]
    pairs = [run["cosines"] for run in section["runs"] if run["width"] == widest]
    values = [(pair["trained_gradient"], pair["trained_paper"]) for pair in pairs]
    gap, holds = None, None
    if all(all_finite(pair) for pair in values):
        gap = summarise([gradient - paper for gradient, paper in values])
        holds = within(0.0, None, (gap.low, gap.high))
    between = section["by_width"][-1]["cosines"]["between"]["mean"]
    return Claim(
        key="kink-term",
        section=section["name"],
        statement="The moving kinks turn the gradient away from u, towards ∇f_b",
        formula=r"\nabla f_b(x) = u(x) + \frac{1}{N} \sum_k y_k k(x_k, x) \nabla_x \Phi(x_k, x)",
        source="derived here",
        hypothesis=hypothesis,
        met=met,
        predicted=f"gain in cosine {text.number(None if between is None else 1 - between)}",
        measured=f"gain in cosine {_interval(gap)}",
        samples=f"{len(pairs)} seeds at m = {widest:,}, paired",
        rule=f"{CONFIDENCE:.0%} interval of cos(·, ∇f_b) − cos(·, u) over seeds above 0; below: fails",
        verdict=verdict(met, holds),
        numbers=_numbers(gap),
    )


def _perturbation(section: Section) -> Claim:
    cosines = section["by_width"][-1]["cosines"]
    return _cosine_claim(
        section,
        "perturbation_given_initial",
        key="perturbation",
        statement="Perturbations point along the initial gradient plus T ∇f_b",
        formula=r"t_n r_n/\varepsilon \approx (\nabla f(x_n; 0) + T_f \nabla f_b(x_n))/\|\cdot\|",
        source="derived here",
        predicted=(
            f"cosine → 1 (without the initial gradient {_spread(cosines['perturbation_gradient'])}, "
            f"with u {_spread(cosines['perturbation_paper'])})"
        ),
    )


# Agreement -----------------------------------------------------------------------------------------


def _agreement(section: Section) -> Claim:
    met, hypothesis = _lazy(section, "f", "g")
    widest = section["widths"][-1]
    runs = [run["agreement"] for run in section["runs"] if run["width"] == widest]
    record = section["by_width"][-1]["agreement"]
    pairs = [(run["measured"], run["predicted"]) for run in runs]
    gap, holds = None, None
    if all(all_finite(pair) for pair in pairs):
        gaps = [measured - predicted for measured, predicted in pairs]
        gap, holds = _agreement_holds(gaps, [predicted for _, predicted in pairs], section["num_test"])
    return Claim(
        key="agreement",
        section=section["name"],
        statement=(
            "How often f and g agree is predicted without training anything, from the chance that T g_b "
            "outweighs the initial g"
        ),
        formula=r"P(\operatorname{sgn} g = \operatorname{sgn} f) = F(T_g g_b \operatorname{sgn} f / \sigma)",
        source="derived here",
        hypothesis=hypothesis,
        met=met,
        predicted=_spread(record["predicted"]),
        measured=f"{_spread(record['measured'])}; difference {_interval(gap)}",
        samples=f"{len(runs)} seeds × {section['num_test']} fresh points at m = {widest:,}",
        rule=(
            f"{CONFIDENCE:.0%} interval of measured − predicted inside ±{AGREEMENT_MARGIN}; fails if that "
            f"with false alarm {FALSE_ALARM:g} lies outside; from {_SEEDS_TO_JUDGE} seeds on"
        ),
        verdict=verdict(met, holds),
        numbers=_numbers(gap),
    )


def _agreement_holds(gaps: list[float], predicted: list[float], points: int) -> tuple[Summary, bool | None]:
    """Judge measured − predicted by one interval for both verdicts, from five seeds on.

    The deviation is taken no smaller than that of independent points, √(p(1 − p)/Q): points of a seed can
    agree or differ together, and a few seeds that all do look more certain than they are.
    """
    gap = summarise(gaps)
    chance = sum(p * (1 - p) for p in predicted) / gap.n
    error = max(gap.sd, math.sqrt(chance / points)) / math.sqrt(gap.n)
    if gap.n < _SEEDS_TO_JUDGE:
        return gap, None

    def reach(tail: float) -> float:
        return float(stats.t.isf(tail / 2, gap.n - 1)) * error

    usual = reach(1 - CONFIDENCE)
    if within(-AGREEMENT_MARGIN, AGREEMENT_MARGIN, (gap.mean - usual, gap.mean + usual)):
        return gap, True
    return gap, False if abs(gap.mean) - reach(FALSE_ALARM) > AGREEMENT_MARGIN else None


def _width_trend(section: Section) -> Claim:
    """Judge the slope of agreement against log₁₀ m, seed by seed, over the widths of the published range."""
    low, high = _PUBLISHED_WIDTHS
    widths = [width for width in section["widths"] if low <= width <= high]
    met = len(widths) >= 3
    chosen = widths if met else section["widths"]
    slope, holds = None, None
    if len(chosen) >= 2:
        rows = [_by_seed(section, seed, chosen) for seed in section["seeds"]]
        if all(all_finite(row) for row in rows):
            decades = [math.log10(width) for width in chosen]
            slope = summarise([stats.linregress(decades, row).slope for row in rows])
            holds = within(0.0, None, (slope.low, slope.high))
    first, last = (_mean_agreement(section, width) for width in (chosen[0], chosen[-1]))
    return Claim(
        key="trend-width",
        section=section["name"],
        statement="Agreement rises with the width",
        formula=r"\frac{d}{d \log_{10} m} P(\operatorname{sgn} f = \operatorname{sgn} g) > 0",
        source="published",
        hypothesis=f"three widths in the published range, {low} to {high:,}: {_widths(widths)}",
        met=met,
        predicted="slope above 0",
        measured=(
            f"slope {_interval(slope)} a decade: {first} at m = {chosen[0]:,}, {last} at m = {chosen[-1]:,}"
        ),
        samples=f"{len(section['seeds'])} seeds × {section['num_test']} points at {len(chosen)} widths",
        rule=f"{CONFIDENCE:.0%} interval of the slope over seeds above 0; below: fails",
        verdict=verdict(met, holds),
        numbers=_numbers(slope),
    )


def _by_seed(section: Section, seed: int, widths: list[int]) -> list[float]:
    runs = {run["width"]: run for run in section["runs"] if run["seed"] == seed}
    return [runs[width]["agreement"]["measured"] for width in widths]


def _mean_agreement(section: Section, width: int) -> str:
    (row,) = [row for row in section["by_width"] if row["width"] == width]
    return _spread(row["agreement"]["measured"])


def _theorem(section: Section, label_noise: str) -> Claim:
    widest = section["widths"][-1]
    runs = [run for run in section["runs"] if run["width"] == widest]
    counts = [c for run in runs for c in run["conditions"] if c["label_noise"] == label_noise]
    widths = {count["width"] for count in counts}
    wide = None if "unknown" in widths else widths == {"holds"}
    agree = sum(count["met_agree"] for count in counts)
    differ = sum(count["met_differ"] for count in counts)
    points = section["num_test"] * len(runs)
    norm = section["largest_norm"]
    bounded = None if norm is None else norm <= 1 + _NORM_ROUNDING
    known = None not in (wide, bounded)
    met = wide and bounded and agree + differ > 0 if known else None
    published = label_noise == "published"
    width_met = {None: "not known", True: "met", False: "not met"}[wide]
    noise = "d/√N" if published else "1/√N in scenario (a), d/√N in (b)"
    return Claim(
        key=f"theorem-{label_noise}",
        section=section["name"],
        statement=(
            "With every hidden constant set to 1: where the published conditions hold, f and g agree"
            + ("" if published else " (with ν = 1/√N in scenario (a))")
        ),
        formula=r"m > C \ell d^2 (T_f + T_g)^2 \Rightarrow \operatorname{sgn} f = \operatorname{sgn} g",
        source="published" if published else "variant",
        hypothesis=(
            f"C = ℓ = 1, label noise {noise}: largest ‖x‖/√d {text.number(norm)} ≤ 1, width {width_met}, "
            f"(a), (b), (c) at {agree + differ:,} of {points:,} points"
        ),
        met=met,
        predicted="all agree" if agree + differ else "nothing",
        measured=f"{agree:,} agree, {differ:,} differ" if agree + differ else "no point to test",
        samples=f"{len(runs)} seeds × {section['num_test']} points at m = {widest:,}",
        rule="no disagreement where the hypothesis is met; judges C = 1 alone, the true C is not known",
        verdict=verdict(met, differ == 0),
    )


# Text ----------------------------------------------------------------------------------------------


def _spread(summary: dict[str, Any]) -> str:
    return text.spread(summary["mean"], summary["sd"])


def _interval(summary: Summary | None) -> str:
    return text.DASH if summary is None else text.interval(summary.mean, summary.low, summary.high)


def _numbers(summary: Summary | None) -> dict[str, float | None]:
    return {} if summary is None else asdict(summary)


def _widths(widths: list[int] | None) -> str:
    if widths is None:
        return "not known"
    return "none" if not widths else ", ".join(f"{width:,}" for width in widths)
