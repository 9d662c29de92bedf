"""What a lab note needs to know about this machine. Loads no torch: versions come from the installed packages."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from grader import __version__
from grader.report import Environment
from grader.sandbox.level import Isolation


def describe(*, device: str, isolation: Isolation) -> Environment:
    """Versions, processor and system of this process; `isolation` is the sandbox's."""
    return Environment(
        grader=__version__,
        python=platform.python_version(),
        torch=importlib.metadata.version("torch"),
        torchvision=importlib.metadata.version("torchvision"),
        platform=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        device=device,
        isolation=isolation.name,
        isolation_reason=isolation.reason,
    )


def _processor() -> str:
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        for line in cpu.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
