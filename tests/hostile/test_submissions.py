"""Every hostile or broken submission, at every level: the right answer, in time, and nothing left
behind.

Without `--hostile` only the first of each entry of the catalogue, at the highest of its levels.
`python -m tests.hostile` grades all of them too, and prints the table of docs/security.md.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest

from grader.sandbox import isolation
from grader.sandbox.level import NAMES
from tests.hostile.case import Case
from tests.hostile.catalogue import CASES, ENTRIES
from tests.hostile.run import graded
from tests.sandboxes import needs

EVERY_CASE = [case for cases in CASES.values() for case in cases]
FIRST = {case.answers: case for case in reversed(EVERY_CASE)}.values()


def run(case: Case, level: int):
    """The case at that level, in every test run or with `--hostile`."""
    always = case in FIRST and level == max(case.levels)
    name = f"{case.name}-{NAMES[level]}".encode("ascii", "replace").decode()
    return pytest.param(case, level, id=name, marks=() if always else pytest.mark.hostile)


pytestmark = pytest.mark.usefixtures("only_linux", "own_temporary_folder")


@pytest.fixture(scope="module")
def only_linux():
    needs(2)


@pytest.fixture(scope="module", autouse=True)
def own_temporary_folder(tmp_path_factory):
    """Level 1 and the zygotes make their folders here, so that what they leave is seen."""
    folder, before = tmp_path_factory.mktemp("temporary"), tempfile.tempdir
    tempfile.tempdir = str(folder)
    yield folder
    tempfile.tempdir = before


@pytest.mark.parametrize(
    ("case", "level"), [run(case, level) for case in EVERY_CASE for level in case.levels]
)
def test_it_gets_the_right_answer_in_time_and_leaves_nothing(
    case, level, request, tmp_path, own_temporary_folder
):
    sandbox = (
        isolation.Fresh()
        if level == 1
        else request.getfixturevalue("locked" if level == 2 else "boxed")
    )
    before = set(own_temporary_folder.iterdir())
    answer = graded(case, sandbox, tmp_path)
    assert answer.complaints == ()
    assert {
        path for path in set(own_temporary_folder.iterdir()) - before if _is_ours(path)
    } == set()


def _is_ours(path: Path) -> bool:
    return not path.name.startswith("torchinductor_")


@pytest.mark.parametrize("group", CASES)
def test_every_entry_of_the_catalogue_has_a_case(group):
    assert {case.answers for case in CASES[group]} == set(ENTRIES[group])


def test_no_two_cases_have_one_name():
    names = Counter(case.name for case in EVERY_CASE)
    assert [name for name, count in names.items() if count > 1] == []
