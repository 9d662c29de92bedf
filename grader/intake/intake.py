"""Take a submission in: ask a locked child for its Program, and refuse what cannot be graded.

In: a submission's bytes and its assignment. Out: `Captured`. Trusts nothing that the child says:
what comes back was read strictly, agrees with itself, runs by itself, and is small enough to run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.analysis import work
from grader.analysis.untrained import watched
from grader.analysis.untrained.watched import Answer, Watched
from grader.assignment import Assignment, Limits
from grader.errors import GraderError, SubmissionError
from grader.intake import agreement, rehearsing, stored_bars
from grader.printable import visible
from grader.program import program
from grader.program.listing import Listing
from grader.program.program import Captured, Program
from grader.program.recipe import Recipe
from grader.program.rehearsed import Rehearsed
from grader.program.request import Request
from grader.sandbox import ending, strict_json, weights_file
from grader.sandbox.isolation import Fresh, Sandbox
from grader.submission.submission import Submission
from grader.training.engine import one_image

WATCHING = ending.Limits(
    seconds=60,
    subject="The network",
    too_long="That is what proving its receptive field and scoring some images may take: use fewer "
    "layers or channels, or pool earlier.",
)
MOST_KNOWN = 8
"""Answers that are remembered: of the last networks that a student tried."""
PREPARED = ("torchvision",)
"""Packages that take seconds to import: the sandbox may do that once, for all submissions."""


def read(
    submission: Submission,
    assignment: Assignment,
    sandbox: Sandbox,
    *,
    train_images: int,
    seeds: Sequence[int],
) -> Captured:
    """The submission as data, small enough to be watched; trained on `train_images` images later.

    Where the recipe follows a metric, the assignment may hold some of them back. Raises
    SubmissionError when it cannot be captured or must not run, GraderError when the sandbox fails.
    """
    if submission.problem:
        raise submission.problem
    rehearsed = rehearse(submission, assignment, sandbox, train_images)
    captured = capture_rehearsed(
        submission, assignment, sandbox, rehearsed, train_images=train_images, seeds=seeds
    )
    check_size(captured.program, assignment.limits)
    return captured


def rehearse(
    submission: Submission, assignment: Assignment, sandbox: Sandbox, train_images: int
) -> Rehearsed | None:
    """What the submission's own training comes to; None where it uses the convention, or none."""
    listing = submission.listing
    if not rehearsing.is_rehearsed(listing):
        return None
    found = rehearsing.rehearse(listing, assignment, sandbox, train_images=train_images)
    if found.recipe is None:
        return found
    remark = stored_bars.remark(submission.claims, found.recipe, train_images=train_images)
    if remark is None:
        return found
    remarks = (*found.recipe.remarks, remark)[:50]
    recipe = found.recipe.model_copy(update={"remarks": remarks})
    return replace(found, recipe=recipe, notes=(*found.notes, remark))


def capture_rehearsed(
    submission: Submission,
    assignment: Assignment,
    sandbox: Sandbox,
    rehearsed: Rehearsed | None,
    *,
    train_images: int,
    seeds: Sequence[int],
) -> Captured:
    """Capture the network, with the recipe and the class that were `rehearsed`, if any were."""
    listing = submission.listing
    return capture(
        submission.source.encode(),
        listing.main if listing.main.isascii() else f"{submission.name}.py",
        assignment,
        train_images=train_images,
        seeds=seeds,
        sandbox=sandbox,
        listing=listing,
        rehearsed=rehearsed,
    )


def capture(
    source: bytes,
    filename: str,
    assignment: Assignment,
    *,
    train_images: int,
    seeds: Sequence[int],
    limits: ending.Limits | None = None,
    sandbox: Sandbox | None = None,
    listing: Listing | None = None,
    rehearsed: Rehearsed | None = None,
) -> Captured:
    """Capture `source`, shown to the student as `filename`: the main file of `listing`, if given.

    What was `rehearsed` decides the recipe, and which network is captured.
    `sandbox` is where it runs: one for all submissions, or a fresh process for this one alone.
    Raises SubmissionError when it cannot be captured, GraderError when the sandbox fails.
    """
    parts = listing.parts if listing else ()
    main = listing.main if listing else ""
    request = Request(
        cells=tuple(part for part in parts if part.cell and part.file == main),
        siblings=tuple(part for part in parts if part.file != main),
        trained=rehearsed.trained if rehearsed else None,
        recipe=rehearsed.recipe if rehearsed else None,
        default_only=rehearsed is not None and rehearsed.recipe is None,
        source=_text(source),
        filename=filename,
        input_shape=assignment.input_shape,
        classes=assignment.classes,
        seeds=tuple(seeds),
        train_images=train_images,
        validation_images=assignment.validation_images(train_images),
        most_steps=assignment.limits.steps,
        most_epochs=assignment.limits.epochs,
        default_recipe=assignment.recipe.model_dump(mode="json"),
    )
    place = sandbox or Fresh()
    text = "\n".join([request.source, *(part.text for part in request.siblings)])
    packages = [name for name in PREPARED if name in text]
    answer = place.run(request.model_dump(mode="json"), limits, prepare=packages)
    found = checked(answer, tuple(seeds))
    if (found.input_shape, found.classes) != (assignment.input_shape, assignment.classes):
        raise SubmissionError(
            "The captured network does not belong to this assignment: it has other shapes."
        )
    _check_steps(found.recipe, assignment, train_images)
    agreement.check_recipe(found.recipe, rehearsed, assignment, place)
    return Captured(found, dict(zip(seeds, answer[1:], strict=True)), rehearsed)


def watch(
    captured: Captured,
    sandbox: Sandbox,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    limits: Limits | None,
    known: dict[bytes, Watched] | None = None,
    timed: bool = False,
) -> Watched:
    """What the network shows when it runs, in a locked child: see `grader.analysis.untrained`.

    `images` (N, *input_shape) are bytes, 0 to 255; N may be 0. The child runs nothing before both
    graphs have the shapes that they claim, and one image costs no more than `limits` allow; None:
    whatever it costs. `timed`: how long the network takes is measured too. `known` has what was
    seen for the last questions, each under its hash: no student code answers, and trusted code
    answers the same to the same. Raises SubmissionError for whatever the network raises, and when
    it takes too long or too much memory; GraderError when we fail.
    """
    request: dict[str, Any] = {"multiply_adds": limits.multiply_adds} if limits else {}
    if timed:
        request["timed"] = True
    blobs = watched.question(captured, images, labels)
    hashes = [hashlib.sha256(part).digest() for part in (json.dumps(request).encode(), *blobs)]
    key = b"".join(hashes)
    known = {} if known is None else known
    if key in known:
        return known[key]
    answer = _answered(sandbox.run(request, WATCHING, kind="watch", blobs=blobs))
    if answer.watched is None or (answer.watched.behaviour is None) != (len(images) == 0):
        raise SubmissionError("The network was watched, but the result is another one's.")
    if limits:
        work.check(captured.program, limits.multiply_adds)  # it may train outside of the child
    while len(known) >= MOST_KNOWN:
        del known[next(iter(known))]
    known[key] = answer.watched
    return answer.watched


def check_batches(program: Program, assignment: Assignment, train_images: int) -> None:
    """Refuse batches of a single image that a norm cannot work with: see `one_image`.

    Needs shapes that were checked. Raises SubmissionError.
    """
    available = _available(program.recipe, assignment, train_images)
    one_image.refuse(program, program.recipe.learned_from(available))


def _answered(parts: tuple[bytes, ...]) -> Answer:
    """The answer of a child that ran the network. Raises what it says went wrong."""
    try:
        (said,) = parts
        shown = visible(strict_json.read(said, most_bytes=2**22))
        answer = Answer.model_validate_json(json.dumps(shown), strict=True)
    except ValueError as error:
        raise SubmissionError(f"The network was watched, but the result is odd: {error}") from error
    problem = answer.problem
    if problem and problem.fault == "grader":
        raise GraderError(f"{problem.message}. This is a mistake in the grader: please report it.")
    if problem:
        raise SubmissionError(problem.message, line=problem.line)
    return answer


def _text(source: bytes) -> str:
    try:
        return source.decode("utf-8-sig")  # Python, too, reads over a byte order mark
    except UnicodeDecodeError as error:
        raise SubmissionError(
            f"The file is not UTF-8 text: {error.reason} at byte {error.start}."
        ) from error


def checked(parts: tuple[bytes, ...], seeds: tuple[int, ...]) -> Program:
    """The Program in a reply, when the reply holds what was asked for. Raises SubmissionError."""
    if len(parts) != 1 + len(seeds):
        raise SubmissionError(
            "The captured network does not belong to this run: it has weights for other seeds."
        )
    try:
        said = strict_json.read(parts[0])
    except ValueError as error:
        raise _refused(error) from error
    for values in parts[1:]:
        checked_weights(values)
    found = program.read(_shown(parts[0], said))
    if found.seeds != seeds:
        raise SubmissionError(
            "The captured network does not belong to this run: it names other seeds."
        )
    return found


def _shown(text: bytes, said: Any) -> str | bytes:
    """The JSON `text`, which says `said`, without characters that do not print."""
    if b"\\" not in text and text.decode().isprintable():
        return text  # at once, for a long training has thousands of steps
    shown = visible(said)
    return text if shown == said else json.dumps(shown)


def checked_weights(values: bytes) -> None:
    """Raises SubmissionError unless `values` is a plain safetensors file."""
    try:
        weights_file.check(values)
    except ValueError as error:
        raise _refused(error) from error


def _refused(error: ValueError) -> SubmissionError:
    return SubmissionError(f"The network was captured, but the result cannot be accepted: {error}.")


def _check_steps(recipe: Recipe, assignment: Assignment, train_images: int) -> None:
    """The child has counted them too, but nothing that it says is believed."""
    steps = recipe.batches(_available(recipe, assignment, train_images))
    if recipe.steps_per_epoch != steps or recipe.steps > assignment.limits.steps:
        raise SubmissionError(
            "The captured network does not belong to this assignment: "
            f"{recipe.steps:,} steps of training."
        )


def _available(recipe: Recipe, assignment: Assignment, train_images: int) -> int:
    """Training images that are left when those for the recipe's metric are held back.

    That is so whether the recipe trains on all of them or on some.
    """
    held_back = assignment.validation_images(train_images) if recipe.follows_metric else 0
    return train_images - held_back


def check_size(program: Program, limits: Limits) -> None:
    """Refuse a network that is larger than the assignment lets the grader run.

    Raises SubmissionError.
    """
    nodes = max(len(program.train.nodes), len(program.eval.nodes))
    weights = sum(weight.size for weight in program.weights if weight.storage == weight.name)
    for what, found, most in (
        ("operators", nodes, limits.nodes),
        ("numbers in its weights", weights, limits.weights),
    ):
        if found > most:
            raise SubmissionError(
                f"The network has {found:,} {what}; the grader runs at most {most:,}.",
                line=program.line,
            )
