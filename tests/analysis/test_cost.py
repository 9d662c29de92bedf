"""Multiply-adds and bytes by hand, and against fvcore and torchinfo where they are right."""

import importlib.util
import warnings
from pathlib import Path

import pytest
import torch
import torchinfo
import torchvision
from torch import nn

from grader.analysis.cost import measure_cost
from tests.analysis.graphs import graph_of
from tests.analysis.networks import DsconvSe, Net, model_a, sub_8k

with warnings.catch_warnings(
    action="ignore"
):  # it compiles with torch.jit, which torch would have it replace
    from fvcore.nn import FlopCountAnalysis

REFERENCES = sorted((Path(__file__).parents[2] / "reference").glob("mnist_*/*.py"))


def total(model: nn.Module, shape=(1, 28, 28)) -> int:
    return measure_cost(graph_of(model.eval(), shape)).total


def test_a_convolution_multiplies_its_kernel_at_every_position():
    # 26 x 26 positions, 4 channels out, 1 in, 9 taps; then 4 to 10 at one position.
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 10, 1), nn.Flatten()
    )
    assert total(model) == 26 * 26 * 4 * 9 + 4 * 10


def test_groups_divide_the_work():
    model = nn.Sequential(
        nn.Conv2d(1, 10, 1), nn.Conv2d(10, 10, 3, groups=5), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert total(model) == 28 * 28 * 10 + 26 * 26 * 10 * 2 * 9


def test_a_transposed_convolution_multiplies_at_every_input_position():
    model = nn.Sequential(
        nn.ConvTranspose2d(1, 10, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
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


@pytest.mark.parametrize(
    "equation", ["bchw,kc->bkhw", "bc...,kc->bk...", "...chw,kc->...khw", "bchw,kc"]
)
def test_einsum_costs_the_same_however_it_is_spelled(equation):
    model = Net(
        lambda x, a: torch.einsum(equation, a(x), torch.ones(10, 4)).flatten(1)[:, :10],
        nn.Conv2d(1, 4, 3),
    )
    assert total(model) == 26 * 26 * 4 * 9 + 26 * 26 * 4 * 10


def test_dead_branches_cost_nothing():
    def run(x, a, b):
        b(x)
        return a(x).mean((2, 3))

    assert total(Net(run, nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 5))) == 26 * 26 * 10 * 9


def fvcore_total(model: nn.Module, shape=(1, 28, 28)) -> int:
    """What fvcore counts for convolutions, linear layers and matrix products, without norms."""
    counted = FlopCountAnalysis(model.eval(), torch.rand(1, *shape))
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with warnings.catch_warnings(action="ignore"):  # torch.jit again
        found = counted.by_operator()
    return sum(found[operator] for operator in ("conv", "linear", "matmul"))


def reference(path: Path) -> nn.Module:
    """The network of a reference file: its last class."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == path.stem
    ]
    return own[-1]()


@pytest.mark.parametrize("path", REFERENCES, ids=[path.stem for path in REFERENCES])
def test_fvcore_counts_as_much_for_every_reference_model(path):
    model = reference(path)
    assert total(model) == fvcore_total(model) > 0


def test_there_are_nine_reference_models():
    assert len(REFERENCES) == 9


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet18", 1_814_073_344),
        ("mobilenet_v2", 300_774_272),  # depthwise convolutions
        ("shufflenet_v2_x0_5", 40_476_448),  # branches and channel shuffles
    ],
)
def test_fvcore_counts_as_much_for_torchvision_models(name, count):
    model = torchvision.models.get_model(name, weights=None)
    assert total(model, (3, 224, 224)) == fvcore_total(model, (3, 224, 224)) == count


def test_fvcore_leaves_out_the_products_of_fused_attention():
    def run(x, classify):
        tokens = x.flatten(1).view(-1, 49, 16)
        return classify(nn.functional.scaled_dot_product_attention(tokens, tokens, tokens).mean(1))

    model = Net(run, nn.Linear(16, 10))
    assert (
        total(model) - fvcore_total(model) == 2 * 49 * 49 * 16
    )  # queries by keys, and weights by values


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(
            nn.Conv2d(1, 10, 1),
            nn.ConvTranspose2d(10, 10, 3, 2, groups=5),
            nn.AvgPool2d(57),
            nn.Flatten(),
        ),
        Net(
            lambda x, a: (a(x.flatten(1).view(-1, 49, 16)) @ torch.ones(16, 10)).mean(1),
            nn.Linear(16, 16),
        ),
        Net(lambda x, a, b: b(a(a(x))).mean((2, 3)), nn.Conv2d(1, 1, 3), nn.Conv2d(1, 10, 3)),
        Net(lambda x, a, b: (a(x).mean((2, 3)), b(x))[0], nn.Conv2d(1, 10, 3), nn.Conv2d(1, 10, 5)),
    ],
    ids=["transposed in groups", "matrix product", "a layer used twice", "a dead branch"],
)
def test_fvcore_counts_as_much_for(model):
    assert total(model) == fvcore_total(model) > 0


def test_torchinfo_counts_biases_and_batch_norms_besides():
    for model in (sub_8k(), model_a(), DsconvSe()):
        found = torchinfo.summary(model.eval(), (1, 1, 28, 28), verbose=0)
        extra = sum(_extra(layer) for layer in found.summary_list if layer.is_leaf_layer)
        assert total(model) == found.total_mult_adds - extra


def _extra(layer) -> int:
    """What torchinfo adds to a layer's products: its bias per position, all of a BatchNorm's."""
    if isinstance(layer.module, nn.BatchNorm2d):
        return layer.macs
    if getattr(layer.module, "bias", None) is None:
        return 0
    return torch.Size(layer.output_size).numel()


def test_activations_are_counted_once_per_result():
    # Convolution 10 x 26 x 26, ReLU in place, pooling 10, flatten is a view: float32.
    model = nn.Sequential(
        nn.Conv2d(1, 10, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert measure_cost(graph_of(model)).memory == 4 * (10 * 26 * 26 + 10)
