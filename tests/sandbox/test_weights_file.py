"""A safetensors file is accepted when its tensors fill it exactly, and only then."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from grader.sandbox import weights_file


def built(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(begin: int, end: int, shape: list[int], dtype: str = "U8") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


arrays = st.dictionaries(
    st.text("abcdefgh._0", min_size=1, max_size=10),
    st.tuples(
        st.lists(st.integers(0, 4), max_size=4),
        st.sampled_from(
            [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_]
        ),
    ).map(lambda item: np.zeros(item[0], item[1])),
    max_size=5,
)


@given(arrays=arrays)
def test_whatever_the_library_writes_is_accepted(arrays):
    weights_file.check(safetensors.numpy.save(arrays))


@given(arrays=arrays, cut=st.integers(1, 40))
def test_a_file_that_is_cut_or_continued_is_refused(arrays, cut):
    whole = safetensors.numpy.save(arrays)
    for data in (whole[:-cut], whole + bytes(cut)):
        with pytest.raises(ValueError, match=r"cut off|damaged"):
            weights_file.check(data)


def test_tensors_that_overlap_or_leave_gaps_are_refused():
    weights_file.check(built({"b": tensor(2, 4, [2]), "a": tensor(0, 2, [2])}, b"1234"))
    for second in (tensor(1, 3, [2]), tensor(3, 5, [2]), tensor(0, 2, [2])):
        with pytest.raises(ValueError, match=r"damaged .*invalid offset"):
            weights_file.check(built({"a": tensor(0, 2, [2]), "b": second}, b"12345"))


@pytest.mark.parametrize(
    "entry",
    [
        tensor(0, 2, [3]),
        tensor(0, 2, [2], "F32"),
        tensor(0, 2, [2], "I128"),
        tensor(0, 2, [2], "I8"),
        tensor(0, 2, [2], "F8_E4M3"),
        tensor(2, 0, [2]),
        tensor(0, 2, [-1, -2]),
        tensor(0, 2, [True, 2]),
        tensor(0, 2, [2.0]),  # type: ignore[list-item]
        tensor(0, 2, "2"),  # type: ignore[arg-type]
        tensor(0, 2, [2**50, 0]),
        tensor(0, 2, [1] * 17 + [2]),
        tensor(0, 2, [2]) | {"more": 1},
        {"dtype": "U8", "shape": [2]},
        {"dtype": ["U8"], "shape": [2], "data_offsets": [0, 2]},
        {"dtype": "U8", "shape": [2], "data_offsets": [0, 2, 4]},
        ["U8", [2], [0, 2]],
        [],
        None,
    ],
)
def test_an_entry_that_describes_no_tensor_is_refused(entry):
    with pytest.raises(ValueError, match=r"the weights? "):
        weights_file.check(built({"a": entry}, b"12"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 100) + b"{}",
        built(b"[]"),
        built(b'{"a": 1, "a": 2}'),
        built(b'{"a": %b, "a": %b}' % ((json.dumps(tensor(0, 1, [1])).encode(),) * 2), b"1"),
        built(b"{}".ljust(weights_file.MOST_HEADER_BYTES + 1)),
        built({"a": tensor(0, 0, [2**31, 0])}),
        built({"": tensor(0, 0, [0])}),
        built({"a" * 301: tensor(0, 0, [0])}),
        built({"a\x1b[31m": tensor(0, 0, [0])}),
        built({"__metadata__": {"format": 1}}),
        built({f"w{index}": tensor(0, 0, [0]) for index in range(5001)}),
    ],
)
def test_a_header_that_is_none_is_refused(data):
    with pytest.raises(ValueError, match=r"weight|JSON"):
        weights_file.check(data)


def test_the_librarys_own_metadata_is_allowed():
    weights_file.check(built({"__metadata__": {"format": "pt"}, "a": tensor(0, 1, [])}, b"1"))
