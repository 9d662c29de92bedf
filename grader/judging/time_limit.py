"""How long the training of one submission may take on this machine, all its runs together.

In: seconds, and runs as they begin and end. Out: each run's share, and whether there is time for
more. This is the machine's limit (a CI job's, say) and nobody's fault: what it stops is not graded.
An assignment's own time budget is judged by a check.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from grader.errors import GraderError


@dataclass
class TimeLimit:
    """Begins when it is made. Runs that train at once share the time: each has its part of it."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    _end: float = field(init=False)
    _begun: float = field(init=False)
    _each: float = 0.0

    def __post_init__(self) -> None:
        self._begun = self.clock()
        self._end = self._begun + self.seconds

    def allows(self, runs: int) -> bool:
        """Whether there is time for so many more runs like those before."""
        return self.clock() + runs * self._each <= self._end

    def share(self, runs: int) -> float:
        """The seconds that each of so many runs may take, which begin now."""
        self._begun = self.clock()
        return max(0.0, (self._end - self._begun) / runs)

    def ended(self, runs: int) -> None:
        """So many runs have ended, which began when they were given their shares."""
        self._each = (self.clock() - self._begun) / runs

    def over(self) -> GraderError:
        """What to say where it stopped a run."""
        return GraderError(
            f"the {self.seconds / 60:,.0f} minutes that one submission may train here (--minutes) "
            "were over before its training had ended, so nothing is graded on it. Allow more, or "
            "use a faster machine."
        )
