"""What `grader recipe --write` prints is read back as the recipe that it was written from."""

from __future__ import annotations

import pytest

from grader.program.recipe import Augmentation, Penalty, Recipe
from grader.program.rehearsed import SchedulerUse
from grader.render import convention
from tests.capture.test_recipe import configured, model, read

STEP = 'return {"optimizer": optimizer, "lr_scheduler": {"scheduler": s, "interval": "step"}}'
HEAD = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)\n"
SCHEDULER = "torch.optim.lr_scheduler."


def again(recipe: Recipe, scheduler: SchedulerUse | None = None) -> Recipe:
    """The recipe that the grader reads in the written source."""
    return read(convention.written(recipe, scheduler), model())


def same(one: Recipe, two: Recipe) -> bool:
    """Whether they train the same; where they were read does not count, nor a scheduler's name."""
    different = {"lines": {}, "defaults": (), "origin": "convention"}
    left, right = one.model_copy(update=different), two.model_copy(update=different)
    curves = [
        [(round(run.value, 12), run.steps) for run in recipe.schedule.learning_rate[0]]
        for recipe in (left, right)
    ]
    rest = {"schedule": None}
    return curves[0] == curves[1] and left.model_copy(update=rest) == right.model_copy(update=rest)


@pytest.mark.parametrize(
    "body",
    [
        "return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)",
        "return torch.optim.Adam(model.parameters(), lr=0.003, betas=(0.8, 0.99))",
        "return torch.optim.AdamW([{'params': model[0].parameters(), 'lr': 0.1}, "
        "{'params': model[1].parameters(), 'weight_decay': 0.5}], lr=0.01)",
        HEAD + f"return optimizer, {SCHEDULER}StepLR(optimizer, 2)",
        HEAD + f"s = {SCHEDULER}StepLR(optimizer, 7, 0.5)\n" + STEP,
        HEAD + f"return optimizer, {SCHEDULER}ReduceLROnPlateau(optimizer, patience=3, factor=0.2)",
        HEAD + f"s = {SCHEDULER}OneCycleLR(optimizer, 0.3, total_steps=20)\n" + STEP,
    ],
)
def test_what_is_written_is_read_as_the_same_recipe(body):
    recipe = read(configured(body))
    assert same(recipe, again(recipe))


def test_transforms_loss_and_clipping_are_written():
    recipe = read(
        configured("return torch.optim.SGD(model.parameters(), lr=0.1)")
        + "criterion = nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.tensor([1.0, 2.0]))\n"
        "GRADIENT_CLIP_NORM = 0.5\nSTOP_AT_ACCURACY = 0.994\n"
    )
    steps = (
        Augmentation(name="RandomRotation", settings={"degrees": [-7.0, 7.0]}),
        Augmentation(
            name="RandomApply",
            settings={"p": 0.3},
            inner=(Augmentation(name="ColorJitter", settings={"brightness": [0.9, 1.1]}),),
        ),
        Augmentation(name="ToTensor"),
    )
    whole = recipe.model_copy(update={"augmentations": steps})
    found = again(whole)
    assert [step.name for step in found.augmentations] == [step.name for step in steps]
    assert found.augmentations[1].inner[0].settings["brightness"] == [0.9, 1.1]
    assert (found.loss, found.clip_norm, found.stop_at_accuracy) == (recipe.loss, 0.5, 0.994)


def test_a_scheduler_is_written_with_its_own_arguments_and_first_rates():
    recipe = read(configured(HEAD + f"s = {SCHEDULER}LinearLR(optimizer, 0.25)\n" + STEP))
    use = SchedulerUse(
        name="LinearLR", settings={"start_factor": 0.25}, interval="step", rates=(0.1,)
    )
    assert "LinearLR(optimizer, start_factor=0.25)" in convention.written(recipe, use)
    assert same(recipe, again(recipe, use))


def test_what_the_convention_has_no_name_for_is_said():
    recipe = read("")
    more = {
        "images": 40,
        "drop_last": True,
        "penalties": (Penalty(kind="l1", factor=0.1, parameters=("0.weight",)),),
        "stop_after": 3,
    }
    text = convention.written(recipe.model_copy(update=more))
    for words in ("40 of the images", "smaller batch", "l1 of 1 weights", "3 epochs in a row"):
        assert f"{words}" in text
        (line,) = [line for line in text.split("\n") if words in line]
        assert line.startswith("# not part of the convention: ")
