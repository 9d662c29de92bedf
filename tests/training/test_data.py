"""Finding, checking and making up images, without the network."""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grader.errors import GraderError
from grader.training import data, download
from grader.training.data import (
    FILES,
    PRACTICE_TRAIN_IMAGES,
    TEST_IMAGES,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    Source,
)

REAL = os.environ.get("GRADER_DATA")
NO_NETWORK = "there is no network"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(download, "mnist", lambda root: NO_NETWORK)
    monkeypatch.delenv("GRADER_DATA", raising=False)


@pytest.fixture
def raw(tmp_path):
    """Four files of MNIST's sizes and headers, with black images of zeros: right at first sight only."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for file in FILES:
        with (folder / file.name).open("wb") as stream:
            stream.write(file.header)
            stream.truncate(file.size)
    return folder


def test_the_headers_and_sizes_are_mnists():
    assert (
        TRAIN_IMAGES.header.hex() == "00000803" + "0000ea60" + "0000001c" * 2
    )  # 2051, 60,000, 28, 28
    assert TRAIN_LABELS.header.hex() == "00000801" + "0000ea60"
    assert [file.size for file in FILES] == [47_040_016, 60_008, 7_840_016, 10_008]


def test_files_on_disk_are_found_without_reading_them(raw, tmp_path):
    assert data.resolve("auto", tmp_path) == Source(
        "mnist", practice=False, train_images=60_000, folder=raw
    )


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_folder_may_be_named_at_any_depth(raw, tmp_path, depth):
    named = [raw, raw.parent, tmp_path][depth]
    assert data.resolve("mnist", named).folder == raw


def test_the_folder_comes_from_the_environment_where_it_is_not_named(raw, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADER_DATA", str(tmp_path))
    assert data.resolve("mnist").folder == raw


def test_else_the_folder_is_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")
    folder = data.default_folder()
    assert folder.name == "data"
    assert "grader" in folder.parts


def test_without_mnist_auto_takes_the_practice_images_and_says_so(tmp_path):
    said = []
    source = data.resolve("auto", tmp_path, say=said.append)
    assert (source.name, source.practice, source.train_images) == (
        "practice",
        True,
        PRACTICE_TRAIN_IMAGES,
    )
    assert NO_NETWORK in source.note
    assert "not graded on MNIST" in source.note
    assert said == [f"MNIST is not in {tmp_path}: downloading it (11 MB)."]


def test_without_mnist_the_dataset_mnist_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(
        GraderError,
        match=r"could not be downloaded: there is no network\. Connect to .*GRADER_DATA",
    ):
        data.resolve("mnist", tmp_path)


def test_a_download_is_used(tmp_path, raw, monkeypatch):
    monkeypatch.setattr(download, "mnist", lambda root: (raw.parent.rename(root / "MNIST"), "")[1])
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert data.resolve("auto", other).folder == other / "MNIST" / "raw"


def test_practice_asks_for_no_files(tmp_path):
    assert data.resolve("practice", tmp_path / "nowhere").note == ""


@pytest.mark.parametrize("dataset", ["auto", "mnist"])
def test_a_truncated_file_is_named_with_its_size(raw, tmp_path, dataset):
    os.truncate(raw / TEST_IMAGES.name, 1_000)
    with pytest.raises(
        GraderError,
        match=rf"{TEST_IMAGES.name} has 1,000 bytes; MNIST's has 7,840,016: it was cut short.*Remove",
    ):
        data.resolve(dataset, tmp_path)


def test_a_file_that_is_too_long_is_another_file(raw, tmp_path):
    os.truncate(raw / TRAIN_LABELS.name, 60_009)
    with pytest.raises(GraderError, match="it is another file"):
        data.resolve("auto", tmp_path)


def test_missing_files_are_named(raw, tmp_path):
    (raw / TRAIN_LABELS.name).unlink()
    with pytest.raises(GraderError, match=f"is incomplete: {TRAIN_LABELS.name} is missing"):
        data.resolve("auto", tmp_path)


def test_another_header_is_shown(raw, tmp_path):
    with (raw / TRAIN_IMAGES.name).open("r+b") as stream:
        stream.write(TRAIN_LABELS.header[:4])
    with pytest.raises(
        GraderError,
        match=r"starts with the numbers \[2049, 60000, 28, 28\], not \[2051, 60000, 28, 28\]",
    ):
        data.load("auto", tmp_path)


def test_changed_bytes_are_noticed(raw, tmp_path):
    with pytest.raises(
        GraderError, match=rf"{TRAIN_IMAGES.name} has the MD5 sum .*; MNIST's is {TRAIN_IMAGES.md5}"
    ):
        data.load("auto", tmp_path)


def test_a_folder_in_place_of_a_file_cannot_be_read(raw, tmp_path):
    (raw / TRAIN_IMAGES.name).unlink()
    (raw / TRAIN_IMAGES.name).mkdir()
    with pytest.raises(GraderError, match=f"{TRAIN_IMAGES.name} cannot be read"):
        data.load("auto", tmp_path)


def test_whole_files_become_arrays(raw, tmp_path, monkeypatch):
    """With files that are whole by their own sums: labels 0, 1, 2, ... and images of one grey each."""
    for file in FILES:
        count = file.shape[0]
        grey = np.arange(count) % 10
        body = (
            grey.astype(np.uint8)
            if len(file.shape) == 1
            else np.repeat(grey.astype(np.uint8), 28 * 28)
        )
        (raw / file.name).write_bytes(file.header + body.tobytes())
    sums = [hashlib.md5((raw / file.name).read_bytes()).hexdigest() for file in FILES]
    changed = tuple(
        data.File(file.name, file.magic, file.shape, md5)
        for file, md5 in zip(FILES, sums, strict=True)
    )
    monkeypatch.setattr(data, "FILES", changed)
    loaded = data.load("mnist", tmp_path)
    training = loaded.training
    assert (training.train_images.shape, training.test_images.shape) == (
        (60_000, 1, 28, 28),
        (10_000, 1, 28, 28),
    )
    assert (training.train_images.dtype, training.train_labels.dtype) == (np.uint8, np.int64)
    assert (training.train_images[:, 0, 27, 27] == training.train_labels).all()
    assert loaded.test_labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


@pytest.fixture(scope="module")
def practice():
    return data.load("practice")


def test_the_practice_split_is_four_to_one_in_every_class(practice):
    train = np.bincount(practice.training.train_labels)
    test = np.bincount(practice.test_labels)
    assert train.sum() == PRACTICE_TRAIN_IMAGES == len(practice.training.train_images)
    assert train.sum() + test.sum() == 1_797
    assert ((train + test) // 5 == test).all()


def test_practice_images_look_like_mnists(practice):
    images = practice.training.train_images
    assert (images.shape[1:], images.dtype) == ((1, 28, 28), np.uint8)
    assert images.max() == 255
    assert images[:, :, 4:24, 4:24].sum() == images.sum()  # the border of 4 is black
    assert practice.training.practice


def test_practice_images_are_the_digits_of_scikit_learn_enlarged(practice):
    from sklearn.datasets import load_digits

    first = load_digits().images[
        4
    ]  # the first 4: among the training images, at the same place, as no fifth came before
    enlarged = practice.training.train_images[4, 0, 4:24, 4:24]
    # pixel (r, c) of 20x20 lies at ((r + 0.5) * 0.4 - 0.5) of 8x8: row 6 at 2.1, column 11 at 4.1
    top = 0.9 * first[2, 4] + 0.1 * first[2, 5]
    bottom = 0.9 * first[3, 4] + 0.1 * first[3, 5]
    assert enlarged[6, 11] == round((0.9 * top + 0.1 * bottom) * 255 / 16)


def test_no_practice_image_is_in_both_parts(practice):
    train = {image.tobytes() for image in practice.training.train_images}
    test = {image.tobytes() for image in practice.training.test_images}
    assert not train & test


def test_what_training_gets_has_no_test_labels(practice):
    fields = set(practice.training.__dataclass_fields__)
    assert fields == {"name", "practice", "train_images", "train_labels", "test_images"}


def test_resolving_loads_neither_torch_nor_scikit_learn():
    code = """
import sys
from grader.training import data
data.resolve("practice")
print("torch" in sys.modules, "sklearn" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.fixture
def downloader(monkeypatch):
    """The real downloader, with a script of ours in place of torchvision's and the internet within reach."""
    monkeypatch.undo()
    monkeypatch.setattr(download, "_unreachable", lambda: "")
    return lambda script: monkeypatch.setattr(download, "_SCRIPT", script)


def test_a_download_arrives_whole_and_leaves_nothing_else(downloader, tmp_path):
    downloader(
        "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'MNIST' / 'raw').mkdir(parents=True)"
    )
    assert download.mnist(tmp_path / "new") == ""
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["MNIST"]


def test_a_download_fills_a_folder_that_is_there_already(downloader, tmp_path):
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / ".DS_Store").write_text("")
    downloader(
        "import pathlib, sys; raw = pathlib.Path(sys.argv[1]) / 'MNIST' / 'raw'; raw.mkdir(parents=True); "
        "(raw / 'images').write_text('new')"
    )
    assert download.mnist(tmp_path) == ""
    assert sorted(file.name for file in (tmp_path / "MNIST" / "raw").iterdir()) == [
        ".DS_Store",
        "images",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


def test_a_failed_download_gives_the_last_line_of_the_error(downloader, tmp_path):
    downloader("raise RuntimeError('Error downloading train-images.')")
    assert download.mnist(tmp_path) == "RuntimeError: Error downloading train-images"
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_hangs_is_ended(downloader, tmp_path):
    downloader("import time; time.sleep(60)")
    assert download.mnist(tmp_path, most_seconds=0.5) == "the download took more than 0 s"


def test_a_folder_that_cannot_be_made_is_no_crash(downloader, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in download.mnist(tmp_path / "file")


def test_without_internet_the_reason_is_known_at_once(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens at the discard port
    assert "cannot be reached" in download.mnist(tmp_path)


def test_a_login_page_in_place_of_the_internet_is_a_reason_and_no_crash(monkeypatch, tmp_path):
    def login(*_, **__):
        raise http.client.BadStatusLine("<html>")

    monkeypatch.undo()
    monkeypatch.setattr(download.urllib.request, "urlopen", login)
    assert "cannot be reached (<html>)" in download.mnist(tmp_path)


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may look into every folder"
)
def test_a_folder_that_may_not_be_looked_into_is_no_crash(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    monkeypatch.setattr(download, "mnist", lambda root: "it cannot be written")
    assert "could not be downloaded: it cannot be written" in data.resolve("auto", closed).note


@pytest.mark.mnist
@pytest.mark.skipif(REAL is None, reason="GRADER_DATA names no folder with MNIST")
def test_the_real_mnist_is_whole():
    loaded = data.load("mnist", Path(REAL))
    assert loaded.training.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert loaded.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(loaded.test_labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
