"""What is claimed of a published sweep: accuracies of g beside published, chance and predicted ones."""

import math
from collections.abc import Iterator, Sequence

from scipy.stats import binomtest

from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.orthogonal.rows import (
    OrthogonalPanel,
    Results,
    Run,
    by_seed,
    claim,
    of_converged,
    of_runs,
    over,
    unknown,
)
from reports.claims.sweeps.published import within_ranges
from reports.judging import CONFIDENCE, FEWEST_SEEDS, Judgement, excluded, judge_mean, refuted, unmeasured
from reports.page import Block, Prose, Section, table
from reports.shown import SAID, WITHIN, band, finish, hollow, line, means, of_metric, ranged
from reports.statistics import Spread, comparison, difference, like_one_more_seed, mean
from reports.text import many
from reports.verdicts import FALSE_ALARM, MISSED, Claim

PUBLISHED_N = 1000  # natural samples of the published experiments, except in the sweep over N
MEANS_ROOM = 0.25  # difference of accuracies that is excluded at every point
CHANCE_WIDTH = 0.05  # distance from 1/2 up to which an accuracy is that of chance
MAP_ERROR = 0.05  # mean absolute error of a predicted accuracy that counts as predicted
CHANCE = 0.5


def claims(results: Results, runs: Sequence[Run]) -> list[Claim]:
    """Return the claims of the page of a published sweep; none of others."""
    if results.part.kind != "published":
        return []
    return [
        *_published(results),
        _means(results),
        _chance(results),
        *_learned(results),
        *_predicted(results, runs),
    ]


def _published(results: Results) -> list[Claim]:
    cells = [point.metrics["accuracy_g"] for point in results.of("adversarial")]
    found = like_one_more_seed(cells)
    above = sum(c.inside is False and (c.published or 0) > (c.max or 0) for c in cells)
    said = f"{many(above, 'published value is', 'published values are')} above our range"
    return [within_ranges("Published accuracies of g", found, said)] if found.count else []


def _means(results: Results) -> Claim:
    """Compare published values with means over seeds, each with the error of both."""
    cells = [(point, point.metrics["accuracy_g"]) for point in results.of("adversarial")]
    rows = [
        (point, cell, cell.published, cell.error, cell.mean - cell.published)
        for point, cell in cells
        if cell.published is not None and cell.error is not None and cell.mean is not None
    ]
    complete = all(cell.n == point.totals.configurations for point, cell, *_ in rows)
    seeds = min((cell.n for _, cell, *_ in rows), default=0)
    beyond, rooms = 0, []
    for point, cell, read, error, gap in rows:
        counts = cell.n * point.config.num_train, int(point.x) if point.sweep == "N" else PUBLISHED_N
        # False alarm over all points, both ways; a difference that is missed has one sign and one point.
        sure, usual = (
            difference(list(cell.values.values()), counts, read, tail) + error if seeds > 1 else math.inf
            for tail in (FALSE_ALARM / (2 * len(rows)), MISSED)
        )
        beyond += abs(gap) > sure
        rooms.append(abs(gap) + usual)
    n, differences = len(rows), [gap for *_, gap in rows]
    return claim(
        "Means over our seeds are the published accuracies of g",
        "published",
        "the published value is one more seed with the deviation of ours (t), or both are shares of "
        "independent samples (Wilson), the wider: fails if a difference is beyond that and the reading "
        f"error, false alarm {FALSE_ALARM:g} over all points; holds if at each point a difference of "
        f"{MEANS_ROOM:g} or more is excluded at {CONFIDENCE}; at least {FEWEST_SEEDS} seeds",
        "difference 0",
        f"{beyond} of {n} beyond; ours minus published: mean {text.number(mean(differences))}, largest size "
        f"{text.number(max(map(abs, differences), default=None))}; differences above "
        f"{text.number(max(rooms, default=None))} are excluded",
        n > 0,
        _judge_means(beyond, rooms, seeds) if complete else unmeasured("a run has no result"),
    )


def _judge_means(beyond: int, rooms: list[float], seeds: int) -> Judgement:
    if seeds < FEWEST_SEEDS:
        return unmeasured(f"{many(seeds, 'seed')}; {FEWEST_SEEDS} are asked for")
    if beyond:
        return refuted("the published accuracy as one more seed at every point")
    if max(rooms) < MEANS_ROOM:
        return excluded(f"a difference of {MEANS_ROOM:g} or more at a point")
    return unmeasured(f"a difference of {text.number(max(rooms))} is not excluded at {CONFIDENCE}")


def _chance(results: Results) -> Claim:
    """Count right signs of g on natural samples.

    Without an attack the labels of the natural samples, fair and independent of g, make the number right
    binomial with probability 1/2, exactly, for each seed and their sum.
    """
    points = results.of("control")
    cells = [(point.metrics["accuracy_g"].values, point.config.num_train) for point in points]
    rights = [({seed: round(share * N) for seed, share in values.items()}, N) for values, N in cells]
    found = [(sum(right.values()), N * len(right)) for right, N in rights if right]
    least = min((float(binomtest(*counts).pvalue) for counts in found), default=None)
    right, total = (sum(counts[index] for counts in found) for index in (0, 1))
    shares: list[float | None] = []
    draws = []
    for seed in range(results.part.seeds):
        pairs = [(of_seeds[seed], N) for of_seeds, N in rights if seed in of_seeds]
        if pairs:
            draws.append(sum(count for _, count in pairs))
        shares.append(sum(good for good, _ in pairs) / draws[-1] if len(pairs) == len(points) else None)
    # Of so many draws, were they independent; the points of a seed may share samples, which adds to that.
    least_sd = max((CHANCE / math.sqrt(count) for count in draws), default=0.0)
    # Both tests can refute the claim.
    if least is not None and 2 * least * len(found) < FALSE_ALARM:
        judged = refuted("half of the labels right in the mean")
    else:
        limits = CHANCE - CHANCE_WIDTH, CHANCE + CHANCE_WIDTH
        judged = judge_mean(
            shares, low=limits[0], high=limits[1], what="accuracy", least_sd=least_sd, tests=2
        )
    return claim(
        "Without an attack g knows nothing of the natural labels",
        "derived here",
        "fails if the smallest two-sided p-value of exact binomial tests at each point over all seeds × "
        f"{many(len(found), 'point')} × 2 < {FALSE_ALARM:g}, or the t interval over seeds, all points of "
        f"a seed together, is beyond 1/2 ± {CHANCE_WIDTH:g} at {FALSE_ALARM / 2:g}; holds if that at "
        f"{CONFIDENCE} excludes accuracies beyond 1/2 ± {CHANCE_WIDTH:g}; at least {FEWEST_SEEDS} "
        "seeds, all complete",
        "half of the natural samples right",
        f"{text.number(right / total if total else None)} of {text.count(total)} right over all points; "
        f"{over(shares)}; smallest p-value {text.number(least, 2)}",
        bool(found),
        judged,
    )


def _learned(results: Results) -> list[Claim]:
    labels = {panel.sweep: panel.x_label for panel in results.panels}
    ends = [[p for p in panel.points if p.series == "adversarial"][-1] for panel in results.panels]
    made = []
    for index, point in enumerate(ends):
        if point.config in [end.config for end in ends[:index]]:  # the base of another sweep
            continue
        measured = point.metrics["accuracy_g"]
        shares = by_seed(measured, results.part.seeds)
        made.append(
            claim(
                f"g learns natural labels from perturbed noise, at {labels[point.sweep]} = {point.x:g}",
                "published",
                f"holds if the {CONFIDENCE} t interval of the accuracy over seeds excludes chance, 1/2 or "
                f"less, fails if that at {FALSE_ALARM:g} lies below 1/2; the deviation of a seed is taken "
                f"as that of its samples at least; at least {FEWEST_SEEDS} seeds, all complete",
                f"above 1/2; published {text.number(measured.published)}",
                f"{over(shares)}; range {text.number(measured.min)} to {text.number(measured.max)}",
                measured.n > 0,
                judge_mean(
                    shares, low=CHANCE, what="accuracy", least_sd=CHANCE / math.sqrt(point.config.num_train)
                ),
            )
        )
    return made


def _predicted(results: Results, runs: Sequence[Run]) -> list[Claim]:
    """Compare predicted with measured accuracies of g, run by run."""
    attacked = [run for run in runs if run.config.attack == "published"]
    lost = {config.seed for config, row in attacked if row is None}
    made = []
    for column, what in (
        ("accuracy_mean_g", "the linear mean map Σ y^adv x^adv"),
        ("accuracy_limit_g", "the limit Σ λ y^adv x^adv of g"),
    ):
        known = [
            (config, row.numbers[column], row.numbers["accuracy_g"])
            for config, row in attacked
            if row is not None and {column, "accuracy_g"} <= row.numbers.keys()
        ]
        seeds: dict[int, list[tuple[float, float]]] = {}
        for config, predicted, measured in known:
            seeds.setdefault(config.seed, []).append((abs(predicted - measured), 1 / config.num_train))
        errors = [
            math.fsum(error for error, _ in seeds[seed]) / len(seeds[seed])
            if seed in seeds and seed not in lost
            else None
            for seed in range(results.part.seeds)
        ]
        # Seeds that happen to agree are still no finer than a sample of one of their runs.
        least_sd = max((max(step for _, step in found) / len(found) for found in seeds.values()), default=0.0)
        quality = comparison([(predicted, measured) for _, predicted, measured in known])
        made.append(
            claim(
                f"The accuracy of g is that of {what}",
                "derived here",
                "mean absolute error over the runs with an attack and a prediction, one mean a seed: "
                f"holds if the {CONFIDENCE} t interval over seeds excludes {MAP_ERROR:g} or more, fails "
                f"if that at {FALSE_ALARM:g} excludes {MAP_ERROR:g} or less; at least {FEWEST_SEEDS} "
                "seeds, all complete",
                "error 0",
                f"error {over(errors)}, correlation {text.number(quality.correlation)}, "
                f"{many(quality.n, 'run')}",
                quality.n > 0,
                judge_mean(errors, high=MAP_ERROR, what="mean absolute error", least_sd=least_sd),
                correlation=quality.correlation,
                mean_error=quality.mean_error,
            )
        )
    return made


# What the page shows ------------------------------------------------------------------------------------


def sections(results: Results) -> Iterator[Section]:
    """Yield each published sweep, point by point."""
    if results.part.kind == "published":
        for place, panel in enumerate(results.panels, start=1):
            yield Section(f"Sweep over {panel.sweep}", tuple(_sweep(panel, f"p{place}")), f"p{place}")


def _sweep(panel: OrthogonalPanel, key: str) -> Iterator[Block]:
    """Yield accuracies of g, attack and control, beside published values and predictions."""
    yield Prose(SAID["orthogonal"]["one_more_seed"])

    def draw(axes: Axes) -> None:
        axes.axhline(0.5, color=svg.GRID, linewidth=1.2, zorder=0)
        read = []
        for series, color, marker, label in (
            ("adversarial", svg.G, "s", "g, with attack"),
            ("control", svg.SHADE, "o", "g, without (control)"),
        ):
            cells = of_metric(panel.of(series), "accuracy_g")
            band(axes, cells, color=color, label=label)
            read.append(hollow(axes, cells, color=color, marker=marker))
        for name, color, stroke, label in (
            ("accuracy_mean_g", svg.INK, ":", "mean map Σ y x"),
            ("accuracy_limit_g", svg.F, "--", "limit Σ λ y x"),
        ):
            known = means(of_metric(panel.of("adversarial"), name))
            line(axes, known, color=color, stroke=stroke, label=label, single="x")
        if any(read):
            axes.plot([], [], "s", color=svg.INK, mfc="none", markersize=4, label="published")
        low, high = axes.dataLim.intervaly  # all that is drawn, at least accuracies from .3 to 1
        axes.set_ylim(min(0.3, float(low)) - 0.02, max(1.0, float(high)) + 0.03)
        axes.set_ylabel("accuracy on natural samples")
        finish(axes, panel, columns=3)

    alt = (
        f"Accuracy of g on natural samples against {panel.x_label}: mean, deviation and range over seeds "
        "with and without attack, predictions, and published values with reading errors"
    )
    if not unknown(panel, "accuracy_g"):
        yield svg.figure(draw, key, "", alt, SAID["orthogonal"]["accuracy"], size=(5.4, 4.2))
    yield table(
        panel.points,
        {
            panel.x_label: lambda p: f"{p.x:g}",
            "series": lambda p: p.series,
            "d, N, N_adv, ε here": lambda p: (
                f"{p.config.dim}, {p.config.num_train}, {p.config.num_adv}, "
                + (text.DASH if p.series == "control" else f"{p.config.epsilon:g}")
            ),
            "accuracy of g: mean ± sd [min, max]": lambda p: ranged(p.metrics["accuracy_g"]),
            "published": lambda p: _read(p.metrics["accuracy_g"]),
            "in our range": lambda p: _INSIDE[p.metrics["accuracy_g"].inside],
            "mean map": lambda p: text.number(p.metrics["accuracy_mean_g"].mean),
            "limit": lambda p: text.number(p.metrics["accuracy_limit_g"].mean),
            "f converged": lambda p: of_converged(p.converged["f"]),
            "g converged": lambda p: of_converged(p.converged["g"]),
            "seeds": of_runs,
        },
        wide=True,
    )
    yield table(list(panel.published.items()), {"values": lambda row: row[0], **WITHIN}, wide=True)


_INSIDE = {True: "✓ within", False: "✗ outside", None: text.DASH}


def _read(cell: Spread) -> str:
    return text.DASH if cell.published is None else f"{text.number(cell.published)} ± {cell.error:g}"
