"""Answer one request in a fresh process: level 1 of isolation.

In: a request, and the bytes that go with it. Out: the parts of the reply, or a SubmissionError that
says how the child ended. Trusts nothing it reads.

Level 1 is a fresh `python -I` with a clean environment, an empty folder, no inherited descriptors,
and limits on wall clock, processor time, memory, file size and output. It ends honest mistakes
cleanly; it is no defence against malice.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from grader.sandbox import ending, frames, lock, reply, same_code, strict_json, temporary
from grader.sandbox.ending import Ending, Limits

PROGRAM = Path(__file__).resolve().parents[1] / "capture" / "__main__.py"
_END_SECONDS = 1.0  # that the child's supervisor may take to end what the child has started


@dataclass(slots=True)
class _Pipe:
    """Reads a pipe to its end in a thread, keeping the first `keep` bytes.

    Calls `stop` when there are more than `most`.
    """

    stream: IO[bytes]
    keep: int
    most: int
    stop: Callable[[], None]
    kept: bytearray = field(default_factory=bytearray)
    seen: int = 0
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        # The pipe is closed under a read when the child is killed.
        with contextlib.suppress(OSError, ValueError):
            while block := self.stream.read1(2**16):  # type: ignore[attr-defined] # buffered
                self.seen += len(block)
                self.kept += block[: max(0, self.keep - len(self.kept))]
                if self.over:
                    self.stop()
                    return

    @property
    def over(self) -> bool:
        return self.seen > self.most


def run(
    request: Mapping[str, Any],
    limits: Limits | None = None,
    *,
    kind: str = "capture",
    blobs: Sequence[bytes] = (),
) -> tuple[bytes, ...]:
    """The parts that the child answers with.

    `blobs` are bytes that the request is about. Raises SubmissionError when it fails, dies, hangs
    or answers nonsense, and GraderError when it runs other code than this process.
    """
    limits = limits or Limits()
    nonce = secrets.token_bytes(reply.NONCE_BYTES)
    order = {
        "nonce": nonce.hex(),
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": int(limits.seconds) + 1,
        "request": dict(request),
    }
    with temporary.folder() as folder, lock.hidden():
        inside = folder / "child"
        inside.mkdir()
        whole = io.BytesIO()
        frames.write(whole, [json.dumps(order).encode(), *blobs])
        found = _converse(whole.getbuffer(), kind, inside, limits)
    return ending.parts(_after_its_code(found), nonce, limits)


def _after_its_code(found: Ending) -> Ending:
    """The same without its first line, written before any student code ran: which grader it is.

    A child that ended before it came to that has said nothing. Raises GraderError for other code.
    """
    if not found.reply:
        return found
    line, _, rest = found.reply.partition(b"\n")
    try:
        said = strict_json.read(line, most_bytes=2**16)
    except ValueError:
        said = None
    same_code.check(said)
    return replace(found, reply=rest)


def _converse(order: memoryview, kind: str, folder: Path, limits: Limits) -> Ending:
    """Start the child, send the order, wait."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
        [sys.executable, "-I", "-B", "-W", "ignore", str(PROGRAM), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment(folder),
        close_fds=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        answer = _Pipe(process.stdout, reply.LARGEST, reply.LARGEST, process.terminate)
        printed = _Pipe(process.stderr, limits.output_bytes, ending.FLOOD_BYTES, process.terminate)
        status: int | None = None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(order)
                process.stdin.close()
            status = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _end(process)
        for pipe in (answer, printed):
            pipe.thread.join(timeout=5)
        stopped = ending.too_much(replied=answer.over, printed=printed.over)
        if status is None:
            stopped = stopped or "time"
        return Ending(bytes(answer.kept), bytes(printed.kept), status, stopped)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and everything that it started.

    Its supervisor does that, where there is one; then its group is killed.
    """
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def environment(folder: Path) -> dict[str, str]:
    """A clean environment: nothing of the user's but what Python needs to start."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
        if name in os.environ
    }
    return kept | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TMP": str(folder),
        "TEMP": str(folder),
        "USER": "grader",  # torch asks for a name, and a box has no list of users
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "agg",
    }
