"""All sources of data, as one type."""

from empirics.data.bundled import BreastCancerData, DigitsData, IrisData, WineData
from empirics.data.file import FileData
from empirics.data.gaussian import GaussianData, ShiftedGaussianData
from empirics.data.held import ArrayData
from empirics.data.images import FashionMnistData, IdxData, MnistData

DataSource = (
    GaussianData
    | ShiftedGaussianData
    | DigitsData
    | BreastCancerData
    | IrisData
    | WineData
    | FileData
    | ArrayData
    | MnistData
    | FashionMnistData
    | IdxData
)
