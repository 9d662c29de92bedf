"""A Program is read as it was written; forged JSON ends in a SubmissionError with a reason."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import SubmissionError
from grader.program.graph import Graph, Node
from grader.program.program import Program, read
from grader.program.values import Ref

X = {"name": "x", "op": "input", "shape": ["N", 1, 2, 2], "dtype": "float32"}
WEIGHT = {
    "name": "w",
    "kind": "parameter",
    "shape": [3, 4],
    "dtype": "float32",
    "trainable": True,
    "storage": "w",
}
PLATEAU = {
    "monitor": "loss",
    "mode": "min",
    "factor": 0.1,
    "patience": 3,
    "threshold": 1e-4,
    "threshold_mode": "rel",
}
PLATEAU |= {"cooldown": 0, "min_lr": [0.0, 0.0], "eps": 1e-8}


def graph() -> dict[str, Any]:
    return {
        "nodes": [
            X,
            {"name": "w", "op": "weight", "arguments": ["w"], "shape": [3, 4], "dtype": "float32"},
            {
                "name": "flat",
                "op": "aten.flatten.using_ints",
                "arguments": [{"node": "x"}, 1],
                "shape": ["N", 4],
            },
            {
                "name": "y",
                "op": "aten.linear.default",
                "arguments": [{"node": "flat"}, {"node": "w"}],
                "shape": ["N", 3],
            },
        ],
        "output": "y",
    }


def program() -> dict[str, Any]:
    """A linear classifier of 2×2 images into 3 classes, trained for 2 epochs of 5 steps."""
    return {
        "model": "Net",
        "seeds": [0, 1],
        "input_shape": [1, 2, 2],
        "classes": 3,
        "train": graph(),
        "eval": graph(),
        "weights": [WEIGHT],
        "modules": [{"path": "fc", "type": "Linear", "settings": {"in_features": 4}, "line": 7}],
        "recipe": {
            "epochs": 2,
            "batch_size": 8,
            "steps_per_epoch": 5,
            "optimizer": {
                "name": "SGD",
                "groups": [{"parameters": ["w"], "settings": {"nesterov": False}}],
            },
            "schedule": {
                "learning_rate": [[{"value": 0.1, "steps": 4}, {"value": 0.01, "steps": 6}]]
            },
            "loss": {"name": "nll"},
        },
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The program with `value` at a path such as "train.nodes.3.op"."""
    data = copy.deepcopy(program())
    *parts, last = path.split(".")
    place: Any = data
    for part in parts:
        place = place[int(part) if isinstance(place, list) else part]
    place[int(last) if isinstance(place, list) else last] = value
    return data


def refusal(data: Any) -> str:
    with pytest.raises(SubmissionError) as caught:
        read(data if isinstance(data, str | bytes) else json.dumps(data))
    return caught.value.message


def test_a_program_is_read():
    found = read(json.dumps(program()))
    assert found.eval.input.shape == ("N", 1, 2, 2)
    assert found.eval["y"].arguments == (Ref(node="flat"), Ref(node="w"))
    assert list(found.eval["y"].references()) == ["flat", "w"]
    assert found.weights[0].size == 12
    assert found.recipe.steps == 10


def test_written_and_read_again_it_is_the_same():
    found = read(json.dumps(program()))
    assert read(found.to_json()) == found


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ITEMS = st.one_of(
    st.booleans(),
    NUMBERS,
    st.text(max_size=20),
    st.none(),
    st.builds(Ref, node=st.just("x")),
    st.just({"dtype": "bool"}),
)


@given(st.lists(ITEMS | st.lists(ITEMS, max_size=3).map(tuple), max_size=6))
@settings(max_examples=50)
def test_arguments_of_every_kind_come_back_as_the_same_kind(arguments):
    node = Node(name="n", op="aten.any.default", arguments=tuple(arguments))
    again = Node.model_validate_json(node.model_dump_json())
    assert again == node
    assert [type(value) for value in again.arguments] == [type(value) for value in node.arguments]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("schema_version", 2, "schema_version"),
        ("surprise", 1, "surprise: it is not a known key"),
        ("seeds", [], "seeds"),
        ("train.nodes.0.shape", ["N", 3, 2, 2], "the input has shape"),
        ("train.nodes.0.shape", ["N", -1, 2, 2], "-1 is not a dimension"),
        ("train.nodes.0.shape", ["M", 1, 2, 2], "'M' is not a dimension"),
        ("train.nodes.1.arguments", ["v"], "unknown weight"),
        ("train.nodes.1.arguments", [], "unknown weight"),
        ("train.nodes.1.arguments", [{"node": "x"}], "unknown weight"),
        ("train.nodes.1.shape", [4, 3], "another shape than the weight"),
        ("train.nodes.2.name", "x", "two nodes are named x"),
        ("train.nodes.2.name", "a b", "'a b' is not a plain name"),
        (
            "train.nodes.2.arguments",
            [{"node": "y"}, 1],
            "flat reads y, which does not come before it",
        ),
        ("train.nodes.2.arguments", [{"node": "x"}, 1, 2, 3], "takes 3 arguments, not 4"),
        ("train.nodes.2.keywords", {"axis": 1}, "has no argument axis"),
        ("train.nodes.2.op", "aten.set_.source_Tensor", "not one that the grader accepts"),
        ("train.nodes.2.op", "input", "exactly one input"),
        ("train.nodes.3.shape", ["N", 10], "the output has shape"),
        ("train.nodes.3.line", 0, "line"),
        ("train.output", "z", "the output z is not a node"),
        ("train.nodes", [X] * 20_001, "train.nodes"),
        ("eval.nodes", [], "the output y is not a node"),
        ("weights", [WEIGHT, WEIGHT], "two weights have the same name"),
        ("weights.0.dtype", "complex64", "weights.0.dtype"),
        ("weights.0.dtype", "int64", "w is trainable but holds int64 numbers"),
        ("weights.0.storage", "v", "shares the memory of v"),
        ("weights.0.shape", [3, 2**31], "weights.0.shape"),
        ("recipe.epochs", 0, "recipe.epochs"),
        ("recipe.epochs", 3, "does not cover"),
        ("recipe.optimizer.name", "LBFGS", "recipe.optimizer.name"),
        ("recipe.optimizer.groups", [], "recipe.optimizer.groups"),
        ("recipe.optimizer.groups.0.parameters", ["v"], "the optimizer names v"),
        ("recipe.schedule.learning_rate", [[], []], "another number of parameter groups"),
        ("recipe.schedule.momentum", [[], []], "another number of parameter groups"),
        ("recipe.plateau", PLATEAU, "min_lr has another number of parameter groups"),
        ("recipe.loss.name", "mse", "recipe.loss.name"),
        ("recipe.stop_at_accuracy", 99.4, "recipe.stop_at_accuracy"),
        ("recipe.clip_norm", 0, "recipe.clip_norm"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(path, value, reason):
    assert reason in refusal(changed(path, value))


def shared(**changes: Any) -> dict[str, Any]:
    """The program with a second weight `v` in the memory of `w`."""
    return changed("weights", [WEIGHT, WEIGHT | {"name": "v", "storage": "w"} | changes])


def test_two_weights_may_share_one_memory():
    assert [weight.storage for weight in read(json.dumps(shared())).weights] == ["w", "w"]


def test_weights_that_share_memory_have_one_shape_and_one_type():
    assert "v shares the memory of w" in refusal(shared(shape=[4, 3]))
    assert "v shares the memory of w" in refusal(shared(dtype="float64"))


def test_a_shared_memory_belongs_to_the_weight_that_it_is_named_for():
    circle = [WEIGHT | {"name": "v", "storage": "w"}, WEIGHT | {"storage": "v"}]
    assert "which shares another's" in refusal(changed("weights", circle))


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{", "1e999", "NaN", '"text"', '{"model": "\\ud800"}', "[" * 100_000),
        *(
            json.dumps(program())[:-1],
            json.dumps(program()) + "x",
            json.dumps(program()).encode("utf-16"),
            b"\xff\xfe\x00",
        ),
    ],
)
def test_what_is_no_program_is_refused(text):
    assert "not one that the grader accepts" in refusal(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(number):
    assert refusal(json.dumps(program()).replace("0.01", number))


PLACES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.data())
@settings(max_examples=100)
def test_any_change_is_read_or_refused_and_never_ends_in_another_exception(data):
    forged: Any = copy.deepcopy(program())
    place = forged
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(PLACES)
    with suppress(SubmissionError):
        assert isinstance(read(json.dumps(forged)), Program)


def test_a_graph_finds_its_nodes_by_name():
    found = Graph.model_validate_json(json.dumps(graph()))
    assert found["flat"] is found.nodes[2]
    assert found.by_name.keys() == {"x", "w", "flat", "y"}
