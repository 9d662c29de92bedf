"""Folders and archives of one person: which they are, what is read of them, what is left out."""

import contextlib
import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import SubmissionError
from grader.submission import archive, contents, folder
from grader.submission.entries import on_disk
from grader.submission.find import Found, again, look
from grader.submission.submission import UsageError

NAMES = ["mnist_20k", "mnist_8k"]
NET = b"from torch import nn\n\n\nclass Net(nn.Module):\n    pass\n"
TRAIN = b"from model import Net\nfrom utils import seed\n\nloss.backward()\n"
WORK = {"model.py": NET, "train.py": TRAIN, "utils.py": b"seed = 1\n"}


def lay(place: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def graded(*paths: Path, training: str | None = None, trainings: dict[str, str] | None = None):
    root = paths[0].parent if paths else Path()
    found: Found = look(
        paths,
        NAMES,
        root=root,
        assignment="mnist_8k",
        training=training,
        trainings=trainings or {},
    )
    return found


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in files.items():
            pack.writestr(name, content)
    return stream.getvalue()


def reasons(found: Found) -> dict[str, str]:
    return {one.display: one.reason for one in found.left_out}


def test_a_folder_whose_files_import_one_another_is_one_submission(tmp_path):
    [one] = graded(lay(tmp_path / "anna", WORK)).submissions
    assert (one.name, one.shown, one.display, one.problem) == ("anna", "anna", "anna", None)
    assert (one.listing.main, one.source) == ("train.py", TRAIN.decode())
    assert one.listing.files == ("train.py", "model.py", "utils.py")
    assert [part.file for part in one.siblings] == ["model.py", "utils.py"]
    assert str(one.listing.place(6)) == "model.py, line 1"
    assert one.notes[0].text.startswith("train.py is taken for the file that trains")


def test_a_folder_of_many_peoples_files_is_many_submissions(tmp_path):
    files = {f"{name}.py": NET for name in ("anna", "ben", "carl")}
    found = graded(lay(tmp_path / "class", files | {"dora.py": b"import anna\n"}))
    assert [one.name for one in found.submissions] == ["anna", "ben", "carl", "dora"]


def test_a_folder_of_people_with_the_same_names_of_files_is_not_one_persons(tmp_path):
    files = {f"{who}/{name}": text for who in ("anna", "ben") for name, text in WORK.items()}
    found = graded(lay(tmp_path / "class", files))
    assert [one.shown for one in found.submissions] == ["anna", "ben"]


def test_settings_are_parts_and_everything_else_is_named(tmp_path):
    files = {
        "config/base.yaml": b"lr: 0.1\n",
        "requirements.txt": b"torch\n",
        "README.md": b"Test accuracy: 99.51 %\n",
        "src/deep/extra.py": b"x = 1\n",
        "net.pth": b"\0",
        "plot.png": b"\0",
        "report.pdf": b"\0",
        "data/MNIST/raw/a-ubyte.gz": b"\0",
        "big.json": b"1" * 100_000,
        "odd.py": b"\xff",
        "run.sh": b"",
        "old.zip": b"",
        "venv/lib/a.py": b"",
        "mine/pyvenv.cfg": b"",
        "__pycache__/a.pyc": b"",
        ".git/config": b"",
        "node_modules/a.json": b"",
        "pictures/1.png": b"",
        "pictures/2.png": b"",
        "pictures/3.png": b"",
        "pictures/4.png": b"",
        "beside.ipynb": b'{"cells": [{"cell_type": "code", "source": "x = 1"}]}',
    }
    place = lay(tmp_path / "anna", WORK | files)
    (place / "link.py").symlink_to("/etc/hosts")
    found = graded(place)
    [one] = found.submissions
    assert one.listing.files == (
        "train.py",
        "config/base.yaml",
        "model.py",
        "requirements.txt",
        "src/deep/extra.py",
        "utils.py",
    )
    assert one.claims.accuracy.place == "README.md"
    shown = reasons(found)
    assert {
        name.removeprefix("anna/"): reason.partition(":")[0] for name, reason in shown.items()
    } == {
        ".git": "the history of the work",
        "__pycache__": "compiled code",
        "beside.ipynb": "a notebook beside train.py, which trains",
        "big.json": "larger than 64 KiB",
        "data/MNIST/raw/a-ubyte.gz": "data",
        "link.py": "a symbolic link",
        "mine": "an environment, not the work",
        "net.pth": "weights",
        "node_modules": "packages, not the work",
        "odd.py": "odd.py is not UTF-8 text",
        "old.zip": "an archive inside",
        "pictures/*: 4 files": "a picture",
        "plot.png": "a picture",
        "report.pdf": "a text, not code",
        "run.sh": "not code",
        "venv": "an environment, not the work",
    }
    assert {beside.display for beside in one.left_out} == {name[5:] for name in shown}


def test_the_file_that_trains_can_be_named_by_user_and_assignment(tmp_path):
    place = lay(tmp_path / "anna", {"v1.py": b"loss.backward()\n", "sub/v2.py": b"import v1\n"})
    [one] = graded(place, training="v2.py").submissions
    assert (one.listing.main, one.problem) == ("sub/v2.py", None)
    [other] = graded(place, trainings={"mnist_8k": "v1.py", "mnist_20k": "v2.py"}).submissions
    assert other.listing.main == "v1.py"
    assert other.sha256 != one.sha256
    [none] = graded(place, training="v1.py", trainings={"mnist_8k": "v2.py"}).submissions
    assert none.listing.main == "v1.py"


def test_a_file_that_is_named_and_not_there_is_answered_with_the_known_ones(tmp_path):
    [one] = graded(lay(tmp_path / "anna", WORK), training="run.py").submissions
    assert "no file of code of the name run.py" in one.problem.message
    assert "model.py, train.py, utils.py" in one.problem.message


def test_where_it_is_not_clear_who_trains_the_candidates_are_listed(tmp_path):
    step = b"import net\nloss.backward()\nnet.go()\n"
    files = {"net.py": NET, "train_a.py": step, "train_b.py": step}
    [one] = graded(lay(tmp_path / "anna", files)).submissions
    assert "not clear which one trains the network: train_a.py, train_b.py" in one.problem.message
    assert "--training train_a.py" in one.problem.message
    assert one.listing.main == "anna"


def test_a_clone_is_one_persons_also_where_nothing_imports(tmp_path):
    files = {"a.py": b"loss.backward()\nf()\n", "b.py": b"x = 1\n", ".git/HEAD": b""}
    [one] = graded(lay(tmp_path / "anna", files)).submissions
    assert one.listing.main == "a.py"


def test_a_class_that_is_kept_in_a_repository_is_many_submissions(tmp_path):
    files = {f"{name}.py": b"loss.backward()\n" for name in ("anna", "ben", "train")}
    found = graded(lay(tmp_path / "class", files | {".git/HEAD": b""}))
    assert [one.name for one in found.submissions] == ["anna", "ben", "train"]


def test_the_clones_of_a_classroom_are_one_submission_each(tmp_path):
    place = tmp_path / "class"
    for who in ("hw1-anna", "hw1-ben"):
        lay(place / who, WORK)
    found = graded(place)
    assert [(one.shown, one.listing.main) for one in found.submissions] == [
        ("hw1-anna", "train.py"),
        ("hw1-ben", "train.py"),
    ]


def test_the_files_of_a_person_from_canvas_are_one_submission(tmp_path):
    names = {
        "doejohn_LATE_12345_67890_train-2.py": TRAIN,
        "doejohn_LATE_12345_67891_model.py": NET,
        "doejohn_LATE_12345_67892_utils.py": b"seed = 1\n",
        "roejane_222_333_net.ipynb": b'{"cells": [{"cell_type": "code", "source": "x = 1"}]}',
    }
    found = graded(lay(tmp_path / "class", names))
    john, jane = found.submissions
    assert (john.shown, jane.shown) == ("doejohn", "roejane")
    assert john.listing.files == ("train.py", "model.py", "utils.py")
    assert jane.listing.main == "roejane_222_333_net.ipynb"
    assert again(john.path, john.sha256) == john.listing


def test_a_moodle_folder_of_several_files_is_one_submission(tmp_path):
    place = lay(tmp_path / "class" / "Ada Lovelace_1_assignsubmission_file", WORK)
    for path in (place, place.parent):
        [one] = graded(path).submissions
        assert (one.shown, one.listing.main) == ("Ada Lovelace", "train.py")


def test_a_file_that_the_code_reads_belongs_to_it(tmp_path):
    place = tmp_path / "class" / "Ada_1_assignsubmission_file"
    lay(place, {"train.py": b"open('config.yaml')\n", "config.yaml": b"lr: 1\n", "x.txt": b"x"})
    [one] = graded(place).submissions
    assert one.listing.files == ("train.py", "config.yaml", "x.txt")


def test_an_archive_is_read_like_a_folder_and_unpacked_nowhere(tmp_path):
    (tmp_path / "anna.zip").write_bytes(packed(WORK | {"data/a.png": b"", "net.pt": b""}))
    before = sorted(tmp_path.rglob("*"))
    found = graded(tmp_path / "anna.zip")
    [one] = found.submissions
    assert (one.shown, one.listing.main, one.problem) == ("anna", "train.py", None)
    assert reasons(found) == {
        "anna.zip/data/a.png": "a picture",
        "anna.zip/net.pt": "weights: the grader trains the network itself",
    }
    assert sorted(tmp_path.rglob("*")) == before
    assert again(one.path, one.sha256) == one.listing


def test_the_one_folder_that_an_archive_is_packed_in_is_taken_off():
    inner = {f"hw-main/{name}": text for name, text in WORK.items()}
    assert sorted(archive.read("a.zip", packed(inner)).files) == sorted(WORK)
    used = {"src/train.py": b"from src.model import Net\n", "src/model.py": NET}
    assert sorted(archive.read("a.zip", packed(used)).files) == sorted(used)


def entry(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o644) << 16
    return info


def test_what_leads_out_of_an_archive_is_left_out():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        pack.writestr("train.py", "x = 1")
        pack.writestr("/etc/a.py", "x = 1")
        pack.writestr("a/../../b.py", "x = 1")
        pack.writestr("C:/c.py", "x = 1")
        pack.writestr(entry("link.py", stat.S_IFLNK), "/etc/passwd")
        pack.writestr(entry("pipe.py", stat.S_IFIFO), "")
        pack.writestr("inner.zip", packed(WORK))
        pack.writestr("win\\model.py", "x = 1")
    found = archive.read("a.zip", stream.getvalue())
    assert sorted(found.files) == ["train.py", "win/model.py"]
    assert found.skipped == {
        "/etc/a.py": "its path leads out of the archive",
        "a/../../b.py": "its path leads out of the archive",
        "C:/c.py": "its path leads out of the archive",
        "link.py": "a symbolic link",
        "pipe.py": "a special file",
        "inner.zip": "an archive inside: unpack it",
    }


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = {"a.ipynb": bytes(30_000_000), "train.py": b"x = 1"}
    found = archive.read("a.zip", packed(bomb))
    assert list(found.files) == ["train.py"]
    assert found.skipped == {"a.ipynb": "it unpacks to more than 200 times its size"}


def test_an_archive_that_lies_about_sizes_gives_no_more_than_is_read():
    content = bytearray(packed({"train.py": os.urandom(400_000)}))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (1_000).to_bytes(4, "little")
    found = archive.read("a.zip", bytes(content))
    assert sum(map(len, found.files.values())) <= 1_001


def test_a_locked_archive_is_named():
    content = bytearray(packed(WORK))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + place] |= 1
    with pytest.raises(SubmissionError, match="locked with a password"):
        archive.read("a.zip", bytes(content))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 100, packed(WORK)[:200]])
def test_a_broken_archive_is_the_students_to_pack_again(tmp_path, content):
    (tmp_path / "anna.zip").write_bytes(content)
    [one] = graded(tmp_path / "anna.zip").submissions
    assert one.problem.message.startswith("anna.zip is not a whole zip archive.")


@given(st.binary(max_size=400), st.integers(0, 600), st.integers(0, 255))
def test_no_damage_crashes_the_reader_of_archives(noise, place, value):
    content = bytearray(packed(WORK))
    content[place % len(content)] = value
    for bytes_ in (bytes(content), noise, bytes(content)[: place % len(content)] + noise):
        with contextlib.suppress(SubmissionError):
            archive.read("a.zip", bytes_)


def test_a_folder_is_bounded_in_files_and_names(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "MOST_FILES", 3)
    monkeypatch.setattr(contents, "MOST_ENTRIES", 6)
    lay(tmp_path, {f"{number}.py": b"x = 1\n" for number in range(9)})
    found = folder.gather(on_disk(tmp_path))
    assert sorted(found.files) == ["0.py", "1.py", "2.py"]
    assert found.skipped["3.py"].startswith("more than 3 files")
    assert found.skipped["..."] == "the rest: more than 6 files, not looked at"


def test_a_folder_too_deep_is_left_out(tmp_path):
    lay(tmp_path, {"/".join("abcdefghijkl") + "/x.py": b"", "x.py": b"x = 1"})
    found = folder.gather(on_disk(tmp_path))
    assert list(found.files) == ["x.py"]
    assert list(found.skipped.values()) == ["more than 8 folders deep"]


def test_work_is_read_again_while_it_is_the_same(tmp_path):
    place = lay(tmp_path / "anna", WORK)
    for training in (None, "model.py"):
        [one] = graded(place, training=training).submissions
        assert again(place, one.sha256) == one.listing
    [file] = graded(place / "model.py").submissions
    assert again(place / "model.py", file.sha256) == file.listing
    (place / "utils.py").write_bytes(b"seed = 2\n")
    assert again(place, one.sha256) is None
    assert again(tmp_path / "gone", one.sha256) is None
    assert again(place / "model.py", "") is None


def test_names_that_are_no_text_are_escaped(tmp_path):
    odd = os.fsdecode(b"\xff.py")
    try:
        place = lay(tmp_path / "anna", WORK | {odd: b"import model\n"})
    except OSError:
        pytest.skip("this file system takes only text")
    [one] = graded(place).submissions
    assert all(part.file.isprintable() for part in one.listing.parts)
    assert one.problem is None


def test_a_named_folder_of_one_script_and_what_it_reads_is_one_submission(tmp_path):
    files = {"train.py": b"open('cfg/base.yaml')\n", "cfg/base.yaml": b"lr: 1\n"}
    [one] = graded(lay(tmp_path / "anna", files)).submissions
    assert one.listing.files == ("train.py", "cfg/base.yaml")


def test_an_entry_without_a_name_is_left_out_and_the_others_are_read():
    content = packed({"a": b"x = 1", "train.py": b"x = 1"})
    empty = content.replace(b"\x01\x00\x00\x00a", b"\x01\x00\x00\x00\x00")
    empty = empty.replace(b"\x00\x00\x00\x00a", b"\x00\x00\x00\x00.")
    assert "train.py" in archive.read("a.zip", empty).files


def test_a_folder_of_what_jupyter_copies_says_so(tmp_path):
    kept = tmp_path / "work" / ".ipynb_checkpoints"
    kept.mkdir(parents=True)
    (kept / "train-checkpoint.ipynb").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="copies that Jupyter keeps for itself"):
        look([tmp_path / "work"], {"mnist_20k"}, root=tmp_path, assignment="mnist_20k")
