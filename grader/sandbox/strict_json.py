"""Read JSON from an untrusted process, refusing what readers disagree about.

In: bytes. Out: the value, or ValueError. Refused: bytes that are not UTF-8, duplicate or non-ASCII
keys, NaN and infinities (but where they are asked for; always 1e999), integers beyond 64 bits, lone
surrogates, deep nesting, too many values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

DEEPEST = 100
MOST_BYTES = 64 * 2**20
MOST_VALUES = 8_000_000
MOST_CONTAINERS = 1_000_000
_LONGEST_NUMBER = 40


def read(data: bytes, *, most_bytes: int = MOST_BYTES, non_finite: bool = False) -> Any:
    """The value that `data` holds.

    Raises ValueError saying what is wrong with it, and nothing else.

    `non_finite`: NaN, Infinity and -Infinity are numbers too, as Python's `json` writes them.
    """
    if len(data) > most_bytes:
        raise ValueError(f"the JSON has {len(data):,} bytes, more than {most_bytes:,}")
    if data.count(b"{") + data.count(b"[") > MOST_CONTAINERS or data.count(b",") > MOST_VALUES:
        raise ValueError("the JSON holds too many values")
    text = data.decode("utf-8")
    if text.startswith("\ufeff"):
        raise ValueError("the JSON begins with a byte order mark")
    try:
        value = _DECODERS[non_finite].decode(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError("the JSON is nested too deeply") from error
    if max(_depth(text), default=0) > DEEPEST:
        raise ValueError("the JSON is nested too deeply")
    if "\\u" in text and any(map(_has_surrogate, _strings(value))):
        raise ValueError("the JSON holds half a character (a lone surrogate)")
    return value


def _depth(text: str) -> Iterator[int]:
    """Nesting at each bracket outside strings."""
    depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            yield depth
        elif bracket in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the JSON names a key twice")
    if not all(key.isascii() for key in found):
        raise ValueError("the JSON has a key that is not ASCII")
    return found


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"the JSON holds a number that is too large: {text[:20]}...")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
    if not math.isfinite(value):
        raise ValueError(f"the JSON holds a number that is too large: {text[:20]}")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"the JSON holds {text}, which is not JSON")


_DECODERS = {
    non_finite: json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_float=_float,
        parse_constant=constant,
        strict=True,
    )
    for non_finite, constant in ((False, _constant), (True, float))
}


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()  # keys are ASCII


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
