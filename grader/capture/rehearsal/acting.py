"""How well a network pretends to do: answers of which so many are right.

In: the request's role. Out: scores. "improving" gets a little better in each epoch and never good,
so that no rule of patience ends a training that would go on; the other roles are for those rules.
"leaping" improves by so much that no rule asks for more. "flat" is a hair worse after its first
epoch: real results never repeat to the last digit, and a rule that takes an equal one for an
improvement would never end. Training images and others have shares of their own, so that a number
that a file watches says whose it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MOST_ACTS = 500
SCALE = 3.0
PERFECT_SCALE = 20.0
DULLER_SCALE = 10.0
MOST_CLASSES = 1_000
_TOLERANCE = 1e-3
_FLAT = 0.3
_HAIR = 0.002
_AHEAD = {"training": 0.0, "test": 0.03, "held back": 0.04}
"""How far apart the shares are: a number that a file watches then says whose it is."""


class Actor:
    """Acts a role: `role` is as in RehearsalRequest."""

    def __init__(self, role: str) -> None:
        words = role.split() or ["improving"]
        self._training = words[0]
        self._test = words[1] if len(words) > 1 else words[0]
        self._duller = "duller" in words[2:]
        self._jump = _jump(words) if words[0] == "jump" else None
        self._acts: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}

    def share(self, trained: int, *, whose: str, learns: bool = False) -> float:
        """The share of right answers after `trained` epochs of training.

        `whose`: "training", "test", or "held back"; `learns`: within the epoch that follows.
        """
        word = self._training if whose == "training" else self._test
        epoch = trained + learns
        if self._jump is not None:
            return self._jump.share(epoch)
        if word == "perfect":
            return 1.0
        if word == "flat":
            return _FLAT if epoch <= 1 else _FLAT - _HAIR
        if word == "sagging":  # better than the epoch before, and never as good as the first
            return 0.5 if epoch <= 1 else 0.4 - 0.2 * math.exp(-epoch / 50)
        if word == "leaping":
            return min(0.2 + 0.02 * epoch, 0.75 + 0.001 * min(epoch, 100))
        if word == "improving":
            # 0.2 to 0.6 in the first 100 epochs, then ever slower towards 0.8
            later = 0.2 * (1 - math.exp(-max(0, trained - 100) / 100))
            return 0.2 + 0.004 * min(trained, 100) + later + _AHEAD[whose]
        return float(word)

    def scores(self, kind: str, labels: Tensor, right: int, classes: int, scale: float) -> Tensor:
        """(N, classes) answers of a `kind` and a `scale`, the first `right` of which are right."""
        key = (kind, labels.data_ptr(), labels.shape[0], right, classes, scale)
        if key not in self._acts:
            if len(self._acts) >= MOST_ACTS:
                self._acts.clear()
            # the labels are kept with it: an address means something only while they live
            self._acts[key] = labels, _act(kind, labels.long(), right, classes, scale)
        return self._acts[key][1]

    def scale(self, trained: int, classes: int, *, whose: str, learns: bool = False) -> float:
        """How sure the answers are."""
        if self._jump is not None:
            return self._jump.scale(trained + learns, classes)
        share = self.share(trained, whose=whose, learns=learns)
        if self._test == "leaping":  # the mean loss falls by more than 1 for 400 epochs
            return SCALE + 4.0 * max(0, 400 - trained - learns)
        if share >= 1:  # all right, and with "duller" the loss is not small all the same
            return SCALE if self._duller else PERFECT_SCALE
        if not self._duller:
            return SCALE
        # The mean loss, log(e^s + 9) - share * s for ten classes, is least at the log of
        # 9 * share / (1 - share): a scale that falls towards it makes the loss fall for ever.
        best = math.log(9 * max(share, 0.01) / (1 - share))
        return best + DULLER_SCALE / (1 + 0.02 * trained)


@dataclass(frozen=True, slots=True)
class _Jump:
    """Results of one `epoch` that are better by `amount` than those of the first, the best so far.

    The others are a hair worse than the first. `what` moves: "accuracy", from the share `base`, or
    "loss", from that of answers with the scale `base`.
    """

    what: str
    epoch: int
    amount: float
    base: float

    def share(self, epoch: int) -> float:
        if self.what == "loss":
            return _FLAT
        # a whole number of images, not the one below it
        return self.base + self._better(epoch) + 1e-6

    def scale(self, epoch: int, classes: int) -> float:
        if self.what == "accuracy":
            return SCALE
        wanted = _loss(self.base, classes) - self._better(epoch)
        low = math.log((classes - 1) * _FLAT / (1 - _FLAT))  # where the loss is least
        high = 2 * self.base
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if _loss(middle, classes) > wanted else (middle, high)
        return high

    def _better(self, epoch: int) -> float:
        if epoch == self.epoch:
            return self.amount
        return 0.0 if epoch <= 1 else -_HAIR


def _jump(words: list[str]) -> _Jump:
    _, what, epoch, amount, base = words
    return _Jump(what, int(epoch), float(amount), float(base))


def _loss(scale: float, classes: int) -> float:
    """The mean cross entropy of answers of which _FLAT are right."""
    return math.log(math.exp(scale) + classes - 1) - _FLAT * scale


def _act(kind: str, labels: Tensor, right: int, classes: int, scale: float) -> Tensor:
    told = labels.clone()
    told[right:] = (told[right:] + 1) % classes
    scores = functional.one_hot(told.clamp(0, classes - 1), classes).float() * scale
    if kind == "log_probabilities":
        return torch.log_softmax(scores, 1)
    if kind == "probabilities":
        return torch.softmax(scores, 1)
    return torch.sigmoid(scores) if kind == "sigmoid" else scores


def kind_of(answer: Tensor) -> str:
    """Whether answers are "scores", or probabilities of some kind; "" where they are neither."""
    rows = answer.flatten(1) if answer.dim() > 1 else answer
    if rows.dim() != 2 or rows.shape[1] != answer.shape[1] or not answer.is_floating_point():
        return ""
    if not 2 <= rows.shape[1] <= MOST_CLASSES:
        return ""
    rows = rows.float()
    if torch.allclose(rows.exp().sum(1), torch.ones(()), atol=_TOLERANCE):
        return "log_probabilities"
    is_share = bool(rows.min() >= 0) and bool(rows.max() <= 1)
    if is_share and torch.allclose(rows.sum(1), torch.ones(()), atol=_TOLERANCE):
        return "probabilities"
    return "sigmoid" if is_share else "scores"
