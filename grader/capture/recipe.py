"""Read the recipe of a student's file as data: optimizer, schedule, loss, augmentations, sizes.

In: the file's definitions, a built model, and the assignment's default recipe. Out: a `Recipe`.
Runs in the child.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from grader.capture import horizon, penalties, stops, unread
from grader.capture.graph import plain_name
from grader.capture.load import Definitions
from grader.capture.plan import Plan, make_plan
from grader.capture.schedule import record_schedule
from grader.capture.settings import Asker, positive, short, truth, whole_number, whole_or_none
from grader.errors import SubmissionError, in_words
from grader.program.recipe import Augmentation, Loss, Optimizer, OptimizerGroup, Recipe

_NOT_SETTINGS = {"params", "lr", "foreach", "fused", "capturable", "differentiable"}


def read(
    definitions: Definitions,
    model: nn.Module,
    *,
    default: Mapping[str, Any],
    train_images: int,
    validation_images: int = 0,
    most_steps: int,
    most_epochs: int | None = None,
    natural_loss: str,
    default_only: bool = False,
) -> Recipe:
    """The Recipe for training `model` on `train_images` images, or fewer if it follows a metric.

    `validation_images` of them are then held back: a plateau rule, patience and a stop at an
    accuracy are told about these. `default` is the assignment's `[recipe]` table; `natural_loss`
    ("cross_entropy" or "nll") fits the model's output and is used where the file names no
    criterion. With `default_only` the file is not asked at all. What is not read, and what does not
    fit, becomes a note of the definitions. Raises SubmissionError naming the setting that cannot be
    used.
    """
    methods = {} if default_only else _methods(model)
    ask = Asker(definitions, default, [], methods=methods, default_only=default_only)
    if not default_only:  # else a rehearsal has said why the file's own cannot be used
        definitions.notes += unread.notes(definitions, method=bool(methods))
    epochs = whole_number(ask, "EPOCHS", "epochs", most=most_steps, shown=most_epochs)
    shares = _Shares(ask, train_images)
    stopping = stops.read(ask)
    _check_steps(ask, epochs, shares, most_steps)
    fewer = train_images - validation_images
    plan, steps = _plan(ask, model, epochs, shares, fewer=fewer, stops=stopping.follow_metric)
    groups = _groups(plan.optimizer, model, ask.line("configure_optimizers"))
    curves, plateau = record_schedule(
        plan, epochs=epochs, steps=steps, line=ask.line("configure_optimizers")
    )
    if about_length := horizon.note(plan, curves, epochs=epochs, steps=steps):
        definitions.notes.append(about_length)
    trained = [name for group in groups for name in group.parameters]
    return Recipe(
        epochs=epochs,
        batch_size=shares.batch_size,
        steps_per_epoch=steps,
        optimizer=Optimizer.model_validate(
            {"name": type(plan.optimizer).__name__, "groups": groups}
        ),
        schedule=curves,
        plateau=plateau,
        loss=_loss(ask, natural_loss),
        augmentations=_augmentations(ask),
        images=shares.images,
        drop_last=shares.drop_last,
        penalties=penalties.read(ask, trained, _names(model).values()),
        patience=stopping.patience,
        clip_norm=positive(ask, "GRADIENT_CLIP_NORM", "clip_norm"),
        clip_value=positive(ask, "GRADIENT_CLIP_VALUE", "clip_value"),
        stop_at_accuracy=stopping.stop_at_accuracy,
        stop_after=stopping.stop_after,
        stop_monitor=stopping.stop_monitor,
        origin="convention" if ask.found else "assignment",
        defaults=tuple(key for key in ask.missing if default.get(key) is not None),
        lines=ask.found,
    )


class _Shares:
    """How the images are dealt out: how many of them, in batches of which size."""

    def __init__(self, ask: Asker, train_images: int) -> None:
        self._ask = ask
        self.train_images = train_images
        images = whole_or_none(ask, "TRAIN_IMAGES", "images", most=train_images)
        self.images = None if images == train_images else images
        self.batch_size = whole_number(ask, "BATCH_SIZE", "batch_size", most=train_images)
        self.drop_last = truth(ask, "DROP_LAST", "drop_last")

    def steps(self, available: int) -> int:
        """Of an epoch, where so many training images are there. Raises SubmissionError."""
        images = min(self.images or available, available)
        if not self.drop_last:
            return math.ceil(images / self.batch_size)
        if images < self.batch_size:
            raise SubmissionError(
                f"DROP_LAST leaves out the last batch of an epoch where it is smaller than the "
                f"others, and {images:,} images in batches of {self.batch_size:,} have no other: "
                "nothing would be trained. Write DROP_LAST = False, or a smaller BATCH_SIZE.",
                line=self._ask.line("DROP_LAST"),
            )
        return images // self.batch_size


def _check_steps(ask: Asker, epochs: int, shares: _Shares, most: int) -> None:
    steps = epochs * shares.steps(shares.train_images)
    if steps > most:
        raise SubmissionError(
            f"EPOCHS = {epochs} with BATCH_SIZE = {shares.batch_size} is {steps:,} steps of "
            f"training; the grader runs at most {most:,}. Train for fewer epochs or with larger "
            "batches.",
            line=ask.line("EPOCHS") or ask.line("BATCH_SIZE"),
        )


def _methods(model: nn.Module) -> dict[str, tuple[Any, int]]:
    """The network's own configure_optimizers, as in Lightning, and its line."""
    name = "configure_optimizers"
    code = getattr(getattr(type(model), name, None), "__code__", None)
    return {name: (getattr(model, name), code.co_firstlineno)} if code else {}


def _plan(
    ask: Asker, model: nn.Module, epochs: int, shares: _Shares, *, fewer: int, stops: bool
) -> tuple[Plan, int]:
    """The plan, and the steps of an epoch: of `fewer` images where training follows a metric.

    Whether it has one is in the plan, which may depend on the steps: it is then made again for
    those that are taken.
    """
    if not stops:
        steps = shares.steps(shares.train_images)
        plan = make_plan(ask, model, steps=steps, epochs=epochs)
        if not plan.follows_metric or steps == shares.steps(fewer):
            return plan, steps
    steps = shares.steps(fewer)
    return make_plan(ask, model, steps=steps, epochs=epochs), steps


def _groups(
    optimizer: torch.optim.Optimizer, model: nn.Module, line: int | None
) -> tuple[OptimizerGroup, ...]:
    names = _names(model)
    # In the signature's order: a set's order, and so the analysis, would differ from run to run.
    parameters = inspect.signature(type(optimizer)).parameters
    known = [name for name in parameters if name not in _NOT_SETTINGS]
    groups = []
    for group in optimizer.param_groups:
        strangers = [parameter for parameter in group["params"] if id(parameter) not in names]
        if strangers:
            raise SubmissionError(
                f"The optimizer trains a tensor of shape {tuple(strangers[0].shape)} that is not "
                "a parameter of the network. Register it: assign an nn.Parameter in __init__, or "
                "use nn.ParameterList.",
                line=line,
            )
        settings = {key: _plain(key, group[key], line) for key in known if key in group}
        groups.append(
            OptimizerGroup(
                parameters=tuple(names[id(item)] for item in group["params"]), settings=settings
            )
        )
    return tuple(groups)


def _names(model: nn.Module) -> dict[int, str]:
    return {id(parameter): plain_name(name) for name, parameter in model.named_parameters()}


def _plain(key: str, value: Any, line: int | None) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.item()
    if isinstance(value, (tuple, list)):
        return tuple(float(item) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        raise SubmissionError(
            f"The optimizer's {key} is {value}; it must be a finite number.", line=line
        )
    return value


_LOSSES: dict[Any, str] = {
    **dict.fromkeys(
        ["cross_entropy", nn.CrossEntropyLoss, functional.cross_entropy], "cross_entropy"
    ),
    **dict.fromkeys(["nll", nn.NLLLoss, functional.nll_loss], "nll"),
}


def _loss(ask: Asker, natural: str) -> Loss:
    criterion = ask("criterion", "criterion")
    if isinstance(criterion, type) and issubclass(criterion, nn.CrossEntropyLoss | nn.NLLLoss):
        criterion = criterion()
    if criterion == "auto":
        criterion = natural
    key = criterion if isinstance(criterion, Hashable) else None
    name = _LOSSES.get(key) or _LOSSES.get(type(criterion))
    if name is None:
        raise SubmissionError(
            f"criterion is {short(criterion)}. The grader trains with nn.CrossEntropyLoss or "
            "nn.NLLLoss (reduction 'mean' or 'sum', label_smoothing and weight as you like), or "
            "F.cross_entropy or F.nll_loss.",
            line=ask.line("criterion"),
        )
    _possible(criterion, ask.line("criterion"))
    try:
        return Loss.model_validate({"name": name, **_options(criterion)})
    except ValidationError as error:
        first = error.errors()[0]
        raise SubmissionError(
            f"criterion is {short(criterion)}, whose {first['loc'][0]} cannot be used: "
            f"{in_words(first)}.",
            line=ask.line("criterion"),
        ) from error


def _possible(criterion: Any, line: int | None) -> None:
    """Refuse what PyTorch refuses, or what does not exist here."""
    weight = getattr(criterion, "weight", None)
    if isinstance(weight, Tensor) and weight.ndim != 1:
        raise SubmissionError(
            f"criterion has weights of shape {list(weight.shape)}: write one number for each "
            "class, in a row, such as torch.ones(10).",
            line=line,
        )
    if getattr(criterion, "ignore_index", -100) >= 0:
        raise SubmissionError(
            f"criterion leaves out class {criterion.ignore_index} (ignore_index), and every class "
            "counts here: leave ignore_index out.",
            line=line,
        )


def _options(criterion: Any) -> dict[str, Any]:
    if not isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss):
        return {}
    options = {
        name: getattr(criterion, name)
        for name in ("reduction", "label_smoothing")
        if hasattr(criterion, name)
    }
    return options | {"weight": None if criterion.weight is None else criterion.weight.tolist()}


def _of_training(ask: Asker, transforms: Mapping[Any, Any]) -> Any:
    """The transform of training images, out of a dictionary of several."""
    for key in transforms:
        if "train" in str(key).lower():
            others = ", ".join(short(other) for other in transforms if other != key)
            ask.definitions.notes.append(
                f"train_transform (line {ask.line('train_transform')}) is a dictionary: its "
                f"{short(key)} is used, and {others or 'nothing'} is left out"
            )
            return transforms[key]
    raise SubmissionError(
        f"train_transform is a dictionary with the keys {', '.join(map(short, transforms))}, and "
        'none of them is "train". Assign the transform of training images itself.',
        line=ask.line("train_transform"),
    )


def _augmentations(ask: Asker) -> tuple[Augmentation, ...]:
    transform = ask("train_transform", "train_transform")
    if isinstance(transform, dict) and transform:
        transform = _of_training(ask, transform)
    if not transform:
        return ()
    # torchvision takes seconds to import, and not every file has a transform
    from grader.capture.transforms import describe, made

    if isinstance(transform, list) and isinstance(transform[0], dict):
        transform = [made(item["name"], item["settings"]) for item in transform]
    try:
        return describe(transform)
    except SubmissionError as error:
        raise SubmissionError(
            error.message, line=error.line or ask.line("train_transform")
        ) from error
