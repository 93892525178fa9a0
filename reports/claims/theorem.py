"""The published theorem: where its conditions hold, f and g agree."""

from reports import text
from reports.judging import CONFIDENCE, judge_share
from reports.results import Section, Trend
from reports.verdicts import Claim, verdict

# Share of the points where the published conditions hold that may differ: excluded where the claim holds.
DIFFERING_SHARE = 0.2
_NORM_ROUNDING = 1e-9  # rows scaled to norm √d have it up to rounding
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


def theorem(section: Section, label_noise: str) -> Claim:
    """Judge the published theorem, all constants 1, at the points where its conditions hold."""
    widest = section.widths[-1]
    runs = [run for run in section.runs if run.width == widest]
    counts = [c for run in runs for c in run.conditions if c.label_noise == label_noise]
    widths = {count.width for count in counts}
    wide = None if "unknown" in widths else widths == {"holds"}
    agree = sum(count.met_agree for count in counts)
    differ = sum(count.met_differ for count in counts)
    points = section.num_test * len(runs)
    norm = section.largest_norm
    bounded = None if norm is None else norm <= 1 + _NORM_ROUNDING
    known = None not in (wide, bounded)
    met = wide and bounded and agree + differ > 0 if known else None
    published = label_noise == "published"
    width_met = {None: "not known", True: "met", False: "not met"}[wide]
    noise = "d/√N" if published else "1/√N in scenario (a), d/√N in (b)"
    pairs = [(count.met_differ, count.met_agree + count.met_differ) for count in counts]
    judged = judge_share(
        [differing / met_at for differing, met_at in pairs if met_at],
        allowed=0,
        violation=DIFFERING_SHARE,
        what="share of differing points where the conditions hold",
        unit="seed with such points",
        units="seeds with such points",
    )
    return Claim(
        key=f"theorem-{label_noise}",
        evidence="conditions",
        section=section.name,
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
        samples=f"{len(runs)} seeds × {section.num_test} points at m = {widest:,}",
        rule="fails for one disagreement where the hypothesis is met; holds if a share of "
        f"{DIFFERING_SHARE:g} of these points was excluded ({CONFIDENCE}) by seeds that have some; judges "
        "C = 1 alone, the true C is not known",
        verdict=verdict(met, judged.holds),
        decision=judged.decision,
    )


def trends() -> list[Trend]:
    """Return what the published conditions say about what is held fixed here, and the command to vary it."""
    return [Trend(over, says, f"perturblearn sweep {chosen} --out my-sweep") for over, says, chosen in TRENDS]
