"""Whether one image costs more than the grader runs: in multiply-adds, and in memory.

In: a Program whose shapes were checked, and the multiply-adds that an assignment allows. Out:
nothing, or a SubmissionError.
"""

from __future__ import annotations

from grader.analysis.cost import measure_cost
from grader.errors import SubmissionError
from grader.program.graph import Graph
from grader.program.program import Program

ACTIVATION_BYTES = 256 * 2**20
"""Bytes of all results for one image. A network of this course takes one or two million."""


def check(program: Program, multiply_adds: int) -> None:
    """Refuse a network of which one image costs more, in training or in evaluation.

    Raises SubmissionError.
    """
    for graph in (program.train, program.eval):
        _check(graph, program.line, multiply_adds)


def _check(graph: Graph, line: int | None, multiply_adds: int) -> None:
    # What has no effect on the output runs all the same.
    found = measure_cost(graph, frozenset(node.name for node in graph.nodes))
    for what, count, most in (
        ("multiply-adds", found.total, multiply_adds),
        ("bytes", found.memory, ACTIVATION_BYTES),
    ):
        if count > most:
            raise SubmissionError(
                f"The network takes {count:,} {what} for one image; the grader runs at most "
                f"{most:,}. Use fewer channels, or pool earlier.",
                line=line,
            )
