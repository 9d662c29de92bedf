"""Whatever ends a run, finished reports stay, a rerun does the rest, and no process is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader import pipeline, report
from grader.command import head_start, session
from grader.errors import GraderError
from grader.options import Options
from grader.sandbox import isolation
from grader.storage import atomic, reports, seal
from grader.training import data, lab_note
from grader.training.datasets import DATASETS
from tests import report_examples as examples
from tests import static_grading
from tests.interrupts import heard
from tests.test_command_line import TINY

ROOT = Path(__file__).parents[1]
CLASS = ("ada", "bob", "cleo", "dan")


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A class of four, graded by a stand-in that remembers whom it graded."""
    monkeypatch.setattr(seal, "secret", lambda: b"s" * 32)
    for name in CLASS:
        (tmp_path / f"{name}.py").write_text(f"# the network of {name}\n")
    return Room(tmp_path, monkeypatch)


class Room:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder = folder
        self.graded: list[str] = []
        self.accident = None
        monkeypatch.setattr(pipeline, "grade", self._grade)
        monkeypatch.setattr(isolation, "begin", lambda **_: None)
        monkeypatch.setattr(isolation, "choose", lambda *_, **__: isolation.Fresh())

    def _grade(self, submission, assignment, workshop, progress):
        self.graded.append(submission.name)
        more = self.accident(submission.name) if self.accident else {}
        facts = {
            "submission": submission.name,
            "sha256": submission.sha256,
            "assignment": assignment.name,
        }
        return examples.report(**facts, path=submission.display, **(more or {}))

    def run(self, **more) -> int:
        self.graded.clear()
        wanted = {
            "paths": tuple(self.folder / f"{name}.py" for name in CLASS),
            "assignment": "mnist_8k",
            "dataset": "practice",
            "data": None,
            "device": "cpu",
            "static": False,
            "epochs": None,
            "seeds": None,
            "train_anyway": False,
            "fresh": False,
            "require_isolation": None,
            "output": self.folder / "grades",
            "as_json": False,
            "quiet": False,
            "root": ROOT,
        }
        options = Options(**{**wanted, **more})
        with head_start.workroom(options) as room:
            return session.grade_in(room, options)

    def reports(self) -> dict[str, report.Report]:
        files = sorted((self.folder / "grades" / "mnist_8k").glob("*/report.json"))
        return {file.parent.name: report.read(file.read_bytes()) for file in files}

    def leftovers(self) -> list[str]:
        known = {"report.json", "report.unfinished.json", "model_analysis_results.json"}
        return [
            file.name
            for file in self.folder.rglob("grades/**/*")
            if file.is_file() and file.name not in known
        ]


def test_a_rerun_grades_only_what_changed_and_shows_every_scorecard(room, capsys):
    assert room.run() == 0
    assert room.graded == list(CLASS)
    (room.folder / "bob.py").write_text("# a better one\n")
    capsys.readouterr()
    assert room.run() == 0
    assert room.graded == ["bob"]
    shown = capsys.readouterr()
    assert (
        "ada: unchanged since 2026-01-15T10:42:07+00:00: kept (use --fresh to grade again)"
        in shown.err
    )
    assert "bob: unchanged" not in shown.err
    assert all(name in shown.out for name in CLASS)


def test_fresh_grades_everything_again(room):
    room.run()
    room.run(fresh=True)
    assert room.graded == list(CLASS)


@pytest.mark.parametrize("more", [{"seeds": 3}, {"static": True}, {"train_anyway": True}])
def test_another_question_is_graded_anew(room, more):
    room.run()
    room.run(**more)
    assert room.graded == list(CLASS)


def test_another_version_of_the_grader_grades_anew(room, monkeypatch):
    room.run()
    monkeypatch.setattr(seal, "own_source", lambda: "another")
    room.run()
    assert room.graded == list(CLASS)


def test_after_a_crash_a_rerun_takes_up_what_is_missing(room):
    def crash(name):
        if name == "cleo":
            raise MemoryError

    room.accident = crash
    with pytest.raises(MemoryError):
        room.run()
    assert list(room.reports()) == ["ada", "bob"]
    room.accident = None
    room.run()
    assert room.graded == ["cleo", "dan"]
    assert list(room.reports()) == list(CLASS)
    assert room.leftovers() == []


def test_an_interrupted_run_keeps_the_partial_report_and_a_rerun_completes_it(room, capsys):
    room.accident = lambda name: {"interrupted": name == "cleo"}
    assert room.run(quiet=True) == 130
    shown = capsys.readouterr()
    assert all(f"\n{name} " in shown.out for name in ("ada", "bob", "cleo"))
    assert "Interrupted. 2 of 4 are finished. The reports so far are in" in shown.err
    assert room.reports()["cleo"].interrupted
    room.accident = None
    assert room.run() == 0
    assert room.graded == ["cleo", "dan"]
    assert not room.reports()["cleo"].interrupted


def test_ctrl_c_before_training_passes_through_and_loses_nothing(room, capsys):
    def interrupt(name):
        if name == "bob":
            raise KeyboardInterrupt

    room.accident = interrupt
    with pytest.raises(KeyboardInterrupt):
        room.run(quiet=True)
    assert list(room.reports()) == ["ada"]
    assert room.leftovers() == []
    shown = capsys.readouterr()
    assert "\nada " in shown.out
    assert "bob" not in shown.out


def test_ctrl_c_prints_no_half_of_a_json_document(room, capsys):
    room.accident = lambda name: {"interrupted": name == "cleo"}
    assert room.run(as_json=True) == 130
    assert capsys.readouterr().out == ""


def test_a_full_disk_is_said_and_neither_earlier_reports_nor_the_scorecard_is_lost(
    room, monkeypatch, capsys
):
    def fill(name):
        if name == "bob":
            monkeypatch.setattr(atomic.os, "fsync", no_space)

    def no_space(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    room.accident = fill
    assert room.run() == 3
    assert list(room.reports()) == ["ada"]
    assert room.leftovers() == []
    shown = capsys.readouterr()
    assert "bob" in shown.out
    assert "The grader cannot keep this report: " in shown.err
    assert "No space left on device" in shown.err


@pytest.mark.parametrize("more", [{}, {"as_json": True}, {"quiet": True}])
def test_on_a_full_disk_the_whole_class_is_still_graded_and_shown(room, monkeypatch, capsys, more):
    def full(*_, **__):
        raise GraderError("No space left on device")

    monkeypatch.setattr(reports, "write", full)
    assert room.run(**more) == 3
    assert room.graded == list(CLASS)
    shown = capsys.readouterr()
    assert all(name in shown.out for name in CLASS)
    assert shown.err.count("No space left on device") == len(CLASS)


def test_a_report_that_says_less_stays_beside_the_one_that_says_more_and_its_place_is_named(
    room, capsys
):
    room.run()
    room.accident = lambda name: {"quick_look": "static checks only (--static)"}
    room.run(static=True)
    assert all(not found.quick_look for found in room.reports().values())
    said = "ada: the earlier report on this file says more and stays; this one is"
    assert said in capsys.readouterr().err


def test_a_message_shows_a_path_as_it_is(room, capsys):
    room.accident = lambda name: {"interrupted": True}
    room.run(output=room.folder / "[red]course[/b]:key:")
    assert "[red]course[/b]:key:" in capsys.readouterr().err


def test_a_read_only_folder_is_said_before_anything_is_graded(room, monkeypatch):
    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(atomic.os, "open", read_only)
    with pytest.raises(GraderError, match=r"Read-only file system.* --output"):
        room.run()
    assert room.graded == []


def test_a_file_that_cannot_be_read_is_looked_at_again_every_time(room):
    (room.folder / "bob.py").write_bytes(b"\xff")
    room.run()
    room.run()
    assert room.graded == ["bob"]


def test_a_forged_report_is_graded_over(room):
    room.run()
    file = room.folder / "grades" / "mnist_8k" / "bob" / "report.json"
    file.write_text(file.read_text().replace('"points": 100.0', '"points": 99.0'))
    room.run()
    assert room.graded == ["bob"]
    assert room.reports()["bob"].points == 100


@pytest.fixture
def images_gone(monkeypatch, tmp_path):
    """MNIST was there when the run began; its files vanish before they are read."""
    source = data.Source(DATASETS["mnist"], folder=tmp_path / "gone")
    monkeypatch.setattr(data, "resolve", lambda *_, **__: source)


def test_a_vanished_data_file_breaks_the_report_but_not_an_earlier_one(
    tmp_path, monkeypatch, images_gone, capsys
):
    graded = pipeline.grade
    room = Room(tmp_path, monkeypatch)
    monkeypatch.setattr(seal, "secret", lambda: b"s" * 32)
    for name in CLASS:
        (tmp_path / f"{name}.py").write_text(TINY)
    room.run(paths=(tmp_path / "ada.py",))
    monkeypatch.setattr(pipeline, "grade", graded)
    monkeypatch.setattr(isolation, "choose", lambda *_, **__: static_grading.InThisProcess())
    assert room.run(paths=(tmp_path / "ada.py", tmp_path / "bob.py"), fresh=True) == 3
    found = room.reports()
    assert found["ada"].points == 100
    assert found["bob"].problem.fault == "grader"
    assert (
        "train-images-idx3-ubyte cannot be read (No such file or directory)"
        in found["bob"].problem.message
    )
    beside = tmp_path / "grades" / "mnist_8k" / "ada" / reports.UNFINISHED
    assert report.read(beside.read_bytes()).problem.fault == "grader"
    assert "the grader broke" in capsys.readouterr().out


def test_a_clock_that_jumps_backwards_changes_only_the_date(tmp_path, monkeypatch):
    class Back(datetime):
        year_shown = 2031

        @classmethod
        def now(cls, zone=None):
            Back.year_shown -= 1
            return datetime(Back.year_shown, 1, 1, tzinfo=UTC)

    seconds = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))
    monkeypatch.setattr(lab_note, "datetime", Back)
    monkeypatch.setattr(isolation, "choose", lambda *_, **__: static_grading.InThisProcess())
    monkeypatch.setattr(seal, "secret", lambda: b"s" * 32)
    graded = pipeline.grade
    room = Room(tmp_path, monkeypatch)
    monkeypatch.setattr(pipeline, "grade", graded)
    (tmp_path / "ada.py").write_text(TINY)
    room.run(paths=(tmp_path / "ada.py",), static=True)
    first = room.reports()["ada"]
    assert first.started.startswith("2030")
    assert all(0 <= seconds < 1000 for seconds in first.seconds.values())
    room.run(paths=(tmp_path / "ada.py",), static=True)
    assert room.reports()["ada"] == first
    room.run(paths=(tmp_path / "ada.py",), static=True, fresh=True)
    assert room.reports()["ada"].started.startswith("2029")


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds processes through /proc"
)

SLOW_TO_BUILD = TINY.replace(
    "super().__init__()", "super().__init__(); import time; time.sleep(600)"
)
SLOW_TO_TRAIN = TINY.replace("EPOCHS = 2", "EPOCHS = 20").replace(
    "BATCH_SIZE = 64", "BATCH_SIZE = 8"
)


class Run:
    """`python -m grader grade` in a process of its own, and the processes that it started."""

    def __init__(self, folder: Path, source: str):
        (folder / "tiny.py").write_text(source)
        self.report = folder / "grades" / "mnist_20k" / "tiny" / "report.json"
        command = [
            sys.executable,
            "-m",
            "grader",
            "grade",
            str(folder / "tiny.py"),
            "--assignment",
            "mnist_20k",
        ]
        command += ["--dataset", "practice", "--device", "cpu", "--output", str(folder / "grades")]
        temporary = folder / "temporary"
        temporary.mkdir()
        self.temporary = temporary
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(folder / "cache")},
            preexec_fn=heard,
        )
        self.said = ""

    def wait_for(self, text: str) -> None:
        for line in self.process.stderr:
            self.said += line
            if text in line:
                return
        raise AssertionError(f"never said {text!r} but {self.said}")

    def wait_for_a_child(self) -> None:
        deadline = time.monotonic() + 60
        while not descendants(self.process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code after checking that nothing is left."""
        started = descendants(self.process.pid)
        assert started or self.report.exists() or "Proving" in self.said
        self.process.send_signal(signal.SIGINT)
        self.said += self.process.communicate(timeout=300)[1]
        deadline = time.monotonic() + 60
        while any(map(runs, started)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [pid for pid in started if runs(pid)] == []
        # torch makes a cache folder in the user's temporary folder, and keeps it for the next run
        assert [
            file for file in self.temporary.iterdir() if not file.name.startswith("torchinductor_")
        ] == []
        return self.process.returncode


def descendants(pid: int) -> list[int]:
    try:
        children = [
            int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []
    return children + [one for child in children for one in descendants(child)]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@needs_proc
def test_ctrl_c_while_the_network_is_read_leaves_no_process_and_no_file(tmp_path):
    run = Run(tmp_path, SLOW_TO_BUILD)
    run.wait_for("Reading the network")
    run.wait_for_a_child()
    time.sleep(1)
    assert run.interrupt() == 130
    assert "Finished reports are kept; the same command goes on from there." in run.said
    assert not run.report.exists()


@needs_proc
def test_ctrl_c_while_the_network_is_analysed_leaves_no_process_and_no_file(tmp_path):
    run = Run(tmp_path, TINY)
    run.wait_for("Proving its structure")
    assert run.interrupt() == 130
    assert not run.report.exists()


@needs_proc
def test_ctrl_c_while_it_trains_leaves_a_partial_report_and_no_process(tmp_path):
    run = Run(tmp_path, SLOW_TO_TRAIN)
    run.wait_for("epoch  1/20")
    assert run.interrupt() == 130
    partial = report.read(run.report.read_bytes())
    assert partial.interrupted
    (trained,) = partial.training.runs
    assert 1 <= len(trained.epochs) < 20
    assert not trained.finished
    assert "Interrupted. The reports so far are in" in run.said


@pytest.fixture
def models(room):
    """alice/model.py and bob/model.py, which differ in their text."""
    files = []
    for name in ("alice", "bob"):
        file = room.folder / name / "model.py"
        file.parent.mkdir()
        file.write_text(f"# the network of {name}\n")
        files.append(file)
    return files


def test_two_files_of_one_name_keep_their_reports_apart_over_several_commands(room, models):
    for file in (*models, *models):
        room.run(paths=(file,))
    assert not room.graded  # each has found its own
    room.run(paths=tuple(models))
    assert not room.graded
    kept = [report.read(file.read_bytes()) for file in room.folder.glob("grades/*/*/report.json")]
    assert {one.path for one in kept} == {str(file) for file in models}
    assert len(kept) == 2


def test_files_of_one_name_that_one_command_graded_are_found_again_alone(room, models):
    room.run(paths=tuple(models))
    assert len(room.graded) == 2
    for file in models:
        room.run(paths=(file,))
        assert not room.graded


def test_two_files_of_one_text_have_a_report_each(room, models):
    models[1].write_text(models[0].read_text())
    for file in models:
        room.run(paths=(file,))
    found = list(room.folder.glob("grades/*/*/report.json"))
    assert {report.read(file.read_bytes()).path for file in found} == set(map(str, models))


def test_a_file_that_has_moved_keeps_its_folder(room, models):
    room.run(paths=(models[0],))
    moved = models[0].with_name("elsewhere") / "model.py"
    moved.parent.mkdir()
    models[0].rename(moved)
    room.run(paths=(moved,))
    assert not room.graded
    assert len(list(room.folder.glob("grades/*/*/report.json"))) == 1
