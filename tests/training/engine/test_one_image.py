"""A batch of one image is refused where torch refuses it, and trained on where torch does."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from grader.errors import SubmissionError
from grader.program.program import Program
from grader.training.engine import one_image
from grader.training.run import train_seeds
from grader.training.task import Task
from tests.networks import program_of
from tests.training.engine.test_loop import images


class Features(nn.Module):
    """A norm over (N, 16) features, or over an (N, 16, 1, 1) map."""

    def __init__(self, norm: nn.Module, *, flat: bool) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 16, 5, stride=4), norm
        self.gap, self.linear, self.flat = nn.AdaptiveAvgPool2d(1), nn.Linear(16, 10), flat

    def forward(self, x):
        x = self.gap(self.conv(x))
        x = self.norm(x.flatten(1) if self.flat else x)
        return self.linear(x.flatten(1))


class OnMap(nn.Module):
    """A norm over a map of 6 x 6 pixels."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(1, 16, 5, stride=4), norm, nn.Linear(16, 10)

    def forward(self, x):
        return self.linear(self.norm(self.conv(x)).mean((2, 3)))


NETWORKS = {
    "BatchNorm1d": lambda: Features(nn.BatchNorm1d(16), flat=True),
    "BatchNorm1d without affine": lambda: Features(nn.BatchNorm1d(16, affine=False), flat=True),
    "BatchNorm2d behind GAP": lambda: Features(nn.BatchNorm2d(16), flat=False),
    "GroupNorm of one channel each": lambda: Features(nn.GroupNorm(16, 16), flat=False),
    "GroupNorm of two channels each": lambda: Features(nn.GroupNorm(8, 16), flat=False),
    "LayerNorm": lambda: Features(nn.LayerNorm(16), flat=True),
    "BatchNorm2d on a map": lambda: OnMap(nn.BatchNorm2d(16)),
    "no norm": lambda: OnMap(nn.Identity()),
}


def asked(name: str, batch_size: int, count: int) -> tuple[Program, bytes]:
    torch.manual_seed(0)
    wanted, blob = program_of(NETWORKS[name]())
    steps = math.ceil(count / batch_size)
    recipe = wanted.recipe.model_copy(
        update={
            "batch_size": batch_size,
            "steps_per_epoch": steps,
            "epochs": 1,
            "schedule": _constant(wanted, steps),
        }
    )
    return wanted.model_copy(update={"recipe": recipe}), blob


def _constant(wanted: Program, steps: int):
    schedule = wanted.recipe.schedule
    run = schedule.learning_rate[0][0].model_copy(update={"value": 0.01, "steps": steps})
    return schedule.model_copy(update={"learning_rate": ((run,),), "momentum": ()})


def refused_by_torch(name: str) -> bool:
    try:
        NETWORKS[name]().train()(torch.rand(1, 1, 28, 28))
    except ValueError as error:
        return "Expected more than 1 value per channel when training" in str(error)
    return False


@pytest.mark.parametrize(("batch_size", "count"), [(1, 5), (4, 9)], ids=["each", "the last"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_single_image_is_refused_where_torch_refuses_it(name, batch_size, count):
    wanted, blob = asked(name, batch_size, count)
    data = images(count)
    small = {"train_images": data.train_images[..., :12, :12]}
    small["test_images"] = data.test_images[..., :12, :12]
    task = Task(wanted, dataclasses.replace(data, **small))
    if refused_by_torch(name):
        with pytest.raises(SubmissionError, match="Choose another BATCH_SIZE"):
            train_seeds(task, {0: blob})
    else:
        (done,) = train_seeds(task, {0: blob})
        assert done.ending.finished
        assert done.epochs[0].images == count


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_of_more_are_never_refused(name):
    wanted, _ = asked(name, 4, 10)
    one_image.refuse(wanted, 10)


def test_the_student_is_told_layer_shape_and_what_to_write():
    wanted, _ = asked("BatchNorm1d", 1, 5)
    with pytest.raises(SubmissionError) as caught:
        one_image.refuse(wanted, 5)
    assert caught.value.message.startswith(
        "BATCH_SIZE = 1 gives BatchNorm1d a single value for each channel to normalise, of shape "
        "[1, 16]."
    )
    wanted, _ = asked("BatchNorm1d", 131, 1_442)
    with pytest.raises(SubmissionError, match=r"1,442 training images in batches of 131.*as 132\."):
        one_image.refuse(wanted, 1_442)


@given(st.integers(2, 300), st.integers(2, 5_000))
def test_the_batch_size_that_is_advised_leaves_no_single_image(size, count):
    assert count % one_image._another(size, count) != 1


def test_a_norm_in_evaluation_mode_is_none():
    norm = nn.BatchNorm1d(16)
    norm.train = lambda mode=True: norm  # stays in evaluation mode
    nn.Module.eval(norm)
    norm.training = False
    torch.manual_seed(0)
    wanted, _ = program_of(Features(norm, flat=True))
    recipe = wanted.recipe.model_copy(update={"batch_size": 1})
    one_image.refuse(wanted.model_copy(update={"recipe": recipe}), 5)


def test_a_single_image_at_the_end_that_is_left_out_is_no_batch():
    wanted, _ = asked("BatchNorm1d", 4, 5)
    with pytest.raises(SubmissionError, match="last batch of an epoch has one image"):
        one_image.refuse(wanted, 5)
    recipe = wanted.recipe.model_copy(update={"drop_last": True})
    one_image.refuse(wanted.model_copy(update={"recipe": recipe}), 5)
