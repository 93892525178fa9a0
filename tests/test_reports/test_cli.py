"""The command: reports from start to end, again, compared and listed; one line for every bad input."""

import contextlib
import copy
import errno
import importlib
import io
import json
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields
from functools import partialmethod
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.progress import Progress

import empirics
import reports
from empirics import FileData, config
from empirics.campaigns import campaign, orthogonal, wide
from empirics.campaigns.files import SIZES
from empirics.data import images, table
from empirics.falsify import Budget
from empirics.orthogonal.training import LIMIT_LOSSES
from empirics.perturb import TARGETS
from empirics.sweep.plain import to_json
from reports import Series, claim_text, commands, formats, making, measured, presets, render, schema, terminal
from reports.build import build
from reports.cli import _EXAMPLES, APP, main
from reports.compare import ERROR_PROBABILITY
from reports.planning import Question
from reports.schema import check
from reports.sweeps.run import _SOLVERS
from tests import warm
from tests.test_reports.made_up import plain
from tests.test_reports.parsed import parse
from theory import setting
from theory.orthogonal.perturbations import NORMS

TINY = ["report", "--data", "shifted-gaussian", "--dim", "3", "--num-train", "8", "--num-test", "6"]
FAST = ["--widths", "16,64", "--seeds", "2", "--num-steps", "3"]

SILENCE = terminal.SILENCE  # which most tests switch off


@pytest.fixture
def quick_phi(tiny, monkeypatch):
    """Take the check of Φ from the tiny report: it does not depend on the command line."""
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "made" / "report"


@pytest.fixture(scope="module")
def _trained(tiny, tmp_path_factory):
    """A report's folder of runs, which many tests find done that are about what comes after them."""
    folder = tmp_path_factory.mktemp("trained") / "report"
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(formats, "render", lambda _: "page")
        patch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)
        assert main([*TINY, *FAST, "--out", str(folder)]) == 0
    return folder / "runs"


@pytest.fixture
def trained(_trained, out):
    """Let the runs of `TINY` and `FAST` be done in the output folder."""
    shutil.copytree(_trained, out / "runs")


@pytest.fixture
def no_build(monkeypatch):
    """Fail if an experiment is started."""

    def refuse(*_, **__):
        pytest.fail("bad input reached the experiments")

    monkeypatch.setattr(making, "build", refuse)


# Good input -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_phi", "no_drawings")
def test_report_is_written_and_its_verdicts_printed(out, capsys):
    arguments = [*TINY, *FAST, "--T-f", "0.5", "--negative-slope", "0.25", "--out", str(out)]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""  # no progress where nobody watches
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "results.json", "runs"]
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert (out / "report.html").read_text(encoding="utf-8") == render(check(results))
    for claim in results["claims"]:
        line = f"{claim['verdict']:<20}  {claim['statement']}  ({claim['source']})\n"
        assert line in captured.out
        assert f"predicted {claim['predicted']}\n" in captured.out
        assert f"measured  {claim['measured']}\n" in captured.out
    assert str(out / "report.html") in captured.out
    assert str(out / "results.json") in captured.out
    assert "\x1b" not in captured.out  # colours are for terminals
    assert shlex.split(results["provenance"]["command"]) == ["perturblearn", *arguments]
    (section,) = results["sections"]
    setting = section["setting"]
    assert (setting["T_f"], setting["T_g"], setting["negative_slope"]) == (0.5, 2.0, 0.25)
    assert (section["widths"], section["seeds"]) == ([16, 64], [0, 1])
    assert (setting["dim"], setting["N"], section["num_test"]) == (3, 8, 6)


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_every_option_reaches_the_experiments(out, capsys):
    options = {
        "loss": "logistic",
        "scenario": "b",
        "epsilon": 0.75,
        "T_f": 0.5,
        "T_g": 0.25,
        "negative_slope": 0.125,
        "num_steps": 2,
        "momentum": 0.5,
        "targets": "balanced",
        "precision": "float64",
    }
    flags = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    assert main([*TINY, *FAST[:4], *flags, "--shift", "3.75e-1", "--out", str(out)]) == 0
    capsys.readouterr()
    (section,) = json.loads((out / "results.json").read_text(encoding="utf-8"))["sections"]
    assert {key: section["config"][key] for key in options} == options
    assert section["config"]["data"]["shift"] == 0.375


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_own_file_becomes_a_section(tmp_path, out, capsys):
    rng = np.random.default_rng(0)
    path = tmp_path / "own.csv"
    rows = [f"{a},{b},{'yes' if a > 0 else 'no'}" for a, b in rng.normal(size=(24, 2)).tolist()]
    path.write_text("\n".join(["first,second,label", *rows]), encoding="utf-8")
    flags = ["--standardise", "none", "--test-fraction", "0.5", "--out", str(out)]
    assert main(["report", "--data", str(path), *FAST, *flags]) == 0
    captured = capsys.readouterr()
    assert "\nown\n" in captured.out
    positive = sum(",yes" in row for row in rows)
    said = f"24 rows, 2 features, label 'label': yes → +1 ({positive}), no → −1 ({24 - positive})"
    few = "12 test points: a share of them says ±0.3 or more; verdicts may be unknown"
    assert captured.err == f"perturblearn: own: {said}\nperturblearn: own: {few}\n"
    (section,) = json.loads((out / "results.json").read_text(encoding="utf-8"))["sections"]
    assert (section["name"], section["classes"]) == ("own", ["no", "yes"])
    assert section["preparation"] == f"{said} · features as they are · {few}"
    assert section["setting"]["N"] == section["num_test"] == 12


def _files(folder):
    """Contents of a folder; a lock says who writes, and is no content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.usefixtures("quick_phi", "no_page")
@pytest.mark.parametrize("known", ["report", "runs"])
def test_changed_file_is_another_experiment(tmp_path, out, capsys, known):
    rng = np.random.default_rng(0)
    path = tmp_path / "own.csv"
    command = ["report", "--data", str(path), *FAST, "--standardise", "none", "--out", str(out)]
    rows = [f"{a},{b},{'yes' if a > 0 else 'no'}" for a, b in rng.normal(size=(24, 2)).tolist()]
    path.write_text("\n".join(rows), encoding="utf-8")
    assert main(command) == 0
    if known == "runs":  # as after a process was killed
        (out / "results.json").unlink()
    before = _files(out)
    path.write_text("\n".join([*rows[1:], "0.5,0.25,yes"]), encoding="utf-8")
    assert main(command) == 2
    assert "output folder must be new or of the same experiments" in capsys.readouterr().err
    assert _files(out) == before
    path.write_text("\n".join(rows), encoding="utf-8")
    assert main(command) == 0
    capsys.readouterr()


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_every_pair_of_classes_is_a_report_of_its_own(tmp_path, out, capsys):
    """Also where a class is called as no folder can be, or as another but for case."""
    X, kinds = np.random.default_rng(0).normal(size=(36, 3)), np.resize(["a/b", "A:B", "c"], 36)
    rows = [",".join(map(str, [*row, kind])) for row, kind in zip(X.tolist(), kinds, strict=True)]
    (tmp_path / "own.csv").write_text("\n".join(rows), encoding="utf-8")
    command = ["report", "--data", str(tmp_path / "own.csv"), *FAST, "--classes", "all", "--out", str(out)]
    assert main(command) == 0
    captured = capsys.readouterr()
    folders = {"A-B-vs-a-b": ("a/b", "A:B"), "c-vs-a-b": ("a/b", "c"), "c-vs-A-B-2": ("A:B", "c")}
    assert sorted(path.name for path in out.iterdir()) == sorted([*folders, "index.html"])
    page = (out / "index.html").read_text(encoding="utf-8")
    for folder, classes in folders.items():
        (section,) = schema.read(out / folder).sections
        assert sorted(section.classes) == sorted(classes)
        keep = np.isin(kinds, classes)
        alone = FileData(path=str(tmp_path / "own.csv"), classes=section.classes[::-1]).load(0)
        assert section.setting.N + section.num_test == keep.sum() == len(alone.X) + len(alone.X_test)
        last = section.by_width[-1].agreement
        for spread in (last.measured, last.predicted):
            assert claim_text.spread(spread) in page
        measured, predicted = map(claim_text.spread, (last.measured, last.predicted))
        said = f"f and g agree at {measured}, predicted {predicted}, m = 64"
        assert f"{section.classes[1]} vs {section.classes[0]}: {said}" in captured.out
        assert f"{folder}/report.html" in page
    before = _files(out)
    timings = [(out / folder / "runs" / "timings.csv").read_bytes() for folder in folders]
    assert main(command) == 0  # nothing is trained again
    assert timings == [(out / folder / "runs" / "timings.csv").read_bytes() for folder in folders]
    assert _files(out).keys() == before.keys()
    capsys.readouterr()


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_second_report_takes_the_place_of_the_first_only_if_asked(out, capsys):
    out.mkdir(parents=True)
    (out / "report.html").write_text("an older page", encoding="utf-8")
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    timings = out / "runs" / "timings.csv"
    trained = []
    other = ["--seeds", "3", "--shift", "2"]
    for options in (["--seeds", "2"], ["--seeds", "3"], other, ["--seeds", "2"], [*other, "--overwrite"]):
        refused = options == other or (options == ["--seeds", "2"] and len(trained) == 2)
        before = _files(out)
        assert main([*TINY, *FAST[:2], *FAST[4:], *options, "--out", str(out)]) == (2 if refused else 0)
        if refused:
            said = (
                f"output folder must be new or of the same experiments, got '{out}', which holds others; take"
            )
            assert capsys.readouterr().err.startswith(f"perturblearn: error: {said}")
            assert _files(out) == before
        else:
            trained.append(len(timings.read_text().splitlines()))
    capsys.readouterr()
    assert trained == [4, 6, 12]  # what fits is used again
    assert sorted(path.name for path in out.iterdir()) == [
        "notes.txt",
        "report.html",
        "results.json",
        "runs",
    ]
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["sections"][0]["seeds"] == [0, 1, 2]
    assert len(list((out / "runs" / "results").iterdir())) == 6  # strangers are gone
    assert (out / "report.html").read_text(encoding="utf-8").startswith("page of")


def test_module_is_the_command(out):
    done = warm.run(
        [sys.executable, "-W", "error", "-m", "reports", *TINY, *FAST, "--out", str(out)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        cwd=Path(__file__).parents[2],
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.sub(r"perturblearn: report, \d+ s: .*\n", "", done.stderr) == ""  # if it takes long
    assert "holds                 Φ has a closed form" in done.stdout
    assert (out / "report.html").stat().st_size > 100_000
    assert (out / "results.json").stat().st_size > 100_000


# Bad input --------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """Data files of which each is wrong in one way."""
    folder = tmp_path / "data"
    folder.mkdir()
    good = [f"{index % 5},{index**2 % 7}" for index in range(12)]
    contents = {
        "nan.csv": [f"{row},{(-1) ** i}" if i != 3 else "nan,1,1" for i, row in enumerate(good)],
        "digits.csv": [f"{row},{3 + i % 3}" for i, row in enumerate(good)],
        "constant.csv": [f"1,2,{(-1) ** i}" for i in range(12)],
        "ragged.csv": [*(f"{row},{(-1) ** i}" for i, row in enumerate(good)), "1,1"],
        "words.csv": [*(f"{row},{(-1) ** i}" for i, row in enumerate(good)), "1,many,1"],
        "empty.csv": [],
        "counted.csv": ["0,1,2", *(f"{row},{(-1) ** i}" for i, row in enumerate(good))],
    }
    for name, rows in contents.items():
        (folder / name).write_text("\n".join(rows), encoding="utf-8")
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    np.savez(folder / "broken.npz", X=np.zeros((100, 4)), y=np.resize([-1.0, 1.0], 100))
    damaged = bytearray((folder / "broken.npz").read_bytes())
    damaged[1000] ^= 1  # among the 3200 bytes of X, which come first
    (folder / "broken.npz").write_bytes(damaged)
    np.savez(folder / "renamed.npz", data=np.ones((4, 2)), labels=np.ones(4))
    np.savez(folder / "text.npz", X=np.full((8, 2), "1"), y=np.resize([-1.0, 1.0], 8))
    np.savez(folder / "inf.npz", X=np.full((8, 2), np.inf), y=np.resize([-1.0, 1.0], 8))
    return folder


SYNTHETIC = "--data shifted-gaussian"
BAD = [
    # arguments, where {files} is a folder and {out} the output; then rule and value as the line says them
    ("--data minst", "data must be digits, shifted-gaussian, gaussian, breast-cancer, iris, wine", "'minst'"),
    ("--data mnist.txt", "data must be digits", "'mnist.txt'"),
    ("--data digits digits", "data must name each set once", "digits digits"),
    ("--data digits --classes one", "classes must be two names separated by a comma", "'one'"),
    ("--data digits --classes 1,2,3", "classes must be two names separated by a comma", "'1,2,3'"),
    ("--data digits --classes 1,", "classes must be two names separated by a comma", "'1,'"),
    ("--data digits --classes 1,1", "classes must be two different ones", "'1' twice"),
    ("--data digits --classes 1,cat", "classes must occur in digits", "'cat'"),
    ("--data digits --classes -1,1", "classes must occur in digits", "'-1'"),
    ("--data {files}/absent.csv", "data file must exist", "absent.csv'"),
    ("--data {files}", "data must be digits", "/data'"),
    ("--data {files}/binary.csv", "binary.csv must be a readable text file", "NUL"),
    ("--data {files}/broken.npz", "broken.npz must be a readable .npz file", "Bad CRC-32"),
    ("--data {files}/renamed.npz", "renamed.npz must hold arrays X and y", "data, labels"),
    (
        "--data {files}/nan.csv",
        "nan.csv must have no missing values",
        "1 of 12 rows and 1 of 2 columns, first in line 4",
    ),
    ("--data {files}/inf.npz", "X in inf.npz must be finite", "inf (16 of 16 entries)"),
    ("--data {files}/text.npz", "X in text.npz must be an array of real numbers", "dtype <U1"),
    ("--data {files}/digits.csv", "classes must be two", "3, 4, 5; name two"),
    ("--data {files}/digits.csv", "name two, the first becomes +1: --classes 4,3, in Python", "('4', '3')"),
    ("--data iris", "classes must be two", "setosa, versicolor, virginica; name two"),
    ("--data shifted-gaussian --classes all", "classes 'all' does not apply", "'shifted-gaussian'"),
    ("--data digits iris --classes all", "data must be one set with classes all", "digits iris"),
    ("--data {files}/constant.csv", "data must not be constant", "12 equal rows"),
    ("--data {files}/ragged.csv", "ragged.csv must have 3 columns in each row", "2 in line 13"),
    ("--data {files}/words.csv", "words.csv must hold numbers", "'many' in line 13, column 2"),
    ("--data {files}/empty.csv", "empty.csv must have rows of numbers, got none", ""),
    ("--data {files}/counted.csv", "may be a header or data", "--header yes or --header no"),
    ("--data {files}/counted.csv --header no", "counted.csv has 3 in its labels", "-1, 1, 2"),
    (f"{SYNTHETIC} --header no", "header does not apply to data 'shifted-gaussian'", "no"),
    (f"{SYNTHETIC} --negative-slope 1.5", "negative_slope must lie in [0, 1)", "1.5"),
    (f"{SYNTHETIC} --negative-slope nan", "negative_slope must be finite", "nan"),
    (f"{SYNTHETIC} --momentum 1", "momentum must lie in [0, 1)", "1.0"),
    (f"{SYNTHETIC} --widths 0", "widths must be >= 1", "0"),
    (f"{SYNTHETIC} --widths a,b", "widths must be integers separated by commas", "'a,b'"),
    (f"{SYNTHETIC} --widths 10,", "widths must be integers separated by commas", "'10,'"),
    (f"{SYNTHETIC} --widths 100,10", "widths must increase", "100, 10"),
    (f"{SYNTHETIC} --widths 10,10", "widths must increase", "10, 10"),
    (f"{SYNTHETIC} --widths 10,{10**30}", "widths must lie within ±9223372036854775807", f"10,{10**30}"),
    (f"{SYNTHETIC} --T-f -1", "T_f must be >= 0", "-1.0"),
    (f"{SYNTHETIC} --T-f -1e-3", "T_f must be >= 0", "-0.001"),
    (f"{SYNTHETIC} --shift -inf", "shift must be finite", "-inf"),
    (f"{SYNTHETIC} --T-g inf", "T_g must be finite", "inf"),
    (f"{SYNTHETIC} --epsilon 0", "epsilon must be > 0", "0.0"),
    (f"{SYNTHETIC} --num-steps 0", "num_steps must be >= 1", "0"),
    (f"{SYNTHETIC} --seeds 1", "seeds must be >= 2", "1"),
    (f"{SYNTHETIC} --num-train 0", "num_train must be >= 1", "0"),
    (f"{SYNTHETIC} --dim -2", "dim must be >= 1", "-2"),
    (f"{SYNTHETIC} --device cuda", "device must be present", "'cuda'"),
    (f"{SYNTHETIC} --device tpu", "device must be cpu, cuda or cuda:N", "'tpu'"),
    ("--data digits --shift 1", "shift does not apply to data 'digits'", "1.0"),
    ("--data digits --num-train 5", "num-train does not apply to data 'digits'", "5"),
    (f"{SYNTHETIC} --classes a,b", "classes does not apply to data 'shifted-gaussian'", "('a', 'b')"),
    ("--data digits --test-fraction 1", "test_fraction must lie in (0, 1)", "1.0"),
    ("--data breast-cancer --test-fraction 0.999", "data must have both classes in its training part", "one"),
]


# Data that a report refuses, a plan refuses the same way; it has one data set, and one pair of classes.
_OTHER = re.compile("digits digits|digits iris|classes all|--(widths|momentum|num-steps|seeds|device|T-f)")
BAD_CASES = [
    (command, *case)
    for command in ("report", "plan")
    for case in BAD
    if command == "report" or not _OTHER.search(case[0])
]


@pytest.mark.usefixtures("no_build")
@pytest.mark.parametrize(("command", "line", "rule", "value"), BAD_CASES)
def test_bad_input_is_one_line_and_nothing_is_written(
    command, line, rule, value, files, out, capsys, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = sorted(files.parent.rglob("*"))
    assert main([command, *line.format(files=files).split(), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("perturblearn: error: ")
    assert captured.err.count("\n") == 1
    assert rule in captured.err
    assert value in captured.err.partition(rule)[2]
    assert sorted(files.parent.rglob("*")) == before
    assert not out.parent.exists()


@pytest.mark.usefixtures("no_build")
@pytest.mark.parametrize(
    ("line", "rule", "value"),
    [
        ("reprot", 'Unknown command "reprot". Did you mean "report"?', "perturblearn --help"),
        ("--sed", 'Unknown command "--sed"', "perturblearn --help"),
        ("report --seed 3", "Unknown option: --seed. Did you mean --seeds? ", "perturblearn report --help"),
        ("sweep --seed 3", "Unknown option: --seed. Did you mean --seeds? ", "perturblearn sweep --help"),
        ("falsify published --max-d 3", "Unknown option: --max-d. Did you mean --max-", ""),
        ("report --study time", "Unknown option: --study, but of orthogonal and sweep; see ", ""),
        ("report extra", "Unknown argument: 'extra'.", ""),
        (
            "sweep --momentum=3",
            "Unknown option: --momentum, but of report; see perturblearn sweep --help",
            "",
        ),
        ("report --colour=red", "Unknown option: --colour. ", ""),
        ("report --t-f 1", "Unknown option: --t-f. Did you mean --T-f?", ""),
        ("report --no-dry-run", "Unknown option: --no-dry-run", ""),
        ("report --preset slow", 'Invalid value "slow" for --preset. Choose from: "quick", "lazy"', ""),
        ("report --preset quik", 'Invalid value "quik" for --preset.', 'Did you mean "quick"?'),
        ("report --preset QUICK", 'Invalid value "QUICK" for --preset.', ""),
        ("report --seeds many", "--seeds: must be an integer, got 'many'", ""),
        ("report --seeds 2.6", "--seeds: must be an integer, got '2.6'", ""),
        ("report --seeds 0x3", "--seeds: must be an integer, got '0x3'", ""),
        ("report --seeds −3", "--seeds: must be an integer, got '−3'", ""),
        (
            f"report --dim {10**19}",
            "--dim: must lie within ±9223372036854775807, got 10000000000000000000",
            "",
        ),
        ("report --shift 1,5", "--shift: must be a number, got '1,5'", ""),
        ("report --data", "--data requires at least 1 element", ""),
        ("report --data digits --data", "--data requires at least 1 element", ""),
        ("sweep --seeds 2 --seeds=3", "--seeds specified multiple times", ""),
        ("orthogonal --out a --out b", "--out specified multiple times", ""),
        ("falsify published --seed 1 --seed 1", "--seed specified multiple times", ""),
        ("falsify other", 'Invalid value "other" for INEQUALITY. Choose from: "published"', ""),
        ("report --out -a", "--out requires an argument", "is written --out=-VALUE"),
        ("report --out --seeds 3", "--out requires an argument", ""),
        ("report --out=", "--out: must not be empty, got ''", ""),
        ("report --header none", 'Invalid value "none" for --header.', ""),
        ("report --seeds none", "--seeds: must be an integer, got 'none'", ""),
        ("report --format tex", 'Invalid value "tex" for --format.', ""),
        ("render", "parameter RESULTS requires an argument", ""),
        ("compare one", "parameter B requires an argument", ""),
        ("index", "parameter FOLDERS requires an argument", ""),
    ],
)
def test_arguments_that_do_not_parse_exit_with_two(line, rule, value, capsys):
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("perturblearn: error: ")
    assert captured.err.count("\n") == 1
    assert rule in captured.err
    assert value in captured.err.partition(rule)[2]


def test_help_names_every_option_with_an_example(capsys):
    assert main(["report", "--seed", "3", "--help"]) == 0  # whatever else was typed
    shown = capsys.readouterr().out
    assert "example: perturblearn report --data" in shown
    for option in ("--data", "--preset", "--seeds", "--out", "--device", "--widths", "--T-f", "--classes"):
        assert option in shown


# Interrupted, or the disk is full ---------------------------------------------------------------------


@pytest.mark.usefixtures("quick_phi")
def test_interruption_before_the_first_run_is_done_leaves_no_report(out, capsys, monkeypatch):
    _interrupt(monkeypatch, calls=0)
    assert main([*TINY, *FAST, "--out", str(out)]) == 130
    captured = capsys.readouterr()
    said = f"interrupted, 0 of 4 results are in {out / 'runs'}; the same command does the others"
    assert captured.err == f"perturblearn: {said}\n"
    assert captured.out == ""
    assert [path.name for path in out.iterdir()] == ["runs"]


@pytest.mark.usefixtures("quick_phi", "no_page", "trained")
def test_full_disk_leaves_no_part_of_a_report(out, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # The disk is full after the training, not before.
    monkeypatch.setattr(formats, "render", lambda _: monkeypatch.setattr(os, "fsync", full) or "page")
    assert main([*TINY, *FAST, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert re.fullmatch(
        rf"perturblearn: error: output must be writable, got '{out}/.*': No space left on device\n",
        captured.err,
    )
    assert captured.out == ""
    assert [path.name for path in out.iterdir()] == ["runs"]


@pytest.mark.usefixtures("quick_phi")
def test_diverging_training_is_one_line(out, capsys):
    # Perturbations of norm 1e300 are beyond float32.
    assert main([*TINY, *FAST, "--epsilon", "1e300", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "perturblearn: error: FloatingPointError: epsilon must keep the inputs of g within float32, got 1e+"
    )
    assert error.count("\n") == 1
    assert [path.name for path in out.iterdir()] == ["runs"]


# A report of what is done ----------------------------------------------------------------------------


class _Interrupting:
    """`empirics.run`, but Ctrl-C comes as a real signal when it is called for the time after `calls`."""

    def __init__(self, calls):
        self.left, self.trained = calls, []

    def __call__(self, config, **options):
        if self.left == 0:
            self.left = -1
            os.kill(os.getpid(), signal.SIGINT)
        self.left -= self.left > 0
        self.trained.append((config.width, config.seed))
        return empirics.run(config, **options)


def _interrupt(monkeypatch, calls):
    """Return the widths and seeds that are trained from now on."""
    interrupting = _Interrupting(calls)
    monkeypatch.setattr(measured, "run", interrupting)
    return interrupting.trained


GRID = [*TINY, "--widths", "16,64,128", "--seeds", "3", "--num-steps", "3"]


@pytest.mark.usefixtures("quick_phi")
def test_partial_report_is_the_report_of_a_smaller_grid(out, tiny, tmp_path, capsys, monkeypatch):
    trained = _interrupt(monkeypatch, calls=7)  # two widths of three seeds, and one run more
    assert main([*GRID, "--jobs", "1", "--out", str(out)]) == 130
    captured = capsys.readouterr()
    assert captured.err == (
        "perturblearn: interrupted; making a report of what is done (Ctrl-C: stop)\n"
        f"perturblearn: interrupted, 7 of 9 results are in {out / 'runs'}; the same command does the others; "
        f"partial report: {out}\n"
    )
    assert trained[7:] == [(64, 0), (64, 1), (64, 2)]  # which were not the widest before
    assert "Partial report: interrupted after 7 of 9 runs." in captured.out
    results = plain(schema.read(out))
    name = results["sections"][0]["name"]
    assert results.pop("partial") == {
        "done": 7,
        "planned": 9,
        "sections": [
            {
                "name": name,
                "widths": [16, 64],
                "planned_widths": [16, 64, 128],
                "seeds": [0, 1, 2],
                "planned_seeds": [0, 1, 2],
            }
        ],
        "missing": [],
    }
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<title>Partial: " in page
    assert f"{name}: widths 16, 64 of 16, 64, 128, 3 of 3 seeds. Every claim" in page
    monkeypatch.undo()
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)
    monkeypatch.setattr(formats, "render", lambda _: "page")
    small = [*TINY, "--widths", "16,64", "--seeds", "3", "--num-steps", "3", "--jobs", "1"]
    assert main([*small, "--out", str(tmp_path / "small")]) == 0
    expected = plain(schema.read(tmp_path / "small"))
    # All numbers; commands and seconds differ, as they must.
    assert results["sections"] == expected["sections"]
    verdicts = [[(c["key"], c["verdict"], c["numbers"]) for c in r["claims"]] for r in (results, expected)]
    assert verdicts[0] == verdicts[1]


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_partial_report_has_seeds_of_the_first_width_where_no_width_is_done(out, capsys, monkeypatch):
    _interrupt(monkeypatch, calls=2)
    assert main([*GRID, "--jobs", "1", "--out", str(out)]) == 130
    capsys.readouterr()
    (section,) = plain(schema.read(out))["sections"]
    assert (section["widths"], section["seeds"]) == ([16], [0, 1])


@pytest.mark.usefixtures("quick_phi", "no_page")
@pytest.mark.parametrize("calls", [1, 5])
def test_the_same_command_goes_on_after_an_interruption(calls, out, tmp_path, capsys, monkeypatch):
    expected = tmp_path / "whole"
    grid = [*TINY, *FAST[2:], "--widths", "16,64,128", "--jobs", "1"]
    assert main([*grid, "--out", str(expected)]) == 0
    _interrupt(monkeypatch, calls)
    assert main([*grid, "--out", str(out)]) == 130
    again = _interrupt(monkeypatch, calls=-1)
    assert main([*grid, "--out", str(out)]) == 0
    assert again == [(width, seed) for width in (16, 64, 128) for seed in (0, 1)][calls:]
    capsys.readouterr()
    assert _without_origin(out) == _without_origin(expected)


def _without_origin(folder):
    """The bytes of results, but for the command, its seconds and the checksum of them."""
    results = plain(schema.read(folder))
    for made in (results["provenance"], *results["claims"]):
        made |= {"command": "", "seconds": 0}
    return to_json(results)


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_partial_report_names_the_data_that_it_lacks(out, capsys, monkeypatch):
    _interrupt(monkeypatch, calls=4)
    both = [*FAST, "--jobs", "1", "--out", str(out)]
    assert main(["report", "--data", "shifted-gaussian", "gaussian", *TINY[3:], *both]) == 130
    assert "gaussian: nothing. Every claim" in capsys.readouterr().out
    partial = plain(schema.read(out))["partial"]
    assert (partial["done"], partial["planned"], partial["missing"]) == (4, 8, ["gaussian"])


@pytest.mark.usefixtures("quick_phi")
def test_one_seed_is_no_report(out, capsys, monkeypatch):
    _interrupt(monkeypatch, calls=1)
    assert main([*GRID, "--jobs", "1", "--out", str(out)]) == 130
    error = capsys.readouterr().err
    assert error.endswith("does the others; no partial report: fewer than two seeds are done\n")
    assert [path.name for path in out.iterdir()] == ["runs"]


@pytest.mark.usefixtures("quick_phi")
def test_second_interruption_leaves_no_report(out, capsys, monkeypatch):
    _interrupt(monkeypatch, calls=7)
    monkeypatch.setattr(Series, "part_of", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert main([*GRID, "--jobs", "1", "--out", str(out)]) == 130
    said = f"7 of 9 results are in {out / 'runs'}; the same command does the others; no partial report"
    assert capsys.readouterr().err.endswith(f"perturblearn: interrupted, {said}: interrupted again\n")
    assert [path.name for path in out.iterdir()] == ["runs"]


@pytest.mark.usefixtures("quick_phi", "no_page", "trained")
def test_interruption_between_two_files_leaves_both(out, capsys, monkeypatch):
    replace, moved = Path.replace, []

    def interrupted(self, target):
        moved.append(target)
        os.kill(os.getpid(), signal.SIGINT)  # after the first file has its name, and before the second has
        return replace(self, target)

    assert main([*TINY, *FAST, "--out", str(out)]) == 0
    for name in ("report.html", "results.json"):
        (out / name).unlink()
    monkeypatch.setattr(Path, "replace", interrupted)
    assert main([*TINY, *FAST, "--out", str(out)]) == 0
    capsys.readouterr()
    assert sorted(path.name for path in moved) == ["report.html", "results.json"]
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "results.json", "runs"]


@pytest.mark.usefixtures("quick_phi", "no_page", "trained")
def test_partial_report_is_beside_a_report_that_is_there(out, capsys, monkeypatch):
    assert main([*TINY, *FAST, "--out", str(out)]) == 0
    whole = (out / "results.json").read_bytes()
    _interrupt(monkeypatch, calls=3)
    other = ["--shift", "2", "--overwrite", "--jobs", "1", "--out", str(out)]
    assert main([*TINY, *FAST, *other]) == 130
    capsys.readouterr()
    assert (out / "results.json").read_bytes() == whole
    assert plain(schema.read(out / "partial"))["partial"]["done"] == 3


@pytest.mark.usefixtures("quick_phi", "no_page", "trained")
def test_interruption_while_drawing_keeps_the_numbers(out, capsys, monkeypatch):
    monkeypatch.setattr(formats, "render", lambda _: os.kill(os.getpid(), signal.SIGINT))
    assert main([*TINY, *FAST, "--out", str(out)]) == 130
    assert f"perturblearn render {out / 'results.json'}" in capsys.readouterr().err
    assert "partial" not in plain(schema.read(out))


@pytest.mark.usefixtures("quick_phi", "no_page")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "a worker is killed"])
def test_processes_that_are_stopped_lose_nothing_that_is_done(number, out, capsys, monkeypatch):
    def show(_share, text):
        if text == "4 of 6 runs":
            (worker, *_) = multiprocessing.active_children()
            os.kill(os.getpid() if number == signal.SIGTERM else worker.pid, number)

    monkeypatch.setattr(terminal, "progress", lambda _: contextlib.nullcontext(show))
    widths = ["--widths", "16,64,200000", "--num-steps", "9"]
    code = main([*TINY, *FAST[2:4], *widths, "--jobs", "2", "--out", str(out)])
    said = capsys.readouterr().err
    results = plain(schema.read(out))
    if number == signal.SIGTERM:
        assert code == 143
        assert said.endswith(f"partial report: {out}\n")
        assert results["partial"]["done"] >= 4
    else:  # what it was at is done again
        assert (code, said) == (0, "")
    assert results["sections"][0]["widths"][:2] == [16, 64]
    assert not multiprocessing.active_children()


def _alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_killed_report_goes_on_where_it_was(out, tmp_path, capsys):
    code = (
        "import contextlib, sys\nfrom reports import terminal\n"
        "show = lambda share, text: print(text, flush=True)\n"
        "terminal.progress = lambda _: contextlib.nullcontext(show)\n"
        "from reports.build import build\nbuild.__globals__['check_phi'] = lambda: None\n"  # comes last
        "from reports.cli import main\nmain(sys.argv[1:])\n"
    )
    command = [*TINY, "--widths", "16,64,100000", "--seeds", "2", "--num-steps", "3"]
    with warm.Popen(
        [sys.executable, "-c", code, *command, "--jobs", "2", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,  # its processes can be counted
    ) as process:
        assert any(line == "3 of 6 runs\n" for line in process.stdout)
        process.kill()
    deadline = time.monotonic() + 30
    while _alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(process.pid)
    assert [path.name for path in out.iterdir()] == ["runs"]
    kept = {path: path.stat().st_mtime_ns for path in (out / "runs" / "results").glob("*.json")}
    assert 3 <= len(kept) < 6
    for folder in (out, tmp_path / "whole"):
        assert main([*command, "--jobs", "1", "--out", str(folder)]) == 0
    capsys.readouterr()
    assert kept.items() <= {p: p.stat().st_mtime_ns for p in (out / "runs" / "results").iterdir()}.items()
    assert (
        len((out / "runs" / "timings.csv").read_text().splitlines()) <= 7
    )  # one line may come before a file
    assert _without_origin(out) == _without_origin(tmp_path / "whole")


def _group(leader):
    """Return the processes of a group."""
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats.append(path.read_text().rpartition(")")[2].split())
    return [one for one in stats if int(one[2]) == leader]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("computes", [False, True])
def test_ctrl_c_at_a_terminal_goes_to_all_processes_and_says_one_line(out, computes):
    code = (
        "import contextlib, sys\nfrom reports import formats, terminal\n"
        "show = lambda share, text: print(text, flush=True)\n"
        "terminal.progress = lambda _: contextlib.nullcontext(show)\n"
        "formats.render = lambda results: 'page'\n"
        "from reports.build import build\nfrom reports.phi_check import PhiCheck, MonteCarlo\n"
        "found = PhiCheck([], {}, [], 0.0, MonteCarlo(0.3, 9, [], [], [], 0.0))\n"
        "build.__globals__['check_phi'] = lambda: found\n"
        "from reports.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    command = [*TINY, "--widths", "16,64,200000", "--seeds", "2", "--num-steps", "9", "--jobs", "2"]
    start = subprocess.Popen if computes else warm.Popen  # once from nothing
    with start(
        [sys.executable, "-c", code, *command, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    ) as process:
        if computes:
            assert any(line == "4 of 6 runs\n" for line in process.stdout)  # the others take a second or more
        while (
            process.poll() is None and len(_group(process.pid)) < 3
        ):  # the process that others are copies of has begun, too
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=100)[1]
    assert process.returncode == 130
    assert said.startswith("perturblearn: interrupted")
    assert len(said.splitlines()) <= 1 + computes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_while_the_command_is_imported_is_one_line(number):
    code = (
        "import os, sys\n"
        "number, sys.argv[1:] = int(sys.argv[1]), ['phi', 'points.csv']\n"
        "class Signal:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'theory':\n"
        "            os.kill(os.getpid(), number)\n"
        "sys.meta_path.insert(0, Signal())\n"
        "from reports.__main__ import main\nsys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(int(number))],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "perturblearn: interrupted\n")


def test_package_names_stay_functions_where_modules_have_the_same(monkeypatch):
    """Also where the module is imported first."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "reports"]:
        monkeypatch.delitem(sys.modules, name)
    importlib.import_module("reports.render")
    package = importlib.import_module("reports")
    assert package is not reports
    assert (package.render.__name__, package.build.__module__) == ("render", "reports.document")


# Streams that take nothing, or not every letter -------------------------------------------------------


def _full(request):
    stream = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", encoding="utf-8")
    request.addfinalizer(stream.close)
    return stream


def _closed(_request):
    stream = io.StringIO()
    stream.close()
    return stream


UNUSABLE = {
    "none": lambda _request: None,
    "closed": _closed,
    "full": pytest.param(_full, marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")),
}


@pytest.mark.usefixtures("quick_phi", "no_page", "trained")
@pytest.mark.parametrize("stream", UNUSABLE.values(), ids=UNUSABLE)
def test_report_is_whole_where_streams_take_nothing(stream, out, capsys, monkeypatch, request):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream(request))
        assert main([*TINY, *FAST, "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("perturblearn: error: standard output must be writable, got ")
    assert said.count("\n") == 1
    assert "partial" not in plain(schema.read(out))
    before = (out / "results.json").read_bytes()
    _interrupt(monkeypatch, calls=3)  # which stderr is told twice
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream(request))
        other = ["--shift", "2", "--overwrite", "--jobs", "1", "--out", str(out)]
        assert main([*TINY, *FAST, *other]) == 130
        assert main([*TINY, "--seeds", "1"]) == 2
        assert main(["report", "--seed", "3"]) == 2
    assert (out / "results.json").read_bytes() == before
    assert plain(schema.read(out / "partial"))["partial"]["done"] == 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_a_stream_lacks_are_replaced(encoding, capsys, monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding=encoding))
    assert main(["phi", "--help"]) == 0
    assert b"? of the leaky ReLU, in [0, 1)" in shown.getvalue()
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        ("--out k.csv >&- 2>&- <&-", 1, ""),
        (
            ">/dev/full",
            1,
            "perturblearn: error: standard output must be writable, got [Errno 28] No space left",
        ),
        ("| true", 0, ""),
    ],
)
def test_files_are_not_written_over_by_what_goes_to_streams(redirected, code, said, tmp_path):
    (tmp_path / "points.csv").write_text("0,0\n", encoding="utf-8")
    line = f"set -o pipefail; '{sys.executable}' -W error -m reports phi points.csv {redirected}"
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert (done.returncode, done.stderr[: len(said)], done.stderr.count("\n")) == (code, said, bool(said))
    if "--out" in redirected:
        assert (tmp_path / "k.csv").read_text(encoding="utf-8") == "0.5\n"


def test_first_part_of_a_series_is_whole_widths_or_two_seeds(tiny_series):
    series = tiny_series[0]  # widths 16, 64, 256; seeds 0, 1, 2
    configs = series.configs()
    grids = {0: None, 1: None, 2: ([16], [0, 1]), 3: ([16], [0, 1, 2]), 8: ([16, 64], [0, 1, 2])}
    for count, expected in grids.items():
        part = series.part_of(configs[:count])
        assert (part if part is None else (list(part.widths), list(part.seeds))) == expected
    assert series.part_of(configs) == series
    assert series.part_of([*configs[:2], *configs[3:]]).seeds == (0, 1)  # a hole ends it


# Again, compared, listed ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tiny_results, tiny_page, tmp_path_factory):
    """Folders of two reports: the tiny one, and one that differs from it in a verdict and a number."""
    folder = tmp_path_factory.mktemp("made")
    other = copy.deepcopy(tiny_results)
    other["claims"][1]["verdict"] = "fails" if other["claims"][1]["verdict"] == "holds" else "holds"
    for run in other["sections"][0]["runs"]:
        run["agreement"]["measured"] += 1e3 + run["seed"]
    numbers = formats.files(check(tiny_results), "json")
    formats.write(folder / "one", {"report.html": tiny_page.encode(), **numbers})
    formats.write(folder / "other", formats.files(check(other), "json"))
    return folder


@pytest.mark.usefixtures("drawn_once")
def test_rendering_again_gives_the_same_bytes(made, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(making, "build", lambda *_, **__: pytest.fail("rendering computes nothing"))
    assert main(["render", str(made / "one" / "results.json"), "--out", str(tmp_path)]) == 0
    for name in ("report.html", "results.json"):
        assert (tmp_path / name).read_bytes() == (made / "one" / name).read_bytes()
    assert capsys.readouterr().out == (
        f"page:    {tmp_path / 'report.html'}\nnumbers: {tmp_path / 'results.json'}\n"
    )


@pytest.mark.usefixtures("no_page")
def test_rendering_beside_the_results_leaves_them_as_they_are(made, tmp_path, capsys):
    path = tmp_path / "mine.json"
    path.write_bytes((made / "one" / "results.json").read_bytes())
    shutil.copy(path, tmp_path / "results.json")
    before = (tmp_path / "results.json").stat().st_mtime_ns
    assert main(["render", str(tmp_path)]) == 0
    assert (tmp_path / "results.json").stat().st_mtime_ns == before
    assert capsys.readouterr().out == f"page:    {tmp_path / 'report.html'}\n"


@pytest.mark.usefixtures("drawn_once")
def test_results_that_lack_what_the_page_shows_are_one_line(made, tmp_path, capsys):
    results = plain(schema.read(made / "one"))
    del results["sections"][0]["certificates"]["required"]["both"]
    path = tmp_path / "results.json"
    path.write_text(schema.written(check(results)), encoding="utf-8")
    assert main(["render", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"perturblearn: error: {path} must hold all that the page shows, but ")
    assert error.count("\n") == 1
    assert [item.name for item in tmp_path.iterdir()] == ["results.json"]


def test_comparison_prints_verdicts_first_and_writes_page_and_numbers(made, tmp_path, capsys):
    out = tmp_path / "compared"
    assert main(["compare", str(made / "one"), str(made / "other"), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("Verdicts that changed: 1") < shown.index("Settings that differ: 0")
    assert shown.index("Settings that differ: 0") < shown.index("beyond their spread")
    assert "agreement.measured, m = 16: " in shown
    numbers = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    assert numbers["counts"]["beyond"] == shown.count("agreement.measured") == 3
    assert sorted(path.name for path in out.iterdir()) == ["compare.html", "compare.json"]


def test_index_links_to_reports_relative_to_its_place(made, capsys):
    out = made / "pages" / "index.html"
    assert main(["index", str(made), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"page:    {out}\n"
    links = re.findall(r'href="(?!data:text/csv)([^"]*)"', out.read_text(encoding="utf-8"))
    assert links == ["../one/report.html", "../other/results.json"]
    assert all((out.parent / link).is_file() for link in links)
    assert f"perturblearn compare {made / 'one'} {made / 'other'} --out my-comparison" in out.read_text(
        "utf-8"
    )


def test_index_lists_plans_by_what_they_predict(tmp_path, capsys):
    planned = tmp_path / "planned"
    data = ["--data", "shifted-gaussian", "--dim", "4", "--num-train", "20", "--num-test", "10"]
    assert main(["plan", *data, "--T-f", "2", "--out", str(planned)]) == 0
    capsys.readouterr()
    out = tmp_path / "index.html"
    assert main(["index", str(planned), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert 'href="planned/plan.html"' in page
    assert page.count('<img alt="Contours of mean agreement over times"') == 1
    text = "".join(parse(page).itertext())
    setting, found, *_ = json.loads((planned / "plan.json").read_text("utf-8"))["lines"]
    assert setting in text
    assert found.replace("_", "") in text
    assert "perturblearn compare" not in text
    (planned / "plan.json").write_text('{"lines": []}', encoding="utf-8")
    assert main(["index", str(planned), "--out", str(out)]) == 2
    said = (
        "plan.json must hold the numbers of a plan, whole and of this version; make it again: it says nothing"
    )
    assert said in capsys.readouterr().err
    assert main(["index", str(tmp_path), "--out", str(out)]) == 2  # as if it were not there
    assert "folder must have a report" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("render {here}/absent.json", "results must be a file that exists"),
        ("render {here}", "results must be a file that exists"),
        ("compare {made}/one {here}/absent.json --out {here}/c", "results must be a file that exists"),
        (
            "compare {made}/one {made}/other --error-probability 1 --out {here}/c",
            "error_probability must lie",
        ),
        ("index {here} --out {here}/index.html", "folder must have a report"),
        ("index {made} --out {here}/index.txt", "out must end in .html"),
    ],
)
def test_bad_files_are_one_line_and_nothing_is_written(line, rule, made, tmp_path, capsys):
    assert main(line.format(here=tmp_path, made=made).split()) == 2
    captured = capsys.readouterr()
    assert rule in captured.err
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_build")
def test_pdf_without_a_browser_is_refused_before_anything_runs(out, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main([*TINY, *FAST, "--format", "pdf", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "one of chromium, chromium-browser, google-chrome must be on the PATH, got none" in error
    assert not out.parent.exists()


# Help -------------------------------------------------------------------------------------------------


def _options(name):
    found = APP[name].assemble_argument_collection(
        default_parameter=APP.default_parameter, parse_docstring=True
    )
    return [option for option in found if option.parse and option.name != "*"]


def _shown(capsys, *arguments):
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_alone_it_tells_what_it_can_do_with_an_example_each(capsys):
    shown = " ".join(_shown(capsys).split())
    assert shown == " ".join(_shown(capsys, "--help").split())
    for name, example in _EXAMPLES.items():
        assert f"{name} {APP[name].help.splitlines()[0]}" in shown
        assert example in shown
    assert "exit codes: 0 done" in shown
    assert sorted(_EXAMPLES) == sorted(commands.__all__)


@pytest.mark.parametrize("name", _EXAMPLES)
def test_help_has_every_option_its_default_and_the_exit_codes(name, capsys):
    shown = " ".join(_shown(capsys, name, "-h").split())
    assert f"example: {_EXAMPLES[name]}" in shown
    (codes,) = re.findall(r"exit codes: .*", shown)
    assert re.findall(r"\b\d+\b", codes) == ["0", "1", "2", "130", "143", "129"]
    for option in _options(name):
        assert option.field_info.help or option.parameter.help, option.name
        assert option.name in shown
        default = option.field_info.default
        if default not in (None, option.field_info.empty):
            assert f"[default: {default}]" in shown, option.name


def test_version_is_that_of_the_package(capsys):
    assert _shown(capsys, "--version") == f"{metadata.version('perturblearn')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_values(shell, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ZSH_CUSTOM", raising=False)
    path = tmp_path / "made" / "completion"
    shown = _shown(capsys, "--install-completion", "--shell", shell, "--output", str(path))
    assert f"installed to {path}" in shown
    script = path.read_text(encoding="utf-8")
    assert all(word in script for word in (*_EXAMPLES, "retry-failed", "scalar-mean"))


def test_choices_and_defaults_are_those_of_the_code():
    """They are written down again, as those modules load slowly."""
    given = {
        name: {o.name: (o.get_choices(force=True), o.field_info.default) for o in _options(name)}
        for name in _EXAMPLES
    }
    choices = {
        "--preset": presets.PRESETS,
        "--format": formats.FORMATS,
        "--standardise": images.IMAGE_PREPARATIONS,
        "--header": table.HEADERS[1:],
        "--loss": setting.LOSSES,
        "--scenario": setting.SCENARIOS,
        "--targets": TARGETS,
        "--precision": config.PRECISIONS,
    }
    assert {name: given["report"][name][0] for name in choices} == choices
    budget = {f"--{name.replace('_', '-')}": value for name, value in vars(Budget()).items()}
    assert {
        name: given["falsify"][name][1] for name in budget if name in given["falsify"]
    }.items() <= budget.items()
    choices = {
        "--size": SIZES,
        "--published": wide.BLOCKS,
        "--study": wide.STUDIES,
        "--solver": tuple(_SOLVERS),
    }
    assert {name: given["sweep"][name][0] for name in choices} == choices
    choices = {
        "--published": NORMS,
        "--study": orthogonal.STUDIES,
        "--rule": orthogonal.RULES,
        "--loss": LIMIT_LOSSES,
        "--standardise": images.IMAGE_PREPARATIONS,
    }
    assert {name: given["orthogonal"][name][0] for name in choices} == choices
    assert given["compare"]["--error-probability"][1] == ERROR_PROBABILITY
    assert given["plan"]["--targets"][0] == TARGETS
    asked = {f"--{field.name.replace('_', '-')}": field.default for field in fields(Question)}
    assert {name: given["plan"][name][1] for name in asked} == asked


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("sweep", "size", (campaign("mnist-a").stand_in, campaign("fmnist-a").stand_in.split()[-1])),
        ("orthogonal", "sweeps", orthogonal.SWEEPS),
        ("orthogonal", "set", [f"{campaign(norm).base['negative_slope']:g}" for norm in NORMS]),
        (
            "orthogonal",
            "set",
            [name for study in orthogonal.STUDIES for name in orthogonal.lists("study", study)],
        ),
        ("report", "data", presets.DEFAULT_DATA),
    ],
)
def test_help_names_what_the_code_takes(name, option, words):
    (found,) = (item for item in _options(name) if item.name == f"--{option}")
    said = found.parameter.help or found.field_info.help
    assert [word for word in words if word not in " ".join(said.split())] == []


SLOW = ("torch", "numba", "sklearn", "matplotlib", "scipy", "jinja2", "sympy", "pandas")


def test_help_and_errors_load_nothing_slow():
    """One after the other in one process, each with what is loaded by then."""
    lines = ["", "--help", "--version", "report --sed 3", "--sed", *(f"{name} --help" for name in _EXAMPLES)]
    code = (
        "import sys\nfrom reports.__main__ import main\n"
        f"for line in {lines}:\n"
        "    sys.argv[1:] = line.split()\n"
        "    code = main()\n"
        f"    print('->', line, code, [name for name in {SLOW} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    found = re.findall("^-> (.*)$", done.stdout, re.MULTILINE)
    assert found == [f"{line} {2 * ('--sed' in line)} []" for line in lines]


@pytest.mark.parametrize("name", _EXAMPLES)
def test_examples_parse(name):
    command, _, _ = APP.parse_args(shlex.split(_EXAMPLES[name])[1:], exit_on_error=False, print_error=False)
    assert command is getattr(commands, name)


def test_none_is_a_word():
    _, bound, _ = APP.parse_args(["phi", "none", "none", "--label", "none", "--out", "none"])
    assert bound.args == (Path("none"), Path("none"))
    assert (bound.kwargs["options"].label, bound.kwargs["options"].out) == ("none", Path("none"))


def test_options_with_several_values_may_be_given_again():
    _, bound, _ = APP.parse_args(["sweep", "--set", "a=1", "b=2", "--set", "c=3"], exit_on_error=False)
    assert bound.kwargs["options"].set == ("a=1", "b=2", "c=3")


@pytest.mark.parametrize("name", [name for name in _EXAMPLES if name in {"sweep", "orthogonal"}])
def test_examples_of_what_can_be_tried_are_complete(name, capsys):
    """An option that the data need and the example lacks is an error here."""
    words = shlex.split(_EXAMPLES[name])[1:]
    assert main([*words, "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("nothing was run\n")


# Progress ---------------------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_progress_is_one_line_rewritten_on_a_terminal(out, monkeypatch):
    watched = _Terminal()
    monkeypatch.setattr(sys, "stderr", watched)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    # What is done between two looks of the clock is not shown otherwise, and these runs are short.
    monkeypatch.setattr(Progress, "update", partialmethod(Progress.update, refresh=True))
    assert main([*TINY, *FAST, "--out", str(out)]) == 0
    percents = [int(percent) for percent in re.findall(r"(\d+)%", watched.getvalue())]
    assert percents[-1] == 100
    assert percents == sorted(percents)
    assert "3 of 4 runs" in watched.getvalue()
    assert watched.getvalue().endswith("\x1b[2K")  # removed at the end


@pytest.mark.parametrize(
    ("shares", "line"),
    [([0.0, 0.25], "sweep, 0 s: 25 % 2 of 8"), ([], "sweep, 0 s")],
    ids=["known", "unknown"],
)
@pytest.mark.parametrize("dumb", [False, True])
def test_a_log_that_nobody_watches_says_what_is_done(shares, line, dumb, capsys, monkeypatch):
    monkeypatch.setattr(terminal, "SILENCE", 0.05)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: dumb)
    said, deadline = "", time.monotonic() + 30
    with terminal.progress("sweep") as show:
        for share in shares:
            show(share, "2 of\n8")
        while said.count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert set(re.sub(r"\d+ s", "0 s", said).splitlines()) == {f"perturblearn: {line}"}
    capsys.readouterr()
    time.sleep(0.2)
    assert capsys.readouterr() == ("", "")  # nothing comes after the end
    assert SILENCE <= 30


@pytest.mark.usefixtures("quick_phi", "no_page", "trained")
@pytest.mark.parametrize("quiet", [True, False])
def test_colour_is_for_terminals_that_want_it(out, monkeypatch, quiet):
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", "1" if quiet else "")
    assert main([*TINY, *FAST, "--out", str(out)]) == 0
    assert ("\x1b[32mholds" in terminal.getvalue()) is not quiet


@pytest.mark.usefixtures("quick_phi", "no_page")
def test_processes_change_nothing(out, tmp_path, capsys):
    for jobs, folder in (("1", out), ("2", tmp_path / "parallel")):
        assert main([*TINY, *FAST, "--jobs", jobs, "--out", str(folder)]) == 0
    capsys.readouterr()
    assert _without_origin(out) == _without_origin(tmp_path / "parallel")


@pytest.mark.usefixtures("no_build")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--jobs 0", "jobs must be >= 1, got 0"),
        ("--executor serial --jobs 2", "jobs must be left out with executor 'serial', got 2"),
        ("--executor threads", "executor must be serial, processes or dask://host:port, got 'threads'"),
    ],
)
def test_executor_that_cannot_be_is_one_line(out, capsys, options, said):
    assert main([*TINY, *FAST, *options.split(), "--out", str(out)]) == 2
    assert capsys.readouterr().err == f"perturblearn: error: {said}\n"
    assert not out.parent.exists()


# Points of Φ -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        ("label,p,q", ["--label", "label"]),
        ("0,1,2", ["--header", "yes", "--label", "0"]),
        (None, ["--label", "1"]),
        ("c,p,q", ["--label", "c"]),
    ],
)
def test_phi_leaves_out_the_column_that_is_named(tmp_path, capsys, header, flags):
    rows = ["1,0.5,2.5", "-1,1.5,3.5"]
    (tmp_path / "points.csv").write_text("\n".join([header, *rows] if header else rows), encoding="utf-8")
    np.save(tmp_path / "points.npy", [[0.5, 2.5], [1.5, 3.5]])
    assert main(["phi", str(tmp_path / "points.npy")]) == 0
    expected = capsys.readouterr().out
    assert main(["phi", str(tmp_path / "points.csv"), *flags]) == 0
    assert capsys.readouterr().out == expected
    if flags[-1] == "1":  # a number is a column of an array as well
        np.save(tmp_path / "points.npy", [[1, 0.5, 2.5], [-1, 1.5, 3.5]])
    assert main(["phi", str(tmp_path / "points.npy"), str(tmp_path / "points.csv"), *flags]) == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("name", "content", "flags", "message"),
    [
        (
            "p.csv",
            b"label,p\n0,1\n1,3\n",
            [],
            "column 1 looks like a label: say label 'label' to leave it out",
        ),
        ("p.csv", b"0,1\n2.5,3.5\n", [], "may be a header or data: say which by header 'yes' or 'no'"),
        ("p.csv", b"a,b\n2.5,3.5\n", ["--label", "y"], "label must be 'none' or one column of p.csv (a, b)"),
        ("p.npy", b"", ["--header", "yes"], "--header must come with a table, such as a .csv file"),
        ("p.npy", b"", ["--drop-missing"], "--drop-missing must come with a table, such as a .csv file"),
        ("p.npy", b"\x93NUMPY\x01\x00\x09\x00{'a': (3,", [], "p.npy must be a readable .npy file of points"),
    ],
)
def test_undecided_or_damaged_points_are_one_line(tmp_path, capsys, name, content, flags, message):
    (tmp_path / name).write_bytes(content)
    assert main(["phi", str(tmp_path / name), *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
