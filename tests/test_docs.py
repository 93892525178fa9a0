"""Documents and code agree: what one names of the other is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DERIVATIONS = {int(path.name[:2]): path for path in sorted((ROOT / "theory/derivations").glob("[0-9]*.md"))}
CITING = [
    *(
        path
        for package in ("theory", "empirics", "reports", "tests")
        for path in (ROOT / package).rglob("*.*")
    ),
    ROOT / "README.md",
]
# "Derivation 13", "Derivations 8, 9 and 12", "Derivation 15, steps 1 and 7".
_CITED = re.compile(r"Derivations? (\d+(?:(?:,| and| to) \d+)*)(?:,\s+steps? (\d+(?:(?:,| and| to) \d+)*))?")


def _numbers(cited):
    for part in re.split(", | and ", cited or ""):
        first, _, last = part.partition(" to ")
        yield from range(int(first), int(last or first) + 1) if first else ()


def citations():
    """Yield (file, derivation, steps) of all that is cited."""
    for path in CITING:
        if path.suffix in {".py", ".pyi", ".md", ".toml", ".html"} and path != Path(__file__):
            for match in _CITED.finditer(path.read_text(encoding="utf-8")):
                for number in _numbers(match[1]):
                    yield path.relative_to(ROOT).as_posix(), number, tuple(_numbers(match[2]))


def test_each_derivation_has_a_number_and_says_it():
    assert len(DERIVATIONS) == len(list((ROOT / "theory/derivations").iterdir()))
    for number, path in list(DERIVATIONS.items())[1:]:
        assert path.read_text(encoding="utf-8").startswith(f"# Derivation {number}. ")


def test_ranges_and_steps_are_read():
    (match,) = _CITED.finditer("(Derivations 8 to 10, 12 and 15, steps 1 and 7)")
    assert list(_numbers(match[1])) == [8, 9, 10, 12, 15]
    assert list(_numbers(match[2])) == [1, 7]


def test_cited_derivations_and_steps_exist():
    cited = set(citations())
    assert len(cited) > 100
    for place, number, steps in cited:
        assert number in DERIVATIONS, f"{place}: Derivation {number}"
        text = DERIVATIONS[number].read_text(encoding="utf-8")
        for step in steps:
            assert re.search(rf"\*\*(?:Step )?{step}[.,]", text), f"{place}: Derivation {number}, step {step}"


@pytest.mark.parametrize("path", DERIVATIONS.values(), ids=lambda path: path.stem)
def test_files_that_a_derivation_names_exist(path):
    for name in re.findall(
        r"\b((?:theory|empirics|reports|tests)/[\w/]+(?:\.\w+)?)", path.read_text("utf-8")
    ):
        assert (ROOT / name).exists(), name
