"""The page of a sweep: its results, what they say of the theory, and how they are drawn."""

from reports.sweeps.page import PAGE, page_of, read_parts, write_page, write_parts
from reports.sweeps.parts import Part
from reports.sweeps.reproduction import build

__all__ = ["PAGE", "Part", "build", "page_of", "read_parts", "write_page", "write_parts"]
