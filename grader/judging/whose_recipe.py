"""Say whose recipe a network is trained with, line by line.

In: a captured submission. Out: the `RecipeReport` that every output shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from grader.analysis.curves import thinned
from grader.assignment import Assignment
from grader.judging import agreeing
from grader.program.recipe import Augmentation, Optimizer, Plateau, Recipe, Remark, Run
from grader.program.rehearsed import Fact, Rehearsed, SchedulerUse
from grader.report import Hint, RecipeFact, RecipeReport

MOST_SETTINGS = 6
_OTHER_WORDS = (
    "What the rehearsal wrote of this training in words is not what it handed over to be trained: "
    "the lines above are the grader's own, of what is trained"
)


def describe(recipe: Recipe, rehearsed: Rehearsed | None) -> RecipeReport:
    """The recipe that is trained, and what was understood of the student's own training."""
    known = rehearsed.training.facts if rehearsed and rehearsed.training else ()
    differences = recipe.remarks
    if recipe.origin == "rehearsed" and not agreeing.agree(known, recipe):
        known = ()
        differences += (Remark(text=_OTHER_WORDS),)
    elif recipe.origin == "rehearsed":
        known = tuple(_completed(known, recipe))
    return RecipeReport(
        origin=recipe.origin,
        facts=tuple(
            RecipeFact(name=fact.name, text=fact.text, line=fact.line)
            for fact in known or facts(recipe)
        ),
        obstacles=_hints(rehearsed.obstacles if rehearsed else ()),
        differences=_hints(differences),
        rates=thinned(tuple(rates(recipe))),
    )


def _completed(known: Iterable[Fact], recipe: Recipe) -> Iterator[Fact]:
    """What a rehearsal told of its training, and what only the whole recipe shows.

    One rehearsal does not show when results end a training, or change its rate.
    """
    for fact in known:
        if fact.name != "schedule":
            yield fact
            continue
        text = _plateau(recipe, recipe.plateau) if recipe.plateau else fact.text
        yield fact.model_copy(update={"text": text})
        for what, curve in _moving(recipe):
            yield Fact(name=what, text=curve, line=fact.line)
    yield from (fact for fact in facts(recipe) if fact.name == "stops")


def _moving(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What else than the learning rate moves while it trains: its name and its path."""
    settings = recipe.optimizer.groups[0].settings
    momentum = "beta1" if "betas" in settings else "momentum"
    schedule = recipe.schedule
    for what, curves in ((momentum, schedule.momentum), ("weight decay", schedule.weight_decay)):
        if curves and len({run.value for run in curves[0]}) > 1:
            yield what, _path(curves[0])


def _plateau(recipe: Recipe, rule: Plateau) -> str:
    rate = recipe.schedule.learning_rate[0][0].value
    epochs = f"{rule.patience + 1} epochs" if rule.patience else "an epoch"
    return (
        f"ReduceLROnPlateau: the rate begins at {rate:.3g}, and is multiplied by {rule.factor:g} "
        f"after {epochs} without improvement of the {_WATCHED[rule.monitor]}"
    )


def scheduler(
    recipe: Recipe, rehearsed: Rehearsed | None, assignment: Assignment
) -> SchedulerUse | None:
    """What sets the learning rate, where that is one scheduler made of plain arguments."""
    if recipe.origin == "rehearsed":
        use = rehearsed.training.scheduler if rehearsed and rehearsed.training else None
        from grader.judging import own_scheduler  # it loads torch

        return use if use is not None and own_scheduler.makes(recipe, use) else None
    choice = assignment.recipe.scheduler
    if recipe.origin == "convention" or choice is None:
        return None
    settings = dict(choice.settings)
    length = {"OneCycleLR": "total_steps", "CosineAnnealingLR": "T_max"}.get(choice.name)
    if length and length not in settings:
        settings[length] = recipe.steps if choice.interval == "step" else recipe.epochs
    rate = assignment.recipe.optimizer.settings.get("lr")
    return SchedulerUse.model_validate(
        {
            "name": choice.name,
            "settings": settings,
            "interval": choice.interval,
            "rates": () if rate is None else (rate,),
        }
    )


def trains_all(rehearsed: Rehearsed) -> bool:
    """Whether the training gave all weights of its network to the optimizer."""
    known = rehearsed.training.facts if rehearsed.training else ()
    return all(fact.text.startswith("all") for fact in known if fact.name == "weights")


def _hints(remarks: Iterable[Remark]) -> tuple[Hint, ...]:
    return tuple(Hint(text=remark.text, line=remark.line) for remark in remarks)


def rates(recipe: Recipe) -> Iterator[float]:
    """The learning rate of the first parameter group at the end of each epoch."""
    runs = iter(recipe.schedule.learning_rate[0])
    run, seen = next(runs), 0
    for epoch in range(1, recipe.epochs + 1):
        last = epoch * recipe.steps_per_epoch
        while seen + run.steps < last:
            seen += run.steps
            run = next(runs)
        yield run.value


def facts(recipe: Recipe) -> Iterator[Fact]:
    """The lines of a recipe: what it is, and the line of the file where that says so."""
    lines = recipe.lines
    images = f", {recipe.images:,} of the training images" if recipe.images else ""
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    yield Fact(
        name="epochs",
        text=f"{epochs} of {recipe.steps_per_epoch:,} steps{images}",
        line=lines.get("epochs"),
    )
    yield Fact(name="batch size", text=str(recipe.batch_size), line=lines.get("batch_size"))
    yield Fact(name="optimizer", text=_optimizer(recipe.optimizer), line=lines.get("optimizer"))
    yield Fact(name="learning rate", text=_schedule(recipe), line=lines.get("optimizer"))
    for what, curve in _moving(recipe):
        yield Fact(name=what, text=curve, line=lines.get("optimizer"))
    yield Fact(name="loss", text=_loss(recipe), line=lines.get("criterion"))
    transform = " → ".join(map(_augmentation, recipe.augmentations)) or "the images as they are"
    yield Fact(name="transform", text=transform[:1000], line=lines.get("train_transform"))
    if recipe.clip_norm or recipe.clip_value:
        text = f"norm {recipe.clip_norm:g}" if recipe.clip_norm else f"value {recipe.clip_value:g}"
        yield Fact(
            name="clipping", text=text, line=lines.get("clip_norm") or lines.get("clip_value")
        )
    if stops := list(_stops(recipe)):
        line = lines.get("stop_at_accuracy") or lines.get("patience")
        yield Fact(name="stops", text="; ".join(stops), line=line)


def _optimizer(optimizer: Optimizer) -> str:
    shown = []
    for group in optimizer.groups[:3]:
        settings = [
            f"{name} {value}" for name, value in group.settings.items() if value not in (0, False)
        ]
        shown.append(", ".join(settings[:MOST_SETTINGS]))
    groups = f" in {len(optimizer.groups)} groups" if len(optimizer.groups) > 1 else ""
    return f"{optimizer.name}{groups}: {' | '.join(shown)}".rstrip(": ")


def _schedule(recipe: Recipe) -> str:
    text = _path(recipe.schedule.learning_rate[0])
    if recipe.plateau:
        return _plateau(recipe, recipe.plateau)
    return f"{recipe.schedule.scheduler}: {text}" if recipe.schedule.scheduler else text


def _path(runs: tuple[Run, ...]) -> str:
    """The rate where it turns: "0.002 → 0.05 → 2e-07"; one number where it stays."""
    values = [run.value for run in runs]
    turns = [values[0]]
    for before, value, after in zip(values, values[1:], values[2:], strict=False):
        if (value - before) * (after - value) < 0:
            turns.append(value)
    if len(values) > 1:
        turns.append(values[-1])
    if len(turns) > 5:
        ends = f"{values[0]:.3g} → … → {values[-1]:.3g}"
        return f"{ends}, between {min(values):.3g} and {max(values):.3g}"
    return " → ".join(f"{value:.3g}" for value in turns)


_WATCHED = {
    "loss": "loss on held-back images",
    "accuracy": "accuracy on held-back images",
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
}


def _loss(recipe: Recipe) -> str:
    loss = recipe.loss
    parts = ["cross entropy" if loss.name == "cross_entropy" else "negative log-likelihood"]
    if loss.label_smoothing:
        parts.append(f"label smoothing {loss.label_smoothing:g}")
    if loss.reduction != "mean":
        parts.append("summed over a batch")
    if loss.weight:
        parts.append("with weights for the classes")
    for penalty in recipe.penalties:
        parts.append(
            f"+ {penalty.factor:g} × {penalty.kind.upper()} of {len(penalty.parameters)} weights"
        )
    return ", ".join(parts)


def _augmentation(step: Augmentation) -> str:
    shown = [
        f"{name}={_value(value)}" for name, value in step.settings.items() if value is not None
    ]
    inner = f"[{', '.join(item.name for item in step.inner)}]" if step.inner else ""
    return f"{step.name}{inner}({', '.join(shown[:3])})" if shown else f"{step.name}{inner}"


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(str, value))})"
    return str(value)


def _stops(recipe: Recipe) -> Iterator[str]:
    if recipe.stop_at_accuracy is not None:
        times = f", {recipe.stop_after} epochs in a row" if recipe.stop_after > 1 else ""
        yield f"at {100 * recipe.stop_at_accuracy:g} % {_WATCHED[recipe.stop_monitor]}{times}"
    if recipe.patience is not None:
        what = _WATCHED[recipe.patience.monitor]
        least = recipe.patience.threshold
        by = f" by more than {least:g}" if least else ""
        epochs = "an epoch" if recipe.patience.epochs == 1 else f"{recipe.patience.epochs} epochs"
        yield f"after {epochs} without improvement of the {what}{by}"
