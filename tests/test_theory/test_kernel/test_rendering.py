"""Derivations as text, LaTeX and MathML: complete, escaped, and understood by a parser."""

import re
from xml.etree import ElementTree

import pytest
import sympy as sp

from theory.kernel.derivation import derive_phi, derive_phi_properties, rendering

MATHML = "{http://www.w3.org/1998/Math/MathML}"


@pytest.fixture(scope="module", params=["plackett", "polar", "series", "properties"])
def derivation(request):
    return derive_phi_properties() if request.param == "properties" else derive_phi(request.param)


def test_text_numbers_every_statement(derivation):
    text = derivation.to_text()
    words = " ".join(text.split())
    for number, step in enumerate(derivation.steps, start=1):
        assert f"{number}. {step.statement}" in words
    assert "`" not in text
    assert "\\" not in text.replace("╲", "")


def test_latex_is_complete_and_balanced(derivation):
    latex = derivation.to_latex()
    assert latex.isascii()
    assert latex.startswith("\\begin{enumerate}\n")
    assert latex.endswith("\\end{enumerate}\n")
    assert latex.count("\\item ") == latex.count("\\[\n") == latex.count("\n\\]") == len(derivation.steps)
    assert latex.count("\\(") == latex.count("\\)")
    assert latex.count("\\left") == latex.count("\\right")
    assert "`" not in latex
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0


def test_latex_has_no_special_character_outside_mathematics(derivation):
    words = re.sub(r"\\\[.*?\\\]|\\\(.*?\\\)", "", derivation.to_latex(), flags=re.DOTALL)
    words = re.sub(r"\\(begin|end)\{enumerate\}|\\item ", "", words)
    assert not re.search(r"[\\{}$&#%_^~]", words)


def test_latex_formulas_are_understood_by_a_parser(derivation):
    convert = pytest.importorskip("latex2mathml.converter").convert
    formulas = re.findall(r"\\\[(.*?)\\\]|\\\((.*?)\\\)", derivation.to_latex(), flags=re.DOTALL)
    assert len(formulas) > len(derivation.steps)
    for displayed, inline in formulas:
        assert "\\" not in re.sub(r"<[^>]*>", "", convert(displayed or inline))


def test_mathml_is_well_formed_and_has_a_formula_for_every_step(derivation):
    markup = derivation.to_mathml()
    assert "\\" not in markup
    assert "`" not in markup
    items = ElementTree.fromstring(markup).findall("li")
    assert len(items) == len(derivation.steps)
    for item, step in zip(items, derivation.steps, strict=True):
        assert item.text.strip() == step.statement
        assert [child.tag for child in item] == [f"{MATHML}math"]
        assert list(item[0].iter(f"{MATHML}mi")) or list(item[0].iter(f"{MATHML}mn"))
    assert derivation._repr_html_() == markup


def test_mathml_keeps_the_case_of_functions():
    argument = sp.Symbol("rho")
    markup = rendering.mathml([("a & b < c", sp.Function("Phi")(argument))])
    item = ElementTree.fromstring(markup)[0]
    assert item.text.strip() == "a & b < c"
    assert [letter.text for letter in item.iter(f"{MATHML}mi")] == ["Φ", "ρ"]


def test_words_are_escaped_and_mathematics_is_set():
    latex = rendering.latex([("50 % of R&D_x, `ρ² = cos θ ≤ arccos 0`", sp.Integer(1))])
    assert r"50 \% of R\&D\_x, \(\rho ^{2}  = \cos  \theta  \le  \arccos  0\)" in latex


def test_a_character_without_latex_is_refused():
    for prose in ("a snowman ☃", "in mathematics `☃`"):
        with pytest.raises(ValueError, match="prose must be writable in LaTeX"):
            rendering.latex([(prose, sp.Integer(1))])
