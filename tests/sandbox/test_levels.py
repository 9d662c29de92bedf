"""Which level is chosen, what it is called, and why it is not a higher one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from grader.assignment import load
from grader.errors import GraderError, SubmissionError
from grader.intake.intake import capture
from grader.sandbox import box, isolation, landlock, lock, probes
from grader.sandbox.level import Isolation, broken
from tests.sandbox.hostile import network

SOURCE = network().encode()


@pytest.fixture
def assignment():
    return load(Path(isolation.__file__).parents[2] / "assignments" / "mnist_20k")


started = []
"""Every pretended zygote that a test has made."""


class _Zygote:
    """A zygote whose probes say what a test wants."""

    answers: ClassVar[dict[bool, set[str]]] = {}
    honest = True
    spoils = False
    """Where nothing honest can be captured, a rehearsal ends all the same, with what it saw."""
    fails = breaks = False

    def __init__(self, *, boxed: bool = False) -> None:
        self.boxed, self.closed, self.asked = boxed, False, []
        self.planted = Path("/nowhere")
        started.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        pass

    def close(self):
        self.closed = True

    def run(self, request, limits=None, *, prepare=(), kind="capture", blobs=(), without=()):
        self.asked.append(kind)
        if kind == "probes":
            leaks = self.answers.get(self.boxed, set())
            blocked = {item.name: item.name not in leaks for item in probes.attempts()}
            return (json.dumps(blocked).encode(),)
        if self.breaks:
            raise GraderError("it ended")
        if not self.honest and not (self.spoils and kind == "rehearse"):
            raise SubmissionError("the export fails")
        if self.fails and kind != "warm":
            raise SubmissionError("the submission fails")
        return (b"{}", b"")


def _unprobed(reason=""):
    return isolation.Proven(isolation.Fresh(), Isolation(1, reason))


def chosen(require=None, **options):
    """The isolation of the sandbox that is chosen; afterwards, nothing that was started is left."""
    with isolation.choose(require, **options) as sandbox:
        pass
    assert all(zygote.closed for zygote in started)
    return sandbox.isolation


@pytest.fixture
def machine(monkeypatch):
    """A machine that has everything, without the seconds that real zygotes take."""
    started.clear()
    monkeypatch.setattr(isolation, "Zygote", _Zygote)
    monkeypatch.setattr(isolation, "fresh", _unprobed)
    monkeypatch.setattr(lock, "missing", lambda: "")
    monkeypatch.setattr(box, "missing", lambda: "")
    monkeypatch.setattr(_Zygote, "answers", {})
    monkeypatch.setattr(_Zygote, "honest", True)
    return monkeypatch


@pytest.fixture
def captured_fresh(monkeypatch):
    """What a fresh process answers, without the seconds that a real one takes."""
    answer = (b"{}", b"fresh")
    monkeypatch.setattr(isolation.Fresh, "run", lambda *_, **__: answer)
    return answer


def test_the_strongest_level_is_chosen(machine):
    found = chosen()
    assert (found.name, found.reason) == ("3 boxed", "")


def test_without_bubblewrap_the_child_locks_itself(machine):
    machine.setattr(box, "missing", lambda: "bubblewrap (bwrap) is not installed")
    found = chosen()
    assert (found.name, found.reason) == ("2 self-locked", "bubblewrap (bwrap) is not installed")


def test_without_landlock_only_a_process_is_left(machine):
    machine.setattr(lock, "missing", lambda: "this kernel has no Landlock")
    found = chosen()
    assert (found.name, found.reason) == ("1 process", "this kernel has no Landlock")


def test_an_open_probe_costs_the_level_and_is_named(machine):
    machine.setattr(_Zygote, "answers", {True: {"fork"}})
    found = chosen()
    assert found.name == "2 self-locked"
    assert (
        found.reason
        == f"level 3 boxed: 1 of {len(probes.attempts())} probes were not blocked: fork"
    )


def test_a_probe_that_only_level_3_promises_does_not_cost_level_2(machine):
    machine.setattr(_Zygote, "answers", {False: {"see that a file exists"}})
    assert chosen(most=2).name == "2 self-locked"


def test_a_lock_in_which_honest_networks_fail_is_not_used(machine, captured_fresh):
    machine.setattr(_Zygote, "honest", False)
    with isolation.choose() as sandbox:
        assert sandbox.run({"a": "submission"}) == captured_fresh
        assert all(zygote.closed for zygote in started)
    assert sandbox.isolation.name == "1 process"
    fails = "an honest network cannot be captured in it (the export fails)"
    reasons = [f"level 3 boxed: {fails}", f"level 2 self-locked: {fails}"]
    assert sandbox.isolation.reason == "; ".join(reasons)


def test_a_rehearsal_waits_until_an_honest_network_was_captured(machine, captured_fresh):
    machine.setattr(_Zygote, "honest", False)
    machine.setattr(_Zygote, "spoils", True)
    with isolation.choose() as sandbox:
        assert sandbox.run({"a": "submission"}, kind="rehearse") == captured_fresh


def test_nothing_is_held_against_a_submission_below_the_required_level(machine, captured_fresh):
    machine.setattr(_Zygote, "honest", False)
    with isolation.choose(2) as sandbox:
        for _ in range(2):
            with pytest.raises(GraderError, match=r"isolation level 2 .* is required"):
                sandbox.run({"a": "submission"})


def test_an_honest_network_is_captured_once_and_only_where_one_fails(machine):
    with isolation.choose() as sandbox:
        sandbox.run({"a": "submission"})
        assert started[0].asked == ["probes", "capture"]
        machine.setattr(_Zygote, "fails", True)
        for _ in range(2):
            with pytest.raises(SubmissionError, match="the submission fails"):
                sandbox.run({"a": "submission"})
        assert started[0].asked[2:] == ["capture", "warm", "capture"]
    assert sandbox.isolation.name == "3 boxed"


def test_a_sandbox_that_breaks_is_tried_too(machine, captured_fresh):
    machine.setattr(_Zygote, "breaks", True)
    with isolation.choose() as sandbox:
        assert sandbox.run({"a": "submission"}) == captured_fresh
    assert sandbox.isolation.reason.startswith("level 3 boxed: it ended; level 2")


@pytest.mark.parametrize("require", [None, 1, 2, 3])
def test_a_level_that_is_there_satisfies_every_requirement_up_to_it(machine, require):
    assert chosen(require).level == 3


@pytest.mark.parametrize(("most", "require"), [(1, 2), (1, 3), (2, 3)])
def test_nothing_is_graded_below_the_required_level(machine, most, require):
    with pytest.raises(
        GraderError, match=f"cannot grade here: isolation level {require} .* is required"
    ):
        chosen(require, most=most)


def test_the_refusal_says_why_and_what_to_do(machine):
    machine.setattr(lock, "missing", lambda: "macOS has neither Landlock nor seccomp")
    with pytest.raises(
        GraderError, match=r"macOS has neither Landlock nor seccomp\. Grade on Linux"
    ):
        chosen(2)


def test_nothing_starts_before_the_with_and_nothing_is_left_after_it(machine):
    choice = isolation.choose()
    assert started == []
    with choice:
        assert [zygote.closed for zygote in started] == [False]
    assert started[0].closed


def test_nothing_is_left_when_the_level_is_refused(machine):
    machine.setattr(_Zygote, "answers", {True: {"fork"}})
    with pytest.raises(GraderError, match="level 3 boxed is required"):
        chosen(3)
    assert [zygote.closed for zygote in started] == [True, True]


def test_a_sandbox_that_was_begun_is_taken(machine):
    begun = isolation.begin()
    with isolation.choose(begun=begun) as sandbox:
        assert sandbox.sandbox is begun
        assert not begun.closed
    assert begun.closed


def test_a_begun_sandbox_of_a_level_that_fails_is_ended(machine):
    machine.setattr(_Zygote, "answers", {True: {"fork"}})
    begun = isolation.begin()
    with isolation.choose(begun=begun) as sandbox:
        assert sandbox.isolation.level == 2
        assert begun.closed


def test_a_begun_sandbox_is_ended_when_its_level_is_not_wanted_after_all(machine):
    begun = isolation.begin()
    assert chosen(most=2, begun=begun).level == 2
    assert begun.closed


def test_nothing_is_begun_where_nothing_can_be_locked(machine):
    machine.setattr(lock, "missing", lambda: "macOS has neither Landlock nor seccomp")
    assert isolation.begin() is None


def test_old_landlock_with_too_few_rights_is_told_by_its_probes_not_by_its_number(machine):
    machine.setattr(landlock, "version", lambda: 1)
    assert chosen().level == 3


def test_both_levels_capture_the_same_program_and_weights(locked, boxed, assignment):
    ways = [
        capture(SOURCE, "net.py", assignment, train_images=1000, seeds=(0, 1), sandbox=s)
        for s in (locked, boxed)
    ]
    assert ways[0].program == ways[1].program
    assert ways[0].values == ways[1].values


def test_a_fresh_process_captures_what_a_zygote_captures(locked, assignment):
    fresh = capture(SOURCE, "net.py", assignment, train_images=1000, seeds=(0,))
    other = capture(SOURCE, "net.py", assignment, train_images=1000, seeds=(0,), sandbox=locked)
    assert (fresh.program, fresh.values) == (other.program, other.values)


@pytest.mark.usefixtures("linux")
def test_this_machine_gives_the_level_that_its_locks_allow(request):
    expected = 1 if lock.missing() else 2 if box.missing() else 3
    with isolation.choose(expected) as sandbox:
        assert sandbox.isolation.level == expected
        assert broken(sandbox.isolation.probes, expected) == ()
        assert bool(sandbox.isolation.reason) == (expected < 3)
