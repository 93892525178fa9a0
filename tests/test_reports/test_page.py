"""The content of the page: what it says is what results.json says, and one can read it.

What a browser makes of it, and that it fits a phone, is checked in `test_render.py`.
"""

import json
import re
from importlib import import_module

import pytest

from reports import text
from reports.pictures import images_figure
from reports.schema import check
from tests.test_reports.made_up import section_of
from tests.test_reports.parsed import HTML, content, rows_of

render = import_module("reports.render")  # the package has the function of that name
# WCAG 2.1, level AA: normal text, and graphics.
TEXT_CONTRAST, GRAPHIC_CONTRAST = 4.5, 3.0
LARGEST_PAGE = 3_000_000  # bytes


# Links ------------------------------------------------------------------------------------------------


def test_every_claim_stands_with_its_evidence_and_leads_to_its_command(document, tiny_results):
    by_id = {element.get("id"): element for element in document.iter() if element.get("id")}
    order = list(by_id)
    keys = {section["name"]: f"s{n}-" for n, section in enumerate(tiny_results["sections"], start=1)}
    for claim in tiny_results["claims"]:
        place = keys.get(claim["section"], "")
        row = by_id[f"{place}claim-{claim['key']}"]
        assert [link.get("href") for link in row.iter(f"{HTML}a")] == ["#command"]
        if place:
            assert row.tag == f"{HTML}article"
            above = [name for name in order[: order.index(row.get("id"))] if by_id[name].tag == f"{HTML}h3"]
            assert above[-1] == f"{place}{claim['evidence']}"
        else:
            assert claim["evidence"] in by_id
    assert content(by_id["command"]).removeprefix("command ") == tiny_results["provenance"]["command"]


def test_every_verdict_at_a_glance_leads_to_its_claim(document, tiny_results):
    (table,) = [table for table in document.iter(f"{HTML}table") if table.get("class") == "glance"]
    links = [(link.get("href"), content(link)) for link in table.iter(f"{HTML}a")]
    places = {None: ""} | {s["name"]: f"s{n}-" for n, s in enumerate(tiny_results["sections"], start=1)}
    assert sorted(links) == sorted(
        (f"#{places[c['section']]}claim-{c['key']}", c["verdict"]) for c in tiny_results["claims"]
    )


def test_the_opening_counts_what_is_published_and_what_is_derived_apart(document, tiny_results):
    (table,) = [item for item in document.iter(f"{HTML}table") if item.get("class") == "opening"]
    _, *rows = table.iter(f"{HTML}tr")
    plural = {"holds": "hold", "fails": "fail"}
    published = ({"published", "variant"}, {"conditions"})  # the theorem itself has a sentence of its own
    for row, (sources, but) in zip(rows, (published, ({"derived here"}, set())), strict=False):
        for cell, section in zip(row[1:], tiny_results["sections"], strict=True):
            own = [c for c in tiny_results["claims"] if c["section"] == section["name"]]
            found = [c["verdict"] for c in own if c["source"] in sources and c["evidence"] not in but]
            spans = [span for span in cell.iter(f"{HTML}span") if span.get("class").startswith("tallied")]
            order = ("holds", "fails", "hypothesis not met", "unknown")
            counts = [(found.count(word), word) for word in order if word in found]
            assert counts
            assert [content(span) for span in spans] == [
                f"{n} {plural.get(word, word) if n > 1 else word}" for n, word in counts
            ]


def test_the_opening_says_at_how_many_points_the_theorem_speaks(document, tiny_results):
    (rows,) = rows_of(document, "opening")
    for cell, section in zip(rows[0][1:], tiny_results["sections"], strict=True):
        widest = [run for run in section["runs"] if run["width"] == section["widths"][-1]]
        counts = [c for run in widest for c in run["conditions"] if c["label_noise"] == "published"]
        met, points = sum(c["met_agree"] + c["met_differ"] for c in counts), section["num_test"] * len(widest)
        published = {
            row["name"][:3]: row for row in section["condition_rows"] if row["name"].endswith("d/√N")
        }
        nowhere = [
            name
            for name in ("(a)", "(b)", "(c)")
            if not sum(published[name][f"holds_{how}"] for how in ("agree", "differ"))
        ]
        none = f", {' and '.join(nowhere)} at none" if nowhere and cell.startswith("Says nothing") else ""
        assert re.search(rf"hold at {met:,} of {points:,} points{re.escape(none)}[.;:]", cell)


# Tables -----------------------------------------------------------------------------------------------


def test_diagnosis_is_shown_as_in_the_results(document, tiny_results):
    sections = tiny_results["sections"]
    for section, causes, unmet, sizes in zip(
        sections, *(rows_of(document, name) for name in ("causes", "unmet", "sizes")), strict=True
    ):
        found = section["diagnosis"]
        rows = found["by_width"]

        def counted(group, name, rows=rows):
            return [
                f"{text.count(row[group][name])} ({text.number(100 * row[group][name] / row['differ'])} %)"
                if row["differ"] and name in row[group]
                else ""
                for row in rows
            ]

        assert causes[:-2] == [[cause, *counted("causes", cause)] for cause in found["causes"]]
        assert causes[-2][1:] == [
            f"{text.count(row['differ'])} of {text.count(row['points'])}" for row in rows
        ]
        assert causes[-1][1:] == [text.count(sum(row["enough"].values())) for row in rows]
        names = ("width", "a", "b", "b, scenario", "c", "none", "none, scenario")
        assert [row[1:] for row in unmet] == [counted("unmet", name) for name in names]
        assert sizes == [
            [name, *(text.number(row["sizes"][name]) if row["sizes"] else "" for row in rows)]
            for name in found["terms"]
        ]


def test_failed_runs_are_listed(document, tiny_results):
    expected = [section["diagnosis"]["failed"] for section in tiny_results["sections"]]
    assert any(expected)
    shown = rows_of(document, "failed")
    for rows, runs in zip(shown, [runs for runs in expected if runs], strict=True):
        assert [row[:4] for row in rows] == [
            [text.count(run["width"]), str(run["seed"]), text.number(run["agreement"]), run["cause"]]
            for run in runs
        ]


def test_hypotheses_and_prior_work_are_shown_as_in_the_results(document, tiny_results):
    said, names = {True: "yes", False: "no", None: "not known"}, ("hypothesis", "asked", "here")
    for section, feasible, prior, ratios in zip(
        tiny_results["sections"],
        *(rows_of(document, name) for name in ("feasibility", "prior", "prior-ratios")),
        strict=True,
    ):
        assert feasible == [
            [*(" ".join(row[n].split()) for n in names), said[row["met"]], " ".join(row["remedy"].split())]
            for row in section["feasibility"]
        ]
        found = section["prior_work"]
        fields = ("label", "wide", "wide_verdict", "orthogonal", "orthogonal_verdict")
        assert prior[:-1] == [[" ".join(row[name].split()) for name in fields] for row in found["rows"]]
        assert prior[-1] == [
            "all of them", "", found["verdicts"]["wide"], "", found["verdicts"]["orthogonal"]
        ]  # fmt: skip
        sizes = (found["ratios"]["samples"], found["ratios"]["inputs_of_g"])
        assert ratios[0][1:] == [text.number(found["ratios"]["width"])]
        for row, name in ((ratios[1], "ratio"), (ratios[2], "best_ratio")):
            assert row[1:] == [text.number(size[name]) for size in sizes]
        assert ratios[3][1:] == [f"{text.number(s['p_max'])}; {text.number(s['R_max'])}" for s in sizes]


def test_warning_names_what_no_width_meets(document, tiny_results):
    boxes = [element for element in document.iter(f"{HTML}ul") if element.get("class") == "warning"]
    expected = [
        [row["hypothesis"] for row in section["feasibility"] if row["met"] is False and not row["reachable"]]
        for section in tiny_results["sections"]
    ]
    assert any(expected)
    for box, names in zip(boxes, [names for names in expected if names], strict=True):
        items = [content(item) for item in box.iter(f"{HTML}li")]
        assert [item.split(":")[0] for item in items] == names


def test_cosines_and_means_by_width_are_those_of_the_results(document, tiny_results):
    names = (
        *("trained_paper", "trained_gradient", "between"),
        *("perturbation_paper", "perturbation_gradient", "perturbation_given_initial"),
    )
    for section, rows in zip(tiny_results["sections"], rows_of(document, "cosines"), strict=True):
        assert rows == [
            [
                text.count(row["width"]),
                *(text.spread(row["cosines"][name]["mean"], row["cosines"][name]["sd"]) for name in names),
            ]
            for row in section["by_width"]
        ]


def test_trends_are_listed_with_their_commands(document, tiny_results):
    (rows,) = rows_of(document, "trends")
    assert rows == [[row["over"], row["says"], row["command"]] for row in tiny_results["trends"]]


# Reading it -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("drawn_once")
def test_every_figure_of_the_results_is_on_the_page(tiny_results):
    names = {
        "free", "drift_f", "drift_g", "error", "scatter_f", "scatter_g", "cosine", "certified", "terms",
        "map", "predictors", "causes", "images", "over-time",
    }  # fmt: skip
    drawn = render.page(check(tiny_results)).figures
    for section in tiny_results["sections"]:
        own = names - (set() if section["images"] else {"images"})
        own -= set() if any(row["differ"] for row in section["diagnosis"]["by_width"]) else {"causes"}
        assert {name for name in drawn if name.startswith(section["name"])} == {
            f"{section['name']}: {name}" for name in own
        }
    assert {
        "phi",
        "monte-carlo",
        *(f"agreement-s{n + 1}" for n in range(len(tiny_results["sections"]))),
    } < set(drawn)
    assert all(len(re.search(r'aria-label="([^"]*)"', svg)[1]) > 20 for svg in drawn.values())


def test_page_is_small(tiny_page):
    assert len(tiny_page.encode()) < LARGEST_PAGE


def _palettes(page):
    """Variables of each scheme; dark and print replace some of those of light."""
    blocks = re.findall(r":root\s*\{([^}]*)\}", page)
    light, dark, printed = [dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{3,6})", block)) for block in blocks]
    return {"light": light, "dark": light | dark, "print": light | printed}


def _luminance(color):
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(first, second):
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert _contrast("#000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_and_graphics_can_be_told_from_their_background(tiny_page, scheme):
    colors = _palettes(tiny_page)[scheme]
    for name in ("ink", "muted", "link", "good", "bad", "open", "none"):
        for ground in ("paper", "soft"):
            assert _contrast(colors[name], colors[ground]) >= TEXT_CONTRAST, (name, ground)
    for name in ("f", "g", "third"):
        assert _contrast(colors[name], colors["paper"]) >= GRAPHIC_CONTRAST, name


def test_no_text_has_a_colour_of_its_own(tiny_page):
    style = re.search(r"<style>(.*?)</style>", tiny_page, re.DOTALL)[1]
    outside = re.sub(r":root\s*\{[^}]*\}", "", style)
    used = re.findall(r"(?<![-\w])color:\s*([^;}]*)", outside)
    variables = {"var(--ink)", "var(--muted)", "var(--link)", "var(--good)", "var(--bad)", "var(--open)"}
    assert set(used) <= variables | {"var(--none)"}


def test_hostile_class_names_stay_text_in_pictures(tiny_results):
    section = json.loads(json.dumps(tiny_results["sections"][1]))
    section["images"]["classes"] = ["<script>alert(1)</script>"] * 4
    svg = images_figure(section_of(section), "s1")
    assert "<script" not in svg
    assert svg.count("&lt;script&gt;") == 4
