"""Every claim of a report in worlds made up by chance: how often it holds, fails, or is not known.

Each world sets all that the claims read: where they are true; where they are false by just the violation
that a rule states; where they are false by more; where too little is measured.
"""

import json
import math

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from empirics.measure.certified import DELTA, Certified
from reports.claims.agreement import AGREEMENT_MARGIN
from reports.claims.certificates import VIOLATION, wrong_shares
from reports.claims.directions import COSINE
from reports.claims.drift import TIGHT
from reports.claims.free_neurons import FREE_ERROR, VIOLATING_SEEDS
from reports.claims.laziness import FLOOR
from reports.claims.phi import PHI_ERROR
from reports.claims.theorem import DIFFERING_SHARE
from reports.claims.times import MARGIN
from reports.judging import (
    FEWEST_SEEDS,
    judge_mean,
    judge_root_mean_square,
    judge_share,
    seeds_without_violation,
    spread_at_limit,
)
from reports.statistics import floors, jackknife_square
from reports.verdicts import FALSE_ALARM, MISSED
from tests.test_reports.made_up import NOTHING_WRONG, holding, judge, set_seeds, widest

WORLDS = 150
# All the comparisons of this file together err with a probability of about 1e-4.
CHANCE = 1e-6
# How often a claim is said to hold where it is true, and to fail where it is false by more, at least.
POWER = {
    "phi": (0.99, 0.99),
    "free-share": (0.99, 0.99),
    "only-free-flip": (0.99, 0.99),
    "drift": (0.99, 0.99),
    "rate-f": (0.9, 0.8),
    "rate-g": (0.9, 0.8),
    "direction-gradient": (0.99, 0.9),
    "direction-paper": (0.99, 0.9),
    "kink-term": (0.99, 0.99),
    "perturbation": (0.99, 0.9),
    "agreement": (0.99, 0.99),
    "trend-width": (0.99, 0.99),
    "agreement-over-time": (0.99, 0.99),
    # Whole seeds are wrong together with probability δ, and one of 16 is too much to say that it holds.
    "certificates": (0.65, 0.99),
    "certificates-simulated": (0.75, 0.99),
    "theorem-published": (0.99, 0.99),
    "theorem-scenario": (0.99, 0.99),
}


class World:
    """What is true of each claim: its distance from the limit, in units of the violation that is stated.

    `violated` is 0 where claims are true, 1 at the violation, more beyond.
    """

    def __init__(self, violated, *, seeds=16, resolution=1.0):
        self.violated, self.seeds, self.resolution = violated, seeds, resolution

    def fill(self, results, rng):
        (section,) = results["sections"]
        v = self.violated
        phi = results["phi"]["monte_carlo"]
        phi["standard_error"] = [0.001 * self.resolution] * len(phi["exact"])
        deviations = rng.normal(size=len(phi["exact"]))
        deviations[0] += v * PHI_ERROR / phi["standard_error"][0]
        phi["largest_deviation"] = float(np.abs(deviations).max())
        self._neurons(section, rng)
        self._lazy(section, rng)
        self._agreement(section, rng)
        self._certificates(section, rng)

    def _neurons(self, section, rng):
        v = self.violated
        for run in section["runs"]:
            for network in ("f", "g"):
                # A p-value of a true law is uniform; one that sees nothing at the violation is the worst.
                run[network]["free_pvalue"] = float(rng.uniform()) if v <= 1 else 1e-12
                law = 1 + v * FREE_ERROR + 0.02 * rng.normal()
                run[network].update(free_predicted=0.1, free_measured=0.1 * law, flipped=0.01)
                run[network]["flipped_not_free"] = 0
        for seed in section["seeds"]:
            if rng.uniform() < v * VIOLATING_SEEDS:
                _run(section, seed)["g"]["flipped_not_free"] = 3
        for row in section["drift"]:
            for network in ("f", "g"):
                # Below TIGHT by its rounding, a bound of half the size would not be seen to be wrong.
                row[network].update(
                    outside=0 if v < 1 else int(rng.integers(1, 9)),
                    largest=float(rng.uniform(TIGHT, 1)) / (1 if self.resolution <= 1 else 2),
                )

    def _lazy(self, section, rng):
        widths = section["widths"]
        floor = self.violated * FLOOR  # a part of the error at the largest width
        for run in section["runs"]:
            fall = math.sqrt(widths[-1] / run["width"])
            for network in ("f", "g"):
                law = min(floor, 1) + (1 - min(floor, 1)) * fall
                run[network]["error"] = float(law * rng.lognormal(sigma=0.2))
            # A limit of 1 is true, one of .99 a violation; then 1 − cos does not fall.
            rest = 0.002 * fall if self.violated == 0 else (1 - COSINE) * self.violated
            for name in ("trained_paper", "perturbation_given_initial", "between"):
                run["cosines"][name] = float(1 - rest + 1e-4 * rng.normal())
            # The kink term gains nothing where it is violated, and loses beyond.
            gain = 1e-3 * (1 - self.violated)
            run["cosines"]["trained_gradient"] = float(
                run["cosines"]["trained_paper"] + gain + 1e-4 * rng.normal()
            )

    def _agreement(self, section, rng):
        for run in section["runs"]:
            # It rises with the width, stays, or falls; the widest has the difference from the prediction.
            slope = 0.1 * (1 - self.violated)
            last = 0.8 + self.violated * AGREEMENT_MARGIN
            measured = last + slope * math.log10(run["width"] / section["widths"][-1])
            run["agreement"]["measured"] = float(measured + 0.01 * rng.normal())
            run["agreement"]["predicted"] = 0.8
            run["over_times"] = []
        for run in widest(section):
            for T, looked in ((0.5, True), (0.7, False), (1.0, True), (None, False)):
                measured = 0.8 + self.violated * MARGIN * (T == 1.0) + 0.01 * rng.normal()
                at = {"T_g": T, "measured": float(measured) if looked else None}
                run["over_times"].append(at | {"predicted": 0.8, "untrained": 0.6})

    def _certificates(self, section, rng):
        wrong_share = DELTA if self.violated == 0 else self.violated * VIOLATION * DELTA
        for seed in section["seeds"]:
            for which in ("certificates", "simulated"):
                counts = NOTHING_WRONG | (
                    {"f_wrong": 50, "g_wrong": 30} if rng.uniform() < wrong_share else {}
                )
                for run in section["runs"]:
                    if run["seed"] == seed and which == "certificates":
                        run[which] = {kind: dict(counts) for kind in ("descent", "flow")}
                        run[which]["in hand"] = dict(NOTHING_WRONG)
                    elif run["seed"] == seed and which in run:
                        run[which]["counts"]["simulation"] = counts
            differ = rng.uniform() < self.violated * DIFFERING_SHARE
            for run in widest(section):
                if run["seed"] == seed:
                    for count in run["conditions"]:
                        count.update(met_agree=0 if differ else 5, met_differ=5 if differ else 0)


def _run(section, seed):
    return next(run for run in section["runs"] if run["seed"] == seed)


@pytest.fixture(scope="module")
def verdicts(light_results):
    """How often each claim got each verdict, in each kind of world."""
    base = json.dumps(holding(light_results()))
    worlds = {
        "true": World(0),
        "violated": World(1),
        "beyond": World(4),
        "few seeds": World(0, seeds=4),
        "coarse": World(0, seeds=4, resolution=100),
    }
    rng = np.random.default_rng(20_261_129)
    found = {}
    for name, world in worlds.items():
        results = json.loads(base)
        set_seeds(results["sections"][0], world.seeds)
        counts = {key: dict.fromkeys(("holds", "fails", "unknown"), 0) for key in POWER}
        for _ in range(WORLDS):
            world.fill(results, rng)
            for key, claim in judge(results).items():
                counts[key][claim.verdict] += 1
        found[name] = counts
    return found


def most(probability, worlds=WORLDS):
    return stats.binom.isf(CHANCE, worlds, probability)


def least(probability):
    return stats.binom.ppf(CHANCE, WORLDS, probability)


def test_every_claim_has_its_worlds(make_results):
    assert judge(make_results).keys() == POWER.keys()


@pytest.fixture
def make_results(light_results):
    return holding(light_results())


@pytest.mark.parametrize("key", POWER)
def test_a_true_claim_holds_and_hardly_ever_fails(verdicts, key):
    found = verdicts["true"][key]
    assert found["holds"] >= least(POWER[key][0])
    assert found["fails"] <= most(FALSE_ALARM)


@pytest.mark.parametrize("key", POWER)
def test_a_claim_violated_as_its_rule_states_seldom_holds(verdicts, key):
    assert verdicts["violated"][key]["holds"] <= most(MISSED)


@pytest.mark.parametrize("key", POWER)
def test_a_claim_violated_by_more_fails(verdicts, key):
    assert verdicts["beyond"][key]["fails"] >= least(POWER[key][1])
    assert verdicts["beyond"][key]["holds"] <= most(MISSED)


@pytest.mark.parametrize("key", POWER)
def test_too_little_is_unknown(verdicts, key):
    """Four seeds; of what needs none, Monte Carlo with few draws and displacements far from their bound."""
    which = "coarse" if key in {"phi", "drift"} else "few seeds"
    assert verdicts[which][key]["unknown"] >= least(1 - FALSE_ALARM)
    assert verdicts[which][key]["holds"] == 0


# Rules -----------------------------------------------------------------------------------------------


def test_whole_seeds_that_fail_together_are_seen_from_fourteen_seeds_on():
    """With probability 10 δ five seeds show nothing in .59 of all worlds; 20 δ are missed in .044 by 14."""
    assert seeds_without_violation(VIOLATION * DELTA) == 14
    for seeds, holds in ((5, None), (13, None), (14, True)):
        judged = judge_share([0.0] * seeds, allowed=DELTA, violation=VIOLATION * DELTA, what="share")
        assert judged.holds is holds
    assert (1 - VIOLATION * DELTA) ** 14 <= MISSED < (1 - VIOLATION * DELTA) ** 13


def test_only_seeds_with_certified_signs_exclude_a_wrong_share_of_them():
    """Two seeds of 16 that certify a sign say no more than two of two."""
    nothing = Certified(points=60, f=0, f_wrong=0, g=0, g_wrong=0, both=0, both_wrong=0)
    counts = [[nothing]] * 14 + [[replace(nothing, f=1)]] * 2
    (judged,) = wrong_shares(counts, DELTA, tests=2, of_points=True)
    assert judged.holds is None
    assert judged.decision.endswith("of 0 in 2 seeds with certified signs; 14 would be enough")


@pytest.mark.parametrize(("points", "holds"), [(1, "unknown"), (14, "unknown"), (1_000, "holds")])
def test_few_points_that_all_agree_do_not_show_that_a_certain_prediction_is_right(
    make_results, points, holds
):
    """Of worlds where .97 agree, 76 % show 9 seeds of a point that agrees, though 1 is predicted."""
    (section,) = make_results["sections"]
    set_seeds(section, FEWEST_SEEDS)
    section["num_test"] = points
    for run in widest(section):
        run["agreement"].update(measured=1.0, predicted=1 - 1e-9 * (1 + run["seed"]))
    assert judge(make_results)["agreement"].verdict == holds


def test_a_share_that_is_much_for_what_is_allowed_does_not_hold():
    """60 seeds exclude 20 δ where 8 δ is wrong in each, and have next to no chance of that at δ."""
    judged = judge_share([8 * DELTA] * 60, allowed=DELTA, violation=VIOLATION * DELTA, what="share")
    assert judged.holds is None
    assert judged.decision == "not decided: a share of 0.08 in 60 seeds is much for 0.01, but may be chance"
    assert judge_share([DELTA] * 60, allowed=DELTA, violation=VIOLATION * DELTA, what="share").holds


def test_a_share_that_is_the_violation_but_for_rounding_is_not_decided():
    shares = [0.3, 0.1, 0.2]
    assert math.fsum(shares) / 3 < VIOLATION * DELTA
    judged = judge_share(shares, allowed=DELTA, violation=VIOLATION * DELTA, what="share")
    assert judged.decision == "not decided: a share of 0.2 in 3 seeds may be chance"


def test_unknown_names_a_number_of_seeds_that_is_enough():
    said = judge_share([0.0] * 5, allowed=0.01, violation=0.2, what="wrong share").decision
    assert said == "not decided: a wrong share of 0 in 5 seeds; 14 would be enough"
    values = [0.0, 0.1, 0.2, 0.1, 0.05, 0.15, 0.1, 0.0, 0.2, 0.1]
    judged = judge_mean(values, high=0.12, what="mean")
    enough = int(judged.decision.split("about ")[1].split(" ")[0].replace(",", ""))
    assert judged.holds is None
    assert judge_mean(values * math.ceil(enough / len(values)), high=0.12, what="mean").holds


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_outliers_that_are_not_rare_are_seen(share):
    """Where a share of the seeds is far off, a mean that leaves its limit seldom counts as inside."""
    rng = np.random.default_rng(3)
    for seeds in (FEWEST_SEEDS, 16):
        values = 0.001 * rng.normal(size=(WORLDS, seeds)) - 0.5 * (rng.uniform(size=(WORLDS, seeds)) < share)
        held = sum(
            judge_mean(row.tolist(), low=-0.03, high=0.03, what="mean").holds is True for row in values
        )
        assert held <= most(MISSED)


@pytest.mark.parametrize(("rows", "seeds", "noise"), [(1, FEWEST_SEEDS, 1.5), (1, 40, 5), (5, 40, 5)])
def test_noise_that_cancels_means_does_not_hide_their_root_mean_square(rows, seeds, noise):
    """Of a root mean square that is the limit, under noise that all rows of a seed share."""
    rng, worlds = np.random.default_rng(4), 1000
    tables = 1 + noise * rng.normal(size=(worlds, 1, seeds)) * np.ones((rows, 1))
    found = [judge_root_mean_square(table.tolist(), limit=1.0, what="square")[0].holds for table in tables]
    assert found.count(True) <= most(MISSED, worlds)
    assert found.count(False) <= most(FALSE_ALARM, worlds)


@pytest.mark.parametrize(("noise", "size"), [(0.3, 1.0), (4.0, 1.0), (0.3, 0.1)])
def test_the_spread_at_the_limit_is_that_of_worlds_there(noise, size):
    """Two rows of 40 seeds, of means in that direction, or smaller: errors of 5 deviations and more."""
    rng, n, means = np.random.default_rng(5), 40, np.array([[0.6], [1.28062485]])  # mean square 1
    shape = 5000, 2, n
    at_limit = [jackknife_square(table) for table in means + noise * rng.normal(size=shape)]
    tables = size * means + size * noise * rng.normal(size=shape)
    spreads = [spread_at_limit(table, 1.0) ** 2 for table in tables]
    along = (size * noise * 2) ** 2 / 2  # the variance of 2 μ·d_s/2, μ of mean square 1
    if size < 1:
        assert np.mean(spreads) == pytest.approx(along, rel=0.05)
    else:
        assert np.mean(spreads) == pytest.approx(n * np.var(np.mean(at_limit, axis=1)), rel=0.1)


@pytest.mark.parametrize(("value", "holds"), [(0.0, None), (0.5, None), (1.0, None)])
def test_seeds_that_agree_exactly_say_nothing_of_their_spread(value, holds):
    assert judge_mean([value] * FEWEST_SEEDS, low=-1.0, high=2.0, what="mean").holds is holds
    assert judge_mean([value] * FEWEST_SEEDS, low=-1.0, high=2.0, least_sd=0.1, what="mean").holds


@pytest.mark.parametrize("bad", [None, math.nan, math.inf])
def test_what_is_not_known_is_not_judged(bad):
    assert judge_mean([0.1] * 9 + [0.2, bad], low=0.0, what="mean").holds is None
    assert judge_share([0.0] * 15 + [bad], allowed=0.01, violation=0.2, what="share").holds is None
    assert (
        judge_share([0.0] * 15, doubtful=[0.0] * 14 + [bad], allowed=0.01, violation=0.2, what="s").holds
        is None
    )
    assert judge_share([], allowed=0.01, violation=0.2, what="share").holds is None
    assert judge_mean([], low=0.0, what="mean").holds is None


def test_an_error_that_stays_is_no_rate():
    """The error c + 1/√m does not tend to 0, though its slope over these widths is that of a fall."""
    widths = [1_000, 3_000, 10_000, 30_000, 100_000]
    for c, part in ((0.0, 0.0), (0.005, 0.005 / (0.005 + 1e5**-0.5))):
        found = floors(widths, [[c + m**-0.5 for m in widths]] * 5)
        np.testing.assert_allclose(found, part, atol=1e-9)
