"""The accuracy once more, on test images that are a shade different.

A network that has learned what digits look like hardly notices one grey level of 255. One that
compares images with what somebody wrote down about the test set does: its answers fall to chance.

In: the test images, a key, and the logits that come back. Out: counts, and a `Steadiness` for the
check. docs/fairness.md has what honest networks were measured to lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from grader import report
from grader.judging import shuffle
from grader.judging.judge import Judge
from grader.judging.shuffle import Shuffle
from grader.training.data import Look

NOISE = 2
"""Grey levels that noise adds or takes away, at most."""


def dimmed(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every pixel one grey level darker; black stays black."""
    return images - (images > 0).astype(np.uint8)


def noisy(images: NDArray[np.uint8], random: np.random.RandomState) -> NDArray[np.uint8]:
    """Every pixel up to `NOISE` grey levels darker or brighter, as far as there are levels."""
    change = random.randint(-NOISE, NOISE + 1, images.shape, dtype=np.int16)
    result: NDArray[np.uint8] = np.clip(images + change, 0, 255).astype(np.uint8)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class SecondLook:
    """What is looked at after the last epoch: all test images dimmed and all of them noisy.

    And `more` images, so many of each kind, where checks ask for them. They come in one order:
    which image is of which kind is not to be seen from its place.
    """

    look: Look
    order: Shuffle
    more: tuple[int, ...] = ()

    def correct(self, logits: Tensor, judge: Judge) -> tuple[int, int]:
        """How many of the dimmed and of the noisy images are recognised.

        `logits` (2N and more, classes) as they come back, for the N images of `judge`.
        """
        rows = self.order.undo(logits)
        total = judge.total
        return judge.correct(rows[:total]), judge.correct(rows[total : 2 * total])

    def of_more(self, logits: Tensor) -> tuple[Tensor, ...]:
        """The logits of each further kind, in the order of its images."""
        rows = self.order.undo(logits)[len(logits) - sum(self.more) :]
        ends = np.cumsum(self.more).tolist()
        begins = [0, *ends][: len(ends)]
        return tuple(rows[begin:end] for begin, end in zip(begins, ends, strict=True))


def prepare(
    test_images: NDArray[np.uint8], key: bytes, more: Sequence[NDArray[np.uint8]] = ()
) -> SecondLook:
    """The second look at these images (N, channels, rows, columns), and at `more` of that shape."""
    noise = noisy(test_images, shuffle.draws(key, "noise"))
    kinds = [dimmed(test_images), noise, *more]
    order = shuffle.draw(key, sum(map(len, kinds)), "the second look")
    images = order.apply(np.concatenate(kinds))
    return SecondLook(Look(images, order.batch_sizes), order, tuple(map(len, more)))


def may_lose(correct: int, total: int) -> int:
    """Images of `total` that an honest network may lose, of `correct` ones that it recognised.

    Four, one in a thousand, and one in five of those that it gets wrong anyway: a network that is
    unsure of many has many that a grey level can tip.
    """
    return 4 + total // 1000 + (total - correct) // 5


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What the check asks of the runs that had a second look."""

    runs: tuple[report.RunRow, ...]

    @property
    def skipped(self) -> str:
        """Why there is nothing to say, or ""."""
        return "" if self._looked_at else "no training run was finished"

    @property
    def measured(self) -> str:
        """The largest loss, in images, of any run."""
        return f"{self.lost:,} fewer" if self._looked_at else "nothing"

    @property
    def asked(self) -> str:
        """The largest loss that is allowed in that run."""
        return f"<= {self.may_lose:,}" if self._looked_at else ""

    @property
    def lost(self) -> int | None:
        """How many images that run loses; None where no run was looked at."""
        return self._loss(self._worst) if self._looked_at else None

    @property
    def may_lose(self) -> int | None:
        """How many it may lose; None where no run was looked at."""
        return self._allowed(self._worst) if self._looked_at else None

    @property
    def holds(self) -> bool:
        """Whether no run loses more than it may."""
        return all(self._loss(run) <= self._allowed(run) for run in self._looked_at)

    @property
    def explanation(self) -> str:
        """What was seen in the run that lost most, and what it means."""
        run = self._worst
        last = run.epochs[-1]
        return (
            f"after the last epoch {last.correct:,} of {last.total:,} test images are recognised, "
            f"{run.dimmed:,} when all are one grey level of 255 darker, and {run.noisy:,} when "
            f"each pixel is up to {NOISE} grey levels darker or brighter, which nobody could see: "
            "the answers come from exact grey values and not from what the digits look like"
        )

    @property
    def _looked_at(self) -> tuple[report.RunRow, ...]:
        return tuple(run for run in self.runs if run.epochs and run.dimmed is not None)

    @property
    def _worst(self) -> report.RunRow:
        return max(self._looked_at, key=lambda run: self._loss(run) - self._allowed(run))

    @staticmethod
    def _loss(run: report.RunRow) -> int:
        return max(0, run.epochs[-1].correct - min(run.dimmed or 0, run.noisy or 0))

    @staticmethod
    def _allowed(run: report.RunRow) -> int:
        return may_lose(run.epochs[-1].correct, run.epochs[-1].total)
