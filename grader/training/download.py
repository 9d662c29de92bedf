"""Fetch a data set: torchvision's downloader, in a process that may not take for ever.

In: a `Dataset` and a folder. Out: the data set's own folder in it (MNIST/raw, say), each file whole
or not at all, and "" or why it did not work. torchvision knows the mirrors and the archives' MD5.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from grader.sandbox import temporary
from grader.training.datasets import DATASETS, Dataset, Download

PREFIX = ".download-"

MOST_SECONDS = 300
"""For a small data set: enough for MNIST on a slow connection."""

SECONDS_PER_MEGABYTE = 4
"""For a large one."""

RETRY_SECONDS = 3600
"""After a download that failed, so that each command offline does not wait for it again."""

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


def failed_lately(dataset: Dataset, root: Path) -> str:
    """Why a download into `root` failed within the last hour, and how to force another; else ""."""
    stamp = _stamp(dataset, root)
    try:
        seconds = time.time() - stamp.stat().st_mtime
        why = stamp.read_text(encoding="utf-8")[:1000]
    except (OSError, ValueError):
        return ""
    if not 0 <= seconds < RETRY_SECONDS:  # a clock that was set back must not keep it for ever
        return ""
    minutes = int(seconds / 60)
    ago = f"{minutes} minute{'s' * (minutes != 1)} ago" if minutes else "just now"
    return f"{why} (tried {ago}, again after an hour or with --fresh)"


def remember(dataset: Dataset, root: Path, failure: str) -> None:
    """Leave a stamp in `root` where the download failed, and none where it did not."""
    stamp = _stamp(dataset, root)
    with contextlib.suppress(OSError):
        if failure:
            root.mkdir(parents=True, exist_ok=True)
            stamp.write_text(failure, encoding="utf-8")
        else:
            stamp.unlink(missing_ok=True)


def _stamp(dataset: Dataset, root: Path) -> Path:
    return root / f".not-downloaded-{dataset.name}"


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
    import http.client
    import urllib.error
    import urllib.request  # 30 ms, for commands that download nothing

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
