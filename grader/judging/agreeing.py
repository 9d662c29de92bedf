"""Whether the lines that a rehearsal has for people are those of its recipe.

In: the facts that the child wrote down, and the recipe that is trained. Out: yes or no. The child
ran a stranger's code: its recipe is what is trained, whatever it is, and so is safe; its sentences
could say something else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain

from grader.program.recipe import Augmentation, Recipe
from grader.program.rehearsed import Fact

_FREE = {"network", "data", "test images", "weights"}
"""What no recipe decides."""
_SEVERAL = {"penalty", "clipping"}
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_CLOSE = 0.02
"""Sentences have two or four digits."""


def agree(facts: Iterable[Fact], recipe: Recipe) -> bool:
    """Whether every fact that the recipe decides is there, once, and as the recipe has it."""
    said = [fact for fact in facts if fact.name not in _FREE]
    counted = Counter(fact.name for fact in said)
    needed = {"epochs", "batches", "images", "optimizer", "schedule", "loss", "transform"}
    if not needed <= counted.keys() <= _RULES.keys():
        return False
    if any(count > 1 and name not in _SEVERAL for name, count in counted.items()):
        return False
    if counted["penalty"] != len(recipe.penalties):
        return False
    if counted["clipping"] != len(list(filter(None, (recipe.clip_norm, recipe.clip_value)))):
        return False
    return all(_RULES[fact.name](fact.text, recipe) for fact in said)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("s" if number != 1 else "")


def _epochs(text: str, recipe: Recipe) -> bool:
    steps = _count(recipe.steps_per_epoch, "step")
    return text == f"{_count(recipe.epochs, 'epoch')} of {steps}"


def _batches(text: str, recipe: Recipe) -> bool:
    dropped = ", the last short one dropped" if recipe.drop_last else ""
    return text == f"{_count(recipe.batch_size, 'image')} a batch{dropped}"


_HELD_BACK = re.compile(r"(\d[\d,]*) of (\d[\d,]*) training images; (\d[\d,]*) are held back")


def _images(text: str, recipe: Recipe) -> bool:
    if found := _HELD_BACK.fullmatch(text):
        used, images, held_back = (int(number.replace(",", "")) for number in found.groups())
        return used == recipe.learned_from(images - held_back)
    return text == "all" if recipe.images is None else text.startswith(f"{recipe.images:,} of ")


def _optimizer(text: str, recipe: Recipe) -> bool:
    name, _, settings = text.partition(",")
    rate = re.search(rf"lr ({_NUMBER.pattern})", settings)
    first = recipe.schedule.learning_rate[0][0].value
    return name == recipe.optimizer.name and rate is not None and _near(float(rate[1]), first)


def _schedule(text: str, recipe: Recipe) -> bool:
    course = text.rpartition(": ")[2]
    said = [float(number) for number in _NUMBER.findall(course)]
    rates = [run.value for run in recipe.schedule.learning_rate[0]]
    if not said or (recipe.schedule.scheduler or "") not in text:
        return False
    if recipe.plateau is not None:  # the rule moves the rate as training goes
        return True
    if "stays" in course and max(rates) - min(rates) > _CLOSE * max(rates):
        return False
    return all(_is_one_of(number, rates) for number in said)


def _loss(text: str, recipe: Recipe) -> bool:
    name = text.partition(",")[0]
    is_cross_entropy = name == "cross entropy" or "which is cross entropy" in text
    if is_cross_entropy != (recipe.loss.name == "cross_entropy"):
        return False
    return bool(recipe.loss.label_smoothing) == ("label smoothing" in text)


def _transform(text: str, recipe: Recipe) -> bool:
    names = {item.name for item in _flat(recipe.augmentations)}
    return all(name in text for name in names)


def _flat(steps: Iterable[Augmentation]) -> Iterable[Augmentation]:
    return chain.from_iterable((step, *_flat(step.inner)) for step in steps)


def _penalty(text: str, recipe: Recipe) -> bool:
    return _has_one_of(text, [penalty.factor for penalty in recipe.penalties])


def _clipping(text: str, recipe: Recipe) -> bool:
    return _has_one_of(text, [value for value in (recipe.clip_norm, recipe.clip_value) if value])


def _has_one_of(text: str, values: list[float]) -> bool:
    return any(_is_one_of(float(number), values) for number in _NUMBER.findall(text))


def _is_one_of(said: float, values: list[float]) -> bool:
    return any(_near(said, value) for value in values)


def _near(said: float, value: float) -> bool:
    return abs(said - value) <= _CLOSE * max(abs(value), 1e-12)


_RULES: dict[str, Callable[[str, Recipe], bool]] = {
    "epochs": _epochs,
    "batches": _batches,
    "images": _images,
    "optimizer": _optimizer,
    "schedule": _schedule,
    "loss": _loss,
    "transform": _transform,
    "penalty": _penalty,
    "clipping": _clipping,
}
