"""Find out whether forward() computes the same at every call, as a graph of it will.

In: a twin of the network that will be captured, which is worn out here. Out: nothing, or a
SubmissionError with the line. Runs in the child.

A number that Python keeps (`self.calls += 1`, random.random()) is a constant to the graph. So the
network runs twice, and what each call hands to torch is compared, which takes a millisecond; where
anything differs, it is captured twice, and only what has a part in the output decides.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from grader.capture import graph
from grader.errors import SubmissionError
from grader.program.graph import Graph, Node
from grader.program.values import Ref

LATER = 100_003
"""Calls further on: what a counter decides may come late."""


def check(model: nn.Module, example: Tensor, names: dict[str, Any], filename: str) -> None:
    """Raise SubmissionError where two calls of the same mode do not compute the same.

    `names` are the globals of the student's file.
    """
    state = torch.get_rng_state()
    try:
        for training in (True, False):
            model.train(training)
            if _seems_to_change(model, example, names, filename):
                _compare(model, example, names, training=training, filename=filename)
    finally:
        torch.set_rng_state(state)


def _seems_to_change(
    model: nn.Module, example: Tensor, names: dict[str, Any], filename: str
) -> bool:
    before, tensors = _numbers(model, names), _tensors(model)
    try:
        first, second = _calls(model, example), _calls(model, example)
        changes = first != second
        if _count(before) and not changes:
            changes = _calls(model, example) != second
    except Exception:  # what is wrong with it is said where it is captured
        changes = False
    for place, name, value in before:
        place[name] = value
    if model.training:
        _refuse_replaced(tensors, filename)
    return changes


def _tensors(model: nn.Module) -> list[tuple[nn.Module, str, str, Tensor, Tensor]]:
    """Each tensor that a module keeps, but parameters: module, its path, name, value, a copy."""
    found = []
    for path, module in model.named_modules():
        for name, value in (*vars(module).items(), *module._buffers.items()):
            if isinstance(value, Tensor) and not is_lazy(value):
                found.append((module, path, name, value, value.detach().clone()))
    return found


def _refuse_replaced(
    tensors: list[tuple[nn.Module, str, str, Tensor, Tensor]], filename: str
) -> None:
    """Raise SubmissionError where training has put another tensor in a tensor's place.

    What is written into a tensor is an operator of the graph; what Python binds anew is not.
    """
    for module, path, name, value, copy in tensors:
        now = getattr(module, name, None)
        if now is value or not isinstance(now, Tensor) or _same(now, copy):
            continue
        code = getattr(type(module).forward, "__code__", None)
        own = code is not None and code.co_filename == filename
        raise SubmissionError(
            f"forward() puts another tensor in the place of self.{name} (in {path or 'the network'}"
            "): the grader takes over the operators that forward() runs, and what Python assigns "
            "would be lost, as the running mean of a hand-written batch norm. Use nn.BatchNorm2d, "
            f'or self.register_buffer("{name}", ...) and change it in place, in training alone: '
            f"self.{name}.copy_(new.detach()).",
            line=code.co_firstlineno if own and code else None,
        )


def _same(now: Tensor, before: Tensor) -> bool:
    return now.shape == before.shape and torch.equal(now.detach(), before)


Number = tuple[dict[str, Any], str, int | float]


def _numbers(model: nn.Module, names: dict[str, Any]) -> list[Number]:
    """Each number that the modules, or the file, keep: its place, name and value."""
    places = [names, *(vars(module) for module in model.modules())]
    found = []
    for place in places:
        numbers = {name: value for name, value in place.items() if type(value) in (int, float)}
        found += [(place, name, value) for name, value in numbers.items()]
    return found


def _count(before: list[Number]) -> bool:
    """Let those that have changed be `LATER`; whether there are any."""
    moved = [(place, name) for place, name, value in before if place.get(name) != value]
    for place, name in moved:
        place[name] += LATER
    return bool(moved)


def _calls(model: nn.Module, example: Tensor) -> list[Any]:
    """What one forward pass hands to torch: each function, and its plain arguments."""
    seen: list[Any] = []

    class Seen(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            seen.append((func, _plain(args), _plain(kwargs or {})))
            return func(*args, **(kwargs or {}))

    with torch.set_grad_enabled(model.training), Seen():
        model(example.clone())
    return seen


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return [(key, _plain(item)) for key, item in value.items()]
    if isinstance(value, slice):
        return [_plain(item) for item in (value.start, value.stop, value.step)]
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    return type(value)


def _compare(
    model: nn.Module, example: Tensor, names: dict[str, Any], *, training: bool, filename: str
) -> None:
    """Capture twice, the second time `LATER`. Raises SubmissionError unless both are the same."""
    before = _numbers(model, names)
    constants = graph.Constants()
    graphs: list[Graph] = []
    for _ in range(3):
        graphs.append(
            graph.export(model, example, training=training, constants=constants, filename=filename)
        )
        _calls(model, example)  # an export leaves the network's numbers as they were
        if len(graphs) == 2:
            _count(before)
    first = _live(graphs[0])
    for other in map(_live, graphs[1:]):
        if first != other:
            raise SubmissionError(_message(first, other), line=_line(first, other))


class _Steps(list[tuple[str, Any]]):
    """What has a part in the output, in order; equal where it computes the same."""

    nodes: list[Node]


def _live(found: Graph) -> _Steps:
    wanted = {found.output}
    for node in reversed(found.nodes):
        if node.name in wanted:
            wanted.update(node.references())
    steps = _Steps()
    steps.nodes = [node for node in found.nodes if node.name in wanted]
    places = {node.name: str(place) for place, node in enumerate(steps.nodes)}
    for node in steps.nodes:
        steps.append((node.op, _renamed((node.arguments, tuple(node.keywords.items())), places)))
    return steps


def _renamed(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, tuple):
        return [_renamed(item, places) for item in value]
    return places[value.node] if isinstance(value, Ref) else repr(value)


def _first_difference(first: _Steps, other: _Steps) -> int:
    pairs = zip(first, other, strict=False)
    return next((at for at, (one, two) in enumerate(pairs) if one != two), len(other))


def _line(first: _Steps, other: _Steps) -> int | None:
    at = _first_difference(first, other)
    longer = first.nodes if len(first) > at else other.nodes
    return next((node.line for node in longer[min(at, len(longer) - 1) :] if node.line), None)


def _message(first: _Steps, other: _Steps) -> str:
    numbers = ""
    at = _first_difference(first, other)
    if at < min(len(first), len(other)) and first[at][0] == other[at][0]:
        pairs = zip(first.nodes[at].arguments, other.nodes[at].arguments, strict=False)
        changed = [pair for pair in pairs if pair[0] != pair[1]]
        if changed and all(isinstance(item, int | float) for item in changed[0]):
            numbers = f" ({changed[0][0]:.6g}, then {changed[0][1]:.6g})"
    return (
        f"forward() does not compute the same at every call{numbers}: it uses a number that Python "
        "counts or draws, and the grader, which takes over what one call computes, would keep the "
        "first one for all of training. Leave it out; draw random numbers with torch.rand, and "
        "keep what must move in a buffer that is changed in training alone."
    )
