"""Sweeps end in the same files, whatever happens to them on the way."""

import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from empirics import ExperimentConfig, FileData, GaussianData, Plan, ShiftedGaussianData
from empirics.sweep import executors
from empirics.sweep.outcome import Outcome
from empirics.sweep.runner import FailedError, outcomes, records, run_sweep, stored
from empirics.sweep.store import DamagedError, ResultFolder
from empirics.wide import WIDE, plan
from tests import warm

BASE = ExperimentConfig(data=GaussianData(dim=3, num_train=4), width=10)
AXES = {"width": [10, 20, 30], "T_f": [1.0, 2.0]}
PLAN = plan(BASE, AXES, seeds=2)
NOT_COMPARED = {".lock", "timings.csv"}  # differ from run to run, and are no results

# A task that costs nothing: numbers from the fields, a curve for some, and failures for one family.
FAKE = """
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from empirics.sweep import Outcome
from empirics.wide import WIDE


def key(config):
    return f"{config.width} {config.T_f}"


def outcome(config):
    if config.width == 30 and config.seed == 1:
        return Outcome(error="ValueError: seed 1 of width 30 fails")
    rng = np.random.default_rng([config.width, config.seed, int(config.T_f)])
    record = {"value": rng.normal(), "count": int(rng.integers(9)), "flag": config.seed == 0}
    record["name"] = 'γ, "x"'
    record |= {"unknown": float("nan"), "huge": float("inf"), "none": None, "width": config.width / 2}
    record |= {"curve": [{"y": y} for y in rng.normal(size=3).tolist()]} if config.T_f == 2 else {}
    return Outcome(record=record)


def kind(run):
    return replace(WIDE, run=run, key=key)


def run(configs, *, device):
    for index, config in enumerate(configs):
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
        yield index, outcome(config)


def run_raising(configs, *, device):
    if configs[0].width == 20:
        raise ArithmeticError("diverged\\nat length")
    yield from run(configs, device=device)


def run_short(configs, *, device):
    return list(run(configs, device=device))[:-1]


def run_twice(configs, *, device):
    yield from [(0, outcome(configs[0]))] * 2


def run_and_die(configs, *, device):
    # Family 20 1 is deadly each time, family 10 2 the first time.
    mark = Path(os.environ["FAKE_MARK"])
    if key(configs[0]) == "20 1.0":
        os._exit(7)
    if key(configs[0]) == "10 2.0" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    yield from run(configs, device=device)


def run_and_die_late(configs, *, device):
    for index, config in enumerate(configs):
        if (config.width, config.T_f, config.seed) == (20, 1, 1):
            os._exit(7)
        yield index, outcome(config)
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    """The module of fake tasks, which processes that are started can import, too."""
    folder = tmp_path_factory.mktemp("fake")
    (folder / "fake_family.py").write_text(FAKE, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("fake_family")
    finally:
        sys.path.remove(str(folder))
        del sys.modules["fake_family"]


@pytest.fixture(scope="module")
def expected(fake, tmp_path_factory):
    """The files of the plan, done at one go."""
    folder = tmp_path_factory.mktemp("expected")
    summary = run_sweep(fake.kind(fake.run), PLAN, folder)
    assert (summary.total, summary.done, summary.kept, summary.failed) == (12, 10, 0, 2)
    return tree(folder)


def tree(folder):
    """Every file of results with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in NOT_COMPARED
    }


def counted(run):
    """Return the function, and the list of configurations that it is called with."""
    calls = []

    def counting(configs, *, device):
        calls.extend(configs)
        return run(configs, device=device)

    return counting, calls


def result_of(folder, *, width, T_f, seed):
    for name, config in PLAN.configs(WIDE).items():
        if (config.width, config.T_f, config.seed) == (width, T_f, seed):
            return folder / "results" / f"{name}.json"
    raise AssertionError


# Results ----------------------------------------------------------------------------------------------


def test_tables_have_a_row_for_each_configuration_in_the_order_of_the_plan(expected):
    rows = [json.loads(line) for line in expected["results.jsonl"].splitlines()]
    assert [row["hash"] for row in rows] == list(PLAN.configs(WIDE))
    assert [(row["width"], row["T_f"], row["seed"]) for row in rows[:5]] == [
        (10, 1, 0),
        (10, 1, 1),
        (10, 2, 0),
        (10, 2, 1),
        (20, 1, 0),
    ]
    first = rows[0]
    assert (first["status"], first["data.source"], first["data.dim"]) == ("done", "gaussian", 3)
    assert (first["unknown"], first["huge"], first["flag"], first["none"]) == (None, "inf", True, None)
    # A record may use a name that a field has.
    assert (first["width"], first["record.width"]) == (10, 5.0)
    assert first["value"] == np.random.default_rng([10, 0, 1]).normal()
    failed = [row for row in rows if row["status"] == "failed"]
    assert [(row["width"], row["seed"], row["value"]) for row in failed] == [(30, 1, None)] * 2
    assert first["curve"] is None
    assert [list(point) for point in rows[2]["curve"]] == [["y"]] * 3
    table = expected["results.csv"].decode().splitlines()
    assert table[0].split(",") == list(first)
    assert len(table) == 13
    assert '"γ, ""x"""' in table[1]
    errors = json.loads(expected["failures.json"])
    assert [error["error"] for error in errors] == ["ValueError: seed 1 of width 30 fails"] * 2
    assert [error["hash"] for error in errors] == [row["hash"] for row in failed]


def test_configurations_of_a_family_are_one_task_and_most_work_comes_first(fake, tmp_path):
    calls = []

    def run(configs, *, device):
        calls.append([(config.width, config.T_f, config.seed) for config in configs])
        assert device == "cpu"
        return fake.run(configs, device=device)

    run_sweep(fake.kind(run), PLAN, tmp_path)
    assert calls == [[(w, T, 0), (w, T, 1)] for w in (30, 20, 10) for T in (1, 2)]


def test_second_run_does_nothing_and_needs_no_plan(fake, expected, tmp_path):
    run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    run, calls = counted(fake.run)
    summary = run_sweep(fake.kind(run), None, tmp_path)
    assert not calls
    assert (summary.done, summary.kept, summary.failed) == (0, 10, 2)
    assert tree(tmp_path) == expected


def test_failures_are_kept_and_tried_again_only_if_asked(fake, expected, tmp_path):
    summary = run_sweep(fake.kind(fake.run_raising), PLAN, tmp_path)
    assert (summary.done, summary.failed) == (6, 6)
    errors = json.loads((tmp_path / "failures.json").read_text(encoding="utf-8"))
    assert [error["error"] for error in errors[:4]] == ["ArithmeticError: diverged"] * 4
    run, calls = counted(fake.run)
    assert run_sweep(fake.kind(run), PLAN, tmp_path).failed == 6
    assert not calls
    summary = run_sweep(fake.kind(run), PLAN, tmp_path, retry_failed=True)
    assert len(calls) == 6
    assert (summary.done, summary.kept, summary.failed) == (4, 6, 2)
    assert tree(tmp_path) == expected


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda fake: fake.run_short, "2 outcomes, one a configuration, got 1"),
        (lambda fake: fake.run_twice, "one outcome a configuration, got another one for 0"),
    ],
)
def test_wrong_number_of_outcomes_is_a_failure_of_the_others(fake, tmp_path, run, said):
    summary = run_sweep(fake.kind(run(fake)), PLAN, tmp_path)
    assert summary.failed == 6  # the first of each family has an outcome
    errors = json.loads((tmp_path / "failures.json").read_text(encoding="utf-8"))
    assert {error["config"]["seed"] for error in errors} == {1}
    assert {error["error"] for error in errors} == {f"ValueError: run must yield {said}"}


def test_progress_begins_with_what_was_there(fake, tmp_path):
    calls = []
    run_sweep(fake.kind(fake.run), plan(BASE, AXES), tmp_path)
    run_sweep(fake.kind(fake.run), PLAN, tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [(6 + k, 12) for k in range(7)]


def test_trained_networks_give_the_same_bytes_in_part_and_in_processes(tmp_path):
    """A family that is half done, and another process, change nothing in a record."""
    data = ShiftedGaussianData(dim=3, num_train=8, num_test=6)
    wanted = plan(ExperimentConfig(data=data, width=40), {"T_f": [0.5, 1], "T_g": [1, 2, 4]}, seeds=2)
    summary = run_sweep(WIDE, wanted, tmp_path / "serial")
    assert (summary.done, summary.failed) == (12, 0)
    whole = tree(tmp_path / "serial")
    for path in sorted((tmp_path / "serial" / "results").iterdir())[::2]:
        path.unlink()
    assert run_sweep(WIDE, wanted, tmp_path / "serial").kept == 6
    assert tree(tmp_path / "serial") == whole
    run_sweep(WIDE, wanted, tmp_path / "processes", pool=executors.processes(2))
    assert tree(tmp_path / "processes") == whole


# Plans that meet ----------------------------------------------------------------------------------------


def test_more_seeds_do_only_what_is_new(fake, expected, tmp_path):
    run_sweep(fake.kind(fake.run), plan(BASE, AXES, seeds=1), tmp_path)
    run, calls = counted(fake.run)
    summary = run_sweep(fake.kind(run), PLAN, tmp_path)
    assert [config.seed for config in calls] == [1] * 6
    assert summary.kept == 6
    assert tree(tmp_path) == expected


def test_plan_that_leaves_something_out_is_refused_unless_merged(fake, expected, tmp_path):
    run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    other = plan(BASE, {"width": [10, 40]}, seeds=1)
    with pytest.raises(ValueError, match=r"plan must contain the one in .* without 11 of its config"):
        run_sweep(fake.kind(fake.run), other, tmp_path)
    assert tree(tmp_path) == expected
    summary = run_sweep(fake.kind(fake.run), other, tmp_path, merge=True)
    assert (summary.total, summary.done, summary.kept) == (13, 1, 10)
    merged = tree(tmp_path)
    assert merged["results.jsonl"].splitlines()[:12] == expected["results.jsonl"].splitlines()
    run_sweep(fake.kind(fake.run), other, tmp_path, merge=True)
    assert tree(tmp_path) == merged  # merging once more changes nothing
    fresh = tmp_path / "fresh"
    run_sweep(fake.kind(fake.run), Plan(blocks=(*PLAN.blocks, *other.blocks)), fresh)
    assert tree(fresh) == {name: text for name, text in merged.items() if not name.startswith("fresh")}


def test_tables_of_another_plan_do_not_stay(fake, tmp_path):
    run_sweep(fake.kind(fake.run), plan(BASE, AXES, seeds=1), tmp_path)

    def stop(configs, *, device):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(fake.kind(stop), PLAN, tmp_path)
    assert not (tmp_path / "results.csv").exists()


def test_folder_without_a_plan_needs_one(fake, tmp_path):
    with pytest.raises(ValueError, match="plan must be given, as there is none in"):
        run_sweep(fake.kind(fake.run), None, tmp_path)
    with pytest.raises(ValueError, match=r"plan must be given, as there is none in .*new"):
        run_sweep(fake.kind(fake.run), None, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_results_of_another_device_are_not_mixed(fake, tmp_path):
    run_sweep(fake.kind(fake.run), PLAN, tmp_path, device="cuda:0")
    run_sweep(fake.kind(fake.run), PLAN, tmp_path, device="cuda:1")
    with pytest.raises(ValueError, match=r"device must be cuda, as for the results in .*, got cpu"):
        run_sweep(fake.kind(fake.run), PLAN, tmp_path)


def test_impossible_plan_leaves_no_folder(fake, tmp_path):
    folder = tmp_path / "new"
    with pytest.raises(ValueError, match=r"width must be >= 1, got 0 \(at width=0, seed=0\)"):
        run_sweep(fake.kind(fake.run), plan(BASE, {"width": [10, 0]}, seeds=1), folder)
    assert not folder.exists()


def test_changed_data_file_is_other_data(fake, tmp_path, monkeypatch):
    path = tmp_path / "own.csv"
    path.write_text("1,2,1\n3,4,-1\n", encoding="utf-8")
    wanted = plan(ExperimentConfig(data=FileData(path=str(path)), width=10), {}, seeds=2)
    folder = tmp_path / "out"
    run_sweep(fake.kind(fake.run), wanted, folder)
    path.write_text("1,2,1\n3,5,-1\n", encoding="utf-8")
    summary = run_sweep(fake.kind(fake.run), wanted, folder)
    assert (summary.done, summary.kept, summary.strangers) == (2, 0, 2)

    # As on a cluster whose machines hold another file.
    def run_elsewhere(configs, *, device):
        pytest.fail("ran on other data")

    real = executors.run_tasks

    def elsewhere(pool, function, tasks):
        path.write_text("1,2,1\n3,6,-1\n", encoding="utf-8")
        return real(pool, function, tasks)

    monkeypatch.setitem(run_sweep.__globals__, "run_tasks", elsewhere)
    more = plan(ExperimentConfig(data=FileData(path=str(path)), width=10), {}, seeds=3)
    assert run_sweep(fake.kind(run_elsewhere), more, folder).failed == 1
    assert "data must be those the sweep began with" in (folder / "failures.json").read_text("utf-8")


def test_records_without_a_folder_are_the_rows_of_its_table(fake, expected):
    configs = list(PLAN.configs(WIDE).values())
    rows = records(fake.kind(fake.run), [*configs, configs[0]])
    table = [json.loads(line) for line in expected["results.jsonl"].splitlines()]
    columns = dict.fromkeys(table[0])
    assert [json.loads(json.dumps(columns | row)) for row in rows] == [*table, table[0]]


# Parts of one -------------------------------------------------------------------------------------------


def nested(configs, *, device):
    """Records of any depth, the same for equal configurations."""
    for index, config in enumerate(configs):
        yield index, Outcome(record={"at": [{"width": config.width, "none": (float("nan"), True)}]})


def test_another_plan_takes_the_place_of_one_whose_results_are_parts_of_one(fake, tmp_path):
    run, calls = counted(nested)
    joint = replace(fake.kind(run), joint=True)
    run_sweep(joint, plan(BASE, {"width": [10, 20]}, seeds=2), tmp_path)
    other = plan(BASE, {"width": [20, 30]}, seeds=3)
    summary = run_sweep(joint, other, tmp_path)
    assert (summary.done, summary.kept, summary.strangers) == (4, 2, 0)
    assert len(calls) == 4 + 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock",
        "plan.json",
        "results",
        "timings.csv",
    ]
    configs = list(other.configs(joint).values())
    found = stored(joint, configs, tmp_path)
    assert found == outcomes(joint, configs) == outcomes(replace(joint, run=None), configs, known=found)
    assert found[configs[0]].record == {"at": [{"width": 20, "none": [None, True]}]}


@pytest.mark.parametrize(
    ("run", "said", "kept"),
    [("run", "ValueError: seed 1 of width 30 fails", 9), ("run_raising", "ArithmeticError: diverged", 4)],
)
def test_a_failed_part_ends_the_whole_and_is_tried_again(fake, tmp_path, run, said, kept):
    joint = replace(fake.kind(getattr(fake, run)), joint=True, work=lambda config: -config.width)
    with pytest.raises(FailedError, match=rf"^{said}; {kept} of 12 results are in .* and stay valid$"):
        run_sweep(joint, PLAN, tmp_path)
    counting, calls = counted(nested)
    assert run_sweep(replace(joint, run=counting), PLAN, tmp_path).failed == 0
    assert len(calls) == 12 - kept


# Damage -----------------------------------------------------------------------------------------------


def flip(path, place):
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


def other_result(folder):
    """The sound result of one configuration under the name of another."""
    result_of(folder, width=10, T_f=1.0, seed=0).write_bytes(
        result_of(folder, width=10, T_f=1.0, seed=1).read_bytes()
    )


def result(folder):
    return result_of(folder, width=20, T_f=2.0, seed=0)


DAMAGE = {
    "truncated": lambda folder: result(folder).write_bytes(result(folder).read_bytes()[:-20]),
    "empty": lambda folder: result(folder).write_bytes(b""),
    "bit flipped": lambda folder: flip(result(folder), 300),
    "not text": lambda folder: result(folder).write_bytes(b"\xff\xfe"),
    "not an object": lambda folder: result(folder).write_bytes(b"[1]"),
    "deep": lambda folder: result(folder).write_bytes(b"[" * 100_000),
    "space added": lambda folder: result(folder).write_bytes(result(folder).read_bytes() + b" "),
    "another's": other_result,
    "plan": lambda folder: flip(folder / "plan.json", 100),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_done_again(fake, expected, tmp_path, kind):
    run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    DAMAGE[kind](tmp_path)
    assert tree(tmp_path) != expected
    run, calls = counted(fake.run)
    summary = run_sweep(fake.kind(run), PLAN, tmp_path)
    assert len(summary.damaged) == 1
    assert len(calls) == (kind != "plan")
    assert tree(tmp_path) == expected


def test_flipped_bit_in_any_byte_of_a_result_is_found(fake, tmp_path):
    run_sweep(fake.kind(fake.run), plan(BASE, {}), tmp_path)
    (path,) = (tmp_path / "results").glob("*.json")
    raw = path.read_bytes()
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(DamagedError):
            ResultFolder(tmp_path).read(path.stem)


def test_other_version_is_done_again(fake, tmp_path):
    run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    summary = run_sweep(replace(fake.kind(fake.run), version=10**6), PLAN, tmp_path)
    assert (summary.done, summary.kept, summary.strangers) == (10, 0, 12)


def test_damaged_plan_must_be_given_again(fake, tmp_path):
    run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    flip(tmp_path / "plan.json", 100)
    for wanted, merge in ((None, False), (PLAN, True)):
        with pytest.raises(ValueError, match=r"plan must be given, .*plan.json is not what was written"):
            run_sweep(fake.kind(fake.run), wanted, tmp_path, merge=merge)


# Disks and writers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [8, 10, 20, 31])
def test_full_disk_is_one_error_and_results_stay_valid(fake, expected, tmp_path, monkeypatch, call):
    calls, fsync = [], os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) >= call:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(
            OSError, match=r"No space left on device.*; \d+ of 12 results are in .* stay valid"
        ):
            run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    summary = run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    assert summary.damaged == ()
    assert tree(tmp_path) == expected


def test_folder_that_cannot_be_written_to_is_known_before_anything_runs(fake, full_disk):
    before = tree(full_disk)
    with pytest.raises(OSError, match=f"must be writable, got .*: {full_disk.reason}"):
        run_sweep(fake.kind(lambda *_, **__: pytest.fail("ran")), PLAN, full_disk / "new")
    assert tree(full_disk) == before


@pytest.mark.parametrize(
    "written", [{"kind": "orthogonal", "blocks": []}, {"kind": "orthogonal"}, {"blocks": []}]
)
def test_folder_of_something_else_is_refused(fake, tmp_path, written):
    ResultFolder(tmp_path).write_plan(written)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"must be one of a sweep of wide experiments, got .* something els"):
        run_sweep(fake.kind(fake.run), PLAN, tmp_path)
    assert tree(tmp_path) == before


def test_second_writer_is_refused_with_the_process_of_the_first(fake, expected, tmp_path):
    errors = []

    def run(configs, *, device):
        if not errors:
            with pytest.raises(BlockingIOError) as caught:
                run_sweep(fake.kind(fake.run), PLAN, tmp_path)
            errors.append(str(caught.value))
        return fake.run(configs, device=device)

    run_sweep(fake.kind(run), PLAN, tmp_path)
    assert f"must have one writer, but process {os.getpid()} on " in errors[0]
    assert tree(tmp_path) == expected


def test_interrupt_keeps_what_is_done_and_says_how_much(fake, expected, tmp_path):
    calls = []

    def run(configs, *, device):
        calls.append(configs)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fake.run(configs, device=device)

    with pytest.raises(
        KeyboardInterrupt, match=r"4 of 12 results are in .*; the same command does the others"
    ):
        run_sweep(fake.kind(run), PLAN, tmp_path)
    counting, again = counted(fake.run)
    run_sweep(fake.kind(counting), PLAN, tmp_path)
    assert len(again) == 8
    assert tree(tmp_path) == expected


# Processes that die ---------------------------------------------------------------------------------------

# Forks a child for each moment of death, so that torch is imported once.
KILLER = '''
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import fake_family
import numba
import torch
from empirics.sweep.plan import Plan
from empirics.sweep.runner import run_sweep

plan = Plan.from_json(json.loads(sys.argv[1]))
root, kills = Path(sys.argv[2]), int(sys.argv[3])


def sweep(folder, before=lambda: None):
    """Sweep in a child; return it."""
    child = os.fork()
    if child == 0:
        before()
        run_sweep(fake_family.kind(fake_family.run), plan, folder)
        os._exit(0)
    return child


def finish(folder):
    assert os.waitpid(sweep(folder), 0)[1] == 0


def end_at(call):
    """Die without a word at the n-th time that something is flushed, renamed or removed."""
    calls = []

    def counting(function):
        def counted(*arguments, **options):
            calls.append(function)
            if len(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return counted

    os.fsync = counting(os.fsync)
    Path.replace = counting(Path.replace)
    Path.unlink = counting(Path.unlink)
    os.ftruncate = counting(os.ftruncate)


if sys.argv[4] == "every":
    call = 1
    while True:
        folder = root / str(call)
        status = os.waitpid(sweep(folder, lambda: end_at(call)), 0)[1]
        finish(folder)
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        call += 1
    print(call - 1)
else:
    start = time.monotonic()
    finish(root / "timed")
    seconds = time.monotonic() - start
    rng = random.Random(int(sys.argv[4]))
    hit = 0
    for number in range(kills):
        folder = root / str(number)
        child = sweep(folder)
        time.sleep(rng.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        hit += os.waitpid(child, 0)[1] != 0
        finish(folder)
    print(hit)
'''


def killed(fake, tmp_path, wanted, *, kills, moments):
    script = tmp_path / "killer.py"
    script.write_text(KILLER, encoding="utf-8")
    root = tmp_path / "sweeps"
    root.mkdir()
    paths = os.pathsep.join([str(Path(fake.__file__).parent), str(Path(__file__).parents[3])])
    done = warm.run(
        [sys.executable, str(script), json.dumps(wanted.to_json()), str(root), str(kills), str(moments)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout), [tree(folder) for folder in root.iterdir()]


def test_death_at_any_write_leaves_what_resumes_to_the_same_bytes(fake, tmp_path):
    """A process that dies at each flush, rename and removal of a sweep, one after the other."""
    wanted = plan(BASE, {"width": [30], "T_f": [2.0]}, seeds=2)
    run_sweep(fake.kind(fake.run), wanted, tmp_path / "expected")
    moments, found = killed(fake, tmp_path, wanted, kills=0, moments="every")
    assert moments >= 20  # 26 when written
    assert len(found) == moments + 1
    for files in found:
        assert files == tree(tmp_path / "expected")


@pytest.mark.parametrize(
    "kills", [pytest.param(6), pytest.param(100, marks=pytest.mark.slow)], ids=["6 kills", "100 kills"]
)
def test_kill_at_random_moments_resumes_to_the_same_bytes(fake, expected, tmp_path, kills):
    """Moments are uniform over the time of a sweep; some may come after its end on a busy machine."""
    hit, found = killed(fake, tmp_path, PLAN, kills=kills, moments=1)
    assert hit >= kills // 4
    assert len(found) == kills + 1
    for files in found:
        assert files == expected


def test_worker_that_dies_fails_its_own_family_only(fake, expected, tmp_path, monkeypatch):
    """Deadly once: the task is repeated.  Deadly each time: its family fails, the others do not."""
    mark = tmp_path / "mark"
    monkeypatch.setenv("FAKE_MARK", str(mark))
    folder = tmp_path / "out"
    summary = run_sweep(fake.kind(fake.run_and_die), PLAN, folder, pool=executors.processes(2))
    assert mark.exists()
    assert summary.failed == 4
    errors = json.loads((folder / "failures.json").read_text(encoding="utf-8"))
    assert [(error["config"]["width"], error["config"]["T_f"]) for error in errors[:2]] == [(20, 1)] * 2
    assert errors[0]["error"].startswith("WorkerDiedError: the process of this task ended twice")
    run_sweep(fake.kind(fake.run), PLAN, folder, retry_failed=True)
    assert tree(folder) == expected


@pytest.mark.slow
def test_worker_that_dies_late_loses_one_result(fake, expected, tmp_path):
    """What its family came to before is kept, and not run again."""
    summary = run_sweep(fake.kind(fake.run_and_die_late), PLAN, tmp_path, pool=executors.processes(1))
    assert summary.failed == 3  # seed 1 of width 30, as ever
    errors = json.loads((tmp_path / "failures.json").read_text(encoding="utf-8"))
    (died,) = [error["config"] for error in errors if error["error"].startswith("WorkerDiedError")]
    assert (died["width"], died["T_f"], died["seed"]) == (20, 1, 1)
    run_sweep(fake.kind(fake.run), PLAN, tmp_path, retry_failed=True)
    assert tree(tmp_path) == expected


# One family of twelve, in a process of its own that ends with a signal in the middle.
LONG = """
import sys
from dataclasses import replace
from pathlib import Path

import fake_family
from empirics import ExperimentConfig, GaussianData
from empirics.sweep import executors
from empirics.sweep.runner import run_sweep
from empirics.wide import plan

if __name__ == "__main__":
    base = ExperimentConfig(data=GaussianData(dim=3, num_train=4), width=10)
    run_sweep(
        replace(fake_family.kind(fake_family.run), key=lambda config: "one"),
        plan(base, {}, seeds=12),
        Path(sys.argv[1]),
        pool=executors.parse(sys.argv[2]),
        progress=lambda done, total: print(done, flush=True),
    )
"""


@pytest.mark.parametrize("executor", [pytest.param("serial", marks=pytest.mark.slow), "processes"])
def test_killed_family_loses_no_result_that_was_computed(fake, tmp_path, executor):
    script = tmp_path / "long.py"
    script.write_text(LONG, encoding="utf-8")
    folder = tmp_path / "out"
    paths = os.pathsep.join([str(Path(fake.__file__).parent), str(Path(__file__).parents[3])])
    with warm.Popen(
        [sys.executable, str(script), str(folder), executor],
        env={**os.environ, "PYTHONPATH": paths, "FAKE_SECONDS": "0.3"},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        told = [parent.stdout.readline() for _ in range(6)]
        parent.kill()
    assert told == [f"{k}\n" for k in range(6)]  # of one family, one after the other
    kept = sorted((folder / "results").glob("*.json"))
    assert 5 <= len(kept) <= 6
    configs = plan(BASE, {}, seeds=12).configs(WIDE)
    assert {ResultFolder(folder).read(path.stem)["config"]["seed"] for path in kept} >= set(range(5))
    run, calls = counted(fake.run)
    whole = run_sweep(replace(fake.kind(run), key=lambda config: ""), None, folder)
    assert (whole.kept, whole.total) == (len(kept), len(configs))
    assert len(calls) == 12 - len(kept)


# A sweep in processes of its own, as from the command line.
PARENT = """
import json
import sys
from pathlib import Path

import fake_family
from empirics.sweep import executors
from empirics.sweep.plan import Plan
from empirics.sweep.runner import run_sweep

if __name__ == "__main__":
    plan = Plan.from_json(json.loads(sys.argv[1]))
    try:
        run_sweep(
            fake_family.kind(fake_family.run),
            plan,
            Path(sys.argv[2]),
            pool=executors.processes(2),
            progress=lambda done, total: print(done, flush=True),
        )
    except KeyboardInterrupt as error:
        print(error, file=sys.stderr)
        sys.exit(130)
"""


@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)],
    ids=["kill -9", "Ctrl-C"],
)
def test_workers_end_with_their_parent(fake, expected, tmp_path, how):
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    folder = tmp_path / "out"
    paths = os.pathsep.join([str(Path(fake.__file__).parent), str(Path(__file__).parents[3])])
    with warm.Popen(
        [sys.executable, str(script), json.dumps(PLAN.to_json()), str(folder)],
        env={**os.environ, "PYTHONPATH": paths, "FAKE_SECONDS": "0.5"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its processes can be counted
    ) as parent:
        while (line := parent.stdout.readline()) not in {"2\n", ""}:
            pass
        assert line == "2\n"
        if how == signal.SIGINT:
            os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
        else:
            parent.kill()
        _, said = parent.communicate(timeout=60)
    assert parent.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGINT:
        assert "of 12 results are in" in said.splitlines()[-1]
    deadline = time.monotonic() + 20
    while alive(parent.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(parent.pid)
    summary = run_sweep(fake.kind(fake.run), PLAN, folder)
    assert summary.kept >= 1  # of the first family, one fails
    assert tree(folder) == expected


# A cluster of two machines, of which one is switched off; Dask logs to stderr and warns as it likes there.
CLUSTER = """
import json
import os
import signal
import sys
from pathlib import Path

import fake_family
from distributed import LocalCluster
from empirics.sweep import executors
from empirics.sweep.plan import Plan
from empirics.sweep.runner import run_sweep

if __name__ == "__main__":
    plan = Plan.from_json(json.loads(sys.argv[1]))
    killed = []
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:

        def progress(done, total):
            if done >= 2 and not killed:
                killed.append(cluster.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        run_sweep(
            fake_family.kind(fake_family.run),
            plan,
            Path(sys.argv[2]),
            pool=executors.dask(cluster.scheduler_address.replace("tcp", "dask")),
            progress=progress,
        )
    print(len(killed))
"""


def on_cluster(fake, tmp_path):
    """Sweep in a process of its own; return how many workers were killed."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER, encoding="utf-8")
    paths = os.pathsep.join([str(Path(fake.__file__).parent), str(Path(__file__).parents[3])])
    environment = {"PYTHONPATH": paths, "FAKE_SECONDS": "0.3"}
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(PLAN.to_json()), str(tmp_path / "out")],
        env={**os.environ, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_cluster_that_loses_a_worker_gives_the_same_bytes(fake, expected, tmp_path):
    assert on_cluster(fake, tmp_path) == 1
    assert tree(tmp_path / "out") == expected


def alive(session):
    """Whether a process of the session is left (and not only its exit status)."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, leader = status.read_text().rpartition(") ")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(leader) == session and state != "Z":
            return True
    return False


# Outcomes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "must have a record or an error, got neither"),
        ({"record": {}, "error": "x"}, ValueError, "must have a record or an error, got both"),
        ({"record": {1: 2}}, TypeError, "names that are text, got 1"),
        ({"record": {"a": [{"b": {2: 1}}]}}, TypeError, "names that are text, got 2"),
        ({"record": {"a": [{"b": np.int64(1)}]}}, TypeError, "plain values, got int64 for 'b'"),
    ],
)
def test_outcome_is_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        Outcome(**arguments)
