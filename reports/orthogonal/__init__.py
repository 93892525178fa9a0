"""The pages of `perturblearn orthogonal`: nearly orthogonal samples beside networks trained there."""

from reports.orthogonal.build import build
from reports.orthogonal.page import NUMBERS, PAGE, render, write_page
from reports.orthogonal.parts import Part, Point

__all__ = ["NUMBERS", "PAGE", "Part", "Point", "build", "render", "write_page"]
