"""Ask locked children to rehearse a submission's own training, and say what of it can be trained.

In: a listing and its assignment. Out: `Rehearsed`: the recipe of the training that counts and the
network that it trained; or, all or nothing, why that recipe cannot be used. A rehearsal shows one
course of events, so it is asked again with other pretended results (`depends`): whether training
ends for want of improvement, or at an accuracy, or moves the learning rate by results.
"""

from __future__ import annotations

import functools
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from grader.assignment import Assignment
from grader.errors import SubmissionError
from grader.intake import drawn, endings, probing
from grader.printable import visible
from grader.program.listing import Listing
from grader.program.recipe import Recipe, Remark
from grader.program.rehearsed import Rehearsal, RehearsalRequest, Rehearsed, Training
from grader.sandbox import ending, strict_json
from grader.sandbox.isolation import Sandbox
from grader.training.datasets import DATASETS

CPU_SECONDS = 30.0
"""Of processor time, for all rehearsals of a submission together.

They take about 2, and up to 10 with all probing; on a busy machine the same work takes up to four
times as long, and whose recipe is trained must not depend on that.
"""
LEAST_SECONDS = 0.1
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
_TRAINS = re.compile(
    r"\.backward\(|\.fit\w*\(|\bTrainer\(|\boptim\.[A-Z]\w*\(|\.fine_tune\("
    r"|create_supervised_trainer\("
)
_TRAINERS = {
    "tensorflow": "Keras (TensorFlow)",
    "keras": "Keras",
    "fastai": "fastai",
    "ignite": "ignite",
    "optuna": "optuna",
    "ray": "Ray",
    "skorch": "skorch",
    "catalyst": "Catalyst",
    "poutyne": "Poutyne",
    "transformers": "transformers",
    "jax": "JAX",
    "paddle": "Paddle",
}
"""Packages that train, or call what trains, by themselves."""
_CONVENTION = re.compile(r"^(?:async )?def configure_optimizers\(|^configure_optimizers\s*=", re.M)


def is_rehearsed(listing: Listing) -> bool:
    """Whether the submission is one to rehearse: it trains, and does not use the convention.

    A file that writes `configure_optimizers` says by that how it is to be trained.
    """
    main = listing.source(listing.main)
    if _CONVENTION.search(main):
        return False
    return any(_TRAINS.search(part.text) for part in listing.parts)


@dataclass(slots=True)
class _Asker:
    """Rehearses a listing under one role after the other, until the processor time is used up."""

    listing: Listing
    assignment: Assignment
    sandbox: Sandbox
    train_images: int
    left: float
    waited: float = 0.0
    asked: int = 0
    known: dict[tuple[str, bool, bool, int, int], Rehearsal] = field(default_factory=dict)
    looked: Rehearsal | None = None
    """The first quick look: all that there is where it used up the time."""

    def __call__(
        self,
        role: str,
        *,
        cuda: bool = True,
        yes: bool = False,
        images: int | None = None,
        luck: int = 0,
    ) -> Rehearsal:
        """One rehearsal. Raises SubmissionError where the child ends without an answer."""
        images = images or self.train_images
        key = (role, cuda, yes, images, luck)
        if key not in self.known:
            if self.left <= 0:
                raise SubmissionError(
                    f"Rehearsed {self.asked} times to see what it depends on, the training used up "
                    f"{CPU_SECONDS:.0f} s of processor time: move work that has nothing to do with "
                    "training (plots, searches, reading files) out of it."
                )
            self.known[key] = self._rehearse(*key)
        return self.known[key]

    def a_quick_look(self, role: str) -> Rehearsal:
        """One on a tenth of the images that ends, out of time, after MOST_QUICK_EPOCHS."""
        images = self.train_images // 10
        key = (role, True, False, images, 0)
        found = self._rehearse(*key, most_epochs=MOST_QUICK_EPOCHS)
        self.looked = self.looked or found
        if not found.out_of_time:
            self.known[key] = found
        return found

    def _rehearse(
        self,
        role: str,
        cuda: bool,
        yes: bool,
        images: int,
        luck: int,
        most_epochs: int | None = None,
    ) -> Rehearsal:
        dataset = DATASETS[self.assignment.dataset]
        request = RehearsalRequest(
            listing=self.listing,
            role=role,
            cuda=cuda,
            yes=yes,
            luck=luck,
            seconds=max(0.5, self.left if most_epochs is None else QUICK_SHARE * self.left),
            dataset=dataset.name,
            train_images=images,
            test_images=dataset.test_images,
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
        if found.out_of_time and self.known and most_epochs is None:
            # What was not seen to its end proves nothing beside what was.
            raise SubmissionError(
                "What ends this training, or moves its learning rate, could not be found within "
                f"{CPU_SECONDS:.0f} s of processor time: make the file do less beside training."
            )
        return found


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


def rehearse(
    listing: Listing, assignment: Assignment, sandbox: Sandbox, *, train_images: int
) -> Rehearsed:
    """What the submission's own training comes to. Raises GraderError when the sandbox fails.

    What fails in the student's code is an obstacle, not an error.
    """
    asker = _Asker(listing, assignment, sandbox, train_images, CPU_SECONDS)
    try:
        return _found(asker)
    except SubmissionError as error:
        remark = Remark(text=error.message[:2000], line=error.line)
        return Rehearsed(Rehearsal(), obstacles=(remark,), rehearsals=asker.asked)


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


def others(rehearsal: Rehearsal) -> tuple[Remark, ...]:
    """What to say where a file trains several times: which training counts, and the others."""
    stepped = [training for training in rehearsal.trainings if training.steps > 1]
    if len(stepped) < 2:
        return ()
    shown = [_named(one) for one in stepped[:-1][:10]]
    text = f"The work trains {len(stepped)} times, and the last one counts. Before it: "
    return (Remark(text=f"{text}{', '.join(shown)}", line=stepped[-1].line),)


def _named(training: Training) -> str:
    name = training.network.name if training.network else "a network"
    searched = [fact.text for fact in training.facts if fact.name == "search"]
    return f"{name} ({', '.join([f'line {training.line}', *searched])})"


def _found(asker: _Asker) -> Rehearsed:
    if (endless := _waits_for_results(asker)) is not None:
        return endless
    first = asker.looked if asker.looked and asker.left <= 0 else asker("improving")
    training = first.counting
    if training is None:
        return Rehearsed(first, None, None, _why_nothing(first), first.notes)
    first = _without_idle_guesses(asker, first)
    # What was not seen to its end looks like a training that stops in the middle.
    obstacles = _doubts(first) if first.out_of_time else [*training.obstacles, *_doubts(first)]
    if training.recipe is None or obstacles:
        return Rehearsed(first, training, None, tuple(obstacles), _notes(first, training))
    source = "\n".join(part.text for part in asker.listing.parts)
    if drawn.is_possible(source) and (remark := drawn.remark(*_on_fewer_images(asker, training))):
        return Rehearsed(first, training, None, (remark,), _notes(first, training))
    depends = probing.Depends()
    if probing.is_needed(source):
        ask, shown = _on_fewer_images(asker, training)
        depends = probing.probe(ask, source, shown, fine=asker)
    if depends.obstacles:
        return Rehearsed(first, training, None, depends.obstacles, _notes(first, training))
    recipe = training.recipe.model_copy(update=depends.changes)
    held_back = asker.assignment.validation_images(asker.train_images)
    own = asker.train_images - (recipe.images or asker.train_images)
    held: tuple[Remark, ...] = ()
    if recipe.follows_metric and held_back > own:  # else the student holds enough back
        fewer = asker("improving", images=asker.train_images - held_back).counting
        if fewer is None or fewer.recipe is None:
            text = "Rehearsed with some training images held back for its metric, it does not train"
            return Rehearsed(first, training, None, (Remark(text=text, line=training.line),))
        training = _counted(fewer, asker.train_images, held_back)
        recipe = fewer.recipe.model_copy(update=depends.changes)
        held = (_holds_back(recipe, asker.train_images, held_back),)
    notes = (*_notes(first, training), *held, *depends.notes)
    available = asker.train_images - (held_back if recipe.follows_metric else 0)
    if (batches := recipe.batches(available)) != recipe.steps_per_epoch:
        text = (
            f"An epoch takes {recipe.steps_per_epoch:,} steps in the rehearsal, and has "
            f"{batches:,} batches of {recipe.batch_size:,} images"
        )
        return Rehearsed(first, training, None, (Remark(text=text, line=training.line),), notes)
    said = {**recipe.lines, **endings.lines(asker.listing, recipe)}
    changes = {"origin": "rehearsed", "remarks": notes[:50], "lines": said}
    recipe = recipe.model_copy(update=changes)
    return Rehearsed(first, training, recipe, (), notes, asker.asked)


def _waits_for_results(asker: _Asker) -> Rehearsed | None:
    """What to say of a `while` that ends only when the network is good enough; else None.

    Where results improve slowly it would use up all the time.
    """
    if not any(endings.has_while(part.text) for part in asker.listing.parts):
        return None
    try:
        first = asker.a_quick_look("improving")
        training = first.counting
        if training is None or not first.out_of_time or asker.a_quick_look("perfect").out_of_time:
            return None
    except SubmissionError:  # on fewer images it may fail
        return None
    lines = [fact.line for fact in training.facts if fact.name == "epochs"]
    text = (
        "The training ends only when the network is good enough, after a number of epochs that "
        f"nobody knows before: where it improves slowly, {MOST_QUICK_EPOCHS} are not enough. Give "
        "it a last epoch: `for epoch in range(20):`, left by `break` when the result is reached"
    )
    remark = Remark(text=text, line=next(iter(lines), training.line))
    return Rehearsed(first, training, None, (remark,), _notes(first, training), asker.asked)


_ANSWER = "was answered with no"
"""How a guess ends that another answer could change."""


def _without_idle_guesses(asker: _Asker, first: Rehearsal) -> Rehearsal:
    """The rehearsal with its guesses as notes, where the opposite answers come to the same recipe.

    `if f1 > best: best = f1; torch.save(...)` is one of them: what sklearn would say of the network
    decides which weights are kept, and nothing about how it is trained.
    """
    training = first.counting
    if training is None or training.recipe is None or not first.guesses or first.out_of_time:
        return first
    if not all(guess.text.endswith(_ANSWER) for guess in first.guesses):
        return first  # weights or images that are not here: no answer makes up for them
    try:
        other = asker("improving", yes=True).counting
    except SubmissionError:
        return first
    if other is None or other.recipe != training.recipe or other.network != training.network:
        return first
    notes = [
        Remark(
            text=f"{guess.text}, and then with yes: it decides nothing about the recipe",
            line=guess.line,
        )
        for guess in first.guesses
    ]
    return first.model_copy(update={"guesses": (), "notes": (*first.notes, *notes)[:100]})


def _counted(training: Training, images: int, held_back: int) -> Training:
    """With the number of its images said beside those that were held back from it."""
    assert training.recipe is not None
    used = training.recipe.learned_from(images - held_back)
    text = f"{used:,} of {images:,} training images; {held_back:,} are held back"
    told = [
        fact.model_copy(update={"text": text}) if fact.name == "images" else fact
        for fact in training.facts
    ]
    return training.model_copy(update={"facts": tuple(told)})


def _holds_back(recipe: Recipe, images: int, held_back: int) -> Remark:
    text = (
        f"What depends on results watches {held_back:,} of the {images:,} training images, which "
        f"are held back: no training sees a test label. So an epoch has {recipe.steps_per_epoch:,} "
        "steps"
    )
    return Remark(text=text, line=recipe.lines.get("epochs"))


def _on_fewer_images(asker: _Asker, training: Training) -> tuple[probing.Ask, Training]:
    """Ask on a tenth of the images, where the training is then the same but for its steps.

    Whether and when results end a training does not depend on how many images it has, and probing
    costs as many steps as it rehearses. A file that splits its images by fixed numbers fails on
    fewer.
    """
    images = asker.train_images // 10
    try:
        shown = asker("improving", images=images).counting
    except SubmissionError:
        return asker, training
    if shown is None or shown.recipe is None or shown.epochs != training.epochs:
        return asker, training
    if shown.recipe.steps_per_epoch < 2:  # one that ends after a single step counts as none
        return asker, training
    return functools.partial(asker, images=images), shown


def _notes(rehearsal: Rehearsal, training: Training) -> tuple[Remark, ...]:
    return (*others(rehearsal), *training.notes, *rehearsal.notes)


def _doubts(rehearsal: Rehearsal) -> list[Remark]:
    """Why a whole training is not believed all the same."""
    found = list(rehearsal.guesses)
    if rehearsal.out_of_time:
        text = f"The training did not come to its end within {CPU_SECONDS:.0f} s of processor time"
        found.append(Remark(text=f"{text}, though every step costs nothing in a rehearsal"))
    return found


def _why_nothing(rehearsal: Rehearsal) -> tuple[Remark, ...]:
    """Why no training was seen at all."""
    if rehearsal.out_of_time:
        return tuple(_doubts(rehearsal))
    names = [_TRAINERS[name] for name in rehearsal.stand_ins if name in _TRAINERS]
    if names:
        text = (
            f"The training is left to {' and '.join(names)}, which the grader does not run: write "
            "the loop that trains into the file, in PyTorch alone"
        )
        return (Remark(text=text), *rehearsal.troubles)
    if rehearsal.troubles:
        return rehearsal.troubles
    if rehearsal.guesses:
        return rehearsal.guesses
    if rehearsal.backwards and not rehearsal.optimizers_without_steps:
        text = (
            "backward() is called, but no optimizer of torch.optim steps: the grader cannot follow "
            "weights that are changed by hand. Train with torch.optim, such as torch.optim.SGD"
        )
        return (Remark(text=text),)
    if rehearsal.optimizers_without_steps:
        return (Remark(text="An optimizer is made, but none of the code that runs steps it"),)
    text = "The code that runs trains nothing: call the training at the top level of the file"
    text = f"{text}, or under `if __name__ == '__main__':`"
    last = rehearsal.printed.strip().rpartition("\n")[2]
    return (Remark(text=f"{text}. It printed last: {last[:400]}" if last else text),)
