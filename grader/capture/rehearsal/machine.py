"""A machine with a GPU, a disk that keeps what was saved, and no waiting.

In: the trace, and whether there is a GPU. Out: patched devices, `torch.save` and
`torch.load`, `open`, seeds. Everything stays on the CPU; what is saved stays in memory.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import time
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from grader.capture.rehearsal.trace import Trace

ACCELERATORS = frozenset({"cuda", "mps", "xla", "xpu", "hip"})
FACTORIES = (
    *("zeros", "ones", "tensor", "rand", "randn", "randint", "empty", "arange", "randperm"),
    *("full", "as_tensor", "linspace", "eye", "zeros_like", "ones_like", "rand_like"),
    *("randn_like", "full_like", "empty_like", "from_numpy"),
)
MOST_SEEDS = 20


class NotHandedInError(FileNotFoundError):
    """Weights in `file` are loaded, which the grader does not have."""

    def __init__(self, message: str, *, file: str) -> None:
        super().__init__(message)
        self.file = file


def install(trace: Trace, *, cuda: bool) -> None:
    """Put the machine in place of the real one."""
    _moves()
    _cuda(cuda=cuda)
    _compilers()
    _parallel()
    _saved(trace)
    _files()
    _seeds(trace)
    _initialisation(trace)
    vars(time)["sleep"] = lambda _: None


def _is_elsewhere(value: Any) -> bool:
    """Whether it names a device that is not the CPU."""
    if isinstance(value, torch.device):
        return value.type in ACCELERATORS
    if isinstance(value, str):
        return value.partition(":")[0] in ACCELERATORS
    return isinstance(value, int) and not isinstance(value, bool)


def _moves() -> None:
    """`.to(device)`, `.cuda()`, `device=` of what makes tensors."""
    for kind in (torch.Tensor, nn.Module):
        vars_of: Any = kind
        vars_of.to = _staying(vars_of.to)
        vars_of.cuda = lambda self, *_, **__: self
    tensor: Any = torch.Tensor
    tensor.pin_memory = lambda self, *_, **__: self
    for name in ("new_tensor", "new_zeros", "new_ones", "new_full", "new_empty"):
        setattr(tensor, name, _made_here(getattr(tensor, name)))
    for name in FACTORIES:
        setattr(torch, name, _made_here(getattr(torch, name)))
    real_default = torch.set_default_device
    vars(torch)["set_default_device"] = lambda device: (
        None if _is_elsewhere(device) else real_default(device)
    )
    real_kind = torch.set_default_tensor_type
    vars(torch)["set_default_tensor_type"] = lambda kind: (
        None if "cuda" in str(kind) else real_kind(kind)
    )
    real_generator = torch.Generator

    class Generator(real_generator):  # type: ignore[misc, valid-type] # a class of C
        def __new__(cls, device: Any = "cpu") -> Any:
            return super().__new__(cls, "cpu" if _is_elsewhere(device) else device)

    vars(torch)["Generator"] = Generator


def _staying(real: Callable[..., Any]) -> Callable[..., Any]:
    def to(self: Any, *args: Any, **keywords: Any) -> Any:
        if len(args) == 1 and not keywords and _is_elsewhere(args[0]):  # as in most steps
            return self
        args = tuple(item for item in args if not _is_elsewhere(item))
        if _is_elsewhere(keywords.get("device")):
            keywords.pop("device")
        keywords.pop("non_blocking", None)
        if args and isinstance(args[-1], bool):  # non_blocking, by its place
            args = args[:-1]
        return real(self, *args, **keywords) if args or keywords else self

    return to


def _made_here(real: Callable[..., Any]) -> Callable[..., Any]:
    def make(*args: Any, **keywords: Any) -> Any:
        if _is_elsewhere(keywords.get("device")):
            keywords.pop("device")
        keywords.pop("pin_memory", None)
        return real(*args, **keywords)

    return make


class _Event:
    """torch.cuda.Event and Stream: nothing to wait for."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing is kept."""

    def elapsed_time(self, *_: Any) -> float:
        return 1.0

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def _cuda(*, cuda: bool) -> None:
    properties = types.SimpleNamespace(
        name="a GPU that is not here",
        total_memory=16 * 2**30,
        major=8,
        minor=0,
        multi_processor_count=40,
    )
    answers: dict[str, Any] = {
        "is_available": cuda,
        "device_count": int(cuda),
        "get_device_name": properties.name,
        "current_device": 0,
        "get_device_properties": properties,
        "get_device_capability": (8, 0),
        "is_bf16_supported": True,
        "mem_get_info": (16 * 2**30, 16 * 2**30),
        "memory_summary": "",
        "memory_stats": {},
        "current_stream": _Event(),
        "stream": _Event(),
    }
    for name in ("synchronize", "empty_cache", "set_device", "manual_seed", "manual_seed_all"):
        answers[name] = None
    for name in ("reset_peak_memory_stats", "reset_max_memory_allocated", "init", "ipc_collect"):
        answers[name] = None
    for name in ("allocated", "reserved", "cached"):
        answers[f"memory_{name}"] = answers[f"max_memory_{name}"] = 0
    for name, answer in answers.items():
        setattr(torch.cuda, name, _saying(answer))
    vars(torch.cuda).update(Event=_Event, Stream=_Event)
    vars(torch)["set_num_threads"] = vars(torch)["set_num_interop_threads"] = _saying(None)


def _saying(answer: Any) -> Callable[..., Any]:
    return lambda *_, **__: answer


def _compilers() -> None:
    """A network that is compiled or scripted is the network."""

    def same(model: Any = None, *_: Any, **__: Any) -> Any:
        return model if model is not None else lambda inner: inner

    vars(torch)["compile"] = same
    module: Any = nn.Module
    module.compile = lambda self, *_, **__: None
    vars(torch.jit).update(script=same, trace=same, save=lambda *_, **__: None)
    vars(torch.onnx)["export"] = lambda *_, **__: None


def _parallel() -> None:
    """A network spread over GPUs is on one."""

    def init(self: Any, module: Any, *_: Any, **__: Any) -> None:
        nn.Module.__init__(self)
        self.module = module

    def forward(self: Any, *args: Any, **keywords: Any) -> Any:
        return self.module(*args, **keywords)

    for kind in (nn.DataParallel, nn.parallel.DistributedDataParallel):
        vars_of: Any = kind
        vars_of.__init__, vars_of.forward = init, forward


def _saved(trace: Trace) -> None:
    """What is saved can be loaded again, without a file of its size."""
    saved: dict[str, Any] = {}
    kept: list[Any] = []
    real_load = torch.load

    def name_of(path: Any) -> str:
        if isinstance(path, str | os.PathLike):
            return os.path.abspath(path)  # noqa: PTH100 - as the file says it
        kept.append(path)  # its id is its name
        return str(getattr(path, "name", id(path)))

    def save(thing: Any, f: Any = "", *_: Any, **__: Any) -> None:
        trace.saves += 1
        name = name_of(f)
        saved[name] = thing
        with contextlib.suppress(OSError, TypeError):
            if isinstance(f, str | os.PathLike):
                os.makedirs(os.path.dirname(name), exist_ok=True)  # noqa: PTH103, PTH120 - as above
                with open(name, "wb") as file:  # noqa: PTH123 - as above
                    file.write(b"saved in memory")
                saved[os.path.abspath(name)] = thing  # noqa: PTH100 - as above
            elif hasattr(f, "name"):
                saved[os.path.abspath(f.name)] = thing  # noqa: PTH100 - as above

    def load(f: Any, *args: Any, **keywords: Any) -> Any:
        name = name_of(f)
        if name in saved:
            return _copied(saved[name])
        if hasattr(f, "name") and os.path.abspath(f.name) in saved:  # noqa: PTH100 - as above
            return _copied(saved[os.path.abspath(f.name)])  # noqa: PTH100 - as above
        when = "after" if any(item.steps for item in trace.trainings) else "before"
        shown = str(f)[:80]
        trace.note(f"{shown} is loaded {when} training, and was not handed in with the file")
        try:
            return real_load(f, *args, **keywords)
        except FileNotFoundError as error:
            raise NotHandedInError(f"there is no file {shown}", file=shown) from error

    vars(torch).update(save=save, load=load)
    vars(torch.hub)["load_state_dict_from_url"] = _download


def _copied(thing: Any) -> Any:
    """Weights from a file are others than those of the network that was saved."""
    if isinstance(thing, dict):
        return type(thing)((name, _copied(value)) for name, value in thing.items())
    if type(thing) is torch.Tensor:
        return thing.detach().clone()
    return thing


def _download(url: Any, *_: Any, **__: Any) -> Any:
    """Weights from elsewhere: there is no network."""
    shown = str(url)[:80]
    raise NotHandedInError(f"{shown} cannot be downloaded here", file=shown)


def _files() -> None:
    """`open("logs/run.txt", "w")` where only the student's machine has the folder."""
    real = builtins.open

    def opened(file: Any, mode: str = "r", *args: Any, **keywords: Any) -> Any:
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax")
        if writes and isinstance(file, str | os.PathLike):
            with contextlib.suppress(OSError):
                folder = os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120 - as open
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - as open takes it
        return real(file, mode, *args, **keywords)

    vars(builtins)["open"] = vars(io)["open"] = opened


def _seeds(trace: Trace) -> None:
    real = torch.manual_seed

    def manual_seed(seed: Any) -> Any:
        if len(trace.seeds) < MOST_SEEDS and trace.where() is not None:
            trace.seeds.append((int(seed), trace.where()))
        return real(int(seed))

    vars(torch)["manual_seed"] = vars(torch.random)["manual_seed"] = manual_seed


def _initialisation(trace: Trace) -> None:
    """`model.apply(initialise)`, from outside of a network's own `__init__`."""
    module: Any = nn.Module
    real = module.apply

    def apply(self: Any, function: Any) -> Any:
        if not trace.depth:
            trace.initialised = trace.where()
        return real(self, function)

    module.apply = apply
