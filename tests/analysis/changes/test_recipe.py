"""The differences of two recipes, in words: known pairs, and pairs that are drawn."""

from hypothesis import given
from hypothesis import strategies as st

from grader.analysis.changes.recipe import changed

ROTATION = {"name": "RandomRotation", "settings": {"degrees": [-5.0, 5.0], "expand": False}}
TENSOR = {"name": "ToTensor", "settings": {}, "inner": []}


def recipe(
    optimizer="SGD", rate=((0.01, 10),), scheduler=None, settings=None, transforms=(TENSOR,), **more
):
    settings = {"momentum": 0.9, "weight_decay": 0} if settings is None else settings
    return {
        "epochs": 15,
        "batch_size": 128,
        "optimizer": {"name": optimizer, "groups": [{"parameters": [], "settings": settings}]},
        "schedule": {"scheduler": scheduler, "learning_rate": [[list(run) for run in rate]]},
        "loss": {"name": "cross_entropy", "label_smoothing": 0.0, "weight": None},
        "augmentations": list(transforms),
        **more,
    }


def test_from_sgd_to_adam_under_a_cycle():
    later = recipe(
        "Adam",
        rate=((0.00012, 3), (0.003, 1), (1e-07, 6)),
        scheduler="OneCycleLR",
        settings={"betas": [0.9, 0.999], "weight_decay": 5e-05},
    )
    assert changed(recipe(), later) == (
        "SGD → Adam",
        "weight decay 0 → 5e-05",
        "learning rate 0.01 → OneCycleLR up to 0.003",
    )


def test_a_schedule_that_only_comes_down():
    later = recipe(rate=((0.1, 7), (0.01, 3)), scheduler="StepLR")
    assert changed(recipe(), later) == ("learning rate 0.01 → StepLR from 0.1 to 0.01",)
    plateau = recipe(plateau={"factor": 0.5})
    assert changed(recipe(), plateau) == ("learning rate 0.01 → ReduceLROnPlateau from 0.01",)


def test_settings_of_one_optimizer():
    later = recipe(settings={"momentum": 0.95, "nesterov": True, "weight_decay": 0})
    assert changed(recipe(), later) == ("momentum 0.9 → 0.95", "+ Nesterov's momentum")


def test_augmentation():
    affine = {"name": "RandomAffine", "settings": {"degrees": [0, 0], "scale": [0.98, 1.02]}}
    later = recipe(transforms=[ROTATION, affine, TENSOR])
    assert changed(recipe(), later) == (
        "+ RandomRotation(±5)",
        "+ RandomAffine(scale 0.98 to 1.02)",
    )
    turned = {"name": "RandomRotation", "settings": {"degrees": [-7.0, 7.0]}}
    assert changed(later, recipe(transforms=[turned, affine, TENSOR])) == (
        "RandomRotation(±5) → RandomRotation(±7)",
    )
    assert changed(later, recipe(transforms=[affine, ROTATION])) == (
        "the transforms in another order",
    )


def test_what_a_container_holds():
    random = {"name": "RandomApply", "settings": {"p": 0.1}, "inner": [ROTATION]}
    assert changed(recipe(), recipe(transforms=[random])) == (
        "+ RandomApply(RandomRotation(±5), p 0.1)",
    )


def test_length_batch_and_images():
    later = recipe(epochs=20, batch_size=64, images=50_000)
    assert changed(recipe(), later) == (
        "15 → 20 epochs",
        "128 → 64 images a batch",
        "all → 50,000 training images",
    )


def test_loss_penalty_clipping_and_stops():
    loss = {"name": "nll", "label_smoothing": 0.1, "weight": None}
    penalties = [{"kind": "l1", "factor": 1e-05, "parameters": ["w"]}]
    later = recipe(loss=loss, penalties=penalties, clip_norm=1.0, stop_at_accuracy=0.994)
    assert changed(recipe(), later) == (
        "cross entropy → negative log-likelihood",
        "+ label smoothing 0.1",
        "+ L1 penalty 1e-05",
        "+ gradient clipping by norm 1",
        "+ stop at accuracy 0.994",
    )


@st.composite
def recipes(draw):
    names = ["RandomRotation", "RandomAffine", "ColorJitter", "ToTensor"]
    chosen = draw(st.lists(st.sampled_from(names), unique=True))
    sizes = st.sampled_from([1.0, 2.0, 3.0])
    transforms = [{"name": name, "settings": {"degrees": draw(sizes)}} for name in chosen]
    return recipe(
        draw(st.sampled_from(["SGD", "Adam", "AdamW"])),
        rate=[
            (draw(st.sampled_from([0.1, 0.01, 0.001])), 5) for _ in range(draw(st.integers(1, 3)))
        ],
        scheduler=draw(st.sampled_from([None, "StepLR", "OneCycleLR"])),
        settings={"weight_decay": draw(st.sampled_from([0, 1e-4]))},
        transforms=transforms,
        epochs=draw(st.integers(1, 3)),
        clip_norm=draw(st.sampled_from([None, 1.0])),
        drop_last=draw(st.booleans()),
    )


@given(recipes())
def test_a_recipe_has_not_changed_from_itself(one):
    assert changed(one, one) == ()


@given(recipes(), recipes())
def test_what_is_added_one_way_is_taken_away_the_other_way(one, other):
    there, back = changed(one, other), changed(other, one)
    assert len(there) == len(back)
    added = [line.removeprefix("+ ") for line in there if line.startswith("+ ")]
    gone = [line.removeprefix("− ") for line in back if line.startswith("− ")]
    assert sorted(added) == sorted(gone)


@given(recipes(), recipes())
def test_other_lines_and_other_remarks_are_no_change(one, other):
    moved = {**other, "lines": {"epochs": 3}, "origin": "rehearsed", "remarks": [{"text": "x"}]}
    assert changed(one, moved) == changed(one, other)
