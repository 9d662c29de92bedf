"""Operations one after the other, and the containers that choose among them for each image.

A RandomApply may change the size of some images only, as in the popular
`RandomApply([CenterCrop(22)], p=0.1)` before `Resize(28)`. The operations after it are then
computed in each of its branches, until all images are alike again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor

from grader.errors import SubmissionError
from grader.training.augment.operation import Drawn, Frame, Operation, per_image, uniform

DEEPEST_CHOICES = 3
"""RandomApply and RandomChoice that change the size one after the other, before a Resize."""


@dataclass(frozen=True, slots=True)
class Either:
    """For each image one branch (RandomApply: itself or nothing).

    `chances` are the branches' probabilities.
    """

    chances: tuple[float, ...]
    branches: tuple[tuple[Plan, ...], ...]


@dataclass(frozen=True, slots=True)
class AnyOrder:
    """For each image all `parts`, in an order of its own."""

    parts: tuple[tuple[Plan, ...], ...]


Plan = Operation | Either | AnyOrder


class Link(Protocol):
    """One step whose input is known."""

    @property
    def after(self) -> Frame:
        """The image that comes out."""

    def draw(self, batch: int, generator: torch.Generator | None) -> Drawn:
        """Random numbers for `batch` images."""

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """The images changed."""


@dataclass(frozen=True, slots=True)
class Single:
    """One operation in its place."""

    operation: Operation
    before: Frame
    after: Frame

    def draw(self, batch: int, generator: torch.Generator | None) -> Drawn:
        """The operation's own draw."""
        return self.operation.draw(self.before, batch, generator)

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """The operation."""
        return self.operation.apply(images, self.before, drawn)


@dataclass(frozen=True, slots=True)
class Chain:
    """Links in order."""

    links: tuple[Link, ...]
    after: Frame

    def draw(self, batch: int, generator: torch.Generator | None) -> Drawn:
        """One draw a link."""
        return Drawn(inner=tuple(link.draw(batch, generator) for link in self.links))

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Each link on the result of the one before."""
        for link, values in zip(self.links, drawn.inner, strict=True):
            images = link.apply(images, values)
        return images


@dataclass(frozen=True, slots=True)
class Choice:
    """Each branch is computed for all images; each image keeps one."""

    chances: tuple[float, ...]
    branches: tuple[Chain, ...]
    after: Frame

    def draw(self, batch: int, generator: torch.Generator | None) -> Drawn:
        """`branch` (B,): the number of the branch."""
        number = uniform((batch,), generator)
        limits = list(accumulate(self.chances))[:-1]
        branch = sum((number >= limit).long() for limit in limits) + torch.zeros_like(
            number, dtype=torch.long
        )
        return Drawn(
            {"branch": branch}, tuple(chain.draw(batch, generator) for chain in self.branches)
        )

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """The chosen branch of each image."""
        results = [
            chain.apply(images, values)
            for chain, values in zip(self.branches, drawn.inner, strict=True)
        ]
        return _chosen(results, drawn["branch"])


@dataclass(frozen=True, slots=True)
class Shuffle:
    """At each place every part is computed; each image keeps the one that is its turn."""

    parts: tuple[Chain, ...]
    after: Frame

    def draw(self, batch: int, generator: torch.Generator | None) -> Drawn:
        """`order` (B, parts): the part at each place."""
        order = uniform((batch, len(self.parts)), generator).argsort(dim=1)
        return Drawn({"order": order}, tuple(chain.draw(batch, generator) for chain in self.parts))

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """All parts, in each image's order."""
        for part in drawn["order"].unbind(1):
            results = [
                chain.apply(images, values)
                for chain, values in zip(self.parts, drawn.inner, strict=True)
            ]
            images = _chosen(results, part)
        return images


def bind(plan: Sequence[Plan], frame: Frame, *, depth: int = 0) -> Chain:
    """The plan for images like `frame`.

    Raises SubmissionError where images of one batch would not fit together.
    """
    links: list[Link] = []
    rest = list(plan)
    while rest:
        step = rest.pop(0)
        if isinstance(step, Either):
            follow = _until_alike(step, rest, frame)
            links.append(_choice(step, rest[:follow], frame, depth=depth + bool(follow)))
            del rest[:follow]
        elif isinstance(step, AnyOrder):
            links.append(_shuffle(step, frame, depth=depth))
        else:
            links.append(Single(step, frame, step.after(frame)))
        frame = links[-1].after
    return Chain(tuple(links), frame)


def _until_alike(step: Either, rest: Sequence[Plan], frame: Frame) -> int:
    frames = _frames(step, {frame})
    for follow, following in enumerate((*rest, None)):
        if len(frames) == 1:
            return follow
        if following is not None:
            frames = _frames(following, frames)
    sizes = " and ".join(sorted(f"{frame.height} x {frame.width}" for frame in frames))
    raise SubmissionError(
        f"train_transform leaves images that are not alike ({sizes}, or only some of them "
        "tensors), because a RandomApply, RandomChoice or RandomOrder changes some images only. "
        "They fit in no batch: put a Resize((28, 28)) after it, and ToTensor outside."
    )


def _frames(step: Plan, frames: set[Frame]) -> set[Frame]:
    if isinstance(step, Operation):
        return {step.after(frame) for frame in frames}
    if isinstance(step, AnyOrder):
        return {_shuffle(step, frame, depth=0).after for frame in frames}
    ends = set()
    for branch in step.branches:
        now = frames
        for part in branch:
            now = _frames(part, now)
        ends |= now
    return ends


def _choice(step: Either, following: Sequence[Plan], frame: Frame, *, depth: int) -> Choice:
    if depth > DEEPEST_CHOICES:
        raise SubmissionError(
            f"train_transform changes the size of some images only, more than {DEEPEST_CHOICES} "
            "times in a row: put a Resize after each RandomApply or RandomChoice that does so."
        )
    branches = tuple(bind((*branch, *following), frame, depth=depth) for branch in step.branches)
    return Choice(step.chances, branches, branches[0].after)


def _shuffle(step: AnyOrder, frame: Frame, *, depth: int) -> Shuffle:
    parts = tuple(bind(part, frame, depth=depth) for part in step.parts)
    if any(part.after != frame for part in parts):
        raise SubmissionError(
            "train_transform has an operation inside RandomOrder that changes the size or type of "
            "the image, so that the order decides what comes out: put it before or after "
            "RandomOrder."
        )
    return Shuffle(parts, frame)


def _chosen(results: Sequence[Tensor], number: Tensor) -> Tensor:
    chosen = results[0]
    for position, result in enumerate(results[1:], start=1):
        chosen = torch.where(per_image(number == position), result, chosen)
    return chosen
