"""Messages between the grader and its training process: a few named facts and raw bytes, never pickle.

Plain standard library; both sides use it. In: a stream that the other process writes. Out: messages, or ValueError.

A message is the length of its header (4 bytes), the header (JSON: kind, facts, sizes), and the blobs of those sizes.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

MOST_HEADER = 2**20
"""Bytes of one header."""
MOST_BLOBS = 2**31
"""Bytes of all blobs of one message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is said: a `kind`, its `facts` (JSON values, NaN included), and raw `blobs`."""

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    blobs: tuple[bytes | memoryview, ...] = ()


def send(stream: IO[bytes], message: Message) -> None:
    """Write one message and flush. Raises OSError when nobody reads any more."""
    sizes = [memoryview(blob).nbytes for blob in message.blobs]
    header = json.dumps({"kind": message.kind, "facts": message.facts, "sizes": sizes}).encode()
    stream.write(len(header).to_bytes(4, "big") + header)
    for blob in message.blobs:
        stream.write(blob)
    stream.flush()


def receive(stream: IO[bytes]) -> Message:
    """Read one message. Raises EOFError when the stream ends, ValueError for anything that `send` does not write."""
    size = int.from_bytes(_exactly(stream, 4), "big")
    if size > MOST_HEADER:
        raise ValueError(f"a header of {size:,} bytes")
    header = json.loads(_exactly(stream, size))
    if not isinstance(header, dict) or header.keys() != {"kind", "facts", "sizes"}:
        raise ValueError("a header with other keys")
    kind, facts, sizes = header["kind"], header["facts"], header["sizes"]
    if not (isinstance(kind, str) and isinstance(facts, dict) and _are_sizes(sizes)):
        raise ValueError("a header with other values")
    return Message(kind, facts, tuple(_exactly(stream, size) for size in sizes))


def _are_sizes(sizes: object) -> bool:
    return (
        isinstance(sizes, list)
        and all(type(size) is int and size >= 0 for size in sizes)  # True is an int to isinstance
        and sum(sizes) <= MOST_BLOBS
    )


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content


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
        """The next message. Raises TimeoutError after `timeout` seconds, and what `receive` raises."""
        try:
            item = self._queue.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(item, Message):
            return item
        self._queue.put(item)  # the end stays the end, however often one asks
        raise item

    def close(self) -> None:
        """Wait for the end of the stream, which the other process must have reached, and close it."""
        self._thread.join()
        with contextlib.suppress(OSError):
            self._stream.close()

    def _read(self) -> None:
        try:
            while True:
                self._queue.put(receive(self._stream))
        except (EOFError, ValueError) as error:
            self._queue.put(error)
        except (
            OSError,
            RecursionError,
        ) as error:  # a pipe that broke; JSON nested ten thousand deep
            self._queue.put(ValueError(str(error)))
        self._at_end()
