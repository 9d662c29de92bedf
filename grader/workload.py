"""Refuse a network that takes more work or memory than the assignment allows, before anything of it is run.

In: a Program whose shapes were checked, and the assignment's limits. Out: nothing, or SubmissionError.
"""

from __future__ import annotations

from grader.analysis.cost import cost
from grader.assignment import Limits
from grader.errors import SubmissionError
from grader.program import Graph, Program

ACTIVATION_BYTES = 256 * 2**20
"""Bytes of all results together for one image. A network of this course takes one or two million."""


def check(program: Program, limits: Limits) -> None:
    """Raises SubmissionError when one image costs too much, in training or in evaluation."""
    for graph in (program.train, program.eval):
        _check(graph, program.line, limits)


def _check(graph: Graph, line: int | None, limits: Limits) -> None:
    everything = frozenset(node.name for node in graph.nodes)  # what has no effect on the output runs all the same
    found = cost(graph, everything)
    for what, count, most in (
        ("multiply-adds", found.total, limits.multiply_adds),
        ("bytes", found.memory, ACTIVATION_BYTES),
    ):
        if count > most:
            raise SubmissionError(
                f"The network takes {count:,} {what} for one image; the grader runs at most {most:,}. Use fewer "
                "channels, or pool earlier.",
                line=line,
            )
