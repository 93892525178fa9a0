"""Φ has a closed form: three derivations, quadrature and Monte Carlo."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from reports import svg
from reports._matplotlib import Axes
from reports.inline import Part, rich
from reports.judging import CONFIDENCE, excluded, refuted, unmeasured
from reports.numbers import of_columns, picked, records
from reports.page import Block, Figure, List, fold, say
from reports.phi_check import PhiCheck
from reports.text import count, number
from reports.verdicts import FALSE_ALARM, MISSED, Claim, all_finite

EVIDENCE, TITLE = "phi-evidence", "The kernel Φ"
PHI_ERROR = 0.01  # of the closed form, by Monte Carlo: excluded where the claim holds
_QUADRATURE_ROUNDING = 4e-12  # four intervals, each asked for 1e-12 of a value below 1


def claims(phi: PhiCheck) -> list[Claim]:
    """Judge the closed form by what `reports.phi_check` found."""
    sampled = phi.monte_carlo
    pairs = len(sampled.exact)
    limit = float(stats.norm.isf(FALSE_ALARM / (2 * max(pairs, 1))))
    found = (phi.largest_difference, sampled.largest_deviation)
    difference, deviation = found
    steps = [step.holds for route in phi.routes.values() for step in route]
    # An error of so much moves the deviation beyond the limit with probability 1 − MISSED at any one pair.
    errors = sampled.standard_error
    seen = (limit + float(stats.norm.isf(MISSED))) * max(errors) if pairs and all_finite(errors) else None
    judged = unmeasured()
    if steps and phi.quadrature and all_finite(found):
        if not all(steps) or found[0] > _QUADRATURE_ROUNDING or found[1] > limit:
            judged = refuted("the closed form")
        elif seen is None or seen > PHI_ERROR:
            judged = unmeasured(f"Monte Carlo sees errors from {number(seen)} on")
        else:
            judged = excluded(
                f"an error above {_QUADRATURE_ROUNDING:g} where quadrature was taken, one of "
                f"{number(seen)} at a pair of Monte Carlo"
            )
    made = Claim(
        key="phi",
        statement="Φ has a closed form",
        formula=r"\Phi = \frac{(1+\gamma)^2}{4} + \frac{(1-\gamma)^2}{2\pi} \arcsin\rho",
        source="derived here",
        hypothesis="none",
        predicted="closed form = quadrature = Monte Carlo",
        measured=(
            f"differs by at most {number(difference)} from quadrature, "
            f"{number(deviation)} standard errors from Monte Carlo"
        ),
        samples=f"{len(phi.quadrature)} quadratures; {pairs} pairs × {sampled.num_draws:,} draws",
        rule=(
            f"all {len(steps)} derivation steps carried out, quadrature within {_QUADRATURE_ROUNDING:g}, "
            f"Monte Carlo within {limit:.2f} standard errors (false alarm {FALSE_ALARM:g} over all pairs); "
            f"holds only if an error of {PHI_ERROR:g} would have been seen at any pair ({CONFIDENCE})"
        ),
        numbers={"largest_difference": difference, "largest_deviation": deviation},
        **judged.given(True),
    )
    return [made]


def derived(phi: PhiCheck) -> Iterator[Block]:
    """Yield the definition of Φ and its derivations."""
    yield say(r"""$\Phi(x, z) = E[\varphi'(\langle v, x \rangle + a) \, \varphi'(\langle v, z \rangle + a)]$
        with $v \sim N(0, I/d)$, $a \sim N(0, 1)$: every prediction on this page is a sum over training
        samples weighted by Φ.""")
    for route, steps in phi.routes.items():
        checked = {True: Part("check", "✓ checked"), False: Part("check", "✗ does not hold")}
        items = [(s.statement, " ", checked[s.holds], Part("display", s.latex)) for s in steps]
        title = f"Derivation, route “{route}”: {len(steps)} steps carried out by computer algebra"
        yield fold(title, List(tuple(items), "steps"))


def shown(phi: PhiCheck) -> Iterator[Figure]:
    """Yield what the closed form was checked against."""

    def draw(axes: Axes) -> None:
        for curve, color in zip(phi.curves, (svg.F, svg.G, svg.THIRD), strict=True):
            slope = curve.negative_slope
            axes.plot(curve.rho, curve.closed_form, color=color, label=f"γ = {slope:g}")
            rows = [row for row in phi.quadrature if row.negative_slope == slope]
            axes.plot([r.rho for r in rows], [r.quadrature for r in rows], "o", color=color, mfc="none")
        axes.set(xlabel="correlation ρ", ylabel="Φ", xticks=[-1, -0.5, 0, 0.5, 1])
        axes.legend(loc="center left", bbox_to_anchor=(0.02, 0.74), ncols=3)

    drawn = [
        {"kind": "closed form", "negative_slope": curve.negative_slope, "rho": rho, "value": value}
        for curve in phi.curves
        for rho, value in zip(curve.rho, curve.closed_form, strict=True)
    ]
    drawn += [
        {"kind": "quadrature"} | picked(row, "negative_slope", "rho") | {"value": row.quadrature}
        for row in phi.quadrature
    ]
    alt = "Closed form of Φ against the correlation for three slopes, with quadrature values"
    caption = """Φ against the correlation of the two pre-activations. Circles: adaptive quadrature of the
        definition."""
    yield svg.figure(draw, "", "phi", alt, rich(caption), records(drawn))
    sampled = phi.monte_carlo
    exact, mean, error = map(np.array, (sampled.exact, sampled.mean, sampled.standard_error))

    def draw_sampled(axes: Axes) -> None:
        axes.axhline(0, color=svg.INK, linewidth=0.8)
        axes.errorbar(exact, mean - exact, yerr=error, fmt="o", color=svg.F, markersize=3, linewidth=0.8)
        axes.set(xlabel="Φ, closed form", ylabel="Monte Carlo − closed form")
        axes.ticklabel_format(axis="y", style="plain")

    alt = "Monte Carlo estimates of Φ minus the closed form, with their standard errors"
    caption = f"""Monte Carlo ({count(sampled.num_draws)} draws, γ = {sampled.negative_slope})
        minus closed form; bars are one standard error. All pairs share their draws."""
    pairs = of_columns(picked(sampled, "exact", "mean", "standard_error"))
    yield svg.figure(draw_sampled, "", "monte-carlo", alt, rich(caption), pairs)
