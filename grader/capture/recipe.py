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

from grader.capture import horizon, unread
from grader.capture.graph import plain_name
from grader.capture.load import Definitions
from grader.capture.plan import Plan, make_plan
from grader.capture.schedule import record_schedule
from grader.capture.settings import Asker, fraction, positive, short, whole_number
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

    `validation_images` of them are then held back: a plateau rule, and a stop at an accuracy, are
    told about these. `default` is the assignment's `[recipe]` table; `natural_loss`
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
    batch_size = whole_number(ask, "BATCH_SIZE", "batch_size", most=train_images)
    steps = math.ceil(train_images / batch_size)
    if epochs * steps > most_steps:
        raise SubmissionError(
            f"EPOCHS = {epochs} with BATCH_SIZE = {batch_size} is {epochs * steps:,} steps of "
            f"training; the grader runs at most {most_steps:,}. Train for fewer epochs or with "
            "larger batches.",
            line=ask.line("EPOCHS") or ask.line("BATCH_SIZE"),
        )
    stop_at_accuracy = fraction(ask, "STOP_AT_ACCURACY", "stop_at_accuracy")
    fewer = math.ceil((train_images - validation_images) / batch_size)
    plan, steps = _plan(
        ask, model, epochs, steps=steps, fewer=fewer, stops=stop_at_accuracy is not None
    )
    groups = _groups(plan.optimizer, model, ask.line("configure_optimizers"))
    curves, plateau = record_schedule(
        plan, epochs=epochs, steps=steps, line=ask.line("configure_optimizers")
    )
    if about_length := horizon.note(plan, curves, epochs=epochs, steps=steps):
        definitions.notes.append(about_length)
    loss = _loss(ask, natural_loss)
    augmentations = _augmentations(ask)
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        steps_per_epoch=steps,
        optimizer=Optimizer.model_validate(
            {"name": type(plan.optimizer).__name__, "groups": groups}
        ),
        schedule=curves,
        plateau=plateau,
        loss=loss,
        augmentations=augmentations,
        clip_norm=positive(ask, "GRADIENT_CLIP_NORM", "clip_norm"),
        clip_value=positive(ask, "GRADIENT_CLIP_VALUE", "clip_value"),
        stop_at_accuracy=stop_at_accuracy,
        origin="convention" if ask.found else "assignment",
        defaults=tuple(key for key in ask.missing if default.get(key) is not None),
        lines=ask.found,
    )


def _methods(model: nn.Module) -> dict[str, tuple[Any, int]]:
    """The network's own configure_optimizers, as in Lightning, and its line."""
    name = "configure_optimizers"
    code = getattr(getattr(type(model), name, None), "__code__", None)
    return {name: (getattr(model, name), code.co_firstlineno)} if code else {}


def _plan(
    ask: Asker, model: nn.Module, epochs: int, *, steps: int, fewer: int, stops: bool
) -> tuple[Plan, int]:
    """The plan, and the steps of an epoch: `steps`, or `fewer` where training follows a metric.

    Whether it has one is in the plan, which may depend on the steps: it is then made again for
    those that are taken.
    """
    if not stops:
        plan = make_plan(ask, model, steps=steps, epochs=epochs)
        if steps == fewer or not plan.follows_metric:
            return plan, steps
    return make_plan(ask, model, steps=fewer, epochs=epochs), fewer


def _groups(
    optimizer: torch.optim.Optimizer, model: nn.Module, line: int | None
) -> tuple[OptimizerGroup, ...]:
    names = {id(parameter): plain_name(name) for name, parameter in model.named_parameters()}
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
