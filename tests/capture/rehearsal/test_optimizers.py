"""Optimizers and schedulers: rates of every step, groups, and what changes in between."""

from __future__ import annotations

import pytest

from tests.capture.rehearsal.rehearsed import only, rehearsed


def rates(trace):
    """Learning rates of all groups, run-length coded."""
    return [(now[0], steps) for now, steps in only(trace).curve]


def obstacles(trace):
    return list(only(trace).obstacles)


def test_groups_have_rates_and_settings_of_their_own():
    source = """
    def make(model):
        return optim.AdamW([
            {"params": model.c1.parameters(), "lr": 1e-3},
            {"params": [*model.b1.parameters(), *model.c2.parameters()], "weight_decay": 0.0},
        ], lr=0.01, betas=(0.8, 0.99), weight_decay=0.05)
    loop(usual, make=make)
    """

    def look(trace):
        training = only(trace)
        counts = [len(group["params"]) for group in training.groups]
        return training.name, training.curve, counts, training.groups[0]["eps"]

    name, curve, counts, eps = rehearsed(source, look)
    assert (name, counts, eps) == ("AdamW", [2, 4], 1e-8)
    assert curve == [[((0.001, 0.01), (0.8, 0.8), (0.05, 0.0)), 24]]


def test_weights_that_are_frozen_are_left_out_and_counted():
    source = """
    model = Net()
    for p in model.c1.parameters(): p.requires_grad = False
    loop(usual, model=model)
    """

    def look(trace):
        training = only(trace)
        return len(training.groups[0]["params"]), training.frozen, dict(training.obstacles)

    assert rehearsed(source, look) == (4, 2, {})


@pytest.mark.parametrize(
    "change",
    [
        "if epoch == 1: model.c1.weight.requires_grad_(False)",
        "if epoch == 1: optimizer.add_param_group({'params': [nn.Parameter(torch.ones(2))]})",
    ],
)
def test_weights_that_are_frozen_or_added_later_are_an_obstacle(change):
    source = f"""
    model = Net()
    def end(epoch, accuracy, optimizer):
        {change}
    loop(usual, model=model, end=end)
    """
    (text,) = rehearsed(source, obstacles)
    assert "Other weights are trained than at the beginning" in text


@pytest.mark.parametrize(
    "change",
    [
        "[p.clamp_(-0.5, 0.5) for p in model.parameters()]",
        "[p.mul_(0.99) for p in model.parameters()]",
        "model.c2.weight.div_(model.c2.weight.norm())",
        "[p.sub_(0.1 * p.grad) for p in model.parameters()]",
    ],
)
def test_weights_that_are_changed_by_hand_are_an_obstacle(change):
    source = f"""
    def step(model, optimizer, x, y, index):
        usual(model, optimizer, x, y, index)
        with torch.no_grad():
            {change}
    loop(step)
    """
    (text,) = rehearsed(source, obstacles)
    assert "changed by hand" in text


@pytest.mark.parametrize(
    "keep",
    [
        "keep['best'] = copy.deepcopy(model.state_dict()); model.load_state_dict(keep['best'])",
        "torch.save(model.state_dict(), 'best.pt'); model.load_state_dict(torch.load('best.pt'))",
        "torch.save({'model': model.state_dict(), 'o': optimizer.state_dict()}, 'logs/best.pt');"
        " model.load_state_dict(torch.load('logs/best.pt', weights_only=True)['model'])",
        "keep['best'] = copy.deepcopy(model)",
    ],
)
def test_the_best_weights_may_be_kept_and_loaded(keep):
    source = f"""
    model, keep = Net(), {{}}
    def end(epoch, accuracy, optimizer):
        {keep}
    loop(usual, model=model, end=end)
    """
    assert rehearsed(source, lambda trace: (obstacles(trace), dict(trace.notes))) == ([], {})


def test_a_setting_that_changes_is_named():
    source = """
    def end(epoch, accuracy, optimizer):
        optimizer.param_groups[0]["eps"] *= 2
    loop(usual, end=end, make=lambda model: optim.Adam(model.parameters()))
    """
    (text,) = rehearsed(source, obstacles)
    assert "setting eps changes" in text


def test_weight_decay_may_change():
    source = """
    def end(epoch, accuracy, optimizer):
        optimizer.param_groups[0]["weight_decay"] = 0.1 * (epoch + 1)
    loop(usual, end=end)
    """
    curve, found = rehearsed(source, lambda trace: (only(trace).curve, obstacles(trace)))
    assert [now[2][0] for now, _ in curve] == [0, 0.1, 0.2]
    assert found == []


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("StepLR(o, 1, gamma=0.5)", [0.1, 0.05, 0.025]),
        ("StepLR(o, 1, gamma=0.5, verbose=True)", [0.1, 0.05, 0.025]),
        ("LambdaLR(o, lambda epoch: 1 / (epoch + 1))", [0.1, 0.05, 0.1 / 3]),
        ("SequentialLR(o, [ConstantLR(o, 0.5, 9), ExponentialLR(o, 0.5)], [1])", [0.05, 0.1, 0.05]),
        ("CosineAnnealingWarmRestarts(o, 2)", [0.1, 0.05, 0.1]),
        ("Mine(o)", [0.1, 0.01, 0.001]),
    ],
)
def test_schedulers_really_step(scheduler, expected):
    source = f"""
    from torch.optim.lr_scheduler import *
    class Mine(LRScheduler):
        def get_lr(self):
            return [0.1 ** (self.last_epoch + 1)]
    keep = {{}}
    def make(model):
        o = optim.SGD(model.parameters(), lr=0.1)
        keep["s"] = {scheduler}
        return o
    loop(usual, make=make, end=lambda *_: keep["s"].step())
    """

    def look(trace):
        record = only(trace).schedulers[-1]
        return rates(trace), record.name, record.steps, record.with_epoch

    found, name, steps, with_epoch = rehearsed(source, look)
    assert [now[0] for now, _ in found] == pytest.approx(expected)
    assert (name, steps, with_epoch) == (scheduler.partition("(")[0], 3, 0)


def test_a_scheduler_that_is_never_stepped_never_moves():
    source = """
    def make(model):
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        optim.lr_scheduler.StepLR(optimizer, 1)
        return optimizer
    loop(usual, make=make)
    """

    def look(trace):
        return rates(trace), [record.steps for record in only(trace).schedulers]

    assert rehearsed(source, look) == ([((0.1,), 24)], [0])


PLATEAU = """
keep = {{}}
def make(model):
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    keep["s"] = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    keep["model"] = model
    return optimizer
def evaluated(loader):
    keep["model"].eval()
    total, batches, right, images = 0.0, 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            out = keep["model"](x)
            loss = F.nll_loss(out, y)
            total, batches = total + loss.item() * len(x), batches + loss.item()
            right, images = right + (out.argmax(1) == y).sum().item(), images + len(x)
    return total / images, batches / len(loader), right / images
_, test = loaders()
part = DataLoader(random_split(datasets.MNIST(".", transform=plain), [900, 100])[1], 50)
train_loss = []
def step(model, optimizer, x, y, index):
    if index == 0: train_loss.clear()
    optimizer.zero_grad()
    loss = F.nll_loss(model(x), y)
    loss.backward()
    optimizer.step()
    train_loss.append(loss.item())
loop(step, make=make, end=lambda epoch, accuracy, o: keep["s"].step({metric}))
"""


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", ("accuracy", "test")),
        ("1 - accuracy / 100", ("error", "test")),
        ("evaluated(test)[0]", ("loss", "test")),
        ("evaluated(test)[1]", ("loss", "test")),
        ("evaluated(part)[1]", ("loss", "held back")),
        ("evaluated(part)[2]", ("accuracy", "held back")),
        ("sum(train_loss) / len(train_loss)", ("loss", "training")),
        ("epoch + 7.5", ("", "")),
    ],
)
def test_what_a_plateau_rule_watches_is_recognised(metric, expected):
    def look(trace):
        return dict(only(trace).schedulers[0].metrics)

    found = rehearsed(PLATEAU.format(metric=metric), look, test_images=300)
    assert found == {expected: 3}


def test_a_closure_is_called():
    source = """
    def step(model, optimizer, x, y, index):
        def closure():
            optimizer.zero_grad()
            loss = F.nll_loss(model(x), y)
            loss.backward()
            return loss
        optimizer.step(closure)
    loop(step)
    """

    def look(trace):
        return only(trace).steps, [bool(item.objectives[0].plain) for item in only(trace).kinds]

    assert rehearsed(source, look) == (24, [True])


def test_averaged_weights_are_named():
    source = """
    model = Net()
    average = optim.swa_utils.AveragedModel(model)
    loop(usual, model=model, end=lambda *_: average.update_parameters(model))
    """
    found, notes = rehearsed(source, lambda trace: (obstacles(trace), list(trace.notes)))
    assert found == []
    assert "AveragedModel" in notes[0]


def test_an_optimizer_of_ones_own_keeps_its_name():
    source = """
    class Lion(torch.optim.Optimizer):
        def __init__(self, params, lr=1e-4):
            super().__init__(params, {"lr": lr})
        def step(self, closure=None):
            raise RuntimeError("never runs")
    loop(usual, make=lambda model: Lion(model.parameters()))
    """
    assert rehearsed(source, lambda trace: (only(trace).name, only(trace).steps)) == ("Lion", 24)
