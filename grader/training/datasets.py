"""The data sets that an assignment may name: one table, one entry each.

In: nothing. Out: `DATASETS`: what each is called, how many images it has and of which shape, its
files and their checksums, and the numbers to normalise by. Loads neither torch nor NumPy: an
assignment is checked against this table.

MNIST's MD5 sums and its mean and deviation were computed from its files. For the other data sets
torchvision publishes MD5 sums of the archives alone, and checks them when it downloads; their
unpacked files are checked by size, header and labels. Their means and deviations are published
values that were not recomputed: EMNIST's are from lightning-bolts 0.3 (`emnist_normalization`),
those of Fashion-MNIST and KMNIST are the ones in common use.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Final


@dataclass(frozen=True, slots=True)
class File:
    """One file in IDX format (http://yann.lecun.com/exdb/mnist/): a header, then unsigned bytes.

    `md5` is "" where no checksum of the unpacked file is known.
    """

    name: str
    shape: tuple[int, ...]
    md5: str = ""

    @property
    def magic(self) -> int:
        """The number that the file starts with: 8 for unsigned bytes, and how many dimensions."""
        return 0x800 + len(self.shape)

    @property
    def header(self) -> bytes:
        """The big-endian numbers that the file starts with: the magic number and the shape."""
        return struct.pack(f">{1 + len(self.shape)}I", self.magic, *self.shape)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + prod(self.shape)


@dataclass(frozen=True, slots=True)
class Download:
    """How torchvision gets a data set and lays it out.

    `folder` is the class in torchvision.datasets, and the folder that it makes; `split` is EMNIST's
    argument of that name. `address` answers where the download is possible; `megabytes` (of 10**6
    bytes) is its size. `prefixes` begin the names of the training files and of the test files.
    """

    folder: str
    address: str
    megabytes: int
    split: str = ""
    prefixes: tuple[str, str] = ("train", "t10k")


def _emnist(split: str) -> Download:
    """One archive for all six splits."""
    prefixes = (f"emnist-{split}-train", f"emnist-{split}-test")
    return Download("EMNIST", "https://biometrics.nist.gov/", 562, split, prefixes)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set. `title` is its name in messages.

    `mean` and `deviation` are those of all pixels of the training images, on a scale from 0 to 1.
    `class_names` are the classes in order, in the words of whoever published them.
    `first_label` is the first class's label in the files; here it is class 0. `md5` holds the sums
    of training images and labels, test images and labels, or nothing. Without `download` there are
    no files: `grader.training.data` makes the images.
    """

    name: str
    title: str
    train_images: int
    test_images: int
    classes: int
    mean: float
    deviation: float
    download: Download | None = None
    input_shape: tuple[int, int, int] = (1, 28, 28)
    class_names: tuple[str, ...] = tuple("0123456789")
    first_label: int = 0
    md5: tuple[str, str, str, str] = ("", "", "", "")

    @property
    def files(self) -> tuple[File, ...]:
        """Training images and labels, test images and labels; none without `download`."""
        if self.download is None:
            return ()
        train, test = self.download.prefixes
        size = self.input_shape[1:]
        return (
            File(f"{train}-images-idx3-ubyte", (self.train_images, *size), self.md5[0]),
            File(f"{train}-labels-idx1-ubyte", (self.train_images,), self.md5[1]),
            File(f"{test}-images-idx3-ubyte", (self.test_images, *size), self.md5[2]),
            File(f"{test}-labels-idx1-ubyte", (self.test_images,), self.md5[3]),
        )

    @property
    def kind(self) -> str:
        """Number of classes and shape of an image, in words: "10 classes of 1×28×28 images"."""
        return f"{self.classes} classes of {'×'.join(map(str, self.input_shape))} images"

    def can_replace(self, other: Dataset) -> bool:
        """Whether a network for `other` can be trained on this one."""
        return (self.input_shape, self.classes) == (other.input_shape, other.classes)


_ENTRIES = (
    Dataset(
        name="mnist",
        title="MNIST",
        train_images=60_000,
        test_images=10_000,
        classes=10,
        mean=0.1307,
        deviation=0.3081,
        download=Download("MNIST", "https://ossci-datasets.s3.amazonaws.com/mnist/", 11),
        md5=(
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
    Dataset(
        name="fashion_mnist",
        title="Fashion-MNIST",
        train_images=60_000,
        test_images=10_000,
        classes=10,
        mean=0.2860,
        deviation=0.3530,
        download=Download(
            "FashionMNIST", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", 31
        ),
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    Dataset(
        name="kmnist",
        title="KMNIST",
        train_images=60_000,
        test_images=10_000,
        classes=10,
        mean=0.1918,
        deviation=0.3483,
        download=Download("KMNIST", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/", 21),
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    # G. Cohen et al., "EMNIST: an extension of MNIST to handwritten letters", 2017. The images are
    # transposed; torchvision leaves them so. There are 124,800 + 20,800 letters in the files, where
    # the paper has 88,800 + 14,800.
    Dataset(
        name="emnist_digits",
        title="EMNIST Digits",
        train_images=240_000,
        test_images=40_000,
        classes=10,
        mean=0.1733,
        deviation=0.3316,
        download=_emnist("digits"),
    ),
    Dataset(
        name="emnist_letters",
        title="EMNIST Letters",
        train_images=124_800,
        test_images=20_800,
        classes=26,
        mean=0.1722,
        deviation=0.3309,
        download=_emnist("letters"),
        class_names=tuple("abcdefghijklmnopqrstuvwxyz"),
        first_label=1,
    ),
    Dataset(
        name="emnist_balanced",
        title="EMNIST Balanced",
        train_images=112_800,
        test_images=18_800,
        classes=47,
        mean=0.1751,
        deviation=0.3332,
        download=_emnist("balanced"),
        class_names=tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
    ),
    # Four of five of scikit-learn's 1,797 digits, class by class: see `grader.training.data`.
    Dataset(
        name="practice",
        title="practice digits",
        train_images=1_442,
        test_images=355,
        classes=10,
        mean=0.1557,
        deviation=0.2774,
    ),
)

DATASETS: Final = {entry.name: entry for entry in _ENTRIES}
"""Every data set by the name that an assignment gives it."""
