"""Finding, checking and making up images, without the network."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets
from torchvision import datasets as torchvision

from grader.errors import GraderError
from grader.training import data, download
from grader.training.data import Source
from grader.training.datasets import DATASETS, Dataset
from tests.training.tiny import tiny, write

REAL = os.environ.get("GRADER_DATA")
NO_NETWORK = "there is no network"
FROM_FILES = [name for name, dataset in DATASETS.items() if dataset.download]
MNIST = DATASETS["mnist"]
FASHION, LETTERS, PRACTICE = (
    DATASETS[name] for name in ("fashion_mnist", "emnist_letters", "practice")
)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(download, "fetch", lambda dataset, root: NO_NETWORK)
    monkeypatch.delenv("GRADER_DATA", raising=False)


@pytest.fixture
def mnist(tmp_path) -> Dataset:
    """A small MNIST: its files lie in MNIST/raw of `tmp_path`."""
    return write(tiny("mnist"), tmp_path)


@pytest.fixture
def raw(tmp_path, mnist) -> Path:
    return tmp_path / "MNIST" / "raw"


def test_the_headers_and_sizes_are_mnists():
    train_images, train_labels, *_ = MNIST.files
    # 2051, 60,000, 28, 28
    assert train_images.header.hex() == "00000803" + "0000ea60" + "0000001c" * 2
    assert train_labels.header.hex() == "00000801" + "0000ea60"
    assert [file.magic for file in MNIST.files] == [2051, 2049, 2051, 2049]
    assert [file.size for file in MNIST.files] == [47_040_016, 60_008, 7_840_016, 10_008]


@pytest.mark.parametrize("name", FROM_FILES)
def test_images_and_labels_are_those_that_torchvision_reads(name, tmp_path):
    dataset = write(tiny(name), tmp_path)
    loaded = data.resolve(dataset, tmp_path).read()
    kind = getattr(torchvision, dataset.download.folder)
    split = [dataset.download.split] if dataset.download.split else []
    train, test = (kind(tmp_path, *split, train=train) for train in (True, False))
    assert np.array_equal(loaded.training.train_images[:, 0], train.data)
    assert np.array_equal(loaded.training.test_images[:, 0], test.data)
    assert np.array_equal(loaded.training.train_labels, train.targets - dataset.first_label)
    assert np.array_equal(loaded.test_labels, test.targets - dataset.first_label)


@pytest.mark.parametrize("name", FROM_FILES)
def test_names_and_classes_are_torchvisions(name):
    dataset = DATASETS[name]
    kind = getattr(torchvision, dataset.download.folder)
    if split := dataset.download.split:
        classes = [label for label in kind.classes_split_dict[split] if label != "N/A"]
        assert dataset.files[0].name == f"emnist-{split}-train-images-idx3-ubyte"
    else:
        classes = kind.classes
        archives = [name.removesuffix(".gz") for name, _ in kind.resources]
        assert [file.name for file in dataset.files] == archives
    assert dataset.classes == len(classes)


def test_letters_count_from_1_in_their_files_and_from_0_here(tmp_path):
    loaded = data.resolve(write(tiny("emnist_letters"), tmp_path), tmp_path).read()
    first = (tmp_path / "EMNIST/raw/emnist-letters-test-labels-idx1-ubyte").read_bytes()[8:11]
    assert list(first) == [1, 2, 3]
    assert loaded.test_labels[:3].tolist() == [0, 1, 2]


def test_files_on_disk_are_found(mnist, raw, tmp_path):
    assert data.resolve(mnist, tmp_path) == Source(mnist, practice=False, folder=raw)


def test_the_number_of_training_images_is_known_before_any_is_read():
    assert Source(FASHION).train_images == 60_000


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_folder_may_be_named_at_any_depth(name, tmp_path, depth):
    dataset = write(tiny(name), tmp_path)
    folder = tmp_path / dataset.download.folder / "raw"
    named = [folder, folder.parent, tmp_path][depth]
    assert data.resolve(dataset, named).folder == folder


def test_mnist_may_lie_in_a_folder_of_any_name(mnist, raw, tmp_path):
    elsewhere = raw.rename(tmp_path / "digits")
    assert data.resolve(mnist, elsewhere).folder == elsewhere


def test_files_of_one_data_set_are_not_taken_for_anothers(tmp_path):
    """MNIST, Fashion-MNIST and KMNIST give their files the same names and sizes."""
    write(tiny("fashion_mnist"), tmp_path)
    fashion = tmp_path / "FashionMNIST" / "raw"
    for name in ("mnist", "kmnist"):
        with pytest.raises(GraderError, match="could not be downloaded"):
            data.resolve(tiny(name), fashion, choice=name)
    nameless = fashion.rename(tmp_path / "images")
    with pytest.raises(GraderError, match=r"Fashion-MNIST is not in .*FashionMNIST/raw"):
        data.resolve(FASHION, nameless, choice="fashion_mnist")


def test_the_folder_comes_from_the_environment_where_it_is_not_named(
    mnist, raw, tmp_path, monkeypatch
):
    monkeypatch.setenv("GRADER_DATA", str(tmp_path))
    assert data.resolve(mnist).folder == raw


def test_else_the_folder_is_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")
    folder = data.default_folder()
    assert folder.name == "data"
    assert "grader" in folder.parts


@pytest.mark.parametrize(
    ("dataset", "size"), [(MNIST, "11 MB"), (FASHION, "31 MB"), (DATASETS["kmnist"], "21 MB")]
)
def test_without_its_files_auto_takes_the_practice_images_and_says_so(tmp_path, dataset, size):
    said = []
    source = data.resolve(dataset, tmp_path, say=said.append)
    assert (source.dataset, source.practice, source.train_images) == (PRACTICE, True, 1_442)
    assert NO_NETWORK in source.note
    assert source.note.endswith(f"the result is not graded on {dataset.title}.")
    assert said == [f"{dataset.title} is not in {tmp_path}: downloading it ({size})."]


def test_without_mnist_the_choice_mnist_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(
        GraderError,
        match=r"could not be downloaded: there is no network\. Connect to .*GRADER_DATA",
    ):
        data.resolve(MNIST, tmp_path, choice="mnist")


def test_practice_digits_cannot_take_the_place_of_letters(tmp_path):
    with pytest.raises(GraderError) as caught:
        data.resolve(LETTERS, tmp_path)
    assert "EMNIST Letters is not in" in str(caught.value)
    assert "they have 10 classes of 1×28×28 images, and EMNIST Letters has 26" in str(caught.value)


def test_a_choice_that_fits_no_network_of_the_assignment_is_refused(tmp_path):
    with pytest.raises(
        GraderError,
        match=r"practice cannot take the place of EMNIST Letters, .* it has 10 classes of",
    ):
        data.resolve(LETTERS, tmp_path, choice="practice")


def test_another_data_set_of_the_same_kind_is_for_practice_only(tmp_path, monkeypatch):
    fashion = write(tiny("fashion_mnist"), tmp_path)
    monkeypatch.setitem(DATASETS, "fashion_mnist", fashion)
    source = data.resolve(MNIST, tmp_path, choice="fashion_mnist")
    assert (source.dataset, source.practice) == (fashion, True)
    assert source.read().training.practice


def test_an_assignment_may_ask_for_the_practice_digits_themselves():
    assert data.resolve(PRACTICE) == Source(PRACTICE, practice=False)


def test_a_download_is_used(tmp_path, raw, mnist, monkeypatch):
    def fetch(dataset, root):
        raw.parent.rename(root / "MNIST")
        return ""

    monkeypatch.setattr(download, "fetch", fetch)
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert data.resolve(mnist, other).folder == other / "MNIST" / "raw"


def test_practice_asks_for_no_files(tmp_path):
    assert data.resolve(MNIST, tmp_path / "nowhere", choice="practice").note == ""


@pytest.mark.parametrize("name", FROM_FILES)
@pytest.mark.parametrize("named", [True, False])
def test_a_truncated_file_is_named_with_its_size(tmp_path, name, named, monkeypatch):
    dataset = write(tiny(name), tmp_path)
    monkeypatch.setitem(DATASETS, name, dataset)
    file = dataset.files[2]
    os.truncate(tmp_path / dataset.download.folder / "raw" / file.name, 1_000)
    with pytest.raises(
        GraderError,
        match=rf"{file.name} has 1,000 bytes where {dataset.title} has {file.size:,}: "
        rf"it was cut short.*Remove .* to have {dataset.title} downloaded",
    ):
        data.resolve(dataset, tmp_path, choice=name if named else "auto")


def test_a_file_that_is_too_long_is_another_file(mnist, raw, tmp_path):
    file = mnist.files[1]
    os.truncate(raw / file.name, file.size + 1)
    with pytest.raises(GraderError, match="it is another file"):
        data.resolve(mnist, tmp_path)


def test_missing_files_are_named(mnist, raw, tmp_path):
    (raw / mnist.files[1].name).unlink()
    with pytest.raises(GraderError, match=f"is incomplete: {mnist.files[1].name} is missing"):
        data.resolve(mnist, tmp_path)


def test_another_header_is_shown(mnist, raw, tmp_path):
    with (raw / mnist.files[0].name).open("r+b") as stream:
        stream.write(mnist.files[1].header[:4])
    with pytest.raises(
        GraderError,
        match=r"starts with the numbers \[2049, 60, 28, 28\], not \[2051, 60, 28, 28\]",
    ):
        data.resolve(mnist, tmp_path).read()


def test_changed_bytes_are_noticed(mnist, raw, tmp_path):
    file = mnist.files[0]
    with (raw / file.name).open("r+b") as stream:
        stream.seek(len(file.header))
        stream.write(b"changed")
    with pytest.raises(
        GraderError, match=rf"{file.name} has the MD5 sum .* where MNIST has {file.md5}"
    ):
        data.resolve(mnist, tmp_path).read()


def test_a_label_that_is_none_is_noticed_without_a_checksum(tmp_path):
    dataset = write(tiny("emnist_letters"), tmp_path)
    file = dataset.files[3]
    with (tmp_path / "EMNIST" / "raw" / file.name).open("r+b") as stream:
        stream.seek(len(file.header))
        stream.write(b"\x00")
    with pytest.raises(GraderError, match="holds the label 0 where EMNIST Letters has 1 to 26"):
        data.resolve(dataset, tmp_path).read()


def test_a_folder_in_place_of_a_file_cannot_be_read(mnist, raw, tmp_path):
    name = mnist.files[0].name
    (raw / name).unlink()
    (raw / name).mkdir()
    with pytest.raises(GraderError, match=f"{name} cannot be read"):
        data.resolve(mnist, tmp_path).read()


def test_whole_files_become_arrays(mnist, tmp_path):
    loaded = data.resolve(mnist, tmp_path).read()
    training = loaded.training
    assert (training.name, training.practice) == ("mnist", False)
    assert (training.train_images.shape, training.test_images.shape) == (
        (60, 1, 28, 28),
        (20, 1, 28, 28),
    )
    assert (training.train_images.dtype, training.train_labels.dtype) == (np.uint8, np.int64)
    assert loaded.test_labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


@pytest.fixture(scope="module")
def practice():
    return Source(PRACTICE, practice=True).read()


def test_the_practice_split_is_four_to_one_in_every_class(practice):
    train = np.bincount(practice.training.train_labels)
    test = np.bincount(practice.test_labels)
    assert train.sum() == PRACTICE.train_images == len(practice.training.train_images)
    assert test.sum() == PRACTICE.test_images == len(practice.training.test_images)
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

    # the first 4: among the training images, at the same place, as no fifth came before
    first = load_digits().images[4]
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
    learning = {"name", "practice", "train_images", "train_labels"}
    assert fields == learning | {"test_images", "batch_sizes", "second_look"}


def statistics(images: np.ndarray) -> tuple[float, float]:
    scaled = images.astype(np.float64) / 255
    return round(float(scaled.mean()), 4), round(float(scaled.std()), 4)


def test_mean_and_deviation_of_the_practice_digits_are_theirs(practice):
    found = statistics(practice.training.train_images)
    assert found == (PRACTICE.mean, PRACTICE.deviation)


def test_resolving_loads_neither_torch_nor_scikit_learn():
    code = """
import sys
from grader.training import data
data.resolve(data.DATASETS["mnist"], choice="practice")
print("torch" in sys.modules, "sklearn" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_table_loads_neither_torch_nor_numpy():
    code = "import sys; import grader.training.datasets; print({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


ARRIVE = """
import pathlib, sys
raw = pathlib.Path(sys.argv[1]) / sys.argv[2] / "raw"
raw.mkdir(parents=True)
for name in {names}:
    (raw / name).write_text(" ".join(sys.argv[2:]))
"""
"""Stands in for torchvision: files of those names arrive, and say what was asked for."""


@pytest.fixture
def downloader(monkeypatch):
    """The real downloader, with a script of ours in place of torchvision's, and an internet."""
    monkeypatch.undo()
    monkeypatch.setattr(download, "_unreachable", lambda address: "")
    return lambda script: monkeypatch.setattr(download, "_SCRIPT", script)


def names(*found: Dataset) -> list[str]:
    return [file.name for dataset in found for file in dataset.files]


def test_a_download_arrives_whole_and_leaves_nothing_else(downloader, tmp_path):
    downloader(ARRIVE.format(names=[*names(MNIST), "train-images-idx3-ubyte.gz"]))
    assert download.fetch(MNIST, tmp_path / "new") == ""
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["MNIST"]
    arrived = {file.name for file in (tmp_path / "new" / "MNIST" / "raw").iterdir()}
    assert arrived == {*names(MNIST)}


def test_what_comes_in_the_same_archive_is_kept_for_its_own_time(downloader, tmp_path):
    both = names(LETTERS, DATASETS["emnist_balanced"])
    downloader(ARRIVE.format(names=[*both, "emnist-byclass-train-images-idx3-ubyte", "gzip.zip"]))
    assert download.fetch(LETTERS, tmp_path) == ""
    raw = tmp_path / "EMNIST" / "raw"
    assert {file.name for file in raw.iterdir()} == {*both}
    assert (raw / both[0]).read_text() == "EMNIST letters"  # what torchvision was asked for


def test_a_download_fills_a_folder_that_is_there_already(downloader, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / ".DS_Store").write_text("")
    downloader(ARRIVE.format(names=names(FASHION)))
    assert download.fetch(FASHION, tmp_path) == ""
    assert {file.name for file in raw.iterdir()} == {".DS_Store", *names(FASHION)}
    assert [path.name for path in tmp_path.iterdir()] == ["FashionMNIST"]


def test_a_failed_download_gives_the_last_line_of_the_error(downloader, tmp_path):
    downloader("raise RuntimeError('Error downloading train-images.')")
    assert download.fetch(MNIST, tmp_path) == "RuntimeError: Error downloading train-images"
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_hangs_is_ended(downloader, tmp_path):
    downloader("import time; time.sleep(60)")
    failure = download.fetch(MNIST, tmp_path, most_seconds=0.5)
    assert failure == "the download took more than 0 s"


def test_a_folder_that_cannot_be_made_is_no_crash(downloader, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in download.fetch(MNIST, tmp_path / "file")


@pytest.mark.parametrize("name", ["mnist", "emnist_letters"])
def test_torchvision_takes_what_it_is_asked_with(name, tmp_path):
    """The script itself, with files that are there already: torchvision then downloads nothing."""
    dataset = write(tiny(name), tmp_path)
    assert download._run(dataset.download, tmp_path, 120) == ""


def test_without_internet_the_reason_is_known_at_once(monkeypatch, tmp_path):
    monkeypatch.undo()
    for scheme in ("http", "https"):
        # nobody listens at the discard port
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    for name in FROM_FILES:
        assert "cannot be reached" in download.fetch(DATASETS[name], tmp_path)


def test_a_login_page_in_place_of_the_internet_is_a_reason_and_no_crash(monkeypatch, tmp_path):
    def login(*_, **__):
        raise http.client.BadStatusLine("<html>")

    monkeypatch.undo()
    monkeypatch.setattr("urllib.request.urlopen", login)
    assert "cannot be reached (<html>)" in download.fetch(MNIST, tmp_path)


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may look into every folder"
)
def test_a_folder_that_may_not_be_looked_into_is_no_crash(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    monkeypatch.setattr(download, "fetch", lambda dataset, root: "it cannot be written")
    note = data.resolve(MNIST, closed).note
    assert "could not be downloaded: it cannot be written" in note


@pytest.mark.mnist
@pytest.mark.skipif(REAL is None, reason="GRADER_DATA names no folder with MNIST")
def test_the_real_mnist_is_whole():
    loaded = data.resolve(MNIST, Path(REAL), choice="mnist").read()
    assert loaded.training.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert loaded.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(loaded.test_labels).tolist() == counts
    assert statistics(loaded.training.train_images) == (MNIST.mean, MNIST.deviation)


@pytest.fixture
def attempts(monkeypatch) -> list[str]:
    """Every attempt to download; none gets through."""
    tried: list[str] = []
    monkeypatch.setattr(
        download, "fetch", lambda dataset, root: tried.append(dataset.name) or NO_NETWORK
    )
    return tried


def test_a_download_that_failed_is_not_tried_again_within_the_hour(tmp_path, attempts):
    said = []
    first = data.resolve(MNIST, tmp_path)
    again = data.resolve(MNIST, tmp_path, say=said.append)
    assert attempts == ["mnist"]
    assert said == []
    assert NO_NETWORK in again.note
    assert "again after an hour or with --fresh" in again.note
    assert "--fresh" not in first.note


@pytest.mark.parametrize("seconds", [-download.RETRY_SECONDS - 1, 100])
def test_an_hour_later_or_after_the_clock_was_set_back_it_is_tried(tmp_path, attempts, seconds):
    data.resolve(MNIST, tmp_path)
    (stamp,) = tmp_path.glob(".not-downloaded-*")
    when = time.time() + seconds
    os.utime(stamp, (when, when))
    data.resolve(MNIST, tmp_path)
    assert attempts == ["mnist", "mnist"]


def test_a_fresh_grading_tries_at_once(tmp_path, attempts):
    data.resolve(MNIST, tmp_path)
    data.resolve(MNIST, tmp_path, again=True)
    assert attempts == ["mnist", "mnist"]


def test_another_data_set_is_tried(tmp_path, attempts):
    data.resolve(MNIST, tmp_path)
    data.resolve(FASHION, tmp_path)
    assert attempts == ["mnist", "fashion_mnist"]


def test_a_download_that_works_leaves_no_stamp(tmp_path, attempts):
    data.resolve(MNIST, tmp_path)
    download.remember(MNIST, tmp_path, "")
    assert list(tmp_path.glob(".not-downloaded-*")) == []


@pytest.mark.parametrize("choice", ["own", "mnist"])
def test_static_checks_never_download_also_where_the_images_were_named(tmp_path, attempts, choice):
    with pytest.raises(GraderError, match="Or leave out --dataset"):
        data.resolve(MNIST, tmp_path, choice=choice, fetch=False)
    assert attempts == []


def test_practice_digits_are_those_of_scikit_learn():
    pixels, target = data._digits()
    known = datasets.load_digits()
    assert np.array_equal(pixels, known.images)
    assert np.array_equal(target, known.target)
    assert (pixels.dtype, target.dtype) == (known.images.dtype, known.target.dtype)
