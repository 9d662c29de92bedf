"""A zygote that stays is lent to one grading after the other, and ends by itself.

The zygote here is a real one that loads no torch: it answers with the folder that it works in.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.sandbox import child, kept, lock
from grader.sandbox.zygote import Zygote

pytestmark = pytest.mark.skipif(bool(lock.missing()), reason="no zygote works here")

PROGRAM = """
import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, {root!r})
from grader.sandbox import nursery

def work(kind, request, blobs):
    if kind == "fail":
        os._exit(3)
    return [b'{{"captured": true}}', str(os.getppid()).encode()]

folder = Path(os.environ["TMPDIR"])
nursery.Nursery(socket.socket(fileno=os.dup(0)), folder, work, lambda name: None).serve()
"""


@pytest.fixture(autouse=True)
def without_torch(tmp_path, monkeypatch) -> Iterator[None]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(root=str(Path(__file__).parents[2])))
    monkeypatch.setattr(child, "PROGRAM", program)
    # Every test has keepers of its own: they are found by the environment that they have.
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setattr(kept.threading, "active_count", lambda: 1)  # pytest's wait in system calls
    yield
    kept.end()


def started(idle_seconds: float = 60.0) -> Zygote:
    zygote = kept.started(boxed=False, idle_seconds=idle_seconds)
    assert zygote is not None
    zygote.wait()
    return zygote


def process(zygote: Zygote) -> int:
    """The number of the process that forks."""
    (answer,) = zygote.run({})
    return int(answer)


def lives(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nobody_keeps_one_that_was_not_started():
    assert kept.borrowed(boxed=False) is None


def test_the_next_grading_gets_the_same_one_without_waiting():
    with started() as zygote:
        first = process(zygote)
    with kept.borrowed(boxed=False) as again:
        assert process(again) == first
    with kept.borrowed(boxed=False) as again:
        assert process(again) == first


def test_a_child_that_fails_is_not_the_zygotes_fault():
    with started() as zygote:
        first = process(zygote)
        with pytest.raises(Exception, match="ended"):
            zygote.run({}, kind="fail")
    with kept.borrowed(boxed=False) as again:
        assert process(again) == first


def test_it_is_lent_to_one_at_a_time():
    with started():
        assert kept.borrowed(boxed=False) is None
        assert kept.started(boxed=False) is None
    with kept.borrowed(boxed=False) as again:
        process(again)


def test_it_ends_where_its_borrower_vanishes_in_the_middle():
    zygote = started()
    number, folder = process(zygote), zygote.folder
    reader, writer = os.pipe()
    borrower = os.fork()
    if borrower == 0:
        os.read(reader, 1)
        os._exit(0)  # as if it were killed: it holds copies of all, and gives nothing back
    zygote._at_rest = False
    zygote.close()
    os.write(writer, b"1")
    os.waitpid(borrower, 0)
    wait_until(lambda: not lives(number))
    wait_until(lambda: not folder.exists())
    assert kept.borrowed(boxed=False) is None


def test_it_ends_when_nobody_asks_for_a_while():
    with started(idle_seconds=0.2) as zygote:
        number, folder = process(zygote), zygote.folder
    wait_until(lambda: not lives(number))
    wait_until(lambda: not folder.exists())
    assert kept.borrowed(boxed=False) is None


def test_it_ends_when_it_is_told_to():
    with started() as zygote:
        number = process(zygote)
    kept.end()
    wait_until(lambda: not lives(number))


def test_told_to_end_while_it_is_lent_it_ends_when_it_comes_back():
    with started() as zygote:
        number = process(zygote)
        kept.end()  # in another terminal
        assert process(zygote) == number
    wait_until(lambda: not lives(number))


def test_one_that_was_started_before_a_package_was_installed_is_not_found(monkeypatch, tmp_path):
    """What the zygote has loaded is no longer what this grader would load."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.setattr(kept.sysconfig, "get_path", lambda name: str(packages))
    started().close()
    (packages / "torch-3.0.dist-info").mkdir()
    assert kept.borrowed(boxed=False) is None


def test_how_the_grader_was_started_does_not_matter(monkeypatch, tmp_path):
    """Nor does a save in a clone, which is on the path: an editor writes a new file beside."""
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path, str(tmp_path)])
    started().close()
    (tmp_path / "my_model.py").touch()
    with kept.borrowed(boxed=False) as again:
        assert process(again)
    monkeypatch.setattr("sys.path", sys.path[1:])
    with kept.borrowed(boxed=False) as again:
        assert process(again)


def test_another_installation_does_not_find_it(monkeypatch):
    started().close()
    monkeypatch.setattr(kept.same_code, "own_source", lambda: "other code")
    assert kept.borrowed(boxed=False) is None


def test_nobody_elses_zygote_is_taken(monkeypatch):
    started().close()
    monkeypatch.setattr(kept, "_user", lambda connection: os.getuid() + 1)
    assert kept.borrowed(boxed=False) is None


def test_a_keeper_answers_nobody_else(monkeypatch):
    with monkeypatch.context() as other:
        other.setattr(kept, "_heard", lambda client: b"")  # as it hears another user
        started_none = kept.started(boxed=False, idle_seconds=1.0)
    assert started_none is None


def test_one_that_is_lost_is_followed_by_one_of_its_own():
    zygote = started()
    first = process(zygote)
    os.kill(first, 9)
    with pytest.raises(Exception, match="cannot be used"):
        zygote.run({})
    assert process(zygote) != first
    zygote.close()
    assert kept.borrowed(boxed=False) is None
