"""What is expected of a recipe beside what was read: every field of it, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torchvision import transforms
from torchvision.transforms import v2

from grader.capture.transforms import describe
from grader.program.recipe import Recipe, Run
from tests.rehearsal import formulas
from tests.rehearsal.cases import Case

NAMES = {**vars(transforms), "v2": v2, "torch": torch}
CLOSE = 1e-9


def steps(case: Case, *, train_images: int, held_back: int) -> int:
    """Batches in an epoch: of all images, or without those that a metric needs."""
    asks = case["plateau"] or case["patience"] or case["stop"]
    watched = [(case[key] or {}).get("monitor", "") for key in ("plateau", "patience", "stop")]
    if not asks or any(name.startswith("train") for name in watched):
        held_back = 0
    images = case["images"] or train_images - held_back
    whole = images // case["batch"]
    return whole if case["drop_last"] else math.ceil(images / case["batch"])


def differences(case: Case, recipe: Recipe, *, steps_per_epoch: int) -> list[str]:
    """What of the recipe is not as expected, in words."""
    found = []
    expected = _plain_expected(case, steps_per_epoch)
    read = _plain_read(recipe)
    for name, value in expected.items():
        if read[name] != value:
            found.append(f"{name}: expected {value}, read {read[name]}")
    if not found:
        found += _curves(case, recipe)
    return found


def _plain_expected(case: Case, steps_per_epoch: int) -> dict[str, Any]:
    plateau, patience, stop = (case[key] or {} for key in ("plateau", "patience", "stop"))
    return {
        "epochs": case["epochs"],
        "batch_size": case["batch"],
        "steps_per_epoch": steps_per_epoch,
        "optimizer": [_optimizer(text) for text in _listed(case["optimizer"])],
        "loss": (case["loss"], case["label_smoothing"], case["reduction"]),
        "weight": case["weight"] and [float(value) for value in case["weight"]],
        "transform": transform(case["transform"]),
        "images": case["images"],
        "drop_last": case["drop_last"],
        "penalties": sorted(_penalty(text) for text in case["penalties"]),
        "clip": (case["clip_norm"], case["clip_value"]),
        "plateau": plateau and {"threshold": 1e-4, "min_lr": 0.0, **_without(plateau)},
        "patience": patience
        and (patience["monitor"], patience["epochs"], patience.get("threshold", 0.0)),
        "stop": stop and (stop["accuracy"], stop.get("after", 1), stop.get("monitor", "accuracy")),
    }


def _without(plateau: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plateau.items() if key != "threshold_mode"}


def _plain_read(recipe: Recipe) -> dict[str, Any]:
    plateau, patience = recipe.plateau, recipe.patience
    shown = None
    if plateau is not None:
        keys = ("monitor", "mode", "factor", "patience", "threshold")
        shown = {key: getattr(plateau, key) for key in keys}
        shown["min_lr"] = plateau.min_lr[0] if plateau.min_lr else 0.0
    stop = recipe.stop_at_accuracy
    loss = recipe.loss
    return {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "steps_per_epoch": recipe.steps_per_epoch,
        "optimizer": [
            _settings(recipe.optimizer.name, group.settings) for group in recipe.optimizer.groups
        ],
        "loss": (loss.name, loss.label_smoothing, loss.reduction),
        "weight": loss.weight and list(loss.weight),
        "transform": recipe.augmentations,
        "images": recipe.images,
        "drop_last": recipe.drop_last,
        "penalties": sorted((term.kind, term.factor) for term in recipe.penalties),
        "clip": (recipe.clip_norm, recipe.clip_value),
        "plateau": shown or {},
        "patience": ((patience.monitor, patience.epochs, patience.threshold) if patience else {}),
        "stop": (stop, recipe.stop_after, recipe.stop_monitor) if stop else {},
    }


def transform(text: str) -> Any:
    """The operations of an expression in torchvision's words, as the grader describes them."""
    return describe(eval(f"[{text}]", NAMES))


def _penalty(text: str) -> tuple[str, float]:
    kind, factor = text.split()
    return kind, float(factor)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _optimizer(text: str) -> Any:
    """A call of torch.optim as its name and all settings that matter, torch's defaults included."""
    name = text.partition("(")[0]
    made = eval(
        text.replace("(", "(PARAMETERS, lr=0.1, ", 1),
        {name: getattr(torch.optim, name), "PARAMETERS": [torch.zeros(1, requires_grad=True)]},
    )
    return _settings(name, made.param_groups[0])


_ASIDE = {
    *("params", "lr", "initial_lr", "foreach", "fused", "capturable", "differentiable"),
    *("momentum", "max_lr", "min_lr", "max_momentum", "base_momentum"),
}
"""What the schedule holds, and what no weight depends on."""


def _settings(name: str, settings: Any) -> tuple[str, dict[str, Any]]:
    kept = {key: value for key, value in settings.items() if key not in _ASIDE}
    if "betas" in kept:
        kept["betas"] = kept["betas"][1]  # the schedule has the first
    if name == "AdamW":
        kept.pop("decoupled_weight_decay", None)
    return name, {key: value for key, value in kept.items() if value is not None}


def spread(runs: Sequence[Run]) -> list[float]:
    """The value in each step."""
    found: list[float] = []
    for run in runs:
        found += [run.value] * run.steps
    return found


def _curves(case: Case, recipe: Recipe) -> list[str]:
    found, schedule = [], recipe.schedule
    formulas_of = {"learning_rate": case["lr"], "momentum": _momentum(case)}
    if case["weight_decay"] is not None:
        formulas_of["weight_decay"] = case["weight_decay"]
    elif schedule.weight_decay:
        found.append("the weight decay moves")
    for name, texts in formulas_of.items():
        read = getattr(schedule, name)
        for number, text in enumerate(_listed(texts)):
            values = formulas.values(text, epochs=recipe.epochs, steps=recipe.steps_per_epoch)
            curve = spread(read[number]) if number < len(read) else [0.0] * len(values)
            found += _first_difference(f"{name}[{number}]", values, curve)
    return found


def _momentum(case: Case) -> Any:
    if case["momentum"] is not None:
        return case["momentum"]
    found = []
    for text in _listed(case["optimizer"]):
        name = text.partition("(")[0]
        made = eval(
            text.replace("(", "(PARAMETERS, lr=0.1, ", 1),
            {name: getattr(torch.optim, name), "PARAMETERS": [torch.zeros(1, requires_grad=True)]},
        )
        group = made.param_groups[0]
        found.append(str(group["betas"][0] if "betas" in group else group.get("momentum", 0.0)))
    return found


def _first_difference(name: str, expected: list[float], read: list[float]) -> list[str]:
    if len(expected) != len(read):
        return [f"{name}: {len(read)} steps, expected {len(expected)}"]
    for step, (one, other) in enumerate(zip(expected, read, strict=True)):
        if not math.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-12):
            return [f"{name}: {other} in step {step}, expected {one}"]
    return []
