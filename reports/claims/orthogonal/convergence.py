"""Training was long enough, which is no claim of a paper and refutes none."""

import math
from collections.abc import Sequence
from statistics import median

from reports import text
from reports.claims.orthogonal.rows import Results, Run, claim
from reports.claims.orthogonal.signs import trained
from reports.judging import Judgement, unmeasured
from reports.text import many
from reports.verdicts import Claim


def converged(_results: Results, runs: Sequence[Run]) -> list[Claim]:
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
    made = claim(
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
    return [made]
