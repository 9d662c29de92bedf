"""Losses, `backward()` and clipping: written down, and nothing is computed backwards.

In: the trace. Out: patched functions of torch.nn.functional and torch.nn.utils, `Tensor.backward`.
What `backward()` is called on is told by `objectives`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from grader.capture.rehearsal.gradients import AllGradients
from grader.capture.rehearsal.networks import LEAF
from grader.capture.rehearsal.objectives import Objectives
from grader.capture.rehearsal.trace import Clip, LossCall, Trace

NAMES = (
    "cross_entropy",
    "nll_loss",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "kl_div",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "hinge_embedding_loss",
    "gaussian_nll_loss",
    "poisson_nll_loss",
)
PLAIN: dict[str, Any] = {
    "reduction": "mean",
    "label_smoothing": 0.0,
    "ignore_index": -100,
    "weight": None,
    "size_average": None,
    "reduce": None,
    "log_target": False,
    "pos_weight": None,
}
"""Options as torch has them, which change nothing."""
SHAPES = frozenset(
    {"View", "UnsafeView", "Squeeze", "Reshape", "ToCopy", "Alias", "Clone", "Unsqueeze"}
)
"""Operators that leave the numbers as they are."""
MOST_LOSSES = 100
MOST_KNOWN = 500
MOST_OBJECTIVES = 64
LONGEST_PATH = 20
_TOLERANCE = 1e-5


def install(trace: Trace, gradients: AllGradients) -> None:
    """Put the losses, `backward()` and clipping in place of torch's."""
    for name in NAMES:
        setattr(functional, name, _loss(trace, name, getattr(functional, name)))
    _backward(trace, gradients)
    _clipping(trace)
    _hooks(trace)


def _loss(trace: Trace, name: str, real: Any) -> Any:
    known: dict[Any, _Known] = {}
    calls: dict[Any, LossCall] = {}
    # who asks for gradients by the network's answer needs the graph between it and the loss
    is_plain = not any(".grad(" in part.text for part in trace.request.listing.parts)

    def call(input: Any, target: Any, *args: Any, **keywords: Any) -> Any:  # noqa: A002 - torch's
        if trace.depth:
            return real(input, target, *args, **keywords)
        key = _key(trace, input, target, args, keywords) if is_plain else None
        if key is not None and (again := known.get(key)) is not None:
            return _again(trace, again, input, keywords)
        result = real(input, target, *args, **keywords)
        if not isinstance(result, Tensor):
            return result
        value = result.item() if result.numel() == 1 else None
        is_true, smoothing = _true(trace, target, name)
        if is_true and value is not None:
            _add_up(trace, input, value, keywords.get("reduction"))
        made = None
        if result.grad_fn is not None:
            through, of_network = _path(input.grad_fn, trace.output_node)
            options = _options(args, keywords, smoothing)
            made = LossCall(name, options, through, of_network, is_true, trace.where())
            if len(calls) < MOST_KNOWN:
                made = calls.setdefault((made, made.line), made)  # one object: compared at once
            kept = value if value is not None else result.detach().clone()
            _write_down(trace, result, made, kept)
        if key is not None:
            if len(known) >= MOST_KNOWN:
                known.clear()
            whole = (trace.answered, target, trace.fed)
            known[key] = _Known(result.detach().clone(), value, made, is_true, whole)
        return result

    return call


@dataclass(frozen=True, slots=True)
class _Known:
    """What a loss said of an answer and of labels that both come back; `kept` keeps their ids."""

    result: Tensor
    value: float | None
    made: LossCall | None
    is_true: bool
    kept: Any


def _key(
    trace: Trace, scores: Any, target: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    """Under which a loss is known; None where it is not that of the network's own answer."""
    answered, fed = trace.answered, trace.fed
    if answered is None or scores is not answered.given or scores._version != answered.version:
        return None
    if args or fed is None or not isinstance(target, Tensor) or target.requires_grad:
        return None
    options = tuple(keywords.items())
    if any(isinstance(value, Tensor) for _, value in options):
        return None
    return (
        id(answered.acted),
        scores.requires_grad,
        id(target),
        target._version,
        id(fed.labels),
        trace.where(),
        options,
    )


def _again(trace: Trace, known: _Known, scores: Any, keywords: dict[str, Any]) -> Tensor:
    """The same loss once more, with a graph of its own."""
    if known.is_true and known.value is not None:
        _add_up(trace, scores, known.value, keywords.get("reduction"))
    if known.made is None:
        return known.result.clone()
    result = known.result + LEAF
    kept = known.value if known.value is not None else known.result
    _write_down(trace, result, known.made, kept)
    return result


def _write_down(trace: Trace, result: Tensor, made: LossCall, kept: Any) -> None:
    if len(trace.losses) >= MOST_LOSSES:
        trace.losses.clear()
    trace.losses[result.grad_fn] = made, kept


def _add_up(trace: Trace, scores: Any, value: float, reduction: Any) -> None:
    """A number that the file may watch: the mean loss of a walk."""
    batch = trace.fed or trace.batch
    if batch is None or not isinstance(scores, Tensor) or not scores.dim():
        return
    walk, size = batch.walk, scores.shape[0]
    mean = value / size if reduction == "sum" else value
    walk.losses += mean
    walk.weighted += mean * size
    walk.told += 1


def _options(
    args: tuple[Any, ...], keywords: dict[str, Any], smoothing: float
) -> tuple[tuple[str, Any], ...]:
    """Options that change something, sorted by name."""
    given = dict(keywords)
    if args:
        given["weight"] = args[0]
    if smoothing:
        given["label_smoothing"] = smoothing
    odd = [(key, _plain(value)) for key, value in given.items() if _is_odd(key, value)]
    return tuple(sorted(odd))


def _is_odd(key: str, value: Any) -> bool:
    return isinstance(value, Tensor) or key not in PLAIN or PLAIN[key] != value


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.flatten().tolist()) if value.numel() <= 1_000 else str(value.shape)
    return value if isinstance(value, bool | int | float | str | None) else str(value)[:100]


def _true(trace: Trace, target: Any, name: str) -> tuple[bool, float]:
    """Whether a loss is told the labels that the loader gave, and how much they were smoothed."""
    batch = trace.fed or trace.batch
    if batch is None or batch.labels is None or not isinstance(target, Tensor):
        return False, 0.0
    if target is batch.labels or target is batch.counted:
        return True, 0.0
    found = _compared(target, batch.counted, name)
    if found[0] or batch.counted is batch.labels:
        return found
    return _compared(target, batch.labels, name)


def _compared(target: Tensor, labels: Tensor, name: str) -> tuple[bool, float]:
    if target.shape == labels.shape:
        return bool(torch.equal(target.long(), labels.long())), 0.0
    if target.dim() != 2 or name != "cross_entropy" or target.shape[0] != len(labels):
        return False, 0.0
    return _smoothed(target.detach(), labels.long())


def _smoothed(target: Tensor, labels: Tensor) -> tuple[bool, float]:
    """Whether shares are those of true labels, made equal for all others by label smoothing."""
    classes = target.shape[1]
    if int(labels.max()) >= classes:
        return False, 0.0
    smoothing = float(target.sum(1).mean() - target.gather(1, labels[:, None]).mean())
    smoothing = smoothing * classes / (classes - 1)
    expected = functional.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    same = torch.allclose(target.float(), expected.float(), atol=_TOLERANCE)
    return same, round(smoothing, 6) if same and smoothing > _TOLERANCE else 0.0


def _path(node: Any, end: Any) -> tuple[tuple[str, ...], bool]:
    """The operators from the network's output to here, if there is one straight way."""
    names: list[str] = []
    while node is not None and len(names) < LONGEST_PATH:
        if node is end:
            return tuple(reversed(names)), True
        name = type(node).__name__.removesuffix("Backward0")
        if name not in SHAPES:
            names.append(name + _along(node))
        node = node.next_functions[0][0] if node.next_functions else None
    return tuple(reversed(names)), False


def _along(node: Any) -> str:
    """Where softmax does not go along the classes: `dim=0` mixes the images of a batch."""
    dimension = getattr(node, "_saved_dim", 1)
    is_softmax = "Softmax" in type(node).__name__
    return f" along dimension {dimension}" if is_softmax and dimension == 0 else ""


def _backward(trace: Trace, gradients: AllGradients) -> None:
    objectives = Objectives(trace)
    run: Any = torch.autograd.backward

    def backward(self: Any, gradient: Any = None, *_: Any, **__: Any) -> None:
        if trace.depth or (self.grad_fn is None and not self.requires_grad):
            run(self, gradient)  # which says what is wrong, where there is nothing to follow
            return
        network = trace.networks.get(trace.network or 0)
        kept = gradients.of(network) if network is not None else None
        if kept is not None and kept.are_cleared() and not trace.objectives:
            trace.zero()
        trace.backwards += 1
        if len(trace.objectives) < MOST_OBJECTIVES:
            trace.objectives.append(objectives.of(self, network, gradient))
        if kept is not None:
            kept.fill()

    def backwards(tensors: Any, grad_tensors: Any = None, *_: Any, **__: Any) -> None:
        several = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        given = grad_tensors if isinstance(grad_tensors, list | tuple) else [grad_tensors]
        for index, item in enumerate(several):
            backward(item, given[index] if index < len(given) else None)

    places: tuple[Any, ...] = (torch.Tensor, torch.autograd)
    for place, stand_in in zip(places, (backward, backwards), strict=True):
        place.backward = stand_in


def _clipping(trace: Trace) -> None:
    def clip(kind: str, parameters: Any, value: Any, norm_type: Any = 2.0) -> None:
        weights = 1 if isinstance(parameters, Tensor) else sum(1 for _ in parameters)
        if not trace.objectives:
            trace.note(
                "Gradients are clipped where there are none: call it after backward() and before "
                "step(). It has no effect"
            )
            return
        limit, line = float(value), trace.where()
        if len(trace.clips) < MOST_OBJECTIVES:
            trace.clips.append(Clip(kind, limit, float(norm_type), weights, trace.scaled, line))

    def norm(parameters: Any, max_norm: Any, norm_type: Any = 2.0, *_: Any, **__: Any) -> Tensor:
        clip("norm", parameters, max_norm, norm_type)
        return torch.tensor(1.0)

    def limit(parameters: Any, clip_value: Any, *_: Any, **__: Any) -> None:
        clip("value", parameters, clip_value)

    for place in (nn.utils, nn.utils.clip_grad):
        vars(place).update(clip_grad_norm_=norm, clip_grad_norm=norm, clip_grad_value_=limit)


def _hooks(trace: Trace) -> None:
    """A hook of the file's own may change gradients, which never come here."""

    def watched(real: Any) -> Any:
        def register(self: Any, *args: Any, **keywords: Any) -> Any:
            if not trace.depth and isinstance(self, nn.Parameter | nn.Module):
                trace.hooked = trace.where() or trace.hooked
            return real(self, *args, **keywords)

        return register

    places: tuple[tuple[Any, str], ...] = (
        (torch.Tensor, "register_hook"),
        (torch.Tensor, "register_post_accumulate_grad_hook"),
        (nn.Module, "register_full_backward_hook"),
        (nn.Module, "register_backward_hook"),
    )
    for kind, name in places:
        setattr(kind, name, watched(getattr(kind, name)))
