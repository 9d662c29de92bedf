"""Where a student's file moves its network: nowhere. The grader chooses the device.

Runs in the child, where a GPU cannot be used: it is a fork, and locked. So `.cuda()` and
`.to("cuda")` give back what they are called on, `torch.zeros(3, device="cuda")` and
`torch.load(file, map_location="cuda")` are made where everything is, so is a `torch.Generator`,
and no GPU is said to be there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import parameter
from torch.overrides import TorchFunctionMode

from grader.capture.missing import Missing

NOTE = (
    "{what} (line {line}) is left out: the grader moves the network and the images to the device "
    "that it trains on"
)


_WORDS = {
    "cuda": ".cuda()",
    "to": ".to(...) with a device",
    "load": "map_location",
}


@contextmanager
def left_to_the_grader(filename: str, notes: list[str]) -> Iterator[None]:
    """Inside, nothing moves to a GPU; the first move that the file asks for becomes a note."""
    places: list[tuple[Any, str, Callable[..., Any]]] = [
        (nn.Module, "cuda", _stay),
        (Tensor, "cuda", _stay),
        (nn.Module, "to", _moved(nn.Module.to)),
        (Tensor, "to", _moved(Tensor.to)),
        (torch, "load", _moved_file(torch.load)),
        (torch.cuda, "synchronize", _nothing),
        (torch.cuda, "set_device", _nothing),
    ]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    originals.append((torch.cuda, "is_available", torch.cuda.is_available))
    originals.append((torch, "Generator", torch.Generator))
    inherited = [(owner, name) for owner, name, _ in places if name not in vars(owner)]
    for owner, name, instead in places:
        setattr(owner, name, _noted(instead, name, filename, notes))
    torch.cuda.is_available = lambda: False
    vars(torch)["Generator"] = _generator(filename, notes)
    mixin: Any = vars(parameter)["UninitializedTensorMixin"]
    lazy = mixin._allowed_methods
    mixin._allowed_methods = [*lazy, Tensor.to, Tensor.cuda]
    try:
        with _Made(filename, notes):
            yield
    finally:
        mixin._allowed_methods = lazy
        for owner, name, original in originals:
            if (owner, name) in inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


def _stay(thing: Any, *_: Any, **__: Any) -> Any:
    return thing


def _nothing(*_: Any, **__: Any) -> None:
    """What only a GPU would do."""


class _Made(TorchFunctionMode):
    """What is asked for on a GPU is made where everything is: the `device` is left out."""

    def __init__(self, filename: str, notes: list[str]) -> None:
        super().__init__()
        self.filename, self.notes = filename, notes

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if kwargs and "device" in kwargs and _elsewhere(kwargs["device"]):
            kwargs = {name: value for name, value in kwargs.items() if name != "device"}
            line = _calling_line(self.filename)
            if line and not _is_known(self.notes):
                self.notes.append(NOTE.format(what='device="cuda"', line=line))
        return func(*args, **(kwargs or {}))


def _generator(filename: str, notes: list[str]) -> type:
    """torch.Generator, whatever its device: the random numbers are drawn on the processor."""
    real = torch.Generator

    class Here(type):
        def __instancecheck__(cls, thing: Any) -> bool:
            return isinstance(thing, real)

    class Generator(metaclass=Here):
        def __new__(cls, device: Any = "cpu") -> Any:
            if _elsewhere(device):
                device = "cpu"
                line = _calling_line(filename)
                if line and not _is_known(notes):
                    notes.append(NOTE.format(what="the device of torch.Generator(...)", line=line))
            return real(device)

    return Generator


def _calling_line(filename: str) -> int | None:
    """Of the frames on the stack, the innermost of the student's file."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    return None if frame is None else int(frame.f_lineno)


def _moved_file(original: Callable[..., Any]) -> Callable[..., Any]:
    def load(file: Any, map_location: Any = None, *arguments: Any, **keywords: Any) -> Any:
        """What was saved on a GPU is read, too."""
        place = map_location
        if place is None or _elsewhere(place):
            place = "cpu"
        return original(file, place, *arguments, **keywords)

    return load


def _moved(original: Callable[..., Any]) -> Callable[..., Any]:
    def to(thing: Any, *arguments: Any, **keywords: Any) -> Any:
        """The same without the device; a dtype is kept."""
        kept = [item for item in arguments if not _elsewhere(item)]
        named = {name: item for name, item in keywords.items() if not _elsewhere(item)}
        if not kept and not (named.keys() - {"non_blocking", "copy"}):
            return thing
        return original(thing, *kept, **named)

    return to


def _elsewhere(place: Any) -> bool:
    """Whether it is a GPU, or a device that comes from what could not be defined."""
    if isinstance(place, Missing):
        return True
    if isinstance(place, str | torch.device):
        return str(place).partition(":")[0] in ("cuda", "mps", "xpu", "hip")
    return False


def _noted(
    instead: Callable[..., Any], name: str, filename: str, notes: list[str]
) -> Callable[..., Any]:
    def move(*arguments: Any, **keywords: Any) -> Any:
        moves = name not in ("to", "load") or any(map(_elsewhere, (*arguments, *keywords.values())))
        caller = sys._getframe(1)
        if moves and caller.f_code.co_filename == filename and not _is_known(notes):
            what = _WORDS.get(name, f"torch.cuda.{name}()")
            notes.append(NOTE.format(what=what, line=caller.f_lineno))
        return instead(*arguments, **keywords)

    return move


def _is_known(notes: list[str]) -> bool:
    return any(note.endswith(NOTE[-40:]) for note in notes)
