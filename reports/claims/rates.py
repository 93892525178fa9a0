"""How fast the outputs of wide networks tend to those that are predicted."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from reports import svg
from reports._matplotlib import Axes
from reports.claim_text import by_seed, interval, listed, numbers_of, spread
from reports.claims.laziness import FLOOR, LAZY_FREE_SHARE, falls, lazy_widths, over_a_decade
from reports.claims.widths import draw_spread, of_widths
from reports.inline import rich
from reports.judging import CONFIDENCE, SEEDS, unmeasured
from reports.numbers import lists_of, of_columns
from reports.page import Block, Figure, say
from reports.results import Section
from reports.text import count
from reports.verdicts import FALSE_ALARM, Claim

EVIDENCE, TITLE = "outputs", "Predicted and measured outputs"


def claims(section: Section) -> list[Claim]:
    """Judge how fast the velocity of each network tends to its limit, by the lazy widths."""
    return [_rate(section, network) for network in ("f", "g")]


def _rate(section: Section, network: str) -> Claim:
    widths = lazy_widths(section, network)
    loss = section.setting.loss
    met = None if widths is None else over_a_decade(widths)
    slope, judged = None, unmeasured()
    if widths and met:
        errors = [[run[network].error for run in runs] for runs in by_seed(section, widths)]
        slope, judged = falls(widths, errors)
    relative = section.by_width[-1][network].relative_error
    limit, time = f"{network}_b", f"T_{network}"
    predicted = f"{network}_b(z)"
    if loss != "identity":
        limit = f"that of the lazy limit of {loss} loss"
        predicted = rf"\frac{{1}}{{N {time}}} \sum_n \beta_n y_n \Theta(x_n, z)"
    return Claim(
        key=f"rate-{network}",
        statement=(
            f"The velocity of {network} tends to {limit}, with an error that falls at least like 1/√m"
        ),
        formula=rf"\frac{{{network}(z; {time}) - {network}(z; 0)}}{{{time}}} = {predicted} + O(m^{{-1/2}})",
        source="derived here",
        hypothesis=(
            f"{loss} loss; three lazy widths (expected free share ≤ {LAZY_FREE_SHARE}) over a decade: "
            f"{listed(widths)}"
        ),
        predicted="slope −1/2 or steeper, no part that stays",
        measured=(
            f"slope {interval(slope)}; relative error {spread(relative)} at m = {section.widths[-1]:,}"
        ),
        samples=f"{len(section.seeds)} seeds",
        rule=f"c + A/√m is fitted to the mean errors; t interval, by the jackknife, of the part of c in the "
        f"error at the largest width, over {SEEDS}; holds below {FLOOR:g} ({CONFIDENCE}), fails above (false "
        f"alarm {FALSE_ALARM:g})",
        numbers=numbers_of(slope),
        **judged.given(met),
    )


def limit_of(section: Section, network: str) -> str:
    """Name the predicted velocity: f_b, or that of `theory.lazy_predict` for another loss than identity."""
    return f"{network}_b" if section.setting.loss == "identity" else f"{network}_lazy"


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the predicted and the measured velocities."""
    if section.setting.loss != "identity":
        yield say(
            """With {} loss the prediction is its own lazy limit (f~lazy~, g~lazy~ below;
            `theory.lazy_predict`, Derivation 11), from the outputs of the untrained network in hand and for
            exactly these steps.""",
            section.setting.loss,
        )

    def draw(axes: Axes) -> None:
        for network in ("f", "g"):
            limit = limit_of(section, network)
            label = f"{network}: ‖measured − {limit}‖/‖{limit}‖"
            draw_spread(axes, section, network, "relative_error", label, line=True)
        anchor = section.by_width[-1].f.relative_error.mean
        if anchor:
            widths = np.array(section.widths, dtype=float)
            axes.plot(widths, anchor * np.sqrt(widths[-1] / widths), "--", color=svg.INK, label="slope −1/2")
        svg.log_log(axes)
        axes.set(xlabel="width m", ylabel="relative error")
        axes.legend()

    alt = "Relative error of the predicted velocities of f and g against width, beside a line of slope −1/2"
    caption = rich("""Error of the predicted velocity, root mean square over test points relative to the
        prediction’s; bars are one standard deviation over seeds.""")
    numbers = of_widths(section, f=("relative_error",), g=("relative_error",))
    yield svg.figure(draw, key, "error", alt, caption, numbers)
    for network in ("f", "g"):
        yield _scatter(section, key, network)


def _scatter(section: Section, key: str, network: str) -> Figure:
    """Draw the measured against the predicted velocity at every test point of one run."""
    data = section.scatter[network]
    pairs = [pair for pair in zip(data.predicted, data.measured, strict=True) if None not in pair]

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=svg.GRID)
        axes.axvline(0, color=svg.GRID)
        time = f"T_{network}"
        measured = f"measured ({network}(z; {time}) − {network}(z; 0))/{time}"
        axes.set(xlabel=f"predicted {limit_of(section, network)}(z)", ylabel=measured)
        if pairs:
            points = np.array(pairs)
            ends = [points.min(), points.max()]
            axes.plot(ends, ends, "--", color=svg.INK, linewidth=0.9, label="measured = predicted")
            style: Any = {"color": svg.COLORS[network], "markersize": 3, "alpha": 0.6}
            axes.plot(*points.T, svg.MARKERS[network], **style)
            axes.legend(loc="upper left")

    alt = f"Measured against predicted velocity of {network} at the test points, with the diagonal"
    caption = f"Velocity of {network} at each test point, m = {count(data.width)}, seed {data.seed}."
    return svg.figure(draw, key, f"scatter_{network}", alt, caption, of_columns(lists_of(data)))
