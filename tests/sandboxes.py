"""Sandboxes that all tests of a process share: starting one takes seconds of processor time.

A test that is about how a sandbox begins and ends starts its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from grader.command.workroom import Workroom
from grader.sandbox import box, isolation, lock
from grader.sandbox.isolation import Proven
from grader.sandbox.level import Isolation
from grader.sandbox.zygote import Zygote


def missing(level: int) -> str:
    """Why this machine cannot have that level; "" where it can."""
    return lock.missing() or (box.missing() if level == 3 else "")


def needs(level: int) -> None:
    """Skip where this machine cannot have that level."""
    if reason := missing(level):
        pytest.skip(reason)


def shown(zygote: Zygote) -> Proven:
    """The same sandbox as the product chooses it: probed."""
    level = 3 if zygote.boxed else 2
    found = isolation.tried(zygote)
    return Proven(zygote, Isolation(level, "" if zygote.boxed else missing(3), found))


@contextmanager
def in_one(sandbox: Proven) -> Iterator[None]:
    """Meanwhile every command of this process reads work in that sandbox, and starts none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workroom, "begin", lambda self, **_: None)
        patch.setattr(Workroom, "sandbox", sandbox)
        yield
