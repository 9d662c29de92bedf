"""Make a training cost nothing, and write down what it does.

In: a Trace and the request. Out: torch and torchvision patched in place, once, in the child:
subclasses, `isinstance` and `from torch import ...` of the student's go on working.
"""

from __future__ import annotations

from grader.capture.rehearsal import (
    accelerated,
    augmentations,
    data,
    loaders,
    losses,
    machine,
    networks,
    optimizers,
    precision,
    processes,
    schedulers,
    warm_ups,
)
from grader.capture.rehearsal.gradients import AllGradients
from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import RehearsalRequest


def install(trace: Trace, request: RehearsalRequest) -> None:
    """Put all stand-ins in. There is no way back: the process is for one rehearsal."""
    gradients = AllGradients()
    data.install(trace)
    loaders.install(trace)
    networks.install(trace)
    losses.install(trace, gradients)
    optimizers.install(trace, gradients)
    schedulers.install(trace)
    machine.install(trace, cuda=request.cuda)
    precision.install(trace)
    processes.install()
    accelerated.install(trace)
    warm_ups.install()
    augmentations.install(trace)
