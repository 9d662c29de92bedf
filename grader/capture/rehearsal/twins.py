"""Stand in for albumentations: what equals operations of torchvision does them, the rest is named.

In: the calls of a file, as they are written. Out: torchvision's operations, or a SubmissionError
that names what equals none. Runs in the child, where albumentations is not.

A worked example: `Compose([PadIfNeeded(32, 32, border_mode=cv2.BORDER_CONSTANT, value=0),
HorizontalFlip(p=0.3), Normalize(0.13, 0.31), ToTensorV2()])` on 28 x 28 pixels is `Pad(2)`,
`RandomHorizontalFlip(0.3)`, `ToTensor()`, `Normalize(0.13, 0.31)`.

The versions of albumentations differ, and a file does not say which one it had. So only that counts
as equal which is so in all of them: no default that has changed (the border of PadIfNeeded), no
setting that later versions ignore (max_holes), no draw that was mended (RandomCrop never reached
the last row in older ones).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision import transforms

from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule
from grader.errors import SubmissionError

MOST_HOLES = 8
SIZE = (28, 28)

_is_strict = False
"""Whether what equals nothing raises an error; else images only become tensors in its place."""

_WRITE = {
    "Rotate": "RandomRotation",
    "SafeRotate": "RandomRotation",
    "RandomRotate90": "RandomChoice of RandomRotation((90, 90)) and so on",
    "ShiftScaleRotate": "RandomAffine",
    "Affine": "RandomAffine",
    "Perspective": "RandomPerspective",
    "RandomCrop": "RandomCrop",
    "CenterCrop": "CenterCrop",
    "RandomResizedCrop": "RandomResizedCrop",
    "Resize": "Resize",
    "PadIfNeeded": "Pad, or RandomCrop with padding",
    "CoarseDropout": "RandomErasing",
    "Cutout": "RandomErasing",
    "GaussianBlur": "GaussianBlur",
    "RandomBrightnessContrast": "ColorJitter(brightness=..., contrast=...)",
    "ColorJitter": "ColorJitter",
    "Sharpen": "RandomAdjustSharpness",
    "OneOf": "RandomChoice",
    "Normalize": "ToTensor() and Normalize",
}
_INTERPOLATES = "its pixels are interpolated in another way"
_WHY = {
    "Rotate": f"{_INTERPOLATES}, and corners are mirrored unless border_mode says otherwise",
    "ShiftScaleRotate": f"{_INTERPOLATES}, and borders are mirrored in some versions",
    "Affine": _INTERPOLATES,
    "Perspective": _INTERPOLATES,
    "Resize": _INTERPOLATES,
    "RandomResizedCrop": _INTERPOLATES,
    "RandomCrop": "in older versions it never reaches the last row and column",
    "GaussianBlur": "its kernel is drawn in another way",
    "GaussNoise": "the grader has no noise",
    "RandomBrightnessContrast": "it adds to the pixels where torchvision multiplies",
    "ColorJitter": "it rounds and orders its changes in another way",
}


class Operation:
    """One of albumentations', with the settings that it was given."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.args, self.settings = args, settings
        self.line = sys._getframe(1).f_lineno

    def __call__(self, *_: Any, image: Any = None, **others: Any) -> dict[str, Any]:
        """The image as torchvision's twins change it, and all else as it is."""
        return {**others, "image": _applied(self, image)}


class Module(AbsorbedModule):
    """albumentations, and every module in it: each name that begins with a capital is a class."""

    def __getattr__(self, name: str) -> Any:
        if not name[0].isupper():
            is_module = name in ("pytorch", "augmentations", "core", "transforms")
            return self if is_module else super().__getattr__(name)
        known = _classes.get(name)
        if known is None:
            known = _classes[name] = type(name, (Operation,), {"__module__": "albumentations"})
        return known


_classes: dict[str, type[Operation]] = {}


def module(name: str) -> Module:
    """The stand-in for a module of albumentations."""
    found = Module(name)
    found.__path__ = []
    return found


@contextmanager
def refused() -> Iterator[None]:
    """Within this, what equals nothing raises SubmissionError."""
    global _is_strict
    _is_strict = True
    try:
        yield
    finally:
        _is_strict = False


@dataclass(slots=True)
class _Frame:
    """What an image is, between two operations: its size; whether it is a tensor, and in what."""

    height: int
    width: int
    is_tensor: bool = False
    is_normal: bool = False
    is_done: bool = False

    def tensor(self) -> list[Any]:
        """What makes it a tensor of fractions, unless it is one."""
        was, self.is_tensor = self.is_tensor, True
        return [] if was else [transforms.ToTensor()]


def steps(operation: Operation, size: Sequence[int] = SIZE) -> list[Any]:
    """Torchvision's operations that equal it, on grey images. Raises SubmissionError."""
    frame = _Frame(size[0], size[1])
    found = _steps(operation, frame)
    if frame.is_tensor and not frame.is_normal:
        raise _error(operation, "its images are left in whole numbers, without Normalize")
    return found


def _steps(operation: Operation, frame: _Frame) -> list[Any]:
    name = type(operation).__name__
    twin = _TWINS.get(name)
    if twin is None:
        raise _error(operation, _WHY.get(name, "the grader has no operation like it"))
    if frame.is_done:
        raise _error(operation, "it comes after ToTensorV2")
    if len(operation.args) > _POSITIONAL.get(name, 0):
        raise _error(operation, "a setting without a name means something else in other versions")
    return twin(operation, frame)


def _error(operation: Operation, why: str) -> SubmissionError:
    name = type(operation).__name__
    write = f". Write it with torchvision.transforms: {_WRITE[name]}" if name in _WRITE else ""
    end = write or ". Leave it out, or use one of torchvision.transforms"
    return SubmissionError(
        f"albumentations' {name} equals no operation of torchvision here: {why}{end}",
        line=operation.line,
    )


def _applied(operation: Operation, image: Any) -> Any:
    pixels = np.asarray(image)
    try:
        if pixels.dtype != np.uint8 or pixels.shape[2:] not in ((), (1,)):
            raise _error(operation, "its images are not grey ones in whole numbers from 0 to 255")
        found = steps(operation, pixels.shape[:2])
    except SubmissionError:
        if _is_strict:
            raise
        found = [transforms.ToTensor()]
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
            return image
    result: Any = Image.fromarray(pixels if pixels.shape[2:] != (1,) else pixels[:, :, 0])
    for step in found:
        result = step(result)
    return result if _ends_in_tensor(operation) else _array(result, pixels.ndim)


def _ends_in_tensor(operation: Operation) -> bool:
    inner = _parts(operation)
    last = inner[-1] if inner else operation
    return type(last).__name__ in ("ToTensorV2", "ToTensor")


def _array(image: Any, dimensions: int) -> Any:
    pixels = image[0].numpy() if isinstance(image, Tensor) else np.array(image)
    return pixels[:, :, None] if dimensions == 3 else pixels


def _parts(operation: Operation) -> list[Operation]:
    given = operation.args[0] if operation.args else operation.settings.get("transforms", ())
    return list(given) if isinstance(given, list | tuple) else []


def _chance(operation: Operation, usual: float) -> float:
    if operation.settings.get("always_apply") is True:
        raise _error(operation, "always_apply is ignored in later versions: write p=1.0")
    chance = operation.settings.get("p", usual)
    if isinstance(chance, bool) or not isinstance(chance, int | float):
        raise _error(operation, "its p is not a number")
    return float(chance)


def _always(operation: Operation) -> None:
    if operation.settings.get("always_apply") is not True and _chance(operation, 1.0) != 1:
        raise _error(operation, "it is not done to all images")


def _compose(operation: Operation, frame: _Frame) -> list[Any]:
    _always(operation)
    found: list[Any] = []
    for part in _parts(operation):
        if not isinstance(part, Operation):
            name = type(part).__name__
            raise _error(operation, f"it holds {name}, which is not one of albumentations'")
        found += _steps(part, frame)
    return found


def _flip(kind: Callable[..., Any]) -> Callable[[Operation, _Frame], list[Any]]:
    return lambda operation, _: [kind(p=_chance(operation, 0.5))]


def _invert(operation: Operation, frame: _Frame) -> list[Any]:
    if frame.is_normal:
        raise _error(operation, "it comes after Normalize")
    return [transforms.RandomInvert(p=_chance(operation, 0.5))]


def _normalize(operation: Operation, frame: _Frame) -> list[Any]:
    _always(operation)
    names = ("mean", "std", "max_pixel_value")
    settings = {**dict(zip(names, operation.args, strict=False)), **operation.settings}
    if frame.is_normal:
        raise _error(operation, "images are normalised twice")
    if settings.get("normalization", "standard") != "standard":
        raise _error(operation, "its normalization is not the standard one")
    most = _number(operation, settings.get("max_pixel_value", 255.0))
    shift = _number(operation, settings.get("mean", (0.485, 0.456, 0.406))) * most / 255
    scale = _number(operation, settings.get("std", (0.229, 0.224, 0.225))) * most / 255
    if scale <= 0:
        raise _error(operation, "it divides by nothing")
    found = [*frame.tensor(), transforms.Normalize((shift,), (scale,))]
    frame.is_normal = True
    return found


def _number(operation: Operation, value: Any) -> float:
    """A number, or the only one of a list."""
    values = [value] if isinstance(value, int | float | np.number) else value
    if not isinstance(values, list | tuple | np.ndarray) or len(values) != 1:
        raise _error(operation, "it has settings for three channels, and images have one")
    return float(values[0])


def _to_tensor(operation: Operation, frame: _Frame) -> list[Any]:
    _always(operation)
    frame.is_done = True
    return [] if frame.is_tensor else [transforms.PILToTensor()]


def _pair(operation: Operation, names: tuple[str, str]) -> tuple[int, int]:
    settings = {**dict(zip(names, operation.args, strict=False)), **operation.settings}
    found = [settings.get(name) for name in names]
    if not all(isinstance(value, int) for value in found):
        raise _error(operation, f"its {names[0]} or {names[1]} is not a whole number")
    return found[0], found[1]  # type: ignore[return-value] # asked above


_BORDERS = {
    "BORDER_CONSTANT": "constant",
    "BORDER_REPLICATE": "edge",
    "BORDER_REFLECT": "symmetric",
    "BORDER_REFLECT_101": "reflect",
    "BORDER_REFLECT101": "reflect",
    "BORDER_DEFAULT": "reflect",
}
_BORDER_NUMBERS = {0: "constant", 1: "edge", 2: "symmetric", 4: "reflect"}


def _border(operation: Operation) -> str:
    value = operation.settings.get("border_mode")
    if isinstance(value, Absorbed):
        name = str(object.__getattribute__(value, "_absorbed")).rpartition(".")[2]
        found = _BORDERS.get(name)
    else:
        found = _BORDER_NUMBERS.get(value) if isinstance(value, int) else None
    if found is None:
        raise _error(operation, "without border_mode, it mirrors or pads with black by its version")
    return found


def _pad(operation: Operation, frame: _Frame) -> list[Any]:
    _always(operation)
    height, width = _pair(operation, ("min_height", "min_width"))
    if height <= frame.height and width <= frame.width:
        return []
    known = {"min_height", "min_width", "border_mode", "value", "fill", "p", "always_apply"}
    if others := operation.settings.keys() - known:
        raise _error(operation, f"its {min(others)} is not read")
    fill = operation.settings.get("fill", 0)
    if fill not in (0, (0,), [0]) or operation.settings.get("value") not in (None, 0, (0,), [0]):
        raise _error(operation, "its border has another colour than 0, which not all versions know")
    above = max(height - frame.height, 0)
    left = max(width - frame.width, 0)
    sides = [left // 2, above // 2, left - left // 2, above - above // 2]
    frame.height, frame.width = frame.height + above, frame.width + left
    return [transforms.Pad(sides, fill=0, padding_mode=_border(operation))]


def _center(operation: Operation, frame: _Frame) -> list[Any]:
    _always(operation)
    height, width = _pair(operation, ("height", "width"))
    odd = (frame.height - height) % 2 or (frame.width - width) % 2
    if odd or height > frame.height or width > frame.width:
        raise _error(operation, "its centre is not the middle of the image")
    frame.height, frame.width = height, width
    return [transforms.CenterCrop((height, width))]


def _crop(operation: Operation, frame: _Frame) -> list[Any]:
    _always(operation)
    if _pair(operation, ("height", "width")) == (frame.height, frame.width):
        return []
    raise _error(operation, _WHY["RandomCrop"])


def _holes(operation: Operation, frame: _Frame) -> list[Any]:
    """Holes of one size, anywhere within the image: what RandomErasing makes of fixed settings."""
    old = {"max_holes", "max_height", "max_width", "min_holes", "fill_value"}
    if given := old & operation.settings.keys():
        raise _error(operation, f"{min(given)} is ignored in later versions")
    count = _fixed(operation, "num_holes_range")
    height, width = _fixed(operation, "hole_height_range"), _fixed(operation, "hole_width_range")
    if not (height < frame.height and width < frame.width and count <= MOST_HOLES):
        raise _error(operation, "its holes are too many, or as large as the image")
    fill = operation.settings.get("fill", 0)
    if isinstance(fill, str):
        raise _error(operation, f'its fill is "{fill}"')
    value, chance = _number(operation, fill), _chance(operation, 0.5)
    before = frame.tensor()
    value = value if frame.is_normal else int(value) / 255
    share, ratio = height * width / (frame.height * frame.width), height / width
    settings = {"scale": (share, share), "ratio": (ratio, ratio), "value": value}
    if count == 1:
        return [*before, transforms.RandomErasing(p=chance, **settings)]
    holes = [transforms.RandomErasing(p=1.0, **settings) for _ in range(count)]
    return [*before, transforms.RandomApply(holes, p=chance)]


def _fixed(operation: Operation, name: str) -> int:
    value = operation.settings.get(name)
    if not isinstance(value, list | tuple) or len(value) != 2 or value[0] != value[1]:
        raise _error(operation, f"its {name} is not one number twice, as in (8, 8)")
    if not isinstance(value[0], int) or value[0] < 1:
        raise _error(operation, f"its {name} is not a number of pixels or holes")
    return value[0]


_TWINS: dict[str, Callable[[Operation, _Frame], list[Any]]] = {
    "Compose": _compose,
    "HorizontalFlip": _flip(transforms.RandomHorizontalFlip),
    "VerticalFlip": _flip(transforms.RandomVerticalFlip),
    "InvertImg": _invert,
    "Normalize": _normalize,
    "ToTensorV2": _to_tensor,
    "PadIfNeeded": _pad,
    "CenterCrop": _center,
    "RandomCrop": _crop,
    "CoarseDropout": _holes,
    "NoOp": lambda *_: [],
}
"""Of each operation that may equal torchvision's, what makes these."""
_POSITIONAL = {"Compose": 1, "Normalize": 3, "PadIfNeeded": 2, "CenterCrop": 2, "RandomCrop": 2}
"""How many settings have the same place in all versions."""
