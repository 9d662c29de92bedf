"""How much of the image one unit of a network sees, after every operator and at the final map.

In: the eval Graph. Out: a `ReceptiveField`. Rows and columns of the image are answered apart, each
twice: as a rule (the window's width, borders ignored) and exactly (which rows each unit can see, as
bits).

A unit at position p sees from low + jump * p to high + jump * p. A window of kernel k, stride s,
dilation d and padding p makes low -= jump * p, high += jump * (d * (k - 1) - p), jump *= s. Source:
Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from grader.analysis.dataflow import Dataflow, trace
from grader.analysis.receptive_field.bits import Bits, any_of
from grader.analysis.receptive_field.final_map import final_maps
from grader.analysis.receptive_field.propagation import Answer, Unknown, propagate
from grader.analysis.receptive_field.sight import AXES, AxisName, Sight, spread
from grader.program.graph import Graph
from grader.report import Hint


@dataclass(frozen=True, slots=True)
class Reach:
    """What the units of one tensor see along one axis of the image.

    `low`, `high`, `jump` are in pixels; `jump` is None where the tensor has no positions along the
    axis any more. `seen[p]` has bit r set where a unit at position p has row r in its window;
    `shared[p]` where row r reaches it through a gate or statistics. `size` is that of the image.
    """

    low: Fraction
    high: Fraction
    jump: Fraction | None
    seen: tuple[int, ...]
    shared: tuple[int, ...]
    size: int
    flags: frozenset[str]
    slack: Fraction = Fraction(0)

    @property
    def hull(self) -> int:
        """Width of the window as a rule, borders ignored: an upper bound for every unit."""
        return int((self.high - self.low) // 1) + 1

    @property
    def pixels(self) -> int:
        """From the first pixel to the last that the widest unit sees, borders ignored."""
        return widest(self, self.seen)

    @property
    def everywhere(self) -> bool:
        """No positions left: every unit sees the same."""
        return self.jump is None

    @property
    def together(self) -> int:
        """The rows that all units together see, as bits."""
        return union(self.seen)

    @property
    def centre(self) -> int:
        """The rows that the unit in the middle sees, as bits."""
        return self.seen[len(self.seen) // 2]

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last row that any unit sees; None where none is."""
        rows = self.together
        return ((rows & -rows).bit_length() - 1, rows.bit_length() - 1) if rows else None


def union(masks: tuple[int, ...]) -> int:
    """All bits of `masks`."""
    result = 0
    for mask in masks:
        result |= mask
    return result


def widest(reach: Reach, masks: Sequence[int]) -> int:
    """Pixels from the first to the last that one unit sees, of the unit that sees most.

    `masks` have the rows for each position. Where the border of the image cuts off every unit's
    window, what it would see beyond is that of units cut off on the other side, else the rule's.
    """
    half = (reach.high - reach.low) / 2
    kept = [(position, mask) for position, mask in enumerate(masks) if mask]
    sides = [_sides(reach, position, mask, half) for position, mask in kept]
    whole = [one + other for one, other in sides if one is not None and other is not None]
    if not whole:
        before = max((one for one, _ in sides if one is not None), default=half)
        after = max((other for _, other in sides if other is not None), default=half)
        whole = [min(before + after, reach.high - reach.low - reach.slack)]
    inside = [Fraction(mask.bit_length() - (mask & -mask).bit_length()) for _, mask in kept]
    return min(reach.hull, int(max([*whole, *inside]) // 1) + 1) if kept else 0


def _sides(
    reach: Reach, position: int, mask: int, half: Fraction
) -> tuple[Fraction | None, Fraction | None]:
    """Pixels before and after the middle of a unit's window; None where the border cuts it off."""
    start = reach.low + (reach.jump or 0) * position
    end = reach.high + (reach.jump or 0) * position
    first, last = (mask & -mask).bit_length() - 1, mask.bit_length() - 1
    before = None if first == 0 and start < 0 else start + half - first
    after = None if last == reach.size - 1 and end > last else last - start - half
    return before, after


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of the image, 0 to 1, that are seen at all."""

    rows: float
    columns: float

    @property
    def pixels(self) -> float:
        """Share of the image's pixels: those in a seen row and a seen column."""
        return self.rows * self.columns


@dataclass(frozen=True)
class ReceptiveField:
    """The answer for a whole graph.

    `answers` has what each node sees; `final` names the final feature map: the last tensor with
    rows and columns on the way to the output, before the head (see `grader.analysis.final_map`).
    `ends` are all such maps, the final one last, where several feed the head. `live` are the nodes
    that the output depends on. `measured` are the masks of the final map's units where those were
    measured: for each axis and position, the rows (columns) that arrived there, as bits.
    """

    answers: Mapping[str, Answer]
    final: str
    ends: tuple[str, ...]
    line: int | None
    image: tuple[int, int]
    live: frozenset[str]
    measured: Mapping[AxisName, Sequence[int]] | None = None

    def reach(self, name: str, axis: AxisName) -> Reach | None:
        """What node `name` sees along `axis`.

        None where it does not depend on the image, or is not proven.
        """
        answer = self.answers[name]
        if not isinstance(answer, Sight):
            return None
        return reach(answer, axis, self.image[AXES.index(axis)])

    @property
    def unknown(self) -> tuple[str, ...]:
        """Why live operators are not proven, each reason once."""
        found = [answer for name, answer in self.answers.items() if name in self.live]
        reasons = [answer.reason for answer in found if isinstance(answer, Unknown)]
        return tuple(dict.fromkeys(reasons))

    @property
    def proven(self) -> bool:
        """Whether the final feature map's receptive field is known."""
        return not self.unknown

    @property
    def reason(self) -> str:
        """Why it is not known, or ""."""
        return "; ".join(self.unknown)

    @cached_property
    def at_end(self) -> tuple[Reach, Reach]:
        """Rows and columns seen at the final feature map, as far as proven."""
        rows, columns = self.reach(self.final, "rows"), self.reach(self.final, "columns")
        assert rows is not None, "the final feature map is a proven node"
        assert columns is not None, "the final feature map is a proven node"
        return rows, columns

    @property
    def rows(self) -> int:
        """Pixels from the first row to the last that one unit of the final feature map sees.

        That of the widest unit, as measured where the map was measured.
        """
        return self._pixels(0)

    @property
    def columns(self) -> int:
        """The same for columns."""
        return self._pixels(1)

    def _pixels(self, at: int) -> int:
        end = self.at_end[at]
        if self.measured is None:
            return end.pixels
        pairs = zip(self.measured[AXES[at]], end.seen, strict=True)
        return widest(end, [mask & seen for mask, seen in pairs])

    @property
    def bound(self) -> tuple[int, int]:
        """Rows and columns as a rule: what no unit sees more than."""
        return self.at_end[0].hull, self.at_end[1].hull

    @property
    def is_bound(self) -> bool:
        """The rule allows for more than any unit sees."""
        return self.bound != (self.rows, self.columns)

    @property
    def coverage(self) -> Coverage:
        """What all units of the final feature map see together."""
        return self._coverage([reach.together for reach in self.at_end])

    @property
    def centre_coverage(self) -> Coverage:
        """What the unit in the middle of the final feature map sees."""
        return self._coverage([reach.centre for reach in self.at_end])

    def _coverage(self, masks: list[int]) -> Coverage:
        (rows, columns), (height, width) = masks, self.image
        return Coverage(rows.bit_count() / height, columns.bit_count() / width)

    @property
    def flags(self) -> tuple[str, ...]:
        """What to know about the number: "gate", "statistics", "context", "misaligned"."""
        return tuple(sorted(self.at_end[0].flags | self.at_end[1].flags))

    @property
    def hints(self) -> tuple[Hint, ...]:
        """What to do about it, and where."""
        if not self.proven:
            text = (
                f"The receptive field cannot be told: {self.reason}. "
                "Use layers that the layer table knows."
            )
            return (Hint(text=text, line=self.line),)
        share = self.coverage.pixels
        seen = f"; together its units see {share:.0%} of the image" if share < 1 else ""
        text = f"The last feature map, before the head, is made here{seen}."
        if self.is_bound:
            text += (
                f" The arithmetic of windows allows for {self.bound[0]} × {self.bound[1]} pixels, "
                "but no unit sees that much: what a unit sees counts."
            )
        return (Hint(text=text, line=self.line),)


def find_field(
    graph: Graph, flow: Dataflow | None = None, idle: frozenset[str] = frozenset()
) -> ReceptiveField:
    """The receptive field after every node of `graph`, at the image size it was captured with.

    `idle` nodes move no score: what only they see does not count.
    """
    flow = flow or trace(graph, idle)
    answers = propagate(graph, idle)
    ends = final_maps(graph, flow, answers)
    final = graph[ends[-1]]
    height, width = (graph.input.shape or (1, 1))[-2:]
    return ReceptiveField(
        answers, final.name, ends, final.line, (int(height), int(width)), flow.live
    )


def reach(sight: Sight, axis: AxisName, size: int) -> Reach:
    """What a tensor's units see along one axis, by position; its channels are taken together.

    Where several parts run along the axis (channels that hold the rows in between), the outermost
    has the positions.
    """
    at = next((place for place, part in enumerate(sight.parts) if part.axis == axis), None)
    inner = [part for place, part in enumerate(sight.parts) if place != at]
    seen = sight.field(axis).widen(*spread(inner, axis))
    jump = None if at is None else sight.parts[at].jump
    count = 1 if at is None else sight.parts[at].size
    window, shared = (_masks(bits, at, count) for bits in (seen.seen, seen.shared))
    return Reach(seen.low, seen.high, jump, window, shared, size, seen.flags, seen.slack)


def _masks(bits: Bits, at: int | None, count: int) -> tuple[int, ...]:
    others = [place for place in range(bits.ndim - 1) if place != at]
    rows = any_of(bits, others).reshape(-1, bits.shape[-1])
    masks = tuple(
        int.from_bytes(row.astype("<u8").tobytes(), "little") for row in np.ascontiguousarray(rows)
    )
    return masks * count if len(masks) == 1 else masks
