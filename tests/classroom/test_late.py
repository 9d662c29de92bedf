"""Who is late, by what a platform says; nobody else is called late or in time."""

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from grader.classroom import late
from grader.submission.find import discover
from grader.submission.submission import UsageError
from tests.submission.test_class import GRADESCOPE, GRADESCOPE_LIST
from tests.submission.test_folder import lay

DUE = datetime(2024, 1, 1, 10, 30, tzinfo=UTC)
CODE = b"import torch\n"


def found(folder, due=None):
    items = discover([folder], ["mnist_8k"], root=folder, assignment="mnist_8k")
    answers = late.of(items, due, [folder])
    return {item.shown: answers[item.name].late for item in items}


def test_canvas_marks_the_late_in_their_names(tmp_path):
    lay(tmp_path, {"doejane_LATE_11111_222_a.py": CODE, "roe_11112_223_LATE_b.py": CODE})
    assert found(tmp_path) == {"doejane": True, "roe": False}


def test_gradescope_says_when_and_the_deadline_decides(tmp_path):
    lay(tmp_path, GRADESCOPE)
    folder = tmp_path / "assignment_1_export"
    assert found(folder, DUE) == {
        "Jane Doe": False,
        "José María and Jo O'Neill": True,
        "submission_13": None,
    }
    assert set(found(folder).values()) == {None}


def test_a_file_on_the_disk_says_nothing(tmp_path):
    lay(tmp_path, {"jane.py": CODE, "joe.py": b"import torch\nx = 1\n"})
    assert set(found(tmp_path, DUE).values()) == {None}


def clone(folder, seconds, *, files=("model.py",), author=0, packed=False):
    """A clone whose last commit was made so many seconds after the deadline, by its own clock."""
    lay(folder, dict.fromkeys(files, CODE))
    times = {"COMMITTER": seconds, "AUTHOR": author}
    dates = {
        f"GIT_{who}_DATE": f"{int(DUE.timestamp()) + late} +0200" for who, late in times.items()
    }
    commands = ["init -q -b main", "add -A", "commit -q -m work"]
    commands += ["gc -q", "pack-refs --all"] if packed else []
    for command in commands:
        git(folder, *command.split(), **dates)
    return folder


def git(folder, *arguments, **environment):
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    command = ["git", "-C", folder, *person, *arguments]
    subprocess.run(command, check=True, env={**who, **environment}, capture_output=True)


@pytest.mark.parametrize("packed", [False, True])
def test_a_clone_is_late_by_the_committers_clock_of_its_last_commit(tmp_path, packed):
    clone(tmp_path / "mnist-ada", 1, author=-90_000, packed=packed)
    clone(tmp_path / "mnist-bob", 0, author=90_000, packed=packed)
    assert found(tmp_path, DUE) == {"mnist-ada": True, "mnist-bob": False}
    assert set(found(tmp_path).values()) == {None}


def test_who_says_so_and_when_is_kept(tmp_path):
    clone(tmp_path / "mnist-ada", 60)
    clone(tmp_path / "mnist-bob", 0)
    items = discover([tmp_path], ["mnist_8k"], root=tmp_path, assignment="mnist_8k")
    answer = late.of(items, DUE, [tmp_path])["mnist-ada"]
    assert (answer.says, answer.when) == ("commit", DUE + timedelta(minutes=1))


def test_what_is_checked_out_counts_and_not_what_came_later(tmp_path):
    folder = clone(tmp_path / "mnist-ada", -60)
    git(folder, "checkout", "-q", "--detach")
    git(folder, "checkout", "-q", "main")
    lay(folder, {"later.txt": b"x"})
    later = f"{int(DUE.timestamp()) + 60} +0000"
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "more", GIT_COMMITTER_DATE=later)
    clone(tmp_path / "mnist-bob", 0)
    assert found(tmp_path, DUE)["mnist-ada"] is True
    git(folder, "checkout", "-q", "HEAD~1")
    assert found(tmp_path, DUE)["mnist-ada"] is False


def test_one_repository_for_all_is_nobodys_time(tmp_path):
    clone(tmp_path, 60, files=("ada.py", "bob/model.py", "cleo/model.py"))
    assert set(found(tmp_path, DUE).values()) == {None}


def test_nothing_of_a_strangers_repository_is_run_or_followed(tmp_path):
    folder = clone(tmp_path / "mnist-ada", 60)
    clone(tmp_path / "mnist-bob", 60)
    ran = tmp_path / "ran"
    settings = (folder / ".git" / "config").read_text()
    for key in ("fsmonitor", "pager", "sshCommand", "hooksPath", "alternateRefsCommand"):
        settings += f'[core]\n{key} = "touch {ran}"\n'
    (folder / ".git" / "config").write_text(settings)
    assert found(tmp_path, DUE)["mnist-ada"] is True
    assert not ran.exists()
    for head in ("ref: refs/heads/../../config\n", "0" * 40, "-x", "ref: refs/heads/none\n", "\0"):
        (folder / ".git" / "HEAD").write_text(head)
        assert found(tmp_path, DUE)["mnist-ada"] is None
    (folder / ".git" / "HEAD").unlink()
    (folder / ".git" / "HEAD").symlink_to(tmp_path / "mnist-bob" / ".git" / "HEAD")
    assert found(tmp_path, DUE)["mnist-ada"] is None


def test_times_are_read_in_gradescopes_own_words():
    assert late.times(GRADESCOPE_LIST.decode()) == {
        "submission_11": datetime(2024, 1, 1, 10, tzinfo=UTC),
        "submission_12": datetime(2024, 1, 1, 11, tzinfo=UTC),
    }


def test_a_deadline_has_a_day_and_a_time():
    assert late.deadline("2024-01-01T11:30+01:00") == DUE
    with pytest.raises(UsageError, match="write the day and the time"):
        late.deadline("next friday")
