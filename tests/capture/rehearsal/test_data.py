"""Data sets and loaders that stand in: lengths, numbers, batches, images."""

from __future__ import annotations

from textwrap import dedent

import pytest

from grader.training.datasets import DATASETS
from tests.capture.rehearsal.rehearsed import kind, only, rehearsed

FULL = {"train_images": 60_000, "test_images": 10_000}


def values(source, **settings):
    """What a source leaves as `seen`."""
    return rehearsed(f"{source}\ntrace.seen = seen", lambda trace: trace.seen, **settings)


def walks(trace):
    """(length, batches, steps, complete, images of the last batch) of each walk that trained."""
    return [(walk.length, steps, walk.complete) for walk, steps in only(trace).walks]


def test_mnist_has_its_length_its_counts_and_its_mean_and_deviation():
    source = """
    train, test = datasets.MNIST(".", download=True), datasets.MNIST(".", train=False)
    pixels = train.data.float() / 255
    seen = (len(train), len(test), tuple(train.data.shape), round(pixels.mean().item(), 4),
            round(pixels.std().item(), 4), train.targets.bincount().tolist()[:3],
            type(train[0][0]).__name__, type(train[0][1]).__name__, train.classes[3])
    """
    found = values(dedent(source), **FULL)
    assert found == (
        *(60_000, 10_000, (60_000, 28, 28)),
        *(0.1307, 0.3081, [5923, 6742, 5958], "Image", "int", "3 - three"),
    )


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ("datasets.FashionMNIST('.')", "fashion_mnist"),
        ("datasets.KMNIST('.')", "kmnist"),
        ("datasets.EMNIST('.', split='balanced')", "emnist_balanced"),
        ("datasets.EMNIST('.', 'letters')", "emnist_letters"),
    ],
)
def test_another_known_data_set_is_as_it_is_and_noted(made, name):
    source = f"""data = {made}
pixels = data.data[:2000].float() / 255
seen = (data.rehearsal_name, len(data), pixels.mean().item(), pixels.std().item(),
        int(data.targets.min()), int(data.targets.max()))"""
    found, notes = rehearsed(
        f"{source}\ntrace.seen = seen", lambda trace: (trace.seen, list(trace.notes))
    )
    known = DATASETS[name]
    assert found[:2] == (name, known.train_images)
    assert found[2:4] == pytest.approx((known.mean, known.deviation), abs=2e-4)
    last = known.first_label + known.classes - 1
    assert found[4:] == (known.first_label, last)
    assert known.title in notes[0]


def test_the_data_set_of_the_assignment_has_the_length_that_is_asked_for():
    source = "seen = len(datasets.FashionMNIST('.')), len(datasets.FashionMNIST('.', train=False))"
    assert values(source, dataset="fashion_mnist") == (1_000, 200)


@pytest.mark.parametrize("what", ["QMNIST('.', what='test10k')", "CIFAR10('.', train=False)"])
def test_other_data_sets_are_there_and_noted(what):
    found = rehearsed(
        f"trace.seen = len(datasets.{what})", lambda trace: (trace.seen, list(trace.notes))
    )
    assert found[0] == 10_000
    assert "which is not the assignment's" in found[1][0]


@pytest.mark.parametrize(
    ("loader", "expected"),
    [
        ("DataLoader(data, 128, shuffle=True)", (8, 8, True)),
        ("DataLoader(data, 128, True, drop_last=True)", (7, 7, True)),
        ("DataLoader(data, 128, True, None, None, 4, None, True, True)", (7, 7, True)),
        ("DataLoader(data, batch_size=300, num_workers=4, pin_memory=True)", (4, 4, True)),
        ("DataLoader(Subset(data, range(100)), 32)", (4, 4, True)),
        ("DataLoader(random_split(data, [900, 100])[0], 100)", (9, 9, True)),
        ("DataLoader(data, 64, sampler=SubsetRandomSampler(range(100)))", (2, 2, True)),
        ("DataLoader(data, 64, sampler=WeightedRandomSampler([1.0] * 1000, 128))", (2, 2, True)),
        ("DataLoader(TensorDataset(X, data.targets), 500)", (2, 2, True)),
        (
            "DataLoader(data, batch_sampler=torch.utils.data.BatchSampler("
            "torch.utils.data.RandomSampler(data), 250, False))",
            (4, 4, True),
        ),
    ],
)
def test_a_loader_gives_as_many_batches_as_torch_would(loader, expected):
    source = f"""
    data = datasets.MNIST(".", transform=plain)
    X = data.data.float()[:, None] / 255
    loader = {loader}
    model = Net()
    optimizer = optim.Adam(model.parameters())
    shapes = []
    for epoch in range(2):
        for x, y in loader:
            shapes.append(len(x))
            usual(model, optimizer, x, y, 0)
    trace.seen = sum(shapes) // 2
    """
    found, images, step = rehearsed(source, lambda trace: (walks(trace), trace.seen, kind(trace)))
    assert found == [expected] * 2
    assert step.images == "untouched"
    assert step.objectives[0].plain.true_labels
    real = {"128, True": 896, "128, shuffle": 1000, "range(100)": 100, "900": 900, "128))": 128}
    assert images == next((count for part, count in real.items() if part in loader), 1_000)


@pytest.mark.parametrize(
    ("loop", "complete"),
    [
        ("for index, (x, y) in enumerate(loader):", True),
        ("for (x, y), index in zip(loader, range(100)):", True),
        ("for index, (x, y) in zip(range(len(loader)), loader):", True),
        ("for x, y in itertools.islice(loader, 3):", False),
        ("for x, y in iter(loader):", True),
    ],
)
def test_every_way_to_walk_a_loader(loop, complete):
    source = f"""
    import itertools
    loader, _ = loaders()
    model = Net()
    optimizer = optim.Adam(model.parameters())
    for epoch in range(2):
        {loop}
            usual(model, optimizer, x, y, 0)
    """
    steps = 8 if complete else 3
    assert rehearsed(source, walks) == [(8, steps, complete)] * 2


def test_batches_taken_by_next_are_walks():
    source = """
    loader, _ = loaders()
    model = Net()
    optimizer = optim.Adam(model.parameters())
    batches = iter(loader)
    for step in range(12):
        try:
            x, y = next(batches)
        except StopIteration:
            batches = iter(loader)
            x, y = next(batches)
        usual(model, optimizer, x, y, 0)
    """
    assert rehearsed(source, walks) == [(8, 8, True), (8, 4, False)]


def test_a_file_that_fetches_ahead_is_fed_all_the_same():
    source = """
    loader, _ = loaders()
    model = Net()
    optimizer = optim.Adam(model.parameters())
    for epoch in range(2):
        batches = iter(loader)
        ahead = next(batches, None)
        while ahead is not None:
            x, y = ahead
            ahead = next(batches, None)
            usual(model, optimizer, x, y, 0)
    """

    def look(trace):
        return walks(trace), [item.images for item in only(trace).kinds]

    found, images = rehearsed(source, look)
    assert found == [(8, 8, True)] * 2
    assert images == ["untouched"]


def test_a_data_set_of_ones_own_is_asked_for_images():
    source = """
    class Mine(torch.utils.data.Dataset):
        def __init__(self, base, transform):
            self.base, self.transform = base, transform
        def __len__(self):
            return 500
        def __getitem__(self, index):
            image, label = self.base[index]
            return self.transform(image), label
    loader = DataLoader(Mine(datasets.MNIST("."), plain), batch_size=100)
    model = Net()
    optimizer = optim.Adam(model.parameters())
    for x, y in loader:
        usual(model, optimizer, x, y, 0)
    """
    found, step = rehearsed(source, lambda trace: (walks(trace), kind(trace)))
    assert found == [(5, 5, True)]
    assert step.images == "untouched"


def test_images_of_a_batch_are_different_ones_and_fresh_each_time():
    source = """
    loader, _ = loaders()
    seen = []
    for x, y in loader:
        seen.append((round(x.mean().item(), 4), bool((x[0] == x[1]).all()), y[:3].tolist()))
        x.zero_()
    """
    found = values(dedent(source))
    assert len({mean for mean, _, _ in found[:-1]}) == 1
    assert not any(same for _, same, _ in found)
    assert found[0][2] == [0, 1, 2]


def test_a_transform_that_is_swapped_is_that_of_the_walk():
    source = """
    data = datasets.MNIST(".", transform=plain)
    part, rest = random_split(data, [900, 100])
    model = Net()
    optimizer = optim.Adam(model.parameters())
    for epoch in range(2):
        part.dataset.transform = plain if epoch else transforms.ToTensor()
        for x, y in DataLoader(part, 300):
            usual(model, optimizer, x, y, 0)
    """

    def look(trace):
        return [type(walk.transform).__name__ for walk, _ in only(trace).walks]

    assert rehearsed(source, look) == ["ToTensor", "Compose"]


@pytest.mark.parametrize(
    ("collate", "said"),
    [
        ("lambda items: torch.utils.data.default_collate(items)", ""),
        (
            "lambda items: (torch.stack([x for x, _ in items]),"
            " torch.tensor([y for _, y in items]))",
            "",
        ),
        (
            "lambda items: (torch.stack([x + 1 for x, _ in items]),"
            " torch.tensor([y for _, y in items]))",
            "changes the images or labels of a batch",
        ),
    ],
)
def test_a_collate_function_of_ones_own_is_compared_with_torchs(collate, said):
    source = f"""
    data = datasets.MNIST(".", transform=plain)
    model = Net()
    optimizer = optim.Adam(model.parameters())
    for x, y in DataLoader(data, 100, collate_fn={collate}):
        usual(model, optimizer, x, y, 0)
    """
    assert rehearsed(source, lambda trace: only(trace).walks[0][0].collate) == said


def test_all_images_can_be_gone_through():
    source = """
    data = datasets.MNIST(".", transform=transforms.ToTensor())
    total = sum(image.mean().item() for image, label in data) / len(data)
    labels = [label for _, label in data]
    seen = round(total, 3), labels[5000] == int(data.targets[5000])
    """
    assert values(dedent(source), train_images=10_000) == (0.131, True)


def test_a_file_that_is_not_there_fails_as_it_would():
    with pytest.raises(AssertionError, match="FileNotFoundError"):
        rehearsed("open('train.csv')", lambda trace: None)


def test_letters_that_are_counted_from_zero_are_true_labels():
    source = """
    class Letters(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(784, 26)
        def forward(self, x):
            return self.fc(x.flatten(1))
    data = datasets.EMNIST(".", "letters", transform=plain)
    model = Letters()
    optimizer = optim.Adam(model.parameters())
    right = 0
    for x, y in DataLoader(data, 100):
        y = y - 1
        optimizer.zero_grad()
        out = model(x)
        F.cross_entropy(out, y).backward()
        optimizer.step()
        right += (out.argmax(1) == y).sum().item()
    trace.seen = right / len(data)
    """
    found = rehearsed(
        source,
        lambda trace: (kind(trace).objectives[0].plain.true_labels, trace.seen),
        dataset="emnist_letters",
        classes=26,
    )
    assert found == (True, pytest.approx(0.2, abs=0.01))
