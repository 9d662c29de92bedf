"""The modules that a network declares, with the line that makes each."""

from __future__ import annotations

from contextlib import suppress

import pytest
import torch
from torch import nn

from grader.capture.load import read_definitions
from grader.capture.modules import declared, hidden, recorded
from grader.program.graph import Module
from tests.capture.sources import FILE, net, text


def modules(init: str, before: str = "") -> dict[str, Module]:
    definitions = read_definitions(text(before + net(init, "return x")), FILE)
    with recorded(FILE) as lines:
        model = definitions.names["Net"]()
    return {module.path: module for module in declared(model, lines)}


def test_a_module_has_its_path_class_settings_and_line():
    found = modules("self.conv = nn.Conv2d(1, 8, 3, padding=1)\nself.drop = nn.Dropout(0.25)")
    assert found["conv"].type == "Conv2d"
    assert found["conv"].settings["kernel_size"] == (3, 3)
    assert found["conv"].line == 7
    assert found["drop"] == Module(
        path="drop", type="Dropout", settings={"p": 0.25, "inplace": False}, line=8
    )


def test_modules_inside_others_have_the_line_that_makes_them():
    found = modules(
        "self.layers = nn.Sequential(\n    nn.ReLU(),\n    nn.Sequential(nn.BatchNorm2d(4)),\n)"
    )
    assert list(found) == ["layers", "layers.0", "layers.1", "layers.1.0"]
    assert found["layers.1.0"].line == 9
    assert found["layers.1.0"].settings["num_features"] == 4


def test_a_block_of_the_file_has_the_line_that_makes_it_and_its_parts_theirs():
    block = net("self.conv = nn.Conv2d(1, 1, 3)", "return x", name="Block")  # lines 4 to 9
    found = modules("self.block = Block()", before=block)
    assert found["block.conv"].line == 7
    assert found["block"].line == 13  # not where it calls super().__init__()


@pytest.mark.parametrize(
    "kind", [nn.AdaptiveAvgPool2d((1, None)), nn.Upsample(scale_factor=2), nn.Flatten()]
)
def test_settings_that_are_no_plain_values_are_left_out(kind):
    (module,) = declared(nn.Sequential(kind), {})
    assert module.type == type(kind).__name__


def test_a_module_outside_the_file_has_no_line():
    with recorded(FILE) as lines:
        model = nn.Sequential(nn.ReLU())
    assert [module.line for module in declared(model, lines)] == [None]


def test_recording_ends_with_the_block_also_after_an_error():
    original = nn.Module.__init__
    with suppress(ValueError), recorded(FILE):
        assert nn.Module.__init__ is not original
        raise ValueError
    assert nn.Module.__init__ is original


def test_a_module_is_not_taken_for_one_that_was_made_and_thrown_away_before_it():
    build = "".join("    nn.ReLU()\n" for _ in range(50))
    source = (
        "import torch.nn as nn\n\ndef build():\n"
        + build
        + "    return nn.Sequential(nn.Linear(1, 1))\n"
    )
    names: dict[str, object] = {}
    exec(compile(source, FILE, "exec"), names)
    with recorded(FILE) as lines:
        model = names["build"]()
    assert [module.line for module in declared(model, lines)] == [
        54
    ]  # import, blank, def, 50 ReLUs, return


class Keeper(nn.Module):
    """Keeps layers and weights where PyTorch looks and where it does not."""

    def __init__(self):
        super().__init__()
        self.known = nn.Linear(2, 2)
        self.layers = [nn.Linear(2, 2)]
        self.blocks = {"deep": ([nn.Parameter(torch.rand(3))],)}
        self.numbers = torch.rand(4)


def test_weights_in_lists_and_dictionaries_are_found():
    keeper = Keeper()
    wanted = [*keeper.layers[0].parameters(), keeper.blocks["deep"][0][0]]
    assert {tensor.data_ptr() for tensor in wanted} <= hidden(keeper)


def test_plain_numbers_are_no_hidden_weights():
    keeper = Keeper()
    assert keeper.numbers.data_ptr() not in hidden(keeper)
