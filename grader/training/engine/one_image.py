"""A batch of a single image, which leaves a BatchNorm nothing to work with: refused as by PyTorch.

In: a Program and the number of training images. Out: SubmissionError, or nothing. torch.nn refuses
to normalise a single value, as its spread is zero; the operator underneath, which the grader runs,
does not, and gives NaN from there on.
"""

from __future__ import annotations

import math

from grader.errors import SubmissionError
from grader.program import ops
from grader.program.graph import Node
from grader.program.program import Program
from grader.program.values import concrete


def refuse(program: Program, images: int) -> None:
    """Raise SubmissionError where some batch of `images` training images is one that torch refuses.

    That is a batch of one image with a BatchNorm in training mode that then gets one value for each
    channel, or a GroupNorm that gets one for each group. Source: `torch.nn.functional.batch_norm`
    and `group_norm`, "Expected more than 1 value per channel when training".
    """
    size = program.recipe.batch_size
    if size > 1 and (images % size != 1 or program.recipe.drop_last):
        return
    for node in program.train.nodes:
        shape = _of_one_value(program, node)
        if shape:
            # What is to be changed is the size, where the file names one.
            line = program.recipe.lines.get("batch_size") or node.line
            raise SubmissionError(_words(node, shape, size, images), line=line)


def _of_one_value(program: Program, node: Node) -> tuple[int, ...]:
    """The shape that this norm gets of one image where that is one value each; else ()."""
    if node.op not in ("aten.batch_norm.default", "aten.group_norm.default"):
        return ()
    given = ops.find(node.op).bind(node.arguments, node.keywords)
    shape = program.train[given["input"].node].shape or ()
    if len(shape) < 2:
        return ()
    single = concrete(shape, 1)
    values = math.prod(single) // max(1, given.get("num_groups") or single[1])
    return single if given.get("training", True) and values == 1 else ()


def _words(node: Node, shape: tuple[int, ...], size: int, images: int) -> str:
    name = node.module_type or ("BatchNorm" if "batch_norm" in node.op else "GroupNorm")
    of = "channel" if "batch_norm" in node.op else "group"
    if size == 1:
        batch, better = "BATCH_SIZE = 1 gives", 64
    else:
        batch = (
            f"The last batch of an epoch has one image ({images:,} training images in batches of "
            f"{size:,}), which gives"
        )
        better = _another(size, images)
    return (
        f"{batch} {name} a single value for each {of} to normalise, of shape {list(shape)}. Its "
        'spread is zero, so PyTorch refuses it ("Expected more than 1 value per channel when '
        f'training"). Choose another BATCH_SIZE, such as {better:,}.'
    )


def _another(size: int, images: int) -> int:
    """The next larger batch size that leaves no single image over."""
    return next(larger for larger in range(size + 1, 2 * size + images) if images % larger != 1)
