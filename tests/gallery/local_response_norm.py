"""AlexNet's normalisation across neighbouring channels is no batch normalisation, and widens no window.

✓ parameter_limit: 7,434 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output: put nn.BatchNorm2d(channels) between a convolution and its ReLU
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(2),
            nn.Conv2d(16, 10, 5, padding=2), nn.Dropout(0.05), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
