"""A recipe as settings that a file can hold: the convention, ready to paste.

In: a Recipe, and the scheduler that made its learning rate, where one is known. Out: Python source
that the grader reads as the same recipe. What the convention has no name for stands in a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from grader.program.recipe import Augmentation, Optimizer, Recipe, Run
from grader.program.rehearsed import SchedulerUse, TrainedNetwork

MOST_RATES = 400
"""Rates that are written one by one."""
_MOVES_MOMENTUM = {"OneCycleLR", "CyclicLR"}
_ZERO_BY_DEFAULT = {
    *("momentum", "dampening", "nesterov", "maximize", "amsgrad", "centered", "lr_decay"),
    *("initial_accumulator_value", "decoupled_weight_decay", "cooldown"),
}
"""Settings of optimizers and of ReduceLROnPlateau that need not be written where they are 0."""
_NEW_IN_V2 = {"ToImage", "ToDtype"}


def written(
    recipe: Recipe,
    scheduler: SchedulerUse | None = None,
    *,
    network: TrainedNetwork | None = None,
    trains_all: bool = True,
) -> str:
    """The source, with its imports.

    `network` is the one that was trained, where that is known; `trains_all` is False where some of
    its weights are kept from the optimizer.
    """
    optimizer = "\n".join(_configure(recipe, scheduler, trains_all=trains_all))
    settings = "\n".join([*_network(network), *_settings(recipe, scheduler)])
    head = "import torch\nfrom torch import nn\n"
    if recipe.augmentations:
        head += "from torchvision import transforms\n"
    if "v2." in settings:
        head += "from torchvision.transforms import v2\n"
    return f"{head}\n{settings}\n\n\n{optimizer}\n"


def _network(network: TrainedNetwork | None) -> Iterator[str]:
    """Which class is graded, and what it is made with."""
    if network is None or not network.name.isidentifier():
        return
    arguments = [repr(value) for value in network.arguments]
    arguments += [f"{name}={value!r}" for name, value in network.keywords.items()]
    if not network.whole:
        yield f"# not part of the convention: the arguments that {network.name} is made with"
    if arguments and network.whole:
        yield f"def build_model():\n    return {network.name}({', '.join(arguments)})\n\n"
    else:
        yield f"MODEL = {network.name}"


def _settings(recipe: Recipe, scheduler: SchedulerUse | None) -> Iterator[str]:
    yield f"EPOCHS = {recipe.epochs}"
    yield f"BATCH_SIZE = {recipe.batch_size}"
    if recipe.augmentations:
        steps = "".join(f"    {_made(step)},\n" for step in recipe.augmentations)
        yield f"train_transform = transforms.Compose([\n{steps}])"
    else:
        yield "train_transform = []"
    yield f"criterion = {_loss(recipe)}"
    stop = recipe.stop_at_accuracy if recipe.stop_monitor == "accuracy" else None
    for name, value in (
        ("GRADIENT_CLIP_NORM", recipe.clip_norm),
        ("GRADIENT_CLIP_VALUE", recipe.clip_value),
        ("STOP_AT_ACCURACY", stop),
    ):
        if value is not None:
            yield f"{name} = {value!r}"
    unnamed = [*_without_a_name(recipe), *_moving(recipe, scheduler)]
    yield from (f"# not part of the convention: {text}" for text in unnamed)


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
    if recipe.stop_at_accuracy is not None and recipe.stop_monitor == "train_accuracy":
        yield f"stops at {100 * recipe.stop_at_accuracy:g} % accuracy on training images"
    if recipe.stop_after > 1:
        yield f"stops after {recipe.stop_after} epochs in a row at that accuracy"


def _moving(recipe: Recipe, scheduler: SchedulerUse | None) -> Iterator[str]:
    """What else than the learning rate moves, and no scheduler that is written moves it."""
    moving = {"weight decay": recipe.schedule.weight_decay}
    if scheduler is None or scheduler.name not in _MOVES_MOMENTUM:
        moving["momentum"] = recipe.schedule.momentum
    for what, curves in moving.items():
        if any(len(curve) > 1 for curve in curves):
            ends = f"{curves[0][0].value:g} to {curves[0][-1].value:g}"
            yield f"the {what} moves while it trains, from {ends}"


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
        f"{name}={_value(name, value)}"
        for name, value in step.settings.items()
        if value is not None
    ]
    if step.inner:
        inner = ", ".join(map(_made, step.inner))
        arguments.insert(0, f"[{inner}]")
    module = "v2" if step.name in _NEW_IN_V2 else "transforms"
    return f"{module}.{step.name}({', '.join(arguments)})"


def _value(name: str, value: object) -> str:
    if name == "dtype":
        return f"torch.{value}"
    if name == "interpolation" and isinstance(value, str):
        return f"transforms.InterpolationMode.{value.upper()}"
    if isinstance(value, list):
        value = tuple(value)
    return repr(value)


def _configure(
    recipe: Recipe, scheduler: SchedulerUse | None, *, trains_all: bool
) -> Iterator[str]:
    yield "def configure_optimizers(model, steps_per_epoch, epochs):"
    curves = recipe.schedule.learning_rate
    rates = [runs[0].value for runs in curves]
    if recipe.plateau is not None:
        scheduler = None  # the rule is written instead
    if scheduler is not None and len(scheduler.rates) == len(rates):
        rates = list(scheduler.rates)
    in_table = scheduler is None and _fits_in_a_table(recipe)
    if in_table:  # in shares of the largest: the first may be 0
        rates = list(map(_largest, curves))
    yield from _optimizer(recipe.optimizer, rates, trains_all=trains_all)
    if recipe.plateau is not None:
        yield from _plateau(recipe)
    elif scheduler is not None:
        arguments = "".join(f", {item}" for item in _arguments(recipe, scheduler))
        yield f"    scheduler = torch.optim.lr_scheduler.{scheduler.name}(optimizer{arguments})"
        yield from _returned(scheduler.interval)
    elif in_table:
        yield from _table(recipe)
    else:
        if any(len(runs) > 1 for runs in curves):
            yield "    # The learning rate moves at every step, by a rule of your own: write that"
            yield "    # here as a scheduler. Until then it stays as it begins."
        yield "    return optimizer"


def _largest(runs: tuple[Run, ...]) -> float:
    return max(run.value for run in runs)


def _fits_in_a_table(recipe: Recipe) -> bool:
    curves = recipe.schedule.learning_rate
    moves = any(len(runs) > 1 for runs in curves)
    for runs in curves:
        if _largest(runs) <= 0:  # there are no shares of 0
            return False
    return moves and sum(len(runs) for runs in curves) <= MOST_RATES


def _arguments(recipe: Recipe, scheduler: SchedulerUse) -> Iterator[str]:
    """A cycle as long as the training is written so: it then fits whatever is changed later."""
    lengths: dict[str, tuple[int, str]] = {}
    if scheduler.name == "OneCycleLR" and scheduler.interval == "step":
        lengths = {
            "total_steps": (recipe.steps, "epochs * steps_per_epoch"),
            "epochs": (recipe.epochs, "epochs"),
            "steps_per_epoch": (recipe.steps_per_epoch, "steps_per_epoch"),
        }
    for name, value in scheduler.settings.items():
        number, words = lengths.get(name, (None, ""))
        yield f"{name}={words if value == number else repr(value)}"


def _optimizer(optimizer: Optimizer, rates: list[float], *, trains_all: bool) -> Iterator[str]:
    if len(optimizer.groups) == 1 and trains_all:
        one = {"lr": rates[0], **optimizer.groups[0].settings}
        yield f"    optimizer = torch.optim.{optimizer.name}("
        yield f"        model.parameters(), {_keywords(one, optimizer.name)}"
        yield "    )"
        return
    yield "    named = dict(model.named_parameters())"
    yield f"    optimizer = torch.optim.{optimizer.name}(["
    for group, rate in zip(optimizer.groups, rates, strict=True):
        weights = ", ".join(f'named["{name}"]' for name in group.parameters)
        settings = _keywords({"lr": rate, **group.settings}, optimizer.name)
        yield f"        dict(params=[{weights}], {settings}),"
    yield "    ])"


def _keywords(settings: Mapping[str, object], optimizer: str = "") -> str:
    """Those that are not what torch takes when nothing is said."""
    return ", ".join(
        f"{name}={value!r}"
        for name, value in settings.items()
        if value is not None and (value or not _is_zero_by_default(name, optimizer))
    )


def _is_zero_by_default(name: str, optimizer: str) -> bool:
    return name in _ZERO_BY_DEFAULT or (name == "weight_decay" and optimizer != "AdamW")


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
    yield "    rates = ["
    for runs in curves:
        yield f"        {' + '.join(_run(run, unit) for run in runs)},"
    yield "    ]"
    yield "    scheduler = torch.optim.lr_scheduler.LambdaLR("
    yield "        optimizer,"
    yield "        [lambda at, own=own: own[min(at, len(own) - 1)] / max(own) for own in rates],"
    yield "    )"
    yield from _returned("epoch" if by_epoch else "step")


def _run(run: Run, unit: int) -> str:
    return f"[{run.value!r}] * {run.steps // unit}"
