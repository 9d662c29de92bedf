"""What an untrained network is seen to do, and what it knows already."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.analysis.untrained.behaviour import Behaviour
from grader.analysis.untrained.observation import observe
from tests.networks import CLASSES, habits, images, program_of

LABELS = torch.arange(40) % CLASSES


class Spoiled(nn.Module):
    """A linear classifier behind a function that spoils its input."""

    def __init__(self, spoil=lambda x: x):
        super().__init__()
        self.spoil = spoil
        self.fc = nn.Linear(144, CLASSES)

    def forward(self, x):
        return self.fc(self.spoil(x).flatten(1))


def seen(make, *, seeds=(0, 1), count: int = 40) -> Behaviour:
    """The behaviour of what `make` builds, under each of the seeds."""
    values = {}
    for seed in seeds:
        torch.manual_seed(seed)
        program, values[seed] = program_of(make())
    return observe(program, values, images(count), LABELS[:count])


def test_an_honest_network_is_finite_independent_repeatable_random_and_ignorant():
    behaviour = seen(habits)
    assert behaviour.finite
    assert behaviour.independent
    assert behaviour.repeatable
    assert behaviour.same_network
    assert behaviour.brings_little
    assert behaviour.starts_at_chance
    assert behaviour.same_network_hints == ()
    assert behaviour.untrained_hints == ()


@pytest.mark.parametrize("count", [6, 7, 11])
def test_a_few_images_are_enough(count):
    assert seen(Spoiled, count=count).independent


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: x - x.mean(0),
        lambda x: x / x.amax(),
        lambda x: x + x.roll(1, 0),
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: x.cumsum(0),
    ],
)
def test_an_answer_that_depends_on_the_other_images_is_seen(spoil):
    behaviour = seen(lambda: Spoiled(spoil))
    assert not behaviour.independent
    assert "mean over dimension 0" in behaviour.independence_hints[0].text


def test_batch_norm_without_running_statistics_depends_on_the_batch():
    assert not seen(lambda: Spoiled(nn.BatchNorm2d(1, track_running_stats=False))).independent


def test_dropout_that_is_active_in_evaluation_is_not_repeatable():
    behaviour = seen(lambda: Spoiled(F.dropout))
    assert not behaviour.repeatable
    assert "F.dropout without training=" in behaviour.independence_hints[0].text


def test_a_network_that_counts_its_calls_is_not_repeatable():
    class Counting(Spoiled):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(x) * self.calls

    assert not seen(Counting).repeatable


@pytest.mark.parametrize("spoil", [lambda x: x / 0, lambda x: (x - 2).log()])
def test_scores_that_are_no_numbers_are_seen(spoil):
    behaviour = seen(lambda: Spoiled(spoil))
    assert not behaviour.finite
    assert "NaN" in behaviour.output_text


def test_another_network_in_evaluation_is_seen_with_a_hint():
    class Double(Spoiled):
        def forward(self, x):
            return super().forward(x if self.training else -x)

    behaviour = seen(Double)
    assert not behaviour.same_network
    assert (
        "Only Dropout and BatchNorm may depend on self.training"
        in behaviour.same_network_hints[0].text
    )


def brought_along(seed: int = 5) -> nn.Module:
    """A network whose weights do not come from the grader's seed."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    model = Spoiled()
    torch.set_rng_state(state)
    return model


def test_weights_that_no_seed_changes_are_named():
    behaviour = seen(brought_along)
    assert behaviour.fixed.names == ("fc.weight",)
    assert not behaviour.brings_little
    assert "that no seed drew: fc.weight (" in behaviour.untrained_hints[0].text


def test_tensors_filled_with_one_value_may_be_the_same_under_every_seed():
    class Constant(Spoiled):
        def __init__(self):
            super().__init__()
            nn.init.constant_(self.fc.bias, 0.3)
            self.norm = nn.BatchNorm2d(3)

    assert seen(Constant).brings_little


def test_one_seed_alone_proves_nothing_about_the_weights():
    assert seen(brought_along, seeds=(0,)).fixed.names == ()


def test_a_network_that_knows_the_digits_is_seen():
    class Knowing(Spoiled):
        def __init__(self):
            super().__init__()
            self.register_buffer("answer", torch.eye(CLASSES)[0])

        def forward(self, x):
            return super().forward(x) * 0 + self.answer

    torch.manual_seed(0)
    program, values = program_of(Knowing())
    behaviour = observe(program, {0: values}, images(40), torch.zeros(40, dtype=torch.long))
    assert behaviour.accuracy == 1.0
    assert not behaviour.starts_at_chance
    assert behaviour.untrained_text == "100% correct"


class Gated(Spoiled):
    """Knows the answers by a row of the image, behind a factor that no seed draws."""

    def __init__(self, gate, start):
        super().__init__()
        self.gate = gate
        self.factor = nn.Parameter(torch.full((1,), start))

    def forward(self, x):
        known = x[:, 0, 0, :CLASSES] * 1e3
        return super().forward(x) * 1e-3 + self.gate(known, self.factor)


@pytest.mark.parametrize(
    ("gate", "start"),
    [
        (lambda known, factor: known * factor, 0.0),
        (lambda known, factor: known * factor.sigmoid(), -60.0),
        (lambda known, factor: known * factor.relu(), -1.0),
        (lambda known, factor: known + factor * torch.tensor([1e5] + [0.0] * 9), 1.0),
    ],
)
def test_a_network_that_knows_the_digits_behind_a_gate_is_seen(gate, start):
    torch.manual_seed(0)
    program, values = program_of(Gated(gate, start))
    pictures = images(40)
    labels = pictures[:, 0, 0, :CLASSES].argmax(1)
    behaviour = observe(program, {0: values}, pictures, labels)
    assert behaviour.accuracy == 1.0
    assert "starts at zero" in behaviour.untrained_hints[0].text


def test_scores_that_are_nearly_alike_are_told_apart_to_a_few_floats_only():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(144, CLASSES, bias=False)

        def forward(self, x):
            return self.fc(x.flatten(1)) * 1e-5 - 2.3

    assert seen(Deep).independent
    assert not seen(lambda: Spoiled(lambda x: x + 1e-2 * x.mean(0))).independent


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        (lambda net: net.count.add_(1), True),
        (lambda net: net.count.copy_(net.count * 0.5 + 1), True),
        (lambda net: net.count.mul_(net.fc.bias[0]), True),
        (lambda net: net.fc.weight.clamp_(-0.05, 0.05), False),
        (lambda net: net.fc.weight.mul_(net.mask), False),
        (lambda net: net.count.fill_(1), False),
    ],
)
def test_what_a_batch_leaves_for_the_next_is_named(change, stays):
    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(144, CLASSES)
            self.register_buffer("count", torch.zeros(()))
            self.register_buffer("mask", torch.ones(CLASSES, 144))

        def forward(self, x):
            with torch.no_grad():
                change(self)
            return self.fc(x.flatten(1)) * (self.count < 300)

    behaviour = seen(Keeping)
    assert behaviour.repeatable
    assert behaviour.stateless is not stays
    assert bool(behaviour.independence_hints) is stays
