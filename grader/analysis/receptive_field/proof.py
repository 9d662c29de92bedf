"""Measure what every node sees of the image, and compare it with the rules: the proof.

In: the eval Graph and its weights. Out: a `Proof`. The one analysis that runs the network (trusted
code, CPU).

NaN goes wherever a value is used, whatever the weights are. One batch of images, each with one row
(or column) of NaN, therefore shows the whole dependency map in one forward pass. Behind an operator
that loses NaN (a comparison, a mask, a cast) rows are changed to other random values instead; that
can miss what a ReLU or a maximum hides, so there the measurement must lie within the rule, and
equal it to count as proven.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from grader.analysis.arguments import base, operator
from grader.analysis.dataflow import trace
from grader.analysis.receptive_field.field import reach
from grader.analysis.receptive_field.probe import Probe, Refused
from grader.analysis.receptive_field.propagation import propagate
from grader.analysis.receptive_field.proven import Masks, Proof
from grader.analysis.receptive_field.sight import AXES, AxisName, Sight
from grader.errors import SubmissionError
from grader.program.graph import Graph, Node


def measure(
    graph: Graph,
    weights: Mapping[str, Tensor],
    *,
    seed: int = 0,
    idle: frozenset[str] = frozenset(),
) -> Proof:
    """Compare every node's dependency table with a measurement at the graph's image size.

    `weights` maps the names in the graph to CPU tensors; they are not changed. `idle` nodes move no
    score. Raises SubmissionError where the network cannot be run on images.
    """
    try:
        return _measured(graph, weights, seed, idle)
    except Refused as refused:
        raise SubmissionError(
            f"{base(refused.node)} fails on images whose pixels lie between 0 and 1: "
            f"{refused.reason}.",
            line=refused.node.line,
        ) from refused


def _measured(
    graph: Graph, weights: Mapping[str, Tensor], seed: int, idle: frozenset[str]
) -> Proof:
    live = trace(graph, idle).live
    answers = {name: answer for name, answer in propagate(graph, idle).items() if name in live}
    sights = {name: answer for name, answer in answers.items() if isinstance(answer, Sight)}
    blind = {name for name, answer in answers.items() if answer is None}
    copies = {name: tensor.detach().clone() for name, tensor in weights.items()}
    probe = Probe(graph, copies, sights, blind, seed, idle)
    lossy = _behind(graph, {*_losing(graph, sights), *probe.naturally_nan()})
    try:
        probe.nan_rows(set(lossy))
    except Refused as refused:
        # What cannot be run on NaN is run on other images, from the first operator on.
        probe = Probe(graph, copies, sights, blind, seed, idle)
        lossy = dict.fromkeys(sights, refused.node.name)
    probe.changed_rows(set(lossy))
    for node in graph.nodes:
        if node.name in probe.seeing - lossy.keys():
            return Proof(
                len(probe.found),
                f"{_placed(node)} sees the image, which the rule denies",
                node.line,
            )
    mixed = _behind(graph, probe.mixed)
    found = {name: masks for name, masks in probe.found.items() if name not in mixed}
    return _compare(graph, sights, found, lossy, next(iter(mixed), ""))


def _losing(graph: Graph, sights: Mapping[str, Sight]) -> Iterator[str]:
    """Operators whose result may not be NaN though what they read is; whole numbers never are."""
    for node in graph.nodes:
        entry = operator(node)
        loses = (entry is not None and entry.loses_nan) or (node.dtype or "").startswith(
            ("int", "uint", "bool")
        )
        if loses and node.name in sights:
            yield node.name


def _behind(graph: Graph, names: set[str]) -> dict[str, str]:
    """Every node that depends on one of `names`, with the first of them.

    Those themselves come first, in order.
    """
    cause = {node.name: node.name for node in graph.nodes if node.name in names}
    reads = trace(graph).reads
    for node in graph.nodes:
        for source in reads[node.name]:
            if source in cause:
                cause.setdefault(node.name, cause[source])
    return cause


def _compare(
    graph: Graph,
    sights: Mapping[str, Sight],
    found: Mapping[str, Masks],
    lossy: Mapping[str, str],
    mixed: str,
) -> Proof:
    sizes = [int(size) for size in (graph.input.shape or (1, 1))[-2:]]
    cause = next((base(graph[lossy[name]]) for name in found if name in lossy), "")
    mixes = base(graph[mixed]) if mixed else ""
    within = 0
    for name, masks in found.items():
        for axis, size in zip(AXES, sizes, strict=True):
            rule = reach(sights[name], axis, size)
            wanted = [seen | shared for seen, shared in zip(rule.seen, rule.shared, strict=True)]
            pairs = zip(masks[axis], wanted, strict=True)
            if name in lossy and all(not mask & ~most for mask, most in pairs):
                within += masks[axis] != wanted
            elif masks[axis] != wanted:
                text = _difference(graph[name], axis, masks[axis], wanted)
                return Proof(len(found), text, graph[name].line, cause, within, mixes)
    return Proof(len(found), loses_nan=cause, within=within, mixes_images=mixes, masks=found)


def _difference(node: Node, axis: AxisName, measured: list[int], wanted: list[int]) -> str:
    position = next(
        at for at, (one, other) in enumerate(zip(measured, wanted, strict=True)) if one != other
    )
    more = measured[position] & ~wanted[position]
    word = "more" if more else "fewer"
    return f"{_placed(node)} sees {word} {axis} at position {position} than the rule says"


def _placed(node: Node) -> str:
    return f"{base(node)} (line {node.line})" if node.line else base(node)
