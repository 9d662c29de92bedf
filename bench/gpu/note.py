"""The lab note of a GPU, as Markdown, from what was found so far. Loads no torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.gpu.plan import (
    EIGHT_SEEDS_OVER_ONE,
    PARTS,
    RECORDED_OVER_PLAIN,
    SECONDS_OF_15_EPOCHS,
    Part,
    Sizes,
)

Finding = Mapping[str, Any]
ALL_IMAGES = 60_000
LONGEST_NAME = 90


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured; `rehearsal` where that was no GPU."""

    words: str
    date: str
    rehearsal: bool


def write(machine: Machine, sizes: Sizes, findings: Sequence[Finding], seconds: float) -> str:
    """The whole note."""
    kept: list[str] = []
    for line in _lines(machine, sizes, findings, seconds):
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def _lines(
    machine: Machine, sizes: Sizes, findings: Sequence[Finding], seconds: float
) -> Iterator[str]:
    yield "# What a GPU gives"
    yield ""
    yield "Written by `python -m bench --gpu`; do not edit. Medians, with their range in brackets."
    yield ""
    if machine.rehearsal:
        yield "**A rehearsal without a GPU: nothing was recorded, and no figure means anything.**"
        yield ""
    yield f"Lab note: {machine.date}, {machine.words}. {sizes.images:,} images an epoch in batches"
    yield f"of 128, augmented, with a look at {sizes.tests:,} test images after each; contenders in"
    yield f"turn, {sizes.rounds} rounds where there was time. All of it took {seconds:.0f} s."
    yield ""
    yield "## Verdict"
    yield ""
    yield from _verdict(sizes, findings)
    for part in PARTS:
        yield ""
        yield f"## {part.title}"
        yield ""
        own = [finding for finding in findings if finding["part"] == part.name]
        yield from _section(part, sizes, own)


def _section(part: Part, sizes: Sizes, found: Sequence[Finding]) -> Iterator[str]:
    yield from _SECTIONS[part.name](found, sizes)
    for finding in found:
        if finding["kind"] == "left out":
            yield f"- **Left out:** {_plain(finding['why'])}"
    if not found:
        yield "- **Left out:** it has not begun."


# What the figures come to


def totals(found: Sequence[Finding], way: str, seeds: int) -> list[float]:
    """Seconds of the epochs with their looks, run by run."""
    return [
        run["seconds"] + run["look_seconds"]
        for run in found
        if run["kind"] == "run" and (run["way"], run["seeds"]) == (way, seeds)
    ]


def rates(found: Sequence[Finding], way: str, seeds: int = 1) -> list[float]:
    """Images a second of training, run by run: the median of the epochs after the first."""
    return [
        statistics.median(run["rates"][1:])
        for run in found
        if run["kind"] == "run" and (run["way"], run["seeds"]) == (way, seeds)
    ]


def _verdict(sizes: Sizes, found: Sequence[Finding]) -> Iterator[str]:
    one, together = totals(found, "recorded", 1), totals(found, "recorded", sizes.seeds)
    goal = f"goal: under {SECONDS_OF_15_EPOCHS:.1f} s"
    what = f"{sizes.epochs} epochs of sub_8k, one seed"
    if one:
        reached = statistics.median(one) < SECONDS_OF_15_EPOCHS
        yield f"- {what}: **{_range(one, '.2f')} s**, after preparing; {goal}: {_word(reached)}."
    else:
        yield f"- {what}: not measured; {goal}."
    goal = f"goal: under {EIGHT_SEEDS_OVER_ONE:.1f} times one"
    what = f"{sizes.seeds} seeds at once"
    if one and together:
        ratio = statistics.median(together) / statistics.median(one)
        reached = ratio < EIGHT_SEEDS_OVER_ONE
        seconds = _range(together, ".2f")
        yield f"- {what}: {seconds} s, **{ratio:.2f} times** one; {goal}: {_word(reached)}."
    else:
        yield f"- {what}: not measured; {goal}."
    yield f"- {_rule(found)}"


def _rule(found: Sequence[Finding]) -> str:
    recorded, plain = rates(found, "recorded"), rates(found, "plain")
    rule = (
        f"The rule: under {RECORDED_OVER_PLAIN:.0f} times the images a second of plain PyTorch "
        "steps, the recorded engine is deleted."
    )
    if not recorded or not plain:
        return f"{rule} Not measured, so nothing is decided."
    ratio = statistics.median(recorded) / statistics.median(plain)
    verdict = "it stays" if ratio >= RECORDED_OVER_PLAIN else "**delete it** (`replay.py`)"
    return f"{rule} It has **{ratio:.2f} times** as many: {verdict}."


def _word(reached: bool) -> str:
    return "reached" if reached else "missed"


# A section for each part


def _tests(found: Sequence[Finding], sizes: Sizes) -> Iterator[str]:
    results = [finding for finding in found if finding["kind"] == "test"]
    if results:
        yield "| test | result |"
        yield "| --- | --- |"
        for finding in results:
            yield f"| {_plain(finding['name'])} | {finding['result']} |"
        yield ""
    for finding in found:
        if finding["kind"] == "tests":
            yield f"pytest: {_plain(finding['line'].strip(' ='))}."
            yield ""
            if finding["tail"]:
                yield "```"
                yield from (line.replace("```", "'''") for line in finding["tail"])
                yield "```"
                yield ""


def _training(found: Sequence[Finding], sizes: Sizes) -> Iterator[str]:
    runs = [finding for finding in found if finding["kind"] == "run"]
    if not runs:
        return
    yield "Seconds of the looks are beside those of training. Preparing is placing the images,"
    yield "warming up and recording; the first run of a process also loads cuDNN. Accuracy is the"
    yield "last epoch's, of all seeds, in percent: that of plain steps after fewer epochs."
    yield ""
    yield (
        "| by | engine | seeds | epochs | preparing, s | training, s | looks, s | images/s | "
        "peak memory, MiB | accuracy |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for way, seeds in dict.fromkeys((run["way"], run["seeds"]) for run in runs):
        own = [run for run in runs if (run["way"], run["seeds"]) == (way, seeds)]
        cells = (
            way,
            _plain(own[0]["engine"]),
            str(seeds),
            str(own[0]["epochs"]),
            ", ".join(f"{run['preparation']:.1f}" for run in own),
            _range([run["seconds"] for run in own], ".2f"),
            _range([run["look_seconds"] for run in own], ".2f"),
            _range(rates(runs, way, seeds), ",.0f"),
            _memory(own),
            f"{100 * statistics.fmean(run['accuracy'] for run in own):.2f}",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Plain steps train several seeds one after the other, each in the time of one."
    yield ""


def _memory(runs: Sequence[Finding]) -> str:
    peaks = [run["memory"] for run in runs if run["memory"] is not None]
    return f"{max(peaks) / 2**20:,.0f}" if peaks else "unknown"


def _references(found: Sequence[Finding], sizes: Sizes) -> Iterator[str]:
    own = [finding for finding in found if finding["kind"] == "reference"]
    if not own:
        return
    yield "Images a second in the second epoch, without the look. The losses are those of the first"
    yield "epoch: equal but for rounding, and for what dropout draws."
    yield ""
    yield "| network | recorded | plain | ratio | loss, recorded | loss, plain | preparing, s |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name in dict.fromkeys(finding["name"] for finding in own):
        ways = {item["way"]: item for item in own if item["name"] == name}
        yield f"| {' | '.join(_reference(name, ways))} |"
    yield ""


def _reference(name: str, ways: Mapping[str, Finding]) -> Iterator[str]:
    yield name
    speeds: list[float] = []
    for way in ("recorded", "plain"):
        measured = ways.get(way)
        if measured is None or "refused" in measured:
            yield _plain(measured["refused"]) if measured else "left out"
            continue
        speeds.append(measured["rates"][-1])
        yield f"{speeds[-1]:,.0f}"
    yield f"{speeds[0] / speeds[1]:.2f}" if len(speeds) == 2 else ""
    for way in ("recorded", "plain"):
        loss = ways.get(way, {}).get("first_loss")
        yield "" if loss is None else f"{loss:.4f}"
    preparation = ways.get("recorded", {}).get("preparation")
    yield "" if preparation is None else f"{preparation:.1f}"


def _student(found: Sequence[Finding], sizes: Sizes) -> Iterator[str]:
    turns = [finding for finding in found if finding["kind"] == "student"]
    if not turns:
        return
    yield f"{sizes.few:,} images an epoch; the last column is what {sizes.epochs} epochs of"
    yield f"{ALL_IMAGES:,} images and their looks would take."
    yield ""
    yield f"| loading processes | images/s with looks | {sizes.epochs} epochs, s |"
    yield "| --- | --- | --- |"
    for workers in dict.fromkeys(turn["workers"] for turn in turns):
        speeds = [
            turn["images"] / (turn["seconds"] + turn["look_seconds"])
            for turn in turns
            if turn["workers"] == workers
        ]
        whole = sizes.epochs * ALL_IMAGES / statistics.median(speeds)
        yield f"| {workers} | {_range(speeds, ',.0f')} | {whole:,.0f} |"
    yield ""


def _profile(found: Sequence[Finding], sizes: Sizes) -> Iterator[str]:
    for item in (finding for finding in found if finding["kind"] == "profile"):
        steps, wall, busy = item["steps"], item["wall_us"], item["kernel_us"]
        yield (
            f"{item['seeds']} at once, an epoch of {steps} steps with its look: "
            f"{wall / steps:,.0f} µs a step by the clock, {busy / steps:,.0f} µs in "
            f"{item['kernels'] / steps:,.0f} kernels ({busy / wall:.0%} of the clock's; more than "
            f"all of it where seeds run at once). Under the profiler the clock says "
            f"{item['profiled_wall_us'] / steps:,.0f} µs."
        )
        yield ""
        yield "| kernel | times a step | µs each | share of the kernels' time |"
        yield "| --- | --- | --- | --- |"
        for kernel in item["longest"]:
            each = kernel["us"] / kernel["count"]
            share = kernel["us"] / busy
            name = _plain(kernel["name"])[:LONGEST_NAME]
            yield f"| `{name}` | {kernel['count'] / steps:.2f} | {each:.1f} | {share:.0%} |"
        yield ""


def _layouts(found: Sequence[Finding], sizes: Sizes) -> Iterator[str]:
    own = [finding for finding in found if finding["kind"] == "layout"]
    if not own:
        return
    yield "The recorded engine, one seed, the epochs after the first, images a second."
    yield ""
    yield "| layout and kernels | images/s | loss of the first epoch |"
    yield "| --- | --- | --- |"
    for way in dict.fromkeys(item["way"] for item in own):
        rounds = [item for item in own if item["way"] == way]
        speeds = [statistics.median(item["rates"][1:]) for item in rounds]
        yield f"| {way} | {_range(speeds, ',.0f')} | {rounds[0]['first_loss']:.4f} |"
    yield ""


_SECTIONS = {
    "tests": _tests,
    "training": _training,
    "references": _references,
    "student": _student,
    "profile": _profile,
    "layouts": _layouts,
}


def _range(values: Sequence[float], form: str) -> str:
    middle = format(statistics.median(values), form)
    if len(values) == 1:
        return f"{middle} (once)"
    return f"{middle} ({format(min(values), form)} to {format(max(values), form)})"


def _plain(text: str) -> str:
    """On one line, and nothing that a table would take for its own."""
    return " ".join(text.replace("|", "/").replace("`", "'").split())
