"""Messages between the grader and its training process arrive whole, or as an error that both sides
expect.
"""

from __future__ import annotations

import io
import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.sandbox import frames
from grader.training.worker.wire import MOST_BYTES, MOST_HEADER, Inbox, Message, receive, send

INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False) | st.text()
KEYS = st.text(st.characters(codec="ascii"))


def written(*messages: Message) -> bytes:
    stream = io.BytesIO()
    for message in messages:
        send(stream, message)
    return stream.getvalue()


@given(kind=st.text(), facts=st.dictionaries(KEYS, VALUES), blobs=st.lists(st.binary()).map(tuple))
@settings(max_examples=50)
def test_a_message_arrives_as_it_was_sent(kind, facts, blobs):
    message = Message(kind, facts, blobs)
    assert receive(io.BytesIO(written(message))) == message


def test_a_loss_that_is_no_number_arrives_as_one():
    arrived = receive(io.BytesIO(written(Message("epoch", {"loss": math.nan, "budget": math.inf}))))
    assert math.isnan(arrived.facts["loss"])
    assert arrived.facts["budget"] == math.inf


def test_messages_follow_one_another():
    stream = io.BytesIO(written(Message("a", {}, (b"xyz",)), Message("b")))
    assert [receive(stream).kind, receive(stream).kind] == ["a", "b"]


def test_a_message_that_is_cut_anywhere_is_the_end():
    whole = written(Message("epoch", {"epoch": 1}, (b"logits", b"")))
    for length in range(len(whole)):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:length]))


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_noise_is_the_end_or_nonsense_but_nothing_else(noise):
    with pytest.raises((EOFError, ValueError)):
        receive(io.BytesIO(noise))


def framed(*parts: bytes) -> io.BytesIO:
    stream = io.BytesIO()
    frames.write(stream, parts)
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    "header",
    [
        [],
        {"kind": "a"},
        {"kind": "a", "facts": {}, "sizes": []},
        {"kind": 1, "facts": {}},
        {"kind": "a", "facts": []},
    ],
)
def test_a_header_of_another_form_is_nonsense(header):
    with pytest.raises(ValueError, match="a header with other"):
        receive(framed(json.dumps(header).encode()))


@pytest.mark.parametrize(
    "header", [b"", b"{", b"[" * 10_000, b'{"kind": "a", "kind": "b", "facts": {}}', b"\xff"]
)
def test_a_header_that_is_not_strict_json_is_nonsense(header):
    with pytest.raises(ValueError, match=r"JSON|Expecting|decode"):
        receive(framed(header))


def test_a_message_without_a_header_is_nonsense():
    with pytest.raises(ValueError, match="Expecting"):
        receive(framed())


def test_a_header_of_more_than_a_megabyte_is_not_parsed():
    with pytest.raises(ValueError, match="the JSON has 1,048,577 bytes"):
        receive(framed(bytes(MOST_HEADER + 1)))


def test_a_message_of_more_than_two_gigabytes_is_not_read():
    with pytest.raises(ValueError, match="a frame of 2,147,483,649 bytes"):
        receive(io.BytesIO((MOST_BYTES + 1).to_bytes(8, "big")))


def test_a_blob_that_is_longer_than_its_message_is_nonsense():
    with pytest.raises(ValueError, match="longer than the frame"):
        receive(io.BytesIO((9).to_bytes(8, "big") + (2).to_bytes(8, "big") + b"{}"))


def test_an_inbox_waits_only_so_long_and_ends_with_its_stream():
    ended = []
    ours, theirs = os.pipe()
    inbox = Inbox(os.fdopen(ours, "rb"), at_end=lambda: ended.append(True))
    with pytest.raises(TimeoutError):
        inbox.get(timeout=0.01)
    with os.fdopen(theirs, "wb") as stream:
        send(stream, Message("hello"))
    assert inbox.get(timeout=5).kind == "hello"
    for _ in range(2):
        with pytest.raises(EOFError):
            inbox.get(timeout=5)
    inbox.close()
    assert ended == [True]
