"""Docstrings of public functions: the parameters are there, and the example gives what it says."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
from numpydoc.validate import validate

ROOT = Path(__file__).parents[1]


def packages():
    return [
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("theory", "empirics", "reports")
        for path in sorted((ROOT / package).rglob("__init__.py"))
        if path.parts[-2] == package or package != "reports"  # its parts are for who works on it
    ]


def functions(package):
    module = importlib.import_module(package)
    return [name for name in module.__all__ if inspect.isfunction(getattr(module, name))]


FUNCTIONS = [
    (package, name)
    for package in (
        "theory",
        "theory.agreement",
        "theory.deep",
        "theory.orthogonal",
        "theory.times",
        "empirics",
        "empirics.deep",
        "reports",
    )
    for name in functions(package)
]
SLOW = {("reports", name) for name in ("build", "claims", "render", "report")}  # they train for a report


@pytest.mark.parametrize(
    ("package", "name"),
    [pytest.param(*one, marks=pytest.mark.slow if one in SLOW else ()) for one in FUNCTIONS],
    ids=lambda part: part,
)
def test_example_gives_what_it_says(package, name):
    function = getattr(importlib.import_module(package), name)
    (example,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert len(example.examples) in range(2, 8)
    failures, _ = doctest.DocTestRunner().run(example)
    assert failures == 0


def test_help_opens_with_a_short_line():
    for package, name in FUNCTIONS:
        signature = str(inspect.signature(getattr(importlib.import_module(package), name)))
        assert len(signature) < 420 or name == "source", name  # fifteen options of the command line
        assert "Union[" not in signature


@pytest.mark.parametrize("package", packages())
def test_docstrings_describe_what_goes_in_and_comes_out(package):
    """Of numpydoc's rules those that find what is missing or wrong: parameters, returns, sections."""
    rules = {"GL06", "GL07", "GL08", "PR01", "PR02", "RT01", "SS01", "SS03"}
    for name in functions(package):
        errors = validate(f"{package}.{name}")["errors"]
        assert [said for code, said in errors if code in rules] == [], name
