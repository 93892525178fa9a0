"""The results of a report: plain JSON, complete, reproducible, and consistent with themselves."""

import dataclasses
import json
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs
from scipy import stats

import theory
from empirics import ExperimentConfig, GaussianData, ShiftedGaussianData, run
from empirics.data import FileData
from empirics.measure import cosines
from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import to_json
from empirics.sweep.plan import plan_of_configs
from reports import SCHEMA_VERSION, Series, claims, provenance
from reports.build import build
from reports.measured import Measured, experiment, runs_of
from reports.schema import check
from tests.test_reports.made_up import plain

# A few roundings in means over three seeds.
ROUNDING = 1e-12
# Figures keep five significant digits: 5e-5 of a number, twice in a difference.
FIGURE_DIGITS = 1e-4


@pytest.fixture
def section(tiny_results):
    return tiny_results["sections"][0]


@pytest.fixture
def build_section(tiny, monkeypatch):
    """Build one section; the check of Φ, which does not depend on it, is taken from the tiny report."""
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)

    def build_one(data, *, widths=(4, 16), seeds=(0, 1), **fields):
        base = ExperimentConfig(data=data, width=1, **fields)
        results = plain(
            build(
                [Series(base=base, widths=widths, seeds=seeds)],
                provenance=provenance(command="test", device="cpu"),
            )
        )
        return results["sections"][0], {claim["key"]: claim for claim in results["claims"]}

    return build_one


def _dataset(series, *, seed):
    """The data that the experiment with this seed used."""
    return run(replace(series.base, width=1, seed=seed)).dataset


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, float):
        yield value


# The document -----------------------------------------------------------------------------------------


def test_results_survive_json_unchanged(tiny_results):
    text = json.dumps(tiny_results, allow_nan=False)
    assert json.loads(text) == tiny_results


def test_results_carry_version_provenance_and_sections(tiny_results, tiny_provenance, tiny_series):
    assert set(tiny_results) == {"schema_version", "provenance", "phi", "sections", "claims", "trends"}
    assert tiny_results["schema_version"] == SCHEMA_VERSION
    seconds = tiny_results["provenance"]["seconds"]
    assert tiny_results["provenance"] == plain(tiny_provenance) | {"seconds": seconds}
    assert seconds >= 0
    for section, series in zip(tiny_results["sections"], tiny_series, strict=True):
        assert [(run["width"], run["seed"]) for run in section["runs"]] == [
            (config.width, config.seed) for config in series.configs()
        ]
        assert section["config"]["data"]["source"] == series.base.data.name


def test_same_plan_gives_the_same_results(tiny, tiny_series, tiny_provenance):
    again = build(tiny_series, provenance=tiny_provenance)
    assert structs.replace(again, provenance=tiny.provenance) == tiny


def test_claims_follow_from_the_rest(tiny_results):
    rest = {key: value for key, value in tiny_results.items() if key != "claims"}
    assert [dataclasses.asdict(claim) for claim in claims(check(rest))] == tiny_results["claims"]


def test_progress_rises_from_zero_to_one(tiny_results, tiny_series, progress_calls):
    assert tiny_results  # built, so that progress was reported
    shares = [share for share, _ in progress_calls]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    total = sum(len(series.configs()) for series in tiny_series)
    assert [text for _, text in progress_calls[1:-1]] == [f"{k} of {total} runs" for k in range(total + 1)]


def test_failing_data_reach_the_caller(tmp_path):
    base = ExperimentConfig(data=FileData(path=str(tmp_path / "absent.csv")), width=1)
    with pytest.raises(FileNotFoundError, match=r"data file must exist, got .*absent\.csv"):
        build(
            [Series(base=base, widths=(4,), seeds=(0,))], provenance=provenance(command="test", device="cpu")
        )


def test_numbers_that_json_does_not_know_are_kept(tiny_series):
    """Medians and means are taken of what was measured, wherever it was stored meanwhile."""
    ((_, outcome),) = experiment().run([runs_of(tiny_series[0])[-1]], device="cpu")
    sizes = [{"f: flips": math.inf, "g: flips": -math.inf, "f: other bias": math.nan}, {"f: flips": 1}]
    record = outcome.record | {"sizes": sizes}
    stored = Outcome.from_json(json.loads(to_json(Outcome(record=record).to_json())))
    expected = [{**sizes[0], "f: other bias": None}, sizes[1]]
    assert Measured.of(stored).sizes == expected


def test_what_is_asked_of_a_run_comes_back_from_a_plan(tiny_series):
    for series in tiny_series:
        asked = runs_of(series)
        made = plan_of_configs(experiment(), asked).configs(experiment())
        assert list(made.values()) == asked
        assert [run.drawn for run in asked] == [
            (run.config.width, run.config.seed) == (256, 0) for run in asked
        ]


def test_results_of_other_code_versions_or_devices_are_not_used(tiny_series, monkeypatch):
    (run, *_) = runs_of(tiny_series[0])
    hashes = {experiment().hash(run), experiment("cuda:1").hash(run)}
    assert len(hashes) == 2
    assert experiment("cuda:0").hash(run) in hashes
    monkeypatch.setattr("reports.measured.versions", lambda: {"numpy": "other"})
    hashes.add(experiment().hash(run))
    monkeypatch.undo()
    monkeypatch.setattr("reports.measured._code", lambda: "other")
    hashes.add(experiment().hash(run))
    assert len(hashes) == 4


# Aggregates -------------------------------------------------------------------------------------------


def test_aggregates_are_those_of_the_runs(tiny_results):
    for section in tiny_results["sections"]:
        for row in section["by_width"]:
            runs = [run for run in section["runs"] if run["width"] == row["width"]]
            assert len(runs) == len(section["seeds"])
            for group in ("f", "g", "cosines", "agreement"):
                measured = {name: [run[group][name] for run in runs] for name in runs[0][group]}
                if group in "fg":
                    measured["relative_error"] = [run[group]["error"] / run[group]["scale"] for run in runs]
                assert set(row[group]) == set(measured)
                for name, values in measured.items():
                    _assert_summarises(row[group][name], values)


def _assert_summarises(summary, values):
    mean, sd = statistics.fmean(values), statistics.stdev(values)
    half = stats.t.ppf(0.975, len(values) - 1) * sd / math.sqrt(len(values))
    size = max(1e-300, *map(abs, values))
    for name, expected in (("mean", mean), ("sd", sd), ("low", mean - half), ("high", mean + half)):
        # t of one degree of freedom is 12.7: roundings of the spread count that often.
        assert summary[name] == pytest.approx(expected, abs=20 * ROUNDING * size), name
    assert summary["n"] == len(values)


def test_condition_totals_add_up(tiny_results):
    for section in tiny_results["sections"]:
        widest = [run for run in section["runs"] if run["width"] == section["widths"][-1]]
        assert [row["label_noise"] for row in section["condition_totals"]] == ["published", "scenario"]
        for index, total in enumerate(section["condition_totals"]):
            per_seed = [run["conditions"][index] for run in widest]
            outcomes = ("met_agree", "met_differ", "unmet_agree", "unmet_differ")
            for name in ("a", "b", "c", *outcomes):
                assert total[name] == sum(counts[name] for counts in per_seed), name
            assert sum(total[name] for name in outcomes) == section["num_test"] * len(section["seeds"])
            assert total["met_agree"] + total["met_differ"] <= min(total[name] for name in "abc")
            agree = total["met_agree"] + total["unmet_agree"]
            shares = [run["agreement"]["measured"] for run in widest]
            assert agree == pytest.approx(section["num_test"] * sum(shares))


def test_width_bounds_are_ordered(section):
    rows = {row["network"]: row for row in section["width_bounds"]["rows"]}
    assert set(rows) == {"f", "g", "both"}
    for row in rows.values():
        assert 0 < row["from_data_median"] <= row["from_data_largest"]
    for name in ("from_data_median", "from_data_largest", "from_norms"):
        assert rows["both"][name] >= max(rows["f"][name], rows["g"][name])
    d, T = section["setting"]["dim"], section["setting"]["T_f"] + section["setting"]["T_g"]
    assert section["width_bounds"]["published"] == d**2 * T**2


def test_tabulated_width_gives_the_tabulated_free_share(section, tiny_series):
    base, widest = tiny_series[0].base, section["widths"][-1]
    result = run(replace(base, width=widest, seed=section["seeds"][0]))
    Z = result.dataset.X_test
    kappa = {"f": theory.kappa(Z, X=result.dataset.X), "g": theory.kappa(Z, X=result.X_adv)}
    kappa["both"] = np.maximum(kappa["f"], kappa["g"])
    times = {"f": base.T_f, "g": base.T_g, "both": base.T_f + base.T_g}
    for row in section["width_bounds"]["rows"]:
        shares = theory.free_fraction(
            T=times[row["network"]],
            kappa=kappa[row["network"]],
            s=theory.preactivation_scale(Z),
            width=row["from_data_largest"],
        )
        assert shares.max() == pytest.approx(section["width_bounds"]["free_share"], rel=1e-9)


# What figures show ------------------------------------------------------------------------------------


def test_scatter_has_every_test_point_of_the_widest_first_seed(tiny_results):
    for section in tiny_results["sections"]:
        widest = next(run for run in section["runs"] if run["width"] == section["widths"][-1])
        for network in ("f", "g"):
            scatter = section["scatter"][network]
            assert (scatter["width"], scatter["seed"]) == (widest["width"], widest["seed"])
            assert len(scatter["predicted"]) == len(scatter["measured"]) == section["num_test"]
            errors = np.subtract(scatter["measured"], scatter["predicted"])
            error = math.sqrt(np.mean(errors**2))
            size = np.abs(scatter["predicted"]).max()
            assert error == pytest.approx(widest[network]["error"], abs=FIGURE_DIGITS * size)


def test_map_is_complete_and_holds_the_data(tiny_results):
    for section in tiny_results["sections"]:
        data = section["map"]
        side = len(data["ticks"])
        for name in ("f", "g", "f_hat", "g_hat", "f_b", "g_b"):
            assert len(data[name]) == side**2, name
            assert None not in data[name], name
        points = np.array(data["data"])
        assert points.shape == (len(data["labels"]), 2)
        assert len(data["labels"]) == min(150, section["setting"]["N"])
        assert set(data["labels"]) == {-1, 1}
        assert np.abs(points).max() < data["ticks"][-1] == -data["ticks"][0]


def test_map_axes_are_the_class_difference_and_orthogonal_to_it(section):
    data = section["map"]
    points, labels = np.array(data["data"]), np.array(data["labels"])
    difference = points[labels == 1].mean(axis=0) - points[labels == -1].mean(axis=0)
    size = FIGURE_DIGITS * np.abs(points).max()
    assert difference[0] > size
    assert difference[1] == pytest.approx(0, abs=size)
    assert points.mean(axis=0) == pytest.approx([0, 0], abs=size)  # through the training mean


def test_second_map_axis_is_the_main_direction_that_is_left(section, tiny_series):
    dataset = _dataset(tiny_series[0], seed=0)
    difference = dataset.X[dataset.y > 0].mean(axis=0) - dataset.X[dataset.y < 0].mean(axis=0)
    unit = difference / np.linalg.norm(difference)
    centred = dataset.X - dataset.X.mean(axis=0)
    points = np.array(section["map"]["data"])
    size = FIGURE_DIGITS * np.abs(points).max()
    assert points[:, 0] == pytest.approx(centred @ unit, abs=size)
    largest = np.linalg.svd(centred - np.outer(centred @ unit, unit), compute_uv=False)[0]
    assert np.linalg.norm(points[:, 1]) == pytest.approx(largest, rel=FIGURE_DIGITS)


def test_map_axes_are_orthonormal(build_section):
    # In two dimensions a projection to orthonormal axes is a rigid motion: distances stay.
    data = ShiftedGaussianData(dim=2, num_train=10, num_test=4)
    built, _ = build_section(data)
    plan = Series(base=ExperimentConfig(data=data, width=1), widths=(1,), seeds=(0,))
    X = _dataset(plan, seed=0).X
    points = np.array(built["map"]["data"])
    distances, expected = (np.linalg.norm(array[:, None] - array[None], axis=-1) for array in (points, X))
    assert distances == pytest.approx(expected, abs=FIGURE_DIGITS * expected.max())


def test_one_dimension_has_no_map(build_section):
    built, _ = build_section(ShiftedGaussianData(dim=1, num_train=6, num_test=4))
    assert built["map"] is None


def test_one_class_has_no_map(build_section):
    built, _ = build_section(GaussianData(dim=2, num_train=1, num_test=4))
    assert built["map"] is None


def test_pictures_are_the_perturbations_of_the_first_seed(tiny_results, tiny_series):
    assert tiny_results["sections"][0]["images"] is None  # no pixels
    data, base = tiny_results["sections"][1]["images"], tiny_series[1].base
    result = run(replace(base, width=256, seed=0))
    assert (data["width"], data["seed"], data["side"]) == (256, 0, 8)
    chosen = [int(index) for label in (-1, 1) for index in np.flatnonzero(result.dataset.y == label)[:2]]
    assert data["classes"] == [result.dataset.classes[int(result.dataset.y[n] > 0)] for n in chosen]
    expected = {
        "sample": result.dataset.X,
        "perturbation": result.y_adv[:, None] * result.X_adv,  # scenario (a)
        **{
            kind: theory.perturbation_direction(X=result.dataset.X, y=result.dataset.y, kind=kind)
            for kind in ("gradient", "paper")
        },
    }
    for name, rows in expected.items():
        for picture, n in zip(data["pictures"][name], chosen, strict=True):
            np.testing.assert_allclose(picture, rows[n] / np.abs(rows[n]).max(), atol=2e-3)
    for name in ("gradient", "paper"):
        exact = cosines(expected["perturbation"][chosen], expected[name][chosen])
        np.testing.assert_allclose(data["cosines"][name], exact, rtol=1e-9)


def test_diagnosis_counts_the_points_that_differ(tiny_results):
    for section in tiny_results["sections"]:
        for row in section["diagnosis"]["by_width"]:
            runs = [run for run in section["runs"] if run["width"] == row["width"]]
            agreeing = sum(run["agreement"]["measured"] for run in runs) * section["num_test"]
            assert row["points"] == section["num_test"] * len(runs)
            assert row["points"] - row["differ"] == pytest.approx(agreeing)
            assert sum(row["causes"].values()) == row["differ"]
            assert all(row["enough"].get(cause, 0) <= count for cause, count in row["causes"].items())
            assert set(row["sizes"]) == (set(section["diagnosis"]["terms"]) if row["differ"] else set())
        assert "rows" not in section["runs"][0]["diagnosis"]
    widest = tiny_results["sections"][0]["diagnosis"]["by_width"][-1]
    conditions = {row["name"]: row for row in tiny_results["sections"][0]["condition_rows"]}
    assert widest["unmet"]["a"] == conditions["(a), ν = d/√N"]["fails_differ"]
    assert widest["unmet"]["b"] == conditions["(b), ν = d/√N"]["fails_differ"]
    assert widest["unmet"]["b, scenario"] == conditions["(b), ν = 1/√N in (a)"]["fails_differ"]
    assert widest["unmet"]["c"] == conditions["(c), ν = d/√N"]["fails_differ"]


# Without training -------------------------------------------------------------------------------------


def test_untrained_network_has_no_velocity_and_proves_nothing(build_section):
    built, judged = build_section(
        ShiftedGaussianData(dim=3, num_train=8, num_test=6), widths=(16, 64, 256), T_f=0.0
    )
    assert {run["f"]["error"] for run in built["runs"]} == {None}
    assert all(math.isfinite(run["g"]["error"]) for run in built["runs"])
    assert built["scatter"]["f"]["measured"] == [None] * 6
    assert all(math.isfinite(value) for value in _numbers(built))
    velocity = ("rate-f", "direction-gradient", "direction-paper", "kink-term")
    assert {judged[key]["verdict"] for key in velocity} == {"unknown"}
    assert judged["agreement"]["verdict"] == "unknown"
    thresholds = {row["threshold_a"] for row in built["condition_totals"]}
    assert thresholds == {None}
    for key in ("theorem-published", "theorem-scenario"):
        assert judged[key]["verdict"] == "hypothesis not met"


def test_agreement_of_untrained_networks_is_a_coin_toss(build_section):
    built, judged = build_section(
        ShiftedGaussianData(dim=3, num_train=8, num_test=6), seeds=(0, 1, 2), T_f=0.0, T_g=0.0
    )
    assert {run["agreement"]["predicted"] for run in built["runs"]} == {0.5}
    assert {run[n]["free_predicted"] for run in built["runs"] for n in "fg"} == {0.0}
    assert {run[n]["flipped"] for run in built["runs"] for n in "fg"} == {0.0}
    assert judged["agreement"]["verdict"] == "unknown"
    assert {judged[key]["verdict"] for key in ("rate-f", "rate-g")} == {"hypothesis not met"}
