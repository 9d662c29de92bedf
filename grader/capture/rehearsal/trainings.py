"""The trainings of a file: optimizers in a row that step one network.

In: a trace. Out: groups of its records. Runs in the child.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import nn

from grader.capture.rehearsal.trace import Trace, TrainingRecord, Walk
from grader.capture.rehearsal.trained import unwrapped


@dataclass(frozen=True, slots=True)
class Group:
    """The records of one training in order, and the network that it steps (None: none was seen).

    `keys` are the ids of that network and of what wraps it.
    """

    records: tuple[TrainingRecord, ...]
    network: nn.Module | None
    keys: frozenset[int]

    @property
    def steps(self) -> int:
        """Of all its optimizers."""
        return sum(record.steps for record in self.records)

    @property
    def walks(self) -> list[tuple[Walk | None, int]]:
        """Which loader fed how many steps, in order."""
        return [(walk, steps) for record in self.records for walk, steps in record.walks]

    @property
    def line(self) -> int | None:
        """Where its first optimizer is made."""
        return self.records[0].line


def groups(trace: Trace) -> list[Group]:
    """All trainings, in the order in which they began."""
    found: list[list[TrainingRecord]] = []
    for record in trace.trainings:
        if not record.steps:
            continue
        network = _network(record, trace)
        goes_on = found and not found[-1][-1].restored
        if goes_on and network is not None and _network(found[-1][-1], trace) is network:
            found[-1].append(record)
        else:
            found.append([record])
    return [_group(records, trace) for records in found]


def _network(record: TrainingRecord, trace: Trace) -> Any:
    if not record.networks:
        return None
    network = trace.networks.get(record.networks.most_common(1)[0][0])
    return None if network is None else unwrapped(network)


def _group(records: list[TrainingRecord], trace: Trace) -> Group:
    keys: Counter[int] = Counter()
    for record in records:
        keys.update(record.networks)
    network = _network(records[0], trace)
    return Group(tuple(records), network, frozenset(keys))
