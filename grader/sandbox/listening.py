"""Listen to a zygote and to the child that it forked, until the zygote says how the child ended.

In: the socket, and the reading ends of the child's two pipes. Out: an Ending. What the child writes
is kept up to a limit and never interpreted here.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field

from grader.printable import last_line
from grader.sandbox import ending, nursery, reply
from grader.sandbox.ending import Ending, Limits

GRACE_SECONDS = 60.0
"""What the zygote may take for itself: to import torchvision, and to end a child whose time is
over."""
_BLOCK = 2**20


@dataclass(slots=True)
class _Stream:
    """The bytes of one pipe: the first `keep` of them are kept, and after `most` it is `over`."""

    descriptor: int
    keep: int
    most: int
    kept: bytearray = field(default_factory=bytearray)
    seen: int = 0

    def read(self) -> bool:
        """Take what is there; False at the end, and when nothing is there."""
        try:
            block = os.read(self.descriptor, _BLOCK)
        except BlockingIOError:
            return False
        self.seen += len(block)
        self.kept += block[: max(0, self.keep - len(self.kept))]
        return bool(block)

    @property
    def over(self) -> bool:
        return self.seen > self.most


def listen(control: socket.socket, nonce: str, answer: int, printed: int, limits: Limits) -> Ending:
    """How the child that belongs to `nonce` ended, and what it wrote.

    Raises ConnectionError when the zygote fails.
    """
    replied = _Stream(answer, reply.LARGEST, reply.LARGEST)
    said = _Stream(printed, limits.output_bytes, ending.FLOOD_BYTES)
    streams = {answer: replied, printed: said}
    poll = select.poll()
    for descriptor in streams:
        os.set_blocking(descriptor, False)
        poll.register(descriptor, select.POLLIN)
    poll.register(control, select.POLLIN)
    deadline = time.monotonic() + limits.seconds + GRACE_SECONDS
    told = False
    while time.monotonic() < deadline:
        ready = {descriptor for descriptor, _ in poll.poll(1000)}
        for descriptor in ready & streams.keys():
            if not streams[descriptor].read():
                poll.unregister(descriptor)
        if (replied.over or said.over) and not told:
            told = True
            with contextlib.suppress(OSError):  # the zygote is gone: the next poll says so
                nursery.send(control, {"stop": True})
        if control.fileno() in ready:
            report, _ = nursery.receive(control)
            return _ending(report, nonce, replied, said)
    raise ConnectionError("it does not answer")


def _ending(
    report: dict[str, object] | None, nonce: str, replied: _Stream, said: _Stream
) -> Ending:
    if report is None or report.get("nonce") != nonce:
        raise ConnectionError("it ended while a submission was captured")
    for stream in (replied, said):
        while not stream.over and stream.read():
            pass
    if report["locked"] is not True and report["status"] != -signal.SIGKILL:
        # SIGKILL came from outside (too little memory, say): the zygote is as good as before
        raise ConnectionError(f"it could not lock its child: {last_line(bytes(said.kept))}")
    stopped = ending.too_much(replied=replied.over, printed=said.over) or str(report["stopped"])
    status = report["status"]
    assert isinstance(status, int)
    return Ending(bytes(replied.kept), bytes(said.kept), status, stopped)
