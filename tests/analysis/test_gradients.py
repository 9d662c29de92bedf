"""Parameters that training cannot change: cut off from the loss, or not given to the optimizer."""

import torch
from torch import nn

from grader.analysis.gradients import left_out, unreached
from grader.program.program import Program
from tests.analysis.graphs import program_of
from tests.analysis.networks import Net


def trained(program: Program, *names: str) -> Program:
    """The program with an optimizer that is given these parameters."""
    (group,) = program.recipe.optimizer.groups
    groups = (group.model_copy(update={"parameters": names}),)
    optimizer = program.recipe.optimizer.model_copy(update={"groups": groups})
    return program.model_copy(
        update={"recipe": program.recipe.model_copy(update={"optimizer": optimizer})}
    )


def cut_off(run, *layers) -> tuple[str, ...]:
    return unreached(program_of(lambda: Net(run, *layers)))


def test_a_gradient_reaches_every_layer_of_an_ordinary_network():
    assert (
        cut_off(lambda x, a, b: b(a(x)).mean((2, 3)), nn.Conv2d(1, 4, 3), nn.Conv2d(4, 10, 3)) == ()
    )


def test_layers_inside_no_grad_never_learn():
    def run(x, a, b):
        with torch.no_grad():
            x = a(x)
        return b(x).mean((2, 3))

    assert cut_off(run, nn.Conv2d(1, 4, 3), nn.Conv2d(4, 10, 3)) == (
        "layers.0.weight",
        "layers.0.bias",
    )


def test_layers_before_detach_never_learn():
    def run(x, a, b):
        return b(a(x).detach()).mean((2, 3))

    assert cut_off(run, nn.Conv2d(1, 4, 3), nn.Conv2d(4, 10, 3)) == (
        "layers.0.weight",
        "layers.0.bias",
    )


def test_a_second_way_round_detach_is_enough():
    def run(x, a):
        x = a(x)
        return (x.detach() + x).mean((2, 3))

    assert cut_off(run, nn.Conv2d(1, 10, 3)) == ()


def test_frozen_and_unused_parameters_are_not_named():
    frozen = nn.Conv2d(1, 10, 3).requires_grad_(requires_grad=False)
    assert (
        cut_off(
            lambda x, a, b, c: b(a(x)).mean((2, 3)), frozen, nn.Conv2d(10, 10, 1), nn.Linear(2, 2)
        )
        == ()
    )


def test_parameters_that_the_optimizer_is_not_given_are_named():
    program = program_of(lambda: Net(lambda x, a: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3)))
    assert left_out(trained(program, "layers.0.weight")) == ("layers.0.bias",)


def test_a_tied_weight_is_given_under_either_name():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Conv2d(1, 10, 3, bias=False)
            self.two = nn.Conv2d(1, 10, 3, bias=False)
            self.two.weight = self.one.weight

        def forward(self, x):
            return (self.one(x) + self.two(x)).mean((2, 3))

    assert left_out(trained(program_of(Tied), "two.weight")) == ()


def test_weights_that_are_clamped_under_no_grad_learn_all_the_same():
    def run(x, a):
        with torch.no_grad():
            a.weight.clamp_(-0.05, 0.05)
        return a(x).mean((2, 3))

    assert cut_off(run, nn.Conv2d(1, 10, 3)) == ()


def test_weights_that_are_written_in_two_steps_under_no_grad_learn_all_the_same():
    def run(x, a):
        with torch.no_grad():
            a.weight.mul_(0.5).clamp_(-0.05, 0.05)
            a.bias.zero_()
        return a(x).mean((2, 3))

    assert cut_off(run, nn.Conv2d(1, 10, 3)) == ()


def test_weights_of_data_that_is_scaled_learn_all_the_same():
    def run(x, a):
        a.weight.detach().mul_(0.5)
        return a(x).mean((2, 3))

    assert cut_off(run, nn.Conv2d(1, 10, 3)) == ()


def test_a_clamp_under_no_grad_that_is_a_copy_cuts_off():
    def run(x, a):
        with torch.no_grad():
            weight = a.weight.clamp(-0.05, 0.05)
        return nn.functional.conv2d(x, weight, a.bias).mean((2, 3))

    assert cut_off(run, nn.Conv2d(1, 10, 3)) == ("layers.0.weight",)
