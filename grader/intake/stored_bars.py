"""Compare the progress bars that a notebook has stored with the training that its code does now.

In: claims of a submission, and its rehearsed recipe. Out: a remark where they disagree: the
notebook was changed after it was last run, so its stored results are those of another training.
"""

from __future__ import annotations

import math

from grader.program.recipe import Recipe, Remark
from grader.submission.claims import Claim, Claims

BATCH_SIZES = (8, 10, 16, 20, 25, 32, 48, 50, 64, 96, 100, 128, 192, 200, 256, 384, 512)
"""Those that students use: a bar of another length counts something else than batches."""
SHORTEST = 118
"""Batches an epoch: shorter bars may count epochs, or batches of test images."""


def remark(claims: Claims, recipe: Recipe, *, train_images: int) -> Remark | None:
    """What to say of the bars, if none of them has the length of this recipe's epochs."""
    images = recipe.images or train_images
    of_training = {_batches(images, size): size for size in reversed(BATCH_SIZES)}
    if any(int(bar.number) == recipe.steps_per_epoch for bar in claims.bars):
        return None
    for bar in claims.bars:
        size = of_training.get(int(bar.number))
        if size is not None and int(bar.number) >= SHORTEST and size != recipe.batch_size:
            return _disagrees(bar, size, recipe)
    return None


def _batches(images: int, size: int) -> int:
    return math.ceil(images / size)


def _disagrees(bar: Claim, size: int, recipe: Recipe) -> Remark:
    return Remark(
        text=f"The progress bar stored here has {int(bar.number)} batches, which are batches of "
        f"{size} images; the code trains with {recipe.steps_per_epoch} batches of "
        f"{recipe.batch_size} an epoch. It was changed after it was last run, so the stored "
        "results are those of another training: restart the notebook and run all cells",
        line=bar.line,
    )
