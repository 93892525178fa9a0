"""Drawings: nothing on them is cut off, and little room is lost."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure

import reports
from reports import render, svg


def _plain(axes):
    axes.plot([0, 1], [0, 1])


def _long_labels(axes):
    axes.plot([-1e6, 1e6], [-12345.678, 3.0])
    axes.set(xlabel="a label of the x axis\nin two lines", ylabel="a label of the y axis", title="a title")
    axes.set_xticks([-1e6, 1e6], ["the first of them", "the last of them"])


def _logarithmic(axes):
    axes.plot([10, 1e5], [1e-9, 3.0])
    svg.log_log(axes)
    axes.set(xlabel="width m", ylabel="error")


def _square(axes):
    axes.imshow(np.zeros((4, 4)), extent=(-3, 3, -3, 3))
    axes.set(xlabel="first direction", ylabel="second direction")


def _legend_beside(axes):
    axes.plot([0, 1], [0, 1], label="beside the axes")
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1))


@pytest.mark.parametrize("draw", [_plain, _long_labels, _logarithmic, _square, _legend_beside])
@pytest.mark.parametrize("size", [(4.8, 3.6), (7.0, 3.0)])
def test_labels_have_the_room_they_need_and_no_more(draw, size):
    figure = Figure(figsize=size, dpi=72)
    axes = figure.add_subplot()
    draw(axes)
    svg.fit(axes)
    outer = axes.get_tightbbox(RendererSVG(*figure.bbox.size, io.StringIO()))
    width, height = figure.bbox.size
    room = np.array([outer.x0, outer.y0, width - outer.x1, height - outer.y1])
    assert room.min() >= 0  # nothing is cut off
    sides = room[:2] + room[2:] - 6  # 3 points on each side
    tight = sides if draw is not _square else sides.min()
    assert np.all(np.abs(tight) < 6)  # half a line of text


def test_a_drawing_is_fitted():
    text = svg.drawing(_long_labels, "x", "what it shows")
    assert 'aria-label="what it shows"' in text
    assert "the last of them" in text
    assert svg.drawing(_long_labels, "x", "what it shows") == text


@pytest.mark.parametrize("length", [60, 400])
def test_labels_without_room_leave_the_drawing(length):
    def draw(axes):
        axes.plot([0, 1], [0, 1])
        axes.set_xticks([0, 1], ["x" * length, "y" * length], rotation=30, ha="right")
        axes.set(ylabel="z" * length)

    assert "z" * length in svg.drawing(draw, "long", "long labels")


# What matplotlib's user has set ----------------------------------------------------------------------

# Each changes some drawing where it is heeded; TeX fails where there is no LaTeX.
HOSTILE = {
    "text.usetex": True,
    "text.parse_math": True,
    "lines.linewidth": 7,
    "font.size": 30,
    "font.family": "serif",
    "axes.linewidth": 5,
    "axes.unicode_minus": False,
    "axes.xmargin": 0.4,
    "axes.spines.left": False,
    "axes.formatter.limits": [-1, 1],
    "axes.prop_cycle": mpl.cycler(color="rgb"),
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "savefig.facecolor": "red",
    "figure.dpi": 300,
    "figure.autolayout": True,
    "image.cmap": "hot",
    "hatch.linewidth": 4,
    "patch.linewidth": 4,
    "xtick.direction": "in",
    "xtick.minor.visible": True,
    "legend.loc": "center",
    "scatter.marker": "x",
    "errorbar.capsize": 10,
    "contour.linewidth": 5,
    "svg.fonttype": "path",
    "path.sketch": (1, 100, 2),
}


def test_figures_of_a_report_are_the_same_whatever_is_set(tiny, tiny_page):
    with mpl.rc_context(HOSTILE):
        before = dict(mpl.rcParams)
        assert render(tiny) == tiny_page
        assert dict(mpl.rcParams) == before


DRAWN = """
from reports import svg

def draw(axes):
    axes.errorbar([1, 10, 100], [1e-3, 2e-2, 0.3], yerr=1e-4, label="$a_b$")
    axes.bar([1, 2], [0.1, 0.2], hatch="/")
    axes.scatter([1, 2], [0.1, 0.2])
    axes.set(xlabel="width $\\\\m", ylabel="error")
    axes.legend()
    svg.log_log(axes)

print(svg.drawing(draw, "x", "what it shows"))
"""


def test_settings_of_the_user_are_not_heeded_and_break_nothing(tmp_path):
    (tmp_path / "set").mkdir()
    lines = [f"{name}: {value}" for name, value in HOSTILE.items() if name != "axes.prop_cycle"]
    text = "\n".join(lines).replace("[", "").replace("]", "").replace("(", "").replace(")", "")
    (tmp_path / "set" / "matplotlibrc").write_text(text + "\nbackend: tkagg\nno such setting\n")
    (tmp_path / "bytes").write_bytes(b"\xff: 3\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "MATPLOTLIB"))}
    expected = io.StringIO()
    with contextlib.redirect_stdout(expected):
        exec(DRAWN, {})
    assert "$a_b$" in expected.getvalue()
    assert "width $\\m" in expected.getvalue()
    for environment in (
        {"MATPLOTLIBRC": str(tmp_path / "set"), "MPLBACKEND": "module://nonsense"},
        {"MATPLOTLIBRC": str(tmp_path / "bytes"), "MPLBACKEND": "nonsense"},
        {"HOME": "/dev/null", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""},
    ):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", DRAWN],
            capture_output=True,
            text=True,
            check=False,
            env=clean | {"PYTHONPATH": str(Path(reports.__file__).parents[1])} | environment,
            cwd=tmp_path,
        )
        assert (done.stderr, done.stdout) == ("", expected.getvalue()), environment


def test_there_is_one_place_that_draws():
    folder = Path(reports.__file__).parent
    texts = {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.py")}
    makes = re.compile(r"_matplotlib import[^)\n]*(\([^)]*)?\bFigure\b|savefig\(")
    assert [name for name, text in texts.items() if makes.search(text)] == ["svg.py"]
    assert [name for name, text in texts.items() if "from matplotlib" in text] == ["_matplotlib.py"]
    assert not [name for name, text in texts.items() if "pyplot" in text]
