"""Many experiments: each once, in order, kept in a folder and read back as they were."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

import empirics.orthogonal.runs as module
from empirics.data import Dataset
from empirics.orthogonal import OrthogonalConfig, data_digest, orthogonal
from empirics.sweep import finished, plan_of_configs, records, run_sweep
from empirics.sweep.executors import processes

BASE = OrthogonalConfig(
    dim=40, num_train=4, num_adv=6, epsilon=1.0, width=4, num_test=20, max_steps=40, f="limit", attack="limit"
)
# No λ at N > 2d: NaN in the record of a trained network, an error where the limit is asked for.
UNKNOWN = replace(BASE, dim=2, num_train=9, num_adv=9, f="trained")
FAILING = replace(UNKNOWN, f="limit")
HASH = orthogonal().hash


def kept(configs, folder, *, data=None, progress=None):
    """Return the rows that a sweep leaves in a folder."""
    made = orthogonal(data)
    plan = plan_of_configs(made, configs)
    run_sweep(made, plan, folder, retry_failed=True, merge=True, progress=progress)
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
    hashes = {made.hash(config) for config in configs}
    return [row for row in rows if row["hash"] in hashes]


def same(rows, others):
    """Whether rows are equal; where a row of a folder has an empty cell, one of memory has none."""
    plain = [[{k: v for k, v in row.items() if v is not None} for row in some] for some in (rows, others)]
    return plain[0] == plain[1]


def test_rows_come_in_the_order_asked_for_with_fields_and_errors():
    configs = [replace(BASE, seed=1), FAILING, UNKNOWN, BASE]
    told = []
    rows = records(orthogonal(), configs, progress=lambda *now: told.append(now))
    assert [row["seed"] for row in rows] == [1, 0, 0, 0]
    assert rows[0]["accuracy_g"] >= 0
    assert [row["status"] for row in rows] == ["done", "failed", "done", "done"]
    assert "accuracy_g" not in rows[1]
    assert rows[2]["cosine_f"] is None
    assert told == [(k, 4) for k in range(5)]


def test_equal_configurations_run_once(monkeypatch):
    ran = []
    real = module.run_orthogonal
    monkeypatch.setattr(
        module, "run_orthogonal", lambda config, data, *, device: ran.append(config) or real(config)
    )
    rows = records(orthogonal(), [BASE, BASE, replace(BASE, epsilon=1)])
    assert ran == [BASE]
    assert rows[0] == rows[1] == rows[2]


def test_what_is_most_work_runs_first(monkeypatch):
    ran = []
    real = module.run_orthogonal
    monkeypatch.setattr(
        module, "run_orthogonal", lambda config, data, *, device: ran.append(config.num_adv) or real(config)
    )
    rows = records(orthogonal(), [replace(BASE, num_adv=count) for count in (3, 9, 5, 7, 4)])
    assert ran == [9, 7, 5, 4, 3]
    assert [row["num_adv"] for row in rows] == [3, 9, 5, 7, 4]


def test_a_folder_keeps_results_and_gives_the_same_rows(tmp_path, monkeypatch):
    configs = [BASE, UNKNOWN]
    first = kept(configs, tmp_path)
    assert same(first, records(orthogonal(), configs))
    tables = (tmp_path / "results.csv").read_bytes()

    def refuse(_config, _data, *, device):
        raise AssertionError

    monkeypatch.setattr(module, "run_orthogonal", refuse)
    assert kept(configs, tmp_path) == first
    assert (tmp_path / "results.csv").read_bytes() == tables
    assert kept([UNKNOWN], tmp_path)[0]["cosine_f"] is None


def test_damaged_and_failed_results_are_done_again(tmp_path):
    first = kept([BASE, FAILING], tmp_path)
    (failure,) = json.loads((tmp_path / "failures.json").read_text())
    assert failure["hash"] == HASH(FAILING)
    assert failure["error"].startswith("ArithmeticError: multipliers must be solved")
    path = tmp_path / "results" / f"{HASH(BASE)}.json"
    path.write_text(path.read_text().replace('"accuracy_g"', '"accuracy_h"'))
    told = []
    assert kept([BASE, FAILING], tmp_path, progress=lambda *now: told.append(now)) == first
    assert told[0] == (0, 2)


def test_hashes_tell_configurations_apart_and_not_number_types():
    assert HASH(replace(BASE, epsilon=1)) == HASH(BASE)
    assert len({HASH(replace(BASE, **change)) for change in ({}, {"seed": 1}, {"g": "none"})}) == 3


def test_tasks_and_results_travel_between_processes():
    for sent in (
        module.run_orthogonal,
        BASE,
        module.run_orthogonal(UNKNOWN).record,
        module.run_orthogonal(FAILING),
    ):
        assert pickle.dumps(pickle.loads(pickle.dumps(sent))) == pickle.dumps(sent)


@pytest.mark.slow  # starting a process and importing torch there
def test_processes_give_the_same_rows():
    configs = [BASE, replace(BASE, seed=1), FAILING]
    assert records(orthogonal(), configs, pool=processes(1)) == records(orthogonal(), configs)


def test_what_is_raised_outside_a_task_is_not_hidden(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(NotADirectoryError, match="is a file, not a folder"):
        kept([BASE], file)


def _data(seed):
    rng = np.random.default_rng(seed)
    X, Z = rng.standard_normal((4, 40)), rng.standard_normal((20, 40))
    return Dataset("own", X, np.array([1.0, -1, 1, -1]), Z, np.ones(20), ("-1", "1"), "none")


def test_results_on_given_data_are_kept_under_its_digest(tmp_path):
    config = replace(BASE, base="natural", num_adv=4, f="trained", attack="gradient")
    content = data_digest(_data(0))
    (row,) = kept([config], tmp_path, data=_data(0))
    assert same(records(orthogonal(_data(0)), [config]), [row])
    assert finished(orthogonal(content=content), [config], tmp_path)
    assert not finished(orthogonal(content=data_digest(_data(1))), [config], tmp_path)
    assert not finished(orthogonal(), [config], tmp_path)
    (other,) = kept([config], tmp_path, data=_data(1))
    assert other["margin_f"] != row["margin_f"]
    assert row["hash"] == orthogonal(content=content).hash(config) != HASH(config)


def test_tables_are_made_again_without_the_data_and_results_are_not(tmp_path):
    config, more = (replace(BASE, base="natural", num_adv=4, seed=seed) for seed in (0, 1))
    kept([config], tmp_path, data=_data(0))
    table = tmp_path / "results.csv"
    first = table.read_bytes()
    table.unlink()
    unseen = orthogonal(content=data_digest(_data(0)))
    run_sweep(unseen, None, tmp_path)
    assert table.read_bytes() == first
    assert run_sweep(unseen, plan_of_configs(unseen, [config, more]), tmp_path).failed == 1
    assert "data must be given where results are missing" in (tmp_path / "failures.json").read_text()


def test_a_failed_result_is_not_finished(tmp_path):
    kept([BASE, FAILING], tmp_path)
    assert finished(orthogonal(), [BASE], tmp_path)
    assert not finished(orthogonal(), [BASE, FAILING], tmp_path)


def test_given_data_must_have_the_stated_sizes(tmp_path):
    kept([replace(BASE, dim=39)], tmp_path, data=_data(0))
    (failure,) = json.loads((tmp_path / "failures.json").read_text())
    assert failure["error"] == (
        "ValueError: data must have num_train, dim, num_test = (4, 39, 20), got (4, 40, 20)"
    )
