"""The page of a sweep: its results as one JSON value, what they say of the theory, and how they are drawn."""

from empirics.campaigns.wide import Part
from reports.sweeps.page import PAGE, read_parts, render, write_page
from reports.sweeps.reproduction import build

__all__ = ["PAGE", "Part", "build", "read_parts", "render", "write_page"]
