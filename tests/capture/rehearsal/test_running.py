"""A script runs as the program, a notebook cell by cell, and siblings at their own lines."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from grader.program.listing import Listing
from tests.capture.rehearsal.student import Student, folder, notebook, undone


@pytest.fixture(autouse=True)
def _undone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with undone():
        yield


def script(text: str) -> Listing:
    return Listing.of_file("train.py", dedent(text).strip())


def test_what_a_main_guard_holds_runs():
    found = Student(script("if __name__ == '__main__':\n    import sys; ran = sys.argv"))
    assert found.names["ran"] == sys.argv


def test_an_error_ends_a_script_and_has_its_line():
    found = Student(script("x = 1\ny = x / 0\nz = 2"))
    assert found.troubles == [(2, "It stops with an error: ZeroDivisionError: division by zero")]
    assert "z" not in found.names


def test_an_error_inside_a_loop_keeps_its_line():
    found = Student(script("for x in [1, 0]:\n    a = 1\n    y = 1 / x\n    b = 2"))
    assert found.troubles[0][0] == 3
    assert found.left == [(1, 4)]


def test_an_error_that_the_file_catches_is_seen_to_leave_its_loops():
    source = """
    def train():
        for epoch in range(3):
            for batch in range(3):
                if epoch == 1:
                    raise ValueError("shape")
    try:
        train()
    except Exception as error:
        print(error)
    """
    found = Student(script(source))
    assert found.left == [(3, 5), (2, 5)]
    assert found.troubles == []


def test_break_continue_else_and_return_work_as_ever():
    source = """
    def first(numbers):
        while True:
            for number in numbers:
                if number < 3:
                    continue
                if number == 9:
                    break
                return number
            else:
                return None
            return "nine"
    found = first([1, 4]), first([1]), first([9])
    """
    found = Student(script(source))
    assert found.names["found"] == (4, None, "nine")
    assert found.left == []


def test_exit_codes():
    assert Student(script("import sys; sys.exit(0)")).troubles == []
    found = Student(script("import sys\nsys.exit('no data')"))
    assert found.troubles == [(2, "The file ends the program: no data")]


def test_a_sibling_is_imported_at_its_lines_in_the_listing():
    found = Student(
        folder(
            {
                "train.py": "from model import f\nimport utils\nline = f()\nutils.fail()",
                "model.py": "def f():\n    import sys\n    return sys._getframe().f_lineno",
                "utils.py": "def fail():\n    raise KeyError('a')",
            }
        )
    )
    assert found.names["line"] == 7
    assert found.troubles == [(9, "It stops with an error: KeyError: 'a'")]


def test_packages_of_the_submission_with_relative_imports():
    found = Student(
        folder(
            {
                "src/train.py": "from .nets.small import Net\nfrom src.nets import size\nx = Net.x",
                "src/nets/__init__.py": "size = 4",
                "src/nets/small.py": "from . import size\nfrom ..common import twice\n"
                "class Net:\n    x = twice(size)",
                "src/common.py": "def twice(x): return 2 * x",
            }
        )
    )
    assert found.troubles == []
    assert (found.names["x"], found.names["size"]) == (8, 4)


def test_a_main_file_at_the_top_may_import_relatively():
    found = Student(
        folder({"train.py": "from .model import x\nfrom . import model", "model.py": "x = 1"})
    )
    assert (found.troubles, found.names["x"]) == ([], 1)


def test_a_sibling_is_found_further_up_and_in_another_folder():
    found = Student(
        folder(
            {
                "scripts/train.py": "import top\nimport net\nfrom lib import a",
                "top.py": "x = 1",
                "lib/net.py": "x = 2",
                "lib/a.py": "x = 3",
            }
        )
    )
    assert found.troubles == []
    assert [found.names[name].x for name in ("top", "net", "a")] == [1, 2, 3]


def test_a_name_in_another_case_is_found_with_a_note():
    found = Student(folder({"train.py": "import Model", "model.py": "x = 1"}))
    assert found.troubles == []
    assert found.notes == [
        "The import of Model.py finds model.py only where upper and lower case are the same "
        "(Windows, macOS): write the name as the file has it"
    ]


def test_a_file_never_stands_in_for_what_a_library_imports():
    """Python finds re.py of the student's for everybody; here only the student does."""
    for name in ("re", "tomllib", "tomllib._parser", "tomllib._re"):
        sys.modules.pop(name, None)
    found = Student(
        folder({"train.py": "import this_one", "this_one.py": "import tomllib", "re.py": "1 / 0"})
    )
    assert found.troubles == []


def test_a_cell_that_fails_does_not_stop_the_next():
    found = Student(notebook("x = 1\n1 / 0", "def (", "y = x + 1"))
    assert found.names["y"] == 2
    assert found.troubles == [
        (2, "It stops with an error: ZeroDivisionError: division by zero"),
        (3, "This cell is not valid Python (invalid syntax), and was left out."),
    ]


def test_a_script_that_does_not_parse_says_where():
    (trouble,) = Student(script("x = 1\ndef (")).troubles
    assert trouble == (2, "The file is not valid Python: invalid syntax. Fix this line first.")


def test_a_cell_may_await():
    cell = "import asyncio\nasync def f():\n    return 3\nx = await f()"
    found = Student(notebook(cell, "y = x"))
    assert (found.troubles, found.names["y"]) == ([], 3)


def test_magics_of_a_cell_are_blanked():
    found = Student(notebook("%%time\n!pip install a\nx = 1", "%%bash\nls"))
    assert (found.troubles, found.names["x"]) == ([], 1)


def test_a_cell_that_writes_a_module_is_imported_after_it():
    found = Student(
        notebook(
            "try:\n    import model\nexcept ImportError:\n    early = True",
            ("model.py", "x = 1\nraise_here = lambda: 1 / 0"),
            "import model\ny = model.x\nmodel.raise_here()",
        )
    )
    assert found.names["early"]
    assert found.names["y"] == 1
    assert found.troubles[0][0] == 6


def test_a_cell_that_writes_data_makes_a_file():
    found = Student(
        notebook(
            ("conf/a.yaml", "lr: 0.1"), "with open('conf/a.yaml') as file:\n    x = file.read()"
        )
    )
    assert found.names["x"] == "lr: 0.1"


def test_a_notebook_starts_a_file_as_a_program():
    found = Student(
        notebook(
            ("train.py", "import sys\nargs = sys.argv\nassert __name__ == '__main__'\n1 / 0"),
            "!python train.py --epochs 3",
            "after = 1",
            "!python /content/other.py",
        )
    )
    assert found.troubles[0] == (4, "It stops with an error: ZeroDivisionError: division by zero")
    assert found.troubles[1][0] == 7
    assert "/content/other.py is started here" in found.troubles[1][1]
    assert found.names["after"] == 1


def test_a_script_has_a_file_and_a_notebook_has_none():
    assert Student(script("x = __file__")).names["x"].endswith("train.py")
    assert "__file__" not in Student(notebook("x = 1")).names


def test_a_file_that_was_not_handed_in_is_named_without_what_the_system_calls_it():
    ((line, text),) = Student(script("x = 1\nopen('settings/config.yaml')")).troubles
    assert line == 2
    assert text.startswith("It reads config.yaml, which was not handed in: hand in the folder")


def test_a_syntax_error_that_asks_ends_with_its_question():
    ((_, text),) = Student(script("x = [1 2]")).troubles
    assert "forgot a comma? Fix this line first." in text
