"""Drawings: nothing on them is cut off, and little room is lost."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure

from reports import svg


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
