"""Start the process in which contenders take turns, and gather what it finds.

It has the environment of a training process of the grader: how OpenMP's threads wait for work
decides how fast the others are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grader.errors import GraderError
from grader.training.worker import process

ROOT = Path(__file__).parents[2]
IMAGES = 10_240
"""A turn of machine code: half a second of sub_8k on an idle machine."""
FEWEST = 400
"""The slow ones then have 160, of which a rule that follows a metric takes some: a batch is 128."""
MOST_ROUNDS = 12
"""The shortest recipe has 15 epochs."""

Finding = dict[str, Any]


def measure(
    folder: Path | None,
    names: Sequence[str],
    *,
    rounds: int,
    busy: bool = False,
    images: int = IMAGES,
    threads: int = 2,
    told: Callable[[str], None] = lambda line: None,
) -> list[Finding]:
    """All findings; `told` hears of each. `folder` holds MNIST; None: the practice digits."""
    settings = {
        "folder": str(folder.absolute()) if folder else "",
        "references": list(names),
        "rounds": rounds,
        "busy": busy,
        "images": images,
        "threads": threads,
    }
    command = [sys.executable, "-W", "ignore", "-m", "bench.engines.turns", json.dumps(settings)]
    began = time.perf_counter()
    found: list[Finding] = []
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        cwd=ROOT,
        env=process.environment(os.environ),
        stdout=subprocess.PIPE,
        text=True,
    ) as turns:
        assert turns.stdout is not None
        for line in turns.stdout:
            if line.startswith("{"):
                found.append(json.loads(line))
                told(f"{time.perf_counter() - began:5.0f} s  {_words(found[-1])}")
    if turns.returncode:
        raise GraderError(f"The process that measures ended with status {turns.returncode}.")
    return found


def _words(finding: Finding) -> str:
    words = [finding.get("reference", ""), finding["kind"], finding.get("way", "")]
    if finding["kind"] == "turn":
        rate = finding["images"] / (finding["seconds"] + finding["look_seconds"])
        words.append(f"round {finding['round']}: {rate:,.0f} images/s")
    if finding["kind"] == "peak":
        words.append(f"{finding['gflops']:,.0f} GFLOP/s by {finding['how']}")
    return " ".join(filter(None, [*words, finding.get("why", "")]))
