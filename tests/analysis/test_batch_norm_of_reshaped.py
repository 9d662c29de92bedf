"""F.batch_norm over a reshaped batch: a batch norm only where images share its statistics."""

import pytest
import torch.nn.functional as F
from torch import nn

from grader.analysis.structure import find_structure
from tests.analysis.graphs import program_of
from tests.analysis.networks import Net


def norm_of(normalise):
    def run(x, convolve, end):
        x = convolve(x)
        return end(normalise(x, x.size(0)).relu().mean((2, 3)))

    def build():
        return Net(run, nn.Conv2d(1, 16, 5, stride=2), nn.Linear(16, 10))

    return find_structure(program_of(build)).batch_norm


def norm(x):
    return F.batch_norm(x, None, None, training=True)


APART = {
    "reshape": lambda x, n: norm(x.reshape(1, n * 16, 12, 12)).view(n, 16, 12, 12),
    "view": lambda x, n: norm(x.view(1, -1, 12, 12)).view(-1, 16, 12, 12),
    "flatten": lambda x, n: norm(x.flatten(0, 1).unsqueeze(0))[0].unflatten(0, (n, 16)),
    "transpose": lambda x, n: norm(x.transpose(0, 1)).transpose(0, 1),
    "permute": lambda x, n: norm(x.permute(1, 0, 2, 3)).permute(1, 0, 2, 3),
    "groups": lambda x, n: norm(x.reshape(1, n * 4, 4 * 12, 12)).reshape(n, 16, 12, 12),
    "layer": lambda x, n: norm(x.reshape(1, n, 16 * 12, 12)).reshape(n, 16, 12, 12),
    "flat": lambda x, n: norm(x.reshape(1, n * 16, 144)).reshape(n, 16, 12, 12),
    "a row each": lambda x, n: norm(x.flatten(1).t()).t().reshape(n, 16, 12, 12),
}


@pytest.mark.parametrize("name", APART)
def test_a_norm_of_each_image_by_itself_is_no_batch_norm(name):
    found = norm_of(APART[name])
    assert found.layers == ()
    assert "instance normalisation" in found.hints[0].text


SHARED = {
    "plain": lambda x, n: norm(x),
    "groups of channels": lambda x, n: norm(x.reshape(n, 4, 48, 12)).reshape(n, 16, 12, 12),
    "all channels as one": lambda x, n: norm(x.reshape(n * 16, 1, 12, 12)).reshape(n, 16, 12, 12),
    "channels last": lambda x, n: (
        norm(x.permute(0, 2, 3, 1).reshape(-1, 16)).reshape(n, 12, 12, 16).permute(0, 3, 1, 2)
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_a_norm_that_images_share_is_one(name):
    assert len(norm_of(SHARED[name]).layers) == 1
