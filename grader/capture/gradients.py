"""Refuse gradients that a student's file writes or changes itself: they are not in a graph.

Runs in the child.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import graph
from torch.utils import checkpoint

from grader.capture.load import is_students
from grader.errors import SubmissionError

HOOKS: tuple[tuple[Any, str], ...] = (
    (Tensor, "register_hook"),
    (Tensor, "register_post_accumulate_grad_hook"),
    (nn.Module, "register_backward_hook"),
    (nn.Module, "register_full_backward_hook"),
    (nn.Module, "register_full_backward_pre_hook"),
    (graph, "register_multi_grad_hook"),
    (nn.modules.module, "register_module_full_backward_hook"),
    (nn.modules.module, "register_module_full_backward_pre_hook"),
    (nn.modules.module, "register_module_backward_hook"),
)
"""Whatever runs a student's function on a gradient."""


@contextmanager
def own_ones_refused(filename: str) -> Iterator[None]:
    """Inside, the file `filename` cannot use a torch.autograd.Function or a hook of its own.

    Either raises SubmissionError. Checkpoints compute what they wrap as if they were not there.
    """
    originals = [
        (torch.autograd.Function, "apply", vars(torch.autograd.Function)["apply"]),
        (checkpoint, "checkpoint", checkpoint.checkpoint),
        *((owner, name, getattr(owner, name)) for owner, name in HOOKS),
    ]
    torch.autograd.Function.apply = classmethod(_applied(originals[0][2]))
    setattr(checkpoint, "checkpoint", _at_once)  # noqa: B010 - torch overloads its type
    for owner, name in HOOKS:
        setattr(owner, name, _refused(getattr(owner, name), name, filename))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _applied(original: Any) -> Callable[..., Any]:
    def apply(kind: type, *arguments: Any, **keywords: Any) -> Any:
        if is_students(kind):
            raise SubmissionError(
                f"{kind.__name__} is a torch.autograd.Function: its backward() would be lost, "
                "because the grader takes over what forward() computes and derives the gradients "
                "itself. For a step that passes gradients straight through, write "
                "x + (f(x) - x).detach()."
            )
        return original.__get__(None, kind)(*arguments, **keywords)

    return apply


def _refused(original: Callable[..., Any], name: str, filename: str) -> Callable[..., Any]:
    def refuse(*arguments: Any, **keywords: Any) -> Any:
        caller = sys._getframe(1)
        if caller.f_code.co_filename == filename:
            raise SubmissionError(
                f"{name}() lets a function of yours watch or change gradients, and it would be "
                "lost: the grader takes over what forward() computes and derives the gradients "
                "itself. To clip gradients, write GRADIENT_CLIP_VALUE = 0.001 (the most that each "
                "number may be) or GRADIENT_CLIP_NORM = 1.0 (of all together) at the top level; to "
                "scale those of a tensor, a * x + (1 - a) * x.detach(). A hook that only watches "
                "can go.",
                line=caller.f_lineno,
            )
        return original(*arguments, **keywords)

    return refuse


def _at_once(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """The result of a checkpoint.

    It saves memory; one that is reentrant computes under no_grad() and again in the backward pass,
    which a graph would show as a part that never learns.
    """
    for option in _OF_CHECKPOINT:
        keywords.pop(option, None)
    return function(*arguments, **keywords)


_OF_CHECKPOINT = (
    *("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug"),
    "early_stop",
)
