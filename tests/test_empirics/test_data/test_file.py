"""The user's own files: what is read comes out unchanged, and whatever is wrong is named."""

import os
import zipfile

import numpy as np
import pytest

from empirics import FileData
from empirics.data.file import read_points

# Numbers whose digits a careless reader would lose.
VALUES = np.array([0.1, -0.0, 1e300, 5e-324, 1 / 3, -12345678.9, 2.0**53 + 2, 1e-17])


def points_and_labels(count=24):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.choice(VALUES, size=count), rng.normal(size=count), np.arange(count)])
    return X, np.where(np.arange(count) % 3 == 0, -1, 1)


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def write_csv(path, X, labels, *, header="", end="\n"):
    lines = [
        ",".join([*(repr(float(v)) for v in row), str(label)]) for row, label in zip(X, labels, strict=True)
    ]
    path.write_text(header + end.join(lines) + end, encoding="utf-8")
    return str(path)


def loaded(path, **options):
    """Return all rows in the order of their last feature, and their labels."""
    data = FileData(path=path, **{"standardise": "none", **options}).load(0)
    X, y = np.concatenate([data.X, data.X_test]), np.concatenate([data.y, data.y_test])
    order = np.argsort(X[:, -1])
    return X[order], y[order]


# Reading --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("labels", [np.int8, np.float32, str])
def test_npz_comes_back_unchanged(tmp_path, compressed, labels):
    X, y = points_and_labels()
    (np.savez_compressed if compressed else np.savez)(tmp_path / "mine.npz", X=X, y=y.astype(labels), extra=X)
    options = {} if labels is not np.float32 else {"classes": ("1", "-1")}
    rows, signs = loaded(str(tmp_path / "mine.npz"), **options)
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(signs, y)


@pytest.mark.parametrize("header", ["", "height,weight,number,class\n", "\ufeff", "\ufeffa,b,c,class\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_csv_comes_back_unchanged(tmp_path, header, end):
    X, y = points_and_labels()
    rows, signs = loaded(write_csv(tmp_path / "mine.csv", X, y, header=header, end=end))
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(signs, y)


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_text_labels_are_mapped_as_named(tmp_path, ending):
    X, y = points_and_labels()
    labels = np.where(y > 0, "spam", "ham").astype("<U5")
    labels[:4] = "other"
    path = tmp_path / f"mine.{ending}"
    name = (
        write_npz(path, X=X, y=labels)
        if ending == "npz"
        else write_csv(path, X, [f" {label} " for label in labels])
    )
    rows, signs = loaded(name, classes=("ham", "spam"))
    np.testing.assert_array_equal(rows, X[4:])
    np.testing.assert_array_equal(signs, -y[4:])
    data = FileData(path=name, classes=("ham", "spam"), standardise="none").load(0)
    assert data.classes == ("spam", "ham")
    assert data.name == "mine"


def test_rows_of_a_file_are_standardised_unless_told_otherwise(tmp_path):
    X, y = points_and_labels()
    data = FileData(path=write_npz(tmp_path / "mine.npz", X=X[:, 1:], y=y), standardise="zscore").load(0)
    # Two squares, a root, two quotients: fewer than 10 roundings.
    norms = np.linalg.norm(np.concatenate([data.X, data.X_test]), axis=1)
    np.testing.assert_allclose(norms, np.sqrt(2), rtol=10 * np.finfo(np.float64).eps)


def test_split_depends_on_the_seed_alone(tmp_path):
    data = FileData(path=write_npz(tmp_path / "mine.npz", X=X[:, 1:], y=Y))
    first, same, other = (data.load(seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.X, same.X)
    np.testing.assert_array_equal(first.y_test, same.y_test)
    assert (first.X != other.X).any()


def test_integer_features_become_real(tmp_path):
    X, y = np.arange(40, dtype=np.uint8).reshape(20, 2), np.tile([1, -1], 10)
    data = FileData(path=write_npz(tmp_path / "mine.npz", X=X, y=y), standardise="none").load(0)
    assert data.X.dtype == np.float64
    np.testing.assert_array_equal(np.sort(np.concatenate([data.X, data.X_test])[:, 0]), X[:, 0])


# Refusing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["mine.txt", "mine", "mine.NPZ", "folder.csv/mine"])
def test_ending_must_be_known(path):
    with pytest.raises(
        ValueError,
        match=f"data file must end in .csv, .tsv, .json, .parquet, .feather, .xlsx, .npy, .npz, got '{path}'",
    ):
        FileData(path=path)


def test_options_are_checked_on_construction():
    with pytest.raises(ValueError, match="test_fraction must be > 0, got 0"):
        FileData(path="mine.csv", test_fraction=0)
    with pytest.raises(
        ValueError, match="standardise must be one of none, center, zscore, ball, auto, got 'all'"
    ):
        FileData(path="mine.csv", standardise="all")


@pytest.mark.parametrize("name", ["absent.npz", "absent.csv", "folder/absent.csv"])
def test_absent_file_is_named(tmp_path, name):
    path = str(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f"data file must exist, got '{path}'"):
        FileData(path=path).load(0)


X, Y = points_and_labels()
WITH_NAN, WITH_INF = X.copy(), X.copy()
WITH_NAN[3, 1], WITH_INF[5, 0] = np.nan, -np.inf


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"X": X}, ValueError, "mine.npz must hold arrays X and y, or x_train and y_train, got X"),
        ({"x": X, "y": Y}, ValueError, "mine.npz must hold arrays X and y, or x_train and y_train, got x, y"),
        ({}, ValueError, "mine.npz must hold arrays X and y, or x_train and y_train, got none"),
        ({"X": X[:, 0], "y": Y}, ValueError, r"X in mine.npz must have shape \(n, d\).*, got \(24,\)"),
        ({"X": X[:0], "y": Y[:0]}, ValueError, r"X in mine.npz must have shape .*, got \(0, 3\)"),
        ({"X": X, "y": Y[1:]}, ValueError, r"y in mine.npz must have shape \(24,\), .*, got \(23,\)"),
        ({"X": X, "y": Y[:, None]}, ValueError, r"y in mine.npz must have shape \(24,\), .* \(24, 1\)"),
        ({"X": WITH_NAN, "y": Y}, ValueError, r"X in mine.npz must be finite, got nan \(1 of 72 entries\)"),
        ({"X": WITH_INF, "y": Y}, ValueError, "X in mine.npz must be finite, got -inf"),
        ({"X": X, "y": WITH_NAN[:, 1]}, ValueError, "y in mine.npz must have .*, got none in 1 of 24"),
        ({"X": X, "y": WITH_INF[:, 0]}, ValueError, "labels in mine.npz must be finite, got -?inf"),
        ({"X": X, "y": ["a"] * 20 + [""] * 4}, ValueError, "y in mine.npz must .*, got none in 4 of 24"),
        ({"X": X, "y": Y * 1j}, ValueError, "y in mine.npz must be numbers or text, got dtype complex128"),
        ({"X": X, "y": [b"\xff"] * 24}, ValueError, "y in mine.npz must be numbers or text in UTF-8"),
        ({"X": X * 1j, "y": Y}, ValueError, "X in mine.npz must be an array of real numbers, got dtype comp"),
        (
            {"X": X.astype(str), "y": Y},
            ValueError,
            "X in mine.npz must be an array of real numbers, got dtype",
        ),
        ({"X": X, "y": Y**2}, ValueError, "classes must be two, but mine.npz has 1 in its labels: 1"),
        ({"X": X[:3], "y": [1, -1, 1]}, ValueError, "at least 4 rows of the two classes, got 3 in mine"),
        ({"X": X * 0, "y": Y}, ValueError, "data must not be constant, got 24 equal rows in mine"),
        (
            {"X": X.astype(object), "y": Y},
            ValueError,
            "mine.npz must be a readable .npz file: .*; object arrays are never unpickled",
        ),
    ],
)
def test_bad_npz_is_named(tmp_path, arrays, error, message):
    path = write_npz(tmp_path / "mine.npz", **arrays)
    with pytest.raises(error, match=message):
        FileData(path=path).load(0)


def test_pickle_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = write_npz(tmp_path / "mine.npz", X=X, y=np.array([Bomb()] * len(X), dtype=object))
    with pytest.raises(ValueError, match="object arrays are never unpickled"):
        FileData(path=path).load(0)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x93NUMPY\x01\x00"])
def test_npz_that_is_no_archive_is_named(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"mine.npz must be a readable .npz file: File is not a zip file"):
        FileData(path=str(tmp_path / "mine.npz")).load(0)


def test_damaged_npz_is_named(tmp_path):
    path = tmp_path / "mine.npz"
    write_npz(path, X=X, y=Y)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF  # inside the numbers of X, which a checksum protects
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine.npz must be a readable .npz file: Bad CRC-32"):
        FileData(path=str(path)).load(0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_npz_is_named(tmp_path, share):
    path = tmp_path / "mine.npz"
    write_npz(path, X=X, y=Y)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"mine.npz must be a readable .npz file: "):
        FileData(path=str(path)).load(0)


@pytest.mark.parametrize("dtype", ["<f8", ">f8", ">i4", "<u2", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_number_type_and_order_come_back_unchanged(tmp_path, dtype, order):
    array = np.array([[1, 2, 300], [4, 5, 0]], dtype=dtype, order=order)
    np.save(tmp_path / "points.npy", array)
    points = read_points(tmp_path / "points.npy")
    assert points.dtype == np.float64
    np.testing.assert_array_equal(points, array)


def header_of(shape, descr="<f8"):
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"


def npy_of(header, content=b""):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy_of(header_of((10**6, 10**6)), bytes(64)), "at most [0-9]+ bytes, got 8000000000000 in"),
        (npy_of(header_of((4, 2)), bytes(63)), "the 64 bytes of its header .*, got 63: truncated"),
        (npy_of(header_of((4, 2)), bytes(65)), "the 64 bytes of its header .*, got more"),
        (npy_of(header_of((-4, -2)), bytes(64)), "negative dimensions"),
        (
            npy_of(header_of((4, 2)).replace("descr", "kind"), bytes(64)),
            "Header does not contain the correct",
        ),
        (npy_of("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2"), "EOF in multi-line statement"),
        (npy_of("[" * 5000), "."),
        (npy_of(header_of((4, 2), "|O"), bytes(64)), "never unpickled"),
        (b"\x93NUMPY\x03\x00" + npy_of(header_of((4, 2)))[8:], r"version 1.0 or 2.0, got \(3, 0\)"),
    ],
)
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_array_that_is_not_what_its_header_claims_is_one_error(tmp_path, content, reason, ending):
    path = tmp_path / f"mine.{ending}"
    path.write_bytes(content)
    if ending == "npz":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X.npy", content)
            archive.writestr("y.npy", content)
    with pytest.raises(
        ValueError, match=f"mine.{ending} must be a readable .{ending} file.*{reason}"
    ) as caught:
        read_points(path) if ending == "npy" else FileData(path=str(path)).load(0)
    assert "\n" not in str(caught.value)


def test_packed_zeros_are_not_unpacked(tmp_path, monkeypatch):
    """A megabyte of a .npz file may hold a gigabyte of zeros."""
    np.savez_compressed(tmp_path / "mine.npz", X=np.zeros((2000, 10)), y=np.zeros(2000))
    monkeypatch.setattr("empirics.data.file.MAX_BYTES", 50_000)
    with pytest.raises(ValueError, match=r"an array must have at most 50000 bytes, got 160000 in its header"):
        FileData(path=str(tmp_path / "mine.npz")).load(0)
    np.savez(tmp_path / "mine.npz", X=np.zeros((2000, 10)), y=np.zeros(2000))
    with pytest.raises(ValueError, match="classes must be two"):  # not packed: as large as it says
        FileData(path=str(tmp_path / "mine.npz")).load(0)


@pytest.mark.filterwarnings("error")
def test_header_that_python_2_wrote_is_read(tmp_path):
    content = np.arange(6.0).reshape(3, 2)
    (tmp_path / "old.npy").write_bytes(npy_of(header_of("(3L, 2L)"), content.tobytes()))
    np.testing.assert_array_equal(read_points(tmp_path / "old.npy"), content)


def test_longer_numbers_than_float64_are_refused(tmp_path):
    np.save(tmp_path / "points.npy", np.array([[1, 10]], dtype=np.longdouble) ** 400)
    with pytest.raises(ValueError, match=r"points in points.npy must be finite, got inf"):
        read_points(tmp_path / "points.npy")


@pytest.mark.parametrize("read", [read_points, lambda path: FileData(path=str(path)).load(0)])
def test_folder_and_pipe_are_no_files(tmp_path, read):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("folder.csv", "pipe.csv"):
        with pytest.raises(FileNotFoundError, match=f"must be a regular file, got '.*{name}'"):
            read(tmp_path / name)


def test_text_of_bytes_names_classes(tmp_path):
    path = write_npz(tmp_path / "mine.npz", X=X, y=np.where(Y > 0, b"spam", b"ham"))
    np.testing.assert_array_equal(loaded(path, classes=("spam", "ham"))[1], Y)


BODY = "1,2,1\n3,4,-1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.csv must have rows of numbers, got none"),
        ("height,weight,class\n", "mine.csv must have rows of numbers, got none"),
        ("1\n2\n", "mine.csv must have rows of at least one feature and a label"),
        (BODY + "5,1\n", "mine.csv must have 3 columns in each row, got 2 in line 3"),
        ("a,b,c\n" + BODY + "5,6,7,1\n", "mine.csv must have 3 columns in each row, got 4 in line 4"),
        (BODY + "5,six,1\n", "mine.csv must hold numbers, got 'six' in line 3, column 2"),
        (
            BODY + "5,,1\n",
            "no missing values, got them in 1 of 3 rows and 1 of 2 columns, first in line 3, column 2",
        ),
        ("a,b,c\n" + BODY + "5,,1\n", "no missing values, .* first in line 4, column 2: .*--drop-missing"),
        (
            "a,b,c\n\n" + BODY + "5,NaN ,1\n",
            "no missing values, .* first in line 5, column 2",
        ),
        (
            '"a\nb",c,d\n' + BODY + "inf,6,1\n",
            "mine.csv must hold finite numbers, got 'inf' in line 5, column 1",
        ),
        (BODY + "5,nan,1\n", "no missing values, .* first in line 3, column 2"),
        (BODY + "-inf,6,1\n", "mine.csv must hold finite numbers, got '-inf' in line 3, column 1"),
        ("a,b,c\n" + BODY + "5,6,nan\n", "a label in each row, got none in 1 of 3, first in line 4"),
        (BODY + "5,6,2\n", "classes must be two, but mine.csv has 3 in its labels: -1, 1, 2;"),
        (BODY + "5,6,yes\n", "has 3 in its labels: -1, 1, yes;"),
        (BODY, "at least 4 rows of the two classes, got 2 in mine"),
        ("1,2,1\n" * 5, "has 1 in its labels: 1"),
        ("1,2,1\n1,2,-1\n" * 3, "data must not be constant, got 6 equal rows in mine"),
    ],
)
def test_bad_csv_is_named(tmp_path, text, message):
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        FileData(path=str(tmp_path / "mine.csv")).load(0)


@pytest.mark.parametrize("content", [b"\xff\xfe1\x00,\x002", b"1,2,\x00\n", b"\x01,2,\xe9\n", b"1,2,\x81"])
def test_csv_that_is_no_text_is_named(tmp_path, content):
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"mine.csv must be a readable text file of separated values"):
        FileData(path=str(tmp_path / "mine.csv")).load(0)


def test_named_classes_must_occur_in_the_file(tmp_path):
    path = write_npz(tmp_path / "mine.npz", X=X, y=Y)
    with pytest.raises(ValueError, match=r"classes must occur in mine.npz, got 'cat'; present are -1, 1"):
        FileData(path=path, classes=("1", "cat")).load(0)


# Points without labels ------------------------------------------------------------------------------


def test_points_come_back_unchanged(tmp_path):
    np.save(tmp_path / "points.npy", X)
    np.testing.assert_array_equal(read_points(tmp_path / "points.npy"), X)
    for header in ("", "a,b,c\n"):
        lines = [",".join(repr(float(v)) for v in row) for row in X]
        (tmp_path / "points.csv").write_text(header + "\n".join(lines), encoding="utf-8")
        np.testing.assert_array_equal(read_points(tmp_path / "points.csv"), X)
    (tmp_path / "column.csv").write_text("1\n2\n", encoding="utf-8")
    np.testing.assert_array_equal(read_points(tmp_path / "column.csv"), [[1.0], [2.0]])


@pytest.mark.parametrize(
    ("name", "array", "error", "message"),
    [
        ("points.npy", X[0], ValueError, r"points in points.npy must have shape \(n, d\).*, got \(3,\)"),
        (
            "points.npy",
            WITH_NAN,
            ValueError,
            r"points in points.npy must be finite, got nan \(1 of 72 entries\)",
        ),
        ("points.npy", X.astype(str), ValueError, "points in points.npy must be an array of real numbers"),
        ("points.npy", b"", ValueError, "points.npy must be a readable .npy file of points: "),
        ("points.npy", b"1,2\n", ValueError, "points.npy must be a readable .npy file of points: "),
        ("points.csv", b"", ValueError, "points.csv must have rows of numbers, got none"),
        (
            "points.csv",
            b"1,2\n3\n",
            ValueError,
            "points.csv must have 2 columns in each row, got 1 in line 2",
        ),
        ("points.csv", b"1,x\n", ValueError, "points.csv must hold numbers, got 'x' in line 1, column 2"),
        (
            "points.csv",
            b"1,inf\n",
            ValueError,
            "points.csv must hold finite numbers, got 'inf' in line 1, column 2",
        ),
        (
            "points.txt",
            b"1,2\n",
            ValueError,
            r"points must be in a file that ends in .npy, .csv, .*, got '.*points\.txt'",
        ),
        ("points.npy", None, FileNotFoundError, r"file of points must exist, got '.*points\.npy'"),
    ],
)
def test_bad_points_are_named(tmp_path, name, array, error, message):
    path = tmp_path / name
    if isinstance(array, bytes):
        path.write_bytes(array)
    elif array is not None:
        np.save(path, array)
    with pytest.raises(error, match=message):
        read_points(path)


def test_points_are_never_unpickled(tmp_path):
    np.save(tmp_path / "points.npy", X.astype(object), allow_pickle=True)
    with pytest.raises(
        ValueError, match=r"points.npy must be a readable .npy file of points: .* never unpickled"
    ):
        read_points(tmp_path / "points.npy")
