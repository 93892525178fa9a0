"""The command: what it declares, keeps, refuses and leaves, with experiments of milliseconds."""

import json

import numpy as np
import pytest
from cyclopts import CycloptsError

from empirics.orthogonal import runs
from empirics.sweep import Outcome, runner
from reports import svg
from reports.cli import APP
from reports.orthogonal.page import write_page
from reports.terminal import AllFailedError

TINY = ["--published", "L2", "--sweeps", "N_adv", "--scale", "1000", "--set", "max_steps=40"]
TINY += ["--set", "num_test=20", "--set", "width=4"]
STUDY = ["--study", "orthogonality", "--set", "dim=20", "--set", "ratios=0.1:0.5", "--set", "slopes=0.5"]
FAST = ["--set", "max_steps=40", "--seeds", "2"]


def run(*arguments):
    serial = () if "--dry-run" in arguments else ("--executor", "serial")
    typed = ["orthogonal", *map(str, arguments), *serial]
    command, bound, _ = APP.parse_args(typed, print_error=False, exit_on_error=False)
    return command(**bound.kwargs)(lambda _share, _what: None)


@pytest.fixture
def plain(monkeypatch):
    """Pages without figures, which take most of the time."""
    monkeypatch.setattr(svg, "drawing", lambda *args, **kwargs: "<svg></svg>")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "made" / "orthogonal"


def _bytes(folder):
    return {name: (folder / name).read_bytes() for name in ("report.html", "report.json", "results.csv")}


def test_a_finished_folder_is_drawn_again_byte_for_byte(out, monkeypatch, capsys):
    said = run(*TINY, "--seeds", 2, "--out", out)
    assert "done                   20" in said
    assert capsys.readouterr().err == ""  # no progress where nobody watches
    first = _bytes(out)
    (out / "report.html").unlink()

    def refuse(*_given, **_more):
        raise AssertionError

    monkeypatch.setattr(runs, "run_orthogonal", refuse)
    again = run("--out", out)
    assert again.partition("\ndone ")[0] == said.partition("\ndone ")[0]
    assert "kept from before       20" in again
    assert _bytes(out) == first


def test_an_interrupted_folder_goes_on_to_the_same_bytes(out, tmp_path, plain, monkeypatch):
    run(*TINY, "--seeds", 2, "--out", tmp_path / "whole")
    real, count = runs.run_orthogonal, []

    def some(*given, **more):
        count.append(given)
        if len(count) == 6:
            raise KeyboardInterrupt
        return real(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(runs, "run_orthogonal", some)
        with pytest.raises(KeyboardInterrupt, match=r"5 of 20 results are in .*; the same command does"):
            run(*TINY, "--seeds", 2, "--out", out)
    assert len(list((out / "results").glob("*.json"))) == 5
    count.clear()
    monkeypatch.setattr(
        runs, "run_orthogonal", lambda *given, **more: count.append(given) or real(*given, **more)
    )
    run("--out", out)  # the plan of the folder
    assert len(count) == 15
    assert _bytes(out) == _bytes(tmp_path / "whole")


def test_more_seeds_extend_a_folder_and_fewer_are_refused(out, plain, monkeypatch):
    run(*STUDY, *FAST, "--out", out)
    ran, real = [], runs.run_orthogonal
    monkeypatch.setattr(
        runs, "run_orthogonal", lambda *given, **more: ran.append(given) or real(*given, **more)
    )
    run(*STUDY, "--set", "max_steps=40", "--seeds", 3, "--out", out)
    assert {config.seed for config, *_ in ran} == {2}
    with pytest.raises(ValueError, match=r"out must be another folder: .* holds 'Study: orthogonality'"):
        run(*STUDY, *FAST, "--out", out)


def test_a_damaged_result_is_done_again(out, plain):
    run(*STUDY, *FAST, "--out", out)
    first = _bytes(out)
    path = next((out / "results").glob("*.json"))
    path.write_bytes(path.read_bytes()[:50])
    run("--out", out)
    assert _bytes(out) == first


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        ({"blocks": []}, "got one of another command"),
        ({"kind": "orthogonal", "part": {}}, "got one of an older version"),
        ({"kind": "orthogonal", "blocks": [], "about": {"kind": "study"}}, "got one of an older version"),
        ({"kind": "orthogonal", "blocks": []}, "whose plan.json says what it holds, got"),
    ],
)
def test_a_folder_of_another_command_is_refused(out, plan, what):
    from empirics.sweep.store import ResultFolder  # noqa: PLC0415

    out.mkdir(parents=True)
    ResultFolder(out).write_plan(plan)
    with pytest.raises(ValueError, match=what):
        run(*TINY, "--out", out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run"], "must be given --published, --study or --data for a dry run"),
        ([], "must be given --published, --study or --data, or a folder of it"),
        (["--published", "L2", "--study", "turning"], "one of --published, --study, --data, got --published"),
        (["--published", "L1"], 'Invalid value "L1" for --published. Choose from: "L2", "Linf", "L0"'),
        (["--published", "L2", "--sweeps", "m"], "sweeps must be one of"),
        (["--published", "L2", "--device", "tpu"], "device must be cpu, cuda or cuda:N, got 'tpu'"),
        (
            ["--data", "digits", "--set", "attack=published"],
            "attack must be .* with data in hand, got 'published'",
        ),
        (["--published", "L2", "--sweeps", "N,d,N"], "sweeps must name at least one, each once"),
        (["--published", "L2", "--classes", "a,b"], "--classes must come with --data"),
        (["--published", "L2", "--header", "no"], "--header must come with --data"),
        (["--study", "turning", "--scale", "3"], "--scale must come with --published"),
        (["--study", "turning", "--scale", "0"], "--scale must come with --published"),
        (["--loss", "logistic"], "--loss must come with --published or --study or --data"),
        (
            ["--published", "L2", "--loss", "square"],
            'Invalid value "square" for --loss. Choose from: "exponential", "logistic"',
        ),
        (["--published", "L2", "--set", "width"], "set must look like width=20"),
        (["--published", "L2", "--set", "width=4", "--set", "width=6"], "each field once"),
        (["--published", "L2", "--set", "seed=4"], "'seed' is set by what is run"),
        (["--study", "turning", "--set", "counts=0:2"], "num_adv must be >= 1, got 0"),
        (["--data", "nothing"], "data must be digits"),
        (["--data", "nothing.csv"], "data file must exist"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(arguments, message, out):
    with pytest.raises((ValueError, FileNotFoundError, CycloptsError), match=message) as caught:
        run(*arguments, "--out", out)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_dry_run_counts_published_sizes(out):
    # 36 points, the base in all four sweeps: 33 with an attack, 21 without, where ε does not act.
    assert (
        run("--published", "L0", "--scale", 1, "--dry-run", "--out", out)
        == "540 configurations in 540 tasks; nothing was run"
    )
    assert not out.exists()


def _file(path, X, y):
    path.write_text(
        "".join(",".join(map(str, [*row, label])) + "\n" for row, label in zip(X.tolist(), y, strict=True)),
        encoding="utf-8",
    )
    return path


def test_own_data_end_with_verdicts_and_need_no_file_again(out, tmp_path, plain):
    X = np.random.default_rng(0).standard_normal((9, 120))
    path = _file(tmp_path / "own.csv", X, ["a", "b"] * 4 + ["a"])
    said = run("--data", path, "--classes", "a,b", "--num-train", 4, *FAST, "--out", out)
    assert "done                    2" in said
    first = _bytes(out)
    results = json.loads(first["report.json"])
    assert results["examination"]["data"]["N"] == 4
    assert results["examination"]["data"]["preparation"] == (
        "9 rows, 120 features, label: a → +1 (5), b → −1 (4) · features as they are · "
        "2 test points: a share of them says ±0.7 or more; verdicts may be unknown"
    )
    assert results["examination"]["multipliers"]["verdict"] == "holds"
    page = first["report.html"].decode()
    assert "Which theory applies" in page
    assert "there may be other KKT points" in page
    path.unlink()
    assert "kept from before        2" in run("--out", out)
    assert _bytes(out) == first


def test_own_data_that_changed_is_refused_where_something_is_missing(out, tmp_path, plain):
    X = np.random.default_rng(0).standard_normal((9, 30))
    path = _file(tmp_path / "own.csv", X, [1, -1] * 4 + [1])
    run("--data", path, *FAST, "--out", out)
    next((out / "results").glob("[0-9a-f]*.json")).unlink()
    run("--out", out)
    next(p for p in (out / "results").glob("*.json") if p.stem != "examination").unlink()
    _file(path, X + 1, [1, -1] * 4 + [1])
    with pytest.raises(ValueError, match=r"data must be those that .* was begun with"):
        run("--out", out)


@pytest.mark.parametrize("bad", ["zero rows", "one class", "N > 2d", "duplicates"])
def test_bad_data_end_with_a_page(bad, out, tmp_path, plain):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 60)), [1, -1] * 6
    if bad == "zero rows":
        X[::2] = 0
    elif bad == "one class":
        y = [1] * 12
    elif bad == "N > 2d":
        X = X[:, :2]
    else:
        X[1::2] = X[::2]
    said = run("--data", _file(tmp_path / "own.csv", X, y), *FAST, "--out", out)
    results = json.loads((out / "report.json").read_text("utf-8"))
    expected = {"zero rows": "fails", "one class": "holds", "N > 2d": "unknown", "duplicates": "fails"}[bad]
    assert results["examination"]["multipliers"]["verdict"] == expected
    assert results["totals"]["done"] == 2
    assert "The samples meet the published condition" in said


def test_disjoint_supports_do_not_refute_what_is_proved(out, tmp_path, plain):
    # Rows that are multiples of different unit vectors: test points have no predicted sign.
    X, y = np.diag(np.linspace(1, 2, 40)), [1, -1] * 20
    path = _file(tmp_path / "own.csv", X, y)
    run("--data", path, "--set", "negative_slope=0.9", "--seeds", 1, "--out", out)
    results = json.loads((out / "report.json").read_text("utf-8"))
    assert results["examination"]["conditions"]["published"][2] == "holds"
    assert results["examination"]["sizes"]["N_allowed"] == "any"
    # The perturbed set has predictions, as f has weights off the span of the samples; its system fails.
    assert [row["shares"] for row in results["networks"] if row["verdict"] == "holds"] == [[]] * 3
    signs = [c for c in results["claims"] if "signs of a trained network" in c["statement"]]
    assert len(signs) == 3
    assert {claim["verdict"] for claim in signs} == {"unknown"}
    (point,) = results["panels"][0]["points"]
    assert point["metrics"]["agreement"]["mean"] is None
    assert [c["statement"] for c in results["claims"] if "limit boundary of the set" in c["statement"]] == [
        "The limit boundary of the set perturbed along s has the sign of the old one at every test point"
    ]


def test_without_an_attack_nothing_is_said_of_perturbed_sets(out, tmp_path, plain):
    X = np.random.default_rng(0).standard_normal((9, 120))
    path = _file(tmp_path / "own.csv", X, [1, -1] * 4 + [1])
    said = run("--data", path, "--set", "attack=none", *FAST, "--out", out)
    assert "perturbed" not in said.split("Perturbations by")[0]
    results = json.loads((out / "report.json").read_text("utf-8"))
    assert set(results["examination"]["conditions"]) == {"published", "derived"}


def test_versions_stay_with_the_results_they_made(out, plain, monkeypatch):
    real = runner.metadata.version
    run(*STUDY, *FAST, "--out", out)
    first = _bytes(out)
    (made,) = json.loads(first["report.json"])["provenance"]["versions"]
    monkeypatch.setattr(runner.metadata, "version", lambda name: real(name) + ".later")
    run(*STUDY, *FAST, "--out", out)  # nothing is missing
    assert _bytes(out) == first
    run(*STUDY, "--set", "max_steps=40", "--seeds", 3, "--out", out)
    versions = json.loads((out / "report.json").read_text("utf-8"))["provenance"]["versions"]
    assert versions == [made, {k: v if k == "record" else v + ".later" for k, v in made.items()}]
    assert f"numpy {made['numpy']}.later" in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize("kind", ["data", "study"])
def test_damaged_tables_are_made_again(kind, out, tmp_path, plain):
    X = np.random.default_rng(0).standard_normal((9, 30))
    path = _file(tmp_path / "own.csv", X, [1, -1] * 4 + [1])
    run(*(["--data", path] if kind == "data" else STUDY), *FAST, "--out", out)
    path.unlink()
    first, tables = _bytes(out), out / "results.jsonl"
    whole = tables.read_bytes()
    tables.write_bytes(whole[:50])
    with pytest.raises(ValueError, match=r"results.jsonl must hold a result a line, got .*; remove it"):
        write_page(out)
    run("--out", out)
    assert tables.read_bytes() == whole
    assert _bytes(out) == first


def test_another_file_under_the_same_path_is_named_as_the_reason(out, tmp_path, plain):
    X = np.random.default_rng(0).standard_normal((9, 30))
    path = _file(tmp_path / "own.csv", X, [1, -1] * 4 + [1])
    run("--data", path, *FAST, "--out", out)
    _file(path, X + 1, [1, -1] * 4 + [1])
    with pytest.raises(ValueError, match=r"data must be those that .* was begun with, got others from"):
        run("--data", path, *FAST, "--out", out)
    with pytest.raises(ValueError, match="out must be another folder"):
        run("--data", path, "--num-train", 4, *FAST, "--out", out)


def test_a_folder_in_which_every_run_failed_is_drawn_and_told(out, tmp_path, plain, monkeypatch):
    def fail(_config):
        return Outcome.failed(ArithmeticError("no"))

    monkeypatch.setattr(runs, "run_orthogonal", fail)
    with pytest.raises(AllFailedError, match="failed                  4"):
        run(*STUDY, *FAST, "--out", out)
    assert "4 of 4 runs failed" in (out / "report.html").read_text("utf-8")


def test_l0_moves_coordinates_by_the_scale_of_the_data(out, tmp_path, plain):
    X = 1000 * np.random.default_rng(0).standard_normal((9, 30))
    path = _file(tmp_path / "own.csv", X, [1, -1] * 4 + [1])
    run("--data", path, "--set", "norm=L0", *FAST, "--out", out)
    options = json.loads((out / "report.json").read_text("utf-8"))["part"]["options"]
    # 3 of 30 coordinates; the shortest training row has a norm near 1000 √30.
    assert 0.6 < options["amplitude"] / (1000 * np.sqrt(30) / 2 / np.sqrt(3)) < 1.1
    assert "moves a coordinate by the amplitude" in (out / "report.html").read_text("utf-8")
    run("--data", path, "--set", "norm=L0", "--set", "amplitude=2", *FAST, "--out", tmp_path / "set")
    options = json.loads((tmp_path / "set" / "report.json").read_text("utf-8"))["part"]["options"]
    assert options["amplitude"] == 2


def test_the_largest_numbers_end_with_a_verdict(out, tmp_path, plain):
    X = 1.5e308 * np.random.default_rng(0).choice([-1.0, 1.0], (9, 120))
    said = ""
    try:
        said = run("--data", _file(tmp_path / "own.csv", X, [1, -1] * 4 + [1]), *FAST, "--out", out)
    except AllFailedError as error:
        said = str(error)
    assert "The samples meet the published condition" in said
    results = json.loads((out / "report.json").read_text("utf-8"))
    assert results["examination"]["conditions"]["derived"][2] in {"holds", "fails"}
