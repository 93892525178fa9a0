"""IDX files: what was written comes back, and each kind of damage has one clear error."""

import gzip
import hashlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from empirics.data.idx import FILES, content_hash, find_file, read_idx, read_images, read_split

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([7, 0, 255], dtype=np.uint8)


def idx_bytes(array):
    """Return the IDX file of an array, written independently of the reader."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def write(path, content, *, packed=False):
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return path


# What is read ---------------------------------------------------------------------------------------


@given(
    array=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=7)),
    packed=st.booleans(),
)
def test_file_comes_back_as_written(tmp_path_factory, array, packed):
    path = write(tmp_path_factory.mktemp("idx") / "file", idx_bytes(array), packed=packed)
    file = read_idx(path)
    assert file.array.dtype == np.uint8
    np.testing.assert_array_equal(file.array, array, strict=True)
    # The identity is that of the unpacked file.
    assert file.sha256 == hashlib.sha256(idx_bytes(array)).hexdigest()


def test_file_larger_than_a_chunk_comes_back_as_written(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, size=(3, 1_000, 1_000), dtype=np.uint8)
    np.testing.assert_array_equal(read_idx(write(tmp_path / "file", idx_bytes(array))).array, array)


def test_packing_is_known_by_content_rather_than_by_name(tmp_path):
    assert (read_idx(write(tmp_path / "plain.gz", idx_bytes(IMAGES))).array == IMAGES).all()
    assert (read_idx(write(tmp_path / "packed", idx_bytes(IMAGES), packed=True)).array == IMAGES).all()


def test_array_is_read_only(tmp_path):
    with pytest.raises(ValueError, match="read-only"):
        read_idx(write(tmp_path / "file", idx_bytes(LABELS))).array[0] = 1


def test_images_and_labels_are_read_together(tmp_path):
    images, labels = write(tmp_path / "i", idx_bytes(IMAGES)), write(tmp_path / "l", idx_bytes(LABELS))
    pixels, classes = read_images(images, labels)
    np.testing.assert_array_equal(pixels.array, IMAGES)
    np.testing.assert_array_equal(classes.array, LABELS)


def test_packed_file_is_found_before_the_unpacked_one(tmp_path):
    assert find_file(tmp_path, "file") is None
    plain = write(tmp_path / "file", b"")
    assert find_file(tmp_path, "file") == plain
    packed = write(tmp_path / "file.gz", b"")
    assert find_file(tmp_path, "file") == packed


# Damage ---------------------------------------------------------------------------------------------


def header(*shape, kind=8, dimensions=None):
    count = len(shape) if dimensions is None else dimensions
    return bytes([0, 0, kind, count]) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"file must be an IDX file, which begins with two zero bytes, got b''"),
        (b"\0\0\x08", r"file must be an IDX file, .*, got b'\\x00\\x00\\x08'"),
        (b"<!DOCTYPE html>", "file must be an IDX file, which begins with two zero bytes, got b'<!DO'"),
        (b"\0\1\x08\1" + b"\0" * 9, r"file must be an IDX file, .*, got b'\\x00\\x01\\x08\\x01'"),
        (header(2, kind=0x0D) + b"\0" * 8, r"hold unsigned bytes \(type 0x08\), got type 0x0d \(float32\)"),
        (header(2, kind=0x07) + b"\0" * 2, r"hold unsigned bytes \(type 0x08\), got type 0x07 \(unknown\)"),
        (header(), "must have 1 to 16 dimensions, got 0 in its header"),
        (header(*[1] * 255) + b"\0", "must have 1 to 16 dimensions, got 255 in its header"),
        (header(3, 4, dimensions=3), "must have a header of 16 bytes, got 12: truncated"),
        (header(3, 0, 5), r"must not be empty, got \(3, 0, 5\) in its header"),
        (idx_bytes(IMAGES)[:-1], r"hold 60 bytes after its header \(3, 4, 5\), got 59: truncated"),
        (idx_bytes(IMAGES)[:16], r"hold 60 bytes after its header \(3, 4, 5\), got 0: truncated"),
        (idx_bytes(IMAGES) + b"\0", r"end after the 60 bytes of its header \(3, 4, 5\), got more"),
        (header(2**15, 2**16), r"hold at most 1073741824 bytes, got 2147483648 in its header"),
        (header(*[2**32 - 1] * 16), "hold at most 1073741824 bytes, got "),
    ],
)
def test_malformed_file_is_refused(tmp_path, content, message, packed):
    with pytest.raises(ValueError, match=message):
        read_idx(write(tmp_path / "file", content, packed=packed))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"IDX file must exist, got '.*none'"):
        read_idx(tmp_path / "none")


PACKED = gzip.compress(idx_bytes(np.random.default_rng(1).integers(0, 256, (40, 28, 28), dtype=np.uint8)))


@pytest.mark.parametrize(
    "content",
    [
        PACKED[:2],
        PACKED[: len(PACKED) // 2],
        PACKED[:-8],  # without checksum and length
        PACKED[:-1],
        PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:],  # wrong checksum
        PACKED[:-1] + bytes([PACKED[-1] ^ 1]),  # wrong length
        PACKED[:500] + bytes([PACKED[500] ^ 255]) + PACKED[501:],  # damaged inside
        b"\x1f\x8b\x07" + PACKED[3:],  # unknown method
        PACKED + b"rubbish",
    ],
    ids=["magic", "half", "no trailer", "short", "crc", "length", "inside", "method", "rubbish"],
)
def test_damaged_gzip_is_refused(tmp_path, content):
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^file\.gz must "):
        read_idx(path)


@given(position=st.integers(0, len(PACKED) - 1), bit=st.integers(0, 7))
def test_flipped_bit_of_a_gzip_file_is_refused_or_harmless(tmp_path_factory, position, bit):
    content = bytearray(PACKED)
    content[position] ^= 1 << bit
    path = tmp_path_factory.mktemp("gz") / "file.gz"
    path.write_bytes(content)
    try:
        file = read_idx(path)
    except ValueError as error:
        assert str(error).startswith("file.gz must ")  # noqa: PT017
    else:
        assert idx_bytes(file.array) == gzip.decompress(PACKED)  # time, name, system: not content


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_lying_header_allocates_nothing(tmp_path, packed):
    """A header that claims 900 MB of a file of 1 kB costs a few chunks of 1 MiB."""
    path = write(tmp_path / "file", header(900, 1_000, 1_000) + b"\0" * 1_000, packed=packed)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="got 1000: truncated"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


def test_gzip_that_unpacks_to_more_than_its_header_is_not_unpacked_further(tmp_path):
    path = write(tmp_path / "bomb.gz", header(10) + b"\0" * (1 << 26), packed=True)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="must end after the 10 bytes of its header"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


def test_limit_of_size_is_an_argument(tmp_path):
    path = write(tmp_path / "file", idx_bytes(IMAGES))
    assert read_idx(path, max_bytes=60).array.size == 60
    with pytest.raises(
        ValueError, match=r"file must hold at most 59 bytes, got 60 in its header \(3, 4, 5\)"
    ):
        read_idx(path, max_bytes=59)


# Files that belong together -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (LABELS, LABELS, r"i must hold images \(count, rows, columns\), got the shape \(3,\)"),
        (IMAGES, IMAGES, r"l must hold labels \(count\), got the shape \(3, 4, 5\)"),
        (IMAGES, LABELS[:2], "l must have one label an image, got 2 labels for 3 images in i"),
        (IMAGES[:2], LABELS, "l must have one label an image, got 3 labels for 2 images in i"),
    ],
)
def test_images_and_labels_must_belong_together(tmp_path, images, labels, message):
    with pytest.raises(ValueError, match=message):
        read_images(write(tmp_path / "i", idx_bytes(images)), write(tmp_path / "l", idx_bytes(labels)))


def write_split(folder, *, test_images=IMAGES[:2]):
    contents = (IMAGES, LABELS, test_images, LABELS[:2])
    return [write(folder / name, idx_bytes(array)) for name, array in zip(FILES, contents, strict=True)]


def test_all_images_must_have_one_size(tmp_path):
    paths = write_split(tmp_path)
    assert [file.array.shape for file in read_split(paths)] == [(3, 4, 5), (3,), (2, 4, 5), (2,)]
    with pytest.raises(
        ValueError, match=r"train-images-idx3-ubyte must hold images of 28 x 28 .*, got 4 x 5"
    ):
        read_split(paths, size=(28, 28))
    write_split(tmp_path, test_images=np.zeros((2, 5, 4), np.uint8))
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte must hold images of 4 x 5 .*, got 5 x 4"):
        read_split(paths)


def test_content_hash_sees_each_file_and_no_packing(tmp_path):
    paths = write_split(tmp_path)
    first = content_hash(read_split(paths))
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(gzip.compress(content))
        assert content_hash(read_split(paths)) == first
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert content_hash(read_split(paths)) != first
        path.write_bytes(content)
