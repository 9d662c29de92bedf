"""Terms on weights change training as they do in a student's own loop, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.engine.test_loop import (
    collect,
    program,
    same_parameters,
    student_loop,
    tiny,
)

ALL = [name for name, _ in tiny().named_parameters()]
FILTERS = ["conv.weight", "linear.weight"]


def l1(model: nn.Module) -> Tensor:
    l1_norm = sum(parameter.abs().sum() for parameter in model.parameters())
    return 0.01 * l1_norm


def l1_by_torchs_norm(model: nn.Module) -> Tensor:
    total = torch.zeros(())
    for parameter in model.parameters():
        total += torch.norm(parameter, 1)
    return 0.01 * total


def l2(model: nn.Module) -> Tensor:
    return 0.02 * sum((parameter**2).sum() for parameter in model.parameters())


def norms(model: nn.Module) -> Tensor:
    total = 0
    for parameter in model.parameters():
        total = total + torch.norm(parameter)
    return 0.05 * total


def filters_only(model: nn.Module) -> Tensor:
    return 0.1 * sum(
        parameter.abs().sum() for name, parameter in model.named_parameters() if name in FILTERS
    )


def elastic(model: nn.Module) -> Tensor:
    return l1(model) + l2(model)


def penalty(kind: str, factor: float, parameters: list[str] | None = None) -> dict[str, Any]:
    return {"kind": kind, "factor": factor, "parameters": parameters or ALL}


TRIED: dict[str, tuple[Callable[[nn.Module], Tensor], list[dict[str, Any]]]] = {
    "L1": (l1, [penalty("l1", 0.01)]),
    "L1 by torch.norm": (l1_by_torchs_norm, [penalty("l1", 0.01)]),
    "L2": (l2, [penalty("l2", 0.02)]),
    "norms": (norms, [penalty("norm", 0.05)]),
    "L1 of filters": (filters_only, [penalty("l1", 0.1, FILTERS)]),
}


def trained_by_student(term: Callable[[nn.Module], Tensor], **more: Any) -> tuple[nn.Module, Any]:
    """The student's model, and the plain loss of each epoch."""
    model = tiny()
    plain: list[float] = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        value = nn.functional.cross_entropy(logits, labels)
        plain.append(value.item() * len(labels))
        return value + term(model)

    student_loop(torch.optim.SGD(model.parameters(), lr=0.1), model=model, loss=loss, **more)
    return model, [sum(plain[begin : begin + 3]) / 40 for begin in (0, 3, 6)]


@pytest.mark.parametrize("name", TRIED)
def test_a_penalty_is_the_students_term_bit_for_bit(name):
    term, penalties = TRIED[name]
    model, plain = trained_by_student(term)
    epochs, net = collect(program(penalties=penalties))
    assert same_parameters(net, model)
    assert [epoch.train_loss for epoch in epochs] == pytest.approx(plain, rel=1e-6)
    assert not same_parameters(collect(program())[1], model)


def test_several_penalties_are_added_up():
    model, _ = trained_by_student(elastic)
    _, net = collect(program(penalties=[penalty("l1", 0.01), penalty("l2", 0.02)]))
    for name, expected in model.named_parameters():  # added in another order
        torch.testing.assert_close(net.weights[name], expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_clipped_with_the_penaltys_part_of_them():
    model, _ = trained_by_student(
        l1, clip=lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.1)
    )
    _, net = collect(program(penalties=[penalty("l1", 0.01)], clip_norm=0.1))
    assert same_parameters(net, model)
