"""A line of text with formulas, code and links in it: one value from which HTML and Markdown are made.

Text of results is always a part of its own, never of what is read as markup, and is escaped in both.
"""

import functools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Union, cast

from latex2mathml.converter import convert
from markupsafe import Markup, escape

_MATHML = "{http://www.w3.org/1998/Math/MathML}"
# What formulas are made of.  Links, styles and HTML within text are refused: results may come from anyone.
_ELEMENTS = set(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mstyle "  # noqa: SIM905
    "mtable mtr mtd mpadded mphantom menclose".split()
)
_ATTRIBUTES = set(
    "display stretchy mathvariant fence form separator accent accentunder linethickness width height depth "  # noqa: SIM905
    "lspace rspace minsize maxsize columnalign rowspacing columnspacing displaystyle scriptlevel largeop "
    "movablelimits symmetric notation align".split()
)

Kind = Literal[
    "i", "strong", "code", "sub", "sup", "bdi", "tex", "display", "badge", "link", "fold", "html",
    "small", "source", "cell", "formula", "check", "links", "tallied",
]  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Something in a line that is no plain text.

    Attributes
    ----------
    kind : str
        An element of HTML, "tex" or "display" (a formula), "badge" or "tallied" (a verdict), "link", "fold"
        (behind a click), "html" (which Markdown leaves out), or a class of the style sheet.
    text : content
        TeX of a formula.
    target : str
        Of a link, its address; of what is folded, the words that it is folded behind; of what counts a
        verdict, which.
    """

    kind: Kind
    text: "Content"
    target: str = ""


# Markup is text that is HTML already; Markdown has its text.
Content = Union[str, Markup, Part, tuple["Content", ...]]  # noqa: UP007 - it names itself

_PATTERN = re.compile(
    r"\$\$(?P<display>.+?)\$\$|\$(?P<tex>.+?)\$|`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|\*(?P<i>[^*]+)\*"
    r"|~(?P<sub>[^~ ]+)~|\^(?P<sup>[^^ ]+)\^|(?P<value>\{\})"
)


def rich(template: str, *values: Content) -> Content:
    """Return a line: ``*i*``, ``**strong**``, code in backticks, ``$TeX$``, ``T~f~``, ``10^15^``.

    Each ``{}`` outside of a formula takes one of the values, as it is: text of results comes in this way.
    """
    left = iter(values)

    def parts(said: str) -> Iterator[Content]:
        end = 0
        for found in _PATTERN.finditer(said):
            yield said[end : found.start()]
            end = found.end()
            kind = cast("Kind", found.lastgroup)
            if found["value"]:
                yield next(left)
            elif kind in {"tex", "display"}:
                yield Part(kind, found[kind])
            else:
                yield Part(kind, tuple(parts(found[kind])))
        yield said[end:]

    return tuple(part for part in parts(" ".join(template.split())) if part != "")


# A symbol of the theory with its index: f_b, T_g, σ_w, h_2, N_adv; no part of a longer name.
SYMBOL = re.compile(
    r"(?<![A-Za-z0-9_.])([fghmprtxyzNRTλσ]|He)_([bfghjknwxz]|(?<=h_)\d|adv|min|max)(?![A-Za-z0-9_]|\.\w)"
)


def symbols(said: str) -> Content:
    """Return plain text with its symbols as formulas: f_b, g_b, T_f, T_g, x_n, N_adv."""
    pieces = SYMBOL.split(said)
    return tuple(
        Part("tex", f"{_upright(piece)}_{{{_upright(index)}}}") if place % 3 == 1 else piece
        for place, (piece, index) in enumerate(zip(pieces, [*pieces[1:], ""], strict=True))
        if place % 3 != 2
    )


def _upright(name: str) -> str:
    return rf"\text{{{name}}}" if len(name) > 1 else name


def link(label: Content, target: str) -> Part:
    """Return a link; its address begins with what the page says, never with text of results."""
    return Part("link", label, target)


def lines(*contents: Content) -> Content:
    """Return lines of a cell, one below the other and smaller; empty ones are left out."""
    return tuple(Part("cell", content) for content in contents if content)


# How a part is written in HTML; others are spans of their class.
_ELEMENTS_OF = {
    **dict.fromkeys(("i", "strong", "code", "sub", "sup", "bdi"), "<{kind}>{inner}</{kind}>"),
    **dict.fromkeys(("tex", "html"), "{inner}"),
    "display": '<span class="formula scroll">{inner}</span>',
    "link": '<a href="{target}">{inner}</a>',
    "fold": '<details class="small"><summary>{target}</summary>{inner}</details>',
}


# HTML -------------------------------------------------------------------------------------------------


def html(content: Content) -> Markup:
    """Return content as HTML: text is escaped, and its symbols are formulas; code and names are left."""
    if isinstance(content, tuple):
        return Markup("").join(map(html, content))
    if not isinstance(content, Part):
        written = isinstance(content, Markup) or not SYMBOL.search(content)
        return escape(content) if written else html(symbols(content))
    kind, text = content.kind, content.text
    if kind in {"tex", "display"}:
        inner = mathml(str(text), display=kind == "display")
    else:
        inner = escape(plain(text)) if kind in {"code", "bdi"} else html(text)
    class_: str = kind
    if kind in {"badge", "tallied"}:
        class_ = f"{kind} {(content.target or str(text)).replace(' ', '-')}"
    pattern = _ELEMENTS_OF.get(kind, '<span class="{class_}">{inner}</span>')
    return Markup(pattern).format(inner=inner, kind=kind, class_=class_, target=content.target)


@functools.cache
def mathml(tex: str, *, display: bool = False) -> Markup:
    """Return TeX as MathML.

    Raises
    ------
    ValueError
        If a command is not understood (it would be printed as it is), or makes more than a formula.
    """
    converted = convert(tex, display="block" if display else "inline")
    if "\\" in re.sub(r"<[^>]*>", "", converted):
        msg = f"TeX must be convertible to MathML, got {tex!r}"
        raise ValueError(msg)
    try:
        elements = list(ET.fromstring(converted).iter())
    except ET.ParseError as error:
        msg = f"TeX must be convertible to MathML, got {tex!r}"
        raise ValueError(msg) from error
    names = {element.tag.removeprefix(_MATHML) for element in elements} - _ELEMENTS
    names |= {name for element in elements for name in element.attrib} - _ATTRIBUTES
    if names:
        msg = f"TeX must be a plain formula, got {', '.join(sorted(names))} in {tex!r}"
        raise ValueError(msg)
    return Markup(converted)


def plain(content: Content) -> str:
    """Return the text of content, formulas as TeX."""
    if isinstance(content, tuple):
        return "".join(map(plain, content))
    if isinstance(content, Part):
        return ("; " if content.kind == "cell" else "") + plain(content.text)
    return str(content.striptags() if isinstance(content, Markup) else content)


# Markdown ---------------------------------------------------------------------------------------------


def markdown(content: Content, *, cell: bool = False) -> str:
    """Return content as one line of Markdown, in which text stays text; of a table if `cell`."""
    line = " ".join(_markdown(content, cell=cell).split()).strip("; ")
    line = re.sub(r" ([,.;:])(?= |$)", r"\1", line)
    return line if cell else re.sub(r"^(\d*)([#+.)-])(?=\s)", r"\1\\\2", line)


def _markdown(content: Content, *, cell: bool) -> str:
    if isinstance(content, tuple):
        return "".join(_markdown(part, cell=cell) for part in content)
    if not isinstance(content, Part):
        escaped = re.sub(r"([\\`*\[\]<>|$~])", r"\\\1", plain(content))
        return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)
    kind, text = content.kind, content.text
    if kind in {"tex", "display"}:
        tex = str(text)
        if cell:  # a bar would end the cell
            tex = tex.replace("\\|", "\\Vert ").replace("|", "\\vert ")
        return f" `{' '.join(tex.split())}` "
    inner = _markdown(text, cell=cell)
    before = {"html": None, "sub": "_", "sup": "^", "source": " · ", "cell": "; "}.get(kind, "")
    if before is None:
        return ""
    return f"; {content.target}: {inner}" if kind == "fold" else before + inner
