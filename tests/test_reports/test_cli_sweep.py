"""The command that runs sweeps: what it declares, says and leaves, with tasks that cost nothing."""

import errno
import json
import math
import os
import signal
import sys
import types
from pathlib import Path

import pytest

from empirics.sweep import Summary
from empirics.sweep.outcome import Outcome
from empirics.sweep.store import ResultFolder
from reports.cli import main
from reports.running import table
from tests import warm

FIELDS = ["sweep", "--data", "gaussian", "--set", "data.dim=3", "--set", "data.num_train=4"]
TINY = [*FIELDS, "--axis", "width=10,20", "--axis", "T_f,T_g=1:2,3:4", "--seeds", "2"]
SERIAL = ["--executor", "serial"]


@pytest.fixture
def families(monkeypatch):
    """Tasks that fail on demand; returns the configurations that they ran, and what makes them fail."""
    module = types.ModuleType("empirics.families")
    module.ran, module.fails = [], lambda config: None

    def run_family(configs, *, device):
        for index, config in enumerate(configs):
            module.ran.append(config)
            error = module.fails(config)
            yield index, Outcome(error=error) if error else Outcome(record={"value": config.width / 8})

    module.run_family = run_family
    module.family_key = lambda config: f"{config.width} {config.T_f} {config.seed}"
    monkeypatch.setitem(sys.modules, "empirics.families", module)
    return module


@pytest.fixture
def out(tmp_path):
    return tmp_path / "made" / "sweep"


def rows(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]


def test_fields_and_axes_become_rows(families, out, capsys):
    assert main([*TINY, "--set", "negative_slope=0.25", *SERIAL, "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""  # no progress where nobody watches
    found = [(row["width"], row["T_f"], row["T_g"], row["seed"], row["value"]) for row in rows(out)]
    assert found == [(w, T, T + 1, s, w / 8) for w in (10, 20) for T in (1, 3) for s in (0, 1)]
    assert {row["negative_slope"] for row in rows(out)} == {0.25}
    lines = [line.split() for line in captured.out.splitlines()]
    assert lines[:4] == [["done", "8"], ["kept", "from", "before", "0"], ["failed", "0"], ["of", "8"]]
    assert captured.out.splitlines()[-1] == f"results: {out / 'results.csv'} and .jsonl"


def test_plan_file_says_the_same_as_flags(families, out, tmp_path, capsys):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        "seeds = 2\n[base]\ndata = {source = 'gaussian', dim = 3, num_train = 4}\n"
        "[[sweep]]\nwidth = [10, 20]\n'T_f,T_g' = [[1, 2], [3, 4]]\n",
        encoding="utf-8",
    )
    assert main(["sweep", str(plan), *SERIAL, "--out", str(out)]) == 0
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0
    assert "kept from before        8" in capsys.readouterr().out
    assert len(families.ran) == 8


def test_own_file_and_classes(families, out, tmp_path, capsys):
    path = tmp_path / "own.csv"
    path.write_text("1,a\n2,b\n4,a\n8,b\n16,a\n", encoding="utf-8")
    flags = ["--data", str(path), "--classes", "a,b", "--label", "2", "--axis", "width=3,5"]
    assert main(["sweep", *flags, *SERIAL, "--out", str(out)]) == 0
    said = "perturblearn: own: 5 rows, 1 feature, label: a → +1 (3), b → −1 (2)\n"
    assert capsys.readouterr().err.count(said) == 1
    row = rows(out)[0]
    assert (row["data.source"], row["data.path"], row["data.classes"]) == ("file", str(path), ["a", "b"])


def test_own_file_may_begin_with_a_header_of_numbers(families, out, tmp_path, capsys):
    path = tmp_path / "own.csv"
    path.write_text("0,1\n3,1\n4,-1\n5,1\n7,-1\n", encoding="utf-8")
    flags = ["--data", str(path), "--header", "yes", "--axis", "width=3"]
    assert main(["sweep", *flags, *SERIAL, "--out", str(out)]) == 0
    (row,) = rows(out)
    assert (row["data.path"], row["data.header"]) == (str(path), "yes")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_plan_may_begin_with_a_byte_order_mark(families, out, tmp_path, capsys, mark):
    path = tmp_path / "plan.toml"
    path.write_bytes(mark + b"[base]\ndata = {source = 'gaussian', dim = 3, num_train = 8}\nwidth = [5, 6]\n")
    path.write_bytes(path.read_bytes().replace(b"width", b"[[sweep]]\nwidth"))
    assert main(["sweep", str(path), *SERIAL, "--out", str(out)]) == 0
    assert [row["width"] for row in rows(out)] == [5, 6]


@pytest.mark.parametrize("content", [b"\xff", b"a = ", b"[base]\nx = " + b"[" * 5000, b"sweep = 1"])
def test_damaged_plan_is_one_line_that_names_it(out, tmp_path, capsys, content):
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    assert main(["sweep", str(path), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"(in {path})")


def test_folder_of_another_command_is_refused(out, capsys):
    ResultFolder(out).write_plan({"kind": "orthogonal", "part": {}, "versions": []})
    before = (out / "plan.json").read_bytes()
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 2
    assert "which holds something else" in capsys.readouterr().err
    assert (out / "plan.json").read_bytes() == before


def test_failures_are_counted_and_tried_again(families, out, capsys):
    families.fails = lambda config: "ValueError: wide" if config.width == 20 else None
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "failed                  4" in said
    assert f"errors:  {out / 'failures.json'}; --retry-failed tries again" in said
    families.fails = lambda config: None
    assert main(["sweep", *SERIAL, "--retry-failed", "--out", str(out)]) == 0  # the plan of the folder
    said = capsys.readouterr().out
    assert "done                    4" in said
    assert "errors" not in said
    assert len(families.ran) == 12


def test_sweep_in_which_everything_failed_is_no_success(families, out, capsys):
    families.fails = lambda config: "ValueError: wide"
    for _ in range(2):  # and again, where all of it is kept
        assert main([*TINY, *SERIAL, "--out", str(out)]) == 1
        captured = capsys.readouterr()
        assert captured.err == ""
        assert "failed                  8" in captured.out
        assert f"errors:  {out / 'failures.json'}; --retry-failed tries again" in captured.out
    families.fails = lambda config: None if config.width == 20 and config.seed and config.T_f == 1 else "no"
    assert main([*TINY, *SERIAL, "--retry-failed", "--out", str(out)]) == 0
    assert "done                    1" in capsys.readouterr().out


def test_paths_that_look_like_numbers_are_paths(families, out, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "--data", "123", "--set", "width=3", *SERIAL, "--out", str(out)]) == 2
    assert "got '123'" in capsys.readouterr().err
    flags = ["--data", "file", "--set", "data.path=1e5", "--set", "width=3"]
    assert main(["sweep", *flags, *SERIAL, "--out", str(out)]) == 2
    assert (
        "data file must end in .csv, .tsv, .json, .parquet, .feather, .xlsx, .npy, .npz, got '1e5'"
        in capsys.readouterr().err
    )


def test_damage_and_strangers_are_told(families, out, capsys):
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0
    path = next((out / "results").glob("*.json"))
    path.write_bytes(path.read_bytes()[:50])
    (out / "results" / "other.json").write_text("{}", encoding="utf-8")
    capsys.readouterr()
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"damaged, redone: {path.name} is not what was written" in said
    assert "not of this plan        1" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_says_how_much_is_done(families, out, capsys, number):
    def fails(config):
        if len(families.ran) == 4:
            os.kill(os.getpid(), number)

    families.fails = fails
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 128 + number
    captured = capsys.readouterr()
    said = f"perturblearn: interrupted, 3 of 8 results are in {out}; the same command does the others\n"
    assert (captured.out, captured.err) == ("", said)
    families.fails = lambda config: None
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0
    assert "kept from before        3" in capsys.readouterr().out


def test_full_disk_is_one_line(families, out, capsys, monkeypatch):
    calls, fsync = [], os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) > 16:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert main([*TINY, *SERIAL, "--out", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"perturblearn: error: output must be writable, got '{out}/")
    assert ": No space left on device; " in said[0]
    assert said[0].endswith(f"of 8 results are in {out} and stay valid")
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0


def test_second_writer_is_one_line(families, out, capsys):
    with ResultFolder(out).locked():
        assert main([*TINY, *SERIAL, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert f"result folder must have one writer, but process {os.getpid()} on " in said


def test_dry_run_counts_and_writes_nothing(families, out, capsys):
    one = [*FIELDS, "--axis", "width=3"]
    for flags, said in ((TINY, "8 configurations in 8 tasks"), (one, "1 configuration in 1 task")):
        assert main([*flags, "--dry-run", "--out", str(out)]) == 0
        assert capsys.readouterr().out == f"{said}; nothing was run\n"
    assert not out.exists()
    assert main(["sweep", "--dry-run", "--out", str(out)]) == 2


def test_other_plan_needs_to_be_merged(families, out, capsys):
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0
    other = [*FIELDS, "--axis", "width=30", *SERIAL, "--out", str(out)]
    assert main(other) == 2
    assert "plan must contain the one in" in capsys.readouterr().err
    assert main([*other, "--merge"]) == 0
    assert len(rows(out)) == 9


def test_help_tells_of_classes(capsys):
    assert main(["sweep", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "two classes: data.classes=3:8" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "plan must be given, as there is none in"),
        ([*FIELDS[1:]], "width must be given with data 'gaussian'"),
        ([*FIELDS[1:], "--axis", "width=0"], "width must be >= 1, got 0 (at width=0)"),
        ([*FIELDS[1:], "--axis", "layers=1"], "got 'layers'"),
        ([*FIELDS[1:], "--axis", "width"], "axis must look like width=10,100"),
        ([*FIELDS[1:], "--set", "width"], "set must look like width=20, each field once, got 'width'"),
        ([*FIELDS[1:], "--set", "data.dim=5"], "each field once, got 'data.dim=5'"),
        ([*FIELDS[1:], "--axis", "width=1", "--seeds", "0"], "seeds must be >= 1, got 0"),
        (
            [*FIELDS[1:3], "--set", "data.dim=3", "--axis", "width=1"],
            "data.num_train must be given with data 'gaussian': give --set data.num_train=...",
        ),
        (
            ["--data", "digits", "--set", "data.classes=yes,no", "--axis", "width=1"],
            "--set data.classes=1:2 on the command line (on an axis: 1:2,3:8), got 1: yes,no",
        ),
        (["--set", "width=1"], "data.source must be one of gaussian, "),
        (
            ["plan.toml", "--seeds", "2"],
            "--seeds must come with --published or --study or --data or",
        ),
        (["--published", "msg-a", "--header", "yes"], "sweep must be one of --published, --study, a plan"),
        (["plan.toml"], "plan must be a file that exists, got 'plan.toml'"),
        (["--data", "no.csv", "--axis", "width=1"], "data file must exist, got 'no.csv'"),
        (["--executor", "threads"], "executor must be serial, processes or dask://host:port"),
        (["--device", "tpu"], "device must be cpu, cuda or cuda:N, got 'tpu'"),
        ([*TINY[1:], "--jobs", "0"], "jobs must be >= 1, got 0"),
    ],
)
def test_bad_input_is_one_line_and_runs_nothing(families, out, capsys, arguments, message):
    assert main(["sweep", *arguments, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert families.ran == []
    assert not (out / "results").exists()


def test_progress_is_shown_to_those_who_watch(families, out, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    assert main([*TINY, *SERIAL, "--out", str(out)]) == 0
    assert "8 of 8" in capsys.readouterr().err


def test_table_is_short():
    summary = Summary(folder=Path("f"), total=3, done=1, kept=1, failed=1, damaged=(), strangers=0)
    assert table(summary, page=Path("f/report.html"), retried=False).splitlines() == [
        "done                    1",
        "kept from before        1",
        "failed                  1",
        "of                      3",
        f"page:    {Path('f/report.html')}",
        f"results: {Path('f/results.csv')} and .jsonl",
        f"errors:  {Path('f/failures.json')}; --retry-failed tries again",
    ]


def test_cluster_that_does_not_answer_is_one_line(families, out, tmp_path):
    """In a process of its own, as Dask logs."""
    pytest.importorskip("distributed")
    code = (
        "import sys\nfrom empirics.sweep import cluster\n"
        "cluster._CONNECT_SECONDS = 0.2\n"
        "from empirics.sweep.outcome import Outcome\nimport types\n"
        "module = types.ModuleType('empirics.families')\n"
        "module.run_family = module.family_key = str\n"
        "sys.modules['empirics.families'] = module\n"
        "from reports.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    done = warm.run(
        [sys.executable, "-c", code, *TINY, "--executor", "dask://127.0.0.1:1", "--out", str(out)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        "executor must be a scheduler that answers within 0.2 s, got 'dask://127.0.0.1:1'; 0 of 8"
        in (done.stderr.splitlines()[-1])
    )


@pytest.mark.parametrize(
    ("options", "here"),
    [
        ([*FIELDS], 4),
        ([*FIELDS, "--jobs", "2"], 0),
        ([*FIELDS, "--executor", "processes"], 0),
        ([*FIELDS, *SERIAL], math.inf),
        ([*FIELDS, "--set", "num_steps=10000000"], 0),
        (["sweep", "--data", "digits"], 0),  # large, as far as is known before they are read
    ],
)
def test_little_work_begins_in_this_process(monkeypatch, out, options, here):
    pools = []

    def run_sweep(*_, pool, **__):
        pools.append(pool)
        raise ValueError

    monkeypatch.setattr("reports.running.run_sweep", run_sweep)
    assert main([*options, "--axis", "width=500,600", "--out", str(out)]) == 2
    assert [pool.here for pool in pools] == [here]
