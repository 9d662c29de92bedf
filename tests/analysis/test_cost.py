"""Multiply-adds and bytes by hand, and against fvcore and torchinfo where they are right."""

import torch
import torchinfo
import torchvision
from torch import nn

from grader.analysis.cost import cost
from tests.analysis.graphs import graph_of
from tests.analysis.networks import DsconvSe, Net, model_a, sub_8k


def total(model: nn.Module, shape=(1, 28, 28)) -> int:
    return cost(graph_of(model.eval(), shape)).total


def test_a_convolution_multiplies_its_kernel_at_every_position():
    # 26 x 26 positions, 4 channels out, 1 in, 9 taps; then 4 to 10 at one position.
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 10, 1), nn.Flatten())
    assert total(model) == 26 * 26 * 4 * 9 + 4 * 10


def test_groups_divide_the_work():
    model = nn.Sequential(nn.Conv2d(1, 10, 1), nn.Conv2d(10, 10, 3, groups=5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert total(model) == 28 * 28 * 10 + 26 * 26 * 10 * 2 * 9


def test_a_transposed_convolution_multiplies_at_every_input_position():
    model = nn.Sequential(nn.ConvTranspose2d(1, 10, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert total(model) == 28 * 28 * 10 * 9


def test_matrix_products_and_attention():
    def run(x, classify):
        tokens = x.flatten(1).view(-1, 49, 16)
        mixed = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return classify((mixed @ torch.ones(16, 8)).mean(1))

    assert total(Net(run, nn.Linear(8, 10))) == 2 * 49 * 49 * 16 + 49 * 16 * 8 + 8 * 10


def test_einsum_multiplies_every_combination_of_letters():
    model = Net(lambda x: torch.einsum("nhw,khw->nk", x.squeeze(1), torch.ones(10, 28, 28)))
    assert total(model) == 28 * 28 * 10


def test_dead_branches_cost_nothing():
    def run(x, a, b):
        b(x)
        return a(x).mean((2, 3))

    assert total(Net(run, nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 5))) == 26 * 26 * 10 * 9


def test_torchvision_resnet18_as_fvcore_counts_it():
    # fvcore: 1.814 billion for conv and linear at 224 x 224.
    assert total(torchvision.models.resnet18(weights=None), (3, 224, 224)) == 1_814_073_344


def test_torchinfo_counts_biases_and_batch_norms_besides():
    for model in (sub_8k(), model_a(), DsconvSe()):
        found = torchinfo.summary(model.eval(), (1, 1, 28, 28), verbose=0)
        extra = sum(_extra(layer) for layer in found.summary_list if layer.is_leaf_layer)
        assert total(model) == found.total_mult_adds - extra


def _extra(layer) -> int:
    """What torchinfo counts of a layer beside its products: its bias at every position, or all of a BatchNorm's."""
    if isinstance(layer.module, nn.BatchNorm2d):
        return layer.macs
    if getattr(layer.module, "bias", None) is None:
        return 0
    return torch.Size(layer.output_size).numel()


def test_activations_are_counted_once_per_result():
    # Convolution 10 x 26 x 26, ReLU in place, pooling 10, flatten is a view: float32.
    model = nn.Sequential(nn.Conv2d(1, 10, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert cost(graph_of(model)).memory == 4 * (10 * 26 * 26 + 10)
