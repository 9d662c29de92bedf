"""Every test of a level above the first runs at each that this machine has."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(scope="session", params=[2, 3], ids=["self-locked", "boxed"])
def zygote(request):
    """The zygote of each level above the first."""
    return request.getfixturevalue("locked" if request.param == 2 else "boxed")


@pytest.fixture
def linux():
    """Skip elsewhere."""
    if not sys.platform.startswith("linux"):
        pytest.skip("Linux only")
