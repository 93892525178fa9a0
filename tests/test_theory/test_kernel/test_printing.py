"""Φ printed as source text: what it computes is what `theory.phi` computes."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from theory.kernel.arrays import phi
from theory.kernel.printing import phi_code
from theory.kernel.rows import angles

SLOPES = (0.0, 0.3, 0.9)
# asin near ±1 turns the rounding of ρ into its square root; the sampled |ρ| stay below 0.9.
TOLERANCE = 1e-15
ANGLE_TOLERANCE = 5e-16


@pytest.fixture(scope="module")
def cases():
    """Rows ρ, θ, γ, Φ: pairs of points, and of nearly equal ones for the angle form."""
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(6, 4)), rng.normal(size=(5, 4))
    near = X + 1e-9 * rng.normal(size=X.shape)
    rows = []
    for slope in SLOPES:
        for first, second in ((X, Z), (X, near)):
            theta, value = angles(first, second).ravel(), phi(first, second, negative_slope=slope).ravel()
            rows += [(float(np.cos(t)), float(t), slope, float(v)) for t, v in zip(theta, value, strict=True)]
    return rows


def agrees(cases, by_correlation, by_angle):
    assert len(by_correlation) == len(by_angle) == len(cases) > 100
    for (rho, _, _, value), from_rho, from_angle in zip(cases, by_correlation, by_angle, strict=True):
        assert from_angle == pytest.approx(value, rel=0, abs=ANGLE_TOLERANCE)
        if abs(rho) < 0.9:
            assert from_rho == pytest.approx(value, rel=0, abs=TOLERANCE)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_python_agrees(cases):
    names = {}
    exec(phi_code("python"), names)
    agrees(
        cases,
        [names["phi"](rho, slope) for rho, _, slope, _ in cases],
        [names["phi_of_angle"](theta, slope) for _, theta, slope, _ in cases],
    )


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("standard", ["c99", "gnu11"])
def test_c_agrees(cases, tmp_path, standard):
    table = ",\n".join(f"{{{rho!r}, {theta!r}, {slope!r}}}" for rho, theta, slope, _ in cases)
    source = tmp_path / "phi.c"
    source.write_text(
        f"{phi_code('c')}\n#include <stdio.h>\nstatic const double cases[][3] = {{{table}}};\n"
        "int main(void)\n{\n"
        f"    for (int i = 0; i < {len(cases)}; i++)\n"
        "    {\n"
        "        const double rho = cases[i][0], theta = cases[i][1], gamma = cases[i][2];\n"
        '        printf("%.17g %.17g\\n", phi(rho, gamma), phi_of_angle(theta, gamma));\n'
        "    }\n"
        "    return 0;\n}\n"
    )
    program = tmp_path / "phi"
    run("cc", f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", program, source, "-lm")
    values = np.array(run(program).split(), dtype=float).reshape(-1, 2)
    agrees(cases, values[:, 0], values[:, 1])


@pytest.mark.skipif(shutil.which("node") is None, reason="no node")
def test_javascript_agrees(cases, tmp_path):
    script = tmp_path / "phi.js"
    script.write_text(
        f"'use strict';\n{phi_code('javascript')}\nconst cases = {json.dumps(cases)};\n"
        "const both = cases.map(([rho, theta, gamma]) => [phi(rho, gamma), phi_of_angle(theta, gamma)]);\n"
        "console.log(JSON.stringify(both));\n"
    )
    values = np.array(json.loads(run("node", script)))
    agrees(cases, values[:, 0], values[:, 1])


def test_latex_is_an_equation_in_both_forms():
    code = phi_code("latex")
    assert code.startswith("\\Phi = ")
    assert code.count("{") == code.count("}")
    assert "\\arcsin{\\left(\\rho \\right)}" in code
    assert "\\pi - \\theta" in code


@pytest.mark.parametrize("language", ["latex", "c", "javascript", "python"])
def test_code_is_ascii_and_ends_with_one_newline(language):
    code = phi_code(language)
    assert code.isascii()
    assert code.endswith("\n")
    assert not code.endswith("\n\n")
    assert max(map(len, code.splitlines())) <= (250 if language == "latex" else 110)


def test_unknown_language_is_named():
    with pytest.raises(ValueError, match="language must be one of latex, c, javascript, python, got 'rust'"):
        phi_code("rust")
