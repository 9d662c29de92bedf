"""One training loop, timed in a process of its own.

`python -m bench.contender student|eager FOLDER N --device cpu` trains on N images of MNIST.
`student` is the loop that students write: DataLoader, torchvision's transforms on PIL images,
loss.backward(), optimizer.step(). `eager` is the grader's plain loop. Both train the same network
by the same recipe, for two epochs, of which the second is timed. Out: one line of JSON, seconds of
training and of the look at 10,000 test images.
"""

from __future__ import annotations

import json
import runpy
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from bench import subject

app = typer.Typer(add_completion=False)


@app.command()
def student(
    folder: Path, images: int, device: str = "cpu", workers: Annotated[int, typer.Option(min=0)] = 0
) -> None:
    """The loop that students write, with so many worker processes for loading."""
    own = runpy.run_path(str(subject.FILE))
    model = own["Net"]().to(device)
    settings = own["configure_optimizers"](model, -(-images // subject.BATCH), subject.EPOCHS)
    optimizer, scheduler = settings["optimizer"], settings["lr_scheduler"]["scheduler"]
    seen = datasets.MNIST(folder, train=True, transform=own["train_transform"])
    plain = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    loading: dict[str, Any] = {"num_workers": workers, "pin_memory": device == "cuda"}
    train = DataLoader(
        Subset(seen, range(images)), batch_size=subject.BATCH, shuffle=True, **loading
    )
    test = DataLoader(
        datasets.MNIST(folder, train=False, transform=plain), batch_size=1000, **loading
    )
    for _ in range(2):
        began = time.perf_counter()
        _learn(model, train, own["criterion"], optimizer, scheduler, device)
        trained = time.perf_counter()
        _test(model, test, device)
        done = time.perf_counter()
    _say(trained - began, done - trained)


def _learn(
    model: nn.Module,
    batches: DataLoader[Any],
    loss: Any,
    optimizer: Any,
    scheduler: Any,
    device: str,
) -> None:
    model.train()
    running = 0.0
    for pixels, labels in batches:
        pixels, labels = pixels.to(device), labels.to(device)
        optimizer.zero_grad()
        value = loss(model(pixels), labels)
        value.backward()
        optimizer.step()
        scheduler.step()
        running += value.item()


@torch.no_grad()
def _test(model: nn.Module, batches: DataLoader[Any], device: str) -> int:
    model.eval()
    return sum(
        int((model(pixels.to(device)).argmax(1).cpu() == labels).sum())
        for pixels, labels in batches
    )


@app.command()
def eager(folder: Path, images: int, device: str = "cpu") -> None:
    """The grader's plain loop, without what makes it fast."""
    from grader import network
    from grader.training.engine.loop import train

    captured, data = subject.capture(images), subject.images(folder, images)
    model = network.build(captured.program, captured.values[0], device)
    *_, last = train(model, captured.program.recipe, data, seed=0, epochs=2)
    _say(last.seconds, last.evaluation_seconds)


def _say(seconds: float, evaluation_seconds: float) -> None:
    typer.echo(json.dumps({"seconds": seconds, "evaluation_seconds": evaluation_seconds}))


if __name__ == "__main__":
    app()
