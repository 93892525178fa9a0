"""The pages of `perturblearn orthogonal`: nearly orthogonal samples beside networks trained there."""

from reports.orthogonal.build import build
from reports.orthogonal.page import page_of, write_page
from reports.orthogonal.parts import Part, Point

__all__ = ["Part", "Point", "build", "page_of", "write_page"]
