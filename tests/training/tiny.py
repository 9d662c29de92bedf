"""Data sets in little: the same files, with the same headers, and only a few images in them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from grader.training.datasets import DATASETS, Dataset


def tiny(name: str, train_images: int = 60, test_images: int = 20) -> Dataset:
    """The data set of that name with so many images."""
    return replace(DATASETS[name], train_images=train_images, test_images=test_images)


def write(dataset: Dataset, root: Path) -> Dataset:
    """Write its files to `root` as torchvision lays them out; the same data set, with their sums.

    The classes take turns, and each has a picture of its own in some noise. Sums are for a data set
    that has some.
    """
    assert dataset.download is not None
    folder = root / dataset.download.folder / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    pictures = draw.integers(0, 200, (dataset.classes, *dataset.input_shape[1:]))
    sums = []
    for file in dataset.files:
        classes = np.arange(file.shape[0]) % dataset.classes
        body = classes + dataset.first_label
        if len(file.shape) == 3:
            body = pictures[classes] + draw.integers(0, 50, file.shape)
        content = file.header + body.astype(np.uint8).tobytes()
        (folder / file.name).write_bytes(content)
        sums.append(hashlib.md5(content).hexdigest())
    return replace(dataset, md5=tuple(sums)) if any(dataset.md5) else dataset
