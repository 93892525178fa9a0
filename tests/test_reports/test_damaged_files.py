"""Files of every kind with bytes flipped, cut out, doubled or cut off: one error, or what the bytes say.

Where a file has a checksum, what is read of a damaged one is what was written.
"""

import gzip
import io
import random
import zipfile

import numpy as np
import pytest

from empirics import FileData
from empirics.data.file import read_points
from empirics.data.idx import read_idx
from empirics.plan_text import plan_of_toml
from empirics.sweep.store import DamagedError, ResultFolder
from reports import schema

X = np.column_stack([np.linspace(-1, 1, 9), np.linspace(3, 4, 9) ** 2])
Y = np.resize([1, -1], 9)
CSV = "a,b,kind\n" + "".join(f"{a!r},{b!r},{y}\n" for (a, b), y in zip(X.tolist(), Y, strict=True))
IDX = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x04" + bytes(range(24))
PLAN = """seeds = 2
[base]
data = {source = "shifted-gaussian", dim = 3, num_train = 8}
num_steps = 2
[[sweep]]
width = [5, 6]
"T_f,T_g" = [[1, 2], [3.5, 4]]
"""


def arrays(save, *args, **named):
    stream = io.BytesIO()
    save(stream, *args, **named)
    return stream.getvalue()


def with_lzma(content):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as plain,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as made,
    ):
        for name in plain.namelist():
            made.writestr(zipfile.ZipInfo(name), plain.read(name), zipfile.ZIP_LZMA)
    return stream.getvalue()


def of_source(path):
    data = FileData(path=str(path), standardise="none").load(0)
    return [data.X.tobytes(), data.y.tobytes(), data.X_test.tobytes(), data.y_test.tobytes(), data.classes]


def of_points(path):
    return read_points(path, label="kind" if path.suffix == ".csv" else None).tolist()


def of_plan(path):
    return plan_of_toml(path.read_bytes().decode("utf-8-sig")).to_json()


def of_idx(path):
    found = read_idx(path)
    return [found.array.shape, found.array.tobytes()]


def of_folder(path):
    """Read what is named so in a folder of results: a plan or a result."""
    folder = ResultFolder(path.parent if path.name == "plan.json" else path.parent.parent)
    if path.name == "plan.json":
        return folder.read_plan()
    return folder.read("one")


# Name of the file, its bytes, its reader, and whether a checksum is over its values.
KINDS = {
    "csv": ("mine.csv", CSV.encode(), of_source, False),
    "points": ("points.csv", CSV.encode(), of_points, False),
    "npy": ("points.npy", arrays(np.save, X), of_points, False),
    "npz": ("mine.npz", arrays(np.savez, X=X, y=Y), of_source, True),
    "packed": ("mine.npz", arrays(np.savez_compressed, X=X, y=Y), of_source, True),
    "lzma": ("mine.npz", with_lzma(arrays(np.savez, X=X, y=Y)), of_source, True),
    "idx": ("t10k-images-idx3-ubyte", IDX, of_idx, False),
    "idx.gz": ("t10k-images-idx3-ubyte.gz", gzip.compress(IDX, mtime=0), of_idx, True),
    "toml": ("plan.toml", PLAN.encode(), of_plan, False),
}


@pytest.fixture
def stored(tmp_path):
    folder = ResultFolder(tmp_path / "sweep")
    folder.write_plan({"blocks": [{"base": {"width": 3}, "axes": []}], "device": "cpu", "versions": []})
    folder.write("one", {"config": {"T_f": 0.1}, "record": {"gap": 1 / 3, "f": X.tolist()}, "error": None})
    return folder.path


def damaged(content, count):
    """Yield so many copies with one to three accidents each."""
    draw = random.Random(0)
    for _ in range(count):
        found = bytearray(content)
        for _ in range(draw.randint(1, 3)):
            place, size = draw.randrange(len(found) + 1), draw.choice([1, 1, 2, 8, 64])
            kind = draw.choice(["flip", "flip", "any", "drop", "double", "end"])
            if kind == "end":
                del found[place:]
            elif kind == "drop":
                del found[place : place + size]
            elif kind == "double":
                found[place:place] = found[place : place + size]
            elif place < len(found):
                found[place] = draw.randrange(256) if kind == "any" else found[place] ^ 1 << draw.randrange(8)
        yield bytes(found)


def survives(path, content, reader, *, checked, count, errors=(ValueError,)):
    """Check that each damaged copy is read or one error, and that some are errors."""
    path.write_bytes(content)
    whole, said = reader(path), []
    for found in damaged(content, count):
        path.write_bytes(found)
        try:
            value = reader(path)
        except errors as error:
            said.append(str(error))
        else:
            assert value == whole or not checked
    path.write_bytes(content)
    assert reader(path) == whole
    assert len(said) > count / 20
    assert all(said)
    assert "\n" not in "".join(said)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_data_are_read_or_one_error(tmp_path, kind):
    name, content, reader, checked = KINDS[kind]
    # Plans are of Python's values: what is of another type is a TypeError.
    errors = (ValueError, TypeError) if kind == "toml" else (ValueError,)
    survives(tmp_path / name, content, reader, checked=checked, count=180, errors=errors)


@pytest.mark.parametrize("name", ["plan.json", "results/one.json"])
def test_damaged_store_is_read_as_written_or_one_error(stored, name):
    path = stored / name
    survives(path, path.read_bytes(), of_folder, checked=True, count=100, errors=(DamagedError,))


def test_damaged_results_are_read_as_written_or_one_error(tmp_path, tiny):
    content = schema.written(tiny).encode()
    survives(
        tmp_path / "results.json", content, schema.read, checked=True, count=80, errors=(schema.SchemaError,)
    )
