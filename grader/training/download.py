"""Fetch MNIST: torchvision's downloader, with its mirrors and checksums, in a process that may not take for ever.

In: a folder. Out: MNIST/raw in it, each file whole or not at all, and "" or why it did not work.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

MOST_SECONDS = 300
"""For 11 MB: enough for a slow connection."""

PROBE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""torchvision's first mirror. Whether it answers is known in a moment; torchvision alone takes seconds to import."""

_SCRIPT = """
import socket, sys
socket.setdefaulttimeout(10)
from torchvision.datasets import MNIST
MNIST(sys.argv[1], download=True)
"""


def mnist(root: Path, *, most_seconds: float = MOST_SECONDS) -> str:
    """Download MNIST to `root`/MNIST/raw. Returns why it failed, or "" when the files are there."""
    offline = _unreachable()
    if offline:
        return offline
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Unpacked beside its final place and then moved: an interrupted download leaves no half of a file behind.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as folder:
            failure = _run(Path(folder), most_seconds)
            if not failure:
                place = root / "MNIST" / "raw"
                place.mkdir(parents=True, exist_ok=True)
                for file in (Path(folder) / "MNIST" / "raw").iterdir():
                    file.replace(place / file.name)
        return failure
    except OSError as error:
        return f"{root} cannot be written ({error.strerror or error})"


def _unreachable() -> str:
    """Why the internet cannot be reached, or ""."""
    try:
        urllib.request.urlopen(urllib.request.Request(PROBE, method="HEAD"), timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()  # an answer, if a refusal: somebody is there
    except (
        OSError,
        http.client.HTTPException,
    ) as error:  # the latter: a proxy or a hotel's login page answers instead
        return f"{urlsplit(PROBE).hostname} cannot be reached ({getattr(error, 'reason', error)})"
    return ""


def _run(folder: Path, most_seconds: float) -> str:
    command = [sys.executable, "-P", "-c", _SCRIPT, str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command, capture_output=True, text=True, timeout=most_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the download took more than {most_seconds:.0f} s"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    return (
        lines[-1][:300].rstrip(".") if lines else f"the download ended with code {done.returncode}"
    )
