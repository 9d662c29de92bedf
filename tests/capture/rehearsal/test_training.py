"""Whole trainings, as they are written: what one rehearsal sees of each."""

from __future__ import annotations

import pytest

from tests.capture.rehearsal.rehearsed import kind, line, only, rehearsed


def curve(trace):
    """Learning rates and momenta of the first group, run-length coded."""
    return [(now[0][0], now[1][0], steps) for now, steps in only(trace).curve]


def test_a_plain_training_is_seen_step_by_step():
    def look(trace):
        training = only(trace)
        walks = [(walk.length, steps, walk.complete) for walk, steps in training.walks]
        return training.name, training.steps, walks, training.curve, kind(trace), trace.notes

    name, steps, walks, rates, step, notes = rehearsed("loop(usual)", look)
    assert (name, steps) == ("SGD", 24)
    assert walks == [(8, 8, True)] * 3
    assert rates == [[((0.1,), (0.9,), (0,)), 24]]
    loss = step.objectives[0].plain
    assert (loss.name, loss.options, loss.through) == ("nll_loss", (), ())
    assert loss.of_network
    assert loss.true_labels
    assert loss.line == line("F.nll_loss(model(x), y)")
    assert (step.clips, step.images, step.zeroed, step.gradients) == ((), "untouched", True, "")
    assert notes == {}


def test_accumulated_gradients_are_several_calls_of_backward():
    source = """
    def step(model, optimizer, x, y, index):
        (F.nll_loss(model(x), y) / 2).backward()
        if (index + 1) % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
    loop(step)
    """
    found = rehearsed(source, kind)
    assert [[factor for _, factor in item.losses] for item in found.objectives] == [[0.5], [0.5]]
    assert found.zeroed


def test_mixed_precision_passes_through_and_clipping_is_seen():
    source = """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scaler = torch.cuda.amp.GradScaler()
    def step(model, optimizer, x, y, index):
        x, y = x.to(device), y.to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        with torch.cuda.amp.autocast():
            loss = F.nll_loss(model.to(device)(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    loop(step, batch=250 if torch.cuda.is_available() else 100)
    """

    def look(trace):
        walk, steps = only(trace).walks[0]
        return walk.loader.batch_size, steps, kind(trace), list(trace.notes)

    size, steps, found, notes = rehearsed(source, look)
    assert (size, steps) == (250, 4)
    (clip,) = found.clips
    assert (clip.kind, clip.value, clip.norm_type, clip.scaled) == ("norm", 1.0, 2.0, False)
    assert clip.parameters == 6
    assert found.objectives[0].plain
    assert "Mixed precision" in notes[0]
    assert rehearsed(source, look, cuda=False)[:2] == (100, 10)


def test_clipping_gradients_that_are_still_scaled_is_said():
    source = """
    scaler = torch.amp.GradScaler("cuda")
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        with torch.autocast(device_type="cuda", dtype=torch.float16):
            loss = F.nll_loss(model(x), y)
        scaler.scale(loss).backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
    loop(step)
    """
    (clip,) = rehearsed(source, kind).clips
    assert (clip.kind, clip.value, clip.scaled) == ("value", 0.5, True)


def test_rates_set_by_hand_are_seen():
    source = """
    def end(epoch, accuracy, optimizer):
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
    loop(usual, end=end)
    """
    assert rehearsed(source, curve) == [(0.1, 0.9, 8), (0.05, 0.9, 8), (0.025, 0.9, 8)]


def test_batches_cut_from_tensors_are_not_fed_by_a_loader():
    source = """
    train, _ = loaders()
    images, labels = train.dataset.data.float()[:, None] / 255, train.dataset.targets
    model = Net()
    optimizer = optim.Adam(model.parameters())
    for epoch in range(2):
        order = torch.randperm(len(images))
        for start in range(0, len(images), 100):
            part = order[start : start + 100]
            optimizer.zero_grad()
            F.nll_loss(model(images[part]), labels[part]).backward()
            optimizer.step()
    """
    walks, found = rehearsed(source, lambda trace: (only(trace).walks, kind(trace)))
    assert walks == [[None, 20]]
    assert found.images == "not from a loader"


def test_a_loop_that_is_left_early_is_not_complete():
    source = """
    model = Net()
    train, _ = loaders()
    optimizer = optim.Adam(model.parameters())
    for epoch in range(3):
        for index, (x, y) in enumerate(train):
            if index == 5:
                break
            usual(model, optimizer, x, y, index)
    """

    def look(trace):
        return [(walk.complete, walk.batches, steps) for walk, steps in only(trace).walks]

    assert rehearsed(source, look) == [(False, 6, 5)] * 3


def test_softmax_before_cross_entropy_is_on_the_way():
    source = """
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        F.cross_entropy(F.softmax(model(x), 1), y).backward()
        optimizer.step()
    loop(step)
    """
    loss = rehearsed(source, kind).objectives[0].plain
    assert (loss.name, loss.through) == ("cross_entropy", ("Softmax",))


def test_a_rate_set_by_results_depends_on_the_role():
    source = """
    def end(epoch, accuracy, optimizer):
        if accuracy > 98:
            optimizer.param_groups[0]["lr"] = 0.001
    loop(usual, end=end)
    """
    assert rehearsed(source, curve) == [(0.1, 0.9, 24)]
    assert rehearsed(source, curve, role="perfect") == [(0.1, 0.9, 8), (0.001, 0.9, 16)]
    assert len(rehearsed(source, curve, role="0.5 0.97")) == 1
    assert len(rehearsed(source, curve, role="0.5 0.985")) == 2


@pytest.mark.parametrize(
    "change",
    [
        "x = x + 0.1 * torch.randn_like(x)",
        "x.add_(0.1 * torch.randn_like(x))",
        "x = x[torch.randperm(len(x))]",
        "x = (x - 0.1307) / 0.3081",
        "x = 0.5 * x + 0.5 * x.flip(0)",
        "x[:, :, 4:8, 4:8] = x.flip(0)[:, :, 4:8, 4:8]",
        "x = x.flip(3)",
        "x = x.transpose(2, 3)",
    ],
)
def test_images_that_are_changed_in_the_loop_are_seen(change):
    source = f"""
    def step(model, optimizer, x, y, index):
        {change}
        usual(model, optimizer, x, y, index)
    loop(step)
    """
    assert rehearsed(source, lambda trace: kind(trace).images).startswith("changed")


@pytest.mark.parametrize(
    "same",
    [
        "x = x.cuda().float().contiguous().clone()",
        "x = x.view(x.size(0), 1, 28, 28)",
        "x = torch.autograd.Variable(x)",
        "x = x.to('cuda', memory_format=torch.channels_last)",
        "x = x.reshape(-1, 784).view(-1, 1, 28, 28)",
    ],
)
def test_images_that_only_move_are_untouched(same):
    source = f"""
    def step(model, optimizer, x, y, index):
        {same}
        usual(model, optimizer, x, y, index)
    loop(step)
    """
    assert rehearsed(source, lambda trace: kind(trace).images) == "untouched"


def test_mixup_has_two_losses_and_other_images():
    source = """
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        order = torch.randperm(len(x))
        out = model(0.7 * x + 0.3 * x[order])
        (0.7 * F.nll_loss(out, y) + 0.3 * F.nll_loss(out, y[order])).backward()
        optimizer.step()
    loop(step)
    """
    found = rehearsed(source, kind)
    assert found.images == "changed"
    losses = found.objectives[0].losses
    assert [(loss.true_labels, factor) for loss, factor in losses] == [(True, 0.7), (False, 0.3)]


def test_gradients_that_are_never_zeroed_are_seen():
    source = """
    def step(model, optimizer, x, y, index):
        F.nll_loss(model(x), y).backward()
        optimizer.step()
    loop(step)
    """
    kinds = rehearsed(source, lambda trace: dict(only(trace).kinds))
    assert {item.zeroed: steps for item, steps in kinds.items()} == {True: 1, False: 23}


@pytest.mark.parametrize(
    "zero",
    [
        "for p in model.parameters(): p.grad = None",
        "[p.grad.zero_() for p in model.parameters() if p.grad is not None]",
        "[p.grad.data.zero_() for p in model.parameters() if p.grad is not None]",
        "model.zero_grad()",
        "optimizer.zero_grad(set_to_none=True)",
    ],
)
def test_every_way_to_zero_gradients_counts(zero):
    source = f"""
    def step(model, optimizer, x, y, index):
        F.nll_loss(model(x), y).backward()
        optimizer.step()
        {zero}
    loop(step)
    """
    found = rehearsed(source, kind)
    assert (found.zeroed, found.wiped, found.gradients) == (True, False, "")


def test_gradients_that_are_zeroed_before_the_step_are_none():
    source = """
    def step(model, optimizer, x, y, index):
        F.nll_loss(model(x), y).backward()
        optimizer.zero_grad()
        optimizer.step()
    loop(step)
    """
    found = rehearsed(source, kind)
    assert (found.wiped, found.objectives) == (True, ())


@pytest.mark.parametrize(
    "change",
    [
        "model.c2.weight.grad = model.c2.weight.grad * 2",
        "model.b1.bias.grad.data.add_(1)",
    ],
)
def test_gradients_that_are_changed_by_hand_are_seen(change):
    source = f"""
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        F.nll_loss(model(x), y).backward()
        {change}
        optimizer.step()
    loop(step)
    """
    assert rehearsed(source, kind).gradients == "changed by hand"


def test_a_scheduler_that_is_stepped_once_an_epoch_stays_where_torch_leaves_it():
    source = """
    keep = {}
    def make(model):
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.98)
        keep["s"] = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, epochs=3, steps_per_epoch=8)
        return optimizer
    loop(usual, make=make, end=lambda *_: keep["s"].step())
    """

    def look(trace):
        (record,) = only(trace).schedulers
        return curve(trace), record.name, record.steps, record.scheduler.total_steps

    rates, name, steps, total = rehearsed(source, look)
    assert (name, steps, total) == ("OneCycleLR", 3, 24)
    assert [steps for _, _, steps in rates] == [8, 8, 8]
    assert rates[0][0] == pytest.approx(0.004)
    assert rates[2][0] < 0.03


def test_a_rule_of_patience_ends_only_a_flat_training():
    source = """
    best = {"accuracy": 0, "bad": 0}
    def end(epoch, accuracy, optimizer):
        best["bad"] = 0 if accuracy > best["accuracy"] else best["bad"] + 1
        best["accuracy"] = max(best["accuracy"], accuracy)
        return best["bad"] >= 2
    loop(usual, epochs=60, end=end)
    """

    def epochs(trace):
        return len(only(trace).walks)

    assert rehearsed(source, epochs, test_images=10_000) == 60
    assert rehearsed(source, epochs, role="flat") == 3
    assert rehearsed(source, epochs, role="flat improving", test_images=10_000) == 60
    assert rehearsed(source, epochs, role="improving flat") == 3


def test_a_loss_can_fall_while_the_accuracy_stays():
    source = """
    model, history, exact = Net(), [], []
    def end(epoch, accuracy, optimizer):
        with torch.no_grad():
            total = sum(F.nll_loss(model(x), y).item() for x, y in test)
        history.append((accuracy, round(total, 4)))
        exact.append(total / len(test))
    _, test = loaders()
    loop(usual, end=end, model=model)
    trace.seen, trace.exact = history, exact
    """
    dull = rehearsed(source, lambda trace: trace.seen, role="flat flat duller")
    assert len({accuracy for accuracy, _ in dull[1:]}) == 1
    assert dull[0][0] > dull[1][0]  # by a hair
    assert dull[0][1] > dull[1][1] > dull[2][1]
    flat = rehearsed(source, lambda trace: trace.seen, role="flat")
    assert len(set(flat[1:])) == 1
    for amount in (2e-5, 0.001, 0.1, 3.0):
        base = "3.0" if amount < 0.2 else "20.0"
        jump = rehearsed(source, lambda trace: trace.exact, role=f"jump loss 3 {amount} {base}")
        assert jump[0] - jump[2] == pytest.approx(amount, abs=2e-6, rel=0.02)
        assert jump[1] > jump[0]


def test_a_training_stops_where_it_is_good_enough():
    source = "loop(usual, epochs=9, end=lambda epoch, accuracy, optimizer: accuracy >= 99.4)"

    def epochs(trace):
        return len(only(trace).walks)

    assert rehearsed(source, epochs) == 9
    assert rehearsed(source, epochs, role="perfect") == 1
    assert rehearsed(source, epochs, role="1.0 0.9938", test_images=10_000) == 9
    assert rehearsed(source, epochs, role="0.5 0.9942", test_images=10_000) == 1


def test_smoothing_by_hand_is_a_formula_of_ones_own():
    source = """
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        out = model(x)
        target = torch.full_like(out, 0.01).scatter_(1, y[:, None], 0.91)
        (-(target * out).sum(1).mean()).backward()
        optimizer.step()
    loop(step)
    """
    assert "formula of your own" in rehearsed(source, kind).objectives[0].problem


def test_two_optimizers_in_a_row_are_two_records_on_one_network():
    source = """
    model = Net()
    train, _ = loaders()
    for lr, epochs in ((0.1, 2), (0.01, 1)):
        optimizer = optim.SGD(model.parameters(), lr=lr)
        for epoch in range(epochs):
            for index, (x, y) in enumerate(train):
                usual(model, optimizer, x, y, index)
    """

    def look(trace):
        networks = {name for item in trace.trainings for name in item.networks}
        return [(item.curve, item.steps) for item in trace.trainings], len(networks)

    (first, second), networks = rehearsed(source, look)
    assert first == ([[((0.1,), (0,), (0,)), 16]], 16)
    assert second == ([[((0.01,), (0,), (0,)), 8]], 8)
    assert networks == 1


def test_a_dummy_forward_before_the_loop_is_no_step():
    source = """
    model = Net()
    model(torch.randn(2, 1, 28, 28)).sum().backward()
    loop(usual, model=model)
    """
    found = rehearsed(source, lambda trace: [item.images for item in only(trace).kinds])
    assert found[-1] == "untouched"
