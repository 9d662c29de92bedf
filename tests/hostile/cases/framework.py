"""Submissions that bring pytest's own settings and plugins along. None has an effect: the checks are the grader's."""

from __future__ import annotations

from tests.hostile.case import CANARY, HUGE, PASSES, USES_HUGE, Case, fails, net

CONFTEST = "conftest.py"
INI = "pytest.ini"
PLUGIN = "a *.dist-info with a pytest11 entry point"
ADDOPTS = "PYTEST_ADDOPTS"
ENTRIES = (CONFTEST, INI, PLUGIN, ADDOPTS)

TOO_LARGE = net(after=HUGE, end=USES_HUGE)
STILL_FAILS = fails("parameter_limit", words="47,650 parameters")
ALL_PASS = """
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    call.excinfo = None
    outcome.get_result().outcome = "passed"

def pytest_collection_modifyitems(items):
    items.clear()
"""
EDIT = f"open('{CANARY}/labels', 'w').write('hostile-mark')\n"


def with_addopts(value: str) -> Case:
    """A network that is too large, graded where PYTEST_ADDOPTS says this."""
    return Case(
        f"PYTEST_ADDOPTS={value}",
        ADDOPTS,
        TOO_LARGE,
        STILL_FAILS,
        environment={"PYTEST_ADDOPTS": value},
    )


CASES = (
    Case(
        "a conftest.py beside it",
        CONFTEST,
        TOO_LARGE,
        STILL_FAILS,
        beside={"conftest.py": EDIT + ALL_PASS},
    ),
    Case(
        "a conftest.py above it",
        CONFTEST,
        TOO_LARGE,
        STILL_FAILS,
        beside={"../conftest.py": EDIT + ALL_PASS},
    ),
    Case(
        "a conftest.py in the child",
        CONFTEST,
        net("open('conftest.py', 'w').write('1 / 0')"),
        PASSES,
    ),
    Case(
        "a submission called conftest.py", CONFTEST, TOO_LARGE, STILL_FAILS, filename="conftest.py"
    ),
    Case(
        "a submission called test_net.py",
        CONFTEST,
        TOO_LARGE + "\n\ndef test_it(): pass",
        STILL_FAILS,
        filename="test_net.py",
    ),
    *(
        Case(f"{name} beside it", INI, TOO_LARGE, STILL_FAILS, beside={name: text})
        for name, text in {
            "pytest.ini": "[pytest]\naddopts = --collect-only -p hostile\n",
            "tox.ini": "[pytest]\naddopts = --deselect=test_parameter_limit\n",
            "setup.cfg": "[tool:pytest]\naddopts = --co\n",
            "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-k nothing"\n',
        }.items()
    ),
    Case(
        "a plugin beside it",
        PLUGIN,
        TOO_LARGE,
        STILL_FAILS,
        beside={
            "hostile-1.dist-info/entry_points.txt": "[pytest11]\nhostile = hostile\n",
            "hostile-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: hostile\nVersion: 1\n",
            "hostile.py": EDIT + ALL_PASS,
        },
        environment={"PYTHONPATH": f"{CANARY}/../submissions"},
    ),
    Case(
        "PYTEST_PLUGINS",
        PLUGIN,
        TOO_LARGE,
        STILL_FAILS,
        beside={"hostile.py": EDIT + ALL_PASS},
        environment={"PYTEST_PLUGINS": "hostile"},
    ),
    Case(
        "pytest replaced in the child",
        PLUGIN,
        net("import sys; sys.modules['pytest'] = sys"),
        PASSES,
    ),
    with_addopts("--collect-only"),
    with_addopts("-k nothing"),
    with_addopts("-p no:python"),
    with_addopts("--no-such-option"),
)
