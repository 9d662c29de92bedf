"""Refuse what is not a plain safetensors file, as an untrusted process wrote it.

In: bytes. Out: nothing, or ValueError. That the tensors fill the file, one after another and each
as long as its shape says, is for the library to check. It also takes what is refused here: a header
of 100 MB, two tensors of one name, names that do not print, types that no Program declares, other
forms of an entry, and a thousand dimensions.
Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

from typing import Any

import safetensors

from grader.sandbox import strict_json

MOST_HEADER_BYTES = 4 * 2**20
MOST_TENSORS = 5_000
MOST_DIMENSIONS = 16
LARGEST_DIMENSION = 2**31 - 1
LONGEST_NAME = 300
TYPES = frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL"})
"""The format's names for the types that a Program may declare."""


def check(data: bytes) -> None:
    """Raises ValueError unless `data` is a safetensors file of the plain kind."""
    size = int.from_bytes(data[:8], "little")
    if size > MOST_HEADER_BYTES:
        raise ValueError("the weights are cut off, or their header is too large")
    try:
        safetensors.deserialize(data)  # type: ignore[no-untyped-call] # it ships no types
    except safetensors.SafetensorError as error:
        raise ValueError(f"the weights are damaged ({str(error)[:200]})") from error
    header = strict_json.read(data[8 : 8 + size])
    if len(header) > MOST_TENSORS:
        raise ValueError(f"the weights are more than {MOST_TENSORS:,} tensors")
    for name, entry in header.items():
        if name != "__metadata__":
            _check_entry(name, entry)


def _check_entry(name: str, entry: Any) -> None:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError("a weight has a name that is too long or not printable")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the weight {name} is not described by dtype, shape and data_offsets")
    if entry["dtype"] not in TYPES:
        raise ValueError(f"the weight {name} has an unknown type")
    shape = entry["shape"]
    if len(shape) > MOST_DIMENSIONS or max(shape, default=0) > LARGEST_DIMENSION:
        raise ValueError(f"the weight {name} has a shape that no tensor has here")
