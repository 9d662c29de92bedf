"""What a lab note needs: which machine, which versions, and how long each stage took.

Loads no torch: versions come from the installed packages.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from grader import __version__
from grader.report import Environment


class Clock:
    """Seconds by stage; `started` is the time of day at which it was made.

    `announce` is told in words what begins.
    """

    def __init__(self, announce: Callable[[str], None] = lambda words: None) -> None:
        self.started = datetime.now(UTC)
        self.seconds: dict[str, float] = {}
        self._announce = announce

    @contextmanager
    def measure(self, stage: str, words: str = "") -> Iterator[None]:
        """Measure what happens inside a `with`."""
        if words:
            self._announce(words)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = time.perf_counter() - began


def describe(*, device: str, isolation: str, isolation_reason: str = "") -> Environment:
    """Versions, processor and system of this process; the level of isolation, and why no higher."""
    return Environment(
        grader=__version__,
        python=platform.python_version(),
        torch=importlib.metadata.version("torch"),
        torchvision=importlib.metadata.version("torchvision"),
        platform=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        device=device,
        isolation=isolation,
        isolation_reason=isolation_reason,
    )


def _processor() -> str:
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        for line in cpu.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
