"""Works of a class that resemble each other: for a person to judge, never for points.

In: the works of one assignment, and what was handed out (starter, references). Out: groups, each
with what is alike and how common it is.

Honest works coincide: whoever follows the same lecture draws the same network. So a passage counts
only where few have it and it was not handed out, and a group says how many of the class have its
network.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Literal, NamedTuple

from grader.classroom import wording
from grader.classroom.wording import Passages

ALIKE_TEXT = 0.6
"""Share of passages in common from which two texts are put side by side."""
ALIKE_NETWORK = 0.15
"""Distance up to which two networks are put side by side; 0 is the same one."""
COMMON = 0.25
"""A passage that more of the class than this have is how the class writes (from `FEW` works on)."""
FEW = 8


class Layer(NamedTuple):
    """A live operator with weights or a shape of its own, in the order of execution."""

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """One submission, as far as it can resemble another.

    `architecture` is the hash of the live graph, empty where it was not captured; `recipe` is what
    it trains with, without whose it is and where it stands.
    """

    name: str
    source: str
    architecture: str = ""
    layers: tuple[Layer, ...] = ()
    recipe: str = ""

    @cached_property
    def passages(self) -> Passages:
        """What stands for the source text."""
        return wording.passages(self.source)


class Pair(NamedTuple):
    """Two works: the share of text in common and the distance of the networks, 0 to 1."""

    first: str
    second: str
    text: float
    network: float
    same_recipe: bool


Kind = Literal["text", "network and recipe", "network", "nearly the same network"]


@dataclass(frozen=True, slots=True)
class Group:
    """Works that are alike in one way.

    `share` is how many of the class (0 to 1) have this network or text; `handed_out` names the
    starter or reference that has it too. `closest` are the pairs, the most alike first.
    """

    kind: Kind
    names: tuple[str, ...]
    share: float
    handed_out: tuple[str, ...]
    closest: tuple[Pair, ...]


def groups(works: Sequence[Work], handed_out: Sequence[Work] = ()) -> list[Group]:
    """All groups of at least two works: first those whose texts are alike."""
    rare = _rare_passages(works, handed_out)
    shared = _sharing_text(works, rare)
    text = {frozenset(pair) for pair, part in shared.items() if part >= ALIKE_TEXT}
    by_name = {work.name: work for work in works}

    def pair(first: str, second: str) -> Pair:
        part = shared.get((first, second), shared.get((second, first), 0.0))
        return _pair(by_name[first], by_name[second], part)

    found = [_group("text", names, works, handed_out, pair) for names in _connected(text)]
    both = _same(works, lambda work: (work.architecture, work.recipe))
    network = _same(works, lambda work: (work.architecture,))
    found += [_group("network and recipe", names, works, handed_out, pair) for names in both]
    found += [
        _group("network", names, works, handed_out, pair) for names in network if names not in both
    ]
    near = _connected(_near_networks(works))
    found += [
        _group("nearly the same network", names, works, handed_out, pair)
        for names in near
        if names not in network
    ]
    return found


def distance(one: Sequence[Layer], other: Sequence[Layer]) -> float:
    """How far two networks are apart: the cheapest way to edit one into the other, 0 to 1.

    To drop or add an operator costs 1, to change its kind too; to change its shape costs what the
    sizes differ by.
    """
    if not one or not other:  # a network that was not captured is near no other
        return 1.0
    row = [float(column) for column in range(len(other) + 1)]
    for count, layer in enumerate(one, 1):
        above, row = row, [float(count)]
        for column, match in enumerate(other, 1):
            changed = above[column - 1] + _change(layer, match)
            row.append(min(changed, above[column] + 1, row[column - 1] + 1))
    return row[-1] / max(len(one), len(other))


def _change(one: Layer, other: Layer) -> float:
    if one.kind != other.kind or len(one.shape) != len(other.shape):
        return 1.0
    differing = [size for size in zip(one.shape, other.shape, strict=True) if size[0] != size[1]]
    return sum(abs(a - b) / max(a, b) for a, b in differing) / max(len(one.shape), 1)


def _pair(one: Work, other: Work, text: float) -> Pair:
    same_network = bool(one.architecture) and one.architecture == other.architecture
    apart = 0.0 if same_network else distance(one.layers, other.layers)
    same = bool(one.recipe) and one.recipe == other.recipe
    return Pair(one.name, other.name, round(text, 3), round(apart, 3), same)


def _rare_passages(works: Sequence[Work], handed_out: Sequence[Work]) -> dict[str, Passages]:
    """Of each work the passages that were not handed out and that few others have."""
    given = frozenset(passage for work in handed_out for passage in work.passages)
    count = Counter(passage for work in works for passage in work.passages)
    most = max(2, COMMON * len(works)) if len(works) >= FEW else len(works)
    common = frozenset(passage for passage, number in count.items() if number > most)
    return {work.name: work.passages - given - common for work in works}


def _sharing_text(works: Sequence[Work], rare: dict[str, Passages]) -> dict[tuple[str, str], float]:
    """The share of rare passages in common, of those pairs alone that have one."""
    having: dict[int, list[str]] = defaultdict(list)
    for work in works:
        for passage in rare[work.name]:
            having[passage].append(work.name)
    together = Counter(pair for names in having.values() for pair in combinations(names, 2))
    return {
        pair: number / max(1, min(len(rare[pair[0]]), len(rare[pair[1]])))
        for pair, number in together.items()
    }


def _same(works: Sequence[Work], key: Callable[[Work], tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The names of works that agree in every part of `key`, two at least."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for work in works:
        if all(key(work)):
            found[key(work)].append(work.name)
    return [tuple(sorted(names)) for names in found.values() if len(names) > 1]


def _near_networks(works: Sequence[Work]) -> Iterator[frozenset[str]]:
    """Pairs of works whose networks are near each other; equal ones are joined as well."""
    by_network: dict[str, list[Work]] = defaultdict(list)
    for work in works:
        if work.architecture:
            by_network[work.architecture].append(work)
    for same in by_network.values():
        yield from (frozenset((one.name, other.name)) for one, other in pairwise(same))
    ones = [same[0] for same in by_network.values()]
    for one, other in combinations(ones, 2):
        if _may_be_near(one, other) and distance(one.layers, other.layers) <= ALIKE_NETWORK:
            yield frozenset((one.name, other.name))


def _may_be_near(one: Work, other: Work) -> bool:
    """Whether the kinds alone do not put them too far apart: a bound that costs little."""
    longest = max(len(one.layers), len(other.layers))
    kinds = Counter(layer.kind for layer in one.layers)
    kinds.subtract(layer.kind for layer in other.layers)
    missing = max(
        sum(number for number in kinds.values() if number > 0),
        -sum(number for number in kinds.values() if number < 0),
    )
    return bool(longest) and missing <= ALIKE_NETWORK * longest


def _connected(pairs: Iterable[frozenset[str]]) -> list[tuple[str, ...]]:
    """The works that hang together by pairs, each group in alphabetical order."""
    group_of: dict[str, set[str]] = {}
    for pair in pairs:
        joined = set(pair).union(*(group_of.get(name, set()) for name in pair))
        group_of.update(dict.fromkeys(joined, joined))
    unique = {id(group): group for group in group_of.values()}
    return sorted(tuple(sorted(group)) for group in unique.values())


MOST_PAIRS = 20
"""Pairs of a group that are shown; of a group of more than `MOST_COMPARED` works, among the first
of these."""
MOST_COMPARED = 40


def _group(
    kind: Kind,
    names: tuple[str, ...],
    works: Sequence[Work],
    handed_out: Sequence[Work],
    pair: Callable[[str, str], Pair],
) -> Group:
    members = [work for work in works if work.name in names]
    networks = {work.architecture for work in members if work.architecture}
    if kind == "text":
        given = _given_text(members, handed_out)
    else:
        given = tuple(work.name for work in handed_out if work.architecture in networks)
    pairs = [pair(first, second) for first, second in combinations(names[:MOST_COMPARED], 2)]
    pairs.sort(key=lambda found: (-found.text, found.network))
    return Group(kind, names, len(names) / len(works), given, tuple(pairs[:MOST_PAIRS]))


def _given_text(members: Sequence[Work], handed_out: Sequence[Work]) -> tuple[str, ...]:
    return tuple(given.name for given in handed_out if _is_like_one(given, members))


def _is_like_one(given: Work, works: Iterable[Work]) -> bool:
    shares = (wording.in_common(given.passages, work.passages) for work in works)
    return max(shares, default=0.0) >= ALIKE_TEXT
