"""Files of a report: the same bytes from the same results, every table in Markdown, a PDF from Chromium."""

import copy
import html
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec import structs

import reports
from empirics.campaigns.wide import Part
from empirics.sweep.plan import plan_of_configs
from empirics.wide import WIDE
from reports import compare, formats, inline, listing, schema
from reports.claims.sweeps.rows import Runs
from reports.document import Report
from reports.pages import comparison
from reports.results import Provenance
from reports.schema import check
from reports.sweeps import reproduction
from tests.test_reports.parsed import HTML, parse

made = import_module("reports.render")  # the package has the function of that name
HOSTILE = "<script>alert(1)</script> | [x](y) `c` \"'> \u202e \x00 *b* _i_"


@pytest.fixture
def markdown(tiny_results, drawn_once):
    return made.page(check(tiny_results)).markdown()


@pytest.fixture
def hostile(fresh_results):
    section = fresh_results["sections"][0]
    for claim in fresh_results["claims"]:
        claim["section"] = HOSTILE if claim["section"] == section["name"] else claim["section"]
    section["name"], section["classes"] = HOSTILE, [HOSTILE, "$x$"]
    fresh_results["provenance"]["command"] = f"perturblearn report --preset published --data '{HOSTILE[:9]}'"
    return fresh_results


# Files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format_", "names"), [("html", 2), ("json", 1), ("md", 2)])
def test_same_results_give_the_same_files(tiny_results, format_, names):
    contents = formats.files(check(tiny_results), format_)
    assert len([name for name in contents if not name.endswith(".svg")]) == names
    links = set(re.findall(r"^!\[.*\]\((.*)\)$", contents.get("report.md", b"").decode(), re.MULTILINE))
    assert links == contents.keys() - {"results.json", f"report.{format_}"}
    assert len(links) in ({0} if format_ != "md" else {len(made.page(check(tiny_results)).figures)})
    read = json.loads(contents["results.json"])
    assert formats.files(check({key: read[key] for key in read if key != "sha256"}), format_) == contents


def test_unknown_format_is_refused(tiny_results):
    with pytest.raises(ValueError, match="format must be one of html, json, md, pdf, got 'tex'"):
        formats.files(check(tiny_results), "tex")


def test_names_of_files_that_are_no_text_can_be_written(fresh_results):
    fresh_results["sections"][0]["preparation"] = "file \udcff.csv"
    assert "file ⟨U+DCFF⟩.csv".encode() in formats.files(check(fresh_results), "json")["results.json"]


# Markdown ---------------------------------------------------------------------------------------------


def test_markdown_has_every_table_of_the_page(markdown, tiny_page):
    tables = re.findall(r"(?:^\|.*\|\n)+", markdown + "\n", flags=re.MULTILINE)
    claims = [table for table in tables if table.startswith("| Claim | Predicted |")]  # cards on the page
    cards = list(parse(tiny_page).iter(f"{HTML}article"))
    assert sum(len(table.splitlines()) - 2 for table in claims) == len(cards)
    tables = [table for table in tables if table not in claims]
    rows = [len(list(table.iter(f"{HTML}tr"))) for table in parse(tiny_page).iter(f"{HTML}table")]
    assert [len(table.splitlines()) - 1 for table in tables] == [count for count in rows if count]
    for table in tables:  # one number of cells in each row
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_markdown_says_what_the_results_say(markdown, tiny_results):
    for claim in tiny_results["claims"]:
        assert claim["verdict"] in markdown
        assert inline.markdown(claim["measured"]) in markdown
        formula = claim["formula"].replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        assert f"`{' '.join(formula.split())}`" in markdown
    assert not re.search(r"\b(NaN|nan|None|undefined)\b", markdown)
    assert "<" not in re.sub(r"`[^`]*`|\\<", "", markdown)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", markdown, flags=re.MULTILINE)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.usefixtures("drawn_once")
def test_markdown_escapes_text_of_the_data(hostile):
    shown = made.page(check(hostile)).markdown()
    assert r"\<script\>alert(1)\</script\> \| \[x\](y) \`c\`" in shown
    assert r"⟨U+202E⟩ ⟨U+0000⟩ \*b\* \_i\_" in shown
    assert "\u202e" not in shown
    assert r"\$x\$" in shown


# PDF --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not any(map(shutil.which, formats.BROWSERS)), reason="no Chromium on this machine")
def test_pdf_is_printed_with_the_same_bytes(tiny_page):
    first = formats.pdf(tiny_page)
    assert first.startswith(b"%PDF-")
    assert len(first) > 100_000
    assert len(re.findall(rb"/Type\s*/Page\b", first)) > 3
    assert formats.pdf(tiny_page) == first


def test_browser_that_prints_nothing_is_one_error(tmp_path, monkeypatch):
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RuntimeError, match="must print the page as PDF, got 0 bytes"):
        formats.pdf("<p>page</p>")


# Pages of comparisons and of many reports -------------------------------------------------------------


def test_comparison_page_is_valid_and_escapes(tiny_results, hostile):
    hostile |= {"sections": hostile["sections"][:1]}
    hostile["claims"] = [c for c in hostile["claims"] if c["section"] in {None, HOSTILE}]
    claims = [claim for claim in tiny_results["claims"] if claim["section"] in {None, "shifted-gaussian"}]
    one = tiny_results | {"sections": tiny_results["sections"][:1], "claims": claims}
    hostile["sections"][0]["runs"] = copy.deepcopy(hostile["sections"][0]["runs"])
    for run in hostile["sections"][0]["runs"]:
        run["f"]["mean_tau"] += 10 + 1e-4 * run["seed"]
    compared = compare.compare(check(one), check(hostile), names=("one", HOSTILE))
    page = comparison.page(compared).html()
    document = parse(page)
    assert not list(document.iter(f"{HTML}script"))
    shown = "".join(document.itertext())
    assert "<script>alert(1)</script>" in shown
    assert "\u202e" not in page
    assert not re.search(r"\b(NaN|nan|None|undefined)\b", shown)
    assert shown.count("f.mean_tau") == 2 * compared.counts["beyond"] == 6  # at a glance, and among all
    headings = [
        element.tag.removeprefix(HTML) for element in document.iter() if re.search("}h[1-6]$", element.tag)
    ]
    assert headings[0] == "h1"


def test_index_counts_verdicts_and_names_presets(tiny_results, hostile, tmp_path):
    formats.write(tmp_path / "a", formats.files(check(tiny_results), "json"))
    formats.write(tmp_path / '<b> "%":', formats.files(check(hostile), "json"))
    folders = [tmp_path / "a", tmp_path / '<b> "%":']
    page = listing.index_page([*folders, folders[0]], tmp_path / "index.html")
    document = parse(page)
    rows = [
        [" ".join("".join(cell.itertext()).split()) for cell in row] for row in document.iter(f"{HTML}tr")
    ][1:]
    assert [row[0] for row in rows] == ["a", '<b> "%":']
    verdicts = [claim["verdict"] for claim in tiny_results["claims"]]
    assert rows[0][1:5] == [str(verdicts.count(verdict)) for verdict in schema.VERDICTS]
    assert [row[6] for row in rows] == ["quick", "published"]
    links = [element.get("href") for element in document.iter(f"{HTML}a") if not element.get("download")]
    assert links == ["a/results.json", "./%3Cb%3E%20%22%25%22%3A/results.json"]
    assert page == listing.index_page(folders, tmp_path / "index.html")


def _numbers_of_a_sweep():
    part = Part(kind="study", name="lazy", seeds=2)
    results = reproduction.build(plan_of_configs(WIDE, part.configs()), Runs({}), (part,))
    return msgspec.to_builtins(results, str_keys=True) | {"claims": []}


ORTHOGONAL = {
    "schema_version": 1,
    "title": "Turning <b>",
    "panels": [],
    "totals": {"configurations": 3, "done": 2, "failed": 1, "missing": 0},
    "claims": [
        {"statement": "s", "verdict": "holds"},
        {"statement": "t", "verdict": "holds"},
        {"statement": "u"},
    ],
}


def test_index_lists_sweeps_and_orthogonal_samples(tiny_results, tmp_path):
    formats.write(tmp_path / "report", formats.files(check(tiny_results), "json"))
    sweep = _numbers_of_a_sweep()
    for name, numbers in (("sweep", sweep), ("turning", ORTHOGONAL)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps(numbers), encoding="utf-8")
    (tmp_path / "sweep" / "report.html").write_text("page", encoding="utf-8")
    document = parse(listing.index_page([tmp_path], tmp_path / "index.html"))
    _, table = document.iter(f"{HTML}table")
    rows = [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in table.iter(f"{HTML}tr")][
        1:
    ]
    runs = sweep["totals"]["configurations"]
    assert rows == [
        ["sweep", "sweep", "Study lazy", f"0 of {runs}", "0", str(runs), "0"],
        ["turning", "orthogonal samples", "Turning <b>", "2 of 3", "1", "0", "32 holds"],
    ]
    links = [element.get("href") for element in table.iter(f"{HTML}a")]
    assert links == ["sweep/report.html", "turning/report.json"]
    alone = listing.index_page([tmp_path / "turning"], tmp_path / "index.html")
    assert len(list(parse(alone).iter(f"{HTML}table"))) == 1


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[]",
        json.dumps({"totals": {}}),
        json.dumps(ORTHOGONAL | {"panels": 1, "totals": {}}),
        json.dumps({key: value for key, value in ORTHOGONAL.items() if key != "panels"}),
        json.dumps(ORTHOGONAL | {"totals": dict.fromkeys(ORTHOGONAL["totals"], "many")}),
        json.dumps(ORTHOGONAL | {"claims": ["holds"]}),
    ],
)
def test_index_refuses_numbers_of_something_else(tmp_path, damaged):
    (tmp_path / "report.json").write_text(damaged, encoding="utf-8")
    with pytest.raises(schema.SchemaError, match=r"report\.json must "):
        listing.index_page([tmp_path], tmp_path / "index.html")


# From Python ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("drawn_once")
def test_report_is_an_object_with_rows_figures_and_files(tiny, tiny_page, tmp_path):
    report = Report(results=tiny)
    assert [row["verdict"] for row in report.table] == [claim.verdict for claim in tiny.claims]
    written = report.write(tmp_path / "made")
    assert sorted(path.name for path in written) == ["report.html", "results.json"]
    assert (tmp_path / "made" / "report.html").read_text(encoding="utf-8") == tiny_page
    assert Report.read(tmp_path / "made").results == tiny
    figures = report.figures
    assert len(figures) == tiny_page.count("<svg ")
    assert all(svg.startswith("<svg xmlns=") and "var(--" not in svg for svg in figures.values())
    assert repr(report).startswith("Report of shifted-gaussian, digits")
    frame = re.fullmatch(
        r'<iframe sandbox="allow-downloads" srcdoc="([^"]*)" [^<>]*></iframe>', report._repr_html_()
    )
    assert html.unescape(frame.group(1)) == tiny_page


def test_report_refuses_what_is_no_results(tmp_path):
    with pytest.raises(FileNotFoundError, match="results must be a file that exists"):
        Report.read(Path(tmp_path))


def test_numbers_are_as_they_were_after_writing(tiny_results):
    value = float(np.nextafter(0.1, 1))
    results = copy.deepcopy(tiny_results)
    results["provenance"]["seconds"] = value
    assert json.loads(formats.files(check(results), "json")["results.json"])["provenance"]["seconds"] == value


def test_a_report_is_built_from_series(tiny_series, tiny, monkeypatch):
    """The results are those of the command; what differs is provenance."""
    seen = []

    def run(all_series, *, provenance, device, pool):
        seen.append((list(all_series), device, pool and pool.name))
        return structs.replace(tiny, provenance=Provenance(**structs.asdict(provenance), seconds=0))

    monkeypatch.setattr("reports.document.run_series", run)
    report = reports.build(tiny_series[0], command="my notebook")
    assert report.results.claims == tiny.claims
    assert report.results.provenance.command == "my notebook"
    with ThreadPoolExecutor(1) as executor:
        reports.build(tiny_series, executor=executor)
    assert seen == [([tiny_series[0]], "cpu", None), (list(tiny_series), "cpu", "ThreadPoolExecutor")]
    with pytest.raises(ValueError, match="all_series must be at least one, got none"):
        reports.build([])
