"""Faults at every moment: the child, the zygote and the disk may fail whenever they like, and
nothing is lost.

Elsewhere: the reply cut at every byte (tests/sandbox/test_fuzz.py), the training process killed at
20 moments (tests/training/worker/test_worker.py), a read-only folder, vanished data, a clock that
jumps, Ctrl-C (test_nothing_lost.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from grader import report
from grader.errors import GraderError, SubmissionError
from grader.storage import atomic, reports
from tests import report_examples as examples
from tests.hostile.run import descendants
from tests.sandbox.hostile import network, request
from tests.sandboxes import needs

MOMENTS = 20
SECRET = b"s" * 32


def killed_after(zygote, seconds: float) -> threading.Thread:
    """Kill the zygote's child so long after it was forked."""

    def kill() -> None:
        pid = zygote._process.pid
        deadline = time.monotonic() + 60
        while not (children := descendants(pid)) and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(seconds)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def shortest_run(zygote) -> float:
    """Seconds, of several runs: on a busy machine one may take twice as long as the next."""
    seconds = []
    for _ in range(4):
        began = time.monotonic()
        zygote.run(request(network()))
        seconds.append(time.monotonic() - began)
    return min(seconds)


def outlived(zygote) -> int:
    """The parts of an answer; none when the child was killed, and the message says so."""
    try:
        return len(zygote.run(request(network())))
    except SubmissionError as error:
        if "SIGKILL" not in error.message:
            raise
        return 0


def test_a_child_killed_at_20_moments_is_this_submissions_error_and_nobody_elses(locked):
    whole_run, zygote, killed = shortest_run(locked), locked._process.pid, 0
    for moment in range(MOMENTS):
        killer = killed_after(locked, 0.01 + whole_run * 0.8 * moment / MOMENTS)
        killed += outlived(locked) == 0
        killer.join()
        assert list((locked.folder / "zygote").glob("child-*")) == []
    assert locked._process.pid == zygote
    assert killed >= MOMENTS // 2
    assert len(locked.run(request(network()))) == 2


def test_a_child_killed_before_it_is_locked_is_not_the_zygotes_fault(locked):
    locked.run(request(network()))
    zygote, killed = locked._process.pid, 0
    for _ in range(5):
        killer = killed_after(locked, 0)
        killed += outlived(locked) == 0
        killer.join()
    assert killed == 5
    assert locked._process.pid == zygote


def test_a_zygote_killed_in_the_middle_and_a_vanished_folder_are_errors_of_ours():
    needs(2)
    from grader.sandbox.zygote import Zygote

    with Zygote() as zygote:
        killer = threading.Timer(0.1, lambda: os.kill(zygote._process.pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(GraderError, match="cannot be used"):
            zygote.run(request(network("import time; time.sleep(30)")))
        assert len(zygote.run(request(network()))) == 2
        shutil.rmtree(zygote.folder / "zygote")
        with pytest.raises(GraderError, match="cannot be used"):
            zygote.run(request(network()))
        assert len(zygote.run(request(network()))) == 2


@contextlib.contextmanager
def files_up_to(size: int):
    """No file of this process may grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_disk_that_is_full_at_20_places_leaves_the_earlier_report(tmp_path):
    first, second = (
        examples.report(started="2026-01-01T00:00:00+00:00"),
        examples.report(points=1.0),
    )
    place = reports.write(first, tmp_path, secret=SECRET)
    before, files = place.read_bytes(), kept(tmp_path)
    assert len(before) > MOMENTS
    for moment in range(MOMENTS):
        with (
            files_up_to(len(before) * moment // MOMENTS),
            pytest.raises(GraderError, match=r"cannot be written.*--output"),
        ):
            reports.write(second, tmp_path, secret=SECRET)
        assert place.read_bytes() == before
        assert kept(tmp_path) == files
    reports.write(second, tmp_path, secret=SECRET)
    assert report.read(place.read_bytes()).points == 1.0


@pytest.mark.parametrize("call", ["open", "fdopen", "fsync", "replace", "mkdir"])
@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT], ids=errno.errorcode.get
)
def test_whichever_step_of_writing_fails_the_earlier_report_stays(
    tmp_path, monkeypatch, call, code
):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    first = examples.report(started="2026-01-01T00:00:00+00:00")
    place = reports.write(first, tmp_path, secret=SECRET)
    before, files = place.read_bytes(), kept(tmp_path)
    monkeypatch.setattr(Path if call in ("replace", "mkdir") else atomic.os, call, fail)
    with pytest.raises(GraderError, match="cannot be written"):
        reports.write(examples.report(points=1.0), tmp_path, secret=SECRET)
    monkeypatch.undo()
    assert place.read_bytes() == before
    assert kept(tmp_path) == files
