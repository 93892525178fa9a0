"""Random restarts and local search over instances, shrinking, and the measurement that makes a claim."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from empirics.falsify.inequality import Inequality, Measurement, describe, measure
from empirics.falsify.instance import Instance
from empirics.falsify.moves import Budget, complexity, moved, random_instance, simpler
from theory.validation import check_integer, check_probability

# Re-measurements of a candidate, of which each has its part of the error probability.
_ATTEMPTS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Falsification:
    """What a search found.

    Attributes
    ----------
    inequality : Inequality
    verdict : {"violated", "not found", "unknown"}
        "not found" is no proof; "unknown": nothing could be measured.
    instance, measurement
        The counter-example, shrunk, measured with a seed that no decision has seen; or the candidate
        that came closest; None if there is none.
    found : Instance or None
        The counter-example before it was shrunk.
    evaluations, failed : int
        Candidates tried, and those of them that were too wide or gave no finite number.
    seed : int
    budget : Budget
    error_probability : float
        Of a verdict "violated" although the inequality holds at the instance: over all re-measurements.
    """

    inequality: Inequality
    verdict: Literal["violated", "not found", "unknown"]
    instance: Instance | None
    measurement: Measurement | None
    found: Instance | None
    evaluations: int
    failed: int
    seed: int
    budget: Budget
    error_probability: float

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.inequality.statement}"]
        instance, result = self.instance, self.measurement
        if instance is not None and result is not None:
            where = "at" if self.verdict == "violated" else "closest at"
            lines.append(
                f"{where} N = {instance.N}, d = {instance.dim}, "
                f"m = {instance.width}, T = {instance.T:g}, γ = {instance.negative_slope:g}, "
                f"{instance.num_steps} steps"
            )
            lines += describe(self.inequality, result)
        lines.append(
            f"{self.evaluations} candidates, {self.failed} too wide or without a number; seed {self.seed}"
        )
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class _Candidate:
    instance: Instance
    result: Measurement


class _Evaluator:
    """Measures candidates, each with a seed of its own, and counts."""

    def __init__(self, inequality: Inequality, budget: Budget, seed: int, error_probability: float) -> None:
        self.inequality = inequality
        self.budget = budget
        self.error_probability = error_probability
        self.evaluations = self.failed = 0
        search, measurements = np.random.SeedSequence(seed).spawn(2)
        self.rng = np.random.default_rng(search)
        self._seeds = np.random.default_rng(measurements)

    def __call__(self, instance: Instance) -> _Candidate | None:
        """Measure an instance of the search; None if it is too large or gives no finite number."""
        self.evaluations += 1
        candidate = None
        if instance.width <= self.budget.max_width:
            quarter = self.inequality.num_initialisations // 4
            candidate = self._measured(instance, quarter, self.error_probability)
        self.failed += candidate is None
        return candidate

    def again(self, instance: Instance, *, attempts: int) -> _Candidate | None:
        """Measure an instance for a claim, one of `attempts`: all initialisations, a seed not used before."""
        return self._measured(
            instance, self.inequality.num_initialisations, self.error_probability / attempts
        )

    def _measured(self, instance: Instance, n: int, error_probability: float) -> _Candidate | None:
        try:
            with np.errstate(all="ignore"):
                result = measure(
                    self.inequality,
                    instance,
                    num_initialisations=n,
                    seed=int(self._seeds.integers(2**62)),
                    error_probability=error_probability,
                )
        except FloatingPointError:  # training diverged
            return None
        return _Candidate(instance, result) if math.isfinite(result.excess) else None


def falsify(
    inequality: Inequality,
    *,
    seed: int,
    budget: Budget | None = None,
    error_probability: float = 1e-3,
) -> Falsification:
    """Search for an instance that violates an inequality, and make it small.

    A candidate is taken up if its lower confidence limit is above 0, twice, with different seeds.  It is
    shrunk while the limit stays above 0.  The result, and if need be larger ones on the way to it, are
    measured with fresh seeds; these at most four measurements share the error probability, and only they
    make a claim.

    Parameters
    ----------
    inequality : Inequality
    seed : int
        ≥ 0; the search is deterministic given it.
    budget : Budget, optional
        `Budget()` if absent.
    error_probability : float in (0, 1)
        Of a claim where the inequality holds.

    Returns
    -------
    Falsification

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    budget = budget or Budget()
    check_integer("seed", seed, minimum=0)
    check_probability("error_probability", error_probability)
    evaluate = _Evaluator(inequality, budget, seed, error_probability)
    best, found = _search(evaluate)
    claim = None
    if found is not None:
        best = found
        trail = _shrink(evaluate, found)
        # The smallest first; a borderline one may fail with fresh seeds.
        steps = np.unique(np.linspace(0, len(trail) - 1, _ATTEMPTS).round().astype(int))[::-1]
        attempts = (evaluate.again(trail[step].instance, attempts=_ATTEMPTS) for step in steps)
        claim = next((again for again in attempts if again is not None and again.result.violated), None)
    shown = claim or best
    return Falsification(
        inequality=inequality,
        verdict="violated" if claim else "unknown" if best is None else "not found",
        instance=None if shown is None else shown.instance,
        measurement=None if shown is None else shown.result,
        found=None if claim is None or found is None else found.instance,
        evaluations=evaluate.evaluations,
        failed=evaluate.failed,
        seed=seed,
        budget=budget,
        error_probability=error_probability,
    )


def _search(evaluate: _Evaluator) -> tuple[_Candidate | None, _Candidate | None]:
    """Return the candidate that came closest, and the first that is violated twice."""
    budget, rng = evaluate.budget, evaluate.rng
    repair = evaluate.inequality.repair
    best: _Candidate | None = None
    for restart in range(budget.restarts):
        current: _Candidate | None = None
        # What does not divide goes to the first restarts.
        share = budget.evaluations // budget.restarts + (restart < budget.evaluations % budget.restarts)
        for _ in range(share):
            new = random_instance(rng, budget) if current is None else moved(current.instance, rng, budget)
            trial = evaluate(repair(new))
            if trial is None:
                continue
            if trial.result.violated:
                again = evaluate.again(trial.instance, attempts=1)
                if again is not None and again.result.violated:
                    return best, again
            if current is None or trial.result.excess > current.result.excess:
                current = trial
            if best is None or trial.result.excess > best.result.excess:
                best = trial
    return best, None


def _shrink(evaluate: _Evaluator, found: _Candidate) -> list[_Candidate]:
    """Return the steps from what was found to the simplest that still fails."""
    trail = [found]
    left = evaluate.budget.shrinks
    improved = True
    while improved:
        improved = False
        for proposal in simpler(trail[-1].instance):
            candidate = evaluate.inequality.repair(proposal)
            if complexity(candidate) >= complexity(trail[-1].instance):
                continue
            if left == 0:
                return trail
            left -= 1
            trial = evaluate(candidate)
            if trial is not None and trial.result.violated:
                trail.append(trial)
                improved = True
                break
    return trail
