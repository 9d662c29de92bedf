"""165,000 damaged replies and weight files, the same every time: only SubmissionErrors come out.

With --thorough there are ten times as many.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator

import pytest

from grader import network
from grader.errors import SubmissionError
from grader.intake import intake
from grader.program.request import Request
from grader.sandbox import ending, reply
from grader.sandbox.ending import Ending, Limits
from tests.sandbox.hostile import network as source
from tests.sandbox.hostile import request

MANY = 100_000 * (10 if os.environ.get("GRADER_THOROUGH") else 1)
NONCE = bytes(range(16))
TOKENS = [
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9" * 30,
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b'"\\ud800"',
        b"\xff",
        b"\x00",
    ),
    *(
        b'"schema_version":1,',
        b"[[[[",
        b"]",
        b"}",
        b",",
        b"-1",
        b"0.5",
        b"\xef\xbb\xbf",
        b"aten.from_file.default",
    ),
    *(
        b'"N"',
        b"4*N",
        b'{"node":"x"}',
        b'{"dtype":"float32"}',
        b"\x1b[31m",
        "ä".encode(),
        b"18446744073709551615",
    ),
]


@pytest.fixture(scope="module")
def honest() -> tuple[bytes, bytes]:
    """A Program as JSON, and its weights."""
    from grader.capture.capture import answer as captured

    text, weights = captured(Request.model_validate(request(source())))
    sys.modules.pop("submission", None)
    return text, weights


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with one to four mistakes in it."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randrange(len(changed) + 1)
        length = chance.choice((1, 1, 2, 8, 64))
        kind = chance.randrange(6)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[place : place + length]
        elif kind == 2:
            changed[place:place] = changed[place : place + length]
        elif kind == 3:
            changed[place:place] = chance.choice(TOKENS)
        elif kind == 4:
            changed[place : place + length] = chance.choice(TOKENS)
        else:
            changed[place : place + length] = chance.randbytes(length)
    return bytes(changed)


def damaged(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    return (mutated(data, chance) for _ in range(count))


def survivors(items: Iterator[bytes], read: Callable[[bytes], object]) -> int:
    """How many were accepted. The others were refused by a SubmissionError, or the test fails."""
    accepted = 0
    for item in items:
        with contextlib.suppress(SubmissionError):
            read(item)
            accepted += 1
    return accepted


def received(frame: bytes) -> object:
    return intake.checked(ending.parts(Ending(frame, b"", 0), NONCE, Limits()), (0,))


def test_damaged_frames_are_refused(honest):
    whole = reply.pack([b'{"captured": true}', *honest], NONCE)
    assert survivors(iter([whole]), received) == 1
    count = MANY // 2
    same = sum(item == whole for item in damaged(whole, 1, count))
    assert survivors(damaged(whole, 1, count), received) == same


def test_replies_that_lie_in_good_frames_are_read_or_refused(honest):
    text, weights = honest

    def lied(changed: bytes) -> object:
        return received(reply.pack([b'{"captured": true}', changed, weights], NONCE))

    assert survivors(damaged(text, 2, MANY // 10), lied) < MANY // 20


def test_damaged_headers_are_read_or_refused():
    good = json.dumps({"captured": False, "message": "no network", "line": 3}).encode()
    assert (
        survivors(damaged(good, 3, MANY // 20), lambda item: received(reply.pack([item], NONCE)))
        == 0
    )


def test_damaged_weights_are_read_or_refused(honest):
    text, weights = honest
    found = intake.checked((text, weights), (0,))

    def read(item: bytes) -> object:
        intake.checked_weights(item)
        return network.read_values(found, item)

    assert survivors(damaged(weights, 4, MANY), read) < MANY // 2


def test_a_reply_cut_at_any_byte_is_refused(honest):
    whole = reply.pack([b'{"captured": true}', *honest], NONCE)
    assert survivors((whole[:length] for length in range(len(whole))), received) == 0


def test_what_comes_out_of_fuzzing_is_the_same_every_time():
    assert list(damaged(b"abc" * 20, 5, 20)) == list(damaged(b"abc" * 20, 5, 20))
