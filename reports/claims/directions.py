"""Where the gradients of wide networks point, and with them the perturbations."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from markupsafe import Markup

from reports import svg, text
from reports._matplotlib import Axes
from reports.claim_text import by_seed, interval, numbers_of, spread
from reports.claims.laziness import FLOOR, falls, lazy, lazy_widths, over_a_decade
from reports.claims.widths import draw_spread, of_widths, over_seeds
from reports.inline import rich
from reports.judging import CONFIDENCE, SEEDS, Judgement, judge_mean, refuted, unmeasured
from reports.numbers import of_columns, records
from reports.page import Block, Figure, note, table
from reports.pictures import images_figure
from reports.results import Section
from reports.statistics import summarise
from reports.verdicts import FALSE_ALARM, Claim, all_rows_finite

EVIDENCE, TITLE = "directions", "Direction of the perturbations"
COSINE = 0.99


def claims(section: Section) -> list[Claim]:
    """Judge both predicted directions of the gradient, their difference, and that of the perturbations."""
    return [judge(section) for judge in (_gradient, _paper, _kinks, _perturbation)]


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
    summary = getattr(section.by_width[-1].cosines, name)
    judged = _high(section, name)
    said, otherwise = below
    if judged.holds is False:
        judged = otherwise
    return Claim(
        hypothesis=hypothesis,
        measured=f"cosine {spread(summary)}{said}",
        samples=f"{summary.n} seeds at m = {section.widths[-1]:,}",
        rule=f"t interval of the mean cosine over {SEEDS}; holds above {COSINE} ({CONFIDENCE}); {rule}",
        **judged.given(met),
        **texts,
    )


def _high(section: Section, name: str) -> Judgement:
    """Judge the mean cosine at the largest width over seeds."""
    runs = [getattr(run.cosines, name) for run in section.runs if run.width == section.widths[-1]]
    return judge_mean(runs, low=COSINE, what="a mean cosine")


def _limit_claim(section: Section, name: str, **texts: Any) -> Claim:  # noqa: ANN401
    """Judge a cosine that tends to 1, below `COSINE` by how 1 − cos falls with the width.

    1 − cos is at most half of the square of the relative error, which is O(m^(−1/2)).
    """
    widths = lazy_widths(section, "f") or []
    slope, falling = (
        None,
        unmeasured("the cosine is low, and fewer than three lazy widths show whether it rises"),
    )
    if over_a_decade(widths):
        values = [[getattr(run.cosines, name) for run in runs] for runs in by_seed(section, widths)]
        if all_rows_finite(values):
            slope, falling = falls(widths, [[1 - cosine for cosine in row] for row in values])
    if falling.holds:
        falling = unmeasured("the cosine is low, but 1 − cos falls with the width: take wider networks")
    return _cosine_claim(
        section,
        name,
        rule=f"if it lies below (false alarm {FALSE_ALARM:g}): fails if 1 − cos = c + A/√m, over three lazy "
        f"widths, keeps a part c above {FLOOR:g} at the largest, else unknown",
        below=(f"; slope of 1 − cos {interval(slope)}", falling),
        **texts,
    )


def _gradient(section: Section) -> Claim:
    return _limit_claim(
        section,
        "trained_gradient",
        key="direction-gradient",
        statement="The trained part of the input gradient points along ∇f_b",
        formula=r"\nabla f(x; T) - \nabla f(x; 0) \approx T \, \nabla f_b(x)",
        source="derived here",
        predicted="cosine → 1",
    )


def _paper(section: Section) -> Claim:
    limit = section.by_width[-1].cosines.between
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


def _kinks(section: Section) -> Claim:
    """Judge whether ∇f_b is nearer to the trained part than u, seed by seed."""
    met, hypothesis = lazy(section, "f")
    widest = section.widths[-1]
    pairs = [run.cosines for run in section.runs if run.width == widest]
    values = [(pair.trained_gradient, pair.trained_paper) for pair in pairs]
    gap, judged = None, unmeasured()
    if all_rows_finite(values):
        gains = [gradient - paper for gradient, paper in values]
        gap, judged = summarise(gains), judge_mean(gains, low=0.0, what="a mean gain in cosine")
    between = section.by_width[-1].cosines.between.mean
    return Claim(
        key="kink-term",
        statement="The moving kinks turn the gradient away from u, towards ∇f_b",
        formula=r"\nabla f_b(x) = u(x) + \frac{1}{N} \sum_k y_k k(x_k, x) \nabla_x \Phi(x_k, x)",
        source="derived here",
        hypothesis=hypothesis,
        predicted=f"gain in cosine {text.number(None if between is None else 1 - between)}",
        measured=f"gain in cosine {interval(gap)}",
        samples=f"{len(pairs)} seeds at m = {widest:,}, paired",
        rule=f"t interval of cos(·, ∇f_b) − cos(·, u) over {SEEDS}; holds above 0 ({CONFIDENCE}), fails "
        f"below (false alarm {FALSE_ALARM:g})",
        numbers=numbers_of(gap),
        **judged.given(met),
    )


def _perturbation(section: Section) -> Claim:
    cosines = section.by_width[-1].cosines
    return _limit_claim(
        section,
        "perturbation_given_initial",
        key="perturbation",
        statement="Perturbations point along the initial gradient plus T ∇f_b",
        formula=r"t_n r_n/\varepsilon \approx (\nabla f(x_n; 0) + T_f \nabla f_b(x_n))/\|\cdot\|",
        source="derived here",
        predicted=(
            f"cosine → 1 (without the initial gradient {spread(cosines.perturbation_gradient)}, "
            f"with u {spread(cosines.perturbation_paper)})"
        ),
    )


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield where gradients and perturbations point, beside both predicted directions."""

    def draw(axes: Axes) -> None:
        for name, label, color, marker in (
            ("trained_paper", "with u (published)", svg.G, "s"),
            ("trained_gradient", "with ∇f_b (derived)", svg.F, "o"),
        ):
            style: Any = {"color": color, "marker": marker, "line": True, "rest": True}
            draw_spread(axes, section, "cosines", name, label, **style)
        limit = 1 - over_seeds(section, "cosines", "between")
        if np.isfinite(limit).all() and (limit > 0).all():
            axes.plot(section.widths, limit, "--", color=svg.INK, label="1 − cos(u, ∇f_b)")
        svg.log_log(axes)
        axes.set(xlabel="width m", ylabel="1 − cosine (0 is perfect)")
        axes.legend()

    alt = "One minus the cosine of the trained gradient with both predicted directions, against width"
    caption = rich("""How far the trained part of the input gradient is from the two predicted directions.
        Dashed: 1 − cos(u, ∇f~b~), the wide limit for u.""")
    numbers = of_widths(section, cosines=("trained_paper", "trained_gradient", "between"))
    yield svg.figure(draw, key, "cosine", alt, caption, numbers)
    columns = {
        "cosine at m": lambda row: text.count(row.width),
        "trained part of the gradient with u": lambda row: spread(row.cosines.trained_paper),
        rich("with ∇f~b~"): lambda row: spread(row.cosines.trained_gradient),
        rich("u with ∇f~b~"): lambda row: spread(row.cosines.between),
        "perturbation as used with u": lambda row: spread(row.cosines.perturbation_paper),
        rich("as used with ∇f~b~"): lambda row: spread(row.cosines.perturbation_gradient),
        rich("as used with ∇f(·; 0) + T ∇f~b~"): lambda row: spread(row.cosines.perturbation_given_initial),
    }
    by_width = records({"width": row.width, "cosines": row.cosines} for row in section.by_width)
    yield table(section.by_width, columns, name="cosines", numbers=by_width)
    yield note(f"""The perturbation as used contains the gradient of the initial network, which neither u nor
        ∇f~b~ knows of and which fades as T grows. Gradients that were exactly zero:
        {sum(run.zero_gradients for run in section.runs)}.""")
    seen, drawn = section.images, images_figure(section, key)
    if seen is None or drawn is None:
        return
    caption = rich(
        """Training images, t r/ε (the perturbation towards class {}), and the two predicted directions, m
        = {}, seed {}. Blue is positive, orange negative; each picture has a scale of its own. Below:
        cosine with the perturbation.""",
        *(section.classes[1], text.count(seen.width), str(seen.seed)),
    )
    pixels = {  # row by row of the picture
        f"{name} {place}": values
        for name, pictured in seen.pictures.items()
        for place, values in enumerate(pictured, start=1)
    }
    yield Figure(Markup(drawn), caption, "images", of_columns(pixels))
