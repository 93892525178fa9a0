"""The page of a sweep: its results, what they say of the theory, and how they are drawn."""

from empirics.campaigns.wide import Part
from reports.sweeps.page import PAGE, page_of, read_parts, write_page
from reports.sweeps.reproduction import build

__all__ = ["PAGE", "Part", "build", "page_of", "read_parts", "write_page"]
