"""Ctrl-C for a program under test, wherever the tests themselves were started."""

import signal


def heard() -> None:
    """Hear SIGINT again: a shell's background job (`pytest &` in a script) and all that it starts ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
