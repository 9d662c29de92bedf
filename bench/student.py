"""The loop that students write, around a reference's own file: DataLoader, PIL, torch.optim.

Images are loaded one by one from memory, as torchvision's MNIST does it.
"""

from __future__ import annotations

import runpy
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bench.driver import Turn
from grader.training.data import Data

PLAIN = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])


class Images(Dataset[tuple[Any, int]]):
    """Digits as `torchvision.datasets.MNIST` hands them out."""

    def __init__(
        self, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], transform: Any
    ) -> None:
        self._pixels = torch.tensor(pixels[:, 0])
        self._labels = torch.tensor(labels)
        self._transform = transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, place: int) -> tuple[Any, int]:
        image = Image.fromarray(self._pixels[place].numpy())
        return self._transform(image), int(self._labels[place])


class Student:
    """The network `model` of a file in training, as its author would train it.

    `workers` processes load the images; none of them: the training's own.
    """

    engine = "the student's loop"

    def __init__(
        self, file: Path, model: str, images: Data, device: str = "cpu", workers: int = 0
    ) -> None:
        own = runpy.run_path(str(file))
        self._device = device
        self._model = own[model]().to(device)
        self._loss = own.get("criterion") or nn.CrossEntropyLoss()
        self._clip = own.get("GRADIENT_CLIP_NORM")
        pin = device == "cuda"
        self._train = DataLoader(
            Images(
                images.training.train_images,
                images.training.train_labels,
                own.get("train_transform") or PLAIN,
            ),
            batch_size=own["BATCH_SIZE"],
            shuffle=True,
            num_workers=workers,
            pin_memory=pin,
        )
        self._test = DataLoader(
            Images(images.training.test_images, images.test_labels, PLAIN),
            batch_size=1000,
            num_workers=workers,
            pin_memory=pin,
        )
        self._images = len(images.training.train_images)
        made = own["configure_optimizers"](self._model, len(self._train), own["EPOCHS"])
        self._optimizer, self._each_step, self._each_epoch = _unpacked(made)

    def turn(self) -> Turn:
        """One epoch, then the test images."""
        began, used = time.perf_counter(), time.process_time()
        loss = self._learn()
        trained = time.perf_counter()
        self._look()
        done, processor = time.perf_counter(), time.process_time() - used
        if isinstance(self._each_epoch, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._each_epoch.step(loss)
        elif self._each_epoch is not None:
            self._each_epoch.step()
        return Turn(self._images, trained - began, done - trained, done - began, processor)

    def close(self) -> None:
        """There is nothing to end."""

    def _learn(self) -> float:
        self._model.train()
        running = 0.0
        for pixels, labels in self._train:
            pixels, labels = pixels.to(self._device), labels.to(self._device)
            self._optimizer.zero_grad()
            value = self._loss(self._model(pixels), labels)
            value.backward()
            if self._clip:
                nn.utils.clip_grad_norm_(self._model.parameters(), self._clip)
            self._optimizer.step()
            if self._each_step is not None:
                self._each_step.step()
            running += value.item()
        return running

    @torch.no_grad()
    def _look(self) -> int:
        self._model.eval()
        right = 0
        for pixels, labels in self._test:
            scores = self._model(pixels.to(self._device))
            right += int((scores.argmax(1).cpu() == labels).sum())
        return right


def _unpacked(made: Any) -> tuple[torch.optim.Optimizer, Any, Any]:
    """The optimizer; the scheduler that is stepped after each batch; or after each epoch."""
    if isinstance(made, torch.optim.Optimizer):
        return made, None, None
    if isinstance(made, tuple):
        return made[0], None, made[1]
    said = made.get("lr_scheduler")
    if not isinstance(said, dict):
        return made["optimizer"], None, said
    by_step = said.get("interval") == "step"
    scheduler = said["scheduler"]
    return made["optimizer"], scheduler if by_step else None, None if by_step else scheduler
