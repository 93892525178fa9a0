"""Both theories on the data in hand: verdicts where the answer is known, ratios from their formulas."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from msgspec import structs

import theory
from empirics import ExperimentConfig, ShiftedGaussianData, run
from empirics.data import Dataset
from reports import prior_work

# Products and quotients of a few numbers.
ROUNDING = 1e-12
DATA = ShiftedGaussianData(dim=6, num_train=12, num_test=5)


@dataclass(frozen=True)
class _Orthogonal:
    """Rows of the identity, times `scale`."""

    scale: float = 3.0
    name: str = "orthogonal"

    def load(self, seed):
        X = self.scale * np.eye(6, 8)
        y = np.array([1, -1, 1, -1, 1, -1.0])
        return Dataset(self.name, X, y, X[:2] + 1, y[:2], ("-1", "1"), "none")


def _compare(data=DATA, **fields):
    result = run(ExperimentConfig(data=data, **({"width": 40} | fields)))
    return prior_work.compare(result), result


def _verdicts(found, theory_name):
    rows = {}
    for row in found.rows:
        rows.setdefault(row.aspect, []).append(getattr(row, f"{theory_name}_verdict"))
    return rows


def test_ratios_are_those_of_the_formulas():
    slope = 0.4
    found, result = _compare(negative_slope=slope, T_f=0.5, T_g=1.5)
    ratios = found.ratios
    assert ratios.published_width == pytest.approx(6**2 * 2.0**2, rel=ROUNDING)
    assert ratios.width == pytest.approx(40 / 144, rel=ROUNDING)
    for name, X in (("samples", result.dataset.X), ("inputs_of_g", result.X_adv)):
        norms = np.linalg.norm(X, axis=1)
        p_max = max(abs(float(u @ v)) for u, v in itertools.combinations(X, 2))
        best = norms.min() ** 4 / (3 * 12 * norms.max() ** 2) / p_max
        sizes = getattr(ratios, name)
        assert sizes.p_max == pytest.approx(p_max, rel=ROUNDING)
        assert (sizes.R_min, sizes.R_max) == pytest.approx((norms.min(), norms.max()), rel=ROUNDING)
        assert sizes.ratio == pytest.approx(slope**3 * best, rel=ROUNDING)
        assert sizes.best_ratio == pytest.approx(best, rel=ROUNDING)
        assert sizes.best_verdict == "fails"


def test_wide_theory_is_met_from_its_width_on():
    wide, result = _compare(width=150)  # 36 · (1 + 1)² = 144
    narrow, _ = _compare(width=144)
    verdicts = _verdicts(wide, "wide")
    assert verdicts.pop("margin") == ["fails"]  # condition (b) holds at none of the five points
    assert result.conditions[0].b == 0
    assert set(itertools.chain(*verdicts.values())) == {"holds"}
    assert wide.verdicts.wide == "fails"
    assert _verdicts(narrow, "wide")["width"] == ["fails"]
    assert narrow.verdicts.wide == "fails"


@pytest.mark.parametrize(
    ("met", "unmet", "said"),
    [((2, 1), (1, 1), "at 3 of 5 points"), ((4, 1), (0, 0), "holds"), ((0, 0), (3, 2), "fails")],
)
def test_the_wide_theory_applies_at_the_points_that_meet_its_margins(met, unmet, said):
    _, result = _compare(width=150)
    counts = [
        structs.replace(row, met_agree=met[0], met_differ=met[1], unmet_agree=unmet[0], unmet_differ=unmet[1])
        if row.label_noise == "published"
        else row
        for row in result.conditions
    ]
    found = prior_work.compare(replace(result, conditions=tuple(counts)))
    assert _verdicts(found, "wide")["margin"] == [said]
    assert found.verdicts.wide == said
    narrow = replace(result, conditions=tuple(counts), setting=replace(result.setting, width=144))
    assert prior_work.compare(narrow).verdicts.wide == "fails"


def test_orthogonal_samples_meet_the_prior_condition_but_not_the_finite_time():
    found, _ = _compare(_Orthogonal(), negative_slope=0.5, loss="logistic")
    verdicts = _verdicts(found, "orthogonal")
    assert "fails" not in verdicts["data"]
    assert verdicts["loss"] == verdicts["activation"] == verdicts["width"] == ["holds"]
    assert verdicts["time"] == verdicts["bias"] == ["fails"]
    assert found.verdicts.orthogonal == "fails"
    assert found.verdicts.wide == "fails"  # another loss
    assert found.ratios.samples.best_verdict == "holds"
    assert math.isinf(found.ratios.samples.ratio)


def test_relu_has_no_orthogonality_ratio_above_zero():
    found, _ = _compare(_Orthogonal())
    assert found.ratios.samples.ratio == 0.0
    assert _verdicts(found, "orthogonal")["activation"] == ["fails"]


def test_one_condition_on_the_samples_is_enough():
    def rows(*data):
        aspects = [("data", verdict) for verdict in data] + [("loss", theory.Verdict.HOLDS)]
        return [
            prior_work.Hypothesis(
                aspect=aspect, wide="", wide_verdict=verdict, orthogonal="", orthogonal_verdict=verdict
            )
            for aspect, verdict in aspects
        ]

    V = theory.Verdict
    apply = prior_work.orthogonal_verdict
    assert apply(rows(V.FAILS, V.HOLDS, V.HOLDS)) is V.HOLDS
    assert apply(rows(V.HOLDS, V.UNKNOWN, V.UNKNOWN)) is V.HOLDS
    assert apply(rows(V.FAILS, V.FAILS, V.FAILS)) is V.FAILS
    assert apply(rows(V.UNKNOWN, V.UNKNOWN, V.UNKNOWN)) is V.UNKNOWN


def test_the_lambda_system_alone_does_not_say_where_training_ends():
    # It proves a KKT point; test_empirics/test_orthogonal/test_training.py has a run that ends elsewhere.
    V = theory.Verdict

    def rows(*data):
        return [
            prior_work.Hypothesis(
                aspect="data", wide="", wide_verdict=V.HOLDS, orthogonal="", orthogonal_verdict=verdict
            )
            for verdict in data
        ]

    assert prior_work.orthogonal_verdict(rows(V.FAILS, V.FAILS, V.HOLDS)) is V.UNKNOWN
    assert prior_work.orthogonal_verdict(rows(V.FAILS, V.FAILS, V.UNKNOWN)) is V.UNKNOWN


def test_many_samples_are_not_looked_at_pair_by_pair(monkeypatch):
    monkeypatch.setattr(prior_work, "MOST_SAMPLES", 11)
    found, _ = _compare(negative_slope=0.5)
    assert found.ratios.samples is found.ratios.inputs_of_g is None
    assert set(_verdicts(found, "orthogonal")["data"]) == {"unknown"}
    assert set(_verdicts(found, "wide")["data"]) == {"holds"}
