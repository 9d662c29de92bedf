"""Traces as the stand-ins would write them, made by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import datasets, transforms

from grader.capture.rehearsal.loaders import LINE
from grader.capture.rehearsal.trace import (
    Clip,
    LossCall,
    Objective,
    SchedulerRecord,
    StepKind,
    Trace,
    TrainingRecord,
    Walk,
)
from grader.program.listing import Listing
from grader.program.rehearsed import RehearsalRequest

IMAGES = 600
PLAIN = LossCall("cross_entropy", (), (), True, True, line=30)


def request(**changes: Any) -> RehearsalRequest:
    """For a data set of 600 training and 100 test images."""
    settings: dict[str, Any] = {
        "listing": Listing.of_file("train.py", "x = 1\n" * 50),
        "seconds": 5,
        "dataset": "mnist",
        "train_images": IMAGES,
        "test_images": 100,
        "input_shape": (1, 28, 28),
        "classes": 10,
        "most_steps": 100_000,
    }
    return RehearsalRequest(**settings | changes)


def images(transform: Any = None, *, train: bool = True, count: int = IMAGES) -> datasets.MNIST:
    """torchvision's MNIST without its files."""
    made = datasets.MNIST.__new__(datasets.MNIST)
    datasets.VisionDataset.__init__(made, ".", transform=transform)
    made.train = train
    pixels = torch.randint(0, 256, (8, 28, 28), generator=torch.Generator().manual_seed(1))
    made.data = pixels.to(torch.uint8).repeat(count // 8 + 1, 1, 1)[:count]
    made.targets = torch.arange(count) % 10
    return made


def objective(*calls: LossCall, factor: float = 1.0, **more: Any) -> Objective:
    """The sum of losses, each with the factor."""
    return Objective(tuple((call, factor) for call in calls or (PLAIN,)), line=31, **more)


def kind(*objectives: Objective, clips: Sequence[Clip] = (), **changes: Any) -> StepKind:
    """One kind of step: cross entropy, untouched images."""
    settings: dict[str, Any] = {"images": "untouched", "zeroed": True} | changes
    return StepKind(objectives or (objective(),), tuple(clips), **settings)


Schedulers = Sequence[Callable[[Any], Any]]


class Made:
    """A trace with one training, of which a test changes what it is about."""

    def __init__(
        self,
        *,
        dataset: Dataset[Any] | None = None,
        network: nn.Module | None = None,
        optimizer: Callable[[Any], torch.optim.Optimizer] | None = None,
        epochs: int = 3,
        batch_size: int = 100,
        step: StepKind | None = None,
        **loader: Any,
    ) -> None:
        self.request = request()
        self.trace = Trace(self.request)
        self.network = network or nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        self.dataset = dataset or images(transforms.ToTensor())
        self.epochs = epochs
        self.loader: Any = DataLoader(
            self.dataset, batch_size=batch_size, **({"shuffle": True} | loader)
        )
        vars(self.loader)[LINE] = 12
        self.trace.networks[id(self.network)] = self.network
        self.trace.network_lines[id(self.network)] = 15
        self.record = self.train(optimizer, step)

    def train(
        self,
        optimizer: Callable[[Any], torch.optim.Optimizer] | None = None,
        step: StepKind | None = None,
    ) -> TrainingRecord:
        """One more optimizer on the network, for all epochs."""
        make = optimizer or (lambda weights: torch.optim.SGD(weights, lr=0.1))
        made = make(self.network.parameters())
        record = TrainingRecord(made, type(made).__name__, 20)
        record.groups = [dict(group) for group in made.param_groups]
        self.trace.trainings.append(record)
        record.networks[id(self.network)] = 1
        for _ in range(self.epochs):
            walk = self.walk(self.loader, training=True)
            walk.steps = len(self.loader)
            record.walks.append([walk, len(self.loader)])
        record.steps = self.epochs * len(self.loader)
        used = step or kind()
        record.kinds, record.lines = Counter({used: record.steps}), {used: 32}
        record.curve = [[self.rates(made), record.steps]]
        return record

    def walk(self, loader: Any, *, training: bool) -> Walk:
        """A walk over a loader to its end."""
        found = Walk(loader, len(loader), 0, line=25, batches=len(loader), complete=True)
        inner = loader.dataset
        while isinstance(inner, Subset):
            inner = inner.dataset
        found.transform = getattr(inner, "transform", None)
        found.networks = {id(self.network)}
        found.forwards[type(self.network).__name__, training] += 1
        self.trace.walks.append(found)
        return found

    @staticmethod
    def rates(optimizer: torch.optim.Optimizer) -> Any:
        """Learning rates, momenta and weight decays of all groups."""
        groups = optimizer.param_groups
        momenta = [
            group["betas"][0] if "betas" in group else group.get("momentum") for group in groups
        ]
        decays = [group.get("weight_decay", 0) for group in groups]
        return tuple(group["lr"] for group in groups), tuple(momenta), tuple(decays)

    def schedule(self, make: Callable[[Any], Any], *, every: int) -> SchedulerRecord:
        """Let a scheduler step after so many steps of the optimizer (0: never)."""
        record, taken = self.record, 0
        scheduler = make(record.optimizer)
        record.optimizer._opt_called = True
        said = SchedulerRecord(scheduler, type(scheduler).__name__, 22)
        record.schedulers.append(said)
        record.curve = []
        for step in range(1, record.steps + 1):
            record.curve.append([self.rates(record.optimizer), 1])
            if every and step % every == 0 and step < record.steps:
                scheduler.step()
                taken += 1
        said.steps = taken + (1 if every == len(self.loader) else 0)
        return said
