"""Ctrl-C for a program under test, wherever the tests themselves were started."""

import signal


def heard() -> None:
    """Hear SIGINT again, which a shell's background job, and all that it starts, ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
