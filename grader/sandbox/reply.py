"""The envelope between the capture child and the grader: a sealed frame, taken as a whole.

Plain standard library; both sides use it. In: a reply that an untrusted process wrote. Out: its
parts, or ValueError.

A reply is MAGIC, the nonce of this run (16 bytes), the SHA-256 of the payload, and a frame of
`grader.sandbox.frames`: the payload's length (8 bytes) and the payload.
"""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Sequence

from grader.sandbox import frames

MAGIC = b"GRADER1\n"
NONCE_BYTES = 16
LARGEST = 256 * 2**20
"""Bytes of one reply."""
_HEADER = len(MAGIC) + NONCE_BYTES + 32 + frames.LENGTH_BYTES


def pack(parts: Sequence[bytes], nonce: bytes) -> bytes:
    """One reply that holds `parts`."""
    stream = io.BytesIO()
    frames.write(stream, parts)
    frame = stream.getvalue()
    return MAGIC + nonce + hashlib.sha256(frame[frames.LENGTH_BYTES :]).digest() + frame


def unpack(whole: bytes, nonce: bytes) -> tuple[bytes, ...]:
    """The parts of a reply. Raises ValueError saying what is wrong with it."""
    if len(whole) < _HEADER or not whole.startswith(MAGIC):
        raise ValueError("the reply is cut off or does not begin as one")
    head, payload = whole[:_HEADER], whole[_HEADER:]
    if not hmac.compare_digest(head[len(MAGIC) : len(MAGIC) + NONCE_BYTES], nonce):
        raise ValueError("the reply belongs to another run")
    if int.from_bytes(head[-8:], "big") != len(payload):
        raise ValueError("the reply is cut off or continues after its end")
    if not hmac.compare_digest(head[-40:-8], hashlib.sha256(payload).digest()):
        raise ValueError("the reply is damaged")
    return frames.split(payload)
