"""Figures: well-formed, reproducible SVG made from results alone, without a number that is none."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from reports.claims import agreement, directions, free_neurons, rates, simulated
from reports.page import Figure
from reports.pictures import images_figure
from reports.svg import standalone
from tests.test_reports.made_up import section_of


@pytest.fixture(scope="module")
def drawn(tiny_drawings, tiny_results):
    """Every drawing of the page by its name."""
    return tiny_drawings | {"s2-images": images_figure(section_of(tiny_results["sections"][1]), "s2")}


def drawing(family, name, section, key="s1"):
    """Return what a family of claims draws under a name, None if nothing."""
    blocks = family.shown(section_of(section), key)
    return next((one.svg for one in blocks if isinstance(one, Figure) and one.name == name), None)


def _text(svg):
    """Texts of a figure; an index is typed after its symbol: f_b."""
    typed = re.sub(r'<tspan dy="2.5"[^>]*>(\w+)</tspan><tspan[^>]*>&#8203;</tspan>', r"_\1", svg)
    return " ".join(element.text or "" for element in ET.fromstring(typed).iter() if element.tag == "text")


def test_every_figure_is_well_formed_and_described(drawn):
    for name, svg in drawn.items():
        root = ET.fromstring(svg)
        assert root.tag == "svg", name
        assert root.get("role") == "img"
        assert len(root.get("aria-label")) > 20
        assert root.get("width") is root.get("height") is None  # the page decides the size
        assert len(list(root.iter("path"))) > 5, name


def test_no_figure_holds_a_number_that_is_none(drawn):
    for name, svg in drawn.items():
        bare = re.sub(r"fill: none|fill=\"none\"", "", svg)
        assert not re.search(r"\b(nan|inf|none)\b", bare, re.IGNORECASE), name


def test_identifiers_are_unique_across_the_page_and_resolve(drawn):
    seen = [identifier for svg in drawn.values() for identifier in re.findall(r'\sid="([^"]*)"', svg)]
    assert len(seen) == len(set(seen))
    for name, svg in drawn.items():
        own = set(re.findall(r'\sid="([^"]*)"', svg))
        used = set(re.findall(r"url\(#([^)]*)\)", svg)) | set(re.findall(r'href="#([^"]*)"', svg))
        assert used or name.endswith("images"), name  # pictures share no parts
        assert used <= own, name


def test_colours_are_variables_that_the_page_defines(drawn, tiny_page):
    allowed = {f"var(--{name})" for name in re.findall(r"--([a-z]+):", tiny_page)}
    for name, svg in drawn.items():
        assert not re.search(r"#[0-9a-fA-F]{6}\b", svg), name
        used = set(re.findall(r"var\([^)]*\)", svg))
        assert {"var(--ink)"} < used <= allowed, name


def test_standalone_figure_has_its_own_colours_and_parses(drawn):
    for name, one in drawn.items():
        alone = standalone(one)
        root = ET.fromstring(alone)
        assert root.tag == "{http://www.w3.org/2000/svg}svg", name
        assert root[0].get("fill") == "#ffffff"
        assert "var(" not in alone
        assert re.search(r"(stroke|fill): #[0-9a-f]{6}", alone), name


def test_legends_name_what_is_drawn(drawn):
    assert "γ = 0.3" in _text(drawn["phi"])
    for label in ("f: arctan law", "g: free, measured", "g: flipped", "width m"):
        assert label in _text(drawn["s1-free"])
    for label in ("‖measured − g_b‖/‖g_b‖", "slope −1/2"):
        assert label in _text(drawn["s1-error"])
    for label in ("f = 0", "g = 0", "f_b = 0", "g_b = 0"):
        assert label in _text(drawn["s2-map"])


@pytest.mark.parametrize("networks", ["f", "g", "fg"])
def test_log_axes_cope_with_zero_flipped_shares(fresh_results, drawn, networks):
    section = fresh_results["sections"][0]
    for row in section["by_width"]:
        for network in networks:
            row[network]["flipped"].update(mean=0.0, sd=0.0)
    svg = drawing(free_neurons, "free", section)  # warnings are errors
    ET.fromstring(svg)
    assert not re.search(r"\bnan\b", svg)
    assert svg != drawn["s1-free"]


def test_error_and_cosine_figures_cope_with_one_network_untrained(fresh_results):
    section = fresh_results["sections"][0]
    for row in section["by_width"]:
        row["f"]["relative_error"].update(mean=None, sd=None)
        for name in ("trained_paper", "trained_gradient"):
            row["cosines"][name].update(mean=None, sd=None)
    for family, name in ((rates, "error"), (directions, "cosine")):
        assert not re.search(r"\bnan\b", drawing(family, name, section))


@pytest.mark.parametrize("missing", [None, 0.0])
def test_axes_without_a_positive_value_are_drawn(fresh_results, missing):
    section = fresh_results["sections"][0]
    for row in section["by_width"]:
        for network in ("f", "g"):
            row[network]["relative_error"].update(mean=missing, sd=missing)
        for name in ("trained_paper", "trained_gradient", "between"):
            row["cosines"][name].update(mean=None if missing is None else 1.0, sd=missing)
    for family, name in ((rates, "error"), (directions, "cosine")):
        svg = drawing(family, name, section)
        ET.fromstring(svg)
        assert not re.search(r"\bnan\b", svg)


@pytest.mark.parametrize("count", [1, 2])
def test_few_widths_can_be_drawn(fresh_results, count):
    section = fresh_results["sections"][0]
    section["by_width"], section["widths"] = section["by_width"][:count], section["widths"][:count]
    section["runs"] = [run for run in section["runs"] if run["width"] in section["widths"]]
    for family, name in (
        (free_neurons, "free"),
        (rates, "error"),
        (directions, "cosine"),
    ):
        ET.fromstring(drawing(family, name, section))
    ET.fromstring(agreement.figure(section_of(section), "s1").svg)


@pytest.mark.parametrize(
    ("f", "g", "shaded"), [(1.0, 1.0, False), (1.0, -1.0, True), (-1.0, -1.0, False), (0.0, 1.0, True)]
)
def test_map_is_shaded_where_signs_differ(fresh_results, f, g, shaded):
    section = fresh_results["sections"][0]
    for name, value in (("f", f), ("g", g)):
        section["map"][name] = [value] * len(section["map"][name])
    assert ("var(--shade)" in drawing(agreement, "map", section)) is shaded


# Causes, predictors, pictures ---------------------------------------------------------------------------


def test_causes_are_stacked_to_the_share_that_differs(fresh_results):
    section = fresh_results["sections"][0]
    found = section["diagnosis"]["by_width"]
    names = ("g: flips", "f: flips", "g: other bias", "condition (c)", "f: other bias", "unknown")
    for row in found:
        row.update(points=100, causes={name: 6 - place for place, name in enumerate(names)})
    shown = _text(drawing(agreement, "causes", section))
    for name in (*names[:4], "other causes"):
        assert name in shown
    assert names[4] not in shown
    for row in found:
        row["causes"] = {}
    assert drawing(agreement, "causes", section) is None


def test_width_without_a_difference_is_drawn_empty(fresh_results):
    section = fresh_results["sections"][0]
    section["diagnosis"]["by_width"][0]["causes"] = {}
    ET.fromstring(drawing(agreement, "causes", section))


@pytest.mark.parametrize("missing", [None, 0.0])
def test_predictors_cope_with_errors_that_are_none(fresh_results, missing):
    section = fresh_results["sections"][0]
    for network in ("f", "g"):
        for summary in section["simulated"]["error"][network].values():
            summary.update(mean=missing, sd=missing)
    svg = drawing(simulated, "predictors", section)
    ET.fromstring(svg)
    assert not re.search(r"\bnan\b", svg)
    section["simulated"] = None
    assert drawing(simulated, "predictors", section) is None


def test_pixels_have_the_place_and_sign_of_the_results(fresh_results):
    section = fresh_results["sections"][1]
    for name in ("sample", "perturbation", "gradient", "paper"):
        section["images"]["pictures"][name] = [[0.0] * 64 for _ in range(4)]
    section["images"]["pictures"]["gradient"][1][8 * 2 + 5] = 0.5
    section["images"]["pictures"]["paper"][2][8 * 7] = -1.0
    svg = images_figure(section_of(section), "s2")
    filled = [path for path in ET.fromstring(svg).iter("path") if "fill-opacity" in path.get("style")]
    assert [(path.get("d"), path.get("style")) for path in sorted(filled, key=lambda p: p.get("style"))] == [
        ("M5 2h1v1h-1z", "fill: var(--f); fill-opacity: 0.5"),
        ("M0 7h1v1h-1z", "fill: var(--g); fill-opacity: 1"),
    ]


def test_pictures_of_28_by_28_pixels_are_small(fresh_results):
    """Noise, which has no equal neighbours: 16 pictures of 784 squares."""
    section = fresh_results["sections"][1]
    rng = np.random.default_rng(0)
    for rows in section["images"]["pictures"].values():
        rows[:] = [np.round(rng.uniform(-1, 1, 784), 3).tolist() for _ in rows]
    section["images"]["side"] = 28
    assert len(images_figure(section_of(section), "s2")) < 300_000


def test_data_without_pixels_have_no_pictures(tiny_results):
    assert images_figure(section_of(tiny_results["sections"][0]), "s1") is None
    assert tiny_results["sections"][1]["images"] is not None


def test_no_plane_means_no_map(fresh_results):
    section = fresh_results["sections"][0]
    section["map"] = None
    assert drawing(agreement, "map", section) is None
