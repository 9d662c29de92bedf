"""`len(x)` in a student's file means `x.size(0)`: a number that may stay open.

Runs in the child, while the network is recorded for any number of images. Python makes every len()
a plain number, so the batch that was recorded would be written into the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from torch import Tensor, nn


@contextmanager
def left_open(model: nn.Module, filename: str) -> Iterator[None]:
    """Inside, the student's file of that name has a len() that leaves the number of images open."""
    names = _names(model, filename)
    if names is None or "len" in names:
        yield
        return
    with mock.patch.dict(names, {"len": _length}):
        yield


def _length(thing: Any) -> Any:
    return thing.size(0) if isinstance(thing, Tensor) and thing.ndim else len(thing)


def _names(model: nn.Module, filename: str) -> dict[str, Any] | None:
    """The global names of the file that defines the network's classes."""
    for module in model.modules():
        for kind in type(module).__mro__:
            for method in ("forward", "__init__"):
                found: Any = vars(kind).get(method)
                code = getattr(found, "__code__", None)
                if code is not None and code.co_filename == filename:
                    names: dict[str, Any] = found.__globals__
                    return names
    return None
