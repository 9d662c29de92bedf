"""A reply is taken as a whole or not at all: cut, damaged and forged ones are refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.sandbox.reply import MAGIC, NONCE_BYTES, pack, unpack

NONCE = bytes(range(NONCE_BYTES))
FRAME = pack([b'{"captured": true}', b"weights"], NONCE)


def framed(payload: bytes) -> bytes:
    """A frame with a right checksum around any payload."""
    return (
        MAGIC + NONCE + hashlib.sha256(payload).digest() + len(payload).to_bytes(8, "big") + payload
    )


@given(
    st.lists(st.binary(max_size=50), max_size=5),
    st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES),
)
def test_parts_come_back_as_they_were(parts, nonce):
    assert unpack(pack(parts, nonce), nonce) == tuple(parts)


@given(st.integers(0, len(FRAME) - 1))
def test_a_frame_that_is_cut_off_is_refused(length):
    with pytest.raises(ValueError, match="the reply"):
        unpack(FRAME[:length], NONCE)


@given(st.integers(0, len(FRAME) - 1), st.integers(1, 255))
def test_a_frame_with_one_changed_byte_is_refused(at, change):
    damaged = bytearray(FRAME)
    damaged[at] ^= change
    with pytest.raises(ValueError, match="the reply"):
        unpack(bytes(damaged), NONCE)


@pytest.mark.parametrize("extra", [b"x", b"\n", FRAME])
def test_a_reply_with_something_after_it_is_refused(extra):
    with pytest.raises(ValueError, match="continues after its end"):
        unpack(FRAME + extra, NONCE)


def test_a_frame_with_something_before_it_is_refused():
    with pytest.raises(ValueError, match="does not begin as one"):
        unpack(b"captured!\n" + FRAME, NONCE)


def test_a_frame_of_another_run_is_refused():
    with pytest.raises(ValueError, match="belongs to another run"):
        unpack(FRAME, bytes(NONCE_BYTES))


@pytest.mark.parametrize(
    "payload",
    [(100).to_bytes(8, "big") + b"short", b"\xff" * 8, (5).to_bytes(8, "big") + b"whole" + b"\x00"],
)
def test_a_part_longer_than_the_reply_is_refused(payload):
    with pytest.raises(ValueError, match="longer than the frame"):
        unpack(framed(payload), NONCE)


@given(st.binary(max_size=100))
@settings(max_examples=50)
def test_any_payload_gives_parts_or_a_value_error(payload):
    try:
        parts = unpack(framed(payload), NONCE)
    except ValueError:
        return
    assert sum(8 + len(part) for part in parts) == len(payload)
