"""Who is late, by what a platform says; nobody else is called late or in time."""

from datetime import UTC, datetime

import pytest

from grader.classroom import late
from grader.submission.find import discover
from grader.submission.submission import UsageError
from tests.submission.test_class import GRADESCOPE, GRADESCOPE_LIST
from tests.submission.test_folder import lay

DUE = datetime(2024, 1, 1, 10, 30, tzinfo=UTC)
CODE = b"import torch\n"


def found(folder, due=None):
    items = discover([folder], ["mnist_8k"], root=folder, assignment="mnist_8k")
    answers = late.of(items, due)
    return {item.shown: answers[item.name] for item in items}


def test_canvas_marks_the_late_in_their_names(tmp_path):
    lay(tmp_path, {"doejane_LATE_11111_222_a.py": CODE, "roe_11112_223_LATE_b.py": CODE})
    assert found(tmp_path) == {"doejane": True, "roe": False}


def test_gradescope_says_when_and_the_deadline_decides(tmp_path):
    lay(tmp_path, GRADESCOPE)
    folder = tmp_path / "assignment_1_export"
    assert found(folder, DUE) == {
        "Jane Doe": False,
        "José María and Jo O'Neill": True,
        "submission_13": None,
    }
    assert set(found(folder).values()) == {None}


def test_a_file_on_the_disk_says_nothing(tmp_path):
    lay(tmp_path, {"jane.py": CODE, "joe.py": b"import torch\nx = 1\n"})
    assert set(found(tmp_path, DUE).values()) == {None}


def test_times_are_read_in_gradescopes_own_words():
    assert late.times(GRADESCOPE_LIST.decode()) == {
        "submission_11": datetime(2024, 1, 1, 10, tzinfo=UTC),
        "submission_12": datetime(2024, 1, 1, 11, tzinfo=UTC),
    }


def test_a_deadline_has_a_day_and_a_time():
    assert late.deadline("2024-01-01T11:30+01:00") == DUE
    with pytest.raises(UsageError, match="write the day and the time"):
        late.deadline("next friday")
