"""Sphinx: pages that work without a network, with the tutorials run as they are built."""

import importlib
import inspect
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # of gallery.py
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = re.findall(
    r"^   ([a-z.]+)$", (Path(__file__).parent / "api/index.md").read_text("utf-8"), re.MULTILINE
)


def _home(value: object, module: ModuleType, depth: int) -> ModuleType:
    """Return the module or package, `depth` names deep, that defines a value."""
    home = inspect.getmodule(value) if callable(value) else None
    own = home is not None and home.__name__.partition(".")[0] in {"theory", "empirics", "reports"}
    return importlib.import_module(".".join(home.__name__.split(".")[:depth])) if own else module


def groups(package: str) -> dict[str, dict[str, str]]:
    """Return what a package exports by the sentence that opens the file of it: each name with its kind.

    What the package above exports, too, stands there, and packages have pages of their own.
    """
    module = importlib.import_module(package)
    parent = importlib.import_module(package.rpartition(".")[0] or package)
    found: dict[str, dict[str, str]] = {}
    defined = [name for name in dir(module) if getattr(getattr(module, name), "__module__", "") == package]
    names = getattr(module, "__all__", [name for name in defined if not name.startswith("_")])
    for name in sorted(names, key=str.lower):
        value = getattr(module, name)
        above = parent is not module and getattr(parent, name, None) is value
        if not (above or f"{package}.{name}" in PACKAGES):
            home = _home(value, module, package.count(".") + 2)
            sentence = inspect.getdoc(home).partition("\n")[0].rstrip(":.")
            kinds = {"function": inspect.isroutine, "class": inspect.isclass, "module": inspect.ismodule}
            kind = next((kind for kind, has in kinds.items() if has(value)), "data")
            found.setdefault(sentence, {})[name] = kind
    return found


project = "perturblearn"
author = _PROJECT["authors"][0]["name"]
copyright = f"2026, {author}"
release = version = _PROJECT["version"]

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_execution_in_temp = True
nb_merge_streams = True

autosummary_context = {"groups": {package: groups(package) for package in PACKAGES}}
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["own.css"]
html_title = f"perturblearn {release}"
html_math_renderer = "mathml"
html_copy_source = False


def glossary() -> str:
    """Return the glossary page; the entries are those of the pages that `reports` writes."""
    entries = tomllib.loads((ROOT / "reports/glossary.toml").read_text(encoding="utf-8"))
    lines = ["# Glossary"]
    for section, terms in entries.items():
        lines.append(f"\n## {section}")
        for term in terms.values():
            named = [f"${term['tex']}$"] if "tex" in term else []
            lines.append(f"\n{', '.join([*named, *filter(None, [term.get('name')])])}\n: {term['words']}")
    return "\n".join(lines) + "\n"


def _mathml(translator: nodes.NodeVisitor, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers draw by themselves, and its number, linked to the table."""
    if isinstance(node, nodes.math_block):
        label = node.get("label")
        number = f'<a class="eqno" href="../formulas.html#row-{label}">({label})</a>' if label else ""
        formula = convert(node.astext(), display="block")
        formula = f'<div class="math"><div class="formula">{formula}</div>{number}</div>'
    else:
        formula = convert(node.astext())
    translator.body.append(formula)
    raise nodes.SkipNode


_STEMS = {int(path.name[:2]): path.stem for path in (ROOT / "theory/derivations").glob("*.md")}


_FORMULA = re.compile(r"(?<!\$ )\((\d+\.\d+)\)")
FORMULAS = {
    number: path.stem
    for path in (ROOT / "theory/derivations").glob("*.md")
    for number in re.findall(r"\$\$ \((\d+\.\d+)\)", path.read_text(encoding="utf-8"))
}


def _link_derivations(text: str, left: str, right: str) -> str:
    """Link "Derivation 3", which is no link or heading yet, and the number of a formula, (3.2)."""

    def link(found: re.Match[str]) -> str:
        return f"{left}doc{right}`{found[0]} </derivations/{_STEMS[int(found[1])]}>`"

    def formula(found: re.Match[str]) -> str:
        return f"{left}ref{right}`{found[0]} <formula-{found[1]}>`" if found[1] in FORMULAS else found[0]

    return _FORMULA.sub(formula, re.sub(r"(?<!\[)(?<!# )\bDerivation (\d+)", link, text))


def _link_docstring(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Link derivations, and let |x| be an absolute value, where reStructuredText has a substitution."""
    example = False
    for place, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            lines[place] = _link_derivations(re.sub(r"(?<!\\)\|", r"\|", line), ":", ":")


def numbers(text: str) -> list[str]:
    """Return the numbers of formulas in a text, those of a range like (3.1) to (3.4) spelt out."""
    found = []
    for match in re.finditer(r"(?<!\$ )\((\d+)\.(\d+)\)(?: to \(\1\.(\d+)\))?", text):
        part, first, last = match.groups()
        found += [f"{part}.{place}" for place in range(int(first), int(last or first) + 1)]
    return found


def _rows(text: str) -> str:
    """Return the table of formulas with a place to link to for each number, where it stands first."""
    places = dict.fromkeys(FORMULAS, True)

    def placed(cell: re.Match[str]) -> str:
        first = [number for number in numbers(cell[0]) if places.pop(number, False)]
        return "| " + "".join(f'<a id="row-{number}"></a>' for number in first) + cell[0][2:]

    return re.sub(r"^\| \([^|]+", placed, text, flags=re.MULTILINE)


def _gallery(app: Sphinx) -> None:
    """Make the pages of the gallery, which stand beside those of the documentation."""
    if app.builder.format == "html":
        importlib.import_module("gallery").write(Path(app.outdir) / "gallery")


def _link_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Link derivations, and names of the three packages in backticks to their reference."""
    if name != "changelog" and not name.startswith("api/"):
        text = _link_derivations(_rows(source[0]) if name == "formulas" else source[0], "{", "}")
        # A place to link to before each numbered formula.
        text = re.sub(r"^( *)(\$\$\n[^$]+\$\$ \((.+)\))$", r"\1(formula-\3)=\n\1\2", text, flags=re.MULTILINE)
        if name == "pages":
            cards = importlib.import_module("gallery").cards()
            text = text.replace("\n\n", f"\n\n{cards}\n\n", 1)
        source[0] = re.sub(r"(?<!`)`((?:theory|empirics|reports)\.[\w.]+)`", r"{py:obj}`\1`", text)


def setup(app: Sphinx) -> None:
    """Add what Sphinx does not do by itself."""
    (ROOT / "docs/glossary.md").write_text(glossary(), encoding="utf-8")
    app.connect("autodoc-process-docstring", _link_docstring)
    app.connect("source-read", _link_page)
    app.connect("builder-inited", _gallery)
    app.add_html_math_renderer("mathml", inline_renderers=(_mathml, None), block_renderers=(_mathml, None))
