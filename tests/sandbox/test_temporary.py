"""What killed runs leave in the temporary folder is removed by the next, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from grader.sandbox import isolation, temporary
from grader.training import data
from grader.training.datasets import DATASETS

pytestmark = pytest.mark.skipif(temporary.fcntl is None, reason="needs locks on files")

MAKE = """
import sys, time
from grader.sandbox import temporary
made = temporary.make()
(made / "deep").mkdir()
(made / "deep" / "file").write_text("left")
print(made, flush=True)
time.sleep(600)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A temporary folder of one's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def run() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", MAKE], stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_killed_runs_folder_goes_and_a_living_ones_stays(place):
    dead, left = run()
    alive, kept = run()
    kill(dead)
    try:
        assert left.parent == place
        assert temporary.sweep() == [left]
        assert not left.exists()
        assert (kept / "deep" / "file").exists()
    finally:
        kill(alive)
    assert temporary.sweep() == [kept]


def test_what_a_killed_download_leaves_goes_when_the_images_are_looked_for_again(tmp_path):
    arguments = "__import__('pathlib').Path(sys.argv[1]), prefix='.download-'"
    script = MAKE.replace("make()", f"make({arguments})")
    command = [sys.executable, "-c", script, str(tmp_path)]
    dead = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    left = Path(dead.stdout.readline().strip())
    assert left.parent == tmp_path
    (tmp_path / ".download-of-somebody-else").mkdir()
    kill(dead)
    data.resolve(DATASETS["mnist"], tmp_path, fetch=False)
    assert [entry.name for entry in tmp_path.iterdir()] == [".download-of-somebody-else"]


def test_the_next_start_of_the_sandbox_sweeps(place, monkeypatch):
    dead, left = run()
    kill(dead)
    monkeypatch.setattr(isolation, "_missing", lambda level: "not here")
    assert isolation.begin() is None
    assert not left.exists()


def test_our_own_folders_stay_until_they_are_given_back(place):
    with temporary.folder() as mine:
        assert temporary.sweep() == []
        assert mine.exists()
    assert list(place.iterdir()) == []


def test_what_only_looks_like_ours_stays(place):
    (place / "grader-notes").mkdir()
    (place / "grader-file").write_text("")
    (place / "grader-link").symlink_to("grader-notes")
    (place / "grader-half").mkdir()
    (place / "grader-half" / f"{temporary.MARKER}.new").write_text("")
    (place / "grader-fake").mkdir()
    (place / "grader-fake" / temporary.MARKER).symlink_to(place / "grader-file")
    (place / "grader-pipe").mkdir()
    os.mkfifo(place / "grader-pipe" / temporary.MARKER)
    (place / "other-1").mkdir()
    (place / "other-1" / temporary.MARKER).write_text("")
    before = sorted(place.rglob("*"))
    assert temporary.sweep() == []
    assert sorted(place.rglob("*")) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_another_users_folder_stays(place):
    dead, left = run()
    kill(dead)
    os.chown(left, 12345, 12345)
    assert temporary.sweep() == []


def test_a_link_in_an_abandoned_folder_is_not_followed(place):
    (place / "mine").mkdir()
    (place / "mine" / "work").write_text("")
    dead, left = run()
    kill(dead)
    (left / "out").symlink_to(place / "mine")
    temporary.sweep()
    assert not left.exists()
    assert (place / "mine" / "work").exists()
