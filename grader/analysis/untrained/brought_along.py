"""How much was brought along instead of drawn: what `fixed_numbers.py` finds, as plain data.

In: names and a size. Out: whether that is little. Loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_BYTES = 1_400
"""An encoding of 196 positions in 64 channels takes 949 bytes, the mean of 28 x 28 pixels 988, the
cosine transform of 8 x 8 pixels 1,188, 860 learned numbers 1,400."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """`names` are the weights that hold what no seed drew, the largest first; `size` in bytes.

    `size` is what it takes to write down all of it and the numbers in forward(), compressed.
    """

    names: tuple[str, ...] = ()
    size: int = 0

    @property
    def is_little(self) -> bool:
        """Whether it is too little to hold a learned network."""
        return self.size <= MOST_BYTES
