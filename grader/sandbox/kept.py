"""A zygote that outlives one grading, so that the next one need not load torch again. Linux.

In: whether it is boxed. Out: a zygote that another process keeps, lent to one grading at a time.
The keeper is a fork of the grader that started it; it ends, and the zygote with it, when nobody has
asked for a while, and when a grading did not give the zygote back at rest. It holds the zygote's
socket and hands on a copy: requests and replies do not pass through it.

It is found by a name that only processes of the same network namespace see, and that tells which
grader, which packages and which environment the zygote was started with: after any of them has
changed, nobody finds it. Both ends make sure that the other belongs to the same user.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import socket
import struct
import sys
import sysconfig
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grader.sandbox import child, nursery, same_code
from grader.sandbox.ending import Ending, Limits
from grader.sandbox.zygote import Zygote

IDLE_SECONDS = 600.0
_ANSWER_SECONDS = 10.0
_END, _LEND, _AT_REST = b"end", b"lend", b"at rest"


class Lent(Zygote):
    """A zygote that somebody else keeps. `close` gives it back; where it is lost, another starts.

    `is_new`: nobody had it before, so that its first words, which say that it can fork, are unread.
    """

    def __init__(
        self, lease: socket.socket, control: socket.socket, told: dict[str, Any], *, boxed: bool
    ) -> None:
        super().__init__(boxed=boxed)
        self._lease: socket.socket | None = lease
        self._control = control
        self.folder = Path(told["folder"])
        self.is_new = not told["ready"]
        self._ready = self._at_rest = not self.is_new

    def wait(self) -> None:
        """Wait until the zygote can fork. Raises GraderError when it cannot be had."""
        super().wait()
        self._at_rest = True

    def _converse(self, order: dict[str, Any], request: Sequence[bytes], limits: Limits) -> Ending:
        self._at_rest = False
        found = super()._converse(order, request, limits)
        self._at_rest = True
        return found

    def close(self) -> None:
        """Give it back; one in the middle of a request is of no more use, and ends."""
        if self._lease is None:
            super().close()
            return
        with self._lease, contextlib.suppress(OSError):
            if self._at_rest:
                self._lease.send(_AT_REST)
        self._lease = None
        if self._control is not None:
            self._control.close()
        self._ready = False
        self._control = self.folder = None


def borrowed(*, boxed: bool) -> Zygote | None:
    """A zygote that a keeper has to lend; None where there is none, or somebody has it."""
    lease = _asked(_LEND, boxed=boxed)
    return None if lease is None else _received(lease, boxed=boxed)


def started(*, boxed: bool, idle_seconds: float = IDLE_SECONDS) -> Zygote | None:
    """Start a keeper and borrow its zygote; None where the system refuses.

    Only a process of one thread can be split in two.
    """
    if threading.active_count() > 1:
        return None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(_name(boxed=boxed))
        listener.listen()
        keeper = os.fork()
    except OSError:  # another grading started one just now
        listener.close()
        return None
    if keeper == 0:
        _keep(listener, idle_seconds, boxed=boxed)
    listener.close()
    return borrowed(boxed=boxed)


def end() -> None:
    """End every zygote that is kept for this grader; one that is lent, when it comes back."""
    for boxed in (False, True):
        lease = _asked(_END, boxed=boxed)
        if lease is not None:
            with lease, contextlib.suppress(OSError):
                lease.recv(1)  # it closes when the keeper has ended


def _asked(what: bytes, *, boxed: bool) -> socket.socket | None:
    """A connection to the keeper, which was asked; None where there is none of this user."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    lease = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lease.settimeout(_ANSWER_SECONDS)
    try:
        lease.connect(_name(boxed=boxed))
        if _user(lease) == os.getuid():
            lease.send(what)
            return lease
    except OSError:
        pass
    lease.close()
    return None


def _received(lease: socket.socket, *, boxed: bool) -> Zygote | None:
    try:
        message, descriptors = nursery.receive(lease)
    except OSError:  # it does not answer
        message, descriptors = None, []
    if message is None or len(descriptors) != 1:
        lease.close()
        return None
    return Lent(lease, socket.socket(fileno=descriptors[0]), message, boxed=boxed)


def _name(*, boxed: bool) -> bytes:
    """Where the keeper listens: no file, so that nothing is left behind."""
    packages = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    known = (
        same_code.own_source(),
        sys.executable,
        sorted(child.environment(Path()).items()),
        # Whatever is installed, updated or removed leaves or takes a folder there.
        sorted((str(folder), folder.stat().st_mtime_ns) for folder in packages if folder.is_dir()),
        boxed,
    )
    digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
    return f"\0grader-{os.getuid()}-{digest[:32]}".encode()


def _user(connection: socket.socket) -> int:
    """Whose process is at the other end."""
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", found)[1])


def _keep(listener: socket.socket, idle_seconds: float, *, boxed: bool) -> None:
    """Start a zygote and lend it; never returns."""
    try:
        os.setsid()
        os.chdir("/")
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        own = listener.fileno()
        os.closerange(3, own)
        os.closerange(own + 1, os.sysconf("SC_OPEN_MAX"))
        zygote = Zygote(boxed=boxed)
        try:
            zygote.start()
            _lend_on(listener, zygote, idle_seconds)
        finally:
            listener.close()
            zygote.close()
    finally:
        os._exit(0)


def _lend_on(listener: socket.socket, zygote: Zygote, idle_seconds: float) -> None:
    """Lend the zygote to one after the other, until nobody asks for it."""
    ready = False
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while poll.poll(idle_seconds * 1000):
        with _accepted(listener) as client:
            asked = _heard(client)
            if asked == _END:
                listener.close()
                zygote.close()
                return
            if asked != _LEND:
                continue
            told = {"folder": str(zygote.folder), "ready": ready}
            with contextlib.suppress(OSError):
                nursery.send(client, told, [zygote.control.fileno()])
            if not _is_returned(client, listener):
                return
            ready = True


def _accepted(listener: socket.socket) -> socket.socket:
    client, _ = listener.accept()
    client.settimeout(_ANSWER_SECONDS)
    return client


def _heard(client: socket.socket) -> bytes:
    """What a client of the same user asks."""
    try:
        return client.recv(64) if _user(client) == os.getuid() else b""
    except OSError:
        return b""


def _is_returned(client: socket.socket, listener: socket.socket) -> bool:
    """Whether it came back at rest, and may be lent again. Who asks meanwhile is sent away."""
    poll = select.poll()
    poll.register(client, select.POLLIN)
    poll.register(listener, select.POLLIN)
    ends = False
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if client.fileno() in ready:
            return _heard(client) == _AT_REST and not ends
        with _accepted(listener) as other:
            ends = _heard(other) == _END or ends
