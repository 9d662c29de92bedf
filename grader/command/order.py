"""What an assistant is told before its first submission: the same for a whole class.

In: what the user asked for, as it was understood. Out: JSON facts for a message, and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from grader import assignment as assignments
from grader.assignment import Assignment
from grader.errors import GraderError
from grader.options import Options
from grader.storage import seal
from grader.training.datasets import DATASETS

if TYPE_CHECKING:
    from grader.training.data import Source

_OPTIONS = TypeAdapter(Options)


@dataclass(frozen=True, slots=True)
class Order:
    """Grade submissions of `assignment` on the images of `source`, as `options` say.

    `device` is the kind that trains, `side_by_side` how many assistants there are, and `ticket` the
    file whose holder has the GPU. `secret` seals reports.
    """

    options: Options
    assignment: Assignment
    source: Source
    device: str
    side_by_side: int
    ticket: Path
    secret: bytes

    def to_facts(self) -> dict[str, Any]:
        """The order as JSON values."""
        return {
            "options": _OPTIONS.dump_python(self.options, mode="json"),
            "assignment": self.assignment.name,
            "rules": seal.of_rules(self.assignment),
            "dataset": self.source.dataset.name,
            "practice": self.source.practice,
            "folder": None if self.source.folder is None else str(self.source.folder),
            "device": self.device,
            "side_by_side": self.side_by_side,
            "ticket": str(self.ticket),
            "secret": self.secret.hex(),
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Order:
        """The order that `to_facts` made. Raises GraderError where its assignment has changed."""
        from grader.training.data import Source  # it loads numpy

        options = _OPTIONS.validate_python(facts["options"])
        assignment = assignments.load(options.root / "assignments" / facts["assignment"])
        if seal.of_rules(assignment) != facts["rules"]:
            raise GraderError(
                f"{assignment.name} was changed while it was graded. Start again: what is "
                "finished is kept, as far as it still stands."
            )
        folder = facts["folder"]
        return cls(
            options=options,
            assignment=assignment,
            source=Source(
                DATASETS[facts["dataset"]],
                facts["practice"],
                None if folder is None else Path(folder),
            ),
            device=facts["device"],
            side_by_side=facts["side_by_side"],
            ticket=Path(facts["ticket"]),
            secret=bytes.fromhex(facts["secret"]),
        )
