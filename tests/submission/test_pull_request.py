"""What a pull request brings is read from git alone, and all of it is said."""

import time

import pytest

from grader.submission import pull_request
from grader.submission.repository import Repository
from grader.submission.submission import UsageError
from tests.class_repository import HAND_INS, NETWORK, ClassRepository

KNOWN = ("mnist_20k", "mnist_8k")


@pytest.fixture
def course(tmp_path):
    return ClassRepository(tmp_path / "course")


def read(course, head="HEAD"):
    return pull_request.read(Repository(course.folder), KNOWN, course.base, head)


def works(brought):
    return {work.path.rpartition("/")[2]: work.what for work in brought.works}


def said(brought, level=None):
    return [remark for remark in brought.remarks if level in (None, remark.level)]


def only(brought, level="error"):
    [remark] = said(brought, level)
    return remark


def test_an_added_file_is_a_work_of_its_assignment_and_nothing_more_is_said(course):
    course.commit({f"{HAND_INS}/bert.py": NETWORK})
    brought = read(course)
    [work] = brought.works
    assert (work.path, work.assignment, work.what) == (f"{HAND_INS}/bert.py", "mnist_8k", "added")
    assert brought.remarks == []
    assert not brought.refused


def test_the_time_is_the_one_that_the_last_commit_says(course, monkeypatch):
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-02T03:04:05+0100")
    course.commit({f"{HAND_INS}/bert.py": NETWORK})
    assert read(course).committed == "2026-01-02T03:04:05+01:00"


def test_only_what_the_pull_request_did_counts_not_what_the_base_did_since(course):
    fork = course.base
    course.commit({f"{HAND_INS}/carl.py": NETWORK}, by="Carl")
    course.base = course.git("rev-parse", "HEAD")
    course.git("checkout", "--quiet", "--detach", fork)
    course.commit({f"{HAND_INS}/bert.py": NETWORK})
    brought = read(course)
    assert works(brought) == {"bert.py": "added"}
    assert brought.common == fork


def test_ones_own_work_may_be_changed(course):
    course.commit({f"{HAND_INS}/anna.py": NETWORK + "# more\n"}, by="Anna Liddell")
    brought = read(course)
    assert works(brought) == {"anna.py": "changed"}
    assert brought.remarks == []


def test_the_same_name_with_another_address_is_the_same_person(course):
    course.commit({f"{HAND_INS}/anna.py": NETWORK + "# more\n"}, by="anna liddell")
    assert read(course).remarks == []


def test_two_names_of_one_person_are_joined_by_the_bases_mailmap(course):
    course.commit({".mailmap": "Anna Liddell <anna@example.org> <al@home.example>\n"})
    course.base = course.git("rev-parse", "HEAD")
    course.commit({f"{HAND_INS}/anna.py": NETWORK + "# more\n"}, by="Al")
    assert "handed in by Anna Liddell before" in only(read(course)).text
    course.git("commit", "--quiet", "--amend", "--no-edit", "--author=AL <al@home.example>")
    assert read(course).remarks == []


def test_a_thousand_files_are_sorted_in_seconds_and_not_all_named(course):
    resource = pytest.importorskip("resource")
    blob = course.git("hash-object", "-w", "--stdin", data=NETWORK.encode())
    paths = [f"{HAND_INS}/s{number}.py" for number in range(300)]
    paths += [f"wrong/s{number}.py" for number in range(1_000)]
    listed = "".join(f"100644 {blob}\t{path}\n" for path in paths)
    course.git("update-index", "--add", "--index-info", data=listed.encode())
    course.git("commit", "--quiet", "--message", "Many")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime + time.process_time()
    brought = read(course)
    took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime + time.process_time() - before
    assert len(brought.works) == 300
    assert len(brought.remarks) == 21
    assert "980 more files are in the wrong folder" in brought.remarks[-1].text
    assert took < 20


def test_a_classmates_file_that_is_changed_is_graded_and_named_with_whose_it_was(course):
    course.commit({f"{HAND_INS}/anna.py": NETWORK + "# by Bert\n"})
    brought = read(course)
    assert works(brought) == {"anna.py": "changed"}
    remark = only(brought)
    assert "handed in by Anna Liddell before" in remark.text
    assert "commits by Bert" in remark.text
    assert f"git checkout {course.base[:10]} -- {HAND_INS}/anna.py" in remark.text
    assert "example.org" not in remark.text
    assert brought.refused


def test_a_classmates_file_that_is_taken_away_is_an_error_and_ones_own_is_not(course):
    course.commit(remove=(f"{HAND_INS}/anna.py",))
    brought = read(course)
    assert works(brought) == {}
    assert "takes it away" in only(brought).text
    course.back()
    course.commit(remove=(f"{HAND_INS}/anna.py",), by="Anna Liddell")
    brought = read(course)
    assert not brought.refused
    assert only(brought, "notice").title == "Taken away"


def test_ones_own_file_may_be_renamed(course):
    course.commit(move={f"{HAND_INS}/anna.py": f"{HAND_INS}/liddell.py"}, by="Anna Liddell")
    brought = read(course)
    assert works(brought) == {"liddell.py": f"renamed from {HAND_INS}/anna.py"}
    assert f"renamed to {HAND_INS}/liddell.py" in only(brought, "notice").text


def test_a_classmates_file_that_is_renamed_is_an_error(course):
    course.commit(move={f"{HAND_INS}/anna.py": f"{HAND_INS}/bert.py"})
    assert f"has it renamed to {HAND_INS}/bert.py" in only(read(course)).text


def test_a_file_that_somebody_puts_into_a_classmates_folder_is_an_error(course):
    course.commit({f"{HAND_INS}/carl/model.py": NETWORK}, by="Carl")
    course.base = course.git("rev-parse", "HEAD")
    course.commit({f"{HAND_INS}/carl/train.py": "import torch\n"})
    brought = read(course)
    assert works(brought) == {"carl": "changed"}
    assert "handed in by Carl before" in only(brought).text


def test_a_folder_is_one_work_with_all_its_files_changed_or_not(course):
    files = {f"{HAND_INS}/carl/model.py": NETWORK, f"{HAND_INS}/carl/utils.py": "x = 1\n"}
    course.commit(files, by="Carl")
    course.base = course.git("rev-parse", "HEAD")
    course.commit({f"{HAND_INS}/carl/utils.py": "x = 2\n"}, by="Carl")
    [work] = read(course).works
    assert [file.path.rpartition("/")[2] for file in work.files] == ["model.py", "utils.py"]


def test_two_assignments_at_once_are_two_works(course):
    other = HAND_INS.replace("8k", "20k")
    course.commit({f"{HAND_INS}/bert.py": NETWORK, f"{other}/bert.py": NETWORK})
    assert [work.assignment for work in read(course).works] == ["mnist_20k", "mnist_8k"]


def test_no_change_at_all_is_nothing(course):
    course.commit({})
    brought = read(course)
    assert (brought.works, brought.remarks) == ([], [])


def test_what_else_changed_is_named_and_ignored(course):
    course.commit(
        {
            f"{HAND_INS}/bert.py": NETWORK,
            "noxfile.py": "print('100 points')\n",
            "grader/__init__.py": "print('100 points')\n",
            "grader/new.py": "",
            "assignments/mnist_8k/assignment.toml": "points = 100\n",
            ".github/workflows/grade.yml": "on: never\n",
        }
    )
    brought = read(course)
    assert works(brought) == {"bert.py": "added"}
    workflow, others = said(brought, "warning")
    assert (
        ".github/workflows/grade.yml: this pull request changes how it is graded" in workflow.text
    )
    for name in ("noxfile.py", "grader/__init__.py", "grader/new.py", "assignment.toml"):
        assert name in others.text
    assert not brought.refused


def test_a_file_of_the_project_that_becomes_a_hand_in_is_missed_where_it_was(course):
    course.commit(move={"noxfile.py": f"{HAND_INS}/bert.py"})
    brought = read(course)
    assert list(works(brought)) == ["bert.py"]
    assert "noxfile.py" in only(brought, "warning").text


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("bert.py", "git mv bert.py assignments/NAME/submissions/`, where NAME is"),
        ("submissions/bert.ipynb", "assignments/mnist_8k/submissions/"),
        (
            "assignments/mnist_8k/bert.py",
            "git mv assignments/mnist_8k/bert.py assignments/mnist_8k",
        ),
        ("assignments/mnist_8k/Submissions/bert.py", "assignments/mnist_8k/submissions/"),
        ("assignments/mnist8k/submissions/bert.zip", 'Did you mean "mnist_8k"?'),
        ("Assignments/mnist_8k/submissions/bert.py", "assignments/mnist_8k/submissions/"),
    ],
)
def test_a_hand_in_in_the_wrong_folder_is_told_where_it_belongs(course, path, hint):
    course.commit({path: NETWORK})
    brought = read(course)
    assert works(brought) == {}
    remark = only(brought)
    assert (remark.title, remark.path) == ("In the wrong folder", path)
    assert hint in remark.text


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("weights.pt", b"PK\x03\x04", "holds weights"),
        ("model.txt", NETWORK, "is not a .py file"),
        ("report.pdf", b"%PDF", "is a document"),
        ("bert.ipynb.txt", b'{\n "cells": []}', "notebook under another name"),
    ],
)
def test_the_wrong_kind_of_file_is_told_what_to_hand_in(course, name, content, hint):
    course.commit({f"{HAND_INS}/{name}": content})
    brought = read(course)
    assert works(brought) == {}
    assert hint in only(brought).text


def test_links_and_submodules_are_no_files(course):
    course.commit_tree(
        [
            ("120000", f"{HAND_INS}/link.py", b"/etc/passwd"),
            ("160000", f"{HAND_INS}/module", course.base.encode()),
        ]
    )
    brought = read(course)
    assert works(brought) == {}
    assert [remark.title for remark in said(brought, "error")] == ["Not a file", "Not files"]


@pytest.mark.parametrize(
    "name",
    [
        "a\nb.py",
        "::error::x.py",
        "-rf.py",
        "weiß α\u202e.py",
        "a b'\"$(x).py",
        "::.py",
        "\x1b[31m.py",
    ],
)
def test_rogue_names_are_works_like_all_others_and_harmless_to_print(course, name):
    course.commit({f"{HAND_INS}/{name}": NETWORK})
    brought = read(course)
    assert works(brought) == {name: "added"}
    path = pull_request.shown(brought.works[0].path)
    assert path.isprintable()
    assert "::" not in path


def test_a_name_that_is_not_text_is_a_work_too(course):
    name = b"\xff\xfe.py"
    course.commit_tree(
        [("100644", f"{HAND_INS}/{name.decode('utf-8', 'surrogateescape')}", b"x = 1")]
    )
    [work] = read(course).works
    assert pull_request.shown(work.path) == f"{HAND_INS}/\\udcff\\udcfe.py"


def test_two_names_that_are_one_on_other_systems_are_told(course):
    course.commit({f"{HAND_INS}/Anna.py": NETWORK})
    assert "There is anna.py as well" in only(read(course)).text


def test_a_tree_that_leads_out_of_the_folder_is_refused(course):
    """Such a tree passes no `git fsck`, and a server may take it all the same."""
    blob = course.git("hash-object", "-w", "--stdin", data=b"x = 1")
    tree = f"100644 blob {blob}\t..\0".encode()
    for name in ("evil", "submissions", "mnist_8k", "assignments"):
        made = course.git("mktree", "-z", "--missing", data=tree)
        tree = f"040000 tree {made}\t{name}\0".encode()
    made = course.git("mktree", "-z", data=tree)
    head = course.git("commit-tree", made, "-p", course.base, "-m", "evil", by="Bert")
    brought = read(course, head)
    assert works(brought) == {}
    assert "is a path that no checkout would take" in said(brought, "error")[-1].text


def test_a_project_in_a_folder_of_the_repository(tmp_path):
    course = ClassRepository(tmp_path / "all")
    course.commit(move={"assignments": "course/assignments"}, by="Instructor")
    course.base = course.git("rev-parse", "HEAD")
    course.commit({f"course/{HAND_INS}/bert.py": NETWORK, f"{HAND_INS}/carl.py": NETWORK})
    repository = Repository(course.folder / "course")
    brought = pull_request.read(repository, KNOWN, course.base, "HEAD")
    assert [work.path for work in brought.works] == [f"course/{HAND_INS}/bert.py"]


@pytest.mark.parametrize("name", ["--output=x", "no-such", "", "main\nHEAD", "HEAD^{tree}"])
def test_what_is_no_commit_is_a_wrong_command(course, name):
    with pytest.raises(UsageError, match="There is no commit"):
        read(course, name)


def test_a_clone_without_history_is_told_to_fetch_it(course, tmp_path):
    course.git("clone", "--quiet", "--depth=1", f"file://{course.folder}", str(tmp_path / "clone"))
    with pytest.raises(UsageError, match="fetch-depth: 0"):
        Repository(tmp_path / "clone")


def test_outside_of_a_repository_that_is_said(tmp_path):
    with pytest.raises(UsageError, match="not in a git repository"):
        Repository(tmp_path)


def test_histories_that_have_nothing_in_common(course):
    course.git("checkout", "--quiet", "--orphan", "alone")
    head = course.commit({"x.py": "x = 1\n"})
    with pytest.raises(UsageError, match="no commit in common"):
        read(course, head)
