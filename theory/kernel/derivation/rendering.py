"""Steps of a derivation as text, LaTeX and MathML."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from html import escape, unescape
from xml.dom.minidom import Element

import sympy as sp
from sympy.printing.mathml import MathMLPresentationPrinter

Lines = Iterable[tuple[str, sp.Basic]]

# What the formulas between backticks are written with.  A character outside this table and ASCII is an error:
# it would be missing from the typeset page without a word.
_TEX = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "θ": r"\theta", "π": r"\pi", "ρ": r"\rho",
    "σ": r"\sigma", "Φ": r"\Phi", "φ": r"\varphi", "∂": r"\partial", "∇": r"\nabla", "Σ": r"\sum",
    "√": r"\sqrt", "∞": r"\infty", "⟨": r"\langle", "⟩": r"\rangle", "‖": r"\|", "~": r"\sim",
    "→": r"\to", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "∝": r"\propto", "−": "-",
    "²": "^{2}", "₀": "_{0}",
}  # fmt: skip
_PROSE = {"–": "--", "’": "'", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "_": r"\_"}


def text(lines: Lines) -> str:
    """Return numbered statements, each over its formula drawn in Unicode."""
    blocks = []
    for number, (statement, expression) in enumerate(lines, start=1):
        words = textwrap.fill(f"{number}. {statement}", width=100, subsequent_indent="   ")
        formula = sp.pretty(expression, use_unicode=True, wrap_line=False)
        blocks.append(f"{words}\n\n{textwrap.indent(formula, '       ')}\n")
    return "\n".join(blocks)


def latex(lines: Lines) -> str:
    """Return an ``enumerate`` of statements and displayed formulas."""
    items = "".join(
        f"\\item {_typeset(prose)}\n\\[\n{formula(expression)}\n\\]\n" for prose, expression in lines
    )
    return f"\\begin{{enumerate}}\n{items}\\end{{enumerate}}\n"


def formula(expression: sp.Basic) -> str:
    """Return sympy's LaTeX, with arcsin for its asin."""
    return str(sp.latex(expression, inv_trig_style="full"))


def _typeset(prose: str) -> str:
    """Return prose as LaTeX: words escaped, what stands between backticks as mathematics."""
    pieces = prose.split("`")
    words = ["".join(_PROSE.get(character, character) for character in piece) for piece in pieces[::2]]
    formulas = [rf"\({_mathematics(piece)}\)" for piece in pieces[1::2]]
    typeset = words[0] + "".join(math + after for math, after in zip(formulas, words[1:], strict=True))
    if not typeset.isascii():
        msg = f"prose must be writable in LaTeX, got {prose!r}"
        raise ValueError(msg)
    return typeset


def _mathematics(piece: str) -> str:
    named = re.sub(r"\b(arccos|cos|sin|exp)\b", r"\\\1 ", piece)
    return "".join(f"{_TEX[character]} " if character in _TEX else character for character in named)


def mathml(lines: Lines) -> str:
    """Return an ordered list of statements and presentation MathML."""
    items = "".join(
        f'<li>{escape(statement)}\n<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">'
        f"{_without_names(_Printer().doprint(expression))}</math></li>\n"
        for statement, expression in lines
    )
    return f'<ol class="derivation">\n{items}</ol>\n'


class _Printer(MathMLPresentationPrinter):  # type: ignore[misc]
    """Sympy's printer, but for the names of functions, which it would write in lower case: Φ(ρ) as φ(ρ)."""

    def _print_AppliedUndef(self, function: sp.Expr) -> Element:  # noqa: N802
        row: Element = self.dom.createElement("mrow")
        row.appendChild(self._print(sp.Symbol(function.func.__name__)))
        row.appendChild(self._paren_comma_separated(*function.args))
        return row


def _without_names(markup: str) -> str:
    """Replace entities that HTML knows by name and XML does not, such as &InvisibleTimes;."""
    return re.sub(r"&(?!lt;|gt;|amp;)\w+;", lambda entity: unescape(entity[0]), markup)
