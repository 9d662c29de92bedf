"""Images out of the data set into lanes, augmented on their way: bit for bit as by the Pipeline.

For each pixel of the network's input, the moves are walked back from the last to the first, which
ends at a pixel of the data set; its byte is looked up in a table of what the conversions make of
each of the 256. A pixel that some move does not find has that move's fill, converted by what comes
after it. So nothing lies between the bytes and the lanes, and each pixel is fetched once:

    Pad(2), RandomCrop(28), ToTensor():  (y, x) <- (y + top, x + left)
                                                <- (y + top - 2, x + left - 2)

Operations that mix pixels, or compute with what was drawn, have no code here: then the Pipeline
prepares whole batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce

import torch
from torch import Tensor

from grader.training.augment import Pipeline
from grader.training.augment.chain import Chain, Choice, Single
from grader.training.augment.conversion import (
    ConvertImageDtype,
    Grayscale,
    Normalize,
    PILToTensor,
    ToDtype,
    ToImage,
    ToTensor,
    as_floats,
)
from grader.training.augment.operation import Drawn, Frame, Operation, joined
from grader.training.augment.resampling import Resize
from grader.training.engine.lanes import moves
from grader.training.engine.lanes.ir import Function, Value
from grader.training.engine.lanes.machine import Target
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.moves import Move, Pixel
from grader.training.engine.learner import Lesson

CONVERSIONS = (*(ToTensor, PILToTensor, ToImage, ToDtype, ConvertImageDtype, Normalize, Grayscale),)
"""What changes a pixel's value, by that value and channel alone."""


BYTES = 256
"""Entries of a table before those of the fills."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A move, and the way to its draws.

    `link` is its place among the Pipeline's, then by turns the branch of a choice and the place
    in there.
    """

    move: Move
    link: tuple[int, ...]

    def numbers(self, drawn: Drawn) -> list[Tensor]:
        """Of each image; those of a branch that an image does not take leave it as it is."""
        first, *rest = self.link
        drawn, chosen = drawn.inner[first], None
        for branch, link in zip(rest[::2], rest[1::2], strict=True):
            taken = drawn["branch"] == branch
            chosen = taken if chosen is None else chosen & taken
            drawn = drawn.inner[branch].inner[link]
        numbers = list(self.move.numbers(drawn))
        if chosen is None:
            return numbers
        pairs = zip(numbers, self.move.stay, strict=True)
        return [torch.where(chosen, number, stay) for number, stay in pairs]


@dataclass(frozen=True, slots=True)
class Way:
    """From the data set to the network: the moves, and what bytes become.

    `table` (channels, 256 + moves) holds each byte converted, then each move's fill.
    """

    before: Frame
    moves: tuple[Placed, ...]
    table: Tensor


@dataclass(frozen=True, slots=True)
class Gathered:
    """An epoch's images as the code finds them: bytes (all, 1, H, W), and numbers of each image.

    `whole` (numbers, images) of 32 bits: where its bytes begin, then what its moves need; `real`
    of 64. After the last image come as many zeros as there are lanes, which read image 0.
    """

    images: Tensor
    table: Tensor
    whole: Tensor
    real: Tensor

    @property
    def stride(self) -> int:
        """From one number of an image to its next."""
        return self.whole.shape[1]


def way(pipeline: Pipeline, images: int) -> Way | None:
    """The Pipeline as moves and a table; None where some operation has no code here.

    And where so many images have too many bytes to count in 32 bits.
    """
    links = _links(pipeline.chain)
    if links is None or images * pipeline.before.height * pipeline.before.width >= 2**31:
        return None
    placed, fills = [], []
    for number, (link, operation, before) in enumerate(links):
        if not isinstance(operation, CONVERSIONS):
            found = moves.move(operation, before)
            if found is None:
                return None
            placed.append(Placed(found, link))
            fills.append(_converted(moves.fill(operation, before), links[number:]))
    every = _converted(torch.arange(BYTES, dtype=torch.uint8).view(1, 1, 1, BYTES), links)
    table = torch.cat([every, *fills], dim=3)[0, :, 0].contiguous()
    return Way(pipeline.before, tuple(placed), table)


def gathered(of: Way, lesson: Lesson, lanes: int) -> Gathered:
    """Numbers for a lesson's batches one after the other, of which each draws its own."""
    chosen = torch.cat(list(lesson.batches))
    chain, generator = lesson.augment.chain, lesson.generator
    together = joined([chain.draw(len(batch), generator) for batch in lesson.batches])
    whole, real = [chosen * (of.before.height * of.before.width)], []
    for placed in of.moves:
        numbers = placed.numbers(together)
        whole += numbers[: len(numbers) - placed.move.real]
        real += numbers[len(numbers) - placed.move.real :]
    return Gathered(
        lesson.images,
        of.table,
        _rows(whole, len(chosen), lanes, torch.int32),
        _rows(real, len(chosen), lanes, torch.float64),
    )


def write(of: Way, images: Map, target: Target) -> Function:
    """The kernel. `whole` and `real` begin at the batch's first image, `stride` images a number."""
    pointers = [("ptr", name) for name in ("images", "table", "whole", "real", "target")]
    counts = [("i64", name) for name in ("stride", "first", "end")]
    f = Function("gathering", [*pointers, *counts], target.lanes)
    with f.loop(f["first"], f["end"]) as group:
        begin, given = _numbers(f, of, group)
        with (
            f.loop(images.channels) as channel,
            f.loop(images.height) as y,
            f.loop(images.width) as x,
        ):
            rows, columns = (f.broadcast(f.convert("trunc", i, "i32")) for i in (y, x))
            value = _pixel(f, of, channel, Pixel(rows, columns), begin, given)
            f.store(value, f["target"], images.values.at(group, channel, y, x))
    return f


def _links(
    chain: Chain, begin: tuple[int, ...] = ()
) -> list[tuple[tuple[int, ...], Operation, Frame]] | None:
    """Operations with their places; None where there is a choice that is more than whether."""
    found = []
    for number, link in enumerate(chain.links):
        place = (*begin, number)
        if isinstance(link, Single):
            if not (isinstance(link.operation, Resize) and link.after == link.before):
                found.append((place, link.operation, link.before))
        elif isinstance(link, Choice):
            for branch, inner in enumerate(link.branches):
                within = _links(inner, (*place, branch))
                if within is None or not _of_one_size(inner):
                    return None
                found += within
        else:
            return None
    return found


def _of_one_size(chain: Chain) -> bool:
    """Whether images may skip this branch: it moves pixels, and its images are alike throughout."""
    for link in chain.links:
        if isinstance(link, Single):
            converts = isinstance(link.operation, CONVERSIONS)
            if converts or not link.before == link.after == chain.after:
                return False
    return True


def _converted(pixels: Tensor, links: Sequence[tuple[tuple[int, ...], Operation, Frame]]) -> Tensor:
    for _, operation, before in links:
        if isinstance(operation, CONVERSIONS):
            pixels = operation.apply(pixels, before, Drawn())
    return as_floats(pixels)


def _rows(numbers: Sequence[Tensor], images: int, lanes: int, dtype: torch.dtype) -> Tensor:
    rows = torch.zeros((len(numbers), images + lanes), dtype=dtype)
    for row, number in zip(rows, numbers, strict=True):
        row[:images] = number
    return rows


def _numbers(f: Function, of: Way, group: Value) -> tuple[Value, list[list[Value]]]:
    """Where the bytes of a group's images begin, and the numbers of each move."""

    def row(pointer: Value, number: int, scalar: str) -> Value:
        place = f["stride"] * number + group * f.lanes
        return f.unaligned(pointer, place, scalar)

    begin, given = row(f["whole"], 0, "i32"), []
    whole = real = 0
    for placed in of.moves:
        count = len(placed.move.stay) - placed.move.real
        mine = [row(f["whole"], whole + number, "i32") for number in range(1, count + 1)]
        reals = range(real, real + placed.move.real)
        given.append(mine + [row(f["real"], number, "double") for number in reals])
        whole, real = whole + count, real + placed.move.real
    return begin, given


def _pixel(
    f: Function, of: Way, channel: Value, pixel: Pixel, begin: Value, given: list[list[Value]]
) -> Value:
    """The pixel's value in all lanes."""
    lost: list[tuple[int, Value]] = []
    for number in reversed(range(len(of.moves))):
        pixel = of.moves[number].move.back(f, pixel, given[number])
        if pixel.found is not None:
            lost.append((BYTES + number, pixel.found))
    place = begin + pixel.row * of.before.width + pixel.column
    if lost:
        everywhere = reduce(partial(f.binary, "and"), [found for _, found in lost])
        place = f.select(everywhere, place, 0)
    entry = f.byte_of_each(f["images"], place)
    for fill, found in reversed(lost):  # the last move that lost a pixel is the one that fills it
        entry = f.select(found, entry, fill)
    return f.one_of_each(f.at(f["table"], channel * (BYTES + len(of.moves))), entry)
