"""The filter, run by a second implementation of the kernel's machine: for both processors, on any
system.
"""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.sandbox import seccomp
from grader.sandbox.syscalls import ALLOWED, AUDIT_ARCH, FILTERED, MACHINES, NUMBERS, REFUSED

OWN = 4321
REFUSED_WITH_EPERM = seccomp.REFUSE | errno.EPERM
UNKNOWN = seccomp.REFUSE | errno.ENOSYS


def answer(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the kernel would answer to a system call: classic BPF over a seccomp_data."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, AUDIT_ARCH[machine] if arch is None else arch, 0, *padded)
    code = seccomp.assemble(seccomp.program(machine, OWN))
    accumulator, at = 0, 0
    while True:
        operation, when_true, when_false, constant = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, constant)
        elif operation == 0x54:
            accumulator &= constant
        elif operation == 0x15:
            at += when_true if accumulator == constant else when_false
        elif operation == 0x35:
            at += when_true if accumulator >= constant else when_false
        else:
            assert operation == 0x06
            return constant


def number(name: str, machine: str) -> int | None:
    return NUMBERS[name][MACHINES.index(machine)]


on_both = pytest.mark.parametrize("machine", MACHINES)


@on_both
def test_calls_that_compute_are_allowed(machine):
    for numbers in ALLOWED.values():
        if numbers[MACHINES.index(machine)] is not None:
            assert answer(machine, numbers[MACHINES.index(machine)]) == seccomp.ALLOW


@on_both
@pytest.mark.parametrize("name", [name for name in REFUSED if name not in ("clone3", "openat2")])
def test_calls_that_reach_out_are_refused(machine, name):
    if number(name, machine) is not None:
        assert answer(machine, number(name, machine)) == REFUSED_WITH_EPERM


@on_both
@given(call=st.integers(0, 2**32 - 1))
def test_every_call_that_is_in_no_table_is_refused(machine, call):
    column = MACHINES.index(machine)
    known = {numbers[column] for numbers in (ALLOWED | FILTERED).values()}
    if call not in known:
        assert answer(machine, call) in (REFUSED_WITH_EPERM, UNKNOWN)


@on_both
def test_younger_calls_are_unknown_so_that_libc_falls_back(machine):
    assert answer(machine, number("clone3", machine)) == UNKNOWN
    assert answer(machine, 463) == UNKNOWN
    assert answer(machine, 10_000) == UNKNOWN


def test_the_32_bit_view_of_x86_is_refused():
    x32 = 0x40000000
    assert answer("x86_64", x32 | number("read", "x86_64")) == UNKNOWN


@on_both
def test_a_call_by_another_processors_convention_kills(machine):
    i386 = 0x40000003
    assert answer(machine, number("read", machine), arch=i386) == seccomp.KILL_PROCESS


@on_both
def test_only_the_process_itself_may_be_signalled(machine):
    for name in ("kill", "tgkill"):
        call = number(name, machine)
        assert answer(machine, call, OWN) == seccomp.ALLOW
        for other in (
            0,
            1,
            OWN - 1,
            2**32 - 1,
            2**32 - OWN,
        ):  # also -1 and -OWN: everybody, and its group
            assert answer(machine, call, other) == REFUSED_WITH_EPERM


@on_both
def test_limits_of_others_may_not_be_touched(machine):
    call = number("prlimit64", machine)
    assert answer(machine, call, 0) == answer(machine, call, OWN) == seccomp.ALLOW
    assert answer(machine, call, 1) == REFUSED_WITH_EPERM


@on_both
def test_descriptors_may_not_send_signals(machine):
    set_owner, set_signal, set_owner_extended, set_flags = 8, 10, 15, 4
    call = number("fcntl", machine)
    assert answer(machine, call, 0, set_flags) == seccomp.ALLOW
    for command in (set_owner, set_signal, set_owner_extended):
        assert answer(machine, call, 0, command) == REFUSED_WITH_EPERM


@on_both
def test_nothing_can_be_typed_into_a_terminal(machine):
    type_a_character, is_a_terminal = 0x5412, 0x5401
    assert answer(machine, number("ioctl", machine), 0, is_a_terminal) == seccomp.ALLOW
    assert answer(machine, number("ioctl", machine), 0, type_a_character) == REFUSED_WITH_EPERM


@on_both
@given(flags=st.integers(0, 2**32 - 1))
def test_a_file_that_is_only_read_cannot_be_truncated(machine, flags):
    reads_only, truncates = flags & 0o3 == 0, flags & 0o1000 != 0
    expected = REFUSED_WITH_EPERM if reads_only and truncates else seccomp.ALLOW
    assert answer(machine, number("openat", machine), 0, 0, flags) == expected


@on_both
def test_no_process_can_make_itself_dumpable_or_outlive_its_parent(machine):
    for option in (1, 4, 22, 38, 0x59616D61):
        assert answer(machine, number("prctl", machine), option) == REFUSED_WITH_EPERM


@on_both
def test_arguments_count_by_their_low_half_as_in_the_kernel(machine):
    assert answer(machine, number("kill", machine), 2**32 + OWN) == seccomp.ALLOW
    assert answer(machine, number("kill", machine), 2**40 + 1) == REFUSED_WITH_EPERM


@on_both
def test_the_program_fits_the_kernels_limit(machine):
    assert len(seccomp.program(machine, OWN)) <= 4096
