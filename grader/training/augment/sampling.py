"""Where each pixel of a moved image comes from: PIL's arithmetic, or torchvision's for tensors.

`matrix` (B, 6) and `coefficients` (B, 8) are float64 and map an output pixel to its source, as PIL
wants them: x' = a x + b y + c and y' = d x + e y + f, where pixel i covers [i, i + 1).

A worked example: the row 10 20 30 40, moved to the right by half a pixel (a = 1, b = 0, c = -0.5).

    middles of the output    0.5   1.5   2.5   3.5
    come from                0.0   1.0   2.0   3.0
    PIL, nearest              10    20    30    40   the pixel that covers that place
    PIL, bilinear             10    15    25    35   half of each neighbour; the edge is repeated
    tensor, bilinear           5    15    25    35   half of each neighbour; outside is 0

Moved by 1.5 pixels, the first comes from -1.0. That is outside, where PIL leaves the fill: both of
its rows then begin with it, 0 10 20 30 and 0 10 15 25, and the tensor's is 0 5 15 25.

Source: Pillow, Geometry.c; torchvision.transforms.v2.functional.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pick(images: Tensor, rows: Tensor, columns: Tensor, *, fill: float = 0) -> Tensor:
    """Pixels (B, C, h, w) at whole-numbered `rows` and `columns`; `fill` outside of the image.

    Both broadcast to (B, h, w).
    """
    height, width = images.shape[-2:]
    index = rows.clamp(-1, height).add_(1).mul_(width + 2) + columns.clamp(-1, width).add_(1)
    index = index.expand(len(images), *index.shape[1:])
    return _at(F.pad(images, (1, 1, 1, 1), value=fill), index.long())


def pil_fill(fill: float | None) -> int:
    """What PIL paints for `fill`: a whole number from 0 to 255, cut, so that 0.5 is black."""
    return min(max(int(fill or 0), 0), 255)


def pil_affine(
    images: Tensor, matrix: Tensor, *, interpolation: str, fill: float | None, straight: bool
) -> Tensor:
    """PIL's `Image.transform(size, AFFINE, matrix)` of uint8 images.

    `straight`: no image is turned or sheared.
    """
    if interpolation == "nearest":
        # PIL counts in 1/65536 of a pixel, but in doubles where rows stay rows.
        rows, columns = _straight(images, matrix) if straight else _fixed_point(images, matrix)
        return pick(images, rows, columns, fill=pil_fill(fill))
    x, y = _centres(images)
    a, b, c, d, e, f = matrix[:, :, None, None].unbind(1)
    return _pil_bilinear(images, a * x + b * y + c, d * x + e * y + f, fill=pil_fill(fill))


def pil_perspective(
    images: Tensor, coefficients: Tensor, *, interpolation: str, fill: float | None
) -> Tensor:
    """PIL's `Image.transform(size, PERSPECTIVE, coefficients)` of uint8 images."""
    x, y = _centres(images)
    a, b, c, d, e, f, g, h = coefficients[:, :, None, None].unbind(1)
    depth = g * x + h * y + 1
    source_x, source_y = (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
    if interpolation == "nearest":
        rows, columns = (_whole(source) for source in (source_y, source_x))
        return pick(images, rows, columns, fill=pil_fill(fill))
    return _pil_bilinear(images, source_x, source_y, fill=pil_fill(fill))


def tensor_affine(
    images: Tensor, matrix: Tensor, *, interpolation: str, fill: float | None
) -> Tensor:
    """The `affine` of torchvision, for floats; `matrix` counts from the image's centre."""
    height, width = images.shape[-2:]
    x = torch.linspace((1 - width) * 0.5, (width - 1) * 0.5, width, device=images.device)
    y = torch.linspace((1 - height) * 0.5, (height - 1) * 0.5, height, device=images.device)
    theta = _per_half_size(matrix.view(-1, 2, 3).float(), width, height)
    grid = torch.bmm(_plane(x, y, len(images)), theta)
    return _grid_sample(
        images, grid.view(-1, height, width, 2), interpolation=interpolation, fill=fill
    )


def tensor_perspective(
    images: Tensor, coefficients: Tensor, *, interpolation: str, fill: float | None
) -> Tensor:
    """The `perspective` of torchvision, for float images."""
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) + 0.5
    y = torch.arange(height, device=images.device) + 0.5
    plane = _plane(x, y, len(images))
    theta = _per_half_size(coefficients[:, :6].reshape(-1, 2, 3).float(), width, height)
    depth = torch.cat([coefficients[:, 6:], torch.ones_like(coefficients[:, :1])], dim=1).float()
    grid = torch.bmm(plane, theta) / torch.bmm(plane, depth[:, :, None]) - 1
    # A degenerate perspective divides by zero: such pixels lie outside.
    grid = grid.nan_to_num(2, 2, -2)
    return _grid_sample(
        images, grid.view(-1, height, width, 2), interpolation=interpolation, fill=fill
    )


def _straight(images: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _centres(images)
    a, _, c, _, e, f = matrix[:, :, None, None].unbind(1)
    return _whole(e * y + f), _whole(a * x + c)


def fixed_point(matrix: Tensor) -> Tensor:
    """`matrix` in PIL's 1/65536 of a pixel: (6, B) float64 of whole numbers x0, y0, xx, yx, xy, yy.

    Pixel (y, x) comes from column (x0 + xx x + xy y) / 65536, cut, and row (y0 + yx x + yy y).
    """
    a, b, c, d, e, f = matrix.unbind(1)
    start = torch.stack([c + a * 0.5 + b * 0.5, f + d * 0.5 + e * 0.5, a, d, b, e])
    return (start * 2**16 + 0.5).floor_()


def _fixed_point(images: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    height, width = images.shape[-2:]
    x0, y0, xx, yx, xy, yy = fixed_point(matrix)[:, :, None].unbind()
    along = torch.arange(width, device=images.device)
    down = torch.arange(height, device=images.device)
    columns = _half_range(x0 + xx * along)[:, None, :] + _half_range(xy * down)[:, :, None]
    rows = _half_range(y0 + yx * along)[:, None, :] + _half_range(yy * down)[:, :, None]
    return rows.bitwise_right_shift_(16), columns.bitwise_right_shift_(16)


def _half_range(position: Tensor) -> Tensor:
    # Two of them add up within int32; 2**14 pixels away is outside in any case.
    return position.clamp_(1 - 2**30, 2**30 - 1).int()


def _at(padded: Tensor, index: Tensor) -> Tensor:
    channels = padded.shape[1]
    picked = padded.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, channels, -1))
    return picked.view(len(padded), channels, *index.shape[1:])


def _centres(images: Tensor) -> tuple[Tensor, Tensor]:
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device, dtype=torch.float64) + 0.5
    y = torch.arange(height, device=images.device, dtype=torch.float64) + 0.5
    return x[None, None, :], y[None, :, None]


def _whole(source: Tensor) -> Tensor:
    # A degenerate perspective divides by zero: such pixels lie outside.
    return source.nan_to_num(-1, -1, -1).clamp(-1, 2**20).floor().long()


def _pil_bilinear(images: Tensor, x: Tensor, y: Tensor, *, fill: int) -> Tensor:
    height, width = images.shape[-2:]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = (torch.where(inside, source, 0.5).sub_(0.5) for source in (x, y))
    left, top = x.floor(), y.floor()
    right_share, bottom_share = x.sub_(left)[:, None], y.sub_(top)[:, None]
    edged = F.pad(images.double(), (1, 1, 1, 1), mode="replicate")
    index = top.add_(1).mul_(width + 2).add_(left).add_(1).long()
    upper = _between(_at(edged, index), _at(edged, index + 1), right_share)
    index += width + 2
    lower = _between(_at(edged, index), _at(edged, index + 1), right_share)
    return torch.where(inside[:, None], _between(upper, lower, bottom_share).to(torch.uint8), fill)


def _between(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return second.sub_(first).mul_(share).add_(first)


def _plane(x: Tensor, y: Tensor, batch: int) -> Tensor:
    xs, ys = torch.meshgrid(x, y, indexing="xy")
    return torch.stack([xs, ys, torch.ones_like(xs)], dim=-1).view(1, -1, 3).expand(batch, -1, -1)


def _per_half_size(theta: Tensor, width: int, height: int) -> Tensor:
    x, y = theta.transpose(1, 2).unbind(-1)
    return torch.stack([x / (0.5 * width), y / (0.5 * height)], dim=-1)


def _grid_sample(images: Tensor, grid: Tensor, *, interpolation: str, fill: float | None) -> Tensor:
    if fill is None or (fill == 0 and interpolation == "nearest"):
        return F.grid_sample(
            images, grid, mode=interpolation, padding_mode="zeros", align_corners=False
        )
    covered = torch.cat([images, torch.ones_like(images[:, :1])], dim=1)
    sampled = F.grid_sample(
        covered, grid, mode=interpolation, padding_mode="zeros", align_corners=False
    )
    moved, mask = sampled[:, :-1], sampled[:, -1:]
    if interpolation == "nearest":
        return torch.where(mask < 0.5, fill, moved)
    # torchvision's own blend: `moved` is already darkened where the mask is below 1.
    return moved * mask + (1.0 - mask) * fill
