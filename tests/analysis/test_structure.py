"""BatchNorm, Dropout and heads: what counts, what does not, and what the student is told."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.analysis.structure import Structure, find_structure
from tests.analysis.graphs import program_of
from tests.analysis.networks import DsconvSe, Net, model_a, shrinking, sub_8k


def structure_of(build) -> Structure:
    return find_structure(program_of(build))


def hints(found) -> str:
    return " ".join(hint.text for hint in found.hints)


def pooled(x):
    return x.mean((2, 3))


def test_layers_of_a_reference_model():
    found = structure_of(model_a)
    assert [layer.settings["num_features"] for layer in found.batch_norm.layers] == [
        16,
        16,
        32,
        32,
        32,
    ]
    assert [layer.settings["p"] for layer in found.dropout.layers] == [0.05, 0.1, 0.1]
    assert (
        found.head_text == "global average pooling (AdaptiveAvgPool2d) → fully connected (Linear)"
    )


def test_dsconv_se_has_five_batch_norms_and_its_gate_is_no_head():
    found = structure_of(DsconvSe)
    assert len(found.batch_norm.layers) == 5
    assert found.head_text == "global average pooling (mean) → fully connected (Linear)"


# Layers without effect


def test_a_batch_norm_that_is_never_called_does_not_count():
    found = structure_of(
        lambda: Net(lambda x, a, b: pooled(a(x)), nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10))
    ).batch_norm
    assert found.layers == ()
    assert hints(found) == "layers.1 (BatchNorm2d) has no effect: forward() never calls it."
    assert found.hints[0].line is not None


def test_a_batch_norm_whose_result_is_thrown_away_does_not_count():
    def run(x, a, b):
        x = a(x)
        b(x)
        return pooled(x)

    found = structure_of(lambda: Net(run, nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10))).batch_norm
    assert found.layers == ()
    assert "throws the result away" in hints(found)


def test_a_batch_norm_in_a_dead_branch_does_not_count():
    def run(x, a, b):
        x = a(x)
        b(x).relu()
        return pooled(x)

    found = structure_of(lambda: Net(run, nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10))).batch_norm
    assert found.layers == ()
    assert "never reaches the output" in hints(found)


def test_an_in_place_write_makes_its_source_count():
    def run(x, a, b):
        x = a(x)
        x.add_(b(x))
        return pooled(x)

    assert structure_of(lambda: Net(run, nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10))).batch_norm.layers


def test_a_batch_norm_used_twice_is_one_layer():
    found = structure_of(
        lambda: Net(lambda x, a, b: pooled(b(b(a(x)))), nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10))
    )
    assert len(found.batch_norm.layers) == 1


def test_dropout_with_p_0_does_not_count():
    found = structure_of(
        lambda: Net(lambda x, a, b: pooled(b(a(x))), nn.Conv2d(1, 10, 3), nn.Dropout(0.0))
    ).dropout
    assert found.layers == ()
    assert "its p is 0" in hints(found)


def test_functional_dropout_without_training_is_active_in_evaluation():
    found = structure_of(
        lambda: Net(lambda x, a: pooled(F.dropout(a(x), 0.1)), nn.Conv2d(1, 10, 3))
    ).dropout
    assert len(found.layers) == 1
    assert found.active_in_eval
    assert "training=self.training" in hints(found)


def test_functional_dropout_with_training_counts():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolve = nn.Conv2d(1, 10, 3)

        def forward(self, x):
            return pooled(F.dropout2d(self.convolve(x), 0.1, training=self.training))

    found = structure_of(Careful).dropout
    assert [layer.settings["p"] for layer in found.layers] == [0.1]
    assert not found.active_in_eval


def test_frozen_batch_norm_does_not_count():
    def run(x, a, b):
        return pooled(F.batch_norm(a(x), b.running_mean, b.running_var, training=False))

    found = structure_of(lambda: Net(run, nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10))).batch_norm
    assert found.layers == ()


# Heads

HEADS = {
    "adaptive": lambda: nn.Sequential(nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "pool of the size of the map": lambda: nn.Sequential(
        nn.Conv2d(1, 10, 3), nn.AvgPool2d(26), nn.Flatten()
    ),
    "functional": lambda: Net(
        lambda x, a: F.avg_pool2d(x := a(x), x.shape[2:]).view(-1, 10), nn.Conv2d(1, 10, 3)
    ),
    "mean over both": lambda: Net(lambda x, a: a(x).mean((2, 3)), nn.Conv2d(1, 10, 3)),
    "mean in two steps": lambda: Net(lambda x, a: a(x).mean(3).mean(2), nn.Conv2d(1, 10, 3)),
    "mean of the flattened map": lambda: Net(
        lambda x, a: a(x).flatten(2).mean(-1), nn.Conv2d(1, 10, 3)
    ),
    "mean of a view": lambda: Net(lambda x, a: a(x).view(-1, 10, 676).mean(2), nn.Conv2d(1, 10, 3)),
    "adaptive 1d": lambda: Net(
        lambda x, a: F.adaptive_avg_pool1d(a(x).flatten(2), 1).squeeze(2), nn.Conv2d(1, 10, 3)
    ),
    "a sum that is divided": lambda: Net(
        lambda x, a: (y := a(x)).sum((2, 3)) / (y.shape[2] * y.shape[3]), nn.Conv2d(1, 10, 3)
    ),
    "a sum of products that is divided": lambda: Net(
        lambda x, a: torch.einsum("nchw->nc", a(x)) * (1 / 676), nn.Conv2d(1, 10, 3)
    ),
    "channels last": lambda: Net(
        lambda x, a: a(x).permute(0, 2, 3, 1).mean((1, 2)), nn.Conv2d(1, 10, 3)
    ),
    "rows, then columns": lambda: nn.Sequential(
        nn.Conv2d(1, 10, 3), nn.AvgPool2d((26, 1)), nn.AvgPool2d((1, 26)), nn.Flatten()
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_global_average_pooling_in_every_spelling(name):
    found = structure_of(HEADS[name])
    assert [item.kind for item in found.head] == ["global average pooling"]
    assert found.has_gap
    assert not found.has_fc


OTHER_HEADS = {
    "max": (
        lambda: nn.Sequential(nn.Conv2d(1, 10, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten()),
        "global max pooling",
    ),
    "amax": (
        lambda: Net(lambda x, a: a(x).amax((2, 3)), nn.Conv2d(1, 10, 3)),
        "global max pooling",
    ),
    "sum": (lambda: Net(lambda x, a: a(x).sum((2, 3)), nn.Conv2d(1, 10, 3)), "global sum pooling"),
    "sum over another number": (
        lambda: Net(lambda x, a: a(x).sum((2, 3)) / 100, nn.Conv2d(1, 10, 3)),
        "global sum pooling",
    ),
    "lp": (
        lambda: nn.Sequential(nn.Conv2d(1, 10, 3), nn.LPPool2d(2, 26), nn.Flatten()),
        "global Lp pooling",
    ),
    "full kernel": (
        lambda: nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten()),
        "fully connected",
    ),
    "mean and max": (
        lambda: Net(lambda x, a: a(x).mean(3).amax(2), nn.Conv2d(1, 10, 3)),
        "global pooling",
    ),
}


@pytest.mark.parametrize("name", OTHER_HEADS)
def test_other_heads_are_named_as_what_they_are(name):
    build, word = OTHER_HEADS[name]
    found = structure_of(build)
    assert [item.kind for item in found.head] == [word]
    assert not found.has_gap


FULLY_CONNECTED = {
    "linear": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 676, 10)),
    "1x1 convolution on a 1x1 map": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 10, 1), nn.Flatten()
    ),
    "matmul": lambda: Net(
        lambda x, a, b: a(x).mean((2, 3)) @ b.weight.t(), nn.Conv2d(1, 4, 3), nn.Linear(4, 10)
    ),
    "einsum": lambda: Net(
        lambda x, a, b: torch.einsum("nc,kc->nk", a(x).mean((2, 3)), b.weight),
        nn.Conv2d(1, 4, 3),
        nn.Linear(4, 10),
    ),
}


@pytest.mark.parametrize("name", FULLY_CONNECTED)
def test_fully_connected_in_every_spelling(name):
    found = structure_of(FULLY_CONNECTED[name])
    assert found.has_fc
    assert found.head[-1].out_features == 10


def test_a_1x1_convolution_on_a_map_is_not_fully_connected():
    assert not structure_of(sub_8k).has_fc


def test_pooling_single_pixels_is_not_global():
    found = structure_of(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.AvgPool2d(1), nn.Flatten(), nn.Linear(4 * 676, 10)
        )
    )
    assert not found.has_gap
    assert "one pixel" in found.head_hints[0].text


def test_a_resize_to_7x7_is_not_global():
    found = structure_of(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(4 * 49, 10)
        )
    )
    assert not found.has_gap
    assert "7 × 7 positions" in found.head_hints[0].text


def test_pooling_a_1x1_map_is_not_global():
    found = structure_of(
        lambda: nn.Sequential(nn.Conv2d(1, 10, 28), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    )
    assert [item.spelled for item in found.head] == ["full-kernel Conv2d"]
    assert "nothing left to average" in found.head_hints[0].text


def mixed_filters(squeeze):
    """A head of averages over a map whose filters `squeeze(x)` mixes for each image."""

    def whole(x, convolve, route, experts):
        x = convolve(x)
        n, c, h, w = x.shape
        shares = route(squeeze(x)).softmax(1)
        filters = (shares @ experts.weight.view(3, -1)).view(n * 10, c, 3, 3)
        x = F.conv2d(x.reshape(1, n * c, h, w), filters, padding=1, groups=n)
        return x.view(n, 10, h, w).mean((2, 3))

    return whole


def scaled(squeeze):
    """The same with channels that `squeeze(x)` scales."""

    def whole(x, convolve, route, last):
        x = convolve(x)
        return last(x * route(squeeze(x)).sum(1)[:, None, None, None].sigmoid()).mean((2, 3))

    return whole


SQUEEZES = {
    "the average": lambda x: x.mean((2, 3)),
    "averages and maxima": lambda x: x.mean((2, 3)) + x.amax((2, 3)),
    "the deviation": lambda x: x.flatten(2).std(2),
    "the whole map": lambda x: x.flatten(1),
    "a 2x2 map": lambda x: F.adaptive_avg_pool2d(x, 2).flatten(1),
    "a 2x2 map of maxima": lambda x: F.adaptive_max_pool2d(x.relu(), 2).reshape(-1, 32),
}


@pytest.mark.parametrize("gate", [mixed_filters, scaled])
@pytest.mark.parametrize("name", SQUEEZES)
def test_what_a_gate_inside_the_network_reads_is_no_head(name, gate):
    squeeze = SQUEEZES[name]
    inputs = squeeze(torch.rand(2, 8, 26, 26)).shape[1]
    last = nn.Linear(720, 3) if gate is mixed_filters else nn.Conv2d(8, 10, 3)
    found = structure_of(lambda: Net(gate(squeeze), nn.Conv2d(1, 8, 3), nn.Linear(inputs, 3), last))
    assert [item.kind for item in found.head] == ["global average pooling"]


def test_a_map_that_goes_to_the_scores_and_to_a_later_map_is_part_of_the_head():
    def whole(x, first, second, end):
        x = first(x)
        return end(torch.cat([x.flatten(1), second(x.relu()).mean((2, 3))], 1))

    found = structure_of(
        lambda: Net(whole, nn.Conv2d(1, 4, 5), nn.Conv2d(4, 8, 3), nn.Linear(2304 + 8, 10))
    )
    assert [item.kind for item in found.head] == ["global average pooling", "fully connected"]


def test_the_levels_of_a_pyramid_are_all_in_the_head():
    def whole(x, convolve, end):
        x = convolve(x)
        levels = [F.adaptive_avg_pool2d(x, size).flatten(1) for size in (1, 2)]
        return end(torch.cat(levels, 1))

    found = structure_of(lambda: Net(whole, nn.Conv2d(1, 8, 3), nn.Linear(40, 10)))
    assert found.has_gap
    assert found.has_fc


def test_pooling_that_leaves_a_row_out_is_not_global():
    # 28 to 26, three times 2 to 3, and a window of 2: the last row and column are never read.
    pools = [nn.MaxPool2d(2), nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AvgPool2d(2)]
    found = structure_of(lambda: nn.Sequential(nn.Conv2d(1, 10, 3), *pools, nn.Flatten()))
    assert not found.has_gap


def test_convolutions_that_shrink_the_map_to_one_position_are_named():
    found = structure_of(shrinking)
    assert [item.kind for item in found.head] == ["full-kernel convolution", "fully connected"]


def test_the_squeeze_of_a_gate_is_no_head():
    def run(x, a, b, c):
        x = a(x)
        x = x * b(x.mean((2, 3), keepdim=True)).sigmoid()
        return c(x.flatten(1))

    found = structure_of(
        lambda: Net(run, nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 1), nn.Linear(4 * 676, 10))
    )
    assert not found.has_gap
    assert "gate" in found.head_hints[0].text


def test_a_head_without_pooling_and_without_layers_is_said_so():
    def run(x, a):
        return a(x)[:, :, 13, 13]

    assert (
        structure_of(lambda: Net(run, nn.Conv2d(1, 10, 3))).head_text
        == "no pooling and no fully connected layer"
    )


WHOLE = {
    "on a square": [nn.Conv2d(1, 10, 28)],
    "on a map": [nn.Conv2d(1, 4, 3, stride=3), nn.Conv2d(4, 10, 9)],
    "then 1x1": [nn.Conv2d(1, 4, 28), nn.Conv2d(4, 10, 1)],
    "then an activation and 1x1": [nn.Conv2d(1, 4, 28), nn.ReLU(), nn.Conv2d(4, 10, 1)],
    "rows, then columns": [nn.Conv2d(1, 4, (28, 1)), nn.Conv2d(4, 10, (1, 28))],
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_convolution_over_the_whole_map_is_fully_connected(name):
    found = structure_of(lambda: nn.Sequential(*WHOLE[name], nn.Flatten()))
    assert found.has_fc
    assert "full-kernel Conv2d" in found.head_text


PARTS = {
    "3 of 5": (nn.AvgPool2d(3), 5, "3×3 windows of a 5×5 map"),
    "3 of 4": (nn.AvgPool2d(3, 2), 4, "3×3 windows of a 4×4 map"),
    "2 of 3": (nn.AvgPool2d(2), 3, "2×2 windows of a 3×3 map"),
    "1 of 2": (nn.AvgPool2d(1, 2), 2, "1×1 windows of a 2×2 map"),
}


@pytest.mark.parametrize("name", PARTS)
def test_an_average_of_a_part_of_the_map_is_named_as_that(name):
    pool, size, words = PARTS[name]
    end = nn.Conv2d(1, 10, 29 - size)
    found = structure_of(lambda: nn.Sequential(end, pool, nn.Flatten()))
    assert found.head_text == f"average pooling ({words})"
    assert not found.has_gap
    assert not found.has_fc
