"""Augmentations as data become one function of a batch.

In: the `Augmentation`s of a Recipe, which an untrusted child wrote. Out: a Pipeline, or a
SubmissionError that names the operation and the setting. No code of the student's runs here, only
operations of this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, TypeVar

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from grader.errors import GraderError, SubmissionError, in_words
from grader.program.recipe import Augmentation
from grader.program.values import Data
from grader.training.augment import colour, conversion, crops, geometry, resampling
from grader.training.augment.chain import AnyOrder, Chain, Either, Plan, bind
from grader.training.augment.conversion import as_floats
from grader.training.augment.operation import Frame, Operation, Probability, joined
from grader.training.choices import TRANSFORMS

MOST_OPERATIONS = 50
MOST_IN_ANY_ORDER = 6
DEEPEST_NESTING = 8

Settings = TypeVar("Settings", bound=Data)

CONTAINERS = ("Compose", "RandomApply", "RandomChoice", "RandomOrder")


FILES = {
    "colour": colour,
    "conversion": conversion,
    "crops": crops,
    "geometry": geometry,
    "resampling": resampling,
}


def find(name: str) -> type[Operation]:
    """The operation of that name, from its file here. Raises KeyError where the grader has none."""
    operation: type[Operation] = getattr(FILES[TRANSFORMS[name]], name)
    return operation


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Augmentations in the student's order, each image with draws of its own."""

    before: Frame
    chain: Chain

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images that come out."""
        after = self.chain.after
        return after.channels, after.height, after.width

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images (B, C, H, W) uint8 on any device to float32 (B, *output_shape) on the same device.

        Draws come from `generator`, on its device (the images' is the fastest); None will do where
        nothing is drawn. Without ToTensor at its end the pipeline still returns floats from 0 to 1.
        Raises GraderError for images of another shape or type than the pipeline was built for.
        """
        return self.batches(images, [len(images)], generator)

    def batches(
        self, images: Tensor, sizes: Sequence[int], generator: torch.Generator | None = None
    ) -> Tensor:
        """Several batches of `sizes` changed at once, with the draws of one call for each."""
        if images.dtype != torch.uint8 or images.shape[1:] != (
            1,
            self.before.height,
            self.before.width,
        ):
            raise GraderError(
                f"The augmentations were built for uint8 images of {self.before.height} x "
                f"{self.before.width}, not for {images.dtype} of shape {tuple(images.shape)}."
            )
        drawn = joined([self.chain.draw(size, generator) for size in sizes]).to(images.device)
        return as_floats(self.chain.apply(images, drawn))


def build(
    augmentations: tuple[Augmentation, ...], *, image_shape: tuple[int, int, int] = (1, 28, 28)
) -> Pipeline:
    """The training transform for images of `image_shape` (channels, height, width).

    Raises SubmissionError for what no torchvision transform could be: unknown names, settings that
    are missing, unknown or out of range, more than 50 operations, sides above 512 pixels; and for
    what torchvision itself would refuse.
    """
    if image_shape[0] != 1:
        raise GraderError(
            f"Augmentations are for grey images of one channel, not for {image_shape[0]} channels."
        )
    _count(augmentations)
    before = Frame(*image_shape)
    return Pipeline(before, bind(_joined(map(_plan, augmentations)), before))


def evaluation(
    augmentations: tuple[Augmentation, ...], *, image_shape: tuple[int, int, int] = (1, 28, 28)
) -> Pipeline:
    """The transform of test images that belongs to the training transform `augmentations`.

    Conversions, Normalize, Grayscale, Resize, CenterCrop and Pad stay, at the top level; what is
    random goes, with all that is inside a random container. RandomCrop becomes CenterCrop and
    RandomResizedCrop becomes Resize, of the same size. Raises SubmissionError as `build` does, and
    where test images would get another shape than training images.
    """
    trained = build(augmentations, image_shape=image_shape)
    tested = build(tuple(_for_tests(augmentations)), image_shape=image_shape)
    if tested.output_shape != trained.output_shape:
        raise SubmissionError(
            f"train_transform gives images of {_size(trained)}, but without its random "
            f"operations, as test images need it, {_size(tested)}: end with a Resize to the size "
            "that the network expects."
        )
    return tested


def _for_tests(augmentations: tuple[Augmentation, ...]) -> Iterator[Augmentation]:
    for item in augmentations:
        if item.name == "Compose":
            yield from _for_tests(item.inner)
        if item.name in CONTAINERS:
            continue
        kept = find(item.name).in_tests
        if kept == item.name:
            yield item
        elif kept:
            settings = {name: item.settings.get(name) for name in find(kept).model_fields}
            yield Augmentation(name=kept, settings=settings)


def _size(pipeline: Pipeline) -> str:
    return " x ".join(str(side) for side in pipeline.output_shape)


def _count(augmentations: tuple[Augmentation, ...]) -> None:
    total, level, depth = 0, augmentations, 0
    while level:
        total, depth = total + len(level), depth + 1
        if total > MOST_OPERATIONS or depth > DEEPEST_NESTING:
            raise SubmissionError(
                f"train_transform has more than {MOST_OPERATIONS} operations, or more than "
                f"{DEEPEST_NESTING} inside each other. The grader trains with fewer: keep those "
                "that help."
            )
        level = tuple(chain.from_iterable(item.inner for item in level))


def _plan(item: Augmentation) -> tuple[Plan, ...]:
    if item.name not in CONTAINERS:
        return (_operation(item),)
    branches = tuple(_plan(inner) for inner in item.inner)
    everything = _joined(branches)
    if item.name == "RandomApply":
        chance = _checked(_Apply, item).p
        return (Either((chance, 1 - chance), (everything, ())),)
    if item.name == "RandomChoice":
        return (Either(_chances(item), branches),)
    _checked(_Nothing, item)
    return everything if item.name == "Compose" else (_any_order(branches),)


def _joined(plans: Iterable[tuple[Plan, ...]]) -> tuple[Plan, ...]:
    return tuple(chain.from_iterable(plans))


def _any_order(branches: tuple[tuple[Plan, ...], ...]) -> AnyOrder:
    if len(branches) > MOST_IN_ANY_ORDER:
        raise SubmissionError(
            f"train_transform has a RandomOrder of more than {MOST_IN_ANY_ORDER} operations."
        )
    return AnyOrder(branches)


def _chances(item: Augmentation) -> tuple[float, ...]:
    weights = _checked(_Choose, item).p
    if len(weights) != len(item.inner) or not sum(weights) > 0:
        raise SubmissionError(
            f"train_transform: RandomChoice.p has {len(weights)} weights for {len(item.inner)} "
            "operations. It needs one for each, not all 0."
        )
    return tuple(weight / sum(weights) for weight in weights)


class _Nothing(Data):
    pass


class _Apply(Data):
    p: Probability


class _Choose(Data):
    p: tuple[Annotated[float, Field(ge=0, le=1e6)], ...]


def _operation(item: Augmentation) -> Operation:
    if item.name not in TRANSFORMS:
        known = ", ".join(sorted((*TRANSFORMS, *CONTAINERS)))
        raise SubmissionError(
            f"train_transform uses {item.name}, which the grader does not have. It has {known}."
        )
    if item.inner:
        raise SubmissionError(
            f"train_transform: {item.name}.inner is not empty, and it is no container."
        )
    return _checked(find(item.name), item)


def _checked(kind: type[Settings], item: Augmentation) -> Settings:
    try:
        return kind.model_validate(item.settings)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        setting = ".".join(str(part) for part in (item.name, *first["loc"]))
        raise SubmissionError(
            f"train_transform: {setting} cannot be used: {in_words(first)}."
        ) from error
