"""One zygote per level for all tests here: starting one takes seconds."""

from __future__ import annotations

import sys

import pytest

from grader.sandbox import box, lock


def needs(level: int) -> None:
    """Skip where this machine cannot have that level."""
    reason = lock.missing() or (box.missing() if level == 3 else "")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def locked():
    """A zygote of level 2."""
    needs(2)
    from grader.sandbox.zygote import Zygote

    with Zygote() as zygote:
        yield zygote


@pytest.fixture(scope="session")
def boxed():
    """A zygote of level 3."""
    needs(3)
    from grader.sandbox.zygote import Zygote

    with Zygote(boxed=True) as zygote:
        yield zygote


@pytest.fixture(scope="session", params=[2, 3], ids=["self-locked", "boxed"])
def zygote(request):
    """The zygote of each level above the first."""
    return request.getfixturevalue("locked" if request.param == 2 else "boxed")


@pytest.fixture
def linux():
    """Skip elsewhere."""
    if not sys.platform.startswith("linux"):
        pytest.skip("Linux only")
