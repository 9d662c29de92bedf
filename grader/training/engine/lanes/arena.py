"""One piece of memory for all that a network's code reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grader.training.engine.engine import CannotTrainError

ALIGNED = 16
"""Floats of a cache line: everything begins at one."""


def padded(floats: int) -> int:
    """So many, or some more, so that whatever comes next begins at a cache line."""
    return -(-floats // ALIGNED) * ALIGNED


@dataclass(slots=True)
class Arena:
    """Places are given out, in floats from the beginning, until the memory is made."""

    size: int = 0

    def take(self, floats: int) -> int:
        """Room for so many floats."""
        begin = self.size
        self.size += padded(floats)
        return begin

    def memory(self) -> npt.NDArray[np.float32]:
        """As many zeros as were asked for, beginning at a cache line. Raises CannotTrainError."""
        try:
            raw = np.zeros(self.size + ALIGNED, np.float32)
        except MemoryError as error:
            needed = f"{4 * self.size / 2**30:.1f} GiB"
            raise CannotTrainError(f"it takes {needed} of memory, which there are not") from error
        skipped = (-raw.ctypes.data % (4 * ALIGNED)) // 4
        return raw[skipped : skipped + self.size]
