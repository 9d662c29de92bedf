"""The operators that make a score depend on chance, or on the other images of the batch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.analysis.untrained.dependence import across_images, by_chance
from tests.analysis.graphs import program_of
from tests.analysis.networks import Net


def graph(run, *layers):
    return program_of(
        lambda: Net(lambda x, *parts: run(x, *parts).mean((2, 3)).expand(-1, 10), *layers)
    ).eval


def test_an_ordinary_network_has_none():
    found = graph(
        lambda x, a, b, c: c(b(a(x))), nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10), nn.Dropout(0.5)
    )
    assert by_chance(found) == across_images(found) == ()


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (lambda x: F.dropout(x, 0.5), "This dropout still acts in evaluation."),
        (
            lambda x: x + torch.randn_like(x),
            "randn_like draws other numbers in every call, in evaluation too.",
        ),
        (
            lambda x: F.rrelu(x, training=True),
            "rrelu draws other numbers in every call, in evaluation too.",
        ),
    ],
)
def test_what_is_drawn_in_evaluation_is_named(run, text):
    (hint,) = by_chance(graph(run))
    assert hint.text == text


def test_dropout_with_p_zero_draws_nothing():
    assert by_chance(graph(lambda x: F.dropout(x, 0.0))) == ()


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (lambda x: x - x.mean(0), "mean"),
        (lambda x: x / x.amax(), "amax"),
        (lambda x: x.softmax(-4), "softmax"),
        (lambda x: x + x.roll(1, 0), "roll"),
        (lambda x: x.cumsum(0), "cumsum"),
    ],
)
def test_what_runs_over_the_images_is_named(run, name):
    assert across_images(graph(run))[0].text.startswith(f"{name} runs over dimension 0")


@pytest.mark.parametrize(
    "run", [lambda x: x - x.mean((1, 2, 3), keepdim=True), lambda x: x.softmax(-1)]
)
def test_what_runs_inside_one_image_is_not_named(run):
    assert across_images(graph(run)) == ()


def test_batch_norm_without_running_statistics_is_named():
    (hint,) = across_images(graph(lambda x, a: a(x), nn.BatchNorm2d(1, track_running_stats=False)))
    assert hint.text.startswith("layers.0 divides by the statistics of the batch in evaluation too")


def test_what_has_no_effect_is_not_named():
    def run(x):
        torch.randn_like(x)
        x.mean(0)
        return x

    found = graph(run)
    assert by_chance(found) == across_images(found) == ()
