"""Rehearse again with other pretended results, to learn what a recipe depends on.

In: `ask`, which rehearses under a role, the source, and the training when the network only ever
improves and never gets good. Out: `Depends`: settings of the recipe that only other results show
(patience, a stop at an accuracy), or why it cannot be told. Few rehearsals, each in its own child;
none for a source in which nothing can end a loop early.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from grader.intake import improvement
from grader.program.recipe import Patience, Recipe, Remark
from grader.program.rehearsed import Rehearsal, Training

MOST_COARSE_STEPS = 1_500
"""Steps of a rehearsal on a tenth of the images, up to which all of them may be asked ten times."""
LATE = 2
"""A rule that ends a training after n epochs ends it before twice as many and two, or does not."""
CLOSEST = 0.99e-4
"""One image of 10,000: thresholds that are closer than that cannot be told apart."""


class Ask(Protocol):
    """One rehearsal under a role; remembered."""

    def __call__(
        self, role: str, *, cuda: bool = True, luck: int = 0, most_epochs: int | None = None
    ) -> Rehearsal:
        """What one rehearsal saw, of `most_epochs` where it is cut off."""
        ...


class Asks:
    """Who is asked: `coarse` on few images, `on_tests` with all test images, `fine` on all.

    A threshold needs a fine accuracy; whether there is one does not.
    """

    def __init__(self, coarse: Ask, on_tests: Ask | None = None, fine: Ask | None = None) -> None:
        self.coarse = coarse
        self.on_tests = on_tests or coarse
        self.fine = fine or coarse

    def trains_several_times(self) -> bool:
        """Whether a rehearsal shows more than one training."""
        return sum(one.steps > 1 for one in self.coarse("improving").trainings) > 1


@dataclass(slots=True)
class Depends:
    """What other results showed: `changes` to the recipe, notes, and what cannot be followed."""

    changes: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Remark, ...] = ()
    obstacles: tuple[Remark, ...] = ()


def is_needed(source: str) -> bool:
    """Whether anything in it could depend on results, or on a GPU."""
    return _asks_for_a_gpu(source) or follows_results(source)


_ONLY_A_DEVICE = re.compile(
    r"""["']cuda(?::\d)?["']\s+if\s+(?:torch\.)?cuda\.is_available\(\)\s+else\s+["']cpu["']"""
)


def _asks_for_a_gpu(source: str) -> bool:
    """Whether it may train otherwise without a GPU: one that is only trained on tells nothing."""
    rest = _ONLY_A_DEVICE.sub("", source)
    return "is_available" in rest or re.search(r"device(\.type)?\s*[!=]=", rest) is not None


def probe(asks: Asks, source: str, training: Training) -> Depends:
    """What of the training depends on its results, and on whether there is a GPU."""
    found = Depends()
    if follows_results(source):
        _results(asks, source, training, found)
    if not found.obstacles and _asks_for_a_gpu(source):
        _without_a_gpu(asks.coarse, training, found)
    return found


def follows_results(source: str) -> bool:
    """Whether something in it could end a loop early, or set a rate by a result."""
    if re.search(r"param_groups|\bTrainer\(|EarlyStopping", source):
        return True
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return re.search(r"\b(break|while|return|raise|exit)\b", source) is not None
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While)]
    return any(_may_end(loop) for loop in loops)


def _may_end(loop: ast.For | ast.While) -> bool:
    if isinstance(loop, ast.While):
        return True
    return any(
        isinstance(node, ast.Break | ast.Return | ast.Raise) or _is_exit(node)
        for node in ast.walk(loop)
    )


def _is_exit(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("exit", "quit", "sys.exit")


def _results(asks: Asks, source: str, training: Training, found: Depends) -> None:
    recipe, full = training.recipe, training.epochs
    assert recipe is not None
    assert full is not None

    epochs = _Epochs(asks.coarse, training)
    for role in ("flat", "perfect"):
        again = _same(asks.coarse(role), training)
        if again and again.recipe and again.epochs == full and _moved(recipe, again.recipe):
            found.obstacles = (
                Remark(
                    text="The learning rate is set by how well the network does, and not by a "
                    "ReduceLROnPlateau: the grader cannot follow a rule of your own",
                    line=recipe.lines.get("scheduler") or training.line,
                ),
            )
            return
    if (longer := epochs("leaping")) > full:
        found.obstacles = (
            Remark(
                text=f"The training ends after {full} epochs where each is a little better than "
                f"the last, and goes on for {longer} where each is much better: its early stop "
                "asks for more than the grader can measure. Let it ask for less (min_delta)",
                line=training.line,
            ),
        )
        return
    flat, perfect = epochs("flat"), epochs("perfect")
    if flat < full:
        _patience(asks, source, training, flat, found)
    if not perfect and not found.obstacles:
        found.obstacles = (
            Remark(
                text="Where the network does well, the training is another one, and the grader "
                "cannot tell by which rule",
                line=training.line,
            ),
        )
    if perfect < min(full, flat) and not found.obstacles:
        _stop(asks, source, training, min(full, flat), perfect, found)


@dataclass(frozen=True, slots=True)
class _Epochs:
    """How many epochs the same training has under a role; 0 where it is another one."""

    ask: Ask
    training: Training
    can_cut: bool = True
    """One of several trainings cannot be cut off: epochs are counted from the first one on."""

    def __call__(self, role: str, most: int | None = None) -> int:
        again = _same(self.ask(role, most_epochs=most), self.training)
        return (again.epochs or 0) if again else 0

    def goes_on(self, role: str, most: int) -> bool:
        """Whether it is still running after `most` epochs: there it is cut off."""
        full = self.training.epochs or 0
        if most >= full or not self.can_cut:
            return self(role) >= full
        return self(role, most) >= most


def _patience(asks: Asks, source: str, training: Training, flat: int, found: Depends) -> None:
    recipe, full = training.recipe, training.epochs or 0
    assert recipe is not None
    if flat < 2:
        found.obstacles = (
            Remark(
                text=f"The training ends after {flat} epochs where nothing improves, and the "
                "grader cannot tell by which rule",
                line=training.line,
            ),
        )
        return
    epochs = _Epochs(asks.coarse, training, not asks.trains_several_times())
    late = LATE * flat + LATE
    watches_tests = not epochs.goes_on("improving flat", late)
    is_test = watches_tests or epochs.goes_on("flat improving", late)
    loss = epochs.goes_on("flat flat duller", late)  # accuracy stays as it is, and the loss falls
    if is_test:
        monitor = "loss" if loss else "accuracy"
    else:
        monitor = "train_loss" if loss else "train_accuracy"
    asked = asks.on_tests if monitor.endswith("accuracy") else asks.coarse
    # A share of few images is a coarse number; all test images are there either way.
    is_coarse = monitor.endswith("accuracy") and (monitor != "accuracy" or recipe.images)
    if is_coarse and (flat + 3) * recipe.steps_per_epoch <= MOST_COARSE_STEPS:
        asked = asks.fine
    counted = _Epochs(asked, training)
    least = improvement.measure(counted, source, monitor, patience=flat - 1, full=full)
    if least.rule:
        text = (
            f"The early stop {least.rule}; the grader ends a training when so many epochs in a row "
            "are not better than the best one: count these"
        )
        found.obstacles = (Remark(text=text, line=training.line),)
        return
    found.changes["patience"] = Patience(
        monitor=monitor, epochs=flat - 1, threshold=least.amount or 0.0
    )
    found.notes += _in_words(least, training.line)


def _in_words(least: improvement.Improvement, line: int | None) -> tuple[Remark, ...]:
    """What is not exactly known of an early stop's least improvement."""
    if least.unknown:
        text = (
            "Whether the early stop asks for a least improvement (min_delta) cannot be told: "
            f"{least.unknown}. Here an epoch that is better by any amount counts as an "
            "improvement. A rule that asks for one stops earlier than the grader does"
        )
        return (Remark(text=text, line=line),)
    if least.measured:
        text = (
            f"The least improvement that the early stop asks for is measured, as {least.amount:g}: "
            "no such number stands in the file"
        )
        return (Remark(text=text, line=line),)
    return ()


def _stop(
    asks: Asks, source: str, training: Training, full: int, perfect: int, found: Depends
) -> None:
    """Find the accuracy at which it stops: most likely a number that stands in the file."""
    epochs = _Epochs(asks.coarse, training)
    on_tests = epochs("0.5 1.0") < full
    holds_back = training.recipe is not None and training.recipe.images is not None
    is_fine = not on_tests or holds_back
    if epochs("1.0 1.0 duller") >= full:
        found.obstacles = (
            Remark(
                text="The training stops when the loss is small enough; the grader can stop at an "
                "accuracy only",
                line=training.line,
            ),
        )
        return
    asked = asks.fine if is_fine else asks.on_tests
    epochs = _Epochs(asked, training, not asks.trains_several_times())
    marks = accuracies(source)
    low, high = 0, len(marks)
    while low < high:
        middle = (low + high) // 2
        # Between this number and the next: a share of few images is a coarse number.
        share = (marks[middle] + [*marks, 1.0][middle + 1]) / 2
        if not epochs.goes_on(f"{share} {share}", min(full, LATE * perfect + LATE)):
            high = middle
        else:
            low = middle + 1
    if low == len(marks):
        found.obstacles = (
            Remark(
                text="The training stops early when the network does well, at a value that does "
                "not stand in the file",
                line=training.line,
            ),
        )
        return
    close = [mark for mark in marks[max(0, low - 1) : low + 2] if abs(mark - marks[low]) < CLOSEST]
    if len(close) > 1:
        shown = ", ".join(f"{100 * mark:g}" for mark in close)
        found.obstacles = (
            Remark(
                text="The training stops early when the network does well, and the grader cannot "
                f"tell which of the numbers of the file is its threshold: {shown} %",
                line=training.line,
            ),
        )
        return
    found.changes |= {
        "stop_at_accuracy": round(marks[low], 6),
        "stop_after": perfect,
        "stop_monitor": "accuracy" if on_tests else "train_accuracy",
    }


def accuracies(source: str) -> list[float]:
    """The numbers of a source that may be an accuracy, as shares: 99.4 and 0.994 are the same."""
    texts = re.findall(r"(?<![\w.])\d+\.?\d*(?![\w.])", source)
    numbers = [float(text) for text in texts]
    shares = [value for value in numbers if 0.8 <= value < 1]
    percents = [round(value / 100, 12) for value in numbers if 80 <= value < 100]
    return sorted({*shares, *percents})


def _without_a_gpu(ask: Ask, training: Training, found: Depends) -> None:
    other = _same(ask("improving", cuda=False), training)
    one, two = training.recipe, other.recipe if other else None
    if one is None or two is None:
        return  # without a GPU it does not train: the grader does as with one
    for name in ("epochs", "optimizer", "loss"):
        if _told(one, name) != _told(two, name):
            text = f"With a GPU it trains with other {_WORDS[name]} than without one"
            found.obstacles = (Remark(text=text, line=one.lines.get(name) or training.line),)
            return
    if one.batch_size != two.batch_size:
        text = (
            f"Batches have {one.batch_size} images with a GPU and {two.batch_size} without one: "
            f"the grader takes {one.batch_size}, wherever it runs"
        )
        found.notes += (Remark(text=text, line=one.lines.get("batch_size")),)


_WORDS = {
    "epochs": "epochs",
    "optimizer": "settings of the optimizer",
    "loss": "settings of the loss",
}


def _told(recipe: Recipe, name: str) -> object:
    if name == "optimizer":
        return recipe.optimizer, recipe.schedule.scheduler
    return getattr(recipe, name)


def _moved(one: Recipe, two: Recipe) -> bool:
    """Whether the rates differ though no plateau rule would move them."""
    return one.plateau is None and one.schedule.learning_rate != two.schedule.learning_rate


def _same(rehearsal: Rehearsal, training: Training) -> Training | None:
    """The training that counts in another rehearsal, if it is of the same network."""
    found = rehearsal.counting
    name = training.network and training.network.name
    return found if found and (found.network and found.network.name) == name else None
