"""Attacks by way of the network, and of what a kernel offers besides files and processes."""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys

from grader.sandbox import kernel, lock
from grader.sandbox.attacks.attempt import Target, asked, attack


def _socket(family: int, kind: int) -> None:
    socket.socket(family, kind).close()


@attack(2)
def open_a_tcp_socket(_: Target) -> None:
    """No network."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as here, socket.socket() as there:
        here.bind(("127.0.0.1", 0))
        here.listen()
        there.connect(here.getsockname())


@attack(2)
def open_a_udp_socket(_: Target) -> None:
    """No network."""
    _socket(socket.AF_INET, socket.SOCK_DGRAM)


@attack(2)
def open_a_unix_socket(_: Target) -> None:
    """No network."""
    _socket(socket.AF_UNIX, socket.SOCK_STREAM)


@attack(2)
def open_a_netlink_socket(_: Target) -> None:
    """No network."""
    _socket(socket.AF_NETLINK, socket.SOCK_RAW)


@attack(2)
def mount_a_file_system(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    asked("mount", b"none", b".", b"no-such-type", 0, None)


@attack(2)
def change_its_root(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    os.chroot("/")


@attack(2)
def make_a_namespace(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    asked("unshare", 1)


@attack(2)
def enter_a_namespace(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    asked("setns", 0, 0)


@attack(2)
def read_its_keyring(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    session_keyring = -3
    kernel.call("keyctl", 0, session_keyring, 1)


@attack(2)
def load_a_kernel_program(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    asked("bpf", 5, None, 0)


@attack(2)
def make_a_ring_of_system_calls(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    asked("io_uring_setup", 0, None)


@attack(2)
def watch_the_processor(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    asked("perf_event_open", None, 0, -1, -1, 0)


@attack(2)
def handle_page_faults(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    os.close(kernel.call("userfaultfd", 0))


@attack(2)
def share_memory(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    private, remove = 0, 0
    kernel.call("shmctl", kernel.call("shmget", private, 4096, 0o600), remove, None)


@attack(2)
def make_a_file_in_memory(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    os.close(kernel.call("memfd_create", b"x", 0))


@attack(2)
def change_its_personality(_: Target) -> None:
    """No kernel interfaces that compute nothing."""
    query = 0xFFFFFFFF
    kernel.call("personality", query)


@attack(2)
def become_readable_again(_: Target) -> None:
    """No way to take back a restriction."""
    set_dumpable = 4
    kernel.prctl(set_dumpable, 1)


@attack(2)
def outlive_its_parent(_: Target) -> None:
    """No way to take back a restriction."""
    kernel.prctl(lock.PR_SET_PDEATHSIG, 0)


@attack(2)
def regain_a_capability(_: Target) -> None:
    """No way to take back a restriction."""
    version_3 = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
    chown = struct.pack("=IIIIII", 1, 1, 0, 0, 0, 0)
    kernel.call("capset", version_3, chown)


@attack(2)
def raise_its_limits(_: Target) -> None:
    """No way to take back a restriction."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
