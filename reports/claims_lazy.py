"""Claims about wide networks: how their outputs move, and where their gradients point.

Each has the hypothesis that training is lazy, which few free neurons show.  Pure functions of a section.
"""

from typing import Any

from reports import text
from reports.claim_text import interval, listed, numbers_of, spread
from reports.statistics import CONFIDENCE, rates, summarise
from reports.verdicts import Claim, all_finite, verdict, within

# A width counts as lazy while the expected free share, averaged over test points, is at most this.
LAZY_FREE_SHARE = 0.3
SLOPE, SLOPE_MARGIN = -0.5, 0.15
COSINE = 0.99

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
            f"{listed(widths)}"
        ),
        met=met,
        predicted="slope −1/2 or steeper",
        measured=(
            f"slope {interval(slope)}; relative error {spread(relative)} at m = {section['widths'][-1]:,}"
        ),
        samples=f"{len(section['seeds'])} seeds",
        rule=f"{CONFIDENCE:.0%} interval of the slope over seeds below −1/2 + {SLOPE_MARGIN}; above: fails",
        verdict=verdict(met, None if slope is None else within(None, high, (slope.low, slope.high))),
        numbers=numbers_of(slope),
    )


# Directions ----------------------------------------------------------------------------------------


def _cosine_claim(
    section: Section,
    name: str,
    *,
    rule: str,
    below: tuple[str, bool | None],
    **texts: Any,  # noqa: ANN401
) -> Claim:
    """Judge a cosine at the largest width; `below`: what else is said, and the verdict under `COSINE`."""
    met, hypothesis = lazy(section, "f")
    summary = section["by_width"][-1]["cosines"][name]
    high = within(COSINE, None, (summary["low"], summary["high"]))
    said, otherwise = below
    return Claim(
        section=section["name"],
        hypothesis=hypothesis,
        met=met,
        measured=f"cosine {spread(summary)}{said}",
        samples=f"{summary['n']} seeds at m = {section['widths'][-1]:,}",
        rule=f"{CONFIDENCE:.0%} interval of the mean cosine above {COSINE}; {rule}",
        verdict=verdict(met, otherwise if high is False else high),
        **texts,
    )


def _limit_claim(section: Section, name: str, **texts: Any) -> Claim:  # noqa: ANN401
    """Judge a cosine that tends to 1, below `COSINE` by how 1 − cos falls with the width.

    1 − cos is at most half of the square of the relative error, which is O(m^(−1/2)).
    """
    widths = lazy_widths(section, "f") or []
    slope = None
    if len(widths) >= 3 and widths[-1] / widths[0] >= 10:
        runs = [run for run in section["runs"] if run["width"] in widths]
        values = [[run["cosines"][name] for run in runs if run["seed"] == seed] for seed in section["seeds"]]
        if all(all_finite(row) for row in values):
            slope = rates(widths, [[1 - cosine for cosine in row] for row in values])
    falls = None if slope is None else within(None, SLOPE + SLOPE_MARGIN, (slope.low, slope.high))
    return _cosine_claim(
        section,
        name,
        rule="below: fails if that of the slope of log(1 − cos) against log m, over three lazy widths, is "
        f"above {text.number(SLOPE + SLOPE_MARGIN)}, else unknown",
        below=(f"; slope of 1 − cos {interval(slope)}", False if falls is False else None),
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
    under = within(COSINE, None, (limit["low"], limit["high"]))
    return _cosine_claim(
        section,
        "trained_paper",
        rule="below: fails if that of its limit cos(u, ∇f_b) is below too, else unknown",
        below=("", False if under is False else None),
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
        measured=f"gain in cosine {interval(gap)}",
        samples=f"{len(pairs)} seeds at m = {widest:,}, paired",
        rule=f"{CONFIDENCE:.0%} interval of cos(·, ∇f_b) − cos(·, u) over seeds above 0; below: fails",
        verdict=verdict(met, holds),
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
