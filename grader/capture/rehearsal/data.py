"""Stand-ins for data sets and loaders: the right lengths and batches, and hardly any images.

In: a Trace. A data set has one image, of two grey levels whose mean and deviation are the real
ones, and the true number of images; a loader is torch's own but for its walk, which gives the
right number of batches, made of one item that went through the student's own transform.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
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
            break
        dataset = inner
    return dataset


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
