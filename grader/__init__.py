"""Grade small PyTorch networks: read as data, proven, trained, judged.

Importing this loads nothing. In a notebook, `grader.check(Net)` and `grader.grade(Net)` are self-
checks: they show what the grader would say, and are never a grade.
"""

import sys
from importlib import import_module

__version__ = "0.1.0"
NOTEBOOK = ("check", "grade")

if sys.version_info < (3, 11):  # noqa: UP036 - an older one reads this, to say so
    found = ".".join(map(str, sys.version_info[:3]))
    sentence = f"The grader needs Python 3.11 or newer, and this is {found} ({sys.executable})."
    if sys.argv[:1] == ["-m"]:  # a command: no traceback
        sys.exit(sentence)
    raise ImportError(sentence)


def __getattr__(name):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - any Python reads it
    """Find what a notebook calls, when it is asked for."""
    if name not in NOTEBOOK:
        raise AttributeError(f"module 'grader' has no attribute {name!r}")
    if "grader.capture" in sys.modules:
        # A rehearsal runs the notebook: there is nothing to check in there.
        return lambda *arguments, **named: None
    return getattr(import_module("grader.command.notebook"), name)


def load_ipython_extension(shell):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - the same
    """Make `%grader` known to IPython: `%load_ext grader`."""
    import_module("grader.command.notebook").load_magic(shell)
