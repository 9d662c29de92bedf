"""Read a torchvision transform as data: which operations, with which settings.

In: the student's `train_transform`, made of objects of torchvision.transforms or its v2. Out:
`Augmentation`s in one canonical form for both. Runs in the child, reads attributes by name and
needs no import of torchvision. The grader believes none of it: whoever applies an Augmentation
checks it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from grader.errors import SubmissionError
from grader.program.recipe import Augmentation
from grader.training.augment.transform import CONTAINERS, DEEPEST_NESTING, MOST_OPERATIONS, find
from grader.training.choices import TRANSFORMS

READABLE = {*CONTAINERS, "Sequential"}
"""Containers that a file may use: nn.Sequential is torchvision's Compose by another name."""

_OTHERS = {"albumentations", "imgaug", "kornia", "monai", "torchio"}
"""Packages of transforms that have classes of the same names."""

PIL_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def made(name: str, settings: Mapping[str, Any]) -> Any:
    """The torchvision transform that an assignment names: version 1's, or one new in version 2."""
    # torchvision takes seconds to import, and not every file has a transform.
    from torchvision import transforms
    from torchvision.transforms import v2

    kind = getattr(transforms, name, None) or getattr(v2, name)
    values = dict(settings)
    if "dtype" in values:
        values["dtype"] = getattr(torch, values["dtype"])
    return kind(**values)


def describe(transform: Any) -> tuple[Augmentation, ...]:
    """The operations of `transform`, in order.

    It is a Compose (of v1 or v2), a Sequential, a list or one operation.

    Raises SubmissionError for anything but torchvision's own operations in `TRANSFORMS` and its
    containers.
    """
    described = tuple(_flat(transform, DEEPEST_NESTING))
    if _count(described) > MOST_OPERATIONS:
        raise SubmissionError(
            f"train_transform has {_count(described)} operations; the grader trains with at most "
            f"{MOST_OPERATIONS}."
        )
    return described


def _flat(transform: Any, depth: int) -> Iterable[Augmentation]:
    if depth == 0:
        raise SubmissionError(
            f"train_transform nests containers more than {DEEPEST_NESTING} deep: write it flatter."
        )
    if transform is None:
        return
    if isinstance(transform, list | tuple):
        parts = transform
    elif _name(transform) == "Compose":
        parts = _read(transform, "transforms")
    elif _name(transform) == "Sequential":
        parts = list(transform)
    else:
        yield _one(transform, depth)
        return
    for part in parts:
        yield from _flat(part, depth - 1)


def _one(transform: Any, depth: int) -> Augmentation:
    name = _name(transform)
    if name == "RandomApply":
        inner = tuple(_flat(list(_read(transform, "transforms")), depth - 1))
        return Augmentation(name=name, settings={"p": _plain(_read(transform, "p"))}, inner=inner)
    if name in ("RandomChoice", "RandomOrder"):
        branches = tuple(_branch(part, depth - 1) for part in _read(transform, "transforms"))
        weights = {"p": _weights(transform, len(branches))} if name == "RandomChoice" else {}
        return Augmentation(name=name, settings=weights, inner=branches)
    settings: dict[str, Any] = {}
    for setting, field in find(name).model_fields.items():
        own = field.is_required()  # the others are the grader's way to say what the class means
        settings[setting] = _setting(transform, name, setting) if own else field.default
    return Augmentation(name=name, settings=settings)


def _branch(transform: Any, depth: int) -> Augmentation:
    parts = tuple(_flat(transform, depth))
    return parts[0] if len(parts) == 1 else Augmentation(name="Compose", inner=parts)


def _weights(transform: Any, count: int) -> Any:
    weights = _read(transform, "p")
    return [1.0] * count if weights is None else _plain(weights)


def _name(transform: Any) -> str:
    """The class name of a torchvision transform or nn.Sequential.

    Raises SubmissionError for anything else.
    """
    kind = type(transform)
    name, module = kind.__name__, kind.__module__
    if module.startswith("torchvision.transforms") and (name in TRANSFORMS or name in READABLE):
        return name
    if module.startswith("torch.nn.") and name == "Sequential":
        return name
    if isinstance(transform, type):
        raise SubmissionError(
            f"train_transform holds the class {transform.__name__}, not a transform made of it: "
            f"write {transform.__name__}(), with parentheses."
        )
    shown = getattr(transform, "__name__", name)
    package = module.partition(".")[0]
    if package in _OTHERS:
        shown = f"{package}'s {shown}"
    raise SubmissionError(
        f"train_transform uses {shown}, which the grader cannot train with. Augmentations run as "
        "data inside the grader, not as your code, so only torchvision's own transforms of this "
        f"list can be used: {', '.join(sorted((*TRANSFORMS, *READABLE)))}."
    )


def _read(transform: Any, attribute: str) -> Any:
    try:
        return getattr(transform, attribute)
    except AttributeError as error:
        raise SubmissionError(
            f"train_transform has a {type(transform).__name__} without {attribute}: create it as "
            "torchvision documents it, and leave its attributes alone."
        ) from error


def _setting(transform: Any, name: str, setting: str) -> Any:
    value = _read(transform, setting)
    # Version 2 keeps RandomCrop's padding as (left, right, top, bottom), unlike all other paddings.
    if (
        (name, setting) == ("RandomCrop", "padding")
        and ".v2" in type(transform).__module__
        and value is not None
    ):
        left, right, top, bottom = value
        return _plain((left, top, right, bottom))
    if (name, setting) == ("RandomErasing", "value") and value is None:
        return "random"
    if (name, setting) == ("Resize", "size") and isinstance(value, int):
        return [value]
    return _CANONICAL.get(setting, _plain)(value)


def _plain(value: Any) -> Any:
    """JSON: numbers, strings, None and lists; tensors and arrays too become numbers and lists."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise SubmissionError(
        f"train_transform has a setting of type {type(value).__name__}; the grader can read "
        "numbers, strings and lists."
    )


def _interpolation(value: Any) -> Any:
    """A name, from version 1's enum, version 2's string or Pillow's integer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return PIL_FILTERS.get(value, str(value))
    return _plain(getattr(value, "value", value))


def _padding(value: Any) -> Any:
    """[left, top, right, bottom], from one number, two (left and right, top and bottom) or four."""
    if value is None:
        return None
    sides = [value] if isinstance(value, int) else list(value)
    if len(sides) in (1, 2):
        sides *= 4 // len(sides)
    return _plain(sides)


def _dtype(value: Any) -> str:
    return str(value).removeprefix("torch.")


def _one_or_list(value: Any) -> Any:
    plain = _plain(value)
    return plain if isinstance(plain, list) else [plain]


def _single(value: Any) -> Any:
    plain = _plain(value)
    return plain[0] if isinstance(plain, list) and len(plain) == 1 else plain


_CANONICAL: dict[str, Callable[[Any], Any]] = {
    "interpolation": _interpolation,
    "padding": _padding,
    "dtype": _dtype,
    "mean": _one_or_list,
    "std": _one_or_list,
    "fill": _single,
    "value": _single,
}


def _count(described: tuple[Augmentation, ...]) -> int:
    return sum(1 + _count(item.inner) for item in described)
