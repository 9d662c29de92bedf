"""The optimizer and the schedule of a recipe as a function configure_optimizers, in Python source.

In: a Recipe, and the scheduler that made its learning rate, where one is known. Out: the lines of
the function, and before it of a class that it may need.

Where no scheduler of torch's is known, what moves is written down value by value; where that would
be thousands of numbers, it is left to the student, in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import indent, wrap

from grader.program.recipe import Optimizer, OptimizerGroup, Plateau, Recipe, Run
from grader.program.rehearsed import SchedulerUse
from grader.training.choices import OPTIMIZERS

MOST_VALUES = 400
"""Values of one thing that moves, written one by one."""
WIDTH = 92
NOTHING_SAID = {
    **dict.fromkeys(["momentum", "dampening", "lr_decay", "initial_accumulator_value"], 0),
    **dict.fromkeys(["nesterov", "maximize", "amsgrad", "centered"], False),
    **dict.fromkeys(["decoupled_weight_decay"], False),
}
"""What torch takes where an optimizer is told nothing, the same in all that know the setting."""

LISTED = '''\
class Listed(torch.optim.lr_scheduler.LRScheduler):
    """Sets what moves from lists: for each parameter group the values, one after the other."""

    def __init__(self, optimizer, **moving):
        self.moving = moving
        super().__init__(optimizer)

    def get_lr(self):
        for name, lists in self.moving.items():
            for group, values in zip(self.optimizer.param_groups, lists):
                value = values[min(self.last_epoch, len(values) - 1)]
                group[name] = (value, group["betas"][1]) if name == "betas" else value
        return [group["lr"] for group in self.optimizer.param_groups]


'''


@dataclass(frozen=True)
class _Moving:
    """What moves: its name in a parameter group, its values for each, and what it is called."""

    name: str
    curves: tuple[tuple[Run, ...], ...]
    words: str

    @property
    def changes(self) -> bool:
        return any(len(runs) > 1 for runs in self.curves)

    @property
    def is_short(self) -> bool:
        return sum(map(len, self.curves)) <= MOST_VALUES


def written(recipe: Recipe, scheduler: SchedulerUse | None, *, trains_all: bool) -> Iterator[str]:
    """The lines; without `trains_all`, some weights of the network are kept from the optimizer."""
    moving = _moving(recipe)
    if scheduler is not None and not _is_plain(scheduler):
        scheduler = None
    if recipe.plateau is not None:
        body, listed = list(_plateau(recipe.plateau, moving)), False
    else:
        body, listed = _scheduled(recipe, scheduler, moving)
    rates = [runs[0].value for runs in recipe.schedule.learning_rate]
    if scheduler is not None and len(scheduler.rates) == len(rates):
        rates = list(scheduler.rates)
    if listed:
        yield LISTED.rstrip("\n") + "\n\n"
    yield "def configure_optimizers(model, steps_per_epoch, epochs):"
    yield from _optimizer(recipe.optimizer, rates, trains_all=trains_all)
    yield from body


def _is_plain(scheduler: SchedulerUse) -> bool:
    return all(map(str.isidentifier, [scheduler.name, *scheduler.settings]))


def _moving(recipe: Recipe) -> list[_Moving]:
    schedule = recipe.schedule
    momentum = "betas" if "betas" in OPTIMIZERS[recipe.optimizer.name] else "momentum"
    found = [
        _Moving("lr", schedule.learning_rate, "learning rate"),
        _Moving(momentum, schedule.momentum, "beta1" if momentum == "betas" else "momentum"),
        _Moving("weight_decay", schedule.weight_decay, "weight decay"),
    ]
    return [moving for moving in found if moving.changes]


def _optimizer(optimizer: Optimizer, rates: list[float], *, trains_all: bool) -> Iterator[str]:
    first = optimizer.groups[0]
    if len(optimizer.groups) == 1 and trains_all:
        yield f"    optimizer = torch.optim.{optimizer.name}("
        yield f"        model.parameters(), {_keywords(optimizer, first, rates[0])}"
        yield "    )"
        return
    yield "    named = dict(model.named_parameters())"
    yield f"    optimizer = torch.optim.{optimizer.name}(["
    for group, rate in zip(optimizer.groups, rates, strict=True):
        names = [f"named[{_raw(name)!r}]," for name in group.parameters]
        yield "        dict("
        yield "            params=["
        yield folded(" ".join(names), " " * 16)
        yield "            ],"
        yield f"            {_keywords(optimizer, group, rate)},"
        yield "        ),"
    yield "    ])"


def _raw(name: str) -> str:
    """The name of a weight as torch says it, from a Program's, which writes blanks as -20-."""

    def character(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        plain = code > 0x10FFFF or re.fullmatch(r"[A-Za-z0-9_.\-]", chr(code))
        return match[0] if plain else chr(code)

    return re.sub("-([0-9a-f]{1,6})-", character, name)


def _keywords(optimizer: Optimizer, group: OptimizerGroup, rate: float) -> str:
    usual = NOTHING_SAID | ({} if optimizer.name == "AdamW" else {"weight_decay": 0})
    said = {
        name: value
        for name, value in group.settings.items()
        if value is not None and not (name in usual and value == usual[name])
    }
    return _arguments({"lr": rate, **said})


def _arguments(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


def _plateau(rule: Plateau, moving: list[_Moving]) -> Iterator[str]:
    names = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    settings = _arguments({name: getattr(rule, name) for name in names})
    upwards = rule.monitor == "accuracy"
    if (rule.mode == "max") != upwards:
        yield f"    # This waits for the {rule.mode}imum of the {rule.monitor}, as yours did. The"
        yield f'    # grader asks for mode="{"max" if upwards else "min"}" here.'
    for item in moving:
        yield f"    # Not part of the convention: the {item.words} moves beside the rule."
    monitor = "train_loss" if rule.monitor == "train_loss" else f"val_{rule.monitor}"
    yield "    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau("
    yield f"        optimizer, {settings}, min_lr={list(rule.min_lr)}"
    yield "    )"
    yield (
        '    return {"optimizer": optimizer, "lr_scheduler": '
        f'{{"scheduler": scheduler, "monitor": "{monitor}"}}}}'
    )


def _scheduled(
    recipe: Recipe, scheduler: SchedulerUse | None, moving: list[_Moving]
) -> tuple[list[str], bool]:
    """The lines that make and return the scheduler, and whether they need `Listed`."""
    made = "" if scheduler is None else _call(scheduler, recipe)
    listed, left = [item for item in moving if item.is_short], []
    if scheduler is not None:  # it sets the learning rate and the momentum, and nothing else
        beside = [item for item in moving if item.name == "weight_decay"]
        by_step = scheduler.interval == "step"
        if all(item.is_short and (by_step or _by_epoch(item, recipe)) for item in beside):
            listed = beside
        elif len(listed) < len(moving):
            listed, left = [], beside
        else:
            scheduler, made = None, ""
    else:
        left = [item for item in moving if item not in listed]
    by_epoch = all(_by_epoch(item, recipe) for item in listed)
    if scheduler is not None:
        by_epoch = scheduler.interval == "epoch"
    lines = list(_left_out(left))
    if listed:
        lines += _lists(listed, recipe.steps_per_epoch if by_epoch else 1)
    if listed and made:
        made = f"torch.optim.lr_scheduler.ChainedScheduler([{made}, scheduler])"
    if made:
        lines.append(f"    scheduler = {made}")
    if not (made or listed):
        return [*lines, "    return optimizer"], False
    options = f'{{"scheduler": scheduler, "interval": "{"epoch" if by_epoch else "step"}"}}'
    return [*lines, f'    return {{"optimizer": optimizer, "lr_scheduler": {options}}}'], bool(
        listed
    )


def _call(scheduler: SchedulerUse, recipe: Recipe) -> str:
    """A cycle as long as the training is written so: it then fits whatever is changed later."""
    lengths: dict[str, tuple[int, str]] = {}
    if scheduler.name == "OneCycleLR" and scheduler.interval == "step":
        lengths = {
            "total_steps": (recipe.steps, "epochs * steps_per_epoch"),
            "epochs": (recipe.epochs, "epochs"),
            "steps_per_epoch": (recipe.steps_per_epoch, "steps_per_epoch"),
        }
    arguments = ["optimizer"]
    for name, value in scheduler.settings.items():
        number, words = lengths.get(name, (None, ""))
        arguments.append(f"{name}={words if value == number else repr(value)}")
    return f"torch.optim.lr_scheduler.{scheduler.name}({', '.join(arguments)})"


def _by_epoch(moving: _Moving, recipe: Recipe) -> bool:
    """Whether it moves between epochs only."""
    length = recipe.steps_per_epoch
    return all(run.steps % length == 0 for runs in moving.curves for run in runs)


def _left_out(moving: list[_Moving]) -> Iterator[str]:
    for item in moving:
        yield f"    # The {item.words} moves at every step, by a rule of your own: write that"
        yield "    # here as a scheduler. Until then it stays as it begins."


def _lists(moving: list[_Moving], unit: int) -> Iterator[str]:
    yield "    scheduler = Listed("
    yield "        optimizer,"
    for item in moving:
        yield f"        {item.name}=["
        for runs in item.curves:
            text = " + ".join(f"[{run.value!r}] * {run.steps // unit}" for run in runs)
            yield f"{folded(text, ' ' * 12)},"
        yield "        ],"
    yield "    )"


def folded(text: str, margin: str) -> str:
    """The text, broken at blanks and within `margin`, in as many lines as it takes."""
    width = WIDTH - len(margin)
    lines = wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return indent("\n".join(lines), margin)
