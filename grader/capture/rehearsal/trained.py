"""Which network was trained: its class, where it stands, and what it was built with.

In: a trace. Out: a `TrainedNetwork`. `install` writes down how every network of the student's is
built. Runs in the child.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from torch import nn

from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import PlainArgument, TrainedNetwork

MOST_ARGUMENTS = 100
MOST_ITEMS = 1_000
LONGEST_TEXT = 1_000
WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module",
            "OptimizedModule": "_orig_mod", "AveragedModel": "module"}  # fmt: skip


@dataclass(slots=True)
class Built:
    """How a module was built: plain arguments (`whole` False where some are not), and the line."""

    line: int | None
    arguments: tuple[PlainArgument, ...] = ()
    keywords: dict[str, PlainArgument] = field(default_factory=dict)
    whole: bool = True


_built: weakref.WeakKeyDictionary[nn.Module, Built] = weakref.WeakKeyDictionary()
"""By the module itself: this process rehearses once."""


def install(trace: Trace) -> None:
    """From now on, remember what every module of the student's own classes is built with."""
    real = nn.Module.__init__

    def init(self: Any, *args: Any, **keywords: Any) -> None:
        caller = sys._getframe(1)
        if caller.f_code.co_filename == trace.filename:
            remember(self, caller, trace.filename)
        real(self, *args, **keywords)

    nn.Module.__init__ = init  # type: ignore[method-assign] # for the rehearsal


def remember(module: nn.Module, frame: FrameType, filename: str) -> None:
    """Read the arguments of the outermost `__init__` of the module that is running."""
    found: FrameType | None = None
    step: FrameType | None = frame
    while step is not None and step.f_code.co_name == "__init__" and _own(step) is module:
        found, step = step, step.f_back
    if found is None or module in _built:
        return
    line = step.f_lineno if step is not None and step.f_code.co_filename == filename else None
    _built[module] = _read(found, line)


def _own(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _read(frame: FrameType, line: int | None) -> Built:
    code, values = frame.f_code, frame.f_locals
    named = code.co_argcount + code.co_kwonlyargcount
    keywords = {name: values.get(name) for name in code.co_varnames[1:named]}
    rest: tuple[Any, ...] = ()
    place = named
    if code.co_flags & inspect.CO_VARARGS:
        rest = tuple(values.get(code.co_varnames[place]) or ())
        place += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        keywords |= values.get(code.co_varnames[place]) or {}
    if rest:
        rest = (*(keywords.pop(name) for name in _positional(code)), *rest)
    whole = all(map(is_plain, (*rest, *keywords.values()))) and len(keywords) <= MOST_ARGUMENTS
    if not whole:
        return Built(line, whole=False)
    plain = {name: _plain(value) for name, value in keywords.items()}
    return Built(line, tuple(_plain(value) for value in rest), plain)


def _positional(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[1 : code.co_argcount]


def is_plain(value: Any) -> bool:
    """Whether it crosses as data: a number, text, None, or a row of these."""
    if isinstance(value, list | tuple):
        return len(value) <= MOST_ITEMS and all(_is_item(item) for item in value)
    return _is_item(value)


def _is_item(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    return value is None or type(value) in (bool, int)


def _plain(value: Any) -> PlainArgument:
    return tuple(value) if isinstance(value, list | tuple) else value


def unwrapped(network: nn.Module) -> nn.Module:
    """The network within DataParallel, torch.compile and the like."""
    for _ in range(5):
        name = WRAPPERS.get(type(network).__name__)
        inner = getattr(network, name, None) if name else None
        if not isinstance(inner, nn.Module):
            break
        network = inner
    return network


def describe(network: nn.Module, trace: Trace) -> TrainedNetwork:
    """The class of the network, its file in the listing, and its arguments."""
    kind = type(network)
    built = _built.get(network)
    line = built.line if built is not None else trace.network_lines.get(id(network))
    file, is_own = _file_of(kind, trace)
    if not is_own:
        return TrainedNetwork(file=file, name=kind.__name__[:200], whole=False, line=line or None)
    built = built or Built(line)
    return TrainedNetwork(
        file=file,
        name=kind.__name__[:200],
        arguments=built.arguments,
        keywords=built.keywords,
        whole=built.whole,
        line=built.line or None,
    )


def _file_of(kind: type, trace: Trace) -> tuple[str, bool]:
    """The file whose text defines the class; (main, False) for a class of torch's."""
    listing = trace.request.listing
    for held in vars(kind).values():
        code = getattr(held, "__code__", None)
        if code is not None and code.co_filename == trace.filename:
            part = listing.part(code.co_firstlineno)
            return (part.file if part else listing.main), True
    is_own = not kind.__module__.startswith(("torch.", "torchvision."))
    return listing.main, is_own
