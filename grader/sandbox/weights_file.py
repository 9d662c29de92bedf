"""Look at a safetensors file from an untrusted process before any library opens it.

In: bytes. Out: nothing, or ValueError. The header must be small, strict JSON, and describe tensors of plain types that
lie one behind the other, without gap or overlap, up to the last byte.
Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import math
from typing import Any

from grader.sandbox import strict_json

MOST_HEADER_BYTES = 4 * 2**20
MOST_TENSORS = 5_000
MOST_DIMENSIONS = 16
LONGEST_NAME = 300
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}
"""Size of one element, by the format's name for its type: those that a Program may declare."""


def check(data: bytes) -> None:
    """Raises ValueError, saying what is wrong, unless `data` is a safetensors file of the plain kind."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > MOST_HEADER_BYTES or 8 + size > len(data):
        raise ValueError("the weights are cut off, or their header is too large")
    header = strict_json.read(data[8 : 8 + size])
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise ValueError("the weights' header is not a table of tensors, or is too long")
    places = sorted(
        _place(name, entry) for name, entry in header.items() if not _is_metadata(name, entry)
    )
    end = 0
    for begin, stop in places:
        if begin != end:
            raise ValueError("the weights overlap, or leave gaps")
        end = stop
    if 8 + size + end != len(data):
        raise ValueError("the weights are cut off, or continue behind their end")


def _is_metadata(name: str, entry: Any) -> bool:
    if name != "__metadata__":
        return False
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise ValueError("the weights' metadata is no table of strings")
    return True


def _place(name: str, entry: Any) -> tuple[int, int]:
    """First byte of a tensor, and the one behind its last."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError("a weight has a name that is too long or not printable")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the weight {name} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise ValueError(f"the weight {name} has an unknown type")
    if not _are_sizes(shape) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"the weight {name} has a shape that is none")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"the weight {name} has no place")
    begin, end = offsets
    if end - begin != math.prod(shape) * BYTES[dtype]:
        raise ValueError(f"the weight {name} has a shape that does not fit its bytes")
    return begin, end


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 2**40 for value in values
    )
