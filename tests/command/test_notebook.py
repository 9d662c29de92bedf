"""A notebook checks its own class: answers as of a command, shown at once, and never a grade."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from grader.command import notebook
from grader.report import Report
from tests.sandboxes import in_one

ROOT = Path(__file__).parents[2]

NET = """
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.05),
            nn.Conv2d(8, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU())
        self.scores = nn.Conv2d(16, {outputs}, 1)

    def forward(self, x):
        return F.log_softmax(self.scores(self.features(x)).mean((2, 3)), 1)
"""
TRAINING = """
import grader
from torchvision import datasets, transforms

images = datasets.MNIST("data", train=True, download=True, transform=transforms.ToTensor())
loader = torch.utils.data.DataLoader(images, batch_size=64, shuffle=True)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(2):
    grader.check(model)
    for x, y in loader:
        optimizer.zero_grad()
        F.nll_loss(model(x), y).backward()
        optimizer.step()
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory, proven):
    """A notebook's shell, in an empty folder."""
    with pytest.MonkeyPatch.context() as patch, in_one(proven):
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        # Other tests rehearse in this process, where the grader's own calls do nothing.
        patch.delitem(sys.modules, "grader.capture", raising=False)
        made = InteractiveShell.instance()
        yield made
        notebook._bench().close()
        InteractiveShell.clear_instance()


def run(shell, text):
    """The result of a cell that is run."""
    return shell.run_cell(text, store_history=True).result


def only_typed(shell, text):
    """A cell that the history holds, without its minutes of running."""
    shell.history_manager.store_inputs(shell.execution_count, text)
    shell.execution_count += 1


def by_name(report):
    return {check.name: check for check in report.checks}


def test_a_class_of_a_cell_is_checked_and_the_answer_says_that_it_is_no_grade(shell):
    run(shell, NET.format(outputs=10))
    card = run(shell, "import grader\ngrader.check(Net, assignment='mnist_20k')")
    report = card.report
    assert report.self_check
    assert report.verdict == "passed_so_far"
    assert by_name(report)["parameter_limit"].measured == "3,642 parameters"
    assert "SELF-CHECK: not a grade" in repr(card)
    assert "SELF-CHECK: not a grade" in card._repr_html_()
    assert json.loads(card.to_json())["self_check"] is True
    schema = json.loads((ROOT / "schema" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(card.to_json()), schema)
    assert not Path("grades").exists()


def test_the_newest_version_of_the_class_counts_and_its_fault_has_the_cells_number(shell):
    run(shell, NET.format(outputs=11))
    number = shell.execution_count - 1
    problem = run(shell, "%load_ext grader\n%grader check Net").report.problem
    assert "11 scores for 10 classes" in problem.message
    assert problem.cell == number
    run(shell, NET.format(outputs=10))
    assert run(shell, "grader.check(Net)").report.problem is None


def test_a_training_is_left_to_grade_which_rehearses_the_cells(shell):
    run(shell, NET.format(outputs=10))
    only_typed(shell, TRAINING)
    checked = by_name(run(shell, "grader.check(Net())").report)
    assert checked["epochs"].verdict == "skipped"
    assert "grader.grade(Net)" in checked["epochs"].detail
    report = run(shell, "grader.grade(Net, dataset='practice', epochs=1, device='cpu')").report
    assert report.self_check
    assert report.recipe.origin == "rehearsed", report.recipe
    assert by_name(report)["epochs"].measured == "2 epochs"
    assert report.training.practice
    assert report.training.score > 0


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("grader.check(Net, assignment='mnist_8')", 'Did you mean "mnist_8k"?'),
        ("grader.check(3)", "int is not a network: it has no forward()"),
        ("%grader chek Net", "invalid choice: 'chek'"),
        ("grader.check('nowhere.py')", "There is no file or folder"),
    ],
)
def test_a_mistake_in_the_call_is_one_sentence(shell, call, answer, capsys):
    run(shell, "import grader\n%load_ext grader")
    assert run(shell, call) is None
    said = capsys.readouterr()
    assert answer in said.err
    assert "Traceback" not in said.err + said.out


def test_cells_that_have_not_changed_are_answered_at_once(shell):
    run(shell, NET.format(outputs=10))
    first = run(shell, "import grader\ngrader.check(Net, assignment='mnist_20k')").report
    assert run(shell, "grader.check(Net)").report is first
    assert run(shell, "grader.check(Net, assignment='mnist_8k')").report is not first
    run(shell, NET.format(outputs=10).replace("0.05", "0.06"))
    assert run(shell, "grader.check(Net, assignment='mnist_20k')").report is not first


def test_what_to_type_next_is_said_as_a_notebook_takes_it(shell):
    run(shell, NET.format(outputs=10))
    text = repr(run(shell, "import grader\ngrader.check(Net, assignment='mnist_20k')"))
    assert "next      grader.grade(Net)   trains it" in text
    assert "grader grade" not in text


def test_loading_the_magic_starts_the_sandbox(shell):
    notebook._bench().close()
    run(shell, "%load_ext grader\n%reload_ext grader")
    assert notebook._bench()._room is not None


def test_a_file_can_be_checked_too(shell, tmp_path):
    file = tmp_path / "model.py"
    file.write_text(NET.format(outputs=10), encoding="utf-8")
    card = notebook.check(file, assignment="mnist_8k")
    assert card.report.assignment == "mnist_8k"
    assert by_name(card.report)["parameter_limit"].verdict == "passed"


def test_a_real_notebook_shows_the_page(tmp_path):
    book = nbformat.v4.new_notebook()
    cells = (f"import sys\nsys.path.insert(0, {str(ROOT)!r})", NET.format(outputs=10))
    last = "import grader\ngrader.check(Net, assignment='mnist_8k')"
    book.cells = [nbformat.v4.new_code_cell(text) for text in (*cells, last)]
    NotebookClient(book, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output for output in book.cells[-1].outputs if output.output_type == "execute_result"]
    assert shown[0].data["text/html"].startswith("<iframe srcdoc=")
    assert "SELF-CHECK" in shown[0].data["text/plain"]


def test_importing_the_grader_loads_nothing_heavy_and_old_pythons_are_told():
    code = "import sys, grader; print({'torch', 'numpy', 'rich', 'pydantic'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
    old = "import sys\nsys.version_info = (3, 9, 18, 'final', 0)\nimport grader"
    done = subprocess.run(
        [sys.executable, "-c", old], cwd=ROOT, capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: The grader needs Python 3.11 or newer, and this is 3.9.18")


def test_a_report_from_before_there_were_self_checks_is_a_grade():
    text = (ROOT / "tests" / "render" / "golden" / "report.json").read_text(encoding="utf-8")
    before = {name: value for name, value in json.loads(text).items() if name != "self_check"}
    assert Report.model_validate_json(json.dumps(before)).self_check is False
