"""Make a training cost nothing, and write down what it does.

torch is patched in place, once, in the child: methods of the real classes, so that subclasses,
isinstance and `from torch import ...` of the student's go on working.
"""

from __future__ import annotations

from grader.capture.rehearsal import data, losses, machine, networks, optimizers, schedulers
from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import RehearsalRequest


def install(trace: Trace, request: RehearsalRequest) -> None:
    """Put all stand-ins in. What happens from now on is written into the trace."""
    data.install(trace, request)
    networks.install(trace)
    losses.install(trace)
    optimizers.install(trace)
    schedulers.install(trace)
    machine.install(trace, request)
