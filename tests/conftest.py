"""Options: `--hostile`, `--thorough`, `--update-golden`, and MNIST where GRADER_DATA says it is."""

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

from grader.sandbox import isolation
from grader.sandbox.zygote import Zygote
from tests import sandboxes

# As in the zygote (`grader.capture.__main__`): after an export the first backward pass would start
# a thread, and nothing that uses autograd could be forked.
torch.ones(1, requires_grad=True).sum().backward()

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # the workers share the cores: with more threads each they wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is asked of all programs of a shell would change what the grader's processes say and do: here
# they are as on any other machine. (`grader ci` writes into what GITHUB_STEP_SUMMARY names.)
OF_THE_SHELL = {
    *("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CLICOLOR_FORCE"),
    *("TERMINAL_WIDTH", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI"),
}
for name in list(os.environ):
    of_python = name.startswith("PYTHON") and name not in ("PYTHONPATH", "PYTHONHOME")
    if of_python or name in OF_THE_SHELL:
        del os.environ[name]

# A shared machine can be slow for a moment: no deadline, and the same examples every time.
settings.register_profile(
    "normal", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """The grader's cache of these tests: what it remembers of earlier runs decides nothing here.

    Each process has its own, for two that make the key of seals at once would disagree on it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


# Fixtures of the whole session begin once in each process that runs tests, and only when asked for.


@pytest.fixture(scope="session")
def locked():
    """A zygote of level 2."""
    sandboxes.needs(2)
    with Zygote() as zygote:
        yield zygote


@pytest.fixture(scope="session")
def boxed():
    """A zygote of level 3."""
    sandboxes.needs(3)
    with Zygote(boxed=True) as zygote:
        yield zygote


@pytest.fixture(scope="session")
def proven(request):
    """The strongest sandbox of this machine, as the product would choose it."""
    if sandboxes.missing(2):
        return isolation.fresh(sandboxes.missing(2))
    return sandboxes.shown(request.getfixturevalue("locked" if sandboxes.missing(3) else "boxed"))


@pytest.fixture
def one_sandbox(proven):
    """Commands that the test runs in this process read work in `proven`."""
    with sandboxes.in_one(proven):
        yield proven


def pytest_addoption(parser):
    parser.addoption(
        "--hostile",
        action="store_true",
        help="grade every hostile submission at each of its levels",
    )
    parser.addoption(
        "--thorough", action="store_true", help="run many more examples, and all tests"
    )
    parser.addoption(
        "--update-golden",
        "--write-golden",
        action="store_true",
        help="write tests/render/golden/ anew",
    )
    parser.addoption("--screenshots", help="a folder for pictures of the pages (tests/browser)")


def pytest_configure(config):
    settings.load_profile("normal")
    os.environ["GRADER_THOROUGH"] = "1" if config.getoption("--thorough") else ""


def pytest_collection_modifyitems(config, items):
    thorough, hostile = config.getoption("--thorough"), config.getoption("--hostile")
    without = {
        "thorough": None if thorough else "long: run with --thorough",
        "hostile": None if hostile or thorough else "minutes: run with --hostile",
        "mnist": None if os.environ.get("GRADER_DATA") else "needs MNIST: set GRADER_DATA",
    }
    for item in items:
        for name, reason in without.items():
            if reason and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))
