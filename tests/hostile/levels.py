"""Grade every case of one level, one after the other, in one process."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import warnings
from pathlib import Path

from grader.sandbox.isolation import Fresh
from grader.sandbox.zygote import Zygote
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
