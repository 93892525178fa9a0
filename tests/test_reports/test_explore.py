"""The interactive page: it computes what `theory` computes, and shows it as samples are moved."""

import html
import itertools
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import empirics
import theory
from empirics.perturb import adversarial_inputs, normalised
from reports import explore, formats
from reports.cli import main
from tests.test_reports.parsed import HTML, content, parse
from theory.deep import Architecture

# Of sums over 30 samples of size up to 10; the page reads Φ from a table of cubics.
TOLERANCE = 1e-12
SLOPES, DEPTHS = (0.0, 0.3, 0.9), (1, 2, 3, 5)


@pytest.fixture(scope="module")
def page():
    return explore.page()


@pytest.fixture(scope="module")
def document(page):
    return parse(page)


@pytest.fixture(scope="module")
def computed(document):
    """Return a function that evaluates JavaScript with the functions of the page, without a browser."""
    if shutil.which("node") is None:
        pytest.skip("no node on this machine")
    (script,) = (one.text for one in document.iter(f"{HTML}script") if one.get("id") == "theory")

    def evaluate(expression, **values):
        known = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
        plain = "ArrayBuffer.isView(v) ? Array.from(v) : Number.isNaN(v) ? 'NaN' : v"
        text = f"{script}\n{known}console.log(JSON.stringify({expression}, (_, v) => {plain}));\n"
        done = subprocess.run(["node"], input=text, capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)

    return evaluate


def scene(seed=0, count=30):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2.5, 2.5, size=(count, 2))
    X[1] = X[0]  # coincident samples, of both classes
    y = np.where(np.arange(count) % 2, -1.0, 1.0)
    return X, y, rng.choice([-1.0, 1.0], size=count), rng


# The file --------------------------------------------------------------------------------------------


def test_page_is_one_file_with_the_expression_in_it(page, document):
    assert theory.phi_code("javascript") in page
    assert re.findall(r"""(?:src|href)=|url\((?!#head)|@import|fetch\(|XMLHttp|import\(""", page) == []
    addresses = set(re.findall(r"\w+://[^\"'\s<)]*", page))
    assert addresses <= {"http://www.w3.org/1998/Math/MathML", "http://www.w3.org/2000/svg"}
    assert page == explore.page()
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_every_control_has_a_label(document):
    labels = {id(control): content(label) for label in document.iter(f"{HTML}label") for control in label}
    controls = list(document.iter(f"{HTML}input"))
    assert [control.get("id") for control in controls if control.get("type") == "range"] == [
        "T_f", "T_g", "epsilon", "depth", "gamma", "width",
    ]  # fmt: skip
    assert all(labels[id(control)] for control in controls)
    assert all(content(button) for button in document.iter(f"{HTML}button"))


# What it computes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", DEPTHS)
def test_phi_and_its_table_match_theory(computed, depth):
    X, _, _, rng = scene(count=30)
    Z = np.vstack(
        [X + 10.0 ** -np.linspace(1, 12, 30)[:, None], rng.uniform(-2.5, 2.5, size=(200, 2)), -40 * X]
    )
    both = computed(
        """slopes.map((gamma) => X.map((x) => {
          const chords = Z.map((z) => Math.hypot(...units(z).map((v, j) => v - units(x)[j])));
          const exact = chords.map((chord) => deepPhi(2 * Math.asin(chord / 2), gamma, depth)[0]);
          const flat = Z.flat();
          return [exact, sums(phiTable(gamma, depth), flat, units(flat), x, [[0, 0, 1, 0, 0, 2]])];
        }))""",
        slopes=SLOPES,
        depth=depth,
        X=X.tolist(),
        Z=Z.tolist(),
    )
    for slope, rows in zip(SLOPES, both, strict=True):
        expected = theory.deep.phi(X, Z, architecture=Architecture(depth=depth, negative_slope=slope))
        for phi, (exact, (once, twice)) in zip(expected, rows, strict=True):
            np.testing.assert_allclose(exact, phi, rtol=0, atol=TOLERANCE)
            np.testing.assert_allclose(once, phi, rtol=0, atol=TOLERANCE)
            np.testing.assert_allclose(twice, 2 * phi, rtol=0, atol=2 * TOLERANCE)


@pytest.mark.parametrize("scenario", ["a", "b"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_predictions_match_theory(computed, depth, scenario):
    X, y, t, rng = scene()
    Z = rng.uniform(-2.5, 2.5, size=(40, 2))
    start, slopes = rng.normal(size=len(Z)), rng.normal(size=X.shape)
    cases = [(slope, T_f) for slope in SLOPES for T_f in (0.7, np.inf)]
    every = computed(
        """cases.map(([gamma, T_f]) => predict(
          {gamma, depth, epsilon: 1.3, T_f: T_f ?? Infinity, T_g: 2, added},
          {X, y, t}, Z, units(Z), phiTable(gamma, depth), start))""",
        cases=[(slope, None if np.isinf(T_f) else T_f) for slope, T_f in cases],
        depth=depth,
        added=scenario == "b",
        X=X.ravel().tolist(),
        y=y.tolist(),
        t=t.tolist(),
        Z=Z.ravel().tolist(),
        start={"values": start.tolist(), "gradients": slopes.ravel().tolist()},
    )
    for (slope, T_f), found in zip(cases, every, strict=True):
        of = {"architecture": Architecture(depth=depth, negative_slope=slope)}
        R = normalised(theory.perturbation_direction(X=X, y=y, **of) + slopes / T_f, t, epsilon=1.3)
        inputs = adversarial_inputs(X, R, scenario=scenario)
        f_b = theory.f_predict(Z, X=X, y=y, **of)
        g_b = theory.g_predict(Z, X_adv=inputs, y_adv=t, **of)
        f, deviation = f_b + start / T_f, theory.initial_deviation(Z, **of)
        expected = {
            "R": R.ravel(),
            "f": f,
            "f_b": f_b,
            "g_b": g_b,
            "f_hat": theory.f_hat(Z, X=X, y=y, **of),
            "g_hat": theory.g_hat(Z, X=X, y=y, X_adv=inputs, **of),
            "agreement": theory.agreement_probability(f, g_b, deviation, T_g=2.0),
        }
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=0, atol=TOLERANCE, err_msg=name)


def clusters(seed=0, count=24):
    """Return samples that are learned, unlike those of `scene`, with targets, perturbations and points."""
    rng = np.random.default_rng(seed)
    y, t = np.where(np.arange(count) % 2, 1.0, -1.0), rng.choice([-1.0, 1.0], size=count)
    X = np.outer(y, [1, 0.6]) + 0.4 * rng.normal(size=(count, 2))
    X[2] = X[0]
    R = normalised(theory.perturbation_direction(X=X, y=y), t, epsilon=1.4)
    return X, y, t, R, rng.uniform(-2.5, 2.5, size=(60, 2))


@pytest.mark.parametrize("scenario", ["a", "b"])
def test_certificates_are_those_of_theory(computed, scenario):
    """Bounds to rounding, verdicts exactly; some are proved and some are not."""
    X, y, t, R, Z = clusters()  # times of f and g differ
    inputs = adversarial_inputs(X, R, scenario=scenario)
    cases = [(slope, T, 10**power) for slope in SLOPES for T in (3.0, 30.0) for power in (4, 6, 9)]
    every = computed(
        """cases.map(([gamma, T, width]) => {
          const at = (points, labels, T) => {
            const bound = margins(points, labels, {gamma, T, width, risk: .005});
            return Z.map(([a, b]) => bound(a, b));
          };
          const of = {gamma, depth: 1, T_f: T, T_g: T / 3, width, added};
          return [at(X, y, T), at(inputs, t, T / 3), certify(of, {X, y, t}, R, Z.flat(), .01)];
        })""",
        cases=cases,
        added=scenario == "b",
        X=X.ravel().tolist(),
        y=y.tolist(),
        t=t.tolist(),
        R=R.ravel().tolist(),
        inputs=inputs.ravel().tolist(),
        Z=Z.tolist(),
    )
    names = {"unknown": 0, "agree": 1, "disagree": -1}
    shares = []
    for (slope, T, width), (of_f, of_g, verdicts) in zip(cases, every, strict=True):
        times = {"T_f": T, "T_g": T / 3}
        setting = theory.Setting(
            dim=2, N=len(X), width=width, epsilon=1.4, scenario=scenario, negative_slope=slope, **times
        )
        sets = {"X": X, "y": y, "X_adv": inputs, "y_adv": t}
        expected = theory.certify_agreement(Z, **sets, setting=setting, delta=0.01)
        for found, one in ((of_f, expected.f), (of_g, expected.g)):
            predicted, bound = np.transpose(found)
            np.testing.assert_allclose(predicted, one.predictor, rtol=0, atol=TOLERANCE)
            np.testing.assert_allclose(bound, one.bound.value, rtol=TOLERANCE)
        assert verdicts == [names[one] for one in expected.verdicts]
        shares.append(np.mean(np.abs(verdicts)))
    assert min(shares) == 0
    assert max(shares) > 0.7


@pytest.mark.parametrize("option", [{"depth": 2}, {"T_f": None}, {"T_g": None}, {"y": []}])
def test_nothing_is_certified_beyond_the_theorem(computed, option):
    X, y, t, R, Z = clusters()
    given = {"gamma": 0.3, "depth": 1, "T_f": 30, "T_g": 30, "width": 1e9, "added": False, "y": y.tolist()}
    found = computed(
        """[known, asked].map((of) => certify({...of, T_f: of.T_f ?? Infinity, T_g: of.T_g ?? Infinity},
          {X, y: of.y, t}, R, Z, .01))""",
        known=given,
        asked=given | option,
        X=X.ravel().tolist(),
        t=t.tolist(),
        R=R.ravel().tolist(),
        Z=Z.ravel().tolist(),
    )
    assert any(found[0])
    assert not any(found[1])


def test_normal_distribution_matches_theory(computed):
    x = np.linspace(-12, 12, 97)
    expected = theory.agreement_probability(np.ones_like(x), x, np.ones_like(x), T_g=1.0)
    found = computed("[NaN, Infinity, -Infinity, ...x].map(normal)", x=x.tolist())
    assert found[:3] == ["NaN", 1, 0]
    np.testing.assert_allclose(found[3:], expected, rtol=0, atol=1e-15)


def test_coincident_samples_and_infinite_times_give_numbers(computed):
    found = computed(
        """predict({gamma: 0, depth: 5, epsilon: 1, T_f: Infinity, T_g: Infinity, added: false},
          {X, y: [1, -1, 1, 1], t: [1, 1, -1, 1]}, X, units(X), phiTable(0, 5), {values: X, gradients: X})""",
        X=[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
    )
    assert {type(value) for values in found.values() for value in values} <= {int, float}  # no "NaN"
    # The two samples at 0 cancel, and the other two decide.
    assert found["f_b"][0] == found["f_b"][1] > 0


@pytest.mark.parametrize("targets", [(1, 1), (1, -1)])
def test_where_nothing_is_learned_signs_agree_with_an_even_chance(computed, targets):
    """Samples that cancel have no gradient and no perturbation, and f = 0 everywhere."""
    found = computed(
        """predict({gamma: 0, depth: 1, epsilon: 1, T_f: Infinity, T_g: Infinity, added: true},
          {X: [1, 2, 1, 2], y: [1, -1], t}, X, units(X), phiTable(0, 1), {values: X, gradients: X})""",
        X=[1.0, 2.0, -1.0, 0.0],
        t=targets,
    )
    assert found["R"] == [0, 0, 0, 0]
    assert found["f_b"] == [0, 0]
    assert (found["g_b"] == [0, 0]) == (targets == (1, -1))
    assert found["agreement"] == [0.5, 0.5]


def _initial(weights, slope, points):
    """Outputs at rows of points, by numpy: variances of He but for the first layer and the readout."""
    h = np.column_stack([points / np.sqrt(2), np.ones(len(points))])
    for place, flat in enumerate(weights):
        W = np.reshape(flat, (-1, h.shape[1]))
        last = place == len(weights) - 1
        variance = 1 if place == 0 else (1 if last else 2 / (1 + slope**2)) / h.shape[1]
        u = np.sqrt(variance) * h @ W.T
        h = u if last else np.where(u < 0, slope * u, u)
    return h[:, 0]


@pytest.mark.parametrize("depth", [1, 3])
def test_initial_network_and_its_gradient(computed, depth):
    points = scene()[0][:5]
    weights, found = computed(
        "[network(3, depth, 16), points.map(([a, b]) => initial(network(3, depth, 16), 0.2, a, b, 3))]",
        depth=depth, points=points.tolist(),
    )  # fmt: skip
    found = np.array(found)
    np.testing.assert_allclose(found[:, 0], _initial(weights, 0.2, points), rtol=0, atol=1e-13)
    # Linear between kinks: differences are exact but for rounding, 1e-16/1e-6.
    for axis, step in enumerate(1e-6 * np.eye(2)):
        change = (_initial(weights, 0.2, points + step) - _initial(weights, 0.2, points - step)) / 2e-6
        np.testing.assert_allclose(found[:, 1 + axis], change, rtol=0, atol=1e-8)


@pytest.mark.parametrize("depth", [1, 3])
def test_initial_outputs_have_the_deviation_of_theory(computed, depth):
    outputs = computed(
        "Array.from({length: 2000}, (_, i) => initial(network(i + 1, depth, 16), 0.2, 1, -2, 1)[0])",
        depth=depth,
    )
    expected = theory.initial_deviation(
        [1.0, -2.0], architecture=Architecture(depth=depth, negative_slope=0.2)
    )
    squares = np.square(outputs)
    # Five standard errors: fails for one seed in 2 million if the law holds; seeds are fixed.
    assert abs(squares.mean() - expected**2) < 5 * squares.std() / np.sqrt(2000)
    assert abs(np.mean(outputs)) < 5 * np.std(outputs) / np.sqrt(2000)


# The command ------------------------------------------------------------------------------------------


def _table(path, dim, rows=12):
    X = np.random.default_rng(0).normal(size=(rows, dim))
    path.write_text("".join(f"{','.join(map(str, row))},{'no' if row[0] < 0 else 'yes'}\n" for row in X))
    return str(path)


@pytest.mark.parametrize(("rows", "said"), [(12, ""), (200, "samples: 100 of 140, drawn at random\n")])
def test_samples_of_a_file_are_those_to_start_from(tmp_path, capsys, rows, said):
    path, out = _table(tmp_path / "<b>two.csv", 2, rows), tmp_path / "page.html"
    assert main(["explore", "--data", path, "--classes", "no,yes", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{said}page:    {out}\n"
    page = out.read_text(encoding="utf-8")
    (button,) = (one for one in parse(page).iter(f"{HTML}button") if one.get("data-start") == "own")
    assert content(button) == "<b>two"
    data = empirics.FileData(path=path, classes=("no", "yes")).load(0)
    (samples,) = re.findall(r"const OWN = (.*);", page)
    expected = np.column_stack([data.X, data.y])[: explore.MOST]
    assert json.loads(samples) == expected.tolist()


def test_gaussian_data_have_two_dimensions_and_a_plane_that_holds_them(tmp_path):
    out = tmp_path / "page.html"
    assert main(["explore", "--data", "gaussian", "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    X = empirics.GaussianData(dim=2, num_train=explore.MOST).load(0).X
    (reach,) = re.findall(r"REACH = ([0-9.]+)", page)
    assert float(reach) == pytest.approx(1.1 * np.abs(X).max())
    assert re.findall(r"REACH = ([0-9.]+)", explore.page()) == ["2.5"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "{three}"], "data must have 2 features, the axes of the plane, got 3 in three"),
        (["--data", "digits"], "data must have 2 features, the axes of the plane, got 64 in digits"),
        (["--data", "gaussian", "--classes", "a,b"], "classes does not apply to data 'gaussian'"),
        (["--data", "nothing"], "data must be digits, "),
        (["--label", "1", "--drop-missing"], "label and drop-missing must come with --data, got none"),
        (["--out", "page.htm"], "out must end in .html, got 'page.htm'"),
    ],
)
def test_bad_input_is_one_line_and_no_page(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    options = [option.format(three=_table(tmp_path / "three.csv", 3)) for option in options]
    before = sorted(tmp_path.iterdir())
    assert main(["explore", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"perturblearn: error: {message}")
    assert captured.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


# In a browser -----------------------------------------------------------------------------------------

# Does what a user does, and leaves what the page says then in an element.
_USER = """
<script>
const seen = {}, errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("load", () => {
  act();
  const result = document.body.appendChild(document.createElement("pre"));
  const resources = performance.getEntriesByType("resource").map((one) => one.name);
  result.id = "result";
  result.textContent = JSON.stringify({seen, errors, resources});
});
function act() {
  const tens = Array.from({length: 11}, (_, i) => 10 * (i + 1));
  const look = () => ({
    headline: $("headline").textContent, story: $("story").textContent, law: $("law").textContent,
    proof: $("proof").textContent,
    samples: [...document.querySelectorAll(".sample")].map((one) => one.getAttribute("aria-label")),
    arrows: [...document.querySelectorAll("#arrows line")].map((one) =>
      ["x1", "y1", "x2", "y2"].map((name) => Number(one.getAttribute(name)))),
    known: read(),
    red: tens.map((j) => tens.map((i) => paint.getImageData(6 * i, 720 - 6 * j, 1, 1).data[0])),
    shade: [...paint.getImageData(0, 0, 720, 720).data].reduce((sum, v, i) => (sum * 31 + v) % 1000003, 7),
  });
  // The page is dumped once it is loaded: the frame that was asked for is drawn without waiting for it.
  const see = (name) => {
    if (!due && name !== "start") errors.push(`nothing is drawn after ${name}`);
    cancelAnimationFrame(due);
    frame();
    seen[name] = look();
  };
  const point = ([a, b]) => {
    const {left, top, width, height} = svg.getBoundingClientRect();
    const clientX = left + width * (a / 2.5 + 1) / 2, clientY = top + height * (1 - b / 2.5) / 2;
    return {bubbles: true, pointerId: 1, clientX, clientY};
  };
  const mouse = (type, target, place) => target.dispatchEvent(new PointerEvent(type, point(place)));
  const key = (key, shiftKey = false) =>
    samples.at(-1).group.dispatchEvent(new KeyboardEvent("keydown", {key, shiftKey, bubbles: true}));
  const slide = (id, value) => {
    $(id).value = value;
    $(id).dispatchEvent(new Event("input", {bubbles: true}));
  };
  const click = (selector) => document.querySelector(selector).click();
  const finger = () => new Event("touchstart", {cancelable: true, bubbles: true});
  const scrolls = (target) => target.dispatchEvent(finger());
  see("start");
  const drawn = begin(0.3, 2, new Float64Array([1, -2])), gaps = [0, 0];
  for (let j = 0; j < GRID; j++) for (let i = 0; i < GRID; i++) {
    const [exact] = initial(cached.layers, 0.3, place(i), place(j), 1), kind = i % 4 || j % 4 ? 1 : 0;
    gaps[kind] = Math.max(gaps[kind], Math.abs(drawn.values[j * GRID + i] - exact));
  }
  seen.start.gaps = gaps;
  seen.start.own = [[drawn.values.at(-1), ...drawn.gradients], initial(cached.layers, 0.3, 1, -2, 3)];
  seen.start.scrolls = [scrolls(svg), scrolls(samples[0].group)];
  for (const type of ["mouse", "touch"]) {
    const one = samples[0].group.querySelector(".reach");
    mouse("pointerdown", one, samples[0].x);
    mouse("pointermove", svg, [0.1, -0.2]);
    mouse("pointermove", svg, type === "mouse" ? [-1.5, 2] : [9, -0.5]);
    mouse(type === "mouse" ? "pointerup" : "pointercancel", svg, [9, 9]);
    mouse("pointermove", svg, [0, 0]);
    see(type);
  }
  slide("width", 8); see("width"); slide("width", 3); see("narrow"); slide("width", 6);
  click("input[name=mode][value='-1']");
  mouse("click", svg, [1, -1]);
  see("added");
  for (const args of [["ArrowLeft"], ["ArrowUp", true]]) key(...args);
  see("steps");
  key("Enter");
  see("keys");
  key("Delete");
  click("input[name=mode][value=remove]");
  seen.keys.scrolls = scrolls(samples[0].group);
  mouse("click", samples[0].group.querySelector(".reach"), samples[0].x);
  see("removed");
  click("[data-start=xor]"); slide("T_f", 3); slide("T_g", 3); click("#show_f"); click("#show_g_b");
  see("xor");
  click("input[name=balanced][value='1']"); key("+"); see("balanced");
  const values = {gamma: 0.5, depth: 3, epsilon: 0.3, T_f: 0.5, T_g: 0};
  for (const [id, value] of Object.entries(values)) { slide(id, value); see(id); }
  click("input[name=added][value='1']"); see("b");
  click("#again"); see("again");
  click("[data-start=ring]"); see("ring");
  for (const one of samples.slice(1)) { move(one, [0, 0]); }
  move(samples[0], [0, 0]); see("coincident");
  for (const one of samples.slice()) remove(one);
  see("none");
}
</script>
"""


@pytest.fixture(scope="module")
def seen(page, tmp_path_factory):
    found = [path for name in formats.BROWSERS if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium on this machine")
    folder = tmp_path_factory.mktemp("browser")
    (folder / "page.html").write_text(page.replace("</body>", f"{_USER}</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    options += [f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    address = (folder / "page.html").as_uri()
    done = subprocess.run([found[0], *options, address], capture_output=True, timeout=120, check=True)
    (result,) = re.findall(r'<pre id="result">(.*)</pre>', done.stdout.decode())
    return json.loads(html.unescape(result))


def _share(state):
    return int(re.search(r"g agrees with f on (\d+) % of this plane", state["headline"])[1])


@pytest.mark.slow
def test_browser_moves_adds_and_removes_samples(seen):
    states = seen["seen"]
    assert (seen["errors"], seen["resources"]) == ([], [])
    first = states["start"]["samples"]
    assert len(first) == 24
    assert first[0].startswith("Sample 1 of class minus at ")
    # A finger on a sample does not scroll the page, unless it removes the sample.
    assert (states["start"]["scrolls"], states["keys"]["scrolls"]) == ([True, False], True)
    # Followed until the pointer is let go, within the plane.
    assert states["mouse"]["samples"] == ["Sample 1 of class minus at -1.50, 2.00", *first[1:]]
    assert states["touch"]["samples"] == ["Sample 1 of class minus at 2.50, -0.50", *first[1:]]
    assert states["added"]["samples"] == [
        *states["touch"]["samples"],
        "Sample 25 of class minus at 1.00, -1.00",
    ]
    assert states["keys"]["samples"][24:] == ["Sample 25 of class plus at 0.95, -0.75"]
    assert [one.split("class")[1] for one in states["removed"]["samples"]] == [
        one.split("class")[1] for one in first[1:]
    ]


@pytest.mark.slow
def test_browser_says_and_shades_what_changes(seen):
    states = seen["seen"]
    assert all("NaN" not in json.dumps(state) for state in states.values())
    for one, other in itertools.pairwise(states):
        if other != "none":
            assert states[one]["shade"] != states[other]["shade"], other
            changed = states[one]["arrows"] != states[other]["arrows"]
            # Perturbations depend neither on g nor on the width of certificates.
            assert changed == (other not in {"T_g", "b", "width", "narrow"}), other
    assert _share(states["start"]) > 90
    assert "classifies 24 of 24 correctly. g, trained on perturbations" in states["start"]["story"]
    # f learns XOR, and perturbations alone say next to nothing of it: they are odd, XOR is even.
    assert "f, trained on the samples, classifies 24 of 24 correctly" in states["xor"]["story"]
    assert _share(states["xor"]) < 75
    assert "trained for infinite time" in states["xor"]["law"]
    assert "random network with 48 neurons a layer (seed 1)" in states["T_f"]["law"]
    assert "the samples plus perturbations" in states["b"]["story"]
    assert "(seed 2)" in states["again"]["law"]
    assert states["none"]["headline"] == "Add samples: f has nothing to learn"


@pytest.mark.slow
def test_browser_shows_what_theory_predicts(seen):
    state = seen["seen"]["xor"]
    setting, data = state["known"]
    assert (setting["T_f"], setting["T_g"], setting["epsilon"]) == (None, None, 1.4)  # JSON has no infinity
    X = np.reshape([data["X"][str(i)] for i in range(len(data["X"]))], (-1, 2))
    of = {"X": X, "y": data["y"]}
    ticks = np.linspace(-2.5, 2.5, 121)
    Z = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    R = normalised(theory.perturbation_direction(**of), np.array(data["t"]), epsilon=1.4)
    # From the samples along a third of the perturbations, downwards as in SVG.
    expected = np.hstack([X, X + R / 3]) * [1, -1, 1, -1] * 120 + 300
    np.testing.assert_allclose(state["arrows"], expected, rtol=0, atol=1e-9)
    g_b = theory.g_predict(Z, X_adv=R, y_adv=data["t"])
    same = (theory.f_predict(Z, **of) * g_b > 0).reshape(121, 121)
    assert _share(state) == round(100 * same.mean())
    # Agreement is green, of little red.  Nodes at a boundary, where colours are mixed, are left out.
    inner = [np.roll(same, step, axis=(0, 1)) for step in itertools.product((-1, 0, 1), repeat=2)]
    clear = np.all(inner == same, axis=0)[10:120:10, 10:120:10]
    assert clear.mean() > 0.8
    red = np.array(state["red"])
    np.testing.assert_array_equal(red[clear] < 180, same[10:120:10, 10:120:10][clear])


@pytest.mark.slow
def test_browser_interpolates_the_initial_outputs(seen):
    at_nodes, between = seen["seen"]["start"]["gaps"]
    assert at_nodes == 0
    assert 0 < between < 0.03  # of a function of deviation .7 and more, with kinks
    own, exact = seen["seen"]["start"]["own"]
    assert own == exact


@pytest.mark.slow
def test_browser_marks_what_is_certified(seen):
    states = seen["seen"]

    def share(name):
        assert "each verdict is wrong with a probability of at most 0.01" in states[name]["proof"]
        return int(re.search(r"agreement is certified at (\d+) % of 441 points", states[name]["proof"])[1])

    assert share("narrow") == 0 < share("start") < share("width")
    assert "For networks of width m = 1e8 " in states["width"]["proof"]
    assert states["xor"]["proof"] == "There are certificates for finite training times only."
    assert states["b"]["proof"] == "There are certificates for one hidden layer only."
    setting, data = states["width"]["known"]
    X = np.reshape([data["X"][str(i)] for i in range(len(data["X"]))], (-1, 2))
    ticks = np.linspace(-2.5, 2.5, 21)
    Z = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    # Arrows are a third of the perturbations, downwards as in SVG.
    x1, y1, x2, y2 = np.transpose(states["width"]["arrows"]) / 120
    R = 3 * np.column_stack([x2 - x1, y1 - y2])
    of = {"dim": 2, "N": len(X), "width": 10**8, "epsilon": setting["epsilon"]}
    proof = theory.certify_agreement(
        Z, X=X, y=data["y"], X_adv=R, y_adv=data["t"], delta=0.01,
        setting=theory.Setting(T_f=setting["T_f"], T_g=setting["T_g"], **of),
    )  # fmt: skip
    assert share("width") == round(100 * np.mean([one == "agree" for one in proof.verdicts]))


@pytest.mark.slow
def test_browser_balances_targets(seen):
    *_, t = seen["seen"]["xor"]["known"][1].values()
    assert len(t) == 24
    *_, t = seen["seen"]["balanced"]["known"][1].values()
    assert (len(t), sum(t)) == (25, 1)  # one more +1 if odd, as in `draw_targets`
