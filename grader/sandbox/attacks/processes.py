"""Attacks on other processes, above all on the parent: the zygote, or at level 1 the supervisor.

Where one would do harm it stops just short: signal 0 for SIGKILL, an argument that only a permitted
call complains of.
"""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import threading
from pathlib import Path

from grader.sandbox import kernel
from grader.sandbox.attacks.attempt import Target, asked, attack


@attack(2)
def fork(_: Target) -> None:
    """No new processes."""
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)


@attack(2)
def start_a_program(_: Target) -> None:
    """No new processes."""
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)


@attack(2)
def become_another_program(_: Target) -> None:
    """No new processes."""
    asked("execve", b"no-such-file", None, None)


@attack(2)
def start_a_thread(_: Target) -> None:
    """No new processes."""
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


@attack(2)
def trace_the_parent(_: Target) -> None:
    """No look into other processes."""
    seize = 0x4206
    kernel.call("ptrace", seize, os.getppid(), 0, 0)


@attack(2)
def read_memory_of_the_parent(_: Target) -> None:
    """No look into other processes."""
    nowhere = struct.pack("=QQ", 0, 1)
    asked("process_vm_readv", os.getppid(), nowhere, 1, nowhere, 1, 0)


@attack(2)
def open_memory_of_the_parent(_: Target) -> None:
    """No look into other processes."""
    os.close(os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR))


@attack(2)
def read_environment_of_the_parent(_: Target) -> None:
    """No look into other processes."""
    Path(f"/proc/{os.getppid()}/environ").read_bytes()


@attack(2)
def list_processes(_: Target) -> None:
    """No look into other processes."""
    os.listdir("/proc")  # noqa: PTH208 - the attack itself


@attack(2)
def signal_the_parent(_: Target) -> None:
    """No signals to others."""
    os.kill(os.getppid(), 0)


@attack(2)
def signal_every_process(_: Target) -> None:
    """No signals to others."""
    os.kill(-1, 0)


@attack(2)
def signal_a_thread_of_the_parent(_: Target) -> None:
    """No signals to others."""
    kernel.call("tgkill", os.getppid(), os.getppid(), 0)


@attack(2)
def queue_a_signal_for_the_parent(_: Target) -> None:
    """No signals to others."""
    asked("rt_sigqueueinfo", os.getppid(), 0, None)


@attack(2)
def hold_on_to_the_parent(_: Target) -> None:
    """No signals to others."""
    os.close(kernel.call("pidfd_open", os.getppid(), 0))


@attack(2)
def have_the_kernel_signal_the_parent(_: Target) -> None:
    """No signals to others."""
    import fcntl

    reading, writing = os.pipe()
    try:
        fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())
    finally:
        os.close(reading)
        os.close(writing)


@attack(2)
def change_limits_of_the_parent(_: Target) -> None:
    """No influence on other processes."""
    resource.prlimit(os.getppid(), resource.RLIMIT_CORE)


@attack(2)
def change_priority_of_the_parent(_: Target) -> None:
    """No influence on other processes."""
    os.setpriority(os.PRIO_PROCESS, os.getppid(), os.getpriority(os.PRIO_PROCESS, os.getppid()))


@attack(2)
def leave_the_session(_: Target) -> None:
    """No escape from the process group that is killed at the end."""
    os.setsid()


@attack(1)
def open_the_terminal(_: Target) -> None:
    """No terminal."""
    os.close(os.open("/dev/tty", os.O_RDWR | os.O_NONBLOCK))
