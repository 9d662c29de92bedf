"""Definitions are loaded, scripts are not run: the habits of real students' files."""

from __future__ import annotations

import sys
from contextlib import suppress
from textwrap import indent

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.capture.load import Definitions, read_definitions
from grader.capture.missing import Missing
from grader.errors import SubmissionError
from tests.capture.sources import FILE, net, text


@pytest.fixture(autouse=True)
def _as_in_the_child(monkeypatch):
    monkeypatch.setattr(sys, "argv", [FILE])


def loaded(source: str) -> Definitions:
    return read_definitions(source, FILE)


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
    source = text(
        net() + "model = Net()\nfor epoch in range(3):\n    raise SystemExit('trained')\n"
    )
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
        "if True: raise ValueError",
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


COMMAND = "!pip install torchsummary"


@pytest.mark.parametrize(
    "source",
    [
        f"if COLAB:\n    {COMMAND}\nEPOCHS = 3\n",
        f"if COLAB:  # not here: there it is installed\n    {COMMAND}\nEPOCHS = 3\n",
        f"if COLAB:\n    # It is not there.\n\n    {COMMAND}\n    {COMMAND}\nelse:\n"
        f"    {COMMAND}\nEPOCHS = 3\n",
        f"try:\n    import torchsummary_x\nexcept ImportError:\n    {COMMAND}\n"
        "    import torchsummary_x\nEPOCHS = 3\n",
        f"EPOCHS = 3\n {COMMAND}\n",
    ],
)
def test_an_indented_notebook_command_is_left_out(source):
    definitions = loaded(source)
    assert definitions.names["EPOCHS"] == 3
    assert definitions.lines["EPOCHS"] == source.split("\n").index("EPOCHS = 3") + 1
    assert [item.line for item in definitions.left_out if item.text == COMMAND] == [
        number for number, line in enumerate(source.split("\n"), start=1) if line.strip() == COMMAND
    ]


def test_a_notebook_command_goes_on_while_its_lines_end_in_a_backslash():
    definitions = loaded(
        "!pip install \\\n    torchsummary \\\n    --quiet\nEPOCHS = 3\n!ls \\\n!-l\n"
    )
    assert definitions.lines == {"EPOCHS": 4}
    assert [item.line for item in definitions.left_out] == [1, 5]


def test_a_line_that_begins_with_a_percent_sign_may_be_a_formula():
    definitions = loaded("EPOCHS = (7\n    %4)\nNAME = ('%s'\n    %'a')\n")
    assert definitions.names["EPOCHS"] == 3


@pytest.mark.parametrize("package", ["tqdm_x", "torchsummary_x", "matplotlib_x.pyplot"])
def test_a_missing_package_that_the_network_does_not_use_is_no_problem(package):
    definitions = loaded(
        text(f"import {package} as package\n" + net() + "def train():\n    package.run(Net())\n")
    )
    assert use(definitions)


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
    assert (
        "The network uses .blocks"
        in complaint(text("from .blocks import Block\n" + net("Block()"))).message
    )


@pytest.mark.parametrize("source", [net("self.block = Block()"), "class Net(Block):\n    pass\n"])
def test_what_a_missing_star_import_would_have_brought_is_named(source):
    error = complaint(text("from blocks_x import *\n" + source))
    assert "The network uses blocks_x" in error.message
    assert error.line == 4


def test_a_star_import_that_works_brings_its_names():
    assert use(
        loaded("from torch.nn import *\nfrom torch import nn\nclass Net(Module):\n    pass\n")
    )


def test_the_fallback_of_a_try_import_is_taken():
    definitions = loaded(
        "try:\n    import apex_x\nexcept ImportError:\n    apex_x = None\nclass Net:\n"
        "    amp = apex_x\n"
    )
    assert definitions.names["Net"].amp is None


def test_a_device_that_an_if_decides_is_defined():
    source = "if torch.cuda.is_available():\n    device = 'cuda'\nelse:\n    device = 'cpu'\n"
    definitions = loaded(text(source + net("self.device = device")))
    assert use(definitions).device in ("cuda", "cpu")


@pytest.mark.parametrize(
    "action",
    [
        "print(1 / 0)",
        "for _ in range(3): 1 / 0",
        "with open('/nowhere') as file: pass",
        "if 1 / 0: print()",
        "assert 0",
    ],
)
def test_what_does_something_inside_an_if_is_left_out_and_what_is_defined_there_is_defined(action):
    source = (
        f"if True:\n    {action}\n    device = 'cpu'\nelse:\n    device = 'cuda'\n    {action}\n"
    )
    definitions = loaded(text(source + net("self.device = device")))
    assert use(definitions).device == "cpu"
    assert [(item.line, item.text, item.reason) for item in definitions.left_out] == [
        (line, action, "it does something instead of defining it") for line in (5, 9)
    ]


def test_an_if_on_one_line_defines_too():
    source = "if False: device = 'cuda'; print('GPU')\nelif True: device = 'cpu'; print('CPU')\n"
    definitions = loaded(source + "class Net:\n    device = device\n")
    assert definitions.names["Net"].device == "cpu"
    assert [(item.line, item.text) for item in definitions.left_out] == [
        (1, "print('GPU')"),
        (2, "print('CPU')"),
    ]


def test_what_does_something_inside_a_try_is_left_out():
    source = (
        "try:\n    import apex_x as apex\n    print(1 / 0)\nexcept ImportError:\n    apex = None\n"
        "    print(1 / 0)\nelse:\n    print(1 / 0)\nfinally:\n    print(1 / 0)\nclass Net:\n"
        "    amp = apex\n"
    )
    definitions = loaded(source)
    assert definitions.names["Net"].amp is None
    assert [item.line for item in definitions.left_out] == [3, 6, 8, 10]


def test_an_if_inside_an_if_defines_too():
    source = "if True:\n    if True:\n        width = 8\n        print(1 / 0)\n"
    definitions = loaded(source + "class Net:\n    width = width\n")
    assert definitions.names["Net"].width == 8
    assert [item.line for item in definitions.left_out] == [4]


def test_a_main_guard_is_not_run_although_it_defines():
    guard = 'if __name__ == "submission":\n    width = 8\n'
    for source in (guard, "if True:\n" + indent("depth = 2\n" + guard, "    ")):
        definitions = loaded(
            source + "class Net:\n    def __init__(self):\n        self.size = width, depth\n"
        )
        assert "width" not in definitions.names
        assert [item.reason for item in definitions.left_out] == [
            "runs only when the file is the program"
        ]


def test_an_import_that_is_raised_again_is_not_in_the_way_where_it_works():
    source = (
        "try:\n    from torch import nn as T\nexcept ImportError:\n    print('no torch')\n"
        "    raise\n"
    )
    assert use(loaded(text(source + net("self.fc = T.Linear(784, 10)"))))


def test_an_import_that_is_raised_again_says_what_is_missing_where_the_network_uses_it():
    source = "try:\n    from blocks_x import Block\nexcept ImportError:\n    raise\n"
    error = complaint(text(source + net("self.block = Block()")))
    assert "The network uses blocks_x" in error.message
    assert use(loaded(text(source + "def train():\n    Block()\n" + net())))


def test_what_an_if_refuses_to_define_says_why_where_the_network_uses_it():
    source = "if False:\n    device = 'cuda'\nelse:\n    raise RuntimeError('needs a GPU')\n"
    error = complaint(text(source + net("self.device = device()")))
    assert error.message.startswith("device could not be defined: RuntimeError: needs a GPU.")


@pytest.mark.parametrize(
    "change",
    [
        "config['width'] = 16",
        "config.update(width=16)",
        "config |= {'width': 16}",
        "config = {'width': 16}",
    ],
)
def test_a_setting_that_is_changed_later_is_changed(change):
    source = f"config = {{'width': 8}}\n{change}\nclass Net:\n    width = config['width']\n"
    assert loaded(source).names["Net"].width == 16


def test_a_list_that_is_filled_line_by_line_is_full():
    source = (
        "sizes = []\nsizes.append(8)\nsizes.extend([16, 32])\nclass Net:\n"
        "    sizes = tuple(sizes)\n"
    )
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
    error = complaint(
        "width = 1 / 0\nclass Net:\n    def __init__(self):\n        self.width = width * 2\n"
    )
    assert error.message.startswith(
        "width could not be defined: ZeroDivisionError: division by zero."
    )
    assert error.line == 1


def test_definitions_run_once_and_in_order():
    source = "log = []\nlog.append(1)\nlog.append(2)\nclass Net:\n    log = log\n"
    definitions = loaded(source)
    definitions.define({"log", "Net"})
    assert definitions.names["Net"].log == [1, 2]


def test_a_network_at_the_top_level_is_made_anew_each_time_with_what_it_needs():
    definitions = loaded(
        text("width = 784\nmodel = nn.Sequential(nn.Flatten(), nn.Linear(width, 10))\n")
    )
    assert "nn" not in definitions.names
    one, other = definitions.instance("model"), definitions.instance("model")
    assert one is not other
    assert definitions.left_out == ()


def test_a_network_that_is_moved_or_trained_afterwards_is_not_moved_or_trained():
    source = "model = nn.Linear(1, 1)\nmodel = model.to('nowhere')\nmodel, history = train(model)\n"
    definitions = loaded(text(source))
    assert definitions.instances.keys() == {"model"}
    assert definitions.instance("model").in_features == 1


@pytest.mark.parametrize(
    "filling",
    [
        "model.add_module('fc', nn.Linear(784, 10))",
        "model.register_module('fc', nn.Linear(784, 10))",
        "model.append(nn.Linear(784, 10))",
        "model.extend([nn.Linear(784, 10)])",
        "model.fc = nn.Linear(784, 10)",
        "if True:\n    model.append(nn.Linear(784, 10))\n    print(1 / 0)",
        "width = 784\nfc = nn.Linear(width, 10)\nmodel.append(fc)",
    ],
)
def test_a_network_that_is_filled_line_by_line_is_full_each_time(filling):
    definitions = loaded(text(f"model = nn.Sequential()\nmodel.append(nn.Flatten())\n{filling}\n"))
    for _ in range(2):
        assert [type(layer).__name__ for layer in definitions.instance("model")] == [
            "Flatten",
            "Linear",
        ]


def test_a_tensor_that_a_network_registers_is_there():
    source = "model = nn.Sequential()\nmodel.register_buffer('mean', torch.zeros(1))\n"
    source += "model.register_parameter('scale', nn.Parameter(torch.ones(1)))\n"
    assert loaded(text(source)).instance("model").state_dict().keys() == {"mean", "scale"}


def test_a_network_that_cannot_be_filled_says_so():
    definitions = loaded(text("model = nn.Sequential()\nmodel.append(nn.Linear(784))\n"))
    with pytest.raises(TypeError, match="out_features"):
        definitions.instance("model")


def test_what_fills_an_earlier_network_of_the_same_name_does_not_fill_this_one():
    source = (
        "model = nn.Sequential()\nmodel.append(nn.ReLU())\nmodel = nn.Sequential()\n"
        "model.append(nn.Tanh())\n"
    )
    assert str(list(loaded(text(source)).instance("model"))) == "[Tanh()]"


def drawn(definitions: Definitions, seed: int) -> torch.Tensor:
    """All weights of the top-level `model` under `seed`."""
    torch.manual_seed(seed)
    return torch.cat(
        [weights.detach().flatten() for weights in definitions.instance("model").parameters()]
    )


@pytest.mark.parametrize(
    "source",
    [
        "features = nn.Linear(2, 3)\nmodel = nn.Sequential(features)\n",
        "layers = [nn.Linear(2, 3)]\nfeatures = nn.Sequential(*layers)\n"
        "model = nn.Sequential(features)\n",
        "layers = []\nlayers.append(nn.Linear(2, 3))\nmodel = nn.Sequential(*layers)\n",
        "layer = nn.Linear(2, 3)\ndef make():\n    return nn.Sequential(layer)\nmodel = make()\n",
        "features = nn.Sequential()\nmodel = nn.Sequential(features)\n"
        "features.append(nn.Linear(2, 3))\n",
        "if True:\n    layers = [nn.Linear(2, 3)]\nelse:\n    layers = []\n"
        "model = nn.Sequential(*layers)\n",
    ],
)
def test_a_network_of_parts_has_new_parts_each_time(source):
    definitions = loaded(text(source))
    one, other, again = drawn(definitions, 1), drawn(definitions, 2), drawn(definitions, 1)
    assert one.numel() == other.numel() == 9  # 2 * 3 + 3
    assert (one != other).all()
    assert (one == again).all()


def test_imports_functions_and_classes_of_a_network_are_defined_once():
    source = (
        "import collections\nclass Part(nn.Linear):\n    sizes = []\nPart.sizes.append(3)\n"
        "def make():\n    return Part(2, *Part.sizes)\nmodel = nn.Sequential(make())\n"
    )
    definitions = loaded(text(source))
    one, other = definitions.instance("model"), definitions.instance("model")
    assert type(one[0]) is type(other[0])


def test_a_network_is_made_with_the_values_of_its_line():
    source = "width = 8\nmodel = nn.Linear(width, 10)\nwidth = 16\n"
    assert loaded(text(source)).instance("model").in_features == 8


def test_recipe_settings_are_defined():
    definitions = loaded(
        "EPOCHS = 5\nrate = 0.1\ndef configure_optimizers(model):\n    return rate\n"
    )
    assert definitions.names["EPOCHS"] == 5
    assert definitions.names["configure_optimizers"](None) == 0.1


def test_a_syntax_error_names_its_line():
    with pytest.raises(SubmissionError, match="not valid Python: expected ':'") as caught:
        loaded("import torch\nclass Net(nn.Module)\n    pass\n")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "source", ["-" * 100_000 + "1", "(" * 1000, "x = '\0'", "[" * 90 + "]" * 90 + "+" * 30_000]
)
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
        *(
            lambda it: it(),
            lambda it: it.attribute.other(),
            lambda it: it[0],
            lambda it: list(it),
            lambda it: len(it),
        ),
        *(
            lambda it: it + 1,
            lambda it: 2 * it,
            lambda it: it < 3,
            bool,
            int,
            float,
            lambda it: range(it),
        ),
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


def test_a_comparison_that_begins_a_line_is_no_notebook_command():
    found = read_definitions("width = (\n    3\n    != 4\n)\nMODEL = width\n", FILE)
    assert found.names["MODEL"] is True
    assert found.left_out == ()
