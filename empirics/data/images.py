"""MNIST, Fashion-MNIST and other images in the same four files: two classes, the official split.

Files are looked for in a folder of the user, then in the user's cache, then downloaded into it.
"""

import logging
import os
import shlex
import time
import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import numpy as np
from msgspec import Struct, convert

from empirics.data.dataset import (
    PREPARED,
    STANDARDISATIONS,
    Dataset,
    check_classes,
    check_varies,
    standardised,
    two_classes,
    understood,
)
from empirics.data.idx import FILES, IdxFile, checksum_of, content_hash, find_file, read_split
from theory.validation import Array, check_choice, check_integer

# How pixels, read as numbers in [0, 1], are prepared.  "scalar-mean" subtracts one number from all of them,
# as the published experiments do; the others are those of `empirics.data.dataset`.
IMAGE_PREPARATIONS = ("scalar-mean", *STANDARDISATIONS)
FOLDER_VARIABLE = "PERTURBLEARN_DATA"  # holds one folder a data set, such as mnist

_SILENCE = 20.0  # seconds without a byte after which a mirror is given up
_PATIENCE = 900.0  # seconds for one file
_MAX_DOWNLOAD = 1 << 26  # bytes; the largest of the files has 26,421,880


class Published(Struct, frozen=True, kw_only=True):
    """Where a public data set lies, and how to know it; one entry for each of `FILES`."""

    mean: float  # of the training pixels in [0, 1], as the published experiments round it
    class_names: tuple[str, ...]  # of the labels 0, 1, ...
    mirrors: tuple[str, ...]
    packed: tuple[str, ...]  # SHA-256 of the .gz files
    unpacked: tuple[str, ...]  # SHA-256 of what they hold


PUBLISHED = convert(
    tomllib.loads(resources.files("empirics.data").joinpath("images.toml").read_text(encoding="utf-8")),
    dict[str, Published],
)


@dataclass(frozen=True, kw_only=True)
class _ImageData:
    """Two classes of images, in four files."""

    classes: tuple[str, str] | None = None  # the first becomes +1
    num_train: int | None = None  # points of the two classes, drawn with the seed; None: all
    num_test: int | None = None
    standardise: str = "scalar-mean"  # see IMAGE_PREPARATIONS
    folder: str | None = None

    name = ""

    def __post_init__(self) -> None:
        for option in ("num_train", "num_test"):
            value = getattr(self, option)
            if value is not None:
                check_integer(option, value, minimum=1)
        check_choice("standardise", self.standardise, IMAGE_PREPARATIONS)
        check_classes(self.classes)
        published = self.published
        if published is not None and self.classes is not None:
            positive, negative = (_label(name, published) for name in self.classes)
            if positive == negative:
                msg = f"classes must be two different ones, got {' and '.join(self.classes)}"
                raise ValueError(msg)

    @property
    def published(self) -> Published | None:
        """What is known of the published files; None where there are none."""
        return PUBLISHED[self.name]

    def load(self, seed: int) -> Dataset:
        """Read the split of the files; `seed` only draws the subsamples."""
        return _load(self, self._read(), seed)

    def content_hash(self) -> str:
        """Return the SHA-256 (hex) of the files used, packed or not; downloads them if need be."""
        return content_hash(self._read())

    def _read(self) -> list[IdxFile]:
        return read_split(_locate(self.folder, self.name), size=(28, 28))


@dataclass(frozen=True, kw_only=True)
class MnistData(_ImageData):
    """Two classes of the 28×28 handwritten digits of MNIST (Y. LeCun et al., 1998); d = 784.

    The defaults are the published experiment's: digits 1 (+1) and 2 (−1), all 12,700 training and 2,167
    test points, pixels in [0, 1] minus 0.1307.

    The four files are read from `folder`; without it from ``$PERTURBLEARN_DATA/mnist`` if they are there,
    else from the user's cache, into which they are downloaded once.  A downloaded file must have the
    published SHA-256; a file of the user may be another, which `Dataset.preparation` then says.

    Raises
    ------
    ValueError, TypeError
        On construction, if an option is unknown; on loading, if a file is malformed, a subsample larger than
        the data, or a class missing.
    FileNotFoundError
        On loading, if `folder` (or the folder of the environment variable) lacks some of the files, or the
        environment variable names a folder that does not exist; nothing is downloaded then.
    ConnectionError
        On loading, if the files can be downloaded from nowhere; says how to fetch them by hand.
    """

    classes: tuple[str, str] | None = ("1", "2")

    name = "mnist"
    dim = 784


@dataclass(frozen=True, kw_only=True)
class FashionMnistData(_ImageData):
    """Two classes of the 28×28 images of Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf, 2017); d = 784.

    The defaults are the published experiment's: T-shirts (+1) and ankle boots (−1), all 12,000 training and
    2,000 test points, pixels in [0, 1] minus 0.2860.  A class is named by its number, "0" to "9", or by its
    name, "T-shirt/top" to "Ankle boot".  Files, preparation and errors are as for `MnistData`, in the folder
    ``$PERTURBLEARN_DATA/fashion-mnist``.
    """

    classes: tuple[str, str] | None = ("0", "9")

    name = "fashion-mnist"
    dim = 784


@dataclass(frozen=True, kw_only=True)
class IdxData(_ImageData):
    """Two classes of images of any size in a folder of four IDX files, named as those of MNIST.

    "scalar-mean" subtracts the mean of all training pixels, those of other classes included.  Errors are as
    for `MnistData`; nothing is downloaded.
    """

    folder: str = field()  # of the base's, without its default

    @property
    def name(self) -> str:  # type: ignore[override]
        """The last part of the folder's path."""
        return Path(self.folder).absolute().name

    @property
    def published(self) -> None:
        """None, whatever the folder is called."""

    def _read(self) -> list[IdxFile]:
        return read_split(_complete(Path(self.folder).expanduser(), None))


def published_content(data: object) -> str | None:
    """Return the `content_hash` that a source has with the published files, without looking at any file.

    Parameters
    ----------
    data : object
        A source of data.

    Returns
    -------
    str or None
        SHA-256 in hexadecimal; None for a source of which no files were published.
    """
    published = data.published if isinstance(data, _ImageData) else None
    return None if published is None else checksum_of(published.unpacked)


def _label(name: str, published: Published) -> str:
    """Return the label, "0" to "9", of a class that is given by it or by its name."""
    for label, known in enumerate(published.class_names):
        if str(name).casefold() in {str(label), known.casefold()}:
            return str(label)
    msg = f"classes must be among {', '.join(published.class_names)}, got {name!r}"
    raise ValueError(msg)


# Files ----------------------------------------------------------------------------------------------


def _locate(folder: str | None, name: str) -> list[Path]:
    """Return where the four files lie, after downloading them if nobody has."""
    if folder is not None:
        return _complete(Path(folder).expanduser(), name)
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        if not Path(chosen).expanduser().is_dir():
            msg = f"{FOLDER_VARIABLE} must name a folder that exists, got {chosen!r}"
            raise FileNotFoundError(msg)
        # One folder a data set, as the files of all of them have the same names.
        place = Path(chosen).expanduser() / name
        if any(find_file(place, file) for file in FILES):
            return _complete(place, name)
    return _download_all(name)


def _complete(folder: Path, name: str | None) -> list[Path]:
    found = [find_file(folder, file) for file in FILES]
    missing = [f"{file}.gz" for file, path in zip(FILES, found, strict=True) if path is None]
    if missing:
        msg = f"folder must hold {', '.join(missing)} (or unpacked, without .gz), got {str(folder)!r}"
        if name is not None:
            msg += f"; to fetch them:\n{_commands(name, folder)}"
        raise FileNotFoundError(msg)
    return [path for path in found if path is not None]


def _commands(name: str, folder: Path) -> str:
    """Return the shell commands that fetch the files by hand."""
    return "\n".join(
        f"  curl -fL --create-dirs -o {shlex.quote(str(folder / file))} {PUBLISHED[name].mirrors[0]}{file}"
        for file in (f"{file}.gz" for file in FILES)
    )


def _cache_folder(name: str) -> Path:
    import pooch  # noqa: PLC0415

    return Path(pooch.os_cache("perturblearn")) / name


def _download_all(name: str) -> list[Path]:
    """Return the files in the user's cache, after fetching those that are missing or damaged there."""
    import pooch  # noqa: PLC0415

    folder = _cache_folder(name)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # it would report each download on the terminal
    try:
        return [
            _download(f"{file}.gz", checksum, folder, name)
            for file, checksum in zip(FILES, PUBLISHED[name].packed, strict=True)
        ]
    finally:
        logger.setLevel(level)


def _download(file: str, checksum: str, folder: Path, name: str) -> Path:
    """Return the file in the cache, from the first mirror that has it with the right checksum.

    It takes its name only after its checksum was compared, so half a file is never taken for the file.
    """
    import pooch  # noqa: PLC0415
    from requests.exceptions import RequestException  # noqa: PLC0415

    reasons = []
    for mirror in PUBLISHED[name].mirrors:
        url = f"{mirror}{file}"
        try:
            path = pooch.retrieve(
                url, known_hash=f"sha256:{checksum}", fname=file, path=folder, downloader=_fetch
            )
            return Path(path)
        except (RequestException, TimeoutError, ValueError) as error:
            reasons.append(f"  {url}: {type(error).__name__}: {error!s:.400}")
    tried = "\n".join(reasons)
    msg = (
        f"{name} must be downloaded, but no mirror delivered {file}:\n{tried}\n"
        f"Fetch the files later or elsewhere, and put them where these commands do:\n"
        f"{_commands(name, folder)}\n"
        f"or into any folder F/{name}, with F in the environment variable {FOLDER_VARIABLE}."
    )
    raise ConnectionError(msg)


def _fetch(url: str, output_file: str, _pooch: object) -> None:
    """Download a file for pooch, with limits on its size and on the time it takes."""
    import requests  # noqa: PLC0415

    deadline = time.monotonic() + _PATIENCE
    size = 0
    # Identity: a server must not pack the file once more, nor requests unpack it.
    headers = {"Accept-Encoding": "identity"}
    with (
        requests.get(url, stream=True, timeout=_SILENCE, headers=headers) as response,
        Path(output_file).open("wb") as stream,
    ):
        response.raise_for_status()
        # Small pieces: time is looked at between them.
        for piece in response.iter_content(1 << 12):
            size += len(piece)
            if size > _MAX_DOWNLOAD:
                msg = f"file must have at most {_MAX_DOWNLOAD} bytes, got more"
                raise ValueError(msg)
            if time.monotonic() > deadline:
                msg = f"file must arrive within {_PATIENCE:g} s, got {size} bytes by then"
                raise TimeoutError(msg)
            stream.write(piece)


# Content --------------------------------------------------------------------------------------------


def _load(config: _ImageData, files: list[IdxFile], seed: int) -> Dataset:
    published = config.published
    # Two streams, so that one subsample does not depend on the size of the other.
    train_rng, test_rng = np.random.default_rng(seed).spawn(2)
    X, y, classes, total = _part(config, "num_train", files[:2], train_rng)
    if config.classes is None:  # what the training part decided holds for the test part
        config = replace(config, classes=(classes[1], classes[0]))
    X_test, y_test, _, total_test = _part(config, "num_test", files[2:], test_rng)
    if len(set(y)) < 2:
        msg = f"num_train must be large enough for both classes, got {len(X)} of one class in {config.name}"
        raise ValueError(msg)
    check_varies(X, config.name)
    if config.standardise == "scalar-mean":
        mean = float(files[0].array.mean()) / 255 if published is None else published.mean
        X, X_test = X - mean, X_test - mean
        prepared = f"pixels in [0, 1] minus {mean:.4g}"
    else:
        X, X_test = standardised(X, X_test, config.standardise, config.name)
        prepared = f"pixels {PREPARED.get(config.standardise, 'in [0, 1]')}"
    split = "official split" if published is not None else "split of the files"
    prepared += f"; {split}, {len(X)} of {total} training and {len(X_test)} of {total_test} test points"
    if published is not None:
        known = zip(FILES, files, published.unpacked, strict=True)
        other = [name for name, file, checksum in known if file.sha256 != checksum]
        if other:
            prepared += f"; not the published files: {', '.join(other)}"
    title = f"{config.name} {classes[1]} vs {classes[0]}".replace("/", "-")  # also names files
    said = () if published is not None else (understood(X, y, classes, total=len(X)),)
    return Dataset(title, X, y, X_test, y_test, classes, prepared, said)


def _part(
    config: _ImageData, option: str, files: list[IdxFile], rng: np.random.Generator
) -> tuple[Array, Array, tuple[str, str], int]:
    """Return the rows drawn with pixels in [0, 1], labels, class names (−1, +1), and how many there were."""
    images, labels = (file.array for file in files)
    wanted, published = config.classes, config.published
    if published is not None and wanted is not None:
        wanted = (_label(wanted[0], published), _label(wanted[1], published))
    where = f"{config.name} ({'training' if option == 'num_train' else 'test'} part)"
    # Row numbers rather than rows, as only those drawn become floating-point numbers.
    numbers, y, classes = two_classes(
        np.arange(len(labels), dtype=np.float64)[:, None], labels.tolist(), wanted, source=where
    )
    if published is not None:
        classes = (published.class_names[int(classes[0])], published.class_names[int(classes[1])])
    rows = numbers[:, 0].astype(np.intp)
    count = getattr(config, option)
    if count is not None:
        if count > len(rows):
            msg = (
                f"{option} must be at most {len(rows)}, the points of the two classes in {where}, "
                f"got {count}: give --{option.replace('_', '-')} {len(rows)} "
                f"(of a sweep --set data.{option}={len(rows)})"
            )
            raise ValueError(msg)
        drawn = rng.permutation(len(rows))[:count]  # the larger subsample begins with the smaller
        rows, y = rows[drawn], y[drawn]
    return images[rows].reshape(len(rows), -1) / 255, y, classes, len(numbers)
