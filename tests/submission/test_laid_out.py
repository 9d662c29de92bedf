"""What a pull request brings lies on the disk as git holds it, and no more of it than is read."""

import io
import os
import zipfile

import pytest

from grader.submission import find, laid_out, pull_request
from grader.submission.repository import Repository
from tests.class_repository import HAND_INS, NETWORK, ClassRepository

KNOWN = ("mnist_20k", "mnist_8k")


@pytest.fixture
def course(tmp_path):
    return ClassRepository(tmp_path / "course")


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "laid out"
    folder.mkdir()
    return folder


def lay_out(course, place):
    """The head's works as files, from a checkout of the base; the remarks."""
    head = course.git("rev-parse", "HEAD")
    course.back()
    repository = Repository(course.folder)
    brought = pull_request.read(repository, KNOWN, course.base, head)
    return list(laid_out.lay_out(brought.works, repository, place, course.folder))


def found(place):
    folders = sorted((place / "assignments").iterdir())
    return find.look(folders, KNOWN, root=place)


def test_files_notebooks_archives_and_folders_are_found_as_in_a_class(course, place):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("model.py", NETWORK)
    other = HAND_INS.replace("8k", "20k")
    course.commit(
        {
            f"{HAND_INS}/bert.py": NETWORK,
            f"{HAND_INS}/carl.zip": stream.getvalue(),
            f"{HAND_INS}/dora/model.py": f"from utils import SIZE\n{NETWORK}",
            f"{HAND_INS}/dora/utils.py": "SIZE = 3\n",
            f"{other}/emil.py": NETWORK,
        }
    )
    assert lay_out(course, place) == []
    works = {(one.assignment, one.name): one for one in found(place).submissions}
    assert set(works) == {
        ("mnist_20k", "emil"),
        ("mnist_8k", "bert"),
        ("mnist_8k", "carl"),
        ("mnist_8k", "dora"),
    }
    assert not [one for one in works.values() if one.problem]
    assert works["mnist_8k", "bert"].display == f"{HAND_INS}/bert.py"
    assert works["mnist_8k", "bert"].source == NETWORK
    assert len(works["mnist_8k", "dora"].listing.parts) == 2


def test_nothing_but_the_pull_requests_works_is_written(course, place):
    course.commit({f"{HAND_INS}/bert.py": NETWORK, "noxfile.py": "x = 1\n"})
    lay_out(course, place)
    files = [file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file()]
    assert sorted(files) == ["assignments/mnist_8k/assignment.toml", f"{HAND_INS}/bert.py"]


def test_the_rules_are_those_that_are_checked_out(course, place):
    rules = "assignments/mnist_8k/assignment.toml"
    before = (course.folder / rules).read_text()
    course.commit({f"{HAND_INS}/bert.py": NETWORK, rules: "everything = 'allowed'\n"})
    lay_out(course, place)
    assert (place / rules).read_text() == before


def test_links_and_submodules_in_a_folder_are_not_made(course, place):
    course.commit_tree(
        [
            ("100644", f"{HAND_INS}/dora/model.py", NETWORK.encode()),
            ("120000", f"{HAND_INS}/dora/data", b"/etc"),
        ]
    )
    assert lay_out(course, place) == []
    assert os.listdir(place / HAND_INS / "dora") == ["model.py"]  # noqa: PTH208 - names alone


def test_no_more_is_written_of_a_file_than_tells_that_it_is_too_large(course, place):
    course.commit({f"{HAND_INS}/bert.py": b"x" * 10_000_000})
    assert lay_out(course, place) == []
    assert (place / HAND_INS / "bert.py").stat().st_size == laid_out.MOST[".py"] + 1
    [work] = found(place).submissions
    assert "larger than 256 KiB" in work.problem.message


def test_a_pull_request_that_is_too_large_in_all_is_told(course, place, monkeypatch):
    monkeypatch.setattr(laid_out, "MOST_TOTAL", 1000)
    course.commit({f"{HAND_INS}/bert.py": "x" * 600, f"{HAND_INS}/carl.py": "x" * 600})
    [remark] = lay_out(course, place)
    assert (remark.level, remark.path) == ("error", f"{HAND_INS}/carl.py")
    assert "It is too large" in remark.text


def test_a_name_that_this_disk_does_not_take_is_told(course, place, monkeypatch):
    course.commit({f"{HAND_INS}/bert.py": NETWORK, f"{HAND_INS}/carl.py": NETWORK})
    write = laid_out._write

    def refuse(file, *others):
        if file.path.endswith("bert.py"):
            raise FileExistsError(17, "File exists")
        write(file, *others)

    monkeypatch.setattr(laid_out, "_write", refuse)
    [remark] = lay_out(course, place)
    assert (remark.path, "File exists" in remark.text) == (f"{HAND_INS}/bert.py", True)
    assert [one.name for one in found(place).submissions] == ["carl"]


@pytest.mark.parametrize("name", ["a\nb.py", "weiß \u202e.py", "-rf.py", "::error::.py"])
def test_a_rogue_name_is_a_file_like_all_others(course, place, name):
    course.commit({f"{HAND_INS}/{name}": NETWORK})
    lay_out(course, place)
    [work] = found(place).submissions
    assert work.problem is None
    assert work.display.isprintable()
