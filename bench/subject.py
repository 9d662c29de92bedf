"""What is trained for the timings: the sub-8K reference, on so many of MNIST's images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from grader import assignment
from grader.intake import intake
from grader.program.program import Captured
from grader.sandbox import isolation
from grader.submission import find
from grader.training import data
from grader.training.data import TrainingData
from grader.training.datasets import DATASETS

ROOT = Path(__file__).parents[1]
FILE = ROOT / "reference" / "mnist_8k" / "sub_8k.py"
BATCH = 128
EPOCHS = 15


def capture(train_images: int, seeds: int = 1) -> Captured:
    """The reference, captured for an epoch of so many images."""
    known = assignment.load_all(ROOT)
    (found,) = find.discover([FILE], known, root=ROOT)
    with isolation.choose() as sandbox:
        return intake.capture(
            found.source.encode(),
            found.path.name,
            known[found.assignment],
            train_images=train_images,
            seeds=range(seeds),
            sandbox=sandbox,
        )


def images(folder: Path, train_images: int) -> TrainingData:
    """The first training images of MNIST, and all test images."""
    whole = data.resolve(DATASETS["mnist"], folder, choice="mnist").read().training
    return dataclasses.replace(
        whole,
        train_images=whole.train_images[:train_images],
        train_labels=whole.train_labels[:train_images],
    )
