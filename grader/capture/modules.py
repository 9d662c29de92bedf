"""List the nn.Modules that a network declares, and where the student's file makes each.

In: a built model. Out: `Module` records. Runs in the child.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from grader.program.graph import Module

SHOWN = (
    *("p", "inplace", "num_features", "in_features", "out_features", "in_channels", "out_channels"),
    *("kernel_size", "stride", "padding", "dilation", "groups", "output_size"),
)


Lines = dict[int, tuple[int, nn.Module]]
"""By id: the line that made a module, and the module itself, which keeps its id from being used
again."""


@contextmanager
def recorded(filename: str) -> Iterator[Lines]:
    """Note, for every module made inside, the line of the file `filename` that made it."""
    lines: Lines = {}
    original = nn.Module.__init__

    def noted(self: nn.Module, *arguments: Any, **keywords: Any) -> None:
        if line := _line(filename, self):
            lines.setdefault(id(self), (line, self))
        original(self, *arguments, **keywords)

    # Torch has no hook for construction.
    nn.Module.__init__ = noted  # type: ignore[method-assign] # put back below
    try:
        yield lines
    finally:
        nn.Module.__init__ = original  # type: ignore[method-assign] # as above


def _line(filename: str, module: nn.Module) -> int | None:
    """The innermost line of the file that is not in the module's own __init__."""
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        own_name = code.co_varnames[0] if code.co_varnames else ""  # `self`, in a method
        if code.co_filename == filename and frame.f_locals.get(own_name) is not module:
            return frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment] # None ends the loop
    return None


def declared(model: nn.Module, lines: Lines) -> tuple[Module, ...]:
    """Every module of the model but the model itself, in order of declaration."""
    return tuple(
        Module(
            path=path[:200],
            type=type(module).__name__[:200],
            settings=_settings(module),
            line=lines.get(id(module), (None,))[0],
        )
        for path, module in model.named_modules()
        if path
    )


def _settings(module: nn.Module) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in SHOWN:
        value = getattr(module, name, None)
        if _is_plain(value):
            settings[name] = tuple(value) if isinstance(value, list) else value
    return settings


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(item is None or isinstance(item, int) for item in value)
    return isinstance(value, (bool, int, float, str))


def hidden(model: nn.Module) -> frozenset[int]:
    """Addresses of the learnable tensors in the model's attributes and in lists of them."""
    found: set[int] = set()
    for module in model.modules():
        for value in vars(module).values():
            found |= {tensor.data_ptr() for tensor in _learnable(value, 4)}
    return frozenset(found)


def _learnable(value: Any, depth: int) -> Iterator[Tensor]:
    if isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, Tensor) and value.requires_grad:
        yield value
    elif isinstance(value, list | tuple | dict) and depth:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _learnable(item, depth - 1)
