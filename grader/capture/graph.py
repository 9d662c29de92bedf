"""Turn a live nn.Module into Graphs: the operators that one forward pass executes.

In: a model built from the student's file. Out: `Graph`s, `Weight`s and their tensors. Runs in the
child.

The operators come from torch.export before any decomposition, so a conv2d is still a conv2d and a
dropout that does nothing is still there to be reported.
Source: https://pytorch.org/docs/stable/export.html
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._dynamo import config
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind

from grader.capture import batch_size, data_attribute, explain, lengths
from grader.errors import SubmissionError
from grader.program import ops
from grader.program.graph import Graph, Node, Weight
from grader.program.values import BATCH, Argument, DTypeArgument, Ref

_REST = inspect.Parameter.VAR_POSITIONAL
_PLACEMENT = (torch.device, torch.layout, torch.memory_format)
_LARGEST_DIMENSION = 2**20


@dataclass
class Constants:
    """Tensors that the forward pass reads though no module owns them.

    Each has one name, in both graphs.

    A tensor written as a literal is a new one in every export, so equal values count as the same
    constant. `hidden` are the addresses of those that should be learned (see
    `grader.capture.modules`); torch.export hands on their values.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def name(self, tensor: Tensor) -> str:
        """The name under which `tensor` is kept."""
        for name, known in self.tensors.items():
            same_form = (known.shape, known.dtype) == (tensor.shape, tensor.dtype)
            if same_form and torch.equal(known, tensor):
                return name
        name = f"constant_{len(self.tensors)}"
        self.tensors[name] = tensor
        return name


def export(
    model: nn.Module,
    example: Tensor,
    *,
    training: bool,
    constants: Constants | None = None,
    filename: str = "",
) -> Graph:
    """Record the operators that `model` executes on a batch like `example`.

    The Graph is for any number of images from 2.

    `constants` collects the loose tensors over several exports. `filename` is the name under which
    the student's file was compiled: lines are those of its frames. Raises SubmissionError for an
    operator that the grader does not accept, and for whatever torch.export raises.
    """
    model.train(training)
    batch = {0: Dim("batch", min=2, max=2**16)}
    shapes: tuple[Any, ...] = (batch,)
    if next(iter(inspect.signature(model.forward).parameters.values())).kind is _REST:
        shapes = ((batch,),)  # def forward(self, *inputs)

    def export_it() -> ExportedProgram:
        # Under sizes that are symbols hardly any result is found again: its cache costs a tenth.
        uncached = config.patch(fake_tensor_cache_enabled=False)
        with (
            torch.set_grad_enabled(training),
            data_attribute.recorded(filename),
            lengths.left_open(model, filename),
            uncached,
        ):
            return torch.export.export(
                model, (example.clone(),), dynamic_shapes=shapes, strict=False
            )

    try:
        exported = export_it()
    except Exception as error:
        found = explain.explained(error, filename)
        if found.line is None and found.message in explain.ABOUT_BATCH:
            found = SubmissionError(found.message, line=batch_size.line(export_it, filename))
        raise found from error
    return _Reader(exported, constants or Constants(), filename).graph()


def plain_name(name: str) -> str:
    """The name of a weight as a Program writes it.

    Blanks and letters other than A to Z become their numbers.
    """
    return re.sub(r"[^A-Za-z0-9_.\-]", lambda match: f"-{ord(match[0]):x}-", name)


def declared_weights(
    model: nn.Module, constants: Constants
) -> tuple[tuple[Weight, ...], dict[str, Tensor]]:
    """Every tensor of the model, used or not, and the value of each that has memory of its own.

    Raises SubmissionError where two tensors overlap in memory without being the same.
    """
    rows: list[Weight] = []
    values: dict[str, Tensor] = {}
    owners: dict[int, str] = {}
    kinds = (
        ("parameter", model.named_parameters(remove_duplicate=False)),
        ("buffer", model.named_buffers(remove_duplicate=False)),
        ("constant", constants.tensors.items()),
    )
    for kind, tensors in kinds:
        for own_name, tensor in tensors:
            name = plain_name(own_name)
            storage = owners.setdefault(tensor.untyped_storage().data_ptr() or id(tensor), name)
            _refuse_overlap(name, tensor, storage, values)
            if storage == name:
                values[name] = tensor.detach()
            rows.append(
                Weight(
                    name=name,
                    kind=kind,
                    shape=tuple(tensor.shape),
                    dtype=_dtype(tensor.dtype),
                    trainable=tensor.requires_grad
                    or (kind == "constant" and tensor.data_ptr() in constants.hidden),
                    storage=storage,
                )
            )
    return tuple(rows), values


def _refuse_overlap(name: str, tensor: Tensor, storage: str, values: dict[str, Tensor]) -> None:
    if name == storage:
        return
    owner = values[storage]
    if (tensor.data_ptr(), *_layout(tensor)) != (owner.data_ptr(), *_layout(owner)):
        raise SubmissionError(
            f"{name} and {storage} share part of their memory. The grader can train weights that "
            "are shared as a whole, not overlapping ones: assign the same nn.Parameter to both, "
            "or make a copy with .clone()."
        )


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.stride(), tensor.dtype


def _dtype(dtype: torch.dtype) -> Any:
    return str(dtype).removeprefix("torch.")


class _Reader:
    """Walks one exported graph, inlining `no_grad` and `autocast` blocks."""

    def __init__(self, exported: ExportedProgram, constants: Constants, filename: str) -> None:
        self.exported = exported
        self.constants = constants
        self.frame = re.compile(rf'File "{re.escape(filename)}", line (\d+)') if filename else None
        self.nodes: list[Node] = []
        self.values: dict[fx.Node, Any] = {}
        self.batch: Any = None

    def graph(self) -> Graph:
        graph = self.exported.graph
        _drop_assertions(graph)
        for node, spec in zip(
            (node for node in graph.nodes if node.op == "placeholder"),
            self.exported.graph_signature.input_specs,
            strict=True,
        ):
            self._placeholder(node, spec)
        output = self._block(self.exported.graph_module, gradient=True)
        if not (isinstance(output, tuple) and len(output) == 1 and isinstance(output[0], Ref)):
            raise SubmissionError(_wrong_output(output))
        return Graph(nodes=tuple(self.nodes), output=output[0].node)

    def _placeholder(self, node: fx.Node, spec: Any) -> None:
        if spec.kind is InputKind.USER_INPUT:
            self.batch = node.meta["val"].shape[0]
            self._add(node, "input", (), {}, gradient=True)
        elif spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            self._add(node, "weight", (plain_name(spec.target),), {}, gradient=True)
        elif spec.kind is InputKind.CONSTANT_TENSOR:
            name = self.constants.name(self.exported.constants[spec.target])
            self._add(node, "weight", (name,), {}, gradient=True)
        else:
            raise SubmissionError(
                f"The network reads a {spec.kind.name.lower()}, which is not a tensor: remove it."
            )

    def _block(self, module: fx.GraphModule, *, gradient: bool) -> Any:
        for node in module.graph.nodes:
            if node.op == "output":
                return self._argument(node.args[0])
            if node.op == "call_function":
                self._call(module, node, gradient=gradient)
        raise AssertionError("an fx graph ends with its output")

    def _call(self, module: fx.GraphModule, node: fx.Node, *, gradient: bool) -> None:
        kind = str(node.target)
        if kind == "wrap_with_set_grad_enabled":
            enabled, block, *inputs = node.args
            self._inline(module, node, block, inputs, gradient=bool(enabled))
        elif kind == "wrap_with_autocast":
            _, _, _, _, block, *inputs = node.args
            self._inline(module, node, block, inputs, gradient=gradient)
        elif kind.endswith("getitem>") and isinstance(self._read_item(node), tuple):
            self.values[node] = self._read_item(node)[node.args[1]]
        else:
            self._operator(node, gradient=gradient)

    def _read_item(self, getitem: fx.Node) -> Any:
        """What the first argument of a getitem stands for: a tuple, if it is a block's results."""
        source: Any = getitem.args[0]
        return self.values.get(source)

    def _inline(
        self,
        module: fx.GraphModule,
        node: fx.Node,
        block: Any,
        inputs: Iterable[Any],
        *,
        gradient: bool,
    ) -> None:
        inner = getattr(module, block.target)
        _drop_assertions(inner.graph)
        places = (place for place in inner.graph.nodes if place.op == "placeholder")
        for place, value in zip(places, inputs, strict=True):
            self.values[place] = self._argument(value)
        self.values[node] = self._block(inner, gradient=gradient)

    def _operator(self, node: fx.Node, *, gradient: bool) -> None:
        op = _operator_name(node.target)
        if op == "aten.item.default":
            raise SubmissionError(explain.DATA_DEPENDENT, line=self._line(node))
        arguments = [self._argument(value) for value in node.args]
        keywords = {
            name: self._argument(value)
            for name, value in node.kwargs.items()
            if value is not None and not isinstance(value, _PLACEMENT) and name != "pin_memory"
        }
        for value in (*arguments, *keywords.values()):
            if isinstance(value, float) and not math.isfinite(value):
                raise SubmissionError(
                    f"The forward pass uses {value} as a constant; use a large finite number such "
                    "as 1e9.",
                    line=self._line(node),
                )
        if op in _PLACED:
            dtype = DTypeArgument(dtype=_dtype(node.meta["val"].dtype))
            op, arguments, keywords = "aten.to.dtype", [arguments[0], dtype], {}
        if op == "aten.squeeze.default":  # of a single image it would take the batch away, too
            op, arguments = "aten.squeeze.dims", [arguments[0], _dimensions_of_one(node)]
        try:
            ops.find(op).bind(arguments, keywords)
        except ValueError as error:
            raise SubmissionError(
                _refusal(op, _module(node), str(error)), line=self._line(node)
            ) from error
        self._add(node, op, tuple(arguments), keywords, gradient=gradient)

    def _argument(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            return self.values[value]
        if isinstance(value, (list, tuple)):
            return tuple(self._argument(item) for item in value)
        if isinstance(value, torch.dtype):
            return DTypeArgument(dtype=_dtype(value))
        if isinstance(value, _PLACEMENT):
            return None
        return value

    def _add(
        self,
        node: fx.Node,
        op: str,
        arguments: tuple[Argument, ...],
        keywords: dict[str, Argument],
        *,
        gradient: bool,
    ) -> None:
        module, module_type = _module(node)
        value = node.meta.get("val")
        shape: tuple[int | str, ...] | None = None
        dtype = None
        if isinstance(value, Tensor):
            shape = tuple(self._dimension(size, node) for size in value.shape)
            dtype = _dtype(value.dtype)
        name = f"n{len(self.nodes)}_{re.sub('[^A-Za-z0-9_]', '', node.name)[:100]}"
        self.values[node] = Ref(node=name)
        self.nodes.append(
            Node(
                name=name,
                op=op,
                arguments=arguments,
                keywords=keywords,
                shape=shape,
                dtype=dtype,
                module=module,
                module_type=module_type,
                line=self._line(node),
                gradient=gradient,
            )
        )

    def _dimension(self, size: Any, node: fx.Node) -> int | str:
        if isinstance(size, int):
            return size
        images = size.node.expr / self.batch.node.expr
        if not images.is_Integer or images > _LARGEST_DIMENSION:
            raise SubmissionError(
                f"A tensor of the forward pass has the size {size.node.expr}, which is not a "
                "multiple of the number of images. Each image must be classified by itself: do "
                "not mix the images of a batch.",
                line=self._line(node),
            )
        return BATCH if images == 1 else f"{images}*{BATCH}"

    def _line(self, node: fx.Node) -> int | None:
        lines = self.frame.findall(node.meta.get("stack_trace") or "") if self.frame else []
        return int(lines[-1]) if lines else None


_PLACED = {"aten.to.device", "aten.to.dtype_layout", "aten._to_copy.default"}
"""Moves to a device: the grader decides where a network runs, so only the dtype is kept."""


def _dimensions_of_one(node: fx.Node) -> tuple[int, ...]:
    """Dimensions of size 1, whatever the number of images, in what the node reads."""
    (source,) = node.all_input_nodes
    sizes = source.meta["val"].shape
    return tuple(number for number, size in enumerate(sizes) if isinstance(size, int) and size == 1)


def _operator_name(target: Callable[..., Any] | str) -> str:
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    name = getattr(target, "__name__", str(target))
    return f"operator.{name}" if getattr(target, "__module__", "") == "_operator" else name


def _refusal(op: str, module: tuple[str, str], error: str) -> str:
    """What to tell a student whose network uses `op` in the layer `module` (path and class)."""
    path, kind = module
    who = f"{path} ({kind.lstrip('_')})" if path else "The forward pass"
    form = f" in this form: {error}" if op in ops.OPERATORS else ""
    instead = ops.instead(op) or "Write this step with ordinary layers and tensor functions."
    return (
        f"{who} uses {op}, which the grader does not know{form}. All that trains a network here is "
        f"on a list. {instead}"
    )


def _module(node: fx.Node) -> tuple[str, str]:
    """Path and class of the innermost module that ran the node.

    Torch marks a second call of the same module with `@1`.
    """
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack or "_metadata_hook" in str(stack[-1]):
        return "", ""
    path, kind = stack[-1]
    kind_name = kind if isinstance(kind, str) else kind.__qualname__
    return re.sub(r"@\d+", "", path)[:200], kind_name.rpartition(".")[2][:200]


def _drop_assertions(graph: fx.Graph) -> None:
    """Remove what torch.export adds for itself: checks of sizes, and comparisons for them."""
    for node in reversed(list(graph.nodes)):
        name = str(node.target)
        is_check = "_assert" in name or "sym_constrain" in name
        is_number = node.op == "call_function" and not isinstance(
            node.meta.get("val"), (Tensor, list, tuple)
        )
        if not node.users and (is_check or (is_number and _on_numbers(node))):
            graph.erase_node(node)


def _on_numbers(node: fx.Node) -> bool:
    return getattr(node.target, "__module__", "") in (
        "_operator",
        "math",
        "torch",
    ) or "sym_size" in str(node.target)


def _wrong_output(output: Any) -> str:
    found = (
        "nothing"
        if not output
        else f"{len(output)} values"
        if isinstance(output, tuple)
        else repr(output)
    )
    return (
        f"forward() returned {found}. The grader needs one tensor with a score per class for each "
        "image: return the logits (or log-probabilities) alone."
    )
