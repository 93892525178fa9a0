"""The boundary of g turns towards s of the natural samples as N_adv grows."""

from collections.abc import Sequence

from reports import text
from reports.claims.orthogonal.rows import Results, Run, claim, over
from reports.judging import (
    CONFIDENCE,
    FEWEST_SEEDS,
    RISING_RULE,
    judge_mean,
    judge_rising,
    unmeasured,
)
from reports.runs import whole_seeds
from reports.statistics import mean, rank_correlation
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

TURN_ERROR = 0.05  # mean absolute error of a predicted cosine that counts as predicted


def turning(results: Results, _runs: Sequence[Run]) -> list[Claim]:
    """Return a claim a series, and that of the limit of each g, for the study of turning."""
    if (results.part.kind, results.part.name) != ("study", "turning"):
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
