"""`perturblearn report` of networks of any depth or architecture, and the same from Python."""

import json
import re
import shutil

import numpy as np
import pytest

import reports
from empirics.deep import DEEP, measure_pair
from empirics.sweep.plan import Plan
from reports.cli import main
from reports.sweeps import report

TINY = ["report", "--data", "shifted-gaussian", "--dim", "5", "--num-train", "16", "--num-test", "20"]
DEPTH = [*TINY, "--depth", "2", "--widths", "8,16", "--seeds", "2"]
NET = """
import torch
def make(seed):
    return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
def wide(seed, width):
    return torch.nn.Sequential(torch.nn.Linear(5, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))
def dropped(seed):
    return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
"""


def numbers(folder):
    return json.loads((folder / "report.json").read_text("utf-8"))


def panels(folder):
    (section,) = numbers(folder)["sections"]
    return [(panel["sweep"], [point["x"] for point in panel["points"]]) for panel in section["panels"]]


def test_depth_becomes_a_page_that_is_kept_and_extended(tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*DEPTH, "--rates", "all", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("On shifted-gaussian, f and g agree at ")
    assert "m = 8, 16 is too narrow for 2 hidden layers, training all layers: expected errors" in captured.err
    page = (out / "report.html").read_text("utf-8")
    assert "<h1>2 hidden layers, training all layers: measured beside predicted before training</h1>" in page
    assert 'class="short"' in page.split("<figure>")[0]  # one sentence, one figure, then the claims
    assert page.index("<figure>") < page.index('class="cards"')
    assert panels(out) == [("shifted-gaussian", [8, 16])]
    assert main([*DEPTH[:-3], "8,16,24", "--seeds", "3", "--rates", "all", "--out", str(out)]) == 0
    assert "kept from before        4" in capsys.readouterr().out
    assert main(["sweep", "--out", str(out)]) == 0  # the plan of the folder
    assert "kept from before        9" in capsys.readouterr().out


def test_another_report_takes_the_place_of_one_only_if_asked(tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main([*DEPTH, "--out", out]) == 0
    before = (tmp_path / "out" / "report.html").read_bytes()
    other = [*DEPTH[:-3], "16,24", *DEPTH[-2:], "--out", out]
    assert main(other) == 2
    assert "say overwrite (--overwrite)" in capsys.readouterr().err
    assert (tmp_path / "out" / "report.html").read_bytes() == before
    assert main([*other, "--overwrite"]) == 0
    assert "kept from before        2" in capsys.readouterr().out  # m = 16 is of both
    assert panels(tmp_path / "out") == [("shifted-gaussian", [16, 24])]


def test_interrupted_it_leaves_a_page_of_what_is_done(tmp_path, capsys, monkeypatch):
    done = []

    def stops(config):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(config)
        return measure_pair(config)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("empirics.deep.experiment.measure_pair", stops)
        assert main([*DEPTH, "--out", str(out)]) == 130
    assert f"partial report: {out / 'report.html'}" in capsys.readouterr().err
    assert "<strong>Partial: interrupted after 3 of 4 runs.</strong>" in (out / "report.html").read_text(
        "utf-8"
    )
    assert numbers(out)["totals"] == {"configurations": 4, "done": 3, "failed": 0, "missing": 1}
    assert main([*DEPTH, "--out", str(out)]) == 0
    assert "kept from before        3" in capsys.readouterr().out
    assert numbers(out)["totals"]["missing"] == 0
    assert "Partial" not in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "axis"),
    [
        (["--module", "mine.py:make"], ("times", list(report._TIMES))),
        (["--module", "mine.py:wide", "--widths", "4,8"], ("width", [4, 8])),
        (["--module", "layer-norm-mlp", "--widths", "4,8"], ("width", [4, 8])),
    ],
)
def test_a_module_is_found_from_every_folder(tmp_path, monkeypatch, capsys, options, axis):
    """Its path is relative to where the command is given; the plan has the whole one."""
    (tmp_path / "mine.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    assert main([*TINY, *options, "--seeds", "2", "--out", "out"]) == 0
    name, xs = axis
    assert panels(tmp_path / "out") == [("shifted-gaussian", xs)]
    assert numbers(tmp_path / "out")["sections"][0]["panels"][0]["x_label"].split()[0] == name
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    capsys.readouterr()
    assert main(["sweep", "--out", "../out"]) == 0
    assert f"kept from before {2 * len(xs):>8}" in capsys.readouterr().out


def test_a_module_of_a_sweep_is_found_from_every_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    fields = ["--set", "data.dim=5", "data.num_train=16", "width=8", "--axis", "module=mlp,mine.py:make"]
    assert main(["sweep", "--data", "shifted-gaussian", *fields, "--seeds", "1", "--out", "out"]) == 0
    assert numbers(tmp_path / "out")["sections"][0]["panels"][0]["ticks"] == ["mlp", "mine.py:make"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    capsys.readouterr()
    assert main(["sweep", "--out", "../out"]) == 0
    assert "kept from before        2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--depth", "0"], "depth must be >= 1, got 0"),
        (["--depth", "2", "--module", "mlp"], "depth must be left out with module 'mlp'"),
        (["--rates", "all"], "rates must come with depth, got 'all' without"),
        (["--module", "mlp", "--rates", "all"], "rates must come with depth"),
        (["--depth", "2", "--T_f", "-1"], "T_f must be >= 0, got -1"),
        (["--module", "mine.py:make", "--T_g", "1"], "T_g must be left out with mine.py:make, whose axis is"),
        (["--depth", "2", "--precision", "float64"], "precision must be left out with depth"),
        (["--depth", "2", "--preset", "published"], "preset must be quick with depth and module"),
        (["--depth", "2", "--device", "cuda"], "device must be present|device must be cpu"),
        (["--depth", "2", "--seeds", "1"], "seeds must be >= 2, got 1"),
        (["--depth", "2", "--widths", "8,4"], "widths must increase, got 8, 4"),
        (["--module", "resnet"], "module must be one of fully-connected, mlp"),
        (["--module", "mine.py:none"], "module must name a function of .*mine.py, got 'none'"),
        (["--module", "other.py:make"], "module must name a file, FILE.py:FUNCTION, got no file"),
        (["--module", "mine.py:dropped"], "the same from call to call .is dropout on"),
        (["--module", "mine.py:make", "--widths", "4,8"], "widths must be left out with mine.py:make"),
        (
            ["--module", "mine.py:make", "--dim", "6"],
            "must take rows of 6 numbers, differentiably, got Runtime",
        ),
        (["--module", "cnn", "--dim", "6"], "module cnn must have square images"),
    ],
)
def test_options_that_do_not_go_together_are_one_line_before_training(
    tmp_path, monkeypatch, capsys, options, message
):
    (tmp_path / "mine.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    given = [
        word for pair in zip(TINY[1::2], TINY[2::2], strict=True) if pair[0] not in options for word in pair
    ]
    assert main(["report", *given, *options, "--out", "out"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("perturblearn: error: ")
    assert re.search(message, line), line
    assert not (tmp_path / "out").exists()


def test_a_folder_of_a_wide_report_is_left_alone(tmp_path, capsys):
    (tmp_path / "results.json").write_text("{}")
    assert main([*DEPTH, "--out", str(tmp_path)]) == 2
    assert "must be new or hold a plan.json" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_other_formats(tmp_path):
    assert main([*DEPTH, "--format", "md", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text("utf-8")
    assert text.startswith(
        "# 2 hidden layers, training the first layer: measured beside predicted before training"
    )
    assert "On shifted-gaussian, f and g agree at" in text.split("## ")[0]


def test_all_pairs_of_classes_are_one_page(tmp_path):
    command = ["report", "--data", "iris", "--classes", "all", "--depth", "1", *DEPTH[-4:]]
    assert main([*command, "--out", str(tmp_path)]) == 0
    names = [name for name, _ in panels(tmp_path)]
    assert len(names) == 3
    assert names[0] == "iris, versicolor vs setosa"


def test_arrays_in_python(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4))
    labels = np.where(X[:, 0] > 0, "up", "down")
    options = {"depth": 2, "widths": (8, 16), "seeds": 2, "rates": "all"}
    made = reports.report(X, labels, **options)
    assert made.results.totals.done == 4
    assert repr(made).startswith("Report of 2 hidden layers, training all layers: ")
    assert "2 hidden layers" in made._repr_html_()
    assert made.table[0]["claim"].startswith("arrays: both networks train as linearised")
    assert any("agreement" in name for name in made.figures)
    paths = made.write(tmp_path / "written")
    assert [path.name for path in paths] == ["report.json", "report.html"]
    with pytest.raises(FileExistsError, match="say overwrite"):
        made.write(tmp_path / "written")
    kept = reports.report(X, labels, **options, out=tmp_path / "kept")
    assert kept.results.sections == made.results.sections
    # The folder keeps the arrays: its plan goes on in another process.
    del X
    shutil.rmtree(tmp_path / "kept" / "results")
    assert main(["sweep", "--out", str(tmp_path / "kept"), "--executor", "serial"]) == 0
    with pytest.raises(ValueError, match="precision must be left out with depth and module"):
        reports.report("iris", depth=2, classes=("setosa", "virginica"), precision="float64")
    with pytest.raises(TypeError, match="has no option 'deep'"):
        reports.report("iris", deep=2)


def test_the_plan_of_the_command_is_that_of_its_fields():
    (source,) = (reports.source("digits"),)
    plan = report.plan_of([source], {"depth": 3})
    assert isinstance(plan, Plan)
    configs = plan.configs(DEEP).values()
    assert {config.width for config in configs} == {125, 250, 500, 1000, 2000}
    assert {config.depth for config in configs} == {3}
    assert len(configs) == 5 * report._SEEDS
    cnn = report.plan_of([source], {"module": "cnn"}, seeds=2)
    assert {config.width for config in cnn.configs(DEEP).values()} == {16, 32, 64, 128, 256}
