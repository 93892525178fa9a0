"""Files of a report: the same bytes from the same results, every table in Markdown, a PDF from Chromium."""

import base64
import copy
import html
import json
import re
import shutil
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec import structs

import reports
from empirics.campaigns import orthogonal
from empirics.campaigns.wide import Part
from empirics.sweep.plan import plan_of_configs
from empirics.wide import WIDE
from reports import compare, formats, inline, listing, schema
from reports.claim_text import spread
from reports.claims.sweeps.rows import Runs
from reports.cli import main
from reports.document import Report
from reports.orthogonal.build import build as build_orthogonal
from reports.orthogonal.page import page_of as page_of_orthogonal
from reports.pages import comparison
from reports.results import Provenance
from reports.runs import write
from reports.schema import check
from reports.sweeps import reproduction
from reports.sweeps.page import page_of
from reports.text import number
from tests.test_reports.parsed import HTML, content, parse

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


@pytest.mark.usefixtures("drawn_once")  # that drawings are the same is a test of theirs
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


def _index(folders, out):
    page = listing.index_page(folders, out)
    assert page == listing.index_page(folders, out)
    document = parse(page)
    table = next(document.iter(f"{HTML}table"))
    return document, [[content(cell) for cell in row] for row in table.iter(f"{HTML}tr")][1:]


def _counted(claims, sources):
    """Return how claims of some sources are counted, words and order as on pages."""
    found = [claim["verdict"] for claim in claims if claim["source"] in sources and claim["verdict"]]
    counts = [(found.count(verdict), verdict) for verdict in schema.VERDICTS if verdict in found]
    plural = {"holds": "hold", "fails": "fail"}
    return " ".join(f"{n} {plural.get(word, word) if n > 1 else word}" for n, word in counts)


def test_index_says_what_was_found_and_counts_published_and_derived_apart(
    tiny_results, tiny_page, hostile, tmp_path
):
    numbers = formats.files(check(tiny_results), "json")
    formats.write(tmp_path / "a", {"report.html": tiny_page.encode(), **numbers})
    formats.write(tmp_path / '<b> "%":', formats.files(check(hostile), "json"))
    folders = [tmp_path / "a", tmp_path / '<b> "%":']
    document, rows = _index([*folders, folders[0]], tmp_path / "index.html")
    assert [row[0] for row in rows] == ["a", '<b> "%":']
    for section in check(tiny_results).sections:
        last = section.by_width[-1].agreement
        assert f"f at {spread(last.measured)} of fresh points" in rows[0][2]
        (claim,) = (
            c for c in check(tiny_results).claims if (c.section, c.key) == (section.name, "agreement")
        )
        though = ", though its hypothesis is not met" * (claim.verdict == "hypothesis not met")
        assert f"Predicted without training{though}: {spread(last.predicted)}." in rows[0][2]
        widest = [run.over_times for run in section.runs if run.width == section.widths[-1]]
        ends = [[one for one in run if one.measured is not None][-1] for run in widest]
        floor = number(float(np.mean([end.untrained for end in ends])))
        assert f"With an f that was never trained it would be {floor}." in rows[0][2]
    claims = tiny_results["claims"]
    assert rows[0][3] == _counted(claims, {"published", "variant"})
    assert rows[0][4] == _counted(claims, {"derived here"})
    assert ["preset quick" in row[5] for row in rows] == [True, False]
    links = [element.get("href") for element in document.iter(f"{HTML}a") if not element.get("download")]
    assert links == ["a/report.html", "./%3Cb%3E%20%22%25%22%3A/results.json"]
    (image,) = document.iter(f"{HTML}img")  # of the page that is there
    drawn = base64.b64decode(image.get("src").removeprefix("data:image/svg+xml;base64,")).decode()
    assert image.get("alt") == ET.fromstring(drawn).get("aria-label")
    assert "share of fresh points" in drawn
    assert "var(--" not in drawn


def _numbers_of_a_sweep():
    part = Part(kind="study", name="lazy", seeds=2)
    return reproduction.build(plan_of_configs(WIDE, part.configs()), Runs({}), (part,))


def _orthogonal():
    part = orthogonal.Part(kind="study", name="turning", seeds=1)
    return structs.replace(build_orthogonal(part, {}), title="Turning <b>")


def test_index_lists_sweeps_and_orthogonal_samples(tiny_results, tmp_path):
    formats.write(tmp_path / "report", formats.files(check(tiny_results), "json"))
    sweep, turning = _numbers_of_a_sweep(), _orthogonal()
    for name, numbers in (("sweep", sweep), ("turning", turning)):
        (tmp_path / name).mkdir()
        plain = msgspec.to_builtins(numbers, str_keys=True)
        (tmp_path / name / "report.json").write_text(json.dumps(plain), encoding="utf-8")
    (tmp_path / "sweep" / "report.html").write_text("page", encoding="utf-8")
    document, (report, *others) = _index([tmp_path], tmp_path / "index.html")
    assert report[0] == "report"
    counts = [f"0 of {n} runs, {n} missing" for n in (one.totals.configurations for one in (sweep, turning))]
    assert [[row[0], row[5]] for row in others] == [
        ["sweep", f"Study lazy{counts[0]}"],
        ["turning", f"Turning <b>{counts[1]}"],
    ]
    links = [element.get("href") for element in document.iter(f"{HTML}a") if not element.get("download")]
    assert links == ["report/results.json", "sweep/report.html", "turning/report.json"]


@pytest.mark.parametrize("made", [_numbers_of_a_sweep, _orthogonal])
@pytest.mark.parametrize("format", formats.FORMATS[:3])
def test_a_sweep_and_orthogonal_samples_are_rendered_again(tmp_path, capsys, made, format):
    kind = page_of if made is _numbers_of_a_sweep else page_of_orthogonal
    page = write(tmp_path, made(), kind)
    before, held = page.read_text("utf-8"), (tmp_path / "report.json").read_bytes()
    page.unlink()
    assert main(["render", str(tmp_path), "--format", format, "--out", str(tmp_path / "out")]) == 0
    assert main(["render", str(tmp_path / "report.json"), "--format", format]) == 0
    capsys.readouterr()
    assert (tmp_path / "out" / "report.json").read_bytes() == held == (tmp_path / "report.json").read_bytes()
    for folder in (tmp_path, tmp_path / "out"):
        assert (folder / "report.html").exists() == (format == "html")
        assert format != "html" or (folder / "report.html").read_text("utf-8") == before
        assert (folder / "report.md").exists() == (format == "md")


@pytest.mark.parametrize(
    "damaged",
    ["{", "[]", {"totals": {}}, {"sections": 1}, {"schema_version": 0}, {"claims": ["holds"]}, {"claims": 1}],
)
def test_index_refuses_numbers_of_something_else(tmp_path, damaged):
    if not isinstance(damaged, str):
        damaged = json.dumps(msgspec.to_builtins(_numbers_of_a_sweep(), str_keys=True) | damaged)
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
