"""First screens and last lines of all kinds of pages: what was found, what is next, symbols and papers."""

import re
import shlex

import numpy as np
import pytest
from msgspec.structs import replace

from empirics.campaigns import orthogonal
from empirics.campaigns.wide import STUDIES, Part
from empirics.data import ShiftedGaussianData
from empirics.deep import DEEP
from empirics.deep.config import architecture_text
from empirics.sweep.plan import plan_of_configs
from reports import glossary, svg, text
from reports.claims.sweeps import found, reached
from reports.claims.sweeps.rows import Runs
from reports.cli import APP
from reports.inline import SYMBOL, plain
from reports.orthogonal.build import build as build_orthogonal
from reports.orthogonal.page import page_of as page_of_orthogonal
from reports.page import Figure, Page, Section, Table, say
from reports.pages.opening import steps as next_of
from reports.runs import Row, rows_of
from reports.shown import SAID, steps_of
from reports.sweeps.opening import openings, steps
from reports.sweeps.page import page_of
from reports.sweeps.report import plan_of
from reports.sweeps.reproduction import build
from tests.test_reports.parsed import HTML, content, parse

MATHML = "{http://www.w3.org/1998/Math/MathML}"
SVG = "{http://www.w3.org/2000/svg}"
DATA = ShiftedGaussianData(dim=3, num_train=8, num_test=6)


def _study(name="width", seeds=2):
    """Return a study whose agreement is .5 at first and rises by .01 a point; predicted .02 higher."""
    part = Part(kind="study", name=name, seeds=seeds)
    rows = [
        {
            "hash": part.experiment.hash(config, {}),
            "status": "done",
            **dict.fromkeys(("accuracy_f_train", "accuracy_g_train"), 0.9),
            "agreement_test": 0.5 + 0.01 * place,
            "law_agreement_test": 0.52 + 0.01 * place,
            "linear_agreement_test": 0.52 + 0.01 * place,
            "num_test": 100,
        }
        for panel in part.panels()
        for place, point in enumerate(panel.points)
        for config in point.configs
    ]
    plan = plan_of_configs(part.experiment, part.configs())
    return build(plan, Runs(rows_of(rows, Row), part.experiment), [part])


def _deep(depth=3):
    plan = plan_of([DATA], {"depth": depth}, widths=(10, 20, 40), seeds=2)
    rows = [
        {
            "hash": name,
            "status": "done",
            "agreement_test": 0.8 + config.width / 1000,
            "linear_agreement_test": 0.79,
            **dict.fromkeys(("linear_error_f", "linear_error_g"), 0.1),
            "num_test": 100,
        }
        for name, config in plan.configs(DEEP).items()
    ]
    return build(plan, Runs(rows_of(rows, Row), DEEP), [])


def _turning():
    return build_orthogonal(orthogonal.Part(kind="study", name="turning", seeds=1), {})


PAGES = {
    "study": lambda: page_of(_study()),
    "laws": lambda: page_of(_study("floor", 1)),
    "deep": lambda: page_of(_deep()),
    "orthogonal": lambda: page_of_orthogonal(_turning()),
}


@pytest.fixture(scope="module", params=[*PAGES, "report"])
def page(request):
    if request.param == "report":
        return parse(request.getfixturevalue("tiny_page"))
    return parse(PAGES[request.param]().html())


def test_no_symbol_is_typed_with_an_underscore_and_figures_say_what_they_show(page):
    assert len(list(page.iter(f"{HTML}h1"))) == 1

    def visible(element):
        if element.tag.startswith(MATHML) or element.tag in {f"{HTML}{n}" for n in ("code", "bdi", "style")}:
            return
        yield element.text or ""
        for child in element:
            yield from visible(child)
            yield child.tail or ""

    typed = [found[0] for part in visible(page) for found in SYMBOL.finditer(part)]
    assert typed == []
    for drawing in page.iter(f"{SVG}svg"):
        assert len(drawing.get("aria-label")) > 20


def test_every_page_says_what_the_theorem_says_what_is_derived_and_three_things_to_do(page):
    tables = [table for table in page.iter(f"{HTML}table") if table.get("class") in {"opening", "next"}]
    cells = [[content(cell) for cell in row] for table in tables for row in table.iter(f"{HTML}tr")]
    rows = {row[0]: row[1:] for row in cells}
    assert any(name.startswith("The published theorem, arXiv 2410.23677") for name in rows)
    assert "What this project derives" in rows
    (steps_said,) = rows["What to do next"]
    assert steps_said.count("perturblearn") >= 2


def test_every_page_ends_with_its_symbols_and_papers(page):
    last = list(page.iter(f"{HTML}details"))[-1]
    lines = [content(item) for item in last.iter(f"{HTML}li")]
    assert "arXiv 2410.23677" in lines[-2]
    assert "arXiv 2402.10470" in lines[-1]
    assert len(lines) > 4
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("name", SAID["next"])
def test_commands_of_next_steps_are_understood(name):
    assert len(steps_of(name)) == 3
    for question, command in steps_of(name):
        assert question.endswith("?")
        program, *words = shlex.split(command)
        assert program == "perturblearn"
        APP.parse_args(words, print_error=False, exit_on_error=False)


def test_every_study_has_next_steps_of_its_own():
    assert set(STUDIES) <= SAID["next"].keys()


def test_a_study_says_what_was_found_and_draws_it_first():
    results = _study()
    drawn = page_of(results)
    assert drawn.title == "How does agreement decay as the width falls, and how many neurons are free then?"
    said = [plain(block.text) for block in openings(results) if not isinstance(block, Figure)]
    points = results.sections[0].panels[0].points
    first, last = points[0].x, points[-1].x
    end = text.number(0.5 + 0.01 * (len(points) - 1))
    assert said[0].endswith(
        f": f and g agree at 0.5 of the test points at width m = {first:g}, and at {end} at {last:g}."
    )
    figures = [block for block in drawn.sections[0].blocks if isinstance(block, Figure)]
    assert [figure.name for figure in figures] == ["overview"]


def test_a_study_of_predictors_speaks_of_no_networks():
    said = [plain(block.text) for block in openings(_study("floor")) if not isinstance(block, Figure)]
    assert ": the signs of f and g agree at 0.5 of the test points" in said[0]
    (within,) = (line for line in said if " to within " in line)
    assert within.startswith("The agreement of f and g is predicted to within 0.02 on average")


@pytest.mark.parametrize(
    ("command", "seeds", "plan", "deep"),
    [
        (
            "perturblearn report --data 'a b.csv' --label 'c d' --drop-missing --classes=1,0 --dim 3 "
            "--widths=5,9 --T-f 1 --seeds=2 --overwrite --out o",
            "report --data 'a b.csv' --label 'c d' --drop-missing --classes=1,0 --dim 3 --widths=5,9 --T-f 1 "
            "--out o --seeds 16",
            "plan --data 'a b.csv' --label 'c d' --drop-missing --share 0.95 --out my-a-plan",
            "report --data 'a b.csv' --label 'c d' --drop-missing --depth 3 --out my-a-deep",
        ),
        (
            "reports.report(X, y, out='o')",
            "report --data 'a b.csv' --out my-a --seeds 16",
            "plan --data 'a b.csv' --share 0.95 --out my-a-plan",
            "report --data 'a b.csv' --depth 3 --out my-a-deep",
        ),
    ],
)
def test_next_commands_of_a_report_read_the_data_as_it_did(tiny, command, seeds, plan, deep):
    section = tiny.sections[0]
    data = {"source": "a", "path": "a b.csv", "classes": None, "label": "c d", "drop_missing": True}
    read = replace(section, config=replace(section.config, data=data))
    unknown = [claim for claim in tiny.claims if claim.verdict == "unknown"]
    expected = [f"perturblearn {words}" for words in (seeds, plan, deep)]
    assert [words for _, words in next_of(read, unknown, command)] == expected


def test_studies_of_architectures_and_laws_have_no_lead_to_a_level_of_agreement():
    assert reached.claims(_study().sections[0])
    assert not reached.claims(_study("floor", 1).sections[0])
    assert not reached.claims(_study("depth", 1).sections[0])


def test_pairs_say_which_agree_least_and_most():
    (said,) = found.opening(_study("pairs", 1).sections[0], "s1")
    assert plain(said.text) == (
        "Over 45 pairs f and g agree at 0.5 (pair of digits: 0-1) to 0.94 (pair of digits: 8-9) of the test "
        "points."
    )


def test_more_seeds_are_asked_for_what_is_undecided():
    results = _study("floor", 1)
    unknown = sum(claim.verdict == "unknown" for claim in results.claims)
    assert unknown
    question, command = steps(results)[0]
    assert question.startswith(f"{unknown} claims cannot be decided yet")
    assert command == "perturblearn sweep --study floor --seeds 10 --out my-floor"


def test_a_deep_report_says_its_architecture_in_words_and_one_width():
    results = _deep()
    assert results.sections[0].title == "3 hidden layers, training the first layer"
    (said, *_) = openings(results)
    assert plain(said.text).startswith(
        "On shifted-gaussian, f and g agree at 0.84 ± 0 of the test points (m = 40). Predicted before "
        "training: 0.79 ± 0 by both"
    )
    assert architecture_text("some/cnn.py") == "module cnn.py"


# Engine ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (2.0, 4.0, None),
        (120.0, 2000.0, ["200", "500", "1000", "2000"]),
        (0.01, 0.05, ["0.01", "0.02", "0.05"]),
        (999.0, 1001.0, None),
        (1.0, 1000.0, ["10⁰", "10¹", "10²", "10³"]),
    ],
)
def test_a_logarithmic_axis_has_two_labels_or_more(low, high, labels):
    def draw(axes):
        axes.plot([low, high], [low, high])
        svg.log_log(axes)

    drawn = svg.drawing(draw, "x", "a line")
    found_labels = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    half = len(found_labels) // 2  # of x and of y
    assert found_labels[:half] == found_labels[half:]
    assert half >= 2
    if labels is None:
        numbers = [float(label) for label in found_labels[:half]]
        assert all(low * 0.9 <= number <= high * 1.1 for number in numbers)
        assert numbers == sorted(set(numbers))
    else:
        assert found_labels[:half] == labels


def test_an_index_is_lowered_in_a_figure_and_names_are_left():
    drawn = svg.drawing(lambda axes: axes.set(xlabel="T_g of a_b", ylabel="max_steps"), "x", "axes")
    assert '>T<tspan dy="2.5" font-size="75%">g</tspan>' in drawn
    assert "max_steps<" in drawn
    assert " of a_b<" in drawn


def test_columns_without_a_value_are_left_out():
    rows = (("a", "", "—", "1"), ("b", "", "— [—, —]", ""))
    made = Table(("name", "empty", "dashes", "known"), rows).filled
    assert (made.columns, made.rows) == (("name", "known"), (("a", "1"), ("b", "")))


@pytest.mark.parametrize(
    ("mean", "sd", "shown"),
    [(1.4e26, 4e26, "1.4e+26 ± 4e+26"), (1234567.0, 20.0, "1234567 ± 20"), (np.inf, 1.0, "—")],
)
def test_spreads_of_long_numbers_have_powers_of_ten(mean, sd, shown):
    assert text.spread(mean, sd) == shown


def test_the_glossary_has_the_symbols_of_its_page_alone():
    def symbols(said):
        page = glossary.with_symbols(Page("t", "", (Section("", (say(said),)),)))
        (group,) = page.sections[-1].blocks
        return [plain(item).partition(": ")[0] for item in group.blocks[0].items[:-2]]

    assert symbols("nothing of it") == []
    assert symbols("T_f at γ = 0") == [r"\gamma", "T_f,\\ T_g"]
