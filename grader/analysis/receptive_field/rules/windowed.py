"""Rules for operators with a window over positions: convolutions, pooling, padding, resizing.

In: a Call. Out: the Sight of its result. What each window reads is in `windows.py`, one room up.
"""

from __future__ import annotations

from grader.analysis import arguments
from grader.analysis.arguments import base, several
from grader.analysis.receptive_field import windows
from grader.analysis.receptive_field.bits import NotProven, within_groups
from grader.analysis.receptive_field.merge import meet
from grader.analysis.receptive_field.reshape import Size, follow, sizes
from grader.analysis.receptive_field.rules.call import Call, Result
from grader.analysis.receptive_field.sight import Sight, forget, length, mix, read, sized
from grader.program.values import BATCH


def convolution(call: Call) -> Result:
    """All channels of a group, and a window over positions."""
    if call.see(call.given["weight"]) is not None and len(call.output) == 4:
        return _of_each_image(call)
    weight = _filters(call)
    spatial = len(weight) - 2
    sight, channels = _channels(call, spatial, weight[0])
    return _windowed(call, sight, channels, weight)


def _windowed(call: Call, sight: Sight, channels: int, weight: tuple[int, ...]) -> Sight:
    """The window of a convolution along all dimensions after `channels`."""
    spatial = len(weight) - 2
    stride, dilation = call.numbers("stride", spatial), call.numbers("dilation", spatial)
    padding = call.given["padding"]
    for at in range(spatial):
        kernel = int(weight[2 + at])
        if padding == "same":
            before = windows.same_padding(kernel=kernel, dilation=dilation[at])
        else:
            before = 0 if padding == "valid" else call.numbers("padding", spatial)[at]
        dim = channels + 1 + at
        rule = windows.convolution(
            length(sight, dim),
            int(call.output[dim]),
            kernel=kernel,
            stride=stride[at],
            padding=before,
            dilation=dilation[at],
        )
        sight = read(sight, dim, rule)
    return sight


def _of_each_image(call: Call) -> Result:
    """Filters that are made from each image, one group of channels for each.

    The images lie side by side in dimension 1. Such filters are a gate: what they see is no window.
    """
    before, weight = call.shape(call.given["input"]), call.shape(call.given["weight"])
    sight, filters = call.main("input"), call.see(call.given["weight"])
    (one, inputs), (made, features) = sizes(before)[:2], sizes(weight)[:2]
    apart = inputs.images and made.images and one == Size(1) and inputs.count == features.count
    if not apart or filters is None or isinstance(call.given["groups"], int):
        raise NotProven("its weights are computed from the image")
    kernel = tuple(size.count for size in sizes(weight)[2:])
    sight = follow(sight, (BATCH, inputs.count, *before[2:]))
    sight = sized(mix(sight, [1]), 1, made.count)
    sight = _windowed(call, sight, 1, (made.count, inputs.count, *kernel))
    gate = follow(mix(filters, [1, 2, 3]), (BATCH, made.count, 1, 1))
    shape = (BATCH, made.count, *call.output[2:])
    seen = meet([sight, gate], shape, gate="gate")
    return None if seen is None else follow(seen, call.output)


def transposed(call: Call) -> Result:
    """All channels of a group, and a window scattered over positions."""
    weight = _filters(call)
    spatial = len(weight) - 2
    sight, channels = _channels(call, spatial, weight[1] * call.number("groups", 1))
    for at in range(spatial):
        dim = channels + 1 + at
        rule = windows.transposed(
            length(sight, dim),
            int(call.output[dim]),
            kernel=int(weight[2 + at]),
            stride=call.numbers("stride", spatial)[at],
            padding=call.numbers("padding", spatial)[at],
            dilation=call.numbers("dilation", spatial)[at],
        )
        sight = read(sight, dim, rule)
    return sight


def _filters(call: Call) -> tuple[int, ...]:
    """The shape of the weights. Raises NotProven where there are some for each image."""
    shape = call.shape(call.given["weight"])
    if any(isinstance(size, str) for size in shape):
        raise NotProven("its weights are computed from the image")
    return tuple(map(int, shape))


def _channels(call: Call, spatial: int, outputs: int) -> tuple[Sight, int]:
    """The input, its channels mixed within each group, and which dimension the channels are."""
    sight = call.main("input")
    if any(call.see(call.given[name]) is not None for name in ("weight", "bias")):
        raise NotProven("its weights are computed from the image")
    channels = len(call.output) - spatial - 1
    groups = call.number("groups", 1)
    if groups == 1:
        return sized(mix(sight, [channels]), channels, outputs), channels
    sight = forget(sight, channels)
    at = sight.axes(channels)[0]
    mixed = sight.bits(sight.dims, lambda bits: within_groups(bits, at, groups, outputs))
    return sized(mixed, channels, outputs), channels


def pooling(call: Call) -> Result:
    """A window over positions, each channel by itself."""
    sight = call.main()
    spatial = arguments.spatial(call.node)
    kernel, padding = call.numbers("kernel_size", spatial), call.numbers("padding", spatial)
    stride = call.numbers("stride", spatial) if call.given["stride"] else kernel
    dilation = call.numbers("dilation", spatial) if "dilation" in call.given else (1,) * spatial
    for at in range(spatial):
        dim = len(sight.dims) - spatial + at
        size = length(sight, dim)
        if call.node.shape:
            outputs = int(call.node.shape[dim])
        else:  # max pooling that returns indices too: two tensors, and no one shape
            up = call.given["ceil_mode"]
            outputs = pooled(size, kernel[at], stride[at], padding[at], dilation[at], up=up)
        rule = windows.convolution(
            size,
            outputs,
            kernel=kernel[at],
            stride=stride[at],
            padding=padding[at],
            dilation=dilation[at],
        )
        sight = read(sight, dim, rule, pools=True)
    return sight


def pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, *, up: bool) -> int:
    """Length after pooling; with ceil_mode (`up`) the last window may stick out at the end."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    outputs = (-(-room // stride) if up else room // stride) + 1
    return outputs - 1 if up and (outputs - 1) * stride >= size + padding else outputs


def adaptive(call: Call) -> Result:
    """As many windows as the result has positions."""
    sight = call.main()
    spatial = arguments.spatial(call.node)
    wanted = several(call.given["output_size"], spatial)
    for at in range(spatial):
        dim = len(sight.dims) - spatial + at
        size = length(sight, dim)
        outputs = size if wanted[at] is None else int(wanted[at])
        rule = windows.adaptive(size, outputs)
        sight = read(sight, dim, rule, pools=True)
    return sight


def padded(call: Call) -> Result:
    """A border around the positions, or a crop."""
    sight = call.main("self")
    name = base(call.node)
    amounts = call.given["pad" if "pad" in call.given else "padding"]
    mode = call.given.get("mode") or ("reflect" if "reflection" in name else "replicate")
    mode = "constant" if name == "constant_pad_nd" else mode
    for at in range(len(amounts) // 2):
        before, after = int(amounts[2 * at]), int(amounts[2 * at + 1])
        dim = len(sight.dims) - 1 - at
        if before or after:
            sight = read(sight, dim, windows.border(length(sight, dim), before, after, mode))
    return sight


def resized(call: Call) -> Result:
    """Nearest, linear or cubic interpolation."""
    sight = call.main()
    name = base(call.node)
    taps = 1 if "nearest" in name else 2 if "bilinear" in name else 4
    factors = call.given.get("scale_factors") or (
        call.given.get("scales_h"),
        call.given.get("scales_w"),
    )
    for at in (0, 1):
        dim = len(sight.dims) - 2 + at
        rule = windows.resized(
            length(sight, dim),
            int(call.output[dim]),
            taps=taps,
            scale=factors[at],
            align_corners=bool(call.given.get("align_corners")),
        )
        sight = read(sight, dim, rule)
    return sight
