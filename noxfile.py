"""Everything that one does with this project, as a list: `nox -s grade`, `nox -s tests`, ...

All that runs the grader shares one environment, `.nox/grader`, which uv makes once: torch and
torchvision come from one index, on a machine without a GPU without CUDA. The versions that were
tested are in constraints.txt; `NOX_CONSTRAINTS=` (empty) takes the newest ones instead.
`UV_TORCH_BACKEND` says whose torch is installed: cpu, auto, cu130, ...
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "browser"]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

LEAST = (3, 11)
OLD_PYTHON = sys.version_info < LEAST
"""nox may run on an older Python than the grader needs: then uv finds another, or downloads it."""
OTHER_PYTHON = "3.12" if OLD_PYTHON else None
SIZE = (
    "The grader's environment is made in {folder}, once: PyTorch and what it needs. Without a GPU "
    "that is about 0.3 GB to download and 1.2 GB on the disk, with CUDA 3 GB and 6 GB. It takes "
    "minutes. UV_TORCH_BACKEND=cpu leaves CUDA out."
)
TAKE_FILES = ("grade", "class", "analyse", "recipe", "explain", "report", "export", "grader")
"""Sessions whose arguments are files or names, which may come without `--`."""


def grader_python(session: nox.Session) -> str:
    """The Python of the environment that all sessions share which run the grader.

    It is made or brought up to date where what it is made from has changed, and only then.
    Everything is compiled at once: uv leaves that to the first import, which the grader's isolated
    processes would do again each time, because they write nothing.
    """
    folder = session.cache_dir.parent / "grader"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = folder / "installed.txt", made_from()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return str(python)
    say(session, SIZE.format(folder=folder))
    if OLD_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        say(
            session, f"The grader needs Python 3.11 or newer and this is {found}: uv finds another."
        )
    if not python.exists():
        chosen = OTHER_PYTHON or sys.executable
        run(session, uv(session), "venv", "--allow-existing", "--python", chosen, str(folder))
    stamp.unlink(missing_ok=True)
    arguments = ("--python", str(python), "--compile-bytecode", "--editable", ".", *pins())
    install(session, uv(session), "pip", "install", *arguments)
    if os.environ.get("NOX_CONSTRAINTS") is None:  # else there may be newer versions tomorrow
        stamp.write_text(wanted, encoding="utf-8")
    return str(python)


def say(session: nox.Session, text: str) -> None:
    """Log it in lines that fit the terminal, each of which nox begins with its name."""
    width = max(shutil.get_terminal_size().columns - len("nox > ") - 1, 30)
    for line in textwrap.wrap(text, width, break_on_hyphens=False):
        session.log(line)


def made_from() -> str:
    """A hash of all that decides what is installed."""
    files = ("pyproject.toml", "constraints.txt", "grader/__init__.py")
    parts = [Path(name).read_bytes() for name in files]
    parts += [str(Path.cwd()).encode(), os.environ.get("UV_TORCH_BACKEND", "").encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def install(session: nox.Session, *command: str) -> None:
    """Run uv; without CUDA where there is no GPU, if torch's own index can be reached.

    Whoever has chosen an index or a backend gets that one.
    """
    chosen = ("UV_TORCH_BACKEND", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_OFFLINE")
    if not any(name in os.environ for name in chosen):
        try:
            run(session, *command, UV_TORCH_BACKEND="auto")
            return
        except nox.command.CommandFailed:
            say(
                session,
                "That did not work with torch's own index (UV_TORCH_BACKEND=auto): once more, with "
                "the package index alone.",
            )
    run(session, *command)


def uv(session: nox.Session) -> str:
    """The program, which may lie beside nox in an environment that is not on the path."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        session.error("uv is missing: install it where nox is, with `pip install uv`.")
    return found


def pins() -> list[str]:
    """The versions that were tested, as uv takes them."""
    constraints = os.environ.get("NOX_CONSTRAINTS", "constraints.txt")
    return ["--constraint", constraints] if constraints else []


def run(session: nox.Session, *command: str, **environment: str) -> None:
    """Run a command on the user's own terminal.

    Standard error, which is uv's, stays apart from standard output, and Ctrl-C leaves time to write
    what is finished.
    """
    session.run(*command, env=environment, external=True, stderr=None, interrupt_timeout=60)


def grader(session: nox.Session, *command: str) -> None:
    """Run a command of the grader's, with what follows `--`."""
    run(session, grader_python(session), "-m", "grader", *command, *session.posargs)


@nox.session(venv_backend="none")
def grade(session: nox.Session) -> None:
    """Grade submissions: all of them, or those named: `nox -s grade -- path/to/model.py`."""
    grader(session, "grade")


@nox.session(name="class", venv_backend="none")
def whole_class(session: nox.Session) -> None:
    """Grade a class: `nox -s class -- hand-ins.zip --assignment mnist_8k --roster students.csv`."""
    grader(session, "class")


@nox.session(venv_backend="none")
def analyse(session: nox.Session) -> None:
    """Print the JSON analysis of one submission: `nox -s analyse -- path/to/model.py`."""
    grader(session, "analyse")


@nox.session(venv_backend="none")
def recipe(session: nox.Session) -> None:
    """Show how a submission would be trained: `nox -s recipe -- my_notebook.ipynb`."""
    grader(session, "recipe")


@nox.session(venv_backend="none")
def explain(session: nox.Session) -> None:
    """Say what a check means, and why: `nox -s explain -- gap`."""
    grader(session, "explain")


@nox.session(venv_backend="none")
def report(session: nox.Session) -> None:
    """Show a saved report again: `nox -s report -- NAME`, or `-- NAME --open` as a page."""
    grader(session, "report")


@nox.session(venv_backend="none")
def export(session: nox.Session) -> None:
    """Render saved reports: `nox -s export -- grades --format html --output class.html`."""
    grader(session, "export")


@nox.session(name="grader", venv_backend="none")
def any_command(session: nox.Session) -> None:
    """Any command of the grader's: `nox -s grader -- new-assignment my_course`."""
    grader(session)


@nox.session(venv_backend="none")
def reference(session: nox.Session) -> None:
    """Grade the published models on MNIST; write claims and measurements to RESULTS.md."""
    run(session, grader_python(session), "-m", "reference", *session.posargs)


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """Time analyses and training, beside the student's loop; `-- --gpu` measures a GPU instead."""
    run(session, grader_python(session), "-m", "bench", *session.posargs)


@nox.session(python=OTHER_PYTHON)
def tests(session: nox.Session) -> None:
    """Run the tests; `-- --hostile` adds all hostile submissions, `-- --thorough` the longest."""
    groups = ("--editable", ".", "--group=tests", *pins())
    install(session, uv(session), "pip", "install", "--compile-bytecode", *groups)
    shared = ("--numprocesses=auto", "--dist=worksteal")
    run(session, "python", "-m", "pytest", *shared, *session.posargs)


@nox.session(python=OTHER_PYTHON)
def browser(session: nox.Session) -> None:
    """Test the pages in the system's Chromium; `-- --screenshots FOLDER` keeps pictures of them."""
    if not any(map(shutil.which, CHROMIUM)):
        session.skip("No Chromium is installed, so no page is opened: apt install chromium")
    groups = ("--editable", ".", "--group=tests", "--group=browser", *pins())
    install(session, uv(session), "pip", "install", "--compile-bytecode", *groups)
    run(session, "python", "-m", "pytest", "tests/browser", *session.posargs)


@nox.session(python=OTHER_PYTHON)
def lint(session: nox.Session) -> None:
    """Check style and formatting, and the workflows by the schemas of those who run them."""
    run(session, uv(session), "pip", "install", "--quiet", "--group=lint", *pins())
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    workflows = sorted(map(str, Path(".github/workflows").glob("*.yml")))
    for schema, files in {"github-workflows": workflows, "gitlab-ci": [".ci/gitlab.yml"]}.items():
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


@nox.session(python=OTHER_PYTHON)
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    groups = ("--editable", ".", "--group=tests", "--group=types", *pins())
    install(session, uv(session), "pip", "install", *groups)
    session.run("mypy")


@nox.session(python=OTHER_PYTHON)
def house(session: nox.Session) -> None:
    """Print how the grader is built: sizes, arrows, names; `-- FOLDER` measures another folder."""
    run(session, uv(session), "pip", "install", "--quiet", "rich", *pins())
    run(session, "python", "-m", "tests.house", *session.posargs)


def with_dashes(arguments: list[str], known: set[str]) -> list[str] | None:
    """What nox was given, with the `--` that `nox -s grade model.py` forgot; None where none was.

    An option that is forgotten there (`nox -s grade --static`) never gets this far: nox itself
    refuses it before it reads this file.
    """
    if "--" in arguments or {"-f", "--noxfile"} & set(arguments):
        return None
    for place, word in enumerate(arguments):
        if word in ("-s", "-e", "--session", "--sessions"):
            names = arguments[place + 1 :]
            if len(names) < 2 or names[0] not in TAKE_FILES or names[1] in known:
                return None
            if names[1].startswith("-"):
                return None
            return [*arguments[: place + 2], "--", *names[1:]]
    return None


def start_again(arguments: list[str]) -> None:
    """End here; nox begins anew with those arguments."""
    print("nox > Understood as: nox", *arguments, file=sys.stderr, flush=True)  # noqa: T201 - to people
    command = [sys.executable, "-m", "nox", *arguments]
    if os.name == "nt":  # there, exec would give the terminal back at once
        sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - nox itself
    os.execv(sys.executable, command)  # noqa: S606 - as above


if Path(sys.argv[0]).stem == "nox" or Path(sys.argv[0]).parent.name == "nox":
    mended = with_dashes(sys.argv[1:], set(nox.registry.get()))
    if mended is not None:
        start_again(mended)
