"""Call the student's configure_optimizers and understand its answer, in whatever form.

In: the file's definitions, a built model, the length of the training. Out: a `Plan`: one optimizer,
at most one scheduler, and how often that is stepped. Runs in the child.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from grader.capture.missing import MissingError
from grader.capture.settings import Asker, did_you_mean, short, watched
from grader.errors import SubmissionError
from grader.training.choices import OPTIMIZERS, SCHEDULERS

WITHOUT_DATA = (
    "configure_optimizers uses it. If it is the length of a data set or a loader, which are not "
    "there when a file is read, take it as an argument: "
    "configure_optimizers(model, steps_per_epoch, epochs)."
)
Monitor = Literal["loss", "accuracy", "train_loss"]
OPTIONS = ("interval", "frequency", "monitor")
WITHOUT_EFFECT = ("strict", "name", "reduce_on_plateau")
"""What Lightning understands besides, and what changes nothing here."""

_PER_STEP = (lr_scheduler.OneCycleLR, lr_scheduler.CyclicLR)


@dataclass(frozen=True)
class Plan:
    """What configure_optimizers returned, in one form.

    The scheduler steps after every `frequency` steps or epochs, as `interval` says.
    """

    optimizer: torch.optim.Optimizer
    scheduler: Any = None
    interval: str = "epoch"
    frequency: int = 1
    monitor: Monitor = "loss"

    @property
    def has_plateau_rule(self) -> bool:
        """Whether the learning rate depends on how training goes."""
        return isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau)

    @property
    def follows_metric(self) -> bool:
        """Whether it does so on images that the network is not trained on."""
        return self.has_plateau_rule and self.monitor != "train_loss"


def make_plan(ask: Asker, model: nn.Module, *, steps: int, epochs: int) -> Plan:
    """How `model` is trained for `epochs` epochs of `steps` steps.

    Raises SubmissionError that says what to return.
    """
    line = ask.line("configure_optimizers")
    if not any(True for _ in model.parameters()):
        raise SubmissionError(
            "The network has no parameters to train. Layers in a plain list are not found: use "
            "nn.ModuleList or nn.Sequential for layers, and nn.ParameterList for parameters."
        )
    configure = ask("configure_optimizers", "optimizer")
    if configure is ask.default.get("optimizer"):
        return _default_plan(ask.default, model, steps, epochs)
    if not callable(configure):
        raise SubmissionError(
            f"configure_optimizers is {short(configure)}; it must be a function "
            "configure_optimizers(model, steps_per_epoch, epochs) that returns the optimizer.",
            line=line,
        )
    with warnings.catch_warnings(), _without_verbose(ask.definitions.notes):
        warnings.simplefilter("ignore")
        try:
            answer = _call(configure, model, steps, epochs, line)
        except MissingError as error:
            raise SubmissionError(f"{error.message} {WITHOUT_DATA}", line=error.line) from error
    found = _understood(answer, steps, epochs, line)
    kind = type(found.optimizer)
    if kind not in [getattr(torch.optim, name) for name in OPTIMIZERS]:
        # A class of the file's own may do anything in its step, whatever it is derived from.
        own = "" if kind is getattr(torch.optim, kind.__name__, None) else ", which is not torch's"
        raise SubmissionError(
            f"configure_optimizers uses the optimizer {kind.__name__}{own}. The "
            f"grader trains with torch.optim's {', '.join(OPTIMIZERS)}: use one of these.",
            line=line,
        )
    _refuse_hooks(found.optimizer, line)
    return found


@contextmanager
def _without_verbose(notes: list[str]) -> Iterator[None]:
    """Inside, schedulers accept `verbose`, as they did until PyTorch 2.7: it only printed."""
    kinds = [kind for kind in vars(lr_scheduler).values() if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, lr_scheduler.LRScheduler)]
    originals = {kind: vars(kind)["__init__"] for kind in kinds if "__init__" in vars(kind)}
    for kind, original in originals.items():
        if "verbose" not in inspect.signature(original).parameters:
            kind.__init__ = _quiet(original, notes)  # type: ignore[misc] # put back below
    try:
        yield
    finally:
        for kind, original in originals.items():
            kind.__init__ = original  # type: ignore[misc] # as above


def _quiet(original: Callable[..., None], notes: list[str]) -> Callable[..., None]:
    @functools.wraps(original)
    def quiet(self: Any, *arguments: Any, **keywords: Any) -> None:
        if "verbose" in keywords:
            value = keywords.pop("verbose")
            note = f"verbose={value!r} of {type(self).__name__} is left out: PyTorch has removed it"
            if note not in notes:
                notes.append(note)
        original(self, *arguments, **keywords)

    return quiet


def _refuse_hooks(optimizer: torch.optim.Optimizer, line: int | None) -> None:
    """Functions that run at every step of the optimizer are code, which does not cross."""
    own = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
    everywhere = (_global_optimizer_pre_hooks, _global_optimizer_post_hooks)
    if any(own) or any(everywhere):
        raise SubmissionError(
            "configure_optimizers gives its optimizer a hook that runs at every step. The grader "
            "takes over the optimizer's numbers and steps it itself, so the hook would be lost: "
            "leave it out.",
            line=line,
        )


def _call(
    configure: Callable[..., Any], model: nn.Module, steps: int, epochs: int, line: int | None
) -> Any:
    """Call the function with what it asks for.

    Arguments are matched by the names that we know, then by what their names say, then in order.
    """
    offered = {"model": model, "steps_per_epoch": steps, "epochs": epochs}
    signature = inspect.signature(configure)
    asked = [item for item in signature.parameters.values() if item.kind not in _REST]
    needed = [
        item.name for item in asked if item.default is item.empty and item.name not in offered
    ]
    left = [name for name in offered if name not in signature.parameters]
    if len(needed) > len(left):
        everything = [item.name for item in asked if item.default is item.empty]
        raise SubmissionError(
            f"configure_optimizers needs {len(everything)} arguments ({', '.join(everything)}). "
            "The grader calls it with (model, steps_per_epoch, epochs): give the others a default.",
            line=line,
        )
    given = {name: offered[name] for name in signature.parameters if name in offered}
    meant = {name: meaning for name in needed if (meaning := _meaning(name)) in left}
    if len(set(meant.values())) < len(meant):
        meant = {}
    others = (name for name in left if name not in meant.values())
    given |= {name: offered[meant[name] if name in meant else next(others)] for name in needed}
    bound = signature.bind_partial()
    bound.arguments = {name: given[name] for name in signature.parameters if name in given}
    return configure(*bound.args, **bound.kwargs)


_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _meaning(name: str) -> str | None:
    """What an argument such as `num_epochs` or `steps` stands for."""
    if any(word in name.lower() for word in ("step", "batch", "iter")):
        return "steps_per_epoch"
    return "epochs" if "epoch" in name.lower() else None


def _understood(answer: Any, steps: int, epochs: int, line: int | None) -> Plan:
    """Lightning's forms: an optimizer; (optimizer, scheduler); lists of one each; a dictionary."""
    outer: dict[str, Any] = {}
    if isinstance(answer, dict):
        outer = _checked_keys(answer, ("optimizer", "lr_scheduler", *OPTIONS), line)
        optimizer, scheduler = outer.get("optimizer"), _single(outer.get("lr_scheduler"))
    elif isinstance(answer, (tuple, list)) and 1 <= len(answer) <= 2:
        optimizer, scheduler = (_single(item) for item in (*answer, None)[:2])
    else:
        optimizer, scheduler = answer, None
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise SubmissionError(
            f"configure_optimizers returns {short(answer)}. Return one optimizer, "
            "(optimizer, scheduler), or "
            '{"optimizer": ..., "lr_scheduler": {"scheduler": ..., "interval": "step"}}.',
            line=line,
        )
    inner = {"scheduler": scheduler}
    if isinstance(scheduler, dict):
        inner = _checked_keys(scheduler, ("scheduler", *OPTIONS), line)
    options = _merged(outer, inner, line)
    return _scheduled(optimizer, options, steps, epochs, line)


def _single(item: Any) -> Any:
    """The one element of a list, as Lightning allows it; longer lists stay, and are refused."""
    if isinstance(item, (tuple, list)):
        return item[0] if len(item) == 1 else item or None
    return item


def _checked_keys(
    given: Mapping[Any, Any], known: tuple[str, ...], line: int | None
) -> dict[str, Any]:
    """The dictionary under the names that we know: "scheduler" and "lr_scheduler" are the same."""
    same = {"scheduler": "lr_scheduler", "lr_scheduler": "scheduler"}
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in known else same.get(str(key), key)
        if name in found:
            raise SubmissionError(
                f"configure_optimizers returns both {same[name]} and {name}: write one.", line=line
            )
        if name in known:
            found[name] = value
        elif key not in WITHOUT_EFFECT:
            raise SubmissionError(
                f"configure_optimizers returns the key {short(key)}, which is not known and would "
                f"be lost; known: {', '.join(known)}.{did_you_mean(str(key), known)}",
                line=line,
            )
    return found


def _merged(
    outer: Mapping[str, Any], inner: Mapping[str, Any], line: int | None
) -> Mapping[str, Any]:
    """What the scheduler's own dictionary says, and the one around it."""
    for name in OPTIONS:
        if name in outer and name in inner and outer[name] != inner[name]:
            raise SubmissionError(
                f"configure_optimizers gives {name} twice, as {short(outer[name])} and as "
                f"{short(inner[name])}: write it once, beside the scheduler.",
                line=line,
            )
    return {**{name: outer[name] for name in OPTIONS if name in outer}, **inner}


def _scheduled(
    optimizer: torch.optim.Optimizer,
    options: Mapping[str, Any],
    steps: int,
    epochs: int,
    line: int | None,
) -> Plan:
    inner = options.get("scheduler")
    if inner is not None and not isinstance(inner, lr_scheduler.LRScheduler):
        raise SubmissionError(
            f"configure_optimizers returns {short(inner)} as its scheduler. Use one of "
            "torch.optim.lr_scheduler; SequentialLR and ChainedScheduler make one of several.",
            line=line,
        )
    if inner is not None and inner.optimizer is not optimizer:
        raise SubmissionError(
            "configure_optimizers returns a scheduler of another optimizer: make it with the one "
            "you return.",
            line=line,
        )
    interval = options.get("interval") or _natural_interval(inner, steps, epochs)
    if interval not in ("step", "epoch"):
        raise SubmissionError(
            f"configure_optimizers gives the scheduler the interval {short(interval)}; write "
            '"step" or "epoch".',
            line=line,
        )
    frequency = options.get("frequency")
    frequency = 1 if frequency is None else frequency
    if isinstance(frequency, bool) or not isinstance(frequency, int) or frequency < 1:
        raise SubmissionError(
            f"configure_optimizers gives the scheduler the frequency {short(frequency)}; it must "
            f"be a whole number of {interval}s, at least 1.",
            line=line,
        )
    if isinstance(inner, lr_scheduler.ReduceLROnPlateau):
        monitor = _monitored(inner, interval, frequency, options.get("monitor"), line)
        return Plan(optimizer, inner, "epoch", monitor=monitor)
    return Plan(optimizer, inner, interval, frequency)


def _monitored(
    scheduler: lr_scheduler.ReduceLROnPlateau,
    interval: str,
    frequency: int,
    monitor: Any,
    line: int | None,
) -> Monitor:
    """What the plateau rule looks at.

    Where the file does not say, a rule that waits for a maximum looks at accuracy.
    """
    if type(scheduler) is not lr_scheduler.ReduceLROnPlateau:
        raise SubmissionError(
            f"{type(scheduler).__name__} changes ReduceLROnPlateau, and the grader can follow "
            "PyTorch's own rule alone: use that.",
            line=line,
        )
    if interval != "epoch" or frequency != 1:
        raise SubmissionError(
            'ReduceLROnPlateau is stepped after every epoch here: write "interval": "epoch", '
            "without a frequency, or leave both out.",
            line=line,
        )
    natural: Monitor = "accuracy" if scheduler.mode == "max" else "loss"
    if monitor is None:
        return natural
    known = watched(monitor)
    if known is None or known == "train_accuracy":
        raise SubmissionError(
            f"ReduceLROnPlateau watches {short(monitor)}, which the grader does not have. It can "
            'watch "val_loss", "val_accuracy" or "train_loss".',
            line=line,
        )
    if natural != ("accuracy" if known == "accuracy" else "loss"):
        raise SubmissionError(
            f"ReduceLROnPlateau waits for the {scheduler.mode}imum of {short(monitor)}: write "
            "mode='max' for an accuracy and mode='min' for a loss.",
            line=line,
        )
    return "train_loss" if known == "train_loss" else natural


def _natural_interval(scheduler: Any, steps: int, epochs: int) -> str:
    """OneCycleLR and CyclicLR are made for steps, unless their length is the number of epochs.

    The rest are for epochs, unless they are planned for at least an epoch's steps, and for more
    than all epochs.
    """
    if isinstance(scheduler, _PER_STEP):
        return "epoch" if getattr(scheduler, "total_steps", None) == epochs else "step"
    return "step" if _length(scheduler) >= max(steps, epochs + 1) else "epoch"


def _length(scheduler: Any) -> float:
    """For how many of its own steps a scheduler is planned; 0 where it does not say.

    Of a scheduler that is made of several, the longest counts.
    """
    milestones = getattr(scheduler, "milestones", getattr(scheduler, "_milestones", ()))
    inner = getattr(scheduler, "_schedulers", ())
    own = [getattr(scheduler, name, 0) for name in ("T_max", "total_iters", "T_0", "step_size")]
    return float(max([*own, *milestones, *map(_length, inner)]))


def _default_plan(default: Mapping[str, Any], model: nn.Module, steps: int, epochs: int) -> Plan:
    kind = default["optimizer"]
    optimizer = getattr(torch.optim, kind["name"])(model.parameters(), **kind["settings"])
    wanted = default.get("scheduler")
    if not wanted:
        return Plan(optimizer)
    length = epochs * steps if wanted["interval"] == "step" else epochs
    length_setting = SCHEDULERS[wanted["name"]]
    given = {length_setting: length} if length_setting else {}
    settings = given | wanted["settings"]
    scheduler = getattr(lr_scheduler, wanted["name"])(optimizer, **settings)
    return Plan(optimizer, scheduler, wanted["interval"])
