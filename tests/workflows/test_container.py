"""In a container without any privilege student code is locked in at level 2 or better.

bubblewrap makes the container: another user, no capabilities, namespaces of its own, as
`docker run --cap-drop ALL` or rootless podman do it. Their own filters of system calls allow
Landlock and seccomp (moby/moby#43199, containers/common#1081).
"""

import os
import shutil
import subprocess
import sys

import pytest

from tests.class_repository import HAND_INS, ROOT, ClassRepository

CONTAINER = (
    "bwrap",
    "--unshare-all",
    "--die-with-parent",
    "--cap-drop",
    "ALL",
    "--uid",
    "1000",
    "--gid",
    "1000",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--tmpfs",
    "/tmp",
)


def starts():
    """Whether bubblewrap is here and may make a container."""
    if shutil.which("bwrap") is None:
        return False
    return subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not starts(), reason="bubblewrap cannot make a container here")


def in_container(folder, *command):
    """Run it with that folder as the place to write; no network, an empty /tmp."""
    place = ("--bind", str(folder), "/mnt", "--chdir", "/mnt", "--setenv", "HOME", "/mnt/home")
    path = ("--setenv", "PYTHONPATH", str(ROOT), "--setenv", "PATH", os.environ["PATH"])
    return subprocess.run(
        [*CONTAINER, *place, "--clearenv", *path, "--setenv", "HOME", "/mnt/home", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def test_the_container_has_no_privilege(tmp_path):
    done = in_container(tmp_path, "sh", "-c", "id -u; grep CapEff /proc/self/status")
    assert done.stdout.split() == ["1000", "CapEff:", "0000000000000000"]


def test_a_pull_request_is_graded_there_at_level_2_or_better(tmp_path):
    course = ClassRepository(tmp_path / "course")
    head = course.commit({f"{HAND_INS}/anna.py": ""}, by="Anna Liddell")
    course.back()
    grader = (sys.executable, "-m", "grader", "grade", "--root", "/mnt/course")
    options = ("--changed-from", course.base, "--from-commit", head, "--ci")
    done = in_container(tmp_path, *grader, *options, "--require-isolation", "2")
    assert done.returncode == 1, done.stderr
    assert "anna.py" in done.stdout
    summary = (tmp_path / "grades" / "summary.md").read_text()
    assert "locked in at level 2 self-locked" in summary or "level 3 boxed" in summary
