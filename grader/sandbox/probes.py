"""Try to break out, harmlessly: each probe is one thing that student code must not be able to do.

In: a child in the state in which it would run student code, and a few paths to aim at. Out: which attempts were blocked.
Where an attempt would do harm if it worked, the probe stops just short of it: signal 0 instead of SIGKILL, an invalid
argument that only a permitted call gets to complain about.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import socket
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.sandbox import kernel, lock, places, strict_json

REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried: its name, what blocking it promises, and from which level on that is promised."""

    name: str
    promise: str
    level: int
    blocked: bool


@dataclass(frozen=True, slots=True)
class Target:
    """What to aim at: a file beside the child's folder, a file of the grader's, and what the child should hold."""

    planted: Path
    host_file: Path
    home: Path
    descriptors: int
    environment: frozenset[str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A probe before it is run. `attack` returns normally when it works, and raises when it is blocked."""

    name: str
    promise: str
    level: int
    attack: Callable[[Target], None]


class Blocked(Exception):
    """The attack did not work."""


ATTEMPTS: list[Attempt] = []
"""Every probe, in the order in which they are run."""


def _probe(level: int, promise: str) -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    def register(attack: Callable[[Target], None]) -> Callable[[Target], None]:
        ATTEMPTS.append(Attempt(attack.__name__.replace("_", " "), promise, level, attack))
        return attack

    return register


def run(request: dict[str, Any]) -> bytes:
    """Try everything, here and now, and say as JSON which attempts were blocked."""
    target = Target(
        Path(request["planted"]),
        Path(request["host_file"]),
        Path(request["home"]),
        request["descriptors"],
        frozenset(request["environment"]),
    )
    return json.dumps({attempt.name: _is_blocked(attempt, target) for attempt in ATTEMPTS}).encode()


def read(answer: bytes) -> tuple[Probe, ...]:
    """What `run` answered in a child. A probe that is missing from it counts as open."""
    try:
        found = strict_json.read(answer, most_bytes=2**16)
    except ValueError:
        found = {}
    return tuple(
        Probe(attempt.name, attempt.promise, attempt.level, isinstance(found, dict) and found.get(attempt.name) is True)
        for attempt in ATTEMPTS
    )


def _is_blocked(attempt: Attempt, target: Target) -> bool:
    try:
        attempt.attack(target)
    except Exception:  # any refusal will do: what counts is that it did not work
        return True
    return False


def _asked(name: str, *arguments: Any) -> None:
    """Make a system call with arguments that cannot succeed: blocked when it is refused before they are looked at."""
    try:
        kernel.call(name, *arguments)
    except OSError as error:
        if error.errno in REFUSALS:
            raise Blocked from error


# Files


@_probe(2, "no reads outside the allow list")
def read_the_password_file(_: Target) -> None:
    Path("/etc/passwd").read_bytes()


@_probe(2, "no reads outside the allow list")
def read_the_shadow_file(_: Target) -> None:
    Path("/etc/shadow").read_bytes()


@_probe(2, "no reads outside the allow list")
def list_the_home_folder(target: Target) -> None:
    list(target.home.iterdir())


@_probe(2, "no reads of labels or other submissions")
def read_a_file_beside_its_folder(target: Target) -> None:
    target.planted.read_bytes()


@_probe(2, "no reads of labels or other submissions")
def read_through_its_root_in_proc(target: Target) -> None:
    Path(f"/proc/self/root{target.planted}").read_bytes()


@_probe(2, "no reads of labels or other submissions")
def read_through_its_folder_in_proc(target: Target) -> None:
    Path(f"/proc/self/cwd/../{target.planted.name}").read_bytes()


@_probe(2, "no reads of labels or other submissions")
def read_through_a_symbolic_link(target: Target) -> None:
    with _link(target, os.symlink) as link:
        link.read_bytes()


@_probe(2, "no reads of labels or other submissions")
def read_through_a_hard_link(target: Target) -> None:
    with _link(target, os.link) as link:
        link.read_bytes()


@contextlib.contextmanager
def _link(target: Target, make: Callable[[Path, str], None]) -> Iterator[Path]:
    make(target.planted, "link")
    try:
        yield Path("link")
    finally:
        os.unlink("link")


@_probe(2, "no writes outside its folder")
def write_outside_its_folder(target: Target) -> None:
    place = target.planted.parent / "written"
    place.write_bytes(b"")
    place.unlink()


@_probe(2, "no writes outside its folder")
def write_into_the_grader(_: Target) -> None:
    with (places.PACKAGE / "__init__.py").open("r+b"):
        pass


@_probe(2, "no writes outside its folder")
def write_into_the_libraries(_: Target) -> None:
    place = Path(json.__file__).parent / "written"
    place.write_bytes(b"")
    place.unlink()


@_probe(2, "no writes outside its folder")
def truncate_a_file_by_name(target: Target) -> None:
    os.truncate(target.planted, target.planted.stat().st_size)


@_probe(2, "no writes outside its folder")
def truncate_a_file_open_for_reading(_: Target) -> None:
    os.close(os.open(os.devnull, os.O_RDONLY | os.O_TRUNC))


@_probe(2, "no change of permissions or owners")
def change_permissions(target: Target) -> None:
    target.planted.chmod(stat.S_IMODE(target.planted.stat().st_mode))


@_probe(2, "no devices")
def make_a_device(_: Target) -> None:
    os.mknod("device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    os.unlink("device")


@_probe(2, "no devices")
def read_the_kernel_log(_: Target) -> None:
    os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))


@_probe(2, "no reads outside the allow list")
def watch_a_folder(_: Target) -> None:
    os.close(kernel.call("inotify_init1", 0))


@_probe(3, "files of the machine cannot even be seen")
def see_that_a_file_exists(target: Target) -> None:
    target.host_file.stat()


# Processes


@_probe(2, "no new processes")
def fork(_: Target) -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)


@_probe(2, "no new processes")
def start_a_program(_: Target) -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)  # noqa: S603 - the attack itself


@_probe(2, "no new processes")
def become_another_program(_: Target) -> None:
    _asked("execve", b"no-such-file", None, None)


@_probe(2, "no new processes")
def start_a_thread(_: Target) -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


@_probe(2, "no look into other processes")
def trace_the_parent(_: Target) -> None:
    seize = 0x4206
    kernel.call("ptrace", seize, os.getppid(), 0, 0)


@_probe(2, "no look into other processes")
def read_memory_of_the_parent(_: Target) -> None:
    nowhere = struct.pack("=QQ", 0, 1)
    _asked("process_vm_readv", os.getppid(), nowhere, 1, nowhere, 1, 0)


@_probe(2, "no look into other processes")
def open_memory_of_the_parent(_: Target) -> None:
    os.close(os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR))


@_probe(2, "no look into other processes")
def read_environment_of_the_parent(_: Target) -> None:
    Path(f"/proc/{os.getppid()}/environ").read_bytes()


@_probe(2, "no look into other processes")
def list_processes(_: Target) -> None:
    os.listdir("/proc")  # noqa: PTH208 - the attack itself


@_probe(2, "no signals to others")
def signal_the_parent(_: Target) -> None:
    os.kill(os.getppid(), 0)


@_probe(2, "no signals to others")
def signal_every_process(_: Target) -> None:
    os.kill(-1, 0)


@_probe(2, "no signals to others")
def signal_a_thread_of_the_parent(_: Target) -> None:
    kernel.call("tgkill", os.getppid(), os.getppid(), 0)


@_probe(2, "no signals to others")
def queue_a_signal_for_the_parent(_: Target) -> None:
    _asked("rt_sigqueueinfo", os.getppid(), 0, None)


@_probe(2, "no signals to others")
def hold_on_to_the_parent(_: Target) -> None:
    os.close(kernel.call("pidfd_open", os.getppid(), 0))


@_probe(2, "no signals to others")
def have_the_kernel_signal_the_parent(_: Target) -> None:
    import fcntl

    reading, writing = os.pipe()
    try:
        fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())
    finally:
        os.close(reading)
        os.close(writing)


@_probe(2, "no influence on other processes")
def change_limits_of_the_parent(_: Target) -> None:
    resource.prlimit(os.getppid(), resource.RLIMIT_CORE)


@_probe(2, "no influence on other processes")
def change_priority_of_the_parent(_: Target) -> None:
    os.setpriority(os.PRIO_PROCESS, os.getppid(), os.getpriority(os.PRIO_PROCESS, os.getppid()))


@_probe(2, "no escape from the process group that is killed at the end")
def leave_the_session(_: Target) -> None:
    os.setsid()


@_probe(1, "no terminal")
def open_the_terminal(_: Target) -> None:
    os.close(os.open("/dev/tty", os.O_RDWR | os.O_NONBLOCK))


# Network


def _socket(family: int, kind: int) -> None:
    socket.socket(family, kind).close()


@_probe(2, "no network")
def open_a_tcp_socket(_: Target) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as here, socket.socket() as there:
        here.bind(("127.0.0.1", 0))
        here.listen()
        there.connect(here.getsockname())


@_probe(2, "no network")
def open_a_udp_socket(_: Target) -> None:
    _socket(socket.AF_INET, socket.SOCK_DGRAM)


@_probe(2, "no network")
def open_a_unix_socket(_: Target) -> None:
    _socket(socket.AF_UNIX, socket.SOCK_STREAM)


@_probe(2, "no network")
def open_a_netlink_socket(_: Target) -> None:
    _socket(socket.AF_NETLINK, socket.SOCK_RAW)


# Kernel interfaces


@_probe(2, "no kernel interfaces that compute nothing")
def mount_a_file_system(_: Target) -> None:
    _asked("mount", b"none", b".", b"no-such-type", 0, None)


@_probe(2, "no kernel interfaces that compute nothing")
def change_its_root(_: Target) -> None:
    os.chroot("/")


@_probe(2, "no kernel interfaces that compute nothing")
def make_a_namespace(_: Target) -> None:
    _asked("unshare", 1)


@_probe(2, "no kernel interfaces that compute nothing")
def enter_a_namespace(_: Target) -> None:
    _asked("setns", 0, 0)


@_probe(2, "no kernel interfaces that compute nothing")
def read_its_keyring(_: Target) -> None:
    session_keyring = -3
    kernel.call("keyctl", 0, session_keyring, 1)


@_probe(2, "no kernel interfaces that compute nothing")
def load_a_kernel_program(_: Target) -> None:
    _asked("bpf", 5, None, 0)


@_probe(2, "no kernel interfaces that compute nothing")
def make_a_ring_of_system_calls(_: Target) -> None:
    _asked("io_uring_setup", 0, None)


@_probe(2, "no kernel interfaces that compute nothing")
def watch_the_processor(_: Target) -> None:
    _asked("perf_event_open", None, 0, -1, -1, 0)


@_probe(2, "no kernel interfaces that compute nothing")
def handle_page_faults(_: Target) -> None:
    os.close(kernel.call("userfaultfd", 0))


@_probe(2, "no kernel interfaces that compute nothing")
def share_memory(_: Target) -> None:
    private, remove = 0, 0
    kernel.call("shmctl", kernel.call("shmget", private, 4096, 0o600), remove, None)


@_probe(2, "no kernel interfaces that compute nothing")
def make_a_file_in_memory(_: Target) -> None:
    os.close(kernel.call("memfd_create", b"x", 0))


@_probe(2, "no kernel interfaces that compute nothing")
def change_its_personality(_: Target) -> None:
    query = 0xFFFFFFFF
    kernel.call("personality", query)


@_probe(2, "no way to take back a restriction")
def become_readable_again(_: Target) -> None:
    set_dumpable = 4
    kernel.prctl(set_dumpable, 1)


@_probe(2, "no way to take back a restriction")
def outlive_its_parent(_: Target) -> None:
    kernel.prctl(lock.PR_SET_PDEATHSIG, 0)


@_probe(2, "no way to take back a restriction")
def regain_a_capability(_: Target) -> None:
    version_3 = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
    chown = struct.pack("=IIIIII", 1, 1, 0, 0, 0, 0)
    kernel.call("capset", version_3, chown)


@_probe(2, "no way to take back a restriction")
def raise_its_limits(_: Target) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))


# What it may use, and what it was given


@_probe(1, "memory is bounded")
def take_64_gigabytes(_: Target) -> None:
    import mmap

    mmap.mmap(-1, 2**36, flags=mmap.MAP_PRIVATE | mmap.MAP_NORESERVE).close()


@_probe(1, "files are bounded")
def write_a_large_file(_: Target) -> None:
    with Path("large").open("wb") as file:
        try:
            os.pwrite(file.fileno(), b"0", lock.FILE_BYTES)
        finally:
            os.unlink("large")


@_probe(1, "open files are bounded")
def open_many_files(_: Target) -> None:
    opened: list[int] = []
    try:
        for _unused in range(lock.OPEN_FILES + 1):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in opened:
            os.close(descriptor)


@_probe(1, "no core dumps")
def dump_core(_: Target) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        raise Blocked


@_probe(1, "no inherited descriptors")
def inherit_a_descriptor(target: Target) -> None:
    if all(not _is_open(descriptor) for descriptor in range(target.descriptors, lock.OPEN_FILES)):
        raise Blocked


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@_probe(1, "a clean environment")
def inherit_the_environment(target: Target) -> None:
    if os.environ.keys() <= target.environment:
        raise Blocked


@_probe(2, "one thread, which the lock binds")
def have_a_second_thread(_: Target) -> None:
    lock.single_thread()
    raise Blocked
