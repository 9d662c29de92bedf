"""Small networks in the styles that students write, for the tests of the analyses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Net(nn.Module):
    """A forward function over some modules: `Net(lambda x, a, b: b(a(x)), conv, linear)`."""

    def __init__(self, run, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, *self.layers)


def block(inputs: int, outputs: int, *, padding: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()]


def sub_8k() -> nn.Module:
    """B1 of the reference models: 6,260 parameters, receptive field 28."""
    return nn.Sequential(
        *block(1, 8),
        *block(8, 10),
        nn.MaxPool2d(2),
        *block(10, 12),
        nn.MaxPool2d(2),
        *block(12, 16),
        *block(16, 16),
        nn.Conv2d(16, 10, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LogSoftmax(1),
    )


def shrinking() -> nn.Module:
    """B1 as its text prints it: no padding, so the last 3x3 convolution meets a 3x3 map."""

    def layer(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *layer(1, 8),
        *layer(8, 10),
        nn.MaxPool2d(2),
        *layer(10, 12),
        nn.MaxPool2d(2),
        *layer(12, 16),
        *layer(16, 16),
        nn.Conv2d(16, 10, 1),
        nn.AvgPool2d(1),
        nn.Flatten(),
        nn.LogSoftmax(1),
    )


def model_a(width: int = 32) -> nn.Module:
    """A1 of the reference models: 26,202 parameters (width 24: 16,834), receptive field 24."""

    def layer(inputs: int, outputs: int, p: float = 0.0) -> list[nn.Module]:
        dropout = [nn.Dropout(p)] if p else []
        return [nn.Conv2d(inputs, outputs, 3), nn.ReLU(), nn.BatchNorm2d(outputs), *dropout]

    return nn.Sequential(
        *layer(1, 16, 0.05),
        *layer(16, 16),
        nn.MaxPool2d(2),
        *layer(16, width, 0.1),
        *layer(width, width),
        nn.MaxPool2d(2),
        *layer(width, width, 0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 10),
    )


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.down = nn.Linear(channels, hidden)
        self.up = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.adaptive_avg_pool2d(x, 1).flatten(1)
        gate = torch.sigmoid(self.up(F.relu(self.down(gate))))
        return x * gate[:, :, None, None]


class DsconvSe(nn.Module):
    """A4 of the reference models: 17,682 parameters, receptive field 36, squeeze-and-excitation."""

    def __init__(self) -> None:
        super().__init__()

        def separable(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(
                    inputs,
                    inputs,
                    3,
                    padding=dilation,
                    dilation=dilation,
                    groups=inputs,
                    bias=False,
                ),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            )

        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.first = separable(16, 32)
        self.second = separable(32, 64)
        self.third = separable(64, 64, dilation=2)
        self.fourth = separable(64, 96, dilation=2)
        self.gate = SqueezeExcite(96, 8)
        self.dropout = nn.Dropout(0.03)
        self.classify = nn.Linear(96, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.first(self.stem(x)), 2)
        x = F.max_pool2d(self.third(self.second(x)), 2)
        x = self.gate(self.fourth(x))
        return self.classify(self.dropout(x.mean((2, 3))))
