"""Finding files: what is found, what it is called, and that no odd file stops the others or the
grader.
"""

import hashlib
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.printable import printable_path
from grader.program.listing import Listing
from grader.submission.find import discover, look
from grader.submission.people import named
from grader.submission.source import MOST_BYTES
from grader.submission.submission import Submission, UsageError

NAMES = ["mnist_20k", "mnist_8k"]
SOURCE = b"import torch\n"
NOTHING = Listing.of_file("a.py", "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two assignments and no submissions."""
    for name in NAMES:
        folder = tmp_path / "assignments" / name / "submissions"
        folder.mkdir(parents=True)
        (folder.parent / "assignment.toml").touch()
        (folder.parent / "starter.py").write_bytes(SOURCE)
    return tmp_path


def hand_in(root: Path, name: str, source: bytes = SOURCE, assignment: str = "mnist_8k") -> Path:
    file = root / "assignments" / assignment / "submissions" / name
    file.write_bytes(source)
    return file


def find(root: Path, *paths: Path, assignment: str | None = None) -> list[Submission]:
    return discover(paths, NAMES, root=root, assignment=assignment)


def problem_with(root: Path, path: Path) -> str:
    """What is said of the one file at `path`."""
    (submission,) = find(root, path, assignment="mnist_8k")
    assert submission.problem is not None
    return submission.problem.message


def test_a_submission_carries_its_bytes_hash_and_assignment(root):
    file = hand_in(root, "anna.py")
    (submission,) = find(root)
    assert submission == Submission(
        path=file,
        name="anna",
        display="assignments/mnist_8k/submissions/anna.py",
        assignment="mnist_8k",
        listing=Listing.of_file("anna.py", SOURCE.decode()),
        sha256=hashlib.sha256(SOURCE).hexdigest(),
        shown="anna",
    )


def test_without_paths_every_submission_of_every_assignment_is_found(root):
    hand_in(root, "zoe.py", assignment="mnist_20k")
    hand_in(root, "ben.py")
    hand_in(root, "anna.py")
    assert [(one.assignment, one.name) for one in find(root)] == [
        ("mnist_20k", "zoe"),
        ("mnist_8k", "anna"),
        ("mnist_8k", "ben"),
    ]


def test_without_paths_but_with_an_assignment_only_its_submissions_are_found(root):
    hand_in(root, "zoe.py", assignment="mnist_20k")
    hand_in(root, "ben.py")
    assert [one.name for one in find(root, assignment="mnist_20k")] == ["zoe"]


def test_a_folder_means_the_python_files_in_it_but_not_helpers(root):
    folder = hand_in(root, "anna.py").parent
    for name in ("_draft.py", ".hidden.py", "conftest.py", "notes.md", "__init__.py"):
        hand_in(root, name)
    assert [one.name for one in find(root, folder)] == ["anna"]


def test_an_assignments_folder_means_its_submissions_not_its_starter(root):
    hand_in(root, "anna.py")
    assert [one.name for one in find(root, root / "assignments" / "mnist_8k")] == ["anna"]


def test_the_starter_can_be_graded_by_name(root):
    (submission,) = find(root, root / "assignments" / "mnist_8k" / "starter.py")
    assert (submission.name, submission.assignment) == ("starter", "mnist_8k")


def test_a_reference_belongs_to_the_assignment_of_its_folder(root):
    (root / "reference" / "mnist_20k").mkdir(parents=True)
    file = root / "reference" / "mnist_20k" / "model_b.py"
    file.write_bytes(SOURCE)
    assert find(root, file)[0].assignment == "mnist_20k"


def test_a_file_named_twice_is_graded_once(root):
    file = hand_in(root, "anna.py")
    assert len(find(root, file, file.parent, file.parent / ".." / "submissions" / "anna.py")) == 1


def test_a_relative_path_starts_at_the_current_folder(root, monkeypatch):
    monkeypatch.chdir(hand_in(root, "anna.py").parent)
    assert find(root, Path("anna.py"))[0].assignment == "mnist_8k"


def test_a_file_anywhere_needs_its_assignment_named(root, tmp_path):
    file = tmp_path / "model.py"
    file.write_bytes(SOURCE)
    with pytest.raises(
        UsageError, match=r"Which assignment is .*model\.py for\? .* mnist_20k, mnist_8k"
    ):
        find(root, file)
    assert find(root, file, assignment="mnist_20k")[0].assignment == "mnist_20k"


def test_a_file_far_from_the_project_needs_its_assignment_named(root):
    with pytest.raises(UsageError, match="Which assignment"):
        find(root, Path("/dev/null"))


def test_the_named_assignment_wins_over_the_folder(root):
    assert find(root, hand_in(root, "anna.py"), assignment="mnist_20k")[0].assignment == "mnist_20k"


def test_an_unknown_assignment_is_answered_with_the_known_ones(root):
    with pytest.raises(
        UsageError, match=r"known: mnist_20k, mnist_8k\. Did you mean \"mnist_8k\"\?"
    ):
        find(root, assignment="mnist8k")


def test_a_missing_path_is_a_usage_error(root):
    with pytest.raises(UsageError, match=r"There is no file or folder .*nobody\.py"):
        find(root, root / "nobody.py")


def test_nothing_to_grade_is_a_usage_error_that_says_how_to_begin(root):
    with pytest.raises(UsageError, match=r"Copy an assignment's starter\.py"):
        find(root)


def test_one_bad_file_does_not_stop_the_class(root):
    hand_in(root, "anna.py")
    hand_in(root, "ben.py", b"")
    hand_in(root, "carl.py")
    assert [(one.name, one.problem is None) for one in find(root)] == [
        ("anna", True),
        ("ben", False),
        ("carl", True),
    ]


def test_a_symbolic_link_is_refused_also_when_named(root, tmp_path):
    (tmp_path / "answer.py").write_bytes(SOURCE)
    link = root / "assignments" / "mnist_8k" / "submissions" / "anna.py"
    link.symlink_to(tmp_path / "answer.py")
    assert (
        problem_with(root, link)
        == "anna.py is a symbolic link, not a file. Hand in the Python file itself."
    )
    assert find(root)[0].source == ""


def test_a_symbolic_link_to_nowhere_is_refused_not_missing(root):
    link = root / "assignments" / "mnist_8k" / "submissions" / "anna.py"
    link.symlink_to("nowhere.py")
    assert "symbolic link" in problem_with(root, link)


def test_a_submissions_folder_that_is_a_symbolic_link_is_not_followed(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "anna.py").write_bytes(SOURCE)
    folder = root / "assignments" / "mnist_8k" / "submissions"
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    (submission,) = find(root)
    assert "symbolic link" in submission.problem.message


@pytest.mark.timeout(20)
def test_a_named_pipe_is_refused_without_waiting_for_a_writer(root):
    pipe = root / "assignments" / "mnist_8k" / "submissions" / "anna.py"
    os.mkfifo(pipe)
    assert "a named pipe" in problem_with(root, pipe)


def test_a_socket_is_refused(root, monkeypatch):
    monkeypatch.chdir(root)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.py")
        assert "a socket" in problem_with(root, root / "s.py")


def test_a_device_is_refused(root):
    assert "null is a device" in problem_with(root, Path("/dev/null"))


def test_a_folder_with_the_name_of_a_file_is_looked_into_like_any_other(root):
    folder = hand_in(root, "anna.py").parent
    (folder / "ben.py").mkdir()
    (folder / "carl.py").mkdir()
    (folder / "carl.py" / "net.py").write_bytes(SOURCE)
    assert [(one.shown, one.problem) for one in find(root)] == [("anna", None), ("carl.py", None)]
    assert left_out(root, folder) == {"ben.py/": "a hand-in without a Python file or a notebook"}


def test_a_file_of_256_kib_is_read_and_one_byte_more_is_refused(root):
    assert find(root, hand_in(root, "anna.py", b"#" * MOST_BYTES))[0].problem is None
    assert "larger than 256 KiB" in problem_with(
        root, hand_in(root, "anna.py", b"#" * (MOST_BYTES + 1))
    )


@pytest.mark.parametrize("source", [b"", b" \n\t\n"])
def test_an_empty_file_is_refused(root, source):
    assert problem_with(root, hand_in(root, "anna.py", source)).startswith("anna.py is empty. Copy")


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(root):
    file = hand_in(root, "anna.py", b"import torch\n# na\xefve\n")
    assert (
        problem_with(root, file)
        == "anna.py is not UTF-8 text: byte 0xef in line 2. Save it as UTF-8."
    )
    assert find(root, file)[0].problem.line == 2


def test_a_nul_byte_is_refused_with_the_line(root):
    file = hand_in(root, "anna.py", b"import torch\n\n\0")
    assert "NUL byte in line 3" in problem_with(root, file)


NOTEBOOK = b'{"cells": [{"cell_type": "code", "source": ["import torch"]}], "nbformat": 4}'


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("anna.xyz", SOURCE, "is not a .py file. Hand in a Python file, a notebook"),
        ("anna", SOURCE, "is not a .py file. Hand in a Python file, a notebook"),
        ("anna.doc", b"x", "is a document. Hand in the Python file or the notebook"),
        ("anna.json", NOTEBOOK, "is a notebook under another name: rename it to anna.ipynb"),
        ("anna.ipynb.txt", NOTEBOOK, "is a notebook under another name: rename it to anna.ipynb"),
        (
            "anna.py.txt",
            SOURCE,
            "is code whose name got another ending, .txt: rename it to anna.py",
        ),
        ("anna.html", b"<html>", "is a web page, as notebooks are exported to"),
        (
            "anna.tar.gz",
            b"\x1f\x8b",
            "is an archive that is not read here. Pack the folder as .zip",
        ),
        ("anna.pth", b"\0", "holds weights. The grader trains the network itself"),
        ("anna.py", b"PK\x03\x04\0", "is an archive under another name: rename it to anna.zip"),
        ("anna.py", SOURCE.decode().encode("utf-16"), "is text in UTF-16. Save it as UTF-8"),
        ("anna.ipynb", b"\n<!DOCTYPE html>", "is a web page, not code"),
    ],
)
def test_what_is_not_code_is_answered_with_what_it_is_and_what_to_do(root, name, source, said):
    assert problem_with(root, hand_in(root, name, source)).startswith(f"{name} {said}")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is readable here")
def test_an_unreadable_file_is_refused(root):
    file = hand_in(root, "anna.py")
    file.chmod(0)
    assert "cannot be read: Permission denied" in problem_with(root, file)


def test_a_file_exchanged_for_a_link_after_the_look_is_still_refused(root, monkeypatch):
    file = hand_in(root, "anna.py")
    before = file.lstat()
    file.unlink()
    file.symlink_to("/etc/hosts")
    real = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: before if path == file else real(path))
    assert problem_with(root, file) == (
        "anna.py cannot be read: it is a symbolic link. Hand in a plain, readable file."
    )


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("a\nb.py", "a-b-"),
        ("-rf.py", "rf-"),
        ("\u202egnp.py", "gnp-"),
        ("x" * 252 + ".py", "x" * 40 + "-"),
        ("naïve model.py", "na-ve-model-"),
        ("模型.py", "submission-"),
        ("a.b.py", "a-b-"),
        ("anna-0123456789ab.py", "anna-0123456789ab-"),
        (os.fsdecode(b"\xff.py"), "submission-"),
    ],
)
def test_an_odd_name_becomes_a_plain_one_with_a_hash(root, file, start):
    hand_in(root, file)
    (submission,) = find(root)
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{12}", submission.name)


def test_case_twins_get_names_that_differ_without_case(root):
    hand_in(root, "anna.py")
    if hand_in(root, "Anna.py").samefile(root / "assignments/mnist_8k/submissions/anna.py"):
        pytest.skip("this file system knows no case")
    names = [one.name.casefold() for one in find(root)]
    assert len(set(names)) == 2
    assert all(re.fullmatch("anna-[0-9a-f]{12}", name) for name in names)


def test_files_of_one_name_in_two_folders_get_two_names(root, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.py").write_bytes(SOURCE)
    found = find(root, tmp_path / "one", tmp_path / "two", assignment="mnist_8k")
    assert len({one.name for one in found}) == 2


def test_files_of_one_name_for_two_assignments_keep_it(root):
    for assignment in NAMES:
        hand_in(root, "anna.py", assignment=assignment)
    assert [one.name for one in find(root)] == ["anna", "anna"]


def test_a_name_does_not_depend_on_where_the_project_lies(root, tmp_path_factory):
    hand_in(root, "naïve.py")
    other = tmp_path_factory.mktemp("clone")
    (other / "assignments" / "mnist_8k" / "submissions").mkdir(parents=True)
    hand_in(other, "naïve.py")
    assert find(root)[0].name == find(other)[0].name


def test_display_escapes_what_does_not_print(root):
    hand_in(root, "a\n\u202eb\x1b.py")
    assert find(root)[0].display == r"assignments/mnist_8k/submissions/a\n\u202eb\x1b.py"


# Any text that UTF-8 can write, and any bytes: a file system takes both.
FILE_NAMES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60),
    st.binary(min_size=1, max_size=60).map(
        lambda name: os.fsdecode(name.translate(None, b"/\0") or b"x")
    ),
)


@given(FILE_NAMES)
def test_a_displayed_path_prints_and_can_be_told_back(name):
    shown = printable_path(Path("folder") / name)
    assert shown.isprintable()
    undone = re.sub(r"\\(\\|n|r|t|x..|u....|U.{8})", lambda match: eval(f'"{match[0]}"'), shown)
    assert undone == (Path("folder") / name).as_posix()


@given(st.lists(FILE_NAMES, min_size=1, unique=True))
def test_names_are_plain_and_unique_whatever_the_files_are_called(stems):
    found = [
        Submission(Path("/p") / f"{stem}.py", stem, "", "mnist_8k", NOTHING, "") for stem in stems
    ]
    names = [one.name.casefold() for one in named(found, Path("/p"))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,63}", name) for name in names)


def test_a_byte_order_mark_is_read_over_as_python_does(root):
    hand_in(root, "anna.py", b"\xef\xbb\xbfimport torch\n")
    (found,) = discover([], ["mnist_8k"], root=root)
    assert found.problem is None


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_notebook_under_another_name_is_read_as_one_with_a_note(root, start):
    cells = b'{\n "cells": [{"cell_type": "code", "source": ["import torch"]}], "nbformat": 4}\n'
    (found,) = find(root, hand_in(root, "anna.py", start + cells))
    assert (found.problem, found.source) == (None, "import torch")
    assert found.listing.parts[0].cell == 1
    assert "anna.py is a notebook that was renamed" in found.notes[0].text


@pytest.mark.parametrize(
    "cookie",
    [b"# coding: utf-7", b"# -*- coding: rot13 -*-", b"#!x\n# vim: set fileencoding=utf-16 :"],
)
def test_a_file_that_python_would_read_as_other_text_is_refused(root, cookie):
    assert "Save it as UTF-8" in problem_with(
        root, hand_in(root, "anna.py", cookie + b"\nimport torch\n")
    )


@pytest.mark.parametrize(
    "cookie",
    [b"# -*- coding: utf-8 -*-", b"# coding=UTF8", b"# coding: latin-1", b"x\ny\n# coding: utf-7"],
)
def test_a_file_that_python_reads_as_the_grader_does_is_taken(root, cookie):
    assert find(root, hand_in(root, "anna.py", cookie + b"\nimport torch\n"))[0].problem is None


def test_latin_1_text_that_is_also_utf_8_is_refused(root):
    text = "# coding: latin-1\n# naïve\n".encode()
    assert "written in latin-1" in problem_with(root, hand_in(root, "anna.py", text))


def shown(*files: Path, root: Path) -> list[str]:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(SOURCE)
    return [one.shown for one in find(root, *files, assignment="mnist_8k")]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["alice/model.py", "bob/model.py"], ["alice", "bob"]),
        (["a/hw/model.py", "b/hw/model.py"], ["a", "b"]),
        (["a/x/model.py", "a/y/model.py", "b/x/model.py"], ["a/x", "a/y", "b/x"]),
        (["model.py", "bob/model.py"], ["model", "bob"]),
        (["alice.py", "alice/model.py", "bob/model.py"], ["alice", "alice/model", "bob"]),
        (["模型.py", "Åsa.py", "josé maría.py"], ["模型", "Åsa", "josé maría"]),
        (["é.py", "e\u0301.py"], ["é", "e\u0301 (2)"]),
        (["Anna.py", "anna.py"], ["Anna", "anna"]),
        (["a\u202eb.py"], [r"a\u202eb"]),
        (["anna-0123456789ab.py"], ["anna-0123456789ab"]),
        (["Jane Doe_98765_assignsubmission_file/model.py"], ["Jane Doe"]),
        (["Zoë Çelik_1_assignsubmission_file_/hw1.py"], ["Zoë Çelik"]),
        (
            ["Jo_1_assignsubmission_file/net.py", "Jo_2_assignsubmission_file/net.py"],
            ["Jo_1_assignsubmission_file", "Jo_2_assignsubmission_file"],
        ),
    ],
)
def test_people_are_called_by_their_names_told_apart_by_what_differs(root, paths, names):
    if "Anna.py" in paths and (root / "ASSIGNMENTS").exists():
        pytest.skip("this file system knows no case")
    found = shown(*(root / "class" / path for path in paths), root=root)
    assert found == names


@given(st.lists(FILE_NAMES, min_size=1, unique=True))
def test_what_is_shown_of_a_class_never_repeats_and_prints(stems):
    found = [
        Submission(Path("/p") / f"{stem}.py", stem, "", "mnist_8k", NOTHING, "") for stem in stems
    ]
    names = [one.shown for one in named(found, Path("/p"))]
    assert all(name.isprintable() for name in names)
    assert all(names)


def left_out(root: Path, *paths: Path) -> dict[str, str]:
    found = look(paths, NAMES, root=root).left_out
    return {
        one.display.removeprefix("assignments/mnist_8k/submissions/"): one.reason for one in found
    }


def test_a_folder_says_what_it_leaves_out_and_why(root):
    folder = hand_in(root, "anna.py").parent
    for name in ("_draft.py", "conftest.py", "all.rar", "net.pth", "essay.docx"):
        hand_in(root, name)
    hand_in(root, ".DS_Store")
    (folder / "__pycache__").mkdir()
    (folder / "bob").mkdir()
    (folder / "link").symlink_to("nowhere")
    assert left_out(root, folder) == {
        "_draft.py": "a helper: its name begins with _",
        "all.rar": "an archive of another kind: pack it as .zip",
        "bob/": "a hand-in without a Python file or a notebook",
        "conftest.py": "a helper of pytest",
        "essay.docx": "not a .py file",
        "link": "a symbolic link",
        "net.pth": "weights: hand in the code",
    }


def test_the_ending_may_be_in_capitals(root):
    hand_in(root, "B.PY")
    hand_in(root, "C.Py")
    assert [(one.name, one.problem) for one in find(root)] == [("B", None), ("C", None)]


def test_the_folder_that_a_learning_platform_made_for_a_person_is_looked_into(root):
    folder = root / "assignments" / "mnist_8k" / "submissions"
    for name, files in {
        "Ada Lovelace_1_assignsubmission_file": ["hw.py", "notes.txt"],
        "Bo_2_assignsubmission_file_": ["a.py", "b.py"],
        "Cy_3_assignsubmission_file": ["cy.ipynb"],
        "Di_4_assignsubmission_file": [],
    }.items():
        (folder / name).mkdir()
        for file in files:
            (folder / name / file).write_bytes(SOURCE)
    found = look((), NAMES, root=root)
    ada, bo, cy = found.submissions
    assert (ada.shown, ada.assignment) == ("Ada Lovelace", "mnist_8k")
    assert re.fullmatch("Ada-Lovelace-[0-9a-f]{12}", ada.name)
    assert left_out(root) == {
        "Ada Lovelace_1_assignsubmission_file/notes.txt": "not a .py file",
        "Di_4_assignsubmission_file/": "a hand-in without a Python file or a notebook",
    }
    assert (bo.shown, bo.path.name) == ("Bo", "Bo_2_assignsubmission_file_")
    assert "not clear which one trains the network: a.py, b.py." in bo.problem.message
    assert (cy.shown, cy.path.name) == ("Cy", "cy.ipynb")


def test_where_everything_is_left_out_the_reasons_are_in_the_error(root):
    hand_in(root, "anna.docx")
    with pytest.raises(UsageError, match=r"Left out: .*anna\.docx \(not a \.py file"):
        find(root)


def test_a_folder_without_rules_is_left_out_and_the_others_are_graded(root):
    other = root / "assignments" / "holiday" / "submissions"
    other.mkdir(parents=True)
    (other / "zoe.py").write_bytes(SOURCE)
    anna = hand_in(root, "anna.py")
    assert left_out(root) == {"assignments/holiday/": "no assignment.toml in it"}
    found = look((other / "zoe.py", anna), NAMES, root=root)
    assert [one.name for one in found.submissions] == ["anna"]
    (zoe,) = found.left_out
    assert zoe.display == "assignments/holiday/submissions/zoe.py"
    assert "there is no assignment.toml in" in zoe.reason
    with pytest.raises(UsageError, match=r"there is no assignment\.toml in"):
        find(root, other / "zoe.py")
