"""The command line: parse, call, exit. `python -m grader --help` loads no torch.

Exit codes: 0 when every required check passed, 1 when one failed or could not tell, 2 for wrong
usage, 3 when the grader itself could not grade, 130 when it was interrupted.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # `python -m grader` looks for modules in the current folder first: torch would import a
    # student's cuda.py, and everything a student's random.py.
    del sys.path[0]

import shlex
from functools import partial

from grader.command.endings import code_of, guarded
from grader.command.line import student, teaching
from grader.command.line.app import app
from grader.render.called import NAME, program

__all__ = ["app", "main", "student", "teaching"]

# Threads that wait by spinning make training ten times slower as soon as anything else runs on the
# machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """Run the command of the command line, and end with its exit code."""
    try:
        app(prog_name=_named())
    except SystemExit as end:
        # The help is printed outside of any command.
        code = guarded(partial(code_of, end))
        raise SystemExit(code) from end
    except OSError as error:
        raise SystemExit(guarded(partial(_fail, error))) from error


def _named() -> str:
    """What the help calls it. Shells complete a program in any folder by its name alone."""
    words = shlex.split(program())
    return program() if len(words) > 1 else NAME


def _fail(error: OSError) -> int:
    raise error


if __name__ == "__main__":
    main()
