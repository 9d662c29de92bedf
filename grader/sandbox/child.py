"""Run one capture in a child process and take its reply: level 1 of isolation.

In: a request. Out: the parts of the reply, or a SubmissionError that says how the child ended. Trusts nothing it reads.

Level 1 is a fresh `python -I` with a clean environment, an empty folder, no inherited descriptors, and limits on wall
clock, processor time, memory, file size and output. It ends honest mistakes cleanly; it is no defence against malice.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from grader.errors import SubmissionError
from grader.sandbox import reply

LEVEL = "1 process"
PROGRAM = Path(__file__).resolve().parents[1] / "capture" / "__main__.py"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one capture may use. `output_bytes` bounds what is kept of the file's printing, not what it may print."""

    seconds: float = 120.0
    memory_bytes: int = 8 * 2**30
    output_bytes: int = 64 * 2**10


@dataclass(slots=True)
class _Pipe:
    """Reads a pipe to its end in a thread, keeping the first `most` bytes."""

    stream: IO[bytes]
    most: int
    kept: bytearray = field(default_factory=bytearray)
    seen: int = 0
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the pipe is closed under a read when the child is killed
            while block := self.stream.read1(2**16):  # type: ignore[attr-defined] # Popen's pipes are BufferedReaders
                self.seen += len(block)
                self.kept += block[: max(0, self.most - len(self.kept))]


def run(request: dict[str, Any], limits: Limits | None = None) -> tuple[bytes, ...]:
    """The parts that the child answers with. Raises SubmissionError when it fails, dies, hangs or answers nonsense."""
    limits = limits or Limits()
    nonce = secrets.token_bytes(reply.NONCE_BYTES)
    full = request | {
        "nonce": nonce.hex(),
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": int(limits.seconds) + 1,
    }
    with tempfile.TemporaryDirectory(prefix="grader-") as folder:
        frame, printed, status = _converse(json.dumps(full).encode(), Path(folder), limits)
    if status is None:
        raise SubmissionError(
            f"The file was still busy after {limits.seconds:.0f} seconds and was stopped. Building and running the "
            'network once takes a moment: move training, input() and plt.show() under `if __name__ == "__main__":`, '
            "and look for an endless loop."
        )
    try:
        parts = reply.unpack(frame, nonce)
        header = json.loads(parts[0])
        captured = header["captured"] is True
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise SubmissionError(_ending(status, printed, error)) from error
    if not captured:
        line = header.get("line")
        raise SubmissionError(
            str(header.get("message"))[:4000], line=line if isinstance(line, int) and line > 0 else None
        )
    return parts[1:]


def _converse(request: bytes, folder: Path, limits: Limits) -> tuple[bytes, bytes, int | None]:
    """Start the child, send the request, wait. The status is None when the time ran out."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
        [sys.executable, "-I", "-B", "-W", "ignore", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_environment(folder),
        close_fds=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        answer, printed = _Pipe(process.stdout, reply.LARGEST), _Pipe(process.stderr, limits.output_bytes)
        status: int | None = None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(request)
                process.stdin.close()
            status = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
        for pipe in (answer, printed):
            pipe.thread.join(timeout=5)
        return bytes(answer.kept), bytes(printed.kept), status


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and everything it started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _environment(folder: Path) -> dict[str, str]:
    """A clean environment: nothing of the user's but what Python needs to start."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TMP": str(folder),
        "TEMP": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "agg",
    }


def _ending(status: int, printed: bytes, error: Exception) -> str:
    last = printed.decode("utf-8", "replace").strip().splitlines()[-1:] or [""]
    if status < 0:
        name = signal.Signals(-status).name if -status in signal.valid_signals() else str(-status)
        return (
            f"The file ended the Python process with {name}: it crashed, or used more memory or processor time than it "
            f"may. {last[0][:300]}"
        ).strip()
    if status != 0:
        return f"The file ended the Python process (status {status}) before it could be captured. {last[0][:300]}".strip()
    return f"The file ended the Python process early, or wrote over the grader's reply ({error})."
