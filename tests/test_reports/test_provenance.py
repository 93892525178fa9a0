"""Provenance: the versions, the revision and the machine that made a report."""

import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from reports import provenance

GLOBALS = provenance.__globals__


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Pretend that the package lies in a folder of its own."""
    package = tmp_path / "reports"
    package.mkdir()
    monkeypatch.setitem(GLOBALS, "__file__", str(package / "provenance.py"))
    return tmp_path


def _git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_versions_are_those_installed():
    record = provenance(command="perturblearn report --seeds 3", device="cpu")
    assert record.command == "perturblearn report --seeds 3"
    versions = record.versions
    assert versions.pop("python") == platform.python_version()
    assert {"numpy", "scipy", "sympy", "torch", "perturblearn"} <= set(versions)
    assert versions == {name: metadata.version(name) for name in versions}
    assert record.machine.device == "cpu"
    assert record.machine.threads >= 1


def test_revision_of_this_checkout_is_a_commit():
    revision = provenance(command="", device="cpu").revision
    in_checkout = (Path(__file__).parents[2] / ".git").exists() and shutil.which("git")
    assert re.fullmatch(r"[0-9a-f]{12}(\+changes)?", revision) if in_checkout else revision is None


def test_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setitem(GLOBALS, "_PACKAGES", ("numpy", "no-such-package-anywhere"))
    versions = provenance(command="", device="cpu").versions
    assert versions["no-such-package-anywhere"] is None
    assert versions["numpy"] == metadata.version("numpy")


def test_outside_a_checkout_there_is_no_revision(checkout):
    assert checkout.is_dir()
    assert provenance(command="", device="cpu").revision is None


def test_broken_checkout_has_no_revision(checkout):
    (checkout / ".git").mkdir()
    assert provenance(command="", device="cpu").revision is None


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_revision_tells_a_changed_tree_from_a_clean_one(checkout):
    (checkout / "file").write_text("1")
    _git(checkout, "init", "--quiet")
    _git(checkout, "add", ".")
    _git(checkout, "commit", "--quiet", "--message", "first")
    head = _git(checkout, "rev-parse", "HEAD")[:12]
    assert provenance(command="", device="cpu").revision == head
    (checkout / "file").write_text("2")
    assert provenance(command="", device="cpu").revision == f"{head}+changes"
