"""Clocks, random numbers and places in memory that are the same in every rehearsal of a file.

In: the number of a draw, and the student's source. Out: a patched `random`, `numpy.random`, torch's
generator, `os.urandom`, `os.getpid`, `time`, `datetime`; `id` and `hash` for a source that asks for
them. The same file then always shows the same recipe, and one that is drawn by chance shows another
under another draw. Runs in the child, once.
"""

from __future__ import annotations

import builtins
import datetime
import os
import random
import re
import sys
import sysconfig
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_STARTS = (1_700_000_000.25, 1_741_357_913.617)
"""When a rehearsal seems to begin, in Unix time: no part of the two dates is the same."""
_TICKS = (0.001_000_037, 0.004_700_913)
"""Seconds that pass, it seems, each time that somebody looks."""


_PROCESSES = (4_711, 90_210)
"""Numbers of the process, as it seems."""


def install(luck: int, source: str) -> None:
    """Fix everything that is drawn by chance, as draw number `luck` (0 or 1) has it."""
    _generators(luck)
    _clocks(_STARTS[luck], _TICKS[luck])
    vars(os)["getpid"] = lambda: _PROCESSES[luck]
    vars(os)["getppid"] = lambda: _PROCESSES[luck] - 1
    if re.search(r"\bid\b", source):  # libraries remember true ones
        vars(builtins)["id"] = _numbered(builtins.id, luck)
    if re.search(r"\bhash\b", source):
        vars(builtins)["hash"] = _hashing(builtins.hash, luck)


def _generators(luck: int) -> None:
    system = random.Random(luck)  # noqa: S311 - no secret is made of it
    vars(os)["urandom"] = vars(random)["_urandom"] = system.randbytes
    real = random.seed

    def seed(a: Any = None, version: int = 2) -> None:
        real(system.random() if a is None else a, version)

    vars(random)["seed"] = seed
    seed()
    np.random.seed(luck)
    torch.default_generator.manual_seed(luck)  # torch.manual_seed is written down


def _clocks(start: float, tick: float) -> None:
    """`time.monotonic` stays for Python's own modules: event loops and queues wait by it."""
    looks = 0

    def passed() -> float:
        nonlocal looks
        looks += 1
        return looks * tick

    def now() -> float:
        return start + passed()

    clock: dict[str, Any] = vars(time)
    clock["monotonic"] = _waiting(clock["monotonic"], passed)
    clock["monotonic_ns"] = _in_nanoseconds(clock["monotonic"])
    clock["thread_time"] = passed
    for name, read in (("time", now), ("perf_counter", passed), ("process_time", passed)):
        clock[name] = read
        clock[f"{name}_ns"] = _in_nanoseconds(read)
    for name in ("localtime", "gmtime", "ctime"):
        clock[name] = _of_now(clock[name], now)
    format_time = time.strftime
    clock["strftime"] = lambda form, *when: format_time(form, *(when or (time.localtime(),)))
    _dates(now)


def _waiting(real: Callable[[], float], passed: Callable[[], float]) -> Callable[[], float]:
    """The true clock for Python's own modules, and one that is pretended for everybody else."""
    own = sysconfig.get_path("stdlib")

    def monotonic() -> float:
        return real() if sys._getframe(1).f_code.co_filename.startswith(own) else passed()

    return monotonic


def _in_nanoseconds(read: Callable[[], float]) -> Callable[[], int]:
    return lambda: round(read() * 1e9)


def _of_now(real: Callable[..., Any], now: Callable[[], float]) -> Callable[..., Any]:
    return lambda seconds=None: real(now() if seconds is None else seconds)


def _dates(now: Callable[[], float]) -> None:
    class Moment(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(now(), tz)

        today = utcnow = now

    class Day(datetime.date):
        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(now())

    for kind, real in ((Moment, datetime.datetime), (Day, datetime.date)):
        kind.__name__ = kind.__qualname__ = real.__name__
        kind.__module__ = "datetime"
        vars(datetime)[real.__name__] = kind


def _numbered(real: Callable[[Any], int], luck: int) -> Callable[[Any], int]:
    """Places in memory, numbered in the order in which they are first asked for."""
    known: dict[int, int] = {}
    return lambda item: known.setdefault(real(item), 16 * (4_096 + 293 * luck + len(known)))


def _hashing(real: Callable[[Any], int], luck: int) -> Callable[[Any], int]:
    """Python draws the hashes of texts anew in every process."""

    def hashed(item: Any) -> int:
        if isinstance(item, str | bytes):
            return random.Random(f"{luck} {item!r}").getrandbits(61)  # noqa: S311 - as above
        return real(item)

    return hashed
