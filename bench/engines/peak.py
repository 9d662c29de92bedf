"""The most multiply-adds that this machine does: vectors in registers, and nothing else.

In: a number of threads. Out: GFLOP/s, a multiply-add counted as two. The loop is written as the
grader writes its kernels (llvmlite); without llvmlite a product of matrices by PyTorch stands in.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from grader.training.engine.engine import CannotTrainError
from grader.training.engine.lanes import machine
from grader.training.engine.lanes.ir import Function

RUNS = 5
SECONDS = 0.1
"""A run takes at least so long."""
SIDE = 1024
"""Of the matrices that stand in."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Floating-point operations a second, in units of 1e9, and what did them."""

    gflops: float
    how: str


def measure(threads: int) -> Peak:
    """The best of some runs: whatever else the machine does only takes away."""
    try:
        target = machine.here()
        code = machine.compiled([_loop(target).text()], target)
    except CannotTrainError:
        return _by_matrices(threads)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(code.address("peak"))
    rooms = [_room(target.lanes, _sums(target)) for _ in range(threads)]

    def run(repeats: int) -> None:
        at_once = [
            threading.Thread(target=function, args=(room.ctypes.data, repeats)) for room in rooms
        ]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()

    operations = 2 * target.lanes * _sums(target) * threads
    return Peak(_best(run, operations), f"multiply-adds in registers, {target.words}")


def _sums(target: machine.Target) -> int:
    """Enough for a multiply-add to begin every half cycle, and they fit into the registers."""
    return target.registers * 3 // 4


def _loop(target: machine.Target) -> Function:
    """Peak(room, count): count times a = a * x + y, for every one of the sums."""
    f = Function("peak", [("ptr", "room"), ("i64", "count")], target.lanes)
    x, y = f.load(f["room"], 0), f.load(f["room"], 1)
    sums = f.sums(_sums(target))
    with f.loop(f["count"]):
        for total in sums:
            total.set(f.fma(total.get(), x, y))
    for number, total in enumerate(sums):
        f.store(total.get(), f["room"], 2 + number)
    return f


def _room(lanes: int, sums: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Aligned memory that begins with x = 0.5 and y = 1: the sums end at 2, far from any trap."""
    whole = np.zeros((2 + sums + 1) * lanes, np.float32)
    skipped = (-whole.ctypes.data % (4 * lanes)) // 4
    room = whole[skipped : skipped + (2 + sums) * lanes]
    room[:lanes], room[lanes : 2 * lanes] = 0.5, 1.0
    return room


def _best(run: Callable[[int], None], operations: float) -> float:
    """GFLOP/s of the fastest run of `repeats` that each do so many operations."""
    repeats = 1
    while _seconds(run, repeats) < SECONDS:
        repeats *= 4
    fastest = min(_seconds(run, repeats) for _ in range(RUNS))
    return operations * repeats / fastest / 1e9


def _seconds(run: Callable[[int], None], repeats: int) -> float:
    began = time.perf_counter()
    run(repeats)
    return time.perf_counter() - began


def _by_matrices(threads: int) -> Peak:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    one, other = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)

    def run(repeats: int) -> None:
        for _ in range(repeats):
            torch.mm(one, other)

    try:
        gflops = _best(run, 2.0 * SIDE**3)
    finally:
        torch.set_num_threads(before)
    return Peak(gflops, f"a product of {SIDE} x {SIDE} matrices by PyTorch, without llvmlite")
