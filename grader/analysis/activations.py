"""Which activations a network applies, and how often. In: the eval Graph. Out: {"ReLU": 5}."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from grader.analysis.arguments import base
from grader.program.graph import Graph

NAMES = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "hardtanh": "Hardtanh",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "SiLU",
    "mish": "Mish",
    "hardswish": "Hardswish",
    "hardsigmoid": "hard sigmoid",
    "selu": "SELU",
    "gelu": "GELU",
    "elu": "ELU",
    "celu": "CELU",
    "leaky_relu": "LeakyReLU",
    "softplus": "softplus",
    "softshrink": "softshrink",
    "hardshrink": "hardshrink",
    "prelu": "PReLU",
    "rrelu": "RReLU",
}
"""By the operator, as PyTorch writes its class."""


def activations(graph: Graph, live: Collection[str]) -> dict[str, int]:
    """How often each activation is applied in what the output depends on, the first one first."""
    found = [base(node) for node in graph.nodes if node.name in live]
    return dict(Counter(NAMES[name] for name in found if name in NAMES))
