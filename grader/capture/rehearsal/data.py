"""Data sets that stand in for torchvision's: of the right length, in no memory.

In: the request. Out: torchvision's own classes, whose files seem to be there. `.data` has the data
set's mean and deviation, `.targets` its counts of classes; images come as PIL images to the
student's own transform. Every image is the same noise, shifted by a pixel from the last: 60,000
windows on one row of numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from grader.capture.rehearsal.trace import Trace
from grader.training.datasets import DATASETS
from grader.training.datasets import Dataset as Known

NAME = "rehearsal_name"
"""Attribute of a stand-in: its name in `DATASETS`, or torchvision's class name."""
PATIENCE = 1_000
"""Images that a data set really makes; further ones are those of its beginning."""
FEW = 4
_MNIST = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_QMNIST = {"train": 60_000, "test": 60_000, "test10k": 10_000, "test50k": 50_000, "nist": 402_953}


def install(trace: Trace) -> None:
    """Put the data sets in place of torchvision's."""
    from torchvision import datasets

    for kind in (datasets.MNIST, datasets.EMNIST, datasets.QMNIST):
        vars_of: Any = kind
        vars_of.download = lambda self: None
        vars_of._check_exists = lambda self: True
        vars_of._load_data = lambda self: _loaded(trace, self)
    datasets.MNIST._check_legacy_exist = lambda self: False
    datasets.MNIST.__getitem__ = _remembering(trace, datasets.MNIST.__getitem__)
    datasets.CIFAR10.__init__ = _cifar(trace)


def base(dataset: Any) -> Any:
    """The data set that a Subset, or another one that keeps it as `dataset`, takes images from."""
    for _ in range(20):
        inner = getattr(dataset, "dataset", None)
        if not isinstance(inner, Dataset):
            break
        dataset = inner
    return dataset


def is_test(dataset: Any) -> bool:
    """Whether it is (part of) the test images."""
    return getattr(base(dataset), "train", True) is False


def given_by(loader: Any) -> Any:
    """What stands for the images of a loader: its data set, or the sampler that takes some of it.

    Two loaders with a SubsetRandomSampler each share a data set, and no image.
    """
    dataset, sampler = loader.dataset, loader.sampler
    if isinstance(dataset, IterableDataset):
        return dataset
    try:
        return sampler if len(sampler) < len(dataset) else dataset
    except TypeError:
        return dataset


def whose(trace: Trace, loader: Any, *, learns: bool = False) -> str:
    """Whether images are "test", "training" or "held back"; `learns`: they are learned from now."""
    dataset = loader.dataset
    if is_test(dataset):
        return "test"
    seen = trace.has_trained_on(given_by(loader), dataset)
    return "training" if learns or seen else "held back"


def first_label(dataset: Any) -> int:
    """The first class's label as torchvision gives it: 1 for EMNIST's letters."""
    known = DATASETS.get(getattr(base(dataset), NAME, ""))
    return known.first_label if known else 0


def _name(dataset: Any) -> str:
    """The key in DATASETS, if there is one; else the class name of torchvision."""
    from torchvision import datasets

    kinds = ("QMNIST", "EMNIST", "KMNIST", "FashionMNIST", "MNIST")
    folder = next(name for name in kinds if isinstance(dataset, getattr(datasets, name)))
    split = getattr(dataset, "split", "") if folder == "EMNIST" else ""
    for name, known in DATASETS.items():
        made = known.download
        if made is not None and (made.folder, made.split) == (folder, split):
            return name
    return f"{folder} ({split})" if split else folder


def _loaded(trace: Trace, dataset: Any) -> tuple[Tensor, Tensor]:
    """Images and labels, as `_load_data` gives them."""
    name = _name(dataset)
    vars(dataset)[NAME] = name
    request = trace.request
    known = DATASETS.get(name)
    if known is None:
        known = DATASETS["mnist"]
        length = _QMNIST.get(getattr(dataset, "what", ""), known.train_images)
        classes = len(getattr(dataset, "classes", ())) or known.classes
    elif name == request.dataset or (request.dataset == "practice" and name == "mnist"):
        length = request.train_images if dataset.train else request.test_images
        classes = request.classes
    else:
        length = known.train_images if dataset.train else known.test_images
        classes = known.classes
    if name != request.dataset and request.dataset != "practice":
        trace.note(f"The data set is {known.title if name in DATASETS else name}, which is not "
                   f"the assignment's ({DATASETS[request.dataset].title})")  # fmt: skip
    labels = _labels(length, classes, known)
    if "QMNIST" in name:
        labels = torch.cat([labels[:, None], torch.zeros(length, 7, dtype=labels.dtype)], dim=1)
    return windows(known, length), labels


def windows(known: Known, length: int) -> Tensor:
    """(length, height, width) grey levels of the data set's mean and deviation, in no memory."""
    height, width = known.input_shape[1:]
    row = _grey_levels(known.mean, known.deviation, height * width)
    row = row.repeat(length // len(row) + 2)[: length + len(row)].clone()
    return row.as_strided((length, height, width), (1, width, 1))


def _grey_levels(mean: float, deviation: float, count: int) -> Tensor:
    """`count` numbers of 0 to 255: most are 0, the others lie in two levels."""
    share = mean**2 / (mean**2 + deviation**2)  # of one level, mean / share, that would be enough
    lit = min(count, math.ceil(count * share) + 1)
    level = mean * count / lit
    spread = math.sqrt(max(0.0, (deviation**2 + mean**2) * count / lit - level**2))
    levels = torch.full((lit,), round(255 * (level - spread)))
    levels[: lit // 2] = round(255 * (level + spread))
    missing = round(255 * mean * count) - int(levels.sum())
    levels[: abs(missing) % lit] += 1 if missing > 0 else -1
    # pairs that move apart, or together, leave the mean alone and set the deviation
    wanted = (mean**2 + deviation**2) * 255**2 * count - int((levels**2).sum())
    pairs = round(wanted / (2 * int(levels[0] - levels[-1]) + 2))
    levels[: abs(pairs)] += 1 if pairs > 0 else -1
    levels[lit - abs(pairs) :] -= 1 if pairs > 0 else -1
    row = torch.zeros(count, dtype=torch.uint8)
    places = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:lit]
    row[places] = levels.clamp(0, 255).to(torch.uint8)
    return row


def _labels(length: int, classes: int, known: Known) -> Tensor:
    """As many of each class as in the data set, for its length, in an order without a pattern."""
    counts = torch.tensor(_MNIST if known.name == "mnist" and classes == 10 else [1] * classes)
    ends = (counts.cumsum(0).double() / counts.sum() * length).round().long()
    each = ends.diff(prepend=torch.zeros(1, dtype=torch.int64))
    labels = torch.repeat_interleave(torch.arange(classes), each) + known.first_label
    return labels[torch.randperm(length, generator=torch.Generator().manual_seed(0))]


def _remembering(trace: Trace, real: Any) -> Any:
    """A `__getitem__` for files that go through all images: after some, it repeats the first."""

    def item(self: Any, index: Any) -> Any:
        own = vars(self).setdefault("rehearsal_items", {"asked": 0})
        own["asked"] += 1
        if own["asked"] <= PATIENCE or trace.where() is None:
            return real(self, index)
        key = (id(self.transform), int(index) % FEW)
        if key not in own:
            own[key] = (
                self.transform,
                real(self, key[1])[0],
            )  # an id means something while it lives
        label = int(self.targets[index].flatten()[0])
        if self.target_transform is not None:
            label = self.target_transform(label)
        return own[key][1], label

    return item


def _cifar(trace: Trace) -> Any:
    """CIFAR-10 and CIFAR-100: of another shape, so that no recipe comes of them."""
    from torchvision import datasets

    def init(
        self: Any,
        root: Any = ".",
        train: bool = True,
        transform: Any = None,
        target_transform: Any = None,
        download: bool = False,
    ) -> None:
        datasets.VisionDataset.__init__(
            self, root, transform=transform, target_transform=target_transform
        )
        name = "CIFAR100" if isinstance(self, datasets.CIFAR100) else "CIFAR10"
        classes = 100 if name == "CIFAR100" else 10
        vars(self)[NAME] = name
        self.train = train
        count = 50_000 if train else 10_000
        grey = np.full((1, 32, 32, 3), 120, dtype=np.uint8)
        self.data = np.broadcast_to(grey, (count, 32, 32, 3))
        self.targets = [index % classes for index in range(count)]
        self.classes = [str(index) for index in range(classes)]
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}
        title = DATASETS[trace.request.dataset].title
        trace.note(f"The data set is {name}, which is not the assignment's ({title})")

    return init
