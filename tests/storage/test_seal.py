"""A report's address changes with all that could change the grading, and with nothing else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from grader import assignment
from grader.program.listing import Listing
from grader.storage import seal
from grader.submission.submission import Submission

ASSIGNMENT = assignment.load(Path(__file__).parents[2] / "assignments" / "mnist_8k")
SUBMISSION = Submission(
    Path("/class/alice.py"),
    "alice",
    "class/alice.py",
    "mnist_8k",
    Listing.of_file("alice.py", "code"),
    "0" * 64,
)
CHOICES = {
    "device": "cpu",
    "images": ["mnist", False],
    "seeds": None,
    "epochs": None,
    "static": False,
}


def address(submission=SUBMISSION, asked=ASSIGNMENT, **choices):
    return seal.address(submission, asked, CHOICES | choices)


def test_the_same_grading_has_the_same_address():
    assert address() == address()
    assert len(address()) == 64


def test_a_file_that_only_moved_keeps_its_address():
    assert (
        address(replace(SUBMISSION, path=Path("/archive/alice.py"), display="archive/alice.py"))
        == address()
    )


@pytest.mark.parametrize(
    "other",
    [
        lambda: address(replace(SUBMISSION, sha256="1" * 64)),
        lambda: address(replace(SUBMISSION, path=Path("/class/bob.py"))),
        lambda: address(asked=ASSIGNMENT.model_copy(update={"protocol": "best"})),
        lambda: address(asked=ASSIGNMENT.model_copy(update={"metric_images": "test"})),
        lambda: address(
            asked=ASSIGNMENT.model_copy(
                update={"checks": dict(reversed(ASSIGNMENT.checks.items()))}
            )
        ),
        lambda: address(device="cuda"),
        lambda: address(images=["practice", True]),
        lambda: address(seeds=3),
        lambda: address(epochs=1),
        lambda: address(static=True),
    ],
)
def test_whatever_could_change_the_grading_changes_the_address(other):
    assert other() != address()


def test_another_torch_changes_the_address(monkeypatch):
    before = address()
    with monkeypatch.context() as other:  # another process, in which nothing is remembered
        other.setattr(seal, "_versions", seal._versions.__wrapped__)
        other.setattr(seal.importlib.metadata, "version", lambda name: f"{name} 99")
        assert address() != before
    assert address() == before


def test_another_grader_changes_the_address(monkeypatch):
    before = address()
    monkeypatch.setattr(seal, "own_source", lambda: "another")
    assert address() != before


def test_a_secret_is_made_once_and_only_its_user_can_read_it(tmp_path):
    first = seal.secret(tmp_path / "cache")
    assert seal.secret(tmp_path / "cache") == first
    assert len(first) == 32
    assert seal.secret(tmp_path / "other") != first
    if os.name == "posix":
        assert (tmp_path / "cache" / "key").stat().st_mode & 0o777 == 0o600


def test_where_no_secret_can_be_kept_there_is_one_for_the_moment(tmp_path):
    (tmp_path / "file").write_text("")
    assert len(seal.secret(tmp_path / "file" / "cache")) == 32
    assert seal.secret(tmp_path / "file" / "cache") != seal.secret(tmp_path / "file" / "cache")


def test_half_a_secret_is_replaced(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    made = seal.secret(tmp_path)
    assert seal.secret(tmp_path) == made
