"""Find a training that is another one under another clock and other random numbers.

In: `ask`, which rehearses, and the training as it was rehearsed. Out: a remark with the line of
what is drawn, or None. Graded again, the same file must be trained in the same way.
"""

from __future__ import annotations

import re

from grader.intake.probing import Ask
from grader.program.recipe import Remark
from grader.program.rehearsed import Training

_CHANCE = re.compile(
    r"\b(?:time(?:it)?|datetime|date|random|secrets|urandom|uuid\w*|getp?pid|id|hash)\b"
    r"|\brand(?:int|n|perm|om_?\w*)?\(|\bmultinomial\(|\b(?:uniform|normal)_?\("
)
_NAMES = {
    "epochs": "the number of epochs",
    "batch_size": "the batch size",
    "optimizer": "the optimizer or one of its settings",
    "schedule": "the learning rate",
    "loss": "the loss",
    "augmentations": "the transform",
}
_LINES = {"schedule": ("scheduler", "optimizer"), "batch_size": ("batch_size", "batches")}
_SAID_ELSEWHERE = ("lines", "remarks", "steps_per_epoch")


def is_possible(source: str) -> bool:
    """Whether anything in it could be drawn by chance, or by the clock."""
    return _CHANCE.search(source) is not None


def remark(ask: Ask, shown: Training) -> Remark | None:
    """What to say where the training comes out otherwise by chance.

    `ask` rehearses on as many images as `shown` was rehearsed on.
    """
    other = ask("improving", luck=1).counting
    if other is None or other.recipe is None or shown.recipe is None:
        what, line = "whether the file trains at all", shown.line
    else:
        what, line = _setting(shown, other)
    if not what:
        return None
    return Remark(
        text=f"Rehearsed under another clock and with other random numbers, {what} came out "
        "otherwise, and a file that is graded again must be trained in the same way: write the "
        "number down, or fix the seed before it is drawn, such as random.seed(0)",
        line=line,
    )


def _setting(shown: Training, other: Training) -> tuple[str, int | None]:
    """The first setting that differs, in words, and its line; ("", None) where none does."""
    one, two = shown.recipe, other.recipe
    assert one is not None
    assert two is not None
    rest = [name for name in type(one).model_fields if name not in (*_NAMES, *_SAID_ELSEWHERE)]
    for name in (*_NAMES, *rest):
        if getattr(one, name) == getattr(two, name):
            continue
        lines = [one.lines[key] for key in _LINES.get(name, (name,)) if key in one.lines]
        what = _NAMES.get(name, f"its {name.replace('_', ' ')}")
        return what, lines[0] if lines else shown.line
    if shown.network and other.network and shown.network != other.network:
        return "how the network is built", shown.network.line or shown.line
    return "", None
