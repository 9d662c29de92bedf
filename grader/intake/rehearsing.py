"""Ask locked children to rehearse a submission's own training, and say what of it can be trained.

In: a listing and its assignment. Out: `Rehearsed`: the recipe of the training that counts and the
network that it trained; or, all or nothing, why that recipe cannot be used. A rehearsal shows one
course of events, so it is asked again with other pretended results (`depends`): whether training
ends for want of improvement, or at an accuracy, or moves the learning rate by results.
"""

from __future__ import annotations

import re

from grader.assignment import Assignment
from grader.errors import SubmissionError
from grader.intake import ahead, asking, drawn, endings, probing
from grader.intake.asking import MOST_QUICK_EPOCHS, Asker
from grader.program.listing import Listing
from grader.program.recipe import Recipe, Remark
from grader.program.rehearsed import Rehearsal, Rehearsed, Training
from grader.sandbox.isolation import Sandbox

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


def rehearse(
    listing: Listing, assignment: Assignment, sandbox: Sandbox, *, train_images: int
) -> Rehearsed:
    """What the submission's own training comes to. Raises GraderError when the sandbox fails.

    What fails in the student's code is an obstacle, not an error.
    """
    return by(Asker(listing, assignment, sandbox, train_images, asking.CPU_SECONDS))


def by(asker: Asker) -> Rehearsed:
    """The same, by somebody who asks and counts the time."""
    try:
        return _found(asker)
    except SubmissionError as error:
        remark = Remark(text=error.message[:2000], line=error.line)
        return Rehearsed(Rehearsal(), obstacles=(remark,), rehearsals=asker.asked)


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


def _found(asker: Asker) -> Rehearsed:
    if (endless := _waits_for_results(asker)) is not None:
        return endless
    source = "\n".join(part.text for part in asker.listing.parts)
    known = ahead.look(asker, source)
    if known is not None and (found := _on_what_is_left(asker, known)) is not None:
        return found
    first = asker.looked if asker.looked and asker.left <= 0 else asker("improving")
    training = first.counting
    if training is None:
        return Rehearsed(first, None, None, _why_nothing(first, asker.listing), first.notes)
    first = _without_idle_guesses(asker, first)
    # What was not seen to its end looks like a training that stops in the middle.
    obstacles = _doubts(first) if first.out_of_time else [*training.obstacles, *_doubts(first)]
    if training.recipe is None or obstacles:
        return Rehearsed(first, training, None, tuple(obstacles), _notes(first, training))
    depends = _what_it_depends_on(asker, source, training)
    if depends.obstacles:
        return Rehearsed(first, training, None, depends.obstacles, _notes(first, training))
    recipe = training.recipe.model_copy(update=depends.changes)
    held_back = asker.assignment.validation_images(asker.train_images)
    own = asker.train_images - (recipe.images or asker.train_images)
    if recipe.follows_metric and held_back > own:  # else the student holds enough back
        fewer = asker("improving", images=asker.train_images - held_back).counting
        if fewer is None or fewer.recipe is None:
            text = "Rehearsed with some training images held back for its metric, it does not train"
            return Rehearsed(first, training, None, (Remark(text=text, line=training.line),))
        return _told(asker, first, fewer, depends, held_back)
    return _told(asker, first, training, depends, 0)


def _what_it_depends_on(asker: Asker, source: str, training: Training) -> probing.Depends:
    if not (drawn.is_possible(source) or probing.is_needed(source)):
        return probing.Depends()
    asks, shown = ahead.on_fewer_images(asker, training) or (probing.Asks(asker), training)
    if drawn.is_possible(source) and (remark := drawn.remark(asks.coarse, shown)):
        return probing.Depends(obstacles=(remark,))
    return probing.probe(asks, source, shown) if probing.is_needed(source) else probing.Depends()


def _on_what_is_left(asker: Asker, known: ahead.Known) -> Rehearsed | None:
    """The recipe of a training that follows a metric, whose images are held back from the start.

    None where that cannot be told without rehearsing it on all images first.
    """
    held_back = asker.assignment.validation_images(asker.train_images)
    if not held_back or known.images is not None or not known.follows_metric:
        return None
    first = asker("improving", images=asker.train_images - held_back)
    training = first.counting
    if training is None or training.recipe is None or training.epochs != known.epochs:
        return None
    if training.obstacles or _doubts(first):
        return None
    return _told(asker, first, training, known.depends, held_back)


def _told(
    asker: Asker, first: Rehearsal, training: Training, depends: probing.Depends, held_back: int
) -> Rehearsed:
    """The recipe with what it depends on, where its steps are those that the grader takes."""
    assert training.recipe is not None
    recipe = training.recipe.model_copy(update=depends.changes)
    held: tuple[Remark, ...] = ()
    if held_back:
        training = _counted(training, asker.train_images, held_back)
        held = (_holds_back(recipe, asker.train_images, held_back),)
    notes = (*_notes(first, training), *held, *depends.notes)
    watched = asker.assignment.validation_images(asker.train_images)
    available = asker.train_images - (watched if recipe.follows_metric else 0)
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


def _waits_for_results(asker: Asker) -> Rehearsed | None:
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


def _without_idle_guesses(asker: Asker, first: Rehearsal) -> Rehearsal:
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


def _notes(rehearsal: Rehearsal, training: Training) -> tuple[Remark, ...]:
    return (*others(rehearsal), *training.notes, *rehearsal.notes)


def _doubts(rehearsal: Rehearsal) -> list[Remark]:
    """Why a whole training is not believed all the same."""
    found = list(rehearsal.guesses)
    if rehearsal.out_of_time:
        where = ""
        if rehearsal.slowest is not None:
            where = ". Most of it went into this line"
        text = (
            f"The training did not come to its end within {asking.CPU_SECONDS:.0f} s of processor "
            f"time, though every step costs nothing in a rehearsal{where}: move what has nothing "
            "to do with training out of the file, or train for fewer epochs"
        )
        found.append(Remark(text=text, line=rehearsal.slowest))
    return found


def _imported(listing: Listing, rehearsal: Rehearsal) -> int | None:
    """The line that imports the package that trains."""
    names = "|".join(name for name in rehearsal.stand_ins if name in _TRAINERS)
    imports = re.compile(rf"^\s*(?:from|import)\s+(?:{names})\b", re.M)
    for part in listing.parts:
        if (found := imports.search(part.text)) is not None:
            return part.first + part.text.count("\n", 0, found.start() + len(found[0]))
    return None


def _why_nothing(rehearsal: Rehearsal, listing: Listing) -> tuple[Remark, ...]:
    """Why no training was seen at all."""
    if rehearsal.out_of_time:
        return tuple(_doubts(rehearsal))
    names = [_TRAINERS[name] for name in rehearsal.stand_ins if name in _TRAINERS]
    if names:
        text = (
            f"The training is left to {' and '.join(names)}, which the grader does not run: write "
            "the loop that trains into the file, in PyTorch alone"
        )
        return (Remark(text=text, line=_imported(listing, rehearsal)), *rehearsal.troubles)
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
