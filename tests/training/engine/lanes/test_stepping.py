"""Steps of SGD, Adam and AdamW by machine code are torch's, up to rounding."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
import torch
from torch import Tensor

from grader.training.engine.lanes import machine, stepping
from grader.training.engine.lanes.compiled import TYPES
from tests.training.engine.lanes.test_lanes import assert_same, momentum, optimizer
from tests.training.engine.test_loop import program

HERE = machine.here()
SIZE = 192
STEPS = 30

SETTINGS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.0},
    "SGD, decay": {"momentum": 0.0, "weight_decay": 0.1},
    "SGD, momentum": {"momentum": 0.9, "weight_decay": 1e-3},
    "SGD, nesterov": {"momentum": 0.95, "weight_decay": 1e-3, "nesterov": True},
    "Adam": {},
    "Adam, decay": {"betas": (0.8, 0.99), "eps": 1e-7, "weight_decay": 0.1},
    "Adam, decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "AdamW": {"weight_decay": 0.05},
}


def by_torch(name: str, dtype: torch.dtype, gradients: Tensor, start: Tensor) -> Tensor:
    weight = start.to(dtype).clone().requires_grad_()
    made = getattr(torch.optim, name.split(",")[0])([weight], lr=0.05, **SETTINGS[name])
    for number, gradient in enumerate(gradients):
        made.param_groups[0]["lr"] = 0.05 / (1 + number)
        weight.grad = gradient.to(dtype)
        made.step()
    return weight.detach()


def by_code(name: str, gradients: Tensor, start: Tensor, folder: Any) -> Tensor:
    rule = stepping.RULES[name.split(",")[0]]
    code = machine.compiled([stepping.write(rule, HERE)], HERE, folder)
    kinds = [TYPES[kind] for kind, _ in stepping.parameters(rule)]
    update = ctypes.CFUNCTYPE(None, *kinds)(code.address("update"))
    room = torch.zeros(4 * SIZE + 16)
    begin = (-room.data_ptr() % 64) // 4
    vectors = [room[begin + k * SIZE : begin + (k + 1) * SIZE] for k in range(4)]
    vectors[0].copy_(start)
    made = getattr(torch.optim, name.split(",")[0])([torch.zeros(1)], lr=0.05, **SETTINGS[name])
    settings = made.param_groups[0]
    for number, gradient in enumerate(gradients):
        settings["lr"] = 0.05 / (1 + number)
        vectors[1].copy_(gradient)
        places = [vector.data_ptr() for vector in vectors]
        update(*places, SIZE // HERE.lanes, *rule.numbers(settings, number + 1))
    return vectors[0].clone()


@pytest.mark.parametrize("name", SETTINGS)
def test_many_steps_are_as_near_to_double_precision_as_torchs(name, tmp_path):
    draws = torch.Generator().manual_seed(1)
    start, gradients = (torch.randn(shape, generator=draws) for shape in ((SIZE,), (STEPS, SIZE)))
    exact, single = (by_torch(name, t, gradients, start) for t in (torch.float64, torch.float32))
    found = by_code(name, gradients, start, tmp_path)
    assert float((exact - start).abs().max()) > 0.05
    bound = 2 * float((single.double() - exact).abs().max()) + 1e-7
    assert float((found.double() - exact).abs().max()) <= bound


def test_a_step_without_momentum_keeps_the_velocity_of_those_before(tmp_path, monkeypatch):
    """A schedule may turn the momentum off for some steps."""
    numbers = stepping.RULES["SGD"].numbers
    settings = {"lr": 1.0, "weight_decay": 0.0, "nesterov": False}
    velocity, moved = 3.0, []
    for value in (0.0, 0.5):
        keep, take, straight, along, rate, _ = numbers({**settings, "momentum": value}, 7)
        velocity = keep * velocity + take * 2.0
        moved.append(rate * (straight * 2.0 + along * velocity))
    assert moved == [-2.0, -3.5]  # the gradient 2 alone; then 0.5 * 3 + 2


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_a_training_by_adam_is_the_plain_loops(name):
    assert_same(program(optimizer=optimizer(name, eps=1e-2, weight_decay=0.1)))


def test_what_has_no_rule_is_left_to_torch():
    for name, settings in (
        ("SGD", {"maximize": True}),
        ("Adam", {"amsgrad": True}),
        ("SGD", {"dampening": 0.5}),
        ("RMSprop", {}),
    ):
        wanted = program(optimizer=optimizer(name, **settings), schedule=momentum(0.9))
        assert stepping.rule(wanted.recipe) is None
    assert stepping.rule(program().recipe) is not None
    l1 = {"kind": "l1", "factor": 1e-3, "parameters": ["conv.weight"]}
    assert stepping.rule(program(penalties=[l1]).recipe) is None
