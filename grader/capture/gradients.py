"""Refuse gradients that a student's file writes itself: a graph of operators cannot hold them.

Runs in the child.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from grader.capture.load import MODULE_NAME
from grader.errors import SubmissionError


@contextmanager
def own_ones_refused() -> Iterator[None]:
    """Inside, applying a torch.autograd.Function of the student's file raises SubmissionError."""
    original = vars(torch.autograd.Function)["apply"]

    def apply(kind: type, *arguments: Any, **keywords: Any) -> Any:
        if kind.__module__ == MODULE_NAME:
            raise SubmissionError(
                f"{kind.__name__} is a torch.autograd.Function: its backward() would be lost, "
                "because the grader takes over what forward() computes and derives the gradients "
                "itself. For a step that passes gradients straight through, write "
                "x + (f(x) - x).detach()."
            )
        return original.__get__(None, kind)(*arguments, **keywords)

    torch.autograd.Function.apply = classmethod(apply)
    try:
        yield
    finally:
        torch.autograd.Function.apply = original
