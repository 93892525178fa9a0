"""Where a condition holds, the signs of a trained network are those of its limit."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from statistics import median

from reports import text
from reports.claims.orthogonal.rows import (
    ENOUGH,
    ENOUGH_SEEDS,
    PERCENT,
    VIOLATION,
    Network,
    Networks,
    Results,
    Run,
    claim,
    judge_runs,
)
from reports.judging import CONFIDENCE, Judgement, unmeasured
from reports.page import Prose, Section, table
from reports.shown import SAID
from reports.statistics import mean
from reports.text import many
from reports.verdicts import Claim, Source
from theory.verdicts import Verdict

WRONG = 0.1  # share of wrong signs that `ENOUGH` points of a network show: 3.2e-4 not to
# Each implies the next.
CONDITIONS = ("orthogonal", "orthogonal_rows", "multipliers")
NAMES = {
    "orthogonal": "γ³R_min⁴/(3N R_max²) > p_max",
    "orthogonal_rows": "γ(1 + γ²)/(1 + 2γ + 3γ²) > κ",
    "multipliers": "λ > 0 and the sign pattern",
}
_SOURCES: dict[str, Source] = {
    "orthogonal": "published",
    "orthogonal_rows": "derived here",
    "multipliers": "derived here",
}


# What does not act on f.
_OF_G = {"epsilon", "norm", "amplitude", "attack", "base", "g", "num_adv"}


def trained(runs: Iterable[Run]) -> list[tuple[int, Network]]:
    """Return each trained network once, with its seed: several runs can share f."""
    every: dict[tuple[str, str], tuple[int, Network]] = {}
    for config, row in runs:
        if row is not None and row.f.converged is not None:
            made_of = [getattr(config, one.name) for one in fields(config) if one.name not in _OF_G]
            every["f", str(made_of)] = config.seed, row.f
        if row is not None and row.g.converged is not None:
            every["g", row.hash] = config.seed, row.g
    return list(every.values())


def networks(runs: Sequence[Run]) -> tuple[Networks, ...]:
    """Return for each condition the trained networks where it holds, and how many have the limit's signs.

    The three verdicts of "multipliers" add up to all.  A run with training that has no result is a network
    that is not known.
    """
    every = trained(runs)
    lost = [(config.seed, None) for config, row in runs if row is None and "trained" in (config.f, config.g)]
    made = []
    for condition, word in (
        *((c, Verdict.HOLDS) for c in CONDITIONS),
        ("multipliers", Verdict.FAILS),
        ("multipliers", Verdict.UNKNOWN),
    ):
        chosen = [(seed, found) for seed, found in every if getattr(found, condition) == word.value]
        converged = [found for _, found in chosen if found.converged]
        ends = Counter(found.ends for found in converged)
        shares = tuple(found.signs for found in converged if found.signs is not None)
        made.append(
            Networks(
                condition=condition,
                verdict=word.value,
                trained=len(chosen),
                converged=len(converged),
                agree=ends["agree"],
                elsewhere=ends["elsewhere"],
                undecided=ends["undecided"],
                few=sum(found.signs is not None and found.points < ENOUGH for found in converged),
                shares=shares,
                outcomes=(*lost, *((seed, _agrees(found)) for seed, found in chosen)),
            )
        )
    return tuple(made)


def _agrees(found: Network) -> bool | None:
    """Return whether the signs are those of the limit; None where few points, or training, leave it open."""
    if not found.converged or found.ends in {None, "undecided"}:
        return None
    return False if found.ends == "elsewhere" else found.points >= ENOUGH or None


def claims(results: Results, runs: Sequence[Run]) -> list[Claim]:
    """Return that training was long enough, and a claim a condition that holds somewhere."""
    return [_converged(runs), *(_signs(row) for row in results.networks if row.verdict == "holds")]


def _signs(row: Networks) -> Claim:
    attracts = "" if row.condition == "multipliers" else ", the only KKT point there"
    measured = (
        f"{row.agree} of {many(row.converged, 'converged network')} "
        f"({row.trained} trained); {many(row.elsewhere, 'ends', 'end')} elsewhere; "
        f"least share {text.number(min(row.shares, default=None))}"
    )
    if row.undecided:
        measured += f"; {many(row.undecided, 'has', 'have')} exceptions that are few or within the tolerance"
    if unknown := row.converged - len(row.shares):
        measured += f"; of {unknown} no sign is predicted"
    if row.few:
        measured += f"; {many(row.few, 'has', 'have')} fewer than {ENOUGH} such points"
    if not row.trained:
        measured = "no trained network meets this condition"
    return claim(
        f"Where {NAMES[row.condition]}, the signs of a trained network are those of its limit{attracts}",
        _SOURCES[row.condition],
        f"a network violates it if signs differ at more than 1 % of the test points where the limit predicts "
        "one (⟨s, z⟩ is not 0 but for rounding) and neither the tolerance of training nor few points explain "
        f"it. Fails with one such network; holds if at {CONFIDENCE} an expected share of {VIOLATION:g} of "
        f"the networks of a seed with wrong signs at {WRONG:g} of all points is excluded. All others than "
        f"converged networks that agree at {ENOUGH} points or more count as violations there; "
        f"{ENOUGH_SEEDS} seeds without one are enough",
        f"{PERCENT} or more in all",
        measured,
        row.trained > 0,
        judge_runs(row.outcomes, "share of networks with wrong signs"),
    )


def _converged(runs: Sequence[Run]) -> Claim:
    """Count the networks that converged; a residual is the larger of stationarity and slackness."""
    every = [network for _, network in trained(runs)]
    lost = sum(row is None and "trained" in (config.f, config.g) for config, row in runs)
    count = sum(bool(network.converged) for network in every)
    parts = [(network.stationarity, network.slackness) for network in every]
    residuals = [max(math.inf if part is None else part for part in pair) for pair in parts]
    middle = median(residuals) if residuals else None
    whole = count == len(every)
    more = "" if whole else f"; max_steps is {runs[0].config.max_steps}, raise it by --set max_steps=..."
    if lost:
        more += f"; {many(lost, 'run has', 'runs have')} no result"
    return claim(
        "Training was long enough: the direction of every network converged, as limits ask for",
        "our training",
        "counted: the KKT residual of every network of these runs fell to the tolerance within max_steps; "
        "unknown while a run has no result",
        "all",
        f"{count} of {many(len(every), 'network')}; median residual {text.number(middle)}{more}",
        whole if every else None,
        unmeasured("a run has no result")
        if lost or not every
        else Judgement(True, "counted, nothing is drawn"),
    )


_SETS = {
    ("orthogonal", "holds"): "published condition holds",
    ("orthogonal_rows", "holds"): "derived condition holds",
    ("multipliers", "holds"): "λ > 0 and the pattern",
    ("multipliers", "fails"): "λ system fails",
    ("multipliers", "unknown"): "λ system unknown",
}


def sections(results: Results) -> Iterator[Section]:
    """Yield where trained networks end, by condition."""
    found = table(
        results.networks,
        {
            "trained on sets where": lambda row: _SETS[row.condition, row.verdict],
            "trained": lambda row: str(row.trained),
            "converged": lambda row: str(row.converged),
            "with the limit's signs": lambda row: f"{row.agree} of {len(row.shares)}",
            "elsewhere": lambda row: str(row.elsewhere),
            "undecided": lambda row: str(row.undecided),
            "mean share": lambda row: text.number(mean(row.shares)),
            "least": lambda row: text.number(min(row.shares, default=None)),
        },
        wide=True,
    )
    yield Section("Where trained networks end", (Prose(SAID["orthogonal"]["networks"]), found), "networks")
