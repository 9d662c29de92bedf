"""Each guard by itself, in a process of its own; and what is answered where there are no guards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.sandbox import box, folders, kernel, landlock, lock

ROOT = Path(lock.__file__).resolve().parents[2]


def locked(code: str, *guards: str, folder: Path) -> str:
    """What `code` prints in a new process after it has applied these guards."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from grader.sandbox import kernel, lock
room = lock.Room(Path({str(folder)!r}), (0, 1, 2), 2**33, 60)
for name in {guards!r}:
    lock.GUARDS[name](room)
{code}
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


pytestmark = pytest.mark.usefixtures("linux")


def test_versions_of_landlock_restrict_ever_more():
    assert landlock.handled(1) == (2**13 - 1, 0, 0)
    assert landlock.handled(2) == (2**14 - 1, 0, 0)
    assert landlock.handled(3) == (2**15 - 1, 0, 0)
    assert landlock.handled(4) == (2**15 - 1, 0b11, 0)
    assert landlock.handled(5) == (2**16 - 1, 0b11, 0)
    assert landlock.handled(6) == landlock.handled(9) == (2**16 - 1, 0b11, 0b11)


@pytest.mark.parametrize("version", range(1, 8))
def test_every_version_of_landlock_that_this_kernel_knows_closes_the_files(version, tmp_path):
    if landlock.version() < version:
        pytest.skip(f"this kernel has Landlock {landlock.version()}")
    (tmp_path / "own").mkdir()
    (tmp_path / "labels").write_text("7")
    code = f"""
from grader.sandbox import landlock
landlock.version = lambda: {version}
lock.no_new_privileges(room)
lock.only_these_files(room)
(room.folder / "mine").write_text("1")
try:
    print((room.folder.parent / "labels").read_text())
except PermissionError:
    print("closed")
"""
    assert locked(code, folder=tmp_path / "own") == "closed"


def test_a_second_thread_is_found_before_anything_is_locked(tmp_path):
    code = """
import threading
wait = threading.Event()
threading.Thread(target=wait.wait, daemon=True).start()
try:
    lock.apply(room, without=frozenset(set(lock.GUARDS) - {"one thread"}))
except lock.NotAloneError as error:
    print(error)
"""
    assert locked(code, folder=tmp_path) == "2 threads"


def test_descriptors_beyond_those_that_are_kept_are_closed(tmp_path):
    code = """
import os
print(sorted(int(name) for name in os.listdir("/proc/self/fd"))[:4])
"""
    opened = (
        "import os\nkept = [os.open('/dev/null', 0) for _ in range(20)]\n"
        "lock.close_descriptors(room)\n"
    )
    assert locked(opened + code, folder=tmp_path) == "[0, 1, 2, 3]"  # 3 is the listing's own


def test_the_process_is_the_first_to_die_when_memory_runs_out(tmp_path):
    code = "print(Path('/proc/self/oom_score_adj').read_text())"
    assert locked(code, "memory first", folder=tmp_path) == "1000"


def test_no_core_is_dumped_and_nobody_looks_in(tmp_path):
    assert locked("print(kernel.prctl(3))", folder=tmp_path) == "1"
    assert locked("print(kernel.prctl(3))", "dumpable", folder=tmp_path) == "0"


def test_the_grader_is_hidden_while_a_child_runs_and_only_then():
    dumpable = 3
    before = kernel.prctl(dumpable)
    with lock.hidden():
        assert kernel.prctl(dumpable) == 0
    assert kernel.prctl(dumpable) == before


def test_every_capability_is_gone(tmp_path):
    code = """
for line in Path("/proc/self/status").read_text().splitlines():
    if line.startswith("Cap"):
        print(line.split()[1].strip("0"), end="")
print("none")
"""
    if Path("/proc/self/status").read_text().split("CapBnd:\t")[1].startswith("0000000000000000"):
        pytest.skip("nothing to give up")
    result = locked(code, "capabilities", folder=tmp_path)
    assert result.endswith("none")
    if os.geteuid() == 0:
        assert result == "none"


def test_it_works_in_its_own_folder(tmp_path):
    code = "import os, tempfile\nprint(os.getcwd(), os.environ['HOME'], tempfile.gettempdir())"
    assert locked(code, "folder", folder=tmp_path) == f"{tmp_path} {tmp_path} {tmp_path}"


def test_it_leads_a_session_of_its_own(tmp_path):
    assert (
        locked("import os\nprint(os.getsid(0) == os.getpid())", "session", folder=tmp_path)
        == "True"
    )


def test_the_project_folder_is_not_readable_but_the_grader_is():
    allowed = [Path(path) for path in folders.readable()]
    assert folders.PACKAGE in allowed
    assert not any(path == ROOT or path in ROOT.parents for path in allowed)
    assert Path.home() not in allowed


def test_the_box_shows_neither_the_project_nor_the_home_folder():
    if box.missing():
        pytest.skip(box.missing())
    command = box.command(["true"], {"LANG": "C.UTF-8"})
    shown = {command[place + 1] for place, word in enumerate(command) if word == "--ro-bind-try"}
    assert str(ROOT) not in shown
    assert str(Path.home()) not in shown
    assert "--unshare-all" in command
    assert "--disable-userns" in command


def test_a_missing_bubblewrap_is_named(monkeypatch):
    monkeypatch.setattr(box, "_program", lambda: None)
    assert box.missing() == "bubblewrap (bwrap) is not installed"


def test_a_forbidden_bubblewrap_says_why(monkeypatch, tmp_path):
    forbidden = tmp_path / "bwrap"
    forbidden.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    forbidden.chmod(0o755)
    monkeypatch.setattr(box, "_program", lambda: str(forbidden))
    assert (
        box.missing()
        == "bubblewrap does not work here: bwrap: No permissions to create new namespace"
    )


def test_a_kernel_without_landlock_is_named(monkeypatch):
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert "no Landlock" in lock.missing()


def test_an_unknown_processor_is_named(monkeypatch):
    monkeypatch.setattr(kernel.platform, "machine", lambda: "riscv64")
    assert lock.missing() == "the system-call filter knows x86_64 and aarch64 only"
    assert landlock.version() == 0


@pytest.mark.parametrize(
    ("platform", "name"), [("darwin", "macOS"), ("win32", "Windows"), ("freebsd14", "freebsd14")]
)
def test_other_systems_say_that_they_have_no_locks(monkeypatch, platform, name):
    monkeypatch.setattr(sys, "platform", platform)
    assert lock.missing() == f"{name} has neither Landlock nor seccomp"


@pytest.mark.parametrize("kind", ["AS", "CPU", "CORE", "FSIZE", "NOFILE", "NPROC"])
def test_every_limit_is_hard(tmp_path, kind):
    code = f"import resource\nprint(resource.getrlimit(resource.RLIMIT_{kind}))"
    most = {"AS": 2**33, "CPU": 60, "CORE": 0, "FSIZE": 2**26, "NOFILE": 256, "NPROC": 0}[kind]
    assert locked(code, "limits", folder=tmp_path) == f"({most}, {most})"


def test_processor_time_that_is_over_ends_the_process(tmp_path):
    code = """
import os, signal
lock.limit(2**33, 1)
child = os.fork()
if not child:
    while True: pass
print(signal.Signals(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) * -1).name)
"""
    assert locked(code, folder=tmp_path) in ("SIGXCPU", "SIGKILL")
