"""The three packages as a whole: who imports whom, what is exported, which versions are pinned."""

import ast
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reports.cli import _EXAMPLES

ROOT = Path(__file__).parents[1]
PACKAGES = ("theory", "empirics", "reports")
# What `import theory` must not load, and works without; import contracts are in pyproject.toml.
NOT_MATHEMATICS = {"torch", "sklearn", "matplotlib", "jinja2", "latex2mathml", "hypothesis", "numba"}
# Files for users of other libraries, which import those, and what is compiled where numba is there.
BRIDGES = {
    "theory/compiled.py": {"numba"},
    "theory/deep/interop.py": {"sklearn"},
    "theory/kernel/interop.py": {"gpytorch", "sklearn", "torch"},
    "theory/testing.py": {"hypothesis"},
}
# Extras that a function asks for when it is called.
ON_DEMAND = {"empirics/sweep/cluster.py": {"distributed"}, "theory/tables.py": {"pandas"}}
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


# Hides packages as if they were not installed.
HIDE = """
import sys

class Hiding:
    def __init__(self, finders):
        self.finders = finders

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            return None
        specs = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in specs if spec is not None), None)

sys.meta_path[:] = [Hiding(sys.meta_path[:])]
"""


def _run(code, *, hidden=()):
    """Run Python in a process of its own, with warnings as errors; it sees the checkout."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", f"HIDDEN = {sorted(hidden)}\n{HIDE}\n{code}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=300,
        check=False,
    )


# Imports ----------------------------------------------------------------------------------------------


def test_theory_imports_nothing_but_mathematics():
    done = _run("import sys, json, theory; theory.phi([[1.0]]); print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "numpy" in loaded
    assert not loaded & (NOT_MATHEMATICS | {"sympy", "scipy"})


@pytest.mark.parametrize("name", ["theory", "theory.kernel"])
def test_names_that_need_sympy_are_there_when_asked_for(name):
    """In a process of its own, where nothing has loaded sympy before."""
    code = (
        f"import json, sys, {name} as package\n"
        "before = 'sympy' in sys.modules\n"
        "missing = [name for name in package.__all__ if not hasattr(package, name)]\n"
        "missing += set(package.__all__) - set(dir(package))\n"
        "print(json.dumps([before, missing, 'sympy' in sys.modules, hasattr(package, 'phy')]))\n"
    )
    done = _run(code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [False, [], True, False]


@pytest.mark.parametrize(
    ("code", "missing", "message"),
    [
        (
            "import empirics",
            ["torch"],
            "empirics needs torch: pip install '.[empirics]' in the source folder",
        ),
        ("import empirics", ["torch", "sklearn"], "empirics needs sklearn, torch: pip install"),
        ("from reports import report", ["jinja2"], "reports needs jinja2: pip install '.[reports]' in the"),
        ("import reports; reports.report", ["pandas", "torch"], "reports needs pandas, torch: pip install"),
    ],
)
def test_missing_dependency_is_named_with_the_command_that_installs_it(code, missing, message):
    done = _run(code, hidden=missing)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: {message}")


@pytest.mark.parametrize("command", ["--help", *_EXAMPLES])
def test_command_without_its_extras_says_so_in_one_line(project, command):
    """After a plain `pip install .`: what an extra alone brings is hidden."""
    extras = project["project"]["optional-dependencies"]
    asked = [
        re.split("[>=\\[]", name)[0] for extra in ("fast", "empirics", "reports") for name in extras[extra]
    ]
    modules = sorted({"scikit-learn": "sklearn"}.get(name, name) for name in asked if name != "perturblearn")
    code = f"import sys; sys.argv[1:] = ['{command}']\nfrom reports.__main__ import main; sys.exit(main())"
    done = _run(code, hidden=modules)
    said = f"reports needs {', '.join(modules)}: pip install '.[reports]' in the source folder"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"perturblearn: error: {said}\n")


@pytest.mark.parametrize("ending", ["parquet", "feather", "xlsx"])
def test_file_that_takes_an_extra_says_which(tmp_path, ending):
    path = tmp_path / f"mine.{ending}"
    path.write_bytes(b"anything")
    code = f"from empirics import FileData; FileData(path={str(path)!r}).read()"
    done = _run(code, hidden=["pyarrow", "openpyxl", "fastparquet"])
    said = (
        f"must be a readable .{ending} file of a table, which needs the extra files: pip install '.[files]'"
    )
    assert done.stderr.splitlines()[-1] == f"ValueError: mine.{ending} {said} in the source folder"


def test_help_is_shown_to_a_user_who_may_write_nowhere(tmp_path):
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [path for path in tmp_path.rglob("*") if path.is_dir()]:
        (folder / "__pycache__").touch()  # files in the way keep out the superuser, too
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"), "/dev/null")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "reports", "sweep", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | homes | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": ""},
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--dry-run" in done.stdout


def test_theory_works_without_the_other_dependencies():
    code = "import theory; print(theory.phi([[1.0, 2.0]], [[1.0, 2.0]], negative_slope=0.5)[0, 0])"
    done = _run(code, hidden=NOT_MATHEMATICS | {"jax"})
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx((1 + 0.5**2) / 2, rel=1e-15)  # Φ(x, x)


def _imported_modules(path):
    """Full names of all modules that a file imports, wherever in it."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def _top(module):
    return module.partition(".")[0]


# Exports ----------------------------------------------------------------------------------------------


def _packages():
    """Names of the packages and of those inside them."""
    return [".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES if path.name == "__init__.py"]


@pytest.mark.parametrize("name", _packages())
def test_package_says_what_it_is_and_exports(name):
    package = importlib.import_module(name)
    assert package.__doc__
    assert package.__doc__.strip()
    assert len(package.__all__) == len(set(package.__all__))
    assert [export for export in package.__all__ if not hasattr(package, export)] == []
    assert not [export for export in package.__all__ if export.startswith("_")]


@pytest.mark.parametrize("name", _packages())
def test_every_export_is_documented(name):
    package = importlib.import_module(name)
    for export in package.__all__:
        value = getattr(package, export)
        if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
            # A dataclass without a docstring gets its signature as one.
            assert value.__doc__, export
            assert not value.__doc__.startswith(f"{export}("), export


# Versions ---------------------------------------------------------------------------------------------


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    names = [_normal(line.partition("==")[0]) for line in lines]
    assert len(names) == len(set(names))
    return dict(zip(names, (line.partition("==")[2] for line in lines), strict=True))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_torch_is_pinned(pins):
    assert pins["torch"] == "2.13.0"


def test_every_direct_dependency_is_pinned_at_or_above_its_minimum(pins, project):
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    wanted += [requirement for extra in extras for requirement in extra]
    for requirement in wanted:
        name, minimum = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[.*\])?(?:>=([0-9.]+))?", requirement).groups()
        if _normal(name) == project["project"]["name"]:
            continue
        assert _normal(name) in pins, requirement
        if minimum:
            pinned = re.match(r"[0-9.]+", pins[_normal(name)]).group()
            assert _release(pinned) >= _release(minimum), requirement


def _release(version):
    return tuple(int(part) for part in version.strip(".").split("."))


def test_every_imported_package_is_a_dependency(project):
    """What the sources import, the metadata declares: by package, with the extras it needs."""
    # markupsafe is part of the interface of jinja2, which depends on it.
    distributions = {"sklearn": "scikit-learn", "flint": "python-flint", "markupsafe": "jinja2"}
    declared = {
        "theory": _names(project["project"]["dependencies"]),
        "empirics": _names(
            project["project"]["optional-dependencies"]["empirics"]
            + project["project"]["optional-dependencies"]["fast"]
        ),
        "reports": _names(project["project"]["optional-dependencies"]["reports"]),
    }
    declared["empirics"] |= declared["theory"]
    declared["reports"] |= declared["empirics"]
    for path in SOURCES:
        place = path.relative_to(ROOT)
        name = place.as_posix()
        known = set(sys.stdlib_module_names) | set(PACKAGES) | BRIDGES.get(name, set())
        known |= ON_DEMAND.get(name, set())
        for top in {_top(module) for module in _imported_modules(path)} - known:
            assert _normal(distributions.get(top, top)) in declared[place.parts[0]], f"{place}: {top}"


def _names(requirements):
    return {_normal(re.match(r"[A-Za-z0-9._-]+", requirement).group()) for requirement in requirements}


def test_command_points_to_a_function(project):
    module, _, name = project["project"]["scripts"]["perturblearn"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.slow
def test_wheel_installs_into_an_empty_environment_without_torch(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    environment = os.environ | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True, env=environment)
    (wheel,) = tmp_path.glob("perturblearn-*.whl")
    subprocess.run([*pip, "install", wheel], check=True, env=environment)
    code = (
        "import sys, importlib.util\n"
        "from theory import phi\n"
        "assert not {'torch', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert importlib.util.find_spec('torch') is None\n"
        "print(phi([[1.0, 0.0]])[0, 0])\n"
    )
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "0.5"


@pytest.mark.parametrize(
    ("name", "package"), [(name, one) for name, many in ON_DEMAND.items() for one in many]
)
def test_extras_on_demand_are_not_imported_with_the_file(name, package):
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    at_top = {
        alias.name.partition(".")[0]
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert package not in at_top
    assert package in (ROOT / name).read_text(encoding="utf-8")
