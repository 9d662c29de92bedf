"""A value that may not be stored yet: a map, and the steps, norm and pool that are to come."""

from __future__ import annotations

from dataclasses import dataclass, replace

from grader.training.engine.lanes.elementwise import Step
from grader.training.engine.lanes.maps import Map
from grader.training.engine.lanes.stages import Norm, Pool


@dataclass(frozen=True, slots=True)
class Flow:
    """A value that may not be stored yet: a map and what is still to be done to it."""

    source: Map
    channels: int
    height: int
    width: int
    before: tuple[Step, ...] = ()
    norm: Norm | None = None
    after: tuple[Step, ...] = ()
    pool: Pool = ""

    @property
    def stored(self) -> bool:
        """Whether it is the map itself."""
        return not (self.before or self.norm or self.after or self.pool)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width


def whole(stored: Map) -> Flow:
    """A stored map as a flow."""
    return Flow(stored, stored.channels, stored.height, stored.width)


def grown(flow: Flow, step: Step) -> Flow:
    """The flow with one more step."""
    if flow.norm is None:
        return replace(flow, before=(*flow.before, step))
    return replace(flow, after=(*flow.after, step))
