"""Ask the Linux kernel for what Python has no function for, by system call number.

In: the name of a system call and its arguments. Out: its result, or OSError. Nothing is loaded
until the first call.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache
from typing import Any

from grader.sandbox.syscalls import MACHINES, NUMBERS


def machine() -> str | None:
    """`x86_64` or `aarch64`, whose system calls are known here; None for any other processor."""
    found = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine()
    )
    return found if found in MACHINES and ctypes.sizeof(ctypes.c_void_p) == 8 else None


def number(name: str) -> int:
    """The number of a system call on this processor. Raises OSError where there is none."""
    here = machine()
    found = NUMBERS[name][MACHINES.index(here)] if here else None
    if found is None:
        raise OSError(38, f"{name} does not exist on this processor")  # ENOSYS
    return found


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """Make a system call.

    Integers are passed as 64 bits; ctypes pointers and bytes as they are. Raises OSError.
    """
    passed = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    library = _library()
    library.syscall.restype = ctypes.c_long
    result = library.syscall(ctypes.c_long(number(name)), *passed)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return int(result)


def prctl(option: int, *arguments: Any) -> int:
    """`prctl(2)`. Raises OSError."""
    return call("prctl", option, *arguments, *[0] * (4 - len(arguments)))
