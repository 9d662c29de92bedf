"""A recipe as settings that a file can hold: the convention, ready to paste.

In: a Recipe, and the scheduler that made its learning rate, where one is known. Out: Python source
that the grader reads as the same recipe. What the convention has no name for stands in a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from grader.program.recipe import Augmentation, Optimizer, Recipe, Run
from grader.program.rehearsed import SchedulerUse

MOST_RATES = 400
"""Rates that are written one by one."""


def written(recipe: Recipe, scheduler: SchedulerUse | None = None) -> str:
    """The source, with its imports."""
    optimizer = "\n".join(_configure(recipe, scheduler))
    settings = "\n".join(_settings(recipe))
    head = "import torch\nfrom torch import nn\n"
    if recipe.augmentations:
        head += "from torchvision import transforms\n"
    return f"{head}\n{settings}\n\n\n{optimizer}\n"


def _settings(recipe: Recipe) -> Iterator[str]:
    yield f"EPOCHS = {recipe.epochs}"
    yield f"BATCH_SIZE = {recipe.batch_size}"
    if recipe.augmentations:
        steps = "".join(f"    {_made(step)},\n" for step in recipe.augmentations)
        yield f"train_transform = transforms.Compose([\n{steps}])"
    yield f"criterion = {_loss(recipe)}"
    for name, value in (
        ("GRADIENT_CLIP_NORM", recipe.clip_norm),
        ("GRADIENT_CLIP_VALUE", recipe.clip_value),
        ("STOP_AT_ACCURACY", recipe.stop_at_accuracy),
    ):
        if value is not None:
            yield f"{name} = {value!r}"
    yield from (f"# not part of the convention: {text}" for text in _without_a_name(recipe))


def _without_a_name(recipe: Recipe) -> Iterator[str]:
    if recipe.images is not None:
        yield f"trained on {recipe.images:,} of the images"
    if recipe.drop_last:
        yield "the last, smaller batch of an epoch is left out"
    for penalty in recipe.penalties:
        yield f"{penalty.factor!r} times the {penalty.kind} of {len(penalty.parameters)} weights"
    if recipe.patience is not None:
        monitor = recipe.patience.monitor
        least = recipe.patience.threshold
        by = f" by more than {least:g}" if least else ""
        yield f"stops after {recipe.patience.epochs} epochs without improvement of {monitor}{by}"
    if recipe.stop_after > 1:
        yield f"stops after {recipe.stop_after} epochs in a row at that accuracy"


def _loss(recipe: Recipe) -> str:
    loss = recipe.loss
    arguments = []
    if loss.label_smoothing:
        arguments.append(f"label_smoothing={loss.label_smoothing!r}")
    if loss.reduction != "mean":
        arguments.append(f"reduction={loss.reduction!r}")
    if loss.weight is not None:
        arguments.append(f"weight=torch.tensor({list(loss.weight)})")
    name = "CrossEntropyLoss" if loss.name == "cross_entropy" else "NLLLoss"
    return f"nn.{name}({', '.join(arguments)})"


def _made(step: Augmentation) -> str:
    arguments = [
        f"{name}={_value(value)}" for name, value in step.settings.items() if value is not None
    ]
    if step.inner:
        inner = ", ".join(map(_made, step.inner))
        arguments.insert(0, f"[{inner}]")
    return f"transforms.{step.name}({', '.join(arguments)})"


def _value(value: object) -> str:
    if isinstance(value, list):
        value = tuple(value)
    return repr(value)


def _configure(recipe: Recipe, scheduler: SchedulerUse | None) -> Iterator[str]:
    yield "def configure_optimizers(model, steps_per_epoch, epochs):"
    rates = [runs[0].value for runs in recipe.schedule.learning_rate]
    if scheduler is not None and len(scheduler.rates) == len(rates):
        rates = list(scheduler.rates)
    yield from _optimizer(recipe.optimizer, rates)
    if recipe.plateau is not None:
        yield from _plateau(recipe)
    elif scheduler is not None:
        settings = ", ".join(f"{name}={value!r}" for name, value in scheduler.settings.items())
        yield f"    scheduler = torch.optim.lr_scheduler.{scheduler.name}(optimizer, {settings})"
        yield from _returned(scheduler.interval)
    elif all(len(runs) == 1 for runs in recipe.schedule.learning_rate):
        yield "    return optimizer"
    else:
        yield from _table(recipe)


def _optimizer(optimizer: Optimizer, rates: list[float]) -> Iterator[str]:
    if len(optimizer.groups) == 1:
        settings = {"lr": rates[0], **optimizer.groups[0].settings}
        yield f"    optimizer = torch.optim.{optimizer.name}("
        yield f"        model.parameters(), {_keywords(settings)}"
        yield "    )"
        return
    yield "    named = dict(model.named_parameters())"
    yield f"    optimizer = torch.optim.{optimizer.name}(["
    for group, rate in zip(optimizer.groups, rates, strict=True):
        weights = ", ".join(f'named["{name}"]' for name in group.parameters)
        yield f"        dict(params=[{weights}], {_keywords({'lr': rate, **group.settings})}),"
    yield "    ])"


def _keywords(settings: Mapping[str, object]) -> str:
    """Those that are not what torch takes when nothing is said."""
    said = {name: value for name, value in settings.items() if value not in (0, False, None)}
    return ", ".join(f"{name}={value!r}" for name, value in (said or settings).items())


def _plateau(recipe: Recipe) -> Iterator[str]:
    rule = recipe.plateau
    assert rule is not None
    names = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    settings = _keywords({name: getattr(rule, name) for name in names})
    yield "    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau("
    yield f"        optimizer, {settings}, min_lr={list(rule.min_lr)}"
    yield "    )"
    yield (
        '    return {"optimizer": optimizer, "lr_scheduler": '
        f'{{"scheduler": scheduler, "monitor": "{rule.monitor}"}}}}'
    )


def _returned(interval: str) -> Iterator[str]:
    yield (
        '    return {"optimizer": optimizer, "lr_scheduler": '
        f'{{"scheduler": scheduler, "interval": "{interval}"}}}}'
    )


def _table(recipe: Recipe) -> Iterator[str]:
    """The rates themselves: by epoch where they move between epochs only, else by step."""
    curves = recipe.schedule.learning_rate
    length = recipe.steps_per_epoch
    by_epoch = all(run.steps % length == 0 for runs in curves for run in runs)
    unit = length if by_epoch else 1
    if sum(len(runs) for runs in curves) > MOST_RATES:
        yield "    # The learning rate moves at every step, by a rule of your own: write that here"
        yield "    # as a scheduler. Until then it stays as it begins."
        yield "    return optimizer"
        return
    yield "    rates = ["
    for runs in curves:
        yield f"        {' + '.join(_run(run, unit) for run in runs)},"
    yield "    ]"
    yield "    scheduler = torch.optim.lr_scheduler.LambdaLR("
    yield "        optimizer,"
    yield "        [lambda at, own=own: own[min(at, len(own) - 1)] / own[0] for own in rates],"
    yield "    )"
    yield from _returned("epoch" if by_epoch else "step")


def _run(run: Run, unit: int) -> str:
    return f"[{run.value!r}] * {run.steps // unit}"
