"""The accepted operators: every entry is PyTorch's own, and none reaches past its tensors."""

from __future__ import annotations

import pytest
import torch

from grader.analysis.dataflow import may_alias
from grader.program import ops
from grader.program.graph import Node
from grader.program.ops import OPERATORS, Kind, Operator

ATEN = [name for name in OPERATORS if name.startswith("aten.")]
PLACES = {"layout", "device", "pin_memory", "memory_format"}
CHANGE_THE_SHAPE_ONLY = {"unsqueeze_", "squeeze_", "transpose_"}


def schema(name: str) -> torch._C.FunctionSchema | None:
    """PyTorch's own description of an operator; None where this version of it has none."""
    _, base, overload = name.split(".")
    packet = getattr(torch.ops.aten, base, None)
    return getattr(packet, overload)._schema if packet and overload in packet.overloads() else None


def same_default(ours: object, theirs: object) -> bool:
    """Our 1 is PyTorch's 1 and [1, 1]; our () its []."""
    if isinstance(theirs, list):
        return ours == tuple(theirs) or set(theirs) == {ours}
    return ours == theirs


def test_nearly_every_operator_is_in_this_pytorch():
    missing = [name for name in ATEN if schema(name) is None]
    assert len(missing) < 10, missing  # each one is reported as skipped below


@pytest.mark.parametrize("name", ATEN)
def test_arguments_and_defaults_are_those_of_pytorch(name):
    theirs = schema(name)
    if theirs is None:
        pytest.skip(f"torch {torch.__version__} has no {name}")
    assert [parameter.name for parameter in OPERATORS[name].parameters] == [
        item.name for item in theirs.arguments
    ]
    for ours, their in zip(OPERATORS[name].parameters, theirs.arguments, strict=True):
        assert ours.required is not their.has_default_value(), ours.name
        if their.has_default_value() and ours.name not in PLACES:
            assert same_default(ours.default, their.default_value), ours.name


@pytest.mark.parametrize("name", ATEN)
def test_what_an_operator_writes_and_shares_is_what_pytorch_says(name):
    theirs = schema(name)
    if theirs is None:
        pytest.skip(f"torch {torch.__version__} has no {name}")
    base = name.split(".")[1]
    if base in CHANGE_THE_SHAPE_ONLY:
        assert not OPERATORS[name].writes
        assert OPERATORS[name].views
        return
    assert OPERATORS[name].writes == theirs.is_mutable
    shares = any(
        item.alias_info is not None and not item.alias_info.is_write for item in theirs.arguments
    )
    assert not shares or may_alias(Node(name="n", op=name))


def test_only_the_first_argument_is_ever_written():
    for name in ATEN:
        written = [
            bool(item.alias_info and item.alias_info.is_write)
            for item in getattr(schema(name), "arguments", ())
        ]
        assert not any(written[1:]), name


@pytest.mark.parametrize(
    "prefix",
    [
        *(
            "aten.from_file",
            "aten.set_",
            "aten.resize",
            "aten.as_strided",
            "aten.empty",
            "aten.new_empty",
        ),
        *(
            "aten._resize",
            "aten.storage",
            "aten.data",
            "aten._to_cpu",
            "aten.unsafe",
            "aten._foreach",
            "aten.record",
        ),
        *(
            "aten.normal",
            "aten.random",
            "aten.uniform",
            "aten.bernoulli",
            "aten.put",
            "aten.save",
            "prim",
            "quantized",
        ),
    ],
)
def test_dangerous_operators_are_absent(prefix):
    assert not [name for name in OPERATORS if name.startswith(prefix)]


def test_no_operator_writes_into_a_given_output():
    assert not [name for name in OPERATORS if name.endswith("out")]
    assert not [
        name for name in ATEN for item in getattr(schema(name), "arguments", ()) if item.is_out
    ]


def test_arithmetic_on_sizes_is_four_operations_and_taking_an_element():
    outside = {name for name in OPERATORS if not name.startswith("aten.")}
    assert outside == {f"operator.{name}" for name in ("add", "sub", "mul", "floordiv", "getitem")}


def test_every_operator_has_a_word_for_people():
    assert not [
        name for name, operator in OPERATORS.items() if not operator.label or "_" in operator.label
    ]


def test_an_in_place_operator_is_the_kind_of_its_plain_twin():
    for name in ATEN:
        _, base, overload = name.split(".")
        twin = OPERATORS.get(f"aten.{base.rstrip('_')}.{overload}")
        if twin is not None:
            assert (twin.kind, twin.loses_nan) == (
                OPERATORS[name].kind,
                OPERATORS[name].loses_nan,
            ), name


@pytest.fixture
def pooling() -> Operator:
    return ops.find("aten.max_pool2d.default")


def test_arguments_are_bound_by_name_and_defaults_filled_in(pooling):
    assert pooling.bind(["x", 2], {"ceil_mode": True}) == {
        "self": "x",
        "kernel_size": 2,
        "stride": (),
        "padding": 0,
        "dilation": 1,
        "ceil_mode": True,
    }


@pytest.mark.parametrize(
    ("arguments", "keywords", "problem"),
    [
        (["x"], {}, "lacks its argument kernel_size"),
        (["x", 2], {"kernel_size": 3}, "is given kernel_size twice"),
        (["x", 2], {"size": 3}, "has no argument size"),
        (["x", 2, 2, 0, 1, False, 7], {}, "takes 6 arguments, not 7"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(pooling, arguments, keywords, problem):
    with pytest.raises(ValueError, match=problem):
        pooling.bind(arguments, keywords)


@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_submission_cannot_say_where_a_tensor_lives(place):
    with pytest.raises(ValueError, match=f"{place}.*decided by the grader"):
        ops.find("aten.zeros_like.default").bind(["x"], {place: "cpu"})


def test_an_unknown_operator_is_named():
    with pytest.raises(
        ValueError, match=r"aten\.from_file\.default is not one that the grader accepts"
    ):
        ops.find("aten.from_file.default")


def test_what_to_write_instead_is_said_of_operators_that_exist_and_are_refused():
    names = {name for names in ops.INSTEAD for name in names.split()} - {"out"}
    assert not [name for name in names if not hasattr(torch.ops.aten, name)]
    assert not names & {name.split(".")[1] for name in ATEN}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("aten.lstm.input", "Use nn.Conv1d or nn.Conv2d over the rows."),
        (
            "aten.div.out",
            "Use nn.BatchNorm2d or weight_norm: this writes into a tensor of its own in every "
            "forward pass.",
        ),
        ("aten.fft_rfft2.default", ""),
        ("numpy_call", ""),
    ],
)
def test_what_to_write_instead(name, text):
    assert ops.instead(name) == text


def test_an_operator_of_every_kind_is_listed():
    assert {operator.kind for operator in OPERATORS.values()} == set(Kind)
