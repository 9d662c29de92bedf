"""No class at all: the network is one nn.Sequential at the top of the file.

A top-level `model` is built again for every seed.

✓ parameter_limit: 7,450 parameters
✓ gap_or_fc: GAP
✓ receptive_field: 32 × 32 pixels
"""

import torch.nn as nn

model = nn.Sequential(
    nn.Conv2d(1, 8, 5, padding=2),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Dropout(0.1),
    nn.Conv2d(16, 10, 5, padding=2),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
)
