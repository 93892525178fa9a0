"""Φ as source text of other languages, printed by sympy from `expressions.PHI`."""

from __future__ import annotations

from typing import Literal

import sympy as sp

from theory import expressions as ex
from theory.validation import check_choice

Language = Literal["latex", "c", "javascript", "python"]

_BY_CORRELATION = "Kernel of a leaky-ReLU layer: rho in [-1, 1] the correlation, gamma in [0, 1) the slope."
_BY_ANGLE = "The same from theta = 2*atan2(|u - v|, |u + v|), u and v unit: acos(rho) loses digits near 0."


def phi_code(language: Language) -> str:
    r"""Return source text that computes Φ from the correlation ρ or the angle θ, and the slope γ.

    Parameters
    ----------
    language : {"latex", "c", "javascript", "python"}

    Returns
    -------
    str
        For C, JavaScript and Python two functions of doubles, ``phi(rho, gamma)`` and
        ``phi_of_angle(theta, gamma)``, complete with what they include or import; for LaTeX an equation in
        both forms, for mathematics mode.  ASCII, with a final newline.

    Raises
    ------
    ValueError
        If `language` is unknown.

    Notes
    -----
    Source: `expressions.PHI`, `expressions.PHI_ANGLE`; Derivation 1, (1.3).

    Examples
    --------
    >>> from theory import phi_code
    >>> phi_code("latex")[:44]
    '\\Phi = \\frac{\\left(1 - \\gamma\\right)^{2} \\ar'
    """
    check_choice("language", language, ("latex", "c", "javascript", "python"))
    if language == "latex":
        correlation, angle = (sp.latex(form, inv_trig_style="full") for form in (ex.PHI, ex.PHI_ANGLE))
        return f"\\Phi = {correlation} = {angle}, \\qquad \\theta = \\arccos \\rho\n"
    templates = {"c": _C, "javascript": _JAVASCRIPT, "python": _PYTHON}
    printers = {"c": sp.ccode, "javascript": sp.jscode, "python": sp.pycode}
    printer = printers[language]
    return templates[language].format(
        by_correlation=_BY_CORRELATION,
        by_angle=_BY_ANGLE,
        phi=printer(ex.PHI),
        phi_of_angle=printer(ex.PHI_ANGLE),
    )


_C = """\
#include <math.h>

#ifndef M_PI /* not in strict C */
#define M_PI 3.14159265358979323846
#endif

/* {by_correlation} */
double phi(double rho, double gamma)
{{
    return {phi};
}}

/* {by_angle} */
double phi_of_angle(double theta, double gamma)
{{
    return {phi_of_angle};
}}
"""

_JAVASCRIPT = """\
// {by_correlation}
function phi(rho, gamma) {{
  return {phi};
}}

// {by_angle}
function phi_of_angle(theta, gamma) {{
  return {phi_of_angle};
}}
"""

_PYTHON = '''\
import math


def phi(rho, gamma):
    """{by_correlation}"""
    return {phi}


def phi_of_angle(theta, gamma):
    """{by_angle}"""
    return {phi_of_angle}
'''
