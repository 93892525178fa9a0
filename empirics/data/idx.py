"""The IDX format of MNIST and its relatives: a header, then unsigned bytes; plain or gzipped.

Header, big-endian: two zero bytes, the type (0x08: unsigned byte), the number of dimensions, then each
dimension as an unsigned 32-bit integer.  Images have three dimensions (count, rows, columns), labels one.
Source: Y. LeCun, C. Cortes, C. Burges, the description that came with MNIST.
"""

import contextlib
import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray

# Training images, their labels, test images, their labels; with or without ".gz".
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# A header that claims more than this is refused.  The largest set of this family, the training images of
# EMNIST "byclass", has about half as many.
MAX_BYTES = 1 << 30
_CHUNK = 1 << 20  # read at once: what is allocated follows what the file holds, not what its header claims
_MAX_DIMENSIONS = 16  # the format allows 255, numpy 64
_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}


@dataclass(frozen=True)
class IdxFile:
    """What an IDX file holds.

    Attributes
    ----------
    array : array of uint8
        In the shape that the header states; read-only.
    sha256 : str
        Of the unpacked file, header included: the same for a file and its gzipped copies.
    """

    array: NDArray[np.uint8]
    sha256: str


def read_idx(path: Path, *, max_bytes: int = MAX_BYTES) -> IdxFile:
    """Read an IDX file of unsigned bytes, unpacking it if it begins as gzip does.

    Parameters
    ----------
    path : Path
    max_bytes : int
        Largest array that is read, bytes.  Memory used is a small multiple of what the file really
        holds, whatever its header claims.

    Returns
    -------
    IdxFile

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no IDX file of unsigned bytes, is empty, is shorter or longer than its header
        states, is too large, or is damaged gzip.

    Notes
    -----
    Reading goes to the end of a gzip stream, so that its checksum is always compared.
    """
    check_file("IDX file", path)
    with _unpacked(path) as stream:
        header = read_exactly(stream, 4)
        shape, more = _shape(path, header, stream)
        size = math.prod(shape)
        if size > max_bytes:
            msg = f"{path.name} must hold at most {max_bytes} bytes, got {size} in its header {shape}"
            raise ValueError(msg)
        content = read_exactly(stream, size)
        if len(content) < size:
            msg = (
                f"{path.name} must hold {size} bytes after its header {shape}, got {len(content)}: truncated"
            )
            raise ValueError(msg)
        if stream.read(1):
            msg = f"{path.name} must end after the {size} bytes of its header {shape}, got more"
            raise ValueError(msg)
    digest = hashlib.sha256(header + more)
    digest.update(content)
    array = np.frombuffer(content, dtype=np.uint8).reshape(shape)
    array.flags.writeable = False
    return IdxFile(array, digest.hexdigest())


def read_images(images: Path, labels: Path) -> tuple[IdxFile, IdxFile]:
    """Read images and the labels that belong to them.

    Parameters
    ----------
    images, labels : Path
        IDX files of shapes (N, rows, columns) and (N,), N ≥ 1.

    Returns
    -------
    tuple of IdxFile

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_idx`; also if the shapes are others, or there are not as many labels as images.
    """
    pixels, classes = read_idx(images), read_idx(labels)
    for path, file, dimensions in ((images, pixels, 3), (labels, classes, 1)):
        if file.array.ndim != dimensions:
            what = "images (count, rows, columns)" if dimensions == 3 else "labels (count)"
            msg = f"{path.name} must hold {what}, got the shape {file.array.shape}"
            raise ValueError(msg)
    if len(pixels.array) != len(classes.array):
        msg = (
            f"{labels.name} must have one label an image, got {len(classes.array)} labels for "
            f"{len(pixels.array)} images in {images.name}"
        )
        raise ValueError(msg)
    return pixels, classes


def find_file(folder: Path, file: str) -> Path | None:
    """Return where one of `FILES` lies in a folder, packed or not; the packed one if both are there."""
    return next((path for path in (folder / f"{file}.gz", folder / file) if path.is_file()), None)


def read_split(paths: list[Path], *, size: tuple[int, int] | None = None) -> list[IdxFile]:
    """Read training images, their labels, test images and their labels.

    Parameters
    ----------
    paths : list of Path
        Of the four files, in the order of `FILES`.
    size : tuple of int, optional
        Rows and columns of the images; those of the training images if absent.

    Returns
    -------
    list of IdxFile

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_images`; also if images have another size.
    """
    files = [*read_images(paths[0], paths[1]), *read_images(paths[2], paths[3])]
    rows, columns = files[0].array.shape[1:] if size is None else size
    for path, file in ((paths[0], files[0]), (paths[2], files[2])):
        found = file.array.shape[1:]
        if found != (rows, columns):
            msg = f"{path.name} must hold images of {rows} x {columns} pixels, got {found[0]} x {found[1]}"
            raise ValueError(msg)
    return files


def content_hash(files: list[IdxFile]) -> str:
    """Return the SHA-256 (hex) of the checksums of files, in their order."""
    return checksum_of([file.sha256 for file in files])


def checksum_of(checksums: Sequence[str]) -> str:
    """Return the SHA-256 (hex) of checksums, one a line."""
    return hashlib.sha256("\n".join(checksums).encode()).hexdigest()


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file, plain or gzipped; damage of the gzip stream becomes one ValueError."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not zipped:
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream  # type: ignore[misc]  # reads as a BinaryIO does
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            msg = f"{path.name} must be an undamaged gzip file, got: {error}"
            raise ValueError(msg) from error


def _shape(path: Path, header: bytes, stream: BinaryIO) -> tuple[tuple[int, ...], bytes]:
    """Return the dimensions that the header states, and the bytes that state them."""
    if len(header) < 4 or header[:2] != b"\0\0":
        msg = f"{path.name} must be an IDX file, which begins with two zero bytes, got {bytes(header)!r}"
        raise ValueError(msg)
    kind, dimensions = header[2], header[3]
    if kind != 0x08:
        found = _TYPES.get(kind, "unknown")
        msg = f"{path.name} must hold unsigned bytes (type 0x08), got type 0x{kind:02x} ({found})"
        raise ValueError(msg)
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        msg = f"{path.name} must have 1 to {_MAX_DIMENSIONS} dimensions, got {dimensions} in its header"
        raise ValueError(msg)
    more = read_exactly(stream, 4 * dimensions)
    if len(more) < 4 * dimensions:
        msg = f"{path.name} must have a header of {4 + 4 * dimensions} bytes, got {4 + len(more)}: truncated"
        raise ValueError(msg)
    shape = struct.unpack(f">{dimensions}I", more)
    if 0 in shape:
        msg = f"{path.name} must not be empty, got {shape} in its header"
        raise ValueError(msg)
    return shape, more


def check_file(what: str, path: Path) -> None:
    """Check that a path is that of a file one can read to its end: no folder, and no pipe.

    Raises
    ------
    FileNotFoundError
        Otherwise.
    """
    if not path.is_file():
        rule = "be a regular file" if path.exists() else "exist"
        msg = f"{what} must {rule}, got {str(path)!r}"
        raise FileNotFoundError(msg)


def read_exactly(stream: IO[bytes], size: int) -> bytes:
    """Read `size` bytes, or fewer if the file ends, a chunk at a time."""
    content = bytearray()
    while len(content) < size:
        chunk = stream.read(min(_CHUNK, size - len(content)))
        if not chunk:
            break
        content += chunk
    return bytes(content)
