"""From a source to its recipe, through all stand-ins, each in a process of its own."""

from __future__ import annotations

import pytest

from grader.capture.rehearsal.summary import summarise
from tests.capture.rehearsal.rehearsed import BEGIN, rehearsed

TRAIN = """
for epoch in range(2):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
"""
HEAD = """
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision import datasets, transforms
import random, torch
whole = datasets.MNIST(".", train=True, download=True, transform=transforms.ToTensor())
loader = DataLoader(whole, batch_size=50, shuffle=True)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""


def summary(trace):
    return summarise(trace, trace.request).model_dump_json()


def last(source, **settings):
    """The training of a source."""
    from grader.program.rehearsed import Rehearsal

    found = Rehearsal.model_validate_json(rehearsed(HEAD + source, summary, **settings))
    assert found.counting is not None
    return found.counting


def test_a_transform_made_by_hand_is_proven():
    found = last(
        """
whole.transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Lambda(lambda image: (image - 0.1307) / 0.3081),
])
"""
        + TRAIN
    )
    assert [item.name for item in found.recipe.augmentations] == ["ToTensor", "Normalize"]
    text = BEGIN + HEAD
    assert found.recipe.lines["train_transform"] == text.count("\n") + 2


def test_an_own_data_set_around_a_split():
    found = last(
        """
class Augmented(Dataset):
    def __init__(self, part):
        self.part = part
    def __len__(self):
        return len(self.part)
    def __getitem__(self, index):
        image, label = self.part[index]
        return image.flip(-1) if random.random() < 0.5 else image, label

part, _ = random_split(whole, [800, 200])
loader = DataLoader(Augmented(part), batch_size=50, shuffle=True)
"""
        + TRAIN
    )
    assert found.recipe.images == 800
    assert [item.name for item in found.recipe.augmentations] == [
        "ToTensor",
        "RandomHorizontalFlip",
    ]


def test_a_network_is_named_with_its_arguments_within_data_parallel():
    found = last(
        """
class Wide(Net):
    def __init__(self, width, dropout=0.1):
        super().__init__()

model = torch.nn.DataParallel(Wide(16, dropout=0.2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
        + TRAIN
    )
    assert found.recipe is not None, found.obstacles
    assert (found.network.name, found.network.arguments) == ("Wide", (16,))
    assert found.network.keywords == {"dropout": 0.2}


def test_a_mean_that_is_computed_is_the_data_sets():
    found = last(
        """
from torch.utils.data import TensorDataset
pixels = whole.data.float() / 255
pixels = ((pixels - pixels.mean()) / pixels.std()).unsqueeze(1)
loader = DataLoader(TensorDataset(pixels, whole.targets), batch_size=50, shuffle=True)
"""
        + TRAIN,
        train_images=60_000,
    )
    assert found.recipe is not None, found.obstacles
    normalize = found.recipe.augmentations[1]
    assert normalize.settings == {"mean": [0.1307], "std": [0.3081]}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "whole.transform = transforms.Compose([transforms.ToTensor(), lambda x: x.sqrt()])",
            "equals no operation of torchvision",
        ),
        (
            "whole.targets = whole.targets.clone(); keep = whole.targets > 2\n"
            "whole.data, whole.targets = whole.data[keep], whole.targets[keep]\n"
            "loader = DataLoader(whole, batch_size=50, shuffle=True)",
            "Images of some classes are left out",
        ),
        (
            "optimizer = torch.optim.Adamax(model.parameters())",
            "Adamax is not an optimizer that the grader has",
        ),
    ],
)
def test_what_is_refused(source, expected):
    found = last(source + "\n" + TRAIN)
    assert found.recipe is None
    assert any(expected in remark.text for remark in found.obstacles)


def test_the_line_of_epochs_is_that_of_their_loop():
    found = last(TRAIN)
    text = BEGIN + HEAD + TRAIN
    lines = text.split("\n")
    assert lines[found.recipe.lines["epochs"] - 1] == "for epoch in range(2):"
