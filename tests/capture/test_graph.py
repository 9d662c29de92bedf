"""A network becomes the graph of what it executes, whatever it is written in."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from grader.capture.explain import explained
from grader.capture.graph import Constants, declared_weights, export, plain_name
from grader.capture.load import read_definitions
from grader.errors import SubmissionError
from grader.program.graph import Graph, Node
from tests.capture.sources import FILE, net, text

EXAMPLE = torch.zeros(2, 1, 28, 28)


def built(
    init: str = "self.fc = nn.Linear(784, 10)", forward: str = "return self.fc(x.flatten(1))"
) -> nn.Module:
    torch.manual_seed(0)
    return read_definitions(text(net(init, forward)), FILE).names["Net"]()


def graph(model: nn.Module, *, training: bool = False, constants: Constants | None = None) -> Graph:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's own
        return export(model, EXAMPLE, training=training, constants=constants, filename=FILE)


def operators(found: Graph) -> list[str]:
    return [
        node.op.removeprefix("aten.") for node in found.nodes if node.op not in ("input", "weight")
    ]


def only(found: Graph, op: str) -> Node:
    (node,) = (node for node in found.nodes if node.op == op)
    return node


def refusal(init: str, forward: str, *, training: bool = False) -> SubmissionError:
    try:
        graph(built(init, forward), training=training)
    except Exception as error:
        return explained(error, FILE)
    raise AssertionError("it was accepted")


def test_operators_come_in_order_with_arguments_shapes_and_lines():
    found = graph(
        built(
            "self.conv = nn.Conv2d(1, 10, 3, stride=2)", "x = self.conv(x)\nreturn x.mean((2, 3))"
        )
    )
    assert operators(found) == ["conv2d.default", "mean.dim"]
    conv = only(found, "aten.conv2d.default")
    assert conv.arguments[3] == (2, 2)
    assert (conv.shape, conv.dtype) == (("N", 10, 13, 13), "float32")
    assert (conv.module, conv.module_type, conv.line) == ("conv", "Conv2d", 9)
    mean = only(found, "aten.mean.dim")
    assert (mean.module, mean.line) == ("", 10)
    assert found.output == mean.name


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        ("self.c = nn.Conv2d(1, 10, 28)", "return self.c(x).flatten(1)"),
        ("self.c = nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten())", "return self.c(x)"),
        (
            "self.w = nn.Parameter(torch.zeros(10, 1, 28, 28))",
            "return F.conv2d(x, self.w).flatten(1)",
        ),
    ],
)
def test_every_style_gives_the_same_operators(init, forward):
    assert operators(graph(built(init, forward))) == ["conv2d.default", "flatten.using_ints"]


def test_dropout_and_batch_norm_are_in_both_graphs_and_differ_by_their_flag():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.25), nn.Flatten(), nn.Linear(784, 10))
    train, evaluation = graph(model, training=True), graph(model)
    assert only(train, "aten.dropout.default").arguments[1:] == (0.25, True)
    assert only(evaluation, "aten.dropout.default").arguments[1:] == (0.25, False)
    assert only(train, "aten.batch_norm.default").arguments[5] is True
    assert only(evaluation, "aten.batch_norm.default").arguments[5] is False


def test_functional_dropout_that_forgets_its_mode_is_seen_active_in_evaluation():
    assert only(
        graph(built(forward="return self.fc(F.dropout(x.flatten(1)))")), "aten.dropout.default"
    ).arguments[2]


def test_a_branch_by_mode_gives_two_graphs():
    model = built(forward="if self.training:\n    x = x.relu()\nreturn self.fc(x.flatten(1))")
    assert "relu.default" in operators(graph(model, training=True))
    assert "relu.default" not in operators(graph(model))


def test_a_loop_over_shapes_is_unrolled():
    loop = "for _ in range(x.dim()):\n    x = x.relu()\nreturn self.fc(x.flatten(1))"
    assert operators(graph(built(forward=loop)))[:4] == ["relu.default"] * 4


@pytest.mark.parametrize("block", ["torch.no_grad()", "torch.autocast('cpu', enabled=False)"])
def test_what_runs_in_a_block_is_in_the_graph(block):
    found = graph(
        built(forward=f"with {block}:\n    x = x.relu()\nreturn self.fc(x.flatten(1))"),
        training=True,
    )
    assert operators(found) == ["relu.default", "flatten.using_ints", "linear.default"]
    assert only(found, "aten.relu.default").gradient is (block != "torch.no_grad()")
    assert only(found, "aten.linear.default").gradient


def test_sizes_of_the_batch_are_multiples_of_the_number_of_images():
    found = graph(built(forward="x = x.view(-1, 196)\nx = x.view(-1, 784)\nreturn self.fc(x)"))
    assert [node.shape for node in found.nodes if "view" in node.op] == [("4*N", 196), ("N", 784)]


def test_a_module_that_is_called_twice_has_one_path():
    found = graph(
        built(
            "self.act = nn.ReLU()\nself.fc = nn.Linear(784, 10)",
            "return self.fc(self.act(self.act(x)).flatten(1))",
        )
    )
    assert [node.module for node in found.nodes if node.op == "aten.relu.default"] == ["act", "act"]


def test_a_move_to_a_device_is_no_more_than_a_type():
    found = graph(
        built(forward="return self.fc(x.to('cpu', torch.float32).flatten(1)).to(x.device)")
    )
    assert {node.op for node in found.nodes if "to" in node.op.split(".")} <= {"aten.to.dtype"}


def test_a_created_tensor_has_no_device_written_down():
    found = graph(built(forward="return self.fc(x.flatten(1)) + torch.zeros(10, device=x.device)"))
    assert "device" not in only(found, "aten.zeros.default").keywords


def test_the_checks_that_torch_adds_for_itself_are_left_out():
    found = graph(built(forward="assert x.size(0) > 1\nreturn self.fc(x.view(x.size(0), -1))"))
    assert not [op for op in operators(found) if "assert" in op or "sym_constrain" in op]


@pytest.mark.parametrize(
    ("forward", "message", "line"),
    [
        (
            "return self.fc(torch.fft.fft(x).real.flatten(1))",
            "uses aten.fft_fft.default, which the grader does not know",
            9,
        ),
        ("return self.fc(x.flatten(1)).sort(1).values", "uses aten.sort.default", 9),
        ("return self.fc(x.flatten(1)) * x.mean().item()", "decides by the values of a tensor", 9),
        (
            "if x.sum() > 0:\n    x = -x\nreturn self.fc(x.flatten(1))",
            "decides by the values of a tensor",
            9,
        ),
        (
            "while x.max() > 1:\n    x = x / 2\nreturn self.fc(x.flatten(1))",
            "decides by the values of a tensor",
            9,
        ),
        ("return self.fc(x.flatten(1) * int(x.sum()))", "decides by the values of a tensor", 9),
        ("return self.fc(x.view(2, -1))", "works for one batch size only", None),
        (
            "return self.fc(x.flatten(1)) + torch.zeros(2, 10)",
            "works for one batch size only",
            None,
        ),
        ("return self.fc(x.flatten(1)), x", "2 values", None),
        ("return None", "forward() returned", None),
        ("return self.fc(x.flatten(1)).clamp(min=float('-inf'))", "uses -inf as a constant", 9),
        (
            "return self.fc(torch.cat([x, x[:1]]).flatten(1))[:-1]",
            "not a multiple of the number of images",
            9,
        ),
    ],
)
def test_what_cannot_be_captured_is_explained_with_its_line(forward, message, line):
    error = refusal("self.fc = nn.Linear(784, 10)", forward)
    assert message in error.message
    assert error.line == line or line is None


def test_batch_norm_that_averages_for_ever_is_explained():
    error = refusal(
        "self.norm = nn.BatchNorm2d(1, momentum=None)",
        "return self.norm(x).flatten(1)[:, :10]",
        training=True,
    )
    assert "BatchNorm with momentum=None" in error.message


def declared(model: nn.Module, constants: Constants | None = None):
    return declared_weights(model, constants or Constants())


def test_every_tensor_of_the_model_is_declared_used_or_not():
    rows, values = declared(built("self.fc = nn.Linear(784, 10)\nself.norm = nn.BatchNorm2d(4)"))
    assert [(row.name, row.kind) for row in rows[:2]] == [
        ("fc.weight", "parameter"),
        ("fc.bias", "parameter"),
    ]
    assert {row.name for row in rows if row.kind == "buffer"} == {
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    }
    assert values.keys() == {row.name for row in rows}
    assert values["fc.weight"].shape == (10, 784)


def test_a_frozen_parameter_is_not_trainable():
    (weight, bias), _ = declared(
        built("self.fc = nn.Linear(784, 10)\nself.fc.bias.requires_grad = False")
    )
    assert weight.trainable
    assert not bias.trainable


def test_tied_weights_have_two_names_and_one_value():
    rows, values = declared(
        built(
            "self.a = nn.Linear(9, 9, False)\nself.b = nn.Linear(9, 9, False)\n"
            "self.b.weight = self.a.weight"
        )
    )
    assert [(row.name, row.storage) for row in rows] == [
        ("a.weight", "a.weight"),
        ("b.weight", "a.weight"),
    ]
    assert values.keys() == {"a.weight"}


@pytest.mark.parametrize("part", ["self.w[:5]", "self.w.t()", "self.w.view(torch.int32)"])
def test_weights_that_overlap_without_being_equal_are_refused(part):
    model = built(
        f"self.w = nn.Parameter(torch.zeros(10, 10))\nself.register_buffer('v', {part}.detach())"
    )
    with pytest.raises(SubmissionError, match="v and w share part of their memory"):
        declared(model)


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        ("self.ws = [nn.Parameter(torch.ones(784, 10))]", "return x.flatten(1) @ self.ws[0]"),
        ("self.w = torch.ones(784, 10)", "return x.flatten(1) @ self.w"),
        ("self.fc = [nn.Linear(784, 10, bias=False)]", "return self.fc[0](x.flatten(1))"),
        (
            "self.fc = nn.Linear(784, 10)",
            "return self.fc(x.flatten(1)) * torch.tensor([1., 2, 3, 4, 5, 6, 7, 8, 9, 0])",
        ),
    ],
)
def test_a_tensor_that_no_module_owns_is_one_constant_in_both_graphs(init, forward):
    model, constants = built(init, forward), Constants()
    train, evaluation = (graph(model, training=mode, constants=constants) for mode in (True, False))
    rows, values = declared(model, constants)
    assert [row.name for row in rows if row.kind == "constant"] == ["constant_0"]
    assert "constant_0" in values
    for found in (train, evaluation):
        assert "constant_0" in [node.arguments[0] for node in found.nodes if node.op == "weight"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("conv1.weight", "conv1.weight"),
        ("größe.weight", "gr-f6--df-e.weight"),
        ("conv 1", "conv-20-1"),
    ],
)
def test_a_weight_may_have_any_name(name, plain):
    assert plain_name(name) == plain


def test_letters_beyond_ascii_and_blanks_in_names_are_accepted():
    model = built(
        "self.größe = nn.ModuleDict({'voll verbunden': nn.Linear(784, 10)})",
        "return self.größe['voll verbunden'](x.flatten(1))",
    )
    rows, values = declared(model)
    assert {
        node.arguments[0] for node in graph(model).nodes if node.op == "weight"
    } == values.keys()
    assert rows[0].name == "gr-f6--df-e.voll-20-verbunden.weight"


def test_exporting_leaves_the_weights_and_statistics_as_they_were():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(784, 10))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    graph(model, training=True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_in_place_operations_are_kept():
    found = graph(built(forward="x += 1\nx[:, :, 0] = 0\nreturn self.fc(F.relu_(x).flatten(1))"))
    # The overload of fill_ differs between versions of torch.
    names = [op.partition(".")[0] for op in operators(found)]
    assert [name for name in names if name.endswith("_")] == ["add_", "fill_", "relu_"]


@pytest.mark.parametrize("training", [True, False])
def test_squeeze_takes_away_dimensions_but_never_the_batch(training):
    found = graph(
        built("self.conv = nn.Conv2d(1, 10, 28)", "return self.conv(x).squeeze()"),
        training=training,
    )
    squeeze = only(found, "aten.squeeze.dims")
    assert squeeze.arguments[1] == (2, 3)
    assert squeeze.shape == ("N", 10)


def test_squeeze_without_a_dimension_of_one_takes_none_away():
    found = graph(built("self.fc = nn.Linear(784, 10)", "return self.fc(x.flatten(1).squeeze())"))
    assert only(found, "aten.squeeze.dims").arguments[1] == ()
