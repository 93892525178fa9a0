"""The page of a sweep: made by the command, equal to its numbers, whole on its own."""

import hashlib
import html
import json
import math
import re
import shutil
import subprocess
import sys
import types
from importlib import resources

import html5lib
import pytest
from msgspec import convert, structs

from empirics.campaigns import readings
from empirics.campaigns.wide import METRICS, Part
from empirics.data import images
from empirics.data.idx import FILES
from empirics.sweep.outcome import Outcome
from empirics.sweep.store import ResultFolder
from reports.claims.sweeps.rows import SweepResults
from reports.cli import main
from reports.sweeps.page import page_of, read_parts, write_page
from tests.test_reports.parsed import content

SERIAL = ["--executor", "serial"]
T_F = ["sweep", "--published", "msg-a", "--sweeps", "T_f", "--seeds", "2", "--solver", "flow", *SERIAL]
FIELDS = ["sweep", "--data", "gaussian", "--set", "data.dim=3", "--set", "data.num_train=4"]
HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def families(monkeypatch):
    """Tasks that cost nothing: accuracies from the fields; `stops` ends the sweep in their midst."""
    module = types.ModuleType("empirics.families")
    module.ran, module.stops, module.empty = 0, None, False

    def run_family(configs, *, device):
        for index, config in enumerate(configs):
            module.ran += 1
            if module.ran == module.stops:
                raise KeyboardInterrupt
            value = 0.5 + 0.01 * config.seed + min(config.T_f, 40) / 100
            columns = [*METRICS.values(), *(f"predicted_{name}" for name in METRICS.values())]
            record = dict.fromkeys(columns, value) | {"free_f": 0.3, "flipped_f": 0.1, "tau_f": 0.7}
            yield index, Outcome(record={"value": 1.0} if module.empty else record)

    module.run_family = run_family
    module.family_key = lambda config: f"{config.width} {config.T_f} {config.T_g} {config.seed}"
    monkeypatch.setitem(sys.modules, "empirics.families", module)
    return module


@pytest.fixture
def out(tmp_path):
    return tmp_path / "sweep"


def numbers(folder):
    return json.loads((folder / "report.json").read_text("utf-8"))


def parsed(folder):
    page = (folder / "report.html").read_text("utf-8")
    return html5lib.HTMLParser(strict=True, tree=html5lib.getTreeBuilder("etree")).parse(page)


# The command -------------------------------------------------------------------------------------------


def test_published_block_becomes_results_and_a_page(families, out, capsys):
    assert main([*T_F, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"page:    {out / 'report.html'}\n" in said
    assert read_parts(out) == (Part(kind="published", name="msg-a", seeds=2, sweeps=("T_f",), solver="flow"),)
    results = numbers(out)
    (section,) = results["sections"]
    (panel,) = section["panels"]
    assert [point["x"] for point in panel["points"]] == list(range(1, 11))
    assert results["totals"] == {"configurations": 40, "done": 40, "failed": 0, "missing": 0}
    for point in panel["points"]:
        assert point["totals"]["configurations"] == 4
        for series, cell in point["metrics"].items():
            reading = readings()["MSG_a", "T_f", point["x"], series]
            assert (cell["published"], cell["error"]) == (reading.value, reading.error)


def test_finished_folder_is_rebuilt_to_the_same_bytes(families, out, capsys):
    assert main([*T_F, "--out", str(out)]) == 0
    written = {name: (out / name).read_bytes() for name in ("report.html", "report.json", "plan.json")}
    (out / "report.html").unlink()
    assert main(["sweep", *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    assert {name: (out / name).read_bytes() for name in written} == written
    assert families.ran == 40


def test_study_is_remembered_through_an_interruption(families, out, capsys):
    families.stops = 8
    command = ["sweep", "--study", "lazy", "--seeds", "3", *SERIAL, "--out", str(out)]
    assert main(command) == 130
    assert not (out / "report.html").exists()
    assert main(["sweep", *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    assert [section["title"] for section in numbers(out)["sections"]] == ["Study lazy"]
    assert families.ran == 8 + 15 - 7


@pytest.mark.usefixtures("no_drawings")
def test_parts_are_merged_like_plans(families, out, capsys):
    lazy = ["sweep", "--study", "lazy", "--seeds", "1", *SERIAL, "--out", str(out)]
    some = ["--sweeps", "shifted Gaussian", "--seeds", "1"]
    other = ["sweep", "--study", "width", *some, *SERIAL, "--out", str(out)]
    assert main(lazy) == 0
    assert main(other) == 2
    assert len(read_parts(out)) == 1  # a plan that is refused leaves no trace
    assert main([*other, "--merge"]) == 0
    assert [part.name for part in read_parts(out)] == ["lazy", "width"]
    assert main([*FIELDS, "--axis", "width=3,4", "--merge", *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    titles = [section["title"] for section in numbers(out)["sections"]]
    assert titles == ["Study lazy", "Study width", "Other configurations of the plan"]


@pytest.mark.usefixtures("no_drawings")
@pytest.mark.parametrize("merge", [[], ["--merge"]])
def test_more_seeds_take_the_place_of_fewer(families, out, capsys, merge):
    assert main(["sweep", "--study", "lazy", "--seeds", "1", *SERIAL, "--out", str(out)]) == 0
    assert main(["sweep", "--study", "lazy", "--seeds", "2", *merge, *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    assert read_parts(out) == (Part(kind="study", name="lazy", seeds=2),)


def test_blocks_and_studies_have_ten_seeds(families, out, capsys):
    assert main(["sweep", "--study", "lazy", *SERIAL, "--dry-run", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("50 configurations")


@pytest.mark.parametrize(
    ("solver", "fields"),
    [("flow", ("flow", 0)), ("gd", ("gd", 0)), ("gd-momentum", ("gd", 0.9))],
)
@pytest.mark.usefixtures("no_drawings")
def test_solver_sets_fields_of_a_plain_sweep(families, out, capsys, solver, fields):
    assert main([*FIELDS, "--solver", solver, "--axis", "width=3", *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    (row,) = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    assert (row["solver"], row["momentum"]) == fields


@pytest.mark.parametrize(
    ("flags", "solver"), [([], "gd"), (["--solver", "gd"], "gd"), (["--solver", "flow"], "flow")]
)
@pytest.mark.usefixtures("no_drawings")
def test_solver_of_a_published_block(families, out, capsys, flags, solver):
    command = ["sweep", "--published", "msg-a", "--sweeps", "slope", "--seeds", "1", "--balanced", *flags]
    assert main([*command, *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    assert {(row["solver"], row["momentum"], row["targets"]) for row in rows} == {
        (solver, 0.9 if solver == "gd" else 0, "balanced")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--published", "msg-c"], 'Invalid value "msg-c" for --published. Choose from: "msg-a"'),
        (["--published", "msg-a", "--sweeps", "q"], "sweeps must be one of d, "),
        (
            ["--published", "msg-a", "--size", "tiny"],
            'Invalid value "tiny" for --size. Choose from: "full", "small".',
        ),
        (
            ["--published", "msg-a", "--solver", "adam"],
            'Invalid value "adam" for --solver. Choose from: "flow", "gd", "gd-momentum".',
        ),
        (["--published", "msg-a", "--solver", "gd-momentum"], "its gd has momentum .9 already"),
        (["--published", "msg-a", "--seeds", "0"], "seeds must be >= 1, got 0"),
        (["--published", "msg-a", "--study", "lazy"], "sweep must be one of --published, --study"),
        (["--study", "lazy", "--axis", "width=3"], "sweep must be one of --published, --study"),
        (["plan.toml", "--study", "lazy"], "sweep must be one of --published, --study"),
        (["--study", "lazy", "--solver", "flow"], "--solver must come with --published or --data or"),
        (["--study", "lazy", "--balanced"], "--balanced must come with --published"),
        (["--study", "deep"], 'Invalid value "deep" for --study. Choose from: "dimension"'),
        (["--sweeps", "d"], "--sweeps must come with --published or --study"),
        (["--size", "small"], "--size must come with --published"),
        (["plan.toml", "--solver", "gd"], "--solver must come with --published or --data"),
        ([*FIELDS[1:], "--set", "solver=gd", "--solver", "flow"], "each field once, got 'solver=gd'"),
    ],
)
def test_bad_input_is_one_line(families, out, capsys, arguments, message):
    assert main(["sweep", *arguments, *SERIAL, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("about", "what"),
    [
        (None, "got one of an older version"),  # with a parts.json
        ({"kind": "study", "name": "lazy"}, "got one of an older version"),
        ({"parts": [{"kind": "study"}]}, "plan.json is not what was written"),
        ({"parts": [{"kind": "study", "name": "q"}]}, "plan.json is not what was written"),
        ({"parts": [{"kind": "study", "name": "lazy", "depth": 2}]}, "plan.json is not what was written"),
    ],
)
@pytest.mark.usefixtures("no_drawings")
def test_folder_that_says_otherwise_what_it_holds_is_told(families, out, capsys, about, what):
    assert main([*T_F, "--out", str(out)]) == 0
    store = ResultFolder(out)
    store.write_plan({**store.read_plan(), "about": about})
    (out / "parts.json").write_text('{"parts": []}', encoding="utf-8")
    for flags in ([], ["--study", "lazy", "--merge"]):
        capsys.readouterr()
        assert main(["sweep", *flags, *SERIAL, "--out", str(out)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert what in line
    assert main([*T_F, "--out", str(out)]) == 0
    assert [part.name for part in read_parts(out)] == ["msg-a"]


def test_page_needs_a_sweep(tmp_path):
    with pytest.raises(ValueError, match="folder must hold a plan of wide or deep or laws experiments"):
        write_page(tmp_path)


def test_real_networks_from_fields_to_page(out, capsys):
    """The columns that a sweep records are those that the page reads."""
    sizes = ["--set", "data.dim=3", "--set", "data.num_train=8", "--set", "data.num_test=20"]
    axes = ["--axis", "width=8,16", "--seeds", "2", "--solver", "flow", "--set", "T_g=5"]
    assert main(["sweep", "--data", "shifted-gaussian", *sizes, *axes, *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    results = numbers(out)
    (panel,) = results["sections"][0]["panels"]
    for point in panel["points"]:
        for series, column in METRICS.items():
            expected = {str(row["seed"]): row[column] for row in rows if row["width"] == point["x"]}
            assert point["metrics"][series]["values"] == expected
            assert point["predicted"][series] is not None
        assert all(value is not None for value in point["regime"].values())
    chosen, *by_rate = results["sections"][0]["explained"]
    assert [row["n"] for row in chosen["predictions"]] == [4] * 9
    assert sum(one["total"] for one in by_rate) == 4  # of each run both τ are known


# The page ----------------------------------------------------------------------------------------------


def shown_numbers(text):
    """Return numbers as (value, half a unit of the last digit shown)."""
    found = []
    for word in re.findall(r"−?\d+(?:\.\d+)?(?:e-?\d+)?", text):
        digits, _, power = word.replace("−", "-").partition("e")
        places = len(digits.partition(".")[2]) - int(power or 0)
        found.append((float(word.replace("−", "-")), 0.5 * 10.0**-places))
    return found


def same(shown, expected):
    known = [value for value in expected if value is not None]
    assert len(shown) == len(known)
    for (value, half), exact in zip(shown, known, strict=True):
        assert abs(value - exact) <= half * (1 + 1e-9)


def test_numbers_of_the_point_tables_are_those_of_the_file(families, out, capsys):
    assert main([*T_F, "--out", str(out)]) == 0
    capsys.readouterr()
    (panel,) = numbers(out)["sections"][0]["panels"]
    table, _ = [t for t in parsed(out).iter(f"{HTML}table") if t.get("class") == "points"]
    rows = list(table.iter(f"{HTML}tr"))[1:]
    assert len(rows) == len(panel["points"])
    outside = 0
    for row, point in zip(rows, panel["points"], strict=True):
        head, *cells = [content(cell) for cell in row]
        assert float(head) == point["x"]
        for index, series in enumerate(METRICS):
            cell = point["metrics"][series]
            same(shown_numbers(cells[2 * index]), [cell[name] for name in ("mean", "sd", "min", "max")])
            same(shown_numbers(cells[2 * index + 1]), [cell["published"], cell["error"]])
            assert ("outside" in cells[2 * index + 1]) == (cell["inside"] is False)
            outside += cell["inside"] is False
        assert cells[-2:] == ["2", "0 of 4"]
    assert outside > 0


def test_numbers_of_the_other_tables_are_those_of_the_file(families, out, capsys):
    assert main([*T_F, "--out", str(out)]) == 0
    capsys.readouterr()
    results = numbers(out)
    (section,) = results["sections"]
    tables = {content(next(t.iter(f"{HTML}th"))): t for t in parsed(out).iter(f"{HTML}table")}
    compared = [[content(cell) for cell in row] for row in tables["values"].iter(f"{HTML}tr")][1:]
    expected = [*section["published"]["by_metric"].values(), *section["published"]["by_sweep"].values()]
    for (_, *cells), row in zip(compared, [*expected, section["published"]["all"]], strict=True):
        columns = ("inside", "count", "expected", "p_value", "not_compared")
        same(shown_numbers(" ".join(cells)), [row[name] for name in columns])
    explained = [[content(cell) for cell in row] for row in tables["runs"].iter(f"{HTML}tr")][1:]
    pairs = [(c["runs"], p) for c in section["explained"] for p in c["predictions"] if p["n"]]
    for (runs, name, *cells), (label, row) in zip(explained, pairs, strict=True):
        assert (runs, name) == (label, row["name"])
        same(shown_numbers(" ".join(cells)), [row[key] for key in ("n", "correlation", "mean_error")])
    for card, claim in zip(parsed(out).iter(f"{HTML}article"), results["claims"], strict=True):
        statement, measured, _ = map(content, card)
        assert statement.removeprefix(f"{claim['verdict']} ") == claim["statement"]
        assert measured.endswith(claim["measured"])


def test_page_is_whole_on_its_own(families, out, capsys):
    assert main([*T_F, "--out", str(out)]) == 0
    study = ["sweep", "--study", "lazy", "--seeds", "2", "--merge"]
    assert main([*study, *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    document = parsed(out)  # strict: any error of syntax raises
    for name in ("script", "link", "img", "iframe", "object", "embed"):
        assert not list(document.iter(f"{HTML}{name}"))
    for element in document.iter():
        for name, value in element.attrib.items():  # links to papers are links
            linked = element.tag == f"{HTML}a" and re.match(r"https://arxiv\.org/abs/[\d.]+$", value)
            assert linked or name.endswith("xmlns") or not re.match(r"(https?:)?//", value)
    identifiers = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    figures = list(document.iter(f"{HTML}figure"))
    panels = sum(len(section["panels"]) for section in numbers(out)["sections"])
    # Panels and regimes, scatters of both parts, and all sweeps of the study in one.
    assert len(figures) == 2 * panels + 2 * 2 + 1
    for figure in figures:
        (drawing,) = figure.iter(f"{SVG}svg")
        assert drawing.get("role") == "img"
        assert len(drawing.get("aria-label")) > 30
        caption = [content(one) for tag in ("figcaption", "details") for one in figure.iter(f"{HTML}{tag}")]
        assert len(caption[0]) > 30
    links = [link.get("href") for link in document.iter(f"{HTML}a") if link.get("class") != "csv"]
    papers = {link for link in links if link.startswith("https://arxiv.org/abs/")}
    assert {link.removeprefix("#") for link in {*links} - papers} <= set(identifiers)


def test_figures_have_published_values_or_predictions(families, out, capsys):
    assert main([*T_F, "--out", str(out)]) == 0
    capsys.readouterr()
    assert ">published<" in (page := (out / "report.html").read_text("utf-8"))
    assert ">predicted<" not in page.split("Predicted against measured")[0]
    study = out.parent / "study"
    assert main(["sweep", "--study", "lazy", "--seeds", "2", *SERIAL, "--out", str(study)]) == 0
    page = (study / "report.html").read_text("utf-8").split("Predicted against measured")[0]
    assert ">predicted<" in page
    assert ">published<" not in page


def test_records_without_accuracies_make_a_page_that_says_so(families, out, capsys):
    families.empty = True
    assert main([*FIELDS, "--axis", "width=3,4", *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    body = content(parsed(out).find(f"{HTML}body"))
    assert "Nothing to compare" in body
    assert "Without accuracies or agreement so far, so not drawn: width" in body


def test_text_from_the_plan_is_escaped(families, out, capsys):
    assert main(["sweep", "--study", "lazy", "--seeds", "1", *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    results = numbers(out)
    results["sections"][0]["panels"][0]["sweep"] = "<b>wide</b>"
    panel = results["sections"][0]["panels"][0]
    long = f"{'folder/' * 30}mine.csv"
    panel["ticks"] = ["<i>x</i>", "$5", "$\\wrong$", "3", long]
    page = page_of(convert(results, SweepResults, str_keys=True)).html()
    assert page.count(long) == 3  # the first screen, the table and its CSV; figures have its end
    assert page.count(f">…{long[-31:]}<") == 2
    assert "<b>wide" not in page
    assert "<i>x<" not in page
    assert page.count("$\\wrong$") == 3  # two figures and the table, as they are


# Other data than the published ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "public"), [("mnist-a", "MNIST"), ("fmnist-b", "Fashion-MNIST")])
def test_small_image_blocks_say_that_they_are_on_bundled_digits(families, out, capsys, name, public):
    block = ["sweep", "--published", name, "--size", "small", "--sweeps", "slope", "--solver", "flow"]
    assert main([*block, "--seeds", "1", *SERIAL, "--out", str(out)]) == 0
    assert main(["index", str(out), "--out", str(out.parent / "index.html")]) == 0
    capsys.readouterr()
    said = f"bundled digits (8x8) in place of {public}"
    (section,) = numbers(out)["sections"]
    assert section["title"].endswith(f", small, {said}")
    assert f"on the {said}. " in section["question"]
    (provenance,) = [e for e in parsed(out).iter(f"{HTML}section") if e.get("id") == "provenance"]
    assert f"data of {section['title']}" in content(provenance)
    assert said in {content(cell) for cell in provenance.iter(f"{HTML}td")}
    assert said in (out.parent / "index.html").read_text("utf-8")


def test_other_blocks_name_no_other_data(families, out, capsys):
    assert main([*T_F, "--out", str(out)]) == 0
    capsys.readouterr()
    (section,) = numbers(out)["sections"]
    assert (section["images"], section["stand_in"]) == ({}, "")
    assert "in place of" not in section["title"] + section["question"]
    assert "seeds 2; sweeps T_f; solver flow; size full; balanced False" in content(
        parsed(out).find(f"{HTML}body")
    )


def small_idx(side, *, images):
    """Return an IDX file: four labels, or the images of 28 x 28 pixels that go with them."""
    shape = (4, side, side) if images else (4,)
    content = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    return content + bytes(
        side * index % 251 if images else 1 + index % 2 for index in range(math.prod(shape))
    )


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """A folder of files named as those of MNIST."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(small_idx(28, images="images" in name))
    monkeypatch.setenv("PERTURBLEARN_DATA", str(folder.parent))
    return folder


MNIST_A = [
    "sweep",
    "--published",
    "mnist-a",
    "--sweeps",
    "slope",
    "--seeds",
    "2",
    "--solver",
    "flow",
    *SERIAL,
]


def test_results_of_other_images_are_not_compared_with_published_values(mnist, families, out, capsys):
    assert main([*MNIST_A, "--out", str(out)]) == 0
    capsys.readouterr()
    results = numbers(out)
    (section,) = results["sections"]
    assert section["images"] == {"mnist": False}
    cells = [cell for point in section["panels"][0]["points"] for cell in point["metrics"].values()]
    assert any(cell["published"] is not None for cell in cells)
    assert {cell["inside"] for cell in cells} == {None}
    assert section["published"]["all"]["count"] == 0
    assert section["published"]["all"]["not_compared"] == sum(cell["error"] is not None for cell in cells)
    (claim,) = [claim for claim in results["claims"] if claim["statement"].startswith("Published values")]
    assert claim["measured"] == "unknown: the images of mnist are not the published files"
    body = content(parsed(out).find(f"{HTML}body"))
    assert "Images are not the published files (mnist; their SHA-256 differs). Published values are" in body
    assert "beside another data set: they are shown and not compared." in body
    assert "Published values among our seeds" not in body
    assert "mnist: not the published files (SHA-256 differs)" in body


def test_results_of_the_published_images_are_compared(mnist, families, out, capsys, monkeypatch):
    checksums = tuple(hashlib.sha256((mnist / name).read_bytes()).hexdigest() for name in FILES)
    known = structs.replace(images.PUBLISHED["mnist"], unpacked=checksums)
    monkeypatch.setitem(images.PUBLISHED, "mnist", known)
    assert main([*MNIST_A, "--out", str(out)]) == 0
    capsys.readouterr()
    (section,) = numbers(out)["sections"]
    assert section["images"] == {"mnist": True}
    assert section["published"]["all"]["count"] > 0
    body = content(parsed(out).find(f"{HTML}body"))
    assert "mnist: the published files (SHA-256)" in body
    assert "not the published files" not in body


# In a browser -----------------------------------------------------------------------------------------

# Text of the tables whose words lie on several lines, and whether the page is wider than its window.
LOOK = """<script>addEventListener('load', () => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const broken = [];
  for (const cell of document.querySelectorAll('.scroll th, .scroll td')) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/[A-Za-z]+/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      const rows = [...range.getClientRects()].map(r => Math.round(r.top));
      if (new Set(rows).size > 1) broken.push(word[0]);
    }
  }
  const wide = document.documentElement.scrollWidth > innerWidth;
  const scrolls = [...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth);
  document.title = JSON.stringify({broken, wide, scrolls, width: innerWidth});
});</script></body>"""


def test_narrow_window_breaks_no_word_and_is_wide_enough(families, out, capsys, tmp_path):
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on this machine")
    block = ["sweep", "--published", "mnist-a", "--size", "small", "--sweeps", "slope", "--solver", "flow"]
    assert main([*block, "--seeds", "2", *SERIAL, "--out", str(out)]) == 0
    capsys.readouterr()
    page = (out / "report.html").read_text("utf-8").replace("</body>", LOOK)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=500,2000",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout.decode("utf-8"))[1]))
    assert found == {"broken": [], "wide": False, "scrolls": True, "width": 500}


def test_edges_of_what_scrolls_are_shaded_on_the_screen_only():
    style = (resources.files("reports") / "templates" / "page.css").read_text("utf-8")
    screen, _, paper = style.partition("@media print")
    rule = re.search(r"\.scroll \{(.*?)\}", screen, re.DOTALL)[1]
    assert "overflow-x: auto" in rule
    assert rule.count("no-repeat local") == rule.count("no-repeat scroll") == 2
    assert ".scroll { background: none; }" in paper
