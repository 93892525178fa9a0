"""Where a condition holds, the signs of a trained network are those of its limit."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

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
from reports.judging import CONFIDENCE
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


def trained(runs: Iterable[Run]) -> list[tuple[int, Network]]:
    """Return each trained network once, with its seed: several runs can share f."""
    every: dict[tuple[str, str], tuple[int, Network]] = {}
    for config, row in runs:
        if row is not None and row.f.converged is not None:
            # What f is made of: all else does not act on it.
            alone = replace(
                config, num_adv=1, epsilon=1.0, norm="L2", amplitude=1.0, attack="none", base="uniform"
            )
            every["f", str(alone)] = config.seed, row.f
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


def signs(results: Results, _runs: Sequence[Run]) -> list[Claim]:
    """Return a claim a condition that holds somewhere."""
    return [_signs(row) for row in results.networks if row.verdict == "holds"]


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
