"""Outputs of all commands: known to be possible before anything runs; input and results of others stay."""

import json
import os
import re
import shutil
from urllib.parse import urljoin

import numpy as np
import pytest
from msgspec.structs import replace

from empirics.sweep.store import ResultFolder
from reports import formats, making, schema
from reports.cli import main
from reports.document import Report

DATA = ["--data", "shifted-gaussian"]
# What each command is given, the file that it is to write (in a folder if it writes several), its name.
COMMANDS = {
    "report": (["report", *DATA, "--widths", "16,64", "--seeds", "2"], ""),
    "sweep": (
        ["sweep", *DATA, "--set", "data.dim=2", "--set", "data.num_train=8", "--axis", "width=8,16"],
        "",
    ),
    "orthogonal": (["orthogonal", "--study", "orthogonality", "--seeds", "1", "--executor", "serial"], ""),
    "falsify": (["falsify", "published"], "out.py"),
    "phi": (["phi", "{points}"], "out.npy"),
    "plan": (["plan", *DATA], ""),
    "render": (["render", "{report}"], ""),
    "compare": (["compare", "{report}", "{report}"], ""),
    "index": (["index", "{report}"], "out.html"),
    "explore": (["explore"], "out.html"),
    "costs": (["costs"], ""),
}


@pytest.fixture
def given(tmp_path, tiny):
    """Return the input that commands are given: points, and a report."""
    np.save(tmp_path / "points.npy", np.eye(2))
    (tmp_path / "report").mkdir()
    formats.write(tmp_path / "report", {schema.RESULTS: schema.written(tiny).encode()})
    return {"points": str(tmp_path / "points.npy"), "report": str(tmp_path / "report")}


@pytest.fixture
def nothing_runs(monkeypatch):
    def refuse(*_, **__):
        pytest.fail("started although the output cannot be written")

    for name in (
        "empirics.costs.measure",
        "empirics.falsify.falsify",
        "empirics.sweep.runner.run_tasks",
        "reports.ask.planned",
        "reports.compare.compare",
        "reports.explore.page",
        "reports.formats.files",
        "reports.listing.index_page",
        "reports.making.build",
        "theory.phi",
    ):
        monkeypatch.setattr(name, refuse)
    return refuse


def run(command, out, given):
    words, _ = COMMANDS[command]
    typed = [*(word.format(**given) for word in words), f"--out={out}"]
    return main(typed)


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(command, out, folder, given, capsys):
    """Run a command that must be refused; return what it says, and check that all is as before."""
    before = tree(folder)
    assert run(command, out, given) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert tree(folder) == before
    return captured.err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("obstacle", ["file", "dangling", "long"])
def test_output_that_cannot_be_is_known_before_anything_runs(
    command, obstacle, tmp_path, given, nothing_runs, capsys
):
    place = tmp_path / "place"
    place.mkdir()
    (place / "file").write_text("kept")
    (place / "dangling").symlink_to("nowhere")
    first, reason = {
        "file": ("file", "is a file, not a folder"),
        "dangling": ("dangling", "is a link to 'nowhere', which is not there"),
        "long": ("x" * 256, "File name too long"),
    }[obstacle]
    error = refused(command, place / first / COMMANDS[command][1], place, given, capsys)
    assert re.search(rf"output must be writable, got '{place / first}.*': .*{reason}", error)
    assert (place / "file").read_text() == "kept"


@pytest.mark.parametrize("command", COMMANDS)
def test_disk_without_room_is_known_before_anything_runs(command, given, full_disk, nothing_runs, capsys):
    out = full_disk / "new" / COMMANDS[command][1]
    error = refused(command, out, full_disk, given, capsys)
    assert re.search(rf"output must be writable, got '{full_disk}.*': {full_disk.reason}\n", error)


@pytest.mark.parametrize("command", ["report", "render", "plan"])
def test_folder_of_a_sweep_takes_no_report(command, tmp_path, given, nothing_runs, capsys):
    ResultFolder(tmp_path / "sweep").write_plan({"blocks": []})
    error = refused(command, tmp_path / "sweep", tmp_path, given, capsys)
    assert f"output folder must not be one of a sweep or study, got '{tmp_path / 'sweep'}'" in error


@pytest.mark.parametrize("command", ["sweep", "orthogonal"])
def test_folder_of_a_report_takes_no_sweep(command, tmp_path, given, nothing_runs, capsys):
    error = refused(command, given["report"], tmp_path, given, capsys)
    assert "result folder must be new or hold a plan.json" in error
    assert "with results.json; choose another one" in error


def test_folder_of_a_plan_takes_a_report_and_no_sweep(tmp_path, given, nothing_runs, capsys):
    (tmp_path / "plan").mkdir()
    for name in ("plan.json", "plan.html"):
        (tmp_path / "plan" / name).write_text("kept")
    for command in ("sweep", "orthogonal"):
        assert "with plan.html; choose another" in refused(
            command, tmp_path / "plan", tmp_path, given, capsys
        )
    formats.check_output(tmp_path / "plan", "html")
    with pytest.raises(FileNotFoundError, match="the folder holds a plan, of which nothing was trained"):
        schema.read(tmp_path / "plan")


@pytest.mark.parametrize("command", ["sweep", "orthogonal"])
def test_folder_of_a_report_that_is_not_done_takes_no_sweep(command, tmp_path, nothing_runs, capsys):
    ResultFolder(tmp_path / "begun" / "runs").write_plan({"kind": "report"})
    error = refused(command, tmp_path / "begun", tmp_path, {}, capsys)
    assert "must be new or hold a plan.json" in error
    assert "with runs/plan.json; choose another one" in error


def test_points_are_not_written_over_by_their_kernel(tmp_path, given, nothing_runs, capsys):
    (tmp_path / "link.npy").symlink_to("points.npy")
    for name in ("points.npy", "link.npy"):
        error = refused("phi", tmp_path / name, tmp_path, given, capsys)
        assert f"output must be another file than the input, got '{tmp_path / name}'" in error
    np.testing.assert_array_equal(np.load(given["points"]), np.eye(2))


def test_page_that_is_listed_is_not_written_over_by_the_list(tmp_path, given, capsys):
    page = tmp_path / "report" / "report.html"
    page.write_text("kept")
    assert "output must be another file" in refused("index", page, tmp_path, given, capsys)
    assert page.read_text() == "kept"


def test_results_of_another_report_stay(tmp_path, given, tiny, capsys):
    other = tmp_path / "report" / "other.json"
    changed = replace(tiny, provenance=replace(tiny.provenance, command="another"))
    other.write_text(schema.written(changed), encoding="utf-8")
    before = tree(tmp_path)
    assert main(["render", str(other)]) == 2
    assert "holds the results of another report than other.json" in capsys.readouterr().err
    assert tree(tmp_path) == before
    assert schema.read(tmp_path / "report") == tiny


@pytest.mark.parametrize("failure", [RuntimeError("no glyph"), KeyError("figure")])
def test_numbers_are_kept_if_the_page_cannot_be_made(tmp_path, tiny, monkeypatch, capsys, failure):
    def fail(_results):
        raise failure

    monkeypatch.setattr(making, "build", lambda *_, **__: tiny)
    monkeypatch.setattr(formats, "render", fail)
    out = tmp_path / "a report"
    assert run("report", out, {}) == 2
    numbers = out / schema.RESULTS
    said = f"error: {failure}; {numbers} is whole; for the page: perturblearn render '{numbers}'\n"
    assert capsys.readouterr().err.endswith(said)
    assert schema.read(numbers) == tiny
    assert tree(tmp_path) == ["a report", f"a report/{schema.RESULTS}"]


NAMES = ["a b", "-a", "a\nb", "100%41", "#1?x=y", "γ", "'\"<&", "a:b", os.fsdecode(b"\xff\xfe")]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_reports_of_any_name(tmp_path, given, name, no_page, capsys, monkeypatch):
    shutil.move(given["report"], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert main(["render", f"./{name}"]) == 0
    assert main(["index", f"./{name}", f"--out=./{name}/pages/{name}.html"]) == 0
    capsys.readouterr()
    page = tmp_path / name / "pages" / f"{name}.html"
    (link,) = re.findall(r'<th scope="row"><a href="([^"]*)"', page.read_text(encoding="utf-8"))
    assert urljoin(page.as_uri(), link) == (tmp_path / name / "report.html").as_uri()


@pytest.mark.parametrize("name", ["-a\nb", "$x$ <&>", os.fsdecode(b"\xff")])
def test_a_sweep_of_data_of_any_name_ends_with_a_page(tmp_path, name, capsys):
    rng = np.random.default_rng(0)
    path = tmp_path / f"{name}.npz"
    np.savez(path, X=rng.standard_normal((40, 3)), y=np.repeat([-1, 1], 20))
    options = ["--set", "num_steps=2", "--axis", "width=8,16", "--executor", "serial", "--seeds", "1"]
    out = tmp_path / f"of {name}"
    assert main(["sweep", f"--data={path}", *options, f"--out={out}"]) == 0, capsys.readouterr().err
    assert "</html>" in (out / "report.html").read_text(encoding="utf-8")
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["totals"]["done"] == 2


def test_report_object_is_refused_where_its_files_cannot_be(tmp_path, tiny):
    ResultFolder(tmp_path).write_plan({"blocks": []})
    with pytest.raises(FileExistsError, match="must not be one of a sweep"):
        Report(results=tiny).write(tmp_path)
