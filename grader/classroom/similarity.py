"""Works of a class that resemble each other: for a person to judge, never for points.

In: the works of one assignment, and what was handed out (starter, references). Out: groups, each
with what is alike and how common it is.

Honest works coincide: whoever follows the same lecture draws the same network. So a passage counts
only where few have it and it was not handed out, and a group says how many of the class have its
network.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Literal, NamedTuple

from grader.classroom import wording
from grader.classroom.wording import Passages

ALIKE_TEXT = 0.6
"""Share of passages in common from which two texts are put side by side."""
ENOUGH = 5
"""Passages in common below which nothing is said: a line or two that follow what was handed out."""
ALIKE_NETWORK = 0.15
"""Distance up to which two networks are put side by side; 0 is the same one."""
COMMON = 0.25
"""A passage that more of the class than this have is how the class writes (from `FEW` works on)."""
FEW = 8
A_RING = 5
"""So many may have copied from one of them: what they share is no habit of the class yet."""


Recipe = tuple[tuple[str, str | float], ...]


class Layer(NamedTuple):
    """A live operator with weights or a shape of its own, in the order of execution."""

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """One submission, as far as it can resemble another.

    `sources` are its texts, in order (a script, or the cells of a notebook). `architecture` is the
    hash of the live graph, empty where it was not captured; `recipe` is what it trains with, where
    that is its own: each setting with its value, in one order.
    """

    name: str
    sources: tuple[str, ...]
    architecture: str = ""
    layers: tuple[Layer, ...] = ()
    recipe: Recipe = ()

    @cached_property
    def passages(self) -> Passages:
        """What stands for the source text."""
        return wording.passages(*self.sources)


class Pair(NamedTuple):
    """Two works: the share of text in common, and how far networks and recipes are apart, 0 to 1.

    `network` is None where one of them has no network that was read, `recipe` where one has no
    recipe of its own: then nothing was compared.
    """

    first: str
    second: str
    text: float
    network: float | None
    recipe: float | None


Kind = Literal["text", "network and recipe", "network", "nearly the same network", "recipe"]


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
    by_name = {work.name: work for work in works}

    def pair(first: str, second: str) -> Pair:
        part = shared.get((first, second), shared.get((second, first), 0.0))
        return _pair(by_name[first], by_name[second], part)

    text_groups = _connected(pair for pair, part in shared.items() if part >= ALIKE_TEXT)
    both = _same(works, lambda work: (work.architecture, work.recipe))
    network = _same(works, lambda work: (work.architecture,))
    recipe = _same(works, lambda work: (work.recipe,))
    near = _near_networks(works)
    kinds: list[tuple[Kind, list[tuple[str, ...]]]] = [
        ("text", text_groups),
        ("network and recipe", both),
        ("network", [names for names in network if names not in both]),
        ("nearly the same network", [names for names in near if names not in network]),
        ("recipe", [names for names in recipe if names not in both]),
    ]
    found = []
    for kind, members in kinds:
        found += [_group(kind, names, works, handed_out, pair) for names in members]
    return found


def distance(one: Sequence[Layer], other: Sequence[Layer]) -> float:
    """How far two networks are apart: the cheapest way to edit one into the other, 0 to 1.

    To drop or add an operator costs 1, to change its kind too, and so does it to swap two that
    follow one another; to change its shape costs what the sizes differ by.
    """
    if not one or not other:  # a network that was not captured is near no other
        return 1.0
    longest = max(len(one), len(other))
    return _edits(one, other, longest) / longest


def _edits(one: Sequence[Layer], other: Sequence[Layer], most: float) -> float:
    """The least cost of edits that make `other` of `one`, or more than `most` where it is more."""
    band = int(most)
    before: list[float] = []
    row = [float(column) if column <= band else _FAR for column in range(len(other) + 1)]
    for count, layer in enumerate(one, 1):
        first, last = max(1, count - band), min(len(other), count + band)
        two_above, before, row = before, row, [_FAR] * (len(other) + 1)
        row[0] = float(count) if count <= band else _FAR
        for column in range(first, last + 1):
            match = other[column - 1]
            cost = before[column - 1] + _change(layer, match)
            cost = min(cost, before[column] + 1, row[column - 1] + 1)
            if count > 1 and column > 1:
                swapped = _swap(one[count - 2 : count], other[column - 2 : column])
                cost = min(cost, two_above[column - 2] + swapped)
            row[column] = cost
        # A swap reaches over a row.
        if min(row) > most and min(before) + 1 > most:
            return _FAR
    return row[-1]


_FAR = float("inf")


def recipe_distance(one: Recipe, other: Recipe) -> float:
    """How far two recipes are apart: the share of their settings that differ, 0 to 1.

    A number that differs counts by how much.
    """
    if not one or not other:
        return 1.0
    mine, theirs = dict(one), dict(other)
    names = mine.keys() | theirs.keys()
    return sum(_differ(mine.get(name), theirs.get(name)) for name in names) / len(names)


def _differ(one: str | float | None, other: str | float | None) -> float:
    if one == other:
        return 0.0
    if isinstance(one, float | int) and isinstance(other, float | int):
        return min(1.0, abs(one - other) / max(abs(one), abs(other)))
    return 1.0


def _swap(one: Sequence[Layer], other: Sequence[Layer]) -> float:
    """What it costs to make two layers of the same two in the other order."""
    (first, second), (third, fourth) = one, other
    if (first.kind, second.kind) != (fourth.kind, third.kind):
        return _FAR
    return 1 + _change(first, fourth) + _change(second, third)


def _change(one: Layer, other: Layer) -> float:
    if one.kind != other.kind or len(one.shape) != len(other.shape):
        return 1.0
    differing = [size for size in zip(one.shape, other.shape, strict=True) if size[0] != size[1]]
    return sum(abs(a - b) / max(a, b) for a, b in differing) / max(len(one.shape), 1)


def _pair(one: Work, other: Work, text: float) -> Pair:
    apart = recipes = None
    if one.architecture and one.architecture == other.architecture:
        apart = 0.0
    elif one.layers and other.layers:
        apart = round(distance(one.layers, other.layers), 3)
    if one.recipe and other.recipe:
        recipes = round(recipe_distance(one.recipe, other.recipe), 3)
    return Pair(one.name, other.name, round(text, 3), apart, recipes)


def _rare_passages(works: Sequence[Work], handed_out: Sequence[Work]) -> dict[str, Passages]:
    """Of each work the passages that were not handed out and that few others have."""
    given = frozenset(passage for work in handed_out for passage in work.passages)
    count = Counter(passage for work in works for passage in work.passages)
    most = max(A_RING, COMMON * len(works)) if len(works) >= FEW else len(works)
    common = frozenset(passage for passage, number in count.items() if number > most)
    return {work.name: work.passages - given - common for work in works}


def _sharing_text(works: Sequence[Work], rare: dict[str, Passages]) -> dict[tuple[str, str], float]:
    """The share of rare passages in common, of those pairs alone that have `ENOUGH`."""
    having: dict[int, list[str]] = defaultdict(list)
    for work in works:
        for passage in rare[work.name]:
            having[passage].append(work.name)
    together = Counter(pair for names in having.values() for pair in combinations(names, 2))
    return {
        pair: number / max(1, min(len(rare[pair[0]]), len(rare[pair[1]])))
        for pair, number in together.items()
        if number >= ENOUGH
    }


def _same(
    works: Sequence[Work], key: Callable[[Work], tuple[str | Recipe, ...]]
) -> list[tuple[str, ...]]:
    """The names of works that agree in every part of `key`, two at least."""
    found: dict[tuple[str | Recipe, ...], list[str]] = defaultdict(list)
    for work in works:
        if all(key(work)):
            found[key(work)].append(work.name)
    return [tuple(sorted(names)) for names in found.values() if len(names) > 1]


def _near_networks(works: Sequence[Work]) -> list[tuple[str, ...]]:
    """Works that hang together by networks that are near each other, or the same."""
    by_network: dict[str, list[Work]] = defaultdict(list)
    for work in works:
        if work.architecture:
            by_network[work.architecture].append(work)
    found = _Together()
    for same in by_network.values():
        for one, other in pairwise(same):
            found.join(one.name, other.name)
    counted = []
    for work in (same[0] for same in by_network.values() if same[0].layers):
        counted.append((work, Counter(layer.kind for layer in work.layers)))
    for (one, kinds), (other, other_kinds) in combinations(counted, 2):
        most = ALIKE_NETWORK * max(len(one.layers), len(other.layers))
        if found.are(one.name, other.name) or _at_least(kinds, other_kinds) > most:
            continue
        if _edits(one.layers, other.layers, most) <= most:
            found.join(one.name, other.name)
    return found.groups()


def _at_least(kinds: Counter[str], others: Counter[str]) -> int:
    """What the kinds alone cost: a bound that is found at once."""
    return max((kinds - others).total(), (others - kinds).total())


class _Together:
    """Names that hang together by pairs."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        """These two, and whatever hangs together with either."""
        self._above[self._top(one)] = self._top(other)

    def are(self, one: str, other: str) -> bool:
        """Whether two names hang together."""
        return self._top(one) == self._top(other)

    def groups(self) -> list[tuple[str, ...]]:
        """All groups of at least two, each in alphabetical order."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in list(self._above):
            found[self._top(name)].append(name)
        return sorted(tuple(sorted(names)) for names in found.values() if len(names) > 1)

    def _top(self, name: str) -> str:
        """The name that stands for its group; the way to it is made shorter."""
        above = self._above.setdefault(name, name)
        while above != self._above[above]:
            self._above[name] = self._above[above]
            name, above = above, self._above[above]
        return above


def _connected(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The works that hang together by pairs, each group in alphabetical order."""
    found = _Together()
    for one, other in pairs:
        found.join(one, other)
    return found.groups()


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
    elif kind == "recipe":
        given = tuple(work.name for work in handed_out if work.recipe == members[0].recipe)
    else:
        given = tuple(work.name for work in handed_out if work.architecture in networks)
    pairs = [pair(first, second) for first, second in combinations(names[:MOST_COMPARED], 2)]
    pairs.sort(key=lambda found: (-found.text, 1.0 if found.network is None else found.network))
    return Group(kind, names, len(names) / len(works), given, tuple(pairs[:MOST_PAIRS]))


def _given_text(members: Sequence[Work], handed_out: Sequence[Work]) -> tuple[str, ...]:
    return tuple(given.name for given in handed_out if _is_like_one(given, members))


def _is_like_one(given: Work, works: Iterable[Work]) -> bool:
    shares = (wording.in_common(given.passages, work.passages) for work in works)
    return max(shares, default=0.0) >= ALIKE_TEXT
