"""How the stand-in for Lightning calls what the student wrote. Part of it; see `lightning`."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def limited(length: int, limit: float | None) -> int:
    """How many batches of `length` are used under `limit_..._batches`."""
    if limit is None:
        return length
    return int(length * limit) if isinstance(limit, float) else min(length, limit)


def size(batch: Any) -> int:
    """How many images a batch has."""
    for part in batch if isinstance(batch, list | tuple) else [batch]:
        if isinstance(part, Tensor) and part.dim():
            return int(part.shape[0])
    return 1


def plain(value: Any) -> Any:
    """A number, without its tensor."""
    return float(value) if isinstance(value, Tensor) else value


def step(step: Any, batch: Any, index: int) -> Any:
    """Call `training_step(batch, batch_idx)`, which some write without the second."""
    code = getattr(step, "__code__", None)
    if code is not None and code.co_argcount < 3 and not code.co_flags & 0x04:
        return step(batch)
    return step(batch, index)


def setup(item: Any) -> None:
    """Call `setup(stage)`, which some write without the stage."""
    if not hasattr(item, "setup"):
        return
    code = getattr(item.setup, "__code__", None)
    if code is not None and code.co_argcount < 2 and not code.co_flags & 0x04:
        item.setup()
    else:
        item.setup("fit")


def call(thing: Any, name: str, *args: Any) -> None:
    """Call a hook where there is one."""
    hook = getattr(thing, name, None)
    if hook is not None:
        hook(*args)
