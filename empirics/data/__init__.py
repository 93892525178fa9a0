"""Data sources, seeded: synthetic, bundled with scikit-learn, public images, or the user's own files.

Each source is a frozen configuration with `load(seed) -> Dataset`.  Those that read files have
`content_hash()`, the identity of what they read: it belongs into the hash of a configuration.
"""

from empirics.data.bundled import BreastCancerData, DigitsData
from empirics.data.dataset import Dataset
from empirics.data.file import FileData
from empirics.data.gaussian import GaussianData, ShiftedGaussianData
from empirics.data.images import FashionMnistData, IdxData, MnistData

DataSource = (
    GaussianData
    | ShiftedGaussianData
    | DigitsData
    | BreastCancerData
    | FileData
    | MnistData
    | FashionMnistData
    | IdxData
)

__all__ = [
    "BreastCancerData",
    "DataSource",
    "Dataset",
    "DigitsData",
    "FashionMnistData",
    "FileData",
    "GaussianData",
    "IdxData",
    "MnistData",
    "ShiftedGaussianData",
]
