"""The zygote's side: it has imported torch once, and forks a locked child for each request.

In: requests on a socket, with the descriptors that a child will use. Out: how each child ended. It
is trusted and stays so: it reads no submission and no reply, it only hands descriptors on, and no
student code ever runs in it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.sandbox import ending, frames, kernel, lock, removal, reply, same_code

REQUEST, REPLY, LOCKED = 3, 4, 5
"""A child's descriptors, besides 0 (nothing to read), 1 and 2 (what it prints)."""

LARGEST_MESSAGE = 2**16
PLANTED = "planted"
PLANTED_TEXT = "labels: 7 2 1 0 4"
_LOOK_EVERY = 0.1  # seconds between looks at the child's folder
PR_SET_CHILD_SUBREAPER = 36

Work = Callable[[str, Mapping[str, Any], Sequence[bytes]], list[bytes]]
"""Answers a request of one kind, and the bytes that go with it, with the parts of a reply; runs in
the locked child."""


@dataclass(frozen=True, slots=True)
class Nursery:
    """`control` is the socket to the grader, `folder` where the children's folders are made."""

    control: socket.socket
    folder: Path
    work: Work
    prepare: Callable[[str], None]

    def serve(self) -> None:
        """Answer requests until the grader closes its end."""
        kernel.prctl(PR_SET_CHILD_SUBREAPER, 1)
        lock.undumpable()
        (self.folder / PLANTED).write_text(PLANTED_TEXT)
        send(self.control, {"ready": True, "code": same_code.own()})
        while True:
            message, descriptors = receive(self.control)
            if message is None:
                return
            if "nonce" in message:  # a request to stop may arrive when the child has just ended
                # Where the grader is gone, the next receive() finds out.
                with contextlib.suppress(ConnectionError):
                    send(self.control, self._raise_one(message, descriptors))

    def _raise_one(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Fork a child for a request, and report how it ended."""
        for name in message["prepare"]:
            self.prepare(name)
        own = Path(tempfile.mkdtemp(prefix="child-", dir=self.folder))
        hears, says = os.pipe()
        try:
            nursery = os.getpid()
            process = os.fork()
            if process == 0:
                self._child(nursery, message, descriptors, says, own)
            os.close(says)
            for descriptor in descriptors:
                os.close(descriptor)
            status, stopped = self._watch(process, message["seconds"], own)
            locked = os.read(hears, 1) == b"1"
        finally:
            os.close(hears)
            removal.remove(own)
        return {"nonce": message["nonce"], "status": status, "stopped": stopped, "locked": locked}

    def _child(
        self, nursery: int, message: dict[str, Any], descriptors: list[int], says: int, own: Path
    ) -> None:
        """Lock, work, answer, end; never returns."""
        end = os._exit  # held here: a student's file may replace os._exit
        status = ending.UNANSWERED
        try:
            nothing = os.open(os.devnull, os.O_RDONLY)
            request, answer, printed = descriptors
            keep = (nothing, printed, printed, request, answer, says)
            room = lock.Room(own, keep, message["memory_bytes"], int(message["seconds"]) + 1)
            lock.apply(room, without=frozenset(message["without"]))
            os.write(LOCKED, b"1")
            os.close(LOCKED)
            if os.getppid() == nursery:
                _respond(message, self.work)
                status = 0
        except BaseException:  # whatever it is, this copy of the zygote must not live on
            with contextlib.suppress(BaseException):
                traceback.print_exc()
        finally:
            end(status)

    def _watch(self, process: int, seconds: float, own: Path) -> tuple[int, str]:
        """Wait for the child; end it when told to, when its time is over or it fills the disk."""
        ended = os.pidfd_open(process)
        deadline = time.monotonic() + seconds
        stopped = ""
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        try:
            while not stopped:
                wait = min(_LOOK_EVERY, max(0.0, deadline - time.monotonic()))
                ready = {descriptor for descriptor, _ in poll.poll(wait * 1000)}
                if ended in ready:
                    break
                if self.control.fileno() in ready:
                    stopped = "told"
                elif time.monotonic() >= deadline:
                    stopped = "time"
                elif _is_full(own):
                    stopped = "disk"
        finally:
            os.close(ended)
        return _end(process), stopped


def _respond(message: dict[str, Any], work: Work) -> None:
    """Read the request from `REQUEST`, and write the sealed answer to `REPLY`."""
    with os.fdopen(REQUEST, "rb") as file:
        request, *blobs = frames.read(file, most_bytes=frames.ANY)
    answer = work(message["kind"], json.loads(request), blobs)
    whole = reply.pack(answer, bytes.fromhex(message["nonce"]))
    with os.fdopen(REPLY, "wb") as file:
        file.write(whole)


def _end(process: int) -> int:
    """Kill a child and all that came from it; the child's status (a signal is negative)."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    end_descendants()
    return status


def end_descendants() -> None:
    """Kill and reap every process that descends from this one, which must be their subreaper."""
    for _ in range(1000):  # each round, orphans of those just killed become ours
        for child in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        return [
            int(word)
            for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        ]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return []


def _is_full(folder: Path) -> bool:
    """Whether too much is in a folder.

    `os.walk` would call itself for every folder in a folder, and not return.
    """
    size = count = 0
    waiting = [str(folder)]
    while waiting and count <= ending.FOLDER_FILES:
        try:
            with os.scandir(waiting.pop()) as found:
                entries = list(found)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return True
            continue
        count += len(entries)
        for entry in entries:
            with contextlib.suppress(OSError):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
                waiting += [entry.path] if entry.is_dir(follow_symlinks=False) else []
    return count > ending.FOLDER_FILES or size > ending.FOLDER_BYTES


def send(
    control: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None
) -> None:
    """Send a message, and open descriptors with it. Raises OSError when the other end is gone."""
    socket.send_fds(control, [json.dumps(message).encode()], descriptors or [])


def receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its descriptors; None when the other end is gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(control, LARGEST_MESSAGE, 3)
    except ConnectionError:
        return None, []
    return (json.loads(data) if data else None), list(descriptors)
