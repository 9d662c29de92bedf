"""The probes, both ways: blocked where that is promised, open where a guard is left out."""

from __future__ import annotations

import os
import time

import pytest

from grader.errors import GraderError
from grader.sandbox import isolation, probes
from grader.sandbox.level import broken
from grader.sandbox.probes import Probe
from tests.sandboxes import needs

pytestmark = pytest.mark.usefixtures("linux")

ALWAYS_OPEN_AT_LEVEL_1 = {
    "read the password file",
    "list the home folder",
    "read a file beside its folder",
    "read through its root in proc",
    "read through a symbolic link",
    "write outside its folder",
    "see that a file exists",
    "fork",
    "start a program",
    "become another program",
    "start a thread",
    "signal the parent",
    "signal a thread of the parent",
    "have the kernel signal the parent",
    "list processes",
    "open a tcp socket",
    "open a udp socket",
    "open a unix socket",
    "open a netlink socket",
    "make a file in memory",
    "outlive its parent",
    "become readable again",
}
"""Whoever runs the tests, in whatever container: level 1 is no defence, and nobody should believe
that it is."""


def opened(found: tuple[Probe, ...]) -> set[str]:
    return {probe.name for probe in found if not probe.blocked}


@pytest.fixture(scope="module")
def found():
    """The probes of each level above the first, by zygote."""
    kept = {}

    def probe(zygote):
        if id(zygote) not in kept:
            kept[id(zygote)] = isolation.tried(zygote)
        return kept[id(zygote)]

    return probe


def test_each_probe_has_its_own_name_and_says_what_it_promises():
    attempts = probes.attempts()
    assert len({attempt.name for attempt in attempts}) == len(attempts)
    assert all(attempt.promise.endswith(".") and attempt.level in (1, 2, 3) for attempt in attempts)


def test_level_1_keeps_its_few_promises_and_no_others():
    sandbox = isolation.fresh()
    assert broken(sandbox.isolation.probes, 1) == ()
    assert opened(sandbox.isolation.probes) >= ALWAYS_OPEN_AT_LEVEL_1


def test_level_2_blocks_everything_but_the_knowledge_that_a_file_exists(locked, found):
    assert opened(found(locked)) == {"see that a file exists"}


def test_level_3_blocks_everything(boxed, found):
    assert opened(found(boxed)) == set()


def test_all_probes_together_take_less_than_half_a_second(locked):
    fastest = min(_seconds(lambda: isolation.tried(locked)) for _ in range(3))
    assert fastest < 0.5


def _seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has this to lose"
)

OPENS = {
    ("landlock",): {
        "read a file beside its folder",
        "read the password file",
        "write outside its folder",
    },
    ("seccomp",): {
        "start a thread",
        "open a udp socket",
        "make a file in memory",
        "outlive its parent",
    },
    ("limits",): {"take 64 gigabytes", "write a large file", "open many files"},
    ("session", "seccomp"): {"leave the session"},
}
"""What opens when guards are left out. Root, who is bound by fewer limits, sees more of it open."""


@pytest.mark.parametrize("guards", OPENS, ids=" and ".join)
def test_without_a_guard_its_probes_are_open(locked, guards):
    assert opened(isolation.tried(locked, without=guards)) >= OPENS[guards]


@root_only
def test_root_can_take_back_only_what_it_has_not_given_up(locked):
    assert "regain a capability" in opened(
        isolation.tried(locked, without=["seccomp", "capabilities"])
    )
    assert "regain a capability" not in opened(isolation.tried(locked, without=["seccomp"]))


@root_only
def test_without_the_filter_root_can_fork_though_processes_are_limited(locked):
    assert "fork" in opened(isolation.tried(locked, without=["seccomp"]))


@pytest.mark.timeout(120)
def test_a_child_that_cannot_be_locked_runs_nothing():
    from grader.sandbox.zygote import Zygote

    needs(2)
    with Zygote() as zygote, pytest.raises(GraderError, match="could not lock its child"):
        zygote.run({}, kind="warm", without=["privileges"])


def test_a_probe_that_is_not_answered_counts_as_open():
    assert (
        opened(probes.read(b""))
        == opened(probes.read(b"[]"))
        == {item.name for item in probes.attempts()}
    )
    assert opened(probes.read(b'{"fork": 1}')) == {item.name for item in probes.attempts()}
    assert "fork" not in opened(probes.read(b'{"fork": true}'))


def test_a_level_is_broken_by_one_open_probe_that_it_promises_to_block():
    closed, leak = Probe("a", "", 1, blocked=True), Probe("b", "", 2, blocked=False)
    assert broken((closed, leak), 1) == ()
    assert broken((closed, leak), 2) == broken((closed, leak), 3) == (leak,)
