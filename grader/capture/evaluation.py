"""The evaluation graph, made of the train graph where both modes run the same operators.

In: a twin of a network, which is worn out here, and its train graph. Out: the graph that an export
in evaluation mode would give, or None where only an export can tell. Runs in the child.

An export takes torch 0.1 to 0.3 s, a forward pass a few milliseconds. So the twin runs in both
modes, and what each run hands to torch is compared: which function, with which results of which
calls before it, and which numbers. Most networks differ in nothing but what batch norm and dropout
are told, and in batch norm's count of batches.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from grader import network
from grader.program.graph import Graph, Node
from grader.program.values import Ref

_TOLD: dict[Callable[..., Any], str] = {
    F.batch_norm: "batch_norm",
    F.dropout: "dropout",
    F.dropout1d: "feature_dropout",
    F.dropout2d: "feature_dropout",
    F.dropout3d: "feature_dropout",
    F.alpha_dropout: "alpha_dropout",
    F.feature_alpha_dropout: "feature_alpha_dropout",
}
"""What is told by `training` in which mode it runs, and the operator that it becomes."""
_PLACES = {"batch_norm": 5}
"""Where an operator has that argument; the dropouts have it after their input and share."""
_COUNTS = "num_batches_tracked"


def derived(
    twin: nn.Module,
    example: Tensor,
    train: Graph,
    weights: Callable[[nn.Module], dict[str, Tensor]],
) -> Graph | None:
    """The evaluation graph of the network that `train` was exported from.

    `weights` gives the tensors of a network by the names that they have in the graph.
    """
    state = torch.get_rng_state()
    try:
        trained, evaluated = _run(twin, example, True), _run(twin, example, False)
        told = list(_differences(trained, evaluated))
        made = _told(train, told, counts=trained.counted)
        if made is None or not _gives(made, weights(twin), example, evaluated.output):
            return None
    except Exception:  # whatever it is, an export finds the words for it
        return None
    finally:
        torch.set_rng_state(state)
    return made


class _DifferError(Exception):
    """The two modes do not run the same."""


@dataclass(frozen=True, slots=True)
class _Call:
    """What torch was asked for. Tensors are named by where they come from."""

    function: Any
    given: Any
    training: bool | None = None


@dataclass(slots=True)
class _Run:
    """The calls of one forward pass, and what it returned."""

    calls: list[_Call] = field(default_factory=list)
    counted: int = 0
    output: Any = None


class _Heard(TorchFunctionMode):
    """Notes what a forward pass asks of torch."""

    def __init__(self, module: nn.Module, images: Tensor, gradient: bool) -> None:
        super().__init__()
        self.run = _Run()
        self.gradient = gradient
        self.kept: list[Any] = [images]  # what is kept has its id for itself
        self.names: dict[int, Any] = {id(images): "images"}
        self.counters = {
            id(tensor) for name, tensor in module.named_buffers() if name.endswith(_COUNTS)
        }

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.add_ and id(args[0]) in self.counters and args[1:] == (1,) and not kwargs:
            self.run.counted += 1
            return func(*args)
        if torch.is_grad_enabled() is not self.gradient or torch.is_autocast_enabled("cpu"):
            raise _DifferError
        self.run.calls.append(self._call(func, args, kwargs))
        result = func(*args, **kwargs)
        if func in _TOLD and isinstance(result, Tensor):
            # A dropout that drops nothing hands on its very input, which the graph reads from it.
            self.names.pop(id(result), None)
        self._name(result, (len(self.run.calls),))
        return result

    def _call(self, func: Any, args: Any, kwargs: Any) -> _Call:
        if func not in _TOLD:
            return _Call(func, self._plain((args, kwargs)))
        bound = inspect.signature(func).bind(*args, **kwargs)
        bound.apply_defaults()
        training = bound.arguments.pop("training")
        return _Call(func, self._plain(bound.arguments), bool(training))

    def _name(self, result: Any, place: tuple[int, ...]) -> None:
        if isinstance(result, Tensor):
            self.kept.append(result)
            self.names.setdefault(id(result), place)
        elif isinstance(result, list | tuple):
            for number, item in enumerate(result):
                self._name(item, (*place, number))

    def _plain(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value), [self._plain(item) for item in value]
        if isinstance(value, Mapping):
            return [(key, self._plain(item)) for key, item in value.items()]
        if isinstance(value, slice):
            return slice, [self._plain(item) for item in (value.start, value.stop, value.step)]
        if value is None or isinstance(value, bool | int | float | complex | str):
            return type(value), repr(value)
        if isinstance(value, torch.dtype | torch.device | torch.layout | torch.memory_format):
            return repr(value)
        self.kept.append(value)
        return self.names.get(id(value), id(value))


def _run(twin: nn.Module, example: Tensor, training: bool) -> _Run:
    twin.train(training)
    images = example.clone()
    heard = _Heard(twin, images, gradient=training)
    with torch.set_grad_enabled(training), heard:
        heard.run.output = twin(images)
    return heard.run


def _differences(trained: _Run, evaluated: _Run) -> Iterator[tuple[str, bool, bool]]:
    """What is told its mode, in order: the operator, and what it is told in either mode.

    Raises _DifferError where anything else is not the same.
    """
    if evaluated.counted or len(trained.calls) != len(evaluated.calls):
        raise _DifferError
    for one, other in zip(trained.calls, evaluated.calls, strict=True):
        if (one.function, one.given) != (other.function, other.given):
            raise _DifferError
        if one.training is not None and other.training is not None:
            yield _TOLD[one.function], one.training, other.training


def _told(train: Graph, told: Sequence[tuple[str, bool, bool]], counts: int) -> Graph | None:
    """`train` as in evaluation mode; None where it does not have the operators that were heard."""
    left = list(told)
    nodes: list[Node] = []
    names: dict[str, str] = {}
    counters: set[str] = set()
    for node in train.nodes:
        if node.op == "weight" and str(node.arguments[0]).endswith(_COUNTS):
            counters.add(node.name)
        counter = next(iter(node.references()), "")
        if node.op == "aten.add_.Tensor" and counter in counters:
            counts -= 1
            counters.add(node.name)
            names[node.name] = names[counter]
            continue
        arguments = list(node.arguments)
        base = node.op.split(".")[1].rstrip("_") if node.op.startswith("aten.") else ""
        if base in _TOLD.values():
            if not left:
                return None
            wanted, before, after = left.pop(0)
            place = _PLACES.get(base, 2)
            if base != wanted or node.keywords or arguments[place] is not before:
                return None
            arguments[place] = after
        name = f"n{len(nodes)}_{node.name.partition('_')[2]}"
        changed = {
            "name": name,
            "arguments": tuple(_renamed(value, names) for value in arguments),
            "keywords": {key: _renamed(value, names) for key, value in node.keywords.items()},
        }
        names[node.name] = name
        nodes.append(node.model_copy(update=changed))
    if left or counts:
        return None
    return Graph(nodes=tuple(nodes), output=names[train.output])


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Ref):
        return Ref(node=names[value.node])
    if isinstance(value, tuple):
        return tuple(_renamed(item, names) for item in value)
    return value


def _gives(graph: Graph, weights: Mapping[str, Tensor], example: Tensor, wanted: Tensor) -> bool:
    """Whether the graph gives the scores that the network gave."""
    own = {name: tensor.detach().clone() for name, tensor in weights.items()}
    with torch.inference_mode():
        steps = network.build_steps(graph, own, example.device, gradient_blocks=False)
        found = network.Runner(steps).run(example.clone())
    return found.shape == wanted.shape and bool(
        torch.allclose(found, wanted, rtol=1e-3, atol=1e-5, equal_nan=True)
    )
