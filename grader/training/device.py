"""Where training runs: choose the device, wait for it, measure its memory, make it repeatable."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from grader.errors import GraderError


def choose(name: str) -> torch.device:
    """The device for "auto", "cpu", "cuda" or "mps". Raises GraderError when it is not there."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, here in present.items() if here))
    if name not in present:
        raise GraderError(
            f"There is no device {name!r}. Choose one of auto, {', '.join(sorted(present))}."
        )
    if not present[name]:
        raise GraderError(
            f"PyTorch {torch.__version__} finds no {name} device here. Choose --device cpu, or "
            "install a PyTorch that was built for this machine's accelerator."
        )
    return torch.device(name)


def describe(device: torch.device) -> str:
    """The device in words, for a lab note."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu ({threads} thread{'s' * (threads != 1)})"
    return device.type


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def reset_peak_memory(device: torch.device) -> None:
    """Start measuring the peak anew, where the device can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_bytes(device: torch.device) -> int | None:
    """The most memory in use at once.

    It is the GPU's since the reset, else this whole process's since its start.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def repeatable(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch's own random numbers (dropout) and pin cuDNN's choice of kernels, for a `with`.

    On the CPU the same seed then gives the same bits, for the same versions and number of threads.
    On a GPU the backward passes of adaptive and overlapping pooling still add in no fixed order.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    gpus = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.manual_seed(seed)
        cudnn.deterministic, cudnn.benchmark = True, False
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = before
