"""Every verdict of a sweep's page in worlds where its claim is true, violated, far off, or hardly seen.

As test_worlds_orthogonal.py: counts of verdicts beside the stated probabilities, by binomial quantiles at
1e-6.
"""

import functools

import numpy as np
import pytest
from msgspec import structs
from scipy import stats

from empirics.campaigns.wide import Part
from reports.claims import OF_SWEEPS
from reports.claims.sweeps import architectures, laws, pairs, times
from reports.claims.sweeps.architectures import CLOSE, LINEAR, MANY_BEYOND
from reports.claims.sweeps.explained import RULE_CORRELATION, RULE_ERROR, RULE_RUNS, criterion_of
from reports.claims.sweeps.laws import OFF
from reports.claims.sweeps.rows import Explained, Prediction, Section
from reports.claims.sweeps.trends import trends_of
from reports.judging import FALLING, NO_TREND, judge_rising
from reports.runs import Totals
from reports.statistics import Spread
from reports.verdicts import FALSE_ALARM, MISSED
from tests.test_reports.made_up_sweeps import panel

WORLDS, MOSTLY, RARE = 100, 0.8, 1e-6
SEEDS, FEW = 10, 4
_PANELS = functools.cache(Part.panels)
WHOLE = Part(kind="published", name="msg-a", seeds=1)
SMALL = Part(kind="published", name="msg-a", seeds=1, sweeps=("slope",), solver="flow")
SWEEPS = ("N", "eps")


@pytest.fixture(autouse=True)
def _points_of_parts_are_made_once(monkeypatch):
    monkeypatch.setattr(Part, "panels", _PANELS)


def _trends(kind, rng, seeds):
    """Return the verdicts on two sweeps of four points, along which a seed falls with a probability."""
    falling = {"true": 0.02, "violated": NO_TREND, "far": 0.98}[kind]
    panels = []
    for sweep in SWEEPS:
        signs = np.where(rng.random(seeds) < falling, -1.0, 1.0)
        steps = np.sort(rng.random((seeds, 4)), axis=1) * signs[:, None]
        panels.append(panel(steps.tolist(), sweep, series=("agreement",)))
    return [row.verdict for row in trends_of(SMALL, panels) if row.series == "agreement"]


def _criterion(kind, rng, seeds):
    """Return the verdicts on two predictors: one misses the correlation, one the error."""
    correlation, error = {
        "true": (1 - (1 - RULE_CORRELATION) / 2, RULE_ERROR / 2),
        "violated": (RULE_CORRELATION, RULE_ERROR),
        "far": (1 - 3 * (1 - RULE_CORRELATION), 3 * RULE_ERROR),
    }[kind]
    predictions = []
    for index, (r, e) in enumerate([(correlation, RULE_ERROR / 2), (0.9995, error)]):
        values = {s: (rng.normal(r, 0.0005), rng.normal(e, 0.002)) for s in range(seeds)}
        name = f"accuracy of g, {index}"
        predictions.append(Prediction(name=name, n=77, correlation=r, mean_error=e, seeds=values))
    sets = [Explained(runs=RULE_RUNS, total=77, predictions=tuple(predictions))]
    return [row.verdict for row in criterion_of(WHOLE, sets).predictions]


def _architectures(kind, rng, seeds):
    """Return the verdict on agreement at two points, of which one is predicted too high."""
    wrong = {"true": 0.0, "violated": CLOSE, "far": 3 * CLOSE}[kind]
    points = []
    for x, offset in ((1, 0.0), (2, wrong)):
        measured = np.clip(rng.normal(0.85, 0.03, seeds), 0, 1)
        columns = {
            "agreement_test": measured,
            "linear_agreement_test": measured + offset + rng.normal(0, 0.01, seeds),
            **{name: np.full(seeds, 0.1) for name in ("linear_error_f", "linear_error_g")},
            "num_test": np.full(seeds, 500.0),
        }
        (like,) = panel([[0.5]]).points
        points.append(_point(x, columns, like))
    shown = structs.replace(panel([[0.5]]), points=tuple(points))
    found = [claim.verdict for claim in architectures.claims(Section(title="Study", panels=(shown,)))]
    return [*found, *_regime(kind, rng, seeds)]


def _regime(kind, rng, seeds):
    """Return the verdict on linear training at three widths, of which the rule asks for two."""
    beyond = {"true": 0.02, "violated": MANY_BEYOND, "far": 0.98}[kind]
    points = []
    for x, expected, share in ((1, 2 * LINEAR, 0.98), (2, LINEAR, beyond), (3, LINEAR / 2, 0.02)):
        errors = np.where(rng.random(seeds) < share, 2 * LINEAR, LINEAR / 2)
        columns = {"linear_error_f": errors, "linear_error_g": np.full(seeds, LINEAR / 2)}
        columns["expected_linear_error"] = np.full(seeds, expected)
        deep = {name: Spread.of(dict(enumerate(values.tolist()))) for name, values in columns.items()}
        totals = Totals(configurations=seeds, done=seeds, failed=0, missing=0)
        (like,) = panel([[0.5]]).points
        points.append(structs.replace(like, x=x, deep=deep, totals=totals))
    shown = structs.replace(panel([[0.5]]), x_label="width", points=tuple(points))
    found = architectures.claims(Section(title="Plan", panels=(shown,)))
    return [claim.verdict for claim in found if claim.verdict is not None]


def _point(x, columns, like):
    deep = {name: Spread.of(dict(enumerate(values.tolist()))) for name, values in columns.items()}
    return structs.replace(like, x=x, deep=deep)


def _laws(kind, rng, seeds):
    """Return the verdict on a sweep of two points, of which one has more disagreement than its law."""
    wrong = {"true": 0.0, "violated": OFF, "far": 3 * OFF}[kind]
    columns = [
        {
            "agreement_test": 1 - 0.1 * (1 + off) * (1 + rng.normal(0, 0.05, seeds)),
            "law_agreement_test": np.full(seeds, 0.9),
            "num_test": np.full(seeds, 1e5),
        }
        for off in (0.0, wrong)
    ]
    (like,) = panel([[0.5]]).points
    points = tuple(_point(x, one, like) for x, one in enumerate(columns))
    shown = structs.replace(panel([[0.5]]), points=points)
    return [claim.verdict for claim in laws.claims(Section(title="Study", panels=(shown,)))]


def _pairs(kind, rng, seeds):
    """Return the verdict on 20 pairs whose errors have a root mean square, and share what a seed draws."""
    size = {"true": 0.0, "violated": 1.0, "far": 3.0}[kind] * pairs.CLOSE
    signs, (like,) = rng.choice([-1.0, 1.0], 20), panel([[0.5]]).points
    shared, points = rng.normal(0, 0.01, seeds), []
    for x, sign in enumerate(signs):
        off = size * sign + sign * shared + rng.normal(0, 0.02, seeds)
        measured = np.full(seeds, 0.8)
        columns = {"agreement_test": measured, "num_test": np.full(seeds, 100.0)}
        columns |= dict.fromkeys(("wide_agreement_test", "linear_agreement_test"), measured + off)
        points.append(_point(x, columns, like))
    shown = structs.replace(panel([[0.5]]), points=tuple(points))
    section = Section(title="Study", part=Part(kind="study", name="pairs"), panels=(shown,))
    return [claim.verdict for claim in pairs.claims(section)][:1]


def _times(kind, rng, seeds):
    """Return the verdicts on agreement over three training times, and on the time of one share.

    For agreement predictions are off by a root mean square, for the time the curve is later.
    """
    size = {"true": 0.0, "violated": 1.0, "far": 3.0}[kind]
    found = [claim.verdict for claim in times.claims(_timed(rng, seeds, size * times.CLOSE["law"], 1.0))]
    late = times.claims(_timed(rng, seeds, 0.0, (1 + times.NEAR["law"]) ** size))
    return [found[0], late[1].verdict]


def _timed(rng, seeds, off, late):
    """Return a curve that rises by .1 a unit of log time, and its law, off by ±`off`, with .8 at time 1."""
    points, (like,) = [], panel([[0.5]]).points
    for x in (0.2, 1.1, 6.0):
        measured = 0.8 + 0.1 * np.log(x / late) + rng.normal(0, 0.004, seeds)
        law = np.full(seeds, 0.8 + 0.1 * np.log(x) + off * rng.choice([-1.0, 1.0]))
        spreads = [Spread.of(dict(enumerate(values.tolist()))) for values in (measured, law)]
        regime = {"flipped_f": 0.05, "flipped_g": 0.05}
        changed = {"metrics": {"agreement": spreads[0]}, "law": {times.COLUMNS[0]: spreads[1]}}
        points.append(structs.replace(like, x=x, regime=regime, **changed))
    shown = structs.replace(panel([[0.5]]), x_label="flow time of g", points=tuple(points))
    return Section(title="Study", panels=(shown,))


# Each line of the page: the worlds of its verdicts, or None where it states numbers alone.
TABLE = {
    "published": None,
    "trends": _trends,
    "reached": None,
    "times": _times,
    "architectures": _architectures,
    "laws": _laws,
    "pairs": _pairs,
    "explained": _criterion,
    "failures": None,
}
JUDGED = pytest.mark.parametrize("world", [world for world in TABLE.values() if world is not None])


def _quantile(probability, upper, count):
    return stats.binom.ppf(1 - RARE if upper else RARE, count, probability)


@pytest.mark.parametrize("kind", ["true", "violated", "far"])
@JUDGED
def test_verdicts_come_as_often_as_stated(world, kind):
    rng = np.random.default_rng(["true", "violated", "far"].index(kind))
    found = [verdict for _ in range(WORLDS) for verdict in world(kind, rng, SEEDS)]
    held, failed, n = found.count("holds"), found.count("fails"), len(found)
    if kind == "true":
        assert held >= _quantile(MOSTLY, False, n)
        assert failed <= _quantile(FALSE_ALARM, True, n)
    else:
        assert held <= _quantile(MISSED, True, n)
    if kind == "far":
        assert failed >= _quantile(MOSTLY, False, n)


@JUDGED
def test_few_seeds_decide_nothing(world):
    rng = np.random.default_rng(3)
    assert {verdict for _ in range(20) for verdict in world("true", rng, FEW)} == {"unknown"}


def test_what_may_just_rise_is_seldom_refuted():
    """Seeds fall with the largest probability that the claim allows: a false alarm is as rare as stated."""
    rng = np.random.default_rng(4)
    worlds = [np.where(rng.random(SEEDS) < FALLING, -1, 1) for _ in range(20 * WORLDS)]
    failed = sum(judge_rising(signs).holds is False for signs in worlds)
    assert failed <= _quantile(FALSE_ALARM, True, len(worlds))


def test_every_line_has_a_row():
    assert [family.__name__.rpartition(".")[2] for family in OF_SWEEPS] == list(TABLE)
