<<<<<<< HEAD
"""A machine with a GPU, a disk that keeps what was saved, and no waiting.

In: the trace, and whether there is a GPU. Out: patched devices, `torch.save` and
`torch.load`, `open`, seeds. Everything stays on the CPU; what is saved stays in memory.
=======
"""Stand-ins for the machine: a GPU that is there or not, and files that live in memory.

In: a Trace. Everything stays on the CPU, whatever device a file asks for; what it saves it can load
again; a folder that only the student's machine has is made.
>>>>>>> lead
"""

from __future__ import annotations

import builtins
import contextlib
<<<<<<< HEAD
import io
=======
>>>>>>> lead
import os
import time
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from grader.capture.rehearsal.trace import Trace
<<<<<<< HEAD

ACCELERATORS = frozenset({"cuda", "mps", "xla", "xpu", "hip"})
FACTORIES = (
    *("zeros", "ones", "tensor", "rand", "randn", "randint", "empty", "arange", "randperm"),
    *("full", "as_tensor", "linspace", "eye", "zeros_like", "ones_like", "rand_like"),
    *("randn_like", "full_like", "empty_like", "from_numpy"),
)
MOST_SEEDS = 20


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
    if isinstance(value, str | torch.device):
        return str(value).partition(":")[0] in ACCELERATORS
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
        args = tuple(item for item in args if not _is_elsewhere(item))
        if _is_elsewhere(keywords.get("device")):
            keywords.pop("device")
        keywords.pop("non_blocking", None)
        if args and isinstance(args[-1], bool):  # non_blocking, by its place
            args = args[:-1]
        return real(self, *args, **keywords) if args or keywords else self
=======
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
>>>>>>> lead

    return to


def _made_here(real: Callable[..., Any]) -> Callable[..., Any]:
<<<<<<< HEAD
    def make(*args: Any, **keywords: Any) -> Any:
        if _is_elsewhere(keywords.get("device")):
            keywords.pop("device")
        keywords.pop("pin_memory", None)
        return real(*args, **keywords)
=======
    def make(*arguments: Any, **keywords: Any) -> Any:
        keywords.pop("pin_memory", None)
        return real(*arguments, **_here(keywords))
>>>>>>> lead

    return make


<<<<<<< HEAD
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
=======
def _gpu(there: bool) -> None:
    cuda = torch.cuda
    properties = types.SimpleNamespace(
        name="stand-in", total_memory=16 * 2**30, major=8, minor=0, multi_processor_count=40
    )
    answers: dict[str, Any] = {
        "is_available": there,
        "device_count": int(there),
        "get_device_name": "stand-in",
>>>>>>> lead
        "current_device": 0,
        "get_device_properties": properties,
        "get_device_capability": (8, 0),
        "is_bf16_supported": True,
<<<<<<< HEAD
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
            return saved[name]
        if hasattr(f, "name") and os.path.abspath(f.name) in saved:  # noqa: PTH100 - as above
            return saved[os.path.abspath(f.name)]  # noqa: PTH100 - as above
        when = "after" if any(item.steps for item in trace.trainings) else "before"
        shown = str(f)[:80]
        trace.note(f"{shown} is loaded {when} training, and was not handed in with the file")
        return real_load(f, *args, **keywords)

    vars(torch).update(save=save, load=load)


def _files() -> None:
    """`open("logs/run.txt", "w")` where only the student's machine has the folder."""
    real = builtins.open

    def opened(file: Any, mode: str = "r", *args: Any, **keywords: Any) -> Any:
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax")
        if writes and isinstance(file, str | os.PathLike):
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)  # noqa: PTH100, PTH103, PTH120 - as open takes it
        return real(file, mode, *args, **keywords)

    vars(builtins)["open"] = vars(io)["open"] = opened
=======
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
>>>>>>> lead


def _seeds(trace: Trace) -> None:
    real = torch.manual_seed

<<<<<<< HEAD
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
=======
    def manual_seed(seed: Any) -> torch.Generator:
        if len(trace.seeds) < _MOST_SEEDS:
            trace.seeds.append((int(seed), trace.where()))
        return real(int(seed))

    torch.manual_seed = manual_seed
    torch.random.manual_seed = manual_seed
>>>>>>> lead
