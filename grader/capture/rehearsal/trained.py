"""Which network was trained: its class, where it stands, and what it was built with.

In: a network of a trace. Out: a `TrainedNetwork`. Runs in the child.
"""

from __future__ import annotations

from torch import nn

from grader.capture.rehearsal import building
from grader.capture.rehearsal.trace import Trace
from grader.program.rehearsed import TrainedNetwork

WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
    "AveragedModel": "module",
}


def unwrapped(network: nn.Module) -> nn.Module:
    """The network within DataParallel, torch.compile and the like."""
    for _ in range(5):
        name = WRAPPERS.get(type(network).__name__)
        inner = getattr(network, name, None) if name else None
        if not isinstance(inner, nn.Module):
            break
        network = inner
    return network


def describe(network: nn.Module, trace: Trace) -> TrainedNetwork:
    """The class of the network, its file in the listing, and its arguments.

    An nn.Sequential, or another class of torch's, has no file; its parts are no plain arguments.
    """
    known = building.built(network)
    if known is not None:
        return known
    kind, line = type(network), trace.network_lines.get(id(network)) or None
    is_torch = kind.__module__.startswith(("torch.", "torchvision."))
    return TrainedNetwork(
        file=trace.request.listing.main,
        name=kind.__qualname__[:200],
        whole=not is_torch,
        line=line,
    )
