"""Devices, files and seeds: what a file asks of the machine that it runs on."""

from __future__ import annotations

import resource

import pytest

from tests.capture.rehearsal.rehearsed import only, rehearsed


def seen(trace):
    return trace.seen


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ("torch.zeros(2, device='cuda').device.type", "cpu"),
        ("torch.zeros(2).cuda(0).to('cuda:1', non_blocking=True).device.type", "cpu"),
        ("torch.zeros(2).to(torch.device('cuda'), torch.float64).dtype == torch.float64", True),
        ("torch.randn_like(torch.zeros(2), device='cuda').device.type", "cpu"),
        ("torch.randperm(4, generator=torch.Generator(device='cuda').manual_seed(1)).numel()", 4),
        ("isinstance(torch.Generator(), torch.Generator)", True),
        ("nn.Linear(2, 2, device='cuda').weight.device.type", "cpu"),
        ("torch.cuda.device_count()", 1),
        ("torch.cuda.get_device_properties(0).total_memory > 0", True),
        ("torch.cuda.memory_allocated() / 2**20", 0),
        ("str(torch.device('cuda' if torch.cuda.is_available() else 'cpu'))", "cuda"),
        ("torch.cuda.Event(enable_timing=True).record()", None),
        ("torch.amp.GradScaler('cuda').get_scale()", 1.0),
        ("torch.set_default_device('cuda')", None),
    ],
)
def test_everything_stays_on_the_cpu(made, expected):
    assert rehearsed(f"trace.seen = {made}", seen) == expected


def test_without_a_gpu_there_is_none():
    source = "trace.seen = torch.cuda.is_available(), torch.cuda.device_count()"
    assert rehearsed(source, seen, cuda=False) == (False, 0)


def test_what_is_saved_does_not_lie_where_the_tests_were_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert rehearsed("torch.save(1, 'checkpoint.pt')", lambda trace: trace.saves) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_is_loaded_again():
    source = """
    import os
    torch.save({"epoch": 3}, "runs/a/best.pth")
    with open("b.pth", "wb") as file: torch.save(4, file)
    there = os.path.exists("runs/a/best.pth"), os.path.exists("last.pth")
    with open("runs/log.txt", "w") as file: file.write("x")
    trace.seen = torch.load("./runs/a/best.pth")["epoch"], torch.load("b.pth"), there
    """
    assert rehearsed(source, seen) == (3, 4, (True, False))
    assert rehearsed(source, lambda trace: (trace.saves, dict(trace.notes))) == (2, {})


def test_a_checkpoint_that_was_not_handed_in_is_noted_and_fails():
    source = """
    try:
        torch.load("checkpoint.pth")
    except FileNotFoundError:
        pass
    """
    (text,) = rehearsed(source, lambda trace: list(trace.notes))
    assert text.startswith("checkpoint.pth is loaded before training")


def test_seeds_are_written_down():
    source = """
    torch.manual_seed(42)
    torch.cuda.manual_seed_all(42)
    """
    assert rehearsed(source, lambda trace: trace.seeds) == [(42, 59)]


def test_nobody_sleeps():
    assert rehearsed("import time; time.sleep(3600); trace.seen = True", seen)


def test_a_step_costs_little():
    """At most 100 µs of processor time, with a loss that is printed; here with room for noise."""
    source = """
    import resource
    def step(model, optimizer, x, y, index):
        optimizer.zero_grad()
        loss = F.nll_loss(model(x), y)
        loss.backward()
        optimizer.step()
        loss.item()
    model = Net(16)
    loop(step, model=model, epochs=1)
    began = resource.getrusage(resource.RUSAGE_SELF)
    loop(step, model=model, epochs=5)
    trace.seen = began.ru_utime + began.ru_stime
    """

    def look(trace):
        now = resource.getrusage(resource.RUSAGE_SELF)
        spent = now.ru_utime + now.ru_stime - trace.seen
        return spent / trace.trainings[-1].steps

    seconds = rehearsed(source, look, train_images=60_000, test_images=10_000)
    assert seconds < 300e-6


def test_the_memory_of_a_rehearsal_is_bounded():
    source = """
    data = DataLoader(datasets.MNIST(".", transform=transforms.ToTensor()), batch_size=60_000)
    images, labels = next(iter(data))
    trace.seen = tuple(images.shape), round(images.mean().item(), 3), len(labels)
    """

    def look(trace):
        return trace.seen, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found, megabytes = rehearsed(source, look, train_images=60_000)
    assert found == ((60_000, 1, 28, 28), pytest.approx(0.131, abs=0.002), 60_000)
    assert megabytes < before + 200


def test_an_optimizer_that_is_never_stepped_is_a_record_without_steps():
    def look(trace):
        return [item.steps for item in trace.trainings]

    assert rehearsed("optim.SGD(Net().parameters(), lr=0.1)", look) == [0]


def test_an_oversized_search_ends():
    source = """
    for _ in range(600):
        optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    """
    with pytest.raises(AssertionError, match="more than 500 optimizers"):
        rehearsed(source, lambda trace: only(trace))
