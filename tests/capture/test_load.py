"""Definitions are loaded, scripts are not run: the habits of real students' files."""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.capture.load import Definitions, Missing, load
from grader.errors import SubmissionError
from tests.capture.sources import FILE, net, text


@pytest.fixture(autouse=True)
def _as_in_the_child(monkeypatch):
    monkeypatch.setattr(sys, "argv", [FILE])


def loaded(source: str) -> Definitions:
    return load(source, FILE)


def left_out(source: str) -> list[tuple[int, str]]:
    return [(item.line, item.reason) for item in loaded(source).left_out]


def use(definitions: Definitions, name: str = "Net"):
    return definitions.names[name]()


def complaint(source: str, name: str = "Net") -> SubmissionError:
    """What building the network says, once the file has loaded without complaint."""
    definitions = loaded(source)
    with pytest.raises(SubmissionError) as caught:
        use(definitions, name)
    return caught.value


def test_classes_are_found_in_order_with_their_lines():
    definitions = loaded(text(net(name="Block") + net()))
    assert list(definitions.classes) == ["Block", "Net"]
    assert (definitions.lines["Block"], definitions.lines["Net"]) == (4, 10)


def test_an_imported_class_is_not_the_students():
    assert list(loaded(text("from torch.nn import Linear\n" + net())).classes) == ["Net"]


def test_a_training_loop_does_not_run_and_is_named():
    source = text(net() + "model = Net()\nfor epoch in range(3):\n    raise SystemExit('trained')\n")
    assert left_out(source) == [
        (10, "not needed to build the network"),
        (11, "it does something instead of defining it"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "sys.exit(3)",
        "print(1 / 0)",
        "1 / 0",
        "while True: pass",
        "with open('/nowhere') as file: pass",
        "input()",
        "del Net",
        "raise ValueError",
        "assert False",
        "if True: print(1 / 0)",
        "try:\n    main()\nexcept ValueError:\n    pass",
        "try:\n    import sys\nfinally:\n    print(1 / 0)",
        "import sys; sys.exit()",
        "for _ in (): pass",
    ],
)
def test_what_does_something_at_the_top_level_never_runs(line):
    definitions = loaded(text(net() + line + "\n"))
    assert use(definitions)
    assert [item.line for item in definitions.left_out][-1:] == [10]


def test_what_runs_under_the_main_guard_is_named_as_such():
    assert left_out(text(net() + 'if __name__ == "__main__":\n    main()\n')) == [
        (10, "runs only when the file is the program")
    ]


def test_documentation_is_not_named_as_left_out():
    assert left_out('"""A network."""\n' + text(net()) + '"""The end."""\n') == []


def test_notebook_lines_are_left_out_and_the_lines_keep_their_numbers():
    source = "!pip install torch\n%matplotlib inline\n%%time\n" + text(net())
    definitions = loaded(source)
    assert definitions.lines["Net"] == 7
    assert [(item.line, item.text) for item in definitions.left_out] == [
        (1, "!pip install torch"),
        (2, "%matplotlib inline"),
        (3, "%%time"),
    ]


def test_a_line_that_begins_with_a_percent_sign_may_be_a_formula():
    definitions = loaded("EPOCHS = (7\n    %4)\nNAME = ('%s'\n    %'a')\n")
    assert definitions.names["EPOCHS"] == 3


@pytest.mark.parametrize("package", ["tqdm_x", "torchsummary_x", "matplotlib_x.pyplot"])
def test_a_missing_package_that_the_network_does_not_use_is_no_problem(package):
    definitions = loaded(text(f"import {package} as package\n" + net() + "def train():\n    package.run(Net())\n"))
    assert use(definitions)
    assert definitions.notes == []


def test_a_missing_package_that_the_network_uses_is_named_with_its_line():
    error = complaint(text("from einops_x import Rearrange\n" + net("self.flat = Rearrange()")))
    assert "The network uses einops_x, which is not installed here" in error.message
    assert error.line == 4


def test_a_missing_base_class_complains_when_it_is_built():
    error = complaint(text("import lightning_x as L\nclass Net(L.LightningModule):\n    pass\n"))
    assert "lightning_x" in error.message
    assert error.line == 4


def test_a_sibling_file_is_named():
    error = complaint(text("from utils_x import Block\n" + net("self.block = Block()")))
    assert "If utils_x is a file of yours, copy what you use into the submission" in error.message


def test_a_sibling_file_of_a_package_is_named():
    assert "The network uses .blocks" in complaint(text("from .blocks import Block\n" + net("Block()"))).message


@pytest.mark.parametrize("source", [net("self.block = Block()"), "class Net(Block):\n    pass\n"])
def test_what_a_missing_star_import_would_have_brought_is_named(source):
    error = complaint(text("from blocks_x import *\n" + source))
    assert "The network uses blocks_x" in error.message
    assert error.line == 4


def test_a_star_import_that_works_brings_its_names():
    assert use(loaded("from torch.nn import *\nfrom torch import nn\nclass Net(Module):\n    pass\n"))


def test_the_fallback_of_a_try_import_is_taken():
    definitions = loaded(
        "try:\n    import apex_x\nexcept ImportError:\n    apex_x = None\nclass Net:\n    amp = apex_x\n"
    )
    assert definitions.names["Net"].amp is None


def test_a_device_that_an_if_decides_is_defined():
    source = "if torch.cuda.is_available():\n    device = 'cuda'\nelse:\n    device = 'cpu'\n"
    definitions = loaded(text(source + net("self.device = device")))
    assert use(definitions).device in ("cuda", "cpu")


@pytest.mark.parametrize(
    "change", ["config['width'] = 16", "config.update(width=16)", "config |= {'width': 16}", "config = {'width': 16}"]
)
def test_a_setting_that_is_changed_later_is_changed(change):
    source = f"config = {{'width': 8}}\n{change}\nclass Net:\n    width = config['width']\n"
    assert loaded(source).names["Net"].width == 16


def test_a_list_that_is_filled_line_by_line_is_full():
    source = "sizes = []\nsizes.append(8)\nsizes.extend([16, 32])\nclass Net:\n    sizes = tuple(sizes)\n"
    assert loaded(source).names["Net"].sizes == (8, 16, 32)


ARGUMENTS = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument({argument})
args = parser.parse_args()
class Net:
    def __init__(self):
        self.width = args.width + 0
"""


def test_command_line_arguments_have_their_defaults():
    assert use(loaded(ARGUMENTS.format(argument="'--width', type=int, default=24"))).width == 24


def test_a_command_line_argument_without_a_default_is_a_complaint_only_where_it_is_used(capsys):
    source = ARGUMENTS.format(argument="'width'")
    assert "args could not be defined: SystemExit" in complaint(source).message
    assert use(loaded(source.replace("args.width", "24"))).width == 24
    capsys.readouterr()


def test_settings_of_a_library_are_left_alone():
    before = sys.path.copy()
    loaded("import sys\nsys.path = []\nsys.path.append('..')\nclass Net:\n    path = sys.path\n")
    assert sys.path == before


def test_a_data_set_is_not_made():
    source = "from data_x import MNIST\ntrain = MNIST(download=True)\nloader = train.load(1 / 0)\n"
    definitions = loaded(text(source + net()))
    assert "train" not in definitions.names
    assert use(definitions)


def test_what_cannot_be_defined_says_why_when_it_is_used():
    error = complaint("width = 1 / 0\nclass Net:\n    def __init__(self):\n        self.width = width * 2\n")
    assert error.message.startswith("width could not be defined: ZeroDivisionError: division by zero.")
    assert error.line == 1


def test_definitions_run_once_and_in_order():
    source = "log = []\nlog.append(1)\nlog.append(2)\nclass Net:\n    log = log\n"
    definitions = loaded(source)
    definitions.define({"log", "Net"})
    assert definitions.names["Net"].log == [1, 2]


def test_a_network_at_the_top_level_is_made_anew_each_time_with_what_it_needs():
    definitions = loaded(text("width = 784\nmodel = nn.Sequential(nn.Flatten(), nn.Linear(width, 10))\n"))
    assert "nn" not in definitions.names
    one, other = definitions.instance("model"), definitions.instance("model")
    assert one is not other
    assert definitions.left_out == ()


def test_a_network_that_is_moved_or_trained_afterwards_is_not_moved_or_trained():
    source = "model = nn.Linear(1, 1)\nmodel = model.to('nowhere')\nmodel, history = train(model)\n"
    definitions = loaded(text(source))
    assert definitions.instances.keys() == {"model"}
    assert definitions.instance("model").in_features == 1


def test_recipe_settings_are_defined():
    definitions = loaded("EPOCHS = 5\nrate = 0.1\ndef configure_optimizers(model):\n    return rate\n")
    assert definitions.names["EPOCHS"] == 5
    assert definitions.names["configure_optimizers"](None) == 0.1


def test_a_syntax_error_names_its_line():
    with pytest.raises(SubmissionError, match="not valid Python: expected ':'") as caught:
        loaded("import torch\nclass Net(nn.Module)\n    pass\n")
    assert caught.value.line == 2


@pytest.mark.parametrize("source", ["-" * 100_000 + "1", "(" * 1000, "x = '\0'", "[" * 90 + "]" * 90 + "+" * 30_000])
def test_a_source_bomb_is_a_submission_error(source):
    with pytest.raises(SubmissionError):
        loaded(source)


@given(st.text(max_size=200))
@settings(max_examples=50)
def test_any_text_loads_or_is_a_submission_error(source):
    with suppress(SubmissionError):
        loaded(source)


@pytest.mark.parametrize(
    "use_it",
    [
        *(lambda it: it(), lambda it: it.attribute.other(), lambda it: it[0], lambda it: list(it), lambda it: len(it)),
        *(lambda it: it + 1, lambda it: 2 * it, lambda it: it < 3, bool, int, float, lambda it: range(it)),
    ],
)
def test_every_use_of_a_stand_in_says_what_is_missing(use_it):
    with pytest.raises(SubmissionError, match="no blocks here") as caught:
        use_it(Missing("no blocks here", 7))
    assert caught.value.line == 7


def test_dataclasses_and_annotations_find_their_module():
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Config:\n    width: int = 8\nclass Net:\n    config = Config()\n"
    )
    assert loaded(source).names["Net"].config.width == 8
