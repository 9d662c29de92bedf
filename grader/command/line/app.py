"""What all commands share: the program itself, and the options that several of them have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import grader
from grader.command.choices import Commands
from grader.render import formats
from grader.training.datasets import DATASETS

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Engine(StrEnum):
    """What computes the steps of a training."""

    AUTO = "auto"
    LANES = "lanes"
    TORCH = "torch"


class Device(StrEnum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Platform(StrEnum):
    """Whose gradebook is written."""

    CANVAS = "canvas"
    MOODLE = "moodle"
    NBGRADER = "nbgrader"
    OTTER = "otter"


class BoardForm(StrEnum):
    """How a leaderboard is shown."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def seeds_of(value: str) -> int | None:
    """How many training runs are wanted. Raises typer.BadParameter."""
    if value == "auto":
        return None
    if not value.isdigit() or not 1 <= int(value) <= 100:
        raise typer.BadParameter(f"{value!r}: write a number from 1 to 100, or auto.")
    return int(value)


def dataset_of(value: str) -> str:
    """The name of a data set, or a word in its place. Raises typer.BadParameter."""
    if value not in ("auto", "own", *DATASETS):
        raise typer.BadParameter(f"{value!r}: write auto, own, or one of {', '.join(DATASETS)}.")
    return value


def format_of(value: str) -> str:
    """The name of an output format. Raises typer.BadParameter."""
    if value not in formats.every():
        raise typer.BadParameter(f"{value!r}: write one of {', '.join(formats.every())}.")
    return value


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"grader {grader.__version__}")
        raise typer.Exit


Root = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="The folder that holds assignments/ [default: the nearest above the current one, "
        "else the assignments that come with the grader].",
    ),
]
Named = Annotated[
    str | None,
    typer.Option("--assignment", help="The assignment; needed for files outside its folder."),
]

Training = Annotated[
    str | None,
    typer.Option(
        "--training",
        metavar="FILE",
        help="The file that trains, in a folder or archive that holds several.",
    ),
]
Kind = Annotated[Device, typer.Option("--device", help="Where to train.")]
By = Annotated[
    Engine, typer.Option("--engine", help="What trains: the fastest that can, or one of them.")
]
Static = Annotated[bool, typer.Option("--static", help="Only the checks that need no training.")]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", min=1, help="Train fewer epochs for a quick look; never graded."),
]
Seeds = Annotated[
    str, typer.Option("--seeds", help="Training runs; auto: as many as it takes to be sure.")
]
TrainAnyway = Annotated[
    bool, typer.Option("--train-anyway", help="Train even when a required check failed.")
]
LeastIsolation = Annotated[
    int | None,
    typer.Option(
        "--require-isolation",
        min=1,
        max=3,
        help="Refuse to grade at a weaker level of isolation.",
    ),
]


@app.callback()
def options_of_all(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which grader it is."),
    ] = False,
) -> None:
    """Grade small PyTorch networks."""
