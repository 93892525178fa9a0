"""Files of comma-separated values: what a file leaves open is asked, and nothing gets another meaning."""

import numpy as np
import pytest

from empirics import FileData
from empirics.data.file import read_points
from empirics.data.table import read_table

ROWS = [f"{np.sin(i):.4f},{np.cos(i):.4f}" for i in range(1, 13)]
POINTS = np.array([[float(cell) for cell in row.split(",")] for row in ROWS])


def file_of(folder, *lines, name="mine.csv"):
    path = folder / name
    path.write_bytes("\n".join(lines).encode() if all(isinstance(line, str) for line in lines) else lines[0])
    return path


def labelled(labels, *, header="a,b,kind"):
    return [header, *(f"{row},{label}" for row, label in zip(ROWS, np.resize(labels, 12), strict=True))]


# Header ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        *("0", "0,1", "0,1,2", "1,2,3", "1990,1991,1992,1993"),  # counted columns
        *("NA,NA,x", "1_0,2_0,3_0", "١٢,١٣,١", "−1,−2,−3", "1;2;3"),  # damaged rows of data
    ],
)
def test_first_row_that_may_be_a_header_is_asked_for(tmp_path, first):
    width = first.count(",") + 1
    data = [",".join([f"{i}.5"] * width) for i in range(4)]
    path = file_of(tmp_path, first, *data)
    with pytest.raises(ValueError, match=r"first row of mine.csv.*may be a header or data: .*'yes' or 'no'"):
        read_table(path)
    table = read_table(path, header="yes")
    assert table.names == first.split(",")
    np.testing.assert_array_equal(table.numbers(range(width)), [[i + 0.5] * width for i in range(4)])
    assert read_table(path, header="no").rows[0].cells == first.split(",")


def test_empty_row_is_no_header(tmp_path):
    with pytest.raises(ValueError, match="may be a header or data"):
        read_table(file_of(tmp_path, ",,", "1,2,3"))


@pytest.mark.parametrize("first", ["1,2", "0,2", "1,2,2", "0.0,1.0", "2,1,0", "1", "00,01"])
def test_first_row_of_other_numbers_is_data(tmp_path, first):
    table = read_table(file_of(tmp_path, first, first))
    assert table.names is None
    assert [row.number for row in table.rows] == [1, 2]


@pytest.mark.parametrize(("label", "asked"), [("kind", True), ("7", False)])
def test_counted_columns_before_the_name_of_the_label_are_asked_for(tmp_path, label, asked):
    path = file_of(tmp_path, *labelled(["7", "8"], header=f"0,1,{label}"))
    if asked:
        with pytest.raises(ValueError, match="may be a header or data"):
            read_table(path)
    else:
        assert read_table(path).names is None


def test_header_is_as_long_as_the_rows(tmp_path):
    """R leaves the name of the row numbers out: they are no feature."""
    with pytest.raises(ValueError, match="must have 2 columns in each row, got 3 in line 2"):
        read_table(file_of(tmp_path, "a,b", "1,2.5,1", "2,3.5,-1"))


def test_answer_is_kept_by_the_source(tmp_path):
    path = file_of(tmp_path, *labelled([1, -1], header="0,1,2"))
    data = FileData(path=str(path), header="yes", standardise="none").load(0)
    assert len(data.X) + len(data.X_test) == 12
    with pytest.raises(ValueError, match=r"classes must be two, but mine.csv has 3 .*: -1, 1, 2;"):
        FileData(path=str(path), header="no").load(0)
    with pytest.raises(ValueError, match="header must be one of auto, yes, no, got 'maybe'"):
        FileData(path=str(path), header="maybe")
    with pytest.raises(ValueError, match=r"header must be left out with an .npz file"):
        FileData(path="mine.npz", header="yes")


# Index ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "index", "id", "ID", "Unnamed: 0"])
@pytest.mark.parametrize("labels", [True, False])
def test_index_is_never_a_feature(tmp_path, name, labels):
    numbered = [f"{7 * i}{',' if row else ''}{row}" for i, row in enumerate(ROWS)]
    rows = [f"{row},{(-1) ** i}" if labels else row for i, row in enumerate(numbered)]
    path = file_of(tmp_path, f"{name},a,b,kind" if labels else f"{name},a,b", *rows)
    with pytest.raises(
        ValueError, match=r"must not hold an index of the rows, but column 1 .*: remove the col"
    ):
        FileData(path=str(path)).load(0) if labels else read_points(path)


@pytest.mark.parametrize("name", ["row", "No.", "#", "obs"])
def test_a_counter_by_another_name_is_an_index_if_it_counts(tmp_path, name):
    path = file_of(tmp_path, f"{name},a,b", *[f"{100 + i},{row}" for i, row in enumerate(ROWS)])
    with pytest.raises(ValueError, match=f"column 1 is called '{name}', as an index"):
        read_points(path)
    path = file_of(tmp_path, f"{name},a,b", *[f"{i * i},{row}" for i, row in enumerate(ROWS)])
    assert read_points(path)[:, 0].tolist() == [i * i for i in range(12)]


@pytest.mark.parametrize("start", [0, 1, 100, 1.0])
def test_first_column_that_counts_the_rows_needs_a_name(tmp_path, start):
    rows = [f"{start + i},{row}" for i, row in enumerate(ROWS)]
    with pytest.raises(ValueError, match="but column 1 counts them: remove it, or name it in a header"):
        read_points(file_of(tmp_path, *rows))
    named = read_points(file_of(tmp_path, "time,a,b", *rows))
    np.testing.assert_array_equal(named, np.column_stack([np.arange(12) + start, POINTS]))


# Labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["007", "7", "07"], ("007", "7")),
        (["1E1", "10", "1_0"], ("1E1", "10")),
        (["1_0", "10", "10.0"], ("1_0", "10.0")),
        ([str(2**53), str(2**53 + 1), str(2**53 + 2)], (str(2**53), str(2**53 + 1))),
        (["NA", "EU", "none"], ("NA", "none")),
        (["inf", "low", "high"], ("inf", "low")),
    ],
)
def test_labels_are_text(tmp_path, labels, classes):
    path = file_of(tmp_path, *labelled(labels))
    data = FileData(path=str(path), classes=classes, standardise="none").load(0)
    assert data.classes == classes[::-1]
    for sign, name in zip((1, -1), classes, strict=True):
        found = {tuple(x) for x in np.vstack([data.X[data.y == sign], data.X_test[data.y_test == sign]])}
        assert found == {tuple(x) for x in POINTS[labels.index(name) :: 3]}
    with pytest.raises(ValueError, match="classes must be two"):
        FileData(path=str(path)).load(0)


@pytest.mark.parametrize("labels", [("+1", "-1"), ("1.0", "-1.000e+00"), (" 1", "-1 ")])
def test_signs_may_be_written_in_any_one_way(tmp_path, labels):
    data = FileData(path=str(file_of(tmp_path, *labelled(labels))), standardise="none").load(0)
    assert data.classes == ("-1", "1")
    np.testing.assert_array_equal(np.vstack([data.X[data.y > 0], data.X_test[data.y_test > 0]]).shape, (6, 2))
    assert {tuple(x) for x in data.X[data.y > 0]} <= {tuple(x) for x in POINTS[::2]}


@pytest.mark.parametrize("labels", [("+1", "1", "-1"), ("1", "-1", "1.0")])
def test_signs_written_in_two_ways_are_asked_for(tmp_path, labels):
    with pytest.raises(ValueError, match="classes must be two"):
        FileData(path=str(file_of(tmp_path, *labelled(labels)))).load(0)


@pytest.mark.parametrize("missing", ["", " ", "nan", "NaN"])
def test_missing_labels_are_counted(tmp_path, missing):
    path = file_of(tmp_path, *labelled(["yes", missing, "no", "no"]))
    with pytest.raises(ValueError, match=r"a label in each row, got none in 3 of 12, first in line 3$"):
        FileData(path=str(path), classes=("yes", "no")).load(0)


def test_comma_at_the_end_of_lines_is_named(tmp_path):
    path = file_of(tmp_path, *(f"{line}," for line in labelled(["yes", "no"])))
    with pytest.raises(ValueError, match="got none in 12 of 12, first in line 2; the label is what follows"):
        FileData(path=str(path)).load(0)


@pytest.mark.parametrize(
    ("header", "good"),
    [("label,a,b", False), ("a,Class,b", False), ("y,a,b", False), ("x,y,kind", True), ("y,a,class", True)],
)
def test_label_before_the_last_column_is_refused(tmp_path, header, good):
    path = file_of(tmp_path, *labelled([1, -1], header=header))
    if good:
        assert FileData(path=str(path)).load(0).X.shape[1] == 2
    else:
        with pytest.raises(ValueError, match=r"must have the label in its last column, got .*: move it to"):
            FileData(path=str(path)).load(0)


# Points ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["y", "Label", "class", "targets"])
def test_label_among_points_is_left_out_only_if_asked(tmp_path, name):
    path = file_of(tmp_path, *labelled([0.5, 1.5, 2.5], header=f"a,b,{name}"))
    with pytest.raises(ValueError, match=f"column 3 looks like a label: say label '{name}' .* or 'none'"):
        read_points(path)
    np.testing.assert_array_equal(read_points(path, label=name), POINTS)
    np.testing.assert_array_equal(read_points(path, label="none")[:, 2], np.resize([0.5, 1.5, 2.5], 12))
    np.testing.assert_array_equal(read_points(path, label="a")[:, 0], POINTS[:, 1])


@pytest.mark.parametrize("labels", [[1, -1], [0, 1], [3, 5, 8]])
def test_values_that_look_like_labels_are_asked_for(tmp_path, labels):
    path = file_of(tmp_path, *labelled(labels)[1:])
    with pytest.raises(ValueError, match="column 3 looks like a label: say label '3'"):
        read_points(path)
    np.testing.assert_array_equal(read_points(path, label="3"), POINTS)
    np.testing.assert_array_equal(read_points(path, label="none")[:, 2], np.resize(labels, 12))


def test_a_label_beside_coordinates_x_and_y_is_the_last_column(tmp_path):
    path = file_of(tmp_path, *labelled([0, 1, 2], header="x,y,cluster"))
    with pytest.raises(ValueError, match="column 3 looks like a label: say label 'cluster'"):
        read_points(path)
    np.testing.assert_array_equal(read_points(path, label="cluster"), POINTS)


def test_a_label_beside_whole_numbers_is_asked_for(tmp_path):
    path = file_of(tmp_path, *[f"{17 * i % 256},{i},{i % 2}" for i in (3, 1, 4, 15, 9, 2, 6, 5, 35, 8)])
    with pytest.raises(ValueError, match="column 3 looks like a label: say label '3'"):
        read_points(path)
    grid = file_of(tmp_path, *[f"{i % 3},{i // 3}" for i in range(9)])
    assert read_points(grid).shape == (9, 2)


@pytest.mark.parametrize("last", [np.arange(12) + 0.5, np.ones(12), np.arange(12) * 3])
def test_other_values_are_coordinates(tmp_path, last):
    path = file_of(tmp_path, *labelled(last))
    np.testing.assert_array_equal(read_points(path), np.column_stack([POINTS, last]))


@pytest.mark.parametrize("label", ["c", "3", "auto", "a"])
def test_label_must_be_one_column(tmp_path, label):
    path = file_of(tmp_path, "a,b,a", *(f"{row},9.5" for row in ROWS))
    with pytest.raises(ValueError, match=rf"one column of mine.csv \(a, b, a\), got '{label}'"):
        read_points(file_of(tmp_path, *path.read_text().splitlines()), header="yes", label=label)


def test_array_has_neither_header_nor_label(tmp_path):
    np.save(tmp_path / "points.npy", POINTS)
    for options in ({"header": "yes"}, {"label": "none"}):
        with pytest.raises(ValueError, match=r"header and label must be left out with a .npy file"):
            read_points(tmp_path / "points.npy", **options)


# Cells and files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["1_0", "١٢", "−5", "0x1p3", '"1,234.5"', "1e400", "inf", "nan", "", "1.5.2", "5\u00a0%", '1"2']
)
def test_cell_that_is_no_finite_number_is_named(tmp_path, cell):
    path = file_of(tmp_path, "0.5,2", f"{cell},3", "5,7")
    with pytest.raises(ValueError, match=r"mine.csv must hold (finite )?numbers, got .* in line 2, column 1"):
        read_points(path)


@pytest.mark.parametrize("cell", ["1e-400", "+.5", "5.", " 7\t", "-0", "1E3", '"2.5"'])
def test_cell_that_is_a_number_is_read_as_it(tmp_path, cell):
    points = read_points(file_of(tmp_path, "0.5,2", f"{cell},3"))
    expected = float(cell.strip('"'))
    assert points[1, 0] == expected
    assert np.signbit(points[1, 0]) == np.signbit(expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "can't decode byte"),
        ("a,b\n1,2\n".encode("utf-16-le"), "NUL character"),
        ("é,b\n1,2\n".encode("latin-1"), "can't decode byte"),
        (b"1,2\n3,4\x00\n", "NUL character"),
        (b'1,2\n"1"2,4\n', "expected after"),
        (b'1,2\n"3,4\n5,6\n', "unexpected end of data"),
        (b"1,2\n3," + b"4" * 200_000 + b"\n", "field larger than field limit"),
    ],
    ids=["utf-16", "utf-16-le", "latin-1", "nul", "quote", "open quote", "long"],
)
def test_text_that_is_not_of_this_format_is_one_error(tmp_path, content, reason):
    with pytest.raises(ValueError, match=rf"mine.csv must be a readable text file .* in UTF-8: .*{reason}"):
        read_points(file_of(tmp_path, content))
