"""Reports are on disk whole or not at all, and one that says more stands."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from grader import report
from grader.errors import GraderError
from grader.report import Verdict
from grader.storage import atomic, reports, seal
from grader.storage.atomic import write_whole
from tests import report_examples as examples

SECRET = b"s" * 32
ADDRESS = "a" * 64


def sealed(one, address=ADDRESS):
    return seal.sealed(one, address, SECRET)


def write(one, output, address=ADDRESS):
    return reports.write(sealed(one, address), output, secret=SECRET)


def kept(output, address=ADDRESS, name="alice"):
    return reports.kept(name, "mnist_8k", output, address=address, secret=SECRET)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def disk_full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path):
    write_whole(tmp_path / "new" / "file", "größer")
    assert names(tmp_path / "new") == ["file"]
    assert (tmp_path / "new" / "file").read_bytes() == "größer".encode()


def test_a_file_can_be_read_by_whom_the_umask_lets_read(tmp_path):
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "open", "")
        write_whole(tmp_path / "secret", "", mode=0o600)
    finally:
        os.umask(before)
    if os.name == "posix":
        assert (tmp_path / "open").stat().st_mode & 0o777 == 0o644
        assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("call", ["fsync", "open", "mkdir", "replace"])
def test_a_full_disk_leaves_the_older_file_as_it_was(tmp_path, monkeypatch, call):
    write_whole(tmp_path / "file", "older")
    owner = Path if call in ("mkdir", "replace") else os
    monkeypatch.setattr(owner, call, disk_full)
    with pytest.raises(
        GraderError, match=r"file cannot be written: No space left on device\. Free some space"
    ):
        write_whole(tmp_path / "file", "newer")
    monkeypatch.undo()
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "older"


def test_ctrl_c_while_writing_leaves_the_older_file_as_it_was(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    write_whole(tmp_path / "file", "older")
    monkeypatch.setattr(atomic.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", "newer")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "older"


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_graded(tmp_path, monkeypatch):
    reports.check_writable(tmp_path / "grades")
    assert names(tmp_path / "grades") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(GraderError, match="name another folder with --output"):
        reports.check_writable(tmp_path / "file" / "grades")


@pytest.mark.parametrize("example", examples.ALL)
def test_a_report_is_recognised_after_it_was_written_and_read(example, tmp_path):
    file = write(example(), tmp_path)
    again = report.read(file.read_bytes())
    assert again == sealed(example())
    assert seal.is_genuine(again, SECRET)


def test_a_full_report_at_its_address_is_kept(tmp_path):
    write(examples.passed(), tmp_path)
    assert kept(tmp_path) == sealed(examples.passed())
    assert kept(tmp_path, "b" * 64) is None
    assert kept(tmp_path, name="bob") is None


@pytest.mark.parametrize("more", [{"interrupted": True}, {"verdict": Verdict.BROKEN}])
def test_a_report_that_is_not_finished_is_not_kept(tmp_path, more):
    write(examples.report(**more), tmp_path)
    assert kept(tmp_path) is None


def test_a_report_with_a_broken_check_is_not_kept(tmp_path):
    broken = examples.check("dropout", "Dropout is active.", Verdict.BROKEN, required=False)
    write(examples.report(checks=(broken,)), tmp_path)
    assert kept(tmp_path) is None


def test_a_failed_submission_is_as_final_as_one_that_passed(tmp_path):
    one = examples.uncaptured()
    write(one, tmp_path)
    assert kept(tmp_path, name=one.submission) == sealed(one)


def test_a_report_that_the_grader_did_not_write_is_not_kept(tmp_path):
    file = write(examples.report(points=10, verdict=Verdict.FAILED), tmp_path)
    document = json.loads(file.read_text())
    for forged in (
        {**document, "points": 100},
        {**document, "key": ADDRESS},
        {**document, "key": f"{ADDRESS}.{'0' * 64}"},
        {**document, "key": f"{ADDRESS}.ß"},
        {**document, "key": ""},
    ):
        file.write_text(json.dumps(forged))
        assert kept(tmp_path) is None
    file.write_text(json.dumps(document))
    assert kept(tmp_path)
    assert reports.kept("alice", "mnist_8k", tmp_path, address=ADDRESS, secret=b"t" * 32) is None


def test_a_report_cut_at_any_byte_is_not_kept(tmp_path):
    file = write(examples.report(), tmp_path)
    whole_text = file.read_bytes()
    for length in range(0, len(whole_text) - 2, 7):
        file.write_bytes(whole_text[:length])
        assert kept(tmp_path) is None


LESS = {
    "an interrupted training": {"interrupted": True},
    "a quick look": {"quick_look": "1 of 15 epochs"},
    "static checks": {"quick_look": "static checks only (--static)", "training": None},
    "practice images": {"training": examples.practice().training},
}


@pytest.mark.parametrize("more", LESS.values(), ids=LESS)
def test_a_report_does_not_replace_one_that_says_more(tmp_path, more):
    write(examples.passed(), tmp_path)
    beside = write(examples.report(**more), tmp_path, "b" * 64)
    assert beside.name == "report.unfinished.json"
    assert report.read(beside.read_bytes()).submission == "alice"
    assert kept(tmp_path) == sealed(examples.passed())
    write(examples.passed(), tmp_path)
    assert names(beside.parent) == ["model_analysis_results.json", "report.json"]


def test_static_checks_beside_a_full_report_are_kept_as_well(tmp_path):
    static = examples.report(**LESS["static checks"])
    write(examples.passed(), tmp_path)
    write(static, tmp_path, "b" * 64)
    assert kept(tmp_path, "b" * 64) == sealed(static, "b" * 64)
    assert kept(tmp_path) == sealed(examples.passed())


def test_a_full_report_without_training_replaces_one_that_was_trained_anyway(tmp_path):
    write(examples.passed(), tmp_path)
    file = write(examples.report(training=None, verdict=Verdict.FAILED), tmp_path, "b" * 64)
    assert file.name == "report.json"
    assert report.read(file.read_bytes()).verdict is Verdict.FAILED


def test_a_changed_submission_replaces_the_report_of_the_older_one(tmp_path):
    write(examples.passed(), tmp_path)
    file = write(examples.report(sha256="1" * 64, interrupted=True), tmp_path, "b" * 64)
    assert file.name == "report.json"
    assert names(file.parent) == [
        "history",
        "report.json",
    ]  # the older one's analysis is gone


def test_the_report_is_written_last(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(reports, "write_whole", lambda file, content: written.append(file.name))
    write(examples.passed(), tmp_path)
    assert written == ["model_analysis_results.json", "report.json"]


def at(version: str, day: int, **more):
    """A report on that version of alice's file, of that day."""
    return examples.report(sha256=version * 64, started=f"2026-01-{day:02}T10:00:00+00:00", **more)


def graded(one, output, address=ADDRESS):
    """As a session does: tell of the last training, seal, write."""
    one = reports.told(one, output, secret=SECRET)
    return one, write(one, output, address)


TRAINED = {"training": examples.passed().training}
STATIC = {"quick_look": "static checks only (--static)"}


@pytest.mark.parametrize(
    "more",
    [
        *LESS.values(),
        {"training": None, "verdict": Verdict.FAILED},
        {"training": None, "verdict": Verdict.BROKEN},
        {"problem": examples.uncaptured().problem, "verdict": Verdict.FAILED},
        {"problem": examples.broken().problem, "verdict": Verdict.BROKEN},
    ],
)
def test_a_training_is_not_lost_where_a_later_version_is_graded_otherwise(tmp_path, more):
    trained, _ = graded(at("1", 1, **TRAINED), tmp_path)
    later, file = graded(at("2", 2, **more), tmp_path, "b" * 64)
    assert file.name == "report.json"
    assert later.last_trained.score == trained.training.score
    assert later.last_trained.later == ("2" * 12,)
    assert kept(tmp_path) == sealed(trained)  # the first version again: nothing to train
    assert report.read((file.parent / "report.json").read_bytes()).sha256 == "1" * 64


def test_the_edits_since_the_last_training_are_the_different_versions(tmp_path):
    graded(at("1", 1, **TRAINED), tmp_path)
    counts = []
    for day, version in enumerate("23243", 2):
        later, _ = graded(at(version, day, **STATIC), tmp_path, "b" * 64)
        counts.append(len(later.last_trained.later))
    assert counts == [1, 2, 2, 3, 3]


def test_a_quick_look_at_a_version_that_was_trained_names_that_training(tmp_path):
    graded(at("1", 1, **TRAINED), tmp_path)
    graded(at("2", 2, **TRAINED), tmp_path, "b" * 64)
    again, file = graded(at("1", 3, **STATIC), tmp_path, "c" * 64)
    assert (again.last_trained.sha256, again.last_trained.later) == ("1" * 64, ())
    assert file.name == "report.unfinished.json"
    assert kept(tmp_path) == sealed(at("1", 1, **TRAINED))
    third, _ = graded(at("3", 4, **STATIC), tmp_path, "d" * 64)
    assert third.last_trained.sha256 == "2" * 64


def test_a_trained_report_tells_of_no_other(tmp_path):
    graded(at("1", 1, **TRAINED), tmp_path)
    later, _ = graded(at("2", 2, **TRAINED), tmp_path, "b" * 64)
    assert later.last_trained is None


def test_another_persons_training_under_the_same_name_is_kept_and_not_told(tmp_path):
    graded(at("1", 1, path="ada/model.py", **TRAINED), tmp_path)
    bob, file = graded(at("2", 2, path="bob/model.py", **STATIC), tmp_path, "b" * 64)
    assert bob.last_trained is None
    assert names(file.parent / "history") == [f"{'1' * 64}.json"]


def test_a_training_that_another_machine_sealed_is_kept_and_not_told(tmp_path):
    other = seal.sealed(at("1", 1, **TRAINED), ADDRESS, b"t" * 32)
    file = reports.write(other, tmp_path, secret=b"t" * 32)
    later, _ = graded(at("2", 2, **STATIC), tmp_path, "b" * 64)
    assert later.last_trained is None
    assert report.read((file.parent / "history" / f"{'1' * 64}.json").read_bytes()) == other


def test_a_history_is_bounded_and_forgets_the_oldest(tmp_path):
    for number in range(25):
        one = examples.report(
            sha256=f"{number:064x}", started=f"2026-01-{number + 1:02}T00:00:00+00:00", **TRAINED
        )
        _, file = graded(one, tmp_path, f"{number:064x}")
    (file.parent / "history" / "notes.txt").write_text("mine")
    kept_files = names(file.parent / "history")
    assert kept_files == [*(f"{number:064x}.json" for number in range(4, 24)), "notes.txt"]


def test_a_full_disk_loses_no_training(tmp_path, monkeypatch):
    graded(at("1", 1, **TRAINED), tmp_path)
    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(GraderError):
        graded(at("2", 2, **STATIC), tmp_path, "b" * 64)
    monkeypatch.undo()
    assert kept(tmp_path) == sealed(at("1", 1, **TRAINED))
