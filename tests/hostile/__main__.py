"""Grade every hostile submission once, and print the table of docs/security.md: `python -m tests.hostile`."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from grader.sandbox.isolation import Fresh
from grader.sandbox.zygote import Zygote
from tests.hostile import table
from tests.hostile.catalogue import CASES
from tests.hostile.run import graded

Run = tuple[str, float, frozenset[str]]


def level(number: int) -> list[Run]:
    """Every case of that level: its name, the seconds of its child, and what went wrong."""
    warnings.simplefilter("ignore")
    logging.disable()
    runs = []
    with contextlib.ExitStack() as stack:
        sandbox = Fresh() if number == 1 else stack.enter_context(Zygote(boxed=number == 3))
        for cases in CASES.values():
            for case in cases:
                if number in case.levels:
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                    answer = graded(case, sandbox, folder)
                    runs.append((f"{case.name}, level {number}", answer.seconds, answer.kinds))
                    for complaint in answer.complaints:
                        sys.stderr.write(f"{case.name}, level {number}: {complaint}\n")
    return runs


def main() -> int:
    """Print the table; 1 when something went wrong."""
    began = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        runs = [run for found in pool.map(level, (2, 3, 1)) for run in found]
    seconds = time.monotonic() - began
    lines = [*table.counted(), *(f"| {name} | {value} |" for name, value in table.measured(runs).items())]
    sys.stdout.write("\n".join([*lines, f"| all of them, two at a time | {seconds:.0f} s |"]) + "\n")
    return int(any(wrong for _, _, wrong in runs))


if __name__ == "__main__":
    sys.exit(main())
