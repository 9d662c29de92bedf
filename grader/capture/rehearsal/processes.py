"""Training in several processes: in one, it is followed; in more, it is refused with its line.

In: nothing. Out: patched `torch.multiprocessing`, `multiprocessing` and `torch.distributed`. A file
that starts as many processes as there are GPUs starts one here, which is called as a function.
"""

from __future__ import annotations

import multiprocessing.context
import multiprocessing.process
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing
from torch import nn

from grader.capture.rehearsal.absorbed import UnknownValueError

INSTEAD = (
    "the grader trains in one process: call the function that trains yourself, without "
    "DistributedDataParallel, and give the DataLoader the batch size that all of them had together"
)


def install() -> None:
    """Put it in place of torch's and Python's own."""
    _spawning()
    _distributed()


def _spawning() -> None:
    def spawn(fn: Any, args: Any = (), nprocs: int = 1, *_: Any, **__: Any) -> None:
        if nprocs != 1:
            raise UnknownValueError(
                f"torch.multiprocessing.spawn starts {nprocs} processes; {INSTEAD}"
            )
        fn(0, *args)

    def start(self: Any) -> None:
        raise UnknownValueError(
            f"another process is started here ({type(self).__name__}.start()); {INSTEAD}"
        )

    vars(torch.multiprocessing).update(spawn=spawn, start_processes=spawn)
    kind: Any = multiprocessing.process.BaseProcess
    kind.start = start
    module, tensor = nn.Module, torch.Tensor
    vars_of: tuple[tuple[Any, str], ...] = ((module, "share_memory"), (tensor, "share_memory_"))
    for shared, name in vars_of:
        setattr(shared, name, lambda self: self)


def _distributed() -> None:
    begun = [False]

    def begin(*_: Any, world_size: int = -1, **__: Any) -> None:
        if world_size > 1:
            raise UnknownValueError(
                f"torch.distributed is told of {world_size} processes (world_size); {INSTEAD}"
            )
        begun[0] = True

    def end(*_: Any, **__: Any) -> None:
        begun[0] = False

    def same(tensor: Any = None, *_: Any, **__: Any) -> None:
        """One process has what all have."""

    answers: dict[str, Any] = {
        "init_process_group": begin,
        "destroy_process_group": end,
        "is_initialized": lambda: begun[0],
        "is_available": lambda: True,
        "get_rank": lambda *_, **__: 0,
        "get_world_size": lambda *_, **__: 1,
        "barrier": same,
        "all_reduce": same,
        "reduce": same,
        "broadcast": same,
    }
    vars(torch.distributed).update(answers)
