from .bundled import (
    BreastCancerData as BreastCancerData,
    DigitsData as DigitsData,
    IrisData as IrisData,
    WineData as WineData,
)
from .dataset import (
    Dataset as Dataset,
)
from .file import (
    FileData as FileData,
)
from .gaussian import (
    GaussianData as GaussianData,
    ShiftedGaussianData as ShiftedGaussianData,
)
from .held import (
    ArrayData as ArrayData,
)
from .images import (
    FashionMnistData as FashionMnistData,
    IdxData as IdxData,
    MnistData as MnistData,
)
from .sources import (
    DataSource as DataSource,
)
