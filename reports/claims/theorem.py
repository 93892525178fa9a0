"""The published theorem: where its conditions hold, f and g agree."""

from collections.abc import Iterator, Sequence

from reports.inline import Part
from reports.judging import CONFIDENCE, judge_share
from reports.page import Block, Group, fold, say, table
from reports.results import Section, Trend
from reports.text import count, number
from reports.verdicts import Claim

EVIDENCE, TITLE = "conditions", "Published conditions against agreement"
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


def claims(section: Section) -> list[Claim]:
    """Judge the published theorem, all constants 1, at the points where its conditions hold."""
    return [_theorem(section, label_noise) for label_noise in ("published", "scenario")]


def _theorem(section: Section, label_noise: str) -> Claim:
    widest = section.widths[-1]
    runs = [run for run in section.runs if run.width == widest]
    counts = [c for run in runs for c in run.conditions if c.label_noise == label_noise]
    widths = {c.width for c in counts}
    wide = None if "unknown" in widths else widths == {"holds"}
    agree = sum(c.met_agree for c in counts)
    differ = sum(c.met_differ for c in counts)
    points = section.num_test * len(runs)
    norm = section.largest_norm
    bounded = None if norm is None else norm <= 1 + _NORM_ROUNDING
    known = None not in (wide, bounded)
    met = wide and bounded and agree + differ > 0 if known else None
    published = label_noise == "published"
    width_met = {None: "not known", True: "met", False: "not met"}[wide]
    noise = "d/√N" if published else "1/√N in scenario (a), d/√N in (b)"
    pairs = [(c.met_differ, c.met_agree + c.met_differ) for c in counts]
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
        statement=(
            "With every hidden constant set to 1: where the published conditions hold, f and g agree"
            + ("" if published else " (with ν = 1/√N in scenario (a))")
        ),
        formula=r"m > C \ell d^2 (T_f + T_g)^2 \Rightarrow \operatorname{sgn} f = \operatorname{sgn} g",
        source="published" if published else "variant",
        hypothesis=(
            f"C = ℓ = 1, label noise {noise}: largest ‖x‖/√d {number(norm)} ≤ 1, width {width_met}, "
            f"(a), (b), (c) at {agree + differ:,} of {points:,} points"
        ),
        predicted="all agree" if agree + differ else "nothing",
        measured=f"{agree:,} agree, {differ:,} differ" if agree + differ else "no point to test",
        samples=f"{len(runs)} seeds × {section.num_test} points at m = {widest:,}",
        rule="fails for one disagreement where the hypothesis is met; holds if a share of "
        f"{DIFFERING_SHARE:g} of these points was excluded ({CONFIDENCE}) by seeds that have some; judges "
        "C = 1 alone, the true C is not known",
        **judged.given(met),
    )


def in_words(section: Section) -> str:
    """Say in a sentence at how many points the published theorem says anything, and what f and g do there."""
    (claim,) = (claim for claim in claims(section) if claim.key == "theorem-published")
    runs = [run for run in section.runs if run.width == section.widths[-1]]
    counts = [c for run in runs for c in run.conditions if c.label_noise == "published"]
    met, points = sum(c.met_agree + c.met_differ for c in counts), section.num_test * len(runs)
    where = f"With its hidden constants set to 1, its conditions hold at {met:,} of {points:,} points"
    if claim.met:
        return f"{where}: {claim.measured}."
    if claim.met is None:
        return "Cannot be judged here: a condition is not known."
    long = f"; samples are longer than it allows, up to {number(section.largest_norm)} √d"
    norm = section.largest_norm
    nowhere = [
        row.name.partition(",")[0]
        for row in section.condition_rows
        if row.name.startswith("(")
        and row.name.endswith("ν = d/√N")
        and not row.holds_agree + row.holds_differ
    ]
    where += f", {' and '.join(nowhere)} at none" if nowhere else ""
    narrow = "" if all(c.width == "holds" for c in counts) else "; m is below d² (T_f + T_g)²"
    return f"Says nothing here. {where}{long if norm and norm > 1 + _NORM_ROUNDING else ''}{narrow}."


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the published conditions against agreement, point by point."""
    yield say(
        r"""At m = {}, constant 1, no logarithm, all seeds: (a) $|\hat f(z)| > 1 + 1/T_f$, (b) $|\hat g(z)| >
        1/T_f + (\sqrt{d}/\varepsilon)(1/T_g + \nu)$, (c) $\operatorname{sgn} \hat f(z) = \operatorname{sgn}
        \hat g(z)$. The published $\nu = d/\sqrt{N}$; in scenario (a) the fluctuation that random labels leave
        is $1/\sqrt{N}$.""",
        count(section.widths[-1]),
    )
    columns = {
        "condition": lambda row: row.name,
        "threshold": lambda row: number(row.threshold),
        "holds: agree": lambda row: count(row.holds_agree),
        "holds: differ": lambda row: count(row.holds_differ),
        "not: agree": lambda row: count(row.fails_agree),
        "not: differ": lambda row: count(row.fails_differ),
    }
    yield table(section.condition_rows, columns, name="conditions")


def trends() -> list[Trend]:
    """Return what the published conditions say about what is held fixed here, and the command to vary it."""
    return [Trend(over, says, f"perturblearn sweep {chosen} --out my-sweep") for over, says, chosen in TRENDS]


def varied(rows: Sequence[Trend]) -> Group:
    """Return these statements as a table, folded."""
    columns = {
        "over": lambda trend: trend.over,
        "what the published conditions say, constant 1": lambda trend: trend.says,
        "shown by": lambda trend: Part("code", trend.command),
    }
    title = "Trends over what this report holds fixed, and the commands that vary it"
    return fold(title, table(rows, columns, name="trends"))
