"""Compiled code on disk is of the sources there are now."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import empirics.compiled
from empirics.compiled import SOURCES, stamp

FOLDER = Path(empirics.compiled.__file__).parent
# A package with one compiled function that calls another in another file.
FILES = {
    "__init__.py": "",
    "quadratic.py": "from small.compiled import compiled\n@compiled\ndef inner():\n    return 1.0\n",
    "events.py": "from small.compiled import compiled\nfrom small.quadratic import inner\n"
    "@compiled\ndef outer():\n    return inner()\n",
    "steps.py": "",
}


def test_every_file_with_compiled_functions_is_listed():
    users = {path.name for path in FOLDER.rglob("*.py") if "@compiled\n" in path.read_text(encoding="utf-8")}
    assert users == set(SOURCES)


def test_the_stamp_is_of_every_source(tmp_path):
    for name in SOURCES:
        (tmp_path / name).write_text("1")
    before = stamp(tmp_path)
    for name in SOURCES:
        (tmp_path / name).write_text("2")
        assert stamp(tmp_path) != before
        (tmp_path / name).write_text("1")


def test_a_change_of_a_called_function_reaches_its_callers(tmp_path):
    package = tmp_path / "small"
    package.mkdir()
    for name, text in FILES.items():
        (package / name).write_text(text)
    shutil.copy(FOLDER / "compiled.py", package)

    def outer():
        code = "from small.events import outer; print(outer(), sum(outer._cache_hits.values()))"
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
        )
        return done.stdout.split()

    assert outer() == ["1.0", "0"]
    assert outer() == ["1.0", "1"]  # from the disk
    (package / "quadratic.py").write_text(FILES["quadratic.py"].replace("1.0", "2.0"))
    assert outer()[0] == "2.0"
