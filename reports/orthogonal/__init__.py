"""The pages of `perturblearn orthogonal`: nearly orthogonal samples beside networks trained there."""

from empirics.campaigns import Point
from empirics.campaigns.orthogonal import Part
from reports.orthogonal.build import build
from reports.orthogonal.page import page_of, write_page

__all__ = ["Part", "Point", "build", "page_of", "write_page"]
