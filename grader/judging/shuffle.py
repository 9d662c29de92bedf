"""The test images in an order and in batches that nobody else knows, and the way back.

A network that knows which image comes when, or how many come at once, could answer from a list
instead of looking. So each submission is shown the images in an order of its own, in batches of
sizes of its own. Both are drawn from the installation's secret, the submission and the data set:
grading the same file again is the same bit for bit, and nobody can work them out.

In: images, and a key. Out: a `Shuffle`, which also puts the rows that come back in order.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

SECRET = secrets.token_bytes(32)
"""This process's own, where nobody hands in a better one."""

LARGEST_BATCH = 600
SMALLEST_BATCH = 150


@dataclass(frozen=True, slots=True, eq=False)
class Shuffle:
    """`order[k]` is the image in place k; `batch_sizes` add up to all of them."""

    order: NDArray[np.int64]
    batch_sizes: tuple[int, ...]

    def apply(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The images (one along the first axis each) in this order."""
        return images[self.order]

    def undo(self, rows: Tensor) -> Tensor:
        """Rows, one for each shuffled image, in the order that the images had before."""
        import torch  # whoever has rows has loaded it

        result = torch.empty_like(rows)
        result[torch.from_numpy(self.order)] = rows
        return result


def key(secret: bytes, submission: str, dataset: str) -> bytes:
    """The key of one submission (its hash) on one data set (its name)."""
    return hmac.new(secret, f"{submission} {dataset}".encode(), "sha256").digest()


def draws(key: bytes, purpose: str) -> np.random.RandomState:
    """Random numbers for one purpose. NumPy promises never to change what this class draws."""
    digest = hmac.new(key, purpose.encode(), "sha256").digest()
    return np.random.RandomState(np.frombuffer(digest, np.uint32))


def draw(key: bytes, images: int, purpose: str = "the look after each epoch") -> Shuffle:
    """An order and batch sizes for that many images."""
    random = draws(key, purpose)
    return Shuffle(random.permutation(images), _batch_sizes(images, random))


def _batch_sizes(images: int, random: np.random.RandomState) -> tuple[int, ...]:
    """From `SMALLEST_BATCH` to `LARGEST_BATCH` each; smaller where that would be all of them."""
    largest = max(1, min(LARGEST_BATCH, images // 4))
    smallest = max(1, largest * SMALLEST_BATCH // LARGEST_BATCH)
    sizes: list[int] = []
    left = images
    while left > largest:
        sizes.append(random.randint(smallest, min(largest, left - smallest) + 1))
        left -= sizes[-1]
    return (*sizes, left) if left else tuple(sizes)
