"""One network for each kind of operator, small enough to be measured in milliseconds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from tests.analysis.networks import DsconvSe, Net, model_a, sub_8k


def tail(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def _cat_of_strides(x, convolve):
    return convolve(torch.cat([x[:, :, ::2], x[:, :, 1::2]], dim=2)).mean((2, 3))


def _tokens(x, patches, query, classify):
    tokens = patches(x).flatten(2).transpose(1, 2)
    scores = torch.softmax(query(tokens) @ tokens.transpose(1, 2), dim=-1)
    return classify((scores @ tokens).mean(1))


def _attend(x, patches, classify):
    tokens = patches(x).flatten(2).transpose(1, 2)
    return classify(F.scaled_dot_product_attention(tokens, tokens, tokens).mean(1))


def _differing_channels(x, first, second):
    """Groups of channels that see differently, mixed group by group, taken apart and swapped."""
    x = torch.cat([x, x.neg(), first(x)], dim=1).relu()
    one, two = second(x).chunk(2, dim=1)
    return torch.cat([two, one[:, 1:3], two[:, :4]], dim=1).mean((2, 3))


def _patches(x, first, second):
    return second(first(F.unfold(x, 3, padding=1, stride=2).transpose(1, 2)).mean(1))


def _shuffle(x, convolve):
    return convolve(F.pixel_shuffle(F.pixel_unshuffle(x, 2).roll(1, 1), 2)).mean((2, 3))


def _stacked(x, first, second):
    """Two tensors that see differently, of which one is taken again."""
    return second(torch.stack([x, first(x)], dim=1)[:, 0]).mean((2, 3))


def _repeated(x, first, second):
    """Channels that see differently, twice in turn, of which the first two are taken again."""
    twice = torch.cat([x, first(x)], dim=1).repeat(1, 2, 1, 1)
    return second(twice[:, :2] + x.mean(2, keepdim=True).expand(-1, 2, 28, -1)).mean((2, 3))


def _channel_shuffle(x, first, shuffle, second):
    """Six channels, of which the last three see more; shuffled, they see more and less in turn."""
    shuffled = shuffle(torch.cat([x, x.neg(), x.exp(), first(x)], dim=1))
    return second(shuffled[:, 2:3]).mean((2, 3))


def _gated_halves(x, first, second):
    channels = F.glu(torch.cat([x, first(x)], dim=1), dim=1)
    return second(F.glu(channels)).mean((2, 3))


def _sizes(x, convolve):
    """New tensors in the image's shape, and a number that is a size: none sees the image."""
    x = x + torch.zeros(x.shape[0], 784).view_as(x) + torch.ones(28).expand_as(x)
    return (
        convolve(x).mean((2, 3))
        + torch.zeros_like(x)[:, :, 0, :10].mean(1)
        + torch.ones(10) / x.shape[0]
    )


def _volume(x, convolve, norm, classify):
    volume = F.max_pool3d(norm(convolve(x.unsqueeze(1))), (1, 3, 2))
    return classify(F.adaptive_avg_pool3d(F.avg_pool3d(volume, (1, 2, 2)), 1).flatten(1))


def _in_place(x, convolve):
    out = torch.zeros(x.shape[0], 10, 26, 26)
    out[:, 2:8] = convolve(x)
    return out.relu_().mean((2, 3))


NETWORKS = {
    "sub_8k": sub_8k(),
    "model_a": model_a(),
    "dsconv_se": DsconvSe(),
    "dilation": nn.Sequential(
        nn.Conv2d(1, 4, 3, dilation=3, padding=2), nn.MaxPool2d(3, 2, 1), *tail(4)
    ),
    "ceil_mode": nn.Sequential(
        nn.Conv2d(1, 4, 4), nn.AvgPool2d(3, 2, ceil_mode=True), nn.Conv2d(4, 4, 3), *tail(4)
    ),
    "groups": nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 5, groups=4), nn.Conv2d(8, 8, 3, groups=2), *tail(8)
    ),
    "same": nn.Sequential(
        nn.Conv2d(1, 4, 4, padding="same"), nn.Conv2d(4, 4, (1, 5), padding="same"), *tail(4)
    ),
    "transposed": nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2),
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1),
        nn.ConvTranspose2d(4, 4, 2, stride=3),
        *tail(4),
    ),
    "adaptive": nn.Sequential(
        nn.AdaptiveAvgPool2d(11), nn.AdaptiveMaxPool2d((3, 5)), nn.Flatten(), nn.Linear(15, 10)
    ),
    "upsampling": nn.Sequential(
        nn.MaxPool2d(2),
        nn.Upsample(scale_factor=2),
        nn.Upsample(size=(9, 7), mode="bilinear"),
        nn.Upsample(scale_factor=2, mode="bicubic"),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.Conv2d(1, 4, 3),
        *tail(4),
    ),
    "padding": nn.Sequential(
        nn.ReflectionPad2d(2),
        nn.ReplicationPad2d((1, 2, 3, 0)),
        nn.ZeroPad2d(-2),
        nn.CircularPad2d(2),
        nn.Conv2d(1, 4, 3, padding=5),
        *tail(4),
    ),
    "norms": nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.InstanceNorm2d(4),
        nn.GroupNorm(2, 4),
        nn.LayerNorm([4, 26, 26]),
        *tail(4),
    ),
    "flip_and_roll": Net(
        lambda x, a: (a(x.flip(2)) + a(x.roll(3, 3)).flip(3)).mean((2, 3)), nn.Conv2d(1, 10, 3)
    ),
    "transpose": Net(
        lambda x, a: (a(x) + a(x).transpose(2, 3)).mean(3).mean(2), nn.Conv2d(1, 10, 3)
    ),
    "rows_side_by_side": Net(_cat_of_strides, nn.Conv2d(1, 10, 3)),
    "attention": Net(_tokens, nn.Conv2d(1, 8, 4, stride=4), nn.Linear(8, 8), nn.Linear(8, 10)),
    "scaled_dot_product": Net(_attend, nn.Conv2d(1, 8, 4, stride=4), nn.Linear(8, 10)),
    "corners": nn.Sequential(
        nn.Upsample(size=(9, 7), mode="bilinear", align_corners=True), nn.Conv2d(1, 4, 3), *tail(4)
    ),
    "grouped_differently": Net(
        _differing_channels, nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(4, 8, 3, groups=2)
    ),
    "gathered": Net(
        lambda x, a: a(x)[:, torch.arange(9, -1, -1)].mean((2, 3)), nn.Conv2d(1, 10, 3)
    ),
    "unfold": Net(_patches, nn.Linear(9, 8), nn.Linear(8, 10)),
    "pixel_shuffle": Net(_shuffle, nn.Conv2d(1, 10, 3)),
    "stacked": Net(_stacked, nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 10, 3)),
    "repeated": Net(_repeated, nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(2, 10, 3)),
    "channel_shuffle": Net(
        _channel_shuffle, nn.Conv2d(1, 3, 3, padding=1), nn.ChannelShuffle(2), nn.Conv2d(1, 10, 3)
    ),
    "gated_halves": Net(_gated_halves, nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 10, 3)),
    "sizes": Net(_sizes, nn.Conv2d(1, 10, 3)),
    "volume": Net(
        _volume, nn.Conv3d(1, 4, (1, 3, 5), padding=(0, 1, 1)), nn.BatchNorm3d(4), nn.Linear(4, 10)
    ),
    "neighbouring_channels": nn.Sequential(nn.Conv2d(1, 8, 3), nn.LocalResponseNorm(3), *tail(8)),
    "turned": Net(
        lambda x, a: a(x.mT - torch.var_mean(x, (2, 3), keepdim=True)[1]).mean((2, 3)),
        nn.Conv2d(1, 10, (3, 5)),
    ),
    "normalised_weights": nn.Sequential(weight_norm(nn.Conv2d(1, 4, 3)), *tail(4)),
    "cumsum": Net(lambda x, a: a(x.cumsum(2)).softmax(3).mean((2, 3)), nn.Conv2d(1, 10, 3)),
    "einsum": Net(
        lambda x, a: torch.einsum("bchw,dc->bdhw", a(x), torch.ones(10, 4)).mean((2, 3)),
        nn.Conv2d(1, 4, 3),
    ),
    "einsum with dots": Net(
        lambda x, a: torch.einsum("bc...,dc->bd...", a(x), torch.ones(10, 4)).mean((2, 3)),
        nn.Conv2d(1, 4, 3),
    ),
    "einsum with dots in front": Net(
        lambda x, a: torch.einsum("...chw,dc->...hwd", a(x), torch.ones(10, 4)).mean((1, 2)),
        nn.Conv2d(1, 4, 3),
    ),
    "einsum over dots": Net(
        lambda x, a: torch.einsum("b...c,...d->...bd", a(x), torch.ones(4, 7, 10)).mean((0, 1)),
        nn.Conv2d(1, 4, (22, 5)),
    ),
    "einsum without an arrow": Net(
        lambda x, a: torch.einsum("bhwc,dc", a(x).permute(0, 2, 3, 1), torch.ones(10, 4)).mean(
            (2, 3)
        ),
        nn.Conv2d(1, 4, 3),
    ),
    "writes": Net(_in_place, nn.Conv2d(1, 6, 3)),
    "standardised": Net(
        lambda x, a: a((x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)).mean(
            (2, 3)
        ),
        nn.Conv2d(1, 10, 3),
    ),
}
