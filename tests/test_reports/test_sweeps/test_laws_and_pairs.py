"""What is claimed of laws of agreement and of pairs of classes: every verdict can come out, and is shown."""

import numpy as np
import pytest

from empirics.campaigns.wide import Part
from reports.claims.sweeps import architectures, laws, pairs
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint
from reports.page import Figure, Table
from reports.runs import Totals
from reports.statistics import Spread, jackknife_square

RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _same_draws_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(5).bit_generator.state


SEEDS = 12


def point(x, seeds=SEEDS, failed=0, **columns):
    known = {"agreement_test": (0.9, 0.001), "num_test": 1e6} | columns
    deep = {}
    for name, value in known.items():
        mean, sd = value if isinstance(value, tuple) else (value, 0.0)
        deep[name] = Spread.of({seed: float(mean + sd * RNG.standard_normal()) for seed in range(seeds)})
    totals = Totals(configurations=seeds + failed, done=seeds, failed=failed, missing=0)
    nothing = {"cosines": {}, "predicted": {}, "predicted_by": {}, "regime": {}, "metrics": {}}
    return WidePoint(x=x, totals=totals, deep=deep, **nothing)


def section(points, *, sweep="sweep", ticks=None, part=None):
    panel = WidePanel(sweep=sweep, x_label="dimension d", points=tuple(points), ticks=ticks)
    return Section(title="Study", panels=(panel,), part=part)


@pytest.mark.parametrize(
    ("law", "options", "verdict"),
    [
        (0.9, {}, "holds"),
        (8 / 9, {}, "unknown"),  # 10 % off: the limit itself
        (0.85, {}, "fails"),
        (0.93, {}, "fails"),
        (1.0, {}, "unknown"),  # no disagreement to compare with
        (0.9, {"seeds": 5}, "unknown"),
        (0.9, {"failed": 1}, "unknown"),
    ],
)
def test_disagreement_is_that_of_the_law(law, options, verdict):
    good, other = point(30, law_agreement_test=0.9), point(60, law_agreement_test=law, **options)
    (claim,) = laws.claims(section([good, other]))
    assert claim.verdict == verdict


def test_laws_are_drawn_and_told_point_by_point():
    shown = section([point(30, law_agreement_test=0.9), point(60, law_agreement_test=0.92)])
    figure, folded = laws.shown(shown, "s1")
    (table,) = folded.blocks
    assert isinstance(figure, Figure)
    assert "dimension d" in figure.svg
    assert isinstance(table, Table)
    assert [row[1] for row in table.rows] == ["30", "60"]
    assert [float(row[-1]) for row in table.rows] == pytest.approx([1, 1.25], rel=0.02)
    assert not list(architectures.shown(shown, "s1"))


def test_a_sweep_without_a_law_has_no_line():
    assert laws.claims(section([point(1)])) == []
    assert not list(laws.shown(section([point(1)]), "s1"))
    assert pairs.claims(section([point(1)])) == []


def pairs_of(errors, **options):
    """Return the study of pairs; `errors` are those of predicted agreement."""
    points = [
        point(
            i,
            wide_agreement_test=(0.9 + error, 0.005),
            linear_agreement_test=(0.9, 0.005),
            wide_error_f=0.1,
            **options,
        )
        for i, error in enumerate(errors)
    ]
    ticks = tuple(f"{i}-{i + 1}" for i in range(len(errors)))
    return section(points, ticks=ticks, part=Part(kind="study", name="pairs"))


@pytest.mark.parametrize(
    ("errors", "verdict", "missed"),
    [
        ([0.0] * 10, "holds", "none"),
        ([0.04, -0.04] * 5, "fails", "0-1 ("),
        ([0.0] * 9 + [0.063], "unknown", "9-10 ("),  # a root mean square of .0199
        ([0.0] * 19 + [0.06], "holds", "19-20 ("),  # one pair that fails is named all the same
    ],
)
def test_root_mean_square_error_over_pairs(errors, verdict, missed):
    wide, linear = pairs.claims(pairs_of(errors))
    assert wide.verdict == verdict
    assert f"pairs missed: {missed}" in wide.measured
    assert wide.numbers["error"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), abs=3e-3)
    assert linear.verdict == "holds"


def test_pairs_that_lack_seeds_are_not_judged():
    (wide, _) = pairs.claims(pairs_of([0.0] * 5, failed=1))
    assert wide.verdict == "unknown"


def test_worst_pairs_come_first_and_are_named():
    figure, folded = pairs.shown(pairs_of([0.0, 0.05, 0.0, -0.1]), "s1")
    assert [row[0] for row in folded.blocks[0].rows[:2]] == ["3-4", "1-2"]
    assert "3-4" in figure.svg


def test_noise_is_taken_out_of_squares():
    """Of 2,000 sets of 5 seeds, with an error that rows share: within 5 standard errors of the square."""
    rng, expected = np.random.default_rng(3), np.array([0.02, -0.01, 0.0])
    means = []
    for _ in range(2000):
        d = expected[:, None] + 0.02 * rng.normal(size=5) + 0.03 * rng.normal(size=(3, 5))
        means.append(np.mean(jackknife_square(d)))
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert np.mean(means) == pytest.approx(np.mean(expected**2), abs=5 * error)
    assert jackknife_square(np.ones((3, 2))) == []
