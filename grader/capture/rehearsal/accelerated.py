"""A stand-in for Hugging Face's accelerate: one process, one device, nothing in between.

In: the student's objects. Out: the same objects: `prepare` gives them back, `backward` is the
loss's own, `gather` has nothing to gather. What would train otherwise (accumulation, several
processes), and what is not known here, is refused by name.
"""

from __future__ import annotations

import contextlib
import functools
import random
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from grader.capture.rehearsal import packages
from grader.capture.rehearsal.absorbed import Absorbed, AbsorbedModule, UnknownValueError
from grader.capture.rehearsal.packages import Bar
from grader.capture.rehearsal.trace import Trace

INSTEAD = "write the loop without it: loss.backward(), optimizer.step()"
_NOTHING = frozenset(
    {"wait_for_everyone", "save_state", "save_model", "init_trackers", "log", "end_training"}
    | {"free_memory", "clear", "register_for_checkpointing", "verify_device_map", "set_trigger"}
    | {"register_save_state_pre_hook", "log_images", "store_init_configuration", "lomo_backward"}
)
"""Methods that change nothing about the training."""
_SAME = frozenset({"gather", "gather_for_metrics", "reduce", "pad_across_processes"})
_DECORATORS = frozenset({"on_main_process", "on_local_main_process", "on_last_process"})
_CONTEXTS = frozenset({"main_process_first", "local_main_process_first", "no_sync"})
_UNUSED = frozenset({"get_logger", "get_tracker", "ProjectConfiguration", "LoggerType"})
"""What shows or keeps something."""


def install(trace: Trace) -> None:
    """Put it in place of the package, installed or not."""
    packages.add(("accelerate",), lambda name: _module(trace, name))


def _refuse(name: str) -> Any:
    raise UnknownValueError(f"the grader does not follow accelerate's {name}: {INSTEAD}")


class _Unknown:
    """A name of the package that is not known here: it can be imported, and no more."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *_: Any, **__: Any) -> Any:
        return _refuse(self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _refuse(f"{self._name}.{name}")


class AcceleratorBase:
    """`Accelerator`, on one process; `trace` is that of the rehearsal."""

    trace: Trace
    is_main_process = is_local_main_process = is_last_process = True
    sync_gradients = True
    use_distributed = optimizer_step_was_skipped = False
    num_processes = gradient_accumulation_steps = 1
    process_index = local_process_index = 0

    def __init__(
        self, *args: Any, mixed_precision: Any = None, gradient_accumulation_steps: Any = 1,
        gradient_accumulation_plugin: Any = None, fsdp_plugin: Any = None,
        deepspeed_plugin: Any = None, cpu: bool = False, **_: Any,
    ) -> None:  # fmt: skip
        if gradient_accumulation_steps != 1 or gradient_accumulation_plugin is not None:
            raise UnknownValueError(
                f"Accelerator(gradient_accumulation_steps={gradient_accumulation_steps}) adds up "
                "the gradients of several batches before a step, and the grader takes one batch "
                "for each step: use larger batches"
            )
        if fsdp_plugin is not None or deepspeed_plugin is not None:
            _refuse("plugins for several devices")
        precision = mixed_precision or "no"
        if len(args) > 2 and isinstance(args[2], str):
            precision = args[2]
        self.mixed_precision = precision
        if precision != "no":
            self.trace.note(
                "Mixed precision is left out: the grader chooses the precision by itself"
            )
        self.device = torch.device("cpu" if cpu or not torch.cuda.is_available() else "cuda")
        self.state = types.SimpleNamespace(num_processes=1, device=self.device, process_index=0)
        self.trackers: list[Any] = []

    def prepare(self, *things: Any, **_: Any) -> Any:
        """What it is given: one as itself, several as a tuple."""
        return things[0] if len(things) == 1 else things

    prepare_model = prepare_optimizer = prepare_scheduler = prepare_data_loader = prepare

    def backward(self, loss: Any, **keywords: Any) -> None:
        """The loss's own."""
        loss.backward(**keywords)

    def clip_grad_norm_(self, parameters: Any, max_norm: Any, norm_type: Any = 2) -> Any:
        """As torch has it."""
        return torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)

    def clip_grad_value_(self, parameters: Any, clip_value: Any) -> None:
        """As torch has it."""
        torch.nn.utils.clip_grad_value_(parameters, clip_value)

    def autocast(self, *_: Any, **__: Any) -> Any:
        """Everything stays float32."""
        return contextlib.nullcontext()

    def accumulate(self, *_: Any) -> Any:
        """One batch for each step."""
        return contextlib.nullcontext()

    def unwrap_model(self, model: Any, *_: Any, **__: Any) -> Any:
        """It was never wrapped."""
        return model

    def get_state_dict(self, model: Any, *_: Any, **__: Any) -> Any:
        """The model's own."""
        return model.state_dict()

    def split_between_processes(self, inputs: Any, *_: Any, **__: Any) -> Any:
        """All of them, here."""
        return contextlib.nullcontext(inputs)

    def print(self, *args: Any, **keywords: Any) -> None:
        """As Python does."""
        print(*args, **keywords)  # noqa: T201 - it is what the student calls

    def save(self, thing: Any, f: Any = "", *_: Any, **__: Any) -> None:
        """As torch does."""
        torch.save(thing, f)

    def check_trigger(self) -> bool:
        """Nobody set it."""
        return False

    def unscale_gradients(self, *_: Any) -> None:
        """They were never scaled."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _NOTHING:
            return _nothing
        if name in _SAME:
            return _same
        if name in _DECORATORS:
            return _decorate
        if name in _CONTEXTS:
            return _context
        if name in _UNUSED:
            return Absorbed(f"accelerate.{name}")
        return _refuse(f"Accelerator.{name}")


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _same(tensor: Any, *_: Any, **__: Any) -> Any:
    return tensor


def _decorate(function: Any = None, *_: Any, **__: Any) -> Any:
    return function if function is not None else _same


def _context(*_: Any, **__: Any) -> Any:
    return contextlib.nullcontext()


def _set_seed(seed: int, *_: Any, **__: Any) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _launch(
    function: Callable[..., Any], args: Any = (), num_processes: Any = None, **_: Any
) -> Any:
    """`notebook_launcher`."""
    if num_processes not in (None, 0, 1):
        raise UnknownValueError(
            f"notebook_launcher starts {num_processes} processes, each of which trains on batches "
            "of its own; the grader trains in one: say num_processes=1, with the batch size that "
            "all of them had together"
        )
    return function(*args)


def _module(trace: Trace, name: str) -> types.ModuleType:
    known: dict[str, Any] = {
        "Accelerator": type("Accelerator", (AcceleratorBase,), {"trace": trace}),
        "notebook_launcher": _launch,
        "set_seed": _set_seed,
        "tqdm": Bar,
        "DistributedDataParallelKwargs": functools.partial(Absorbed, "accelerate.kwargs"),
    }
    module = _Module(name)
    vars(module).update(known)
    return module


class _Module(AbsorbedModule):
    """The package and every module in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if name in _UNUSED:
            return Absorbed(f"accelerate.{name}")
        return _Unknown(name)
