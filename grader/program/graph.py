"""A network as a graph of operators, with its weights and modules. Pure data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grader.program.values import Argument, Data, DType, Name, Ref, Shape

MOST_NODES = 20_000
MOST_WEIGHTS = 5_000


class Node(Data):
    """One operator of the graph.

    `op` is "input", "weight" (its one argument is the weight's name) or an exact operator of
    `grader.program.ops`, such as "aten.conv2d.default". `shape` and `dtype` describe its one output
    tensor, and are None where it returns a number or several tensors (which "operator.getitem"
    nodes then take apart). `module` is the path of the innermost nn.Module that ran it
    ("layers.0.conv"; "" is the model itself), `module_type` that module's class, `line` the line of
    the student's file, `gradient` False inside `torch.no_grad()`.
    """

    name: Name
    op: Name
    arguments: tuple[Argument, ...] = ()
    keywords: dict[Name, Argument] = Field(default_factory=dict)
    shape: Shape | None = None
    dtype: DType | None = None
    module: str = Field(default="", max_length=200)
    module_type: str = Field(default="", max_length=200)
    line: int | None = Field(default=None, ge=1)
    gradient: bool = True

    def references(self) -> Iterator[str]:
        """Names of the nodes that this one reads, in argument order, repeats included."""
        for value in (*self.arguments, *self.keywords.values()):
            yield from _references(value)


def _references(value: Argument) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.node
    elif isinstance(value, tuple):
        for item in value:
            yield from _references(item)


class Graph(Data):
    """Operators in execution order. `output` names the node whose tensor the model returns."""

    nodes: tuple[Node, ...] = Field(max_length=MOST_NODES)
    output: Name

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        seen: set[str] = set()
        for node in self.nodes:
            if node.name in seen:
                raise ValueError(f"two nodes are named {node.name}")
            for name in node.references():
                if name not in seen:
                    raise ValueError(f"{node.name} reads {name}, which does not come before it")
            seen.add(node.name)
        if self.output not in seen:
            raise ValueError(f"the output {self.output} is not a node")
        if sum(node.op == "input" for node in self.nodes) != 1:
            raise ValueError("a graph has exactly one input")
        return self

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Every node by its name."""
        return {node.name: node for node in self.nodes}

    @property
    def input(self) -> Node:
        """The node that stands for the images."""
        return next(node for node in self.nodes if node.op == "input")


class Weight(Data):
    """A tensor that the model brings along: shape and owner here, values in `Program.values`.

    `kind`: "parameter" and "buffer" are registered with an nn.Module; "constant" is any other
    tensor that the forward pass reads (from a plain list, a global, or `torch.tensor(...)` written
    in forward). `storage` is the name of the first weight that lives in the same memory (its own
    name where it is not shared). `trainable`: requires_grad.
    """

    name: Name
    kind: Literal["parameter", "buffer", "constant"]
    shape: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...]
    dtype: DType
    trainable: bool
    storage: Name

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Module(Data):
    """An nn.Module that the model declares, whether or not it runs.

    `settings` holds what the students' JSON shows of it: p, num_features, in_features,
    out_features, output_size. `line` is where the student's file creates it.
    """

    path: str = Field(max_length=200)
    type: str = Field(max_length=200)
    settings: dict[Name, int | float | bool | str | tuple[int | None, ...] | None] = Field(
        default_factory=dict
    )
    line: int | None = None
