"""The figures count what their names say, and the grader is built as CONTRIBUTING.md draws it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.house.figures import arrows, imports, measure, read

ROOT = Path(__file__).resolve().parents[2]
GRADER = ROOT / "grader"
FUNCTION = "def answer():\n    return 42\n"


@pytest.fixture
def package(tmp_path):
    """Write a package `toy` of the files given, with one function in its `__init__.py`."""

    def write(files):
        folder = tmp_path / "toy"
        for name, text in {"__init__.py": FUNCTION, **files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def one_file(package):
    """Measure a package whose only module holds the text given."""
    return lambda text: measure(package({"a.py": text}))


@pytest.fixture(scope="module")
def house():
    """The grader, measured."""
    return measure(GRADER)


# Files and functions


def test_a_file_and_a_function_are_as_long_as_an_editor_shows(package):
    house = measure(package({"a.py": "x = 1\n\n\ndef long():\n    a = 1\n    return a\n"}))
    assert house.files == 2
    assert house.median_file == 4  # 2 lines and 6
    assert (house.largest_file.place, house.largest_file.lines) == ("toy/a.py", 6)
    assert (house.functions, house.median_function) == (2, 2.5)  # 2 lines and 3
    assert house.longest_function.place == "toy/a.py:4 long"


def test_the_top_holds_modules_and_the_folders_that_hold_python(package):
    files = {"b.py": "", "room/deep/c.py": "", "pages/gap.md": "", "__main__.py": ""}
    assert measure(package(files)).top == ("__main__.py", "b.py", "room/")


def test_a_folder_without_python_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no Python function"):
        measure(tmp_path)


# Imports


def test_a_circle_of_imports_is_found_also_inside_a_function(package):
    files = {
        "a.py": "from toy import b",
        "b.py": "from toy.c import name",
        "c.py": "name = 1\ndef late():\n    import toy.a",
    }
    assert measure(package(files)).cycles == (("toy.a", "toy.b", "toy.c"),)


def test_a_circle_among_types_is_a_circle_among_types_only(package):
    types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy import b\n"
    house = measure(package({"a.py": types, "b.py": "from toy import a"}))
    assert house.cycles == ()
    assert house.cycles_with_types == (("toy.a", "toy.b"),)


def test_the_else_of_type_checking_runs(package):
    types = "import typing\nif typing.TYPE_CHECKING:\n    b = 1\nelse:\n    from toy import b\n"
    house = measure(package({"a.py": types, "b.py": "from toy import a"}))
    assert house.cycles == (("toy.a", "toy.b"),)


def test_two_circles_are_two_and_a_module_beside_them_is_in_none(package):
    files = {
        "a.py": "from toy import b",
        "b.py": "from toy import a",
        "c.py": "from toy import a, d",
        "d.py": "from toy import c",
        "e.py": "from toy import c",
    }
    assert measure(package(files)).cycles == (("toy.a", "toy.b"), ("toy.c", "toy.d"))


@pytest.mark.parametrize(
    ("line", "imported"),
    [
        ("from toy import a", "toy.a"),
        ("from toy import answer", "toy"),
        ("from toy.a import name", "toy.a"),
        ("from toy.a import *", "toy.a"),
        ("import toy.room.c", "toy.room.c"),
        ("from . import b", "toy.room.b"),
        ("from .b import name", "toy.room.b"),
        ("from .. import a", "toy.a"),
        ("from ..a import name", "toy.a"),
    ],
)
def test_an_import_points_at_the_module_that_holds_the_name(package, line, imported):
    files = {"a.py": "", "room/__init__.py": "", "room/b.py": "", "room/c.py": line}
    [found] = imports(read(package(files)))
    assert (found.importer, found.imported) == ("toy.room.c", imported)


def test_a_dot_in_an_init_file_is_its_own_folder(package):
    files = {"room/__init__.py": "from .b import name", "room/b.py": ""}
    [found] = imports(read(package(files)))
    assert (found.importer, found.imported) == ("toy.room", "toy.room.b")


def test_imports_from_elsewhere_are_not_counted(package):
    assert imports(read(package({"a.py": "import os\nfrom toys import b", "b.py": ""}))) == []


def test_only_an_import_of_our_own_under_another_name_is_renamed(package):
    text = "import numpy as np\nfrom toy import b as c\nfrom toy.b import x as x\n"
    assert measure(package({"a.py": text, "b.py": "x = 1"})).renamed_imports == ("toy/a.py:2",)


def test_a_module_that_nobody_imports_or_starts_is_found(package):
    files = {
        "lonely.py": "from toy import used, lonely",
        "used.py": "",
        "__main__.py": "",
        "checks/test_gap.py": "",
        "program.py": 'if __name__ == "__main__":\n    pass\n',
    }
    assert measure(package(files)).never_imported == ("toy.lonely",)


# Lines and breath


def test_a_comprehension_inside_another_is_found_once(one_file):
    house = one_file(
        "x = [[[1 for a in b] for c in d] for e in f]\ny = [a for b in c for a in b]\n"
    )
    assert house.nested_comprehensions == ("toy/a.py:1", "toy/a.py:1")  # three, two of them inside
    assert house.several_for == ("toy/a.py:2",)


def test_a_condition_inside_a_call_is_found_at_any_depth_once(one_file):
    house = one_file("x = f(g([1 if a else 2]))\ny = 1 if f(a) else 2\nz = f(key=1 if a else 2)\n")
    assert house.conditions_in_calls == ("toy/a.py:1", "toy/a.py:3")


def test_per_100_counts_the_lines_that_are_not_empty(one_file):
    house = one_file("x = 1 if a else 2  # why\n\n# alone\ny = '#'\nz = {a for a in b}\n")
    assert (house.lines, house.filled_lines) == (7, 6)  # with the two of __init__.py
    assert house.conditions_per_100 == pytest.approx(100 / 6)
    assert house.comprehensions_per_100 == pytest.approx(100 / 6)
    assert house.comments_per_100 == pytest.approx(200 / 6)
    assert house.comment_lines_per_100 == pytest.approx(100 / 6)


def test_a_line_of_100_columns_is_not_long(one_file):
    house = one_file(f"#{99 * '-'}\n#{100 * '-'}\n")
    assert house.long_lines == ("toy/a.py:2",)
    assert house.long_line_share == 1 / 4


# Functions


def test_a_module_that_defines_its_own_name_is_found(package):
    files = {
        "cost.py": "def cost(): ...",
        "trial.py": "class trial: ...",
        "program.py": "class Program: ...",  # another word: nobody needs an alias
        "wire.py": "class Wire:\n    def wire(self): ...",
        "rules/__init__.py": "async def rules(): ...",
    }
    assert measure(package(files)).own_name == ("toy.cost", "toy.rules", "toy.trial")


def test_a_private_function_of_one_line_called_once_is_found(one_file):
    house = one_file('''\
        def _once(x):
            """Say why."""
            return x
        def _twice(x):
            return x
        def _long(x):
            y = x
            return y
        def _handed_on(x):
            return x
        def public(x):
            return x
        a = _once(1), _twice(1), _twice(2), _long(1), public(1), _handed_on(1), map(_handed_on, [])
    ''')
    assert house.one_line_helpers == ("toy/a.py:1",)


def test_the_figures_are_printed_as_a_table_or_as_json(package):
    command = [sys.executable, "-m", "tests.house", str(package({"a.py": "x = 1\n"}))]
    table = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r"files +│ 2 ", table)
    command.append("--json")
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(text)["top"] == ["a.py"]


# The grader itself


def test_imports_run_one_way_also_among_types(house):
    assert house.cycles == ()
    assert house.cycles_with_types == ()


def test_at_most_21_names_stand_at_the_door(house):
    assert len(house.top) <= 21, house.top


def test_contributing_names_everything_at_the_door(house):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in house.top if not re.search(rf"(?<![\w.]){name}", text)] == []


def test_no_comprehension_stands_inside_another(house):
    assert house.nested_comprehensions == ()


def test_no_line_is_over_100_columns(house):
    assert house.long_lines == ()


def test_every_module_is_imported_or_started(house):
    assert house.never_imported == ()


def test_only_the_child_imports_its_own_modules():
    drawn = arrows(imports(read(GRADER)), with_types=True)
    child = {name for name in drawn if is_child(name)}
    outside = {name for name in drawn.keys() - child if any(map(is_child, drawn[name]))}
    assert child, "grader/capture is gone: this test looks for it by name"
    assert outside == set()


def is_child(module):
    return f"{module}.".startswith("grader.capture.")
