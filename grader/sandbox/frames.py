"""Several parts of bytes in one stream, so that the reader knows where each of them ends.

Plain standard library; both ends use it. In: a stream that an untrusted process may have written.
Out: the parts, or ValueError.

A frame is the payload's length (8 bytes) and the payload. The payload is a sequence of parts, each
its length (8 bytes) and its bytes. Messages to and from a training process are bare frames, one
after another, and so is a request to a child. A child's reply is one frame with a seal before it
(`grader.sandbox.reply`), because a student's code runs in the process that writes it, and could
write to the same pipe.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import IO

LENGTH_BYTES = 8
ANY = 2**63
"""As many bytes as the grader itself likes to send."""

Part = bytes | memoryview


def write(stream: IO[bytes], parts: Sequence[Part]) -> None:
    """Write `parts` as one frame, copying none of them. Raises OSError when nobody reads."""
    sizes = [memoryview(part).nbytes for part in parts]
    stream.write(_length(sum(sizes) + LENGTH_BYTES * len(sizes)))
    for size, part in zip(sizes, parts, strict=True):
        stream.write(_length(size))
        stream.write(part)


def read(stream: IO[bytes], *, most_bytes: int) -> tuple[bytes, ...]:
    """The parts of the next frame.

    Raises EOFError when the stream ends before the frame does, and ValueError for a payload of more
    than `most_bytes`, or one that is not a sequence of parts.
    """
    size = int.from_bytes(_exactly(stream, LENGTH_BYTES), "big")
    if size > most_bytes:
        raise ValueError(f"a frame of {size:,} bytes")
    return _parts(stream, size)


def split(payload: bytes) -> tuple[bytes, ...]:
    """The parts of a payload that is there as a whole. Raises ValueError."""
    return _parts(io.BytesIO(payload), len(payload))


def _parts(stream: IO[bytes], left: int) -> tuple[bytes, ...]:
    parts = []
    while left > 0:
        # Of a length that is cut off, what is there is read, and less than nothing is left.
        size = int.from_bytes(_exactly(stream, min(LENGTH_BYTES, left)), "big")
        left -= LENGTH_BYTES + size
        if left < 0:
            raise ValueError("a part is longer than the frame that holds it")
        parts.append(_exactly(stream, size))
    return tuple(parts)


def _length(size: int) -> bytes:
    return size.to_bytes(LENGTH_BYTES, "big")


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content
