"""The evaluated network must be the trained one; dropout and BatchNorm's flag may differ."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from grader.analysis.untrained.modes import Difference, difference
from grader.capture.load import read_definitions
from grader.program.program import Program
from tests.capture.sources import FILE, net, text
from tests.networks import habits, program_of


def program(
    init: str = "self.fc = nn.Linear(144, 10)", forward: str = "return self.fc(x.flatten(1))"
) -> Program:
    torch.manual_seed(0)
    return program_of(
        read_definitions(text(net(init, forward)), FILE).names["Net"](), filename=FILE
    )[0]


def found(forward: str, init: str = "self.fc = nn.Linear(144, 10)") -> Difference:
    """What differs; `forward` begins in line 9."""
    answer = difference(program(init, forward))
    assert answer is not None
    return answer


def test_a_network_with_every_honest_habit_is_the_same_in_both_modes():
    assert difference(program_of(habits())[0]) is None


@pytest.mark.parametrize(
    "forward",
    [
        "return self.fc(F.dropout(x, 0.5, training=self.training).flatten(1))",
        "if self.training:\n    x = F.dropout(x)\nreturn self.fc(x.flatten(1))",
        "x = F.dropout(F.dropout(x, 0.1, self.training), 0.2, self.training)\n"
        "return self.fc(x.flatten(1))",
        "x = F.dropout(x, 0.5, self.training, inplace=True)\nx += 1\nreturn self.fc(x.flatten(1))",
    ],
)
def test_dropout_may_be_there_in_one_mode_alone(forward):
    assert difference(program(forward=forward)) is None


def test_what_is_computed_and_thrown_away_is_no_difference():
    assert (
        difference(program(forward="if self.training:\n    x.exp()\nreturn self.fc(x.flatten(1))"))
        is None
    )


@pytest.mark.parametrize(
    "change",
    [
        "x = x + 0.0 * x",
        "x = x * 1.0",
        "x = x / 1",
        "x = x - 0",
        "x = x + 0 * x.sum()",
        "x = x - 0.0 * torch.tanh(x).mean()",
        "x = (0.0 * x) + x",
    ],
)
def test_what_changes_no_number_may_stand_in_one_mode_alone(change):
    forward = f"if self.training:\n    {change}\nreturn self.fc(x.flatten(1))"
    assert difference(program(forward=forward)) is None


@pytest.mark.parametrize(
    "change",
    [
        "x = x + 0.1 * x",
        "x = x * 0.0",
        "x = x * 2",
        "x = 0 - x",
        "z = 0.0 * x; v = z.flatten(1).view_as(x); z.add_(1.0); x = x + v",
        "z = x * 1.0; z.mul_(2.0); x = z",
        "x = x + torch.maximum(0 * x, x)",
    ],
)
def test_what_changes_numbers_may_not(change):
    found(f"if self.training:\n    {change}\nreturn self.fc(x.flatten(1))")


@pytest.mark.parametrize(
    "keep",
    [
        "self.mean.copy_(0.9 * self.mean + 0.1 * m)",
        "self.mean.data.copy_(0.9 * self.mean + 0.1 * m.data)",
        "self.mean.data = 0.9 * self.mean + 0.1 * m.data",
        "self.mean[:] = 0.9 * self.mean + 0.1 * m.detach()",
    ],
)
def test_a_batch_norm_of_ones_own_is_told_to_be_pytorchs(keep):
    answer = found(
        f"if self.training:\n    m = x.mean((0, 2, 3))\n    {keep}\nelse:\n    m = self.mean\n"
        "return self.fc((x - m[:, None, None]).flatten(1))",
        "self.fc = nn.Linear(144, 10); self.register_buffer('mean', torch.zeros(1))",
    )
    assert "use nn.BatchNorm2d" in answer.advice
    assert answer.line == 10


def test_a_layer_that_only_runs_in_training_is_named_with_its_line():
    answer = found("x = x.flatten(1)\nif self.training:\n    x = x.tanh()\nreturn self.fc(x)")
    assert answer == Difference("training runs tanh where evaluation runs linear (fc)", 11)


def test_a_layer_that_only_runs_in_evaluation_at_the_end_is_named():
    answer = found("x = self.fc(x.flatten(1))\nreturn x if self.training else x.softmax(1)")
    assert answer == Difference("only evaluation runs softmax", 10)


def test_a_layer_that_only_runs_in_training_at_the_end_is_named():
    answer = found("x = self.fc(x.flatten(1))\nreturn x.softmax(1) if self.training else x")
    assert answer == Difference("only training runs softmax", 10)


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        (
            "self.a = nn.Linear(144, 10)\nself.b = nn.Linear(144, 10)",
            "return (self.a if self.training else self.b)(x.flatten(1))",
        ),
        (
            "self.fc = nn.Linear(144, 10)",
            "return self.fc(x.flatten(1)) * (1 if self.training else 2)",
        ),
        (
            "self.fc = nn.Linear(144, 10)",
            "x = x.flatten(1)\nreturn self.fc(x) + (self.fc(x) if self.training else self.fc(-x))",
        ),
        (
            "self.fc = nn.Linear(144, 10)",
            "x = x.transpose(2, 3) if self.training else x\nreturn self.fc(x.flatten(1))",
        ),
        (
            "self.fc = nn.Linear(144, 10)",
            "if self.training:\n    x += 1\nelse:\n    x -= 1\nreturn self.fc(x.flatten(1))",
        ),
    ],
)
def test_other_weights_arguments_and_inputs_are_differences(init, forward):
    assert found(forward, init)


def test_a_batch_norm_that_is_frozen_by_hand_differs_by_its_flag_alone():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(144, 10))
    model[0].train = lambda mode=True: model[0]
    assert difference(program_of(model)[0]) is None


def test_the_same_operator_with_other_numbers_is_not_said_to_run_in_its_own_place():
    answer = found("x = x.flatten(1)\nx = x * (2.0 if self.training else 3.0)\nreturn self.fc(x)")
    assert answer.text == "mul is given something else in training than in evaluation"
