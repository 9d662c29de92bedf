"""How a command ends: what can go wrong becomes a message on standard error and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable

from grader.errors import GraderError

Work = Callable[[], int]


def guarded(work: Work) -> int:
    """Run a command; what can go wrong becomes a message on standard error and an exit code."""
    from grader.submission.submission import UsageError

    try:
        code = work()
        if sys.stdout is not None:
            sys.stdout.flush()  # what it still holds may find the disk full
        return code
    except UsageError as error:
        print(str(error), file=sys.stderr)  # noqa: T201 - messages go to standard error
        return 2
    except GraderError as error:
        print(f"The grader cannot work here: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 3
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read the output has seen enough; typer knows what to do
        why = error.strerror or str(error)
        print(f"The grader cannot work here: {why}", file=sys.stderr)  # noqa: T201 - as above
        _let_go_of_output()
        return 3
    except KeyboardInterrupt:
        said = "Interrupted. Finished reports are kept; the same command goes on from there."
        print(said, file=sys.stderr)  # noqa: T201 - as above
        return 130


def code_of(end: SystemExit) -> int:
    """The exit code that it stands for."""
    return end.code if isinstance(end.code, int) else int(end.code is not None)


def _let_go_of_output() -> None:
    """What could not be printed is not tried again: Python would end with 120 for it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
