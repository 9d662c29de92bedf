"""The child's program: one request in (JSON on standard input), one framed reply out (on what was standard output).

Started by `grader.sandbox` with `python -I`; nobody imports it. Student code runs below `capture()` and nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # `python -I` leaves the grader's own folder out

from grader.sandbox import reply


def main() -> None:
    """Read the request, capture, write the reply. What the student's file prints goes to standard error."""
    request = json.loads(sys.stdin.buffer.read())
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit(request["memory_bytes"], request["cpu_seconds"])
    sys.argv = [request["filename"]]
    with pipe:
        pipe.write(reply.pack(_answer(request), bytes.fromhex(request["nonce"])))


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    """Hard limits on this process, where the system has them."""
    try:
        import resource
    except ImportError:  # Windows: the parent's wall clock is the only limit
        return
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 64 * 2**20,
        resource.RLIMIT_NOFILE: 256,
    }
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(limit, (value, value))


def _answer(request: dict[str, Any]) -> list[bytes]:
    from grader.capture import capture, explain

    try:
        return [b'{"captured": true}', *capture.capture(request)]
    except BaseException as error:  # sys.exit() and KeyboardInterrupt in a student's file are theirs to explain
        problem = explain.explained(error, request["filename"])
        return [json.dumps({"captured": False, "message": problem.message, "line": problem.line}).encode()]


if __name__ == "__main__":
    main()
