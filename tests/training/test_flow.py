"""How far layers go in the first epoch, and which ReLUs fire: held to a plain count."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from grader import network
from grader.training import flow
from grader.training.engine import loop
from grader.training.flow import Watch
from grader.training.records import Flow, Moved, Silent
from grader.training.run import train_seeds
from grader.training.task import Task
from grader.training.worker import remote
from grader.training.worker.remote import Worker
from grader.training.worker.wire import Message
from tests.networks import program_of
from tests.training.engine.test_loop import images, program, values

IMAGES = images()


def trained(task: Task, blob: bytes | None = None):
    (run,) = train_seeds(task, {3: blob or values()})
    return run


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_each_layer_is_told_how_far_it_went_in_the_first_epoch(engine):
    wanted = program()
    built = network.build(wanted, values())
    next(loop.train(built, wanted.recipe, IMAGES, seed=3))
    after = {name: tensor.detach() for name, tensor in built.weights.items()}
    before = safetensors.torch.load(values())
    run = trained(Task(wanted, IMAGES, engine=engine, flow=True))
    moved = {one.layer: one.far for one in run.ending.flow.moved}
    assert moved.keys() == {"conv", "linear"}
    for layer, far in moved.items():
        old, new = before[f"{layer}.weight"], after[f"{layer}.weight"]
        expected = (new - old).norm() / max(old.norm(), new.norm())
        assert far == pytest.approx(float(expected), rel=1e-3)


def test_nothing_is_measured_where_nobody_asks_and_training_is_the_same_bit_for_bit():
    plain = trained(Task(program(), IMAGES, engine="torch"))
    watched = trained(Task(program(), IMAGES, engine="torch", flow=True))
    assert plain.ending.flow is None
    for one, other in zip(plain.epochs, watched.epochs, strict=True):
        assert torch.equal(one.logits, other.logits)


def test_a_run_that_is_not_finished_has_no_flow():
    run = trained(Task(program(), IMAGES, budget_seconds=0, flow=True))
    assert run.ending.flow is None


class Dying(nn.Module):
    """Of four channels, the first two never fire; a linear layer's ReLU has one of three."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.hidden = nn.Linear(4, 3)
        self.act = nn.ReLU()
        self.out = nn.Linear(3, 10)
        with torch.no_grad():
            self.conv.bias.copy_(torch.tensor([-100.0, -100.0, 100.0, 100.0]))
            self.hidden.bias.copy_(torch.tensor([-1e4, 1e4, 1e4]))

    def forward(self, x):
        x = F.relu(self.conv(x)).mean((2, 3))
        return self.out(self.act(self.hidden(x)))


def seen(model: nn.Module) -> Flow:
    wanted, blob = program_of(model)
    pictures = np.random.default_rng(0).integers(0, 256, (300, 1, 12, 12), dtype=np.uint8)
    watch = Watch(network.build(wanted, blob), wanted, pictures)
    watch.after_first_epoch()
    return watch.flow()


def test_channels_that_never_fire_are_counted_by_their_relu():
    first, second = seen(Dying()).silent
    assert (first.channels, first.dead) == (4, 2)
    assert second == Silent("act", 3, 1)


class OnOneImage(nn.Module):
    """A channel that fires on images with a bright first pixel alone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 10)
        self.threshold = nn.Parameter(torch.tensor(254.5 / 255))

    def forward(self, x):
        return self.linear(F.relu(x[:, :, 0, 0] - self.threshold))


@pytest.mark.parametrize(("pixel", "dead"), [(255, 0), (254, 1)])
def test_a_channel_that_fires_on_a_single_image_is_alive(pixel, dead):
    wanted, blob = program_of(OnOneImage())
    pictures = np.zeros((flow.IMAGES, 1, 12, 12), dtype=np.uint8)
    pictures[-1, :, 0, 0] = pixel
    (found,) = Watch(network.build(wanted, blob), wanted, pictures).flow().silent
    assert (found.channels, found.dead) == (1, dead)


def test_weights_that_stay_have_moved_by_nothing():
    assert {one.far for one in seen(Dying()).moved} == {0.0}


class Frozen(Dying):
    def __init__(self) -> None:
        super().__init__()
        self.conv.weight.requires_grad_(False)
        self.unused = nn.Linear(5, 5)


def test_frozen_layers_and_those_that_never_run_are_not_counted():
    assert [one.layer for one in seen(Frozen()).moved] == ["hidden", "out"]


def test_a_process_says_the_same():
    task = Task(program(), IMAGES, engine="torch", flow=True)
    with Worker() as one:
        (there,) = one.run(task, {3: values()})
    assert there.ending.flow == trained(task).ending.flow
    assert there.ending.flow.silent == (Silent("c", 4, 0),)


@pytest.mark.parametrize(
    "said",
    [{}, {"moved": [{}], "silent": []}, {"moved": [], "silent": [{"layer": "a", "dead": "x"}]}, 3],
)
def test_another_flow_is_nonsense(said):
    runs = remote._Runs({3: remote._Run(3)}, "cpu", (12, 10), (0, 10))
    facts = {"seed": 3, "parameters_moved": True, "peak_memory_bytes": None, "engine": "eager"}
    facts |= {"side_by_side": 1, "preparation_seconds": 0.0}
    facts["ending"] = {"finished": True, "flow": said}
    with pytest.raises((KeyError, TypeError, ValueError)):
        remote._understand(Message("done", facts), runs)


def test_a_flow_is_read_as_it_was_said():
    told = Flow((Moved("a", 0.5),), (Silent("b", 4, 1),))
    assert remote._flow(dataclasses.asdict(told)) == told
