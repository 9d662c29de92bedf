"""Make a training cost nothing, and write down what it does.

<<<<<<< HEAD
In: a Trace and the request. Out: torch and torchvision patched in place, once, in the child:
subclasses, `isinstance` and `from torch import ...` of the student's go on working.
=======
torch is patched in place, once, in the child: methods of the real classes, so that subclasses,
isinstance and `from torch import ...` of the student's go on working.
>>>>>>> lead
"""

from __future__ import annotations

<<<<<<< HEAD
from grader.capture.rehearsal import (
    data,
    loaders,
    losses,
    machine,
    networks,
    optimizers,
    precision,
    schedulers,
)
from grader.capture.rehearsal.gradients import AllGradients
=======
from grader.capture.rehearsal import data, losses, machine, networks, optimizers, schedulers
>>>>>>> lead
from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import RehearsalRequest


def install(trace: Trace, request: RehearsalRequest) -> None:
<<<<<<< HEAD
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
=======
    """Put all stand-ins in. What happens from now on is written into the trace."""
    data.install(trace, request)
    networks.install(trace)
    losses.install(trace)
    optimizers.install(trace)
    schedulers.install(trace)
    machine.install(trace, request)
>>>>>>> lead
