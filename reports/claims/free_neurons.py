"""Neurons whose activation pattern can change: how many there are, and that no others change."""

from collections.abc import Iterator

from reports import svg
from reports._matplotlib import Axes
from reports.claim_text import by_seed, spread
from reports.claims.widths import draw_spread, of_widths, over_seeds
from reports.inline import rich
from reports.judging import CONFIDENCE, Judgement, judge_mean, judge_share, refuted, together, unmeasured
from reports.page import Block, note, say, table
from reports.results import AtWidth, Section
from reports.text import count, number
from reports.verdicts import FALSE_ALARM, Claim, all_finite

EVIDENCE, TITLE = "free", "How wide is wide?"
# Violations that *holds* has excluded.
FREE_ERROR = 0.1  # of the arctan law, relative
VIOLATING_SEEDS = 0.2  # share of seeds whose networks break an inequality
_SHARES = ("free_predicted", "free_measured", "flipped")


def claims(section: Section) -> list[Claim]:
    """Judge the law of the share of free neurons, and that only free ones change their activation."""
    return [_free_share(section), _only_free_flip(section)]


def _free_share(section: Section) -> Claim:
    pvalues = [run[network].free_pvalue for run in section.runs for network in ("f", "g")]
    smallest = min(pvalues) * len(pvalues) if all_finite(pvalues) else None
    widest = section.by_width[-1]
    return Claim(
        key="free-share",
        statement="The share of neurons that could change their activation follows the arctan law",
        formula=r"P(\mathrm{free}) = \frac{2}{\pi} \arctan \frac{L T \kappa(z)}{s(z) \sqrt{m}}",
        source="derived here",
        hypothesis="full-batch training, test points independent of the initialisation",
        predicted=_pair(widest, "free_predicted"),
        measured=_pair(widest, "free_measured"),
        samples=f"{len(pvalues)} networks × {section.num_test} points",
        rule=(
            "fails if the smallest p-value of exact binomial tests at every point of every network, times "
            f"their number ({number(None if smallest is None else min(1.0, smallest))}), is below "
            f"{FALSE_ALARM:g}; holds if at every width, for f and for g, the {CONFIDENCE} interval of the "
            f"mean relative error of the law over seeds lies within ±{FREE_ERROR:g}"
        ),
        numbers={"smallest_pvalue_times_tests": smallest},
        **_law_of_free(section, smallest).given(True),
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


def _only_free_flip(section: Section) -> Claim:
    counts = [run[network].flipped_not_free for run in section.runs for network in ("f", "g")]
    total = sum(counts) if all_finite(counts) else None
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
        statement="Only free neurons change their activation",
        formula=r"|\xi_i(z, t) - \xi_i(z, 0)| \le |a_i| L T \kappa(z)",
        source="derived here",
        hypothesis="full-batch training",
        predicted="0 others flip",
        measured=f"{count(total)} others flip; flipped share {_pair(section.by_width[-1], 'flipped')}",
        samples=f"{len(counts)} networks × {section.num_test} points, every neuron",
        rule="fails if one neuron flips that was not free, beyond rounding of its pre-activation; holds if "
        f"that was excluded for a share of {VIOLATING_SEEDS:g} of the seeds ({CONFIDENCE}), by those in "
        "which neurons flip",
        **judged.given(True),
    )


def _pair(row: AtWidth, name: str) -> str:
    return f"f {spread(getattr(row.f, name))}, g {spread(getattr(row.g, name))}"


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield how many neurons are free, and from which width on few are."""

    def draw(axes: Axes) -> None:
        for network in ("f", "g"):
            law = over_seeds(section, network, "free_predicted")
            axes.plot(section.widths, law, color=svg.COLORS[network], label=f"{network}: arctan law")
            draw_spread(axes, section, network, "free_measured", f"{network}: free, measured")
            draw_spread(axes, section, network, "flipped", f"{network}: flipped", hollow=True)
        svg.log_log(axes)
        axes.set(xlabel="width m", ylabel="share of neurons")
        axes.legend(ncols=2, fontsize=9)

    alt = "Share of free neurons against width for f and g, with the arctan law, and share of flipped neurons"
    caption = rich("""Share of neurons that are free (could change their activation) and that flipped (did),
        mean over test points; bars are one standard deviation over seeds.""")
    numbers = of_widths(section, f=_SHARES, g=_SHARES)
    yield svg.figure(draw, key, "free", alt, caption, numbers, headroom=0.35)
    bounds = section.width_bounds
    yield say(
        r"""Width from which at most {} % of the neurons are expected to be free: $m \ge \left(
        \frac{L T \kappa(z)}{s(z) \tan(\pi q/2)} \right)^2$""",
        number(100 * bounds.free_share),
    )
    columns = {
        "network": lambda row: "both (T_f + T_g)" if row.network == "both" else row.network,
        "median test point": lambda row: count(row.from_data_median),
        "every test point": lambda row: count(row.from_data_largest),
        "from norms": lambda row: count(row.from_norms),
    }
    yield table(bounds.rows, columns, name="widths")
    yield note(f"""“From norms” assumes ‖x‖, ‖z‖ ≤ √d; the largest here is {number(section.largest_norm)}
        √d. The published $d^2 (T_f + T_g)^2$ with constant 1 is {count(bounds.published)}; its true
        constant is not known.""")
