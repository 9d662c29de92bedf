"""How long the network takes for an image, beside a yardstick that is the same for everybody.

In: a Program and its weights. Out: `Pace`s. It runs in the locked child, on one thread. Seconds of
one machine mean nothing on another, and a machine has other work at times: so it is the thread's
own time that is taken, the network and the yardstick are timed in turns, and their ratio counts.

The yardstick, on 28 × 28 pixels: two convolutions 3×3 with 8 and 16 channels, each followed by a
ReLU and a pooling of 2, one more with 16, global average pooling, a linear layer. It has 3,738
parameters and makes 395,296 multiply-adds: about the least that still recognises digits.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from grader import network
from grader.analysis.cost import Cost
from grader.program.program import Program
from grader.report import Pace

BATCHES = (1, 256)
"""Images at once: one as it comes, and as many as one likes."""

SECONDS = 1.5
"""For each batch size, warming up included."""

TURNS = 31
"""Repetitions of a batch at most; there are at least `LEAST_TURNS`."""

LEAST_TURNS = 4

CLOCK = time.thread_time
"""What this thread has computed: other work on the processor does not count."""

if time.get_clock_info("thread_time").resolution > 1e-4:  # Windows counts in 64ths of a second
    CLOCK = time.perf_counter

LEAST_SECONDS = 0.002
"""One turn repeats a batch until so much time has gone by: a clock is not exact below."""

MOST_SECONDS = 0.8
"""A large batch that would take longer, by the time for one image, is not timed."""

MOST_BYTES = 2**30
"""Nor one whose results would take more memory, if all of them were kept."""


def measure(program: Program, weights: Mapping[str, Tensor], cost: Cost) -> tuple[Pace, ...]:
    """The pace in batches of each size, as far as the network is small enough for them."""
    graph = network.build_graph(program.eval, weights, torch.device("cpu"), gradient_blocks=False)
    yard = fx.symbolic_trace(yardstick(program.input_shape[0], program.classes))
    found: list[Pace] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for batch in BATCHES:
                seconds = found[0].microseconds / 1e6 if found else 0.0
                if batch * seconds <= MOST_SECONDS and batch * cost.memory <= MOST_BYTES:
                    images = torch.zeros(batch, *program.input_shape)
                    found.append(_pace(graph, yard, images))
    finally:
        torch.set_num_threads(threads)
    return tuple(found)


def yardstick(channels: int, classes: int) -> nn.Module:
    """The small network that everybody is compared with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, classes),
        ).eval()


def _pace(graph: nn.Module, yard: nn.Module, images: Tensor) -> Pace:
    began = time.perf_counter()
    repeats = {each: _repeats(each, images) for each in (graph, yard)}
    ours: list[float] = []
    theirs: list[float] = []
    while len(ours) < TURNS:
        if len(ours) >= LEAST_TURNS and time.perf_counter() - began > SECONDS:
            break
        ours.append(_seconds(graph, images, repeats[graph]))
        theirs.append(_seconds(yard, images, repeats[yard]))
    ratios = [mine / one for mine, one in zip(ours, theirs, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    each_image = 1e6 / len(images)
    # Other work only ever makes a turn slower.
    ratio = min(ours) / min(theirs)
    return Pace(
        batch=len(images),
        microseconds=min(ours) * each_image,
        yardstick=min(theirs) * each_image,
        ratio=ratio,
        low=min(low, ratio),
        high=max(high, ratio),
    )


def _repeats(module: nn.Module, images: Tensor) -> int:
    """How often a turn repeats the batch."""
    module(images)  # fetches memory, chooses kernels
    return max(1, round(LEAST_SECONDS / _seconds(module, images, 1)))


def _seconds(module: nn.Module, images: Tensor, times: int) -> float:
    """For one batch, measured on so many."""
    began = CLOCK()
    for _ in range(times):
        module(images)
    return max(CLOCK() - began, 1e-9) / times
