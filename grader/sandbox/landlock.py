"""Close the file system to this process, but for a list of folders.

In: paths that may be read, and those that may be written. Out: nothing; the kernel enforces it
until the process ends. Landlock needs Linux 5.13 and no privilege; newer kernels restrict more
(truncation, TCP, signals, abstract sockets).
Source: https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from grader.sandbox import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (
    1 << bit for bit in range(6)
)
_MAKE_DIR, _MAKE_REGULAR = 1 << 7, 1 << 8
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15

READ = _READ_FILE | _READ_DIR
WRITE = READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REGULAR
"""Files and folders may be made and removed; links, FIFOs, sockets and devices may not."""
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE

_RULE_PATH_BENEATH = 1
_QUESTION_VERSION = 1


def version() -> int:
    """The version of Landlock in this kernel; 0 where there is none or it is switched off."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, _QUESTION_VERSION)
    except (OSError, AttributeError):
        return 0


def handled(version: int) -> tuple[int, int, int]:
    """All that a version can restrict: rights to files, to TCP ports, and to processes outside."""
    files = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    return (1 << files) - 1, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0


def apply(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Restrict this thread: read below `readable`, read and write below `writable`, nothing else.

    Paths that do not exist are left out. Needs PR_SET_NO_NEW_PRIVS. Raises OSError.
    """
    files, ports, scopes = handled(version())
    sizes = {True: 24, False: 16 if ports else 8}
    attributes = struct.pack("=QQQ", files, ports, scopes)[: sizes[bool(scopes)]]
    rules = kernel.call("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        for path in readable:
            _allow(rules, path, READ & files)
        for path in writable:
            _allow(rules, path, WRITE & files)
        kernel.call("landlock_restrict_self", rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                rights &= _ON_FILES
            rule = struct.pack("=Qi", rights, place)
            kernel.call("landlock_add_rule", rules, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0)
        finally:
            os.close(place)
