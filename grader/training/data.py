"""The images: found, fetched or made up, and checked before anything is trained on them.

In: the name of a data set and a folder. Out: `Data`, whose `training` part holds no label of a test image; training
gets that part, the judge gets `test_labels`. Files are not trusted to be whole: size, header and MD5 are checked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import platformdirs
from numpy.typing import NDArray

from grader.errors import GraderError
from grader.training import download

Name = Literal["auto", "mnist", "practice"]

PRACTICE_TRAIN_IMAGES = 1_442
"""Four of five of scikit-learn's 1,797 digits, class by class."""


SPLIT_SEED = 2026
"""Where the draw of the validation images starts: they are the same for every submission on every machine."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """What training may see. Images are uint8 (N, 1, 28, 28), 0 is black; labels int64 (N,), 0 to 9."""

    name: str
    practice: bool
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Everything, in two hands: `training` for training, `test_labels` int64 (N,) for the judge alone."""

    training: TrainingData
    test_labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Source:
    """Which data set it will be: known before any image is read. `note` says why it is not what was hoped for."""

    name: str
    practice: bool
    train_images: int
    folder: Path | None = None
    note: str = ""

    def read(self) -> Data:
        """The images and labels. Raises GraderError for a file that is not MNIST's."""
        return _practice() if self.folder is None else _mnist(self.folder)


@dataclass(frozen=True, slots=True)
class File:
    """One of MNIST's four files in IDX format (http://yann.lecun.com/exdb/mnist/): magic number, sizes, bytes."""

    name: str
    magic: int
    shape: tuple[int, ...]
    md5: str

    @property
    def header(self) -> bytes:
        """The big-endian numbers that the file starts with."""
        return np.array((self.magic, *self.shape), dtype=">u4").tobytes()

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + int(np.prod(self.shape))


TRAIN_IMAGES = File(
    "train-images-idx3-ubyte", 2051, (60_000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"
)
TRAIN_LABELS = File("train-labels-idx1-ubyte", 2049, (60_000,), "a25bea736e30d166cdddb491f175f624")
TEST_IMAGES = File(
    "t10k-images-idx3-ubyte", 2051, (10_000, 28, 28), "2646ac647ad5339dbf082846283269ea"
)
TEST_LABELS = File("t10k-labels-idx1-ubyte", 2049, (10_000,), "27ae3e4e09519cfbb04c329615203637")
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


def default_folder() -> Path:
    """Where the images live unless the user says otherwise: GRADER_DATA, else the user's cache folder."""
    named = os.environ.get("GRADER_DATA")
    return (
        Path(named).expanduser()
        if named
        else platformdirs.user_cache_path("grader", appauthor=False) / "data"
    )


def resolve(
    dataset: Name = "auto",
    folder: Path | None = None,
    *,
    say: Callable[[str], None] = lambda message: None,
) -> Source:
    """Which images there are, looking at names and sizes only; MNIST is downloaded where it is missing.

    `folder` is the parent of MNIST/raw, as torchvision lays it out (default: `default_folder()`). "auto" takes the
    practice images where MNIST can be neither found nor fetched, and says so in `note`; "mnist" raises GraderError
    there. A file of MNIST that is there but damaged is a GraderError for both.
    `say` is called with a message before a download.
    """
    if dataset == "practice":
        return Source("practice", practice=True, train_images=PRACTICE_TRAIN_IMAGES)
    root = folder or default_folder()
    raw = _find(root)
    if raw is None:
        say(f"MNIST is not in {root}: downloading it (11 MB).")
        failure = download.mnist(root)
        raw = _find(root)
        if raw is None:
            return _without_mnist(dataset, root, failure)
    for file in FILES:
        _check_size(file, raw / file.name)
    return Source("mnist", practice=False, train_images=TRAIN_IMAGES.shape[0], folder=raw)


def load(dataset: Name = "auto", folder: Path | None = None) -> Data:
    """The images that `resolve` finds. Raises GraderError."""
    return resolve(dataset, folder).read()


def validation(labels: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Which of the training images (one label each) are held back when `count` of them are: the same for everyone.

    They are drawn at random within each class, and no class's share is off by a whole image.
    """
    shuffled = np.random.RandomState(SPLIT_SEED).permutation(
        len(labels)
    )  # NumPy never changes its numbers
    class_by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    chosen = np.zeros(len(labels), dtype=np.bool_)
    chosen[class_by_class[np.arange(count) * len(labels) // count]] = True
    return chosen


def _find(root: Path) -> Path | None:
    """The folder that holds at least one of MNIST's files. Raises GraderError when another one is missing there."""
    for folder in (root / "MNIST" / "raw", root / "raw", root):
        missing = [file.name for file in FILES if not os.path.exists(folder / file.name)]  # noqa: PTH110 - Path.exists raises where a folder may not be looked into
        if not missing:
            return folder
        if len(missing) < len(FILES):
            raise GraderError(
                f"MNIST in {folder} is incomplete: {', '.join(missing)} is missing. "
                "Copy all four files there, or remove the folder and run again to have them downloaded."
            )
    return None


def _without_mnist(dataset: Name, root: Path, failure: str) -> Source:
    found = f"MNIST is not in {root} and could not be downloaded: {failure}."
    if dataset == "mnist":
        raise GraderError(
            f"{found} Connect to the internet, or copy the four files ({FILES[0].name}, ...) to "
            f"{root / 'MNIST' / 'raw'}, or name the folder that holds them with --data or GRADER_DATA. "
            "--dataset practice needs no files."
        )
    note = f"{found} Practice images are used instead: the result is not graded on MNIST."
    return Source("practice", practice=True, train_images=PRACTICE_TRAIN_IMAGES, note=note)


def _mnist(folder: Path) -> Data:
    train_images, train_labels, test_images, test_labels = (
        _read(file, folder / file.name) for file in FILES
    )
    training = TrainingData(
        name="mnist",
        practice=False,
        train_images=train_images[:, None],
        train_labels=train_labels.astype(np.int64),
        test_images=test_images[:, None],
    )
    return Data(training, test_labels.astype(np.int64))


def _read(file: File, path: Path) -> NDArray[np.uint8]:
    _check_size(file, path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror or error})") from error
    if not content.startswith(file.header):
        found = np.frombuffer(content[: len(file.header)], dtype=">u4").tolist()
        raise _damaged(path, f"starts with the numbers {found}, not {[file.magic, *file.shape]}")
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != file.md5:
        raise _damaged(path, f"has the MD5 sum {md5}; MNIST's is {file.md5}: some bytes differ")
    return np.frombuffer(content, dtype=np.uint8, offset=len(file.header)).reshape(file.shape)


def _check_size(file: File, path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror or error})") from error
    if path.is_file() and size != file.size:
        how = "it was cut short" if size < file.size else "it is another file"
        raise _damaged(path, f"has {size:,} bytes; MNIST's has {file.size:,}: {how}")


def _damaged(path: Path, what: str) -> GraderError:
    return GraderError(
        f"{path} {what}. Nothing can be graded on damaged images. "
        f"Remove {path.parent} and run again to have MNIST downloaded, or copy the four files there once more."
    )


def _practice() -> Data:
    """scikit-learn's `load_digits`: 1,797 real digits of 8x8 pixels, scaled up to look like MNIST's.

    As in MNIST, the digit fills 20x20 pixels in the middle of 28x28. The split is fixed and keeps the classes' shares:
    of each class, in the order of the data set, every fifth image is a test image.
    """
    from sklearn.datasets import load_digits  # slow to import, and only needed here

    digits = load_digits()
    images = _enlarge(digits.images)[:, None]
    labels = digits.target.astype(np.int64)
    test = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        test[np.flatnonzero(labels == digit)[4::5]] = True
    training = TrainingData("practice", True, images[~test], labels[~test], images[test])
    return Data(training, labels[test])


def _enlarge(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    """From (N, 8, 8) of 0 to 16 to (N, 28, 28) of 0 to 255: bilinear to 20x20, with a black border of 4."""
    scale = _bilinear(8, 20)
    enlarged = np.rint(scale @ images @ scale.T * (255 / 16)).astype(np.uint8)
    return np.pad(enlarged, ((0, 0), (4, 4), (4, 4)))


def _bilinear(before: int, after: int) -> NDArray[np.float64]:
    """The (after, before) matrix that resizes one axis; pixel centres are at half integers, edges are repeated."""
    centres = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    matrix: NDArray[np.float64] = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(before)))
    return matrix
