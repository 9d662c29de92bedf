"""One training loop, timed in a process of its own.

`python -m bench.contender student|eager FOLDER N --device cpu` trains on N images of MNIST.
`student` is the loop that students write: DataLoader, torchvision's transforms on PIL images,
loss.backward(), optimizer.step(). `eager` is the grader's plain loop. Both train the same network
by the same recipe, for two epochs, of which the second is timed. Out: one line of JSON, seconds of
training and of the look at 10,000 test images.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench import references, subject
from bench.student import Student

app = typer.Typer(add_completion=False)


@app.command()
def student(
    folder: Path, images: int, device: str = "cpu", workers: Annotated[int, typer.Option(min=0)] = 0
) -> None:
    """The loop that students write, with so many worker processes for loading."""
    training = Student(
        subject.FILE, "Net", references.images(folder, images, None), device, workers
    )
    training.turn()
    turn = training.turn()
    _say(turn.seconds, turn.look_seconds)


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
