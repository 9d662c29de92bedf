"""Hold what a child says of the recipe against what is known of it without the child.

In: the recipe of a captured Program, what was rehearsed, the assignment. Out: nothing, or a
SubmissionError. A file that changes the answer of the child that captures its network would else be
trained in one way and shown with the lines of another.
"""

from __future__ import annotations

import sys
from typing import Any

from grader.assignment import Assignment
from grader.errors import SubmissionError
from grader.program.recipe import Loss, Recipe
from grader.program.rehearsed import Rehearsed
from grader.sandbox import strict_json
from grader.sandbox.isolation import Sandbox

Curves = tuple[dict[str, Any], list[float], list[float]]
"""Settings, and learning rates and momenta of all steps."""


def check_recipe(
    recipe: Recipe, rehearsed: Rehearsed | None, assignment: Assignment, sandbox: Sandbox
) -> None:
    """Raises SubmissionError unless the recipe is the one that its `origin` says.

    A rehearsed one is what was rehearsed; where that cannot be used, and where a file says nothing
    of training, it is the assignment's.
    """
    if rehearsed is not None and rehearsed.recipe is not None:
        if recipe != rehearsed.recipe:
            raise _other("another recipe than the one that was rehearsed")
    elif recipe.origin == "rehearsed" or (rehearsed is not None and recipe.origin != "assignment"):
        raise _other(f"a recipe that claims to be from elsewhere ({recipe.origin})")
    if recipe.origin == "assignment" and (what := _differs(recipe, assignment, sandbox)):
        raise _other(f"a recipe that claims to be the assignment's, and has another {what}")


def _other(what: str) -> SubmissionError:
    return SubmissionError(
        f"The captured network does not belong to this run: it came with {what}. Code in the file "
        "that changes how the grader reads it must go."
    )


def _differs(recipe: Recipe, assignment: Assignment, sandbox: Sandbox) -> str:
    """What of the recipe is not the assignment's; "" where all of it is."""
    default = assignment.recipe
    if recipe.epochs != default.epochs:
        return "number of epochs"
    if recipe.batch_size != default.batch_size:
        return "batch size"
    names = ("cross_entropy", "nll") if default.criterion == "auto" else (default.criterion,)
    if recipe.loss not in [Loss.model_validate({"name": name}) for name in names]:
        return "loss"
    if [step.name for step in recipe.augmentations] != [
        one.name for one in default.train_transform
    ]:
        return "transform"
    fields = ("images", "drop_last", "penalties", "patience", "plateau", "clip_norm", "clip_value")
    for name in (*fields, "stop_at_accuracy", "stop_after"):
        if getattr(recipe, name) != Recipe.model_fields[name].default:
            return name.replace("_", " ")
    if recipe.optimizer.name != default.optimizer.name:
        return "optimizer"
    return _planned_otherwise(recipe, _planned(recipe, assignment, sandbox))


def _planned_otherwise(recipe: Recipe, known: Curves) -> str:
    settings, rates, momenta = known
    schedule = recipe.schedule
    if len(recipe.optimizer.groups) != 1:
        return "number of parameter groups"
    given = recipe.optimizer.groups[0].settings
    if any(settings.get(name, value) != value for name, value in given.items()):
        return "setting of the optimizer"
    for curves, values in ((schedule.learning_rate, rates), (schedule.momentum, momenta)):
        found = [run.value for curve in curves[:1] for run in curve for _ in range(run.steps)]
        if (curves or values is rates) and found != values:
            return "schedule"
    return "weight decay" if schedule.weight_decay else ""


def _planned(recipe: Recipe, assignment: Assignment, sandbox: Sandbox) -> Curves:
    """What the assignment's recipe comes to: see `planning.py`.

    Where torch is not loaded here, a locked child that reads nothing of the submission has it.
    """
    default, steps, each = assignment.recipe, recipe.steps, recipe.steps_per_epoch
    if "torch" in sys.modules:
        from grader.intake import planning

        return planning.planned(default.model_dump_json(), steps, each)
    request = {"default": default.model_dump(mode="json"), "steps": steps, "each": each}
    (said,) = sandbox.run(request, kind="plan")
    settings, rates, momenta = strict_json.read(said)
    read = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    return read, rates, momenta
