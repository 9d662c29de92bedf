"""What `grader recipe --write` prints is read back as the recipe that it was written from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from grader.capture import recipe as recipe_reader
from grader.capture.load import read_definitions
from grader.program.recipe import Augmentation, Patience, Penalty, Recipe
from grader.program.rehearsed import SchedulerUse
from grader.render import convention
from tests.capture.sources import FILE, net, text
from tests.capture.test_recipe import DEFAULT, configured, model, read
from tests.render.recipes import HELD_BACK, IMAGES, recipes

STEP = 'return {"optimizer": optimizer, "lr_scheduler": {"scheduler": s, "interval": "step"}}'
WEIGHTS = ("0.weight", "0.bias", "1.weight", "1.bias")
TURNED = {"name": "RandomRotation", "settings": {"degrees": 7}}
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


def test_every_setting_of_the_convention_is_written_under_its_name():
    recipe = read("")
    more = {
        "images": 40,
        "drop_last": True,
        "penalties": (
            Penalty(kind="l1", factor=0.1, parameters=("0.weight",)),
            Penalty(kind="l2", factor=1e-5, parameters=WEIGHTS),
        ),
        "stop_at_accuracy": 0.99,
        "stop_after": 3,
        "patience": Patience(monitor="accuracy", epochs=5, threshold=0.001),
    }
    source = convention.written(recipe.model_copy(update=more))
    assert "not part" not in source.lower()
    for line in (
        *("TRAIN_IMAGES = 40", "DROP_LAST = True", "L2_PENALTY = 1e-05", "STOP_AT_ACCURACY = 0.99"),
        *("EPOCHS_AT_ACCURACY = 3", "PATIENCE = 5", "MIN_DELTA = 0.001"),
        *('PATIENCE_MONITOR = "val_accuracy"', "L1_PENALTY = {", '    "0.weight": 0.1,'),
    ):
        assert line in source.split("\n")


@pytest.mark.filterwarnings("ignore")  # torchvision's own, about options that it will drop
@settings(max_examples=150)
@given(recipes(WEIGHTS))
def test_whatever_the_recipe_it_is_read_as_it_was_written(recipe):
    trained = [name for group in recipe.optimizer.groups for name in group.parameters]
    source = convention.written(recipe, trains_all=len(trained) == len(WEIGHTS))
    assert "Not part" not in source
    found = recipe_reader.read(
        read_definitions(text(net() + source), FILE),
        model(),
        default=DEFAULT | {"train_transform": [TURNED]},
        train_images=IMAGES,
        validation_images=HELD_BACK,
        most_steps=10_000,
        natural_loss="nll",
    )
    assert plain(found) == plain(recipe)


def plain(recipe: Recipe) -> dict[str, Any]:
    """Everything but where it was read, and the scheduler's name, which is for people."""
    found = recipe.model_dump(exclude={"lines", "defaults", "origin", "remarks"})
    del found["schedule"]["scheduler"]
    return found
