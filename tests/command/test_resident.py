"""A watched file is graded when it is saved, and nobody is left running when nobody saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from grader.command import resident, session
from grader.command.workroom import Workroom
from grader.errors import GraderError
from grader.options import Options
from grader.sandbox import same_code
from grader.submission.submission import UsageError


@dataclass
class Time:
    """A clock that nobody waits for. `at` is what happens at which second."""

    at: dict[float, Callable[[], object]] = field(default_factory=dict)
    seconds: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for when in sorted(self.at):
            if when <= self.seconds:
                self.at.pop(when)()

    @property
    def clock(self) -> resident.Clock:
        return resident.Clock(lambda: self.seconds, self.sleep)


@pytest.fixture
def file(tmp_path) -> Path:
    found = tmp_path / "ada.py"
    found.write_text("first")
    return found


@pytest.fixture
def seen(monkeypatch, file) -> list[str]:
    """What stood in the file at each grading."""
    found: list[str] = []

    def grade(room, options):
        if not file.exists():
            raise UsageError("there is no such file")
        found.append(file.read_text())
        return 1

    monkeypatch.setattr(session, "grade_in", grade)
    monkeypatch.setattr(Workroom, "begin", lambda self, **_: None)
    monkeypatch.setattr(Workroom, "sandbox", None)
    return found


def watch(file: Path, time: Time, **more: float) -> int:
    options = Options(paths=(file,), root=file.parent)
    return resident.watch(options, clock=time.clock, **more)


def test_each_save_is_graded_once(file, seen):
    time = Time({5: lambda: file.write_text("second"), 9: lambda: file.write_text("third one")})
    assert watch(file, time) == 1
    assert seen == ["first", "second", "third one"]


def test_it_ends_by_itself_when_nobody_saves(file, seen, capsys):
    time = Time({50: lambda: file.write_text("second")})
    watch(file, time, idle_seconds=60)
    assert seen == ["first", "second"]
    assert 110 <= time.seconds < 112
    assert "No longer watching" in capsys.readouterr().err


def test_a_file_that_is_still_being_written_is_waited_for(file, seen):
    times = [5 + resident.SETTLED_AFTER * step for step in range(10)]
    time = Time({when: lambda n=n: file.write_text("x" * (n + 1)) for n, when in enumerate(times)})
    watch(file, time, idle_seconds=60)
    assert seen == ["first", "x" * 10]


def test_a_save_does_not_wait_for_a_whole_look_more(file, seen):
    saved = 5.04
    time = Time({saved: lambda: file.write_text("second")})
    graded = []
    session_grade = session.grade_in

    def grade(room, options):
        graded.append(time.seconds)
        return session_grade(room, options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "grade_in", grade)
        watch(file, time, idle_seconds=60)
    assert graded[1] - saved < resident.LOOK_EVERY + 2 * resident.SETTLED_AFTER


def test_an_editor_may_move_the_file_away_for_a_moment(file, seen, tmp_path):
    aside = tmp_path / "ada.bak"

    def back():
        aside.rename(file)
        file.write_text("second")

    time = Time({5: lambda: file.rename(aside), 25: back})
    watch(file, time, idle_seconds=90)
    assert seen[-1] == "second"


def test_it_ends_when_the_file_is_gone(file, seen, capsys):
    time = Time({5: file.unlink})
    watch(file, time)
    assert seen == ["first"]
    assert 64 <= time.seconds < 66
    assert "it is gone" in capsys.readouterr().err


def test_ctrl_c_ends_it_with_the_last_exit_code(file, seen, capsys):
    def interrupt():
        raise KeyboardInterrupt

    assert watch(file, Time({5: interrupt})) == 1
    assert "No longer watching" in capsys.readouterr().err


def test_a_changed_assignment_is_graded_anew(file, seen, tmp_path):
    rules = tmp_path / "assignments" / "mnist_8k" / "assignment.toml"
    rules.parent.mkdir(parents=True)
    rules.write_text("one")
    watch(file, Time({5: lambda: rules.write_text("other")}), idle_seconds=60)
    assert seen == ["first", "first"]


def test_what_cannot_be_graded_does_not_end_it(file, seen, monkeypatch, capsys):
    asked = []

    def grade(room, options):
        asked.append(file.read_text())
        raise UsageError("there is nothing in it") if len(asked) == 1 else GraderError("no space")

    monkeypatch.setattr(session, "grade_in", grade)
    assert watch(file, Time({5: lambda: file.write_text("")}), idle_seconds=60) == 3
    said = capsys.readouterr().err
    assert "there is nothing in it" in said
    assert "no space" in said


def test_a_grader_that_was_updated_meanwhile_stops(file, seen, monkeypatch):
    def update():
        monkeypatch.setattr(same_code, "source_now", lambda: "other")
        file.write_text("second")

    with pytest.raises(GraderError, match="was updated meanwhile"):
        watch(file, Time({5: update}))
    assert seen == ["first"]


def test_nothing_to_watch_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        watch(tmp_path / "nobody.py", Time())


def test_only_static_checks_are_made(file, seen, monkeypatch):
    asked = []
    monkeypatch.setattr(session, "grade_in", lambda room, options: asked.append(options) or 0)
    watch(file, Time(), idle_seconds=1)
    assert [one.static for one in asked] == [True]


def test_a_large_folder_is_not_looked_at_file_by_file(tmp_path, monkeypatch):
    monkeypatch.setattr(resident, "MOST_FILES", 10)
    for number in range(50):
        (tmp_path / f"{number}.py").write_text("")
    assert len(resident.look(tmp_path, tmp_path)) <= 11
