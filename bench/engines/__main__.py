"""`python -m bench.engines [--rounds N] [--references NAME ...] [--busy]`: measure and print."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import references
from bench.engines import measuring, table
from grader.errors import GraderError
from grader.training import lab_note
from grader.training.data import default_folder


def main(arguments: Sequence[str]) -> int:
    """Measure, print and return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        names = references.chosen(asked.references)
        folder = None if asked.practice else asked.data or default_folder()
        references.images(folder, 1, 1)
        found = measuring.measure(
            folder,
            names,
            rounds=asked.rounds,
            busy=asked.busy,
            images=asked.images,
            threads=asked.threads,
            told=_progress,
        )
    except GraderError as error:
        _progress(str(error))
        return 2
    for line in [*table.lines(found, asked.threads), "", note(asked.rounds)]:
        print(line)  # noqa: T201
    return 0


def note(rounds: int) -> str:
    """Where and when, how often."""
    here = lab_note.describe(device="cpu", isolation="")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"Lab note: {datetime.now(UTC):%Y-%m-%d}, {here.processor}, {here.cores} cores, "
        f"{here.platform}, torch {here.torch}, Python {here.python}; {rounds} rounds after one to "
        f"warm up; load average {load:.1f} at the end."
    )


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.engines",
        description="Time the engines of a processor beside the student's loop.",
    )
    parser.add_argument("--rounds", type=_rounds, default=3, help="turns of each contender")
    parser.add_argument("--references", nargs="+", default=[], metavar="NAME", help="all, if none")
    parser.add_argument("--busy", action="store_true", help="also beside a busy process")
    parser.add_argument("--data", type=Path, help="the folder that holds MNIST/raw")
    parser.add_argument("--practice", action="store_true", help="train on the practice digits")
    parser.add_argument("--threads", type=int, default=2, help="of one seed")
    parser.add_argument(
        "--images",
        type=_images,
        default=measuring.IMAGES,
        help="trained on by machine code in a turn; the others train on less",
    )
    return parser


def _rounds(text: str) -> int:
    rounds = int(text)
    if not 1 <= rounds <= measuring.MOST_ROUNDS:
        raise argparse.ArgumentTypeError(f"from 1 to {measuring.MOST_ROUNDS}")
    return rounds


def _images(text: str) -> int:
    images = int(text)
    if images < measuring.FEWEST:
        raise argparse.ArgumentTypeError(f"at least {measuring.FEWEST}: a batch for everyone")
    return images


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
