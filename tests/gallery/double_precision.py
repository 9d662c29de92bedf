"""The whole network computes in float64: images are converted on the way in.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
⚑ not float32: body.0.weight, body.0.bias, body.1.weight, body.1.bias and 4 more
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ).double()

    def forward(self, x):
        return self.body(x.double())
