"""Lock this process for good, before student code runs in it: isolation level 2.

In: a freshly forked process with one thread. Out: the same process, which can compute, read what
Python and torch need, write in its own folder, and answer. Each guard stands alone; the tests leave
one out at a time and see what opens.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.sandbox import folders, kernel, landlock, seccomp

PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_GET_DUMPABLE = 3
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SIGKILL = 9

FILE_BYTES = 64 * 2**20
OPEN_FILES = 256


@dataclass(frozen=True, slots=True)
class Room:
    """What the locked process keeps: its folder, descriptors, memory and processor time.

    The descriptors are numbered in order, from 0.
    """

    folder: Path
    keep: tuple[int, ...]
    memory_bytes: int
    cpu_seconds: int


class NotAloneError(RuntimeError):
    """The process has more threads than the one that would be locked."""


def apply(room: Room, *, without: frozenset[str] = frozenset()) -> None:
    """Lock this process, but for the guards named in `without`.

    Raises OSError or NotAloneError when a guard fails.
    """
    for name, guard in GUARDS.items():
        if name not in without:
            guard(room)


def single_thread(_: Room | None = None) -> None:
    """Landlock and seccomp bind the calling thread, so it must be the only one.

    Raises NotAloneError.
    """
    # After a fork, pathlib's objects are too slow.
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - as said
    if threads != 1:
        raise NotAloneError(f"{threads} threads")


def own_session(_: Room) -> None:
    """No terminal, its own process group, and an end when whoever forked it ends."""
    os.setsid()
    kernel.prctl(PR_SET_PDEATHSIG, _SIGKILL)


def close_descriptors(room: Room) -> None:
    """Keep the descriptors of `room`, in order, and close all others."""
    high = [os.dup(descriptor) for descriptor in room.keep]
    top = max(high) + 1
    moved = [os.dup2(descriptor, top + place) for place, descriptor in enumerate(high)]
    for place, descriptor in enumerate(moved):
        os.dup2(descriptor, place)
    open_now = map(int, os.listdir("/proc/self/fd"))  # noqa: PTH208 - as in single_thread
    os.closerange(len(moved), max(open_now) + 1)


def own_folder(room: Room) -> None:
    """Work, and make temporary files, in the process's own folder."""
    os.chdir(room.folder)
    for name in ("HOME", "TMPDIR", "TMP", "TEMP"):
        os.environ[name] = str(room.folder)
    if "tempfile" in sys.modules:
        vars(sys.modules["tempfile"])["tempdir"] = str(room.folder)


def first_to_die(_: Room) -> None:
    """When the machine runs out of memory, this process goes first."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def limits(room: Room) -> None:
    """Hard limits on memory, processor time, files and processes."""
    limit(room.memory_bytes, room.cpu_seconds, alone=True)


def limit(memory_bytes: int, cpu_seconds: int, *, alone: bool = False) -> None:
    """Hard limits on this process, where the system has them.

    `alone`: no further process of this user, either.
    """
    try:
        import resource
    except ImportError:  # Windows: the parent's wall clock is the only limit
        return
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }
    if alone:
        wanted[resource.RLIMIT_NPROC] = 0  # does not bind root: seccomp does
    for kind, most in wanted.items():
        _, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(kind, (value, value))


def no_capabilities(_: Room) -> None:
    """Give up every privilege of root, and the way back to one."""
    # The first one that does not exist ends the list; without privilege, none can be dropped.
    with contextlib.suppress(OSError):
        for capability in range(64):
            kernel.prctl(_PR_CAPBSET_DROP, capability)
    with contextlib.suppress(OSError):
        kernel.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):  # a user namespace has none to give up
            os.setgroups([])
    version_3 = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
    kernel.call("capset", version_3, bytes(24))


def undumpable(_: Room | None = None) -> None:
    """No core dumps, and no look into this process by others of its user."""
    kernel.prctl(_PR_SET_DUMPABLE, 0)


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Inside this `with`, no other process of this user may look into this one.

    On systems that cannot do this, nothing happens.
    """
    before = 1
    with contextlib.suppress(OSError, AttributeError):
        before = kernel.prctl(_PR_GET_DUMPABLE)
        undumpable()
    try:
        yield
    finally:
        with contextlib.suppress(OSError, AttributeError):
            kernel.prctl(_PR_SET_DUMPABLE, before)


def no_new_privileges(_: Room) -> None:
    """No set-user-id program can raise this process; needed by the two guards below."""
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def only_these_files(room: Room) -> None:
    """Landlock: read what Python needs, write in the own folder."""
    landlock.apply(folders.readable(), (str(room.folder), "/dev/null"))


def only_these_calls(_: Room) -> None:
    """Seccomp: nothing but computing and its own files."""
    seccomp.apply(os.getpid())


GUARDS: dict[str, Callable[[Room], None]] = {
    "session": own_session,
    "descriptors": close_descriptors,
    "folder": own_folder,
    "memory first": first_to_die,
    "limits": limits,
    "capabilities": no_capabilities,
    "dumpable": undumpable,
    "privileges": no_new_privileges,
    "one thread": single_thread,
    "landlock": only_these_files,
    "seccomp": only_these_calls,
}
"""In the order in which they are applied."""


def missing() -> str:
    """Why this machine cannot lock a process; empty where it can."""
    if not sys.platform.startswith("linux"):
        system = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)
        return f"{system} has neither Landlock nor seccomp"
    if kernel.machine() is None:
        return "the system-call filter knows x86_64 and aarch64 only"
    if landlock.version() == 0:
        return "this kernel has no Landlock (Linux 5.13 or newer, and not switched off)"
    return ""
