"""Mixed precision that changes nothing: everything stays float32.

In: the trace. Out: `autocast` and `GradScaler`, in their old and new spellings.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from grader.capture.rehearsal.trace import Trace


class Scaler:
    """GradScaler, which scales by one."""

    trace: Trace

    def __init__(self, *_: Any, enabled: bool = True, **__: Any) -> None:
        self._enabled = enabled

    def scale(self, outputs: Any) -> Any:
        """The outputs as they are."""
        if self._enabled:
            _tell(self.trace)
            self.trace.scaled = True
        return outputs

    def unscale_(self, _: Any) -> None:
        """From here on, clipping means what it says."""
        self.trace.scaled = False

    def step(self, optimizer: Any, *args: Any, **keywords: Any) -> Any:
        """As the optimizer."""
        self.trace.scaled = False
        return optimizer.step(*args, **keywords)

    def update(self, *_: Any, **__: Any) -> None:
        """The scale stays."""

    def get_scale(self) -> float:
        """Always one."""
        return 1.0

    def is_enabled(self) -> bool:
        """As the file says."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """It has no state."""
        return {}

    def load_state_dict(self, _: Any) -> None:
        """There is nothing to load."""


class Autocast(contextlib.ContextDecorator):
    """autocast, in which everything stays float32."""

    trace: Trace

    def __init__(self, *_: Any, enabled: bool = True, **__: Any) -> None:
        if enabled and self.trace.where() is not None:
            _tell(self.trace)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""


def _tell(trace: Trace) -> None:
    trace.note("Mixed precision is left out: the grader chooses the precision by itself")


def install(trace: Trace) -> None:
    """Put both in place of torch's."""
    Scaler.trace = Autocast.trace = trace
    for place in (torch.cuda.amp, torch.amp, torch):
        for name, kind in (("GradScaler", Scaler), ("autocast", Autocast)):
            if hasattr(place, name):
                setattr(place, name, kind)
