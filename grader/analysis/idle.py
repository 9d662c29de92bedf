"""Operators that run and have no effect: what `grader.analysis.effect` finds, and the others use.

In: a Node. Out: how much of its values a dropout drops. Reads data only.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.analysis.arguments import bound, kind
from grader.program.graph import Node
from grader.program.ops import Kind
from grader.program.values import Ref

LEAST_DROPPED = 1e-3
"""A dropout that drops fewer than one value in a thousand drops none worth the name."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Names of operators without any effect on the scores, in the train and in the eval graph."""

    train: frozenset[str] = frozenset()
    evaluation: frozenset[str] = frozenset()


NOTHING_IDLE = Idle()


def dropped(node: Node) -> float:
    """The share of its values that a dropout drops, also the one inside of attention; 0 to 1."""
    given = bound(node)
    share = given["dropout_p"] if kind(node) is Kind.ATTENTION else given["p"]
    return 0.0 if isinstance(share, Ref) else float(share)
