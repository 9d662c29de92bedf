"""The images: found, fetched or made up, and checked before anything is trained on them.

In: a `Dataset` and a folder. Out: `Data`, whose `training` part holds no label of a test image;
training gets that part, the judge gets `test_labels`. Files are not trusted to be whole: size,
header and labels are checked, and the MD5 sum where one is known.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from grader.errors import GraderError
from grader.training import download
from grader.training.datasets import DATASETS, Dataset, File

if TYPE_CHECKING:  # to see which images there are, none need be read
    import numpy as np
    from numpy.typing import NDArray

PRACTICE = "practice"
"""The data set that needs no files and takes the place of one that cannot be had."""

SPLIT_SEED = 2026
"""Seed of the draw of the validation images: they are the same for every submission everywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Images to look at, in batches of these sizes, which add up to all of them."""

    images: NDArray[np.uint8]
    batch_sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """What training may see. Images are uint8 (N, channels, rows, columns), 0 is black.

    Labels are int64 (N,), from 0 to one less than the number of classes. `practice`: the images
    stand in for those of the assignment, so nothing is graded on them. The test images are looked
    at after every epoch, in batches of `batch_sizes` where there are any; those of `second_look`
    once, when a run is finished.
    """

    name: str
    practice: bool
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    batch_sizes: tuple[int, ...] = ()
    second_look: Look | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, rows, columns of one image."""
        _, channels, rows, columns = self.train_images.shape
        return channels, rows, columns


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Everything, in two hands: `training` for training, `test_labels` int64 (N,) for the judge."""

    training: TrainingData
    test_labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Source:
    """Which data set it will be: known before any image is read.

    `practice`: images stand in for the assignment's own. `folder` holds its files; without one,
    `read` gives the practice digits. `note` says why it
    is not the one that was hoped for.
    """

    dataset: Dataset
    practice: bool = False
    folder: Path | None = None
    note: str = ""
    _held: list[Data] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def train_images(self) -> int:
        """Number of training images."""
        return self.dataset.train_images

    def read(self) -> Data:
        """The images and labels: read once, then held. Nobody may change them.

        Raises GraderError for a file that is not the data set's.
        """
        if not self._held:
            self._held.append(self._found())
        return self._held[0]

    def _found(self) -> Data:
        if self.folder is None:
            return _practice_digits(practice=self.practice)
        return _from_files(self.dataset, self.folder, practice=self.practice)


def default_folder() -> Path:
    """Where the images are unless the user says so: GRADER_DATA, else the user's cache folder."""
    named = os.environ.get("GRADER_DATA")
    if named:
        return Path(named).expanduser()
    return platformdirs.user_cache_path("grader", appauthor=False) / "data"


def resolve(
    own: Dataset,
    folder: Path | None = None,
    *,
    choice: str = "auto",
    fetch: bool = True,
    again: bool = False,
    say: Callable[[str], None] = lambda message: None,
) -> Source:
    """Which images there are for an assignment whose `own` data set that is.

    Looks at names and sizes only. A data set that is missing is downloaded to `folder`, the parent
    of MNIST/raw and its like, as torchvision lays them out (default: `default_folder()`). `say` is
    called with a message before a download.

    `choice` is "auto", "own" or a name in `DATASETS`. "auto" is `own`, or the practice digits where
    `own` can be neither found nor downloaded and they can take its place; `note` says so. "own" and
    a name are that data set and no other. `fetch`: whether it may be downloaded; with "auto" and
    without, practice digits of its shape are looked at in its place. `again`: also when a download
    has failed within the hour. Raises GraderError where the data set cannot be had, is damaged, or
    differs from `own` in its classes or its images' shape.
    """
    chosen = own if choice in ("auto", "own") else DATASETS[choice]
    if not chosen.can_replace(own):
        raise GraderError(
            f"--dataset {choice} cannot take the place of {own.title}, which the assignment asks "
            f"for: it has {chosen.kind}, and {own.title} has {own.kind}. Leave out --dataset to "
            f"grade on {own.title}."
        )
    practice = chosen.name != own.name
    if chosen.download is None:
        return Source(chosen, practice)
    root = folder or default_folder()
    download.sweep(root)
    raw = _find(chosen, root)
    if raw is None and not fetch and choice == "auto" and _look_alike(chosen):
        # As many images as its own, so that the recipe is planned for those.
        return Source(
            chosen,
            practice=True,
            note=f"{chosen.title} is not in {root}, and is not downloaded for static checks: "
            "they watch the network on practice digits.",
        )
    if raw is None and not fetch:
        raise GraderError(
            f"{chosen.title} is not in {root}, and is not downloaded for static checks. Leave out "
            f"--static to have it downloaded. Or leave out --dataset {choice}, and the network is "
            "watched on practice digits."
        )
    if raw is None:
        failure = "" if again else download.failed_lately(chosen, root)
        if not failure:
            megabytes = chosen.download.megabytes
            say(f"{chosen.title} is not in {root}: downloading it ({megabytes} MB).")
            failure = download.fetch(chosen, root)
            download.remember(chosen, root, failure)
        raw = _find(chosen, root)
        if raw is None:
            return _without_files(chosen, root, failure, may_practise=choice == "auto")
    for file in chosen.files:
        _check_size(chosen, file, raw / file.name)
    return Source(chosen, practice, raw)


def _look_alike(dataset: Dataset) -> bool:
    """Whether a network for that data set can look at the practice digits."""
    practice = DATASETS[PRACTICE]
    return practice.input_shape == dataset.input_shape and practice.classes <= dataset.classes


def validation(labels: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Which of the training images (one label each) are held back when `count` of them are.

    The same for everyone. They are drawn at random within each class, and no class's share is off
    by a whole image.
    """
    import numpy as np

    generator = np.random.RandomState(SPLIT_SEED)  # NumPy never changes its numbers
    shuffled = generator.permutation(len(labels))
    class_by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    chosen = np.zeros(len(labels), dtype=np.bool_)
    chosen[class_by_class[np.arange(count) * len(labels) // count]] = True
    return chosen


def _find(dataset: Dataset, root: Path) -> Path | None:
    """The folder that holds the files, or None where there is not one of them.

    Raises GraderError when some of them are there and others are not.
    """
    names = [file.name for file in dataset.files]
    places = (_raw(dataset, root), root / "raw", root)
    for folder in [place for place in places if _is_named_for(dataset, place)]:
        # os.path, because Path.exists raises where a folder may not be looked into.
        missing = [name for name in names if not os.path.exists(folder / name)]  # noqa: PTH110
        if not missing:
            return folder
        if len(missing) < len(names):
            raise GraderError(
                f"{dataset.title} in {folder} is incomplete: {', '.join(missing)} is missing. Copy "
                "all four files there, or remove the folder and run again to have them downloaded."
            )
    return None


def _raw(dataset: Dataset, root: Path) -> Path:
    """Where torchvision puts the files."""
    assert dataset.download is not None
    return root / dataset.download.folder / "raw"


def _is_named_for(dataset: Dataset, folder: Path) -> bool:
    """Whether the files in `folder` can be taken for this data set's.

    MNIST, Fashion-MNIST and KMNIST give their files the same names and sizes. So a folder that has
    the name of one is not looked into for another, and one that has no such name only where MD5
    sums tell them apart.
    """
    owners = {one.download.folder for one in DATASETS.values() if one.download}
    owner = folder.absolute().parent.name
    if owner in owners:
        return dataset.download is not None and owner == dataset.download.folder
    return all(dataset.md5)


def _without_files(dataset: Dataset, root: Path, failure: str, *, may_practise: bool) -> Source:
    practice = DATASETS[PRACTICE]
    found = f"{dataset.title} is not in {root} and could not be downloaded: {failure}."
    if may_practise and practice.can_replace(dataset):
        note = f"{found} Practice images are used instead: the result is not graded on"
        return Source(practice, practice=True, note=f"{note} {dataset.title}.")
    advice = "--dataset practice needs no files."
    if not practice.can_replace(dataset):
        advice = f"The practice digits cannot take its place: they have {practice.kind}, and"
        advice = f"{advice} {dataset.title} has {dataset.kind}."
    raise GraderError(
        f"{found} Connect to the internet, or copy the four files ({dataset.files[0].name}, ...) "
        f"to {_raw(dataset, root)}, or name the folder that holds them with --data or GRADER_DATA. "
        f"{advice}"
    )


def _from_files(dataset: Dataset, folder: Path, *, practice: bool) -> Data:
    train_images, train_labels, test_images, test_labels = (
        _read(dataset, file, folder / file.name) for file in dataset.files
    )
    training = TrainingData(
        name=dataset.name,
        practice=practice,
        train_images=train_images[:, None],
        train_labels=_from_0(dataset, train_labels, folder / dataset.files[1].name),
        test_images=test_images[:, None],
    )
    return Data(training, _from_0(dataset, test_labels, folder / dataset.files[3].name))


def _read(dataset: Dataset, file: File, path: Path) -> NDArray[np.uint8]:
    import numpy as np

    _check_size(dataset, file, path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(dataset, path, error) from error
    if not content.startswith(file.header):
        found = np.frombuffer(content[: len(file.header)], dtype=">u4").tolist()
        expected = [file.magic, *file.shape]
        raise _damaged(dataset, path, f"starts with the numbers {found}, not {expected}")
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if file.md5 and md5 != file.md5:
        sums = f"has the MD5 sum {md5} where {dataset.title} has {file.md5}"
        raise _damaged(dataset, path, f"{sums}: some bytes differ")
    return np.frombuffer(content, dtype=np.uint8, offset=len(file.header)).reshape(file.shape)


def _from_0(dataset: Dataset, labels: NDArray[np.uint8], path: Path) -> NDArray[np.int64]:
    """The labels, counted from 0. Raises GraderError for one that the data set does not have."""
    import numpy as np

    first, last = dataset.first_label, dataset.first_label + dataset.classes - 1
    unknown = labels[(labels < first) | (labels > last)]
    if len(unknown):
        known = f"{dataset.title} has {first} to {last}"
        raise _damaged(dataset, path, f"holds the label {unknown[0]} where {known}")
    return labels.astype(np.int64) - first


def _check_size(dataset: Dataset, file: File, path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(dataset, path, error) from error
    if path.is_file() and size != file.size:
        how = "it was cut short" if size < file.size else "it is another file"
        sizes = f"has {size:,} bytes where {dataset.title} has {file.size:,}"
        raise _damaged(dataset, path, f"{sizes}: {how}")


def _unreadable(dataset: Dataset, path: Path, error: OSError) -> GraderError:
    return _damaged(dataset, path, f"cannot be read ({error.strerror or error})")


def _damaged(dataset: Dataset, path: Path, what: str) -> GraderError:
    return GraderError(
        f"{path} {what}. Nothing can be graded on damaged images. Remove {path.parent} and run "
        f"again to have {dataset.title} downloaded, or copy the four files there once more."
    )


def _practice_digits(*, practice: bool) -> Data:
    """scikit-learn's `load_digits`: 1,797 real digits of 8x8 pixels, scaled up to MNIST's size.

    As in MNIST, the digit fills 20x20 pixels in the middle of 28x28. The split is fixed and keeps
    the classes' shares: of each class, in the order of the data set, every fifth image is a test
    image.
    """
    import numpy as np

    pixels, target = _digits()
    images = _enlarge(pixels)[:, None]
    labels = target.astype(np.int64)
    test = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        test[np.flatnonzero(labels == digit)[4::5]] = True
    training = TrainingData(PRACTICE, practice, images[~test], labels[~test], images[test])
    return Data(training, labels[test])


def _digits() -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """scikit-learn's digits, (1797, 8, 8) of 0 to 16, and which they are.

    Read from its own file, as it does: importing scikit-learn takes longer than all else here.
    """
    import numpy as np

    found = importlib.util.find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            with gzip.open(file, "rt", encoding="ascii") as lines:
                table = np.array([line.split(",") for line in lines], dtype=np.float64)
            return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int_)
    from sklearn.datasets import load_digits  # another version may keep them elsewhere

    digits = load_digits()
    return digits.images, digits.target


def _enlarge(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    """From (N, 8, 8) of 0 to 16 to (N, 28, 28) of 0 to 255.

    Bilinear to 20x20, with a black border of 4.
    """
    import numpy as np

    scale = _bilinear(8, 20)
    enlarged = np.rint(scale @ images @ scale.T * (255 / 16)).astype(np.uint8)
    return np.pad(enlarged, ((0, 0), (4, 4), (4, 4)))


def _bilinear(before: int, after: int) -> NDArray[np.float64]:
    """The (after, before) matrix that resizes one axis.

    Pixel centres are at half integers, edges are repeated.
    """
    import numpy as np

    centres = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    matrix: NDArray[np.float64] = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(before)))
    return matrix
