"""Fetch a data set: torchvision's downloader, in a process that may not take for ever.

In: a `Dataset` and a folder. Out: the data set's own folder in it (MNIST/raw, say), each file whole
or not at all, and "" or why it did not work. torchvision knows the mirrors and the archives' MD5.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from grader.sandbox import temporary
from grader.training.datasets import DATASETS, Dataset, Download

PREFIX = ".download-"

MOST_SECONDS = 300
"""For a small data set: enough for MNIST on a slow connection."""

SECONDS_PER_MEGABYTE = 4
"""For a large one."""

_SCRIPT = """
import socket, sys
socket.setdefaulttimeout(10)
from torchvision import datasets
root, name, *split = sys.argv[1:]
getattr(datasets, name)(root, *split, download=True)
"""


def fetch(dataset: Dataset, root: Path, *, most_seconds: float | None = None) -> str:
    """Download to `root`/MNIST/raw, or the like. Returns why it failed, or "" when it is there.

    The data set must have a `download`. Its archive is not kept, nor is what else is in it.
    """
    source = dataset.download
    assert source is not None
    offline = _unreachable(source.address)
    if offline:
        return offline
    most_seconds = most_seconds or max(MOST_SECONDS, SECONDS_PER_MEGABYTE * source.megabytes)
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Unpacked beside its final place, then moved: an interruption leaves no half of a file.
        with temporary.folder(root, prefix=PREFIX) as folder:
            failure = _run(source, folder, most_seconds)
            if not failure:
                place = root / source.folder / "raw"
                place.mkdir(parents=True, exist_ok=True)
                arrived = list((folder / source.folder / "raw").iterdir())
                names = _names(dataset, source)
                for file in arrived:
                    if file.name in names:
                        file.replace(place / file.name)
        return failure
    except OSError as error:
        return f"{root} cannot be written ({error.strerror or error})"


def sweep(root: Path) -> None:
    """Remove what downloads that were killed have left in the folder."""
    temporary.sweep(root, prefix=PREFIX)


def _names(dataset: Dataset, source: Download) -> set[str]:
    """The files to keep: the data set's own, and those of others that come in the same archive."""
    names = {file.name for file in dataset.files}
    for other in DATASETS.values():
        if other.download and other.download.folder == source.folder:
            names.update(file.name for file in other.files)
    return names


def _unreachable(address: str) -> str:
    """Why the address cannot be reached, or "". torchvision alone takes seconds to import."""
    try:
        request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - from our own table
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - the same
    except urllib.error.HTTPError as error:
        error.close()  # an answer, if a refusal: somebody is there
    except (OSError, http.client.HTTPException) as error:
        # The latter where a proxy or a hotel's login page answers instead.
        return f"{urlsplit(address).hostname} cannot be reached ({getattr(error, 'reason', error)})"
    return ""


def _run(source: Download, folder: Path, most_seconds: float) -> str:
    command = [sys.executable, "-P", "-c", _SCRIPT, str(folder), source.folder]
    if source.split:
        command.append(source.split)
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command, capture_output=True, text=True, timeout=most_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the download took more than {most_seconds:.0f} s"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    if not lines:
        return f"the download ended with code {done.returncode}"
    return lines[-1][:300].rstrip(".")
