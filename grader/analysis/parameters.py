"""How many numbers does the network bring along? A ledger by storage: none is counted twice.

In: a Program. Out: a `Parameters`. The students' figure is `trainable`: what an optimizer can
change. The limit applies to `counted`: trainable and frozen parameters, and every other number that
the forward pass reads as a weight (buffers, loose tensors, constants). For an honest model both are
equal. BatchNorm's running statistics are in neither, as in PyTorch's own count; Keras adds them to
its total.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from grader.analysis.arguments import bound, kind
from grader.analysis.dataflow import Dataflow, trace
from grader.program.graph import Graph, Node, Weight
from grader.program.ops import Kind
from grader.program.program import Program
from grader.program.values import Ref
from grader.report import Hint

_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers, each storage counted once.

    `trainable` and `frozen` are nn.Parameters with and without requires_grad; `buffers` registered
    buffers that the forward pass reads as weights; `constants` loose tensors that it reads;
    `running_statistics` those of BatchNorm. `unused` are trainable ones that the output does not
    depend on (they count in `trainable`). `shared` lists the names of each tensor that has several;
    `other_types` those that are not float32. `unregistered` counts those `constants` that are
    nn.Parameters in a place where PyTorch does not look, such as a Python list: no optimizer finds
    them.
    """

    trainable: int
    frozen: int
    buffers: int
    constants: int
    running_statistics: int
    unused: int
    unused_names: tuple[str, ...]
    shared: tuple[tuple[str, ...], ...]
    other_types: tuple[str, ...]
    hints: tuple[Hint, ...]
    unregistered: int = 0

    @property
    def counted(self) -> int:
        """What the limit applies to."""
        return self.trainable + self.frozen + self.buffers + self.constants

    @property
    def with_statistics(self) -> int:
        """The total that Keras shows."""
        return self.counted + self.running_statistics


def count_parameters(program: Program, flow: Dataflow | None = None) -> Parameters:
    """The ledger of a Program. `flow` is its train graph's dataflow."""
    flow = flow or trace(program.train)
    ledger = _Ledger(program)
    used = _read(program.train, flow) | _read(program.eval, trace(program.eval))
    owned = [weight for weight in program.weights if weight.storage == weight.name]
    learned = [weight for weight in owned if weight.kind == "parameter"]
    unused = [weight for weight in learned if weight.trainable and not ledger.names(weight) & used]
    constants = [
        weight for weight in owned if weight.kind == "constant" and ledger.names(weight) & used
    ]
    buffers = [
        weight
        for weight in owned
        if weight.kind == "buffer"
        and ledger.names(weight) & used
        and weight.name not in ledger.statistics
    ]
    return Parameters(
        trainable=_count(weight for weight in learned if weight.trainable),
        frozen=_count(weight for weight in learned if not weight.trainable),
        buffers=_count(buffers),
        constants=_count(constants),
        running_statistics=_count(weight for weight in owned if weight.name in ledger.statistics),
        unused=_count(unused),
        unused_names=tuple(weight.name for weight in unused),
        shared=ledger.shared,
        other_types=tuple(w.name for w in (*learned, *buffers, *constants) if w.dtype != "float32"),
        unregistered=_count(weight for weight in constants if weight.trainable),
        hints=tuple(_hints(_Places(program), learned, unused, buffers, constants)),
    )


class _Ledger:
    """Which names belong to one storage, and which buffers are running statistics only."""

    def __init__(self, program: Program) -> None:
        self._names: dict[str, set[str]] = {}
        for weight in program.weights:
            self._names.setdefault(weight.storage, set()).add(weight.name)
        read: set[str] = set()
        otherwise: set[str] = set()
        for graph in (program.train, program.eval):
            for node in graph.nodes:
                read.update(_statistics_of(graph, node))
                otherwise.update(_read_otherwise(graph, node))
        buffers = {weight.name for weight in program.weights if weight.kind == "buffer"}
        self.statistics = (read | _declared(program)) & buffers - otherwise

    def names(self, weight: Weight) -> set[str]:
        """Every name of the weight's storage."""
        return self._names[weight.storage]

    @property
    def shared(self) -> tuple[tuple[str, ...], ...]:
        """The names of each storage that has several."""
        return tuple(tuple(sorted(names)) for names in self._names.values() if len(names) > 1)


def _declared(program: Program) -> set[str]:
    """The names that running statistics have, also of normalisations that never run."""
    found: set[str] = set()
    for module in program.modules:
        if "Norm" in module.type:
            found.update(f"{module.path}.{name}" for name in _STATISTICS)
    return found


def _read_otherwise(graph: Graph, node: Node) -> list[str]:
    """The weights that a node reads as anything but running statistics."""
    statistics = _statistics_of(graph, node)
    return [name for name in _weights_of(graph, node.references()) if name not in statistics]


def _statistics_of(graph: Graph, node: Node) -> list[str]:
    """The weights that a normalisation reads as its running statistics."""
    if kind(node) not in {Kind.BATCH_NORM, Kind.NORM}:
        return []
    given = bound(node)
    return _weights_of(
        graph, [value.node for name in _STATISTICS if isinstance(value := given.get(name), Ref)]
    )


def _weights_of(graph: Graph, names: Iterable[str]) -> list[str]:
    return [str(graph[name].arguments[0]) for name in names if graph[name].op == "weight"]


def _read(graph: Graph, flow: Dataflow) -> set[str]:
    """The weights that the output depends on."""
    return set(_weights_of(graph, flow.live))


def _count(weights: Iterable[Weight]) -> int:
    return sum(weight.size for weight in weights)


class _Places:
    """Where in the student's file a module is made, and a loose tensor is read."""

    def __init__(self, program: Program) -> None:
        self._modules = {module.path: module.line for module in program.modules}
        self._kinds = {module.path: module.type for module in program.modules}
        self._reads: dict[str, int | None] = {}
        for node in program.train.nodes:
            for name in _weights_of(program.train, node.references()):
                self._reads.setdefault(name, node.line)

    def kind(self, path: str) -> str:
        """The class of a module; "" for the network's own weights."""
        return self._kinds.get(path, "") if path else ""

    def __call__(self, weights: list[Weight]) -> int | None:
        """The line for the first of `weights`."""
        first = weights[0]
        return self._modules.get(_module(first)) or self._reads.get(first.name)


def _hints(
    place: _Places,
    learned: list[Weight],
    unused: list[Weight],
    buffers: list[Weight],
    constants: list[Weight],
) -> Iterable[Hint]:
    """What no optimizer finds; then where the numbers are, the most of them first."""
    loose = [weight for weight in constants if weight.trainable or weight.size > 1]
    if loose:
        yield Hint(
            text=f"{_count(loose):,} numbers are in tensors that PyTorch does not know of, first "
            "read here. They count, but no optimizer finds them: keep layers in nn.ModuleList, "
            "weights in nn.Parameter or nn.ParameterList, not in a Python list.",
            line=place(loose),
        )
    found: list[tuple[list[Weight], str]] = []
    if frozen := [weight for weight in learned if not weight.trainable]:
        text = (
            f"{_named(frozen)}: {_count(frozen):,} frozen parameters. They count towards the limit."
        )
        found.append((frozen, text))
    if buffers:
        text = (
            f"{_named(buffers)}: {_count(buffers):,} numbers in buffers that are used as weights; "
            "they count."
        )
        found.append((buffers, text))
    if unused:
        text = (
            f"{_named(unused)}: {_count(unused):,} parameters that the output does not depend on. "
            "They count; delete the layers that forward() does not use."
        )
        found.append((unused, text))
    if learned and not loose:
        weights, text = _largest(learned, _count([*learned, *buffers, *constants]), place)
        if weights[0] not in unused:  # which says so itself
            found.append((weights, text))
    for weights, text in sorted(found, key=lambda one: -_count(one[0])):
        yield Hint(text=text, line=place(weights))


def _largest(learned: list[Weight], counted: int, place: _Places) -> tuple[list[Weight], str]:
    """The weights of the layer that holds most, and how to say so."""
    layers: dict[str, list[Weight]] = {}
    for weight in learned:
        layers.setdefault(_module(weight) or weight.name, []).append(weight)
    name, weights = max(layers.items(), key=lambda layer: _count(layer[1]))
    number = _count(weights)
    share = f"{number / counted:.0%}".replace("%", " %")
    kind = place.kind(_module(weights[0]))
    named = f"{name} ({kind})" if kind else name
    return weights, f"{named} holds {number:,} of them, {share}: save there first."


def _module(weight: Weight) -> str:
    """The path of the module that a weight belongs to; "" for the network's own."""
    return weight.name.rpartition(".")[0]


def _named(weights: list[Weight]) -> str:
    names = [weight.name for weight in weights]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
