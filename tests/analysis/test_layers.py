from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from grader.analysis.summary import analyse
from tests.analysis.graphs import program_of
from tests.analysis.networks import DsconvSe, Net, model_a, sub_8k


def rows_of(build):
    return analyse(program_of(build)).layers


def test_one_row_per_layer_in_execution_order():
    rows = rows_of(sub_8k)
    assert [row.kind for row in rows[:4]] == [
        "Conv2d 3×3",
        "BatchNorm2d",
        "Conv2d 3×3",
        "BatchNorm2d",
    ]
    assert rows[4].kind == "MaxPool2d 2×2"
    assert rows[-1].kind == "AdaptiveAvgPool2d"


def test_a_row_joins_shape_parameters_share_reach_and_work():
    row = rows_of(sub_8k)[2]
    assert row.module == "3"
    assert row.output_shape == (10, 28, 28)
    assert row.parameters == 8 * 10 * 9 + 10
    assert row.share == 730 / 6_260
    assert (row.receptive_field, row.jump) == ((5, 5), ("1", "1"))
    assert row.multiply_adds == 28 * 28 * 10 * 8 * 9
    assert row.line is not None


def test_the_rows_parameters_add_up():
    for build, total in ((sub_8k, 6_260), (model_a, 26_202), (DsconvSe, 17_682)):
        assert sum(row.parameters for row in rows_of(build)) == total


def test_a_shared_layer_has_its_parameters_once():
    rows = rows_of(
        lambda: Net(
            lambda x, a, b: b(b(a(x))).mean((2, 3)), nn.Conv2d(1, 10, 1), nn.Conv2d(10, 10, 3)
        )
    )
    assert [row.parameters for row in rows] == [20, 910, 0, 0]


def test_there_is_no_receptive_field_behind_global_pooling():
    assert rows_of(model_a)[-1].receptive_field is None


def test_strides_and_dilation_are_shown():
    def build():
        return nn.Sequential(
            nn.Conv2d(1, 10, 3, stride=2),
            nn.Conv2d(10, 10, 3, dilation=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    assert [row.kind for row in rows_of(build)[:2]] == ["Conv2d 3×3 /2", "Conv2d 3×3 dilation 2"]


def test_functional_layers_and_joins_have_rows():
    rows = rows_of(DsconvSe)
    assert "max pooling 2×2" in [row.kind for row in rows]
    assert "multiply" in [row.kind for row in rows]
    assert rows[-3].kind == "mean"


def test_a_layer_whose_weights_are_computed_keeps_its_name():
    def build():
        return nn.Sequential(
            weight_norm(nn.Conv2d(1, 10, 3)), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    weights, convolution, _ = rows_of(build)
    assert (weights.kind, weights.output_shape, weights.parameters) == (
        "WeightNorm",
        (10, 1, 3, 3),
        90 + 10,
    )
    assert (convolution.kind, convolution.output_shape, convolution.parameters) == (
        "Conv2d 3×3",
        (10, 26, 26),
        10,
    )


def test_every_dropout_layer_has_its_own_name():
    def build():
        return nn.Sequential(
            nn.Conv2d(1, 10, 3), nn.Dropout(), nn.Dropout2d(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    assert [row.kind for row in rows_of(build)[1:3]] == ["Dropout", "Dropout2d"]
