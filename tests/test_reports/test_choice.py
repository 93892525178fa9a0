"""Times, ε and widths chosen from the data: what they promise, and what is said where data cannot."""

from dataclasses import replace

import numpy as np
import pytest

import theory
from empirics import DigitsData, ExperimentConfig, FileData, GaussianData, ShiftedGaussianData, run
from empirics.experiment import load_data
from reports import choice, provenance
from reports.build import build
from reports.choice import choose, feasibility
from reports.presets import Series, series
from tests.test_reports.made_up import plain

# Times are rounded to two digits: by at most 1 part in 20.
TWO_DIGITS = 0.05


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    """Three columns and a label, 60 rows: two classes that a line tells apart, mostly."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(60) % 2, 1, -1)
    X = rng.normal(size=(60, 3)) + y[:, None]
    path = tmp_path_factory.mktemp("own") / "mine.csv"
    path.write_text("\n".join(f"{a},{b},{c},{t}" for (a, b, c), t in zip(X, y, strict=True)) + "\n")
    return FileData(path=str(path))


def test_initial_network_has_the_stated_share(own_data):
    data = own_data.load(0)
    chosen = choose(data)
    deviation = np.median(theory.initial_deviation(data.X_test))
    predicted = np.median(np.abs(theory.f_predict(data.X_test, X=data.X, y=data.y)))
    share = deviation / (chosen.T_f * predicted)
    assert share == pytest.approx(choice.INITIAL_SHARE, rel=TWO_DIGITS)
    assert chosen.initial_share_f == pytest.approx(share, rel=1e-12)
    assert chosen.initial_share_g == pytest.approx(choice.INITIAL_SHARE, rel=TWO_DIGITS)
    assert not chosen.times_lowered


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_trained_networks_have_the_free_share_that_was_chosen(own_data, scenario, slope):
    chosen = choose(own_data.load(0), scenario=scenario, negative_slope=slope)
    capped = chosen.width_wanted > chosen.width_cap
    assert chosen.widths[-1] >= min(chosen.width_wanted, chosen.width_cap)
    config = ExperimentConfig(
        data=own_data,
        width=chosen.widths[-1],
        scenario=scenario,
        negative_slope=slope,
        T_f=chosen.T_f,
        T_g=chosen.T_g,
        epsilon=chosen.epsilon,
    )
    result = run(config)
    largest = max(result.f.free_predicted, result.g.free_predicted)
    # Another seed's split and real perturbations instead of predicted ones.
    assert largest == pytest.approx(chosen.free_share, rel=0.3)
    assert chosen.free_share <= (choice.CAPPED_FREE_SHARE if capped else choice.WIDEST_FREE_SHARE)


def test_widths_are_a_grid_that_reaches_the_wanted_width():
    chosen = choose(DigitsData().load(0))
    assert chosen.widths == (1_000, 3_000, 10_000, 30_000, 100_000)
    assert chosen.width_cap == 100_000
    assert choose(DigitsData().load(0), largest_width=20_000).widths[-1] == 10_000


def test_work_of_a_step_caps_the_width(monkeypatch):
    data = DigitsData().load(0)
    monkeypatch.setattr(choice, "MOST_WORK", 2_999 * data.X.size)
    assert choose(data).width_cap == 1_000


def test_capped_widths_lower_the_times_but_not_below_half(monkeypatch):
    data = GaussianData(dim=40, num_train=200).load(0)
    lowered, free = choose(data), choose(data, largest_width=10**9)
    assert lowered.times_lowered
    assert lowered.T_f < free.T_f
    assert lowered.initial_share_f <= choice.LARGEST_INITIAL_SHARE * (1 + TWO_DIGITS)
    digits = choose(DigitsData().load(0), largest_width=3_000)
    assert digits.times_lowered
    assert digits.free_share <= choice.CAPPED_FREE_SHARE * (1 + TWO_DIGITS)


@pytest.mark.parametrize("size", [1.0, 0.3])
def test_times_for_samples_whose_rates_differ_by_rounding_alone(tmp_path, size):
    """One column of ±1 or ±.3: all free shares are one number, and there is no interval to search."""
    y = np.where(np.arange(40) % 2, 1, -1)
    path = tmp_path / "line.csv"
    path.write_text("\n".join(f"{size * t},{t}" for t in y) + "\n")
    chosen = choose(FileData(path=str(path), standardise="none").load(0))
    assert chosen.T_f > 0
    assert chosen.T_g > 0
    assert chosen.epsilon == (None if size == 1 else size)


def test_epsilon_is_the_root_of_d_or_a_typical_norm():
    assert choose(DigitsData().load(0)).epsilon is None
    data = ShiftedGaussianData(dim=40, num_train=200).load(0)
    norms = np.linalg.norm(data.X, axis=1)
    assert choose(data).epsilon == pytest.approx(np.median(norms), rel=TWO_DIGITS)


def test_nothing_is_chosen_where_predictions_vanish(own_data):
    data = own_data.load(0)
    flat = replace(data, X=np.zeros_like(data.X), y=np.where(np.arange(len(data.y)) % 2, 1.0, -1.0))
    flat = replace(flat, X=flat.X[:-1], y=flat.y[:-1]) if len(flat.y) % 2 else flat
    assert choose(flat) is None


# In a series ------------------------------------------------------------------------------------------


def test_own_data_are_run_as_chosen(own_data):
    made = series(own_data)
    base = replace(made.base, seed=0)
    assert made.choice == choose(load_data(base))
    assert (base.T_f, base.T_g, base.epsilon) == (made.choice.T_f, made.choice.T_g, made.choice.epsilon)
    assert made.widths == made.choice.widths


def test_bundled_data_keep_their_defaults():
    for data, times in ((DigitsData(), (1, 2)), (ShiftedGaussianData(dim=3, num_train=9), (2, 2))):
        made = series(data)
        assert made.choice is None
        assert ((made.base.T_f, made.base.T_g), made.base.epsilon) == (times, None)
        assert made.widths == (1_000, 3_000, 10_000, 30_000, 100_000)


def test_fields_asked_for_are_kept_and_the_choice_is_made_for_them(own_data):
    made = series(own_data, fields={"T_f": 7.0, "negative_slope": 0.9})
    assert (made.base.T_f, made.base.negative_slope) == (7.0, 0.9)
    assert made.choice == choose(load_data(made.base), negative_slope=0.9)
    assert made.base.T_g == made.choice.T_g
    assert series(DigitsData(), preset="published", fields={"T_f": 7.0}).base.T_f == 7.0


def test_report_says_which_choices_were_used(own_data, tiny, monkeypatch):
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)
    made = series(own_data, num_seeds=2, fields={"T_f": 7.0})
    small = Series(base=made.base, widths=(8, 16), seeds=(0, 1), choice=made.choice)
    (section,) = plain(build([small], provenance=provenance(command="test", device="cpu")))["sections"]
    assert section["choice"]["applied"] == {"T_f": False, "T_g": True, "epsilon": True, "widths": False}
    assert section["choice"]["widths"] == list(made.choice.widths)


# What data cannot satisfy -----------------------------------------------------------------------------


def _rows(data, **fields):
    result = run(ExperimentConfig(data=data, **({"width": 100} | fields)))
    return {row.hypothesis: row for row in feasibility(result)}


def test_long_rows_are_beyond_any_width():
    rows = _rows(ShiftedGaussianData(dim=5, num_train=30))
    norms = rows["norms of the samples"]
    assert (norms.met, norms.reachable) == (False, False)
    assert _rows(DigitsData())["norms of the samples"].met is True


def test_width_that_would_be_lazy_is_named_and_right():
    data = ShiftedGaussianData(dim=5, num_train=30)
    row = _rows(data, T_f=20.0)["lazy training of f"]
    assert (row.met, row.reachable) == (False, True)
    width = int(row.remedy.removeprefix("m ≥ ").split(", or")[0].replace(",", ""))
    assert _rows(data, T_f=20.0, width=width)["lazy training of f"].met is True
    assert _rows(data, T_f=20.0, width=int(0.98 * width))["lazy training of f"].met is False


def test_margins_that_no_time_reaches_are_told_from_those_that_time_does():
    weak = _rows(GaussianData(dim=100, num_train=400))["condition (a) |f̂(z)|"]
    assert (weak.met, weak.reachable) == (False, False)  # |f̂| is about .3, the threshold at least 1
    data = ShiftedGaussianData(dim=40, num_train=200)
    early = _rows(data, T_f=0.05)["condition (a) |f̂(z)|"]
    assert (early.met, early.reachable) == (False, True)
    assert _rows(data, T_f=5.0)["condition (a) |f̂(z)|"].met is True


def test_short_training_is_told_how_long_it_must_be():
    data = ShiftedGaussianData(dim=40, num_train=200)
    row = _rows(data, T_f=0.1)["f outgrows its initial network"]
    assert row.met is False
    needed = float(row.remedy.removeprefix("T_f ≥ "))
    assert _rows(data, T_f=1.01 * needed)["f outgrows its initial network"].met is True


def test_loss_without_a_law_is_not_known():
    rows = _rows(ShiftedGaussianData(dim=5, num_train=30), loss="exponential", T_f=0.1, T_g=0.1)
    assert rows["lazy training of f"].met is None
    assert rows["loss"].met is False


def test_repeated_rows_are_said_to_be_on_both_sides_of_the_split(tmp_path):
    rng = np.random.default_rng(4)
    lines = [f"{a},{b},{t}" for (a, b), t in zip(rng.normal(size=(20, 2)), 10 * [-1, 1], strict=True)]
    path = tmp_path / "four_times.csv"
    path.write_text("\n".join(4 * lines) + "\n")
    result = run(ExperimentConfig(data=FileData(path=str(path)), width=100))
    (row,) = [row for row in feasibility(result) if row.hypothesis == "fresh test points"]
    X, Z = ([tuple(x) for x in points] for points in (result.dataset.X, result.dataset.X_test))
    repeated = sum(z in set(X) for z in Z)
    assert repeated > len(Z) / 2
    assert row.here == (
        f"{repeated} of {len(Z)} are; {len(set(X))} of {len(X)} training samples are distinct"
    )
    assert (row.met, row.reachable) == (False, False)
    assert _rows(DigitsData())["fresh test points"].met is True
