"""Files of a folder are read like the main one: definitions only, when they are imported."""

from __future__ import annotations

import json
import sys
from textwrap import dedent

import pytest
import torch

from grader.capture import capture, find, siblings, warm
from grader.capture.load import Definitions, read_definitions
from grader.errors import SubmissionError
from grader.program.listing import Part
from grader.program.rehearsed import TrainedNetwork

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.head = nn.Linear(784, 10)
        self.width = width

    def forward(self, x):
        return self.head(x.flatten(1))
"""


@pytest.fixture(autouse=True)
def _undone():
    path = list(sys.meta_path)
    yield
    sys.meta_path[:] = path
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if isinstance(getattr(spec, "loader", None), siblings.Finder):
            del sys.modules[name]


def read(files: dict[str, str]) -> Definitions:
    """The definitions of the first file, beside the others."""
    first, parts = 1, []
    for name, text in files.items():
        parts.append(Part(file=name, first=first, text=dedent(text)))
        first = parts[-1].last + 1
    return read_definitions(parts[0].text, parts[0].file, files=parts[1:])


def built(definitions: Definitions) -> find.Builder:
    return find.find_builder(
        definitions, example=torch.rand(2, 1, 28, 28), classes=10, filename="train.py"
    )


def test_the_network_of_another_file_is_found_at_its_line_in_the_listing():
    builder = built(read({"train.py": "from model import Net\ntrain()", "model.py": NET}))
    assert (builder.name, builder.line) == ("Net", 7)  # two lines, then the fifth
    assert type(builder.build(0)).__module__ == "submission.model"


@pytest.mark.parametrize(
    "line",
    [
        "import model\nnet = model.Net(width=8)",
        "import model as m\nnet = m.Net(width=8)",
        "from model import *\nnet = Net(width=8)",
        "from model import Net as Mine\nnet = Mine(width=8)",
        "from .model import Net\nnet = Net(width=8)",
        "from model import make\nnet = make()",
    ],
)
def test_however_it_is_imported(line):
    definitions = read({"train.py": line, "model.py": f"{NET}\ndef make(): return Net(8)\n"})
    assert definitions.instance("net").width == 8
    assert definitions.notes == []


def test_the_other_file_does_not_train_either():
    files = {"train.py": "from model import Net", "model.py": f"{NET}\nraise SystemExit(3)\n"}
    definitions = read(files)
    assert built(definitions).name == "Net"
    assert [(item.line, item.text) for item in definitions.left_out] == [
        (15, "raise SystemExit(3)")
    ]


def test_a_package_with_an_init_and_a_folder_without():
    definitions = read(
        {
            "train.py": "from nets import Net\nfrom lib.sizes import width\nnet = Net(width)",
            "nets/__init__.py": "from .small import Net",
            "nets/small.py": "from lib.sizes import width\n" + NET,
            "lib/sizes.py": "width = 16",
        }
    )
    assert definitions.instance("net").width == 16
    assert type(built(definitions).build(0)) is definitions.names["Net"]


def test_files_that_import_each_other():
    definitions = read(
        {
            "train.py": "from a import Net\nnet = Net()",
            "a.py": "import b\n" + NET + "\nSIZE = 3",
            "b.py": "import a\ndef size(): return a.SIZE",
        }
    )
    assert definitions.instance("net").width == 4
    assert definitions.names["Net"].__init__.__globals__["__name__"] == "submission.a"


def test_a_data_class_of_another_file():
    text = "from dataclasses import dataclass\n@dataclass\nclass Config:\n    width: int = 9\n"
    definitions = read({"train.py": "from config import Config\nnet = Config()", "config.py": text})
    assert definitions.instance("net").width == 9


def test_settings_of_another_file():
    definitions = read(
        {"train.py": "from config import EPOCHS, BATCH_SIZE", "config.py": "EPOCHS = 3"}
    )
    assert definitions.names["EPOCHS"] == 3
    assert type(definitions.names["BATCH_SIZE"]).__name__ == "Missing"


def test_what_fails_in_another_file_says_where():
    definitions = read(
        {
            "train.py": "from model import Net\nmodel = Net()",
            "model.py": "import nothing_like_it\nclass Net(nothing_like_it.Module):\n    pass",
        }
    )
    with pytest.raises(SubmissionError, match="nothing_like_it, which is not installed") as caught:
        definitions.instance("model")
    assert caught.value.line == 3


def test_a_file_that_is_not_python_is_named():
    definitions = read({"train.py": "from model import Net\nnet = Net()", "model.py": "class ("})
    with pytest.raises(SubmissionError, match=r"model\.py is not valid Python: invalid syntax"):
        definitions.instance("net")


def test_a_name_in_another_case_is_noted():
    definitions = read({"train.py": "from Model import Net\nnet = Net()", "model.py": NET})
    assert definitions.instance("net").width == 4
    assert definitions.notes == [
        "The import of Model.py finds model.py only where upper and lower case are the same "
        "(Windows, macOS): write the name as the file has it"
    ]


def test_one_file_is_one_module_under_two_names():
    definitions = read(
        {
            "src/train.py": "from src.model import Net\nimport model\nnet = model.Net()",
            "src/model.py": NET,
        }
    )
    assert type(definitions.instance("net")) is definitions.names["Net"]


def test_the_class_that_was_trained_is_built_with_its_arguments():
    files = {"train.py": "import model", "model.py": f"{NET}\nclass Other(Net): pass\n"}
    trained = TrainedNetwork(file="model.py", name="Other", keywords={"width": 7}, line=1)
    builder = find.trained_builder(read(files), trained, "train.py")
    assert builder is not None
    assert builder.build(0).width == 7


def test_a_cell_that_does_not_parse_is_left_out():
    cells = [
        Part(file="a.ipynb", cell=1, first=1, text="%%time\n  EPOCHS = 3"),
        Part(file="a.ipynb", cell=2, first=3, text="x = 1\ndef ("),
        Part(file="a.ipynb", cell=3, first=5, text="BATCH_SIZE = 64\n!ls"),
    ]
    definitions = read_definitions("", "a.ipynb", cells=cells)
    assert (definitions.names["EPOCHS"], definitions.names["BATCH_SIZE"]) == (3, 64)
    assert definitions.lines == {"EPOCHS": 2, "BATCH_SIZE": 5}
    assert [(item.line, item.reason) for item in definitions.left_out] == [
        (1, "a notebook command, not Python"),
        (4, "the cell is not valid Python"),
        (6, "a notebook command, not Python"),
    ]


def test_a_network_of_lightning_is_built_without_lightning():
    source = NET.replace("nn.Module", "pl.LightningModule").replace(
        "import torch\n", "import torch, torchmetrics\nimport pytorch_lightning as pl\n"
    )
    source = source.replace(
        "self.width = width",
        "self.save_hyperparameters(); self.width = self.hparams.width\n"
        "        self.accuracy = torchmetrics.Accuracy(task='multiclass', num_classes=10)",
    )
    builder = built(read_definitions(source, "train.py"))
    assert builder.build(0)(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_a_folder_is_captured_with_the_network_that_was_trained():
    files = [
        Part(file="nets/model.py", first=3, text=NET),
        Part(file="nets/__init__.py", first=20, text="from .model import *"),
    ]
    request = warm.REQUEST.model_copy(
        update={
            "source": "from nets import Net\nraise SystemExit",
            "filename": "train.py",
            "siblings": tuple(files),
            "trained": TrainedNetwork(file="nets/model.py", name="Net", arguments=(5,), line=1),
        }
    )
    program = json.loads(capture.answer(request)[0])
    assert program["model"] == "Net"
    assert program["line"] == 7  # the class, in the listing
    assert {module["line"] for module in program["modules"] if module["line"]} == {10}
