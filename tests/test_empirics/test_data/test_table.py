"""Files of comma-separated values: what a file leaves open is asked, and nothing gets another meaning."""

import re

import numpy as np
import pandas as pd
import pytest

from empirics import FileData
from empirics.data.dataset import is_number
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
        *("NA,NA,x", "1_0,2_0,3_0", "١٢,١٣,١", "−1,−2,−3"),  # damaged rows of data
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
    assert read_table(path, header="no").cells[0].tolist() == first.split(",")


def test_empty_row_is_no_header(tmp_path):
    with pytest.raises(ValueError, match="may be a header or data"):
        read_table(file_of(tmp_path, ",,", "1,2,3"))


@pytest.mark.parametrize("first", ["1,2", "0,2", "1,2,2", "0.0,1.0", "2,1,0", "1", "00,01"])
def test_first_row_of_other_numbers_is_data(tmp_path, first):
    table = read_table(file_of(tmp_path, first, first))
    assert table.names is None
    assert table.places == [1, 2]


@pytest.mark.parametrize(("label", "asked"), [("kind", True), ("7", False)])
def test_counted_columns_before_the_name_of_the_label_are_asked_for(tmp_path, label, asked):
    path = file_of(tmp_path, *labelled(["7", "8"], header=f"0,1,{label}"))
    if asked:
        with pytest.raises(ValueError, match="may be a header or data"):
            read_table(path)
    else:
        assert read_table(path).names is None


def test_name_that_a_header_has_twice_is_named(tmp_path):
    path = file_of(tmp_path, "a,b,a", *(f"{row},9.5" for row in ROWS))
    with pytest.raises(
        ValueError, match=r"the header of mine.csv must have different names, got 'a' twice: rename"
    ):
        read_table(path)
    assert read_table(path, header="yes").names == ["a", "b", "a"]


def test_column_of_text_is_named_with_some_values_and_what_to_do(tmp_path):
    colours = np.resize(["red", "blue", "green", "5", "red", "?", "grey"], 12)
    path = str(
        file_of(
            tmp_path,
            "a,b,colour,kind",
            *(f"{row},{c},{i % 2}" for i, (row, c) in enumerate(zip(ROWS, colours, strict=True))),
        )
    )
    with pytest.raises(ValueError, match="got 'red' in line 2, column 3; column 'colour' has ") as caught:
        FileData(path=path).read()
    said = str(caught.value)
    assert f"'red', 'blue', 'green', ... in {sum(c not in '5?' for c in colours)} of 12 rows" in said
    for option in ("label 'colour' (--label)", "index 'colour' (--index)"):
        assert option in said
    assert FileData(path=path, index="colour").read().X.shape == (12, 2)


def test_question_marks_are_missing_values(tmp_path):
    """As in the files of the UCI repository."""
    rows = [
        f"{'?' if i in (3, 5) else row.split(',')[0]},{row.split(',')[1]},{i % 2}"
        for i, row in enumerate(ROWS)
    ]
    path = str(file_of(tmp_path, "a,b,kind", *rows))
    with pytest.raises(
        ValueError, match=r"missing values, got them in 2 of 12 rows and 1 of 2 .* line 5, .*--drop-m"
    ):
        FileData(path=path).read()
    rows = FileData(path=path, drop_missing=True).read()
    np.testing.assert_array_equal(rows.X, np.delete(POINTS, [3, 5], axis=0))
    assert rows.notes == ("2 of 12 rows left out, which have missing values",)


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
    with pytest.raises(ValueError, match=r"header must be left out with a .npz file"):
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


@pytest.mark.parametrize("name", ["patient_id", "PassengerId", "Customer ID", "userID"])
def test_an_id_is_an_index_if_it_tells_rows_apart(tmp_path, name):
    path = file_of(tmp_path, f"{name},a,b", *[f"{5 * i % 12},{row}" for i, row in enumerate(ROWS)])
    with pytest.raises(ValueError, match=f"column 1 is called '{name}', as an index: .*say index '{name}'"):
        read_points(path)
    path = file_of(tmp_path, f"{name},a,b", *[f"{i % 3},{row}" for i, row in enumerate(ROWS)])
    assert read_points(path)[:, 0].tolist() == [i % 3 for i in range(12)]
    path = file_of(tmp_path, "acid,a,b", *[f"{7 * i},{row}" for i, row in enumerate(ROWS)])
    assert read_points(path)[:, 0].tolist() == [7 * i for i in range(12)]


@pytest.mark.parametrize("mark", [" ", "|"])
def test_marks_between_columns_are_named(tmp_path, mark):
    path = file_of(tmp_path, f"a{mark}b", f"1{mark}0", f"2{mark}1")
    with pytest.raises(ValueError, match=r"feature and a label, separated by commas, semicolons or tabs$"):
        FileData(path=str(path)).load(0)


@pytest.mark.parametrize("start", [0, 1, 100, 1.0])
def test_first_column_that_counts_the_rows_needs_a_name(tmp_path, start):
    rows = [f"{start + i},{row}" for i, row in enumerate(ROWS)]
    with pytest.raises(ValueError, match="but column 1 counts them: remove the column, say index '1'"):
        read_points(file_of(tmp_path, *rows))
    named = read_points(file_of(tmp_path, "time,a,b", *rows))
    np.testing.assert_array_equal(named, np.column_stack([np.arange(12) + start, POINTS]))


# Labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["007", "7", "07"], ("007", "7")),
        (["1E1", "10", "1_0"], ("1E1", "10")),
        (["1_0", "10", "9"], ("1_0", "10")),
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


@pytest.mark.parametrize(
    "labels", [("1", "2", "1.0", "2"), ("+1", "-1", "1", "-1.0"), ("0.50", "7", "0.5", "7")]
)
def test_equal_numbers_are_one_class_and_no_row_is_lost(tmp_path, labels):
    path = file_of(tmp_path, *labelled(labels))
    data = FileData(path=str(path), standardise="none").load(0)
    assert len(data.X) + len(data.X_test) == 12
    found = {tuple(x) for x in np.vstack([data.X[data.y > 0], data.X_test[data.y_test > 0]])}
    expected = np.array([float(label) == max(map(float, labels)) for label in np.resize(labels, 12)])
    assert found == {tuple(x) for x in POINTS[expected]}
    same = [sorted({text for text in labels if float(text) == float(one)}) for one in dict.fromkeys(labels)]
    notes = {f"{' and '.join(texts)} are equal numbers: one class" for texts in same if len(texts) > 1}
    assert notes == {note for note in data.notices if "equal numbers" in note}
    same = FileData(path=str(path), classes=data.classes[::-1], standardise="none").load(0)
    np.testing.assert_array_equal(same.y, data.y)


@pytest.mark.parametrize("missing", ["", " ", "nan", "NaN"])
def test_missing_labels_are_counted(tmp_path, missing):
    path = file_of(tmp_path, *labelled(["yes", missing, "no", "no"]))
    with pytest.raises(ValueError, match=r"a label in each row, got none in 3 of 12, first in line 3; leave"):
        FileData(path=str(path), classes=("yes", "no")).load(0)


def test_comma_at_the_end_of_lines_is_named(tmp_path):
    path = file_of(tmp_path, *(f"{line}," for line in labelled(["yes", "no"])))
    with pytest.raises(ValueError, match="got none in 12 of 12, first in line 2; the label is in the last"):
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
        with pytest.raises(ValueError, match=r"must have the label in its last column, got .*: say label '"):
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


@pytest.mark.parametrize("label", ["c", "4", "auto", "a"])
def test_label_must_be_one_column(tmp_path, label):
    path = file_of(tmp_path, "a,b,a", *(f"{row},9.5" for row in ROWS))
    with pytest.raises(ValueError, match=rf"one column of mine.csv \(a, b, a\), got '{label}'"):
        read_points(file_of(tmp_path, *path.read_text().splitlines()), header="yes", label=label)


@pytest.mark.parametrize("ending", ["npy", "csv"])
def test_points_of_an_array_and_of_a_table_follow_one_rule(tmp_path, ending):
    def points(columns):
        cells = np.column_stack(columns)
        path = tmp_path / f"points.{ending}"
        np.save(path, cells) if ending == "npy" else np.savetxt(path, cells, delimiter=",")
        return path

    path = points([POINTS, np.resize([1, -1], 12)])
    with pytest.raises(
        ValueError, match="column 3 looks like a label: say label '3' to leave it out, or 'none'"
    ):
        read_points(path)
    np.testing.assert_array_equal(read_points(path, label="3"), POINTS)
    assert read_points(path, label="none").shape == (12, 3)
    path = points([np.arange(12), POINTS])
    with pytest.raises(
        ValueError, match=r"column 1 counts them: remove the column, say index '1' \(--index\)"
    ):
        read_points(path)
    np.testing.assert_array_equal(read_points(path, index="1"), POINTS)
    if ending == "npy":
        with pytest.raises(
            ValueError, match=r"header must be left out with a .npy file, which has none, got 'yes'"
        ):
            read_points(path, header="yes")


def test_points_with_a_missing_coordinate_are_left_out_only_if_asked(tmp_path):
    path = file_of(tmp_path, "a,b", *ROWS[:3], "?,1.5")
    with pytest.raises(
        ValueError, match=r"in 1 of 4 rows and 1 of 2 columns, first in line 5, column 1: .*--drop"
    ):
        read_points(path)
    np.testing.assert_array_equal(read_points(path, drop_missing=True), POINTS[:3])


# Cells and files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["1_0", "١٢", "−5", "0x1p3", '"1,23.5"', "1e400", "inf", "1.5.2", "5\u00a0%", '1"2']
)
def test_cell_that_is_no_finite_number_is_named(tmp_path, cell):
    path = file_of(tmp_path, "0.5,2", f"{cell},3", "5,7")
    with pytest.raises(ValueError, match=r"mine.csv must hold (finite )?numbers, got .* in line 2, column 1"):
        read_points(path)


@pytest.mark.parametrize("cell", ["1e-400", "+.5", "5.", " 7\t", "-0", "1E3", '"2.5"', '"1,234.5"'])
def test_cell_that_is_a_number_is_read_as_it(tmp_path, cell):
    points = read_points(file_of(tmp_path, "0.5,2", f"{cell},3"))
    expected = float(cell.strip('"').replace(",", ""))
    assert points[1, 0] == expected
    assert np.signbit(points[1, 0]) == np.signbit(expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n".encode("utf-16-le"), "NUL character"),
        (b"1,2\n3,4\x00\n", "NUL character"),
        (b'1,2\n"1"2,4\n', "expected after"),
        (b'1,2\n"3,4\n5,6\n', "unexpected end of data"),
        (b"1,2\n3," + b"4" * 200_000 + b"\n", "field larger than field limit"),
    ],
    ids=["utf-16-le", "nul", "quote", "open quote", "long"],
)
def test_text_that_is_not_of_this_format_is_one_error(tmp_path, content, reason):
    with pytest.raises(
        ValueError, match=rf"mine.csv must be a readable text file of separated values: .*{reason}"
    ):
        read_points(file_of(tmp_path, content))


# Dialects -------------------------------------------------------------------------------------------------

NUMBERS = [[1234.5, -0.25], [0.125, 7.0], [2.5, 1e3]]
DIALECTS = {
    "comma": ("a,b,kind\n1234.5,-.25,x\n0.125,7,y\n2.5,1e3,x\n", "utf-8"),
    "quoted thousands": ('a,b,kind\n"1,234.5",-.25,x\n0.125,7,y\n2.5,"1,000",x\n', "utf-8"),
    "quoted decimal comma": ('a,b,kind\n"1.234,5","-,25",x\n"0,125",7,y\n"2,5",1000,x\n', "utf-8"),
    "semicolon": ("a;b;kind\n1234,5;-0,25;x\n0,125;7;y\n2,5;1e3;x\n", "utf-8"),
    "semicolon, thousands": ("a;b;kind\n1.234,5;-0,25;x\n0,125;7;y\n2,5;1.000;x\n", "utf-8"),
    "semicolon, points": ("a;b;kind\n1234.5;-0.25;x\n0.125;7;y\n2.5;1000;x\n", "utf-8"),
    "semicolon, no header": ("1234,5;-0,25;x\n0,125;7;y\n2,5;1000;x\n", "utf-8"),
    "tab": ("a\tb\tkind\n1234.5\t-.25\tx\n0.125\t7\ty\n2.5\t1e3\tx\n", "utf-8"),
    "tab, decimal comma": ("1234,5\t-0,25\tx\n0,125\t7\ty\n2,5\t1e3\tx\n", "utf-8"),
    "latin-1": ("größe,b,kind\n1234.5,-.25,x\n0.125,7,y\n2.5,1e3,x\n", "latin-1"),
    "utf-16": ("a,b,kind\r\n1234.5,-.25,x\r\n0.125,7,y\r\n2.5,1e3,x\r\n", "utf-16"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_is_found(tmp_path, name):
    text, encoding = DIALECTS[name]
    path = file_of(tmp_path, text.encode(encoding))
    rows = FileData(path=str(path)).read()
    assert rows.X.tolist() == NUMBERS
    assert rows.labels == ["x", "y", "x"]
    if encoding != "utf-8":
        assert any(encoding.upper() in note.upper() for note in rows.notes)
        assert read_table(path).names[0] == ("größe" if encoding == "latin-1" else "a")


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ('"1,234",2,x\n"2,345",2,y\n', 1234, 1.234),
        ("1,234;2;x\n2,345;2;y\n", 1234, 1.234),
        ("1.234;2;x\n2.345;2;y\n", 1.234, 1234),
        ("1.234\t2\tx\n2.345\t2\ty\n", 1.234, 1234),
    ],
)
def test_thousands_or_decimals_are_asked_for(tmp_path, text, point, comma):
    path = str(file_of(tmp_path, text.encode()))
    with pytest.raises(ValueError, match=r"'1.234' in line 1 of mine.csv may have a decimal .* --decimal"):
        FileData(path=path).read()
    assert FileData(path=path, decimal="point").read().X[0].tolist() == [point, 2]
    assert FileData(path=path, decimal="comma").read().X[0].tolist() == [comma, 2]


@pytest.mark.parametrize("text", ["1,5;2.5;x\n", "2.5;1,5;x\n"])
def test_numbers_written_in_two_ways_are_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"mine.csv must hold numbers, got '(1,5|2.5)' in line 1"):
        FileData(path=str(file_of(tmp_path, (text * 2).encode()))).read()


def test_points_between_commas_are_decimal(tmp_path):
    assert read_points(file_of(tmp_path, "1.234,2.345", "3.456,4.567")).tolist() == [
        [1.234, 2.345],
        [3.456, 4.567],
    ]


@pytest.mark.parametrize("label", ["kind", "1"])
def test_label_and_index_are_named(tmp_path, label):
    path = file_of(tmp_path, "kind,,a,b", *(f"{'uv'[i % 2]},{7 * i},{row}" for i, row in enumerate(ROWS)))
    with pytest.raises(ValueError, match=r"column 2 has no name, as an index: .* say index '2' \(--index\)"):
        FileData(path=str(path), label=label).read()
    with pytest.raises(ValueError, match="a feature beside its label and its index, which differ"):
        FileData(path=str(path), label=label, index=label).read()
    rows = FileData(path=str(path), label=label, index="2").read()
    np.testing.assert_array_equal(rows.X, POINTS)
    assert (rows.labels, rows.label) == (["u", "v"] * 6, "label 'kind'")


def test_rows_with_missing_values_are_counted_and_left_out(tmp_path):
    cells = [row.split(",") for row in labelled(["u", "v"])]
    cells[2][0], cells[5][0], cells[5][1], cells[7][2] = "", "NA", "nan", ""
    path = str(file_of(tmp_path, *map(",".join, cells)))
    with pytest.raises(
        ValueError, match="got none in 1 of 12, first in line 8; leave these rows out by drop_"
    ):
        FileData(path=path).read()
    rows = FileData(path=path, drop_missing=True).read()
    kept = [0, 2, 3, 5, *range(7, 12)]
    np.testing.assert_array_equal(rows.X, POINTS[kept])
    assert rows.labels == [["u", "v"][i % 2] for i in kept]
    assert rows.notes == ("3 of 12 rows left out, which have missing values",)
    cells[7][2] = "u"
    with pytest.raises(ValueError, match=r"in 2 of 12 rows and 2 of 2 columns, first in line 3, column 1"):
        FileData(path=str(file_of(tmp_path, *map(",".join, cells)))).read()


# Other formats --------------------------------------------------------------------------------------------


def _write(frame, path):
    ending = path.suffix[1:]
    if ending == "json":
        path.write_text(frame.to_json(orient="records", double_precision=15), encoding="utf-8")
    elif ending == "xlsx":
        frame.to_excel(path, index=False)
    else:
        getattr(frame, f"to_{ending}")(path)
    return str(path)


@pytest.mark.parametrize("ending", ["json", "xlsx", "parquet", "feather"])
def test_other_formats_say_the_same_as_text(tmp_path, ending):
    frame = pd.DataFrame({"a": POINTS[:, 0], "count": range(5, 17), "kind": ["u", "v"] * 6})
    path = _write(frame, tmp_path / f"mine.{ending}")
    rows = FileData(path=path).read()
    np.testing.assert_array_equal(rows.X, frame[["a", "count"]])
    assert (rows.labels, rows.label) == (["u", "v"] * 6, "label 'kind'")
    numbered = FileData(path=_write(frame.assign(kind=[0, 1] * 6), tmp_path / f"two.{ending}"))
    assert numbered.read().labels == ["0", "1"] * 6
    lacking = frame.assign(a=frame.a.where(frame.a > 0))
    path = _write(lacking, tmp_path / f"lacking.{ending}")
    with pytest.raises(
        ValueError, match=rf"in {(frame.a <= 0).sum()} of 12 rows and 1 of 2 columns, first in row"
    ):
        FileData(path=path).read()
    np.testing.assert_array_equal(
        FileData(path=path, drop_missing=True).read().X, lacking.dropna()[["a", "count"]]
    )
    if ending == "parquet":  # keeps an index, which is no feature
        frame.set_index("count").to_parquet(tmp_path / "index.parquet")
        rows = FileData(path=str(tmp_path / "index.parquet")).read()
        np.testing.assert_array_equal(rows.X, frame[["a"]])
        assert rows.notes == ("index 'count' left out",)
    broken = tmp_path / f"broken.{ending}"
    broken.write_bytes(b"no table")
    with pytest.raises(ValueError, match=f"broken.{ending} must be a readable .{ending} file of a table"):
        FileData(path=str(broken)).read()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1, "b": true}, {"a": true, "b": false}]', "must hold numbers, got True in row 2, column 1"),
        ('[{"a": [1], "b": 1}, {"a": 2, "b": 2}]', r"must hold numbers, got \[1\] in row 1, column 1"),
        ('[{"a": 1, "a": 2, "b": 1}]', "an object must not have a name twice"),
        ('[{"a": 1e999, "b": 1}]', "must hold finite numbers, got inf in row 1"),
        ('[{"a": 1, "b": {"c": 2}}]', "must have numbers or text as labels, got {'c': 2} in row 1"),
        ("[]", "must have rows of numbers, got none"),
        ("7", "must be a readable .json file of a table"),
    ],
)
def test_json_that_is_no_table_of_numbers_is_one_error(tmp_path, text, message):
    (tmp_path / "mine.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"mine.json {message}|mine.json must be a readable .*{message}"):
        FileData(path=str(tmp_path / "mine.json")).read()


def test_second_sheet_is_not_left_out_in_silence(tmp_path):
    with pd.ExcelWriter(tmp_path / "two.xlsx") as book:
        for sheet in ("one", "two"):
            pd.DataFrame(POINTS).to_excel(book, sheet_name=sheet)
    with pytest.raises(ValueError, match="it must have one sheet, got 2"):
        FileData(path=str(tmp_path / "two.xlsx")).read()


def test_an_array_has_its_label_in_the_last_column(tmp_path):
    np.save(tmp_path / "mine.npy", np.column_stack([POINTS, [0, 1] * 6]))
    rows = FileData(path=str(tmp_path / "mine.npy")).read()
    np.testing.assert_array_equal(rows.X, POINTS)
    assert rows.labels == ["0", "1"] * 6


def test_test_points_of_an_archive_are_those_of_the_data(tmp_path):
    y = np.resize([3, 8], 12)
    for names in (("X", "y", "X_test", "y_test"), ("x_train", "y_train", "x_test", "y_test")):
        np.savez(tmp_path / "mine.npz", **dict(zip(names, (POINTS, y, 2 * POINTS[:5], y[:5]), strict=True)))
        data = FileData(path=str(tmp_path / "mine.npz"), standardise="none").load(3)
        np.testing.assert_array_equal(data.X, POINTS)
        np.testing.assert_array_equal(data.X_test, 2 * POINTS[:5])
        assert data.y_test.tolist() == [-1, 1, -1, 1, -1]
        assert f"5 test points from {names[2]} and {names[3]}" in data.notices
    np.savez(tmp_path / "mine.npz", X=POINTS, y=y, X_test=POINTS)
    with pytest.raises(ValueError, match="X_test and y_test must come together, got X_test in mine"):
        FileData(path=str(tmp_path / "mine.npz")).read()


# Fuzz -----------------------------------------------------------------------------------------------------

_CELLS = [
    "1",
    "-2.5",
    "3,5",
    "1,234",
    "1.234",
    '"1,234.5"',
    "007",
    "a",
    "",
    "nan",
    "x;y",
    "1e5",
    "é",
    '"',
    "\0",
]


_ENDINGS = ["json", "xlsx", "parquet", "feather", "npy", "npz"]


@pytest.mark.parametrize("ending", _ENDINGS)
def test_damaged_bytes_are_one_error_or_points(tmp_path, ending):
    """What a checksum guards comes back as it was; other formats cannot tell one number from another."""
    frame = pd.DataFrame({"a": POINTS[:, 0], "b": POINTS[:, 1], "kind": np.resize([0, 1], 12)})
    path = tmp_path / f"mine.{ending}"
    if ending == "npy":
        np.save(path, frame.to_numpy())
    elif ending == "npz":
        np.savez(path, X=POINTS, y=frame.kind)
    else:
        _write(frame, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    said, read = set(), 0
    for _ in range(150):
        content = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 4)):
            content[place] = rng.integers(256)
        path.write_bytes(content[: len(whole) if rng.random() < 0.7 else rng.integers(len(whole))])
        try:
            rows = FileData(path=str(path)).read()
        except ValueError as error:
            said.add(str(error))
            continue
        read += 1
        assert np.isfinite(rows.X).all()
        assert len(rows.X) == len(rows.labels)
        if ending in {"npz", "xlsx"}:
            np.testing.assert_array_equal(rows.X, POINTS)
        if ending == "json":
            numbers = {float(text) for text in re.findall(r"-?[\d.]+(?:[eE][-+]?\d+)?", content.decode())}
            assert set(rows.X.ravel()) <= numbers
    assert said
    assert read or ending == "npz"
    assert all(path.name in line and "\n" not in line for line in said)


def test_damaged_files_are_one_error_or_what_the_bytes_say(tmp_path):
    """Every number that is read is, written plainly, one that the text has in a cell."""
    rng = np.random.default_rng(0)
    path = tmp_path / "mine.csv"
    read, said = 0, set()
    for _ in range(2000):
        mark = rng.choice([",", ";", "\t"], p=[0.5, 0.25, 0.25])
        few = rng.choice(_CELLS, size=rng.integers(1, 5))
        lines = [mark.join(rng.choice(few, size=3)) for _ in range(rng.integers(1, 6))]
        content = "\n".join(lines).encode(rng.choice(["utf-8", "latin-1", "utf-16"]))
        path.write_bytes(content)
        try:
            rows = FileData(path=str(path)).read()
        except ValueError as error:
            said.add(str(error))
            continue
        read += 1
        cells = re.findall(
            r'[^";\t\n]+', content.decode("utf-16" if content[:1] in b"\xff\xfe" else "latin-1")
        )
        texts = {text for cell in cells for text in (cell, *cell.split(","))}
        plain = {t.replace(",", "") for t in texts} | {t.replace(".", "").replace(",", ".") for t in texts}
        values = {float(text) for text in texts | plain if is_number(text)}
        assert set(rows.X.ravel().tolist()) <= values
    assert read > 100
    assert len(said) > 100
    assert all("mine.csv" in line and "\n" not in line for line in said)
