"""Results made up: setters for one claim each, on a section of the tiny report with more seeds."""

import copy
import math

import msgspec

from reports.claims import claims
from reports.results import Section
from reports.schema import check
from reports.statistics import summarise

SEEDS = 15
SLOPE = -0.5  # of an error that falls like 1/√m
COSINES = {
    "direction-gradient": "trained_gradient",
    "direction-paper": "trained_paper",
    "perturbation": "perturbation_given_initial",
}
NOTHING_WRONG = {"points": 100, "f": 50, "f_wrong": 0, "g": 30, "g_wrong": 0, "both": 20, "both_wrong": 0}


def plain(value):
    """Return the JSON values of structures."""
    return msgspec.json.decode(msgspec.json.encode(value))


def section_of(value):
    """Return a section from JSON values."""
    return msgspec.convert(value, Section)


def holding(results):
    """Return results with one section, three widths and `SEEDS` seeds, in which every claim holds."""
    section = results["sections"][0]
    results |= {"sections": [section], "claims": []}
    set_seeds(section, SEEDS)
    results["phi"]["largest_difference"] = 1e-15
    section["largest_norm"] = 1.0
    section["num_test"], section["setting"]["N"] = 10**6, 1000
    results["phi"]["monte_carlo"]["largest_deviation"] = 2.0
    set_shares(section, 0.1)
    for network in ("f", "g"):
        set_errors(section, network, SLOPE)
    for run in section["runs"]:
        for network in ("f", "g"):
            law = 0.1 * (1 + 0.01 * own(run))
            run[network].update(free_pvalue=0.5, flipped_not_free=0, flipped=0.01)
            run[network].update(free_predicted=0.1, free_measured=law)
        run["certificates"] = {kind: dict(NOTHING_WRONG) for kind in ("descent", "flow", "in hand")}
        if "simulated" in run:
            run["simulated"]["counts"]["simulation"] = dict(NOTHING_WRONG)
        for count in run["conditions"]:
            count.update(width="holds", met_agree=4, met_differ=0, unmet_agree=1, unmet_differ=1)
    for name in COSINES.values():
        set_cosine(section, name, 0.995)
    set_gain(section, 0.002)
    set_agreement(section, 0.0)
    set_trend(section, 0.1)
    for run in section["runs"]:
        run["over_times"] = []
    set_over_time(section, 0.0)
    return results


def set_seeds(section, count):
    """Give a section so many seeds: copies of the runs of its first three."""
    few = section["seeds"]
    section["seeds"] = list(range(count))
    section["runs"] = [
        copy.deepcopy(run) | {"seed": seed}
        for width in section["widths"]
        for seed in section["seeds"]
        for run in section["runs"]
        if run["width"] == width and run["seed"] == few[seed % len(few)]
    ]


def own(run):
    """Return −1, 0 or 1, whose mean over `SEEDS` seeds is 0: what sets a seed apart."""
    return run["seed"] % 3 - 1


def set_shares(section, share, *, networks="fg", rows=None):
    for row in section["by_width"] if rows is None else rows:
        for network in networks:
            row[network]["free_predicted"]["mean"] = share


def set_errors(section, network, slope, *, seed_spread=0.01):
    """An exact power law for each seed, slopes that differ by `seed_spread`."""
    for run in section["runs"]:
        run[network]["error"] = (1 + 0.1 * (run["seed"] % 3)) * run["width"] ** (
            slope + seed_spread * own(run)
        )


def set_cosine(section, name, mean, spread=1e-4):
    for run in widest(section):
        run["cosines"][name] = None if mean is None else mean + spread * own(run)
    summary = summarise([math.nan if mean is None else run["cosines"][name] for run in widest(section)])
    section["by_width"][-1]["cosines"][name] = msgspec.structs.asdict(summary)


def set_fall(section, name, slope, spread=0.01):
    """Make 1 − cos a power of the width for each seed, .015 and more at the widest."""
    set_cosine(section, name, 1 - 0.015)
    for run in section["runs"]:
        rest = (0.015 + 1e-4 * (run["seed"] % 3)) * (run["width"] / section["widths"][-1]) ** (
            slope + spread * own(run)
        )
        run["cosines"][name] = 1 - rest


def set_gain(section, gain, spread=1e-4, paper=0.994):
    for run in widest(section):
        run["cosines"]["trained_paper"] = paper + spread * own(run)
        run["cosines"]["trained_gradient"] = paper + gain + 2 * spread * own(run)


def set_agreement(section, difference, spread=0.001, predicted=0.9):
    for run in widest(section):
        run["agreement"]["predicted"] = predicted
        run["agreement"]["measured"] = predicted + difference + spread * own(run)


def set_over_time(section, difference, spread=0.001, predicted=0.9):
    """Agreement at two times of g, of which one differs from the prediction, and in the limit."""
    for run in widest(section):
        measured = (predicted + spread * own(run), predicted + difference + spread * own(run), None)
        run["over_times"] = [
            {"T_g": T, "measured": one, "predicted": predicted, "untrained": 0.6}
            for T, one in zip((0.5, 1.0, None), measured, strict=True)
        ]


def set_trend(section, slope, spread=0.001):
    """Agreement with this slope a decade below the widest network, slopes that differ by `spread`."""
    for run in section["runs"]:
        last = next(r for r in widest(section) if r["seed"] == run["seed"])["agreement"]["measured"]
        rise = slope + spread * own(run)
        run["agreement"]["measured"] = last + rise * math.log10(run["width"] / section["widths"][-1])


def widest(section):
    return [run for run in section["runs"] if run["width"] == section["widths"][-1]]


def judge(results):
    return {claim.key: claim for claim in claims(check(results))}
