"""By how much an epoch must be better for an early stop to wait on: its least improvement.

In: `epochs`, which says how many epochs the training has under a role, and a stop that ends after
`patience` epochs for want of improvement. Out: the amount (`min_delta`), or why there is none to
be told. One epoch is made better than all before it, by an amount that is halved and halved again;
where that counts as an improvement, the training goes on for longer.

A worked example: patience of 3. Where nothing improves, the training ends after epoch 4. Its third
epoch is made better by 0.02, and it ends after epoch 6: 0.02 is enough. By 0.005: it ends after
epoch 4, and 0.005 is not. The file has the numbers 0.01 and 0.001, so the amount is 0.01.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

MOST_NUMBERS = 2_000
MOST_NAMED = 3
_LEAST_PERCENT = 0.05
_NAMED = re.compile(
    r"(?i)(?:delta|tol|eps|epsilon|threshold|improvement|margin)\w*[\"']?"
    r"[^\n\d]{0,60}?[=:]\s*(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)(?![\w.])"
)
"""`min_delta=1e-3`, `"--min-delta", type=float, default=0.001`, `"threshold": 0.01`."""
_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])")


@dataclass(frozen=True, slots=True)
class _Scale:
    """Amounts of what is watched, from those that no rule asks for to those that none exceeds.

    `near` and `far` are answers from which it improves: small improvements are acted exactly near,
    large ones are possible only far. An amount is exact to `error`, and to the share `blur` of it.
    """

    least: float
    most: float
    near: tuple[float, float]
    far: tuple[float, float]
    from_far: float
    error: float
    blur: float

    def bases(self, amount: float) -> tuple[float, float]:
        """Two answers from which an improvement by that amount can be acted."""
        return self.near if amount < self.from_far else self.far


_SCALES = {
    # the mean loss: from 2.5 and 3, or from 14 and 11
    "loss": _Scale(2e-5, 8.0, (3.0, 4.0), (20.0, 16.0), 0.2, 2e-6, 0.03),
    # the share of right answers: an image of 10,000 is 0.0001
    "accuracy": _Scale(1.5e-4, 0.6, (0.3, 0.35), (0.3, 0.35), 1.0, 1.2e-4, 0.2),
}


@dataclass(frozen=True, slots=True)
class Improvement:
    """The least improvement; None where `unknown` says, in words, why it cannot be told.

    `measured`: it stands for a range, and not in the file. `rule` is "" or says what the stop does
    instead of waiting for an improvement.
    """

    amount: float | None = None
    measured: bool = False
    unknown: str = ""
    rule: str = ""


class _OtherRuleError(Exception):
    """The training ends where no rule that waits for an improvement would end it."""


class _Trials:
    """Trainings one of whose epochs is better than the others."""

    def __init__(
        self, epochs: Callable[[str], int], what: str, patience: int, full: int, ends: int
    ) -> None:
        self._epochs, self._what, self._ends = epochs, what, ends
        # The third: an epoch that counted as none was before it, and must be forgotten.
        self._better = 3 if patience > 1 else 2
        self._later = min(full, self._better + patience)

    def improves(self, amount: float, base: float | None = None) -> bool:
        """Whether an epoch that is better by `amount` counts. Raises _OtherRuleError."""
        if base is None:
            base = _SCALES[self._what].bases(amount)[0]
        ended = self._epochs(f"jump {self._what} {self._better} {amount!r} {base!r}")
        if ended not in (self._ends, self._later):
            raise _OtherRuleError
        return ended > self._ends


def measure(
    epochs: Callable[[str], int], source: str, monitor: str, *, patience: int, full: int
) -> Improvement:
    """The least improvement of a stop that watches `monitor`; `full` epochs where it never ends."""
    what = "loss" if monitor.endswith("loss") else "accuracy"
    ends = patience + 1
    if epochs("sagging") != ends:
        return Improvement(
            rule="does not compare each epoch with the best one before it (but with the last one, "
            "say, or only after every few epochs)"
        )
    trials = _Trials(epochs, what, patience, full, ends)
    try:
        return _measured(trials, source, _SCALES[what])
    except _OtherRuleError:
        return Improvement(
            rule="does not count epochs in a row without improvement, from the last that improved"
        )


def _measured(trials: _Trials, source: str, scale: _Scale) -> Improvement:
    if trials.improves(scale.least):
        return Improvement(0.0)
    named = [
        number
        for number in named_amounts(source)[:MOST_NAMED]
        if scale.least < number < scale.most / 2
    ]
    for number in named:
        if _is_exact(trials, number, scale):
            return Improvement(number)
    return _searched(trials, source, scale)


def _searched(trials: _Trials, source: str, scale: _Scale) -> Improvement:
    """The number of the source that it is, or what it is measured to be."""
    if not trials.improves(scale.most):
        raise _OtherRuleError  # as where so many epochs are trained at least
    low, high = scale.least, scale.most
    numbers = [number for number in amounts(source) if low / 2 < number < high]
    while numbers and low < high:
        middle = len(numbers) // 2
        between = math.sqrt(numbers[middle] * numbers[middle - 1]) if middle else 0.0
        if middle == 0:
            break
        if trials.improves(between):
            numbers, high = numbers[:middle], between
        else:
            numbers, low = numbers[middle:], between
    if numbers and _is_exact(trials, numbers[0], scale):
        return Improvement(numbers[0])
    while high - low > max(scale.error, scale.blur * low):
        middle_amount = math.sqrt(low * high)
        if trials.improves(middle_amount):
            high = middle_amount
        else:
            low = middle_amount
    amount = float(f"{math.sqrt(low * high):.2g}")
    if not _is_exact(trials, amount, scale):
        return Improvement(unknown="how large an improvement must be depends on the best so far")
    return Improvement(amount, measured=True)


def _is_exact(trials: _Trials, amount: float, scale: _Scale) -> bool:
    """Whether a little less never counts and a little more always does."""
    margin = max(scale.error, scale.blur * amount)
    for base in scale.bases(amount):
        if trials.improves(amount - margin, base) or not trials.improves(amount + margin, base):
            return False
    return True


def named_amounts(source: str) -> list[float]:
    """The numbers that a source gives to a name such as min_delta, as they are and in percent."""
    found: list[float] = []
    for text in _NAMED.findall(source)[:MOST_NAMED]:
        number = float(text)
        found += [number, round(number / 100, 12)] if number >= _LEAST_PERCENT else [number]
    return list(dict.fromkeys(number for number in found if number > 0))


def amounts(source: str) -> list[float]:
    """The numbers of a source that may be an amount, as they are and in percent, in order."""
    numbers = [float(text) for text in _NUMBER.findall(source)[:MOST_NUMBERS]]
    found = [number for number in numbers if 0 < number < 100]
    return sorted({*found, *(round(number / 100, 12) for number in found)})
