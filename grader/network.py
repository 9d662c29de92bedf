"""Rebuild a Program as torch modules that trusted code can run and train.

In: a validated Program and the values of its weights (safetensors bytes). Out: a `Network`. Student
code is not needed: every call goes to an allowlisted operator of `grader.program.ops`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, fx, nn

from grader.errors import SubmissionError
from grader.program import ops
from grader.program.graph import Graph, Node
from grader.program.program import Program
from grader.program.values import DTypeArgument, Ref

MOST_PIECES = 2**16
"""Tensors that one operator may cut another into."""


def read_values(program: Program, values: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file that an untrusted child wrote, checked against the Program.

    Raises SubmissionError when the file is damaged or does not hold exactly the declared tensors.
    """
    try:
        tensors = safetensors.torch.load(values)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise SubmissionError(f"The network's weights could not be read: {error}.") from error
    expected = {
        weight.storage: weight
        for weight in reversed(program.weights)
        if weight.storage == weight.name
    }
    if tensors.keys() != expected.keys():
        odd = sorted(tensors.keys() ^ expected.keys())[0]
        raise SubmissionError(
            f"The network's weights do not match its declaration, first at {odd!r}."
        )
    for name, tensor in tensors.items():
        weight = expected[name]
        if tuple(tensor.shape) != weight.shape or tensor.dtype != getattr(torch, weight.dtype):
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise SubmissionError(
                f"The weight {name} has the shape {tuple(tensor.shape)} of {dtype}, "
                f"declared as {weight.shape} of {weight.dtype}."
            )
    return tensors


class Network(nn.Module):
    """A Program as a module: its train graph after `.train()`, its eval graph after `.eval()`.

    Images are float32 of shape (N, *input_shape); the result is (N, classes). `weights` maps every
    name of the Program to its tensor; names that share storage share the tensor, and both graphs
    share all of them.
    """

    def __init__(
        self, program: Program, values: Mapping[str, Tensor], device: torch.device | str = "cpu"
    ) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.weights = place(program, values, self.device)
        self.train_graph = build_graph(
            program.train, self.weights, self.device, gradient_blocks=True
        )
        self.eval_graph = build_graph(
            program.eval, self.weights, self.device, gradient_blocks=False
        )
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Scores of shape (N, classes) for images of shape (N, *input_shape)."""
        result: Tensor = (self.train_graph if self.training else self.eval_graph)(images)
        return result


def build(program: Program, values: bytes, device: torch.device | str = "cpu") -> Network:
    """The Network of a Program, on `device`.

    Raises SubmissionError when the weights do not fit the Program.
    """
    return Network(program, read_values(program, values), device)


def place(
    program: Program, values: Mapping[str, Tensor], device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """The tensor of each of the Program's names, on `device`: parameters as `nn.Parameter`."""
    placed: dict[str, Tensor] = {}
    for weight in program.weights:
        if weight.storage != weight.name:
            continue
        tensor = values[weight.name].detach().clone().to(device)
        if weight.kind == "parameter":
            tensor = nn.Parameter(tensor, requires_grad=weight.trainable)
        placed[weight.name] = tensor
    return {weight.name: placed[weight.storage] for weight in program.weights}


def build_graph(
    graph: Graph, weights: Mapping[str, Tensor], device: torch.device, *, gradient_blocks: bool
) -> fx.GraphModule:
    """One Graph as an fx module over `weights`.

    `gradient_blocks`: honour `torch.no_grad()` blocks inside it.
    """
    steps = build_steps(graph, weights, device, gradient_blocks=gradient_blocks)
    return fx.GraphModule(steps, steps.graph)


class Steps(nn.Module):
    """A Graph for a `Runner`, which takes it step by step.

    An fx module costs three times as much: it is made into Python, which is compiled.
    """

    graph: fx.Graph


def build_steps(
    graph: Graph, weights: Mapping[str, Tensor], device: torch.device, *, gradient_blocks: bool
) -> Steps:
    """As `build_graph`, for a `Runner`."""
    root = Steps()
    result = fx.Graph()
    places: dict[str, fx.Node] = {}
    numbers = {name: number for number, name in enumerate(weights)}
    gradient = True
    for node in graph.nodes:
        if node.op == "input":
            places[node.name] = result.placeholder("images")
        elif node.op == "weight":
            places[node.name] = result.get_attr(_register(root, node, weights, numbers))
        else:
            if gradient_blocks and node.gradient != gradient:
                gradient = node.gradient
                result.call_function(torch._C._set_grad_enabled, (gradient,))
            places[node.name] = _call(result, node, places, device)
    if not gradient:
        result.call_function(torch._C._set_grad_enabled, (True,))
    result.output(places[graph.output])
    root.graph = result
    return root


def _register(
    root: nn.Module, node: Node, weights: Mapping[str, Tensor], numbers: Mapping[str, int]
) -> str:
    name = str(node.arguments[0])
    attribute = f"weight_{numbers[name]}"
    if not hasattr(root, attribute):
        tensor = weights[name]
        if isinstance(tensor, nn.Parameter):
            root.register_parameter(attribute, tensor)
        else:
            root.register_buffer(attribute, tensor)
    return attribute


def _call(
    graph: fx.Graph, node: Node, places: Mapping[str, fx.Node], device: torch.device
) -> fx.Node:
    arguments = tuple(_value(value, places) for value in node.arguments)
    keywords = {name: _value(value, places) for name, value in node.keywords.items()}
    if ops.find(node.op).kind is ops.Kind.CREATE and not node.op.endswith("_like.default"):
        keywords["device"] = device
    made = graph.call_function(_target(node.op), arguments, keywords)
    made.meta["node"] = node
    return made


def _value(value: Any, places: Mapping[str, fx.Node]) -> Any:
    if isinstance(value, Ref):
        return places[value.node]
    if isinstance(value, DTypeArgument):
        return getattr(torch, value.dtype)
    if isinstance(value, tuple):
        return [_value(item, places) for item in value]
    return value


def _target(name: str) -> Callable[..., Any]:
    namespace, base, *overload = ops.find(name).name.split(".")
    if name == "operator.getitem":
        return _take
    if namespace == "operator":
        return _on_sizes(getattr(operator, base))
    base = _IN_ANY_LAYOUT.get(base, base)
    call: Callable[..., Any] = getattr(getattr(torch.ops.aten, base), overload[0])
    return call


_IN_ANY_LAYOUT = {"view": "reshape", "_unsafe_view": "reshape", "view_as": "reshape_as"}
"""A view of channels-last pixels may have to be a copy; of others a reshape is the same view."""


def _take(items: Any, index: Any) -> Any:
    if not isinstance(items, list | tuple) or not isinstance(index, int):
        raise TypeError("an element is taken from something that is not a list of tensors")
    return items[index]


def _on_sizes(operation: Callable[[int, int], int]) -> Callable[[Any, Any], int]:
    """Arithmetic on sizes and nothing else: Python would multiply a list until memory is full."""

    def limited(a: Any, b: Any) -> int:
        if not isinstance(a, int) or not isinstance(b, int):
            raise TypeError("arithmetic on sizes takes whole numbers")
        result = operation(a, b)
        if abs(result) >= 2**63:
            raise ValueError("a size does not fit into 64 bits")
        return result

    return limited


class Runner(fx.Interpreter):
    """Runs a graph one operator after the other, and lets go of what nothing reads any more.

    Whatever an operator raises becomes a SubmissionError with its line.
    """

    def __init__(self, module: Steps) -> None:
        super().__init__(module, graph=module.graph)

    def run(self, *images: Any, **_: Any) -> Any:
        """The graph's result, without torch's progress bar, which takes a thread."""
        self.env = {}
        self.args_iter = iter(images)
        result = None
        for node in self.graph.nodes:
            result = self.env[node] = self.run_node(node)
            for read in self.user_to_last_uses.get(node, ()):
                del self.env[read]
        return result

    def run_node(self, n: fx.Node) -> Any:
        """The result of one node, without torch's notes on which it is. Raises SubmissionError."""
        try:
            arguments, keywords = self.fetch_args_kwargs_from_env(n)
            return getattr(self, n.op)(n.target, arguments, keywords)
        except SubmissionError:
            raise
        except Exception as error:
            node = n.meta.get("node")
            name = ops.find(node.op).label if node else n.name
            raise SubmissionError(
                f"The captured network does not run by itself: {name}: {reason(error)}",
                line=node.line if node else None,
            ) from error


def reason(error: Exception) -> str:
    """The first line of what torch said, or what it means."""
    first = (str(error).splitlines() or [type(error).__name__])[0][:300]
    if is_out_of_memory(error):
        return "it takes more memory than the grader gives. Make the layer smaller."
    return first


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python or torch could not have the memory it asked for."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


class _Recorder(Runner):
    """Runs a graph and hands every node's result to `see`. Refuses to cut a tensor into dust."""

    def __init__(self, module: Steps, see: Callable[[fx.Node, Any], None]) -> None:
        super().__init__(module)
        self.see = see

    def run_node(self, n: fx.Node) -> Any:
        entry = ops.OPERATORS.get(str(n.target))
        if entry is not None and entry.kind is ops.Kind.SPLIT:
            _check_pieces(entry.bind(*self.fetch_args_kwargs_from_env(n)))
        result = super().run_node(n)
        self.see(n, result)
        return result


def _check_pieces(arguments: Mapping[str, Any]) -> None:
    pieces = arguments.get("sections") or arguments["self"].shape[arguments["dim"]]
    if pieces > MOST_PIECES:
        raise ValueError(
            f"a tensor is cut into up to {pieces:,} pieces; the limit is {MOST_PIECES:,}"
        )


def trace(
    graph: Graph, weights: Mapping[str, Tensor], *batches: Tensor
) -> Iterator[Iterator[tuple[Node, Any]]]:
    """Run `graph` on each batch of images: every Node with its result, in execution order."""
    module = build_steps(graph, weights, batches[0].device, gradient_blocks=False)
    for images in batches:
        yield zip(graph.nodes, _results(module, images), strict=True)


def trace_each(
    graph: Graph, several: Sequence[Mapping[str, Tensor]], images: Tensor
) -> Iterator[Iterator[tuple[Node, Any]]]:
    """As `trace` for each of several sets of weights, which stay as they are.

    The graph is built once, which takes most of the time. Read each before the next.
    """
    own = {name: tensor.detach().clone() for name, tensor in several[0].items()}
    module = build_steps(graph, own, images.device, gradient_blocks=False)
    for weights in several:
        for name, tensor in own.items():
            tensor.copy_(weights[name])
        yield zip(graph.nodes, _results(module, images), strict=True)


def _results(module: Steps, images: Tensor) -> list[Any]:
    """What each node gave, in order."""
    results: list[Any] = []

    def see(node: fx.Node, result: Any) -> None:
        if node.op != "output":
            results.append(result)

    _Recorder(module, see).run(images)
    return results
