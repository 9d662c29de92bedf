"""Find the final feature map: the last tensor with rows and columns before the head.

In: a Graph, its dataflow, and what every node sees. Out: names of nodes. The head begins at global
pooling, at flattening, or at a convolution that covers the whole map and makes the scores: a fully
connected layer, spelled as a convolution. That 1x1 convolutions follow changes nothing where its
kernel is larger than any before it, or where nothing bends between it and them. A convolution that
happens to cover the whole map in the middle of a network (the last of several 3x3, on a 3x3 map,
with a ReLU and more layers behind it) makes a feature map of one position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import chain

from grader.analysis.arguments import base, bound, kind, several
from grader.analysis.dataflow import Dataflow
from grader.analysis.receptive_field.propagation import Answer
from grader.analysis.receptive_field.sight import AXES, AxisName, Sight, length
from grader.program.graph import Graph, Node
from grader.program.ops import Kind
from grader.program.values import BATCH, Ref

_STRAIGHT = {
    "add",
    "sub",
    "rsub",
    "mul",
    "div",
    "clone",
    "contiguous",
    "detach",
    "alias",
    "to",
    "type_as",
    "positive",
    "neg",
}
_LEARNED = {Kind.CONVOLUTION, Kind.TRANSPOSED_CONVOLUTION, Kind.LINEAR, Kind.MATMUL}


def placed(answer: Answer, *, least: int = 1) -> frozenset[AxisName]:
    """The axes along which a tensor has positions: at least `least` of them."""
    parts = answer.parts if isinstance(answer, Sight) else ()
    along = {part.axis for part in parts if part.size >= least}
    return frozenset(axis for axis in AXES if axis in along)


def final_maps(graph: Graph, flow: Dataflow, answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """The live maps that no other map is made from, in order; the image where there are none."""
    scores = _scores(graph, flow, answers)
    maps = [
        name
        for name in answers
        if name in flow.live - scores and len(placed(answers[name])) == len(AXES)
    ]
    return _ends(maps, flow, answers) or (graph.input.name,)


def spatial_maps(graph: Graph, flow: Dataflow, answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """All live maps of several rows and columns: the head is what follows, and makes no map."""
    return tuple(
        name
        for name in answers
        if name in flow.live and len(placed(answers[name], least=2)) == len(AXES)
    ) or (graph.input.name,)


def _ends(maps: list[str], flow: Dataflow, answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """The maps that no other one is made from, as they were before they were flattened."""
    earlier = sources_of(maps, flow)
    ends = [name for name in maps if name not in earlier]
    return tuple(dict.fromkeys(_unfolded(name, flow, answers, set(maps)) for name in ends))


def sources_of(maps: Iterable[str], flow: Dataflow) -> set[str]:
    """All that a map is made from, also by way of a gate, which has no rows and columns."""
    found: set[str] = set()
    waiting = list(maps)
    while waiting:
        name = waiting.pop()
        new = set(flow.reads[name]) - found - {name}
        found |= new
        waiting.extend(new)
    return found


def _scores(graph: Graph, flow: Dataflow, answers: Mapping[str, Answer]) -> set[str]:
    """What convolutions that cover the whole map make, and what follows.

    One that looks like those before it, with an activation and a learned layer after it, makes
    features, not scores.
    """
    featured = _featured(graph, flow)
    found: set[str] = set()
    largest = 1
    for node in graph.nodes:
        makes_them = False
        if node.name in flow.live and kind(node) is Kind.CONVOLUTION:
            kernel = _kernel(graph, node)
            covers = bool(covered(graph, answers, node))
            makes_them = covers and (kernel > largest or not featured[node.name])
            largest = max(largest, kernel)
        if makes_them or any(source in found for source in flow.reads[node.name]):
            found.add(node.name)
    return found


def _featured(graph: Graph, flow: Dataflow) -> dict[str, bool]:
    """For each node, whether a learned layer reads its result through something that bends it."""
    learned: dict[str, bool] = {}
    featured: dict[str, bool] = {}
    for node in reversed(graph.nodes):
        readers = [
            reader
            for reader in flow.readers[node.name]
            if reader in flow.live and reader != node.name
        ]
        learned[node.name] = any(learned[name] or kind(graph[name]) in _LEARNED for name in readers)
        featured[node.name] = any(
            featured[name] or (_bends(graph[name]) and learned[name]) for name in readers
        )
    return featured


def _bends(node: Node) -> bool:
    """An activation: two linear layers around it are not one."""
    return kind(node) is Kind.POINTWISE and base(node) not in _STRAIGHT


def _kernel(graph: Graph, node: Node) -> int:
    """The longer side of a convolution's window."""
    shape = graph[bound(node)["weight"].node].shape or ()
    return max((int(size) for size in shape[2:] if not isinstance(size, str)), default=1)


def covered(graph: Graph, answers: Mapping[str, Answer], node: Node) -> frozenset[AxisName]:
    """The axes that a convolution covers: one output position reads all of several inputs."""
    given = bound(node) if kind(node) is Kind.CONVOLUTION else {}
    before = answers[given["input"].node] if given else None
    if not isinstance(before, Sight) or node.shape is None:
        return frozenset()
    _, _, *kernel = graph[given["weight"].node].shape or ()
    spatial = len(kernel)
    settings = (given["padding"], given["dilation"], *kernel)
    if any(isinstance(value, Ref) or _holds_images(value) for value in settings):
        return frozenset()
    padding = (
        (0,) * spatial if isinstance(given["padding"], str) else several(given["padding"], spatial)
    )
    found: set[AxisName] = set()
    for at, (taps, border, step) in enumerate(
        zip(kernel, padding, several(given["dilation"], spatial), strict=True)
    ):
        dim = len(before.dims) - spatial + at
        if node.shape[dim] == 1 and step == 1 and 1 < length(before, dim) <= int(taps) - border:
            along = {part.axis for part in before.dims[dim]}
            found |= {axis for axis in AXES if axis in along}
    return frozenset(found)


def _holds_images(size: object) -> bool:
    return isinstance(size, str) and size.endswith(BATCH)


def _unfolded(name: str, flow: Dataflow, answers: Mapping[str, Answer], maps: set[str]) -> str:
    """The map that a flattened one was made from; a ReLU or Dropout may come in between."""
    while _folded(answers[name]):
        sources = [source for source in flow.reads[name] if source in maps]
        if len(sources) != 1 or _window(answers[sources[0]]) != _window(answers[name]):
            break
        name = sources[0]
    return name


def _window(answer: Answer) -> tuple[Fraction, ...]:
    """First and last row and column of the window at position 0."""
    if not isinstance(answer, Sight):
        return ()
    return answer.rows.low, answer.rows.high, answer.columns.low, answer.columns.high


def _folded(answer: Answer) -> bool:
    """Rows or columns share a dimension with something else."""
    if not isinstance(answer, Sight):
        return False
    shared = chain.from_iterable(dim for dim in answer.dims if len(dim) > 1)
    return any(part.placed and part.size > 1 for part in shared)
