"""The command line: parse, call, exit. `python -m grader --help` loads no torch.

Exit codes: 0 when every required check passed, 1 when one failed or could not tell, 2 for wrong
usage, 3 when the grader itself could not grade, 130 when it was interrupted.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from grader.command.endings import code_of, guarded
from grader.command.line import student, teaching
from grader.command.line.app import app

__all__ = ["app", "main", "student", "teaching"]

# Threads that wait by spinning make training ten times slower as soon as anything else runs on the
# machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """Run the command of the command line, and end with its exit code."""
    try:
        app(prog_name=_called())
    except SystemExit as end:
        # The help is printed outside of any command.
        code = guarded(partial(code_of, end))
        raise SystemExit(code) from end
    except OSError as error:
        raise SystemExit(guarded(partial(_fail, error))) from error


def _called() -> str:
    """What the user typed to get here, for messages: `grader`, or `python -m grader`."""
    return "python -m grader" if Path(sys.argv[0]).stem == "__main__" else "grader"


def _fail(error: OSError) -> int:
    raise error


if __name__ == "__main__":
    main()
