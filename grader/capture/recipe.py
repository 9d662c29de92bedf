"""Read the training recipe of a student's file as data: optimizer, schedule, loss, augmentations, sizes.

In: the file's definitions, a built model, and the assignment's default recipe. Out: a `Recipe`. Runs in the child.

The schedule is not interpreted: the student's own scheduler is stepped through the whole training, and what it sets is
written down. So OneCycleLR's momentum, warm-ups and lambdas are what they really are.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler

from grader.capture.graph import plain_name
from grader.capture.load import Definitions, Missing
from grader.errors import SubmissionError
from grader.program import Augmentation, Loss, Optimizer, OptimizerGroup, Plateau, Recipe, Run, Schedule

OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "NAdam", "RAdam", "Adagrad")
_NOT_SETTINGS = {"params", "lr", "foreach", "fused", "capturable", "differentiable"}
_PER_STEP = (lr_scheduler.OneCycleLR, lr_scheduler.CyclicLR)


@dataclass(frozen=True)
class _Plan:
    """What configure_optimizers returned, in one form. `interval` is "step" or "epoch"."""

    optimizer: torch.optim.Optimizer
    scheduler: Any = None
    interval: str = "epoch"
    monitor: str = "loss"


@dataclass(frozen=True)
class Asker:
    """Looks a setting up in the file, else in the assignment, and remembers which were missing."""

    definitions: Definitions
    default: Mapping[str, Any]
    missing: list[str]

    def __call__(self, name: str, key: str) -> Any:
        """The file's `name`, else the default's `key`."""
        value = self.definitions.names.get(name)
        if isinstance(value, Missing):
            raise SubmissionError(value.why, line=value.line)
        if value is None:
            self.missing.append(key)
            return self.default.get(key)
        return value

    def line(self, name: str) -> int | None:
        """Where the file defines `name`."""
        return self.definitions.lines.get(name)


def read(
    definitions: Definitions,
    model: nn.Module,
    *,
    default: Mapping[str, Any],
    train_images: int,
    most_steps: int,
    natural_loss: str,
) -> Recipe:
    """The Recipe for training `model` on `train_images` images.

    `default` is the assignment's `[recipe]` table; `natural_loss` ("cross_entropy" or "nll") fits the model's output
    and is used where the file names no criterion. Raises SubmissionError naming the setting that cannot be used.
    """
    ask = Asker(definitions, default, [])
    epochs = _whole_number(ask, "EPOCHS", "epochs", most=most_steps)
    batch_size = _whole_number(ask, "BATCH_SIZE", "batch_size", most=train_images)
    steps = math.ceil(train_images / batch_size)
    if epochs * steps > most_steps:
        raise SubmissionError(
            f"EPOCHS = {epochs} with BATCH_SIZE = {batch_size} is {epochs * steps:,} steps of training; the grader "
            f"runs at most {most_steps:,}. Train for fewer epochs or with larger batches.",
            line=ask.line("EPOCHS"),
        )
    plan = _plan(ask, model, steps, epochs)
    groups = _groups(plan.optimizer, model, ask.line("configure_optimizers"))
    schedule, plateau = _schedule(plan, epochs, steps, ask.line("configure_optimizers"))
    loss = _loss(ask, natural_loss)
    augmentations = _augmentations(ask)
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        steps_per_epoch=steps,
        optimizer=Optimizer.model_validate({"name": type(plan.optimizer).__name__, "groups": groups}),
        schedule=schedule,
        plateau=plateau,
        loss=loss,
        augmentations=augmentations,
        clip_norm=_positive(ask, "GRADIENT_CLIP_NORM", "clip_norm"),
        clip_value=_positive(ask, "GRADIENT_CLIP_VALUE", "clip_value"),
        stop_at_accuracy=_fraction(ask, "STOP_AT_ACCURACY", "stop_at_accuracy"),
        defaults=tuple(key for key in ask.missing if default.get(key) is not None),
    )


def _whole_number(ask: Asker, name: str, key: str, *, most: int) -> int:
    value = ask(name, key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SubmissionError(
            f"{name} is {_short(value)}; it must be a whole number from 1 to {most:,}.", line=ask.line(name)
        )
    return value


def _positive(ask: Asker, name: str, key: str) -> float | None:
    value = ask(name, key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise SubmissionError(f"{name} is {_short(value)}; it must be a number above 0.", line=ask.line(name))
    return float(value)


def _fraction(ask: Asker, name: str, key: str) -> float | None:
    value = _positive(ask, name, key)
    if value is not None and value > 1:
        raise SubmissionError(
            f"{name} is {value}; accuracy is a share from 0 to 1, so 99.4 % is 0.994.", line=ask.line(name)
        )
    return value


def _short(value: Any) -> str:
    try:
        return repr(value)[:80]
    except Exception:  # a hostile __repr__ must not hide the setting's name
        return f"a {type(value).__name__}"


def _plan(ask: Asker, model: nn.Module, steps: int, epochs: int) -> _Plan:
    configure = ask("configure_optimizers", "optimizer")
    line = ask.line("configure_optimizers")
    if not callable(configure):
        return _default_plan(ask.default, model, steps, epochs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = _call(configure, model, steps, epochs)
    plan = _understood(answer, epochs, line)
    if type(plan.optimizer) not in [getattr(torch.optim, name) for name in OPTIMIZERS]:
        raise SubmissionError(
            f"configure_optimizers uses the optimizer {type(plan.optimizer).__name__}. The grader trains with "
            f"torch.optim's {', '.join(OPTIMIZERS)}: use one of these.",
            line=line,
        )
    return plan


def _call(configure: Callable[..., Any], model: nn.Module, steps: int, epochs: int) -> Any:
    """Call with as many of (model, steps_per_epoch, epochs) as the function takes: by name, else in this order."""
    offered = {"model": model, "steps_per_epoch": steps, "epochs": epochs}
    names = list(inspect.signature(configure).parameters)
    if set(names) <= offered.keys():
        return configure(**{name: offered[name] for name in names})
    return configure(*list(offered.values())[: len(names)])


def _understood(answer: Any, epochs: int, line: int | None) -> _Plan:
    """Lightning's forms: an optimizer; (optimizer, scheduler); lists of one each; a dictionary."""
    if isinstance(answer, torch.optim.Optimizer):
        return _Plan(answer)
    if isinstance(answer, dict) and isinstance(answer.get("optimizer"), torch.optim.Optimizer):
        return _scheduled(answer["optimizer"], answer.get("lr_scheduler"), epochs, line)
    if isinstance(answer, (tuple, list)) and len(answer) == 2:
        optimizer, scheduler = (item[0] if isinstance(item, (tuple, list)) and item else item for item in answer)
        if isinstance(optimizer, torch.optim.Optimizer):
            return _scheduled(optimizer, scheduler, epochs, line)
    raise SubmissionError(
        f"configure_optimizers returns {_short(answer)}. Return an optimizer, (optimizer, scheduler), or "
        '{"optimizer": ..., "lr_scheduler": {"scheduler": ..., "interval": "step"}}.',
        line=line,
    )


def _scheduled(optimizer: torch.optim.Optimizer, scheduler: Any, epochs: int, line: int | None) -> _Plan:
    options: Mapping[str, Any] = scheduler if isinstance(scheduler, dict) else {"scheduler": scheduler}
    inner = options.get("scheduler")
    interval = options.get("interval") or _natural_interval(inner, epochs)
    if interval not in ("step", "epoch"):
        raise SubmissionError(
            f'configure_optimizers gives the scheduler the interval {_short(interval)}; write "step" or "epoch".',
            line=line,
        )
    return _Plan(optimizer, inner, interval, str(options.get("monitor") or "loss"))


def _natural_interval(scheduler: Any, epochs: int) -> str:
    """OneCycleLR and CyclicLR are made for steps, unless their length is the number of epochs; the rest for epochs."""
    if not isinstance(scheduler, _PER_STEP):
        return "epoch"
    return "epoch" if getattr(scheduler, "total_steps", None) == epochs else "step"


def _default_plan(default: Mapping[str, Any], model: nn.Module, steps: int, epochs: int) -> _Plan:
    kind = default["optimizer"]
    optimizer = getattr(torch.optim, kind["name"])(model.parameters(), **kind["settings"])
    wanted = default.get("scheduler")
    if not wanted:
        return _Plan(optimizer)
    length = epochs * steps if wanted["interval"] == "step" else epochs
    lengths = {"OneCycleLR": {"total_steps": length}, "CosineAnnealingLR": {"T_max": length}}
    settings = lengths.get(wanted["name"], {}) | wanted["settings"]
    scheduler = getattr(lr_scheduler, wanted["name"])(optimizer, **settings)
    return _Plan(optimizer, scheduler, wanted["interval"])


def _groups(optimizer: torch.optim.Optimizer, model: nn.Module, line: int | None) -> tuple[OptimizerGroup, ...]:
    names = {id(parameter): plain_name(name) for name, parameter in model.named_parameters()}
    known = inspect.signature(type(optimizer)).parameters.keys() - _NOT_SETTINGS
    groups = []
    for group in optimizer.param_groups:
        strangers = [parameter for parameter in group["params"] if id(parameter) not in names]
        if strangers:
            raise SubmissionError(
                f"The optimizer trains a tensor of shape {tuple(strangers[0].shape)} that is no parameter of the "
                "network. Register it: assign an nn.Parameter in __init__, or use nn.ParameterList.",
                line=line,
            )
        settings = {key: _plain(key, group[key], line) for key in known if key in group}
        groups.append(OptimizerGroup(parameters=tuple(names[id(item)] for item in group["params"]), settings=settings))
    return tuple(groups)


def _plain(key: str, value: Any, line: int | None) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.item()
    if isinstance(value, (tuple, list)):
        return tuple(float(item) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        raise SubmissionError(f"The optimizer's {key} is {value}; it must be a finite number.", line=line)
    return value


def _schedule(plan: _Plan, epochs: int, steps: int, line: int | None) -> tuple[Schedule, Plateau | None]:
    if isinstance(plan.scheduler, lr_scheduler.ReduceLROnPlateau):
        rates, momenta = _record(plan.optimizer, None, "epoch", epochs, steps, line)
        return Schedule(scheduler="ReduceLROnPlateau", learning_rate=rates, momentum=momenta), _plateau(plan)
    if plan.scheduler is not None and not isinstance(plan.scheduler, lr_scheduler.LRScheduler):
        raise SubmissionError(
            f"configure_optimizers returns {_short(plan.scheduler)} as its scheduler. "
            "Use one of torch.optim.lr_scheduler.",
            line=line,
        )
    name = type(plan.scheduler).__name__ if plan.scheduler is not None else None
    rates, momenta = _record(plan.optimizer, plan.scheduler, plan.interval, epochs, steps, line)
    return Schedule(scheduler=name, learning_rate=rates, momentum=momenta), None


Curves = tuple[tuple[Run, ...], ...]


def _record(
    optimizer: torch.optim.Optimizer, scheduler: Any, interval: str, epochs: int, steps: int, line: int | None
) -> tuple[Curves, Curves]:
    """Step the scheduler through all of training and write down what each step would use."""
    rates: list[list[float]] = [[] for _ in optimizer.param_groups]
    momenta: list[list[float]] = [[] for _ in optimizer.param_groups]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no step of the optimizer is taken here, which schedulers warn about
        for epoch in range(epochs):
            for step in range(steps):
                for group, rate, momentum in zip(optimizer.param_groups, rates, momenta, strict=True):
                    rate.append(float(group["lr"]))
                    momentum.append(_momentum(group))
                last = epoch == epochs - 1 and step == steps - 1
                if scheduler is not None and not last and (interval == "step" or step == steps - 1):
                    _advance(scheduler, epoch * steps + step + 1, line)
    if not all(math.isfinite(value) and value >= 0 for curve in rates for value in curve):
        raise SubmissionError("The learning rate becomes negative or no number during training.", line=line)
    has_momentum = any(not math.isnan(value) for curve in momenta for value in curve)
    return _runs(rates), _runs(momenta) if has_momentum else ()


def _advance(scheduler: Any, step: int, line: int | None) -> None:
    try:
        scheduler.step()
    except Exception as error:
        raise SubmissionError(
            f"The scheduler fails after step {step}: {str(error).splitlines()[0][:200]}. Make it as long as the "
            "training: steps_per_epoch * epochs steps, or set its interval.",
            line=line,
        ) from error


def _momentum(group: Mapping[str, Any]) -> float:
    if "betas" in group:
        return float(group["betas"][0])
    return float(group.get("momentum", math.nan))


def _runs(curves: Iterable[list[float]]) -> Curves:
    return tuple(tuple(_encode(curve)) for curve in curves)


def _encode(curve: list[float]) -> Iterable[Run]:
    start = 0
    for index in range(1, len(curve) + 1):
        if index == len(curve) or curve[index] != curve[start]:
            yield Run(value=curve[start], steps=index - start)
            start = index


def _plateau(plan: _Plan) -> Plateau:
    scheduler = plan.scheduler
    return Plateau(
        monitor="accuracy" if "acc" in plan.monitor else "loss",
        mode=scheduler.mode,
        factor=scheduler.factor,
        patience=scheduler.patience,
        threshold=scheduler.threshold,
        threshold_mode=scheduler.threshold_mode,
        cooldown=scheduler.cooldown,
        min_lr=tuple(float(rate) for rate in scheduler.min_lrs),
        eps=scheduler.eps,
    )


_FUNCTIONS = {functional.cross_entropy: "cross_entropy", functional.nll_loss: "nll"}


def _loss(ask: Asker, natural: str) -> Loss:
    criterion = ask("criterion", "criterion")
    if isinstance(criterion, str):
        return Loss.model_validate({"name": natural if criterion == "auto" else criterion})
    if criterion in (nn.CrossEntropyLoss, nn.NLLLoss):
        criterion = criterion()
    if callable(criterion) and criterion in _FUNCTIONS:
        return Loss.model_validate({"name": _FUNCTIONS[criterion]})
    if type(criterion) not in (nn.CrossEntropyLoss, nn.NLLLoss) or criterion.reduction not in ("mean", "sum"):
        raise SubmissionError(
            f"criterion is {_short(criterion)}. The grader trains with nn.CrossEntropyLoss or nn.NLLLoss (reduction "
            "'mean' or 'sum', label_smoothing and weight as you like), or F.cross_entropy or F.nll_loss.",
            line=ask.line("criterion"),
        )
    weight = criterion.weight
    return Loss(
        name="cross_entropy" if isinstance(criterion, nn.CrossEntropyLoss) else "nll",
        label_smoothing=getattr(criterion, "label_smoothing", 0.0),
        reduction=criterion.reduction,
        weight=None if weight is None else tuple(float(item) for item in weight),
    )


def _augmentations(ask: Asker) -> tuple[Augmentation, ...]:
    transform = ask("train_transform", "train_transform")
    if not transform:
        return ()
    # torchvision takes seconds to import, and not every file has a transform
    from torchvision import transforms

    from grader.capture.transforms import describe

    if isinstance(transform, list) and isinstance(transform[0], dict):
        transform = transforms.Compose([getattr(transforms, item["name"])(**item["settings"]) for item in transform])
    try:
        return describe(transform)
    except SubmissionError as error:
        raise SubmissionError(error.message, line=error.line or ask.line("train_transform")) from error
