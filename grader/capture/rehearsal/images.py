"""Which images a loader gives: of which data set, how many of it, and changed by what.

In: a loader's data set, with all that is wrapped around it. Out: `Images`. Runs in the child.

A wrapper of the student's own is believed only as far as it was tried: other images are put into
the data set within, and what comes out must equal known operations on these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import data
from torchvision import datasets

from grader.capture.rehearsal import augmentations, comparing, computed, proofs, twins
from grader.capture.rehearsal.chances import flips
from grader.errors import SubmissionError
from grader.training.datasets import DATASETS, Dataset

TRANSFORMS = ("transform", "transforms", "tfm", "augment", "augmentation", "train_transform")
DEEPEST = 8
ENOUGH = 30
"""Images of each class, of which a random choice surely has one."""
STRIDE = 7_919
"""From one place that is asked to the next: a prime, so that all parts of a data set come up."""
REMEMBERED = "rehearsal_items"
"""What the stand-in keeps of images that were asked for often: it must not be given here."""


@dataclass(slots=True)
class Images:
    """What a loader gives.

    `name` is the data set's ("MNIST"), `training` whether it is its training images, `operations`
    are torchvision's that equal what is done to each image, or None where `problem` says why they
    are not known, with `line`. `wrappers` are classes around it, from the outside.
    """

    name: str
    training: bool | None = None
    size: int = 0
    operations: list[Any] | None = None
    problem: str = ""
    line: int | None = None
    wrappers: list[str] = field(default_factory=list)


def read(dataset: Any, wanted: str, *, transform: Any = None) -> Images:
    """What `dataset` gives, where the assignment's is called `wanted`.

    `transform` is what hung on the innermost one while it was used.
    """
    chain = _chain(dataset)
    inner = chain[-1]
    found = Images(_title(inner), wrappers=[type(item).__name__ for item in chain[:-1]])
    training = getattr(inner, "train", None)
    found.training = training if isinstance(training, bool) else None
    found.size = _length(inner)
    if isinstance(dataset, data.ConcatDataset) or any(_several(item) for item in chain):
        found.problem = (
            "Several data sets are chained; the grader trains on the training images of one, each "
            "once an epoch"
        )
        return found
    if problem := _other(inner, found.name, DATASETS[wanted]):
        found.problem = problem
        return found
    try:
        with twins.refused():
            found.operations = _operations(dataset, chain, transform, DATASETS[wanted])
    except SubmissionError as error:
        found.problem = error.message
        found.line = error.line or augmentations.line_of(transform)
    except Exception as error:  # the student's own code, on an image
        found.problem = (
            f"The data set fails on an image that it was tried on ({type(error).__name__}: "
            f"{str(error)[:150]}), so the grader cannot tell what it does"
        )
    return found


def _chain(dataset: Any) -> list[Any]:
    """The data set and those within, from the outside."""
    found = [dataset]
    for _ in range(DEEPEST):
        inner = found[-1]
        if _is_torchvision(inner) or isinstance(inner, data.ConcatDataset):
            break
        within = [item for item in getattr(inner, "__dict__", {}).values() if _is_dataset(item)]
        if not within or any(within[0] is item for item in found):
            break
        found.append(within[0])
    return found


def labels(loader: Any) -> Tensor | None:
    """The labels of the images that a loader draws, or None where they cannot be told."""
    dataset = loader.dataset
    found: Any = range(len(dataset))
    if isinstance(loader.sampler, data.SubsetRandomSampler):
        found = loader.sampler.indices
    while type(dataset) is data.Subset:
        indices = dataset.indices
        found, dataset = [indices[index] for index in found], dataset.dataset
    targets = getattr(dataset, "targets", None)
    if targets is None or not _is_torchvision(dataset):
        return None
    return torch.as_tensor(targets)[torch.as_tensor(found)]


def chosen_by_label(loader: Any, classes: int) -> bool:
    """Whether images of some classes are left out."""
    drawn = labels(loader)
    if drawn is None or len(drawn) < ENOUGH * classes:
        return False
    return len(torch.unique(drawn)) < classes


def _is_dataset(item: Any) -> bool:
    return isinstance(item, data.Dataset)


def _several(dataset: Any) -> bool:
    return isinstance(dataset, data.ConcatDataset | data.ChainDataset)


def _is_torchvision(dataset: Any) -> bool:
    return isinstance(dataset, datasets.VisionDataset)


def _title(dataset: Any) -> str:
    """The name of a data set of torchvision's; an own subclass counts as what it derives from."""
    for kind in type(dataset).__mro__:
        if kind.__module__.startswith("torchvision."):
            return kind.__name__
    return type(dataset).__name__


def _length(dataset: Any) -> int:
    try:
        return len(dataset)
    except TypeError:
        return 0


def _other(dataset: Any, name: str, wanted: Dataset) -> str:
    """Why these are not the assignment's images; "" where they may be."""
    if not _is_torchvision(dataset):
        return ""
    allowed = wanted.download.folder if wanted.download else "MNIST"
    title = wanted.title if wanted.download else "MNIST"
    split = getattr(dataset, "split", None)
    expected = wanted.download.split if wanted.download else ""
    if name == allowed and (not expected or split in (None, expected)):
        return ""
    shown = f"{name}'s {split}" if isinstance(split, str) and name == allowed else name
    return f"It trains on {shown}; the assignment's images are those of {title}: train on these"


def _operations(dataset: Any, chain: list[Any], transform: Any, wanted: Dataset) -> list[Any]:
    inner = chain[-1]
    if _changes_labels(inner):
        raise SubmissionError("Labels are changed by a target_transform; the grader uses them as "
                              "they are: leave it out")  # fmt: skip
    if not _is_torchvision(inner):
        return _of_tensors(dataset, wanted)
    own = [item for item in (*chain[:-1],) if type(item) is not data.Subset]
    if not own and type(inner).__module__.startswith("torchvision."):
        return augmentations.understood(transform)
    return _of_wrapper(dataset, chain, wanted)


def _changes_labels(dataset: Any) -> bool:
    change = getattr(dataset, "target_transform", None)
    if change is None:
        return False
    try:
        return any(int(change(label)) != label for label in range(10))
    except Exception:  # whatever else it gives, it is not the label
        return True


def _of_wrapper(dataset: Any, chain: list[Any], wanted: Dataset) -> list[Any]:
    """What an own data set does to the images within: tried on others than it holds."""
    inner, images, held = chain[-1], comparing.samples(), _held(chain)
    for transform in held:
        augmentations.refuse_foreign(transform)
    held = augmentations.by_torchvision(held)
    _check_pair(dataset)
    function = _by_image(dataset, inner)
    if held and proofs.equal(function, lambda image: _applied(held, image), images):
        return augmentations.understood(held)
    if all(comparing.same(function(image), function(images[0])) for image in images):
        return _of_tensors(dataset, wanted)
    if held and (flip := flips(function, images, partial(_applied, held))):
        return [*augmentations.understood(held), *flip]
    try:
        return augmentations.proven(function, list(images))
    except SubmissionError as error:
        raise SubmissionError(
            f"{type(dataset).__name__} changes images in a way that equals no operation of "
            "torchvision that the grader has: put what it does into a transform of "
            "torchvision's operations",
            line=_line_of(dataset),
        ) from error


def _check_pair(dataset: Any) -> tuple[Any, Any]:
    first = dataset[0]
    if not isinstance(first, tuple | list) or len(first) != 2:
        raise SubmissionError(
            f"{type(dataset).__name__} gives {_what(first)} for an item; the grader trains on "
            "pairs of an image and its label",
            line=_line_of(dataset),
        )
    return first[0], first[1]


def _what(item: Any) -> str:
    if isinstance(item, tuple | list):
        return f"{len(item)} things"
    return f"a {type(item).__name__}"


def _line_of(dataset: Any) -> int | None:
    code = getattr(getattr(type(dataset), "__getitem__", None), "__code__", None)
    return int(code.co_firstlineno) if code is not None and not _is_torchvision(dataset) else None


def _held(chain: list[Any]) -> list[Any]:
    """The transforms that hang on the data sets, in the order in which images meet them."""
    found: list[Any] = []
    for item in reversed(chain):
        for name in TRANSFORMS:
            value = vars(item).get(name)
            if value is not None and type(value).__name__ != "StandardTransform":
                found.append(value)
    return found


def _applied(held: list[Any], image: Any) -> Any:
    for one in held:
        image = one(image)
    return image


def _by_image(dataset: Any, inner: Any) -> Callable[[Any], Any]:
    """The data set as a function of an image."""
    calls, length = count(), max(1, len(dataset))

    def give(image: Any) -> Any:
        before = inner.data
        vars(inner).pop(REMEMBERED, None)
        # every place of the data set holds this image now: it does not matter which is asked
        inner.data = torch.as_tensor(np.array(image)).expand(len(before), -1, -1)
        try:
            return dataset[next(calls) * STRIDE % length][0]
        finally:
            inner.data = before
            vars(inner).pop(REMEMBERED, None)

    return give


def _of_tensors(dataset: Any, wanted: Dataset) -> list[Any]:
    """What was done to images that were taken out of a data set before training."""
    _check_pair(dataset)
    found = computed.operations(_chain(dataset)[-1], wanted)
    if found is None:
        raise SubmissionError(
            f"{type(dataset).__name__} holds images that the grader cannot trace back to those of "
            "the data set: train on torchvision's data set with a transform",
            line=_line_of(dataset),
        )
    return found
