"""How the student tested the network: on which images, changed by what, in which mode.

In: a trace and one of its trainings. Out: findings; nothing here changes a recipe. Runs in the
child.
"""

from __future__ import annotations

from typing import Any

from grader.capture.rehearsal import augmentations, data, images, lengths
from grader.capture.rehearsal.findings import Findings, count
from grader.capture.rehearsal.trace import Trace, Walk
from grader.capture.rehearsal.trainings import Group
from grader.program.rehearsed import RehearsalRequest


def remark(trace: Trace, group: Group, request: RehearsalRequest, findings: Findings) -> None:
    """Say how it was tested, and what of that misleads."""
    fed = {id(walk) for walk, _ in group.walks if walk is not None}
    walks = [
        walk
        for walk in trace.walks
        if id(walk) not in fed and not walk.steps and walk.networks & group.keys
    ]
    if not walks:
        return
    last = walks[-1]
    given = images.read(last.loader.dataset, request.dataset, transform=last.transform)
    line = lengths.line_of(last.loader) or last.line
    findings.fact("test images", _in_words(last, given), line)
    if given.training and not any(data.is_test(walk.loader.dataset) for walk in walks):
        which = "training images"
        if all(data.whose(trace, walk.loader) == "held back" for walk in walks):
            which += " that are held back"
        findings.note(
            f"The network is never tested on the test images, but on {which}; the grader tests it "
            "on the test images",
            line,
        )
    if any(is_training for _, is_training in last.forwards):
        findings.note(
            "The network is tested without model.eval(), so Dropout and BatchNorm act as in "
            "training; the grader tests in evaluation mode",
            last.line,
        )
    if given.operations is not None:
        _random(given.operations, line, findings)


def _in_words(walk: Walk, given: images.Images) -> str:
    which = {True: "training images", False: "test images", None: "images"}[given.training]
    size = len(walk.loader.sampler) if walk.loader.batch_size else given.size
    done = ""
    if given.operations is not None:
        done = f", {augmentations.in_words(given.operations)}"
    return f"{count(size, 'image')} of {given.name}'s {which}{done}"


def _random(operations: list[Any], line: int | None, findings: Findings) -> None:
    names = [type(item).__name__ for item in operations]
    drawn = [name for name in names if name.startswith("Random") or name == "ColorJitter"]
    if drawn:
        findings.note(
            f"Test images are changed at random ({', '.join(drawn)}); the grader tests on images "
            "without it",
            line,
        )
