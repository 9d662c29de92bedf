"""Everything that one does with this project, as a list: `nox -s grade`, `nox -s tests`, ...

Each session makes its own environment with uv, which takes torch and torchvision from one index.
The versions that were tested are in constraints.txt; `NOX_CONSTRAINTS=` (empty) takes the newest
ones instead.
"""

import os
import shutil

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "browser"]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def install(session: nox.Session, *groups: str, runs: bool = True) -> None:
    """Install the grader and its dependency groups in the session's environment.

    Where it `runs`, everything is compiled now: uv leaves that to the first import, which the
    grader's isolated processes would do again each time, because they write nothing.
    """
    constraints = os.environ.get("NOX_CONSTRAINTS", "constraints.txt")
    pins = ["--constraint", constraints] if constraints else []
    compiling = {"UV_COMPILE_BYTECODE": "1"} if runs else {}
    session.install(
        "--quiet",
        "--editable",
        ".",
        *(f"--group={group}" for group in groups),
        *pins,
        env=compiling,
    )


def run(session: nox.Session, *arguments: str) -> None:
    """Run Python in the session's environment.

    Standard error stays apart from standard output, and Ctrl-C leaves time to write what is
    finished.
    """
    session.run("python", *arguments, stderr=None, interrupt_timeout=60)


@nox.session
def grade(session: nox.Session) -> None:
    """Grade submissions: all of them, or those named: `nox -s grade -- path/to/model.py`."""
    install(session)
    run(session, "-m", "grader", "grade", *session.posargs)


@nox.session
def analyse(session: nox.Session) -> None:
    """Print the JSON analysis of one submission: `nox -s analyse -- path/to/model.py`."""
    install(session)
    run(session, "-m", "grader", "analyse", *session.posargs)


@nox.session
def recipe(session: nox.Session) -> None:
    """Show how a submission would be trained: `nox -s recipe -- my_notebook.ipynb`."""
    install(session)
    run(session, "-m", "grader", "recipe", *session.posargs)


@nox.session
def explain(session: nox.Session) -> None:
    """Say what a check means, and why: `nox -s explain -- gap`."""
    install(session)
    run(session, "-m", "grader", "explain", *session.posargs)


@nox.session
def export(session: nox.Session) -> None:
    """Render saved reports: `nox -s export -- grades --format html --output class.html`."""
    install(session)
    run(session, "-m", "grader", "export", *session.posargs)


@nox.session
def reference(session: nox.Session) -> None:
    """Grade the published models on MNIST; write claims and measurements to RESULTS.md."""
    install(session)
    run(session, "-m", "reference", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; `-- --hostile` adds all hostile submissions, `-- --thorough` the longest."""
    install(session, "tests")
    run(session, "-m", "pytest", "--numprocesses=auto", "--dist=worksteal", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Test the pages in the system's Chromium; `-- --screenshots FOLDER` keeps pictures of them."""
    if not any(map(shutil.which, CHROMIUM)):
        session.skip("No Chromium is installed, so no page is opened: apt install chromium")
    install(session, "tests", "browser")
    run(session, "-m", "pytest", "tests/browser", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install(session, "lint", runs=False)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    install(session, "tests", "types", runs=False)
    session.run("mypy")


@nox.session
def house(session: nox.Session) -> None:
    """Print how the grader is built: sizes, arrows, names; `-- FOLDER` measures another folder."""
    session.install("--quiet", "rich")
    run(session, "-m", "tests.house", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Time analyses and training, beside the loop that students write; write bench/RESULTS.md."""
    install(session)
    run(session, "-m", "bench", *session.posargs)
