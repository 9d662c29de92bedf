from torch import nn

from grader.analysis.dataflow import trace
from grader.program.graph import Graph
from tests.analysis.graphs import graph_of
from tests.analysis.networks import Net, model_a


def live_operators(graph: Graph) -> list[str]:
    live = trace(graph).live
    return [node.op for node in graph.nodes if node.name in live and node.op.startswith("aten")]


def test_everything_in_a_plain_chain_is_live():
    graph = graph_of(
        nn.Sequential(nn.Conv2d(1, 10, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    )
    assert trace(graph).live == {node.name for node in graph.nodes}


def test_the_update_of_running_statistics_feeds_nothing():
    graph = graph_of(model_a(), training=True)
    assert "aten.add_.Tensor" in [node.op for node in graph.nodes]  # num_batches_tracked
    assert "aten.add_.Tensor" not in live_operators(graph)


def test_a_write_through_a_view_reaches_the_base():
    def run(x, a, b):
        y = a(x)
        y.flatten(1).add_(b(x).flatten(1))
        return y.mean((2, 3))

    assert (
        live_operators(graph_of(Net(run, nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 3)))).count(
            "aten.conv2d.default"
        )
        == 2
    )


def test_a_write_into_a_copy_does_not_reach_the_original():
    def run(x, a, b):
        y = a(x)
        y.clone().add_(b(x))
        return y.mean((2, 3))

    assert (
        live_operators(graph_of(Net(run, nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 3)))).count(
            "aten.conv2d.default"
        )
        == 1
    )


def test_a_read_before_the_write_does_not_see_it():
    def run(x, a, b):
        y = a(x)
        result = y.mean((2, 3))
        y.add_(b(x))
        return result

    assert (
        live_operators(graph_of(Net(run, nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 3)))).count(
            "aten.conv2d.default"
        )
        == 1
    )


def test_the_last_write_into_the_output_counts():
    def run(x, a, b):
        y = a(x).mean((2, 3))
        y.view(-1).mul_(b(x).mean((2, 3)).view(-1))
        return y

    assert (
        live_operators(graph_of(Net(run, nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 3)))).count(
            "aten.conv2d.default"
        )
        == 2
    )
