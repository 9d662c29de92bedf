"""One sandbox for all rehearsals."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def sandbox(locked):
    """The same locked processes as in the product."""
    return locked
