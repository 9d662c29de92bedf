"""Attacks on what a child may use, and on what it was given."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from grader.sandbox import lock
from grader.sandbox.attacks.attempt import Blocked, Target, attack


@attack(1)
def take_64_gigabytes(_: Target) -> None:
    """Memory is bounded."""
    import mmap

    no_reserve = 0x4000
    mmap.mmap(-1, 2**36, flags=mmap.MAP_PRIVATE | no_reserve).close()


@attack(1)
def write_a_large_file(_: Target) -> None:
    """Files are bounded."""
    with Path("large").open("wb") as file:
        try:
            os.pwrite(file.fileno(), b"0", lock.FILE_BYTES)
        finally:
            Path("large").unlink()


@attack(1)
def open_many_files(_: Target) -> None:
    """Open files are bounded."""
    opened: list[int] = []
    try:
        for _unused in range(lock.OPEN_FILES + 1):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in opened:
            os.close(descriptor)


@attack(1)
def dump_core(_: Target) -> None:
    """No core dumps."""
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        raise Blocked


@attack(1)
def inherit_a_descriptor(target: Target) -> None:
    """No inherited descriptors."""
    if all(not _is_open(descriptor) for descriptor in range(target.descriptors, lock.OPEN_FILES)):
        raise Blocked


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@attack(1)
def inherit_the_environment(target: Target) -> None:
    """A clean environment."""
    if not os.environ.keys() & target.environment:
        raise Blocked


@attack(2)
def have_a_second_thread(_: Target) -> None:
    """One thread, which the lock binds."""
    lock.single_thread()
    raise Blocked


@attack(2)
def share_memory_with_its_parent(_: Target) -> None:
    """No memory that another process would read."""
    permissions = (line.split()[1] for line in Path("/proc/self/maps").read_text().splitlines())
    if not any(shown.endswith("s") and "w" in shown for shown in permissions):
        raise Blocked
