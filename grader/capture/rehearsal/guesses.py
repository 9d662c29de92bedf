"""Values that a stand-in made up, and whether they can have decided anything about a training.

In: guesses while the file runs. Out: those that count, in the trace. What is asked only when all
training is over, as for a plot's title, decided nothing.
"""

from __future__ import annotations

from grader.capture.rehearsal.pieces import Pieces
from grader.capture.rehearsal.trace import Trace

MOST = 60


class Guesses:
    """Each guess by its line: after how many steps, and whether a training was going on."""

    def __init__(self, trace: Trace, pieces: Pieces) -> None:
        self._trace, self._pieces = trace, pieces
        self._found: dict[tuple[str, int | None], tuple[int, bool]] = {}

    def add(self, text: str, line: int | None = None) -> None:
        """Write one down; without `line`, of the line that is running."""
        key = (text, line or self._trace.where())
        if key in self._found or len(self._found) < MOST:
            steps, within = self._found.get(key, (self._steps, False))
            self._found[key] = (steps, within or self._is_within_a_training())

    @property
    def _steps(self) -> int:
        return sum(record.steps for record in self._trace.trainings)

    def _is_within_a_training(self) -> bool:
        """Whether the line runs in a loop that the last step was taken in."""
        record = next((item for item in reversed(self._trace.trainings) if item.steps), None)
        walk = record.walks[-1][0] if record is not None and record.walks else None
        return walk is not None and self._pieces.share_a_loop(self._trace.stack(), walk.stack)

    def tell(self) -> None:
        """Put those that may have decided something into the trace."""
        steps = self._steps
        for (text, line), (before, within) in self._found.items():
            if within or before < steps:
                self._trace.guesses.setdefault(text, line)
