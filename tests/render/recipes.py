"""Recipes of every kind, drawn by hypothesis: what the grader may be asked to train."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from hypothesis import strategies as st
from torchvision import transforms
from torchvision.transforms import v2

from grader.capture.transforms import describe
from grader.program.recipe import (
    Loss,
    Optimizer,
    OptimizerGroup,
    Patience,
    Penalty,
    Plateau,
    Recipe,
    Run,
    Schedule,
)
from grader.training.choices import OPTIMIZERS

IMAGES, HELD_BACK = 50, 10
NEAREST, BICUBIC = transforms.InterpolationMode.NEAREST, transforms.InterpolationMode.BICUBIC
OPERATIONS = [
    transforms.ToTensor(),
    v2.ToImage(),
    v2.ToDtype(torch.float32, scale=True),
    transforms.PILToTensor(),
    transforms.ConvertImageDtype(torch.float32),
    transforms.Normalize((0.1307,), (0.3081,)),
    transforms.Grayscale(3),
    transforms.RandomRotation((-7, 9), fill=1),
    transforms.RandomRotation(5, interpolation=transforms.InterpolationMode.BILINEAR, expand=True),
    transforms.RandomAffine(0, translate=(0.1, 0.2), scale=(0.9, 1.1), shear=5),
    transforms.RandomAffine(3, shear=(1, 2, 3, 4), interpolation=NEAREST, center=(3, 4)),
    transforms.RandomPerspective(0.3, p=0.2),
    transforms.CenterCrop(22),
    transforms.Pad((1, 2, 3, 4), fill=0.5, padding_mode="constant"),
    transforms.RandomCrop(28, padding=2, padding_mode="reflect"),
    v2.RandomCrop(28, padding=(1, 2, 3, 4)),
    transforms.RandomHorizontalFlip(0.3),
    transforms.RandomVerticalFlip(),
    transforms.RandomErasing(value="random"),
    transforms.RandomErasing(0.2, scale=(0.02, 0.1), value=1),
    transforms.Resize(32),
    transforms.Resize((30, 31), interpolation=BICUBIC, antialias=None),
    transforms.RandomResizedCrop(28, scale=(0.8, 1.0)),
    transforms.ColorJitter(brightness=0.2, hue=0.1),
    transforms.GaussianBlur(3, sigma=(0.1, 2.0)),
    transforms.RandomAdjustSharpness(2),
    transforms.RandomAutocontrast(0.25),
    v2.RandomInvert(),
    transforms.RandomApply([transforms.RandomRotation(9), transforms.Pad(1)], p=0.3),
    transforms.RandomChoice([transforms.CenterCrop(28), transforms.Pad(2)], p=[0.25, 0.75]),
    transforms.RandomOrder([v2.ToImage(), transforms.Compose([transforms.Pad(1)] * 2)]),
]
RATES = st.floats(0, 10)
SHARES = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, 10, exclude_min=True)
FACTORS = st.floats(0, 1e6, exclude_min=True)
_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "betas": st.tuples(SHARES, SHARES),
    "alpha": SHARES,
    "rho": SHARES,
    "initial_accumulator_value": RATES,
    **dict.fromkeys(["eps", "weight_decay", "momentum_decay", "lr_decay", "dampening"], RATES),
    "momentum": st.one_of(st.just(0.0), SHARES),
    **dict.fromkeys(
        ["nesterov", "maximize", "amsgrad", "centered", "decoupled_weight_decay"], st.booleans()
    ),
}


@st.composite
def curves(draw: Any, first: list[float], values: st.SearchStrategy[float], *, steps: int) -> Any:
    """One for each of the `first` values, which it begins with."""
    found = []
    for start in first:
        ends = sorted(draw(st.sets(st.integers(1, steps - 1), max_size=6))) if steps > 1 else []
        runs: list[Run] = []
        for begin, end in zip([0, *ends], [*ends, steps], strict=True):
            value = draw(values) if begin else start
            if runs and runs[-1].value == value:
                runs[-1] = Run(value=value, steps=runs[-1].steps + end - begin)
            else:
                runs.append(Run(value=value, steps=end - begin))
        found.append(tuple(runs))
    return tuple(found)


@st.composite
def _optimizers(draw: Any, weights: tuple[str, ...]) -> Optimizer:
    name = draw(st.sampled_from(list(OPTIMIZERS)))
    known = [
        key
        for key in inspect.signature(getattr(torch.optim, name)).parameters
        if key in OPTIMIZERS[name]
    ]
    parts = [weights]
    if draw(st.booleans()):
        at = draw(st.integers(1, len(weights) - 1))
        parts = [weights[:at], weights[at:]]
        if draw(st.booleans()):
            parts = parts[1:]  # the others are not trained
    groups = []
    for part in parts:
        settings = {key: draw(_SETTINGS[key]) for key in known}
        if settings.get("nesterov"):
            settings |= {"momentum": 0.9, "dampening": 0.0}
        groups.append(OptimizerGroup(parameters=part, settings=settings))
    return Optimizer(name=name, groups=tuple(groups))


def _flat(values: list[float], steps: int) -> tuple[tuple[Run, ...], ...]:
    return tuple((Run(value=value, steps=steps),) for value in values)


@st.composite
def _schedules(draw: Any, optimizer: Optimizer, *, steps: int, flat: bool) -> Schedule:
    settings = [group.settings for group in optimizer.groups]
    rates = [draw(RATES) for _ in settings]
    momenta = [
        one["betas"][0] if "betas" in one else one["momentum"]
        for one in settings
        if "betas" in one or "momentum" in one
    ]
    if flat:
        return Schedule(learning_rate=_flat(rates, steps), momentum=_flat(momenta, steps))
    decays = draw(curves([one["weight_decay"] for one in settings], RATES, steps=steps))
    return Schedule(
        learning_rate=draw(curves(rates, RATES, steps=steps)),
        momentum=draw(curves(momenta, SHARES, steps=steps)),
        weight_decay=decays if any(len(runs) > 1 for runs in decays) else (),
    )


@st.composite
def _plateaus(draw: Any, groups: int) -> Plateau:
    monitor = draw(st.sampled_from(["loss", "accuracy", "train_loss"]))
    return Plateau(
        monitor=monitor,
        mode="max" if monitor == "accuracy" else "min",
        factor=draw(st.floats(0, 1, exclude_min=True, exclude_max=True)),
        patience=draw(st.integers(0, 20)),
        threshold=draw(RATES),
        threshold_mode=draw(st.sampled_from(["rel", "abs"])),
        cooldown=draw(st.integers(0, 5)),
        min_lr=tuple(draw(RATES) for _ in range(groups)),
        eps=draw(RATES),
    )


@st.composite
def _losses(draw: Any) -> Loss:
    name = draw(st.sampled_from(["cross_entropy", "nll"]))
    weights = st.tuples(st.floats(0, 9, width=32), st.floats(0, 9, width=32))
    return Loss(
        name=name,
        label_smoothing=draw(SHARES) if name == "cross_entropy" else 0.0,
        reduction=draw(st.sampled_from(["mean", "sum"])),
        weight=draw(st.none() | weights),
    )


@st.composite
def _penalties(draw: Any, weights: tuple[str, ...]) -> tuple[Penalty, ...]:
    """By kind and factor, as both readers give them; no weight has two of one kind."""
    found = []
    for kind in draw(st.sets(st.sampled_from(["l1", "l2", "norm"]))):
        of_factor: dict[float, list[str]] = {}
        every = draw(st.booleans())
        for name in weights if every else draw(st.lists(st.sampled_from(weights), unique=True)):
            factor = draw(FACTORS) if not every or not of_factor else next(iter(of_factor))
            of_factor.setdefault(factor, []).append(name)
        found += [
            Penalty(kind=kind, factor=factor, parameters=tuple(names))
            for factor, names in of_factor.items()
        ]
    return tuple(sorted(found, key=lambda penalty: (penalty.kind, penalty.factor)))


@st.composite
def recipes(draw: Any, weights: tuple[str, ...]) -> Recipe:
    """A recipe for a network with these weights and IMAGES images, of which HELD_BACK may be."""
    optimizer = draw(_optimizers(weights))
    plateau = draw(st.none() | _plateaus(len(optimizer.groups)))
    monitors = st.sampled_from(["loss", "accuracy", "train_loss", "train_accuracy"])
    patience = st.builds(Patience, monitor=monitors, epochs=st.integers(1, 9), threshold=RATES)
    images = draw(st.none() | st.integers(1, IMAGES - 1))
    steps = draw(st.lists(st.sampled_from(OPERATIONS), max_size=4))
    accuracy = draw(st.none() | st.floats(0, 1, exclude_min=True))
    told: dict[str, Any] = {
        "epochs": draw(st.integers(1, 5)),
        "batch_size": draw(st.integers(1, min(images or IMAGES, IMAGES - HELD_BACK))),
        "optimizer": optimizer,
        "plateau": plateau,
        "loss": draw(_losses()),
        "augmentations": describe(steps),
        "images": images,
        "drop_last": draw(st.booleans()),
        "penalties": draw(_penalties(weights)),
        "patience": draw(st.none() | patience),
        "clip_norm": draw(st.none() | FACTORS),
        "clip_value": draw(st.none() | FACTORS),
        "stop_at_accuracy": accuracy,
    }
    if accuracy is not None:
        told["stop_after"] = draw(st.integers(1, 5))
        told["stop_monitor"] = draw(st.sampled_from(["accuracy", "train_accuracy"]))
    empty = Schedule(learning_rate=())
    draft = Recipe(**told, steps_per_epoch=1, schedule=empty)
    length = draft.batches(IMAGES - HELD_BACK if draft.follows_metric else IMAGES)
    taken = length * draft.epochs
    schedule = draw(_schedules(optimizer, steps=taken, flat=plateau is not None))
    return draft.model_copy(update={"steps_per_epoch": length, "schedule": schedule})
