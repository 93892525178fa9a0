"""Every claim of nearly orthogonal samples in worlds where it is true, violated, far off, or hardly seen.

In a true world a claim fails with probability `FALSE_ALARM` at most and mostly holds; violated by the size
that its rule states it holds with probability `MISSED` at most; far off it mostly fails; with few seeds it is
unknown.  Counts of verdicts are compared with binomial quantiles at 1e-6.
"""

from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from empirics.campaigns import Reading
from empirics.campaigns.orthogonal import Part
from reports.claims.orthogonal.published import CHANCE_WIDTH, MAP_ERROR, MEANS_ROOM
from reports.claims.orthogonal.rows import VIOLATION, OrthogonalRow
from reports.claims.orthogonal.turning import TURN_ERROR
from reports.orthogonal.build import build
from reports.runs import rows_of
from reports.verdicts import FALSE_ALARM, MISSED
from tests.test_reports.made_up_orthogonal import examined

WORLDS, MOSTLY, RARE = 150, 0.8, 1e-6
SEEDS, FEW = 10, 4
PUBLISHED = Part(kind="published", name="L2", sweeps=("N_adv",), seeds=SEEDS)
TURNING = Part(kind="study", name="turning", seeds=SEEDS, options={"dim": 30, "counts": [2, 10, 40]})
DECAY = Part(
    kind="study",
    name="orthogonality",
    seeds=SEEDS,
    options={"dim": 50, "ratios": [0.04, 0.2, 1.0], "slopes": [0.1]},
)
DATA = Part(kind="data", name="own", seeds=SEEDS, sizes={"dim": 8, "num_train": 9, "num_test": 100},
            options={"epsilon": 1.0})  # fmt: skip

# Claims by a part of their statements, for each page; what is counted or proved is tested below.
SHARED = ("signs of a trained network", "are those of the closed form", "as near to the closed form as kinks")
PAGES = {
    "published": (
        PUBLISHED,
        (
            *SHARED[:2],  # of steps in a box nothing is proved
            "Means over our seeds",
            "knows nothing of the natural labels",
            "learns natural labels",
            "that of the linear mean map",
            "is that of the limit",
        ),
    ),
    "turning": (TURNING, (*SHARED, "turns towards s", "turns as the limit")),
    "decay": (DECAY, (SHARED[0], "fails only beyond")),
    "data": (DATA, SHARED),
}
GUIDES = ("Published accuracies of g within",)  # without a verdict
COUNTED = ("Training was long enough",)
PROVED = ("condition of orthogonality", "So do the perturbed ones", "is a KKT point", "perturbed along s")


class _Fixed:
    """A part whose points and hashes are computed once; readings can be changed."""

    def __init__(self, part):
        self._part, self._names, self._readings = part, {}, {}
        self._points = [p for p in part.points() if part.kind != "published" or p.x >= 1000]  # four values
        self.base = {c: self._row(c) for p in self._points for c in p.configs}

    def __getattr__(self, name):
        return getattr(self._part, name)

    def _row(self, config):
        row = {"hash": self.hash_of(config), **config.to_json(), "status": "done"}
        for name in ("f", "g"):
            row |= {f"multipliers_{name}": "holds", f"orthogonal_{name}": "fails", f"points_{name}": 1000}
            row |= {f"orthogonal_rows_{name}": "holds", f"cosine_{name}": 1.0, f"firm_{name}": 0}
        return row | {"agreement": 1.0, "accuracy_f": 1.0}

    def points(self):
        return self._points

    def hash_of(self, config):
        if config not in self._names:
            self._names[config] = self._part.hash_of(config)
        return self._names[config]

    def hashes(self):
        return list(self._names.values())

    def read(self, values):
        """Give the points with an attack these published values."""
        if self._part.kind == "published":
            points = [p for p in self._points if p.series == "adversarial"]
            self._readings = {p: Reading(value, 0.0) for p, value in zip(points, values, strict=False)}

    def reading(self, point):
        return self._readings.get(point)


@cache
def _fixed(page, seeds):
    return _Fixed(replace(PAGES[page][0], seeds=seeds))


# Expectations by world: accuracy at the last point and as published there, without an attack, mean errors of
# predictions of accuracies and of cosines, and the share of wrong signs of a bad seed.
WORLD = {
    "true": {"g": 0.9, "published": 0.9, "control": 0.5, "map": 0.02, "turn": 0.02, "trend": 1},
    "violated": {
        "g": 0.5,
        "published": 0.5 + MEANS_ROOM,
        "control": 0.5 + CHANCE_WIDTH,
        "map": MAP_ERROR,
        "turn": TURN_ERROR,
        "trend": 0,
    },
    "far": {
        "g": 0.1,
        "published": 0.9,
        "control": 0.75,
        "map": 4 * MAP_ERROR,
        "turn": 4 * TURN_ERROR,
        "trend": -1,
    },
}


def _world(page, kind, seeds, rng):
    """Return the claims of one world; all points of a seed share its error, and whether it is bad.

    Bad seeds come with probability `VIOLATION`: their networks do not converge, so that nothing fails; far
    off most seeds have converged networks that end elsewhere, and perturbations beyond all bounds.
    """
    part, sizes = _fixed(page, seeds), WORLD[kind]
    errors = {name: rng.normal(sizes[name], 0.2 * sizes[name], seeds).tolist() for name in ("map", "turn")}
    bad = rng.random(seeds) < {"true": 0, "violated": VIOLATION, "far": 0.7}[kind]
    count = len({p.x for p in part.points()})
    means = [*np.linspace(0.6, 0.9, count - 1), sizes["g"]]
    apart = rng.normal(0, 0.03, seeds + 1)  # networks of one seed, the published one the last
    part.read(rng.binomial(1000, np.clip([*means[:-1], sizes["published"]] + apart[-1], 0, 1)) / 1000)
    rows, places = [], {}
    for point in part.points():
        place = places[point.series] = places.get(point.series, -1) + 1
        for config in point.configs:
            lost, seed = kind == "far" and bad[config.seed], config.seed
            share = 0.0 if bad[seed] else 1 - rng.binomial(1000, 0.001) / 1000
            attacked = point.series == "adversarial"
            chance = min(max(means[place] + apart[seed], 0), 1) if attacked else sizes["control"]
            right = rng.binomial(config.num_train, chance) / config.num_train
            turning = rng.random() * (0.3 if sizes["trend"] else 1) + 0.5 * sizes["trend"] * place
            row = part.base[config] | {"accuracy_g": right, "turning": turning}
            for name in ("f", "g"):
                row |= {f"converged_{name}": bool(lost or not bad[seed]), f"signs_{name}": share}
                row[f"firm_{name}"] = round(1000 * (1 - share))
            row |= {"turning_limit": turning + errors["turn"][seed]}
            row |= {f"accuracy_{name}_g": right + errors["map"][seed] for name in ("mean", "limit")}
            row |= {"attack_cosine": 0.9 if lost else 0.995, "attack_least": 0.9 if lost else 0.994}
            rows.append(row | {"kink_bound": 0.993, "attack_bound": 0.99})
    return build(part, rows_of(rows, OrthogonalRow)).claims


def _verdicts(page, kind, *, seeds=SEEDS, worlds=WORLDS):
    """Return the verdicts of all worlds by a part of the statement; those about no network are left out."""
    rng = np.random.default_rng([list(PAGES).index(page), list(WORLD).index(kind), seeds])
    found = {words: [] for words in PAGES[page][1]}
    for _ in range(worlds):
        for claim in _world(page, kind, seeds, rng):
            for words, verdicts in found.items():
                if words in claim.statement and "p_max" not in claim.statement:
                    verdicts.append(claim.verdict)
    return found


def _compare(found, kind):
    """Compare counts of verdicts with the stated probabilities."""
    for words, verdicts in found.items():
        n = len(verdicts)
        assert n >= WORLDS, words
        # Claims of one world share its seeds: then each world counts once.
        most = {p: WORLDS * stats.binom.ppf(1 - RARE, WORLDS, p) / WORLDS for p in (MISSED, FALSE_ALARM)}
        least = stats.binom.ppf(RARE, WORLDS, MOSTLY)
        held, failed = (verdicts.count(word) * WORLDS / n for word in ("holds", "fails"))
        if kind == "true":
            assert held >= least, (words, held)
            assert failed <= most[FALSE_ALARM], (words, failed)
        else:
            assert held <= most[MISSED], (words, held)
        if kind == "far":
            assert failed >= least, (words, failed)


@pytest.mark.parametrize("kind", list(WORLD))
@pytest.mark.parametrize("page", list(PAGES))
def test_verdicts_come_as_often_as_stated(page, kind):
    _compare(_verdicts(page, kind), kind)


@pytest.mark.parametrize("page", list(PAGES))
def test_few_seeds_decide_nothing(page):
    found = _verdicts(page, "true", seeds=FEW, worlds=20)
    assert {verdict for verdicts in found.values() for verdict in verdicts} == {"unknown"}


# What is counted or proved ---------------------------------------------------------------------------------


def _examination(outcome):
    kept = {"holds": (10, 0, 0), "fails": (9, 1, 0), "unknown": (9, 0, 1)}[outcome]
    return examined(DATA.configs()[0], [kept], [outcome] * 4, verdict=outcome)


@pytest.mark.parametrize("outcome", ["holds", "fails", "unknown"])
def test_what_is_proved_is_said_as_it_is(outcome):
    found = build(DATA, {}, examination=_examination(outcome)).claims
    for words in PROVED:
        verdicts = {claim.verdict for claim in found if words in claim.statement}
        assert verdicts == {outcome}, words


@pytest.mark.parametrize(
    ("lost", "converged", "expected"),
    [(0, 20, "holds"), (0, 19, "hypothesis not met"), (1, 18, "unknown"), (10, 0, "unknown")],
)
def test_convergence_is_counted(lost, converged, expected):
    """Ten seeds, two networks each; a seed that is lost has neither."""
    lines = []
    for config in DATA.configs()[lost:]:
        left = converged - 2 * len(lines)
        flags = {"converged_f": left > 0, "converged_g": left > 1}
        lines.append({"hash": DATA.hash_of(config), "status": "done", **flags})
    made = build(DATA, rows_of(lines, OrthogonalRow)).claims
    (found,) = [claim for claim in made if COUNTED[0] in claim.statement]
    assert found.verdict == expected
    assert found.measured.startswith(f"{converged} of {20 - 2 * lost} network")


@pytest.mark.parametrize("page", list(PAGES))
def test_every_claim_has_a_world(page):
    examined = _examination("holds") if page == "data" else None
    made = build(PAGES[page][0], {}, examination=examined).claims
    rows = (*PAGES[page][1], *GUIDES, *COUNTED, *PROVED)
    for claim in (*made, *_world(page, "true", SEEDS, np.random.default_rng(0))):
        assert sum(words in claim.statement for words in rows) == 1, claim.statement
        assert claim.decision or (claim.verdict is None and GUIDES[0] in claim.statement)
