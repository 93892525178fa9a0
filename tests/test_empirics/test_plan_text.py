"""Plans as people write them: what TOML files and words of a command line stand for, and what is refused."""

import dataclasses
import json

import pytest

from empirics import DigitsData, ExperimentConfig, FileData, ShiftedGaussianData
from empirics.data import FashionMnistData, IdxData, MnistData
from empirics.plan_text import axis_of_text, plan_of_toml, value_of_text
from empirics.sweep.plan import Axis, Plan
from empirics.wide import WIDE, config_of

EXAMPLE = """
seeds = 2
[base]
data = {source = "shifted-gaussian", dim = 100, num_train = 1000}
width = 100
[[sweep]]
width = [10, 100]
[[sweep]]
"data.dim,epsilon" = [[10, 0.5], [100, 1]]
T_f = [1, 10]
seeds = [7]
[[sweep]]
data = "digits"
loss = "logistic"
seed = 3
"data.classes" = [["3", "8"]]
"""


def test_toml_has_blocks_with_axes_linked_fields_and_replaced_values():
    made = list(plan_of_toml(EXAMPLE).configs(WIDE).values())
    shifted = ShiftedGaussianData(dim=100, num_train=1000)
    base = ExperimentConfig(data=shifted, width=100)
    small = dataclasses.replace(shifted, dim=10)
    expected = [dataclasses.replace(base, width=w, seed=s) for w in (10, 100) for s in (0, 1)]
    for data, epsilon in ((small, 0.5), (shifted, 1.0)):
        expected += [
            dataclasses.replace(base, data=data, epsilon=epsilon, T_f=T_f, seed=7) for T_f in (1.0, 10.0)
        ]
    digits = DigitsData(classes=("3", "8"))
    expected.append(ExperimentConfig(data=digits, width=100, loss="logistic", seed=3))
    assert made == expected


def test_plan_survives_its_json():
    first = plan_of_toml(EXAMPLE)
    again = Plan.from_json(json.loads(json.dumps(first.to_json())))
    assert again.to_json() == first.to_json()
    assert again.configs(WIDE) == first.configs(WIDE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("width=10,100", Axis(fields=("width",), values=((10,), (100,)))),
        ("T_f, T_g=1:2.5, 3:4", Axis(fields=("T_f", "T_g"), values=((1, 2.5), (3, 4)))),
        ("epsilon=none,1e-3", Axis(fields=("epsilon",), values=((None,), (1e-3,)))),
        ("data.classes=3:8,1:2", Axis(fields=("data.classes",), values=((["3", "8"],), (["1", "2"],)))),
    ],
)
def test_axis_of_the_command_line(text, expected):
    assert axis_of_text(text) == expected


@pytest.mark.parametrize("name", ["width", "T_f", "epsilon", "data.num_train", "no_such_field"])
@pytest.mark.parametrize("text", ["12", "1.5", "1e3", "none", "true", "a", "logistic", "own.csv", "1_0"])
def test_words_of_the_command_line_have_the_type_they_look_like(text, name):
    known = {"12": 12, "1.5": 1.5, "1e3": 1e3, "none": None, "true": True, "1_0": 10}
    value = value_of_text(text, name)
    assert value == known.get(text, text)
    assert type(value) is type(known.get(text, text))


@pytest.mark.parametrize(
    "name", ["data.path", "data.source", "data.standardise", "loss", "precision", "solver"]
)
def test_fields_that_are_text_stay_text(name):
    for text in ("123", "1e5", "nan", "true", "none"):
        assert value_of_text(text, name) == text
    assert axis_of_text(f"{name}=1e5,7").values == (("1e5",), ("7",))
    assert axis_of_text(f"T_f,{name}=1:1e5").values == ((1, "1e5"),)


def test_a_folder_may_be_absent_and_may_have_a_number_for_a_name():
    assert value_of_text("none", "data.folder") is None
    assert value_of_text("1e5", "data.folder") == "1e5"


# Every source with classes, whatever it is called on disk.
WITH_CLASSES = [
    (DigitsData, "data = {source = 'digits', classes = %s}"),
    (MnistData, "data = {source = 'mnist', classes = %s}"),
    (FashionMnistData, "data = {source = 'fashion-mnist', classes = %s}"),
    (FileData, "data = {source = 'file', path = 'own.csv', classes = %s}"),
    (IdxData, "data = {source = 'idx', folder = 'images', classes = %s}"),
]


@pytest.mark.parametrize(("kind", "text"), WITH_CLASSES)
def test_classes_that_are_numbers_are_names_in_every_source(kind, text):
    for classes in ("[3, 4]", "[3.0, '4']", "['3', '4']"):
        (block,) = plan_of_toml(f"[base]\nwidth = 1\n{text % classes}").blocks
        (config,) = block.configs(config_of)
        assert isinstance(config.data, kind)
        assert config.data.classes == ("3", "4")


@pytest.mark.parametrize(("kind", "text"), WITH_CLASSES)
@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("3", r"data.classes must be two names, as \[1, 2\] .*, got 3"),
        ("'3:4'", "data.classes must be two names"),
        ("[true, false]", "data.classes must be two names"),
        ("[[3, 4], [1, 2]]", "data.classes must be two names"),
        ("['3', '4', '5']", r"data.classes must be two names, .* --set data.classes=1:2 .*, got 3: 3, 4, 5"),
        ("[3]", r"data.classes must be two names, .* --set data.classes=1:2 .*, got 1: 3"),
    ],
)
def test_other_classes_are_refused_at_once(kind, text, classes, message):
    (block,) = plan_of_toml(f"[base]\nwidth = 1\n{text % classes}").blocks
    with pytest.raises((TypeError, ValueError), match=message):
        block.configs(config_of)


@pytest.mark.parametrize(("kind", "text"), WITH_CLASSES)
def test_sources_refuse_classes_that_are_numbers(kind, text):
    needed = {FileData: {"path": "own.csv"}, IdxData: {"folder": "images"}}.get(kind, {})
    for classes in ((1, 2), ["1", "2"], "12"):
        with pytest.raises(TypeError, match="classes must be a tuple of two names, such as"):
            kind(**needed, classes=classes)


def test_a_number_for_a_path_is_refused():
    (block,) = plan_of_toml("[base]\nwidth = 1\ndata = {source = 'file', path = 5}").blocks
    with pytest.raises(TypeError, match=r"data\.path must be text, got 5"):
        block.configs(config_of)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[base", ValueError, "plan must be TOML, got an error in it"),
        ("bases = 1", ValueError, "plan must have base, seeds and sweep, got 'bases'"),
        ("base = 1", TypeError, "base must be a table, got 1"),
        ("sweep = {width = [1]}", TypeError, "sweep must be an array of tables"),
        ("[base]\nwidth = 1", ValueError, r"data.source .*, got none: .* data = \{source = 'digits'\}"),
        (
            "[base]\nwidth = 1\ndata = 'gaussian'",
            ValueError,
            r"data.dim, data.num_train must be given with data 'gaussian': "
            r"give --set data.dim=... --set data.num_train=... or --axis, "
            r"or under \[base\] .* data = \{source = ..., dim = ..., num_train = ...\}",
        ),
        ("[base]\ndata = 'digits'", ValueError, "width must be given with data 'digits'"),
        ("sweep = []", ValueError, "plan must have a configuration, got none"),
    ],
)
def test_malformed_toml_is_refused(text, error, message):
    with pytest.raises(error, match=message):
        plan_of_toml(text).configs(WIDE)


@pytest.mark.parametrize("text", ["width", "width=", "=1", ""])
def test_malformed_axis_is_refused(text):
    with pytest.raises(ValueError, match="axis must look like"):
        axis_of_text(text)
