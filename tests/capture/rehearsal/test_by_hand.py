"""What files do by hand: clipping, schedulers of their own, held-back images of one data set."""

from __future__ import annotations

import itertools

import pytest

from tests.capture.rehearsal.rehearsed import kind, only, rehearsed

CLIPPING = """
def step(model, optimizer, x, y, index):
    optimizer.zero_grad()
    F.nll_loss(model(x), y).backward()
{text}
    optimizer.step()
loop(step)
"""
NORM = """
    norm = torch.sqrt(sum(p.grad.norm() ** 2 for p in model.parameters()))
    if norm > 2:
        for p in model.parameters():
            p.grad.mul_(2 / (norm + 1e-6))
"""
VALUES = """
    for p in model.parameters():
        p.grad.data.clamp_(-0.5, 0.5)
"""
NEW_VALUES = """
    for p in model.parameters():
        p.grad = torch.clamp(p.grad, -0.5, 0.5)
"""


@pytest.mark.parametrize(
    ("text", "clip"),
    [(NORM, ("norm", 2.0)), (VALUES, ("value", 0.5)), (NEW_VALUES, ("value", 0.5))],
)
def test_clipping_by_hand_is_measured(text, clip):
    def look(trace):
        found = kind(trace)
        return [(item.kind, item.value, item.parameters) for item in found.clips], found.gradients

    assert rehearsed(CLIPPING.format(text=text), look) == ([(*clip, 6)], "")


@pytest.mark.parametrize(
    "text",
    [
        "    for p in model.parameters():\n        p.grad *= 0.5",
        "    model.c1.weight.grad.clamp_(-1, 1)",
        "    for p in model.parameters():\n        p.grad /= p.grad.norm()",
    ],
)
def test_other_changes_of_gradients_are_not_taken_for_clipping(text):
    def look(trace):
        return {item.gradients for item in only(trace).kinds}

    assert "changed by hand" in rehearsed(CLIPPING.format(text=text), look)


OWN = """
class Falling(optim.lr_scheduler.LRScheduler):
    def get_lr(self):
        return [rate / (1 + self.last_epoch) for rate in self.base_lrs]
    def step(self, epoch=None):
        self.last_epoch += 1
        for group, rate in zip(self.optimizer.param_groups, self.get_lr()):
            group["lr"] = rate
made = []
def make(model):
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    made.append({scheduler})
    return optimizer
loop(usual, make=make, epochs=3, end=lambda *_: made[0].step())
"""
TWO = (
    "optim.lr_scheduler.SequentialLR(optimizer, [optim.lr_scheduler.ConstantLR(optimizer, 0.5, 1),"
    " optim.lr_scheduler.ExponentialLR(optimizer, 0.5)], [1])"
)


def test_a_scheduler_of_ones_own_whose_step_never_asks_torchs_is_seen_to_step():
    def look(trace):
        training = only(trace)
        rates = [now[0][0] for now, _ in training.curve]
        return [(item.name, item.steps) for item in training.schedulers], rates

    schedulers, rates = rehearsed(OWN.format(scheduler="Falling(optimizer)"), look)
    assert schedulers == [("Falling", 3)]
    assert rates == [0.1, 0.05, pytest.approx(0.1 / 3)]


def test_schedulers_that_another_one_is_made_of_are_left_out():
    def look(trace):
        return [(item.name, item.steps) for item in only(trace).schedulers]

    assert rehearsed(OWN.format(scheduler=TWO), look) == [("SequentialLR", 3)]


SPLIT = """
train = datasets.MNIST(".", train=True, transform=plain)
first = DataLoader(train, 50, sampler=SubsetRandomSampler(range(800)))
second = DataLoader(train, 50, sampler=SubsetRandomSampler(range(800, 1000)))
model = Net()
optimizer = optim.SGD(model.parameters(), lr=0.1)
rule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max")
for epoch in range(3):
    model.train()
    for x, y in first:
        usual(model, optimizer, x, y, 0)
    rule.step({number})
"""


@pytest.mark.parametrize(
    ("number", "which"),
    [
        ("accuracy(model, second) * 5", ("accuracy", "held back")),
        ("accuracy(model, first) * 1.25", ("accuracy", "training")),
    ],
)
def test_two_samplers_of_one_data_set_give_different_images(number, which):
    def look(trace):
        return list(only(trace).schedulers[0].metrics)

    assert rehearsed(SPLIT.format(number=number), look) == [which]


TURNS = """
model = Net()
first = optim.SGD(model.c1.parameters(), lr=0.1)
second = optim.SGD(model.c2.parameters(), lr=0.01)
for x, y in loaders()[0]:
    first.zero_grad()
    second.zero_grad()
    F.nll_loss(model(x), y).backward()
    first.step()
    second.step()
"""


def test_two_optimizers_after_one_backward_are_said():
    def look(trace):
        return [list(item.obstacles) for item in trace.trainings]

    for said in rehearsed(TURNS, look):
        assert [text.split(";")[0] for text in said] == [
            "Several optimizers step after one backward()"
        ]


LONG = """
losses = []
def mean(model, loader):
    model.eval()
    with torch.no_grad():
        return sum(F.nll_loss(model(x), y).item() for x, y in loader) / len(loader)
accuracy = mean
loop(usual, epochs=100, batch=1000, end=lambda epoch, loss, _: losses.append(loss))
"""


def test_a_loss_that_falls_while_the_accuracy_stays_falls_in_long_trainings_too():
    def look(trace):
        import __main__

        return __main__.losses

    losses = rehearsed(LONG, look, role="flat flat duller")
    falls = [before - after for before, after in itertools.pairwise(losses)]
    assert min(falls) > 5e-3


MODES = """
model = Net()
model.drop = nn.Dropout(0.1)
optimizer = optim.SGD(model.parameters(), lr=0.1)
train, test = loaders()
for epoch in range(3):
    {mode}
    for x, y in train:
        usual(model, optimizer, x, y, 0)
    {end}
"""


@pytest.mark.parametrize(
    ("mode", "end", "said"),
    [
        ("model.train()", "accuracy(model, test)", []),
        ("pass", "pass", []),
        ("pass", "accuracy(model, test)", ["The network trains in evaluation mode"]),
        ("model.train(); model.b1.eval()", "pass", ["Parts of the network stay in evaluation"]),
        ("model.train()", "model.drop.p += 0.1", ["p of Dropout drop changes while the network"]),
        ("model.train()", "model.best = epoch", []),
    ],
)
def test_the_network_stays_what_it_is_while_it_trains(mode, end, said):
    def look(trace):
        return list(only(trace).obstacles)

    found = rehearsed(MODES.format(mode=mode, end=end), look)
    assert len(found) == len(said)
    for text, words in zip(found, said, strict=True):
        assert words in text


def test_log_softmax_along_the_batch_is_not_on_the_way_to_cross_entropy():
    source = CLIPPING.format(text="").replace("model(x)", "F.log_softmax(model(x), dim={})")

    def look(trace):
        (objective,) = kind(trace).objectives
        return objective.plain.through

    assert rehearsed(source.format(1), look) == ("LogSoftmax",)
    assert rehearsed(source.format(-1), look) == ("LogSoftmax",)
    assert rehearsed(source.format(0), look) == ("LogSoftmax along dimension 0",)
