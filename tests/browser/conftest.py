"""Pages in a real browser: `nox -s browser`. Without Playwright nothing is collected here."""

import shutil
from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium():
    """The system's own browser, whatever it is called here; none is downloaded."""
    from playwright.sync_api import sync_playwright  # only where this test is collected

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as player:
        # The sandbox of the browser cannot start for root in a container; the pages are our own.
        browser = player.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
