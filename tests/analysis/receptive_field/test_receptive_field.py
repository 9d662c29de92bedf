"""Known values, and rules that no formula sheet has: branches, gates, shuffles, in-place writes."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from grader.analysis.head import find_head
from grader.analysis.receptive_field.field import ReceptiveField, find_field
from tests.analysis.graphs import graph_of
from tests.analysis.networks import DsconvSe, Net, model_a, shrinking, sub_8k

IMAGENET = (3, 224, 224)


def field_of(model: nn.Module, shape=(1, 28, 28)) -> ReceptiveField:
    return find_field(graph_of(model.eval(), shape))


def steps(field: ReceptiveField, word: str) -> list[tuple[int, Fraction | None]]:
    """Pixels and jump after each operator whose name holds `word`."""
    reaches = [field.reach(name, "rows") for name in field.answers if word in name]
    return [(reach.pixels, reach.jump) for reach in reaches if reach]


def conv(inputs: int = 1, outputs: int = 4, kernel=3, **settings) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, **settings)


# Reference models


def test_sub_8k_sees_28_pixels_layer_by_layer():
    field = field_of(sub_8k())
    assert steps(field, "conv2d") == [(3, 1), (5, 1), (10, 2), (20, 4), (28, 4), (28, 4)]
    assert steps(field, "max_pool2d") == [(6, 2), (12, 4)]
    assert (field.rows, field.columns) == (28, 28)


def test_a_map_that_shrinks_to_one_position_in_the_middle_of_a_network_is_still_a_map():
    field = field_of(shrinking())
    assert [pixels for pixels, _ in steps(field, "conv2d")] == [3, 5, 10, 20, 28, 28]
    assert field.rows == 28


def test_model_a_sees_24_pixels():
    assert field_of(model_a()).rows == 24


def test_the_gate_of_squeeze_and_excitation_keeps_the_window_and_is_flagged():
    field = field_of(DsconvSe())
    assert field.rows == 36
    assert field.flags == ("gate",)


# torchvision at 224 x 224


@pytest.mark.parametrize(
    ("name", "pixels"), [("alexnet", 195), ("vgg11", 150), ("resnet34", 899), ("densenet121", 2071)]
)
def test_torchvision_models(name, pixels):
    assert field_of(torchvision.models.get_model(name, weights=None), IMAGENET).rows == pixels


def test_vgg16_endpoints():
    field = field_of(torchvision.models.vgg16(weights=None), IMAGENET)
    ends = dict.fromkeys(
        pixels for pixels, jump in steps(field, "conv2d") + steps(field, "max_pool2d") if jump
    )
    assert sorted(ends) == [
        3,
        5,
        6,
        10,
        14,
        16,
        24,
        32,
        40,
        44,
        60,
        76,
        92,
        100,
        132,
        164,
        196,
        212,
    ]
    assert field.rows == 212


def test_resnet50_after_each_stage():
    model = torchvision.models.resnet50(weights=None).eval()
    graph = graph_of(model, IMAGENET)
    field = find_field(graph)
    last = {
        node.module.split(".")[0]: node.name
        for node in graph.nodes
        if node.module.startswith("layer")
    }
    assert [field.reach(last[f"layer{stage}"], "rows").pixels for stage in (1, 2, 3, 4)] == [
        35,
        91,
        267,
        427,
    ]


# Single operators


def tail(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def test_rows_and_columns_are_answered_apart():
    field = field_of(
        nn.Sequential(conv(kernel=(1, 5)), conv(4, 4, kernel=(3, 1), dilation=(2, 1)), *tail(4))
    )
    assert (field.rows, field.columns) == (5, 5)
    field = field_of(nn.Sequential(conv(kernel=(1, 5)), *tail(4)))
    assert (field.rows, field.columns) == (1, 5)


def test_dilation_leaves_holes_in_what_is_seen():
    field = field_of(nn.Sequential(conv(dilation=3), *tail(4)))
    assert field.rows == 7
    assert field.at_end[0].seen[0] == 0b1001001


def test_windows_are_clipped_at_the_border():
    rows, _ = field_of(nn.Sequential(conv(padding=1), *tail(4))).at_end
    assert rows.seen[0] == 0b11
    assert rows.low == -1
    assert rows.span == (0, 27)


def test_a_stride_skips_pixels_that_nobody_sees():
    field = field_of(nn.Sequential(conv(kernel=1, stride=2), *tail(4)))
    assert field.coverage.rows == 0.5
    assert field.coverage.pixels == 0.25


def test_the_centre_unit_of_a_small_field_sees_part_of_the_image():
    field = field_of(nn.Sequential(conv(kernel=7), *tail(4)))
    assert field.coverage.rows == 1
    assert field.centre_coverage.rows == 7 / 28


def test_upsampling_halves_the_jump():
    field = field_of(nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=2), conv(), *tail(4)))
    rows, _ = field.at_end
    assert rows.jump == 1
    assert rows.seen[1] == 0b1111  # positions 1, 2, 3 of the upsampled map are pools 0, 1, 1


def test_a_kernel_as_large_as_the_map_is_global():
    field = field_of(nn.Sequential(conv(), nn.Conv2d(4, 10, 26), nn.Flatten()))
    assert field.rows == 3
    assert field.final.endswith("conv2d")


def test_the_final_feature_map_is_the_one_before_it_is_flattened():
    field = field_of(
        nn.Sequential(conv(), nn.Flatten(), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4 * 26 * 26, 10))
    )
    assert field.final.endswith("conv2d")


def test_mean_over_one_axis_ends_that_axis_only():
    field = field_of(Net(lambda x, a, b: b(a(x).mean(3)).mean(2), conv(), nn.Conv1d(4, 10, 3)))
    reaches = [field.reach(name, "rows") for name in field.answers if "conv1d" in name]
    assert [(reach.pixels, reach.jump) for reach in reaches] == [(5, 1)]


def test_a_network_that_flattens_the_image_sees_one_pixel_before_its_head():
    assert field_of(nn.Sequential(nn.Flatten(), nn.Linear(784, 10))).rows == 1


# Branches


def test_branches_that_see_the_same_centre_are_aligned():
    field = field_of(
        Net(
            lambda x, a, b: (a(x) + b(x)).mean((2, 3)),
            conv(1, 10, padding=1),
            conv(1, 10, 5, padding=2),
        )
    )
    assert (field.rows, field.flags) == (5, ())


def test_branches_with_other_centres_are_flagged():
    field = field_of(
        Net(lambda x, a, b: (a(x)[:, :, 2:, 2:] + b(x)).mean((2, 3)), conv(1, 10), conv(1, 10, 5))
    )
    assert field.flags == ("misaligned",)
    assert field.rows == 5  # rows 2 to 4, and rows 0 to 4


def test_cropping_the_skip_connection_aligns_it():
    field = field_of(Net(lambda x, a: (x[:, :, 1:-1, 1:-1] + a(x)).mean((2, 3)), conv(1, 10)))
    assert (field.rows, field.flags) == (3, ())


def test_concatenated_channels_can_be_taken_apart_again():
    # Half of the channels skip the second convolution, as in ShuffleNet v2.
    def run(x, first, second, last):
        x = first(x)
        left, right = x.chunk(2, dim=1)
        x = torch.cat([left, second(right)], dim=1)
        return last(x[:, :2].mean((2, 3)))

    field = field_of(Net(run, conv(), conv(2, 2, padding=1), nn.Linear(2, 10)))
    name = [name for name in field.answers if "slice" in name][-1]
    assert field.reach(name, "rows").seen[5] == 0b111 << 5


def test_a_channel_shuffle_moves_no_rows():
    def run(x, first, second):
        x = first(x)
        x = x.view(x.shape[0], 2, 5, 26, 26).transpose(1, 2).flatten(1, 2)
        return second(x).mean((2, 3))

    field = field_of(Net(run, conv(1, 10), conv(10, 10, groups=5)))
    assert (field.rows, field.proven) == (5, True)


def test_space_to_depth_by_view_and_permute_is_a_window_of_two():
    def run(x, convolve):
        x = x.view(-1, 1, 14, 2, 14, 2).permute(0, 1, 3, 5, 2, 4).reshape(-1, 4, 14, 14)
        return convolve(x).mean((2, 3))

    field = field_of(Net(run, nn.Conv2d(4, 10, 3)))
    assert steps(field, "conv2d") == [(6, 2)]


def test_attention_over_positions_sees_everything():
    def run(x, patches, classify):
        tokens = patches(x).flatten(2).transpose(1, 2)
        return classify(F.scaled_dot_product_attention(tokens, tokens, tokens).mean(1))

    field = field_of(Net(run, conv(1, 8, 4, stride=4), nn.Linear(8, 10)))
    assert field.centre_coverage.pixels == 1


def test_group_norm_is_flagged_and_keeps_the_window():
    field = field_of(nn.Sequential(conv(), nn.GroupNorm(2, 4), *tail(4)))
    assert (field.rows, field.flags) == (3, ("statistics",))
    assert field.at_end[0].shared[0] == 2**28 - 1


def test_layer_norm_over_channels_alone_is_not_flagged():
    run = lambda x, a, b: b(a(x).permute(0, 2, 3, 1)).mean((1, 2))  # noqa: E731 - a forward in one line
    assert field_of(Net(run, conv(1, 10), nn.LayerNorm(10))).flags == ()


# Memory


def test_a_write_in_place_is_seen_by_later_reads_of_the_same_memory():
    def run(x, first, second):
        y = first(x)
        z = y.view(-1, 10, 26, 26)
        z += second(x)
        return y.mean((2, 3))

    assert field_of(Net(run, conv(1, 10), conv(1, 10, 5, padding=1))).rows == 5


def test_a_tensor_filled_slice_by_slice_sees_what_was_written():
    def run(x, first, second):
        out = torch.zeros(x.shape[0], 10, 26, 26)
        out[:, :5] = first(x)
        out[:, 5:] = second(x)
        return out.mean((2, 3))

    assert field_of(Net(run, conv(1, 5), conv(1, 5, 5, padding=1))).rows == 5


# What cannot be told


def test_a_view_that_mixes_rows_and_channels_is_not_proven():
    field = field_of(Net(lambda x, a: a(x).view(-1, 26, 26, 10).mean((1, 2)), conv(1, 10)))
    assert not field.proven
    assert "another order" in field.reason


def test_an_unknown_operator_is_not_proven_and_named():
    graph = graph_of(sub_8k().eval())
    changed = [
        node.model_copy(update={"op": "aten.mystery.default"}) if "relu_2" in node.name else node
        for node in graph.nodes
    ]
    field = find_field(graph.model_copy(update={"nodes": tuple(changed)}))
    assert not field.proven
    assert "mystery" in field.reason
    assert field.rows == 10  # what is proven still is


@pytest.mark.parametrize(
    ("kernel", "stride", "middle"), [(4, 12, 12), (4, 24, 24), (5, 5, 10), (1, 1, 14)]
)
def test_the_centre_is_the_unit_in_the_middle_and_of_two_the_later(kernel, stride, middle):
    field = field_of(Net(lambda x, a: a(x).mean((2, 3)), conv(kernel=kernel, stride=stride)))
    rows = field.at_end[0]
    assert rows.centre == ((1 << kernel) - 1) << middle


# What no unit sees does not count

NARROWER = {
    "bins of 7 in 3": (nn.AdaptiveAvgPool2d(3), 26, 28),
    "bins of 7 in 2": (nn.AdaptiveMaxPool2d(2), 30, 32),
    "bins of 7 in 2, on the average": (nn.AdaptiveAvgPool2d(2), 30, 32),
    "12 of 7": (nn.Upsample(size=12), 18, 21),
    "5 of 7": (nn.Upsample(size=5), 18, 21),
    "up and down": (nn.Sequential(nn.Upsample(scale_factor=2), nn.MaxPool2d(2)), 18, 22),
}


@pytest.mark.parametrize("name", NARROWER)
def test_the_widest_unit_counts_and_the_hull_is_an_upper_bound(name):
    resize, pixels, hull = NARROWER[name]
    layers = [conv(padding=1), nn.MaxPool2d(2), conv(4, 4, padding=1), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, conv(4, 10, padding=1), resize)
    field = field_of(Net(lambda x, a: a(x).mean((2, 3)), model))
    assert (field.rows, field.columns) == (pixels, pixels)
    assert field.bound == (hull, hull)
    assert ("allows for" in field.hints[0].text) == (hull != pixels)


def test_what_lies_between_the_pixels_that_a_dilated_window_reads_counts():
    field = field_of(Net(lambda x, a: a(x).mean((2, 3)), conv(outputs=10, dilation=6)))
    assert (field.rows, field.is_bound) == (13, False)


def test_mirrored_and_wrapped_borders_are_no_window():
    for mode in ("circular", "reflect"):
        field = field_of(Net(lambda x, a: a(x).mean((2, 3)), conv(padding=1, padding_mode=mode)))
        assert (field.rows, field.is_bound) == (3, False)


KERNELS = {
    "7 of 7": ([nn.Conv2d(4, 10, 7)], 10),
    "7 of 7, then 1": ([nn.Conv2d(4, 8, 7), nn.Conv2d(8, 10, 1)], 10),
    "7 of 7, ReLU, then 1": ([nn.Conv2d(4, 8, 7), nn.ReLU(), nn.Conv2d(8, 10, 1)], 10),
    "7 of 7, all between": (
        [nn.Conv2d(4, 8, 7), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(8, 10, 1)],
        10,
    ),
    "7 of 7, then linear": ([nn.Conv2d(4, 8, 7), nn.ReLU(), nn.Flatten(), nn.Linear(8, 10)], 10),
    "9 of 7, padded": ([nn.Conv2d(4, 8, 9, padding=1), nn.ReLU(), nn.Conv2d(8, 10, 1)], 10),
    "3 of 3": ([nn.MaxPool2d(2), nn.Conv2d(4, 10, 3)], 14),
    "3 of 3, then 1": ([nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.Conv2d(8, 10, 1)], 14),
    "3 of 3, norm, then 1": (
        [nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 10, 1)],
        14,
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_as_large_as_the_map_is_the_head_whatever_follows(name):
    layers, pixels = KERNELS[name]
    start = [conv(padding=1), nn.MaxPool2d(2), conv(4, 4, padding=1), nn.MaxPool2d(2)]
    graph = graph_of(nn.Sequential(*start, *layers, nn.Flatten()).eval())
    field = find_field(graph)
    assert field.rows == pixels
    assert "full-kernel Conv2d" in [item.spelled for item in find_head(graph, field)]
