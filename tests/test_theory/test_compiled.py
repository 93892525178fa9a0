"""Compiled code on disk is of the sources there are now."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import theory
from theory.compiled import stamp

FOLDER = Path(theory.__file__).parent
# A package with one compiled function that calls another in another file.
FILES = {
    "__init__.py": "",
    "quadratic.py": "from small.compiled import compiled\n@compiled\ndef inner():\n    return 1.0\n",
    "events.py": "from small.compiled import compiled\nfrom small.quadratic import inner\n"
    "@compiled\ndef outer():\n    return inner()\n",
    "steps.py": "",
}


def test_the_stamp_is_of_every_file_with_compiled_functions(tmp_path):
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).write_text("@compiled\n" if name != "c.py" else "")
    before = stamp(tmp_path)
    for name in ("a.py", "b.py", "c.py"):
        held = (tmp_path / name).read_text()
        (tmp_path / name).write_text(held + "2")
        stamp.cache_clear()
        assert (stamp(tmp_path) == before) == (name == "c.py")
        (tmp_path / name).write_text(held)


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    shutil.copy(FOLDER / "compiled.py", folder)
    return folder


CODE = "from small.events import outer; print(outer(), sum(outer._cache_hits.values()))"


@pytest.fixture
def outer(package, capsys, monkeypatch):
    """Return a function that gives what `outer`, imported anew, returns, and how often it was on disk."""
    monkeypatch.syspath_prepend(package.parent)
    # Python would take the same time and size of a file for the same file.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(**environment):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(numba.config, "CACHE_DIR", environment.get("NUMBA_CACHE_DIR", ""))
            for name in [each for each in sys.modules if each.partition(".")[0] == "small"]:
                del sys.modules[name]
            exec(CODE, {})
        return capsys.readouterr().out.split()

    return run


def test_without_a_folder_to_write_to_nothing_is_kept(package, outer):
    # Files where folders would be keep out the superuser, too.
    (package / "__pycache__").touch()
    for _ in range(2):
        assert outer(HOME="/dev/null", XDG_CACHE_HOME="/dev/null") == ["1.0", "0"]


@pytest.mark.parametrize("full_disk", ["limit", "full"], indirect=True)
def test_disk_without_room_for_compiled_code_keeps_none(outer, full_disk):
    for _ in range(2):
        assert outer(NUMBA_CACHE_DIR=str(full_disk)) == ["1.0", "0"]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_compiled_code_that_was_cut_short_is_made_again(package, outer, ending):
    assert outer() == ["1.0", "0"]
    for path in (package / "__pycache__").glob(f"*.{ending}"):
        path.write_bytes(path.read_bytes()[:20])
    assert outer() == ["1.0", "0"]
    assert outer() == ["1.0", "1"]


def test_a_change_of_a_called_function_reaches_its_callers(package, outer):
    assert outer() == ["1.0", "0"]
    process = [sys.executable, "-W", "error", "-c", CODE]
    environment = os.environ | {"PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": ""}
    done = subprocess.run(process, capture_output=True, text=True, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("1.0 1\n", "")  # from the disk
    (package / "quadratic.py").write_text(FILES["quadratic.py"].replace("1.0", "2.00"))
    assert outer()[0] == "2.0"
