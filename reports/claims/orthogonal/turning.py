"""The boundary of g turns towards s of the natural samples as N_adv grows."""

from collections.abc import Iterator, Sequence

from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.orthogonal.rows import (
    OrthogonalPanel,
    Results,
    Run,
    claim,
    of_converged,
    of_holding,
    of_runs,
    over,
    unknown,
)
from reports.judging import CONFIDENCE, FEWEST_SEEDS, RISING_RULE, judge_mean, judge_rising, unmeasured
from reports.page import Block, Section, table
from reports.runs import whole_seeds
from reports.shown import SAID, band, finish, line, means, of_metric, spread
from reports.statistics import mean, rank_correlation
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

TURN_ERROR = 0.05  # mean absolute error of a predicted cosine that counts as predicted


def claims(results: Results, _runs: Sequence[Run]) -> list[Claim]:
    """Return a claim a series, and that of the limit of each g, for the study of turning."""
    if not _asked(results):
        return []
    made = []
    for series in results.panels[0].series:
        points = results.panels[0].of(series)
        cells = [point.metrics["turning"] for point in points]
        whole, _ = whole_seeds(cells)
        ranks = [rank_correlation([p.x for p in points], [cell.values[s] for cell in cells]) for s in whole]
        first, last = cells[0], cells[-1]
        made.append(
            claim(
                f"The boundary of g turns towards s of the natural samples as N_adv grows ({series})",
                "published",
                f"rank correlation of the cosine with N_adv, seed by seed: {RISING_RULE}",
                "cosine grows",
                f"{text.spread(first.mean, first.sd)} at N_adv = {points[0].x:g} to "
                f"{text.spread(last.mean, last.sd)} at {points[-1].x:g}; of "
                f"{many(len(ranks), 'complete seed')} {sum(rank > 0 for rank in ranks)} grow, "
                f"{sum(rank < 0 for rank in ranks)} fall",
                bool(ranks),
                judge_rising(ranks, incomplete=results.part.seeds - len(ranks))
                if len(points) > 1
                else unmeasured("one value of N_adv"),
            )
        )
    return [*made, _follows(results)]


def _follows(results: Results) -> Claim:
    """Compare each trained g with the limit of its own perturbed set."""
    cells = [(p.metrics["turning"].values, p.metrics["turning_limit"].values) for p in results.of("trained")]
    errors: list[float | None] = []
    every = []
    for seed in range(results.part.seeds):
        found = [abs(ours[seed] - limit[seed]) for ours, limit in cells if seed in ours and seed in limit]
        errors.append(mean(found) if all(seed in ours for ours, _ in cells) else None)
        every += found
    return claim(
        "A trained g turns as the limit of its own perturbed set does",
        "derived here",
        "mean absolute difference of the cosines with s, one mean a seed over its runs with a limit: holds "
        f"if the {CONFIDENCE} t interval over seeds excludes {TURN_ERROR:g} or more, fails if that at "
        f"{FALSE_ALARM:g} excludes {TURN_ERROR:g} or less; at least {FEWEST_SEEDS} seeds, all complete",
        "difference 0",
        f"mean {over(errors)}, largest {text.number(max(every, default=None))}, {many(len(every), 'run')}",
        bool(every),
        judge_mean(errors, high=TURN_ERROR, what="mean difference of the cosines"),
    )


def _asked(results: Results) -> bool:
    return (results.part.kind, results.part.name) == ("study", "turning")


def sections(results: Results) -> Iterator[Section]:
    """Yield the cosines of trained networks and of limits, point by point."""
    if _asked(results):
        yield Section("Point by point", tuple(_points(results.panels[0], "p1")), "p1")


def _points(panel: OrthogonalPanel, key: str) -> Iterator[Block]:
    def draw(axes: Axes) -> None:
        for series, color in zip(panel.series, (svg.G, svg.F), strict=False):
            band(axes, of_metric(panel.of(series), "turning"), color=color, label=series)
            if series == "trained":
                known = means(of_metric(panel.of(series), "turning_limit"))
                line(axes, known, color=svg.INK, stroke=":", label="limit of the set trained on", single="x")
        axes.axhline(1, color=svg.GRID, zorder=0)
        axes.set(ylabel="cosine with s")
        finish(axes, panel, columns=3)

    alt = f"Cosine of the boundary of g with that of the natural samples against {panel.x_label}"
    if not unknown(panel, "turning"):
        yield svg.figure(draw, key, "", alt, SAID["orthogonal"]["turning"], size=(5.4, 4.2))
    yield table(
        panel.points,
        {
            "N_adv": lambda p: f"{p.x:g}",
            "series": lambda p: p.series,
            "cosine of g with s": lambda p: spread(p.metrics["turning"]),
            "cosine of its limit": lambda p: spread(p.metrics["turning_limit"]),
            "accuracy of g": lambda p: spread(p.metrics["accuracy_g"]),
            "cosine of perturbations": lambda p: spread(p.metrics["attack_cosine"]),
            "g converged": lambda p: of_converged(p.converged["g"]),
            "λ system of g holds": lambda p: of_holding(p, "multipliers_g"),
            "seeds": of_runs,
        },
        wide=True,
    )
