<<<<<<< HEAD
"""Data sets that stand in for torchvision's: of the right length, in no memory.

In: the request. Out: torchvision's own classes, whose files seem to be there. `.data` has the data
set's mean and deviation, `.targets` its counts of classes; images come as PIL images to the
student's own transform. Every image is the same noise, shifted by a pixel from the last: 60,000
windows on one row of numbers.
=======
"""Stand-ins for data sets and loaders: the right lengths and batches, and hardly any images.

In: a Trace. A data set has one image, of two grey levels whose mean and deviation are the real
ones, and the true number of images; a loader is torch's own but for its walk, which gives the
right number of batches, made of one item that went through the student's own transform.
>>>>>>> lead
"""

from __future__ import annotations

<<<<<<< HEAD
import math
=======
import itertools
import math
from collections.abc import Callable, Iterator
>>>>>>> lead
from typing import Any

import numpy as np
import torch
<<<<<<< HEAD
from torch import Tensor
from torch.utils.data import Dataset

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
    datasets.MNIST._check_legacy_exist = lambda self: False  # type: ignore[method-assign]
    datasets.MNIST.__getitem__ = _remembering(trace, datasets.MNIST.__getitem__)  # type: ignore[method-assign]
    datasets.CIFAR10.__init__ = _cifar(trace)  # type: ignore[method-assign]


def base(dataset: Any) -> Any:
    """The data set that a Subset, or another one that keeps it as `dataset`, takes images from."""
    for _ in range(20):
        inner = getattr(dataset, "dataset", None)
        if not isinstance(inner, Dataset):
=======
import torchvision
from torch.utils import data

from grader.capture.rehearsal.trace import Batch, Trace, Walk
from grader.program.rehearsed import RehearsalRequest
from grader.training.datasets import DATASETS

FEW = 4
"""Images of a batch that are really made."""
MOST_WALKS = 20_000
MOST_KEPT = 200
"""Batches that are kept; a file may make loaders without end."""
_LARGE = 1024
"""Images from which on a batch is one image seen many times, which cannot be changed in place."""
_OWN_PROCESSES = frozenset(
    {
        "num_workers",
        "persistent_workers",
        "prefetch_factor",
        "multiprocessing_context",
        "worker_init_fn",
        "pin_memory",
        "pin_memory_device",
        "timeout",
    }
)
_WORKERS = 3
"""Where `num_workers` stands among the arguments after the data set and the batch size."""


def install(trace: Trace, request: RehearsalRequest) -> None:
    """Patch torchvision's data sets and torch's loaders, in place."""
    _data_sets(trace, request)
    _loaders(trace)


# Data sets ----------------------------------------------------------------------------------------


def image(shape: tuple[int, ...], mean: float, deviation: float) -> torch.Tensor:
    """One image (rows, columns) of bytes: some pixels lit, the others dark.

    Its mean and deviation (0 to 1) are as near to those given as one grey level allows, so that a
    file that computes them gets the real ones.
    """
    pixels = math.prod(shape)
    # Of pixels that are dark or at one level: variance = level * mean - mean²
    level = min(1.0, (deviation**2 + mean**2) / mean)
    lit = round(pixels * mean / level)
    flat = torch.zeros(pixels, dtype=torch.uint8)
    places = torch.linspace(0, pixels - 1, lit).round().long()
    flat[places] = round(255 * level)
    return flat.reshape(shape)


def _labels(count: int, classes: int) -> torch.Tensor:
    """Labels (count,), each class nearly equally often, in an order that looks drawn."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return (torch.arange(count) % classes)[order]


def _data_sets(trace: Trace, request: RehearsalRequest) -> None:
    sets = torchvision.datasets
    known = DATASETS[request.dataset]
    own = known.download.folder if known.download else "MNIST"
    picture = image(request.input_shape[1:], *_moments(known))

    def made(self: Any, root: Any = None, *arguments: Any, **keywords: Any) -> None:
        names = ["train", "transform", "target_transform", "download"]
        if isinstance(self, sets.EMNIST):
            names.insert(0, "split")
            names.remove("train")
        elif isinstance(self, sets.QMNIST):
            names = ["what", "compat", "train", "transform", "target_transform", "download"]
        given = dict(zip(names, arguments, strict=False)) | keywords
        sets.vision.VisionDataset.__init__(
            self,
            root or ".",
            transform=given.get("transform"),
            target_transform=given.get("target_transform"),
        )
        self.train = bool(given.get("train", given.get("what", "train") == "train"))
        count = request.train_images if self.train else request.test_images
        self.data = picture.expand(count, *picture.shape)
        self.targets = _labels(count, request.classes)
        if type(self).__name__ != own and not _is_own_subclass(self, own):
            trace.note(f"It reads {type(self).__name__}; the assignment's images are {known.title}")

    sets.MNIST.__init__ = made  # type: ignore[method-assign]
    sets.MNIST._check_exists = lambda self: True  # type: ignore[method-assign]
    sets.MNIST.download = lambda self: None  # type: ignore[method-assign]
    for kind in (sets.EMNIST, sets.QMNIST):
        kind.__init__ = made  # type: ignore[method-assign]
    sets.CIFAR10.__init__ = _colour  # type: ignore[method-assign]
    for name in ("download_url", "download_and_extract_archive"):
        setattr(torchvision.datasets.utils, name, lambda *_, **__: None)


def _moments(known: Any) -> tuple[float, float]:
    return float(known.mean), float(known.deviation)


def _is_own_subclass(dataset: Any, own: str) -> bool:
    return any(kind.__name__ == own for kind in type(dataset).__mro__) and not isinstance(
        dataset, (torchvision.datasets.FashionMNIST, torchvision.datasets.KMNIST)
    )


def _colour(
    self: Any,
    root: Any = None,
    train: bool = True,
    transform: Any = None,
    target_transform: Any = None,
    download: bool = False,
) -> None:
    """CIFAR10 and CIFAR100: another task, which is told by the trained network and the data."""
    vision = torchvision.datasets.vision.VisionDataset
    vision.__init__(self, root or ".", transform=transform, target_transform=target_transform)
    self.train = train
    count = 50_000 if train else 10_000
    grey = np.full((1, 32, 32, 3), 120, dtype=np.uint8)
    self.data = np.broadcast_to(grey, (count, 32, 32, 3))
    classes = 100 if isinstance(self, torchvision.datasets.CIFAR100) else 10
    self.targets = [index % classes for index in range(count)]
    self.classes = [str(index) for index in range(classes)]
    self.class_to_idx = {name: index for index, name in enumerate(self.classes)}


# Loaders ------------------------------------------------------------------------------------------


def base(dataset: Any) -> Any:
    """The data set under Subset and the like."""
    for _ in range(20):
        inner = getattr(dataset, "dataset", None)
        if not isinstance(inner, data.Dataset):
>>>>>>> lead
            break
        dataset = inner
    return dataset


<<<<<<< HEAD
def is_test(dataset: Any) -> bool:
    """Whether it is (part of) the test images."""
    return getattr(base(dataset), "train", True) is False


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
=======
def transform_of(dataset: Any) -> Any:
    """The transform that its images go through now: files swap it on the shared data set."""
    return getattr(base(dataset), "transform", None)


def _loaders(trace: Trace) -> None:
    real_init: Callable[..., None] = data.DataLoader.__init__
    batches: dict[Any, Any] = {}
    kept: list[Any] = []  # an id means something only while its object lives

    def init(self: Any, dataset: Any, batch_size: Any = 1, *args: Any, **keywords: Any) -> None:
        for name in _OWN_PROCESSES & keywords.keys():
            del keywords[name]
        if len(args) > _WORKERS:
            args = (*args[:_WORKERS], 0)
        real_init(self, dataset, batch_size, *args, **keywords)
        self.__dict__["rehearsal_line"] = trace.where()

    def content(loader: Any, size: int) -> tuple[Any, Any, Any]:
        key = (id(loader), size, id(transform_of(loader.dataset)))
        if key not in batches:
            if len(batches) > MOST_KEPT:
                batches.clear()
            kept.append((loader, transform_of(loader.dataset)))
            batches[key] = _made(trace, loader, size)
        return batches[key]

    def walk_of(self: Any) -> Iterator[Any]:
        if len(trace.walks) >= MOST_WALKS:
            raise RuntimeError(f"more than {MOST_WALKS:,} walks over loaders")
        length = len(self)
        trained = sum(walk.steps > 0 for walk in trace.walks[-2000:])
        walk = Walk(self, length, trained, trace.where())
        walk.transform = transform_of(self.dataset)
        walk.stack = trace.stack()
        trace.walks.append(walk)
        return _walk(trace, self, walk, content)

    data.DataLoader.__init__ = init  # type: ignore[method-assign]
    data.DataLoader.__iter__ = walk_of  # type: ignore[method-assign,assignment]


def _walk(
    trace: Trace, loader: Any, walk: Walk, content: Callable[[Any, int], Any]
) -> Iterator[Any]:
    size, total = _sizes(loader, walk.length)
    for index in range(walk.length):
        whole = loader.drop_last or index < walk.length - 1
        here = size if whole else max(1, total - size * (walk.length - 1))
        batch, images, labels = content(loader, here)
        version = images._version if images is not None else 0
        trace.batch = Batch(walk, index, index * size, images, labels, version)
        trace.image_state = "untouched"
        walk.batches += 1
        yield list(batch) if type(batch) is list else batch
    walk.complete = True


def _sizes(loader: Any, length: int) -> tuple[int, int]:
    """Images of a batch, and of all batches together."""
    if loader.batch_size:
        return loader.batch_size, len(loader.sampler)
    sampler = loader.batch_sampler
    if sampler is not None and getattr(sampler, "batch_size", None):
        return sampler.batch_size, len(getattr(sampler, "sampler", loader.dataset))
    size = len(loader.dataset) // max(length, 1) or 1
    return size, size * length


def _made(trace: Trace, loader: Any, size: int) -> tuple[Any, Any, Any]:
    """A batch of one image over and over, labels 0, 1, 2, ...: (batch, its images, its labels)."""
    item = _item(trace, loader)
    plain = loader.collate_fn is data.default_collate
    if loader.collate_fn is None or loader.batch_size is None:
        return item, item if isinstance(item, torch.Tensor) else None, None
    if plain or size <= FEW:
        batch = _widened(loader.collate_fn([item] * min(size, FEW)), size)
    else:
        batch = loader.collate_fn([item] * min(size, 4096))
    if not (isinstance(batch, tuple | list) and len(batch) >= 2):
        return batch, batch if isinstance(batch, torch.Tensor) else None, None
    batch = list(batch)
    images = next((part for part in batch if _is_images(part)), None)
    labels = None
    for place, part in enumerate(batch):
        if part is not images and _are_labels(part, size):
            batch[place] = labels = (torch.arange(size) % 10).to(part.dtype)
            break
    return batch, images, labels


def _item(trace: Trace, loader: Any) -> Any:
    """The first item that the loader would give: its data set's, through its own transform."""
    dataset = loader.dataset
    if isinstance(dataset, data.IterableDataset):
        return next(iter(dataset))
    sampler = iter(getattr(loader, "sampler", None) or [0])
    index = next(itertools.islice(sampler, 1), 0)
    item = dataset[index if isinstance(index, int) else 0]
    allowed = torch.Tensor | np.ndarray | int | float | dict
    if isinstance(item, tuple | list) and item and not isinstance(item[0], allowed):
        kind = type(item[0]).__name__
        trace.note(f"The data set gives a {kind} for an image: is there a ToTensor() missing?")
    return item


def _is_images(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and part.dim() > 1


def _are_labels(part: Any, size: int) -> bool:
    whole = (torch.int64, torch.int32, torch.uint8)
    return isinstance(part, torch.Tensor) and part.dtype in whole and part.shape == (size,)


def _widened(part: Any, size: int) -> Any:
    """The first of a small batch, `size` times."""
    if isinstance(part, torch.Tensor):
        wide = part[:1].expand(size, *part.shape[1:])
        return wide.clone() if size <= _LARGE else wide
    if isinstance(part, dict):
        return {key: _widened(value, size) for key, value in part.items()}
    if isinstance(part, tuple | list) and part and not isinstance(part[0], str | bytes):
        return [_widened(value, size) for value in part]
    return part
>>>>>>> lead
