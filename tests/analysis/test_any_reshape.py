"""Whatever is done with the number of images in a shape, every analysis has an answer."""

import os

import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from grader.analysis.summary import analyse
from tests.analysis.graphs import analysed, graph_of
from tests.analysis.networks import Net

CHANNELS, SIZE = 4, 6

SHAPES = {
    "as channels": lambda n: (1, n * CHANNELS, SIZE, SIZE),
    "channels as images": lambda n: (n * CHANNELS, 1, SIZE, SIZE),
    "half of the channels": lambda n: (n * 2, CHANNELS // 2, SIZE, SIZE),
    "rows as images": lambda n: (n * CHANNELS * SIZE, SIZE),
    "flat": lambda n: (n, CHANNELS * SIZE * SIZE),
    "flat as one": lambda n: (1, n * CHANNELS * SIZE * SIZE),
    "in the last": lambda n: (SIZE, CHANNELS, n * SIZE),
    "across": lambda n: (n, SIZE, CHANNELS, SIZE),
    "five": lambda n: (n, 2, CHANNELS // 2, SIZE, SIZE),
    "all in one": lambda n: (n * CHANNELS * SIZE * SIZE,),
}
OPERATORS = {
    "relu": lambda x, n: x.relu(),
    "mean": lambda x, n: x - x.mean(-1, keepdim=True),
    "batch_norm": lambda x, n: F.batch_norm(x, None, None, training=True),
    "instance_norm": lambda x, n: F.instance_norm(x),
    "group_norm": lambda x, n: F.group_norm(x, 1),
    "layer_norm": lambda x, n: F.layer_norm(x, x.shape[-1:]),
    "softmax": lambda x, n: x.softmax(-1),
    "average": lambda x, n: F.avg_pool2d(x, 3, 1, 1),
    "maximum": lambda x, n: F.max_pool2d(x, 3, 1, 1),
    "a convolution each": lambda x, n: F.conv2d(
        x, x.mean().expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1]
    ),
    "a convolution of each image": lambda x, n: F.conv2d(
        x,
        torch.ones(2, 2, device=x.device).mean().expand(n * CHANNELS, CHANNELS, 3, 3),
        padding=1,
        groups=n,
    ),
    "flip": lambda x, n: x.flip(-1),
    "transpose": lambda x, n: x.transpose(0, -1).transpose(0, -1),
    "product": lambda x, n: x @ x.transpose(-1, -2) @ x,
    "pad": lambda x, n: F.pad(x, (1, 1))[..., 1:-1],
    "dropout": lambda x, n: F.dropout(x, 0.1),
    "cat": lambda x, n: torch.cat([x, x], -1)[..., : x.shape[-1]],
}


@settings(
    max_examples=400 if os.environ.get("GRADER_THOROUGH") else 25,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
@given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(OPERATORS)))
def test_every_analysis_has_an_answer_for_any_reshape(shape, operator):
    def run(x, convolve, end):
        x = convolve(x)
        n = x.size(0)
        y = OPERATORS[operator](x.reshape(SHAPES[shape](n)), n)
        return end(y.reshape(n, CHANNELS, SIZE, SIZE).mean((2, 3)))

    def build():
        return Net(run, nn.Conv2d(1, CHANNELS, 3), nn.Linear(CHANNELS, 10))

    assume(_runs(build))
    found = analysed(build, (1, 8, 8))
    assert found.receptive_field.rows >= 1
    assert found.structure.head_text
    assert analyse(found.program).layers


def _runs(build):
    """Whether torch itself accepts and exports it: it refuses many of these."""
    try:
        build()(torch.rand(3, 1, 8, 8))
        graph_of(build(), (1, 8, 8))
    except Exception:
        return False
    return True
