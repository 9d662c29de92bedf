"""The kinds of values that everything which crosses is made of.

Graph values are written in JSON as they are (numbers, strings, lists), but for two marked kinds:
`{"node": "conv2d"}` is the result of an earlier node, `{"dtype": "float32"}` a torch dtype.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

BATCH = "N"
"""The number of images, in a `Shape`."""


class Data(BaseModel):
    """Frozen; unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _printable(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,200}", text):
        raise ValueError(f"{text[:50]!r} is not a plain name of letters, digits, '_', '.' and '-'")
    return text


def _dimension(value: int | str) -> int | str:
    if isinstance(value, int) and 0 <= value < 2**31:
        return value
    if isinstance(value, str) and re.fullmatch(r"([1-9][0-9]{0,6}\*)?N", value):
        return value
    raise ValueError(
        f"{value!r} is not a dimension: a size, 'N' (the number of images), or a multiple such as "
        "'4*N'"
    )


Name = Annotated[str, AfterValidator(_printable)]
Dimension = Annotated[int | str, AfterValidator(_dimension)]
Shape = tuple[Dimension, ...]
DType = Literal["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]


class Ref(Data):
    """The result of an earlier node."""

    node: Name


class DTypeArgument(Data):
    """A torch dtype used as an argument, such as that of `x.to(torch.float32)`."""

    dtype: DType


Item = (
    bool
    | Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
    | float
    | Ref
    | DTypeArgument
    | Annotated[str, Field(max_length=200)]
    | None
)
Argument = Item | tuple[Item, ...]


def concrete(shape: Shape, batch: int) -> tuple[int, ...]:
    """`shape` for a batch of that many images: ("4*N", 10) for 2 images is (8, 10)."""
    return tuple(_size(size, batch) for size in shape)


def _size(size: int | str, batch: int) -> int:
    if isinstance(size, int):
        return size
    return int(size.removesuffix(BATCH).removesuffix("*") or 1) * batch
