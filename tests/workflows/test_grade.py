"""grade.yml, from the fetch to the exit code, on pull requests of a class made for it."""

import json
import re
from pathlib import Path

import pytest

from tests.class_repository import HAND_INS, NETWORK, ClassRepository
from tests.test_json_document import ABOUT_RUN, tables
from tests.workflows.runner import Runner

WITHOUT_GAP = NETWORK.replace(".mean((2, 3))", "[:, :, 0, 0]")
"""Its last line takes one position where the average is asked for."""


class PullRequests:
    """A server with a class's repository, and a runner for each pull request to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = ClassRepository(folder / "server")

    def opened(self, options: str = "--static") -> Runner:
        """The commit that the server's work tree is at, as the pull request of a fork.

        A fork has no branch on the server: only `refs/pull/7/head` holds its commits.
        """
        head = self.server.git("rev-parse", "HEAD")
        self.server.git("update-ref", "refs/pull/7/head", head)
        self.server.git("checkout", "--quiet", "--force", "main")
        self.server.git("reset", "--quiet", "--hard", self.server.base)
        checkout = self.folder / "checkout"
        self.server.git("clone", "--quiet", f"file://{self.server.folder}", str(checkout))
        self.server.git("-C", str(checkout), "checkout", "--quiet", "--detach", self.server.base)
        values = {
            "github.event.pull_request.base.sha": self.server.base,
            "github.event.pull_request.head.sha": head,
            "github.token": "secret-token",
        }
        return Runner(checkout, values, options)


@pytest.fixture
def pulls(tmp_path, monkeypatch):
    monkeypatch.delenv("GRADER_DATA", raising=False)
    return PullRequests(tmp_path)


def record(runner):
    return json.loads((runner.checkout / "grades" / "run.json").read_text())


def verdicts(runner):
    return {report["path"]: report["verdict"] for report in record(runner)["reports"]}


def commands(ran):
    """The commands that the runner would obey: not those between the two words."""
    words = re.findall(r"^::stop-commands::(\w+)$", ran.out, re.MULTILINE)
    text = ran.out
    for word in words:
        text = re.sub(rf"::stop-commands::{word}$.*^::{word}::$", "", text, flags=re.M | re.S)
    return [line for line in text.splitlines() if line.startswith("::")]


def test_a_hand_in_is_trained_and_graded_and_its_results_are_in_every_place(pulls):
    pulls.server.commit({f"{HAND_INS}/bert.py": NETWORK})
    runner = pulls.opened(options="")
    ran = runner.run("grade.yml")
    assert ran.code == 0, ran.err
    assert verdicts(runner) == {f"{HAND_INS}/bert.py": "passed"}
    hushed = r"::stop-commands::(\w{32})\n.*✓ passed.*\n::\1::\n"
    assert re.match(hushed, ran.out, re.DOTALL), "the runner takes no orders from a scorecard"
    summary = runner.summary.read_text()
    assert summary.startswith("# ✓ passed: 1 submission")
    assert re.search(r"locked in at level [23] [\w-]+, at least 2 was required", summary)
    limit = "1 training run, each stopped after 120 minutes of training, 60 minutes in all here."
    assert limit in summary
    found = {file.name for file in (runner.checkout / "grades").iterdir() if file.is_file()}
    expected = {"index.html", "junit.xml", "gitlab.json", "run.json", "summary.md", "comment.md"}
    assert found == expected
    assert not (runner.checkout / HAND_INS / "bert.py").exists(), "nothing is checked out"
    [named] = tables(ABOUT_RUN)
    assert named == set(record(runner)), "docs/json.md names every key"
    assert "secret-token" not in (runner.checkout / ".git" / "config").read_text()


def test_a_mistake_is_told_beside_its_line_and_fails(pulls):
    pulls.server.commit({f"{HAND_INS}/bert.py": WITHOUT_GAP})
    runner = pulls.opened()
    ran = runner.run("grade.yml")
    assert ran.code == 1, ran.err
    errors = [line for line in commands(ran) if line.startswith("::error")]
    last = "            nn.Conv2d(16, 10, 4, padding=2),"
    line = 1 + WITHOUT_GAP.splitlines().index(last)
    assert any(f"file={HAND_INS}/bert.py,line={line}," in error for error in errors), errors
    assert last.strip() in ran.out, "the scorecard quotes the line, which is not on the disk"


def test_a_pull_request_that_changes_everything_is_graded_by_the_bases_rules(pulls):
    rogue = "::error::100 points\n\u202e.py"
    other = HAND_INS.replace("8k", "20k")
    cheat = "raise SystemExit(0)\n"
    pulls.server.commit(
        {
            f"{HAND_INS}/{rogue}": NETWORK,
            f"{other}/bert.py": NETWORK,
            f"{HAND_INS}/anna.py": NETWORK + "# by Bert\n",
            f"{HAND_INS}/weights.pt": b"PK\x03\x04",
            "grader/__init__.py": cheat,
            "sitecustomize.py": cheat,
            "noxfile.py": cheat,
            "assignments/mnist_8k/assignment.toml": "everything = 'allowed'\n",
            ".github/workflows/grade.yml": "on: never\n",
            "conftest.py": cheat,
        }
    )
    runner = pulls.opened()
    ran = runner.run("grade.yml")
    assert ran.code == 1, ran.err
    assert set(verdicts(runner).values()) == {"passed_so_far"}
    assert len(verdicts(runner)) == 3
    titles = sorted(remark["title"] for remark in record(runner)["remarks"])
    assert titles == [
        "Changed, and ignored",
        "In the wrong folder",
        "In the wrong folder",
        "Somebody handed this in before",
        "The workflow is changed",
        "The wrong kind of file",
    ]
    for line in [*commands(ran), *ran.err.splitlines()]:
        assert not line.startswith("::error::"), "a file's name gave an order"
    assert runner.summary.read_text().startswith("# ✗ something has to change: 3 submissions")
    assert "\u202e" not in ran.out + ran.err + runner.summary.read_text()


def test_a_rename_is_graded_under_its_new_name_and_a_deletion_is_nothing_to_grade(pulls):
    old, new = f"{HAND_INS}/anna.py", f"{HAND_INS}/liddell.py"
    pulls.server.commit(move={old: new}, by="Anna Liddell")
    runner = pulls.opened()
    assert runner.run("grade.yml").code == 0
    assert list(verdicts(runner)) == [new]


def test_taking_away_a_classmates_file_fails_and_grades_nothing(pulls):
    pulls.server.commit(remove=(f"{HAND_INS}/anna.py",))
    runner = pulls.opened()
    ran = runner.run("grade.yml")
    assert ran.code == 1
    [error] = commands(ran)
    assert "handed in by Anna Liddell before" in error
    assert record(runner)["reports"] == []
    assert "nothing was graded" in runner.summary.read_text()


def test_no_change_at_all_passes_and_says_so(pulls):
    pulls.server.commit({})
    runner = pulls.opened()
    ran = runner.run("grade.yml")
    assert (ran.code, commands(ran)) == (0, [])
    assert runner.summary.read_text().startswith("# Nothing to grade")
    assert "nothing is graded" in ran.err
    assert "To hand in, add your notebook or script there" in runner.summary.read_text()


def test_a_change_of_the_project_alone_passes_and_is_named(pulls):
    pulls.server.commit({"README.md": "# Better\n"}, by="Instructor")
    runner = pulls.opened()
    ran = runner.run("grade.yml")
    assert ran.code == 0
    [warning] = commands(ran)
    assert "README.md" in warning


def test_what_only_looks_like_work_fails_without_a_report(pulls):
    pulls.server.commit({f"{HAND_INS}/bert/notes.txt": "later\n", f"{HAND_INS}/_bert.py": NETWORK})
    runner = pulls.opened()
    ran = runner.run("grade.yml")
    assert ran.code == 1
    assert any("There is no Python file and no notebook" in line for line in commands(ran))
    assert any("a helper: its name begins with _" in line for line in commands(ran))


def test_a_commit_that_is_gone_could_not_be_graded(pulls):
    pulls.server.commit({f"{HAND_INS}/bert.py": NETWORK})
    runner = pulls.opened()
    runner.values["github.event.pull_request.base.sha"] = "0" * 40
    ran = runner.run("grade.yml")
    assert ran.code == 2
    assert "There is no commit" in runner.summary.read_text()


def test_a_large_file_is_told_and_takes_no_memory(pulls):
    pulls.server.commit({f"{HAND_INS}/bert.py": b"x = 1\n" * 5_000_000})
    runner = pulls.opened()
    ran = runner.run("grade.yml")
    assert ran.code == 1
    assert "larger than 256 KiB" in ran.out
    assert (runner.checkout / "grades" / "index.html").stat().st_size < 100_000
