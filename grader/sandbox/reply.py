"""The envelope between the capture child and the grader: parts of bytes, checked as a whole.

Plain standard library; both sides use it. In: a reply that an untrusted process wrote. Out: its parts, or ValueError.

A frame is MAGIC, the nonce of this run (16 bytes), the SHA-256 of the payload, the payload's length (8 bytes), the
payload. The payload is a sequence of parts, each its length (8 bytes) and its bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

MAGIC = b"GRADER1\n"
NONCE_BYTES = 16
LARGEST = 256 * 2**20
"""Bytes of one reply."""
_HEADER = len(MAGIC) + NONCE_BYTES + 32 + 8


def pack(parts: Sequence[bytes], nonce: bytes) -> bytes:
    """One frame that holds `parts`."""
    payload = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return (
        MAGIC + nonce + hashlib.sha256(payload).digest() + len(payload).to_bytes(8, "big") + payload
    )


def unpack(frame: bytes, nonce: bytes) -> tuple[bytes, ...]:
    """The parts of a frame. Raises ValueError saying what is wrong with it."""
    if len(frame) < _HEADER or not frame.startswith(MAGIC):
        raise ValueError("the reply is cut off or does not begin as one")
    head, payload = frame[:_HEADER], frame[_HEADER:]
    if not hmac.compare_digest(head[len(MAGIC) : len(MAGIC) + NONCE_BYTES], nonce):
        raise ValueError("the reply belongs to another run")
    if int.from_bytes(head[-8:], "big") != len(payload):
        raise ValueError("the reply is cut off or continues behind its end")
    if not hmac.compare_digest(head[-40:-8], hashlib.sha256(payload).digest()):
        raise ValueError("the reply is damaged")
    return tuple(_parts(payload))


def _parts(payload: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 8], "big")
        at += 8
        if at + size > len(payload):
            raise ValueError("a part of the reply is longer than the reply")
        parts.append(payload[at : at + size])
        at += size
    return parts
