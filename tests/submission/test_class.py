"""A whole class in one download: one submission for each person, and nothing lost unseen."""

import io
import os
import stat
import zipfile

import pytest

from grader.submission import archive
from grader.submission.find import again, look
from tests.submission.test_folder import NET, TRAIN, WORK, graded, lay, packed, reasons

NOTEBOOK = b'{"cells": [{"cell_type": "code", "source": "loss.backward()"}], "nbformat": 4}'

MOODLE = {
    "Zoë Çelik_1_assignsubmission_file/train.py": TRAIN,
    "Zoë Çelik_1_assignsubmission_file/model.py": NET,
    "Zoë Çelik_1_assignsubmission_file/net.pth": b"\0",
    "Jo O'Neill_2_assignsubmission_file_/hw.ipynb": NOTEBOOK,
    "Al_3_assignsubmission_file/work.zip": packed({"hw/train.py": TRAIN, "hw/model.py": NET}),
    "Al_3_assignsubmission_onlinetext/onlinetext.html": b"<p>see file</p>",
    "Di_4_assignsubmission_file/essay.docx": b"\0",
}
CANVAS = {
    "doejohn_LATE_12345_67899_train-2.py": TRAIN,
    "doejohn_LATE_12345_67880_train.py": NET,
    "doejohn_LATE_12345_67885_train-1.py": NET,
    "doejohn_LATE_12345_67891_model.py": NET,
    "doejohn_LATE_12345_67892_report.pdf": b"\0",
    "roejane_222_333_file.ipynb": NOTEBOOK,
    "group7_444_555_work-1.zip": packed(WORK),
    "group7_444_551_work.zip": packed({"old.py": NET}),
    "lee_777_888_essay.pdf": b"\0",
}
GRADESCOPE_LIST = b"""---
submission_11:
  :submitters:
  - :name: Jane Doe
    :sid: '123'
    :email: jane@example.org
  :created_at: 2024-01-01 10:00:00.000000000 Z
  :score: 0.0
  :history:
  - :id: 9
    :name: not a person
submission_12:
  :submitters:
  - :name: "Jos\\xE9 Mar\\u00eda"
    :sid: '124'
  - :name: 'Jo O''Neill'
    :sid: '125'
  :created_at: 2024-01-01 11:00:00.000000000 Z
submission_9:
  :submitters:
  - :name: Jane Doe
    :sid: '123'
"""
GRADESCOPE = {
    "assignment_1_export/submission_metadata.yml": GRADESCOPE_LIST,
    "assignment_1_export/submission_9/old.py": NET,
    "assignment_1_export/submission_11/train.py": TRAIN,
    "assignment_1_export/submission_11/model.py": NET,
    "assignment_1_export/submission_12/net.py": NET,
    "assignment_1_export/submission_13/net.py": NET,
}
CLASSROOM = {
    "hw1-submissions/hw1-anna/train.py": TRAIN,
    "hw1-submissions/hw1-anna/model.py": NET,
    "hw1-submissions/hw1-anna/.git/HEAD": b"ref",
    "hw1-submissions/hw1-ben/hw.ipynb": NOTEBOOK,
    "hw1-submissions/hw1-ben/.git/HEAD": b"ref",
}
ZIPS = {"anna.zip": packed(WORK), "ben.zip": packed({"ben/hw.ipynb": NOTEBOOK})}
FOLDERS = {
    "alice/model.py": NET,
    "alice/train.ipynb": b'{"cells": [{"cell_type": "code", "source": '
    b'"import model\\nloss.backward()"}], "nbformat": 4}',
    "alice/utils.py": b"seed = 1\n",
    "bob/model.py": NET,
    "carol w./hw.ipynb": NOTEBOOK,
}

CLASSES = [
    (MOODLE, {"Zoë Çelik": "train.py", "Jo O'Neill": "hw.ipynb", "Al": "train.py"}),
    (
        CANVAS,
        {
            "doejohn": "train.py",
            "group7": "train.py",
            "roejane": "roejane_222_333_file.ipynb",
        },
    ),
    (
        GRADESCOPE,
        {
            "Jane Doe": "train.py",
            "José María and Jo O'Neill": "net.py",
            "submission_13": "net.py",
        },
    ),
    (CLASSROOM, {"hw1-anna": "train.py", "hw1-ben": "hw.ipynb"}),
    (ZIPS, {"anna": "train.py", "ben": "hw.ipynb"}),
    (FOLDERS, {"alice": "train.ipynb", "bob": "model.py", "carol w.": "hw.ipynb"}),
]
LEFT_OUT = [
    {
        "Al_3_assignsubmission_onlinetext/": "a hand-in without a Python file or a notebook; "
        "onlinetext.html: not a .py file",
        "Di_4_assignsubmission_file/": "a hand-in without a Python file or a notebook; "
        "essay.docx: not a .py file",
        "Zoë Çelik_1_assignsubmission_file/net.pth": "weights: the grader trains the network "
        "itself",
    },
    {
        "doejohn_LATE_12345_67880_train.py": "handed in again: "
        "doejohn_LATE_12345_67899_train-2.py counts",
        "doejohn_LATE_12345_67885_train-1.py": "handed in again: "
        "doejohn_LATE_12345_67899_train-2.py counts",
        "doejohn_LATE_12345_67892_report.pdf": "a text, not code",
        "group7_444_551_work.zip": "handed in again: group7_444_555_work-1.zip counts",
        "lee_777_888_essay.pdf": "not a .py file",
    },
    {"assignment_1_export/submission_9/": "handed in again: submission_11 counts"},
    {"hw1-submissions/hw1-anna/.git": "the history of the work"},
    {},
    {},
]
IDS = ["moodle", "canvas", "gradescope", "classroom", "zips", "folders"]


@pytest.mark.parametrize(("files", "people"), CLASSES, ids=IDS)
@pytest.mark.parametrize("form", ["zip", "folder", "zip in a folder"])
def test_a_class_is_a_submission_for_each_person(tmp_path, files, people, form):
    if form == "zip":
        place = tmp_path / "class.zip"
        place.write_bytes(packed(files))
    else:
        outer = "export/" if form != "folder" else ""
        place = lay(tmp_path / "class", {f"{outer}{name}": text for name, text in files.items()})
    found = graded(place)
    assert {one.shown: one.listing.main for one in found.submissions} == people
    assert all(one.problem is None for one in found.submissions)
    assert len({one.name for one in found.submissions}) == len(people)
    for one in found.submissions:
        assert again(one.path, one.sha256) == one.listing
        assert one.path.is_relative_to(place)


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize(("number", "expected"), list(enumerate(LEFT_OUT)), ids=IDS)
def test_what_is_left_out_of_a_class_is_listed_with_its_reason(
    tmp_path, number, expected, is_packed
):
    files, place = CLASSES[number][0], tmp_path / "class.zip"
    if is_packed:
        place.write_bytes(packed(files))
    else:
        lay(place.with_suffix(""), files)
        place = place.with_suffix("")
    shown = reasons(graded(place))
    found = {name.removeprefix(f"{place.name}/"): reason for name, reason in shown.items()}
    assert found == expected


def test_one_person_of_a_packed_class_can_be_named(tmp_path):
    place = tmp_path / "class.zip"
    place.write_bytes(packed(MOODLE))
    [one] = graded(place / "Al_3_assignsubmission_file").submissions
    assert (one.shown, one.listing.main) == ("Al", "train.py")
    [one] = graded(place / "Jo O'Neill_2_assignsubmission_file_" / "hw.ipynb").submissions
    assert (one.shown, one.listing.main) == ("Jo O'Neill", "hw.ipynb")
    with pytest.raises(ValueError, match="There is no file or folder"):
        graded(place / "nobody")


def test_names_that_were_packed_as_utf_8_without_saying_so_are_read(tmp_path):
    content = packed(
        {"Zoë_1_assignsubmission_file/a.py": NET, "B_2_assignsubmission_file/a.py": b"1"}
    )
    silent = bytearray(content)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := silent.find(mark, at + 1)) >= 0:
            silent[at + place : at + place + 2] = bytes(2)
    (tmp_path / "class.zip").write_bytes(bytes(silent))
    assert [one.shown for one in graded(tmp_path / "class.zip").submissions] == ["B", "Zoë"]


def test_moodles_download_without_folders_is_taken(tmp_path):
    files = {
        "Ann Lee_1_assignsubmission_file_train.py": TRAIN,
        "Ann Lee_1_assignsubmission_file_model.py": NET,
        "Bo_2_assignsubmission_file_my net.ipynb": NOTEBOOK,
    }
    (tmp_path / "class.zip").write_bytes(packed(files))
    ann, bo = graded(tmp_path / "class.zip").submissions
    assert (ann.shown, ann.listing.files) == ("Ann Lee", ("train.py", "model.py"))
    assert bo.shown == "Bo"


def test_the_zip_of_one_person_in_a_submissions_folder_is_one_submission(tmp_path):
    lay(tmp_path / "class", {"anna.zip": packed(FOLDERS), "ben.py": NET})
    found = graded(tmp_path / "class")
    assert [one.shown for one in found.submissions] == ["anna", "ben"]


def test_a_class_in_the_assignments_folder_is_found_without_being_named(tmp_path):
    place = tmp_path / "assignments" / "mnist_8k"
    lay(place, {"assignment.toml": b"", "submissions/all.zip": packed(MOODLE)})
    lay(place / "submissions", {"bob/train.py": NET})
    found = look((), ["mnist_8k"], root=tmp_path)
    assert sorted(one.shown for one in found.submissions) == [
        "Al",
        "Jo O'Neill",
        "Zoë Çelik",
        "bob",
    ]
    assert {one.assignment for one in found.submissions} == {"mnist_8k"}


def test_a_person_of_many_files_beside_one_of_few_keeps_the_others_apart(tmp_path):
    files = {f"alice/{name}": text for name, text in WORK.items()} | {"bob/net.py": NET}
    found = graded(lay(tmp_path / "class", files | {"carl.py": NET}))
    assert [one.shown for one in found.submissions] == ["alice", "bob", "carl"]


@pytest.mark.parametrize(
    "files",
    [
        {"models/net.py": NET, "training/run.py": b"from models.net import Net\nloss.backward()\n"},
        {"src/net.py": NET, "notebooks/train.ipynb": NOTEBOOK},
        {"lenet/net.py": NET, "fit/run.py": b"from lenet import net\nloss.backward()\n"},
    ],
)
def test_the_folders_of_one_work_are_not_people(tmp_path, files):
    [one] = graded(lay(tmp_path / "anna", files)).submissions
    assert one.shown == "anna"
    (tmp_path / "ben.zip").write_bytes(packed(files))
    [one] = graded(tmp_path / "ben.zip").submissions
    assert one.shown == "ben"


def test_an_archive_that_holds_nothing_but_an_archive_is_that_one(tmp_path):
    (tmp_path / "anna.zip").write_bytes(packed({"hw/anna.zip": packed(WORK), "note.txt": b"x"}))
    [one] = graded(tmp_path / "anna.zip").submissions
    assert (one.shown, one.listing.main) == ("anna", "train.py")
    assert again(one.path, one.sha256) == one.listing


def test_archives_within_archives_end(tmp_path):
    content = packed(WORK)
    for _ in range(4):
        content = packed({"a.zip": content})
    (tmp_path / "anna.zip").write_bytes(content)
    [one] = graded(tmp_path / "anna.zip").submissions
    assert "holds no Python file and no notebook" in one.problem.message


def test_links_and_paths_that_lead_out_are_left_out_of_a_class(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        for name, text in MOODLE.items():
            pack.writestr(name, text)
        pack.writestr("../Eve_9_assignsubmission_file/a.py", NET)
        pack.writestr("/Eve_9_assignsubmission_file/a.py", NET)
        link = zipfile.ZipInfo("Mal_8_assignsubmission_file/train.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        pack.writestr(link, "../Al_3_assignsubmission_file/work.zip")
    (tmp_path / "class.zip").write_bytes(stream.getvalue())
    found = graded(tmp_path / "class.zip")
    assert len(found.submissions) == 3
    shown = reasons(found)
    assert shown["class.zip/../Eve_9_assignsubmission_file/a.py"].endswith("out of the archive")
    assert "symbolic link" in shown["class.zip/Mal_8_assignsubmission_file/"]


def test_what_one_archive_unpacks_to_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_UNPACKED", 1_000)
    files = {f"P{number}_1_assignsubmission_file/a.py": os.urandom(400) for number in range(9)}
    (tmp_path / "class.zip").write_bytes(packed(files))
    found = graded(tmp_path / "class.zip")
    texts = [one.problem.message for one in found.submissions] + list(reasons(found).values())
    assert any("split it up" in text for text in texts)


def test_a_list_of_names_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_DIRECTORY", 70_000)
    (tmp_path / "class.zip").write_bytes(packed({f"{'x' * 90}{n}.py": b"1" for n in range(900)}))
    [one] = graded(tmp_path / "class.zip").submissions
    assert "not a whole zip archive" in one.problem.message


def test_folders_without_end_are_left_out():
    found = archive.read("a.zip", packed({"a/" * 5_000 + "x.py": b"1", "x.py": b"1"}))
    assert list(found.files) == ["x.py"]
    assert list(found.skipped.values()) == ["more than 8 folders deep"]


def test_a_large_archive_is_read_from_the_disk_and_its_data_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "anna.zip", "w", zipfile.ZIP_STORED) as pack:
        pack.writestr("data/train.npy", bytes(archive.MOST_ARCHIVE_BYTES + 1))
        for name, text in WORK.items():
            pack.writestr(name, text)
    found = graded(tmp_path / "anna.zip")
    assert found.submissions[0].listing.main == "train.py"
    assert reasons(found) == {"anna.zip/data/train.npy": "data: the grader has its own"}


def test_a_gradescope_list_of_another_kind_leaves_the_folders_their_names(tmp_path):
    files = GRADESCOPE | {"assignment_1_export/submission_metadata.yml": b"\xff: [\n"}
    (tmp_path / "class.zip").write_bytes(packed(files))
    found = graded(tmp_path / "class.zip")
    assert [one.shown for one in found.submissions] == [
        f"submission_{number}" for number in (11, 12, 13, 9)
    ]


def test_several_archives_of_one_person_are_not_guessed_between(tmp_path):
    files = {"Ada_1_assignsubmission_file/a.zip": packed(WORK)}
    files |= {"Ada_1_assignsubmission_file/b.zip": packed(WORK)}
    lay(tmp_path / "class", files | {"Bo_2_assignsubmission_file/a.py": NET})
    assert reasons(graded(tmp_path / "class")) == {
        "class/Ada_1_assignsubmission_file/": "2 archives (a.zip, b.zip): name the one that counts"
    }


def test_files_of_one_hand_in_that_lie_among_everybodys_are_said_to_be_one_work(tmp_path):
    lay(tmp_path, CANVAS)
    notes = {
        item.shown: " ".join(note.text for note in item.notes)
        for item in graded(tmp_path).submissions
    }
    said = "model.py and train.py were handed in together, under the number 12345: they are one"
    assert said in notes.pop("doejohn")
    assert not any("together" in others for others in notes.values())
