"""Messages to and from a training process: a few named facts and raw bytes, never pickle.

No torch; both sides use it. In: a stream that the other process writes. Out: messages, or
ValueError.

A message is a frame of `grader.sandbox.frames`. Its first part is the header (JSON: kind and
facts), the others are the blobs.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from grader.sandbox import frames, strict_json

MOST_HEADER = 2**20
"""Bytes of one header."""
MOST_BYTES = 2**31
"""Bytes of one message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is said: a `kind`, its `facts` (JSON values, NaN included), and raw `blobs`."""

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    blobs: tuple[bytes | memoryview, ...] = ()


def send(stream: IO[bytes], message: Message) -> None:
    """Write one message and flush. Raises OSError when nobody reads any more."""
    header = json.dumps({"kind": message.kind, "facts": message.facts}).encode()
    frames.write(stream, (header, *message.blobs))
    stream.flush()


def receive(stream: IO[bytes]) -> Message:
    """Read one message.

    Raises EOFError when the stream ends, ValueError for anything that `send` does not write.
    """
    text, *blobs = frames.read(stream, most_bytes=MOST_BYTES) or (b"",)
    # Not finite: a loss may be NaN, which the grader must hear of.
    header = strict_json.read(text, most_bytes=MOST_HEADER, non_finite=True)
    if not isinstance(header, dict) or header.keys() != {"kind", "facts"}:
        raise ValueError("a header with other keys")
    kind, facts = header["kind"], header["facts"]
    if not (isinstance(kind, str) and isinstance(facts, dict)):
        raise ValueError("a header with other values")
    return Message(kind, facts, tuple(blobs))


class Inbox:
    """Reads messages from `stream` in a thread, so that waiting for one can end after a time.

    When the stream ends, `at_end` is called in that thread.
    """

    def __init__(self, stream: IO[bytes], *, at_end: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self._at_end = at_end
        self._queue: queue.Queue[Message | EOFError | ValueError] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def get(self, *, timeout: float | None = None) -> Message:
        """The next message.

        Raises TimeoutError after `timeout` seconds, and what `receive` raises.
        """
        try:
            item = self._queue.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(item, Message):
            return item
        self._queue.put(item)  # the end stays the end, however often one asks
        raise item

    def close(self) -> None:
        """Wait for the end of the stream, which the other process must have reached; close it."""
        self._thread.join()
        with contextlib.suppress(OSError):
            self._stream.close()

    def _read(self) -> None:
        try:
            while True:
                self._queue.put(receive(self._stream))
        except (EOFError, ValueError) as error:
            self._queue.put(error)
        except OSError as error:  # a pipe that broke
            self._queue.put(ValueError(str(error)))
        self._at_end()
