"""Ask locked children to rehearse a listing under one role after the other, until time is used up.

In: a listing, its assignment, a sandbox. Out: an `Asker`, which gives a `Rehearsal` for each role
that it is asked for, and remembers it. Nothing that a child says is trusted: its answer is read
strictly, and lines that the submission does not have are taken out.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from grader.assignment import Assignment
from grader.errors import SubmissionError
from grader.printable import visible
from grader.program.listing import Listing
from grader.program.recipe import Remark
from grader.program.rehearsed import Rehearsal, RehearsalRequest
from grader.sandbox import ending, strict_json
from grader.sandbox.isolation import Sandbox
from grader.training.datasets import DATASETS, Dataset

CPU_SECONDS = 30.0
"""Of processor time, for all rehearsals of a submission together.

They take about 2, and up to 10 with all probing; on a busy machine the same work takes up to four
times as long, and whose recipe is trained must not depend on that.
"""
LEAST_SECONDS = 0.05
"""What a rehearsal counts at least, whatever its child says: so their number has a bound."""
WALL_SECONDS = 120.0
"""By the clock, for all of them together, whatever their children say of their time."""
MEMORY_BYTES = 8 * 2**30
MOST_QUICK_EPOCHS = 200
"""Epochs after which a quick look gives up: a `while` may wait for results that never come."""
QUICK_SHARE = 0.2
"""Of the processor time that is left, after which it gives up as well."""
LARGEST = 2**23
"""Bytes of an answer."""
_Key = tuple[str, bool, bool, int, int, int, int | None]
"""Role, GPU, yes, training images, test images, luck, and the most epochs."""


@dataclass(slots=True)
class Asker:
    """Rehearses a listing under one role after the other, until the processor time is used up."""

    listing: Listing
    assignment: Assignment
    sandbox: Sandbox
    train_images: int
    left: float
    waited: float = 0.0
    asked: int = 0
    known: dict[_Key, Rehearsal] = field(default_factory=dict)
    looked: Rehearsal | None = None
    """The first that was not seen to its end: all that there is where it used up the time."""

    def __call__(
        self,
        role: str,
        *,
        cuda: bool = True,
        yes: bool = False,
        images: int | None = None,
        tests: int | None = None,
        luck: int = 0,
        most_epochs: int | None = None,
    ) -> Rehearsal:
        """One rehearsal, on so many training and test images, cut off after `most_epochs`.

        Raises SubmissionError where the child ends without an answer.
        """
        images = images or self.train_images
        tests = tests or self.dataset.test_images
        key = (role, cuda, yes, images, tests, luck, most_epochs)
        if key not in self.known:
            if self.left <= 0:
                raise SubmissionError(
                    f"Rehearsed {self.asked} times to see what it depends on, the training used up "
                    f"{CPU_SECONDS:.0f} s of processor time: move work that has nothing to do with "
                    "training (plots, searches, reading files) out of it.",
                    line=self._loop(),
                )
            self.known[key] = self._seen(key)
        return self.known[key]

    def _loop(self) -> int | None:
        """The line of the loop over epochs, as far as one was seen."""
        for rehearsal in self.known.values():
            training = rehearsal.counting
            if training is not None and training.recipe is not None:
                return training.recipe.lines.get("epochs")
        return None

    @property
    def dataset(self) -> Dataset:
        """The data set that stands in."""
        return DATASETS[self.assignment.dataset]

    def _seen(self, key: _Key) -> Rehearsal:
        found = self._rehearse(*key)
        if not found.out_of_time or _is_cut_off(found, key[-1]):
            return found
        self.looked = self.looked or found
        is_whole = key[:4] == ("improving", True, False, self.train_images)
        if self.known and not is_whole:
            # What was not seen to its end proves nothing beside what was.
            raise SubmissionError(
                "What ends this training, or moves its learning rate, could not be found within "
                f"{CPU_SECONDS:.0f} s of processor time: make the file do less beside training, "
                "most of all in this line",
                line=found.slowest,
            )
        return found

    def a_quick_look(self, role: str) -> Rehearsal:
        """One on a tenth of the images that ends, out of time, after MOST_QUICK_EPOCHS."""
        images, tests = self.train_images // 10, self.dataset.test_images
        key = (role, True, False, images, tests, 0)
        found = self._rehearse(*key, MOST_QUICK_EPOCHS, share=QUICK_SHARE)
        self.looked = self.looked or found
        if not found.out_of_time:
            self.known[*key, None] = found
        return found

    def _rehearse(
        self,
        role: str,
        cuda: bool,
        yes: bool,
        images: int,
        tests: int,
        luck: int,
        most_epochs: int | None,
        *,
        share: float = 1.0,
    ) -> Rehearsal:
        request = RehearsalRequest(
            listing=self.listing,
            role=role,
            cuda=cuda,
            yes=yes,
            luck=luck,
            seconds=max(0.5, share * self.left),
            dataset=self.dataset.name,
            train_images=images,
            test_images=tests,
            input_shape=self.assignment.input_shape,
            classes=self.assignment.classes,
            most_steps=self.assignment.limits.steps,
            most_epochs=most_epochs,
        )
        limits = ending.Limits(
            seconds=max(1.0, WALL_SECONDS - self.waited),
            memory_bytes=MEMORY_BYTES,
            subject="The training",
            too_long="It was rehearsed with stand-ins that cost nothing, and did not come to its "
            "end: look for an endless loop, or for work that has nothing to do with training.",
        )
        began = time.monotonic()
        parts = self.sandbox.run(
            request.model_dump(mode="json"),
            limits,
            kind="rehearse",
            prepare=["torchvision", "rehearsal"],
        )
        self.asked += 1
        found = of_model(_checked(parts, self.listing), self.listing)
        self.waited += time.monotonic() - began
        self.left -= min(max(LEAST_SECONDS, found.cpu_seconds), request.seconds)
        return found


def _is_cut_off(found: Rehearsal, most_epochs: int | None) -> bool:
    """Whether it ended where it was asked to."""
    training = found.counting
    return most_epochs is not None and training is not None and training.epochs == most_epochs


def _checked(parts: tuple[bytes, ...], listing: Listing) -> Rehearsal:
    try:
        (said,) = parts
        shown = visible(strict_json.read(said, most_bytes=LARGEST))
        _leave_out_lines(shown, max(part.last for part in listing.parts))
        found = Rehearsal.model_validate_json(json.dumps(shown), strict=False)
    except (ValidationError, ValueError) as error:
        first = error.errors()[0]["loc"] if isinstance(error, ValidationError) else error
        raise SubmissionError(
            f"The training was rehearsed, but the result cannot be accepted: {first}."
        ) from error
    return found


def _leave_out_lines(said: Any, last: int) -> None:
    """Take out the lines that the submission does not have, of everything that is `said`."""
    if isinstance(said, list):
        for item in said:
            _leave_out_lines(item, last)
    elif isinstance(said, dict):
        if not _is_line(said.get("line"), last):
            said.pop("line", None)
        if isinstance(lines := said.get("lines"), dict):
            said["lines"] = {name: at for name, at in lines.items() if _is_line(at, last)}
        for item in said.values():
            _leave_out_lines(item, last)


def _is_line(number: object, last: int) -> bool:
    return type(number) is int and 1 <= number <= last


_MODEL = re.compile(r"""^MODEL\s*=\s*["']?(\w+)""", re.M)


def of_model(rehearsal: Rehearsal, listing: Listing) -> Rehearsal:
    """The rehearsal with the trainings of the network that `MODEL` names alone, if it names one.

    Another network may have weights of the same names: its recipe must not be taken for this one's.
    """
    named = _MODEL.search(listing.source(listing.main))
    if named is None:
        return rehearsal
    names = [item.network.name if item.network else "" for item in rehearsal.trainings]
    kept = [one for one, name in zip(rehearsal.trainings, names, strict=True) if name == named[1]]
    troubles = rehearsal.troubles
    if names and not kept:
        text = (
            f"MODEL = {named[1]} says which network is graded, and the training is of "
            f"{', '.join(dict.fromkeys(filter(None, names))) or 'another one'}. Name the class "
            "that is trained, or train the one that MODEL names"
        )
        line = listing.source(listing.main).count("\n", 0, named.start()) + 1
        troubles = (Remark(text=text, line=line),)
    return rehearsal.model_copy(update={"trainings": tuple(kept), "troubles": troubles})
