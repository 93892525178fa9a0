"""Many experiments: each once, in order, kept in a folder and read back as they were."""

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

import empirics.orthogonal.running as module
from empirics.data import Dataset
from empirics.executors import processes
from empirics.orthogonal import OrthogonalConfig, data_digest, finished, orthogonal_hash, records

BASE = OrthogonalConfig(
    dim=40, num_train=4, num_adv=6, epsilon=1.0, width=4, num_test=20, max_steps=40, f="limit", attack="limit"
)
# No λ at N > 2d: NaN in the record of a trained network, an error where the limit is asked for.
UNKNOWN = replace(BASE, dim=2, num_train=9, num_adv=9, f="trained")
FAILING = replace(UNKNOWN, f="limit")


def _same(rows, others):
    return json.dumps(rows) == json.dumps(others)  # NaN equals NaN there


def test_rows_come_in_the_order_asked_for_with_fields_and_errors():
    configs = [replace(BASE, seed=1), FAILING, UNKNOWN, BASE]
    told = []
    rows = records(configs, progress=lambda *now: told.append(now))
    assert [row["seed"] for row in rows] == [1, 0, 0, 0]
    assert rows[0]["accuracy_g"] >= 0
    assert rows[1]["error"].startswith("ArithmeticError: multipliers must be solved")
    assert "accuracy_g" not in rows[1]
    assert math.isnan(rows[2]["cosine_f"])
    assert rows[2]["error"] is None
    assert told == [(k, 4) for k in range(5)]


def test_equal_configurations_run_once(monkeypatch):
    ran = []
    real = module.run_orthogonal
    monkeypatch.setattr(module, "run_orthogonal", lambda config: ran.append(config) or real(config))
    rows = records([BASE, BASE, replace(BASE, epsilon=1)])
    assert ran == [BASE]
    assert rows[0] == rows[1] == rows[2]


def test_what_is_most_work_runs_first(monkeypatch):
    ran = []
    real = module.run_orthogonal
    monkeypatch.setattr(module, "run_orthogonal", lambda config: ran.append(config.num_adv) or real(config))
    rows = records([replace(BASE, num_adv=count) for count in (3, 9, 5, 7, 4)])
    assert ran == [9, 7, 5, 4, 3]
    assert [row["num_adv"] for row in rows] == [3, 9, 5, 7, 4]


def test_a_folder_keeps_results_and_gives_the_same_rows(tmp_path, monkeypatch):
    configs = [BASE, UNKNOWN]
    first = records(configs, folder=tmp_path)
    tables = (tmp_path / "results.csv").read_bytes()

    def refuse(_config):
        raise AssertionError

    monkeypatch.setattr(module, "run_orthogonal", refuse)
    assert _same(records(configs, folder=tmp_path), first)
    assert (tmp_path / "results.csv").read_bytes() == tables
    assert math.isnan(records([UNKNOWN], folder=tmp_path)[0]["cosine_f"])


def test_damaged_and_failed_results_are_done_again(tmp_path):
    first = records([BASE, FAILING], folder=tmp_path)
    assert json.loads((tmp_path / "failures.json").read_text())[0]["hash"] == orthogonal_hash(FAILING)
    path = tmp_path / "results" / f"{orthogonal_hash(BASE)}.json"
    path.write_text(path.read_text().replace('"accuracy_g"', '"accuracy_h"'))
    told = []
    assert _same(records([BASE, FAILING], folder=tmp_path, progress=lambda *now: told.append(now)), first)
    assert told[0] == (0, 2)


def test_hashes_tell_configurations_apart_and_not_number_types():
    assert orthogonal_hash(replace(BASE, epsilon=1)) == orthogonal_hash(BASE)
    assert len({orthogonal_hash(replace(BASE, **change)) for change in ({}, {"seed": 1}, {"g": "none"})}) == 3


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
    assert _same(records(configs, pool=processes(1)), records(configs))


def test_what_is_raised_outside_a_task_is_not_hidden(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(NotADirectoryError, match="is a file, not a folder"):
        records([BASE], folder=file)


def _data(seed):
    rng = np.random.default_rng(seed)
    X, Z = rng.standard_normal((4, 40)), rng.standard_normal((20, 40))
    return Dataset("own", X, np.array([1.0, -1, 1, -1]), Z, np.ones(20), ("-1", "1"), "none")


def test_results_on_given_data_are_kept_under_its_digest(tmp_path):
    config = replace(BASE, base="natural", num_adv=4, f="trained", attack="gradient")
    content = data_digest(_data(0))
    (row,) = records([config], folder=tmp_path, data=_data(0))
    assert _same(records([config], data=_data(0)), [row])
    assert finished([config], tmp_path, content=content)
    assert not finished([config], tmp_path, content=data_digest(_data(1)))
    assert not finished([config], tmp_path)
    (other,) = records([config], folder=tmp_path, data=_data(1))
    assert other["margin_f"] != row["margin_f"]
    assert orthogonal_hash(config, content=content) != orthogonal_hash(config)


def test_a_failed_result_is_not_finished(tmp_path):
    records([BASE, FAILING], folder=tmp_path)
    assert finished([BASE], tmp_path)
    assert not finished([BASE, FAILING], tmp_path)


def test_given_data_must_have_the_stated_sizes():
    (row,) = records([replace(BASE, dim=39)], data=_data(0))
    assert row["error"] == (
        "ValueError: data must have num_train, dim, num_test = (4, 39, 20), got (4, 40, 20)"
    )
