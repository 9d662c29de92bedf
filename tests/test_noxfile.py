"""The list of commands: a forgotten `--` is understood, and what is installed is not twice."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import nox.registry
import pytest

ROOT = Path(__file__).parents[1]


SESSIONS = {"grade", "explain", "lint", "tests", "types"}


@pytest.fixture(scope="module")
def noxfile():
    """The noxfile as a module, read afresh: nox warns where it meets a session twice."""
    nox.registry._REGISTRY.clear()
    spec = importlib.util.spec_from_file_location("our_noxfile", ROOT / "noxfile.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("-s grade model.py", "-s grade -- model.py"),
        ("-s grade a.py b.py", "-s grade -- a.py b.py"),
        ("-s explain gap", "-s explain -- gap"),
        ("-r --sessions grade my/folder", "-r --sessions grade -- my/folder"),
        ("-s grade -- model.py", None),
        ("-s grade", None),
        ("-s grade -r", None),
        ("-s grade lint", None),  # two sessions
        ("-s lint types", None),
        ("-s lint model.py", None),  # takes no file: nox says that there is no such session
        ("-s garde model.py", None),
        ("-f other.py -s grade model.py", None),  # another file's sessions
        ("", None),
    ],
)
def test_a_file_after_a_session_gets_its_two_dashes(noxfile, given, understood):
    found = noxfile.with_dashes(given.split(), SESSIONS)
    assert found == (understood and understood.split())


def test_nox_itself_understands_a_forgotten_pair_of_dashes():
    command = [sys.executable, "-m", "nox", "--list", "-s", "explain", "gap"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Understood as: nox --list -s explain -- gap" in done.stderr
    assert done.returncode == 0, done.stderr


def test_what_is_installed_depends_on_versions_and_on_whose_torch(noxfile, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    before = noxfile.made_from()
    assert noxfile.made_from() == before
    monkeypatch.setenv("UV_TORCH_BACKEND", "cpu")
    assert noxfile.made_from() != before


class Session:
    """What the noxfile asks of nox's session; the commands are written down, and may fail."""

    def __init__(self, folder, fails=()):
        self.cache_dir = folder / ".nox" / ".cache"
        self.commands, self.said, self.fails = [], [], fails
        self.posargs = ["a.py"]

    def run(self, *command, env, **_):
        self.commands.append((command, env))
        if "venv" in command:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        if env in self.fails:
            import nox

            raise nox.command.CommandFailed

    def log(self, text):
        self.said.append(text)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """No choice of an index or of a backend, in the project's folder."""
    monkeypatch.chdir(ROOT)
    for name in ("TORCH_BACKEND", "INDEX", "DEFAULT_INDEX", "INDEX_URL", "OFFLINE"):
        monkeypatch.delenv(f"UV_{name}", raising=False)
    monkeypatch.delenv("NOX_CONSTRAINTS", raising=False)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="the environment's folders have other names")
def test_the_second_command_installs_nothing(noxfile, fresh):
    session = Session(fresh)
    noxfile.grader(session, "grade")
    assert [command[1] for command, _ in session.commands] == ["venv", "pip", "-m"]
    assert "6 GB" in " ".join(session.said)  # said before it begins
    again = Session(fresh)
    noxfile.grader(again, "recipe")
    assert [command[1:] for command, _ in again.commands] == [("-m", "grader", "recipe", "a.py")]
    assert again.said == []


def test_what_is_said_breaks_between_words_on_a_narrow_terminal(noxfile, fresh, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    session = Session(fresh)
    noxfile.say(session, noxfile.SIZE)
    assert len(session.said) > 3
    assert all(len(f"nox > {line}") < 60 for line in session.said)
    assert " ".join(session.said) == noxfile.SIZE


@pytest.mark.skipif(sys.platform == "win32", reason="as above")
def test_newest_versions_are_looked_for_each_time(noxfile, fresh, monkeypatch):
    monkeypatch.setenv("NOX_CONSTRAINTS", "")
    noxfile.grader(Session(fresh), "grade")
    again = Session(fresh)
    noxfile.grader(again, "grade")
    ((install, _), _) = again.commands
    assert install[1:3] == ("pip", "install")
    assert "--constraint" not in install


def test_without_a_choice_cuda_is_left_out_where_there_is_no_gpu(noxfile, fresh):
    session = Session(fresh)
    noxfile.install(session, "uv")
    assert session.commands == [(("uv",), {"UV_TORCH_BACKEND": "auto"})]


def test_where_that_index_cannot_be_reached_the_other_is_taken(noxfile, fresh):
    session = Session(fresh, fails=[{"UV_TORCH_BACKEND": "auto"}])
    noxfile.install(session, "uv")
    assert [env for _, env in session.commands] == [{"UV_TORCH_BACKEND": "auto"}, {}]
    assert "once more" in " ".join(session.said)


def test_a_choice_of_the_user_stands(noxfile, fresh, monkeypatch):
    monkeypatch.setenv("UV_TORCH_BACKEND", "cpu")
    session = Session(fresh)
    noxfile.install(session, "uv")
    assert session.commands == [(("uv",), {})]  # uv reads the variable itself
