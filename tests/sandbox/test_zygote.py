"""Hostile children at levels 2 and 3: each ends in a clear SubmissionError, in time, and leaves
nothing behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from grader.errors import GraderError, SubmissionError
from grader.sandbox import box, lock
from grader.sandbox.ending import Limits
from tests.interrupts import heard
from tests.sandbox.hostile import network, request
from tests.sandboxes import needs

ROOT = Path(lock.__file__).resolve().parents[2]
QUICK = Limits(seconds=1)
GRACE_SECONDS = 30.0
"""What a machine that is busy may take beyond a limit; what is not stopped takes forever."""


def attempt(zygote, body: str, limits: Limits | None = None) -> str:
    """The message that a network with this constructor earns, in time."""
    limits = limits or Limits(seconds=60)
    began = time.monotonic()
    with pytest.raises(SubmissionError) as caught:
        zygote.run(request(network(body)), limits)
    assert time.monotonic() - began < limits.seconds + GRACE_SECONDS
    assert children_of(zygote) == set()
    return caught.value.message


def children_of(zygote) -> set[str]:
    """The folders of children that are still there, as far as they can be seen from here."""
    return {path.name for path in (zygote.folder / "zygote").glob("child-*")}


def test_an_honest_network_is_captured(zygote):
    header_less = zygote.run(request(network()))
    assert header_less[0].startswith(b'{"schema_version"')
    assert len(header_less) == 2


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
        "import signal, os; os.kill(os.getpid(), signal.SIGSTOP)",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); signal.pause()",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ],
    ids=[
        "loop",
        "sleep",
        "ignores SIGTERM",
        "stops itself",
        "blocks signals",
        "catches everything",
    ],
)
def test_what_does_not_end_is_stopped_in_time(zygote, body):
    assert "still busy after 1 s and" in attempt(zygote, body, QUICK)


def test_what_ends_the_process_is_named(zygote):
    assert "status 3" in attempt(zygote, "import os; os._exit(3)")
    assert "SIGSEGV" in attempt(zygote, "import ctypes; ctypes.string_at(0)")
    assert "SIGABRT" in attempt(zygote, "import os; os.abort()")
    assert "SIGKILL" in attempt(zygote, "import os; os.kill(os.getpid(), 9)")
    assert "ended the Python process early" in attempt(zygote, "import os; os._exit(0)")


def test_sys_exit_gets_its_own_words(zygote):
    assert "ends the program" in attempt(zygote, "import sys; sys.exit()")


def test_a_flood_of_print_is_stopped_and_bounded(zygote):
    assert "printed more than 16 MiB" in attempt(zygote, "while True: print('x' * 10000)")


def test_some_printing_does_no_harm(zygote):
    assert len(zygote.run(request(network("print('x' * 1_000_000)")))) == 2


def test_a_file_that_waits_for_input_finds_none(zygote):
    assert "EOFError" in attempt(zygote, "input('your name? ')")


def test_a_memory_bomb_is_an_error_that_names_its_line(zygote):
    with pytest.raises(SubmissionError) as caught:
        zygote.run(request(network("self.big = nn.Linear(10**6, 10**6)")))
    assert "memory" in caught.value.message
    assert caught.value.line == 9
    assert "memory" in attempt(zygote, "x = bytearray(10**11)")


def test_a_disk_bomb_is_stopped(zygote):
    many = (
        "import pathlib\ni = 0\nwhile True:\n    i += 1\n    pathlib.Path(f'f{i}').write_text('x')"
    )
    assert "wrote more than" in attempt(zygote, many)
    large = (
        "import itertools\nfor i in itertools.count():\n"
        "    open(f'f{i}', 'wb').write(bytes(50 * 2**20))"
    )
    message = attempt(zygote, large)
    assert "wrote more than" in message or "No space left" in message


@pytest.mark.parametrize(
    "body",
    [
        "import os\nwhile True: os.fork()",
        "import threading, time\n"
        "for _ in range(10000): threading.Thread(target=time.sleep, args=(100,)).start()",
        "import subprocess; subprocess.run(['sleep', '1000'])",
        "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
    ],
    ids=["forks", "threads", "programs", "multiprocessing"],
)
def test_nothing_can_be_started(zygote, body):
    attempt(zygote, body)


def test_an_overflow_of_the_reply_is_refused(zygote):
    body = """
    import os
    block = bytes(2**20)
    while True: os.write(4, block)
    """
    assert "more than 256 MiB" in attempt(zygote, body)


@pytest.mark.parametrize(
    "reply",
    ["b''", "b'PASS'", "b'GRADER1\\n'", "b'GRADER1\\n' + bytes(16) + bytes(40)", "bytes(10**6)"],
    ids=["nothing", "a claim", "a beginning", "another nonce", "zeros"],
)
def test_a_forged_reply_is_refused(zygote, reply):
    message = attempt(zygote, f"import os\nos.write(4, {reply})\nos._exit(0)")
    assert "wrote over the grader's reply" in message


def test_a_reply_after_a_forged_beginning_is_refused(zygote):
    assert "wrote over the grader's reply" in attempt(zygote, "import os; os.write(4, b'x')")


def test_hooks_and_replaced_functions_do_not_delay_a_good_answer(zygote):
    body = """
    import atexit, os, time
    atexit.register(time.sleep, 1000)
    os._exit = lambda status: time.sleep(1000)
    """
    began = time.monotonic()
    assert len(zygote.run(request(network(body)))) == 2
    assert time.monotonic() - began < GRACE_SECONDS


def test_one_submission_sees_nothing_of_the_one_before(zygote):
    before = (
        "import builtins, os\nbuiltins.left = 1\nopen('left', 'w').write('x')\n"
        "os.environ['LEFT'] = '1'"
    )
    zygote.run(request(network(before)))
    look = (
        "import builtins, os\nassert not hasattr(builtins, 'left')\n"
        "assert not os.listdir() and 'LEFT' not in os.environ"
    )
    assert len(zygote.run(request(network(look)))) == 2


def test_the_source_of_the_one_before_is_not_in_memory(zygote):
    zygote.run(request(network(f"secret = {'a sentence of another student entirely. ' * 50!r}")))
    look = """
    import ctypes
    needle = bytes(reversed(b"yleritne tneduts rehtona fo ecnetnes a"))
    found = 0
    for line in open("/proc/self/maps"):
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        if "rw-p" in line and end - begin < 2**28:
            found += ctypes.string_at(begin, end - begin).count(needle)
    raise RuntimeError(f"found it {'often' if found >= 50 else 'only where it was looked for'}")
    """
    assert "only where it was looked for" in attempt(zygote, look)


def test_a_zygote_that_dies_is_an_error_of_ours_and_is_replaced(linux):
    from grader.sandbox.zygote import Zygote

    needs(2)
    with Zygote() as zygote:
        os.kill(zygote._process.pid, signal.SIGKILL)
        with pytest.raises(GraderError, match="cannot be used"):
            zygote.run(request(network()))
        assert len(zygote.run(request(network()))) == 2


@pytest.mark.parametrize(
    "end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda item: item.name
)
def test_nothing_outlives_a_grader_that_is_ended_in_the_middle(linux, end, tmp_path):
    needs(2)
    program = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from grader.sandbox.zygote import Zygote
        from tests.sandbox.hostile import network, request
        with Zygote() as zygote:
            print(zygote._process.pid, flush=True)
            zygote.run(request(network("while True: pass")))
    """)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        preexec_fn=heard,
    ) as grader:
        zygote = int(grader.stdout.readline())
        children = Path(f"/proc/{zygote}/task/{zygote}/children")
        wait_until(lambda: children.read_text().strip())
        family = [zygote, *map(int, children.read_text().split())]
        grader.send_signal(end)
        grader.wait(120)
    wait_until(lambda: not any(Path(f"/proc/{process}").exists() for process in family))
    if end == signal.SIGINT:
        assert list(tmp_path.iterdir()) == []


def wait_until(true, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_zygote_leaves_no_folder(linux):
    from grader.sandbox.zygote import Zygote

    needs(2)
    with Zygote() as zygote:
        folder = zygote.folder
        assert folder.exists()
    assert not folder.exists()


def test_a_further_submission_costs_little_more_than_its_export(locked):
    before = of_children(locked)
    for _ in range(5):
        locked.run(request(network()))
    assert (of_children(locked) - before) / 5 < 1.5  # about 0.2; a zygote's start takes 4


def of_children(zygote) -> float:
    """Seconds of processor time of all children that have ended, which no other load changes."""
    fields = Path(f"/proc/{zygote._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("level", [2, 3])
def test_a_zygote_that_was_begun_and_is_not_needed_ends_at_once(level):
    """While it loads torch it would not hear that nobody is there any more."""
    from grader.sandbox.zygote import Zygote

    needs(level)
    zygote = Zygote(boxed=level == 3)
    zygote.start()
    folder, process = zygote.folder, zygote._process
    zygote.close()
    assert process.returncode == -signal.SIGKILL
    assert not folder.exists()


def test_a_box_that_is_ended_while_it_begins_leaves_no_half_of_itself(linux, monkeypatch):
    """The child of bwrap waits for its parent, and only then is bound to end with it."""
    from grader.sandbox.zygote import Zygote

    half = ["sh", "-c", "sleep 600 & wait"]
    monkeypatch.setattr(box, "command", lambda *_: half)
    zygote = Zygote(boxed=True)
    zygote.start()
    pid = zygote._process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: children.read_text().strip())
    child = int(children.read_text())
    zygote.close()
    wait_until(lambda: not lives(child))


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_zygote_that_was_begun_and_forgotten_leaves_nothing(linux, tmp_path):
    needs(2)
    program = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from grader.sandbox import isolation
        begun = isolation.begin()
        print(begun._process.pid)
        raise SystemExit("no images")
    """)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=environment, check=False
    )
    wait_until(lambda: not Path(f"/proc/{int(done.stdout)}").exists())
    assert list(tmp_path.iterdir()) == []


def test_folders_in_folders_do_not_end_the_zygote(zygote):
    nested = "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')"
    began = zygote._process.pid
    assert "wrote more than" in attempt(zygote, nested)
    assert zygote._process.pid == began
