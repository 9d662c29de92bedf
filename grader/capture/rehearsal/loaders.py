"""DataLoaders that give the right number of batches, each made from a few images.

In: the trace. Out: a patched DataLoader, whose `__init__` and `__len__` are torch's own. A batch
repeats FEW images, which went through the student's own data set and transform; its labels count
through the classes. It is made once per loader and size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import data as torch_data

from grader.capture.rehearsal import data
from grader.capture.rehearsal.data import FEW
from grader.capture.rehearsal.running import OutOfTimeError
from grader.capture.rehearsal.trace import MOST_WALKS, Batch, Trace, Walk

LINE = "rehearsal_line"
"""Attribute of a loader: the line that made it."""
MOST_CONTENTS = 200
MOST_RECENT = 8
MOST_REPEATED = 2_048
"""Images of a batch that are different ones; a larger batch has one over and over, in no memory."""
_WORKERS = frozenset(
    {"num_workers", "persistent_workers", "prefetch_factor", "multiprocessing_context"}
    | {"worker_init_fn", "pin_memory", "pin_memory_device", "timeout", "in_order"}
)
_BEFORE_WORKERS = 4  # positional arguments of DataLoader behind batch_size, up to num_workers


class Content:
    """What is in a batch: `parts` to hand out, the images and labels among them.

    `images` are made anew from `pristine` where the file changed them in place.
    """

    def __init__(self, parts: Any, collate: str, kept: tuple[Any, ...]) -> None:
        self.parts, self.collate, self.kept = parts, collate, kept
        self.images = _images(parts)
        self.labels: Any = None
        self.counted: Any = None
        self.pristine = (
            None if self.images is None or _is_wide(self.images) else self.images.clone()
        )
        self.version = self.images._version if self.images is not None else 0

    def handed_out(self) -> Any:
        """The batch, as a loader gives it."""
        images = self.images
        if images is not None and self.pristine is not None and images._version != self.version:
            with torch.no_grad():
                images.copy_(self.pristine)
            self.version = images._version
        return list(self.parts) if type(self.parts) is list else self.parts


class Batches(Iterator[Any]):
    """What `iter(loader)` gives."""

    def __init__(self, batches: Iterator[Any], length: int) -> None:
        self._batches, self._length = batches, length

    def __next__(self) -> Any:
        return next(self._batches)

    def __len__(self) -> int:
        return self._length


def install(trace: Trace) -> None:
    """Put the loader in place of torch's."""
    kind: Any = torch_data.DataLoader
    contents: dict[Any, Content] = {}
    real_init, real_iter = kind.__init__, kind.__iter__

    def init(self: Any, dataset: Any, batch_size: Any = 1, *args: Any, **keywords: Any) -> None:
        few = {key: value for key, value in keywords.items() if key not in _WORKERS}
        if len(args) >= _BEFORE_WORKERS:
            few["collate_fn"] = args[4] if len(args) > _BEFORE_WORKERS else few.get("collate_fn")
            few["drop_last"] = args[6] if len(args) > 6 else few.get("drop_last", False)
            args = args[:3]
        real_init(self, dataset, batch_size, *args, **few)
        vars(self)[LINE] = trace.where()

    def walk(self: Any) -> Any:
        if trace.where() is None:
            return real_iter(self)
        if isinstance(self.dataset, torch_data.IterableDataset):
            trace.note("The data come from an IterableDataset, whose batches cannot be counted")
            return real_iter(self)
        sizes = _sizes(self)
        found = _begin(trace, self, len(sizes))
        return Batches(_batches(trace, found, sizes, contents), len(sizes))

    kind.__init__ = init
    kind.__iter__ = walk


def _begin(trace: Trace, loader: Any, length: int) -> Walk:
    if len(trace.walks) >= MOST_WALKS:
        raise RuntimeError(f"more than {MOST_WALKS:,} walks over loaders")
    most = trace.request.most_epochs
    if most is not None and trace.epochs_trained >= most:
        raise OutOfTimeError
    walk = Walk(loader, length, trace.epochs_trained, trace.where())
    walk.transform = getattr(data.base(loader.dataset), "transform", None)
    walk.stack = trace.stack()
    trace.walks.append(walk)
    return walk


class _Sizes:
    """How many images each batch of an ordinary loader has."""

    def __init__(self, size: int, length: int, last: int) -> None:
        self._size, self._length, self._last = size, length, last

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        for index in range(self._length):
            yield self._size if index < self._length - 1 else self._last


def _sizes(loader: Any) -> Any:
    """The size of each batch; a batch sampler of the student's is asked for its batches."""
    if type(loader.batch_sampler) is not torch_data.BatchSampler:
        if loader.batch_sampler is None:  # one image after the other, without a batch
            return [0] * len(loader.sampler)
        return [len(list(indices)) for indices in loader.batch_sampler]
    size = loader.batch_sampler.batch_size
    try:
        total = len(loader.sampler)
    except TypeError:
        total = sum(1 for _ in loader.sampler)
    length = total // size if loader.batch_sampler.drop_last else -(-total // size)
    return _Sizes(
        size, length, size if loader.batch_sampler.drop_last else total - size * (length - 1)
    )


def _batches(trace: Trace, walk: Walk, sizes: Any, contents: dict[Any, Content]) -> Iterator[Any]:
    start, loader, length = 0, walk.loader, walk.length
    content: Content | None = None
    of_size = -1
    for index, size in enumerate(sizes):
        if content is None or size != of_size:
            content, of_size = _content(trace, loader, size, contents), size
        given = content.handed_out()
        walk.collate = content.collate
        labels, counted = content.labels, content.counted
        batch = Batch(walk, index, start, content.images, labels, counted, content.version)
        trace.batch = batch
        recent = trace.recent
        recent.append(batch)
        if len(recent) > MOST_RECENT:
            del recent[0]
        trace.images = "untouched"
        walk.batches += 1
        start += size
        walk.complete = walk.batches == length
        yield given
    walk.complete = True


def _content(trace: Trace, loader: Any, size: int, contents: dict[Any, Content]) -> Content:
    transform = getattr(data.base(loader.dataset), "transform", None)
    key = (id(loader), size, id(transform))
    found = contents.get(key)
    if found is None:
        if len(contents) > MOST_CONTENTS:
            contents.clear()
        trace.depth += 1
        try:
            found = contents[key] = _made(trace, loader, size, transform)
        finally:
            trace.depth -= 1
    return found


def _made(trace: Trace, loader: Any, size: int, transform: Any) -> Content:
    dataset, kept = loader.dataset, (loader, transform)
    if size == 0:
        return Content(dataset[0], "", kept)
    few = min(size, FEW, len(dataset))
    items = [_without_absorbed(trace, dataset[index]) for index in range(few)]
    collated = loader.collate_fn(items)
    collate = _difference(collated, items, loader)
    if collate:  # mixup, or padding: what it makes of few may have another length
        repeated = [items[index % few] for index in range(min(size, 1_024))]
        collated = loader.collate_fn(repeated)
        few = len(repeated)
    parts = repeat(collated, few, size)
    parts = list(parts) if type(parts) in (list, tuple) else parts
    content = Content(parts, collate, kept)
    _number_labels(trace, content, dataset, size)
    return content


def _difference(collated: Any, items: list[Any], loader: Any) -> str:
    """How the loader's `collate_fn` differs from torch's own; "" where it does not."""
    if loader.collate_fn is torch_data.default_collate:
        return ""
    try:
        plain = torch_data.default_collate(items)
    except (TypeError, RuntimeError):
        return "puts batches together in a way of its own"
    ours, theirs = _tensors(plain), _tensors(collated)
    if len(ours) == len(theirs) and all(map(torch.equal, ours, theirs)):
        return ""
    return "changes the images or labels of a batch"


def _tensors(part: Any) -> list[Tensor]:
    if isinstance(part, Tensor):
        return [part]
    if isinstance(part, tuple | list):
        return [tensor for item in part for tensor in _tensors(item)]
    return []


def _without_absorbed(trace: Trace, item: Any) -> Any:
    """An image that a package made, which is only stood in for, is a grey one, and a guess."""
    if isinstance(item, tuple | list) and item and type(item[0]).__name__ == "Absorbed":
        trace.guess("The images come from a package that only has a stand-in here")
        return (torch.zeros(trace.request.input_shape), *item[1:])
    return item


def repeat(part: Any, few: int, size: int) -> Any:
    """A small batch of `few`, made `size` long by repeating it."""
    if isinstance(part, Tensor):
        if part.dim() == 0 or part.shape[0] != few:
            return part
        if size > MOST_REPEATED:
            return part[:1].expand(size, *part.shape[1:])
        return part[torch.arange(size) % few]
    if isinstance(part, np.ndarray):
        return part[np.arange(size) % few] if len(part) == few else part
    if isinstance(part, dict):
        return {key: repeat(value, few, size) for key, value in part.items()}
    if (
        isinstance(part, tuple | list)
        and part
        and isinstance(part[0], Tensor | dict | tuple | list)
    ):
        return [repeat(value, few, size) for value in part]
    return part


def _is_wide(images: Tensor) -> bool:
    return images.dim() > 0 and images.stride(0) == 0


def _images(parts: Any) -> Tensor | None:
    """The images of a batch: its first tensor of more than a number per image."""
    candidates = list(parts.values()) if isinstance(parts, dict) else parts
    if isinstance(parts, Tensor):
        return parts
    if not isinstance(candidates, list | tuple):
        return None
    tensors = [part for part in candidates if isinstance(part, Tensor) and part.dim() > 1]
    return tensors[0] if tensors else None


def _number_labels(trace: Trace, content: Content, dataset: Any, size: int) -> None:
    """The labels of a batch become 0, 1, 2, ...: every class comes up, in small batches too."""
    parts = content.parts
    if not isinstance(parts, list | dict):
        return
    places = list(parts) if isinstance(parts, dict) else range(len(parts))
    for place in places:
        part = parts[place]
        if isinstance(part, Tensor) and part.shape == (size,) and not part.is_floating_point():
            first = data.first_label(dataset)
            labels = torch.arange(size) % trace.request.classes + first
            change = getattr(data.base(dataset), "target_transform", None)
            if change is not None:
                labels = torch.as_tensor([int(change(int(label))) for label in labels])
            parts[place] = content.labels = labels.to(part.dtype)
            content.counted = content.labels - first if first else content.labels
            return
