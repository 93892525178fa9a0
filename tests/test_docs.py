"""README.md, docs and derivations agree with the code: what they name is there, and what they show runs."""

import csv
import functools
import html
import importlib
import itertools
import lzma
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from markdown_it import MarkdownIt
from sphinx.util.inventory import InventoryFile

from empirics import draw_targets
from empirics.seeds import seeds_of
from reports import inline
from reports.cli import APP
from reports.presets import source, two_names
from theory import flow_time

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
README = ROOT / "README.md"
DERIVATIONS = {int(path.name[:2]): path for path in sorted((ROOT / "theory/derivations").glob("*.md"))}
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), *TUTORIALS, *DERIVATIONS.values()]


@functools.cache
def conf():
    """Return what the configuration of Sphinx defines; it imports all packages."""
    return runpy.run_path(str(ROOT / "docs/conf.py"))


def named(path):
    return path.relative_to(ROOT).as_posix()


def text_of(path):
    return path.read_text(encoding="utf-8")


# What pages show ------------------------------------------------------------------------------------------

SNIPPETS = [
    (path, snippet)
    for path in PAGES
    for snippet in re.findall(r"```python\n(.*?)```", text_of(path), re.DOTALL)
]
# Those that train networks take longer.
_HEAVY = re.compile("empirics|reports|torch|jax")


def run(code, folder):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.parametrize(
    ("path", "snippet"),
    [pytest.param(*one, marks=pytest.mark.slow if _HEAVY.search(one[1]) else ()) for one in SNIPPETS],
    ids=[f"{named(path)}: {text.splitlines()[1]}" for path, text in SNIPPETS],
)
def test_it_runs_and_prints_what_stands_below(path, snippet, tmp_path):
    done = run(snippet, tmp_path)
    assert done.returncode == 0, done.stderr
    after = text_of(path).split(f"```python\n{snippet}```")[1].split("```python")[0]
    for line in done.stdout.splitlines():
        assert f"    {line}\n" in after


def test_readme_is_short():
    assert len(text_of(README).splitlines()) <= 120
    assert [path for path, _ in SNIPPETS].count(README) == 3
    assert max(len(list(filter(None, snippet.splitlines()))) for _, snippet in SNIPPETS) <= 10
    assert (ROOT / "docs/error.svg").stat().st_size <= 60_000


@pytest.mark.parametrize("path", TUTORIALS, ids=named)
def test_tutorial_runs_up_to_where_it_needs_networks(path, tmp_path):
    """`make docs` runs all of it."""
    cells = re.findall(r"```\{code-cell\}\n(.*?)```", text_of(path), re.DOTALL)
    assert cells
    done = run("\n".join(itertools.takewhile(lambda cell: not _HEAVY.search(cell), cells)), tmp_path)
    assert done.returncode == 0, done.stderr


def test_one_version_everywhere():
    version = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["version"]
    assert f"\nversion: {version}\n" in text_of(ROOT / "CITATION.cff")
    assert text_of(ROOT / "CHANGELOG.md").startswith(f"# Changes\n\n## {version}\n")


# What they name -------------------------------------------------------------------------------------------

ROWS = [line.split(" | ") for line in text_of(ROOT / "docs/formulas.md").splitlines() if "`test_" in line]


def test_there_are_rows():
    assert len(ROWS) > 50
    assert all(len(row) in {4, 5} for row in ROWS)  # a column may be empty


@pytest.mark.parametrize("row", ROWS, ids=[row[1][:40] for row in ROWS])
def test_functions_and_tests_of_a_row_are_there(row):
    package = ""
    for name in re.findall(r"`([a-z][\w.]+)`", row[2]):  # `theory.f_predict`, then `g_predict` of the same
        package = name.rpartition(".")[0] or package
        assert pkgutil.resolve_name(f"{package}.{name.rpartition('.')[2]}") is not None
    folder = TESTS
    for path in re.findall(r"`(test_[\w/.]+)`", row[-1]):
        found = TESTS / path if "/" in path else folder / path
        assert found.exists(), path
        folder = found.parent


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_and_names_resolve(path):
    text = text_of(path)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", re.sub(r"\$[^$]+\$", "", text)):
        assert (path.resolve().parent / target).exists(), target
    if path.name != "changelog.md":  # it has names that are gone
        for name in re.findall(r"`((?:theory|empirics|reports)\.[a-z][\w.]*)`", text):
            assert pkgutil.resolve_name(name) is not None, name
        for name in re.findall(r"\b((?:theory|empirics|tests)/[\w/-]+(?:\.\w+)?)", text):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_an_underscore_is_a_subscript_and_no_emphasis(path):
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", text_of(path), flags=re.DOTALL)
    inner = itertools.chain.from_iterable(token.children or [] for token in MarkdownIt().parse(text))
    assert [
        token for token in inner if token.type in {"em_open", "strong_open"} and "_" in token.markup
    ] == []


def commands():
    """Yield each command on pages, in blocks or in backticks; those with words like DIR are left out."""
    for path in [*PAGES, ROOT / "docs/gallery.py"]:
        text = text_of(path).replace("\\\n", " ")
        blocks = re.findall(r"^ {4}(?:\.venv/bin/)?(perturblearn [^#\n]+)", text, re.MULTILINE)
        quoted = re.findall(r"[`\"](perturblearn [\w-]+ [^`\"]*(?<!--data))[`\"]", text)
        for command in [*blocks, *quoted]:
            if not re.search(r"(?<![\w./=])[A-Z]{3,}\b|\.\.\.", command):
                yield pytest.param(command.strip(), id=f"{path.name}: {command.strip()}"[:90])


@pytest.mark.parametrize("command", [*commands()])
def test_commands_can_be_typed(command):
    """They parse, and classes of bundled data are there."""
    words = shlex.split(command)[1:]
    APP.parse_args(words, exit_on_error=False, print_error=False)
    given = dict(itertools.pairwise(words))
    if given.get("--data") in {"digits", "wine", "iris"} and "--classes" in given:
        assert source(given["--data"], classes=two_names(given["--classes"])).load(0).X.size


# Derivations ----------------------------------------------------------------------------------------------

# "Derivation 13", "Derivations 8, 9 and 12", "Derivation 15, steps 1 and 7".
_CITED = re.compile(r"Derivations? (\d+(?:(?:,| and| to) \d+)*)(?:,\s+steps? (\d+(?:(?:,| and| to) \d+)*))?")


def _numbers(cited):
    for part in re.split(", | and ", cited or ""):
        first, _, last = part.partition(" to ")
        yield from range(int(first), int(last or first) + 1) if first else ()


def citations():
    """Yield (file, derivation, steps) of all that is cited."""
    sources = [
        path
        for package in ("theory", "empirics", "reports", "tests")
        for path in (ROOT / package).rglob("*.*")
    ]
    for path in [*PAGES, *sources]:
        if path.suffix in {".py", ".pyi", ".md", ".toml", ".html"} and path != Path(__file__):
            for match in _CITED.finditer(text_of(path)):
                for number in _numbers(match[1]):
                    yield named(path), number, tuple(_numbers(match[2]))


def test_each_derivation_has_a_number_and_says_it():
    assert len(DERIVATIONS) == len(list((ROOT / "theory/derivations").iterdir()))
    for number, path in list(DERIVATIONS.items())[1:]:
        assert text_of(path).startswith(f"# Derivation {number}. ")


_NUMBER = r"\(\d+\.\d+\)"


def formulas_cited(text):
    return conf()["numbers"](text)


def test_ranges_of_formulas_are_spelt_out():
    assert formulas_cited("(3.1), (4.9) to (4.11)\n$$ (5.1)") == ["3.1", "4.9", "4.10", "4.11"]


def test_formulas_are_numbered_in_their_order():
    """Without gaps, by the number of the derivation; every display has one."""
    for number, path in DERIVATIONS.items():
        displays = re.findall(r"^ *\$\$\n[^$]+^ *\$\$(?: \((.+)\))?$", text_of(path), re.MULTILINE)
        assert displays == [f"{number}.{place + 1}" for place in range(len(displays))]
        assert text_of(path).count("$$") == 2 * len(displays)
        for display in re.findall(
            r"\$\$\n[^$]+\$\$", text_of(path)
        ):  # a code host would see lists and headings
            assert not re.search(r"^ *[-+*>#=] ", display, re.MULTILINE), display
        assert all(len(line) <= 112 or line.startswith("|") for line in text_of(path).splitlines()), path
        plain = re.sub(r"\$\$\n[^$]+\$\$", "", text_of(path))
        assert number == 9 or re.findall(r"^ {4}\S.*", plain, re.MULTILINE) == []  # formulas typed as code


def test_each_formula_is_listed_and_each_number_is_one():
    """The table of formulas has each by its number; texts and docstrings cite those that there are."""
    listed = set(formulas_cited(text_of(ROOT / "docs/formulas.md")))
    assert listed == conf()["FORMULAS"].keys()
    assert len(listed) > 80
    for path in PAGES:
        assert set(formulas_cited(text_of(path))) <= listed, named(path)
    sources = [path for name in ("theory", "empirics", "reports") for path in (ROOT / name).rglob("*.py")]
    cited = {number for path in sources for number in _of_docstrings(text_of(path))}
    assert cited <= listed
    assert len(cited) > 20


def _of_docstrings(text):
    """Yield the numbers of formulas that stand after that of their derivation: Derivation 3, (3.2)."""
    for match in re.finditer(rf"Derivation (\d+), (?:{_NUMBER}(?:, |\s+and\s+|\s+to\s+)?)+", text):
        found = formulas_cited(" ".join(match[0].split()))
        assert {one.partition(".")[0] for one in found} == {match[1]}, match[0]
        yield from found


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_formulas_can_be_drawn(path):
    text = re.sub("```.*?```|`[^`]+`", "", text_of(path), flags=re.DOTALL)
    for tex in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, re.DOTALL):
        assert inline.mathml("".join(tex), display=bool(tex[0]))


def test_ranges_and_steps_are_read():
    (match,) = _CITED.finditer("(Derivations 8 to 10, 12 and 15, steps 1 and 7)")
    assert list(_numbers(match[1])) == [8, 9, 10, 12, 15]
    assert list(_numbers(match[2])) == [1, 7]


def test_cited_derivations_and_steps_exist():
    cited = set(citations())
    assert len(cited) > 100
    for place, number, steps in cited:
        assert number in DERIVATIONS, f"{place}: Derivation {number}"
        for step in steps:
            found = re.search(rf"\*\*(?:Step )?{step}[.,]", text_of(DERIVATIONS[number]))
            assert found, f"{place}: Derivation {number}, step {step}"


# The glossary ----------------------------------------------------------------------------------------------


def test_glossary_is_that_of_the_pages():
    """`make docs` writes it; on a code host it is read as it stands here."""
    assert text_of(ROOT / "docs/glossary.md") == conf()["glossary"]()
    for terms in tomllib.loads(text_of(ROOT / "reports/glossary.toml")).values():
        for name, term in terms.items():
            assert term.keys() <= {"pattern", "tex", "name", "words"}, name
            assert "pattern" not in term or ("tex" in term and re.compile(term["pattern"])), name
            assert "name" in term or "tex" in term, name
            for tex in re.findall(r"\$(.+?)\$", f"${term.get('tex', 'x')}$ {term['words']}"):
                assert inline.mathml(tex)


# The reference --------------------------------------------------------------------------------------------


def public_names():
    """Return every public name of the packages, those for who works on `reports` left out."""
    folders = [
        path.parent
        for package in ("theory", "empirics", "reports")
        for path in sorted((ROOT / package).rglob("__init__.py"))
        if package != "reports" or path.parent.name == "reports"
    ]
    packages = [".".join(folder.relative_to(ROOT).parts) for folder in folders]
    return {f"{package}.{name}" for package in packages for name in importlib.import_module(package).__all__}


def test_every_public_name_is_in_the_reference():
    groups = conf()["autosummary_context"]["groups"]
    shown = set(conf()["PACKAGES"])
    for package in conf()["PACKAGES"]:
        shown |= {f"{package}.{name}" for names in groups[package].values() for name in names}
    # What a package above has, too, is shown there alone.
    known = {(name.rpartition(".")[2], id(pkgutil.resolve_name(name))) for name in shown}
    for name in public_names():
        assert (name.rpartition(".")[2], id(pkgutil.resolve_name(name))) in known, name


def broken_links(built):
    """Yield (page, link) of links within built pages that lead to no file, or to no place in it."""
    places = {page: set(re.findall(r'\bid="([^"]+)"', text_of(page))) for page in built.rglob("*.html")}
    for page in places:
        for link in re.findall(r'(?:href|src)="([^":?]*)(?:\?[^"#]*)?"', text_of(page)):
            place, _, anchor = unquote(html.unescape(link)).partition("#")
            target = (page.parent / place).resolve() if place else page
            if not target.exists() or (anchor and anchor not in places.get(target, {anchor})):
                yield page.relative_to(built).as_posix(), link


@pytest.mark.slow
def test_documentation_is_built_without_a_warning():
    subprocess.run(["make", "docs"], cwd=ROOT, check=True, timeout=1800)
    inventory = InventoryFile.loads((ROOT / "docs/_build/html/objects.inv").read_bytes(), uri="").data
    shown = {
        name.rpartition(".")[2] for kind, names in inventory.items() if kind[:3] == "py:" for name in names
    }
    assert {name.rpartition(".")[2] for name in public_names()} - shown == set()
    assert {f"tutorials/{path.stem}" for path in TUTORIALS} <= set(inventory["std:doc"])
    assert {f"derivations/{path.stem}" for path in DERIVATIONS.values()} <= set(inventory["std:doc"])
    assert {f"formula-{number}" for number in conf()["FORMULAS"]} <= set(inventory["std:label"])
    built = (ROOT / "docs/_build/html").resolve()
    assert list(broken_links(built)) == []
    gallery = re.findall(r'(?:href|src)="(gallery/[^"]+)"', text_of(built / "pages.html"))
    assert len(gallery) >= 15
    for place in gallery:
        assert "<svg" in text_of(built / place) or place == "gallery/comparison/report.html", place


# Tables of runs that are too large to repeat ----------------------------------------------------------------


EPSILONS = tuple(0.07 * step for step in range(11))
T_OF = {rate: flow_time(rate, 1000, momentum=0.9) for rate in (1.0, 0.1)}


@functools.cache
def rows_of_msg_b():
    """Return the runs as arrays by column, numbers as far as they are."""
    with lzma.open(ROOT / "docs/data/msg-b.csv.xz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.genfromtxt([row[name] for row in rows]) for name in rows[0]}


def of_runs(name, **fields):
    """Return a column of the runs with f at rate 1 and the given fields, in the order of the seeds."""
    runs = rows_of_msg_b()
    kept = np.all(
        [np.isclose(runs[key], value) for key, value in {"T_f": T_OF[1.0], **fields}.items()], axis=0
    )
    assert runs["seed"][kept].tolist() == list(range(10))
    return runs[name][kept]


def digits(value):
    return f"{value:.3f}".removeprefix("0")


def cell(values):
    return f"{digits(values.mean())} ({digits(values.min())} to {digits(values.max())})"


def table_of_msg_b():
    """Yield the lines of both tables of MSG(b)."""
    columns = [*itertools.product(("agreement_test", "accuracy_g_train"), (1.0, 0.1))]
    for epsilon in EPSILONS:
        cells = [
            cell(of_runs(name, epsilon=epsilon, T_g=T_OF[rate], num_steps_g=1000))
            for name, rate in (*columns, ("predicted_agreement_test", 1.0))
        ]
        yield f"| {' | '.join((f'{epsilon:g}', *cells))} |"
    for epochs in (1, 3, 5, 7, 10, 20, 50, 100):
        names = ("agreement_test", "lazy_agreement_test")
        yield f"| {epochs} | {' | '.join(cell(of_runs(name, num_steps_g=epochs)) for name in names)} |"


def test_tables_of_msg_b_are_those_of_its_rows():
    text = text_of(ROOT / "docs/results.md")
    assert [line for line in table_of_msg_b() if f"{line}\n" not in text] == []


def test_two_numbers_tell_the_side_of_agreement_in_msg_b():
    """The sign of ε + .3 √d mean(t y), as the page says, and how often it is right there."""
    N, d = 10_000, 5000
    y = np.where(np.arange(N) < N // 2, 1.0, -1.0)
    targets = (draw_targets(N, rng=np.random.default_rng(seeds_of(seed)[3])) for seed in range(10))
    chance = np.array([0.3 * np.sqrt(d) * np.mean(t * y) for t in targets])
    right = {"rule": 0, "predicted": 0}
    for epsilon in EPSILONS:
        of = {"epsilon": epsilon, "T_g": T_OF[1.0], "num_steps_g": 1000}
        above = of_runs("agreement_test", **of) > 0.5
        right["rule"] += np.sum(above == (epsilon + chance > 0))
        right["predicted"] += np.sum(above == (of_runs("predicted_agreement_test", **of) > 0.5))
    assert right == {"rule": 108, "predicted": 109}
    said = " ".join(text_of(ROOT / "docs/results.md").split())
    assert "in 108 of 110 runs (rate 1), and the prediction g_b in 109." in said
    runs = rows_of_msg_b()
    control = np.isclose(runs["epsilon"], 0)
    most = [runs["agreement_test"][control & (runs["seed"] == seed)].max() for seed in range(10)]
    assert f"mean over 10 seeds is {digits(np.mean(most))}." in said
