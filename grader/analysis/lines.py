"""The line to show for an operator: where its layer is made, else where forward() calls it.

In: a Program, whose nodes know the line of forward() that ran them. A whole nn.Sequential runs in
one such line.
"""

from __future__ import annotations

from collections.abc import Mapping

from grader.analysis.arguments import base
from grader.program.graph import Graph, Node
from grader.program.program import Program


def at_layers(program: Program) -> Graph:
    """The eval graph, each node with the line to show."""
    made = {module.path: module.line for module in program.modules}
    nodes = tuple(node.model_copy(update={"line": line(node, made)}) for node in program.eval.nodes)
    return Graph.model_construct(nodes=nodes, output=program.eval.output)


def line(node: Node, made: Mapping[str, int | None]) -> int | None:
    """The line to show for one node. `made` has the line that makes each module, by path.

    conv2d inside Conv2d is that layer; F.conv2d inside a block of the student's own has a line of
    its own.
    """
    own = base(node).replace("_", "") in node.module_type.lower()
    return (made.get(node.module) if own else None) or node.line
