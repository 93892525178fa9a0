"""Plans: numbers are those of the theory, the command that is printed runs, bad questions are one line."""

import csv
import json
import math
import shlex
from dataclasses import replace

import numpy as np
import pytest

import reports
import theory
from empirics import ArrayData, GaussianData, ShiftedGaussianData
from empirics.perturb import draw_targets, normalised
from empirics.seeds import seeds_of
from reports import formats, schema
from reports.build import build
from reports.cli import main
from reports.inline import plain as text_of
from reports.planning import DEEP_POINTS
from reports.plans import DELTA, FEW, NUMBERS, PAGE, WIDTHS
from reports.text import count, percent
from tests.test_reports.parsed import HTML, parse
from theory.agreement import enclose_signs
from theory.deep import Architecture
from theory.times import agreement_law, required

DATA = ShiftedGaussianData(dim=8, num_train=40, num_test=FEW, shift=0.2)
LOADED = DATA.load(seeds_of(0)[0])
EPSILON = float(f"{np.median(np.linalg.norm(LOADED.X, axis=1)):.2g}")
INPUTS = {"Z": LOADED.X_test, "X": LOADED.X, "y": LOADED.y}
ARGUMENTS = ["plan", "--data", "shifted-gaussian", "--dim", "8", "--num-train", "40", "--num-test", "50"]
ARGUMENTS += ["--shift", "0.2"]
# Mean agreement is interpolated between times in the ratio 2: a time of a share is off by less.
INTERPOLATED = 2e-3


@pytest.fixture(scope="module")
def plan():
    return reports.plan(DATA, share=0.8)


def law(T_f, **changes):
    return agreement_law(**INPUTS | {"epsilon": EPSILON} | changes, T_f=T_f)


def test_surface_floor_and_limit_are_those_of_the_law(plan):
    assert (plan.N, plan.dim, plan.points, plan.epsilon, plan.targets) == (40, 8, FEW, EPSILON, "random")
    assert len(plan.times_f) + 2 == len(plan.times_g) + 2 == 20
    found = law([0.0, *plan.times_f, math.inf])
    np.testing.assert_allclose(plan.surface, found.share(plan.times_g)[1:-1], rtol=1e-9)
    assert (plan.floor, plan.limit) == pytest.approx(tuple(found.share(math.inf)[[0, -1]]), abs=1e-9)
    assert list(plan.by_epsilon) == pytest.approx(EPSILON * np.geomspace(0.1, 10, 9), rel=1e-3)
    limits = {size: law(math.inf, epsilon=size).share(math.inf) for size in plan.by_epsilon}
    assert plan.by_epsilon == pytest.approx(limits, abs=1e-9)
    for kind, got in plan.by_targets.items():
        other = law([plan.T_f, math.inf], targets=kind)
        wanted = other.share(plan.T_g)[0], other.share(math.inf)[1]
        assert got == pytest.approx(wanted, rel=1e-9)
    np.testing.assert_allclose(plan.chances, law(plan.T_f).probability(plan.T_g), rtol=1e-9)
    assert plan.agreement == pytest.approx(np.mean(plan.chances))


@pytest.mark.parametrize("share", [0.55, 0.8, 0.97])
@pytest.mark.parametrize(
    "times", [{}, {"T_g": 2.0}, {"T_g": 0.0}, {"T_f": 0.0}, {"T_f": 0.0, "T_g": 2.0}], ids=str
)
def test_requirements_are_those_of_the_theory(share, times, tmp_path):
    """Below the floor, reached, and out of reach with its cause: ε and targets are given and bad.

    At a time of 0 that network is not trained: such a setting is not on logarithmic axes.
    """
    asked = {"epsilon": 0.1, "targets": "random", "share": share}
    plan = reports.plan(DATA, **asked, **times, out=tmp_path)
    fixed = {"T_g": {"T_f": plan.T_f}, "both": {}, "T_f": {"T_g": times.get("T_g", math.inf)}}
    for of, more in fixed.items():
        got, wanted = plan.required[of], required(**INPUTS, **asked, of=of, **more)
        assert (got.of, got.share, got.cause) == (of, share, wanted.cause)
        assert got.value == pytest.approx(wanted.value, rel=INTERPOLATED)
        assert (got.floor, got.limit) == pytest.approx((wanted.floor, wanted.limit), abs=INTERPOLATED)
    assert times.items() <= vars(plan).items()
    assert min(plan.T_f, plan.T_g) > 0 or 0.0 in times.values()
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert ("is on no such axes" in page) == (0.0 in times.values())
    assert plan.agreement == pytest.approx(law(plan.T_f, epsilon=0.1).share(plan.T_g), rel=1e-9)
    parse(page)  # also where no contour of the share is there


def test_equal_times_are_tried_at_those_of_both_networks():
    """Short perturbations make g slower than f by orders of magnitude."""
    asked = {"share": 0.7, "epsilon": 1e-4, "targets": "balanced"}
    got = reports.plan(DATA, **asked).required["both"]
    even = {"Z": INPUTS["Z"], "X": INPUTS["X"][: len(INPUTS["X"]) // 2 * 2]}
    wanted = required(**even, y=INPUTS["y"][: len(even["X"])], **asked, of="both")
    assert got.value == pytest.approx(wanted.value, rel=0.1)


def test_suggested_times_are_the_least_that_do(plan):
    sums = [
        time + required(**INPUTS, epsilon=EPSILON, share=0.8, of="T_g", T_f=time).value
        for time in plan.times_f
    ]
    assert plan.T_f == plan.times_f[np.argmin(sums)]
    assert plan.T_f + plan.T_g == pytest.approx(min(sums), rel=0.1)  # T_g has two digits, rounded up
    assert plan.agreement >= plan.share


def test_times_beyond_those_tried_follow_from_the_limit():
    tried = reports.plan(DATA, targets="random", epsilon=0.1).times_f
    last, limit = law([tried[-1], math.inf], epsilon=0.1).share(math.inf)
    asked = {"share": float(last + limit) / 2, "epsilon": 0.1, "targets": "random"}
    got, wanted = reports.plan(DATA, **asked).required["T_f"], required(**INPUTS, **asked, of="T_f")
    assert got.value == pytest.approx(wanted.value, rel=1e-3)
    assert got.value > tried[-1]


@pytest.mark.parametrize("targets", ["random", "balanced"])
def test_proofs_are_those_of_the_theory(targets):
    data = ShiftedGaussianData(dim=3, num_train=12, num_test=20, shift=1.0)
    plan = reports.plan(data, targets=targets, T_f=5.0, T_g=6.0, epsilon=2.0)
    found = data.load(seeds_of(0)[0])
    drawn = draw_targets(12, kind=targets, rng=np.random.default_rng(seeds_of(0)[3]))
    R = normalised(theory.perturbation_direction(X=found.X, y=found.y), drawn, epsilon=2.0)
    inputs = {"Z": found.X_test, "X": found.X, "y": found.y, "X_adv": R}
    product = enclose_signs(**inputs).product
    assert (plan.condition_c.equal, plan.condition_c.opposite) == ((product > 0).sum(), (product < 0).sum())
    setting = theory.Setting(dim=3, N=12, width=1, epsilon=2.0, T_f=5.0, T_g=6.0)
    shares = theory.certified_share(**inputs, y_adv=drawn, setting=setting, delta=DELTA, widths=WIDTHS)
    assert list(plan.certified.values()) == shares.tolist()
    assert 0 < plan.certified[WIDTHS[-1]] < 1


def test_odd_samples_are_compared_without_the_last():
    odd = ArrayData(LOADED.X[:31], LOADED.y[:31], LOADED.X_test, LOADED.y_test, standardise="none")
    plan = reports.plan(odd, share=0.8, epsilon=2.0)
    even = {"X": odd.load(seeds_of(0)[0]).X[:30], "y": odd.load(seeds_of(0)[0]).y[:30], "epsilon": 2.0}
    for kind, got in plan.by_targets.items():
        other = law([plan.T_f, math.inf], **even, targets=kind)
        assert got == pytest.approx((other.share(plan.T_g)[0], other.share(math.inf)[1]), rel=1e-9)
    assert "(of N − 1 samples, as N is odd)" in repr(plan)
    assert len(plan.surface) == 18  # of all samples
    np.testing.assert_allclose(
        reports.plan(odd, share=0.8, epsilon=2.0, targets="balanced").limit,
        law(math.inf, **even, targets="balanced").share(math.inf),
        rtol=1e-9,
    )


def test_inputs_are_changed_where_that_is_worth_it():
    """Noise of few targets: balanced ones, or longer perturbations, unless others are given."""
    few = ShiftedGaussianData(dim=8, num_train=16, num_test=20, shift=0.1)
    found = few.load(seeds_of(0)[0])
    inputs = {"Z": found.X_test, "X": found.X, "y": found.y, "T_f": math.inf}
    plan = reports.plan(few, share=0.99)
    best = {
        kind: max(agreement_law(**inputs, epsilon=e, targets=kind).share(math.inf) for e in plan.by_epsilon)
        for kind in ("random", "balanced")
    }
    assert best["random"] + 0.01 < best["balanced"]
    assert best["random"] < 0.99
    assert plan.targets == "balanced"
    assert reports.plan(few, share=best["random"] - 0.01).targets == "random"
    assert plan.by_epsilon[plan.epsilon] >= max(plan.by_epsilon.values()) - 0.01
    fixed = reports.plan(few, share=0.99, epsilon=0.5, targets="random")
    assert (fixed.epsilon, fixed.targets) == (0.5, "random")


def test_deep_networks_have_fewer_points_and_the_law_of_their_architecture():
    deep = replace(DATA, num_train=16)
    plan = reports.plan(deep, share=0.7, depth=2, rates="all", negative_slope=0.2)
    found = deep.load(seeds_of(0)[0])
    Z = found.X_test[np.linspace(0, FEW - 1, DEEP_POINTS).astype(int)]
    kind = Architecture(depth=2, rates="all", negative_slope=0.2)
    wanted = agreement_law(
        Z,
        X=found.X,
        y=found.y,
        T_f=[0.0, *plan.times_f, math.inf],
        epsilon=plan.epsilon,
        targets=plan.targets,
        architecture=kind,
    )
    np.testing.assert_allclose(plan.surface, wanted.share(plan.times_g)[1:-1], rtol=1e-9)
    assert (plan.points, plan.certified) == (DEEP_POINTS, {})
    assert f"{DEEP_POINTS} of {FEW} test points" in repr(plan)


def test_command_says_and_writes_the_plan(plan, tmp_path, capsys):
    out = tmp_path / "made" / "plan"
    assert main([*ARGUMENTS, "--share", "0.8", "--out", str(out)]) == 0
    printed = capsys.readouterr().out.rstrip().split("\n")
    assert printed[-2:] == [f"page:    {out / PAGE}", f"numbers: {out / NUMBERS}"]
    assert printed[:-5] == repr(plan).split("\n")[:-2]
    assert len(printed) <= 25
    assert sorted(path.name for path in out.iterdir()) == [PAGE, NUMBERS]
    written = json.loads((out / NUMBERS).read_text("utf-8"))
    assert written["surface"] == [list(row) for row in plan.surface]
    assert written["required"]["both"]["value"] == plan.required["both"].value
    assert written["required"]["T_f"]["best"] is None or math.isfinite(written["required"]["T_f"]["best"])
    assert (written["T_f"], written["T_g"], written["agreement"]) == (plan.T_f, plan.T_g, plan.agreement)
    document = parse((out / PAGE).read_text("utf-8"))
    assert len(list(document.iter(f"{HTML}figure"))) == 2
    assert written["command"] in "".join(document.itertext())
    for line in plan.lines:  # symbols are set as formulas, in which T_f is T with an index f
        assert line.replace("_", "") in "".join(document.itertext())


def test_page_leads_with_the_prediction_its_figure_and_what_the_theorem_asks_for(plan):
    def rows(one):
        found, drawn, table = one.page().sections[0].blocks
        assert (text_of(found.text), drawn.name) == (one.lines[1], "contours")
        return {text_of(head): text_of(cell) for head, cell in table.rows}

    said = rows(plan)
    name = "The published theorem, arXiv 2410.23677"
    width = count(DATA.dim**2 * (plan.T_f + plan.T_g) ** 2)
    asked = f"With its hidden constants set to 1 it asks for m > d² (T_f + T_g)² = {width}."
    share = percent(plan.condition_c.equal / FEW)
    assert said[name] == f"{asked} Its condition (c) is proved at {share} of {FEW} points."
    assert plan.command in said["What to do next"]
    assert rows(replace(plan, condition_c=None))[name] == asked
    assert rows(replace(plan, T_g=0.0))[name] == "Says nothing of a network that is not trained."
    assert name not in rows(replace(plan, depth=2))


def test_all_pairs_of_classes_have_a_line_and_a_folder_each(tmp_path, capsys):
    rng, classes = np.random.default_rng(0), np.repeat([0, 1, 2], 12)
    X = rng.normal(size=(36, 4)) + np.eye(3, 4)[classes]
    np.savez(tmp_path / "three.npz", X=X, y=classes)
    given = ["plan", "--data", str(tmp_path / "three.npz"), "--share", "0.75"]
    assert main([*given, "--classes", "all", "--out", str(tmp_path / "plans")]) == 0
    lines = capsys.readouterr().out.rstrip().split("\n")
    pairs = [path.name for path in sorted((tmp_path / "plans").iterdir())]
    assert pairs == ["1-vs-0", "2-vs-0", "2-vs-1"]
    assert len(lines) == 6
    for pair, line in zip(pairs, lines, strict=False):
        written = json.loads((tmp_path / "plans" / pair / NUMBERS).read_text("utf-8"))
        one, two = pair.split("-vs-")
        assert f"--classes={one},{two}" in written["command"]
        assert f"mean agreement {written['agreement']:.3f} at T_f = {written['T_f']:.3g}" in line
        assert line.endswith(f"floor {written['floor']:.3f}, limit {written['limit']:.3f}")
        assert main([*given, "--classes", f"{one},{two}"]) == 0
        assert f"mean agreement {written['agreement']:.3f}" in capsys.readouterr().out


def test_a_report_of_deep_networks_takes_the_times_of_its_plan(tmp_path, capsys):
    assert main([*ARGUMENTS, "--share", "0.7", "--depth", "2"]) == 0
    command = shlex.split(capsys.readouterr().out.rstrip().split("\n")[-1])
    more = ["--widths", "16,32", "--seeds", "2", "--num-steps", "2", "--jobs", "1", "--out", str(tmp_path)]
    assert main([*command[1:], *more]) == 0
    plan = reports.plan(DATA, share=0.7, depth=2)
    for row in csv.DictReader((tmp_path / "results.csv").read_text("utf-8").splitlines()):
        trained = [float(row[name]) for name in ("T_f", "T_g", "record.T_f", "record.T_g")]
        assert trained == [plan.T_f, plan.T_g] * 2
    capsys.readouterr()


def test_plan_is_a_frame_and_shows_itself(plan):
    frame = plan.to_frame()
    assert list(frame.columns) == ["T_f", "T_g", "agreement"]
    assert frame["agreement"].tolist() == np.ravel(plan.surface).tolist()
    shown = plan._repr_html_()
    assert "<svg" in shown
    assert "At T_f = " in shown


def test_printed_command_runs(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)
    monkeypatch.setattr(formats, "render", lambda _: "page")
    assert main([*ARGUMENTS, "--share", "0.75", "--negative-slope", "0.25"]) == 0
    command = shlex.split(capsys.readouterr().out.rstrip().split("\n")[-1])
    more = ["--widths", "16,64", "--seeds", "2", "--num-steps", "3", "--out", str(tmp_path)]
    assert command[:2] == ["perturblearn", "report"]
    assert main([*command[1:], *more]) == 0
    plan = reports.plan(DATA, share=0.75, negative_slope=0.25)
    (section,) = schema.read(tmp_path).sections
    names = ("T_f", "T_g", "epsilon", "targets", "negative_slope")
    assert [getattr(section.config, name) for name in names] == [getattr(plan, name) for name in names]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("--share 0.5", "share must lie in (0.5, 1), above the chance of a random sign, got 0.5"),
        ("--share 1", "share must lie in (0.5, 1), above the chance of a random sign, got 1.0"),
        ("--share nan", "share must be finite, got nan"),
        ("--T-f=-1", "T_f must be >= 0, got -1.0"),
        ("--T-g inf", "T_g must be finite, got inf"),
        ("--epsilon 0", "epsilon must be > 0, got 0.0"),
        ("--negative-slope 1", "negative_slope must lie in [0, 1), got 1.0"),
        ("--depth 0", "depth must be >= 1, got 0"),
        ("--points 0", "points must be >= 1, got 0"),
        ("--loss logistic", 'Invalid value "logistic" for --loss. Choose from: "identity".'),
        ("--classes all", "classes 'all' does not apply to data 'shifted-gaussian'"),
    ],
)
def test_bad_questions_are_one_line(line, error, tmp_path, capsys):
    assert main([*ARGUMENTS, *line.split(), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"perturblearn: error: {error}")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_one_sample_rows_of_zeros_and_duplicates_have_plans():
    one = reports.plan(GaussianData(dim=4, num_train=1, num_test=5))
    assert (one.N, one.by_targets) == (1, {})
    X = np.repeat([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]], 4, axis=0)
    y = np.tile([1, 1, 1, -1], 3)
    for points in (X, X[4:]):
        plan = reports.plan(points, y[: len(points)], standardise="none")
        assert np.isfinite(plan.surface).all()
        assert not math.isnan(plan.required["both"].value)


def test_unknown_options_are_named():
    with pytest.raises(TypeError, match=r"reports\.plan has no option 'shares'; it has name, .* share"):
        reports.plan(DATA, shares=0.9)


def test_numbers_too_large_for_the_law_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 3)) * 1e155
    with pytest.raises(FloatingPointError, match="the law is not known: entries of X"):
        reports.plan(X, np.sign(X[:, 0]), standardise="none", epsilon=1.0)
