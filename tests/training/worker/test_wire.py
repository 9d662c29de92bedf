"""Messages between the grader and its training process arrive whole, or as an error that both sides expect."""

from __future__ import annotations

import io
import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.training.worker.wire import MOST_BLOBS, MOST_HEADER, Inbox, Message, receive, send

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def written(*messages: Message) -> bytes:
    stream = io.BytesIO()
    for message in messages:
        send(stream, message)
    return stream.getvalue()


@given(
    kind=st.text(), facts=st.dictionaries(st.text(), VALUES), blobs=st.lists(st.binary()).map(tuple)
)
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


@pytest.mark.parametrize(
    "header",
    [
        [],
        {"kind": "a", "facts": {}},
        {"kind": 1, "facts": {}, "sizes": []},
        {"kind": "a", "facts": [], "sizes": []},
        {"kind": "a", "facts": {}, "sizes": [-1]},
        {"kind": "a", "facts": {}, "sizes": [True]},
        {"kind": "a", "facts": {}, "sizes": [MOST_BLOBS + 1]},
    ],
)
def test_a_header_of_another_form_is_nonsense(header):
    text = json.dumps(header).encode()
    with pytest.raises(ValueError, match="a header with other"):
        receive(io.BytesIO(len(text).to_bytes(4, "big") + text))


def test_a_header_of_more_than_a_megabyte_is_not_read():
    with pytest.raises(ValueError, match="a header of 1,048,577 bytes"):
        receive(io.BytesIO((MOST_HEADER + 1).to_bytes(4, "big")))


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
