"""Refuse system calls, by a filter that the kernel runs before each one until the process ends.

In: the process that locks itself. Out: a BPF program. What is not listed is refused with EPERM: no
network, no new process or thread, no signal to others, no tracing, no mounts, no kernel interface
that an ordinary program never needs.
Source: https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import struct
from dataclasses import dataclass

from grader.sandbox import kernel
from grader.sandbox.syscalls import ALLOWED, AUDIT_ARCH, FILTERED, MACHINES, MISSING, NEWEST

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
REFUSE = 0x00050000
"""SECCOMP_RET_ERRNO; the error number goes into the low 16 bits."""

OWN_PROCESS = -1
"""In a rule: the number of the process that the filter is made for."""

_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16


@dataclass(frozen=True, slots=True)
class Only:
    """Allow when this argument (from 0) is one of `values`.

    Its low 32 bits are compared, which is all of an int.
    """

    argument: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unless:
    """Allow unless the bits `mask` of this argument (from 0) are exactly `value`."""

    argument: int
    mask: int
    value: int


_TRUNCATES_UNWRITTEN = {"mask": 0o1003, "value": 0o1000}  # O_TRUNC without O_WRONLY or O_RDWR

RULES: dict[str, Only | Unless] = {
    # Landlock before Linux 6.2 takes O_RDONLY | O_TRUNC for reading.
    "open": Unless(1, **_TRUNCATES_UNWRITTEN),
    "openat": Unless(2, **_TRUNCATES_UNWRITTEN),
    # Duplicate, and read or set flags; not F_SETOWN and F_SETSIG, which send any signal to any
    # process of the user.
    "fcntl": Only(1, (0, 1, 2, 3, 4, 1030, 1032)),
    # Is it a terminal, how wide, how much is there to read; not TIOCSTI, which types into a
    # terminal.
    "ioctl": Only(1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)),
    # Names of threads and memory, and three questions; not PR_SET_DUMPABLE, PR_SET_PDEATHSIG,
    # PR_SET_PTRACER.
    "prctl": Only(0, (15, 16, 0x53564D41, 3, 21, 39)),
    "prlimit64": Only(0, (0, OWN_PROCESS)),
    "kill": Only(0, (OWN_PROCESS,)),
    "tgkill": Only(0, (OWN_PROCESS,)),
}

Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip when true, when false, and its constant."""


def program(machine: str, process: int) -> list[Instruction]:
    """The filter for `process` on `machine`, one of `MACHINES`."""
    column = MACHINES.index(machine)
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for name, numbers in FILTERED.items():
        code += _when(numbers[column], _body(RULES[name], process))
    for numbers in ALLOWED.values():
        code += _when(numbers[column], [(_RETURN, 0, 0, ALLOW)])
    for numbers in MISSING.values():
        code += _when(numbers[column], [(_RETURN, 0, 0, REFUSE | errno.ENOSYS)])
    return [
        *code,
        (_AT_LEAST, 0, 1, NEWEST),
        (_RETURN, 0, 0, REFUSE | errno.ENOSYS),
        (_RETURN, 0, 0, REFUSE | errno.EPERM),
    ]


def _when(number: int | None, body: list[Instruction]) -> list[Instruction]:
    return [] if number is None else [(_EQUAL, 0, len(body), number), *body]


def _body(rule: Only | Unless, process: int) -> list[Instruction]:
    load = (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * rule.argument)
    refuse, allow = (_RETURN, 0, 0, REFUSE | errno.EPERM), (_RETURN, 0, 0, ALLOW)
    if isinstance(rule, Unless):
        return [load, (_AND, 0, 0, rule.mask), (_EQUAL, 0, 1, rule.value), refuse, allow]
    code = [load]
    for value in rule.values:
        expected = process if value == OWN_PROCESS else value
        code += [(_EQUAL, 0, 1, expected), allow]
    return [*code, refuse]


def assemble(code: list[Instruction]) -> bytes:
    """The program as the kernel takes it: eight bytes an instruction."""
    return b"".join(struct.pack("=HBBI", *step) for step in code)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def apply(process: int) -> None:
    """Filter this process, whose number is `process`, for good.

    Needs PR_SET_NO_NEW_PRIVS. Raises OSError.
    """
    machine = kernel.machine()
    if machine is None:
        raise OSError(errno.ENOSYS, "no table of system calls for this processor")
    code = assemble(program(machine, process))
    held = ctypes.create_string_buffer(code, len(code))
    filter_ = _Program(len(code) // 8, ctypes.cast(held, ctypes.c_void_p))
    kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_))


_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
