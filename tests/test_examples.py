"""The examples in the docstrings of public functions: there is one, and it gives what it says."""

import doctest
import importlib
import inspect

import pytest

PACKAGES = ("theory",)
FUNCTIONS = [
    (package, name)
    for package in PACKAGES
    for name in importlib.import_module(package).__all__
    if inspect.isfunction(getattr(importlib.import_module(package), name))
]


@pytest.mark.parametrize(("package", "name"), FUNCTIONS, ids=[name for _, name in FUNCTIONS])
def test_example_gives_what_it_says(package, name):
    function = getattr(importlib.import_module(package), name)
    (example,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert len(example.examples) in range(2, 8)
    failures, _ = doctest.DocTestRunner().run(example)
    assert failures == 0


def test_help_opens_with_a_short_line():
    for package, name in FUNCTIONS:
        signature = str(inspect.signature(getattr(importlib.import_module(package), name)))
        assert len(signature) < 400, name
        assert "Union[" not in signature
