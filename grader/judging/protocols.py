"""The protocols: which epochs of a run count, and how they become its score. One entry each.

In: the number of correct test images after each epoch. Out: a score, exact, and words for people.
Assignments, the judge and every output take what they know from this table. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction


def mean(values: Sequence[Fraction]) -> Fraction:
    """The mean of one or more values, exactly."""
    return sum(values, Fraction()) / len(values)


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to score a run.

    `words` names it for people, `remark` is what a reader should know. `places` finds the epochs
    that count (from 0, in order) by the number of correct images after each; `combine` makes one
    number of their accuracies.
    """

    words: str
    places: Callable[[Sequence[int]], Sequence[int]]
    combine: Callable[[Sequence[Fraction]], Fraction] = mean
    remark: str = ""

    def score(self, correct: Sequence[int], total: int) -> Fraction:
        """One run's score, from the number of correct images of `total` after each epoch."""
        counted = [Fraction(correct[place], total) for place in self.places(correct)]
        return self.combine(counted)


def best(correct: Sequence[int]) -> Sequence[int]:
    """The first of the best epochs."""
    return [correct.index(max(correct))]


def last(epochs: int) -> Callable[[Sequence[int]], Sequence[int]]:
    """The last `epochs` epochs, or all of a shorter run."""
    return lambda correct: range(len(correct))[-epochs:]


PROTOCOLS = {
    "best": Protocol("best epoch", best, remark="selected on the test set"),
    "last": Protocol("last epoch", last(1)),
    "mean_last_3": Protocol("mean of last 3", last(3)),
}
