"""Read the transform of training images, own functions included, as operations that are data.

In: a transform, as it hangs on a data set. Out: torchvision's operations that equal it, or a
SubmissionError that names what equals none. Runs in the child.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor
from torchvision import transforms
from torchvision.transforms import v2

from grader.capture import transforms as torchvision_transforms
from grader.capture.rehearsal import comparing, packages, proofs, twins
from grader.capture.rehearsal.trace import Trace
from grader.errors import SubmissionError
from grader.program.recipe import Augmentation

DEEPEST = 6
LINE = "rehearsal_line"
"""Attribute of a Compose: the line that made it."""


def install(trace: Trace) -> None:
    """From now on, a Compose remembers the line that made it."""
    for kind in (transforms.Compose, v2.Compose):
        _remembering(kind, trace)
    packages.add(["albumentations"], twins.module)


def _remembering(kind: Any, trace: Trace) -> None:
    real = kind.__init__

    def init(self: Any, *args: Any, **keywords: Any) -> None:
        real(self, *args, **keywords)
        vars(self)[LINE] = trace.where()

    kind.__init__ = init


def described(operations: Sequence[Any]) -> tuple[Augmentation, ...]:
    """Torchvision's operations as data. Raises SubmissionError for what the grader has not."""
    return torchvision_transforms.describe(list(operations))


def understood(transform: Any, images: Sequence[Any] | None = None) -> list[Any]:
    """Torchvision's operations that do to an image what `transform` does.

    Own functions are proven equal on `images` (those that reach them), or refused by name: raises
    SubmissionError with the line where one is defined.
    """
    reached = list(comparing.samples()) if images is None else list(images)
    return _flat(transform, reached, DEEPEST)


def _flat(transform: Any, images: list[Any], depth: int) -> list[Any]:
    if transform is None:
        return []
    if depth == 0:
        raise SubmissionError("The transform is nested too deep to be read: write it flatter")
    parts = _parts(transform)
    if parts is None:
        return _one(transform, images, depth)
    found: list[Any] = []
    for part in parts:
        known = _flat(part, images, depth - 1)
        images = [_shown(known, image) for image in images]
        found += known
    return found


def _parts(transform: Any) -> list[Any] | None:
    """The parts of a container that applies one after the other."""
    if isinstance(transform, list | tuple):
        return list(transform)
    kind = type(transform)
    is_container = kind.__name__ == "Compose" and proofs.is_torchvision(transform)
    if is_container or (kind.__name__ == "Sequential" and kind.__module__.startswith("torch.nn")):
        return list(getattr(transform, "transforms", transform))
    return None


def _one(transform: Any, images: list[Any], depth: int) -> list[Any]:
    if proofs.is_torchvision(transform) and not proofs.is_lambda(transform):
        return _with_known_parts(transform, images, depth)
    if isinstance(transform, type):
        raise SubmissionError(
            f"The transform holds the class {transform.__name__}, not an object of it: write "
            f"{transform.__name__}(), with parentheses"
        )
    refuse_foreign(transform)
    function = getattr(transform, "lambd", transform)
    if not callable(function):
        raise SubmissionError(f"The transform holds {_name(transform)}, which cannot be called")
    try:
        return proven(function, images, depth)
    except SubmissionError:
        raise
    except Exception as error:
        raise SubmissionError(
            f"{_name(function)} of the transform fails on an image that it was tried on "
            f"({type(error).__name__}: {str(error)[:100]}): the grader cannot tell what it does",
            line=line_of(function),
        ) from error


def _with_known_parts(transform: Any, images: list[Any], depth: int) -> list[Any]:
    """One of torchvision's; where it holds others (RandomApply), with known ones in their place."""
    name = type(transform).__name__
    if name not in ("RandomApply", "RandomChoice", "RandomOrder"):
        return [transform]
    branches = [_flat(part, images, depth - 1) for part in transform.transforms]
    if name == "RandomApply":
        inner = [operation for branch in branches for operation in branch]
        return [transforms.RandomApply(inner, p=transform.p)] if inner else []
    parts = [branch[0] if len(branch) == 1 else transforms.Compose(branch) for branch in branches]
    if name == "RandomOrder":
        return [transforms.RandomOrder(parts)]
    return [transforms.RandomChoice(parts, p=transform.p)]


def proven(function: Any, images: list[Any], depth: int = DEEPEST) -> list[Any]:
    """The operations that an own function equals. Raises SubmissionError where it equals none."""
    held = proofs.inside(function)
    inside = [item for item in held if proofs.is_torchvision(item)]
    others = [twins.steps(item) for item in held if isinstance(item, twins.Operation)]
    for candidate in (*inside, inside, *others):
        if not candidate or not _works(candidate, images):
            continue
        if proofs.equal(function, partial(_shown, _list(candidate)), images):
            return _flat(candidate, list(images), depth - 1)
    known = proofs.operations(function, images)
    if known is not None:
        return known
    if _only_flattens(function, images):
        return []
    is_written_here = hasattr(function, "__code__")  # else the line is where the object is made
    line = line_of(function) if is_written_here else None
    raise SubmissionError(_unknown(function, images), line=line)


def _list(candidate: Any) -> list[Any]:
    return candidate if isinstance(candidate, list) else [candidate]


def _works(candidate: Any, images: Sequence[Any]) -> bool:
    try:
        _shown(_list(candidate), images[0])
    except Exception:  # not meant for what reaches the function
        return False
    return True


def _only_flattens(function: Any, images: Sequence[Any]) -> bool:
    """Whether a row of numbers comes out: the network is shown the same numbers as an image."""
    for image in images:
        result = function(image)
        is_row = isinstance(image, Tensor) and isinstance(result, Tensor) and result.dim() == 1
        if not is_row or not comparing.same(result[None, None], image.reshape(1, 1, -1)):
            return False
    return True


def _shown(operations: Sequence[Any], image: Any) -> Any:
    for operation in operations:
        image = operation(image)
    return image


def _unknown(function: Any, images: Sequence[Any]) -> str:
    name = _name(function)
    how = "draws at random" if proofs.draws_at_random(function, images) else "changes each image"
    return (
        f"{name} of the transform {how} in a way that equals no operation of torchvision that the "
        "grader has. It trains with torchvision's operations, not with your code: use one of these"
    )


def _name(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "A lambda" if name == "<lambda>" else str(name)


def line_of(function: Any) -> int | None:
    """Where a Compose is made, or an own function, `__call__` or `forward` is defined."""
    if isinstance(made := getattr(function, "__dict__", {}).get(LINE), int):
        return made
    kind = type(function)
    if proofs.is_torchvision(function):
        return None
    for held in (function, vars(kind).get("__call__"), vars(kind).get("forward")):
        code = getattr(held, "__code__", None)
        if code is not None:
            return int(code.co_firstlineno)
    return None


def foreign(transform: Any) -> str:
    """The package that a transform comes from, where it is neither torchvision's nor an own one."""
    absorbed = getattr(type(transform), "__mro__", ())
    if any(kind.__name__ == "Absorbed" for kind in absorbed):
        return str(object.__getattribute__(transform, "_absorbed")).partition(".")[0]
    package = type(transform).__module__.partition(".")[0]
    known = ("albumentations", "imgaug", "kornia", "monai", "torchio")
    return package if package in known else ""


def refuse_foreign(transform: Any) -> None:
    """Raises SubmissionError for what another package makes, with what to write instead."""
    if isinstance(transform, twins.Operation):
        twins.steps(transform)
    elif package := foreign(transform):
        raise SubmissionError(
            f"The transform is made with {package}, and the grader trains with torchvision's "
            "operations alone: write it with torchvision.transforms"
        )


def by_torchvision(held: Sequence[Any]) -> list[Any]:
    """The same transforms, of albumentations their twins in torchvision. Raises SubmissionError."""
    found: list[Any] = []
    for one in held:
        found += twins.steps(one) if isinstance(one, twins.Operation) else [one]
    return found


def in_words(operations: Sequence[Any]) -> str:
    """The operations in torchvision's own words, in a row."""
    return ", ".join(map(_said, operations)) or "none: images stay as they are"


def _said(operation: Any) -> str:
    said = " ".join(str(operation).split())
    if isinstance(operation, transforms.RandomPerspective):  # says only its p
        scale = operation.distortion_scale
        return said.replace("(", f"(distortion_scale={scale}, ", 1)
    if isinstance(operation, v2.ToDtype | v2.ConvertImageDtype | transforms.ConvertImageDtype):
        end = ")" if said.endswith("()") else ", "  # they leave it out
        return said.replace("()" if end == ")" else "(", f"({operation.dtype}{end}", 1)
    return said
