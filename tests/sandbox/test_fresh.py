"""Level 1 on Linux: what a fresh process leaves behind when the file means harm.

Honest mistakes are in test_child.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from grader.errors import SubmissionError
from grader.sandbox import child, lock
from grader.sandbox.ending import Limits
from tests.interrupts import heard
from tests.sandbox.hostile import network, request

ROOT = Path(lock.__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("linux")

DAEMON = """
import os, signal, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open("/proc/self/comm", "w").write({name!r})
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)
        os._exit(0)
time.sleep(0.3)
"""


def named(name: str) -> list[str]:
    """The processes that go by this name."""
    found = []
    for place in Path("/proc").glob("[0-9]*/comm"):
        try:
            found += [place.parent.name] if place.read_text().strip() == name else []
        except OSError:  # it ended in the meantime
            continue
    return found


@pytest.mark.parametrize(
    "end", ["", "os._exit(3)", "while True: pass"], ids=["good end", "early end", "no end"]
)
def test_no_daemon_outlives_the_run(end):
    name = f"daemon-{len(end)}"
    expected = (
        pytest.raises(SubmissionError, match=r"status 3|still busy")
        if end
        else contextlib.nullcontext()
    )
    with expected:
        child.run(
            request(network(DAEMON.format(name=name) + end)),
            Limits(seconds=8 if "while" in end else 60),
        )
    assert named(name) == []


def test_a_flood_of_print_is_stopped():
    with pytest.raises(SubmissionError, match="printed more than 16 MiB"):
        child.run(request(network("while True: print('x' * 10000)")), Limits(seconds=60))


def test_hooks_and_replaced_functions_do_not_delay_a_good_answer():
    body = """
    import atexit, os, threading, time
    atexit.register(time.sleep, 1000)
    threading.Thread(target=time.sleep, args=(1000,)).start()
    os._exit = lambda status: time.sleep(1000)
    """
    assert len(child.run(request(network(body)), Limits(seconds=60))) == 2


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=lambda item: item.name)
def test_nothing_outlives_a_grader_that_is_ended_in_the_middle(end, tmp_path):
    program = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from grader.sandbox import child
        from tests.sandbox.hostile import network, request
        named = "open('/proc/self/comm', 'w').write('endless')"
        child.run(request(network(named + "\\nwhile True: pass")))
    """)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stderr=subprocess.DEVNULL,
        env=environment,
        preexec_fn=heard,
    ) as grader:
        wait_until(lambda: named("endless"))
        grader.send_signal(end)
        grader.wait(120)
    wait_until(lambda: not named("endless"))
    if end == signal.SIGINT:
        assert list(tmp_path.iterdir()) == []


def wait_until(true, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
