"""Claims about wide networks: how their outputs move, and where their gradients point.

Each has the hypothesis that training is lazy, which few free neurons show.  Pure functions of a section.
"""

from typing import Any

from reports import text
from reports.claim_text import by_seed, interval, listed, numbers_of, spread
from reports.judging import CONFIDENCE, FEWEST_SEEDS, Judgement, judge_mean, refuted, unmeasured
from reports.statistics import Summary, floors, rates, summarise
from reports.verdicts import FALSE_ALARM, Claim, all_finite, verdict

# A width counts as lazy while the expected free share, averaged over test points, is at most this.
LAZY_FREE_SHARE = 0.3
# Part of the error at the largest width that need not fall like m^(−1/2).  16 seeds of the default report see
# no less; over two decades it is a slope of −0.37.
FLOOR = 0.5
COSINE = 0.99
_SEEDS = f"t intervals over {FEWEST_SEEDS} seeds or more"

Section = dict[str, Any]


def lazy_widths(section: Section, network: str) -> list[int] | None:
    """Return the lazy widths, or None if a share is not known."""
    shares = {row["width"]: row[network]["free_predicted"]["mean"] for row in section["by_width"]}
    if not all_finite(shares.values()):
        return None
    return [width for width, share in shares.items() if share <= LAZY_FREE_SHARE]


def lazy(section: Section, *networks: str) -> tuple[bool | None, str]:
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


def rate(section: Section, network: str) -> Claim:
    """Judge how fast the velocity of a network tends to its limit, by the lazy widths."""
    widths = lazy_widths(section, network)
    loss = section["setting"]["loss"]
    met = None if widths is None else _over_a_decade(widths)
    slope, judged = None, unmeasured()
    if widths and met:
        errors = [[run[network]["error"] for run in runs] for runs in by_seed(section, widths)]
        slope, judged = _falls(widths, errors)
    relative = section["by_width"][-1][network]["relative_error"]
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
            f"{listed(widths)}"
        ),
        met=met,
        predicted="slope −1/2 or steeper, no part that stays",
        measured=(
            f"slope {interval(slope)}; relative error {spread(relative)} at m = {section['widths'][-1]:,}"
        ),
        samples=f"{len(section['seeds'])} seeds",
        rule=f"c + A/√m is fitted to the mean errors; {_SEEDS}, by the jackknife, of the part of c in the "
        f"error at the largest width: holds below {FLOOR:g} ({CONFIDENCE}), fails above (false alarm "
        f"{FALSE_ALARM:g})",
        verdict=verdict(met, judged.holds),
        decision=judged.decision,
        numbers=numbers_of(slope),
    )


def _over_a_decade(widths: list[int]) -> bool:
    return len(widths) >= 3 and widths[-1] / widths[0] >= 10


def _falls(widths: list[int], errors: list[list[float]]) -> tuple[Summary | None, Judgement]:
    """Return the slope of an error, and whether it falls like m^(−1/2) with no part that stays."""
    if not all(all_finite(row) for row in errors):
        return None, unmeasured()
    judged = judge_mean(
        floors(widths, errors),
        high=FLOOR,
        what=f"a part of the error at m = {widths[-1]:,} that does not fall like 1/√m",
    )
    return rates(widths, errors), judged


# Directions ----------------------------------------------------------------------------------------


def _cosine_claim(
    section: Section,
    name: str,
    *,
    rule: str,
    below: tuple[str, Judgement],
    **texts: Any,  # noqa: ANN401
) -> Claim:
    """Judge a cosine at the largest width; `below`: what else is said, and the judgement under `COSINE`."""
    met, hypothesis = lazy(section, "f")
    summary = section["by_width"][-1]["cosines"][name]
    judged = _high(section, name)
    said, otherwise = below
    if judged.holds is False:
        judged = otherwise
    return Claim(
        section=section["name"],
        hypothesis=hypothesis,
        met=met,
        measured=f"cosine {spread(summary)}{said}",
        samples=f"{summary['n']} seeds at m = {section['widths'][-1]:,}",
        rule=f"{_SEEDS}: holds if that of the mean cosine lies above {COSINE} ({CONFIDENCE}); {rule}",
        verdict=verdict(met, judged.holds),
        decision=judged.decision,
        **texts,
    )


def _high(section: Section, name: str) -> Judgement:
    """Judge the mean cosine at the largest width over seeds."""
    runs = [run["cosines"][name] for run in section["runs"] if run["width"] == section["widths"][-1]]
    return judge_mean(runs, low=COSINE, what="a mean cosine")


def _limit_claim(section: Section, name: str, **texts: Any) -> Claim:  # noqa: ANN401
    """Judge a cosine that tends to 1, below `COSINE` by how 1 − cos falls with the width.

    1 − cos is at most half of the square of the relative error, which is O(m^(−1/2)).
    """
    widths = lazy_widths(section, "f") or []
    slope, falls = (
        None,
        unmeasured("the cosine is low, and fewer than three lazy widths show whether it rises"),
    )
    if _over_a_decade(widths):
        values = [[run["cosines"][name] for run in runs] for runs in by_seed(section, widths)]
        if all(all_finite(row) for row in values):
            slope, falls = _falls(widths, [[1 - cosine for cosine in row] for row in values])
    if falls.holds:
        falls = unmeasured("the cosine is low, but 1 − cos falls with the width: take wider networks")
    return _cosine_claim(
        section,
        name,
        rule=f"if it lies below (false alarm {FALSE_ALARM:g}): fails if 1 − cos = c + A/√m, over three lazy "
        f"widths, keeps a part c above {FLOOR:g} at the largest, else unknown",
        below=(f"; slope of 1 − cos {interval(slope)}", falls),
        **texts,
    )


def gradient_direction(section: Section) -> Claim:
    """Judge ∇f_b as the direction of the trained part of the gradient."""
    return _limit_claim(
        section,
        "trained_gradient",
        key="direction-gradient",
        statement="The trained part of the input gradient points along ∇f_b",
        formula=r"\nabla f(x; T) - \nabla f(x; 0) \approx T \, \nabla f_b(x)",
        source="derived here",
        predicted="cosine → 1",
    )


def paper_direction(section: Section) -> Claim:
    """Judge u as the direction of the trained part of the gradient."""
    limit = section["by_width"][-1]["cosines"]["between"]
    under = (
        refuted(f"a cosine of {COSINE}, also in the limit of wide networks")
        if _high(section, "between").holds is False
        else unmeasured("the cosine is low, that of the limit of wide networks need not be")
    )
    return _cosine_claim(
        section,
        "trained_paper",
        rule=f"if it lies below (false alarm {FALSE_ALARM:g}): fails if that of its limit cos(u, ∇f_b) does "
        "too, else unknown",
        below=("", under),
        key="direction-paper",
        statement=f"u alone gives the direction of the trained part, to a cosine of {COSINE}",
        formula=r"\nabla f(x; T) - \nabla f(x; 0) \approx \frac{T}{N} \sum_k \Phi(x_k, x) y_k x_k = T u(x)",
        source="published",
        predicted=f"cosine → {spread(limit)} = cos(u, ∇f_b), derived here; 1 if u were exact",
    )


def kink_term(section: Section) -> Claim:
    """Judge whether ∇f_b is nearer to the trained part than u, seed by seed."""
    met, hypothesis = lazy(section, "f")
    widest = section["widths"][-1]
    pairs = [run["cosines"] for run in section["runs"] if run["width"] == widest]
    values = [(pair["trained_gradient"], pair["trained_paper"]) for pair in pairs]
    gap, judged = None, unmeasured()
    if all(all_finite(pair) for pair in values):
        gains = [gradient - paper for gradient, paper in values]
        gap, judged = summarise(gains), judge_mean(gains, low=0.0, what="a mean gain in cosine")
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
        measured=f"gain in cosine {interval(gap)}",
        samples=f"{len(pairs)} seeds at m = {widest:,}, paired",
        rule=f"{_SEEDS} of cos(·, ∇f_b) − cos(·, u): holds above 0 ({CONFIDENCE}), fails below (false alarm "
        f"{FALSE_ALARM:g})",
        verdict=verdict(met, judged.holds),
        decision=judged.decision,
        numbers=numbers_of(gap),
    )


def perturbation(section: Section) -> Claim:
    """Judge the predicted direction of the perturbations as they are used."""
    cosines = section["by_width"][-1]["cosines"]
    return _limit_claim(
        section,
        "perturbation_given_initial",
        key="perturbation",
        statement="Perturbations point along the initial gradient plus T ∇f_b",
        formula=r"t_n r_n/\varepsilon \approx (\nabla f(x_n; 0) + T_f \nabla f_b(x_n))/\|\cdot\|",
        source="derived here",
        predicted=(
            f"cosine → 1 (without the initial gradient {spread(cosines['perturbation_gradient'])}, "
            f"with u {spread(cosines['perturbation_paper'])})"
        ),
    )
