"""The cells that were run become the notebook that could be handed in."""

import json

import pytest

from grader.command import cells
from grader.submission import assembly

NET = "class Net(nn.Module):\n    pass"


def texts(inputs, model=""):
    notebook = json.loads(cells.as_notebook(inputs, model))
    return [cell["source"] for cell in notebook["cells"]]


def test_a_cell_that_was_rewritten_counts_in_its_newest_version():
    old, new = "class Net(nn.Module):\n    width = 8", NET
    assert texts([old, "model = Net()", new]) == ["", "model = Net()", new]


def test_a_cell_that_was_run_twice_counts_once():
    assert texts(["import torch", "train()", "train()"]) == ["import torch", "", "train()"]


def test_two_functions_are_not_rewritten_by_one_of_them():
    both, one = "def a(): ...\ndef b(): ...", "def a(): return 1"
    assert texts([both, one]) == [both, one]


def test_the_class_that_is_meant_is_named_at_the_end():
    assert texts([NET], "Net") == [NET, "MODEL = Net"]


def test_calls_of_the_grader_at_the_end_leave_no_cells():
    assert texts(["x = 1", "", NET, "grader.check(Net)", " "], "Net") == [
        "x = 1",
        "",
        NET,
        "MODEL = Net",
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("grader.check(Net)", ""),
        ("card = grader.check(Net).report\nx = 1", "\nx = 1"),
        (
            "from grader import check\ncheck(\n    Net\n)\ny = 2",
            "from grader import check\n\n\n\ny = 2",
        ),
        ("%load_ext grader\n%grader check Net\nz = 3", "\n\nz = 3"),
        ("import grader as g\ng.grade()", "import grader as g\n"),
        ("for _ in range(2):\n    grader.check(Net)", None),  # does nothing where it is rehearsed
        ("graders = check(Net)", None),
        ("%grader_of_mine x", None),
        ("this is (not Python", None),
    ],
)
def test_the_graders_own_lines_are_left_out_and_the_others_stay_where_they_are(text, left):
    assert cells.without_ours(text) == (text if left is None else left)


def test_a_cell_has_the_number_that_the_notebook_shows():
    content = cells.as_notebook(["import torch", "grader.check(Net)", NET])
    listing = assembly.of_file("notebook.ipynb", content).listing
    line = next(part.first for part in listing.parts if "class Net" in part.text)
    assert str(listing.place(line)) == "cell 3, line 1"
