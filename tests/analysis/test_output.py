import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.analysis.arguments import base
from grader.analysis.output import clipped_at, output_kind
from tests.analysis.graphs import graph_of
from tests.analysis.networks import Net

OUTPUTS = {
    "log_softmax": (lambda x: F.log_softmax(x, dim=1), "log_probabilities"),
    "log_softmax, then view": (lambda x: F.log_softmax(x, dim=1).view(-1, 10), "log_probabilities"),
    "log of softmax": (lambda x: torch.log(torch.softmax(x, 1)), "log_probabilities"),
    "guarded log of softmax": (
        lambda x: torch.log(torch.softmax(x, 1) + 1e-9),
        "log_probabilities",
    ),
    "minus logsumexp": (lambda x: x - x.logsumexp(1, keepdim=True), "log_probabilities"),
    "softmax": (lambda x: F.softmax(x, dim=1), "probabilities"),
    "sigmoid": (torch.sigmoid, "probabilities"),
    "linear": (lambda x: x, "logits"),
    "relu": (F.relu, "logits"),
    "log_softmax of softmax, scaled": (lambda x: 2 * F.log_softmax(x, dim=1), "logits"),
    "view of logits": (lambda x: x.unsqueeze(2).squeeze(2), "logits"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_the_network_returns(name):
    finish, kind = OUTPUTS[name]
    model = Net(lambda x, a: finish(a(x.flatten(1))), nn.Linear(784, 10))
    assert output_kind(graph_of(model)) == kind


@pytest.mark.parametrize(
    ("finish", "clipped"),
    [
        (F.relu, "relu"),
        (lambda x: F.relu(x).view(-1, 10), "relu"),
        (F.relu6, "relu6"),
        (lambda x: F.relu(x) - 1, None),
        (lambda x: x, None),
    ],
)
def test_scores_that_an_activation_clips(finish, clipped):
    found = clipped_at(graph_of(Net(lambda x, a: finish(a(x.flatten(1))), nn.Linear(784, 10))))
    assert (found and base(found)) == clipped
