"""Data sources, seeded: synthetic, bundled with scikit-learn, or the user's own file.

Each source is a frozen configuration with `load(seed) -> Dataset`.
"""

from empirics.data.bundled import BreastCancerData, DigitsData
from empirics.data.dataset import Dataset
from empirics.data.file import FileData
from empirics.data.gaussian import GaussianData, ShiftedGaussianData

DataSource = GaussianData | ShiftedGaussianData | DigitsData | BreastCancerData | FileData

__all__ = [
    "BreastCancerData",
    "DataSource",
    "Dataset",
    "DigitsData",
    "FileData",
    "GaussianData",
    "ShiftedGaussianData",
]
