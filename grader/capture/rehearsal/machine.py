"""Stand-ins for the machine: a GPU that is there or not, and files that live in memory.

In: a Trace. Everything stays on the CPU, whatever device a file asks for; what it saves it can load
again; a folder that only the student's machine has is made.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import time
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import RehearsalRequest

_NOTHING = """
synchronize empty_cache set_device manual_seed manual_seed_all init ipc_collect
reset_peak_memory_stats reset_max_memory_allocated
""".split()  # noqa: SIM905 - read as words
ELSEWHERE = ("cuda", "mps", "xla", "xpu")
_MADE_ON_A_DEVICE = """
arange as_tensor empty empty_like eye full full_like linspace ones ones_like rand rand_like
randint randn randn_like randperm tensor zeros zeros_like
""".split()  # noqa: SIM905 - read as words
_MOST_SEEDS = 5


def install(trace: Trace, request: RehearsalRequest) -> None:
    """Patch torch's devices, files and seeds, in place."""
    _placement()
    _gpu(request.cuda)
    _files(trace)
    _seeds(trace)
    time.sleep = lambda *_: None


def _is_elsewhere(value: Any) -> bool:
    if isinstance(value, str | torch.device):
        return str(value).split(":")[0] in ELSEWHERE
    return isinstance(value, int) and not isinstance(value, bool)


def _here(keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords without a device that is not here."""
    return {
        name: value
        for name, value in keywords.items()
        if not (name in ("device", "map_location") and _is_elsewhere(value))
    }


def _placement() -> None:
    for kind in (torch.Tensor, nn.Module):
        kind.to = _moved(kind.to)  # type: ignore[method-assign]
        kind.cuda = lambda self, *_, **__: self  # type: ignore[method-assign,misc]
    nn.Module.xpu = lambda self, *_, **__: self  # type: ignore[method-assign,misc,assignment]
    torch.Tensor.pin_memory = lambda self, *_: self  # type: ignore[method-assign,misc]
    for name in _MADE_ON_A_DEVICE:
        setattr(torch, name, _made_here(getattr(torch, name)))
    torch.set_default_device = lambda *_: None


def _moved(real: Callable[..., Any]) -> Callable[..., Any]:
    def to(self: Any, *arguments: Any, **keywords: Any) -> Any:
        others = tuple(item for item in arguments if not _is_elsewhere(item))
        named = _here(keywords)
        named.pop("non_blocking", None)
        named.pop("memory_format", None)
        return real(self, *others, **named) if others or named else self

    return to


def _made_here(real: Callable[..., Any]) -> Callable[..., Any]:
    def make(*arguments: Any, **keywords: Any) -> Any:
        keywords.pop("pin_memory", None)
        return real(*arguments, **_here(keywords))

    return make


def _gpu(there: bool) -> None:
    cuda = torch.cuda
    properties = types.SimpleNamespace(
        name="stand-in", total_memory=16 * 2**30, major=8, minor=0, multi_processor_count=40
    )
    answers: dict[str, Any] = {
        "is_available": there,
        "device_count": int(there),
        "get_device_name": "stand-in",
        "current_device": 0,
        "get_device_properties": properties,
        "get_device_capability": (8, 0),
        "is_bf16_supported": True,
        "memory_allocated": 0,
        "memory_reserved": 0,
        "max_memory_allocated": 0,
        "max_memory_reserved": 0,
        "mem_get_info": (16 * 2**30, 16 * 2**30),
        "memory_summary": "",
        "is_initialized": there,
    }
    for name, answer in {**answers, **dict.fromkeys(_NOTHING)}.items():
        setattr(cuda, name, lambda *_, answer=answer, **__: answer)
    cuda.Event = _Event  # type: ignore[misc,assignment]
    torch.backends.mps.is_available = lambda: False
    with contextlib.suppress(AttributeError):
        torch.mps.is_available = lambda: False  # type: ignore[assignment]


class _Event:
    """torch.cuda.Event: measures nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def record(self, *_: Any) -> None:
        """Nothing to record."""

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def elapsed_time(self, _: Any) -> float:
        """One millisecond, whatever was measured."""
        return 1.0


def _files(trace: Trace) -> None:
    saved: dict[str, Any] = {}
    real_load, real_open = torch.load, builtins.open

    def save(thing: Any, path: Any = "", *_: Any, **__: Any) -> None:
        trace.saves += 1
        saved[str(path)] = thing
        if isinstance(path, str | os.PathLike):  # os.path.exists() is asked before it is loaded
            with contextlib.suppress(OSError), opened(path, "wb") as file:
                file.write(b"0" * 16)

    def load(path: Any, *arguments: Any, **keywords: Any) -> Any:
        if str(path) in saved:
            return saved[str(path)]
        after = any(item.steps for item in trace.trainings)
        when = "after" if after else "before"
        trace.note(f"It loads {str(path)[:80]}, which is not here, {when} it trains")
        return real_load(path, *arguments, **keywords)

    def opened(file: Any, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:
        if isinstance(file, str | os.PathLike) and any(letter in mode for letter in "wax"):
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)  # noqa: PTH103, PTH100, PTH120 - a str or a bytes path
        return real_open(file, mode, *arguments, **keywords)

    torch.save, torch.load = save, load
    builtins.open = opened


def _seeds(trace: Trace) -> None:
    real = torch.manual_seed

    def manual_seed(seed: Any) -> torch.Generator:
        if len(trace.seeds) < _MOST_SEEDS:
            trace.seeds.append((int(seed), trace.where()))
        return real(int(seed))

    torch.manual_seed = manual_seed
    torch.random.manual_seed = manual_seed
