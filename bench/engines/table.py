"""The findings as tables of Markdown, each figure beside its goal. Loads no torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.engines.goals import (
    BUSY_OVER_IDLE,
    EPOCHS,
    IMAGES,
    SECONDS_OF_15_EPOCHS,
    TIMES_THE_STUDENTS,
    TWO_SEEDS_OVER_ONE,
)

STUDENT, TORCH, LANES = "student", "torch", "lanes"
ONE_THREAD, TWO_SEEDS = "lanes, one thread", "lanes, two seeds"
BUSY = " beside a busy process"

Finding = Mapping[str, Any]
Turns = Mapping[str, Sequence[Finding]]
"""The turns of one reference, by contender."""


def lines(found: Sequence[Finding], threads: int = 2) -> Iterator[str]:
    """All tables."""
    turns: dict[str, dict[str, list[Finding]]] = {}
    for item in found:
        if item["kind"] == "turn":
            turns.setdefault(item["reference"], {}).setdefault(item["way"], []).append(item)
    work = {item["reference"]: item for item in found if item["kind"] == "work"}
    peak = max((item for item in found if item["kind"] == "peak"), key=_gflops)
    yield f"Images a second by the clock on {threads} threads, augmentation and the look at test"
    yield "images (one for every six that are trained on) counted in; contenders in turn in one"
    yield "process under the environment of a training process. Medians, with their range."
    yield f"The peak of {threads} threads is {peak['gflops']:,.0f} GFLOP/s ({peak['how']});"
    yield "arithmetic is counted as direct sums would have it."
    yield ""
    yield from _by_the_clock(turns, work, peak["gflops"])
    yield ""
    yield from _by_the_processor(turns)
    yield ""
    yield from _side_by_side(turns)
    if any(BUSY in way for ways in turns.values() for way in ways):
        yield ""
        yield from _beside_a_busy_process(turns)
    refused = [item for item in found if item["kind"] == "refused"]
    if refused:
        yield ""
        for item in refused:
            yield f"- {item['reference']}, {item['way']}: left out, for {item['why']}"


def _gflops(item: Finding) -> float:
    return float(item["gflops"])


def _by_the_clock(
    turns: Mapping[str, Turns], work: Mapping[str, Finding], peak: float
) -> Iterator[str]:
    yield (
        "| network | student's loop | PyTorch step by step | machine code | times the student's | "
        "goal | times PyTorch's | GFLOP/s (share of peak) | 15 epochs |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, ways in turns.items():
        lanes = _rates(ways, LANES)
        cells = [name, *(_range(_rates(ways, way)) for way in (STUDENT, TORCH, LANES))]
        goal = TIMES_THE_STUDENTS.get(name)
        ratio = _ratio(lanes, _rates(ways, STUDENT))
        cells += [_times(ratio), _goal(goal, ratio), _times(_ratio(lanes, _rates(ways, TORCH)))]
        if lanes:
            done = work[name]["gflop"] / work[name]["images"] * statistics.median(lanes)
            cells += [f"{done:,.0f} ({done / peak:.0%})", _fifteen(name, statistics.median(lanes))]
        else:
            cells += ["", ""]
        yield f"| {' | '.join(cells)} |"


def _fifteen(name: str, rate: float) -> str:
    seconds = EPOCHS * IMAGES / rate
    if name != "mnist_8k/sub_8k":
        return f"{seconds:,.0f} s"
    word = "reached" if seconds < SECONDS_OF_15_EPOCHS else "missed"
    return f"{seconds:,.0f} s (goal on a quiet server: under {SECONDS_OF_15_EPOCHS:.0f} s, {word})"


def _by_the_processor(turns: Mapping[str, Turns]) -> Iterator[str]:
    yield "The same turns, processor time of all threads, µs an image:"
    yield ""
    yield (
        "| network | student's loop | PyTorch step by step | machine code | student's over | "
        "PyTorch's over |"
    )
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, ways in turns.items():
        spent = {way: _processor(ways, way) for way in (STUDENT, TORCH, LANES)}
        cells = [name, *map(_range, spent.values())]
        cells += [_times(_ratio(spent[way], spent[LANES])) for way in (STUDENT, TORCH)]
        yield f"| {' | '.join(cells)} |"


def _side_by_side(turns: Mapping[str, Turns]) -> Iterator[str]:
    yield "Two seeds at once, a process of one thread each:"
    yield ""
    yield (
        "| network | one seed, one thread | two seeds | over one thread | goal | "
        "over one seed on all threads |"
    )
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, ways in turns.items():
        alone, both = _rates(ways, ONE_THREAD), _rates(ways, TWO_SEEDS)
        ratio = _ratio(both, alone)
        cells = [name, _range(alone), _range(both), _times(ratio)]
        cells += [_goal(TWO_SEEDS_OVER_ONE, ratio), _times(_ratio(both, _rates(ways, LANES)))]
        yield f"| {' | '.join(cells)} |"


def _beside_a_busy_process(turns: Mapping[str, Turns]) -> Iterator[str]:
    yield "With one process beside that is always busy:"
    yield ""
    yield (
        "| network | student's loop | PyTorch step by step | machine code | of its idle speed | "
        "goal | times the student's |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, ways in turns.items():
        speeds = {way: _rates(ways, way + BUSY) for way in (STUDENT, TORCH, LANES)}
        kept = _ratio(speeds[LANES], _rates(ways, LANES))
        cells = [name, *map(_range, speeds.values()), "" if kept is None else f"{kept:.0%}"]
        reached = "" if kept is None else f", {_word(kept >= BUSY_OVER_IDLE)}"
        cells.append(f"{BUSY_OVER_IDLE:.0%}{reached}")
        cells.append(_times(_ratio(speeds[LANES], speeds[STUDENT])))
        yield f"| {' | '.join(cells)} |"


def _rates(ways: Turns, way: str) -> list[float]:
    return [turn["images"] / (turn["seconds"] + turn["look_seconds"]) for turn in ways.get(way, ())]


def _processor(ways: Turns, way: str) -> list[float]:
    return [1e6 * turn["processor"] / turn["images"] for turn in ways.get(way, ())]


def _ratio(one: Sequence[float], other: Sequence[float]) -> float | None:
    return statistics.median(one) / statistics.median(other) if one and other else None


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f}"


def _goal(goal: float | None, ratio: float | None) -> str:
    if goal is None or ratio is None:
        return "" if goal is None else f"{goal:g}"
    return f"{goal:g}, {_word(ratio >= goal)}"


def _word(reached: bool) -> str:
    return "reached" if reached else "missed"


def _range(values: Sequence[float]) -> str:
    if not values:
        return "not measured"
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"
