"""Which kind of device "auto" is, where that can be known without torch, which takes seconds."""

from __future__ import annotations

import sys
from pathlib import Path

_OF_A_GPU = ("nvidiactl", "nvidia0", "dxg", "kfd", "nvhost-gpu", "nvmap")
"""What stands in /dev for NVIDIA's driver, the one of WSL, AMD's, and the two of Jetson boards."""


def kind_without_torch(name: str, devices: Path = Path("/dev")) -> str | None:
    """The kind of the device `name` ("auto", "cpu", ...), or None where only torch can say.

    Linux without any of these files has no GPU that torch could use as "cuda".
    """
    if name == "cpu":
        return "cpu"
    if name == "auto" and sys.platform == "linux":
        found = any((devices / file).exists() for file in _OF_A_GPU)
        return None if found else "cpu"
    return None
