"""The evaluation graph is the one that an export would give, or it is left to an export.

The oracle is torch.export in evaluation mode. Names of operators need not be the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from grader.capture import evaluation, find, graph
from grader.capture.load import read_definitions
from grader.program.graph import Graph
from grader.program.values import Ref
from tests.capture.sources import FILE, net, text

ROOT = Path(__file__).parents[2]
EXAMPLE = torch.rand((2, 1, 28, 28), generator=torch.Generator().manual_seed(0))
FILES = sorted(
    str(file.relative_to(ROOT))
    for file in (
        *ROOT.glob("reference/*/*.py"),
        *(
            ROOT / "tests" / "gallery" / f"{name}.py"
            for name in (
                "channel_shuffle",
                "coordinate_channels",
                "dense_block",
                "dropout_2d",
                "in_place_relu_and_add",
                "local_response_norm",
                "normalisation_buffers",
                "shared_block_called_twice",
                "tied_weights",
                "track_running_stats_false",
                "weight_norm",
            )
        ),
    )
)
HEAD = "return self.fc(x.flatten(1))"
LAYERS = (
    "self.conv = nn.Conv2d(1, 4, 3)\nself.bn = nn.BatchNorm2d(4)\nself.fc = nn.Linear(2704, 10)"
)


def both(build: Callable[[], nn.Module]) -> tuple[Graph | None, Graph]:
    """What is derived, and what an export gives."""
    constants = graph.Constants()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        model = build()
        train = graph.export(model, EXAMPLE, training=True, constants=constants, filename=FILE)

        def named(network: nn.Module) -> dict[str, Tensor]:
            weights, values = graph.declared_weights(network, constants)
            return {weight.name: values[weight.storage] for weight in weights}

        found = evaluation.derived(build(), EXAMPLE, train, named)
        exported = graph.export(model, EXAMPLE, training=False, constants=constants, filename=FILE)
    return found, exported


def written(init: str, forward: str, above: str = "") -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        torch.manual_seed(0)
        made: nn.Module = read_definitions(above + text(net(init, forward)), FILE).names["Net"]()
        return made

    return build


def unnamed(found: Graph) -> list[Any]:
    places = {node.name: place for place, node in enumerate(found.nodes)}

    def plain(value: Any) -> Any:
        if isinstance(value, Ref):
            return places[value.node]
        return tuple(map(plain, value)) if isinstance(value, tuple) else repr(value)

    rows: list[Any] = [places[found.output]]
    for node in found.nodes:
        given = plain((node.arguments, tuple(node.keywords.items())))
        row = node.model_dump(exclude={"name", "arguments", "keywords"})
        rows.append((given, row))
    return rows


@pytest.mark.parametrize("name", FILES)
def test_it_is_what_an_export_gives(name):
    definitions = read_definitions((ROOT / name).read_text(encoding="utf-8"), FILE)
    builder = find.find_builder(definitions, example=EXAMPLE, classes=10, filename=FILE)
    found, exported = both(lambda: builder.build(0))
    assert found is not None
    assert unnamed(found) == unnamed(exported)


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        (LAYERS, f"x = self.bn(self.conv(x))\n{HEAD}"),
        (LAYERS, f"x = F.dropout(self.conv(x), 0.3, self.training)\n{HEAD}"),
        (LAYERS, f"x = F.dropout2d(self.bn(self.conv(x)), 0.3, training=self.training)\n{HEAD}"),
        (LAYERS + "\nself.drop = nn.AlphaDropout(0.2)", f"x = self.drop(self.conv(x))\n{HEAD}"),
        (
            LAYERS + "\nself.drop = nn.Dropout(0.2, inplace=True)",
            f"x = self.drop(self.conv(x))\n{HEAD}",
        ),
        (LAYERS + "\nself.bn.requires_grad_(False)", f"x = self.bn(self.conv(x))\n{HEAD}"),
        (LAYERS, f"x = self.bn(self.bn(self.conv(x))) + torch.tensor([0.5, 1.0]).mean()\n{HEAD}"),
    ],
)
def test_what_is_told_its_mode_is_told_it(init, forward):
    found, exported = both(written(init, forward))
    assert found is not None
    assert unnamed(found) == unnamed(exported)


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        (LAYERS, f"x = self.conv(x)\nif self.training:\n    x = x * 2\n{HEAD}"),
        (LAYERS, f"x = self.conv(x) * (2 if self.training else 3)\n{HEAD}"),
        (LAYERS, f"y = self.conv(x)\nx = y if self.training else y + 0\n{HEAD}"),
        (LAYERS, f"y = self.conv(x)\nz = y.relu()\nx = y if self.training else z\n{HEAD}"),
        (LAYERS, f"x = torch.dropout(self.conv(x), 0.3, self.training)\n{HEAD}"),
        (LAYERS, f"x = F.dropout(self.conv(x), 0.3 if self.training else 0.2)\n{HEAD}"),
        (LAYERS, f"x = self.conv(x)\nF.dropout(x, 0.3, self.training)\n{HEAD}"),
        (LAYERS, f"with torch.no_grad():\n    x = self.conv(x)\n{HEAD}"),
        (LAYERS, f"x = F.rrelu(self.conv(x), training=self.training)\n{HEAD}"),
        (
            LAYERS,
            f"with torch.autocast('cpu', enabled=self.training):\n    x = self.conv(x)\n{HEAD}",
        ),
    ],
)
def test_what_differs_otherwise_is_left_to_an_export(init, forward):
    found, _ = both(written(init, forward))
    assert found is None


def test_a_network_that_remembers_its_last_mode_is_left_to_an_export():
    """Python decides by what the call before left: the twin's calls are not the export's."""
    init = LAYERS + "\nself.seen = []"
    forward = f"self.seen.append(0)\nx = self.conv(x) * len(self.seen)\n{HEAD}"
    found, _ = both(written(init, forward))
    assert found is None


def test_layers_that_size_themselves_at_the_first_call_are_what_an_export_gives():
    lazy = written("self.fc = nn.LazyLinear(10)", HEAD)

    def build() -> nn.Module:
        model = lazy()
        model.eval()(EXAMPLE.clone())
        return model

    found, exported = both(build)
    assert found is not None
    assert unnamed(found) == unnamed(exported)


def test_random_numbers_go_on_as_if_nothing_had_run():
    torch.manual_seed(3)
    expected = torch.rand(1)
    build = written(LAYERS, f"x = F.dropout(self.conv(x), 0.3, self.training)\n{HEAD}")
    model = build()
    train = graph.export(model, EXAMPLE, training=True, filename=FILE)
    twin = build()
    torch.manual_seed(3)
    evaluation.derived(twin, EXAMPLE, train, lambda network: dict(network.named_parameters()))
    assert torch.equal(torch.rand(1), expected)
