"""Public image sets: which files, from where, how checked, and what becomes of them.  No network is needed.

Files are generated, small, and served from this machine; `published` puts them in the place of the real ones.
"""

import gzip
import hashlib
import http.server
import logging
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pooch
import pytest
from hypothesis import given, strategies as st
from msgspec import structs

from empirics.data import FashionMnistData, FileData, IdxData, MnistData, images
from empirics.data.idx import FILES

EPS = np.finfo(np.float64).eps
SOURCES = {"mnist": MnistData, "fashion-mnist": FashionMnistData}
SIZES = {"train": 120, "t10k": 80}


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def make_arrays(seed=0, side=28):
    """Return the four arrays: each label 0..9 occurs equally often."""
    rng = np.random.default_rng(seed)
    made = []
    for size in SIZES.values():
        made.append(rng.integers(0, 256, size=(size, side, side), dtype=np.uint8))
        made.append(rng.permutation(np.arange(size) % 10).astype(np.uint8))
    return made


ARRAYS = make_arrays()
PACKED = {
    f"{name}.gz": gzip.compress(idx_bytes(a), 1, mtime=0) for name, a in zip(FILES, ARRAYS, strict=True)
}


def write_files(folder, contents=PACKED):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves `PACKED`, well or badly: the first part of the path says how."""

    released = threading.Event()
    asked: ClassVar[list[str]] = []
    pieces = 0  # sent by the slow mirror

    def do_GET(self):
        self.asked.append(self.path)
        _, how, name = self.path.split("/")
        content = PACKED[name]
        if how == "missing":
            self.send_error(404)
            return
        if how == "wrong":
            content = gzip.compress(b"something else")
        self.send_response(200)
        if how == "packing" and "gzip" in self.headers["Accept-Encoding"]:
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        if how == "unpacking" and "gzip" in self.headers["Accept-Encoding"]:
            self.send_header("Content-Encoding", "gzip")  # takes the file for a way of sending another
        if how not in {"endless", "slow", "cut"}:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if how in {"truncated", "cut"}:
            content = content[: len(content) // 2]
        if how == "silent":
            self.released.wait(60)
        while how in {"endless", "slow"} and not self.released.is_set():
            self.wfile.write(b"\0" * 5000)
            type(self).pieces += how == "slow"
        self.wfile.write(content)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Clients of a bad mirror hang up."""


@pytest.fixture(scope="module")
def server():
    with Server(("127.0.0.1", 0), Mirror) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        Mirror.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep away from the user's files, the network and its proxies."""
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    monkeypatch.delenv("PERTURBLEARN_DATA", raising=False)
    monkeypatch.setattr(images, "_cache_folder", lambda name: tmp_path / "cache" / name)
    publish(monkeypatch, "http://127.0.0.1:9/none/")  # nothing listens there
    Mirror.asked.clear()
    return tmp_path / "cache"


def publish(monkeypatch, *mirrors):
    """Replace the published files by those of `ARRAYS`, at some mirrors."""
    packed = tuple(hashlib.sha256(content).hexdigest() for content in PACKED.values())
    unpacked = tuple(hashlib.sha256(idx_bytes(array)).hexdigest() for array in ARRAYS)
    for name, known in images.PUBLISHED.items():
        changed = structs.replace(known, mirrors=mirrors, packed=packed, unpacked=unpacked)
        monkeypatch.setitem(images.PUBLISHED, name, changed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(write_files(tmp_path_factory.mktemp("own")))


# Content --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SOURCES.values())
@pytest.mark.parametrize(("positive", "negative"), [("1", "2"), ("9", "0"), ("0", "9")])
def test_classes_are_mapped_in_the_official_split(folder, kind, positive, negative):
    data = kind(classes=(positive, negative), folder=folder, standardise="none").load(0)
    for X, y, pixels, labels in ((data.X, data.y, *ARRAYS[:2]), (data.X_test, data.y_test, *ARRAYS[2:])):
        keep = (labels == int(positive)) | (labels == int(negative))
        np.testing.assert_array_equal(X, pixels[keep].reshape(-1, 784) / 255)
        np.testing.assert_array_equal(y, np.where(labels[keep] == int(positive), 1.0, -1.0))
    assert (len(data.y), len(data.y_test)) == (SIZES["train"] // 5, SIZES["t10k"] // 5)


def test_defaults_are_the_published_classes(folder):
    digits = MnistData(folder=folder).load(0)
    assert (digits.name, digits.classes) == ("mnist 1 vs 2", ("2", "1"))
    clothes = FashionMnistData(folder=folder).load(0)
    assert clothes.classes == ("Ankle boot", "T-shirt/top")
    assert clothes.name == "fashion-mnist T-shirt-top vs Ankle boot"  # names files


def test_fashion_classes_have_names(folder):
    by_number = FashionMnistData(classes=("3", "8"), folder=folder).load(0)
    by_name = FashionMnistData(classes=("dress", "Bag"), folder=folder).load(0)
    np.testing.assert_array_equal(by_number.X, by_name.X)
    np.testing.assert_array_equal(by_number.y, by_name.y)
    assert by_number.classes == by_name.classes == ("Bag", "Dress")


@pytest.mark.parametrize(("kind", "mean"), [(MnistData, 0.1307), (FashionMnistData, 0.2860)])
def test_published_preparation_subtracts_one_number_and_divides_by_nothing(folder, kind, mean):
    raw, data = kind(folder=folder, standardise="none").load(0), kind(folder=folder).load(0)
    np.testing.assert_array_equal(data.X, raw.X - mean)
    np.testing.assert_array_equal(data.X_test, raw.X_test - mean)
    sizes = "official split, 24 of 24 training and 16 of 16 test points"
    assert data.preparation == f"pixels in [0, 1] minus {mean:.4g}; {sizes}"
    assert raw.preparation == f"pixels in [0, 1]; {sizes}"


@pytest.mark.parametrize("standardise", ["center", "zscore"])
def test_other_preparations_use_the_training_points_drawn(folder, standardise):
    options = {"folder": folder, "num_train": 15}
    raw = MnistData(standardise="none", **options).load(3)
    data = MnistData(standardise=standardise, **options).load(3)
    scale = raw.X.std(axis=0) if standardise == "zscore" else 1
    for part, before in ((data.X, raw.X), (data.X_test, raw.X_test)):
        rows = (before - raw.X.mean(axis=0)) / scale
        expected = rows * (28 / np.linalg.norm(rows, axis=1, keepdims=True))
        # Pixels vary by about a half: sums of 784 squares, each within a few roundings.
        np.testing.assert_allclose(part, expected, rtol=0, atol=784 * 28 * EPS)
    assert "rows scaled to norm √d; official split, 15 of 24 training and 16 of 16" in data.preparation


def test_raw_pixels_keep_to_the_norm_that_the_theory_assumes(folder):
    for standardise in ("none", "scalar-mean"):
        data = MnistData(folder=folder, standardise=standardise).load(0)
        assert (np.linalg.norm(data.X, axis=1) <= 28).all()


# Subsamples -----------------------------------------------------------------------------------------


# 13 or more of 24 points, twelve of each class: both classes are there.
@given(seed=st.integers(0, 2**40), num_train=st.integers(13, 23), num_test=st.integers(1, 15))
def test_subsample_is_deterministic_and_without_repetition(folder, seed, num_train, num_test):
    source = MnistData(folder=folder, num_train=num_train, num_test=num_test, standardise="none")
    data, same = source.load(seed), source.load(seed)
    whole = MnistData(folder=folder, standardise="none").load(seed)
    for name, size in (("X", num_train), ("X_test", num_test)):
        points, labels = getattr(data, name), getattr(data, name.replace("X", "y"))
        np.testing.assert_array_equal(points, getattr(same, name))
        known = {
            row.tobytes(): y for row, y in zip(getattr(whole, name), whole_labels(whole, name), strict=True)
        }
        assert len({row.tobytes() for row in points}) == len(points) == size
        assert [known[row.tobytes()] for row in points] == labels.tolist()
    assert f"{num_train} of 24 training and {num_test} of 16 test points" in data.preparation


def whole_labels(data, name):
    return data.y if name == "X" else data.y_test


def test_seed_draws_and_only_draws(folder):
    first, other = (MnistData(folder=folder, num_train=12, num_test=8).load(seed) for seed in (0, 1))
    assert (first.X != other.X).any()
    assert (first.X_test != other.X_test).any()
    first, other = (MnistData(folder=folder).load(seed) for seed in (0, 1))
    np.testing.assert_array_equal(first.X, other.X)
    np.testing.assert_array_equal(first.X_test, other.X_test)


def test_larger_subsample_contains_the_smaller_and_leaves_the_test_part_alone(folder):
    sizes = (12, 20, None)
    small, large, whole = (MnistData(folder=folder, num_train=n, num_test=8).load(5) for n in sizes)
    np.testing.assert_array_equal(small.X, large.X[:12])
    np.testing.assert_array_equal(small.X_test, large.X_test)
    np.testing.assert_array_equal(small.X_test, whole.X_test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"num_train": 25},
            r"num_train must be at most 24, the points .* in mnist \(training part\), got 25: "
            r"give --num-train 24 \(of a sweep --set data.num_train=24\)",
        ),
        (
            {"num_test": 17},
            r"num_test must be at most 16, the points .* in mnist \(test part\), got 17: give --num-test 16 ",
        ),
        ({"num_train": 1}, "num_train must be large enough for both classes, got 1 of one class in mnist"),
    ],
)
def test_subsample_must_fit(folder, options, message):
    with pytest.raises(ValueError, match=message):
        MnistData(folder=folder, **options).load(0)


@pytest.mark.parametrize("kind", SOURCES.values())
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_train": 0}, ValueError, "num_train must be >= 1, got 0"),
        ({"num_test": 2.5}, TypeError, "num_test must be an integer, got 2.5"),
        (
            {"standardise": "minmax"},
            ValueError,
            "standardise must be one of scalar-mean, none, .*, got 'minm",
        ),
        ({"classes": ("1", "10")}, ValueError, "classes must be among .*, got '10'"),
        ({"classes": ("4", "4")}, ValueError, "classes must be two different ones, got 4 and 4"),
    ],
)
def test_options_are_checked_on_construction(kind, options, error, message):
    with pytest.raises(error, match=message):
        kind(**options)


def test_two_names_of_one_fashion_class_are_one_class():
    with pytest.raises(ValueError, match="classes must be two different ones, got 0 and T-shirt/top"):
        FashionMnistData(classes=("0", "T-shirt/top"))


@pytest.mark.parametrize("kind", SOURCES.values())
def test_content_of_the_published_files_is_known_without_them(tmp_path, folder, kind):
    known = images.published_content(kind())
    assert known == kind(folder=folder).content_hash() == images.published_content(kind(folder="absent"))
    other = dict(zip(FILES, (idx_bytes(array) for array in make_arrays(seed=1)), strict=True))
    assert kind(folder=str(write_files(tmp_path / "other", other))).content_hash() != known
    assert images.published_content(IdxData(folder=folder)) is None


# Folders of the user --------------------------------------------------------------------------------


def test_unpacked_and_repacked_files_are_the_published_ones(tmp_path, folder):
    plain = {name.removesuffix(".gz"): gzip.decompress(content) for name, content in PACKED.items()}
    again = {name: gzip.compress(gzip.decompress(content), 9) for name, content in PACKED.items()}
    expected = MnistData(folder=folder)
    for place, contents in (("plain", plain), ("again", again)):
        source = MnistData(folder=str(write_files(tmp_path / place, contents)))
        assert source.load(0).preparation == expected.load(0).preparation
        np.testing.assert_array_equal(source.load(0).X, expected.load(0).X)
        assert source.content_hash() == expected.content_hash()


@pytest.mark.parametrize("changed", range(4))
def test_other_files_are_used_and_noted(tmp_path, folder, changed):
    contents = dict(PACKED)
    array = ARRAYS[changed].copy()
    array.flat[0] ^= 1
    contents[f"{FILES[changed]}.gz"] = gzip.compress(idx_bytes(array))
    source = MnistData(folder=str(write_files(tmp_path / "other", contents)))
    assert source.load(0).preparation.endswith(f" test points; not the published files: {FILES[changed]}")
    assert source.content_hash() != MnistData(folder=folder).content_hash()


def test_folder_must_hold_all_files(tmp_path):
    some = write_files(tmp_path / "some", {name: PACKED[name] for name in list(PACKED)[:3]})
    with pytest.raises(FileNotFoundError) as caught:
        MnistData(folder=str(some)).load(0)
    text = str(caught.value)
    assert text.startswith("folder must hold t10k-labels-idx1-ubyte.gz (or unpacked, without .gz), got '")
    path = some / "t10k-labels-idx1-ubyte.gz"
    assert f"curl -fL --create-dirs -o {path} http://127.0.0.1:9/none/t10k-labels-idx1-ubyte.gz" in text


def test_environment_names_a_folder_for_each_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("PERTURBLEARN_DATA", str(tmp_path))
    other = make_arrays(seed=1)
    write_files(tmp_path / "mnist", dict(zip(FILES, (idx_bytes(array) for array in other), strict=True)))
    write_files(tmp_path / "fashion-mnist")
    assert "not the published files" in MnistData().load(0).preparation
    assert "not the published files" not in FashionMnistData().load(0).preparation


def test_folder_goes_before_the_environment_and_the_environment_before_the_cache(
    tmp_path, monkeypatch, folder, cache
):
    write_files(cache / "mnist", dict.fromkeys(PACKED, b"broken"))
    monkeypatch.setenv("PERTURBLEARN_DATA", str(tmp_path / "env"))
    write_files(tmp_path / "env" / "mnist")
    assert len(MnistData().load(0).X) == 24
    write_files(tmp_path / "env" / "mnist", dict.fromkeys(PACKED, b"broken"))
    assert len(MnistData(folder=folder).load(0).X) == 24
    with pytest.raises(ValueError, match="must be an IDX file"):
        MnistData().load(0)


def test_incomplete_folder_of_the_environment_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PERTURBLEARN_DATA", str(tmp_path))
    write_files(tmp_path / "mnist", {name: PACKED[name] for name in list(PACKED)[1:]})
    with pytest.raises(FileNotFoundError, match=r"folder must hold train-images-idx3-ubyte\.gz"):
        MnistData().load(0)


@pytest.mark.parametrize("kind", SOURCES.values())
def test_absent_folder_of_the_environment_is_an_error_before_any_download(tmp_path, monkeypatch, kind, cache):
    monkeypatch.setenv("PERTURBLEARN_DATA", str(tmp_path / "typo"))
    monkeypatch.setattr(images, "_download_all", lambda _: pytest.fail("a download was tried"))
    with pytest.raises(
        FileNotFoundError, match=r"PERTURBLEARN_DATA must name a folder that exists, got .*typo'$"
    ):
        kind().load(0)
    assert not cache.exists()


def test_images_of_another_size_are_refused(tmp_path):
    small = {name: idx_bytes(array) for name, array in zip(FILES, make_arrays(side=14), strict=True)}
    with pytest.raises(ValueError, match="must hold images of 28 x 28 pixels, got 14 x 14"):
        MnistData(folder=str(write_files(tmp_path / "small", small))).load(0)


# Downloads ------------------------------------------------------------------------------------------


def test_files_are_downloaded_once(server, monkeypatch, cache, folder):
    publish(monkeypatch, f"{server}/good/")
    source = MnistData()
    np.testing.assert_array_equal(source.load(0).X, MnistData(folder=folder).load(0).X)
    assert Mirror.asked == [f"/good/{name}" for name in PACKED]
    assert source.content_hash() == MnistData(folder=folder).content_hash()
    source.load(1)
    assert len(Mirror.asked) == 4
    assert {path.name for path in (cache / "mnist").iterdir()} == set(PACKED)


@pytest.mark.parametrize("how", ["packing", "unpacking"])
def test_server_is_asked_for_the_file_as_it_is(server, monkeypatch, how):
    publish(monkeypatch, f"{server}/{how}/")
    assert len(MnistData().load(0).X) == 24


@pytest.fixture
def impatient(monkeypatch):
    """Set limits that a bad mirror breaks soon and a good one never, however busy the machine is.

    Time stands still but for the pieces that the slow mirror sends.
    """
    Mirror.pieces = 0
    monkeypatch.setattr(images, "time", SimpleNamespace(monotonic=lambda: Mirror.pieces))
    monkeypatch.setattr(images, "_PATIENCE", 3)
    monkeypatch.setattr(images, "_MAX_DOWNLOAD", 1 << 20)
    return lambda bad: monkeypatch.setattr(images, "_SILENCE", 1 if bad == "silent" else 30)


@pytest.mark.parametrize("bad", ["missing", "wrong", "truncated", "cut", "silent", "slow", "endless"])
def test_bad_mirror_is_passed_over(server, monkeypatch, cache, impatient, bad):
    """404; another file; half a file, announced whole or not; silence; too slow; without end."""
    publish(monkeypatch, f"{server}/{bad}/", f"{server}/good/")
    impatient(bad)
    name, *others = PACKED
    write_files(cache / "mnist", {other: PACKED[other] for other in others})
    assert len(MnistData().load(0).X) == 24
    assert Mirror.asked == [f"/{bad}/{name}", f"/good/{name}"]
    # Nothing is left of the bad file.
    assert {path.name: path.read_bytes() for path in (cache / "mnist").iterdir()} == PACKED


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("missing", "404"),
        ("wrong", "hash of downloaded file"),
        ("truncated", "IncompleteRead|hash of downloaded"),
        ("cut", "hash of downloaded file"),
        ("silent", "timed out"),
        ("slow", "file must arrive within 3 s, got [0-9]+ bytes by then"),
        ("endless", "file must have at most 1048576 bytes"),
    ],
)
def test_each_mirror_has_its_reason(server, monkeypatch, cache, impatient, bad, reason):
    publish(monkeypatch, f"{server}/{bad}/")
    impatient(bad)
    with pytest.raises(ConnectionError, match=rf"{server}/{bad}/train-images-idx3-ubyte.gz: .*({reason})"):
        MnistData().load(0)
    assert list((cache / "mnist").iterdir()) == []


def test_damaged_file_of_the_cache_is_fetched_again(server, monkeypatch, cache):
    publish(monkeypatch, f"{server}/good/")
    content = PACKED["train-labels-idx1-ubyte.gz"]
    write_files(cache / "mnist", PACKED | {"train-labels-idx1-ubyte.gz": content[: len(content) // 2]})
    assert len(MnistData().load(0).X) == 24
    assert Mirror.asked == ["/good/train-labels-idx1-ubyte.gz"]
    assert (cache / "mnist" / "train-labels-idx1-ubyte.gz").read_bytes() == content


def test_without_network_the_error_says_what_to_do(server, monkeypatch, cache):
    with pytest.raises(ConnectionError) as caught:
        FashionMnistData().load(0)
    text = str(caught.value)
    assert text.startswith(
        "fashion-mnist must be downloaded, but no mirror delivered train-images-idx3-ubyte.gz:\n"
        "  http://127.0.0.1:9/none/train-images-idx3-ubyte.gz: "
    )
    assert "F/fashion-mnist, with F in the environment variable PERTURBLEARN_DATA" in text
    commands = [line.split() for line in text.splitlines() if line.startswith("  curl ")]
    # What the commands do makes the next call succeed.
    for name, command in zip(PACKED, commands, strict=True):
        assert command[:4] == ["curl", "-fL", "--create-dirs", "-o"]
        assert command[5] == f"http://127.0.0.1:9/none/{name}"
        target = Path(command[4])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(PACKED[name])
    assert len(FashionMnistData().load(0).X) == 24


@pytest.fixture
def log():
    """Return what is logged by the downloader, which prints it where it was not told otherwise."""
    logger, records = pooch.get_logger(), []
    handler, level = logging.Handler(), logger.level
    handler.emit = records.append
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_downloads_log_nothing_and_leave_the_log_as_it_was(server, monkeypatch, log):
    publish(monkeypatch, f"{server}/missing/", f"{server}/good/")
    MnistData().load(0)
    publish(monkeypatch, f"{server}/missing/")
    with pytest.raises(ConnectionError):
        FashionMnistData().load(0)
    assert log == []
    assert pooch.get_logger().level == logging.DEBUG


def test_cache_that_cannot_be_written_is_named_as_such(server, monkeypatch, tmp_path):
    publish(monkeypatch, f"{server}/good/")
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(OSError, match="cache") as caught:
        MnistData().load(0)
    assert not isinstance(caught.value, ConnectionError)


def test_downloader_is_loaded_only_for_downloads(folder):
    code = (
        "import sys, empirics.data as data\n"
        f"data.MnistData(folder={folder!r}).load(0)\n"
        "print([name for name in ('pooch', 'requests', 'urllib3') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# Other images, and the identity of files ------------------------------------------------------------


def test_any_images_in_four_files_are_a_source(tmp_path):
    made = make_arrays(seed=2, side=6)
    place = write_files(tmp_path / "shapes", dict(zip(FILES, map(idx_bytes, made), strict=True)))
    source = IdxData(folder=str(place), classes=("4", "7"), num_train=20)
    data = source.load(0)
    assert (data.X.shape, data.X_test.shape) == ((20, 36), (16, 36))
    assert (source.name, data.name, data.classes) == ("shapes", "shapes 4 vs 7", ("7", "4"))
    mean = made[0].mean() / 255
    raw = replace(source, standardise="none").load(0)
    np.testing.assert_allclose(data.X, raw.X - mean, rtol=0, atol=2 * EPS)
    assert data.preparation.startswith(f"pixels in [0, 1] minus {mean:.4g}; split of the files, 20 of 24")
    assert len(source.content_hash()) == 64


def test_classes_of_any_images_must_be_named(tmp_path):
    place = str(write_files(tmp_path / "shapes"))
    with pytest.raises(ValueError, match=r"classes must be two, but shapes \(training part\) has 10"):
        IdxData(folder=place).load(0)
    with pytest.raises(FileNotFoundError, match=r"folder must hold .*, got '.*none'$"):
        IdxData(folder=str(tmp_path / "none"), classes=("0", "1")).load(0)


def test_two_classes_of_images_have_one_sign_in_both_parts(tmp_path):
    """Labels 3 and 5 to train with; the test part also has a 1, which is no class."""
    made = list(make_arrays(seed=2, side=6))
    made[1], made[3] = (
        np.resize(pair, len(made[k])).astype(np.uint8) for k, pair in ((1, [3, 5]), (3, [1, 3, 5]))
    )
    place = write_files(tmp_path / "shapes", dict(zip(FILES, map(idx_bytes, made), strict=True)))
    data = IdxData(folder=str(place)).load(0)
    assert data.classes == ("3", "5")
    assert (data.y_test < 0).sum() == (made[3] == 3).sum()
    assert (data.y_test > 0).sum() == (made[3] == 5).sum()
    assert "5 → +1" in data.notices[0]


def test_constant_images_are_refused(tmp_path):
    black = [np.zeros_like(array) if array.ndim == 3 else array for array in ARRAYS]
    place = write_files(tmp_path / "black", dict(zip(FILES, map(idx_bytes, black), strict=True)))
    with pytest.raises(ValueError, match="data must not be constant, got 24 equal rows in black"):
        IdxData(folder=str(place), classes=("0", "1")).load(0)


def test_content_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "own.csv"
    source = FileData(path=str(path))
    with pytest.raises(FileNotFoundError, match="data file must exist, got "):
        source.content_hash()
    path.write_text("1,2,1\n3,4,-1\n", encoding="utf-8")
    assert source.content_hash() == hashlib.sha256(path.read_bytes()).hexdigest()
    before = source.content_hash()
    path.write_text("1,2,1\n3,5,-1\n", encoding="utf-8")
    assert source.content_hash() != before


# The real files, where they are ---------------------------------------------------------------------

REAL = os.environ.get("PERTURBLEARN_DATA")


@pytest.mark.parametrize(
    ("name", "sizes", "mean"),
    [("mnist", (12_700, 2_167), 0.1307), ("fashion-mnist", (12_000, 2_000), 0.2860)],
)
def test_real_files_have_the_published_sizes_and_mean(monkeypatch, name, sizes, mean):
    if REAL is None or not (Path(REAL) / name).is_dir():
        pytest.skip(f"needs the real files in $PERTURBLEARN_DATA/{name}")
    monkeypatch.undo()  # the published checksums
    data = SOURCES[name](folder=str(Path(REAL) / name)).load(0)
    assert (len(data.X), len(data.X_test)) == sizes
    assert "not the published files" not in data.preparation
    # All training pixels, of all classes: the mean that is rounded to four digits.
    whole = IdxData(folder=str(Path(REAL) / name), classes=("0", "1")).load(0)
    assert f"minus {mean:.4g};" in whole.preparation


def test_published_checksums_are_sixteen_different_ones():
    # Those of the module, not of the fixture: read from a fresh process.
    code = (
        "from empirics.data import images\n"
        "sums = [s for p in images.PUBLISHED.values() for s in p.packed + p.unpacked]\n"
        "digits = {digit for s in sums for digit in s}\n"
        "print(len(set(sums)), {len(s) for s in sums}, digits <= set('0123456789abcdef'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "16 {64} True\n"
