"""A rebuilt network is the student's: the same numbers, the same training, the same errors."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from grader import network
from grader.analysis import shapes
from grader.assignment import Bound, Limits
from grader.errors import SubmissionError
from grader.intake import intake
from grader.program.ops import OPERATORS
from grader.program.program import read
from grader.program.values import concrete
from tests.networks import CLASSES, habits, images, networks, program_of

STEPS = 20
SLOW = settings(max_examples=25)


def fit(model: nn.Module, parameters: list[nn.Parameter]) -> list[float]:
    """The losses of `STEPS` steps of SGD, dropout drawn under seed 0."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    labels = torch.arange(4)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model.train()(images(seed=step)), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def scores(model: nn.Module) -> Tensor:
    with torch.no_grad():
        return model.eval()(images(7))


@SLOW
@given(networks())
def test_a_rebuilt_network_computes_and_trains_bit_for_bit_like_the_original(original):
    program, values = program_of(original)
    assert read(program.to_json()) == program
    shapes.check(program)
    rebuilt = network.build(read(program.to_json()), values)
    assert torch.equal(scores(rebuilt), scores(original))
    assert fit(rebuilt, list(rebuilt.parameters())) == fit(original, list(original.parameters()))
    assert torch.equal(scores(rebuilt), scores(original))
    for name, tensor in original.state_dict().items():
        assert torch.equal(rebuilt.weights[name], tensor), name


@cache
def captured() -> tuple[str, bytes]:
    torch.manual_seed(0)
    program, values = program_of(habits())
    return program.to_json(), values


def parsed() -> dict[str, Any]:
    """The Program of `habits` as JSON values, to be changed."""
    return json.loads(captured()[0])


def accept(data: dict[str, Any]) -> network.Network:
    """All that the grader does with a captured network before it runs it."""
    program = read(json.dumps(data))
    shapes.check(program)
    return network.build(program, captured()[1])


def refusal(data: dict[str, Any]) -> str:
    with pytest.raises(SubmissionError) as caught:
        accept(data)
    return caught.value.message


def operators(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [node for node in data["train"]["nodes"] if node["op"] == name]


def test_the_program_of_a_network_with_every_habit_is_accepted():
    assert accept(parsed())(images()).shape == (4, CLASSES)


@given(st.data())
@settings(max_examples=50)
def test_a_changed_shape_is_always_refused(data):
    changed = parsed()
    nodes = changed[data.draw(st.sampled_from(["train", "eval"]))]["nodes"]
    node = data.draw(st.sampled_from([node for node in nodes if node["shape"]]))
    axis = data.draw(st.integers(0, len(node["shape"]) - 1))
    other = data.draw(st.sampled_from([0, 5, 77, 2**31 - 1, "N", "2*N", "77*N"]))
    if other == node["shape"][axis]:
        other = 1234
    node["shape"][axis] = other
    assert refusal(changed)


def mutations(node: dict[str, Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """A field of a node, and something else to put there."""
    names = st.sampled_from([node["name"], "n0_x", "nowhere"]).map(lambda name: {"node": name})
    numbers = st.one_of(
        st.integers(-(2**63), 2**63 - 1), st.integers(-3, 9), st.floats(-1e9, 1e9), st.booleans()
    )
    item = st.one_of(
        numbers, names, st.none(), st.sampled_from(["", "constant", "a" * 200, {"dtype": "bool"}])
    )
    arguments = st.lists(st.one_of(item, st.lists(item, max_size=4)), max_size=9)
    kept = st.integers(0, 8).flatmap(
        lambda at: item.map(
            lambda new: [new if index == at else old for index, old in enumerate(node["arguments"])]
        )
    )
    return st.one_of(
        st.tuples(
            st.just("op"),
            st.sampled_from([*OPERATORS, "input", "weight", "aten.from_file.default", "x"]),
        ),
        st.tuples(st.just("arguments"), st.one_of(arguments, kept, kept)),
        st.tuples(
            st.just("keywords"),
            st.dictionaries(st.sampled_from(["dim", "dtype", "p", "device"]), item),
        ),
        st.tuples(st.just("gradient"), st.booleans()),
    )


@given(st.data())
@settings(max_examples=100)
def test_a_forged_graph_is_accepted_or_refused_and_never_ends_in_another_exception(data):
    forged = parsed()
    node = data.draw(st.sampled_from(forged["train"]["nodes"]))
    field, value = data.draw(mutations(node))
    node[field] = value
    with suppress(SubmissionError):
        accept(forged)


@pytest.mark.parametrize(
    "op", ["aten.from_file.default", "aten.as_strided.default", "aten.set_.source_Tensor", "x"]
)
def test_an_operator_that_is_not_listed_is_refused_by_name(op):
    changed = parsed()
    operators(changed, "aten.relu.default")[0]["op"] = op
    assert f"the operator {op} is not one that the grader accepts" in refusal(changed)


def test_a_tensor_that_would_not_fit_in_memory_is_refused_before_anything_is_allocated():
    changed = parsed()
    node = operators(changed, "aten.relu.default")[0]
    node.update(
        op="aten.expand.default",
        arguments=[{"node": node["arguments"][0]["node"]}, [2**31 - 1, 2**20, 6, 6]],
    )
    assert refusal(changed)


def number(name: str, op: str, *arguments: Any) -> dict[str, Any]:
    return {"name": name, "op": f"operator.{op}", "arguments": list(arguments)}


@pytest.mark.parametrize(
    "nodes",
    [
        [number("bomb", "mul", "a" * 200, 2**40)],
        [number("bomb", "mul", [1, 2, 3], 2**40)],
        [number("bomb", "mul", 2**62, 2**62)],
        [number("half", "floordiv", 1, 0)],
        [number("text", "add", "a", "b")],
        [number("item", "getitem", "text", 0)],
    ],
)
def test_arithmetic_on_sizes_takes_whole_numbers_of_a_bounded_size(nodes):
    changed = parsed()
    changed["train"]["nodes"] += nodes
    assert "does not run by itself" in refusal(changed)


def test_a_tensor_cannot_be_cut_into_more_pieces_than_memory_holds():
    changed = parsed()
    changed["train"]["nodes"] += [
        {
            "name": "line",
            "op": "aten.zeros.default",
            "arguments": [[2**27]],
            "shape": [2**27],
            "dtype": "float32",
        },
        {"name": "dust", "op": "aten.unbind.int", "arguments": [{"node": "line"}]},
    ]
    assert "pieces" in refusal(changed)


def test_a_network_runs_its_train_graph_in_train_mode_and_its_eval_graph_after_eval():
    built = accept(parsed())
    assert not torch.equal(built.train()(images()), built.train()(images()))  # dropout
    assert torch.equal(built.eval()(images()), built.eval()(images()))


def test_both_graphs_share_one_set_of_weights():
    built = accept(parsed())
    before = scores(built)
    built.train()(images())  # BatchNorm's running statistics move
    assert not torch.equal(scores(built), before)


def test_shared_weights_are_one_parameter_under_two_names():
    weights = accept(parsed()).weights
    assert weights["layers.4.first.weight"] is weights["layers.4.second.weight"]


def test_no_gradient_passes_a_no_grad_block():
    built = accept(parsed())
    built.train()(images()).sum().backward()
    weights = built.weights
    assert weights["layers.3.fixed.weight"].grad is None
    assert weights["layers.3.free.weight"].grad is not None
    assert torch.is_grad_enabled()


def test_a_parameter_that_the_student_froze_stays_frozen():
    torch.manual_seed(0)
    model = habits()
    model.head[2].bias.requires_grad_(False)
    program, values = program_of(model)
    weights = network.build(program, values).weights
    assert not weights["head.2.bias"].requires_grad
    assert weights["head.2.weight"].requires_grad


def test_tracing_names_every_node_with_its_result():
    program, values = read(captured()[0]), captured()[1]
    built = network.build(program, values)
    (run,) = network.trace(program.eval, built.weights, images())
    seen = list(run)
    assert [node for node, _ in seen] == list(program.eval.nodes)
    assert torch.equal(seen[-1][1], built.eval()(images()))


@pytest.mark.parametrize(
    ("shape", "batch", "sizes"),
    [(("N", 3), 2, (2, 3)), (("4*N", 10), 2, (8, 10)), ((), 5, ()), ((0, "N"), 7, (0, 7))],
)
def test_a_shape_becomes_numbers_for_a_number_of_images(shape, batch, sizes):
    assert concrete(shape, batch) == sizes


LIMITS = Limits(
    parameters=Bound.model_validate("< 20,000"),
    epochs=1,
    receptive_field=1,
    accuracy=0.9,
    seconds=1,
    nodes=10_000,
)


@pytest.mark.parametrize(
    ("limit", "message"),
    [({"nodes": 3}, "operators; the grader runs at most 3"), ({"weights": 7}, "at most 7")],
)
def test_a_network_of_too_many_operators_or_weights_is_refused(limit, message):
    program = read(captured()[0])
    intake.check_size(program, LIMITS)
    with pytest.raises(SubmissionError, match=message):
        intake.check_size(program, LIMITS.model_copy(update=limit))


def tensors() -> dict[str, Tensor]:
    return safetensors.torch.load(captured()[1])


def read_back(values: bytes | dict[str, Tensor]) -> dict[str, Tensor]:
    if isinstance(values, dict):
        values = safetensors.torch.save(values)
    return network.read_values(read(captured()[0]), values)


def test_values_are_read_back_as_they_were():
    assert all(
        torch.equal(tensor, tensors()[name]) for name, tensor in read_back(captured()[1]).items()
    )


def test_a_missing_tensor_is_named():
    with pytest.raises(SubmissionError, match=r"first at 'head\.2\.bias'"):
        read_back({name: tensor for name, tensor in tensors().items() if name != "head.2.bias"})


def test_a_tensor_too_many_is_named():
    with pytest.raises(SubmissionError, match="first at 'extra'"):
        read_back(tensors() | {"extra": torch.zeros(1)})


@pytest.mark.parametrize("other", [torch.zeros(11), torch.zeros(10, dtype=torch.float64)])
def test_a_tensor_of_another_shape_or_type_is_named_with_both(other):
    with pytest.raises(
        SubmissionError, match=r"The weight head\.2\.bias has .*float.*, declared as .*float32"
    ):
        read_back(tensors() | {"head.2.bias": other})


@given(st.data())
@settings(max_examples=50)
def test_damaged_values_are_refused_and_never_end_in_another_exception(data):
    values = bytearray(captured()[1])
    header = int.from_bytes(values[:8], "little")
    for _ in range(data.draw(st.integers(1, 5))):
        values[data.draw(st.integers(0, header + 7))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([None, 0, 3, 100]))
    with suppress(SubmissionError):
        read_back(bytes(values[:cut]))


def test_a_network_on_another_device_has_all_its_tensors_there():
    class Made(nn.Module):
        def forward(self, x):
            return (
                torch.zeros(x.size(0), CLASSES) + x.new_ones(x.size(0), 1) + torch.arange(CLASSES)
            )

    program, values = program_of(Made())
    built = network.build(program, values, "meta")
    assert built.eval()(images().to("meta")).device.type == "meta"


def test_copies_of_a_network_train_apart():
    one = accept(parsed())
    other = copy.deepcopy(one)
    fit(other, list(other.parameters()))
    assert torch.equal(scores(one), scores(accept(parsed())))
