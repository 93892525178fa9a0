"""The page: valid HTML that needs nothing else, says what the results say, and fits a phone."""

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
from itertools import cycle, pairwise

import pytest
from msgspec.structs import replace

from empirics import ExperimentConfig, FileData
from reports import Series, render, text
from reports.build import build
from reports.inline import mathml
from reports.render import page, partial_note
from reports.schema import check
from reports.text import legible
from tests.test_reports.parsed import HTML, content, parse, rows_of

SVG = "{http://www.w3.org/2000/svg}"
MATHML = "{http://www.w3.org/1998/Math/MathML}"
NOT_TEXT = {f"{HTML}{name}" for name in ("head", "script", "style", "code")}


def _drawings(results):
    """Count the drawings: two of Φ, and of each data set as many as it has data for."""
    return len(page(check(results)).figures)


@pytest.fixture
def one_section(fresh_results):
    """Results that a test may change, with the first section alone."""
    name = fresh_results["sections"][0]["name"]
    fresh_results["sections"] = fresh_results["sections"][:1]
    fresh_results["claims"] = [c for c in fresh_results["claims"] if c["section"] in {None, name}]
    return fresh_results


def _visible(element):
    """All text that a reader sees, outside <code>."""
    if element.tag in NOT_TEXT:
        return
    yield element.text or ""
    for child in element:
        yield from _visible(child)
        yield child.tail or ""


@pytest.fixture(scope="module")
def visible(document):
    return " ".join("".join(_visible(document)).split())


# HTML -------------------------------------------------------------------------------------------------


def test_page_is_valid_html(document, tiny_page):
    assert tiny_page.startswith("<!doctype html>")
    assert document.tag == f"{HTML}html"
    assert document.get("lang") == "en"
    assert len(list(document.iter(f"{HTML}title"))) == 1
    identifiers = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    links = [element.get("href") for element in document.iter(f"{HTML}a") if element.get("class") != "csv"]
    assert len(links) > 5
    inner = {link.removeprefix("#") for link in links if not link.startswith("https://arxiv.org/abs/")}
    assert inner <= set(identifiers)


def test_page_needs_nothing_from_elsewhere(document, tiny_page):
    loading = {"script", "link", "img", "iframe", "object", "embed", "image", "audio", "video", "base"}
    assert not loading & {element.tag.rpartition("}")[2] for element in document.iter()}
    references = [
        value
        for element in document.iter()
        for name, value in element.attrib.items()
        if name.rpartition("}")[2] in {"src", "href", "srcset", "action", "data", "poster", "background"}
    ]
    assert references
    inside = "data:text/csv;charset=utf-8,"  # the numbers themselves
    papers = "https://arxiv.org/abs/"  # links, which load nothing
    assert all(value.startswith(("#", inside, papers)) for value in references)
    assert all(url.startswith("#") for url in re.findall(r"url\(\s*([^)]*)\)", tiny_page))
    assert "@import" not in tiny_page
    assert not [name for element in document.iter() for name in element.attrib if name.startswith("on")]


def test_headings_never_skip_a_level(document):
    tags = [element.tag.removeprefix(HTML) for element in document.iter()]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_table_has_header_cells_with_a_scope(document):
    tables = list(document.iter(f"{HTML}table"))
    assert len(tables) > 8
    for table in tables:
        headers = list(table.iter(f"{HTML}th"))
        assert headers
        assert {header.get("scope") for header in headers} <= {"row", "col"}
        assert None not in {header.get("scope") for header in headers}


@pytest.mark.usefixtures("drawn_once")
def test_every_drawing_is_described(document, tiny_results):
    drawings = list(document.iter(f"{SVG}svg"))
    assert len(drawings) == _drawings(tiny_results)
    assert all(drawing.get("aria-label") and drawing.get("role") == "img" for drawing in drawings)
    assert all(content(figure) for figure in document.iter(f"{HTML}figcaption"))


# What it says -----------------------------------------------------------------------------------------


def test_no_missing_number_and_no_tex_is_shown(visible):
    assert not re.search(r"\b(NaN|nan|None|inf|undefined|True|False)\b", visible)
    assert not re.search(r"[\\{}$]|\d{12}", visible)  # nor a number nobody rounded
    assert "racT" not in visible  # \frac with its backslash lost in a string


def test_missing_numbers_are_shown_as_a_dash(one_section):
    section = one_section["sections"][0]
    for row in section["by_width"]:
        for summary in [*row["cosines"].values(), row["f"]["relative_error"]]:
            summary.update(mean=None, sd=None, low=None, high=None)
    for row in section["condition_totals"]:
        row["threshold_a"] = None
    document = parse(render(check(one_section)))
    visible = "".join(_visible(document))
    assert not re.search(r"\b(NaN|nan|None|inf)\b", visible)
    cells = [content(cell) for cell in document.iter(f"{HTML}td")]
    assert cells.count("—") >= 5 + len(section["by_width"]) + len(section["condition_totals"])


def test_every_claim_is_a_card_with_its_numbers_and_verdict(document, tiny_results):
    cards = list(document.iter(f"{HTML}article"))
    for card, claim in zip(cards, tiny_results["claims"], strict=True):
        statement, numbers, folded = card
        assert content(statement) == f"{claim['verdict']} {claim['statement']}"
        assert statement.find(f"{HTML}span").get("class") == f"badge {claim['verdict'].replace(' ', '-')}"
        said = f"predicted: {claim['predicted']} · measured: {claim['measured']}"
        assert content(numbers) == said
        assert folded.find(f".//{MATHML}math") is not None
        met = "met" if claim["met"] else "not met"
        lines = [content(line) for line in folded.iter(f"{HTML}span") if line.get("class") == "cell"]
        assert lines == [
            claim["source"].capitalize() + (f": {claim['decision']}" if claim["decision"] else ""),
            f"Hypothesis {met}: {claim['hypothesis']}",
            f"Rule: {claim['rule']}",
            f"Sample: {claim['samples']}",
        ]


def test_summary_table_has_every_verdict_once(document, tiny_results):
    names = [section["name"] for section in tiny_results["sections"]]
    claims = {(claim["key"], claim["section"]): claim for claim in tiny_results["claims"]}
    expected = []
    for key in dict.fromkeys(key for key, _ in claims):
        own = [claims[key, name] for name in ([None] if (key, None) in claims else names)]
        said = f"{own[0]['statement']} {own[0]['source']}"
        expected.append([said, *(claim["verdict"] for claim in own)])
    assert rows_of(document, "glance") == [expected]


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("evidence", ["", "of another version"])
def test_a_claim_that_no_family_knows_is_shown_all_the_same(one_section, evidence):
    one_section["claims"][1] |= {"evidence": evidence, "statement": "The moon is made of cheese"}
    (glance,) = rows_of(document := parse(render(check(one_section))), "glance")
    assert sum("made of cheese" in row[0] for row in glance) == 1
    assert sum("made of cheese" in content(card) for card in document.iter(f"{HTML}article")) == 1


@pytest.mark.usefixtures("drawn_once")
def test_every_verdict_can_be_shown(one_section):
    verdicts = ("holds", "fails", "unknown", "hypothesis not met")
    one_section["claims"] = [
        claim | {"verdict": verdict, "met": None}
        for claim, verdict in zip(one_section["claims"], cycle(verdicts), strict=False)
    ]
    page = render(check(one_section))
    document = parse(page)
    badges = {
        (content(span), span.get("class"))
        for span in document.iter(f"{HTML}span")
        if span.get("class", "").startswith("badge")
    }
    assert badges == {(verdict, f"badge {verdict.replace(' ', '-')}") for verdict in verdicts}
    assert all(f".badge.{verdict.replace(' ', '-')} {{" in page for verdict in verdicts)  # styled
    assert "Hypothesis not known:" in "".join(_visible(document))


def test_provenance_and_setting_are_shown(visible, document, tiny_results):
    provenance = tiny_results["provenance"]
    for name, version in provenance["versions"].items():
        assert f"{name} {version}" in visible
    assert provenance["machine"]["system"] in visible
    assert provenance["command"] in {content(code) for code in document.iter(f"{HTML}code")}
    for section in tiny_results["sections"]:
        setting = section["setting"]
        assert f"{setting['dim']}, {setting['N']}, {section['num_test']}" in visible
        assert f"{section['classes'][0]}, {section['classes'][1]}" in visible
        assert section["preparation"] in visible


def test_published_form_beside_ours_is_shown_as_in_the_results(document, tiny_results):
    def times(factor):
        return "" if factor is None else f" (× {text.number(factor)})"

    tables = (rows_of(document, name) for name in ("thresholds", "required"))
    for section, thresholds, widths in zip(tiny_results["sections"], *tables, strict=True):
        beside = section["beside"]
        expected = []
        for name, label in (("f", "(a) |f̂(z)|"), ("g", "(b) |ĝ(z)|")):
            row = beside["networks"][name]
            kinds = ("descent", "flow", "limit")
            numbers = [text.number(row["ours"][kind]) + times(row["factors"][kind]) for kind in kinds]
            expected.append([label, text.number(row["size"]), text.number(row["published"]), *numbers])
            shares = [row["met"], *(row["proved"][kind] for kind in kinds)]
            expected.append(["points above it", "", *(f"{text.number(100 * share)} %" for share in shares)])
        assert thresholds == expected
        required, ours = section["certificates"]["required"], beside["widths"]
        expected = []
        for index, share in enumerate(section["certificates"]["shares_wanted"]):
            of_f = (text.count(required["f"][kind][index]) for kind in ("descent", "flow"))
            of_both = (
                text.count(ours["ours"][kind][index]) + times(ours["factors"][kind][index])
                for kind in ("descent", "flow")
            )
            shown = f"{text.number(100 * share)} %"
            expected.append([f"sign of f at {shown}", "", *of_f])
            expected.append([f"agreement at {shown}", text.count(ours["published"]), *of_both])
        assert widths == expected
        assert all(cell != "—" for row in thresholds for cell in row[:3])  # something is shown


def test_simulated_neurons_are_shown_as_in_the_results(document, visible, tiny_results):
    tables = (rows_of(document, name) for name in ("predictors", "simulated", "simulated-widths"))
    for section, predictors, certified, scanned in zip(tiny_results["sections"], *tables, strict=True):
        far = section["simulated"]

        def spread(group, network, name, far=far):
            summary = far[group][network][name]
            return text.spread(summary["mean"], summary["sd"])

        assert [row[1:] for row in predictors] == [
            [
                spread("sign_match", "f", name),
                spread("error", "f", name),
                spread("sign_match", "g", name),
                "other scale" if name == "published" else spread("error", "g", name),
            ]
            for name in ("published", "derived", "simulated")
        ]
        assert [row[1:5] for row in certified] == [
            [
                *(text.count(far["totals"][kind][name]) for name in ("f", "both", "g")),
                ", ".join(text.count(far["totals"][kind][f"{name}_wrong"]) for name in ("f", "both", "g")),
            ]
            for kind in ("simulation", "descent", "flow")
        ]
        assert certified[0][5] == "initialisation and simulation"
        assert {row[5] for row in certified[1:]} == {"initialisation alone"}
        assert [row[1:] for row in scanned] == [
            [f"{text.number(100 * row[name])} %" for row in far["scan"]] for name in ("f", "both", "g")
        ]
        for sentence in (
            f"so {text.count(far['num_neurons'])} of them, trained in the same steps",
            f"Here m = {text.count(far['width'])}; each seed has data and perturbations of its own",
            f"relative standard error of {spread('error', 'f', 'sampling')} and "
            f"{spread('error', 'g', 'sampling')}.",
            f"≤ δ = {text.number(far['delta'])} at a point, δ/2 for each network",
            f"misleads at a point with probability at most {text.number(far['misled'])};",
            f"with probability at most {text.number(far['failure']['f'])} for f and "
            f"{text.number(far['failure']['g'])} for g (the largest over points and seeds)",
        ):
            assert sentence in visible


def test_same_results_give_the_same_bytes(tiny_results, tiny_page):
    assert render(check(tiny_results)) == tiny_page  # the file is as good as the value


@pytest.mark.usefixtures("drawn_once")
def test_page_shows_results_and_computes_nothing(one_section):
    marked = {"predicted": "0.123 ± 0.456", "measured": "0.789 ± 0.012"}
    one_section["claims"][1].update(marked)
    one_section["sections"][0]["condition_rows"][0]["holds_agree"] = 987_654
    text = "".join(_visible(parse(render(check(one_section)))))
    for shown in (*marked.values(), "987,654"):
        assert shown in text


@pytest.mark.usefixtures("no_drawings")
def test_section_without_a_plane_says_so(one_section):
    one_section["sections"][0]["map"] = None
    shown = render(check(one_section))
    assert "No decision map: the data do not span a plane." in shown
    assert len(list(parse(shown).iter(f"{SVG}svg"))) == _drawings(one_section)


# Hostile text -----------------------------------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>"


def test_text_of_the_data_is_never_markup(tiny, tiny_provenance, tmp_path, monkeypatch):
    monkeypatch.setitem(build.__globals__, "check_phi", lambda: tiny.phi)
    path = tmp_path / "<img src=x onerror=alert(1)>&amp;{{ 7*7 }}.csv"
    other = '"><svg onload=alert(1)>'
    quoted = other.replace('"', '""')
    rows = [f'{index % 5},{index**2 % 7},"{SCRIPT if index % 2 else quoted}"' for index in range(16)]
    path.write_text("\n".join(rows), encoding="utf-8")
    data = FileData(path=str(path), classes=(SCRIPT, other), standardise="none")
    plan = Series(base=ExperimentConfig(data=data, width=1), widths=(4, 16), seeds=(0, 1))
    hostile = replace(tiny_provenance, command=f"perturblearn {SCRIPT}", revision=SCRIPT)
    results = build([plan], provenance=hostile)
    document = parse(render(results))
    assert not list(document.iter(f"{HTML}script")) + list(document.iter(f"{HTML}img"))
    assert not [name for element in document.iter() for name in element.attrib if name.startswith("on")]
    assert len(list(document.iter(f"{SVG}svg"))) == _drawings(results)
    text = "".join("".join(document.itertext()))
    for shown in (f"{other}, {SCRIPT}", path.stem, f"perturblearn {SCRIPT}"):
        assert shown in text


NAMES = (
    "'; DROP\x00 \x1b[31m red",  # control characters
    "\u202egnp.exe \u2066 \u200f \ufeff",  # change the direction of what follows
    "שלום $\\frac{1}{2}$ {{ 7*7 }} {% raw %}",  # written from right to left; TeX; templates
    "\udc80 \ufffe \u2028 &lt;b&gt; <!-- --> ]]>",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("drawn_once")
def test_hostile_names_stay_text_that_can_be_seen(one_section, name):
    section = one_section["sections"][0]
    for claim in one_section["claims"]:
        claim["section"] = claim["section"] and name
    section["name"], section["classes"], section["preparation"] = name, [name, SCRIPT], f"{name}\"'>"
    page = render(check(one_section))
    document = parse(page)  # strict: no control character, no noncharacter
    assert not list(document.iter(f"{HTML}script")) + list(document.iter(f"{HTML}b"))
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200f\ufeff\u2028\ud800-\udfff]", page
    )
    assert f"{legible(name)}, {SCRIPT}" in "".join(document.itertext())
    assert page.encode()


def test_what_cannot_be_seen_is_named():
    assert legible("a\x00b\u202ec\udc80") == "a⟨U+0000⟩b⟨U+202E⟩c⟨U+DC80⟩"
    assert legible("tab\tand\nline") == "tab and line"
    plain = "Größe ≤ 3 · f̂ שלום नमस्ते\u200d 👩\u200d🔬"
    assert legible({"x": [plain, 1.5, None, True]}) == {"x": [plain, 1.5, None, True]}


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\text{</math><b>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{position:fixed}{x}",
        r"\class{badge holds}{x}",
    ],
)
@pytest.mark.usefixtures("drawn_once")
def test_formulas_of_results_are_formulas_only(one_section, tex):
    one_section["claims"][0]["formula"] = tex
    with pytest.raises(ValueError, match="TeX must be"):
        render(check(one_section))


@pytest.mark.usefixtures("drawn_once")
def test_partial_report_says_so_first(one_section):
    assert partial_note(check(one_section)) == ""
    name = one_section["sections"][0]["name"]
    part = {
        "name": name,
        "widths": [16],
        "planned_widths": [16, 64],
        "seeds": [0, 1],
        "planned_seeds": [0, 1, 2],
    }
    one_section["partial"] = {"done": 2, "planned": 6, "sections": [part], "missing": [SCRIPT]}
    document = parse(render(check(one_section)))
    (note,) = document.iter(f"{HTML}aside")
    (main,) = document.iter(f"{HTML}main")
    assert next(iter(main)) is note
    assert content(note) == " ".join(partial_note(check(one_section)).split())
    assert f"{name}: widths 16 of 16, 64, 2 of 3 seeds; {SCRIPT}: nothing." in content(note)
    assert next(document.iter(f"{HTML}title")).text.startswith("Partial: ")


# TeX --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tex", [r"\notacommand{x}", r"x + \oops", r"\frac{1}{2} \nosuch"])
def test_tex_that_is_not_understood_is_refused(tex):
    with pytest.raises(ValueError, match="TeX must be convertible to MathML, got"):
        mathml(tex)


def test_tex_becomes_mathml_of_the_right_kind():
    inline, display = mathml(r"\frac{1}{2}"), mathml(r"\frac{1}{2}", display=True)
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in inline
    assert 'display="inline"' in inline
    assert 'display="block"' in display


# In a browser -----------------------------------------------------------------------------------------

BROWSER_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 120  # seconds until a browser that says nothing counts as hung


@pytest.fixture(scope="module")
def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium on this machine")


@pytest.fixture
def page_file(tiny_page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(tiny_page, encoding="utf-8")
    return path


def test_browser_shows_all_of_the_page(browser, page_file, tiny_page, tiny_results, tmp_path):
    done = subprocess.run(
        [
            browser,
            *BROWSER_OPTIONS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            page_file.as_uri(),
        ],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    shown = done.stdout.decode()
    assert 'class="glance"' in shown
    badges = re.findall(r'<span class="badge [a-z-]*">([a-z ]*)</span>', shown)
    # Twice each: at a glance, and with its numbers.
    assert sorted(badges) == sorted(2 * [claim["verdict"] for claim in tiny_results["claims"]])
    for tag in ("<svg", "<table", "<tr", "<math", "<details"):
        assert shown.count(tag) == tiny_page.count(tag), tag


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_page_never_scrolls_sideways(browser, page_file, tmp_path, width):
    expression = "[innerWidth, document.documentElement.scrollWidth]"
    with _Browser(browser, tmp_path / "profile") as chromium:
        inner, scroll = chromium.evaluate(page_file.as_uri(), expression, width=width)
    assert inner == width  # a page that is too wide makes a phone zoom out
    assert scroll <= inner


def test_browser_reports_no_error_and_loads_nothing_else(browser, page_file, tmp_path):
    expression = "performance.getEntriesByType('resource').map(entry => entry.name)"
    with _Browser(browser, tmp_path / "profile") as chromium:
        assert chromium.evaluate(page_file.as_uri(), expression, width=1280) == []
        assert chromium.messages == []


class _Browser:
    """Headless Chromium, spoken to through pipes 3 and 4 in the DevTools protocol.

    A window cannot be narrower than 500 pixels, but the protocol emulates a phone.
    """

    def __init__(self, path, profile):
        self._received, self._count, self.messages = b"", 0, []
        read_commands, self._write = os.pipe()
        self._read, write_answers = os.pipe()
        command = [path, *BROWSER_OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        script = f'exec "$0" "$@" 3<&{read_commands} 4>&{write_answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, *command, "about:blank"],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, EOFError):
            self._call("Browser.close")
        os.close(self._write)
        os.close(self._read)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def evaluate(self, url, expression, *, width):
        """Open a page on a screen of this width and return the value of a JavaScript expression."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        self._call("Emulation.setDeviceMetricsOverride", session, **screen)
        for domain in ("Page", "Log", "Runtime"):
            self._call(f"{domain}.enable", session)
        self._call("Page.navigate", session, url=url)
        while self._receive().get("method") != "Page.loadEventFired":
            pass
        answer = self._call("Runtime.evaluate", session, expression=expression, returnByValue=True)
        return answer["result"]["value"]

    def _call(self, method, session=None, **parameters):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._count:
            pass
        return answer["result"]

    def _receive(self):
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], PATIENCE)
            part = os.read(self._read, 1 << 16) if ready else b""
            if not part:
                msg = "the browser fell silent"
                raise EOFError(msg)
            self._received += part
        message, _, self._received = self._received.partition(b"\0")
        decoded = json.loads(message)
        if decoded.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
            self.messages.append(decoded["params"])
        return decoded
