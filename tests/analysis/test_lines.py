"""Which line of the student's file is shown for an operator."""

from torch import nn

from grader.analysis.lines import at_layers, line
from grader.program.graph import Node
from tests.analysis.graphs import program_of


def node(op: str, module: str, module_type: str) -> Node:
    return Node(name="n", op=op, module=module, module_type=module_type, line=30)


def test_a_layer_is_shown_where_it_is_made():
    assert line(node("aten.conv2d.default", "body.0", "Conv2d"), {"body.0": 12}) == 12
    assert line(node("aten.batch_norm.default", "body.1", "BatchNorm2d"), {"body.1": 13}) == 13


def test_a_function_inside_a_block_is_shown_where_it_is_called():
    assert (
        line(node("aten.adaptive_avg_pool2d.default", "gate", "SqueezeExcite"), {"gate": 20}) == 30
    )


def test_a_layer_that_another_file_makes_is_shown_where_it_runs():
    assert line(node("aten.conv2d.default", "body.0", "Conv2d"), {"body.0": None}) == 30


def test_every_layer_of_a_sequential_has_its_own_line():
    def build():
        return nn.Sequential(
            nn.Conv2d(1, 10, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    shown = {node.module: node.line for node in at_layers(program_of(build)).nodes if node.module}
    assert shown["1"] == shown["0"] + 1
    assert shown["2"] == shown["0"] + 2


def test_the_graph_is_the_same_but_for_its_lines():
    program = program_of(
        lambda: nn.Sequential(nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    )
    shown = at_layers(program)
    assert [node.name for node in shown.nodes] == [node.name for node in program.eval.nodes]
    assert shown[shown.output].name == program.eval.output
