"""Commands that the grader prints begin as the user began."""

import json
from importlib import metadata

import pytest

from grader.render.called import called


@pytest.fixture
def start(monkeypatch):
    """Pretend that this process was started so."""

    def begin(*, typed="python", program="grader", found="", prefix="/usr", **environment):
        monkeypatch.setattr("sys.orig_argv", [typed])
        monkeypatch.setattr("sys.argv", [program])
        monkeypatch.setattr("sys.prefix", prefix)
        monkeypatch.setattr("shutil.which", lambda name: f"{found}/{name}" if found else None)
        for name in ("NOX_CURRENT_SESSION", "UV"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return begin


def test_a_program_on_the_path_is_called_by_its_name(start):
    start(program="/home/ada/.local/bin/grader", found="/home/ada/.local/bin")
    assert called("explain", "gap") == "grader explain gap"


@pytest.mark.parametrize("found", ["", "/another/place"])
def test_a_program_that_the_shell_does_not_find_is_called_by_its_path(start, found):
    start(program=".venv/bin/grader", found=found)
    assert called("explain", "gap") == ".venv/bin/grader explain gap"
    start(program="/my files/grader", found=found)
    assert called("explain", "gap") == "'/my files/grader' explain gap"


@pytest.mark.parametrize("typed", ["python", "python3.12", ".venv/bin/python"])
def test_where_python_started_it_the_commands_begin_as_python_was_typed(start, typed):
    start(typed=typed, program="/somewhere/grader/__main__.py")
    assert called("explain", "gap") == f"{typed} -m grader explain gap"


@pytest.mark.parametrize(
    ("facts", "origin"),
    [
        ({"url": "file:///home/ada/the%20grader", "dir_info": {}}, "'/home/ada/the grader'"),
        (
            {"url": "https://there/grader.git", "vcs_info": {"vcs": "git", "commit_id": "12"}},
            "git+https://there/grader.git",
        ),
        (
            {"url": "file:///g", "vcs_info": {"vcs": "git", "requested_revision": "v1"}},
            "git+file:///g@v1",
        ),
        ({"url": "https://there/grader-1.whl", "archive_info": {}}, "https://there/grader-1.whl"),
        (None, "grader"),
    ],
)
def test_where_uvx_started_it_the_package_comes_from_where_it_came_from(
    start, monkeypatch, facts, origin
):
    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return None if facts is None else json.dumps(facts)

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    place = "/home/ada/.cache/uv/archive-v0/Bj-e99"
    start(program=f"{place}/bin/grader", found=f"{place}/bin", prefix=place, UV="/somewhere/uv")
    assert called("grade", "a b.py") == f"uvx --from {origin} grader grade 'a b.py'"


def test_where_nox_started_it_the_commands_are_those_of_nox(start):
    start(NOX_CURRENT_SESSION="grade")
    assert called("explain", "gap") == "nox -s explain -- gap"
    assert called("check-assignment", "mine") == "nox -s grader -- check-assignment mine"
    start(NOX_CURRENT_SESSION="grade", UV="/somewhere/uv")
    assert called("explain", "gap") == "uvx nox -s explain -- gap"


def test_in_a_notebook_it_is_called_by_its_name(start):
    start(program="/lib/ipykernel_launcher.py")
    assert called("explain", "gap") == "grader explain gap"
