"""Measure part after part in a process that may crash or hang, and lose nothing that it has found.

In: the parts, their deadlines, the command of a process that measures (`measuring.py`). Out:
findings, as they come. A process that fails in a part, or is still at it when its time is over, is
ended; another one goes on with the next part.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from bench.gpu.plan import GRACE, Part

Finding = dict[str, Any]
"""What was found: `part`, `kind`, and whatever the kind holds."""


def findings(
    parts: Sequence[Part], deadlines: Mapping[str, float], command: Sequence[str]
) -> Iterator[Finding]:
    """All findings. `command` is given the names of the parts and their deadlines as JSON."""
    left = list(parts)
    while left:
        order = {part.name: deadlines[part.name] for part in left}
        for finding in _of_a_process([*command, json.dumps(order)], left, deadlines):
            if finding["kind"] == "ended":
                left = left[1:]
            yield finding


def _of_a_process(
    command: Sequence[str], left: Sequence[Part], deadlines: Mapping[str, float]
) -> Iterator[Finding]:
    """The findings of one process; it has ended one part at least."""
    waiting = [part.name for part in left]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        said: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, said), daemon=True)
        reader.start()
        try:
            while waiting:
                patience = deadlines[waiting[0]] + GRACE - time.time()
                try:
                    line = said.get(timeout=max(0.0, patience))
                except queue.Empty:
                    why = "it was still at it when its time was over, and was ended"
                    yield from _left_out(waiting[0], why)
                    return
                if line is None:
                    yield from _left_out(waiting[0], f"its process ended: {_last(errors)}")
                    return
                finding: Finding = json.loads(line)
                yield finding
                if finding["kind"] == "ended":
                    waiting = waiting[1:]
                    if finding.get("failed"):
                        return
        finally:
            _end(process)
            reader.join(timeout=5)
            if not reader.is_alive():  # else somebody that it started still holds the pipe
                process.stdout.close()


def _read(stream: IO[str], said: queue.Queue[str | None]) -> None:
    with contextlib.suppress(
        ValueError, OSError
    ):  # it is closed under us when the process is ended
        for line in stream:
            if line.startswith("{"):
                said.put(line)
    said.put(None)


def _left_out(part: str, why: str) -> Iterator[Finding]:
    yield {"part": part, "kind": "left out", "why": why}
    yield {"part": part, "kind": "ended", "failed": True}


def _last(errors: IO[str]) -> str:
    errors.seek(0)
    lines = [line.strip() for line in errors if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _end(process: subprocess.Popen[str]) -> None:
    """End it with all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
