"""GroupNorm in place of BatchNorm: a fine network, but not what this assignment asks for.

✓ parameter_limit: 7,482 parameters
✗ batch_norm: 0 layers
    no BatchNorm layer has an effect on the output: put nn.BatchNorm2d(channels) between a convolution and its ReLU
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
· receptive field: a normalisation over positions adds a view of the whole image; not counted
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.GroupNorm(2, 8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.05),
            nn.Conv2d(16, 10, 5, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.body(x)
